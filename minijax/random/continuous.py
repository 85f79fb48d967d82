"""How are floats of a given distribution drawn?

Nearly all from one uniform number each, by the inverse of the distribution function: if ``u`` is
uniform in (0, 1) and ``F`` is increasing, then the inverse of ``F`` at ``u`` has the distribution
function ``F``. The bounds of ``u`` are chosen so that the inverse stays finite.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.numpy.calls import staged_call
from minijax.primitives.conversion import convert
from minijax.random.keys import one_key
from minijax.random.threefry import split_words
from minijax.random.uniform import (
    check_broadcast,
    checked_shape,
    float_dtype,
    pairs,
    to_rank,
    uniform_floats,
)


def _constant(value: Any, dtype: Any) -> np.ndarray:
    return np.asarray(value, dtype)


def _bounds_of(dtype: Any) -> Any:
    return dtypes.finfo(dtype)


# -- normal ----------------------------------------------------------------------------------------


def normal(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Draw from the normal distribution with mean 0 and variance 1.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    dtype : dtype-like, optional
        A float or complex type, by default the default float. Complex numbers have independent
        parts of variance 1/2 each.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    array of ``shape`` and ``dtype``

    Raises
    ------
    ValueError
        If ``key`` is an array of keys, or ``dtype`` neither float nor complex.

    Examples
    --------
    >>> from minijax import random
    >>> random.normal(random.key(42))
    Array(-0.02830462, dtype=float32)
    """
    words = one_key("normal", key)
    dtype = float_dtype("normal", dtype, "float or complex")
    return _normal(words, checked_shape("normal", shape), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _normal(words: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    if not dtypes.issubdtype(dtype, np.complexfloating):
        return _normal_real(words, shape, dtype)
    part = _bounds_of(dtype).dtype
    real, imaginary = (_normal_real(w, shape, part) for w in pairs(split_words(words, (2,))))
    scale = 1 / _constant(math.sqrt(2), part)
    return lax.complex(lax.mul(real, scale), lax.mul(imaginary, scale))


@staged_call(static_argnames=("shape", "dtype"))
def _normal_real(words: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    low = np.nextafter(_constant(-1, dtype), _constant(0, dtype))
    u = uniform_floats(words, shape, dtype, low, _constant(1, dtype))
    return lax.mul(_constant(math.sqrt(2), dtype), lax.erf_inv(u))


normal_floats = _normal
"""``normal`` of the words of a key, a tuple and a dtype, for use by other samplers."""


def truncated_normal(
    key: Any,
    lower: Any,
    upper: Any,
    shape: Any = None,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Any:
    """Draw from the normal distribution restricted to an interval.

    Parameters
    ----------
    key : key
    lower, upper : float scalars or arrays
        The bounds, which do not belong to the interval.
    shape : int or sequence of int, optional
        By default that to which the bounds broadcast; else they must broadcast to it.
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.

    Examples
    --------
    >>> from minijax import random
    >>> random.truncated_normal(random.key(0), -2, 2, (2,))
    Array([1.455959 , 1.7147484], dtype=float32)
    """
    words = one_key("truncated_normal", key)
    dtype = float_dtype("truncated_normal", dtype)
    given = [typeof(x).shape for x in (lower, upper)]
    if shape is None:
        shape = lax.broadcast_shapes(*given)
    shape = checked_shape("truncated_normal", shape)
    check_broadcast("truncated_normal", shape, *given)
    return _truncated_normal(words, lower, upper, shape, dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _truncated_normal(
    words: Any, lower: Any, upper: Any, shape: tuple[int, ...], dtype: Any
) -> Any:
    root = _constant(math.sqrt(2), dtype)
    lower, upper = (to_rank(convert(x, dtype), len(shape)) for x in (lower, upper))
    low, high = (lax.erf(lax.mul(x, 1 / root)) for x in (lower, upper))
    drawn = lax.mul(root, lax.erf_inv(uniform_floats(words, shape, dtype, low, high)))
    # Rounding must not carry a result to the bounds or beyond.
    least = lax.nextafter(lax.stop_gradient(lower), _constant(np.inf, dtype))
    most = lax.nextafter(lax.stop_gradient(upper), _constant(-np.inf, dtype))
    return lax.min(most, lax.max(least, drawn))


# -- distributions without parameters --------------------------------------------------------------


def exponential(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Draw from the exponential distribution with density ``exp(-x)`` for x >= 0.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("exponential", key)
    dtype = float_dtype("exponential", dtype)
    return _exponential(words, checked_shape("exponential", shape), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _exponential(words: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    u = uniform_floats(words, shape, dtype, 0.0, 1.0)
    return lax.neg(lax.log1p(lax.neg(u)))


exponential_floats = _exponential
"""``exponential`` of the words of a key, a tuple and a dtype, for use by other samplers."""


def gumbel(
    key: Any, shape: Any = (), dtype: Any = None, mode: Any = None, *, out_sharding: Any = None
) -> Any:
    """Draw from the Gumbel distribution with density ``exp(-x - exp(-x))``.

    The index of the largest of several logarithms of weights, each plus a Gumbel number, has the
    distribution that the weights give: see :func:`categorical`.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    dtype : dtype-like, optional
        A float type, by default the default one.
    mode : {None, "low", "high"}
        "high" draws more bits for each number, for exact tails; the default is "low".
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("gumbel", key)
    dtype = float_dtype("gumbel", dtype)
    return gumbel_floats(words, checked_shape("gumbel", shape), dtype, checked_mode(mode))


def checked_mode(mode: Any) -> str:
    """Return "low" or "high"; ValueError for anything else but None."""
    if mode not in (None, "high", "low"):
        raise ValueError(f"Must provide valid mode for gumbel got: {mode}")
    return mode or "low"


@staged_call(static_argnames=("shape", "dtype", "mode"))
def _gumbel(words: Any, shape: tuple[int, ...], dtype: Any, mode: str) -> Any:
    info = _bounds_of(dtype)
    tiny = _constant(info.tiny, dtype)
    if mode == "low":
        u = uniform_floats(words, shape, dtype, tiny, 1.0)
        return lax.neg(lax.log(lax.neg(lax.log(u))))
    # Of two draws the second fills the gaps between the values that the first can have; only
    # below one half are there floats in these gaps.
    coarse, fine = pairs(uniform_floats(words, (2, *shape), dtype, 0.0, 1.0))
    refined = lax.add(lax.add(coarse, lax.mul(_constant(info.eps, dtype), fine)), tiny)
    u = lax.select(lax.ge(coarse, _constant(0.5, dtype)), coarse, refined)
    return lax.neg(lax.log(lax.neg(lax.log1p(lax.neg(u)))))


gumbel_floats = _gumbel
"""``gumbel`` of the words of a key, a tuple, a dtype and a mode."""


def laplace(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Draw from the Laplace distribution with density ``exp(-|x|) / 2``.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("laplace", key)
    dtype = float_dtype("laplace", dtype)
    return _laplace(words, checked_shape("laplace", shape), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _laplace(words: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    low = _constant(-1 + float(_bounds_of(dtype).epsneg), dtype)
    u = uniform_floats(words, shape, dtype, low, 1.0)
    return lax.mul(lax.sign(u), lax.log1p(lax.neg(lax.abs(u))))


def logistic(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Draw from the logistic distribution, whose distribution function is the sigmoid.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("logistic", key)
    dtype = float_dtype("logistic", dtype)
    return _logistic(words, checked_shape("logistic", shape), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _logistic(words: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    u = uniform_floats(words, shape, dtype, _constant(_bounds_of(dtype).tiny, dtype), 1.0)
    return lax.sub(lax.log(u), lax.log1p(lax.neg(u)))


def cauchy(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Draw from the Cauchy distribution with density ``1 / (pi * (1 + x**2))``.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    dtype : dtype-like, optional
        A float type, by default the default one.
    out_sharding : None
        Accepted for compatibility.
    """
    words = one_key("cauchy", key)
    dtype = float_dtype("cauchy", dtype)
    return _cauchy(words, checked_shape("cauchy", shape), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _cauchy(words: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    u = uniform_floats(words, shape, dtype, _constant(_bounds_of(dtype).eps, dtype), 1.0)
    angle = lax.mul(_constant(math.pi, dtype), lax.sub(u, _constant(0.5, dtype)))
    return lax.tan(angle)
