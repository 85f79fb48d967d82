"""Which functions of two numbers are there besides arithmetic?

``pow``, ``atan2`` and ``nextafter``. The power is the delicate one: its exponent may be of
integers while its base is not, and its two derivatives have traps at zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import COMPLEX, FLOATS, Arg, Primitive, full_of
from minijax.primitives.arithmetic import add, div, mul, neg, square, sub
from minijax.primitives.conversion import convert
from minijax.primitives.elementwise import log
from minijax.primitives.elementwise_rules import (
    broadcast_to,
    lower_as,
    on_common_shape,
    public_binary,
    scalar_like,
)
from minijax.primitives.logic import eq, select
from minijax.primitives.operands import (
    INEXACT,
    KIND_NAMES,
    NUMERIC,
    ArrayLike,
    broadcast_shape,
    check_operands,
    elementwise_abstract,
    elementwise_batch,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value

# -- pow ----------------------------------------------------------------------------------------

pow_p = Primitive("pow")


def pow(x: ArrayLike, y: ArrayLike) -> Any:
    """Elementwise power: ``x ** y``.

    Parameters
    ----------
    x : array or scalar (floating, complexfloating)
    y : array or scalar
        Of the dtype of ``x``, or of integers.

    Raises
    ------
    TypeError
        If the dtypes do not go together.

    Examples
    --------
    >>> pow(np.float32(2.0), np.float32(-1.0)), pow(np.float32(-2.0), np.int32(3))
    (Array(0.5, dtype=float32), Array(-8., dtype=float32))
    """
    check_operands("pow", x, y)
    return pow_p.bind(x, y)


@pow_p.abstract
def pow_abstract(x: ShapedArray, y: ShapedArray) -> ShapedArray:
    _check_kind_at("pow", x, INEXACT, 0)
    _check_kind_at("pow", y, NUMERIC, 1)
    integer_exponent = dtypes.issubdtype(y.dtype, np.integer)
    if not integer_exponent and x.dtype != y.dtype:
        raise TypeError(
            "the first argument to pow must have an inexact dtype (float or complex), and the "
            "second argument must have an inexact or integer dtype, and two inexact dtypes must "
            f"match, but got {x.dtype.name} and {y.dtype.name} respectively."
        )
    shape = broadcast_shape("pow", [x.shape, y.shape])
    return ShapedArray(shape, x.dtype, x.weak_type and y.weak_type)


def _check_kind_at(name: str, aval: ShapedArray, kinds: tuple[type, ...], position: int) -> None:
    if not any(dtypes.issubdtype(aval.dtype, kind) for kind in kinds):
        accepted = ", ".join(KIND_NAMES[kind] for kind in kinds)
        raise TypeError(
            f"{name} does not accept dtype {aval.dtype.name} at position {position}. Accepted "
            f"dtypes at position {position} are subtypes of {accepted}."
        )


@pow_p.reference
def pow_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.power(x, y.astype(x.dtype, copy=False))


def pow_jvp_base(t: Any, x: Any, y: Any) -> Any:
    if dtypes.issubdtype(typeof(y).dtype, np.integer):
        return mul(t, _slope_of_integer_power(x, y))
    return mul(t, mul(y, pow(x, sub(y, scalar_like(y, 1)))))


def _slope_of_integer_power(x: Any, y: Any) -> Any:
    """Return ``y * x ** (y - 1)``, which is 0 for ``y = 0`` even at ``x = 0``."""
    shape = broadcast_shape("pow", [typeof(x).shape, typeof(y).shape])
    y = broadcast_to(convert(y, typeof(x).dtype), shape)
    is_zero = eq(y, scalar_like(y, 0))
    factor = select(is_zero, full_of(typeof(y), 1), y)
    slope = mul(factor, pow(x, sub(y, scalar_like(y, 1))))
    return select(is_zero, full_of(typeof(y), 0), slope)


def pow_jvp_exponent(t: Any, out: Any, x: Any, y: Any) -> Any:
    is_zero = eq(x, scalar_like(x, 0))  # there the power is constant for y > 0
    return mul(t, mul(log(select(is_zero, full_of(typeof(x), 1), x)), out))


pow_p.jvp_from_output(lambda t, out, x, y: pow_jvp_base(t, x, y), pow_jvp_exponent)
pow_p.no_transpose("a power is not linear")
elementwise_batch(pow_p)


@pow_p.lower
def pow_lower(ctx: Emitter, x: Value, y: Value) -> Value:
    return ctx.op(
        "stablehlo.power", *on_common_shape(ctx, x, ctx.convert(y, ctx.avals_in[0].dtype))
    )


pow_p.sample(Arg((2, 3), 0.3, 2), Arg((2, 3)), _dtypes=(*FLOATS, *COMPLEX))
pow_p.sample(Arg((2, 3), 0.3, 2), Arg((2, 3), 0, 3, dtype="int32"), _dtypes=FLOATS)
pow_p.sample(Arg((2, 3), 0.3, 2), Arg(()), _dtypes=("float32",))

# -- atan2 --------------------------------------------------------------------------------------

atan2_p = Primitive("atan2")
atan2 = public_binary(
    atan2_p,
    "Elementwise angle of the point ``(y, x)``, in radians from -pi to pi: the arc tangent of "
    "``x / y`` in the right quadrant. The first argument is the ordinate.",
    INEXACT,
)
elementwise_abstract(atan2_p, INEXACT)


@atan2_p.reference
def atan2_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.dtype.kind != "c":
        return np.arctan2(x, y)
    i = x.dtype.type(1j)
    return -i * np.log((y + i * x) / np.sqrt(x * x + y * y))


def atan2_jvp_ordinate(t: Any, x: Any, y: Any) -> Any:
    return mul(t, div(y, add(square(x), square(y))))


def atan2_jvp_abscissa(t: Any, x: Any, y: Any) -> Any:
    return mul(t, div(neg(x), add(square(x), square(y))))


atan2_p.jvp_each(atan2_jvp_ordinate, atan2_jvp_abscissa)
atan2_p.no_transpose("an angle is not linear")
elementwise_batch(atan2_p)
lower_as(atan2_p, "stablehlo.atan2")
atan2_p.sample(Arg((2, 3), 0.5, 2), Arg((2, 3), -2, -0.5), _dtypes=(*FLOATS, *COMPLEX))
atan2_p.sample(Arg((2, 3), 0.5, 2), Arg((), 0.5, 2), _dtypes=("float32",))

# -- nextafter ----------------------------------------------------------------------------------

nextafter_p = Primitive("nextafter")
nextafter = public_binary(
    nextafter_p, "Elementwise next float after ``x`` in the direction of ``y``.", (np.floating,)
)
elementwise_abstract(nextafter_p, (np.floating,))


@nextafter_p.reference
def nextafter_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(x == y, y, np.nextafter(x, y))  # of two zeros the second, in every dtype


nextafter_p.no_jvp("the step to the neighbour has no useful derivative")
nextafter_p.no_transpose("a step to the neighbour is not linear")
elementwise_batch(nextafter_p)
lower_as(nextafter_p, "chlo.next_after")
nextafter_p.sample(Arg((2, 3)), Arg((2, 3)))
nextafter_p.sample(Arg((2, 3)), Arg(()), _dtypes=("float32",))
