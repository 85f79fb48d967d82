"""Do conversions of dtypes give the bits that JAX gives?"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from minijax.core import dtypes
from minijax.core.aval import ShapedArray
from minijax.primitives import conversion
from minijax.primitives.conversion import (
    bitcast_convert_type_p,
    convert_element_type_p,
    reduce_precision_p,
)

jax = pytest.importorskip("jax")

DTYPES = (
    "bool int8 uint8 int16 int32 uint32 int64 uint64 float16 bfloat16 float32 float64 "
    "complex64 complex128"
).split()
NUMBERS = (
    [0.0, -0.0, 0.4, -0.4, 0.6, 1.0, -1.0, 1.5, -1.5, 126.7, 127.0, 128.0, -128.0, -128.9, -129.0]
    + [255.0, 256.0, 1e4, 65504.0, 65519.0, 65520.0, 1e5, -1e5, 2.0**31 - 128, 2.0**31, -(2.0**31)]
    + [3e9, 2.0**32, 1e18, 2.0**63, -(2.0**63), 1e19, 2.0**64, 1e30, -1e30, np.inf, -np.inf, np.nan]
)


@pytest.fixture(autouse=True)
def with_x64() -> Any:
    """JAX narrows 64-bit operands otherwise."""
    with jax.enable_x64(True):
        yield


def named(name: str) -> np.dtype:
    return dtypes.DTYPES[name]


def operand(name: str) -> np.ndarray:
    """Numbers of a dtype, among them those that others cannot hold."""
    dtype = named(name)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.array([0, 1, 2, 100, info.max, info.max - 1, info.min, info.min + 1], dtype)
    with np.errstate(all="ignore"):
        return np.array(NUMBERS).astype(dtype)


def same(got: np.ndarray, want: Any) -> bool:
    """Equal bit for bit, any NaN being as good as another."""
    want = np.asarray(want)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    bits = np.ascontiguousarray(got).view(np.uint8) == np.ascontiguousarray(want).view(np.uint8)
    equal = bits.reshape(*got.shape, -1).all(-1)
    return bool((equal | ((got != got) & (want != want))).all())


def convert(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    params = {"new_dtype": dtype, "weak_type": False, "sharding": None}
    with np.errstate(all="ignore"):
        value = np.asarray(convert_element_type_p.rule("reference")(x, **params))
    aval = convert_element_type_p.infer([ShapedArray(x.shape, x.dtype)], params)
    assert (value.shape, value.dtype) == (aval.shape, aval.dtype)
    return value


@pytest.mark.filterwarnings("ignore:Casting complex values")
@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
def test_conversion(source: str, target: str) -> None:
    x = operand(source)
    assert same(convert(x, named(target)), jax.lax.convert_element_type(x, target))


@pytest.mark.parametrize("target", ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz"))
def test_conversion_to_eight_bits(target: str) -> None:
    x = np.linspace(-300, 300, 101, dtype=np.float32)
    narrow = convert(x, named(target))
    assert same(narrow, jax.lax.convert_element_type(x, target))
    assert same(convert(narrow, named("float32")), narrow.astype(np.float32))


@pytest.mark.parametrize(
    ("source", "target", "shape"),
    [
        ("float32", "int32", (2, 4)),
        ("float32", "uint16", (2, 4)),
        ("float64", "uint8", (2, 4)),
        ("int8", "float32", (2, 4)),
        ("uint16", "bfloat16", (2, 4)),
        ("uint32", "float64", (4, 2)),
        ("bool", "bool", (3,)),
        ("float32", "uint16", ()),
    ],
)
def test_bits(source: str, target: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(0, 100, shape).astype(named(source))
    params = {"new_dtype": named(target)}
    value = np.asarray(bitcast_convert_type_p.rule("reference")(x, **params))
    aval = bitcast_convert_type_p.infer([ShapedArray(x.shape, x.dtype)], params)
    assert (value.shape, value.dtype) == (aval.shape, aval.dtype)
    assert same(value, jax.lax.bitcast_convert_type(x, target))


def test_bits_of_an_array_that_is_not_contiguous() -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4).T
    value = bitcast_convert_type_p.rule("reference")(x, new_dtype=named("uint8"))
    assert same(value, jax.lax.bitcast_convert_type(x, np.uint8))


@pytest.mark.parametrize("bits", ((5, 10), (8, 7), (4, 3), (11, 30), (2, 1), (8, 23)))
@pytest.mark.parametrize("dtype", ("float32", "float64", "float16", "bfloat16"))
def test_precision(dtype: str, bits: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([NUMBERS, rng.normal(0, 1, 50), np.exp2(rng.uniform(-14, 14, 50))])
    with np.errstate(all="ignore"):
        x = values.astype(named(dtype))
    value = reduce_precision_p.rule("reference")(x, exponent_bits=bits[0], mantissa_bits=bits[1])
    assert same(value, jax.lax.reduce_precision(x, *bits))


@pytest.mark.parametrize(
    "call",
    [
        lambda lax: lax.convert_element_type(np.float32(1), None),
        lambda lax: lax.convert_element_type(np.float32(1), "no such dtype"),
        lambda lax: lax.bitcast_convert_type(np.ones((2, 3), np.int8), np.int32),
        lambda lax: lax.bitcast_convert_type(np.int8(1), np.int32),
        lambda lax: lax.bitcast_convert_type(np.True_, np.uint8),
        lambda lax: lax.bitcast_convert_type(np.complex64(1), np.float32),
        lambda lax: lax.reduce_precision(np.float32(1), 0, 1),
        lambda lax: lax.reduce_precision(np.float32(1), 5, -1),
        lambda lax: lax.reduce_precision(np.int32(1), 5, 1),
    ],
)
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")
def test_mistakes_are_refused_in_the_words_of_jax(call: Any) -> None:
    with jax.enable_x64(False):
        with pytest.raises((TypeError, ValueError)) as theirs:
            call(jax.lax)
    with pytest.raises(theirs.type) as ours:
        call(conversion)
    assert str(ours.value) == str(theirs.value)


def test_ml_dtypes_is_the_library_of_narrow_floats() -> None:
    assert named("bfloat16") == np.dtype(ml_dtypes.bfloat16)
