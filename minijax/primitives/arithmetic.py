"""How are numbers added, multiplied and divided?

The operations of a ring and a field, on integers, floats and complex numbers: ``neg``, ``add``,
``sub``, ``mul``, ``square``, ``integer_pow``, ``div``. All but the powers are linear in an
operand, and so these are the operations of which tangent programs mostly consist. Integers wrap
around; their division rounds towards zero and never traps.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import (
    COMPLEX,
    FLOATS,
    REALS,
    Arg,
    Primitive,
    full_of,
    is_undefined_primal,
)
from minijax.primitives.elementwise_rules import (
    broadcast_tangent,
    compute_in_bytes,
    lower_as,
    public_binary,
    public_unary,
    scalar_like,
)
from minijax.primitives.operands import (
    NUMERIC,
    ArrayLike,
    check_kinds,
    check_operands,
    elementwise_abstract,
    elementwise_batch,
    unbroadcast,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value

NUMBERS = (*REALS, *COMPLEX)

# -- neg ----------------------------------------------------------------------------------------

neg_p = Primitive("neg")
neg = public_unary(neg_p, "Elementwise negation: ``-x``.", NUMERIC)
elementwise_abstract(neg_p, NUMERIC)


@neg_p.reference
def neg_reference(x: np.ndarray) -> np.ndarray:
    return np.negative(x)


@neg_p.linear_in(0)
def neg_transpose(ct: Any, x: Any) -> list[Any]:
    return [neg(ct)]


compute_in_bytes(neg_p)
elementwise_batch(neg_p)
lower_as(neg_p, "stablehlo.negate")
neg_p.sample(Arg((2, 3)), _dtypes=NUMBERS)

# -- add and sub --------------------------------------------------------------------------------

add_p = Primitive("add")
add = public_binary(add_p, "Elementwise sum: ``x + y``.", NUMERIC)
elementwise_abstract(add_p, NUMERIC)


@add_p.reference
def add_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.add(x, y)


def add_jvp(t: Any, x: Any, y: Any) -> Any:
    return broadcast_tangent(t, x, y)


add_p.jvp_each(add_jvp, add_jvp)


@add_p.transpose
def add_transpose(ct: Any, x: Any, y: Any) -> list[Any]:
    return [unbroadcast(ct, v.aval) if is_undefined_primal(v) else None for v in (x, y)]


elementwise_batch(add_p)
lower_as(add_p, "stablehlo.add")

sub_p = Primitive("sub")
sub = public_binary(sub_p, "Elementwise difference: ``x - y``.", NUMERIC)
elementwise_abstract(sub_p, NUMERIC)


@sub_p.reference
def sub_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.subtract(x, y)


def sub_jvp_right(t: Any, x: Any, y: Any) -> Any:
    return broadcast_tangent(neg(t), x, y)


sub_p.jvp_each(add_jvp, sub_jvp_right)


@sub_p.transpose
def sub_transpose(ct: Any, x: Any, y: Any) -> list[Any]:
    left = unbroadcast(ct, x.aval) if is_undefined_primal(x) else None
    right = unbroadcast(neg(ct), y.aval) if is_undefined_primal(y) else None
    return [left, right]


elementwise_batch(sub_p)
lower_as(sub_p, "stablehlo.subtract")

# -- mul ----------------------------------------------------------------------------------------

mul_p = Primitive("mul")
mul_p.hide_params(out_dtype=None)


def mul(x: ArrayLike, y: ArrayLike) -> Any:
    """Elementwise product: ``x * y``.

    Parameters
    ----------
    x, y : array or scalar (integer, floating, complexfloating)
        Of one dtype; of one shape up to axes of length one, or scalars.

    Examples
    --------
    >>> mul(np.array([1., 2.]), np.array([3., 4.]))
    Array([3., 8.], dtype=float32)
    """
    check_operands("mul", x, y)
    return mul_p.bind(x, y, out_dtype=None)


elementwise_abstract(mul_p, NUMERIC)


@mul_p.reference
def mul_reference(x: np.ndarray, y: np.ndarray, *, out_dtype: Any) -> np.ndarray:
    return np.multiply(x, y)


@mul_p.bilinear
def mul_transpose(ct: Any, x: Any, y: Any, *, out_dtype: Any) -> list[Any]:
    if is_undefined_primal(x):
        return [unbroadcast(mul(ct, y), x.aval), None]
    return [None, unbroadcast(mul(x, ct), y.aval)]


elementwise_batch(mul_p)
lower_as(mul_p, "stablehlo.multiply")

_params: dict[str, Any]
for _p, _params in ((add_p, {}), (sub_p, {}), (mul_p, {"out_dtype": None})):
    _p.sample(Arg((2, 3)), Arg((2, 3)), _dtypes=NUMBERS, **_params)
    _p.sample(Arg((2, 3)), Arg(()), _dtypes=("float32", "complex64"), **_params)
    _p.sample(Arg((1, 3)), Arg((2, 1)), _dtypes=("float32",), **_params)

# -- integer powers -----------------------------------------------------------------------------

integer_pow_p = Primitive("integer_pow")


def integer_pow(x: ArrayLike, y: int) -> Any:
    """Elementwise power with a fixed integer exponent: ``x ** y``.

    Parameters
    ----------
    x : array or scalar (integer, floating, complexfloating)
    y : int
        The exponent; negative only for inexact ``x``. It is part of the program, not an operand.

    Raises
    ------
    TypeError
        If ``x`` is of integers and ``y`` is negative.

    Examples
    --------
    >>> integer_pow(np.float32(3.0), 4)
    Array(81., dtype=float32)
    """
    check_operands("integer_pow", x)
    return integer_pow_p.bind(x, y=operator.index(y))


def reciprocal(x: ArrayLike) -> Any:
    """Elementwise reciprocal: ``1 / x`` of floats or complex numbers."""
    return integer_pow(x, -1)


@integer_pow_p.abstract
def integer_pow_abstract(x: ShapedArray, *, y: int) -> ShapedArray:
    check_kinds("integer_pow", [x], NUMERIC)
    if y < 0 and dtypes.issubdtype(x.dtype, np.integer):
        raise TypeError(
            f"Integers cannot be raised to negative powers, got integer_pow({x.str_short()}, {y})"
        )
    return x


@integer_pow_p.reference
def integer_pow_reference(x: np.ndarray, *, y: int) -> np.ndarray:
    one = np.ones_like(x)
    if y == 0:
        return one
    power = _by_squaring(np.multiply, x, abs(y))
    return power if y > 0 else np.divide(one, power)


def _by_squaring(multiply: Any, x: Any, exponent: int) -> Any:
    """Return the power for an exponent of at least 1; compiled programs multiply in this order."""
    power = None
    while True:
        if exponent & 1:
            power = x if power is None else multiply(power, x)
        exponent >>= 1
        if not exponent:
            return power
        x = multiply(x, x)


@integer_pow_p.jvp_each
def integer_pow_jvp(t: Any, x: Any, *, y: int) -> Any:
    if y == 0:
        return full_of(typeof(t), 0)
    if y == 1:
        return t
    return mul(t, mul(scalar_like(x, y), integer_pow(x, y - 1)))


integer_pow_p.no_transpose("a power is not linear")
elementwise_batch(integer_pow_p)


@integer_pow_p.lower
def integer_pow_lower(ctx: Emitter, x: Value, *, y: int) -> Value:
    one = ctx.constant_like(1, x)
    if y == 0:
        return one

    def multiply(a: Value, b: Value) -> Value:
        return ctx.op("stablehlo.multiply", a, b)

    power = _by_squaring(multiply, x, abs(y))
    return power if y > 0 else ctx.op("stablehlo.divide", one, power)


integer_pow_p.sample(Arg((2, 3)), _dtypes=NUMBERS, y=3)
integer_pow_p.sample(Arg((2, 3)), _dtypes=NUMBERS, y=0)
integer_pow_p.sample(Arg((2, 3), 0.5, 2), _dtypes=("float32", "float64", *COMPLEX), y=-2)

square_p = Primitive("square")
square = public_unary(square_p, "Elementwise square: ``x * x``.", NUMERIC)
elementwise_abstract(square_p, NUMERIC)


@square_p.reference
def square_reference(x: np.ndarray) -> np.ndarray:
    return np.multiply(x, x)


@square_p.jvp_each
def square_jvp(t: Any, x: Any) -> Any:
    return mul(t, mul(scalar_like(x, 2), x))


square_p.no_transpose("a square is not linear")
elementwise_batch(square_p)


@square_p.lower
def square_lower(ctx: Emitter, x: Value) -> Value:
    return ctx.op("stablehlo.multiply", x, x)


square_p.sample(Arg((2, 3)), _dtypes=NUMBERS)

# -- div ----------------------------------------------------------------------------------------

div_p = Primitive("div")
div = public_binary(
    div_p,
    "Elementwise quotient: ``x / y``. Integers round towards zero; dividing one by zero gives -1, "
    "that is, all bits set.",
    NUMERIC,
)
elementwise_abstract(div_p, NUMERIC)


@div_p.reference
def div_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.dtype.kind not in "iu":
        return np.divide(x, y)
    # Without its remainder the dividend is a multiple, which no rounding touches. The smallest
    # number divided by -1 wraps around to itself.
    quotient = np.floor_divide(x - np.fmod(x, y), y)
    return np.where(y == 0, ~x.dtype.type(0), quotient)


def div_jvp_left(t: Any, x: Any, y: Any) -> Any:
    return div(t, y)


def div_jvp_right(t: Any, x: Any, y: Any) -> Any:
    return mul(mul(neg(t), x), integer_pow(y, -2))


div_p.jvp_each(div_jvp_left, div_jvp_right)


@div_p.transpose
def div_transpose(ct: Any, x: Any, y: Any) -> list[Any]:
    return [unbroadcast(div(ct, y), x.aval), None]


compute_in_bytes(div_p)
elementwise_batch(div_p)
lower_as(div_p, "stablehlo.divide")
div_p.sample(Arg((2, 3)), Arg((2, 3), 0.5, 2), _dtypes=(*FLOATS, *COMPLEX))
div_p.sample(Arg((2, 3), -9, 9), Arg((2, 3), -3, 3), _dtypes=("int32", "int8"))
div_p.sample(Arg((2, 3)), Arg((), 0.5, 2), _dtypes=("float32",))
div_p.sample(Arg((2, 1)), Arg((1, 3), 0.5, 2), _dtypes=("float32",))
