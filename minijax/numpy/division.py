"""How do quotients, remainders and powers follow Python where the hardware does not?

The primitives round quotients towards zero; Python and NumPy round down. A division by zero of
integers gives what XLA gives: nothing traps. Powers with an exponent that is a Python integer
are products, known when the program is written down.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.array import ConcreteArray
from minijax.core.aval import typeof
from minijax.numpy.calls import staged_call
from minijax.numpy.promotion import (
    as_operand,
    cast,
    check_arraylike,
    common_type,
    constant_like,
    dtype_of,
    promote_args_inexact,
    promote_args_numeric,
    promote_dtypes_numeric,
    promote_shapes,
)
from minijax.numpy.selection import pick


def _is_integer(x: Any) -> bool:
    return dtypes.issubdtype(dtype_of(x), np.integer)


@staged_call
def floor_divide(x1: Any, x2: Any, /) -> Any:
    """Elementwise quotient, rounded down.

    Parameters
    ----------
    x1, x2 : array_like
        Real; broadcast to one shape.

    Examples
    --------
    >>> floor_divide(-7, 2)
    Array(-4, dtype=int32, weak_type=True)
    """
    x1, x2 = promote_args_numeric("floor_divide", x1, x2)
    dtype = dtype_of(x1)
    if dtypes.issubdtype(dtype, np.unsignedinteger):
        return lax.div(x1, x2)
    if dtypes.issubdtype(dtype, np.integer):
        quotient = lax.div(x1, x2)
        opposite = lax.ne(lax.sign(x1), lax.sign(x2))
        inexact = lax.ne(lax.rem(x1, x2), constant_like(x1, 0))
        rounds_up = lax.bitwise_and(opposite, inexact)
        return pick(rounds_up, lax.sub(quotient, constant_like(quotient, 1)), quotient)
    if dtypes.issubdtype(dtype, np.complexfloating):
        raise TypeError("floor_divide does not support complex-valued inputs")
    return _float_divmod(x1, x2)[0]


@staged_call
def divmod(x1: Any, x2: Any, /) -> tuple[Any, Any]:
    """Elementwise quotient rounded down, and remainder.

    Parameters
    ----------
    x1, x2 : array_like
        Real; broadcast to one shape.

    Examples
    --------
    >>> [int(part) for part in divmod(-7, 2)]
    [-4, 1]
    """
    x1, x2 = promote_args_numeric("divmod", x1, x2)
    if _is_integer(x1):
        return floor_divide(x1, x2), remainder(x1, x2)
    return _float_divmod(x1, x2)


def _float_divmod(x1: Any, x2: Any) -> tuple[Any, Any]:
    remains = lax.rem(x1, x2)
    # x / 0 is infinite although the remainder of it is NaN
    multiple = pick(lax.eq(x2, constant_like(x2, 0)), x1, lax.sub(x1, remains))
    quotient = lax.div(multiple, x2)
    inexact = lax.ne(remains, constant_like(remains, 0))
    down = lax.bitwise_and(inexact, lax.ne(lax.sign(x2), lax.sign(remains)))
    remains = lax.select(down, lax.add(remains, x2), remains)
    quotient = lax.select(down, lax.sub(quotient, constant_like(quotient, 1)), quotient)
    return lax.round(quotient), remains


@staged_call
def remainder(x1: Any, x2: Any, /) -> Any:
    """Elementwise remainder with the sign of the divisor, as Python's ``%``.

    Parameters
    ----------
    x1, x2 : array_like
        Real; broadcast to one shape. Integers modulo 0 give 0.

    Examples
    --------
    >>> remainder(-7, 3)
    Array(2, dtype=int32, weak_type=True)
    """
    x1, x2 = promote_args_numeric("remainder", x1, x2)
    if _is_integer(x1):
        x2 = pick(lax.eq(x2, constant_like(x2, 0)), constant_like(x2, 1), x2)
    remains = lax.rem(x1, x2)
    zero = constant_like(remains, 0)
    inexact = lax.ne(remains, zero)
    opposite = lax.ne(lax.lt(remains, zero), lax.lt(x2, constant_like(x2, 0)))
    return lax.select(lax.bitwise_and(opposite, inexact), lax.add(remains, x2), remains)


mod = remainder


@staged_call
def fmod(x1: Any, x2: Any, /) -> Any:
    """Elementwise remainder with the sign of the dividend, as C's ``fmod``.

    Parameters
    ----------
    x1, x2 : array_like
        Real; broadcast to one shape.
    """
    check_arraylike("fmod", x1, x2)
    given, _ = common_type((as_operand(x1), as_operand(x2)))
    x1, x2 = promote_args_numeric("fmod", x1, x2)
    if dtypes.issubdtype(given, np.integer):
        x2 = pick(equal_zero(x2), constant_like(x2, 1), x2)
    return lax.rem(x1, x2)


def equal_zero(x: Any) -> Any:
    """Return where an operand is zero."""
    return lax.eq(x, constant_like(x, 0))


# -- powers ----------------------------------------------------------------------------------------


def power(x1: Any, x2: Any, /) -> Any:
    """Elementwise power.

    Parameters
    ----------
    x1, x2 : array_like
        Broadcast to one shape. If ``x2`` is a Python or NumPy integer, the program multiplies.

    Raises
    ------
    TypeError
        If integers are to be raised to a negative Python integer.

    Examples
    --------
    >>> power(3, 4), power(2.0, -1)
    (Array(81, dtype=int32, weak_type=True), Array(0.5, dtype=float32, weak_type=True))
    """
    check_arraylike("power", x1, x2)
    if _is_known_integer(x2):
        (x1,) = promote_dtypes_numeric(as_operand(x1))
        return lax.integer_pow(x1, operator.index(x2))
    return _power(as_operand(x1), as_operand(x2))


pow = power


def _is_known_integer(x: Any) -> bool:
    """Tell whether an exponent is one integer whose value is known."""
    if isinstance(x, ConcreteArray):
        return x.ndim == 0 and _is_integer(x)
    return isinstance(x, (int, np.integer))


def _power(x1: Any, x2: Any) -> Any:
    if _is_integer(x2) and dtypes.issubdtype(dtype_of(x1), np.inexact):
        dtype, weak_type = common_type((x1, x2))
        x1 = cast(x1, dtype, weak_type and typeof(x2).weak_type)
        return lax.pow(*promote_shapes("power", x1, x2))
    if dtype_of(x2) == np.bool_:
        x2 = cast(x2, dtypes.default_int_dtype())
    x1, x2 = promote_args_numeric("power", x1, x2)
    if _is_integer(x1):
        return _integer_power(x1, x2)
    return lax.pow(x1, x2)


def _integer_power(x: Any, exponent: Any) -> Any:
    """Multiply squares of ``x``, one for each of the lowest six bits of the exponent.

    Higher bits make no difference: the power of anything but -1, 0 and 1 has overflowed.
    """
    zero, one = constant_like(x, 0), constant_like(x, 1)
    vanishes = lax.bitwise_and(equal_zero(x), lax.ne(exponent, zero))
    result = pick(vanishes, zero, one)
    bits = lax.bitwise_and(exponent, one)
    for step in range(6):
        result = pick(bits, lax.mul(result, x), result)
        if step < 5:
            x = lax.mul(x, x)
            exponent = lax.shift_right_logical(exponent, one)
            bits = lax.bitwise_and(exponent, one)
    return result


def float_power(x1: Any, x2: Any, /) -> Any:
    """Elementwise power, computed in floats or complex numbers.

    Parameters
    ----------
    x1, x2 : array_like
        Broadcast to one shape.

    Examples
    --------
    >>> float_power(2, -1)
    Array(0.5, dtype=float32, weak_type=True)
    """
    return lax.pow(*promote_args_inexact("float_power", x1, x2))


def reciprocal(x: Any, /) -> Any:
    """Elementwise ``1 / x``.

    Parameters
    ----------
    x : array_like

    Examples
    --------
    >>> reciprocal(4)
    Array(0.25, dtype=float32, weak_type=True)
    """
    (x,) = promote_args_inexact("reciprocal", x)
    return lax.integer_pow(x, -1)
