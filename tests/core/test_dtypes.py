"""Tests of :mod:`minijax.core.dtypes` and the two files behind it."""

from __future__ import annotations

import doctest
import itertools
import pickle
import warnings
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minijax.config import enable_x64, numpy_dtype_promotion
from minijax.core import dtype_kinds, dtypes, promotion

DTYPES = dtypes.DTYPES
LATTICES = [(True, False), (False, False), (True, True), (False, True)]
points = st.sampled_from([*DTYPES.values(), int, float, complex])
lattices = st.sampled_from(LATTICES)


class Value:
    """The least that passes for an array: a dtype, and perhaps weak."""

    def __init__(self, dtype: Any, weak_type: bool = False):
        self.dtype = np.dtype(dtype)
        self.weak_type = weak_type


def bound(lattice: tuple[bool, bool], *operands: Any) -> Any:
    """Return the least upper bound, or None where there is none."""
    try:
        return promotion.least_upper_bound(*lattice, operands)
    except dtypes.TypePromotionError:
        return None


# ---------------------------------------------------------------------------------------------
# The lattice
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edges", [promotion.STANDARD_EDGES, promotion.NARROW_EDGES, promotion.STRICT_EDGES]
)
def test_edges_name_known_points(edges):
    known = {"i*", "f*", "c*", *map(dtypes.short_name, DTYPES.values())}
    assert set(edges) <= known
    assert set(" ".join(edges.values()).split()) <= known


@pytest.mark.parametrize("lattice", LATTICES)
def test_no_point_lies_above_itself(lattice):
    bounds = promotion.upper_bounds(*lattice)
    for a, b in itertools.combinations(bounds, 2):
        assert not (a in bounds[b] and b in bounds[a])


@pytest.mark.parametrize("lattice", LATTICES)
def test_least_upper_bounds_are_unique(lattice):
    bounds = promotion.upper_bounds(*lattice)
    for a, b in itertools.product(bounds, repeat=2):
        common = bounds[a] & bounds[b]
        assert sum(bounds[point] == common for point in common) <= 1


@given(lattices, points)
def test_promotion_is_idempotent(lattice, a):
    assert bound(lattice, a, a) is a


@given(lattices, points, points)
def test_promotion_is_commutative(lattice, a, b):
    assert bound(lattice, a, b) is bound(lattice, b, a)


@given(lattices, points, points, points)
def test_promotion_is_associative_where_defined(lattice, a, b, c):
    ab, bc = bound(lattice, a, b), bound(lattice, b, c)
    if ab is not None and bc is not None:
        assert bound(lattice, ab, c) is bound(lattice, a, bc)


@given(lattices, points, points)
def test_the_bound_lies_above_both(lattice, a, b):
    result = bound(lattice, a, b)
    if result is not None:
        bounds = promotion.upper_bounds(*lattice)
        assert result in bounds[a]
        assert result in bounds[b]


def test_integers_fit_into_the_type_they_are_promoted_to():
    integers = [DTYPES[f"{sign}{bits}"] for sign in ("int", "uint") for bits in (8, 16, 32, 64)]
    for a, b in itertools.product(integers, repeat=2):
        result = bound((True, False), a, b)
        if dtypes.issubdtype(result, np.integer):
            for operand in (a, b):
                assert np.can_cast(operand, result, "safe")
        else:
            assert (a, b) != (b, a)
            assert DTYPES["uint64"] in (a, b)


# ---------------------------------------------------------------------------------------------
# Values
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((1,), ("int32", True)),
        ((1, 2.0), ("float32", True)),
        ((True, 1), ("int32", True)),
        ((True, True), ("bool", False)),
        ((Value("int8"), 1), ("int8", False)),
        ((Value("int8"), 1.0), ("float32", True)),
        ((Value("bfloat16"), 1.0), ("bfloat16", False)),
        ((Value("bfloat16"), 1j), ("complex64", False)),
        ((Value("float16"), Value("bfloat16")), ("float32", False)),
        ((Value("uint8"), Value("int8")), ("int16", False)),
        ((Value("uint32"), Value("int8")), ("int32", False)),
        ((Value("int32"), Value("float16")), ("float16", False)),
        ((Value("float64"), Value("int64")), ("float32", False)),
        ((Value("float8_e5m2"), Value("int32")), ("float8_e5m2", False)),
        ((Value("int4"), 1), ("int4", False)),
        ((Value("int16", True), Value("int8")), ("int8", False)),
        ((Value("int16", True), Value("uint8", True)), ("int16", True)),
        ((Value(dtypes.float0), Value(dtypes.float0)), (dtypes.float0, False)),
        ((int, Value("int8")), ("int8", False)),
        (("float16", 1), ("float16", False)),
    ],
)
def test_lattice_result_type(args, expected):
    dtype, weak_type = expected
    assert dtypes.lattice_result_type(*args) == (np.dtype(dtype), weak_type)


def test_a_weak_result_has_the_default_size():
    assert dtypes.lattice_result_type(Value("int16", True)) == (DTYPES["int16"], True)
    assert dtypes.result_type(Value("int16", True)) == DTYPES["int32"]
    assert dtypes.result_type(Value("uint8", True)) == DTYPES["uint32"]
    assert dtypes.result_type(None) == DTYPES["float32"]


def test_64_bit_types_follow_the_flag():
    pairs = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}
    for wide, narrow in pairs.items():
        array = np.zeros(2, wide)
        for enabled, expected in ((False, narrow), (True, wide), (False, narrow)):
            with enable_x64(enabled):
                assert dtypes.canonicalize_dtype(wide) == DTYPES[expected]
                assert dtypes.dtype(array) == DTYPES[expected]
                assert dtypes.result_type(array, array) == DTYPES[expected]
        assert dtypes.dtype(array, canonicalize=False) == DTYPES[wide]


def test_promotion_follows_the_flag():
    mixed = (Value("uint32"), Value("int32"))
    assert dtypes.result_type(*mixed) == DTYPES["int32"]
    with enable_x64(True):
        assert dtypes.result_type(*mixed) == DTYPES["int64"]
    with (
        numpy_dtype_promotion("strict"),
        pytest.raises(dtypes.TypePromotionError, match="jax_numpy_dtype_promotion=strict"),
    ):
        dtypes.result_type(*mixed)


def test_python_scalar_types_are_not_mistaken_for_64_bit_dtypes():
    # NumPy has np.dtype("int64") == int, so that a comparison would confuse the two.
    with enable_x64(True):
        assert dtypes.lattice_result_type(Value("int64"), Value("int8")) == (DTYPES["int64"], False)
        assert dtypes.lattice_result_type(1, Value("int8")) == (DTYPES["int8"], False)
        assert dtypes.promote_types("int64", "int8") == DTYPES["int64"]
        assert dtypes.promote_types(int, "int8") == DTYPES["int8"]


def test_subclasses_of_numbers_are_strongly_typed():
    class Id(int):
        pass

    assert dtypes.dtype(Id(3)) == DTYPES["int32"]
    assert not dtypes.is_weakly_typed(Id(3))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("float8_e5m2", "float32", "8-bit floats do not"),
        ("float6_e2m3fn", "float64", "6-bit floats do not"),
        ("float4_e2m1fn", "float32", "4-bit floats do not"),
        ("int4", "int8", "1-bit, 2-bit and 4-bit integers do not"),
        ("int4", "float64", "1-bit, 2-bit and 4-bit integers do not"),
    ],
)
def test_narrow_types_are_not_promoted(a, b, message):
    with pytest.raises(dtypes.TypePromotionError, match=message):
        dtypes.promote_types(a, b)


@pytest.mark.parametrize("x", ["O", object, np.array(["a"]), np.array(["2020"], "M8[s]"), ">f4"])
def test_dtypes_that_arrays_cannot_have(x):
    with pytest.raises(TypeError, match="is not a valid JAX array type"):
        dtypes.dtype(x)


def test_integers_have_to_fit():
    with pytest.raises(OverflowError, match="2147483648 too large to convert to int32"):
        dtypes.coerce_to_array(2**31)
    with enable_x64(True):
        assert dtypes.coerce_to_array(2**31).dtype == DTYPES["int64"]


# ---------------------------------------------------------------------------------------------
# What users write
# ---------------------------------------------------------------------------------------------


def test_a_truncated_dtype_warns_at_the_line_of_the_user():
    with pytest.warns(UserWarning, match="dtype int64 requested in zeros is not") as caught:
        assert dtypes.check_and_canonicalize_user_dtype("int64", "zeros") == DTYPES["int32"]
    assert caught[0].filename == __file__


@pytest.mark.parametrize("quiet", [int, float, complex, "int32", np.float32])
def test_python_types_are_narrowed_silently(quiet):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dtypes.check_and_canonicalize_user_dtype(quiet, "zeros")
        with enable_x64(True):
            dtypes.check_and_canonicalize_user_dtype("int64", "zeros")


def test_arguments_that_are_no_dtypes():
    class Array(Value):
        shape = (2,)

    with pytest.raises(ValueError, match="instead of dtype=arr use dtype=arr.dtype"):
        dtypes.check_and_canonicalize_user_dtype(Array("float32"))
    with pytest.raises(ValueError, match="must be specified"):
        dtypes.check_and_canonicalize_user_dtype(None)
    with pytest.raises(TypeError, match="only supports number, bool, .* got dtype O in zeros"):
        dtypes.check_and_canonicalize_user_dtype("O", "zeros")


class Named(dtypes.ScalarType):
    """What ``jnp.float32`` is made of, without arrays."""

    __slots__ = ()

    def __call__(self, x: Any) -> np.ndarray:
        return np.asarray(x, self.dtype)


def test_named_scalar_types_are_dtypes():
    float32: Any = Named(DTYPES["float32"], "library")
    bfloat16: Any = Named(DTYPES["bfloat16"], "library")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.zeros(2, float32).dtype == float32
        assert np.dtype(bfloat16) == DTYPES["bfloat16"]
        assert dtypes.dtype(bfloat16) == dtypes.canonicalize_dtype(bfloat16) == DTYPES["bfloat16"]
        assert dtypes.check_and_canonicalize_user_dtype(bfloat16) == DTYPES["bfloat16"]
        assert dtypes.issubdtype(bfloat16, np.floating)
        assert dtypes.finfo(bfloat16).bits == 16
        assert dtypes.promote_types(float32, bfloat16) == DTYPES["float32"]
    assert float32 == np.float32
    assert {np.float32: "found"}[float32] == "found"
    assert float32 != bfloat16
    assert isinstance(np.float32(1), float32)
    assert not isinstance(np.float64(1), float32)
    assert repr(float32) == "<class 'library.float32'>"
    assert float32.__name__ == "float32"


# ---------------------------------------------------------------------------------------------
# Kinds and names
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
def test_table_agrees_with_the_limits(dtype):
    kind = dtypes.KIND_OF[dtype]
    if "integer" in kind:
        info = dtypes.iinfo(dtype)
        assert (info.min < 0) == (kind == "signed integer")
        assert dtypes.itemsize_bits(dtype) == info.bits
    elif kind == "real floating":
        assert dtypes.itemsize_bits(dtype) == dtypes.finfo(dtype).bits
    else:
        assert dtypes.itemsize_bits(dtype) == 8 * dtype.itemsize


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
def test_supports_inf_agrees_with_the_arithmetic(dtype):
    with np.errstate(all="ignore"):
        infinite = dtypes.issubdtype(dtype, np.inexact) and bool(
            np.isinf(np.array(np.inf, np.float32).astype(dtype))
        )
    assert dtypes.supports_inf(dtype) == infinite


def test_short_names_are_distinct():
    names = [dtypes.short_name(dtype) for dtype in DTYPES.values()]
    assert len(set(names)) == len(names)
    assert dtypes.short_name(DTYPES["uint8"]) == "u8"
    assert dtypes.short_name(DTYPES["bool"]) == "bool"
    assert dtypes.short_name(DTYPES["float8_e4m3fn"]) == "f8_e4m3fn"
    assert dtypes.short_name(dtypes.float0) == "float0"


def test_nearest_dtypes():
    assert dtypes.to_inexact_dtype("int4") == DTYPES["float32"]
    assert dtypes.to_inexact_dtype("int2") == DTYPES["float32"]
    assert dtypes.to_inexact_dtype("uint64") == DTYPES["float64"]
    assert dtypes.to_floating_dtype("complex64") == DTYPES["float32"]
    assert dtypes.to_complex_dtype("bfloat16") == DTYPES["complex64"]
    assert dtypes.to_numeric_dtype("bool") == DTYPES["int32"]


# ---------------------------------------------------------------------------------------------
# Extended dtypes
# ---------------------------------------------------------------------------------------------


def test_key_types_are_immutable_values():
    key = dtypes.KeyType("threefry2x32", "fry", np.dtype("uint64"))
    other = dtypes.KeyType("rbg", "rbg", np.dtype("V16"))
    assert key == dtypes.threefry2x32_key
    assert hash(key) == hash(dtypes.threefry2x32_key)
    assert key != other
    assert key != np.dtype("uint64")
    assert np.dtype("uint64") != key
    assert pickle.loads(pickle.dumps(key)) == key
    assert (key.name, repr(key), str(key), dtypes.short_name(key)) == ("key<fry>",) * 4
    assert (key.itemsize, key.storage, key.type) == (8, np.dtype("uint64"), dtypes.prng_key)
    with pytest.raises(FrozenInstanceError):
        key.tag = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_extended_dtypes_stand_apart():
    key = dtypes.threefry2x32_key
    assert dtypes.issubdtype(key, dtypes.prng_key)
    assert dtypes.issubdtype(key, dtypes.extended)
    assert dtypes.issubdtype(key, key)
    assert not dtypes.issubdtype(key, np.number)
    assert not dtypes.issubdtype("float32", dtypes.extended)
    assert dtypes.canonicalize_dtype(key, allow_extended_dtype=True) is key
    with pytest.raises(ValueError, match="extended dtype key<fry>"):
        dtypes.canonicalize_dtype(key)
    with pytest.raises(TypeError):
        np.dtype(key)  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_keys_do_not_mix():
    class Keys:
        dtype = dtypes.threefry2x32_key

    assert dtypes.result_type(Keys(), Keys()) is dtypes.threefry2x32_key
    with pytest.raises(ValueError, match="key<fry> is not a valid dtype for JAX type promotion"):
        dtypes.result_type(Keys(), 1)


@pytest.mark.parametrize("module", [dtypes, dtype_kinds, promotion])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
