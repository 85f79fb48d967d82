"""How likely is a normal variate below ``x``, and which ``x`` has a given likelihood?

Far from the middle the answers are small numbers or their logarithms, which differences from 1
would lose; each range has its own formula.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import minijax.numpy as jnp
from minijax import lax
from minijax.core.aval import typeof
from minijax.higher_order.custom_jvp import custom_jvp
from minijax.primitives.conversion import convert

REAL = (np.dtype("float32"), np.dtype("float64"))
LOG_SQRT_2_PI = math.log(2 * math.pi) / 2


def _as_float(x: Any, hint: str = "") -> Any:
    """Return a strongly typed array; TypeError unless it is of one of the accepted dtypes."""
    x = jnp.asarray(x)
    dtype = typeof(x).dtype
    if dtype not in REAL:
        raise TypeError(f"x.dtype={dtype} is not supported{hint}.")
    return convert(x, dtype)


SEE_DOCSTRING = ", see docstring for supported types"


def ndtr(x: Any) -> Any:
    """Elementwise distribution function of the standard normal distribution.

    Parameters
    ----------
    x : float32 or float64 array_like

    Raises
    ------
    TypeError
        For other dtypes.

    Examples
    --------
    >>> ndtr(0.0)
    Array(0.5, dtype=float32)
    """
    return _distribution(_as_float(x, SEE_DOCSTRING))


def _distribution(x: Any) -> Any:
    scaled = x * math.sqrt(0.5)
    size = lax.abs(scaled)
    tail = lax.erfc(size)
    outside = jnp.where(scaled > 0, 2 - tail, tail)
    return 0.5 * jnp.where(size < math.sqrt(0.5), 1 + lax.erf(scaled), outside)


# -- its logarithm ---------------------------------------------------------------------------------


def log_ndtr(x: Any, series_order: int = 3) -> Any:
    """Elementwise logarithm of :func:`ndtr`.

    Parameters
    ----------
    x : float32 or float64 array_like
    series_order : int
        Terms of the asymptotic series used far below zero; at most 30.

    Raises
    ------
    TypeError
        For other dtypes, and for a ``series_order`` that is not an integer.
    ValueError
        For a ``series_order`` out of range.
    """
    if not isinstance(series_order, int):
        raise TypeError("series_order must be a Python integer.")
    if series_order < 0:
        raise ValueError("series_order must be non-negative.")
    if series_order > 30:
        raise ValueError("series_order must be <= 30.")
    return _log_distribution(_as_float(x), series_order)


@functools.partial(custom_jvp, nondiff_argnums=(1,))
def _log_distribution(x: Any, series_order: int) -> Any:
    low, high = (-20.0, 8.0) if typeof(x).dtype == np.float64 else (-10.0, 5.0)
    # Each formula gets numbers from its range only: elsewhere it could give a NaN derivative.
    above = -_distribution(-x)
    between = lax.log(_distribution(jnp.maximum(x, low)))
    below = _log_tail(jnp.minimum(x, low), series_order)
    return jnp.where(x > high, above, jnp.where(x > low, between, below))


def _log_tail(x: Any, series_order: int) -> Any:
    """Logarithm of the asymptotic series ``density(x) / -x * (1 - 1/x**2 + 3/x**4 - ...)``."""
    total, term, square = 1.0, 1.0, x * x
    for n in range(1, series_order + 1):
        term = term * (1 - 2 * n) / square
        total = total + term
    return -square / 2 - lax.log(-x) - LOG_SQRT_2_PI + jnp.log(total)


@_log_distribution.defjvp
def _log_distribution_jvp(series_order: int, primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x,), (t,) = primals, tangents
    out = _log_distribution(x, series_order)
    return out, t * lax.exp(-x * x / 2 - out - LOG_SQRT_2_PI)


# -- its inverse -----------------------------------------------------------------------------------

# Wichura's algorithm AS 241 (Applied Statistics 37, 1988): quotients of polynomials in
# 0.425**2 - (p - 1/2)**2 near the middle, in sqrt(-log p) - 1.6 and - 5 farther out.
MIDDLE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
     1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
     3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
     5.2264952788528545610e3),
)  # fmt: skip
OUTSIDE = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
     3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)  # fmt: skip
FAR_OUTSIDE = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip


def ndtri(p: Any) -> Any:
    """Elementwise inverse of :func:`ndtr`.

    Parameters
    ----------
    p : float32 or float64 array_like
        From 0 to 1.

    Raises
    ------
    TypeError
        For other dtypes.

    Examples
    --------
    >>> ndtri(0.5)
    Array(0., dtype=float32)
    """
    return _inverse(_as_float(p, SEE_DOCSTRING))


@custom_jvp
def _inverse(p: Any) -> Any:
    q = p - 0.5
    middle = q * _quotient(MIDDLE, 0.180625 - q * q)
    is_middle = lax.abs(q) <= 0.425
    tail = jnp.where(is_middle, 0.25, jnp.minimum(p, 1 - p))
    r = lax.sqrt(-lax.log(tail))
    size = jnp.where(r <= 5, _quotient(OUTSIDE, r - 1.6), _quotient(FAR_OUTSIDE, r - 5))
    size = jnp.where(tail == 0, np.inf, size)
    return jnp.where(is_middle, middle, jnp.where(q < 0, -size, size))


@_inverse.defjvp
def _inverse_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (p,), (t,) = primals, tangents
    out = _inverse(p)
    return out, t * lax.exp(out * out / 2 + LOG_SQRT_2_PI)


def _quotient(coefficients: tuple[Sequence[float], Sequence[float]], x: Any) -> Any:
    above, below = (_polynomial(row, x) for row in coefficients)
    return above / below


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    value: Any = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value
