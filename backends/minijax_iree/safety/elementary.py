"""Powers, roots, remainders and the functions that IREE's f64 lacks a library for."""

from __future__ import annotations

import math

import numpy as np

from minijax.stablehlo.emit import NUMPY_OF_ELEMENT
from minijax.stablehlo.ir import Operation, TensorType, Value
from minijax.stablehlo.number import Number

from .inspect_ir import is_float
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
    # A subnormal number has no logarithm here: it counts as zero.
    is_zero = magnitude < float(np.finfo(NUMPY_OF_ELEMENT[x.value.type.element]).tiny)
    root = is_zero.where(0.0, magnitude.equals(math.inf).where(magnitude, root))
    return x.is_nan().where(x, root.with_sign_of(x))


def log1p_small_arguments(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute log(1 + x) of f64 by Kahan's formula.

    Fault (IREE 3.13, llvm-cpu): zero for |x| below 1e-16, where the result is x.
    """
    if op.results[0].type.element != "f64":
        return None
    return [logarithm_of_one_plus(Number(rewriter, op.operands[0])).value]


def logarithm_of_one_plus(x: Number) -> Number:
    """log(1 + x) without cancellation for small x; IREE gets that of f32 right."""
    if x.value.type.element != "f64":
        return x.unary("log_plus_one")
    sum_ = x + 1.0
    # The rounding error of the sum cancels: log(sum) / (sum - 1) varies slowly.
    value = sum_.log() * (x / (sum_ - 1.0))
    plain = sum_.equals(math.inf) | sum_.equals(0)
    return sum_.equals(1).where(x, plain.where(sum_.log(), value))


def expm1_small_arguments(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute exp(x) - 1 of f64 by Kahan's formula.

    Fault (IREE 3.13, llvm-cpu): zero for |x| below 1e-16, where the result is x.
    """
    if op.results[0].type.element != "f64":
        return None
    return [exponential_minus_one(Number(rewriter, op.operands[0])).value]


def exponential_minus_one(x: Number) -> Number:
    """exp(x) - 1 without cancellation for small x; IREE gets that of f32 right."""
    if x.value.type.element != "f64":
        return x.unary("exponential_minus_one")
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
    Subnormal divisors count as zero.
    """
    if op.results[0].type.element != "f64":
        return None
    x, y = (Number(rewriter, operand) for operand in op.operands)
    dividend, divisor = abs(x), abs(y)
    rest = divide_step(divide_long(rewriter, dividend, divisor), divisor)
    rest = (dividend < divisor).where(dividend, rest)
    is_zero = divisor < float(np.finfo(np.float64).tiny)
    undefined = dividend.equals(math.inf) | is_zero | x.is_nan() | y.is_nan()
    return [undefined.where(math.nan, rest.with_sign_of(x)).value]


def divide_long(rewriter: Rewriter, dividend: Number, divisor: Number) -> Number:
    """Subtract multiples of the divisor until less than 2**27 of it are left.

    Each step takes the largest digits of the quotient; few arguments need a step at all.
    """
    values = [dividend.value, divisor.value]
    types = [value.type for value in values]
    with rewriter.region(types) as condition:
        rest, step = (Number(rewriter, value) for value in condition.arguments)
        is_long = (excess_of_exponent(rest, step) > 0) & (rest < math.inf) & (step > 0.0)
        rewriter.return_(any_of(rewriter, is_long.value))
    with rewriter.region(types) as body:
        rest, step = (Number(rewriter, value) for value in body.arguments)
        excess = excess_of_exponent(rest, step)
        excess = (excess > 0).where(excess, 0)
        shifted = (step.bits("i64") + (excess << 52)).bits("f64")  # times 2**excess
        proceeds = (excess > 0) & (rest < math.inf)
        rewriter.return_(proceeds.where(divide_step(rest, shifted), rest).value, step.value)
    results = rewriter.ops("stablehlo.while", values, types, [condition, body])
    return Number(rewriter, results[0])


def excess_of_exponent(x: Number, y: Number) -> Number:
    """By how much the binary exponent of x exceeds that of y and 25 more; both not negative."""
    return (x.bits("i64") >> 52) - (y.bits("i64") >> 52) - 25


def any_of(rewriter: Rewriter, mask: Value) -> Value:
    """Whether any truth value is true."""
    scalar = TensorType((), "i1")
    if mask.type == scalar:
        return mask
    with rewriter.region([scalar, scalar]) as either:
        rewriter.return_(rewriter.like("stablehlo.or", *either.arguments))
    return rewriter.op(
        "stablehlo.reduce",
        mask,
        rewriter.zeros(scalar),
        type=scalar,
        regions=[either],
        dimensions=tuple(range(mask.type.ndim)),
    )


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
