"""Does sorting order numbers as it must, move other arrays alike, and differentiate?"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import minijax as jax
from minijax import lax, random

NAN = np.float32(np.nan)


def test_floats() -> None:
    x = np.array([3, NAN, -0.0, np.inf, 0.0, -NAN, -np.inf, 1], np.float32)
    values, places = lax.sort_key_val(x, np.arange(8))
    np.testing.assert_array_equal(
        values, np.array([-np.inf, -0.0, 0.0, 1, 3, np.inf, NAN, NAN], np.float32)
    )
    # The zeros are equal and so are the NaNs: they stay in their order.
    assert np.asarray(places).tolist() == [6, 2, 4, 7, 0, 3, 1, 5]


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int32", "uint32", "bfloat16", "float16", "int4"]
)
def test_dtypes(dtype: str) -> None:
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = np.random.default_rng(0).integers(0, 7, (4, 30)).astype(kind)
    ordered = lax.sort(x, dimension=0)
    assert ordered.dtype == kind
    wide = np.asarray(ordered).astype(np.float64)
    np.testing.assert_array_equal(wide, np.sort(x.astype(np.float64), 0))


def test_complex_numbers_are_ordered_by_real_then_imaginary_part() -> None:
    x = np.array([2 + 1j, 1 + 5j, complex(1, np.nan), 2 - 1j, complex(np.nan, 0), 1 - 5j])
    ordered = np.asarray(lax.sort(x.astype(np.complex64)))
    expected = [1 - 5j, 1 + 5j, complex(1, np.nan), 2 - 1j, 2 + 1j, complex(np.nan, 0)]
    np.testing.assert_array_equal(ordered, np.array(expected, np.complex64))


def test_ties_are_decided_by_further_keys() -> None:
    first, second = np.array([1, 0, 1, 0, 1]), np.array([5.0, NAN, 4.0, 2.0, NAN], np.float32)
    names = np.arange(5)
    one = lax.sort((first, second, names), num_keys=1)
    two = lax.sort((first, second, names), num_keys=2)
    three = lax.sort((first, first, -names), num_keys=3)
    assert np.asarray(one[2]).tolist() == [1, 3, 0, 2, 4]
    assert np.asarray(two[2]).tolist() == [3, 1, 2, 0, 4]
    assert np.asarray(three[2]).tolist() == [-3, -1, -4, -2, 0]


@pytest.mark.parametrize("shape, dimension", [((0,), 0), ((2, 0), 1), ((0, 3), 1), ((1, 1), 0)])
def test_nothing_to_order(shape: tuple[int, ...], dimension: int) -> None:
    assert lax.sort(np.zeros(shape, np.float32), dimension).shape == shape


def test_keys_are_moved_as_values() -> None:
    keys = random.split(random.key(0), 3)
    _, moved = lax.sort_key_val(np.array([2, 0, 1]), keys)
    words = np.asarray(random.key_data(keys))
    np.testing.assert_array_equal(random.key_data(moved), words[[1, 2, 0]])
    with pytest.raises(TypeError, match="does not accept dtype key<fry>"):
        lax.sort(keys)


def test_compiled_order_is_that_of_the_reference() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 4, (3, 17)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = NAN
    y = rng.integers(0, 3, x.shape)
    z = np.broadcast_to(np.arange(17), x.shape)

    def orders(x: Any, y: Any, z: Any) -> Any:
        return lax.sort((x, y, z), num_keys=2), lax.sort_key_val(-x, z, 0), lax.sort(y)

    for eager, compiled in zip(
        jax.tree.leaves(orders(x, y, z)), jax.tree.leaves(jax.jit(orders)(x, y, z)), strict=True
    ):
        np.testing.assert_array_equal(eager, compiled)


def test_derivative_follows_the_order() -> None:
    x = np.array([[3.0, 1.0, 2.0], [0.5, 2.5, 1.5]], np.float32)
    t = np.arange(6, dtype=np.float32).reshape(2, 3)
    for dimension in (0, 1):
        order = np.argsort(x, dimension)
        moved = jax.jvp(lambda x, d=dimension: lax.sort(x, d), (x,), (t,))[1]
        np.testing.assert_array_equal(moved, np.take_along_axis(t, order, dimension))
    weights = np.array([1.0, 10.0, 100.0], np.float32)
    slopes = jax.grad(lambda x: (lax.sort(x) * weights).sum())(x)
    np.testing.assert_array_equal(slopes, [[100, 1, 10], [1, 100, 10]])


def test_derivative_of_what_is_moved() -> None:
    place = np.array([2, 0, 1])
    y, t = np.array([5.0, 6.0, 7.0], np.float32), np.array([1.0, 2.0, 3.0], np.float32)
    moved = jax.jvp(lambda y: lax.sort_key_val(place, y)[1], (y,), (t,))[1]
    np.testing.assert_array_equal(moved, [2, 3, 1])


def test_mapping_one_of_two_operands() -> None:
    x = np.array([[3.0, 1.0, 2.0], [0.5, 2.5, 1.5]], np.float32)
    y = np.arange(3)
    _, moved = jax.vmap(lax.sort_key_val, (0, None))(x, y)
    np.testing.assert_array_equal(moved, np.argsort(x, 1))
    _, moved = jax.vmap(lax.sort_key_val, (1, None), out_axes=1)(x.T, y)
    np.testing.assert_array_equal(moved, np.argsort(x, 1).T)


def test_printed() -> None:
    jaxpr = jax.make_jaxpr(lax.sort)(np.zeros(3, np.float32))
    assert "sort[dimension=0 is_stable=True num_keys=1] a" in str(jaxpr)


def test_lowering_is_one_operation() -> None:
    text = jax.jit(lax.sort).lower(np.zeros((2, 3), np.float32)).as_text()
    assert text.count('"stablehlo.sort"') == 1
    assert "is_stable = true" in text and "dimension = 1" in text


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: lax.sort((np.zeros(3), np.zeros(2))),
            TypeError,
            r"Arguments to sort must have equal shapes, got: \(3,\) \(2,\)",
        ),
        (lambda: lax.sort(()), TypeError, "Sort requires at least one operand"),
        (lambda: lax.sort(np.zeros(3), num_keys=2), ValueError, "must equal 1 for a single"),
        (lambda: lax.sort((np.zeros(3),), num_keys=0), ValueError, "must be between 1 and"),
        (lambda: lax.sort(np.zeros(3), 1), ValueError, "axis 1 is out of bounds"),
        (lambda: lax.sort(np.float32(3)), ValueError, "axis -1 is out of bounds"),
        (lambda: lax.sort([np.arange(3), "a"]), TypeError, "passed to sort at position 1"),
    ],
)
def test_mistakes(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
