"""What can be asked of a float: is it finite, what are its sign, its parts and its neighbours?

Questions about bits are answered on the bits, seen as an integer of the same width, so that NaN
and negative zero have a sign too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.higher_order.custom_jvp import custom_jvp
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import as_arrays, asarray
from minijax.numpy.promotion import (
    as_operand,
    check_arraylike,
    constant_like,
    dtype_of,
    promote_args,
    promote_args_inexact,
    promote_dtypes_inexact,
    promote_shapes,
)
from minijax.numpy.selection import pick
from minijax.numpy.ufuncs import nextafter
from minijax.primitives.conversion import convert

BOOL = np.dtype(bool)


def _kind(x: Any) -> str:
    """Return "f" for real floats, "c" for complex numbers, "i" for all others."""
    dtype = dtype_of(x)
    if dtypes.issubdtype(dtype, np.floating):
        return "f"
    return "c" if dtypes.issubdtype(dtype, np.complexfloating) else "i"


def _none_of(x: Any) -> Any:
    return lax.full_like(x, False, BOOL)


# -- NaN and infinity --------------------------------------------------------------------------


def isnan(x: Any, /) -> Any:
    """Elementwise test for NaN.

    Parameters
    ----------
    x : array_like

    Examples
    --------
    >>> isnan(np.array([1.0, np.nan]))
    Array([False,  True], dtype=bool)
    """
    (x,) = promote_args("isnan", x)
    return lax.ne(x, x)


def isfinite(x: Any, /) -> Any:
    """Elementwise test for being neither infinite nor NaN.

    Parameters
    ----------
    x : array_like
    """
    (x,) = promote_args("isfinite", x)
    if _kind(x) == "f":
        return lax.is_finite(x)
    if _kind(x) == "c":
        return lax.bitwise_and(lax.is_finite(lax.real(x)), lax.is_finite(lax.imag(x)))
    return lax.full_like(x, True, BOOL)


@staged_call
def isinf(x: Any, /) -> Any:
    """Elementwise test for being infinite.

    Parameters
    ----------
    x : array_like
    """
    (x,) = promote_args("isinf", x)
    if _kind(x) == "f":
        return _is_infinite(x)
    if _kind(x) == "c":
        return lax.bitwise_or(_is_infinite(lax.real(x)), _is_infinite(lax.imag(x)))
    return _none_of(x)


def _is_infinite(x: Any) -> Any:
    return lax.eq(lax.abs(x), constant_like(x, np.inf))


def isposinf(x: Any, /, out: None = None) -> Any:
    """Elementwise test for positive infinity.

    Parameters
    ----------
    x : array_like
        Real.
    """
    return _is_value("isposinf", x, np.inf, out)


def isneginf(x: Any, /, out: None = None) -> Any:
    """Elementwise test for negative infinity.

    Parameters
    ----------
    x : array_like
        Real.
    """
    return _is_value("isneginf", x, -np.inf, out)


def _is_value(name: str, x: Any, value: float, out: None) -> Any:
    if out is not None:
        raise NotImplementedError(f"The 'out' argument to jnp.{name} is not supported.")
    (x,) = promote_args(name, x)
    if _kind(x) == "c":
        raise ValueError(f"{name} is not well defined for complex types.")
    return lax.eq(x, constant_like(x, value)) if _kind(x) == "f" else _none_of(x)


@staged_call
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """Replace NaN and infinities by numbers.

    Parameters
    ----------
    x : array_like
    copy : bool
        Ignored: arrays are never changed in place.
    nan : array_like
        What NaN becomes.
    posinf, neginf : array_like, optional
        What infinities become; by default the largest finite numbers.

    Examples
    --------
    >>> nan_to_num(np.array([np.nan, 1.0]), nan=5.0)
    Array([5., 1.], dtype=float32)
    """
    (x,) = promote_args("nan_to_num", x)
    if _kind(x) == "i":
        return asarray(x)
    if _kind(x) == "c":
        return lax.complex(
            nan_to_num(lax.real(x), copy, nan, posinf, neginf),
            nan_to_num(lax.imag(x), copy, nan, posinf, neginf),
        )
    info = dtypes.finfo(dtype_of(x))
    out = pick(lax.ne(x, x), _constant(nan, x), x)
    high = info.max if posinf is None else posinf
    out = pick(isposinf(out), _constant(high, x), out)
    low = info.min if neginf is None else neginf
    return pick(isneginf(out), _constant(low, x), out)


def _constant(value: Any, like: Any) -> Any:
    """Return a number or array in the dtype of ``like``."""
    dtype = dtype_of(like)
    if isinstance(value, (int, float, np.generic)):
        return np.asarray(value).astype(dtype)
    return convert(value, dtype)


# -- signs -------------------------------------------------------------------------------------


def _bits(x: Any) -> Any:
    """See floats as signed integers of the same width."""
    return lax.bitcast_convert_type(x, np.dtype(f"int{8 * dtype_of(x).itemsize}"))


@staged_call
def signbit(x: Any, /) -> Any:
    """Where the sign bit is set: negative numbers, negative zero, some NaNs.

    Parameters
    ----------
    x : array_like
        Real.
    """
    (x,) = promote_args("signbit", x)
    dtype = dtype_of(x)
    if dtypes.issubdtype(dtype, np.integer):
        return lax.lt(x, constant_like(x, 0))
    if dtype == BOOL:
        return _none_of(x)
    if _kind(x) == "c":
        raise ValueError("jax.numpy.signbit is not well defined for complex types.")
    bits = _bits(x)
    shift = constant_like(bits, 8 * dtype.itemsize - 1)
    return convert(lax.shift_right_arithmetic(bits, shift), BOOL)


@staged_call
def copysign(x1: Any, x2: Any, /) -> Any:
    """Give each element of one array the sign of the other's.

    Parameters
    ----------
    x1, x2 : array_like
        Real; broadcast to one shape.

    Examples
    --------
    >>> copysign(3.0, -0.0)
    Array(-3., dtype=float32, weak_type=True)
    """
    x1, x2 = promote_args_inexact("copysign", x1, x2)
    if _kind(x1) == "c":
        raise TypeError("copysign does not support complex-valued inputs")
    return pick(signbit(x2), lax.neg(lax.abs(x1)), lax.abs(x1))


def fabs(x: Any, /) -> Any:
    """Elementwise absolute value, as a float.

    Parameters
    ----------
    x : array_like
        Real.
    """
    check_arraylike("fabs", x)
    if _kind(x) == "c":
        raise TypeError("ufunc 'fabs' does not support complex dtypes")
    return lax.abs(*promote_args_inexact("fabs", x))


# -- mantissa and exponent -----------------------------------------------------------------------


def _exponent_bits(dtype: Any) -> tuple[int, int]:
    info = dtypes.finfo(dtype)
    return int(info.nmant), (1 << int(info.nexp)) - 1


@staged_call
def frexp(x: Any, /) -> tuple[Any, Any]:
    """Split floats into mantissa in [0.5, 1) and exponent of two.

    Parameters
    ----------
    x : array_like
        Real.

    Returns
    -------
    mantissa : Array
        Float; zero, infinities and NaN stand for themselves.
    exponent : Array
        int32.

    Examples
    --------
    >>> mantissa, exponent = frexp(12.0)
    >>> float(mantissa), int(exponent)
    (0.75, 4)
    """
    check_arraylike("frexp", x)
    (x,) = promote_dtypes_inexact(x)
    if _kind(x) == "c":
        raise TypeError("frexp does not support complex-valued inputs")
    return _frexp(x)


@custom_jvp
def _frexp(x: Any) -> tuple[Any, Any]:
    dtype = dtype_of(x)
    nmant, mask = _exponent_bits(dtype)
    # A subnormal number has no exponent of its own: make it normal first.
    tiny = lax.lt(lax.abs(x), constant_like(x, dtypes.finfo(dtype).tiny))
    normal = pick(tiny, lax.mul(x, constant_like(x, 2.0**nmant)), x)
    bits = _bits(normal)
    field = lax.bitwise_and(
        lax.shift_right_logical(bits, constant_like(bits, nmant)), constant_like(bits, mask)
    )
    bias = mask // 2 - 1
    exponent = lax.sub(convert(field, np.dtype("int32")), np.int32(bias))
    exponent = lax.add(exponent, pick(tiny, np.int32(-nmant), np.int32(0)))
    kept = lax.bitwise_and(bits, constant_like(bits, ~(mask << nmant)))
    half = lax.bitwise_or(kept, constant_like(bits, bias << nmant))
    mantissa = lax.bitcast_convert_type(half, dtype)
    special = lax.bitwise_or(lax.eq(x, constant_like(x, 0)), lax.bitwise_not(lax.is_finite(x)))
    return pick(special, x, mantissa), pick(special, np.int32(0), exponent)


@_frexp.defjvp
def _frexp_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The mantissa is ``x * 2 ** -exponent``, and the exponent constant between its jumps."""
    (x,), (t,) = primals, tangents
    mantissa, exponent = _frexp(x)
    scale = lax.exp2(lax.neg(convert(exponent, dtype_of(x))))
    no_tangent = np.zeros(exponent.shape, dtypes.float0)
    return (mantissa, exponent), (lax.mul(t, scale), no_tangent)


@staged_call
def ldexp(x1: Any, x2: Any, /) -> Any:
    """Elementwise ``x1 * 2 ** x2``.

    Parameters
    ----------
    x1 : array_like
        Real.
    x2 : array_like
        Integers.

    Examples
    --------
    >>> ldexp(0.75, 4)
    Array(12., dtype=float32)
    """
    check_arraylike("ldexp", x1, x2)
    if _kind(x1) == "c" or _kind(x2) == "c":
        raise ValueError("ldexp does not support complex-valued inputs")
    if _kind(x2) == "f":
        raise ValueError("ldexp not supported for input types float")
    (x1,) = promote_dtypes_inexact(as_operand(x1))
    x1, x2 = promote_shapes("ldexp", x1, convert(as_operand(x2), dtype_of(x1)))
    mantissa, exponent = frexp(x1)
    total = lax.add(convert(exponent, dtype_of(x2)), x2)
    # 2 ** total may overflow although the product does not: keep one factor of two aside.
    large = lax.gt(total, constant_like(total, 0))
    mantissa = pick(large, lax.mul(mantissa, constant_like(mantissa, 2)), mantissa)
    total = pick(large, lax.sub(total, constant_like(total, 1)), total)
    scaled = lax.mul(mantissa, lax.pow(constant_like(total, 2), total))
    unchanged = lax.bitwise_or(isinf(x1), lax.eq(x1, constant_like(x1, 0)))
    return pick(unchanged, x1, scaled)


@staged_call
def modf(x: Any, /, out: None = None) -> tuple[Any, Any]:
    """Split floats into fractional and whole part, both with the sign of ``x``.

    Parameters
    ----------
    x : array_like
        Real.

    Examples
    --------
    >>> [float(part) for part in modf(-2.5)]
    [-0.5, -2.0]
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.modf is not supported.")
    (x,) = promote_args_inexact("modf", x)
    whole = pick(lax.ge(x, constant_like(x, 0)), lax.floor(x), lax.ceil(x))
    return lax.sub(x, whole), whole


def spacing(x: Any, /) -> Any:
    """Distance of a float to the next one away from zero.

    Parameters
    ----------
    x : array_like
        Real.

    Examples
    --------
    >>> spacing(np.float32(1))
    Array(1.1920929e-07, dtype=float32)
    """
    (x,) = promote_args_inexact("spacing", x)
    if _kind(x) == "c":
        raise ValueError("jnp.spacing is not defined for complex inputs.")
    step = lax.sub(nextafter(x, copysign(constant_like(x, np.inf), x)), x)
    smallest = copysign(constant_like(x, dtypes.finfo(dtype_of(x)).smallest_subnormal), x)
    return pick(lax.eq(step, constant_like(step, 0)), smallest, step)


# -- rounding ----------------------------------------------------------------------------------


def floor(x: Any, /) -> Any:
    """Round down; integers stay integers.

    Parameters
    ----------
    x : array_like
        Real.

    Examples
    --------
    >>> floor(-1.5)
    Array(-2., dtype=float32, weak_type=True)
    """
    return _rounded("floor", lax.floor, x)


def ceil(x: Any, /) -> Any:
    """Round up; integers stay integers.

    Parameters
    ----------
    x : array_like
        Real.
    """
    return _rounded("ceil", lax.ceil, x)


def _rounded(name: str, operation: Any, x: Any) -> Any:
    check_arraylike(name, x)
    (x,) = as_arrays(x)
    return operation(x) if _kind(x) != "i" else x


@staged_call
def trunc(x: Any, /) -> Any:
    """Round towards zero; integers stay integers.

    Parameters
    ----------
    x : array_like
        Real.
    """
    check_arraylike("trunc", x)
    (x,) = as_arrays(x)
    if _kind(x) == "i":
        return x
    return pick(lax.lt(x, constant_like(x, 0)), lax.ceil(x), lax.floor(x))


@staged_call
def rint(x: Any, /) -> Any:
    """Round to the nearest integer, halves to even; the result is a float.

    Parameters
    ----------
    x : array_like
    """
    check_arraylike("rint", x)
    (x,) = promote_args_inexact("rint", x)
    if _kind(x) == "c":
        return lax.complex(rint(lax.real(x)), rint(lax.imag(x)))
    return lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)


@staged_call(static_argnames=("decimals",))
def round(a: Any, decimals: int = 0, out: None = None) -> Any:
    """Round to a number of decimals, halves to even.

    Parameters
    ----------
    a : array_like
    decimals : int
        Negative: round to tens, hundreds and so on.

    Examples
    --------
    >>> round(np.array([1.25, 2.5]), 1)
    Array([1.2, 2.5], dtype=float32)
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.round is not supported.")
    check_arraylike("round", a)
    (x,) = as_arrays(a)
    if _kind(x) == "i":
        if decimals < 0:
            raise NotImplementedError("integer np.round not implemented for decimals < 0")
        return x
    if _kind(x) == "c":
        return lax.complex(_round_real(lax.real(x), decimals), _round_real(lax.imag(x), decimals))
    return _round_real(x, decimals)


def _round_real(x: Any, decimals: int) -> Any:
    even = lax.RoundingMethod.TO_NEAREST_EVEN
    if decimals == 0:
        return lax.round(x, even)
    dtype = dtype_of(x)
    narrow = dtype.itemsize < 4
    work = convert(x, np.dtype("float32")) if narrow else x
    factor = constant_like(work, 10.0**decimals)
    out = lax.div(lax.round(lax.mul(work, factor), even), factor)
    return convert(out, dtype) if narrow else out


around = round
