"""Do samplers keep to shapes, dtypes and distributions, and mean the same however they run?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

import minijax as jax
from minijax import random
from minijax.config import enable_x64, threefry_partitionable

PLAIN = ["uniform", "normal", "exponential", "gumbel", "laplace", "logistic", "cauchy"]
ALL: dict[str, Callable[..., Any]] = {
    **{name: getattr(random, name) for name in (*PLAIN, "bits", "rademacher")},
    "truncated_normal": lambda key, shape: random.truncated_normal(key, -1.0, 2.0, shape),
    "bernoulli": lambda key, shape: random.bernoulli(key, 0.3, shape),
    "randint": lambda key, shape: random.randint(key, shape, -5, 100),
}


@pytest.mark.parametrize("partitionable", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_mapped_keys_equal_a_loop(name: str, partitionable: bool) -> None:
    with threefry_partitionable(partitionable):
        keys = random.split(random.key(1), 3)
        mapped = np.asarray(jax.vmap(lambda key: ALL[name](key, (5,)))(keys))
        loop = [np.asarray(ALL[name](keys[i], (5,))) for i in range(3)]
        np.testing.assert_array_equal(mapped, loop)


def test_compiled_equals_eager() -> None:
    def draw(key: Any) -> Any:
        keys = random.split(key, len(ALL))
        return [sample(keys[i], (7,)) for i, sample in enumerate(ALL.values())]

    key = random.key(3)
    exact = {"uniform", "bits", "rademacher", "bernoulli", "randint"}
    for name, eager, compiled in zip(ALL, draw(key), jax.jit(draw)(key), strict=True):
        if name in exact:
            np.testing.assert_array_equal(eager, compiled, err_msg=name)
        else:
            np.testing.assert_allclose(eager, compiled, rtol=3e-5, err_msg=name)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 3)])
@pytest.mark.parametrize("name", ALL)
def test_shapes(name: str, shape: tuple[int, ...]) -> None:
    assert ALL[name](random.key(0), shape).shape == shape


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("name", PLAIN)
def test_float_dtypes(name: str, dtype: str) -> None:
    with enable_x64(True):
        drawn = getattr(random, name)(random.key(0), (200,), dtype)
        assert drawn.dtype.name == dtype
        assert np.isfinite(np.asarray(drawn).astype(np.float64)).all()


def test_default_dtypes_follow_the_flag() -> None:
    for wide, suffix in ((False, "32"), (True, "64")):
        with enable_x64(wide):
            key = random.key(0)
            assert random.uniform(key).dtype.name == "float" + suffix
            assert random.randint(key, (), 0, 9).dtype.name == "int" + suffix
            assert random.bits(key).dtype.name == "uint" + suffix
            assert random.permutation(key, 3).dtype.name == "int" + suffix


def test_an_integer_is_a_shape() -> None:
    np.testing.assert_array_equal(
        random.normal(random.key(0), 3), random.normal(random.key(0), (3,))
    )


# -- distributions ---------------------------------------------------------------------------------

CONTINUOUS: dict[str, Any] = {
    "uniform": scipy.stats.uniform,
    "normal": scipy.stats.norm,
    "exponential": scipy.stats.expon,
    "gumbel": scipy.stats.gumbel_r,
    "laplace": scipy.stats.laplace,
    "logistic": scipy.stats.logistic,
    "cauchy": scipy.stats.cauchy,
    "truncated_normal": scipy.stats.truncnorm(-1, 2),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_distribution(name: str) -> None:
    drawn = np.asarray(ALL[name](random.key(0), (20000,)))
    assert scipy.stats.kstest(drawn, CONTINUOUS[name].cdf).pvalue > 1e-3


def test_integers_are_equally_likely() -> None:
    drawn = np.asarray(random.randint(random.key(0), (30000,), -3, 4))
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == list(range(-3, 4))
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_complex_normal() -> None:
    drawn = np.asarray(random.normal(random.key(0), (20000,), np.complex64))
    assert drawn.dtype == np.complex64
    parts = np.real(drawn), np.imag(drawn)
    for part in parts:
        assert scipy.stats.kstest(part, scipy.stats.norm(scale=0.5**0.5).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(*parts)[0, 1]) < 0.03


def test_high_mode_resolves_tiny_probabilities() -> None:
    p = np.float32(1e-9)
    keys = random.split(random.key(0), 2)
    assert not np.asarray(random.bernoulli(keys[0], p, (1000,), "high")).any()
    assert np.asarray(random.bernoulli(keys[1], np.float32(1 - 1e-9), (1000,), "high")).all()


# -- parameters ------------------------------------------------------------------------------------


def test_bounds_of_uniform() -> None:
    drawn = np.asarray(random.uniform(random.key(0), (1000,), minval=-3, maxval=np.float32(7.5)))
    assert drawn.dtype == np.float32 and drawn.min() >= -3 and drawn.max() < 7.5
    low = np.arange(3.0, dtype=np.float32)
    rows = np.asarray(random.uniform(random.key(0), (50, 3), minval=low, maxval=low + 1))
    assert ((rows >= low) & (rows < low + 1)).all()


def test_truncated_normal_stays_inside() -> None:
    drawn = np.asarray(random.truncated_normal(random.key(0), -0.001, 0.001, (1000,)))
    assert ((drawn > -0.001) & (drawn < 0.001)).all()
    shape = random.truncated_normal(random.key(0), np.zeros(3), 1.0).shape
    assert shape == (3,)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
def test_bounds_of_randint_outside_of_the_dtype(dtype: str) -> None:
    info = np.iinfo(dtype)
    low, high = max(info.min - 5, -(2**31)), min(int(info.max) + 5, 2**31 - 1)
    drawn = np.asarray(random.randint(random.key(0), (3000,), low, high, dtype))
    assert drawn.dtype == dtype
    if info.bits == 8:
        assert drawn.min() == info.min and drawn.max() == info.max


def test_empty_range_of_randint() -> None:
    assert np.asarray(random.randint(random.key(0), (5,), 3, 3)).tolist() == [3] * 5
    assert np.asarray(random.randint(random.key(0), (5,), 3, -4)).tolist() == [3] * 5


def test_bounds_of_randint_broadcast() -> None:
    low, high = np.arange(3)[:, None] * 10, np.arange(3)[:, None] * 10 + np.arange(1, 5)
    drawn = np.asarray(random.randint(random.key(0), (3, 4), low, high))
    assert ((drawn >= low) & (drawn < high)).all()
    rank = np.asarray(random.randint(random.key(0), (3, 4), 0, np.arange(1, 5)))
    assert (rank < np.arange(1, 5)).all()


def test_gradients_flow_through_parameters() -> None:
    key = random.key(0)
    slope = jax.grad(lambda high: random.uniform(key, minval=0.0, maxval=high))(2.0)
    np.testing.assert_allclose(slope, random.uniform(key), rtol=1e-6)


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw, error, message",
    [
        (lambda k: random.normal(k, (2,), "int32"), ValueError, "must be a float or complex"),
        (lambda k: random.uniform(k, (2,), "int32"), ValueError, "must be a float dtype"),
        (lambda k: random.bits(k, (2,), "float32"), ValueError, "must be an unsigned int dtype"),
        (lambda k: random.randint(k, (2,), 0, 1, "float32"), TypeError, "only accepts integer"),
        (lambda k: random.randint(k, (2,), 0, 2**40), OverflowError, "too large"),
        (lambda k: random.randint(k, (2,), np.zeros(3, int), 1), ValueError, "Incompatible shapes"),
        (lambda k: random.bernoulli(k, 1), TypeError, "must have a floating dtype, got int32"),
        (lambda k: random.bernoulli(k, 0.5, (), "low!"), ValueError, "expected 'high' or 'low'"),
        (
            lambda k: random.bernoulli(k, np.ones(3), ()),
            ValueError,
            "must equal the shape argument",
        ),
        (lambda k: random.gumbel(k, mode="x"), ValueError, "Must provide valid mode"),
        (lambda k: random.normal(k, (-1,)), TypeError, "nonnegative"),
        (lambda k: random.normal(k, (1.5,)), TypeError, "integer type"),
        (lambda k: random.truncated_normal(k, np.ones(3), 1.0, (4,)), ValueError, "Incompatible"),
    ],
)
def test_mistakes(draw: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        draw(random.key(0))
