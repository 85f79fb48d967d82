"""Functions of complex numbers, by way of those of their real and imaginary parts.

IREE expands them too, but into operations of real numbers that have the faults of
:mod:`.trigonometry`, :mod:`.elementary` and :mod:`.hyperbolic`, and with formulas that cancel. The
formulas here are those of W. Kahan, "Branch Cuts for Complex Elementary Functions" (1987): each
part is exact, and a zero part keeps its sign, which tells the side of a branch cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from minijax.stablehlo.ir import Operation, TensorType, Value
from minijax.stablehlo.number import Number

from .elementary import exponential_minus_one, logarithm_of_one_plus
from .hyperbolic import arc_hyperbolic_sine, hyperbolic_cosine, hyperbolic_sine
from .rewriter import Rewriter, Rule
from .trigonometry import angle_of, cosine_of, sine_of, tangent_of

PARTS = {"complex<f32>": "f32", "complex<f64>": "f64"}
Pair = tuple[Number, Number]
"""Real and imaginary part."""


def _part(rewriter: Rewriter, name: str, z: Value) -> Number:
    kind = TensorType(z.type.shape, PARTS[z.type.element])
    return Number(rewriter, rewriter.op(f"stablehlo.{name}", z, type=kind))


def _parts(rewriter: Rewriter, z: Value) -> Pair:
    return _part(rewriter, "real", z), _part(rewriter, "imag", z)


def by_parts(function: Callable[..., Pair]) -> Callable[..., list[Value] | None]:
    """Make a rule of a function from the parts of the operands to those of the result."""

    def rule(rewriter: Rewriter, op: Operation) -> list[Value] | None:
        kind = op.results[0].type
        if kind.element not in PARTS:
            return None
        numbers = [part for z in op.operands for part in _parts(rewriter, z)]
        x, y = function(*numbers)
        return [rewriter.op("stablehlo.complex", x.value, y.value, type=kind)]

    rule.__name__ = f"complex_{function.__name__}"
    rule.__doc__ = function.__doc__
    return rule


# -- absolute value and quotient -------------------------------------------------------------------


def modulus(x: Number, y: Number) -> Number:
    """The absolute value, without over- and underflow of the squares."""
    width, height = abs(x), abs(y)
    larger, smaller = width.binary("maximum", height), width.binary("minimum", height)
    ratio = larger.equals(0).where(larger, smaller / larger)
    value = larger * (ratio * ratio + 1.0).unary("sqrt")
    infinite = width.equals(math.inf) | height.equals(math.inf)
    return infinite.where(math.inf, value)


def complex_abs(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute the absolute value of a complex number with scaled squares.

    Fault (IREE 3.13, all targets): the squares underflow: zero for 1e-20 in complex64.
    """
    if op.operands[0].type.element not in PARTS:
        return None
    return [modulus(*_parts(rewriter, op.operands[0])).value]


def complex_divide(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Divide by zero part by part.

    Fault (IREE 3.13, all targets): the quotient of a complex number with two parts by zero is NaN.
    """
    kind = op.results[0].type
    if kind.element not in PARTS:
        return None
    (x, y), (u, v) = (_parts(rewriter, z) for z in op.operands)
    quotient = _parts(rewriter, rewriter.clone(op, op.operands, [kind])[0])
    at_zero = u.equals(0) & v.equals(0)
    zero = (u * 0.0).with_sign_of(u)
    real, imaginary = (
        at_zero.where(part / zero, whole) for part, whole in zip((x, y), quotient, strict=True)
    )
    return [rewriter.op("stablehlo.complex", real.value, imaginary.value, type=kind)]


# -- exponentials ----------------------------------------------------------------------------------


def exponential(x: Number, y: Number) -> Pair:
    """Compute ``exp(x) (cos y + i sin y)``.

    Fault (IREE 3.13, all targets): sine and cosine without range reduction.
    """
    size = x.exp()
    return size * cosine_of(y), y.equals(0).where(y, size * sine_of(y))


def expm1(x: Number, y: Number) -> Pair:
    """Compute ``exp(z) - 1`` as ``expm1(x) cos y - 2 sin(y / 2)**2`` and ``exp(x) sin y``.

    Fault (IREE 3.13, all targets): an imaginary part of 1e-10 becomes one of 6e-8.
    """
    half = sine_of(y * 0.5)
    real = exponential_minus_one(x) * cosine_of(y) - half * half * 2.0
    return real, y.equals(0).where(y, x.exp() * sine_of(y))


# -- logarithms ------------------------------------------------------------------------------------


def logarithm(x: Number, y: Number) -> Pair:
    """Compute ``log |z|`` and the angle.

    Faults (IREE 3.13, all targets): the logarithm of zero is NaN, below the branch cut the sign is
    wrong, and near ``|z| = 1`` the real part of complex128 cancels.
    """
    width, height = abs(x), abs(y)
    larger, smaller = width.binary("maximum", height), width.binary("minimum", height)
    ratio = (larger.equals(0) | larger.equals(math.inf)).where(0.0, smaller / larger)
    far = larger.log() + logarithm_of_one_plus(ratio * ratio) * 0.5
    near = logarithm_of_one_plus((larger - 1.0) * (larger + 1.0) + smaller * smaller) * 0.5
    is_near = (larger > 0.5) & (larger < 2.0)
    return is_near.where(near, far), angle_of(y, x)


def log1p(x: Number, y: Number) -> Pair:
    """Compute ``log(1 + z)``; see `logarithm`."""
    real, angle = logarithm(x + 1.0, y)
    small = (abs(x) < 0.5) & (abs(y) < 0.5)
    near = logarithm_of_one_plus(x * (x + 2.0) + y * y) * 0.5
    return small.where(near, real), angle


# -- circular and hyperbolic functions -------------------------------------------------------------


def sinh(x: Number, y: Number) -> Pair:
    """Compute ``sinh x cos y + i cosh x sin y``; see `exponential`."""
    return hyperbolic_sine(x) * cosine_of(y), hyperbolic_cosine(x) * sine_of(y)


def cosh(x: Number, y: Number) -> Pair:
    """Compute ``cosh x cos y + i sinh x sin y``; see `exponential`."""
    return hyperbolic_cosine(x) * cosine_of(y), hyperbolic_sine(x) * sine_of(y)


def tanh(x: Number, y: Number) -> Pair:
    """Compute the hyperbolic tangent by Kahan's formula; see `expm1`."""
    size = abs(x)
    is_large = size > LARGE_ARGUMENT[x.value.type.element]
    tangent, sine = tangent_of(y), hyperbolic_sine(is_large.where(1.0, size))
    beta = tangent * tangent + 1.0
    rho = (sine * sine + 1.0).unary("sqrt")
    bottom = beta * sine * sine + 1.0
    real = is_large.where(1.0, beta * rho * sine / bottom)
    imaginary = is_large.where(sine_of(y * 2.0) * 2.0 * (size * -2.0).exp(), tangent / bottom)
    return real.with_sign_of(x), imaginary


LARGE_ARGUMENT = {"f32": 10.0, "f64": 20.0}  # from there on the real part of tanh is 1


def turned(hyperbolic: Callable[[Number, Number], Pair], name: str) -> Callable[..., Pair]:
    """Make the circular function ``-i f(i z)`` of a hyperbolic function f."""

    def circular(x: Number, y: Number) -> Pair:
        u, v = hyperbolic(-y, x)
        return v, -u

    circular.__name__ = name
    circular.__doc__ = f"Compute ``-i {hyperbolic.__name__}(i z)``; see `{hyperbolic.__name__}`."
    return circular


def cosine(x: Number, y: Number) -> Pair:
    """Compute ``cosh(i z)``; see `exponential`."""
    return cosh(-y, x)


def logistic(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute ``1 / (1 + exp(-z))``; see `exponential`."""
    (z,) = op.operands
    if z.type.element not in PARTS:
        return None
    x, y = _parts(rewriter, z)
    power_x, power_y = exponential(-x, -y)
    below = rewriter.op("stablehlo.complex", (power_x + 1.0).value, power_y.value, type=z.type)
    return [rewriter.like("stablehlo.divide", rewriter.constant_like(1, below), below)]


def power(x: Number, y: Number, u: Number, v: Number) -> Pair:
    """Compute ``exp(w log(z))``; zero to the power of zero is one, of a positive real part zero.

    Fault (IREE 3.13, all targets): wrong side of the branch cut for negative real bases.
    """
    real, angle = logarithm(x, y)
    result_x, result_y = exponential(u * real - v * angle, v * real + u * angle)
    base_is_zero = x.equals(0) & y.equals(0)
    exponent_is_zero = u.equals(0) & v.equals(0)
    result_x = base_is_zero.where((u > 0).where(0.0, u * math.nan), result_x)
    result_y = base_is_zero.where((u > 0).where(0.0, u * math.nan), result_y)
    return exponent_is_zero.where(1.0, result_x), exponent_is_zero.where(0.0, result_y)


# -- roots -----------------------------------------------------------------------------------------


def root(x: Number, y: Number) -> Pair:
    """The square root with a real part that is not negative."""
    size = modulus(x, y)
    larger = ((size + abs(x)) * 0.5).unary("sqrt")
    smaller = larger.equals(0).where(0.0, abs(y) / (larger * 2.0))
    right = x >= 0
    return right.where(larger, smaller), right.where(smaller, larger).with_sign_of(y)


def reciprocal_root(x: Number, y: Number) -> Pair:
    """Compute ``conj(sqrt(z)) / |z|``.

    Fault (IREE 3.13, all targets): wrong sign below the branch cut.
    """
    u, v = root(x, y)
    size = modulus(x, y)
    return u / size, -(v / size)


# -- inverse functions -----------------------------------------------------------------------------


def atanh(x: Number, y: Number) -> Pair:
    """Compute the inverse hyperbolic tangent by Kahan's formula.

    Faults (IREE 3.13, all targets): NaN at the poles, wrong sign on the branch cuts; complex128
    loses small arguments.
    """
    size = abs(x)
    square = y * y
    real = logarithm_of_one_plus(size * 4.0 / ((1.0 - size) * (1.0 - size) + square)) * 0.25
    angle = angle_of(y * 2.0, (1.0 - size) * (1.0 + size) - square) * 0.5
    return real.with_sign_of(x), angle


def asin(x: Number, y: Number) -> Pair:
    """Compute the inverse sine by Kahan's formula.

    Fault (IREE 3.13, llvm-cpu): complex128 loses small parts.
    """
    (a, b), (c, d) = root(1.0 - x, -y), root(x + 1.0, y)
    return angle_of(x, a * c - b * d), arc_hyperbolic_sine(a * d - b * c)


def acos(x: Number, y: Number) -> Pair:
    """Compute the inverse cosine by Kahan's formula; see `asin`."""
    (a, b), (c, d) = root(1.0 - x, -y), root(x + 1.0, y)
    return angle_of(a, c) * 2.0, arc_hyperbolic_sine(c * b - d * a)


def acosh(x: Number, y: Number) -> Pair:
    """Compute the inverse hyperbolic cosine by Kahan's formula; see `asin`."""
    (a, b), (c, d) = root(x - 1.0, y), root(x + 1.0, y)
    return arc_hyperbolic_sine(a * c + b * d), angle_of(b, c) * 2.0


COMPLEX_RULES: dict[str, Rule] = {
    "chlo.acos": by_parts(acos),
    "chlo.acosh": by_parts(acosh),
    "chlo.asin": by_parts(asin),
    "chlo.asinh": by_parts(turned(asin, "asinh")),
    "chlo.atan": by_parts(turned(atanh, "atan")),
    "chlo.atanh": by_parts(atanh),
    "chlo.cosh": by_parts(cosh),
    "chlo.sinh": by_parts(sinh),
    "chlo.tan": by_parts(turned(tanh, "tan")),
    "stablehlo.abs": complex_abs,
    "stablehlo.cosine": by_parts(cosine),
    "stablehlo.divide": complex_divide,
    "stablehlo.exponential": by_parts(exponential),
    "stablehlo.exponential_minus_one": by_parts(expm1),
    "stablehlo.log": by_parts(logarithm),
    "stablehlo.log_plus_one": by_parts(log1p),
    "stablehlo.logistic": logistic,
    "stablehlo.power": by_parts(power),
    "stablehlo.rsqrt": by_parts(reciprocal_root),
    "stablehlo.sine": by_parts(turned(sinh, "sin")),
    "stablehlo.sqrt": by_parts(root),
    "stablehlo.tan": by_parts(turned(tanh, "tan")),
    "stablehlo.tanh": by_parts(tanh),
}
"""Rules for operations on complex numbers; on real ones they do nothing."""
