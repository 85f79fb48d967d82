"""How do numbers along an axis become probabilities, or numbers of mean 0 and variance 1?

Everything with exponentials first subtracts the maximum: the result does not depend on it, and no
exponential overflows. For the same reason the maximum is taken for a constant in derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import minijax.numpy as jnp
from minijax import lax
from minijax.core import dtypes
from minijax.numpy.calls import staged_call
from minijax.numpy.promotion import check_arraylike, promote_args_inexact

# -- logarithms of sums of exponentials ------------------------------------------------------------


def logsumexp(
    a: Any,
    axis: Any = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: Any = None,
) -> Any:
    """Logarithm of the sum of exponentials: ``log(sum(b * exp(a)))``, without overflow.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
        Axes to sum over, by default all.
    b : array_like, optional
        Factors, which broadcast with ``a``.
    keepdims : bool
        Keep the summed axes with length one.
    return_sign : bool
        Return the logarithm of the absolute value of the sum, and the sign of the sum (for
        complex numbers its direction).
    where : bool array_like, optional
        Which elements count.

    Returns
    -------
    array of floats, or a pair of them with ``return_sign``
        Without ``return_sign`` the logarithm of a negative sum is NaN; of no elements it is -inf.

    Examples
    --------
    >>> logsumexp(np.array([1000., 1000.]))
    Array(1000.6932, dtype=float32)
    """
    if b is None:
        (a,) = promote_args_inexact("logsumexp", a)
    else:
        a, b = promote_args_inexact("logsumexp", a, b)
        a = jnp.where(jnp.not_equal(b, 0), a, -jnp.inf)  # 0 * exp(inf) must not be NaN
    a = jnp.asarray(a)
    if where is not None:
        a = jnp.where(where, a, 0)
    largest = jnp.max(a.real, axis=axis, keepdims=keepdims, where=where, initial=-jnp.inf)
    shift = lax.stop_gradient(lax.select(jnp.isfinite(largest), largest, lax.full_like(largest, 0)))
    exponentials = jnp.exp(a - _with_axes(shift, axis, keepdims, a.ndim).astype(a.dtype))
    if b is not None:
        exponentials = exponentials * b
    total = jnp.sum(exponentials, axis=axis, keepdims=keepdims, where=where)
    return _log_of_total(total, shift, b is not None, return_sign)


def _log_of_total(total: Any, shift: Any, can_be_negative: bool, return_sign: bool) -> Any:
    is_complex = dtypes.issubdtype(total.dtype, np.complexfloating)
    if is_complex and not return_sign:
        return jnp.log(total) + shift.astype(total.dtype)
    sign = jnp.sign(total)
    out = jnp.log(jnp.abs(total)) + shift
    if return_sign:
        return out, sign
    return jnp.where(sign < 0, jnp.nan, out) if can_be_negative else out


def _with_axes(x: Any, axis: Any, keepdims: bool, ndim: int) -> Any:
    """Give back to a reduction the axes that were reduced, with length one."""
    if keepdims:
        return x
    axes = range(ndim) if axis is None else axis
    return jnp.expand_dims(x, tuple(axes) if not isinstance(axes, int) else axes)


@staged_call(static_argnames=("axis", "keepdims"))
def logmeanexp(x: Any, axis: Any = None, where: Any = None, keepdims: bool = False) -> Any:
    """Logarithm of the mean of exponentials: ``log(mean(exp(x)))``, without overflow.

    Parameters
    ----------
    x : array_like
    axis : int or sequence of int, optional
        Axes to average over, by default all.
    where : bool array_like, optional
        Which elements count.
    keepdims : bool
        Keep the averaged axes with length one.
    """
    total = logsumexp(x, axis=axis, where=where, keepdims=keepdims)
    if where is None:
        count: Any = jnp.size(x) if axis is None else _length(jnp.shape(x), axis)
        return total - jnp.log(np.asarray(count, total.dtype))
    shape = np.broadcast_shapes(jnp.shape(x), jnp.shape(where))
    counted = jnp.broadcast_to(where, shape)
    return total - jnp.log(jnp.sum(counted, axis=axis, keepdims=keepdims, dtype=total.dtype))


def _length(shape: tuple[int, ...], axis: Any) -> int:
    axes = (axis,) if isinstance(axis, int) else axis
    return int(np.prod([shape[i] for i in axes], dtype=np.int64))


# -- probabilities ---------------------------------------------------------------------------------


def _shifted(name: str, x: Any, axis: Any, where: Any) -> tuple[Any, Any]:
    """Return ``x`` less its maximum, -inf where it does not count, and its exponential."""
    check_arraylike(name, x)
    largest = jnp.max(x, axis, where=where, initial=-jnp.inf, keepdims=True)
    counted = x if where is None else jnp.where(where, x, -jnp.inf)
    shifted = jnp.subtract(counted, lax.stop_gradient(largest))
    return shifted, jnp.exp(shifted)


def softmax(x: Any, axis: Any = -1, where: Any = None) -> Any:
    """Probabilities in proportion to exponentials: ``exp(x) / sum(exp(x))``.

    Parameters
    ----------
    x : array_like
    axis : int or sequence of int, optional
        Axes along which the result adds up to one; None means all.
    where : bool array_like, optional
        Which elements count; the others get 0.

    Returns
    -------
    array of floats

    Examples
    --------
    >>> softmax(np.array([0., 0.]))
    Array([0.5, 0.5], dtype=float32)
    """
    _, exponentials = _shifted("max", x, axis, where)
    total = jnp.sum(exponentials, axis, where=where, keepdims=True)
    result = exponentials / total
    return result if where is None else jnp.where(where, result, 0)


@staged_call(static_argnames=("axis",))
def log_softmax(x: Any, axis: Any = -1, where: Any = None) -> Any:
    """Logarithm of :func:`softmax`, exact where that is small.

    Parameters
    ----------
    x : array_like
    axis : int or sequence of int, optional
        Axes along which the exponentials of the result add up to one; None means all.
    where : bool array_like, optional
        Which elements count; the others get -inf.
    """
    shifted, exponentials = _shifted("log_softmax", x, axis, where)
    result = shifted - jnp.log(jnp.sum(exponentials, axis, where=where, keepdims=True))
    return result if where is None else jnp.where(where, result, -jnp.inf)


# -- mean and variance -----------------------------------------------------------------------------


@staged_call(static_argnames=("axis", "algorithm"))
def standardize(
    x: Any,
    axis: Any = -1,
    mean: Any = None,
    variance: Any = None,
    epsilon: Any = 1e-5,
    where: Any = None,
    *,
    algorithm: str = "fast",
) -> Any:
    """Subtract the mean and divide by the standard deviation.

    Parameters
    ----------
    x : array_like
    axis : int or sequence of int, optional
        Axes over which mean and variance are taken; None means all.
    mean, variance : array_like, optional
        Computed from ``x`` if not given.
    epsilon : float
        Added to the variance.
    where : bool array_like, optional
        Which elements count for mean and variance.
    algorithm : {"fast", "stable"}
        The variance as mean of squares less square of mean, or as mean of squared differences.

    Raises
    ------
    ValueError
        If there is no such algorithm.
    """
    check_arraylike("standardize", x)
    if algorithm not in ("fast", "stable"):
        raise ValueError(f"Unknown algorithm {algorithm!r}. Expected 'fast' or 'stable'.")
    if mean is None:
        mean = jnp.mean(x, axis, keepdims=True, where=where)
    if variance is None:
        variance = _variance(x, axis, mean, where, algorithm)
    return jnp.subtract(x, mean) * lax.rsqrt(jnp.asarray(variance + epsilon))


def _variance(x: Any, axis: Any, mean: Any, where: Any, algorithm: str) -> Any:
    if algorithm == "stable":
        return jnp.mean(jnp.square(jnp.subtract(x, mean)), axis, keepdims=True, where=where)
    squares = jnp.mean(jnp.square(x), axis, keepdims=True, where=where)
    return jnp.clip(squares - jnp.square(mean), 0)  # rounding can make it negative
