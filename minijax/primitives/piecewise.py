"""Which operations have kinks and jumps, and what is a derivative there?

Signs, roundings, extrema, clipping, remainders: between finitely many points they are constant
or linear. Where a derivative does not exist JAX's choice is made: ``abs`` has slope 1 at 0, equal
operands of ``max`` share the tangent, a clipped value at its bound does not move.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import ALL_KINDS, COMPLEX, FLOATS, REALS, Arg, Primitive, full_of
from minijax.primitives.arithmetic import div, mul, neg
from minijax.primitives.complex_parts import component_dtype, conj, real
from minijax.primitives.conversion import convert
from minijax.primitives.elementwise_rules import (
    batch_at_full_shape,
    broadcast_tangent,
    broadcast_to,
    compute_in_bytes,
    lower_as,
    on_common_shape,
    public_binary,
    public_unary,
    scalar_like,
    unary,
)
from minijax.primitives.logic import bitwise_and, eq, ge, gt, lt, select
from minijax.primitives.operands import (
    EVERYTHING,
    NUMERIC,
    REAL,
    ArrayLike,
    check_kinds,
    check_operands,
    check_same_dtypes,
    elementwise_abstract,
    elementwise_batch,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value, type_of_aval

FLOATING = (np.floating,)

# -- sign ---------------------------------------------------------------------------------------

sign_p = Primitive("sign")
sign = public_unary(
    sign_p,
    "Elementwise sign: -1, 0 or 1, a zero keeping its own sign; of complex numbers ``x / |x|``.",
    NUMERIC,
)
elementwise_abstract(sign_p, NUMERIC)


@sign_p.reference
def sign_reference(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind in "iu":
        return np.sign(x)
    if x.dtype.kind != "c":
        return np.copysign(np.sign(x), x)
    # Part by part, for division by a complex number would make NaN of infinite ones.
    size = np.abs(x)
    out = np.empty_like(x)
    out.real = np.where(size == 0, 0, np.real(x) / size)
    out.imag = np.where(size == 0, 0, np.imag(x) / size)
    return out


sign_p.jvp_zero("the sign is constant on either side of zero")
compute_in_bytes(sign_p)
elementwise_batch(sign_p)


@sign_p.lower
def sign_lower(ctx: Emitter, x: Value) -> Value:
    if x.type.element.startswith("ui"):
        zero = ctx.constant_like(0, x)
        return ctx.select(ctx.compare("EQ", x, zero), zero, ctx.constant_like(1, x))
    return ctx.op("stablehlo.sign", x)


sign_p.sample(Arg((2, 3)), _dtypes=REALS)
sign_p.sample(Arg((2, 3)), _dtypes=COMPLEX, _smooth=False)  # there JAX neglects the direction
sign_p.sample(Arg((2, 3), 0, 2), _dtypes=("uint32",))

# -- abs ----------------------------------------------------------------------------------------

abs_p = Primitive("abs")
SIGNED = (np.signedinteger, np.floating, np.complexfloating)
abs = public_unary(abs_p, "Elementwise absolute value: ``|x|``, real for complex ``x``.", SIGNED)


@abs_p.abstract
def abs_abstract(x: ShapedArray) -> ShapedArray:
    check_kinds("abs", [x], SIGNED)
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        return ShapedArray(x.shape, component_dtype(x.dtype), x.weak_type)
    return x


@abs_p.reference
def abs_reference(x: np.ndarray) -> np.ndarray:
    return np.absolute(x)


@abs_p.jvp_from_output
def abs_jvp(t: Any, out: Any, x: Any) -> Any:
    if not dtypes.issubdtype(typeof(x).dtype, np.complexfloating):
        return select(ge(x, scalar_like(x, 0)), t, neg(t))
    size = convert(out, typeof(x).dtype)
    divisor = select(eq(size, scalar_like(size, 0)), full_of(typeof(size), 1), size)
    return real(mul(t, div(conj(x), divisor)))


abs_p.no_transpose("the absolute value is not linear")
elementwise_batch(abs_p)
lower_as(abs_p, "stablehlo.abs")
abs_p.sample(Arg((2, 3)), _dtypes=(*REALS, *COMPLEX))

# -- floor, ceil, round -------------------------------------------------------------------------

floor_p, floor = unary(
    "floor", FLOATING, np.floor, "stablehlo.floor", "Elementwise largest integer not above ``x``."
)
ceil_p, ceil = unary(
    "ceil", FLOATING, np.ceil, "stablehlo.ceil", "Elementwise smallest integer not below ``x``."
)


class RoundingMethod(enum.IntEnum):
    """What happens to a number halfway between two integers."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


round_p = Primitive("round")


def round(x: ArrayLike, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Any:
    """Elementwise nearest integer, as a float.

    Parameters
    ----------
    x : array or scalar (floating)
    rounding_method : RoundingMethod
        Where halves go: away from zero, or to the even neighbour.

    Examples
    --------
    >>> round(np.float32(2.5)), round(np.float32(2.5), RoundingMethod.TO_NEAREST_EVEN)
    (Array(3., dtype=float32), Array(2., dtype=float32))
    """
    check_operands("round", x)
    return round_p.bind(x, rounding_method=RoundingMethod(rounding_method))


elementwise_abstract(round_p, FLOATING)


@round_p.reference
def round_reference(x: np.ndarray, *, rounding_method: RoundingMethod) -> np.ndarray:
    if rounding_method == RoundingMethod.TO_NEAREST_EVEN:
        return np.rint(x)
    # Not floor(x + 0.5): that sum rounds up the largest number below one half.
    whole = np.trunc(x)
    step = (np.absolute(x - whole) >= 0.5).astype(x.dtype)
    return whole + np.copysign(step, x)


round_p.jvp_zero("a rounding is constant between its jumps")
elementwise_batch(round_p)


@round_p.lower
def round_lower(ctx: Emitter, x: Value, *, rounding_method: RoundingMethod) -> Value:
    even = rounding_method == RoundingMethod.TO_NEAREST_EVEN
    return ctx.op(f"stablehlo.round_nearest_{'even' if even else 'afz'}", x)


for _method in RoundingMethod:
    round_p.sample(Arg((2, 3)), rounding_method=_method)
    round_p.sample(
        np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32),
        _smooth=False,
        rounding_method=_method,
    )

# -- max and min --------------------------------------------------------------------------------


def extremum(
    name: str, ufunc: Callable[..., Any], is_first: Callable[..., Any], direction: str, summary: str
) -> tuple[Primitive, Callable[[ArrayLike, ArrayLike], Any]]:
    """Make ``max`` or ``min``; ``is_first(x, y)`` says which complex number is chosen.

    Zeros of either sign are equal here: which of two comes out is left open.
    """
    p = Primitive(name)
    elementwise_abstract(p, EVERYTHING)

    def reference_rule(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if x.dtype.kind == "c":
            return np.where(is_first(x, y), x, y)
        return ufunc(x, y)

    def lower_rule(ctx: Emitter, x: Value, y: Value) -> Value:
        x, y = on_common_shape(ctx, x, y)
        if x.type.element.startswith("complex"):
            return _extremum_of_complex(ctx, direction, x, y)
        return ctx.op(f"stablehlo.{name}imum", x, y)

    reference_rule.__name__, lower_rule.__name__ = f"{name}_reference", f"{name}_lower"
    p.reference(reference_rule)
    compute_in_bytes(p)
    p.jvp_from_output(extremum_jvp_left, extremum_jvp_right)
    p.no_transpose("an extremum is not linear")
    elementwise_batch(p)
    p.lower(lower_rule)
    p.sample(Arg((2, 3)), Arg((2, 3)), _dtypes=(*ALL_KINDS, *COMPLEX))
    p.sample(Arg((2, 3)), Arg(()), _dtypes=("float32",))
    p.sample(Arg((2, 1)), Arg((1, 3)), _dtypes=("float32",))
    return p, public_binary(p, summary, EVERYTHING)


def extremum_jvp_left(t: Any, out: Any, x: Any, y: Any) -> Any:
    """Pass the tangent where ``x`` was chosen, half of it where both are equal."""
    ones = full_of(typeof(out), 1)
    chosen = select(eq(x, out), ones, full_of(typeof(out), 0))
    shared_by = select(eq(y, out), full_of(typeof(out), 2), ones)
    return mul(t, div(chosen, shared_by))


def extremum_jvp_right(t: Any, out: Any, x: Any, y: Any) -> Any:
    """Pass the tangent where ``y`` was chosen, half of it where both are equal."""
    return extremum_jvp_left(t, out, y, x)


def _extremum_of_complex(ctx: Emitter, direction: str, x: Value, y: Value) -> Value:
    """Choose in lexicographic order: by the real parts, by the imaginary ones if those agree."""
    (aval, _) = ctx.avals_in
    part = type_of_aval(ctx.avals_out[0].update(dtype=component_dtype(aval.dtype)))
    real_x, real_y = (ctx.op("stablehlo.real", v, type=part) for v in (x, y))
    imag_x, imag_y = (ctx.op("stablehlo.imag", v, type=part) for v in (x, y))
    is_first = ctx.select(
        ctx.compare("EQ", real_x, real_y),
        ctx.compare(direction, imag_x, imag_y),
        ctx.compare(direction, real_x, real_y),
    )
    return ctx.select(is_first, x, y)


max_p, max = extremum(
    "max",
    np.maximum,
    np.greater,
    "GT",
    "Elementwise maximum. NaN wins; complex numbers are ordered by real, then imaginary part.",
)
min_p, min = extremum(
    "min",
    np.minimum,
    np.less,
    "LT",
    "Elementwise minimum. NaN wins; complex numbers are ordered by real, then imaginary part.",
)

# -- clamp --------------------------------------------------------------------------------------

clamp_p = Primitive("clamp")


# The names of the bounds are JAX's; inside the function they hide max and min above.
def clamp(min: ArrayLike, x: ArrayLike, max: ArrayLike) -> Any:
    """Elementwise ``x`` moved into the interval from ``min`` to ``max``.

    Parameters
    ----------
    min, max : array or scalar
        Of the dtype of ``x``, and of its shape or scalars. Where ``min > max`` the result is
        ``max``.
    x : array or scalar

    Examples
    --------
    >>> clamp(np.float32(0), np.array([-1., 0.5, 3.], np.float32), np.float32(1))
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    check_operands("clamp", min, x, max)
    return clamp_p.bind(min, x, max)


@clamp_p.abstract
def clamp_abstract(low: ShapedArray, x: ShapedArray, high: ShapedArray) -> ShapedArray:
    check_kinds("clamp", [low, x, high], EVERYTHING)
    check_same_dtypes("clamp", [low, x, high])
    for name, bound in (("min", low), ("max", high)):
        if bound.shape and bound.shape != x.shape:
            raise TypeError(
                f"clamp requires {name}.shape == operand.shape or {name}.shape == (), got "
                f"{name}.shape={bound.shape}, operand.shape={x.shape}."
            )
    return x.update(weak_type=low.weak_type and x.weak_type and high.weak_type)


@clamp_p.reference
def clamp_reference(low: np.ndarray, x: np.ndarray, high: np.ndarray) -> np.ndarray:
    if x.dtype.kind == "c":
        raised = np.where(x > low, x, low)
        return np.where(raised < high, raised, high)
    return np.minimum(np.maximum(x, low), high)


def clamp_jvp_low(t: Any, low: Any, x: Any, high: Any) -> Any:
    return _where(bitwise_and(gt(low, x), lt(low, high)), t)


def clamp_jvp(t: Any, low: Any, x: Any, high: Any) -> Any:
    return _where(bitwise_and(gt(x, low), lt(x, high)), t)


def clamp_jvp_high(t: Any, low: Any, x: Any, high: Any) -> Any:
    return _where(lt(high, x), t)


def _where(predicate: Any, t: Any) -> Any:
    shape = typeof(predicate).shape
    return select(predicate, broadcast_to(t, shape), full_of(typeof(t).update(shape=shape), 0))


clamp_p.jvp_each(clamp_jvp_low, clamp_jvp, clamp_jvp_high)
clamp_p.no_transpose("clipping is not linear")
batch_at_full_shape(clamp_p, scalars=(0, 2))


@clamp_p.lower
def clamp_lower(ctx: Emitter, low: Value, x: Value, high: Value) -> Value:
    if not x.type.element.startswith("complex"):
        return ctx.op("stablehlo.clamp", low, x, high)
    low, x, high = on_common_shape(ctx, low, x, high)
    raised = _extremum_of_complex(ctx, "GT", x, low)
    return _extremum_of_complex(ctx, "LT", raised, high)


clamp_p.sample(Arg((2, 3), -1, 0), Arg((2, 3)), Arg((2, 3), 0, 1), _dtypes=REALS)
clamp_p.sample(Arg((), -1, 0), Arg((2, 3)), Arg((), 0, 1), _dtypes=REALS)

# -- rem ----------------------------------------------------------------------------------------

rem_p = Primitive("rem")
rem = public_binary(
    rem_p,
    "Elementwise remainder ``x - y * trunc(x / y)``, which has the sign of ``x``. Of a division "
    "of integers by zero it is ``x``.",
    REAL,
)
elementwise_abstract(rem_p, REAL)


@rem_p.reference
def rem_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    remainder = np.fmod(x, y)
    return np.where(y == 0, x, remainder) if x.dtype.kind in "iu" else remainder


def rem_jvp_left(t: Any, x: Any, y: Any) -> Any:
    return broadcast_tangent(t, x, y)


def rem_jvp_right(t: Any, x: Any, y: Any) -> Any:
    quotient = div(x, y)
    return mul(neg(t), mul(sign(quotient), floor(abs(quotient))))


rem_p.jvp_each(rem_jvp_left, rem_jvp_right)
rem_p.no_transpose("a remainder jumps")
compute_in_bytes(rem_p)
elementwise_batch(rem_p)
lower_as(rem_p, "stablehlo.remainder")
rem_p.sample(Arg((2, 3), -5, 5), Arg((2, 3), 0.6, 2), _dtypes=FLOATS)
rem_p.sample(Arg((2, 3), -9, 9), Arg((2, 3), -4, 4), _dtypes=("int32",))
rem_p.sample(Arg((2, 3), -5, 5), Arg((), 0.6, 2), _dtypes=("float32",))
