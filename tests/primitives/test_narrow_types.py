"""Are integers and floats of less than a byte or of one byte computed as JAX computes them?

All values of such a dtype, and all pairs of them, fit in one array.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from minijax import lax

jax = pytest.importorskip("jax")

INTEGERS = {"int2": (-2, 2), "uint2": (0, 4), "int4": (-8, 8), "uint4": (0, 16)}
FLOATS = ("float8_e4m3fn", "float8_e5m2")
INTEGER_FUNCTIONS = (
    "neg sign square clz bitwise_not add sub mul div rem max min eq ne lt le gt ge bitwise_and "
    "bitwise_or bitwise_xor shift_left shift_right_logical shift_right_arithmetic"
).split()
FLOAT_FUNCTIONS = (
    "neg sign abs square floor ceil sqrt is_finite round add sub mul div rem max min eq ne lt le "
    "gt ge"
).split()
UNARY = "neg sign abs square clz bitwise_not floor ceil sqrt is_finite round".split()


def all_values(dtype: str) -> np.ndarray:
    kind = np.dtype(getattr(ml_dtypes, dtype))
    if dtype in INTEGERS:
        return np.arange(*INTEGERS[dtype]).astype(np.int8).astype(kind)
    return np.arange(0, 256, 3).astype(np.uint8).view(kind)


def assert_same(name: str, dtype: str) -> None:
    values = all_values(dtype)
    arity = 1 if name in UNARY else 2
    operands = [x.ravel() for x in np.meshgrid(*[values] * arity)]
    got, want = (np.asarray(getattr(module, name)(*operands)) for module in (lax, jax.lax))
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got.astype(float), want.astype(float))


@pytest.mark.parametrize("name", INTEGER_FUNCTIONS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_function_of_integers(name: str, dtype: str) -> None:
    assert_same(name, dtype)


@pytest.mark.parametrize("name", FLOAT_FUNCTIONS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_function_of_floats(name: str, dtype: str) -> None:
    assert_same(name, dtype)


def test_count_of_bits_is_that_of_the_width() -> None:
    """JAX counts the bits of the byte that holds a negative number."""
    counted = np.asarray(lax.population_count(all_values("int4"))).astype(int)
    np.testing.assert_array_equal(counted, [1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3])


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
@pytest.mark.parametrize("other", ["float32", "int32", "bool", "bfloat16"])
def test_conversion(dtype: str, other: str) -> None:
    values = all_values(dtype)
    there: Any = np.dtype(getattr(ml_dtypes, other, other))
    with np.errstate(invalid="ignore"):
        for source, target in ((values, there), (values.astype(there), values.dtype)):
            got, want = (
                np.asarray(module.convert_element_type(source, target)) for module in (lax, jax.lax)
            )
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got.astype(float), want.astype(float))
