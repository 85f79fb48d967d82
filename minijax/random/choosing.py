"""How are things put in random order, and how is one of several chosen?

A random order is the order of random keys: :func:`permutation` sorts by random bits. One of
several things with given weights is chosen by the largest of the logarithms of the weights, each
plus a number with the Gumbel distribution (:func:`categorical`); the k largest are a choice of k
different ones.
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
from minijax.numpy.calls import staged_call
from minijax.numpy.promotion import check_arraylike
from minijax.primitives.top_k import top_k
from minijax.random.continuous import checked_mode, gumbel_floats
from minijax.random.keys import one_key
from minijax.random.threefry import random_bits, split_words
from minijax.random.uniform import (
    checked_shape,
    float_dtype,
    pairs,
    random_integers,
    uniform_floats,
)
from minijax.util import canonicalize_axis

# -- permutations ----------------------------------------------------------------------------------


def permutation(
    key: Any, x: Any, axis: int = 0, independent: bool = False, *, out_sharding: Any = None
) -> Any:
    """Put the elements along an axis in random order.

    Parameters
    ----------
    key : key
    x : int or array
        An integer n stands for the numbers 0 to n - 1.
    axis : int
        The axis along which to move elements.
    independent : bool
        Move each row along ``axis`` in its own way; by default all are moved alike.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    array of the shape and dtype of ``x``

    Raises
    ------
    TypeError
        If ``x`` is a scalar and not an integer.

    Examples
    --------
    >>> from minijax import random
    >>> random.permutation(random.key(0), 5)
    Array([0, 1, 4, 3, 2], dtype=int32)
    """
    words = one_key("permutation", key)
    check_arraylike("permutation", x)
    shape = typeof(x).shape
    axis = canonicalize_axis(axis, len(shape) or 1)
    if not shape:
        if not dtypes.issubdtype(typeof(x).dtype, np.integer):
            raise TypeError("x must be an integer or at least 1-dimensional")
        return _shuffle(words, jnp.arange(operator.index(x)), axis)
    if independent or len(shape) == 1:
        return _shuffle(words, jnp.asarray(x), axis)
    order = _shuffle(words, jnp.arange(shape[axis]), 0)
    return jnp.take(x, order, axis, unique_indices=True)


@staged_call(static_argnames=("axis",))
def _shuffle(words: Any, x: Any, axis: int) -> Any:
    # Two elements may draw the same key and then keep their order. Sorting a few times by fresh
    # keys makes that harmless: the chance that any two never get different ones is 1 / size.
    size = max(1, typeof(x).size)
    rounds = math.ceil(3 * math.log(size) / math.log(2**32 - 1))
    for _ in range(rounds):
        words, used = pairs(split_words(words, (2,)))
        order = random_bits(used, 32, typeof(x).shape)
        _, x = lax.sort_key_val(order, x, axis)
    return x


# -- choices ---------------------------------------------------------------------------------------


def categorical(
    key: Any,
    logits: Any,
    axis: int = -1,
    shape: Any = None,
    replace: bool = True,
    mode: Any = None,
    *,
    out_sharding: Any = None,
) -> Any:
    """Draw indices along an axis, with probabilities given by their logarithms.

    Parameters
    ----------
    key : key
    logits : float array
        Logarithms of weights, which need not add up to one.
    axis : int
        The axis whose indices are drawn.
    shape : int or sequence of int, optional
        Shape of the result; it ends with the shape of ``logits`` without ``axis``, up to
        broadcasting, and is by default that.
    replace : bool
        If False, the indices along the leading axes of ``shape`` are all different.
    mode : {None, "low", "high"}
        As in :func:`gumbel`.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    integer array

    Raises
    ------
    ValueError
        If ``shape`` does not fit, or there are not as many indices as are to be different.

    Examples
    --------
    >>> from minijax import random
    >>> logits = np.log(np.array([0.1, 0.9], np.float32))
    >>> random.categorical(random.key(0), logits, shape=(5,))
    Array([1, 1, 1, 1, 1], dtype=int32)
    """
    words = one_key("categorical", key)
    check_arraylike("categorical", logits)
    given = typeof(logits).shape
    if not -len(given) <= axis < len(given):
        raise IndexError(f"index {axis} is out of bounds for axis 0 with size {len(given)}")
    axis %= len(given)
    batch = (*given[:axis], *given[axis + 1 :])
    shape = batch if shape is None else checked_shape("categorical", shape)
    _check_ends_with(shape, batch)
    dtype = float_dtype("gumbel", typeof(logits).dtype)
    mode = checked_mode(mode)
    leading = shape[: len(shape) - len(batch)]
    if not replace:
        noisy = logits + gumbel_floats(words, given, dtype, mode)
        return _largest(noisy, math.prod(leading), axis).reshape(shape)
    inner = list(shape[len(leading) :])
    inner.insert(axis, given[axis])
    noise = gumbel_floats(words, (*leading, *inner), dtype, mode)
    noisy = noise + lax.expand_dims(logits, range(len(leading)))
    return jnp.argmax(noisy, axis=len(leading) + axis)


def _check_ends_with(shape: tuple[int, ...], batch: tuple[int, ...]) -> None:
    if lax.broadcast_shapes(shape, batch) != shape:
        raise ValueError(
            f"categorical parameter shapes must be broadcast-compatible with shape argument, and "
            "the result of broadcasting the shapes must equal the shape argument, but got result "
            f"{lax.broadcast_shapes(shape, batch)} for shape argument {shape}"
        )


def _largest(x: Any, count: int, axis: int) -> Any:
    """Return the indices of the largest elements along an axis, as the first axis."""
    length = typeof(x).shape[axis]
    if count > length:
        raise ValueError(
            f"Number of samples without replacement ({count}) cannot exceed number of categories "
            f"({length})."
        )
    _, order = top_k(x, count, axis=axis)
    return jnp.moveaxis(order, axis, 0)


def choice(
    key: Any,
    a: Any,
    shape: Any = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    mode: Any = None,
) -> Any:
    """Draw from given things.

    Parameters
    ----------
    key : key
    a : int or array
        An integer n stands for the numbers 0 to n - 1.
    shape : int or sequence of int
        How many to draw.
    replace : bool
        Whether the same thing may be drawn more than once.
    p : float array, shape (n,), optional
        Their probabilities, by default all equal.
    axis : int
        The axis of ``a`` along which the things stand.
    mode : {None, "low", "high"}
        As in :func:`gumbel`; it matters only with ``p`` and without replacement.

    Returns
    -------
    array
        The shape of ``a`` with ``shape`` in the place of ``axis``.

    Raises
    ------
    TypeError
        If ``a`` is neither an array nor a scalar.
    ValueError
        If there is nothing to draw from, more is asked for than there is, or ``p`` has another
        shape.

    Examples
    --------
    >>> from minijax import random
    >>> random.choice(random.key(0), 10, (3,), replace=False).shape
    (3,)
    """
    words = one_key("choice", key)
    check_arraylike("choice", a)
    shape = checked_shape("choice", shape)
    given = typeof(a).shape
    if given:
        axis = canonicalize_axis(axis, len(given))
        count, out_shape = given[axis], (*given[:axis], *shape, *given[axis + 1 :])
    else:
        count, out_shape = int(a), shape
    wanted = math.prod(shape)
    if wanted == 0:
        return jnp.zeros(out_shape, typeof(a).dtype)
    if count <= 0:
        raise ValueError("a must be greater than 0 unless no samples are taken")
    if not replace and wanted > count:
        raise ValueError(
            f"Cannot take a larger sample (size {wanted}) than population (size {count}) when "
            "'replace=False'"
        )
    if p is None:
        order = _equally_likely(words, count, shape, replace)
    else:
        order = _by_probability(words, count, shape, replace, p, checked_mode(mode))
    chosen = jnp.take(a, order, axis) if given else order
    return chosen.reshape(out_shape)


def _equally_likely(words: Any, count: int, shape: tuple[int, ...], replace: bool) -> Any:
    if replace:
        zero, end = (np.asarray(n, dtypes.default_int_dtype()) for n in (0, count))
        return random_integers(words, shape, zero, end, dtypes.default_int_dtype())
    return lax.slice_in_dim(_shuffle(words, jnp.arange(count), 0), 0, math.prod(shape))


def _by_probability(
    words: Any, count: int, shape: tuple[int, ...], replace: bool, p: Any, mode: str
) -> Any:
    check_arraylike("choice", p)
    p = jnp.asarray(p)
    dtype = dtypes.canonicalize_dtype(dtypes.to_inexact_dtype(p.dtype))
    p = p.astype(dtype)
    if p.shape != (count,):
        raise ValueError(
            "p must be None or a 1D vector with the same size as a.shape[axis]. p has shape "
            f"{p.shape} and a.shape[axis] is {count}."
        )
    if replace:
        cumulated = jnp.cumsum(p)
        u = 1 - uniform_floats(words, shape, dtype, 0.0, 1.0)
        order = jnp.searchsorted(cumulated, cumulated[-1] * u)
        return order.astype(dtypes.default_int_dtype())
    noisy = gumbel_floats(words, (count,), dtype, mode) + jnp.log(p)
    return _largest(noisy, math.prod(shape), 0).astype(dtypes.default_int_dtype())
