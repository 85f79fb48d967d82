"""Hyperbolic functions of f64, and the derivative of the logarithm of the gamma function.

These are operations of CHLO, which IREE expands into operations that have faults of their own;
no rule would see those.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from minijax.stablehlo.ir import Operation, Value
from minijax.stablehlo.number import Number

from .elementary import exponential_minus_one, logarithm_of_one_plus
from .inspect_ir import is_float
from .rewriter import Rewriter
from .trigonometry import in_wider, tangent_of

LARGE = 2.0**27  # beyond it sqrt(1 + x**2) is x
LARGE_EXPONENT = {"f32": 80.0, "f64": 700.0}  # beyond it exp(x) may overflow


def hyperbolic_sine(x: Number) -> Number:
    """sinh x as (e + e / (e + 1)) / 2 with e = exp(|x|) - 1."""
    size = abs(x)
    minus = exponential_minus_one(size)
    value = (minus + minus / (minus + 1.0)) * 0.5
    # Near the largest number exp(x) overflows, half of it does not.
    overflows = size > LARGE_EXPONENT[x.value.type.element]
    return overflows.where((size - math.log(2)).exp(), value).with_sign_of(x)


def hyperbolic_cosine(x: Number) -> Number:
    """cosh x, from half of an exponential."""
    half = (abs(x) - math.log(2)).exp()
    return half + 0.25 / half


def arc_hyperbolic_sine(x: Number) -> Number:
    """asinh x as log1p(|x| + x**2 / (1 + sqrt(1 + x**2)))."""
    size = abs(x)
    square = size * size
    value = logarithm_of_one_plus(size + square / ((square + 1.0).unary("sqrt") + 1.0))
    return (size > LARGE).where(size.log() + math.log(2), value).with_sign_of(x)


def arc_hyperbolic_tangent(x: Number) -> Number:
    """atanh x as log1p(2 |x| / (1 - |x|)) / 2."""
    size = abs(x)
    return (logarithm_of_one_plus(size * 2.0 / (1.0 - size)) * 0.5).with_sign_of(x)


def _rewrite_f64(
    rewriter: Rewriter, op: Operation, function: Callable[[Number], Number]
) -> list[Value] | None:
    if op.results[0].type.element != "f64":
        return None
    return [function(Number(rewriter, op.operands[0])).value]


def sinh_by_expm1(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute sinh of f64 by `hyperbolic_sine`.

    Fault (IREE 3.13, llvm-cpu): zero for |x| below 1e-16, and no digit right soon above; the same
    holds for asinh and atanh. All three come from expm1 and log1p of f64, which IREE computes as
    exp(x) - 1 and log(1 + x).
    """
    return _rewrite_f64(rewriter, op, hyperbolic_sine)


def asinh_by_log1p(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute asinh of f64 by `arc_hyperbolic_sine`; see `sinh_by_expm1`."""
    return _rewrite_f64(rewriter, op, arc_hyperbolic_sine)


def atanh_by_log1p(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute atanh of f64 by `arc_hyperbolic_tangent`; see `sinh_by_expm1`."""
    return _rewrite_f64(rewriter, op, arc_hyperbolic_tangent)


def digamma_by_reflection(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute digamma of x < 1/2 as digamma(1 - x) - pi / tan(pi x), the tangent exactly.

    Fault (IREE 3.13, all targets): the tangent in IREE's expansion has few right digits where x is
    near a whole number: 9.0e6 for 8.4e6 at -1.2e-7; at zero the result is -inf instead of NaN.
    """
    element = op.results[0].type.element
    if not is_float(element):
        return None
    x = in_wider(Number(rewriter, op.operands[0]))
    reflected = x < 0.5
    positive = reflected.where(1.0 - x, x)
    value = Number(rewriter, rewriter.like("chlo.digamma", positive.value))
    fraction = x - x.round()
    slope = math.pi / tangent_of(fraction * math.pi)
    is_pole = (x <= 0) & x.floor().equals(x)
    value = reflected.where(value - slope, value)
    return [is_pole.where(math.nan, value).to(element).value]
