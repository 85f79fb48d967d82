"""Which elementwise functions take several operations, or a derivative of their own?

Logarithms in other bases, angles in degrees, ``hypot`` without overflow; and functions such as
``logaddexp`` and ``sinc`` whose derivative, taken through the formula that computes them, would
be NaN at points where it exists.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.numpy.calls import staged_call
from minijax.numpy.promotion import (
    check_arraylike,
    constant_like,
    dtype_of,
    promote_args,
    promote_args_inexact,
    promote_args_numeric,
)
from minijax.numpy.selection import pick
from minijax.numpy.ufuncs import greater, less
from minijax.primitives.conversion import convert


def _is_complex(x: Any) -> bool:
    return dtypes.issubdtype(dtype_of(x), np.complexfloating)


# -- logarithms and angles in other units --------------------------------------------------------


def log2(x: Any, /) -> Any:
    """Elementwise logarithm to base 2.

    Parameters
    ----------
    x : array_like

    Examples
    --------
    >>> log2(8.0)
    Array(3., dtype=float32, weak_type=True)
    """
    (x,) = promote_args_inexact("log2", x)
    return lax.div(lax.log(x), lax.log(constant_like(x, 2)))


def log10(x: Any, /) -> Any:
    """Elementwise logarithm to base 10.

    Parameters
    ----------
    x : array_like

    Examples
    --------
    >>> log10(100.0)
    Array(2., dtype=float32, weak_type=True)
    """
    (x,) = promote_args_inexact("log10", x)
    return lax.mul(lax.log(x), constant_like(x, 1 / np.log(10)))


def deg2rad(x: Any, /) -> Any:
    """Convert angles from degrees to radians.

    Parameters
    ----------
    x : array_like
    """
    (x,) = promote_args_inexact("deg2rad", x)
    return lax.mul(x, constant_like(x, np.pi / 180))


def rad2deg(x: Any, /) -> Any:
    """Convert angles from radians to degrees.

    Parameters
    ----------
    x : array_like
    """
    (x,) = promote_args_inexact("rad2deg", x)
    return lax.mul(x, constant_like(x, 180 / np.pi))


radians, degrees = deg2rad, rad2deg


@staged_call(static_argnames=("deg",))
def angle(z: Any, deg: bool = False) -> Any:
    """Angle of complex numbers in the plane.

    Parameters
    ----------
    z : array_like
        Negative real numbers have the angle pi, others 0.
    deg : bool
        Return degrees instead of radians.

    Examples
    --------
    >>> angle(np.complex64(1j))
    Array(1.5707964, dtype=float32)
    """
    (z,) = promote_args_inexact("angle", z)
    if _is_complex(z):
        out = lax.atan2(lax.imag(z), lax.real(z))
    else:
        out = lax.atan2(lax.full_like(z, 0), z)
    return rad2deg(out) if deg else out


@staged_call
def hypot(x1: Any, x2: Any, /) -> Any:
    """Elementwise ``sqrt(x1**2 + x2**2)`` without overflow of the squares.

    Parameters
    ----------
    x1, x2 : array_like
        Real; broadcast to one shape.

    Examples
    --------
    >>> hypot(3.0, 4.0)
    Array(5., dtype=float32, weak_type=True)
    """
    x1, x2 = promote_args_inexact("hypot", x1, x2)
    if _is_complex(x1):
        raise ValueError("jnp.hypot is not well defined for complex-valued inputs.")
    x1, x2 = lax.abs(x1), lax.abs(x2)
    infinity = constant_like(x1, np.inf)
    infinite = lax.bitwise_or(lax.eq(x1, infinity), lax.eq(x2, infinity))
    large, small = lax.max(x1, x2), lax.min(x1, x2)
    zero = lax.eq(large, constant_like(large, 0))
    ratio = lax.div(small, pick(zero, lax.full_like(large, 1), large))
    length = lax.mul(large, lax.sqrt(lax.add(constant_like(ratio, 1), lax.square(ratio))))
    return pick(infinite, infinity, pick(zero, large, length))


@staged_call
def heaviside(x1: Any, x2: Any, /) -> Any:
    """Step function: 0 for negative ``x1``, 1 for positive, ``x2`` at zero.

    Parameters
    ----------
    x1, x2 : array_like
        Real; broadcast to one shape.
    """
    x1, x2 = promote_args_inexact("heaviside", x1, x2)
    zero, one = constant_like(x1, 0), constant_like(x1, 1)
    negative, positive = lax.lt(x1, zero), lax.gt(x1, zero)
    at_zero = pick(lax.ne(x1, x1), x1, x2)
    return pick(negative, zero, pick(positive, one, at_zero))


# -- extrema that ignore NaN -----------------------------------------------------------------------


@staged_call
def fmax(x1: Any, x2: Any) -> Any:
    """The larger of each two elements; a NaN loses.

    Parameters
    ----------
    x1, x2 : array_like
        Broadcast to one shape.
    """
    x1, x2 = promote_args("fmax", x1, x2)
    return pick(lax.bitwise_or(greater(x1, x2), lax.ne(x2, x2)), x1, x2)


@staged_call
def fmin(x1: Any, x2: Any) -> Any:
    """The smaller of each two elements; a NaN loses.

    Parameters
    ----------
    x1, x2 : array_like
        Broadcast to one shape.
    """
    x1, x2 = promote_args("fmin", x1, x2)
    return pick(lax.bitwise_or(less(x1, x2), lax.ne(x2, x2)), x1, x2)


# -- bits -----------------------------------------------------------------------------------------


@staged_call
def bitwise_count(x: Any, /) -> Any:
    """Number of bits set in the absolute value of integers, as uint8.

    Parameters
    ----------
    x : array_like
        Integers.

    Examples
    --------
    >>> bitwise_count(np.array([0, 5, -1]))
    Array([0, 2, 1], dtype=uint8)
    """
    (x,) = promote_args_numeric("bitwise_count", x)
    if not dtypes.issubdtype(dtype_of(x), np.unsignedinteger):
        x = lax.abs(x)
    return convert(lax.population_count(x), np.dtype("uint8"))


# -- comparison of approximate values -------------------------------------------------------------


@staged_call(static_argnames=("equal_nan",))
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Where ``|a - b| <= atol + rtol * |b|``.

    Parameters
    ----------
    a, b : array_like
        Broadcast to one shape.
    rtol, atol : array_like
        Relative and absolute tolerance.
    equal_nan : bool
        Whether NaN is close to NaN.

    Examples
    --------
    >>> isclose(1.0, 1.000001)
    Array(True, dtype=bool)
    """
    a, b = promote_args("isclose", a, b)
    dtype = dtype_of(a)
    if not dtypes.issubdtype(dtype, np.inexact):
        if dtype == np.bool_ or dtypes.is_extended(dtype):
            return lax.eq(a, b)
        a, b = promote_args_inexact("isclose", a, b)
    part = dtypes.canonicalize_dtype(dtypes.to_floating_dtype(dtype_of(a)))
    rtol, atol = (convert(x, part) for x in (rtol, atol))
    bound = lax.add(atol, lax.mul(rtol, lax.abs(b)))
    near = lax.bitwise_and(_finite(b), lax.le(lax.abs(lax.sub(a, b)), bound))
    out = lax.bitwise_or(lax.eq(a, b), near)
    if equal_nan:
        out = lax.bitwise_or(out, lax.bitwise_and(lax.ne(a, a), lax.ne(b, b)))
    return out


def _finite(x: Any) -> Any:
    if _is_complex(x):
        return lax.bitwise_and(lax.is_finite(lax.real(x)), lax.is_finite(lax.imag(x)))
    return lax.is_finite(x)


def iscomplex(x: Any) -> Any:
    """Where the imaginary part is not zero.

    Parameters
    ----------
    x : array_like
    """
    check_arraylike("iscomplex", x)
    if _is_complex(x):
        part = lax.imag(x)
        return lax.ne(part, constant_like(part, 0))
    return lax.full_like(x, False, np.dtype(bool))


def isreal(x: Any) -> Any:
    """Where the imaginary part is zero.

    Parameters
    ----------
    x : array_like
    """
    return lax.bitwise_not(iscomplex(x))
