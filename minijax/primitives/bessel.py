"""How are the modified Bessel functions of the first kind computed?

``i0e`` and ``i1e`` are ``I0`` and ``I1`` times ``exp(-|x|)``, which keeps them in range. CHLO has
an operation for the second only; the first becomes two polynomials, one below 8 and one above, in
the basis of Chebyshev's polynomials. Their coefficients are not a table: they come from
interpolating the reference.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import scipy
from numpy.polynomial import chebyshev

from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.core.primitive import full_of
from minijax.primitives.arithmetic import add, mul, reciprocal, sub
from minijax.primitives.elementwise_rules import scalar_like, unary
from minijax.primitives.formulas import Formulas, in_float64, lower_formula
from minijax.primitives.logic import gt, select
from minijax.primitives.piecewise import abs as absolute
from minijax.primitives.piecewise import sign

FLOATING = (np.floating,)
TURN = 8.0  # where one polynomial gives way to the other
INTERPOLATION_POINTS = 36

# -- the polynomials -------------------------------------------------------------------------------


@cache
def _coefficients(eps: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return Chebyshev coefficients of ``i0e`` below the turn, and of ``sqrt(x) i0e(x)`` above.

    The first polynomial is one in ``2 x / TURN - 1``, the second one in ``2 TURN / x - 1``.
    """

    def below(t: np.ndarray) -> np.ndarray:
        return scipy.special.i0e((t + 1) * (TURN / 2))

    def above(t: np.ndarray) -> np.ndarray:
        x = 2 * TURN / (t + 1)
        return np.sqrt(x) * scipy.special.i0e(x)

    return _interpolate(below, eps), _interpolate(above, eps)


def _interpolate(function: Any, eps: float) -> tuple[float, ...]:
    # NumPy's own interpolation loses a digit; a cosine transform does not.
    points = chebyshev.chebpts1(INTERPOLATION_POINTS)[::-1]
    found = scipy.fft.dct(function(points)) / INTERPOLATION_POINTS
    found[0] /= 2
    return tuple(chebyshev.chebtrim(found, eps * float(abs(found[0])) / 8).tolist())


def _chebyshev_sum(coefficients: tuple[float, ...], t: Any) -> Any:
    """Add up a Chebyshev series by Clenshaw's recurrence."""
    latest = previous = t * 0.0
    for coefficient in reversed(coefficients[1:]):
        latest, previous = t * 2.0 * latest - previous + coefficient, latest
    return t * latest - previous + coefficients[0]


def scaled_bessel(f: Formulas, x: Any) -> Any:
    """Return ``exp(-|x|) I0(x)``."""
    size = abs(x)
    low, high = _coefficients(f.eps)
    is_low = size <= TURN
    # each polynomial stays in its interval, so that neither overflows
    below = _chebyshev_sum(low, f.where(is_low, size, TURN) * (2 / TURN) - 1.0)
    far = f.where(is_low, TURN, size)
    above = _chebyshev_sum(high, (2 * TURN) / far - 1.0) / f.apply("sqrt", far)
    return f.where(is_low, below, above)


# -- i0e and i1e -----------------------------------------------------------------------------------


def _i0e_value(x: np.ndarray) -> np.ndarray:
    return scipy.special.i0e(x)


def _i1e_value(x: np.ndarray) -> np.ndarray:
    return np.where(x == 0, x, scipy.special.i1e(x))  # scipy drops the sign of zero


def _i0e_jvp(t: Any, out: Any, x: Any) -> Any:
    return mul(t, sub(bessel_i1e(x), mul(sign(x), out)))


def _i1e_jvp(t: Any, out: Any, x: Any) -> Any:
    """Use ``I1' = I0 - I1 / x``; at zero, where that divides by it, the slope is a half."""
    eps = scalar_like(x, dtypes.finfo(typeof(x).dtype).eps)
    is_apart = gt(absolute(x), eps)
    apart = select(is_apart, x, full_of(typeof(x), eps))
    slope = sub(bessel_i0e(apart), mul(out, add(sign(apart), reciprocal(apart))))
    return mul(t, select(is_apart, slope, full_of(typeof(x), 0.5)))


bessel_i0e_p, bessel_i0e = unary(
    "bessel_i0e", FLOATING, in_float64(_i0e_value), lower_formula(scaled_bessel),
    "Elementwise modified Bessel function of order 0, times ``exp(-|x|)``.",
    domain=(-12.0, 12.0), jvp_from_output=_i0e_jvp,
)  # fmt: skip
bessel_i1e_p, bessel_i1e = unary(
    "bessel_i1e", FLOATING, in_float64(_i1e_value), "chlo.bessel_i1e",
    "Elementwise modified Bessel function of order 1, times ``exp(-|x|)``.",
    domain=(-12.0, 12.0), jvp_from_output=_i1e_jvp,
)  # fmt: skip
