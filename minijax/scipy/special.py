"""Special functions by their names in ``scipy.special``.

Those about the gamma and Bessel functions are operations of :mod:`minijax.lax` with promotion; the
others are formulas. Normal probabilities are in :mod:`minijax.scipy.normal`, sums of exponentials
in :mod:`minijax.nn`.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

import minijax.numpy as jnp
from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.higher_order.custom_jvp import custom_jvp
from minijax.nn.normalizing import log_softmax as nn_log_softmax
from minijax.nn.normalizing import logsumexp
from minijax.nn.normalizing import softmax as nn_softmax
from minijax.numpy.promotion import check_arraylike, promote_args_inexact
from minijax.primitives.incomplete_gamma import STIRLING
from minijax.scipy.normal import log_ndtr, ndtr, ndtri

__all__ = [
    "beta", "betainc", "betaln", "boxcox", "boxcox1p", "comb", "digamma", "entr", "erf", "erfc",
    "erfinv", "expit", "factorial", "gamma", "gammainc", "gammaincc", "gammaln", "gammasgn", "i0",
    "i0e", "i1", "i1e", "kl_div", "log_ndtr", "log_softmax", "loggamma", "logit", "logsumexp",
    "multigammaln", "ndtr", "ndtri", "poch", "polygamma", "rel_entr", "softmax", "xlog1py",
    "xlogy", "zeta",
]  # fmt: skip

# -- the error function ----------------------------------------------------------------------------


def erf(x: Any) -> Any:
    """Elementwise error function of real numbers.

    Parameters
    ----------
    x : array_like
    """
    (x,) = promote_args_inexact("erf", x)
    return lax.erf(x)


def erfc(x: Any) -> Any:
    """Elementwise complement of the error function, ``1 - erf(x)``.

    Parameters
    ----------
    x : array_like
    """
    (x,) = promote_args_inexact("erfc", x)
    return lax.erfc(x)


def erfinv(x: Any) -> Any:
    """Elementwise inverse of the error function.

    Parameters
    ----------
    x : array_like
        From -1 to 1.
    """
    (x,) = promote_args_inexact("erfinv", x)
    return lax.erf_inv(x)


# -- the gamma function ----------------------------------------------------------------------------


def gammaln(x: Any) -> Any:
    """Elementwise logarithm of the absolute value of the gamma function.

    Parameters
    ----------
    x : array_like
        Real.

    Examples
    --------
    >>> gammaln(3.0)
    Array(0.6931472, dtype=float32, weak_type=True)
    """
    (x,) = promote_args_inexact("gammaln", x)
    return lax.lgamma(x)


def loggamma(x: Any) -> Any:
    """Elementwise logarithm of the gamma function; NaN where that is negative.

    Parameters
    ----------
    x : array_like
        Real.
    """
    (x,) = promote_args_inexact("loggamma", x)
    return jnp.where(x > 0, lax.lgamma(x), np.nan)


def gammasgn(x: Any) -> Any:
    """Elementwise sign of the gamma function; NaN at its poles below zero.

    Parameters
    ----------
    x : array_like
        Real.
    """
    (x,) = promote_args_inexact("gammasgn", x)
    typ = typeof(x).dtype.type
    whole = lax.floor(x)
    sign = jnp.where((x < 0) & (jnp.remainder(whole, 2) != 0), typ(-1), typ(1))
    sign = jnp.where((x == 0) & jnp.signbit(x), typ(-1), sign)
    return jnp.where(((x < 0) & (x == whole)) | jnp.isnan(x), typ(np.nan), sign)


def gamma(x: Any) -> Any:
    """Elementwise gamma function.

    Parameters
    ----------
    x : array_like
        Real.

    Examples
    --------
    >>> gamma(5.0)
    Array(24., dtype=float32)
    """
    (x,) = promote_args_inexact("gamma", x)
    return gammasgn(x) * lax.exp(lax.lgamma(x))


def factorial(n: Any, exact: bool = False) -> Any:
    """Elementwise factorial, as a float; 0 for negative numbers.

    Parameters
    ----------
    n : array_like
    exact : bool
        Only False is supported.

    Raises
    ------
    NotImplementedError
        If ``exact``.
    """
    if exact:
        raise NotImplementedError("factorial with exact=True")
    (n,) = promote_args_inexact("factorial", n)
    return jnp.where(n < 0, 0, lax.exp(lax.lgamma(n + 1)))


def comb(N: Any, k: Any, *, repetition: bool = False) -> Any:
    """Elementwise number of ways to choose ``k`` of ``N`` things, as a float.

    Parameters
    ----------
    N, k : array_like
    repetition : bool
        Whether things may be chosen repeatedly.

    Examples
    --------
    >>> comb(5, 2)
    Array(10., dtype=float32, weak_type=True)
    """
    N, k = promote_args_inexact("comb", N, k)
    if repetition:
        N = jnp.where((N == 0) & (k == 0), 1, N + k - 1)
    possible = (k <= N) & (N >= 0) & (k >= 0)
    count = lax.exp(lax.lgamma(N + 1) - lax.lgamma(k + 1) - lax.lgamma(N - k + 1))
    # Where both are whole numbers so is the result, which the logarithms do not give exactly.
    whole = (lax.floor(N) == N) & (lax.floor(k) == k)
    count = jnp.where(whole, jnp.round(count), count)
    return jnp.where(possible, count, 0)


def poch(z: Any, m: Any) -> Any:
    """Elementwise rising factorial ``gamma(z + m) / gamma(z)`` (Pochhammer's symbol).

    Parameters
    ----------
    z, m : array_like
        Real.
    """
    z, m = promote_args_inexact("poch", z, m)
    value = gammasgn(z) * gammasgn(z + m) * lax.exp(lax.lgamma(z + m) - lax.lgamma(z))
    return jnp.where(m == 0, 1, value)


def digamma(x: Any) -> Any:
    """Elementwise derivative of :func:`gammaln`.

    Parameters
    ----------
    x : array_like
        Real.
    """
    (x,) = promote_args_inexact("digamma", x)
    return lax.digamma(x)


def polygamma(n: Any, x: Any) -> Any:
    """Elementwise derivative of order ``n`` of :func:`digamma`.

    Parameters
    ----------
    n : array_like of integers
        Not negative.
    x : array_like
        Real.

    Raises
    ------
    ValueError
        If ``n`` is not of integers.

    Examples
    --------
    >>> polygamma(1, 1.0)
    Array(1.644934, dtype=float32, weak_type=True)
    """
    check_arraylike("polygamma", n, x)
    if not dtypes.issubdtype(typeof(n).dtype, np.integer):
        raise ValueError(
            f"Argument `n` to polygamma must be of integer type. Got dtype {typeof(n).dtype.name}."
        )
    n, x = promote_args_inexact("polygamma", n, x)
    return lax.polygamma(n, x)


def multigammaln(a: Any, d: Any) -> Any:
    """Elementwise logarithm of the multivariate gamma function.

    Parameters
    ----------
    a : array_like
        Real, above ``(d - 1) / 2``.
    d : int
        The dimension.
    """
    d = operator.index(d)
    (a,) = promote_args_inexact("multigammaln", a)
    halves = np.arange(d) / 2
    terms = lax.lgamma(jnp.expand_dims(a, -1) - halves.astype(typeof(a).dtype))
    return jnp.sum(terms, axis=-1) + d * (d - 1) / 4 * math.log(math.pi)


def gammainc(a: Any, x: Any) -> Any:
    """Elementwise regularised lower incomplete gamma function.

    Parameters
    ----------
    a, x : array_like
        Real, not negative.

    Examples
    --------
    >>> gammainc(1.0, 1.0)
    Array(0.63212055, dtype=float32, weak_type=True)
    """
    a, x = promote_args_inexact("gammainc", a, x)
    return lax.igamma(a, x)


def gammaincc(a: Any, x: Any) -> Any:
    """Elementwise regularised upper incomplete gamma function.

    Parameters
    ----------
    a, x : array_like
        Real, not negative.
    """
    a, x = promote_args_inexact("gammaincc", a, x)
    return lax.igammac(a, x)


def zeta(x: Any, q: Any = None) -> Any:
    """Elementwise Hurwitz zeta function: the sum of ``(n + q) ** -x`` over n = 0, 1, ...

    Parameters
    ----------
    x, q : array_like
        Real.

    Raises
    ------
    NotImplementedError
        Without ``q``.
    """
    if q is None:
        raise NotImplementedError(
            "Riemann zeta function not implemented; pass q != None to compute the Hurwitz Zeta "
            "function."
        )
    x, q = promote_args_inexact("zeta", x, q)
    return lax.zeta(x, q)


# -- the beta function -----------------------------------------------------------------------------

LARGE = 16.0


def betaln(a: Any, b: Any) -> Any:
    """Elementwise logarithm of the absolute value of the beta function.

    Parameters
    ----------
    a, b : array_like
        Real.

    Examples
    --------
    >>> betaln(1.0, 2.0)
    Array(-0.6931472, dtype=float32, weak_type=True)
    """
    a, b = promote_args_inexact("betaln", a, b)
    a, b = jnp.minimum(a, b), jnp.maximum(a, b)
    is_large = b >= LARGE
    plain = lax.lgamma(b) - lax.lgamma(a + b)
    safe = jnp.where(is_large, b, LARGE)
    return lax.lgamma(a) + jnp.where(is_large, _log_gamma_ratio(safe, a), plain)


def _log_gamma_ratio(b: Any, a: Any) -> Any:
    """Return ``log(gamma(b) / gamma(a + b))`` for large ``b``: the main terms cancel on paper."""
    main = -(b - 0.5) * lax.log1p(a / b) - a * (lax.log(a + b) - 1)
    return main + _stirling_rest(b) - _stirling_rest(a + b)


def _stirling_rest(b: Any) -> Any:
    square, rest = 1 / (b * b), STIRLING[-1]
    for coefficient in reversed(STIRLING[:-1]):
        rest = rest * square + coefficient
    return rest / b


def beta(a: Any, b: Any) -> Any:
    """Elementwise beta function ``gamma(a) gamma(b) / gamma(a + b)``.

    Parameters
    ----------
    a, b : array_like
        Real.
    """
    a, b = promote_args_inexact("beta", a, b)
    return gammasgn(a) * gammasgn(b) * gammasgn(a + b) * lax.exp(betaln(a, b))


def betainc(a: Any, b: Any, x: Any) -> Any:
    """Elementwise regularised incomplete beta function.

    Parameters
    ----------
    a, b : array_like
        Real, not negative.
    x : array_like
        From 0 to 1.
    """
    a, b, x = promote_args_inexact("betainc", a, b, x)
    return lax.betainc(a, b, x)


# -- Bessel functions ------------------------------------------------------------------------------


def i0e(x: Any) -> Any:
    """Elementwise modified Bessel function of order 0, times ``exp(-abs(x))``.

    Parameters
    ----------
    x : array_like
        Real.
    """
    (x,) = promote_args_inexact("i0e", x)
    return lax.bessel_i0e(x)


def i0(x: Any) -> Any:
    """Elementwise modified Bessel function of order 0.

    Parameters
    ----------
    x : array_like
        Real.
    """
    (x,) = promote_args_inexact("i0", x)
    return lax.mul(lax.exp(lax.abs(x)), lax.bessel_i0e(x))


def i1e(x: Any) -> Any:
    """Elementwise modified Bessel function of order 1, times ``exp(-abs(x))``.

    Parameters
    ----------
    x : array_like
        Real.
    """
    (x,) = promote_args_inexact("i1e", x)
    return lax.bessel_i1e(x)


def i1(x: Any) -> Any:
    """Elementwise modified Bessel function of order 1.

    Parameters
    ----------
    x : array_like
        Real.
    """
    (x,) = promote_args_inexact("i1", x)
    return lax.mul(lax.exp(lax.abs(x)), lax.bessel_i1e(x))


# -- odds and entropies ----------------------------------------------------------------------------


def expit(x: Any) -> Any:
    """Elementwise logistic function ``1 / (1 + exp(-x))``.

    Parameters
    ----------
    x : array_like
    """
    (x,) = promote_args_inexact("expit", x)
    return lax.logistic(x)


@custom_jvp
def _log_odds(x: Any) -> Any:
    return lax.log(x / (1 - x))


@_log_odds.defjvp
def _log_odds_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x,), (t,) = primals, tangents
    return _log_odds(x), t / (x * (1 - x))


def logit(x: Any) -> Any:
    """Elementwise logarithm of the odds: the inverse of :func:`expit`.

    Parameters
    ----------
    x : array_like
        From 0 to 1.
    """
    (x,) = promote_args_inexact("logit", x)
    return _log_odds(x)


@custom_jvp
def _x_log_y(x: Any, y: Any) -> Any:
    counts = (x != 0) | jnp.isnan(y)
    return jnp.where(counts, x * lax.log(y), 0)


@_x_log_y.defjvp
def _x_log_y_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x, y), (x_t, y_t) = primals, tangents
    return _x_log_y(x, y), x_t * lax.log(y) + y_t * (x / y)


def xlogy(x: Any, y: Any) -> Any:
    """Elementwise ``x * log(y)``, 0 where ``x`` is 0.

    Parameters
    ----------
    x, y : array_like

    Examples
    --------
    >>> xlogy(0.0, 0.0)
    Array(0., dtype=float32, weak_type=True)
    """
    x, y = promote_args_inexact("xlogy", x, y)
    return _x_log_y(x, y)


@custom_jvp
def _x_log_1_plus_y(x: Any, y: Any) -> Any:
    counts = (x != 0) | jnp.isnan(y)
    return jnp.where(counts, x * lax.log1p(y), 0)


@_x_log_1_plus_y.defjvp
def _x_log_1_plus_y_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x, y), (x_t, y_t) = primals, tangents
    return _x_log_1_plus_y(x, y), x_t * lax.log1p(y) + y_t * (x / (1 + y))


def xlog1py(x: Any, y: Any) -> Any:
    """Elementwise ``x * log(1 + y)``, 0 where ``x`` is 0.

    Parameters
    ----------
    x, y : array_like
    """
    x, y = promote_args_inexact("xlog1py", x, y)
    return _x_log_1_plus_y(x, y)


@custom_jvp
def _x_log_x(x: Any) -> Any:
    return _x_log_y(x, x)


@_x_log_x.defjvp
def _x_log_x_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x,), (t,) = primals, tangents
    return _x_log_x(x), t * (lax.log(x) + 1)


def entr(x: Any) -> Any:
    """Elementwise entropy ``-x * log(x)``; -inf for negative numbers.

    Parameters
    ----------
    x : array_like
        Real.
    """
    (x,) = promote_args_inexact("entr", x)
    return jnp.where(x < 0, -np.inf, -_x_log_x(x))


def rel_entr(p: Any, q: Any) -> Any:
    """Elementwise relative entropy ``p * log(p / q)``; infinite where it is not defined (also NaN).

    Parameters
    ----------
    p, q : array_like
        Real, not negative; where ``p`` is 0 so is the result.
    """
    p, q = promote_args_inexact("rel_entr", p, q)
    both = (p > 0) & (q > 0)
    safe_p, safe_q = jnp.where(both, p, 1), jnp.where(both, q, 1)
    value = _x_log_x(safe_p) - _x_log_y(safe_p, safe_q)
    return jnp.where(both, value, jnp.where((p == 0) & (q >= 0), 0.0, np.inf))


def kl_div(p: Any, q: Any) -> Any:
    """Elementwise Kullback-Leibler divergence ``p * log(p / q) - p + q``.

    Parameters
    ----------
    p, q : array_like
        Real, not negative.
    """
    p, q = promote_args_inexact("kl_div", p, q)
    return rel_entr(p, q) - p + q


def boxcox(x: Any, lmbda: Any) -> Any:
    """Elementwise transformation of Box and Cox: ``(x ** lmbda - 1) / lmbda``, ``log(x)`` at 0.

    Parameters
    ----------
    x, lmbda : array_like
    """
    x, lmbda = promote_args_inexact("boxcox", x, lmbda)
    return _power_less_one(lax.log(x), lmbda)


def boxcox1p(x: Any, lmbda: Any) -> Any:
    """Elementwise transformation of Box and Cox of ``1 + x``.

    Parameters
    ----------
    x, lmbda : array_like
    """
    x, lmbda = promote_args_inexact("boxcox1p", x, lmbda)
    return _power_less_one(lax.log1p(x), lmbda)


def _power_less_one(logarithm: Any, exponent: Any) -> Any:
    safe = jnp.where(exponent == 0, 1, exponent)
    return jnp.where(exponent == 0, logarithm, lax.expm1(safe * logarithm) / safe)


# -- sums of exponentials --------------------------------------------------------------------------


def softmax(x: Any, /, *, axis: Any = None) -> Any:
    """Probabilities in proportion to exponentials; unlike in ``nn`` over all axes by default.

    Parameters
    ----------
    x : array_like
    axis : int or sequence of int, optional
    """
    return nn_softmax(x, axis=axis)


def log_softmax(x: Any, /, *, axis: Any = None) -> Any:
    """Logarithm of :func:`softmax`.

    Parameters
    ----------
    x : array_like
    axis : int or sequence of int, optional
    """
    return nn_log_softmax(x, axis=axis)
