"""Which functions of one number are there, and what are their derivatives?

``sin`` is shown in full: the type, the value, the derivative, vectorisation, StableHLO. All other
functions of one argument follow the same pattern, so that a row of a table says all there is to
say: dtypes, NumPy function, StableHLO operation, derivative. A derivative that is cheaper to
write with the value of the function itself is given as ``jvp_from_output``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minijax.core.aval import ShapedArray
from minijax.core.primitive import COMPLEX, FLOATS, Arg, AxisInfo, Primitive
from minijax.primitives.arithmetic import (
    add,
    div,
    integer_pow,
    mul,
    neg,
    reciprocal,
    square,
    sub,
)
from minijax.primitives.elementwise_rules import (
    AccuracyMode,
    Tolerance,
    check_accuracy,
    scalar_like,
    unary,
)
from minijax.primitives.operands import INEXACT, ArrayLike, check_kinds, check_operands
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value

FLOATING = (np.floating,)

# -- sin, in full -------------------------------------------------------------------------------

sin_p = Primitive("sin")
sin_p.hide_params(accuracy=None)


def sin(x: ArrayLike, accuracy: Tolerance | AccuracyMode | None = None) -> Any:
    """Elementwise sine of an angle in radians.

    Parameters
    ----------
    x : array or scalar (floating, complexfloating)
    accuracy : AccuracyMode or Tolerance, optional
        How exactly to compute, where a backend has a choice.

    Raises
    ------
    TypeError
        If ``x`` is neither floating nor complex.

    Examples
    --------
    >>> sin(np.float32(0.5))
    Array(0.47942555, dtype=float32)
    """
    check_operands("sin", x)
    check_accuracy(accuracy)
    return sin_p.bind(x, accuracy=accuracy)


@sin_p.abstract  # which type comes out?
def sin_abstract(x: ShapedArray, *, accuracy: Any) -> ShapedArray:
    check_kinds("sin", [x], INEXACT)
    return x


@sin_p.reference  # which value? NumPy is the specification
def sin_reference(x: np.ndarray, *, accuracy: Any) -> np.ndarray:
    return np.sin(x)


@sin_p.jvp_each  # d(sin x) = cos x dx
def sin_jvp(t: Any, x: Any, *, accuracy: Any) -> Any:
    return mul(t, cos(x))


sin_p.no_transpose("sin is not linear")


@sin_p.batch  # one axis more changes nothing
def sin_batch(axis: AxisInfo, args: Any, dims: Any, *, accuracy: Any) -> tuple[Any, int]:
    return sin_p.bind(*args, accuracy=accuracy), dims[0]


@sin_p.lower  # StableHLO; ctx adds the types and the user's source line
def sin_lower(ctx: Emitter, x: Value, *, accuracy: Any) -> Value:
    return ctx.op("stablehlo.sine", x)


sin_p.sample(Arg((2, 3)), _dtypes=(*FLOATS, *COMPLEX), accuracy=None)

# -- references that NumPy has no function for --------------------------------------------------


def in_float32(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Compute a function of several steps on narrow floats in float32, to round only once."""

    def rule(x: np.ndarray) -> np.ndarray:
        if x.dtype.itemsize >= 4:
            return function(x)
        return function(x.astype(np.float32)).astype(x.dtype)

    return rule


def _rsqrt_value(x: np.ndarray) -> np.ndarray:
    return np.divide(x.dtype.type(1), np.sqrt(x))


def _logistic_value(x: np.ndarray) -> np.ndarray:
    one = x.dtype.type(1)
    return one / (one + np.exp(-x))  # exp may overflow to infinity: its reciprocal is 0


def _log1p_value(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind != "c":
        return np.log1p(x)
    # NumPy takes the logarithm of the rounded sum, and loses the sign of the imaginary part.
    a, b = np.real(x), np.imag(x)
    shifted = np.array(x)
    shifted.real += 1  # type: ignore[attr-defined]
    out = np.array(np.log(shifted))
    small = (np.abs(a) < 0.5) & (np.abs(b) < 0.5)
    out.real = np.where(small, np.log1p(a * (a + 2) + b * b) / 2, np.real(out))
    return out


# -- the exponential and its relatives ----------------------------------------------------------

exp_p, exp = unary(
    "exp", INEXACT, np.exp, "stablehlo.exponential", "Elementwise exponential: ``e ** x``.",
    accuracy=True, jvp_from_output=lambda t, out, x: mul(t, out),
)  # fmt: skip
log_p, log = unary(
    "log", INEXACT, np.log, "stablehlo.log", "Elementwise natural logarithm.",
    accuracy=True, domain=(0.2, 3), jvp=lambda t, x: div(t, x),
)  # fmt: skip
expm1_p, expm1 = unary(
    "expm1", INEXACT, np.expm1, "stablehlo.exponential_minus_one",
    "Elementwise ``e ** x - 1``, exact for small ``x``.",
    accuracy=True, jvp_from_output=lambda t, out, x: mul(t, add(out, scalar_like(out, 1))),
)  # fmt: skip
log1p_p, log1p = unary(
    "log1p", INEXACT, _log1p_value, "stablehlo.log_plus_one",
    "Elementwise ``log(1 + x)``, exact for small ``x``.",
    accuracy=True, domain=(-0.8, 2), jvp=lambda t, x: div(t, add(x, scalar_like(x, 1))),
)  # fmt: skip
logistic_p, logistic = unary(
    "logistic", INEXACT, in_float32(_logistic_value), "stablehlo.logistic",
    "Elementwise logistic function: ``1 / (1 + e ** -x)``.",
    accuracy=True,
    jvp_from_output=lambda t, out, x: mul(t, mul(out, sub(scalar_like(out, 1), out))),
)  # fmt: skip


def _exp2_jvp(t: Any, out: Any, x: Any) -> Any:
    return mul(log(scalar_like(x, 2)), mul(t, out))


def exp2_lower(ctx: Emitter, x: Value, *, accuracy: Any) -> Value:
    """Emit ``exp(x * log 2)``; StableHLO has no operation for it."""
    (aval,) = ctx.avals_in
    if aval.dtype.itemsize < 4:  # a product rounded to so few bits would spoil the result
        x = ctx.convert(x, np.dtype("float32"))
    exponent = ctx.like("stablehlo.multiply", x, ctx.constant_like(np.log(2), x))
    return ctx.convert(ctx.like("stablehlo.exponential", exponent), aval.dtype)


exp2_p, exp2 = unary(
    "exp2", INEXACT, np.exp2, exp2_lower, "Elementwise ``2 ** x``.",
    accuracy=True, jvp_from_output=_exp2_jvp,
)  # fmt: skip

# -- roots --------------------------------------------------------------------------------------

sqrt_p, sqrt = unary(
    "sqrt", INEXACT, np.sqrt, "stablehlo.sqrt", "Elementwise square root.",
    accuracy=True, domain=(0.2, 3),
    jvp_from_output=lambda t, out, x: mul(t, div(scalar_like(out, 0.5), out)),
)  # fmt: skip
rsqrt_p, rsqrt = unary(
    "rsqrt", INEXACT, in_float32(_rsqrt_value), "stablehlo.rsqrt",
    "Elementwise reciprocal of the square root.",
    accuracy=True, domain=(0.2, 3),
    jvp_from_output=lambda t, out, x: mul(t, mul(scalar_like(out, -0.5), div(out, x))),
)  # fmt: skip
cbrt_p, cbrt = unary(
    "cbrt", FLOATING, np.cbrt, "stablehlo.cbrt", "Elementwise cube root, real for negative ``x``.",
    accuracy=True, domain=(0.2, 3),
    jvp_from_output=lambda t, out, x: mul(t, mul(scalar_like(out, 1 / 3), integer_pow(out, -2))),
)  # fmt: skip

# -- angles -------------------------------------------------------------------------------------

cos_p, cos = unary(
    "cos", INEXACT, np.cos, "stablehlo.cosine", "Elementwise cosine of an angle in radians.",
    accuracy=True, jvp=lambda t, x: neg(mul(t, sin(x))),
)  # fmt: skip
tan_p, tan = unary(
    "tan", INEXACT, np.tan, "stablehlo.tan", "Elementwise tangent of an angle in radians.",
    accuracy=True, domain=(-1.2, 1.2),
    jvp_from_output=lambda t, out, x: mul(t, add(scalar_like(out, 1), square(out))),
)  # fmt: skip
asin_p, asin = unary(
    "asin", INEXACT, np.arcsin, "chlo.asin", "Elementwise arc sine, in radians.",
    domain=(-0.8, 0.8), jvp=lambda t, x: mul(t, rsqrt(_one_minus_square(x))),
)  # fmt: skip
acos_p, acos = unary(
    "acos", INEXACT, np.arccos, "chlo.acos", "Elementwise arc cosine, in radians.",
    domain=(-0.8, 0.8), jvp=lambda t, x: mul(t, neg(rsqrt(_one_minus_square(x)))),
)  # fmt: skip
atan_p, atan = unary(
    "atan", INEXACT, np.arctan, "chlo.atan", "Elementwise arc tangent, in radians.",
    domain=(-0.8, 0.8), jvp=lambda t, x: div(t, add(scalar_like(x, 1), square(x))),
)  # fmt: skip


def _one_minus_square(x: Any) -> Any:
    return sub(scalar_like(x, 1), square(x))


# -- hyperbolic functions -----------------------------------------------------------------------


def _tanh_jvp(t: Any, out: Any, x: Any) -> Any:
    # (1 + out)(1 - out), which is exact where 1 - out ** 2 is nearly zero
    return mul(add(t, mul(t, out)), sub(scalar_like(out, 1), out))


def _atanh_jvp(t: Any, x: Any) -> Any:
    one = scalar_like(x, 1)
    return mul(reciprocal(add(one, x)), div(t, sub(one, x)))


tanh_p, tanh = unary(
    "tanh", INEXACT, np.tanh, "stablehlo.tanh", "Elementwise hyperbolic tangent.",
    accuracy=True, jvp_from_output=_tanh_jvp,
)  # fmt: skip
sinh_p, sinh = unary(
    "sinh", INEXACT, np.sinh, "chlo.sinh", "Elementwise hyperbolic sine.",
    jvp=lambda t, x: mul(t, cosh(x)),
)  # fmt: skip
cosh_p, cosh = unary(
    "cosh", INEXACT, np.cosh, "chlo.cosh", "Elementwise hyperbolic cosine.",
    jvp=lambda t, x: mul(t, sinh(x)),
)  # fmt: skip
asinh_p, asinh = unary(
    "asinh", INEXACT, np.arcsinh, "chlo.asinh", "Elementwise inverse of ``sinh``.",
    domain=(-0.8, 0.8), jvp=lambda t, x: mul(t, rsqrt(add(square(x), scalar_like(x, 1)))),
)  # fmt: skip
acosh_p, acosh = unary(
    "acosh", INEXACT, np.arccosh, "chlo.acosh", "Elementwise inverse of ``cosh``.",
    domain=(1.2, 3), jvp=lambda t, x: mul(t, rsqrt(sub(square(x), scalar_like(x, 1)))),
)  # fmt: skip
atanh_p, atanh = unary(
    "atanh", INEXACT, np.arctanh, "chlo.atanh", "Elementwise inverse of ``tanh``.",
    domain=(-0.8, 0.8), jvp=_atanh_jvp,
)  # fmt: skip
