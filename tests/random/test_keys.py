"""Are keys made, split and refused as in JAX?"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import minijax as jax
from minijax import random
from minijax.config import enable_custom_prng, enable_x64, legacy_prng_key, threefry_partitionable


def words(key: Any) -> list[Any]:
    return np.asarray(random.key_data(key)).tolist()


# -- making them -----------------------------------------------------------------------------------

SEEDS_32 = [
    (0, [0, 0]),
    (1, [0, 1]),
    (True, [0, 1]),
    (-1, [0, 0xFFFFFFFF]),
    (2**31, [0, 2**31]),
    (2**32 + 5, [0, 5]),
    (-(2**40), [0, 0]),
    (2**63 - 1, [0, 0xFFFFFFFF]),
    (np.int64(2**40), [0, 0]),
    (np.uint32(2**32 - 1), [0, 0xFFFFFFFF]),
    (np.int8(-3), [0, 0xFFFFFFFD]),
    (np.array(7), [0, 7]),
]
SEEDS_64 = [
    (-1, [0xFFFFFFFF, 0xFFFFFFFF]),
    (2**32 + 5, [1, 5]),
    (-(2**40), [0xFFFFFF00, 0]),
    (2**63 - 1, [0x7FFFFFFF, 0xFFFFFFFF]),
    (np.uint64(2**63), [2**31, 0]),
    (np.int32(-1), [0, 0xFFFFFFFF]),
    (np.uint32(2**32 - 1), [0, 0xFFFFFFFF]),
]


@pytest.mark.parametrize("seed, expected", SEEDS_32)
def test_seeds(seed: Any, expected: list[int]) -> None:
    assert words(random.key(seed)) == expected
    assert np.asarray(random.PRNGKey(seed)).tolist() == expected


@pytest.mark.parametrize("seed, expected", SEEDS_64)
def test_seeds_with_wide_types(seed: Any, expected: list[int]) -> None:
    with enable_x64(True):
        assert words(random.key(seed)) == expected


def test_seed_of_a_traced_function() -> None:
    assert words(jax.jit(random.key)(np.int32(-5))) == [0, 2**32 - 5]
    several = jax.vmap(random.key)(np.arange(3))
    assert words(several) == [[0, 0], [0, 1], [0, 2]]


@pytest.mark.parametrize("make", [random.key, random.PRNGKey])
def test_wrong_seeds(make: Any) -> None:
    with pytest.raises(TypeError, match="PRNG key seed must be an integer"):
        make(1.0)
    with pytest.raises(TypeError, match=r"accepts a scalar seed, but was given an array of shape"):
        make(np.arange(2))
    with pytest.raises(TypeError, match="accepts a scalar seed, but was given a PRNG key"):
        make(random.key(0))
    with pytest.raises(OverflowError):
        make(2**63)


def test_implementations() -> None:
    assert random.key_impl(random.key(0)) == "threefry2x32"
    assert random.key_impl(random.PRNGKey(0)) == "threefry2x32"
    assert random.key_dtype() == random.key(0).dtype
    assert words(random.key(3, impl="threefry2x32")) == [0, 3]
    assert words(random.key(3, dtype=random.key_dtype())) == [0, 3]
    with pytest.raises(ValueError, match='unrecognized PRNG implementation "foo"'):
        random.key(0, impl="foo")
    with pytest.raises(TypeError, match="unrecognized type <class 'int'>"):
        random.key(0, impl=3)
    with pytest.raises(ValueError, match="give one of them"):
        random.key(0, impl="threefry2x32", dtype=random.key_dtype())


def test_custom_prng_flag_makes_typed_keys() -> None:
    with enable_custom_prng(True):
        assert random.PRNGKey(3).dtype == random.key_dtype()


# -- looking at them -------------------------------------------------------------------------------


def test_typed_keys_look_as_in_jax() -> None:
    keys = random.split(random.key(0))
    assert keys.shape == (2,) and keys.ndim == 1
    assert jax.dtypes.issubdtype(keys.dtype, jax.dtypes.prng_key)
    assert repr(random.key(0)) == "Array((), dtype=key<fry>) overlaying:\n[0 0]"
    with pytest.raises(TypeError, match="cannot be converted to a NumPy array"):
        np.asarray(keys)


def test_key_data_and_back() -> None:
    keys = random.split(random.key(5), (2, 3))
    data = random.key_data(keys)
    assert data.shape == (2, 3, 2) and data.dtype == np.uint32
    back = random.wrap_key_data(data)
    assert back.dtype == keys.dtype and words(back) == words(keys)
    assert words(random.clone(keys)) == words(keys)
    older = random.PRNGKey(5)
    np.testing.assert_array_equal(random.key_data(older), older)
    np.testing.assert_array_equal(random.clone(older), older)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (np.zeros(3, np.uint32), r"shape to end with \(2,\); got shape=\(3,\)"),
        (np.zeros(2, np.float32), r"dtype = uint32; got dtype=float32"),
        (np.zeros(2, np.int32), r"dtype = uint32; got dtype=int32"),
        (3, "to have ndim, shape, and dtype attributes. Got 3"),
    ],
)
def test_what_is_no_key(wrong: Any, message: str) -> None:
    for use in (random.normal, random.split, random.key_data, random.wrap_key_data):
        with pytest.raises(TypeError, match="invalid PRNG key data: expected key_data.*" + message):
            use(wrong)


def test_one_key_at_a_time() -> None:
    typed, older = random.split(random.key(0)), random.split(random.PRNGKey(0))
    for name in ("normal", "uniform", "split", "bits"):
        for keys in (typed, older):
            with pytest.raises(ValueError, match=f"{name} accepts a single key, but was given"):
                getattr(random, name)(keys)


def test_legacy_flag() -> None:
    older = random.PRNGKey(0)
    with legacy_prng_key("error"):
        with pytest.raises(ValueError, match="Legacy uint32 key array"):
            random.normal(older)
        random.normal(random.key(0))
    with legacy_prng_key("warn"), pytest.warns(UserWarning, match="Legacy uint32 key"):
        random.normal(older)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        random.normal(older)


# -- making more of them ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", [random.key, random.PRNGKey])
@pytest.mark.parametrize("num", [0, 1, 2, 5, (2, 3), ()])
def test_split_keeps_the_style(make: Any, num: Any) -> None:
    key = make(1)
    keys = random.split(key, num)
    shape = (num,) if isinstance(num, int) else num
    assert keys.dtype == key.dtype and keys.shape == (*shape, *key.shape)


def test_first_keys_do_not_depend_on_how_many() -> None:
    with threefry_partitionable(True):
        few, many = (words(random.split(random.key(3), n)) for n in (2, 9))
        assert many[:2] == few


def test_split_of_a_negative_number() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        random.split(random.key(0), -1)


def test_fold_in() -> None:
    key = random.key(0)
    assert words(random.fold_in(key, 1)) == [928981903, 3453687069]
    assert words(random.fold_in(key, np.int64(2**32 + 1))) == [928981903, 3453687069]
    assert words(jax.jit(random.fold_in)(key, 1)) == [928981903, 3453687069]
    folded = jax.vmap(random.fold_in, (None, 0))(key, np.arange(3))
    assert words(folded) == [words(random.fold_in(key, i)) for i in range(3)]
    for data in (-1, 2**32 + 1):
        with pytest.raises(OverflowError):
            random.fold_in(key, data)
    with pytest.raises(TypeError, match="fold_in accepts a scalar"):
        random.fold_in(key, np.arange(2))


@pytest.mark.parametrize("partitionable", [False, True])
@pytest.mark.parametrize("make", [random.key, random.PRNGKey])
def test_mapped_keys_equal_a_loop(make: Any, partitionable: bool) -> None:
    with threefry_partitionable(partitionable):
        keys = random.split(make(9), 4)
        mapped = jax.vmap(lambda key: random.split(key, 3))(keys)
        for i in range(4):
            assert words(mapped[i]) == words(random.split(keys[i], 3))


def test_keys_are_indexed_and_updated_as_arrays() -> None:
    keys = random.split(random.key(0), 3)
    assert words(keys[1:]) == words(keys)[1:]
    changed = keys.at[0].set(random.key(7))
    assert words(changed) == [[0, 7], *words(keys)[1:]]
    assert words(jax.numpy.concatenate([keys, keys])) == words(keys) * 2
