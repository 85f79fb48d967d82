"""What is the dtype of this value, and of an operation on these values?

This is the door to everything about dtypes: the table of dtypes comes from
:mod:`minijax.core.dtype_kinds`, the rules of mixing them from :mod:`minijax.core.promotion`. What
this file adds is where a dtype comes from: a Python scalar has a default one, an array carries
one, a user writes one out. All three depend on the flag ``enable_x64``, off by default, without
which 64-bit types are narrowed to 32 bits (:func:`canonicalize_dtype`). Whatever depends on a
flag is cached with the flag in its key.
"""

from __future__ import annotations

import sys
import warnings
from functools import cache
from typing import Any, Final, Literal, overload

import numpy as np

from minijax.config import snapshot
from minijax.core.dtype_kinds import (
    ARRAY_DTYPES,
    DTYPES,
    KIND_OF,
    KINDS,
    DType,
    ExtendedDType,
    KeyType,
    ScalarType,
    bfloat16,
    extended,
    finfo,
    float0,
    float4_e2m1fn,
    float6_e2m3fn,
    float6_e3m2fn,
    float8_e3m4,
    float8_e4m3,
    float8_e4m3b11fnuz,
    float8_e4m3fn,
    float8_e4m3fnuz,
    float8_e5m2,
    float8_e5m2fnuz,
    float8_e8m0fnu,
    iinfo,
    int1,
    int2,
    int4,
    is_extended,
    isdtype,
    issubdtype,
    itemsize_bits,
    prng_key,
    short_name,
    supports_inf,
    threefry2x32_key,
    uint1,
    uint2,
    uint4,
)
from minijax.core.promotion import (
    Typed,
    TypePromotionError,
    join,
    least_upper_bound,
    point_of,
)
from minijax.source_info import is_internal

__all__ = [
    "DTYPES",
    "KIND_OF",
    "KINDS",
    "DType",
    "ExtendedDType",
    "KeyType",
    "ScalarType",
    "TypePromotionError",
    "bfloat16",
    "canonicalize_dtype",
    "check_and_canonicalize_user_dtype",
    "check_valid_dtype",
    "coerce_to_array",
    "default_complex_dtype",
    "default_float_dtype",
    "default_int_dtype",
    "default_uint_dtype",
    "dtype",
    "extended",
    "finfo",
    "float0",
    "float4_e2m1fn",
    "float6_e2m3fn",
    "float6_e3m2fn",
    "float8_e3m4",
    "float8_e4m3",
    "float8_e4m3b11fnuz",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "iinfo",
    "int1",
    "int2",
    "int4",
    "is_extended",
    "is_weakly_typed",
    "isdtype",
    "issubdtype",
    "itemsize_bits",
    "lattice_result_type",
    "prng_key",
    "promote_types",
    "python_scalar_dtypes",
    "result_type",
    "safe_to_cast",
    "scalar_type_of",
    "scalar_type_to_dtype",
    "short_name",
    "supports_inf",
    "threefry2x32_key",
    "to_complex_dtype",
    "to_floating_dtype",
    "to_inexact_dtype",
    "to_numeric_dtype",
    "uint1",
    "uint2",
    "uint4",
]

# ---------------------------------------------------------------------------------------------
# 64-bit types and defaults
# ---------------------------------------------------------------------------------------------

_NARROWED: Final[dict[Any, np.dtype]] = {
    DTYPES["int64"]: DTYPES["int32"],
    DTYPES["uint64"]: DTYPES["uint32"],
    DTYPES["float64"]: DTYPES["float32"],
    DTYPES["complex128"]: DTYPES["complex64"],
}

#: The dtype of each Python scalar while 64-bit types are enabled.
python_scalar_dtypes: Final[dict[type, np.dtype]] = {
    bool: DTYPES["bool"],
    int: DTYPES["int64"],
    float: DTYPES["float64"],
    complex: DTYPES["complex128"],
}
_WEAK_SCALARS: Final = frozenset((int, float, complex))

#: The dtype that a weak result of each kind takes, before narrowing.
_DEFAULT_OF_KIND: Final[dict[str, np.dtype]] = {
    "bool": DTYPES["bool"],
    "signed integer": DTYPES["int64"],
    "unsigned integer": DTYPES["uint64"],
    "real floating": DTYPES["float64"],
    "complex floating": DTYPES["complex128"],
}


def canonicalize_dtype(dtype: Any, allow_extended_dtype: bool = False) -> Any:
    """Return the dtype that arrays asked to have ``dtype`` really have.

    Without ``jax_enable_x64`` that is the 32-bit type for a 64-bit one.

    Parameters
    ----------
    dtype : dtype-like
        Anything ``np.dtype`` accepts; ``None`` means the default float.
    allow_extended_dtype : bool
        Return an extended dtype as it is instead of raising.

    Returns
    -------
    np.dtype or ExtendedDType

    Raises
    ------
    TypeError
        If ``dtype`` is not dtype-like.
    ValueError
        If it is extended and ``allow_extended_dtype`` is false.

    Examples
    --------
    >>> canonicalize_dtype("float64")
    dtype('float32')
    """
    found = _CANONICAL[snapshot().enable_x64].get(dtype)
    if found is not None:
        return found
    if not is_extended(dtype):
        return _narrow(snapshot().enable_x64, np.dtype(dtype))
    if allow_extended_dtype:
        return dtype
    raise ValueError(
        f"Internal: canonicalize_dtype called on extended dtype {dtype} "
        "with allow_extended_dtype=False"
    )


def _narrow(x64: bool, dtype: np.dtype) -> np.dtype:
    return dtype if x64 else _NARROWED.get(dtype, dtype)


#: By the value of the flag ``enable_x64``: the dtype that each dtype of arrays stands for.
_CANONICAL: Final[dict[bool, dict[Any, np.dtype]]] = {
    x64: {dtype: _narrow(x64, dtype) for dtype in ARRAY_DTYPES} for x64 in (False, True)
}


def default_int_dtype() -> np.dtype:
    """Return the dtype of ``jnp.array(1)``: int32, or int64 with ``jax_enable_x64``."""
    return canonicalize_dtype(DTYPES["int64"])


def default_uint_dtype() -> np.dtype:
    """Return the default unsigned integer: uint32, or uint64 with ``jax_enable_x64``."""
    return canonicalize_dtype(DTYPES["uint64"])


def default_float_dtype() -> np.dtype:
    """Return the dtype of ``jnp.array(1.0)``: float32, or float64 with ``jax_enable_x64``."""
    return canonicalize_dtype(DTYPES["float64"])


def default_complex_dtype() -> np.dtype:
    """Return the dtype of ``jnp.array(1j)``: complex64, or complex128 with ``jax_enable_x64``."""
    return canonicalize_dtype(DTYPES["complex128"])


# ---------------------------------------------------------------------------------------------
# The dtype of a value, and whether it is weak
# ---------------------------------------------------------------------------------------------

_NOT_AN_ARRAY_TYPE = (
    "is not a valid JAX array type. Only arrays of numeric types are supported by JAX."
)


def dtype(x: Any, *, canonicalize: bool = True) -> Any:
    """Return the dtype of a value, or the dtype that a dtype-like object stands for.

    Parameters
    ----------
    x : Python scalar, array, object with a ``dtype`` attribute, or dtype-like
        What to look at; no value is converted.
    canonicalize : bool
        Narrow 64-bit types unless ``jax_enable_x64`` is on. The name of a 64-bit type, which
        the user must have written out, then warns.

    Returns
    -------
    np.dtype or ExtendedDType

    Raises
    ------
    ValueError
        If ``x`` is None.
    TypeError
        If ``x`` has no dtype, or one that arrays cannot have (object, strings, dates).

    Examples
    --------
    >>> dtype(1.5), dtype(np.ones(3, np.int8))
    (dtype('float32'), dtype('int8'))
    """
    if canonicalize:  # nearly always x is an ordinary dtype or an array of one
        canonical = _CANONICAL[snapshot().enable_x64]
        if isinstance(x, np.dtype):
            if canonical.get(x) is x:
                return x
        else:
            found = canonical.get(getattr(x, "dtype", None))
            if found is not None:
                return found
    found, written_out = _find_dtype(x)
    if isinstance(found, ExtendedDType):
        return found
    if found not in ARRAY_DTYPES:
        raise TypeError(f"Value '{x}' with dtype {found} {_NOT_AN_ARRAY_TYPE}")
    if not canonicalize:
        return found
    return _warn_if_narrowed(found, "dtype") if written_out else canonicalize_dtype(found)


def _find_dtype(x: Any) -> tuple[Any, bool]:
    """Return the dtype of ``x`` as it is, and whether it was written out as a dtype."""
    scalar_dtype = python_scalar_dtypes.get(type(x))
    if scalar_dtype is not None:
        return scalar_dtype, False
    if isinstance(x, np.dtype):
        return x, True
    if isinstance(x, type) and x in python_scalar_dtypes:
        return python_scalar_dtypes[x], False
    if isinstance(x, (str, type)):
        return np.dtype(x), True
    found = getattr(x, "dtype", None)  # arrays, tracers, avals, NumPy scalars, ScalarType
    if isinstance(found, (np.dtype, ExtendedDType)):
        return found, False
    if x is None:
        raise ValueError("Invalid argument to dtype: None.")
    for scalar, its_dtype in python_scalar_dtypes.items():  # a subclass, an IntEnum say
        if isinstance(x, scalar):
            return its_dtype, False
    raise TypeError(f"Cannot determine dtype of {x}")


def is_weakly_typed(x: Any) -> bool:
    """Is the dtype of ``x`` only a hint, as that of a Python number is?

    Examples
    --------
    >>> is_weakly_typed(1), is_weakly_typed(True), is_weakly_typed(np.int32(1))
    (True, False, False)
    """
    return type(x) in _WEAK_SCALARS or getattr(x, "weak_type", False) is True


def scalar_type_of(x: Any) -> type:
    """Return the Python scalar type (bool, int, float or complex) for the dtype of ``x``.

    Raises
    ------
    TypeError
        If no Python scalar corresponds to it.

    Examples
    --------
    >>> scalar_type_of(np.float16(1))
    <class 'float'>
    """
    found = dtype(x)
    try:
        return _SCALAR_OF_KIND[KIND_OF[found]]
    except KeyError:
        raise TypeError(f"Invalid scalar value {x}") from None


_SCALAR_OF_KIND: Final[dict[str, type]] = {
    "bool": bool,
    "signed integer": int,
    "unsigned integer": int,
    "real floating": float,
    "complex floating": complex,
}


def scalar_type_to_dtype(scalar: type, value: Any = None) -> np.dtype:
    """Return the default dtype of a Python scalar type, checking that an integer fits.

    Raises
    ------
    OverflowError
        If ``value`` is an integer outside the range of the default integer.
    """
    found = canonicalize_dtype(python_scalar_dtypes[scalar])
    if scalar is int and value is not None:
        limits = iinfo(found)
        if not limits.min <= value <= limits.max:
            raise OverflowError(f"Python int {value} too large to convert to {found.name}")
    return found


def coerce_to_array(x: Any, dtype: Any = None) -> np.ndarray:
    """Make an ndarray of ``x``; a Python scalar gets its default dtype.

    Raises
    ------
    OverflowError
        If ``x`` is an integer outside the range of the default integer.
    """
    if dtype is None and type(x) in python_scalar_dtypes:
        dtype = scalar_type_to_dtype(type(x), x)
    return np.asarray(x, dtype)


# ---------------------------------------------------------------------------------------------
# The dtype of an operation
# ---------------------------------------------------------------------------------------------


def promote_types(a: Any, b: Any) -> np.dtype:
    """Return the dtype to which binary operations bring both of two dtypes.

    Parameters
    ----------
    a, b : dtype-like
        The Python types int, float and complex stand for weak scalars.

    Returns
    -------
    np.dtype
        Not narrowed: the answer for two 64-bit types is a 64-bit type.

    Raises
    ------
    TypePromotionError
        If the two have no least upper bound.
    ValueError
        If one of them takes no part in promotion (float0, object).

    Examples
    --------
    >>> promote_types("int8", "uint8"), promote_types("int32", "float16")
    (dtype('int16'), dtype('float16'))
    >>> promote_types(float, "bfloat16")
    dtype(bfloat16)
    """
    points = (_point_of_type(a), _point_of_type(b))
    return np.dtype(least_upper_bound(*_promotion_rules(), points))


def _point_of_type(dtype: Any) -> Any:
    return dtype if _is_weak_scalar_type(dtype) else np.dtype(dtype)


def _promotion_rules() -> tuple[bool, bool]:
    flags = snapshot()
    return flags.enable_x64, flags.numpy_dtype_promotion == "strict"


def lattice_result_type(*args: Any) -> tuple[Any, bool]:
    """Return the dtype of an operation on ``args``, and whether it is weak.

    Parameters
    ----------
    *args : values or dtype-likes
        At least one, as for :func:`dtype`.

    Returns
    -------
    dtype : np.dtype or ExtendedDType
        The narrowed dtype. For a weak result it may be of any size.
    weak_type : bool
        Whether the result still gives way to any sized dtype of its kind.

    Raises
    ------
    TypePromotionError
        If the dtypes have no least upper bound.

    Examples
    --------
    >>> lattice_result_type(1, 2.0), lattice_result_type(np.int8(1), 2)
    ((dtype('float32'), True), (dtype('int8'), False))
    """
    if not args:
        raise ValueError("at least one array or dtype is required")
    values = tuple([(dtype(arg), _is_weak_argument(arg)) for arg in args])
    return _join_narrowed(*_promotion_rules(), values)


@cache
def _join_narrowed(x64: bool, strict: bool, values: tuple[Typed, ...]) -> Typed:
    found, weak_type = join(x64, strict, values)
    return _CANONICAL[x64].get(found, found), weak_type


def _is_weak_argument(x: Any) -> bool:
    """Is this a weak value, or one of the types int, float and complex in the place of one?"""
    return is_weakly_typed(x) or _is_weak_scalar_type(x)


def _is_weak_scalar_type(x: Any) -> bool:
    return type(x) is type and x in _WEAK_SCALARS


@overload
def result_type(*args: Any, return_weak_type_flag: Literal[True]) -> tuple[Any, bool]: ...
@overload
def result_type(*args: Any, return_weak_type_flag: Literal[False] = False) -> Any: ...
def result_type(*args: Any, return_weak_type_flag: bool = False) -> Any:
    """Return the dtype of an operation on ``args``.

    Parameters
    ----------
    *args : values or dtype-likes
        At least one, as for :func:`dtype`; ``None`` means the default float.
    return_weak_type_flag : bool
        Return a pair of the dtype and whether it is weak.

    Returns
    -------
    np.dtype or ExtendedDType
        A weak result has the default size of its kind.

    Raises
    ------
    TypePromotionError
        If the dtypes have no least upper bound.

    Examples
    --------
    >>> result_type(np.int8(1), 2.5), result_type(np.float16(1), 2.5)
    (dtype('float32'), dtype('float16'))
    """
    args = tuple([default_float_dtype() if arg is None else arg for arg in args])
    found, weak_type = lattice_result_type(*args)
    if weak_type:
        found = canonicalize_dtype(_DEFAULT_OF_KIND[KIND_OF[found]])
    return (found, weak_type) if return_weak_type_flag else found


def safe_to_cast(input_dtype_or_value: Any, output_dtype_or_value: Any) -> bool:
    """Would a value of the first dtype be promoted to the second, if it met one?

    Raises
    ------
    TypePromotionError
        If the two have no least upper bound.

    Examples
    --------
    >>> safe_to_cast("uint8", "int16"), safe_to_cast("float32", "int32")
    (True, False)
    """
    target = dtype(output_dtype_or_value)
    source = point_of(dtype(input_dtype_or_value), _is_weak_argument(input_dtype_or_value))
    points = (target,) if source == target else (source, target)
    return least_upper_bound(*_promotion_rules(), points) == target


# ---------------------------------------------------------------------------------------------
# The nearest dtype of a wanted kind
# ---------------------------------------------------------------------------------------------


def to_numeric_dtype(dtype: Any) -> np.dtype:
    """Return the dtype in which values are counted: int32 for bool, itself for the others.

    Examples
    --------
    >>> to_numeric_dtype("bool"), to_numeric_dtype("float16")
    (dtype('int32'), dtype('float16'))
    """
    found = np.dtype(dtype)
    return DTYPES["int32"] if found == DTYPES["bool"] else found


def to_inexact_dtype(dtype: Any) -> np.dtype:
    """Return the dtype in which functions such as sin are computed.

    Floats and complex numbers keep theirs, integers and bool become float32, 64-bit integers
    float64. The result is not narrowed.

    Examples
    --------
    >>> to_inexact_dtype("int8"), to_inexact_dtype("bfloat16")
    (dtype('float32'), dtype(bfloat16))
    """
    found = np.dtype(dtype)
    if found not in KIND_OF or KIND_OF[found] in ("real floating", "complex floating"):
        return found
    return DTYPES["float64" if found.itemsize == 8 else "float32"]


def to_floating_dtype(dtype: Any) -> np.dtype:
    """Return the real dtype of the same precision: complex64 gives float32, int8 float32.

    Examples
    --------
    >>> to_floating_dtype("complex128")
    dtype('float64')
    """
    return finfo(to_inexact_dtype(dtype)).dtype


def to_complex_dtype(dtype: Any) -> np.dtype:
    """Return the complex dtype that holds the values: complex128 for 64-bit components.

    Examples
    --------
    >>> to_complex_dtype("float16"), to_complex_dtype("int64")
    (dtype('complex64'), dtype('complex128'))
    """
    wide = np.dtype(dtype) in (*_NARROWED, DTYPES["complex128"])
    return DTYPES["complex128" if wide else "complex64"]


# ---------------------------------------------------------------------------------------------
# Dtypes that users ask for
# ---------------------------------------------------------------------------------------------


def check_valid_dtype(dtype: Any) -> None:
    """Raise TypeError unless arrays can have this ``np.dtype``."""
    if dtype not in ARRAY_DTYPES:
        raise TypeError(f"Dtype {dtype} {_NOT_AN_ARRAY_TYPE}")


def check_and_canonicalize_user_dtype(dtype: Any, fun_name: str | None = None) -> Any:
    """Return the dtype for a ``dtype=`` argument that a user has written.

    Parameters
    ----------
    dtype : dtype-like or ExtendedDType
    fun_name : str, optional
        The public function that took the argument, for the warning.

    Returns
    -------
    np.dtype or ExtendedDType
        Narrowed, with a UserWarning, if the user named a 64-bit type without
        ``jax_enable_x64``. The Python types int, float and complex are narrowed silently.

    Raises
    ------
    ValueError
        If ``dtype`` is None or an array.
    TypeError
        If it is not dtype-like, or arrays cannot have it (object, strings, dates).

    Examples
    --------
    >>> check_and_canonicalize_user_dtype(float)
    dtype('float32')
    """
    if dtype is None:
        raise ValueError("dtype must be specified.")
    if isinstance(dtype, type) and dtype in python_scalar_dtypes:
        return canonicalize_dtype(python_scalar_dtypes[dtype])
    if is_extended(dtype):
        return dtype
    if _is_array(dtype):
        raise ValueError(
            "Passing an array as a dtype argument is no longer supported; "
            "instead of dtype=arr use dtype=arr.dtype."
        )
    found = np.dtype(dtype)
    if found not in ARRAY_DTYPES:
        where = f" in {fun_name}" if fun_name else ""
        raise TypeError(
            f"JAX only supports number, bool, and string dtypes, got dtype {dtype}{where}"
        )
    return _warn_if_narrowed(found, fun_name)


def _is_array(x: Any) -> bool:
    """Tell an array from a dtype, which also has a shape, and from a NumPy scalar."""
    if isinstance(x, (np.dtype, np.generic, type)):
        return False
    return isinstance(getattr(x, "shape", None), tuple) and not isinstance(x, np.ndarray)


def _warn_if_narrowed(dtype: np.dtype, fun_name: str | None) -> np.dtype:
    found = canonicalize_dtype(dtype)
    if found is not dtype and found != dtype:
        asked = f"dtype {dtype.name} requested in {fun_name}" if fun_name else f"dtype {dtype.name}"
        warnings.warn(
            f"Explicitly requested {asked} is not available, and will be truncated to dtype "
            f"{found.name}. To enable more dtypes, set the jax_enable_x64 configuration option or "
            "the JAX_ENABLE_X64 shell environment variable. See "
            "https://github.com/jax-ml/jax#current-gotchas for more.",
            stacklevel=_user_stacklevel(),
        )
    return found


def _user_stacklevel() -> int:
    """Return the ``stacklevel`` with which a warning of the caller points at the user's line."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and is_internal(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    return level
