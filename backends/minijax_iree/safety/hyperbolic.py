"""Hyperbolic functions of f64, and the derivative of the logarithm of the gamma function.

These are operations of CHLO, which IREE expands into operations that have faults of their own;
no rule would see those.
"""

from __future__ import annotations

import math

from minijax.stablehlo.ir import Operation, Value

from .elementary import exponential_minus_one, logarithm_of_one_plus
from .inspect_ir import is_float
from .number import Number
from .rewriter import Rewriter
from .trigonometry import in_wider, tangent_of

LARGE = 2.0**27  # beyond it sqrt(1 + x**2) is x


def _rewrite_f64(rewriter: Rewriter, op: Operation, function) -> list[Value] | None:
    """Replace an operation of one f64 operand by an odd function, given for positive numbers."""
    if op.results[0].type.element != "f64":
        return None
    x = Number(rewriter, op.operands[0])
    value = function(abs(x)).with_sign_of(x)
    return [x.equals(0).where(x, value).value]


def sinh_by_expm1(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute sinh x of f64 as (e + e / (e + 1)) / 2 with e = exp(x) - 1.

    Fault (IREE 3.13, llvm-cpu): zero for |x| below 1e-16, and no digit right soon above; the same
    holds for asinh and atanh. All three come from expm1 and log1p of f64, which IREE computes as
    exp(x) - 1 and log(1 + x).
    """
    return _rewrite_f64(rewriter, op, _sinh_of)


def _sinh_of(x: Number) -> Number:
    minus = exponential_minus_one(x)
    value = (minus + minus / (minus + 1.0)) * 0.5
    # Near the largest number exp(x) overflows, half of it does not.
    return (x > 700.0).where((x - math.log(2)).exp(), value)


def asinh_by_log1p(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute asinh x of f64 as log1p(x + x**2 / (1 + sqrt(1 + x**2))); see `sinh_by_expm1`."""
    return _rewrite_f64(rewriter, op, _asinh_of)


def _asinh_of(x: Number) -> Number:
    square = x * x
    value = logarithm_of_one_plus(x + square / ((square + 1.0).unary("sqrt") + 1.0))
    return (x > LARGE).where(x.log() + math.log(2), value)


def atanh_by_log1p(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute atanh x of f64 as log1p(2 x / (1 - x)) / 2; see `sinh_by_expm1`."""
    return _rewrite_f64(rewriter, op, lambda x: logarithm_of_one_plus(x * 2.0 / (1.0 - x)) * 0.5)


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
