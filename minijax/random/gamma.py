"""How are numbers drawn for which there is no formula?

By rejection: candidates are drawn from an easy distribution until one passes a test that makes up
for the difference. The loop runs separately for each element, on a key of its own, so that an
element is the same however many are drawn. All distributions of this family are made of gamma
variates; where only ratios of them matter their logarithms are used, which do not underflow.

Gamma variates are differentiable in their order, though the loop is not: what a small change of
the order does to the variate, its quantile being held fixed, is a function of the two alone.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import minijax.numpy as jnp
from minijax import lax
from minijax.api.vectorize import vmap
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.higher_order.custom_jvp import custom_jvp
from minijax.higher_order.jit import jit
from minijax.higher_order.while_loop import while_loop
from minijax.numpy.calls import staged_call
from minijax.primitives.conversion import convert
from minijax.random.continuous import exponential_floats, normal_floats
from minijax.random.keys import one_key
from minijax.random.parametric import int_dtype, shape_of_result, spread
from minijax.random.threefry import split_words
from minijax.random.uniform import checked_shape, float_dtype, pairs, signs, uniform_floats

# -- the loop --------------------------------------------------------------------------------------

SQUEEZE = 0.0331
"""Of the quick test, which accepts nearly all candidates and spares the logarithms."""


def _one_variate(words: Any, order: Any, log_space: bool) -> Any:
    """Draw one gamma variate of a scalar order, or its logarithm.

    Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000): a
    variate of order at least 1 is about the cube of a normal number. One of a lower order is one
    of an order greater by 1 times a power of a uniform number.
    """
    dtype = order.dtype
    high = order >= 1
    boosted = jnp.where(high, order, order + 1)
    d = boosted - np.asarray(1 / 3, dtype)
    c = np.asarray(1 / 3, dtype) / jnp.sqrt(d)
    words, boost_words = pairs(split_words(words, (2,)))

    def rejected(state: Any) -> Any:
        _, square, cube, u = state
        likely = 1 - SQUEEZE * (square * square)
        exact = square * 0.5 + d * (1 - cube + jnp.log(cube))
        return (u >= likely) & (jnp.log(u) >= exact)

    def candidate(state: Any) -> Any:
        keys = split_words(state[0], (3,))
        base = while_loop(
            lambda s: s[2] <= 0, _next_normal, (keys[1], jnp.zeros((), dtype), -jnp.ones((), dtype))
        )
        _, x, v = base
        return keys[0], x * x, v * v * v, uniform_floats(keys[2], (), dtype, 0.0, 1.0)

    def _next_normal(state: Any) -> Any:
        words, drawn = pairs(split_words(state[0], (2,)))
        x = normal_floats(drawn, (), dtype)
        return words, x, 1 + x * c

    zero, one, two = (jnp.full((), n, dtype) for n in (0, 1, 2))
    _, _, cube, _ = while_loop(rejected, candidate, (words, zero, one, two))
    if log_space:
        logs = -exponential_floats(boost_words, (), dtype)
        boost = jnp.where(high | (logs == 0), zero, logs * (1 / order))
        return jnp.log(d) + jnp.log(cube) + boost
    u = 1 - uniform_floats(boost_words, (), dtype, 0.0, 1.0)
    return d * cube * jnp.where(high, one, jnp.power(u, 1 / order))


# Loops are compiled even where other operations are computed at once: compile all of it together,
# and once for each shape.
@functools.partial(jit, static_argnames=("log_space",))
def _variates(words: Any, order: Any, log_space: bool) -> Any:
    keys = split_words(words, (order.size,))
    drawn = vmap(lambda k, a: _one_variate(k, a, log_space))(keys, order.reshape(-1))
    return drawn.reshape(order.shape)


@custom_jvp
def _gamma_variates(words: Any, order: Any) -> Any:
    return _variates(words, order, log_space=False)


@_gamma_variates.defjvp
def _gamma_variates_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    words, order = primals
    drawn = _gamma_variates(words, order)
    return drawn, tangents[1] * lax.random_gamma_grad(order, drawn)


@custom_jvp
def _log_gamma_variates(words: Any, order: Any) -> Any:
    return _variates(words, order, log_space=True)


@_log_gamma_variates.defjvp
def _log_gamma_variates_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    words, order = primals
    logs = _log_gamma_variates(words, order)
    # Where the variate itself underflows, the smallest number that does not takes its place.
    drawn = jnp.maximum(jnp.exp(logs), dtypes.finfo(logs.dtype).tiny)
    return logs, tangents[1] * (lax.random_gamma_grad(order, drawn) / drawn)


@staged_call(static_argnames=("shape", "dtype", "log_space"))
def _gamma(words: Any, a: Any, shape: tuple[int, ...], dtype: Any, log_space: bool) -> Any:
    order = spread(a, shape, dtype)
    return _log_gamma_variates(words, order) if log_space else _gamma_variates(words, order)


# -- gamma and its family --------------------------------------------------------------------------


def gamma(
    key: Any, a: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw from the gamma distribution with density ``x**(a - 1) * exp(-x) / Gamma(a)``.

    Parameters
    ----------
    key : key
    a : float scalar or array
        The order, positive.
    shape : int or sequence of int, optional
        By default that of ``a``, which must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.

    See Also
    --------
    loggamma : for small orders, where variates are smaller than the smallest float.
    """
    words = one_key("gamma", key)
    dtype = float_dtype("gamma", dtype)
    return _gamma(words, a, shape_of_result("gamma", shape, a), dtype, False)


def loggamma(
    key: Any, a: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw logarithms of gamma variates; parameters as of :func:`gamma`."""
    words = one_key("loggamma", key)
    dtype = float_dtype("loggamma", dtype)
    return _gamma(words, a, shape_of_result("loggamma", shape, a), dtype, True)


def chisquare(
    key: Any, df: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw from the chi-square distribution: the sum of ``df`` squares of normal numbers.

    Parameters
    ----------
    key : key
    df : float scalar or array
        Degrees of freedom, positive.
    shape : int or sequence of int, optional
        By default that of ``df``, which must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("chisquare", key)
    dtype = float_dtype("chisquare", dtype)
    return _chisquare(words, df, shape_of_result("chisquare", shape, df), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _chisquare(words: Any, df: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    return 2 * jnp.exp(_gamma(words, convert(df, dtype) / 2, shape, dtype, True))


def f(
    key: Any,
    dfnum: Any,
    dfden: Any,
    shape: Any = None,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Any:
    """Draw from the F distribution: the ratio of two chi-square numbers, each by its freedom.

    Parameters
    ----------
    key : key
    dfnum, dfden : float scalars or arrays
        Degrees of freedom of the numerator and of the denominator.
    shape : int or sequence of int, optional
        By default that to which the parameters broadcast; else they must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("f", key)
    dtype = float_dtype("f", dtype)
    return _f(words, dfnum, dfden, shape_of_result("f", shape, dfnum, dfden), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _f(words: Any, dfnum: Any, dfden: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    dfnum, dfden = (spread(x, shape, dtype) for x in (dfnum, dfden))
    for_denominator, for_numerator = pairs(split_words(words, (2,)))
    numerator = _chisquare(for_numerator, dfnum, shape, dtype) / dfnum
    return numerator / (_chisquare(for_denominator, dfden, shape, dtype) / dfden)


def t(key: Any, df: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Draw from Student's t distribution.

    Parameters
    ----------
    key : key
    df : float scalar or array
        Degrees of freedom, positive.
    shape : int or sequence of int, optional
        By default that of ``df``, which must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("t", key)
    dtype = float_dtype("t", dtype)
    return _t(words, df, shape_of_result("t", shape, df), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _t(words: Any, df: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    half = spread(df, shape, dtype) / 2
    first, second = pairs(split_words(words, (2,)))
    drawn = normal_floats(first, shape, dtype)
    return drawn * jnp.sqrt(half / _gamma(second, half, shape, dtype, False))


# -- fractions -------------------------------------------------------------------------------------


def beta(
    key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw from the beta distribution with density proportional to ``x**(a-1) * (1-x)**(b-1)``.

    Parameters
    ----------
    key : key
    a, b : float scalars or arrays
        Positive.
    shape : int or sequence of int, optional
        By default that to which the parameters broadcast; else they must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("beta", key)
    dtype = float_dtype("beta", dtype)
    return _beta(words, a, b, shape_of_result("beta", shape, a, b), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _beta(words: Any, a: Any, b: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    first, second = pairs(split_words(words, (2,)))
    logs_a = _gamma(first, spread(a, shape, dtype), shape, dtype, True)
    logs_b = _gamma(second, spread(b, shape, dtype), shape, dtype, True)
    largest = jnp.maximum(logs_a, logs_b)
    part_a, part_b = jnp.exp(logs_a - largest), jnp.exp(logs_b - largest)
    return part_a / (part_a + part_b)


def dirichlet(
    key: Any, alpha: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw from the Dirichlet distribution: n positive numbers whose sum is one.

    Parameters
    ----------
    key : key
    alpha : float array, shape (..., n)
        Positive.
    shape : int or sequence of int, optional
        Shape of the result without the axis of length n; by default that of ``alpha`` without it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.

    Raises
    ------
    ValueError
        If ``alpha`` is a scalar, or does not broadcast to the shape.
    """
    words = one_key("dirichlet", key)
    dtype = float_dtype("dirichlet", dtype)
    given = typeof(alpha).shape
    if not given:
        raise ValueError("dirichlet requires alpha.ndim >= 1, got alpha.ndim == 0")
    *batch, count = given
    outer = tuple(batch) if shape is None else checked_shape("dirichlet", shape)
    return _dirichlet(words, alpha, (*outer, count), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _dirichlet(words: Any, alpha: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    logs = _gamma(words, alpha, shape, dtype, True)
    parts = jnp.exp(logs - lax.stop_gradient(jnp.max(logs, -1, keepdims=True)))
    return parts / jnp.sum(parts, -1, keepdims=True)


# -- points of balls -------------------------------------------------------------------------------


def generalized_normal(
    key: Any, p: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw from the distribution with density proportional to ``exp(-abs(x)**p)``.

    Parameters
    ----------
    key : key
    p : float
    shape : int or sequence of int
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("generalized_normal", key)
    dtype = float_dtype("generalized_normal", dtype)
    return _generalized_normal(words, p, checked_shape("generalized_normal", shape), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _generalized_normal(words: Any, p: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    first, second = pairs(split_words(words, (2,)))
    inverse = convert(jnp.divide(1, p), dtype)
    powers = _gamma(first, inverse, shape, dtype, False)
    return signs(second, shape, dtype) * jnp.power(powers, inverse)


def ball(
    key: Any, d: int, p: Any = 2, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw points of the unit ball of the p-norm, equally likely everywhere.

    Parameters
    ----------
    key : key
    d : int
        The dimension of the ball: the length of the last axis of the result.
    p : float
    shape : int or sequence of int
        Of the result without the last axis.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.

    References
    ----------
    Barthe, Guédon, Mendelson and Naor, "A probabilistic approach to the geometry of the l_p^n
    ball", Annals of Probability 33 (2005).
    """
    words = one_key("ball", key)
    dtype = float_dtype("ball", dtype)
    return _ball(words, p, checked_shape("ball", shape), int(d), dtype)


@staged_call(static_argnames=("shape", "d", "dtype"))
def _ball(words: Any, p: Any, shape: tuple[int, ...], d: int, dtype: Any) -> Any:
    first, second = pairs(split_words(words, (2,)))
    points = _generalized_normal(first, p, (*shape, d), dtype)
    slack = exponential_floats(second, shape, dtype)
    norm = jnp.sum(jnp.abs(points) ** convert(p, dtype), -1) + slack
    return points / jnp.power(norm, convert(jnp.divide(1, p), dtype))[..., None]


# -- counts ----------------------------------------------------------------------------------------


def poisson(
    key: Any, lam: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw how many independent events happen where ``lam`` are expected.

    Parameters
    ----------
    key : key
    lam : float scalar or array
        Not negative.
    shape : int or sequence of int, optional
        By default that of ``lam``, which must broadcast to it.
    dtype : dtype-like, optional
        An integer type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("poisson", key)
    dtype = int_dtype("poisson", dtype)
    shape = shape_of_result("poisson", shape, lam)
    return _poisson(words, lam, shape, dtype)


FEW = 10
"""Expected events up to which waiting times are added up one by one."""


@functools.partial(jit, static_argnames=("shape", "dtype"))
def _poisson(words: Any, lam: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    lam = spread(lam, shape, np.dtype(np.float32))
    few = jnp.isnan(lam) | (lam < FEW)
    counted = _few_events(words, jnp.where(few, lam, 0.0), shape, dtype)
    many = _many_events(words, jnp.where(few, 1e5, lam), shape, dtype)
    return jnp.where(lam == 0, 0, jnp.where(few, counted, many))


def _few_events(words: Any, lam: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Count exponential waiting times until their sum exceeds ``lam`` (Knuth)."""

    def waiting(state: Any) -> Any:
        return jnp.any(state[2] > -lam)

    def wait(state: Any) -> Any:
        words, count, total = state
        words, drawn = pairs(split_words(words, (2,)))
        count = jnp.where(total > -lam, count + 1, count)
        return words, count, total + jnp.log(uniform_floats(drawn, shape, lam.dtype, 0.0, 1.0))

    start = (jnp.asarray(words), jnp.zeros(shape, dtype), jnp.zeros(shape, lam.dtype))
    return while_loop(waiting, wait, start)[1] - 1


def _many_events(words: Any, lam: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Draw by transformed rejection.

    Hörmann, "The transformed rejection method for generating Poisson random variables",
    Insurance: Mathematics and Economics 12 (1993), algorithm PTRS.
    """
    b = 0.931 + 2.53 * jnp.sqrt(lam)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    quick = 0.9277 - 3.6224 / (b - 2)

    def undecided(state: Any) -> Any:
        return jnp.any(~state[2])

    def decide(state: Any) -> Any:
        words, count, accepted = state
        keys = split_words(words, (3,))
        u = uniform_floats(keys[1], shape, lam.dtype, 0.0, 1.0) - 0.5
        v = uniform_floats(keys[2], shape, lam.dtype, 0.0, 1.0)
        edge = 0.5 - jnp.abs(u)
        k = jnp.floor((2 * a / edge + b) * u + lam + 0.43)
        density = jnp.log(v * inverse_alpha / (a / (edge * edge) + b))
        bound = k * jnp.log(lam) - lam - lax.lgamma(k + 1)
        impossible = (k < 0) | ((edge < 0.013) & (v > edge))
        passes = ((edge >= 0.07) & (v <= quick)) | (~impossible & (density <= bound))
        return keys[0], jnp.where(passes, convert(k, dtype), count), accepted | passes

    none = jnp.full(shape, -1, dtype)
    start = (jnp.asarray(words), none, jnp.zeros(shape, bool))
    return while_loop(undecided, decide, start)[1]
