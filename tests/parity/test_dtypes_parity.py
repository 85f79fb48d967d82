"""Do dtypes combine, print and fail as in JAX?

Every function of :mod:`minijax.core.dtypes` that JAX has as well is called on a grid of
arguments, with 64-bit types on and off, and the two outcomes (value, or error and its text) are
compared.
"""

from __future__ import annotations

import enum
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from minijax.config import enable_x64, numpy_dtype_promotion
from minijax.core import dtypes

jax = pytest.importorskip("jax", reason="compares with JAX, which is not installed")
oracle = pytest.importorskip("jax._src.dtypes", reason="compares with JAX's inner functions")

pytestmark = pytest.mark.parity


class Level(enum.IntEnum):
    """An integer by inheritance only."""

    LOW = 1


class Carrier:
    """The least that passes for an array: a dtype, and perhaps weak."""

    def __init__(self, dtype: Any, weak_type: bool = False):
        self.dtype = dtype
        self.weak_type = weak_type


ALL = list(dtypes.DTYPES.values())
PYTHON_TYPES = [bool, int, float, complex]
PYTHON_VALUES = [True, 1, 1.5, 1j, 10**20, Level.LOW]
UNSUPPORTED = [
    np.dtype("O"), np.dtype("S3"), np.dtype("U2"), np.dtype("M8[s]"), np.dtype("i4,f4"),
    np.dtype(">f4"), object, str, list, dict,
]  # fmt: skip
NAMES = ["float32", "f4", "double", "half", "int", "uint", "complex", "bool", "l", "int4",
         "bfloat16", "float8_e4m3fn", "<i8", "nonsense", "x", "O", "S3"]  # fmt: skip
NUMPY_TYPES = [np.float32, np.float64, np.int32, np.longlong, np.ulonglong, np.half, np.bool_]
ABSTRACT = [np.generic, np.number, np.integer, np.signedinteger, np.unsignedinteger, np.inexact,
            np.floating, np.complexfloating, np.character, np.void, np.object_]  # fmt: skip
ARRAYS = [np.zeros(2, d) for d in (*ALL, dtypes.float0)]
NOT_DTYPES = [[1, 2], (1,), slice(1), range(3)]
VALUES = [*ALL, *PYTHON_TYPES, *PYTHON_VALUES, *UNSUPPORTED, *NAMES, *NUMPY_TYPES, *ARRAYS,
          *NOT_DTYPES, dtypes.float0, np.floating, np.integer]  # fmt: skip

# What a stranger to the two libraries calls the same thing.
COUNTERPARTS = {
    dtypes.extended: oracle.extended,
    dtypes.prng_key: oracle.prng_key,
    dtypes.threefry2x32_key: jax.random.key(0).dtype,
}


class TheirCarrier:
    """What JAX takes for an array."""

    def __init__(self, carrier: Carrier):
        self.dtype = theirs(carrier.dtype)
        self.aval = jax.core.ShapedArray((), self.dtype, weak_type=carrier.weak_type)


def theirs(x: Any) -> Any:
    """Return JAX's counterpart of an argument."""
    if isinstance(x, Carrier):
        return TheirCarrier(x)
    try:
        return COUNTERPARTS.get(x, x)
    except TypeError:  # unhashable
        return x


def spelled(value: Any) -> Any:
    """Make results of both libraries comparable."""
    if isinstance(value, tuple):
        return tuple(spelled(each) for each in value)
    if isinstance(value, type):
        return value.__name__
    return value if isinstance(value, (bool, int)) else str(value)


def outcome(function: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any]) -> Any:
    """Return what a call gives: its value and warnings, or its error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            text = str(error).replace("minijax.core.dtype_kinds.", "jax.dtypes.")
            return type(error).__name__, text
    return spelled(result), [str(warning.message) for warning in caught]


@contextmanager
def flags(x64: bool, promotion: str = "standard") -> Iterator[None]:
    with (
        enable_x64(x64),
        numpy_dtype_promotion(promotion),
        jax.enable_x64(x64),
        jax.numpy_dtype_promotion(promotion),
    ):
        yield


def agree(name: str, cases: Iterable[tuple], their_name: str | None = None, **kwargs: Any) -> None:
    """Compare one function on all ``cases``, tuples of arguments."""
    mine, other = getattr(dtypes, name), getattr(oracle, their_name or name)
    count, differences = 0, []
    for args in cases:
        count += 1
        expected = outcome(other, [theirs(arg) for arg in args], kwargs)
        found = outcome(mine, args, kwargs)
        if found != expected:
            differences.append(f"{name}{args}: {found} instead of {expected}")
    assert count
    assert not differences, f"{len(differences)} of {count}\n" + "\n".join(differences)


def one(values: Iterable[Any]) -> list[tuple]:
    return [(value,) for value in values]


both_x64 = pytest.mark.parametrize("x64", [False, True])
both_modes = pytest.mark.parametrize("promotion", ["standard", "strict"])


@both_x64
def test_dtype(x64):
    with flags(x64):
        agree("dtype", one([*VALUES, None]))


@both_x64
def test_canonicalize_dtype(x64):
    hashable = [v for v in VALUES if not isinstance(v, (np.ndarray, list, slice))]
    not_dtypes = [*PYTHON_VALUES, *NOT_DTYPES]
    with flags(x64):
        agree("canonicalize_dtype", one(v for v in hashable if v not in [*not_dtypes, *ABSTRACT]))
        agree("canonicalize_dtype", one([None, *COUNTERPARTS]))
        agree("canonicalize_dtype", one(COUNTERPARTS), allow_extended_dtype=True)


@both_x64
def test_default_dtypes(x64):
    with flags(x64):
        for kind in ("int", "uint", "float", "complex"):
            agree(f"default_{kind}_dtype", [()])


@both_x64
def test_scalar_type_of(x64):
    with flags(x64):
        agree("scalar_type_of", one(VALUES))


@both_x64
def test_is_weakly_typed(x64):
    with flags(x64):
        agree("is_weakly_typed", one([*VALUES, None, Carrier(np.dtype("int16"), True)]))


@both_x64
@both_modes
def test_promote_types(x64, promotion):
    operands = [*ALL, *PYTHON_TYPES]
    with flags(x64, promotion):
        agree("promote_types", itertools.product(operands, repeat=2))
        agree("promote_types", itertools.product(["float32", None, "O", 1], repeat=2))
        agree("promote_types", itertools.product(["float32", None, dtypes.float0], repeat=2))


def without_names(message: str) -> str:
    """Drop the list of dtypes, whose order JAX takes from a set."""
    return message.partition("(")[0] + message.partition(")")[2]


@both_x64
@both_modes
def test_lattice_result_type_of_pairs(x64, promotion):
    carriers = [Carrier(d) for d in ALL]
    weak = [Carrier(dtypes.DTYPES[name], True)
            for name in ("int8", "int16", "int32", "uint8", "float16", "float32", "complex64")
            ]  # fmt: skip
    operands = [*carriers, *weak, *PYTHON_TYPES, True, 1, 1.5, 1j, *NUMPY_TYPES[:3]]
    check_mixes(itertools.product(operands, repeat=2), x64, promotion)


@both_x64
@both_modes
def test_lattice_result_type_of_triples(x64, promotion):
    names = ("bool", "int8", "uint8", "uint32", "int32", "bfloat16", "float16", "float32")
    operands = [*(Carrier(dtypes.DTYPES[name]) for name in names), True, 1, 1.5, 1j]
    check_mixes(itertools.product(operands, repeat=3), x64, promotion)


def check_mixes(
    cases: Iterable[tuple],
    x64: bool,
    promotion: str,
    names: Sequence[str] = ("lattice_result_type", "result_type"),
) -> None:
    count, differences = 0, []
    with flags(x64, promotion):
        for args in cases:
            count += 1
            their_args = [theirs(arg) for arg in args]
            for name in names:
                kwargs = {"return_weak_type_flag": True} if name == "result_type" else {}
                found = outcome(getattr(dtypes, name), args, kwargs)
                expected = outcome(getattr(oracle, name), their_args, kwargs)
                if found[0] == expected[0] == "TypePromotionError":
                    found, expected = without_names(found[1]), without_names(expected[1])
                if found != expected:
                    shown = [getattr(arg, "dtype", arg) for arg in args]
                    differences.append(f"{name}{shown}: {found} instead of {expected}")
    assert count
    assert not differences, f"{len(differences)} of {count}\n" + "\n".join(differences[:40])


@both_x64
def test_result_type_of_one(x64):
    with flags(x64):
        agree("result_type", one([*VALUES, None]))
        agree("result_type", [(None, np.int8(1)), (None, 1), ()])


@both_x64
@both_modes
def test_safe_to_cast(x64, promotion):
    carriers = [Carrier(d) for d in ALL]
    cases = itertools.product([*carriers, True, 1, 1.5, 1j], carriers)
    check_mixes(cases, x64, promotion, ["safe_to_cast"])


def test_issubdtype():
    types = [*ALL, *PYTHON_TYPES, *NUMPY_TYPES, *ABSTRACT, dtypes.float0, *COUNTERPARTS,
             dtypes.bfloat16, dtypes.int4, "float32", "int4", "S3", None, object, list,
             np.float32(1)]  # fmt: skip
    agree("issubdtype", itertools.product(types, repeat=2))
    agree("issubdtype", [("float32", 1), (1.0, np.floating), (np.zeros(2), np.floating)])


def test_isdtype():
    kinds = ["bool", "signed integer", "unsigned integer", "integral", "real floating",
             "complex floating", "numeric", "float32", np.float32, *PYTHON_TYPES, None, (),
             ("bool", "integral"), ("real floating", np.int8)]  # fmt: skip
    agree("isdtype", itertools.product([*ALL, *PYTHON_TYPES, dtypes.float0, "float32"], kinds))
    agree("isdtype", [("float32", "bogus"), ("float32", 1), (1, "bool"), ("x", "bool"),
                      ("float32", ("bool", 1)), ("float32", ["bool"]), ("float32", np.floating),
                      (None, "bool")])  # fmt: skip


def test_short_names():
    agree("short_name", one([*ALL, dtypes.threefry2x32_key]), their_name="short_dtype_name")


def test_itemsize_bits():
    agree("itemsize_bits", one([*ALL, *PYTHON_TYPES, *NAMES, None, dtypes.float0]))


def test_nearest_dtype_of_a_kind():
    # JAX has no float for the 1-bit and 2-bit integers and returns them unchanged.
    odd = [dtypes.DTYPES[name] for name in ("int1", "int2", "uint1", "uint2")]
    usual = [d for d in ALL if d not in odd]
    likes = [*PYTHON_TYPES, *NAMES, *NUMPY_TYPES, dtypes.float0, 1, [1]]
    agree("to_numeric_dtype", one([*ALL, *likes]))
    agree("to_inexact_dtype", one([*usual, *likes]))
    agree("to_complex_dtype", one([*ALL, *likes]))
    agree("to_floating_dtype", one([*usual, *PYTHON_TYPES, *NUMPY_TYPES]))


def test_supports_inf():
    # JAX counts the 4-bit, 6-bit and e8m0 floats, which have no infinity, among those with one.
    odd = [dtypes.DTYPES[name] for name in
           ("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "float8_e8m0fnu")]  # fmt: skip
    agree("supports_inf", one([d for d in ALL if d not in odd]))


@both_x64
@pytest.mark.parametrize("fun_name", [None, "zeros"])
def test_user_dtypes(x64, fun_name):
    with flags(x64):
        agree("check_and_canonicalize_user_dtype",
              [(v, fun_name) for v in [*VALUES, None, *COUNTERPARTS]])  # fmt: skip


def test_passing_an_array_as_dtype():
    mine = outcome(dtypes.check_and_canonicalize_user_dtype, [FakeArray()], {})
    expected = outcome(oracle.check_and_canonicalize_user_dtype, [jax.numpy.zeros(2)], {})
    assert mine == expected


class FakeArray(Carrier):
    shape = (2,)

    def __init__(self):
        super().__init__(np.dtype("float32"))


def test_valid_dtypes():
    hashable = [*ALL, dtypes.float0, *(d for d in UNSUPPORTED if isinstance(d, np.dtype))]
    agree("check_valid_dtype", one(hashable))


@both_x64
def test_coercing_python_scalars(x64):
    with flags(x64):
        agree("coerce_to_array", one([True, 1, 1.5, 1j, np.float64(1), 2**31, 2**63, 2**64]))
        agree("scalar_type_to_dtype", [(int, 3), (int, 2**40), (int,), (float, 1e300), (bool,)])


@both_x64
def test_keys_do_not_mix_with_numbers(x64):
    mine, other = Carrier(dtypes.threefry2x32_key), jax.random.key(0)
    with flags(x64):
        for rest in ([], [1], [np.float32(1)], [True]):
            found = outcome(dtypes.result_type, [mine, *rest], {})
            assert found == outcome(oracle.result_type, [other, *rest], {})
        assert dtypes.result_type(mine, mine) is dtypes.threefry2x32_key


def test_extended_dtypes_look_the_same():
    mine, other = dtypes.threefry2x32_key, jax.random.key(0).dtype
    assert repr(mine) == repr(other)
    assert (mine.name, mine.itemsize) == (other.name, other.itemsize)
    assert outcome(np.dtype, [mine], {}) == outcome(np.dtype, [other], {})


def test_limits():
    for dtype in ALL:
        assert outcome(limits, [dtypes.finfo, dtype], {}) == outcome(
            limits, [jax.numpy.finfo, dtype], {}
        )
        assert outcome(limits, [dtypes.iinfo, dtype], {}) == outcome(
            limits, [jax.numpy.iinfo, dtype], {}
        )
    assert dtypes.finfo("bfloat16").max == ml_dtypes.finfo("bfloat16").max


def limits(info: Callable[..., Any], dtype: Any) -> tuple:
    found = info(dtype)
    return str(found.min), str(found.max), found.bits, str(found.dtype)
