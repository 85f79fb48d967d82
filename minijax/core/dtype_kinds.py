"""Which dtypes are there, and of which kind is each?

The idea: one table, :data:`KINDS`, lists every dtype that arrays can have by its kind; all
questions about a dtype (is it a float? how many bits? how is it printed?) are answered from it.
Ordinary dtypes are ``np.dtype`` instances, the narrow ones come from ``ml_dtypes``. A dtype that
NumPy cannot express, such as that of a PRNG key, is an :class:`ExtendedDType`.

How dtypes combine comes next, in :mod:`minijax.core.promotion`; both are used through
:mod:`minijax.core.dtypes`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final, TypeAlias

import ml_dtypes
import numpy as np

bfloat16: Final = ml_dtypes.bfloat16
float4_e2m1fn: Final = ml_dtypes.float4_e2m1fn
float6_e2m3fn: Final = ml_dtypes.float6_e2m3fn
float6_e3m2fn: Final = ml_dtypes.float6_e3m2fn
float8_e3m4: Final = ml_dtypes.float8_e3m4
float8_e4m3: Final = ml_dtypes.float8_e4m3
float8_e4m3b11fnuz: Final = ml_dtypes.float8_e4m3b11fnuz
float8_e4m3fn: Final = ml_dtypes.float8_e4m3fn
float8_e4m3fnuz: Final = ml_dtypes.float8_e4m3fnuz
float8_e5m2: Final = ml_dtypes.float8_e5m2
float8_e5m2fnuz: Final = ml_dtypes.float8_e5m2fnuz
float8_e8m0fnu: Final = ml_dtypes.float8_e8m0fnu
int1: Final = ml_dtypes.int1
int2: Final = ml_dtypes.int2
int4: Final = ml_dtypes.int4
uint1: Final = ml_dtypes.uint1
uint2: Final = ml_dtypes.uint2
uint4: Final = ml_dtypes.uint4

finfo: TypeAlias = ml_dtypes.finfo
iinfo: TypeAlias = ml_dtypes.iinfo

#: The dtype of the tangent of an integer or boolean value: it holds nothing.
float0: Final = np.dtype([("float0", np.void, 0)])

#: The kinds of the array API standard, and the dtypes of each from narrow to wide.
KINDS: Final[dict[str, str]] = {
    "bool": "bool",
    "signed integer": "int1 int2 int4 int8 int16 int32 int64",
    "unsigned integer": "uint1 uint2 uint4 uint8 uint16 uint32 uint64",
    "real floating": (
        "float4_e2m1fn float6_e2m3fn float6_e3m2fn float8_e3m4 float8_e4m3 float8_e4m3b11fnuz "
        "float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu "
        "bfloat16 float16 float32 float64"
    ),
    "complex floating": "complex64 complex128",
}


def _named(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


#: Every ordinary dtype by name; arrays have one of these, float0 or an extended dtype.
DTYPES: Final[dict[str, np.dtype]] = {
    name: _named(name) for names in KINDS.values() for name in names.split()
}
#: The kind of each, a key of KINDS.
KIND_OF: Final[dict[Any, str]] = {
    DTYPES[name]: kind for kind, names in KINDS.items() for name in names.split()
}
#: The dtypes of NumPy that arrays can have.
ARRAY_DTYPES: Final = frozenset((*DTYPES.values(), float0))


def _of(*kinds: str) -> frozenset[np.dtype]:
    return frozenset(dtype for dtype, kind in KIND_OF.items() if kind in kinds)


_INTEGRAL: Final = ("signed integer", "unsigned integer")
_MEMBERS: Final = {
    "bool": _of("bool"),
    "signed integer": _of("signed integer"),
    "unsigned integer": _of("unsigned integer"),
    "integral": _of(*_INTEGRAL),
    "real floating": _of("real floating"),
    "complex floating": _of("complex floating"),
    "numeric": _of(*_INTEGRAL, "real floating", "complex floating"),
}


class ScalarType(ABC):
    """A named dtype as users write it, ``jnp.float32``: usable as a dtype and as a function.

    NumPy takes any object with a ``dtype`` attribute for a dtype, so an instance works wherever
    ``np.float32`` does. It compares and hashes like that NumPy type. The call, which makes an
    array, is left to the subclass in the layer that knows arrays.

    Parameters
    ----------
    dtype : np.dtype
        The dtype the name stands for.
    module : str
        Where the name is public; only printed.
    """

    __slots__ = ("__name__", "_module", "dtype")

    def __init__(self, dtype: np.dtype, module: str):
        self.dtype = dtype
        self.__name__ = dtype.name
        self._module = module

    @abstractmethod
    def __call__(self, x: Any) -> Any:
        """Make an array of this dtype from ``x``."""

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, self.dtype.type)

    def __eq__(self, other: Any) -> bool:
        return self is other or self.dtype.type == other

    def __hash__(self) -> int:
        return hash(self.dtype.type)

    def __repr__(self) -> str:
        return f"<class '{self._module}.{self.__name__}'>"


# ---------------------------------------------------------------------------------------------
# Extended dtypes: what NumPy cannot express
# ---------------------------------------------------------------------------------------------


class extended(np.generic):
    """Abstract scalar type above all extended dtypes, for use with :func:`issubdtype`.

    It is a class for the sake of ``issubdtype(x.dtype, extended)`` and has no instances.
    """


class prng_key(extended):
    """Scalar type of PRNG key arrays, for use with :func:`issubdtype`.

    Examples
    --------
    >>> issubdtype(threefry2x32_key, prng_key)
    True
    """


class ExtendedDType(ABC):
    """A dtype-like object for elements that are not numbers of NumPy.

    It is immutable and hashable, and equal to another one only if arrays of the two can be
    mixed. An array with an extended dtype is stored as an array of the same shape with dtype
    ``storage``, so that everything that only moves elements works unchanged.
    """

    __slots__ = ()

    type: ClassVar[Any]  # the abstract scalar type it belongs to
    storage: np.dtype

    @property
    @abstractmethod
    def name(self) -> str:
        """The dtype as arrays and jaxprs print it."""

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.storage.itemsize

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, repr=False, slots=True)
class KeyType(ExtendedDType):
    """The dtype of PRNG keys of one implementation.

    Parameters
    ----------
    impl_name : str
        The implementation by the name it is registered under, ``"threefry2x32"``.
    tag : str
        Its abbreviation, printed as ``key<tag>``.
    storage : np.dtype
        One stored key.
    """

    impl_name: str
    tag: str
    storage: np.dtype

    type: ClassVar[Any] = prng_key

    @property
    def name(self) -> str:
        """``key<tag>``."""
        return f"key<{self.tag}>"


#: The dtype of threefry keys: the two 32-bit words of a key are one little-endian uint64.
threefry2x32_key: Final = KeyType("threefry2x32", "fry", np.dtype("uint64"))

DType: TypeAlias = np.dtype | ExtendedDType


def is_extended(dtype: Any) -> bool:
    """Is this an extended dtype, or the abstract type of some?"""
    return isinstance(dtype, ExtendedDType) or (
        isinstance(dtype, type) and issubclass(dtype, extended)
    )


# ---------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------

_SHORT_PREFIXES: Final = (
    ("bfloat", "bf"),
    ("float", "f"),
    ("uint", "u"),
    ("int", "i"),
    ("complex", "c"),
)


@cache
def short_name(dtype: DType) -> str:
    """Return a dtype's name as jaxprs print it.

    Examples
    --------
    >>> short_name(np.dtype("float32")), short_name(np.dtype(bfloat16)), short_name(float0)
    ('f32', 'bf16', 'float0')
    """
    if dtype == float0:
        return "float0"
    for prefix, short in _SHORT_PREFIXES:
        if dtype.name.startswith(prefix):
            return short + dtype.name.removeprefix(prefix)
    return dtype.name


# ---------------------------------------------------------------------------------------------
# What kind of dtype is it?
# ---------------------------------------------------------------------------------------------

_ABSTRACT_TYPES: Final[dict[str, frozenset[type]]] = {
    "bool": frozenset((np.generic,)),
    "signed integer": frozenset((np.signedinteger, np.integer, np.number, np.generic)),
    "unsigned integer": frozenset((np.unsignedinteger, np.integer, np.number, np.generic)),
    "real floating": frozenset((np.floating, np.inexact, np.number, np.generic)),
    "complex floating": frozenset((np.complexfloating, np.inexact, np.number, np.generic)),
}
# The scalar types of ml_dtypes derive from np.generic only, so their place is looked up here.
_ANCESTORS: Final[dict[type, frozenset[type]]] = {
    dtype.type: _ABSTRACT_TYPES[kind] | {dtype.type} for dtype, kind in KIND_OF.items()
}


def issubdtype(a: Any, b: Any) -> bool:
    """Is ``a`` the dtype ``b`` or one of the abstract type ``b``?

    It differs from ``np.issubdtype`` in that the narrow types of ml_dtypes have their place
    (bfloat16 is ``np.floating``), and that extended dtypes are understood.

    Parameters
    ----------
    a : dtype-like or abstract scalar type
    b : dtype-like or abstract scalar type
        ``np.floating``, ``np.integer``, :class:`extended`, :class:`prng_key`, …

    Raises
    ------
    TypeError
        If one of them is not a type.

    Examples
    --------
    >>> issubdtype(bfloat16, np.floating), issubdtype("int4", np.unsignedinteger)
    (True, False)
    """
    if not isinstance(a, (np.dtype, type)):
        a = _scalar_type(a)
    if not isinstance(b, (np.dtype, type)):
        b = _scalar_type(b)
    return _issubdtype(a, b)


@cache
def _issubdtype(a: Any, b: Any) -> bool:
    a, b = _scalar_type(a), _scalar_type(b)
    if isinstance(b, ExtendedDType):
        return a == b
    if isinstance(a, ExtendedDType):
        a = a.type
    return b in _ANCESTORS[a] if a in _ANCESTORS else issubclass(a, b)


def _scalar_type(x: Any) -> Any:
    if isinstance(x, ExtendedDType) or (isinstance(x, type) and issubclass(x, np.generic)):
        return x
    return np.dtype(x).type


def isdtype(dtype: Any, kind: Any) -> bool:
    """Is a dtype of the given kind, in the sense of the array API standard?

    Parameters
    ----------
    dtype : dtype-like
    kind : str, dtype-like or tuple of them
        ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``,
        ``"real floating"``, ``"complex floating"``, ``"numeric"``, or a dtype to compare with.

    Raises
    ------
    ValueError
        If ``kind`` is a string of another meaning.
    TypeError
        If it is neither a string nor a dtype.

    Examples
    --------
    >>> isdtype("bfloat16", "real floating"), isdtype("int8", ("bool", "unsigned integer"))
    (True, False)
    """
    found = np.dtype(dtype)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return any([_is_of_kind(found, each) for each in kinds])  # noqa: C419 - check every kind


def _is_of_kind(dtype: np.dtype, kind: Any) -> bool:
    if isinstance(kind, str) and kind in _MEMBERS:
        return dtype in _MEMBERS[kind]
    try:
        return dtype == np.dtype(kind)
    except TypeError:
        if isinstance(kind, str):
            raise ValueError(
                f"Unrecognized {kind=} expected one of {list(_MEMBERS)}, "
                "or a compatible input for jnp.dtype()"
            ) from None
        raise TypeError(f"Expected kind to be a dtype, string, or tuple; got {kind=}") from None


# e8m0 has no sign and no infinity, the names ending in "fn" and "fnuz" say "finite".
_FINITE_ONLY: Final = frozenset(
    dtype for name, dtype in DTYPES.items() if re.search(r"fn(uz?)?$", name)
)


def supports_inf(dtype: Any) -> bool:
    """Has the dtype a value for infinity?

    Examples
    --------
    >>> supports_inf("bfloat16"), supports_inf("float8_e4m3fn"), supports_inf("int32")
    (True, False, False)
    """
    return issubdtype(dtype, np.inexact) and np.dtype(dtype) not in _FINITE_ONLY


def itemsize_bits(dtype: Any) -> int:
    """Return the bits of one element, 4 for int4 although it is stored in a byte.

    Raises
    ------
    ValueError
        If the dtype is not a number or bool.

    Examples
    --------
    >>> itemsize_bits("int4"), itemsize_bits("bool"), itemsize_bits("complex64")
    (4, 8, 64)
    """
    if dtype is None:
        raise ValueError("dtype cannot be None.")
    if is_extended(dtype) or np.dtype(dtype) not in KIND_OF:
        raise ValueError(f"unexpected input: {dtype=}")
    digits = re.search(r"\d+", np.dtype(dtype).name)
    return int(digits[0]) if digits else 8
