"""Sine, cosine, tangent and the angle of a vector.

All three functions start with *range reduction*: x = k * pi/2 + r with an integer k and |r| at most
pi/4. Then sin x and cos x are, by the remainder of k divided by four, plus or minus sin r or cos r,
and for such small r a short polynomial is exact to the last bit.

r is the difference of two numbers that may be large and nearly equal, so that k * pi/2 must be
known to more bits than x has: pi/2 is cut into pieces so short that k times a piece is exact.
f32 is reduced in f64; where even that is too narrow, x is first replaced by a smaller number that
is the same angle.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from minijax.stablehlo.ir import Operation, Value
from minijax.stablehlo.number import Number, polynomial

from .inspect_ir import is_float
from .rewriter import Rewriter

# pi/2 as a sum. The first three have 19 significant bits: exact times any integer below 2**34.
HALF_PI_PIECES = (
    float.fromhex("0x1.921f8p+0"),
    float.fromhex("0x1.aa220p-19"),
    float.fromhex("0x1.68c20p-39"),
    float.fromhex("0x1.a62633145c06ep-58"),
)

# Row a - 1 holds 2**(8 a) modulo 2 pi, divided by 2**(8 a), as a sum of a number of 20 bits and a
# rest. Times an f32 between 2**(24 + 8 a) and 2**(32 + 8 a), which is a multiple of 2**(8 a), this
# is the same angle and below 2**34.
POWERS_MODULO_CIRCLE = (
    (float.fromhex("-0x1.9c500p-8"), float.fromhex("-0x1.fbace38d39c1ep-28")),
    (float.fromhex("0x1.30498p-15"), float.fromhex("0x1.9cb579e785bd5p-35")),
    (float.fromhex("-0x1.c9b64p-25"), float.fromhex("-0x1.318226fe12643p-46")),
    (float.fromhex("-0x1.54a76p-31"), float.fromhex("-0x1.f460c3b9c66f2p-53")),
    (float.fromhex("-0x1.5ca6cp-39"), float.fromhex("-0x1.feaae1f60b065p-59")),
    (float.fromhex("0x1.09f46p-51"), float.fromhex("0x1.07a4a0463fdc2p-72")),
    (float.fromhex("0x1.d412cp-56"), float.fromhex("0x1.e4f67e7e79d63p-76")),
    (float.fromhex("0x1.8f1a4p-63"), float.fromhex("0x1.c3d52d341ade8p-83")),
    (float.fromhex("0x1.ee662p-75"), float.fromhex("0x1.9887604d31687p-95")),
    (float.fromhex("-0x1.082d2p-80"), float.fromhex("-0x1.9bb0224dac9f5p-104")),
    (float.fromhex("-0x1.214a8p-90"), float.fromhex("-0x1.b91233b1d7416p-110")),
    (float.fromhex("0x1.89a58p-95"), float.fromhex("0x1.883b88176c45dp-116")),
)
DIRECTLY_REDUCED = 2.0**31

# Polynomials in r**2 for |r| <= pi/4 (Cephes' sinf and cosf; fdlibm's kernels for f64).
SINE = {
    "f32": (-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4),
    "f64": (
        -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
        2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10,
    ),
}  # fmt: skip
COSINE = {
    "f32": (4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5),
    "f64": (
        4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
        -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11,
    ),
}  # fmt: skip


def reduce_angle(x: Number) -> tuple[Number, Number]:
    """Return (k, r) with x = k * pi/2 + r, |r| <= pi/4, and k an integer of type i32, modulo 4.

    For f64 beyond 2**31 the result is NaN.
    """
    element = x.value.type.element
    wide = x.to("f64")
    if element == "f64":
        # Multiplying by zero turns infinities into NaN; the division does so with all others.
        wide = (abs(wide) < DIRECTLY_REDUCED).where(wide, wide * 0.0 / 0.0)
        k, r = subtract_quarter_turns(wide)
    else:
        factor, rest = equivalent_factor(abs(wide))
        k, r = subtract_quarter_turns(wide * factor)
        more, r = subtract_quarter_turns(r + wide * rest)
        k = k - 4.0 * (k * 0.25).floor() + more
    return k.to("i32"), r.to(element)


def subtract_quarter_turns(x: Number) -> tuple[Number, Number]:
    """Return (k, x - k * pi/2) for |x| < 2**34, both f64, with k the nearest integer."""
    k = (x * (2 / math.pi)).round()
    r = x
    for piece in HALF_PI_PIECES:
        r = r - k * piece
    return k, r


def equivalent_factor(magnitude: Number) -> tuple[Number, Number]:
    """Numbers (f, g) such that x f + x g is the same angle as x but small; x is an f32 in f64."""
    factor, rest = magnitude.coerce(1.0), magnitude.coerce(0.0)
    limit = DIRECTLY_REDUCED
    for high, low in POWERS_MODULO_CIRCLE:
        beyond = magnitude >= limit
        factor, rest = beyond.where(high, factor), beyond.where(low, rest)
        limit = 2.0**32 if limit == DIRECTLY_REDUCED else limit
        limit *= 2.0**8
    return factor, rest


def sine_of_reduced(r: Number) -> Number:
    """sin r for |r| <= pi/4; keeps the sign of zero."""
    square = r * r
    return r + r * (square * polynomial(square, SINE[r.value.type.element]))


def cosine_of_reduced(r: Number) -> Number:
    """cos r for |r| <= pi/4."""
    square = r * r
    tail = square * square * polynomial(square, COSINE[r.value.type.element])
    return 1.0 - (square * 0.5 - tail)


def sine_of(x: Number) -> Number:
    """sin x; keeps the sign of zero."""
    k, r = reduce_angle(x)
    value = (k & 1).equals(0).where(sine_of_reduced(r), cosine_of_reduced(r))
    return x.equals(0).where(x, (k & 2).equals(0).where(value, -value))


def cosine_of(x: Number) -> Number:
    """cos x."""
    k, r = reduce_angle(x)
    value = (k & 1).equals(0).where(cosine_of_reduced(r), sine_of_reduced(r))
    return ((k + 1) & 2).equals(0).where(value, -value)


def tangent_of(x: Number) -> Number:
    """tan x; keeps the sign of zero."""
    k, r = reduce_angle(x)
    sine, cosine = sine_of_reduced(r), cosine_of_reduced(r)
    even = (k & 1).equals(0)
    value = even.where(sine, -cosine) / even.where(cosine, sine)
    return x.equals(0).where(x, value)


# -- the angle of a vector ------------------------------------------------------------------------

ARC_TANGENT_32 = (-3.33329491539e-1, 1.99777106478e-1, -1.38776856032e-1, 8.05374449538e-2)
ARC_TANGENT_64_NUMERATOR = (
    -6.485021904942025371773e1, -1.228866684490136173410e2, -7.500855792314704667340e1,
    -1.615753718733365076637e1, -8.750608600031904122785e-1,
)  # fmt: skip
ARC_TANGENT_64_DENOMINATOR = (
    1.945506571482613964425e2, 4.853903996359136964868e2, 4.328810604912902668951e2,
    1.650270098316988542046e2, 2.485846490142306297962e1, 1.0,
)  # fmt: skip


def arc_tangent_of_fraction(q: Number) -> Number:
    """The arc tangent of 0 <= q <= 1 (Cephes' atanf and atan)."""
    wide = q.value.type.element == "f64"
    near_one = q > (0.66 if wide else 0.4142135623730950)
    t = near_one.where((q - 1.0) / (q + 1.0), q)
    square = t * t
    if wide:
        ratio = polynomial(square, ARC_TANGENT_64_NUMERATOR)
        ratio = ratio / polynomial(square, ARC_TANGENT_64_DENOMINATOR)
    else:
        ratio = polynomial(square, ARC_TANGENT_32)
    value = t + t * (square * ratio)
    return near_one.where(math.pi / 4 + value, value)


def angle_of(y: Number, x: Number) -> Number:
    """The angle of the vector (x, y), for signed zeros and infinities as C's atan2 gives it."""
    width, height = abs(x), abs(y)
    larger, smaller = width.binary("maximum", height), width.binary("minimum", height)
    # 0/0 stands for the angle zero, inf/inf for that of the diagonal.
    equal = width.equals(height)
    fraction = equal.where(smaller.equals(0).where(smaller, 1.0), smaller / larger)
    fraction = (x.is_nan() | y.is_nan()).where(math.nan, fraction)
    angle = arc_tangent_of_fraction(fraction)
    angle = (height > width).where(math.pi / 2 - angle, angle)
    angle = x.sign_bit().where(math.pi - angle, angle)
    return angle.with_sign_of(y)


# -- rules ----------------------------------------------------------------------------------------


def in_wider(x: Number) -> Number:
    """f16 and bf16 as f32; other types as they are."""
    return x.to("f32") if x.value.type.element in ("f16", "bf16") else x


def sine_reduce_range(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute sine with range reduction.

    Faults (IREE 3.13, all targets): f32 loses all digits for large arguments (error 3e-4 at 1e4,
    infinite at 3e38) and the sign of zero; f64 does not link ("undefined symbol: sin").
    """
    return rewrite_unary(rewriter, op, sine_of)


def cosine_reduce_range(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute cosine with range reduction; see `sine_reduce_range`."""
    return rewrite_unary(rewriter, op, cosine_of)


def tangent_reduce_range(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute tangent with range reduction; see `sine_reduce_range`."""
    return rewrite_unary(rewriter, op, tangent_of)


def rewrite_unary(
    rewriter: Rewriter, op: Operation, function: Callable[[Number], Number]
) -> list[Value] | None:
    """Replace an operation of one real operand by a function, f16 and bf16 by way of f32."""
    element = op.results[0].type.element
    if not is_float(element):
        return None
    x = in_wider(Number(rewriter, op.operands[0]))
    return [function(x).to(element).value]


def atan2_all_quadrants(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute the angle of a vector from the quotient of its smaller by its larger coordinate.

    Faults (IREE 3.13, all targets): f32 is NaN for two zeros and two infinities, and exact to 4e-6
    only; f64 does not link ("undefined symbol: atan2").
    """
    element = op.results[0].type.element
    if not is_float(element):
        return None
    y, x = (in_wider(Number(rewriter, operand)) for operand in op.operands)
    return [angle_of(y, x).to(element).value]


def atan_by_angle(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute chlo.atan as the angle of (1, x); see `atan2_all_quadrants`."""
    return rewrite_unary(rewriter, op, lambda x: angle_of(x, x.coerce(1.0)))


def asin_by_angle(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute chlo.asin as the angle of (sqrt(1 - x**2), x); see `atan2_all_quadrants`."""
    return rewrite_unary(rewriter, op, lambda x: angle_of(x, ((1.0 - x) * (1.0 + x)).unary("sqrt")))


def acos_by_angle(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Compute chlo.acos as the angle of (x, sqrt(1 - x**2)); see `atan2_all_quadrants`."""
    return rewrite_unary(rewriter, op, lambda x: angle_of(((1.0 - x) * (1.0 + x)).unary("sqrt"), x))
