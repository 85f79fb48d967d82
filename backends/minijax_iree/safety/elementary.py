"""Powers, roots, remainders and the functions that IREE's f64 lacks a library for."""

from __future__ import annotations

import math

from minijax.stablehlo.ir import Operation, Value

from .inspect_ir import is_float
from .number import Number
from .rewriter import Rewriter
from .trigonometry import in_wider, rewrite_unary

# Selects the sign, the exponent and the upper 26 digits of an f64.
UPPER_HALF = 2**64 - 2**27


def power_all_cases(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute x**y as |x|**y with the sign and the special cases of C's pow.

    Faults (IREE 3.13, all targets): NaN for every negative x, for x**0 with x zero, infinite or
    NaN, and for 1**y with y infinite or NaN; f32 is exact to 4e-6 only.
    """
    element = op.results[0].type.element
    if not is_float(element):
        return None
    x, y = (in_wider(Number(rewriter, operand)) for operand in op.operands)
    magnitude = abs(x)
    half = y * 0.5
    y_is_integer = y.floor().equals(y)
    y_is_odd = y_is_integer & ~half.floor().equals(half)

    value = magnitude_power(magnitude, y)
    value = (magnitude.equals(1) & ~y.is_nan()).where(1.0, value)
    value = (x.sign_bit() & y_is_odd).where(-value, value)
    no_real_root = (x < 0) & (x > -math.inf) & ~y_is_integer
    value = no_real_root.where(math.nan, value)
    value = (y.equals(0) | x.equals(1)).where(1.0, value)
    return [value.to(element).value]


def magnitude_power(x: Number, y: Number) -> Number:
    """x**y for x >= 0, up to the special cases."""
    if x.value.type.element == "f64":
        return x.binary("power", y)
    # The product y log x may be as large as 100: its error must be far below that of an f32.
    return (y.to("f64") * x.to("f64").log()).exp().to("f32")


def cbrt_refine(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute the cube root by exp(log(x) / 3) and a step of Newton's method.

    Faults (IREE 3.13): NaN for infinities, f32 exact to 3e-5 only (all targets); f64 does not
    compile.
    """
    return rewrite_unary(rewriter, op, cube_root_of)


def cube_root_of(x: Number) -> Number:
    """The real cube root."""
    magnitude = abs(x)
    root = (magnitude.log() * (1.0 / 3.0)).exp()
    root = root - (root - magnitude / (root * root)) * (1.0 / 3.0)
    exact = magnitude.equals(0) | magnitude.equals(math.inf)
    return exact.where(x, root.with_sign_of(x))


def log1p_small_arguments(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute log(1 + x) of f64 by Kahan's formula.

    Fault (IREE 3.13, llvm-cpu): zero for |x| below 1e-16, where the result is x.
    """
    if op.results[0].type.element != "f64":
        return None
    x = Number(rewriter, op.operands[0])
    sum_ = x + 1.0
    # The rounding error of the sum cancels: log(sum) / (sum - 1) varies slowly.
    value = sum_.log() * (x / (sum_ - 1.0))
    plain = sum_.equals(math.inf) | sum_.equals(0)
    return [sum_.equals(1).where(x, plain.where(sum_.log(), value)).value]


def expm1_small_arguments(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute exp(x) - 1 of f64 by Kahan's formula.

    Fault (IREE 3.13, llvm-cpu): zero for |x| below 1e-16, where the result is x.
    """
    if op.results[0].type.element != "f64":
        return None
    return [exponential_minus_one(Number(rewriter, op.operands[0])).value]


def exponential_minus_one(x: Number) -> Number:
    """exp(x) - 1 without cancellation for small x, f64."""
    power = x.exp()
    value = (power - 1.0) * (x / power.log())
    plain = power.equals(0) | power.equals(math.inf)
    return power.equals(1).where(x, plain.where(power - 1.0, value))


def tanh_by_expm1(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute tanh x of f64 as -e / (e + 2) with e = exp(-2 |x|) - 1.

    Fault (IREE 3.13, llvm-cpu): tanh of f64 does not link ("undefined symbol: tanh").
    """
    if op.results[0].type.element != "f64":
        return None
    x = Number(rewriter, op.operands[0])
    minus = exponential_minus_one(abs(x) * -2.0)
    return [x.equals(0).where(x, (-minus / (minus + 2.0)).with_sign_of(x)).value]


def remainder_by_division(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute the remainder of f64 by long division, 25 binary digits at a time.

    Fault (IREE 3.13, llvm-cpu): the remainder of f64 does not link ("undefined symbol: fmod").
    The result is exact for quotients below 2**50.
    """
    if op.results[0].type.element != "f64":
        return None
    x, y = (Number(rewriter, operand) for operand in op.operands)
    dividend, divisor = abs(x), abs(y)
    rest = divide_step(dividend, divisor * 2.0**25)
    rest = divide_step(rest, divisor)
    rest = (dividend < divisor).where(dividend, rest)
    undefined = dividend.equals(math.inf) | divisor.equals(0) | x.is_nan() | y.is_nan()
    return [undefined.where(math.nan, rest.with_sign_of(x)).value]


def divide_step(rest: Number, step: Number) -> Number:
    """Return ``rest - n * step`` with the integer n that brings it to [0, step)."""
    count = (rest / step).floor()
    # The product with the step's upper half and that with its lower half are exact.
    upper = (step.bits("ui64") & UPPER_HALF).bits("f64")
    reduced = (rest - count * upper) - count * (step - upper)
    # The quotient was rounded: n may be one too large or too small.
    reduced = (reduced < 0).where(reduced + step, reduced)
    reduced = (reduced >= step).where(reduced - step, reduced)
    return step.equals(math.inf).where(rest, reduced)
