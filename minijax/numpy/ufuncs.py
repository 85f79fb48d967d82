"""Which elementwise functions are one operation each?

``numpy.sin`` is "promote the operands, then bind the primitive". So each function here is a row of
a table: its names, its primitive, how operands are promoted, one sentence. What takes more than
one operation stands in the files beside this one, :mod:`~minijax.numpy.division`,
:mod:`~minijax.numpy.floats` and :mod:`~minijax.numpy.elementwise`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.primitive import Primitive
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import (
    dtype_of,
    promote_args,
    promote_args_inexact,
    promote_args_numeric,
)

Promotion = Callable[..., Sequence[Any]]
Function = Callable[..., Any]

BOOL = np.dtype(bool)


def unary(
    name: str, p: Primitive, promote: Promotion, summary: str, example: str = "", **params: Any
) -> Function:
    """Make ``f(x)`` from the row of a table."""

    def function(x: Any, /) -> Any:
        (x,) = promote(name, x)
        return p.bind(x, **params)

    return named(function, name, summary, "x : array_like", example)


def binary(
    name: str, p: Primitive, promote: Promotion, summary: str, example: str = "", **params: Any
) -> Function:
    """Make ``f(x, y)`` from the row of a table."""

    def function(x: Any, y: Any, /) -> Any:
        x, y = promote(name, x, y)
        return p.bind(x, y, **params)

    return named(function, name, summary, "x, y : array_like\n    Broadcast to one shape.", example)


def named(function: Function, name: str, summary: str, parameters: str, example: str) -> Function:
    """Give a function made from a table its name and docstring."""
    function.__name__ = function.__qualname__ = name
    shown = f"\n\nExamples\n--------\n{example}" if example else ""
    function.__doc__ = f"{summary}\n\nParameters\n----------\n{parameters}{shown}\n"
    return function


# -- functions of one argument -----------------------------------------------------------------

negative = unary(
    "negative", lax.neg_p, promote_args, "Elementwise ``-x``; booleans have none.",
    ">>> negative(2.0)\nArray(-2., dtype=float32, weak_type=True)",
)  # fmt: skip
sign = unary(
    "sign", lax.sign_p, promote_args, "Elementwise sign: -1, 0 or 1; ``x/|x|`` if complex."
)
square = unary("square", lax.square_p, promote_args_numeric, "Elementwise ``x * x``.")

exp = unary("exp", lax.exp_p, promote_args_inexact, "Elementwise ``e ** x``.", accuracy=None)
exp2 = unary("exp2", lax.exp2_p, promote_args_inexact, "Elementwise ``2 ** x``.", accuracy=None)
expm1 = unary(
    "expm1", lax.expm1_p, promote_args_inexact,
    "Elementwise ``e ** x - 1``, exact for small ``x``.", accuracy=None,
)  # fmt: skip
log = unary("log", lax.log_p, promote_args_inexact, "Elementwise natural logarithm.", accuracy=None)
log1p = unary(
    "log1p", lax.log1p_p, promote_args_inexact,
    "Elementwise ``log(1 + x)``, exact for small ``x``.", accuracy=None,
)  # fmt: skip
sqrt = unary("sqrt", lax.sqrt_p, promote_args_inexact, "Elementwise square root.", accuracy=None)
cbrt = unary("cbrt", lax.cbrt_p, promote_args_inexact, "Elementwise cube root.", accuracy=None)

sin = unary(
    "sin", lax.sin_p, promote_args_inexact, "Elementwise sine of an angle in radians.",
    ">>> sin(0.5)\nArray(0.47942555, dtype=float32, weak_type=True)", accuracy=None,
)  # fmt: skip
cos = unary("cos", lax.cos_p, promote_args_inexact, "Elementwise cosine, radians.", accuracy=None)
tan = unary("tan", lax.tan_p, promote_args_inexact, "Elementwise tangent, radians.", accuracy=None)
arcsin = unary("arcsin", lax.asin_p, promote_args_inexact, "Elementwise arc sine, in radians.")
arccos = unary("arccos", lax.acos_p, promote_args_inexact, "Elementwise arc cosine, in radians.")
arctan = unary("arctan", lax.atan_p, promote_args_inexact, "Elementwise arc tangent, in radians.")
sinh = unary("sinh", lax.sinh_p, promote_args_inexact, "Elementwise hyperbolic sine.")
cosh = unary("cosh", lax.cosh_p, promote_args_inexact, "Elementwise hyperbolic cosine.")
tanh = unary(
    "tanh", lax.tanh_p, promote_args_inexact, "Elementwise hyperbolic tangent.", accuracy=None
)
arcsinh = unary("arcsinh", lax.asinh_p, promote_args_inexact, "Elementwise inverse of ``sinh``.")
arccosh = unary("arccosh", lax.acosh_p, promote_args_inexact, "Elementwise inverse of ``cosh``.")
arctanh = unary("arctanh", lax.atanh_p, promote_args_inexact, "Elementwise inverse of ``tanh``.")
asin, acos, atan, asinh, acosh, atanh = arcsin, arccos, arctan, arcsinh, arccosh, arctanh

bitwise_not = unary(
    "bitwise_not", lax.not_p, promote_args, "Elementwise ``~x`` of bits or booleans."
)
bitwise_invert = invert = bitwise_not

# -- functions of two arguments ----------------------------------------------------------------

subtract = binary("subtract", lax.sub_p, promote_args, "Elementwise ``x - y``; not of booleans.")
true_divide = binary(
    "true_divide", lax.div_p, promote_args_inexact, "Elementwise quotient; integers give floats.",
    ">>> true_divide(1, 2)\nArray(0.5, dtype=float32, weak_type=True)",
)  # fmt: skip
divide = true_divide
maximum = binary("maximum", lax.max_p, promote_args, "The larger of each two elements; NaN wins.")
minimum = binary("minimum", lax.min_p, promote_args, "The smaller of each two elements; NaN wins.")
arctan2 = binary(
    "arctan2", lax.atan2_p, promote_args_inexact, "Angle of the point ``(y, x)``, in radians."
)
atan2 = arctan2
nextafter = binary(
    "nextafter", lax.nextafter_p, promote_args_inexact,
    "The float that follows ``x`` in the direction of ``y``.",
)  # fmt: skip

bitwise_and = binary("bitwise_and", lax.and_p, promote_args, "Elementwise ``x & y``.")
bitwise_or = binary("bitwise_or", lax.or_p, promote_args, "Elementwise ``x | y``.")
bitwise_xor = binary("bitwise_xor", lax.xor_p, promote_args, "Elementwise ``x ^ y``.")
left_shift = binary("left_shift", lax.shift_left_p, promote_args_numeric, "Elementwise ``x << y``.")
bitwise_left_shift = left_shift

equal = binary("equal", lax.eq_p, promote_args, "Elementwise ``x == y``; NaN equals nothing.")
not_equal = binary("not_equal", lax.ne_p, promote_args, "Elementwise ``x != y``.")


def add(x: Any, y: Any, /) -> Any:
    """Elementwise sum; of booleans, their disjunction.

    Parameters
    ----------
    x, y : array_like
        Broadcast to one shape.

    Examples
    --------
    >>> add(1, 2.5)
    Array(3.5, dtype=float32, weak_type=True)
    """
    x, y = promote_args("add", x, y)
    return lax.or_p.bind(x, y) if dtype_of(x) == BOOL else lax.add_p.bind(x, y)


def multiply(x: Any, y: Any, /) -> Any:
    """Elementwise product; of booleans, their conjunction.

    Parameters
    ----------
    x, y : array_like
        Broadcast to one shape.

    Examples
    --------
    >>> multiply(2, 2.5)
    Array(5., dtype=float32, weak_type=True)
    """
    x, y = promote_args("multiply", x, y)
    if dtype_of(x) == BOOL:
        return lax.and_p.bind(x, y)
    return lax.mul_p.bind(x, y, out_dtype=None)


def right_shift(x: Any, y: Any, /) -> Any:
    """Elementwise ``x >> y``; the sign of signed integers is kept.

    Parameters
    ----------
    x, y : array_like
        Integers, broadcast to one shape.
    """
    x, y = promote_args_numeric("right_shift", x, y)
    unsigned = dtypes.issubdtype(dtype_of(x), np.unsignedinteger)
    return (lax.shift_right_logical if unsigned else lax.shift_right_arithmetic)(x, y)


bitwise_right_shift = right_shift


# -- order -------------------------------------------------------------------------------------


def _comparison(name: str, p: Primitive, summary: str) -> Function:
    """Make a comparison; complex numbers are ordered by real, then imaginary part."""

    def function(x: Any, y: Any, /) -> Any:
        x, y = promote_args(name, x, y)
        if dtype_of(x).kind != "c":
            return p.bind(x, y)
        tie = lax.eq(lax.real(x), lax.real(y))
        second = p.bind(lax.imag(x), lax.imag(y))
        first = p.bind(lax.real(x), lax.real(y))
        return lax.select_n(tie, first, second)

    return named(function, name, summary, "x, y : array_like\n    Broadcast to one shape.", "")


less = _comparison("less", lax.lt_p, "Elementwise ``x < y``.")
less_equal = _comparison("less_equal", lax.le_p, "Elementwise ``x <= y``.")
greater = _comparison("greater", lax.gt_p, "Elementwise ``x > y``.")
greater_equal = _comparison("greater_equal", lax.ge_p, "Elementwise ``x >= y``.")


# -- truth -------------------------------------------------------------------------------------


def as_bool(x: Any) -> Any:
    """Return where an operand is not zero."""
    dtype = dtype_of(x)
    return x if dtype == BOOL else lax.ne(x, np.zeros((), dtype))


def _logical(name: str, p: Primitive, summary: str) -> Function:
    def function(x: Any, y: Any, /) -> Any:
        x, y = promote_args(name, x, y)
        return p.bind(as_bool(x), as_bool(y))

    return named(function, name, summary, "x, y : array_like\n    Broadcast to one shape.", "")


logical_and = _logical("logical_and", lax.and_p, "Where both operands are not zero.")
logical_or = _logical("logical_or", lax.or_p, "Where at least one operand is not zero.")
logical_xor = _logical("logical_xor", lax.xor_p, "Where exactly one operand is not zero.")


def logical_not(x: Any, /) -> Any:
    """Where an array is zero.

    Parameters
    ----------
    x : array_like

    Examples
    --------
    >>> logical_not(0.0)
    Array(True, dtype=bool)
    """
    (x,) = promote_args("logical_not", x)
    return lax.bitwise_not(as_bool(x))


# -- functions that leave some dtypes alone --------------------------------------------------------


def positive(x: Any, /) -> Any:
    """Return ``x`` as an array.

    Parameters
    ----------
    x : array_like
    """
    (x,) = promote_args("positive", x)
    return asarray(x)


def abs(x: Any, /) -> Any:
    """Elementwise absolute value; real for complex numbers.

    Parameters
    ----------
    x : array_like

    Examples
    --------
    >>> abs(-2)
    Array(2, dtype=int32, weak_type=True)
    """
    (x,) = promote_args("abs", x)
    dtype = dtype_of(x)
    if dtype == BOOL or dtypes.issubdtype(dtype, np.unsignedinteger):
        return asarray(x)
    return lax.abs_p.bind(x)


absolute = abs


def conj(x: Any, /) -> Any:
    """Elementwise complex conjugate; real numbers stay as they are.

    Parameters
    ----------
    x : array_like

    Examples
    --------
    >>> conj(1 + 2j)
    Array(1.-2.j, dtype=complex64, weak_type=True)
    """
    (x,) = promote_args("conj", x)
    if dtype_of(x).kind != "c":
        return asarray(x)
    return lax.conj(x)


conjugate = conj


def real(val: Any, /) -> Any:
    """Elementwise real part.

    Parameters
    ----------
    val : array_like
    """
    (x,) = promote_args("real", val)
    if dtype_of(x).kind == "c":
        return lax.real(x)
    return asarray(x)


def imag(val: Any, /) -> Any:
    """Elementwise imaginary part; zeros if the array is real.

    Parameters
    ----------
    val : array_like
    """
    (x,) = promote_args("imag", val)
    return lax.imag(x) if dtype_of(x).kind == "c" else lax.full_like(x, 0)
