"""How are the elements of an array repeated, as a whole or each for itself?

A count known while tracing is a broadcast along a fresh axis and a reshape. Counts that differ
need a table of positions; if they are traced too, the length of the result must be given.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minijax import lax
from minijax.numpy.axes import canonical_axis, refuse_tracers
from minijax.numpy.convert import asarray
from minijax.numpy.cumulative import cumsum
from minijax.numpy.promotion import as_operand, check_arraylike, constant_like
from minijax.numpy.shapes import operand
from minijax.numpy.taking import take


def tile(A: Any, reps: Any) -> Any:
    """Repeat an array as a whole along axes.

    Parameters
    ----------
    A : array_like
    reps : int or sequence of int
        Aligned with the last axes; further ones are added.

    Examples
    --------
    >>> tile(asarray([1, 2]), 2)
    Array([1, 2, 1, 2], dtype=int32)
    """
    x = operand("tile", A)
    refuse_tracers(reps, "reps of jax.numpy.tile")
    counts = (operator.index(reps),) if np.ndim(reps) == 0 else tuple(map(operator.index, reps))
    rank = max(x.ndim, len(counts))
    shape = (1,) * (rank - x.ndim) + x.shape
    counts = (1,) * (rank - len(counts)) + counts
    doubled = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)
    kept = tuple(2 * (rank - x.ndim + i) + 1 for i in range(x.ndim))
    repeated = lax.broadcast_in_dim(x, doubled, kept)
    return lax.reshape(repeated, tuple(n * m for n, m in zip(counts, shape, strict=True)))


def repeat(
    a: Any,
    repeats: Any,
    axis: int | None = None,
    *,
    total_repeat_length: int | None = None,
    out_sharding: Any = None,
) -> Any:
    """Repeat each element of an array along an axis.

    Parameters
    ----------
    a : array_like
    repeats : int or array_like of int
        How often, for all elements or each.
    axis : int, optional
        By default the array is seen as flat.
    total_repeat_length : int, optional
        Length of the result along the axis; needed if ``repeats`` is traced. The last element
        fills up, what is too much is cut off.
    out_sharding : None
        Accepted for compatibility.

    Examples
    --------
    >>> repeat(asarray([1, 2]), asarray([1, 3]))
    Array([1, 2, 2, 2], dtype=int32)
    """
    check_arraylike("repeat", a, repeats)
    x, counts = asarray(as_operand(a)), as_operand(repeats)
    if axis is None or x.ndim == 0:
        x, axis = lax.reshape(x, (x.size,)), 0
    axis = canonical_axis(axis, x.ndim)
    if total_repeat_length is None:
        refuse_tracers(
            counts,
            "repeats of jax.numpy.repeat: when jit-compiling jnp.repeat, the total number of "
            "repeats must be static. Specify total_repeat_length, or make repeats",
        )
        fixed = np.asarray(counts)
        if fixed.size == 1:
            return _repeat_each(x, int(fixed.reshape(())), axis)
        if fixed.shape != (x.shape[axis],):
            raise ValueError(
                f"jnp.repeat: repeats of shape {fixed.shape} cannot be applied to an axis of "
                f"length {x.shape[axis]}"
            )
        rows = np.repeat(np.arange(fixed.size, dtype=np.int32), fixed)
        return take(x, rows, axis)
    return _repeat_traced(x, asarray(counts), axis, total_repeat_length)


def _repeat_each(x: Any, count: int, axis: int) -> Any:
    shape = (*x.shape[: axis + 1], count, *x.shape[axis + 1 :])
    kept = tuple(d for d in range(len(shape)) if d != axis + 1)
    longer = (*x.shape[:axis], x.shape[axis] * count, *x.shape[axis + 1 :])
    return lax.reshape(lax.broadcast_in_dim(x, shape, kept), longer)


def _repeat_traced(x: Any, counts: Any, axis: int, total: int) -> Any:
    """Repeat elements by traced counts into an axis of a given length.

    Where an element begins stands a 1; the running sum of those says which element it is.
    """
    length = x.shape[axis]
    counts = lax.broadcast_in_dim(lax.reshape(counts, (counts.size,)), (length,), (0,))
    if length == 0:
        return lax.full((*x.shape[:axis], total, *x.shape[axis + 1 :]), 0, x.dtype)
    starts = lax.sub(cumsum(counts), counts)
    numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
    marks = lax.scatter_add(
        lax.full((total,), 0, np.int32),
        lax.expand_dims(starts, (1,)),
        lax.full((length,), 1, np.int32),
        numbers,
        mode="drop",
    )
    rows = cumsum(marks)
    return take(x, lax.sub(rows, constant_like(rows, 1)), axis)
