"""Which part of a gamma distribution lies below ``x``, and how does it move with the order ``a``?

The regularised incomplete gamma function ``P(a, x)`` is a power series in ``x``, good while ``x``
is small, and ``Q = 1 - P`` is a continued fraction, good while ``x`` is large; each is computed
where it converges fast. For the derivative along ``a``, which no library has, both carry their
derivatives through the recurrence. It is needed to differentiate random gamma variates: a variate
``x = x(a, u)`` keeps ``P(a, x) = u``, hence ``dx/da = -(dP/da) / (dP/dx)``.

Formulas: Abramowitz and Stegun, *Handbook of Mathematical Functions*, 6.5.29 (the series) and
6.5.31 (the fraction, in the even form, evaluated from the front by Lentz's method).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy

from minijax.core.primitive import Arg, Primitive
from minijax.primitives.arithmetic import add, mul, neg, sub
from minijax.primitives.elementwise import exp, log
from minijax.primitives.elementwise_rules import public_binary, scalar_like
from minijax.primitives.formulas import Formulas, in_float64, lower_by, reference_by
from minijax.primitives.gamma import digamma, lgamma
from minijax.primitives.operands import elementwise_abstract, elementwise_batch

FLOATING = (np.floating,)
MOST_TERMS = 10_000
LARGE_ORDER = 16.0
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
"""Of log gamma(a) - (a - 1/2) log a + a - log(2 pi) / 2, by powers 1/a, 1/a**3, ..."""


# -- the series and the fraction, with their derivatives along a -----------------------------------


def power_series(f: Formulas, a: Any, x: Any) -> tuple[Any, Any]:
    """Return ``1 + x / (a + 1) + x**2 / ((a + 1) (a + 2)) + ...`` and its derivative along a."""

    def step(n: Any, state: Any) -> tuple[Any, Any]:
        term, term_slope, total, slope = state
        ratio = x / (a + n)
        term_slope = (term_slope - term / (a + n)) * ratio
        term = term * ratio
        total, slope = total + term, slope + term_slope
        goes_on = (term > total * f.eps) | (abs(term_slope) > abs(slope) * f.eps)
        return (term, term_slope, total, slope), goes_on

    zero, one = f.full(0.0, x), f.full(1.0, x)
    _, _, total, slope = f.iterate(step, (one, zero, one, zero), MOST_TERMS)
    return total, slope


def continued_fraction(f: Formulas, a: Any, x: Any) -> tuple[Any, Any]:
    """Return ``1 / (x + 1 - a - (1 - a) / (x + 3 - a - ...))`` and its derivative along a.

    By Lentz's method: ``c`` and ``1 / d`` are quotients of consecutive numerators and
    denominators of the convergents; each step multiplies the value by ``c * d``. For
    ``x >= max(a, 1)`` all denominators are positive.
    """
    b = x + 1.0 - a

    def step(n: Any, state: Any) -> tuple[Any, Any]:
        c, c_slope, d, d_slope, value, slope = state
        numerator = (a - n) * n  # its derivative is n, that of every b is -1
        c_slope = (n - numerator * c_slope / c) / c - 1.0
        c = numerator / c + (b + n * 2.0)
        denominator_slope = d * n + numerator * d_slope - 1.0
        d = 1.0 / (numerator * d + (b + n * 2.0))
        d_slope = -(denominator_slope * d * d)
        factor = c * d
        change = value * (c_slope * d + c * d_slope) + slope * (factor - 1.0)
        value, slope = value * factor, slope + change
        # two units: the factor is known no better
        goes_on = abs(factor - 1.0) > 2.0 * f.eps
        goes_on = goes_on | (abs(change) > (abs(value) + abs(slope)) * (2.0 * f.eps))
        return (c, c_slope, d, d_slope, value, slope), goes_on

    d, zero = 1.0 / b, f.full(0.0, x)
    state = (f.full(f.largest, x), zero, d, d * d, d, d * d)
    *_, value, slope = f.iterate(step, state, MOST_TERMS)
    return value, slope


def _is_upper(f: Formulas, a: Any, x: Any) -> Any:
    """Tell where the fraction is used and not the series."""
    return (x > 1.0) & (x > a)


def _both(f: Formulas, a: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """Return series and fraction with slopes; each is of no meaning where the other is used."""
    upper, one = _is_upper(f, a, x), f.full(1.0, x)
    below = power_series(f, f.where(upper, one, a), f.where(upper, one, x))
    above = continued_fraction(f, f.where(upper, a, one), f.where(upper, x, one))
    return *below, *above


def _log_density(f: Formulas, a: Any, x: Any) -> Any:
    """Return the logarithm of ``x ** a * exp(-x) / gamma(a)``: ``x`` times the density.

    Its terms nearly cancel for large ``a``. With Stirling's series for the gamma function they
    combine to terms that are small near the mean.
    """
    direct = a * f.apply("log", x) - x - f.apply("lgamma", a)
    deviation = (x - a) / a
    inverse_square = 1.0 / (a * a)
    correction = f.full(STIRLING[-1], a)
    for coefficient in reversed(STIRLING[:-1]):
        correction = correction * inverse_square + coefficient
    near_mean = a * (f.apply("log1p", deviation) - deviation) - correction / a
    near_mean = near_mean + f.apply("log", a / (2.0 * math.pi)) * 0.5
    return f.where((a > LARGE_ORDER) & (deviation < 1.0), near_mean, direct)


def _is_outside(f: Formulas, a: Any, x: Any) -> Any:
    """Tell where the functions are not defined, NaN included."""
    return ~((a >= 0.0) & (x >= 0.0)) | (f.equal(a, 0.0) & f.equal(x, 0.0))


def lower_tail(f: Formulas, a: Any, x: Any) -> Any:
    """Return ``P(a, x)``."""
    series, _, fraction, _ = _both(f, a, x)
    weight = f.apply("exp", _log_density(f, a, x))
    value = f.where(_is_upper(f, a, x), 1.0 - weight * fraction, weight * series / a)
    return _at_edges(f, a, x, value, 0.0, 1.0)


def upper_tail(f: Formulas, a: Any, x: Any) -> Any:
    """Return ``Q(a, x) = 1 - P(a, x)``, exact where that is small."""
    series, _, fraction, _ = _both(f, a, x)
    weight = f.apply("exp", _log_density(f, a, x))
    value = f.where(_is_upper(f, a, x), weight * fraction, 1.0 - weight * series / a)
    return _at_edges(f, a, x, value, 1.0, 0.0)


def _at_edges(f: Formulas, a: Any, x: Any, value: Any, at_start: float, at_end: float) -> Any:
    """Put in the values at 0 and infinity, and NaN outside of the domain."""
    value = f.where(f.equal(x, 0.0) | f.equal(a, np.inf), at_start, value)
    value = f.where(f.equal(a, 0.0) | f.equal(x, np.inf), at_end, value)
    return f.where(_is_outside(f, a, x), np.nan, value)


def order_slope(f: Formulas, a: Any, x: Any) -> Any:
    """Return the derivative of ``P(a, x)`` along ``a``."""
    weight = f.apply("exp", _log_density(f, a, x))
    return _slope_at_edges(f, a, x, weight * _slope_over_weight(f, a, x))


def variate_slope(f: Formulas, a: Any, x: Any) -> Any:
    """Return the derivative of a gamma variate along ``a``, also where its density vanishes."""
    return _slope_at_edges(f, a, x, -(x * _slope_over_weight(f, a, x)))


def _slope_over_weight(f: Formulas, a: Any, x: Any) -> Any:
    series, series_slope, fraction, fraction_slope = _both(f, a, x)
    log_x = f.apply("log", x)
    below = (series * (log_x - f.apply("digamma", a + 1.0)) + series_slope) / a
    above = fraction * (log_x - f.apply("digamma", a)) + fraction_slope
    return f.where(_is_upper(f, a, x), -above, below)


def _slope_at_edges(f: Formulas, a: Any, x: Any, value: Any) -> Any:
    value = f.where(f.equal(x, 0.0), 0.0, value)
    return f.where(~((a > 0.0) & (x >= 0.0)), np.nan, value)


# -- igamma and igammac ----------------------------------------------------------------------------

igamma_p = Primitive("igamma")
igamma = public_binary(
    igamma_p,
    "Elementwise regularised incomplete gamma function ``P(x, y)``: the integral of the gamma "
    "density of order ``x`` from 0 to ``y``.",
    FLOATING,
)
elementwise_abstract(igamma_p, FLOATING)


@igamma_p.reference
@in_float64
def igamma_reference(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    # SciPy has no value where both are infinite.
    return np.where((a == np.inf) & (x == np.inf), 1.0, scipy.special.gammainc(a, x))


def igamma_jvp_order(t: Any, a: Any, x: Any) -> Any:
    return mul(t, igamma_grad_a(a, x))


def igamma_jvp(t: Any, a: Any, x: Any) -> Any:
    """Multiply by the gamma density."""
    exponent = add(neg(x), mul(sub(a, scalar_like(a, 1)), log(x)))
    return mul(t, exp(sub(exponent, lgamma(a))))


igamma_p.jvp_each(igamma_jvp_order, igamma_jvp)
igamma_p.no_transpose("a distribution function is not linear")
elementwise_batch(igamma_p)
lower_by(igamma_p, lower_tail)

igammac_p = Primitive("igammac")
igammac = public_binary(
    igammac_p,
    "Elementwise complement of :func:`igamma`: ``1 - P(x, y)``, exact where that is small.",
    FLOATING,
)
elementwise_abstract(igammac_p, FLOATING)


@igammac_p.reference
@in_float64
def igammac_reference(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.where((a == np.inf) & (x == np.inf), 0.0, scipy.special.gammaincc(a, x))


igammac_p.jvp_each(
    lambda t, a, x: neg(igamma_jvp_order(t, a, x)), lambda t, a, x: neg(igamma_jvp(t, a, x))
)
igammac_p.no_transpose("a distribution function is not linear")
elementwise_batch(igammac_p)
lower_by(igammac_p, upper_tail)

# -- derivatives along the order -------------------------------------------------------------------

igamma_grad_a_p = Primitive("igamma_grad_a")
igamma_grad_a = public_binary(
    igamma_grad_a_p, "Elementwise derivative of ``igamma(x, y)`` along ``x``.", FLOATING
)
elementwise_abstract(igamma_grad_a_p, FLOATING)
reference_by(igamma_grad_a_p, order_slope)
lower_by(igamma_grad_a_p, order_slope)


def _no_second_slope(t: Any, a: Any, x: Any) -> Any:
    raise NotImplementedError(
        "Differentiation rule for 'igamma_grad_a' with respect to its first argument not "
        "implemented: the second derivative of the incomplete gamma function along its order."
    )


def igamma_grad_a_jvp(t: Any, a: Any, x: Any) -> Any:
    """Differentiate the density along the order, the other way round."""
    return mul(igamma_jvp(t, a, x), sub(log(x), digamma(a)))


igamma_grad_a_p.jvp_each(_no_second_slope, igamma_grad_a_jvp)
igamma_grad_a_p.no_transpose("a derivative of a distribution function is not linear")
elementwise_batch(igamma_grad_a_p)

random_gamma_grad_p = Primitive("random_gamma_grad")
random_gamma_grad = public_binary(
    random_gamma_grad_p,
    "Elementwise derivative of a gamma variate ``y`` of order ``x`` along ``x``, its "
    "probability held.",
    FLOATING,
)
elementwise_abstract(random_gamma_grad_p, FLOATING)
reference_by(random_gamma_grad_p, variate_slope)
random_gamma_grad_p.no_jvp("the second derivative of a variate along its order is not implemented")
random_gamma_grad_p.no_transpose("the derivative of a variate is not linear in order and variate")
elementwise_batch(random_gamma_grad_p)
lower_by(random_gamma_grad_p, variate_slope)

for _p in (igamma_p, igammac_p):
    _p.sample(Arg((2, 3), 0.5, 6), Arg((2, 3), 0.3, 8), _moving=(1,))
    _p.sample(Arg((2, 3), 0.5, 6), Arg((2, 3), 0.3, 8), _dtypes=("float32", "bfloat16"))
    _p.sample(Arg((2, 3), 0.5, 6), Arg((), 0.3, 8), _dtypes=("float32",))
igamma_grad_a_p.sample(Arg((2, 3), 0.5, 6), Arg((2, 3), 0.3, 8), _moving=(1,))
random_gamma_grad_p.sample(Arg((2, 3), 0.5, 6), Arg((2, 3), 0.3, 8))
for _p in (igamma_grad_a_p, random_gamma_grad_p):
    _p.sample(Arg((2, 3), 0.5, 6), Arg((), 0.3, 8), _dtypes=("float32",), _moving=(1,))
