"""How are numbers of a distribution with parameters drawn?

From uniform, exponential or normal numbers, by a formula. The parameters are arrays; results have
the shape to which they broadcast, unless another one is asked for, and are differentiable in them
where the formula is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import minijax.numpy as jnp
from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.numpy.calls import staged_call
from minijax.primitives.conversion import convert
from minijax.random.continuous import exponential_floats, normal_floats
from minijax.random.keys import one_key
from minijax.random.threefry import split_words
from minijax.random.uniform import (
    check_broadcast,
    checked_shape,
    float_dtype,
    pairs,
    signs,
    uniform_floats,
)


def shape_of_result(name: str, shape: Any, *parameters: Any) -> tuple[int, ...]:
    """Return the shape asked for, by default that to which the parameters broadcast."""
    given = [typeof(x).shape for x in parameters]
    if shape is None:
        return lax.broadcast_shapes(*given)
    shape = checked_shape(name, shape)
    check_broadcast(name, shape, *given)
    return shape


def spread(x: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return a parameter in the dtype and shape of the result."""
    return jnp.broadcast_to(convert(x, dtype), shape)


# -- positive numbers ------------------------------------------------------------------------------


def pareto(
    key: Any, b: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw from the Pareto distribution with density ``b / x**(b + 1)`` for x >= 1.

    Parameters
    ----------
    key : key
    b : float scalar or array
        Positive.
    shape : int or sequence of int, optional
        By default that of ``b``, which must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("pareto", key)
    dtype = float_dtype("pareto", dtype)
    return _pareto(words, b, shape_of_result("pareto", shape, b), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _pareto(words: Any, b: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    return jnp.exp(exponential_floats(words, shape, dtype) / spread(b, shape, dtype))


def rayleigh(
    key: Any, scale: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw from the Rayleigh distribution: the length of a plane vector of normal numbers.

    Parameters
    ----------
    key : key
    scale : float scalar or array
        Standard deviation of the two normal numbers.
    shape : int or sequence of int, optional
        By default that of ``scale``, which must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("rayleigh", key)
    dtype = float_dtype("rayleigh", dtype)
    return _rayleigh(words, scale, shape_of_result("rayleigh", shape, scale), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _rayleigh(words: Any, scale: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    u = uniform_floats(words, shape, dtype, 0.0, 1.0)
    return spread(scale, shape, dtype) * jnp.sqrt(-2.0 * jnp.log(u))


def weibull_min(
    key: Any, scale: Any, concentration: Any, shape: Any = (), dtype: Any = None
) -> Any:
    """Draw from the Weibull distribution: the power ``1 / concentration`` of exponential numbers.

    Parameters
    ----------
    key : key
    scale : float scalar or array
        By which the numbers are multiplied.
    concentration : float scalar or array
    shape : int or sequence of int
        Of what is drawn; the parameters broadcast with it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    """
    words = one_key("weibull_min", key)
    dtype = float_dtype("weibull_min", dtype)
    shape = checked_shape("weibull_min", shape)
    return _weibull_min(words, scale, concentration, shape, dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _weibull_min(
    words: Any, scale: Any, concentration: Any, shape: tuple[int, ...], dtype: Any
) -> Any:
    exponent = convert(jnp.divide(1.0, concentration), dtype)
    drawn = exponential_floats(words, shape, dtype)
    return jnp.power(drawn, exponent) * convert(scale, dtype)


def lognormal(
    key: Any,
    sigma: Any = 1.0,
    shape: Any = None,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Any:
    """Draw numbers whose logarithms are normal with mean 0.

    Parameters
    ----------
    key : key
    sigma : float scalar or array
        Standard deviation of the logarithms.
    shape : int or sequence of int, optional
        By default that of ``sigma``, which must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("lognormal", key)
    dtype = float_dtype("lognormal", dtype)
    shape = shape_of_result("lognormal", shape, sigma)
    return jnp.exp(normal_floats(words, shape, dtype) * spread(sigma, shape, dtype))


def wald(
    key: Any, mean: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw from the Wald (inverse Gaussian) distribution of scale 1.

    Parameters
    ----------
    key : key
    mean : float scalar or array
    shape : int or sequence of int, optional
        By default that of ``mean``, which must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.

    References
    ----------
    Michael, Schucany and Haas, "Generating random variates using transformations with multiple
    roots", The American Statistician 30 (1976).
    """
    words = one_key("wald", key)
    dtype = float_dtype("wald", dtype)
    return _wald(words, mean, shape_of_result("wald", shape, mean), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _wald(words: Any, mean: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    first, second = pairs(split_words(words, (2,)))
    mean = spread(mean, shape, dtype)
    square = normal_floats(first, shape, dtype) ** 2
    u = uniform_floats(second, shape, dtype, 0.0, 1.0)
    root = jnp.sqrt(4 * mean * square + mean**2 * square**2)
    # Two numbers have the same square; which is taken depends on their densities.
    smaller = mean + mean**2 * square / 2 - mean / 2 * root
    return jnp.where(u <= mean / (mean + smaller), smaller, mean**2 / smaller)


# -- lengths of vectors ----------------------------------------------------------------------------


def maxwell(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Draw from the Maxwell distribution: the length of a vector of three normal numbers.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("maxwell", key)
    dtype = float_dtype("maxwell", dtype)
    return _maxwell(words, checked_shape("maxwell", shape), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _maxwell(words: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    vectors = normal_floats(words, (*shape, 3), dtype)
    return jnp.sqrt(jnp.sum(vectors * vectors, axis=-1))


def double_sided_maxwell(key: Any, loc: Any, scale: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Draw numbers ``loc + scale * sign * length`` with the length from :func:`maxwell`.

    Parameters
    ----------
    key : key
    loc, scale : float scalars or arrays
    shape : int or sequence of int
        Leading axes of the result; the shape to which ``loc`` and ``scale`` broadcast follows.
    dtype : dtype-like, optional
        A float type, by default the default one.
    """
    words = one_key("double_sided_maxwell", key)
    dtype = float_dtype("double_sided_maxwell", dtype)
    shape = checked_shape("double_sided_maxwell", shape)
    inner = lax.broadcast_shapes(typeof(loc).shape, typeof(scale).shape)
    return _double_sided_maxwell(words, loc, scale, (*shape, *inner), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _double_sided_maxwell(
    words: Any, loc: Any, scale: Any, shape: tuple[int, ...], dtype: Any
) -> Any:
    first, second = pairs(split_words(words, (2,)))
    lengths = _maxwell(first, shape, dtype)
    return signs(second, shape, dtype) * lengths * convert(scale, dtype) + convert(loc, dtype)


# -- bounded numbers and counts --------------------------------------------------------------------


def triangular(
    key: Any,
    left: Any,
    mode: Any,
    right: Any,
    shape: Any = None,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Any:
    """Draw from the distribution whose density rises from ``left`` to ``mode``, falls to ``right``.

    Parameters
    ----------
    key : key
    left, mode, right : float scalars or arrays
    shape : int or sequence of int, optional
        By default that to which the parameters broadcast; else they must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("triangular", key)
    dtype = float_dtype("triangular", dtype)
    shape = shape_of_result("triangular", shape, left, mode, right)
    left, mode, right = (spread(x, shape, dtype) for x in (left, mode, right))
    u = uniform_floats(words, shape, dtype, 0.0, 1.0)
    width = right - left
    rising = left + jnp.sqrt(u * width * (mode - left))
    falling = right - jnp.sqrt((1 - u) * width * (right - mode))
    return lax.select(u < (mode - left) / width, rising, falling)


def geometric(
    key: Any, p: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw how often one must try until an event of probability ``p`` happens: 1, 2, …

    Parameters
    ----------
    key : key
    p : float scalar or array
    shape : int or sequence of int, optional
        By default that of ``p``, which must broadcast to it.
    dtype : dtype-like, optional
        An integer type, by default the default one.
    out_sharding : None
        Accepted for compatibility.

    Raises
    ------
    ValueError
        If ``dtype`` is not an integer type.
    """
    words = one_key("geometric", key)
    dtype = int_dtype("geometric", dtype)
    return _geometric(words, p, shape_of_result("geometric", shape, p), dtype)


def int_dtype(name: str, dtype: Any) -> np.dtype:
    """Return the dtype of counts; None is the default integer."""
    if dtype is None:
        return dtypes.default_int_dtype()
    if not dtypes.issubdtype(dtype, np.integer):
        raise ValueError(f"dtype argument to `{name}` must be an int dtype, got {dtype}")
    return dtypes.check_and_canonicalize_user_dtype(dtype, name)


@staged_call(static_argnames=("shape", "dtype"))
def _geometric(words: Any, p: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    p = convert(p, dtypes.canonicalize_dtype(dtypes.to_inexact_dtype(typeof(p).dtype)))
    u = uniform_floats(words, shape, p.dtype, 0.0, 1.0)
    u = jnp.where(u == 0.0, 1, u)
    tries = jnp.floor(jnp.log(u) / jnp.broadcast_to(jnp.log1p(-p), shape))
    return convert(tries + 1, dtype)
