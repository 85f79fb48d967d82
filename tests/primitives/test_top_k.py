"""Are the largest elements, and the bits of ``rng_bit_generator``, those of JAX?"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import minijax
from minijax.config import enable_x64
from minijax.primitives.random_bit_generator import RandomAlgorithm, rng_bit_generator
from minijax.primitives.top_k import top_k

jax = pytest.importorskip("jax")

ODD = np.array([1, np.nan, 3, -0.0, 0.0, 3, np.inf, -np.nan, -np.inf], np.float32)


def require_same_bits(ours: Any, theirs: Any) -> None:
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert np.asarray(ours).tobytes() == np.asarray(theirs).tobytes()


@pytest.mark.parametrize("dtype", (np.float32, np.float16, ml_dtypes.bfloat16))
def test_the_order_of_floats_is_total(dtype: Any) -> None:
    for k in (0, 3, 9):
        x = ODD.astype(dtype)
        for a, b in zip(top_k(x, k), jax.lax.top_k(x, k), strict=True):
            require_same_bits(a, b)


@pytest.mark.parametrize("dtype", ("bool", "int8", "uint8", "int32", "uint32"))
@pytest.mark.parametrize("axis", (0, 1, -1))
def test_ties_keep_their_order(dtype: str, axis: int) -> None:
    x = np.random.default_rng(0).integers(0, 3, (6, 7)).astype(dtype)
    jitted = minijax.jit(lambda x: top_k(x, 5, axis=axis))
    expected = jax.lax.top_k(x, 5, axis=axis)
    for found in (top_k(x, 5, axis=axis), jitted(x)):
        for a, b in zip(found, expected, strict=True):
            require_same_bits(a, b)


def test_derivative_and_vmap() -> None:
    x, t = np.random.default_rng(0).normal(size=(2, 4, 6)).astype(np.float32)
    for lib, fun in ((minijax, top_k), (jax, jax.lax.top_k)):
        _, tangents = lib.jvp(lambda x, f=fun: f(x, 2)[0], (x,), (t,))
        mapped = lib.vmap(lambda x, f=fun: f(x, 2)[0], in_axes=1)(x)
        if lib is minijax:
            ours = tangents, mapped
    require_same_bits(ours[0], tangents)
    require_same_bits(ours[1], mapped)


@pytest.mark.parametrize(
    ("x", "k", "axis"),
    [(ODD, 10, 0), (ODD, -1, 0), (ODD, 1, 1), (ODD.astype(np.complex64), 1, 0), (ODD[0], 1, -1)],
)
def test_errors_are_those_of_jax(x: Any, k: int, axis: int) -> None:
    with pytest.raises(Exception) as expected:
        jax.lax.top_k(x, k, axis=axis)
    with pytest.raises(expected.type) as raised:
        top_k(x, k, axis=axis)
    assert str(raised.value) == str(expected.value)


def test_positions_must_fit_int32() -> None:
    x = minijax.ShapeDtypeStruct((2**31 + 1,), np.int8)
    with pytest.raises(ValueError, match="top_k returns int32 indices, which will overflow"):
        minijax.eval_shape(lambda x: top_k(x, 5), x)


# -- random bits ----------------------------------------------------------------------------------

STATES = (
    [1, 2, 3, 4],
    [1, 2, 0xFFFFFFFF, 7],
    [1, 2, 0xFFFFFFFE, 0xFFFFFFFF],
    [0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF],
)
SHAPES = (
    (), (1,), (5,), (8,), (2, 3), (3, 2), (4, 6), (3, 5), (5, 3), (3, 4, 5), (0,), (2, 0, 3),
    (3, 5, 7),
)  # fmt: skip


@pytest.mark.parametrize("algorithm", RandomAlgorithm)
@pytest.mark.parametrize("words", STATES)
def test_random_bits(algorithm: RandomAlgorithm, words: list[int]) -> None:
    state = np.array(words, np.uint32)
    theirs = jax.lax.RandomAlgorithm(algorithm.value)
    for shape in SHAPES:
        for dtype in ("uint8", "uint16", "uint32") if shape == (3, 5) else ("uint32",):
            found = rng_bit_generator(state, shape, dtype, algorithm)
            for a, b in zip(
                found, jax.lax.rng_bit_generator(state, shape, dtype, theirs), strict=True
            ):
                require_same_bits(a, b)


@pytest.mark.parametrize("algorithm", RandomAlgorithm)
def test_random_bits_of_64(algorithm: RandomAlgorithm) -> None:
    theirs = jax.lax.RandomAlgorithm(algorithm.value)
    words = np.array(STATES[0], np.uint32)
    with jax.enable_x64(True), enable_x64(True):
        for state in (words, words.view(np.uint64)):
            for shape in ((), (5,), (2, 3)):
                found = rng_bit_generator(state, shape, "uint64", algorithm)
                expected = jax.lax.rng_bit_generator(state, shape, "uint64", theirs)
                for a, b in zip(found, expected, strict=True):
                    require_same_bits(a, b)


def test_each_example_draws_what_it_draws_alone() -> None:
    states = np.array(STATES, np.uint32)
    for found, i in zip(
        minijax.vmap(lambda s: rng_bit_generator(s, (3,))[1])(states), range(4), strict=True
    ):
        require_same_bits(found, rng_bit_generator(states[i], (3,))[1])


def test_states_and_dtypes_that_are_refused() -> None:
    state = np.array(STATES[0], np.uint32)
    with pytest.raises(TypeError, match="rng_bit_generator: unsupported dtype int32"):
        rng_bit_generator(state, (3,), np.int32)
    for wrong in (state[:2], state.astype(np.int32), state[None]):
        with pytest.raises(TypeError, match="the key must have type"):
            rng_bit_generator(wrong, (3,))


def test_equations_are_printed_as_in_jax() -> None:
    state = np.array(STATES[0], np.uint32)
    pairs = (
        (lambda x: top_k(x, 3), lambda x: jax.lax.top_k(x, 3), ODD),
        (
            lambda x: rng_bit_generator(x, (3, 2)),
            lambda x: jax.lax.rng_bit_generator(x, (3, 2)),
            state,
        ),
    )
    for ours, theirs, x in pairs:
        assert str(minijax.make_jaxpr(ours)(x)) == str(jax.make_jaxpr(theirs)(x))
