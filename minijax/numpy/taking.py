"""How are elements read at positions given by an array of indices?

All of it is ``gather``. Negative indices count from the end. What happens out of bounds is the
caller's choice, for nothing can be raised in a running program: by default the result is NaN, or
the smallest integer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.core.trace import Tracer
from minijax.errors import ConcretizationTypeError
from minijax.numpy.axes import canonical_axis, refuse_tracers
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.division import remainder
from minijax.numpy.joining import concatenate, stack
from minijax.numpy.promotion import (
    as_operand,
    check_arraylike,
    constant_like,
    dtype_of,
    promote_dtypes,
)
from minijax.numpy.selection import pick
from minijax.numpy.shapes import broadcast_to, operand, ravel
from minijax.primitives.conversion import convert


def is_integer(x: Any) -> bool:
    """Tell whether an operand is of integers."""
    return dtypes.issubdtype(dtype_of(x), np.integer)


def wrap_negative(indices: Any, length: int) -> Any:
    """Let negative indices count from the end of an axis."""
    if dtypes.issubdtype(dtype_of(indices), np.unsignedinteger):
        return indices
    negative = lax.lt(indices, constant_like(indices, 0))
    return pick(negative, lax.add(indices, constant_like(indices, length)), indices)


def normal_indices(indices: Any, length: int, mode: str | None) -> tuple[Any, str]:
    """Return indices as ``gather`` wants them for a mode of ``take``, and its mode."""
    if mode == "raise":
        raise NotImplementedError("The 'raise' mode to jnp.take is not supported.")
    if mode == "wrap":
        return remainder(indices, constant_like(indices, length)), "promise_in_bounds"
    if mode == "clip":
        return indices, "clip"
    if mode in (None, "fill"):
        return wrap_negative(indices, length), "fill"
    if mode == "promise_in_bounds":
        return indices, mode
    raise ValueError(f"Invalid mode '{mode}' for np.take")


def take(
    a: Any,
    indices: Any,
    axis: int | None = None,
    out: None = None,
    mode: str | None = None,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    fill_value: Any = None,
) -> Any:
    """Read the elements, or the slices, at the given positions of an axis.

    Parameters
    ----------
    a : array_like
    indices : array_like of int
        Its axes replace ``axis`` in the result.
    axis : int, optional
        By default the array is seen as flat.
    out : None
        Not supported.
    mode : "fill", "clip", "wrap" or "promise_in_bounds", optional
        What to do with indices out of bounds: give ``fill_value`` (the default), the nearest
        element, count modulo the length, or promise that there are none.
    unique_indices, indices_are_sorted : bool
        Promises that a compiler may use.
    fill_value : scalar, optional
        By default NaN, or the smallest signed and largest unsigned integer.

    Examples
    --------
    >>> take(asarray([5, 6, 7]), asarray([2, -3]))
    Array([7, 5], dtype=int32)
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.take is not supported.")
    check_arraylike("take", a, indices)
    x, where = asarray(as_operand(a)), as_operand(indices)
    if not is_integer(where):
        raise ValueError("indices must have an integer type")
    if axis is None:
        x, axis = lax.reshape(x, (x.size,)), 0
    return _take(
        x, where,
        axis=canonical_axis(axis, x.ndim), mode=mode, unique_indices=unique_indices,
        indices_are_sorted=indices_are_sorted, fill_value=fill_value,
    )  # fmt: skip


@staged_call(static_argnames=("axis", "mode", "unique_indices", "indices_are_sorted", "fill_value"))
def _take(
    x: Any,
    indices: Any,
    *,
    axis: int,
    mode: str | None,
    unique_indices: bool,
    indices_are_sorted: bool,
    fill_value: Any,
) -> Any:
    length, rank = x.shape[axis], len(typeof(indices).shape)
    if length == 0:
        if typeof(indices).size:
            raise ValueError("Cannot take from an empty axis.")
        shape = (*x.shape[:axis], *typeof(indices).shape, *x.shape[axis + 1 :])
        return lax.full(shape, 0, x.dtype)
    indices, gather_mode = normal_indices(indices, length, mode)
    table = lax.expand_dims(indices, (rank,))
    offsets = (*range(axis), *range(axis + rank, x.ndim - 1 + rank))
    return lax.gather(
        x,
        table,
        lax.GatherDimensionNumbers(offsets, (axis,), (axis,)),
        (*x.shape[:axis], 1, *x.shape[axis + 1 :]),
        unique_indices=unique_indices,
        indices_are_sorted=indices_are_sorted,
        mode=gather_mode,
        fill_value=fill_value,
    )


def take_along_axis(
    arr: Any,
    indices: Any,
    axis: int | None = -1,
    mode: Any = None,
    fill_value: Any = None,
    *,
    wrap_negative_indices: bool | None = None,
) -> Any:
    """Read one element per index: ``out[i, j] = arr[i, indices[i, j]]`` along the last axis.

    Parameters
    ----------
    arr : array_like
    indices : array_like of int
        Of the rank of ``arr``; the other axes are broadcast.
    axis : int, optional
        None means that ``arr`` is seen as flat.
    mode : "fill", "clip" or "promise_in_bounds", optional
        What to do with indices out of bounds; see :func:`take`.
    fill_value : scalar, optional
        For ``mode="fill"``.
    wrap_negative_indices : bool, optional
        Let negative indices count from the end; true by default.

    Raises
    ------
    ValueError
        If the ranks differ.
    TypeError
        If the indices are not integers.

    Examples
    --------
    >>> x = asarray([[3, 1], [4, 1]])
    >>> take_along_axis(x, asarray([[1], [0]]), axis=1).tolist()
    [[1], [4]]
    """
    check_arraylike("take_along_axis", arr, indices)
    x, where = asarray(as_operand(arr)), asarray(as_operand(indices))
    if not is_integer(where):
        raise TypeError(f"take_along_axis indices must be of integer type, got {where.dtype.name}")
    if axis is None:
        if where.ndim != 1:
            raise ValueError(
                f"take_along_axis indices must be 1D if axis=None, got shape {where.shape}"
            )
        x, axis = lax.reshape(x, (x.size,)), 0
    if x.ndim != where.ndim:
        raise ValueError(
            f"indices and arr must have the same number of dimensions; {where.ndim} vs. {x.ndim}"
        )
    wrap = wrap_negative_indices is not False
    return _along(
        x, where, axis=canonical_axis(axis, x.ndim), mode=mode, fill_value=fill_value, wrap=wrap
    )


@staged_call(static_argnames=("axis", "mode", "fill_value", "wrap"))
def _along(x: Any, indices: Any, *, axis: int, mode: Any, fill_value: Any, wrap: bool) -> Any:
    common = lax.broadcast_shapes(
        _with_length(x.shape, axis, 1), _with_length(indices.shape, axis, 1)
    )
    x = broadcast_to(x, _with_length(common, axis, x.shape[axis]))
    indices = broadcast_to(indices, _with_length(common, axis, indices.shape[axis]))
    if wrap:
        indices = wrap_negative(indices, x.shape[axis])
    others = tuple(d for d in range(x.ndim) if d != axis)
    numbers = lax.GatherDimensionNumbers((), (axis,), (axis,), others, others)
    table = lax.expand_dims(indices, (x.ndim,))
    return lax.gather(
        x, table, numbers, (1,) * x.ndim, mode="fill" if mode is None else mode,
        fill_value=fill_value,
    )  # fmt: skip


def _with_length(shape: tuple[int, ...], axis: int, length: int) -> tuple[int, ...]:
    return (*shape[:axis], length, *shape[axis + 1 :])


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    """Choose each element from one of several arrays: ``out[i] = choices[a[i]][i]``.

    Parameters
    ----------
    a : array_like of int
    choices : sequence of array_like
        Broadcast to one shape, together with ``a``.
    out : None
        Not supported.
    mode : "clip" or "wrap"
        What to do with indices out of bounds. "raise" needs indices that are known.

    Examples
    --------
    >>> choose(asarray([0, 1]), [asarray([1, 2]), asarray([3, 4])])
    Array([1, 4], dtype=int32)
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.choose is not supported.")
    index = operand("choose", a)
    if not is_integer(index):
        raise ValueError("`a` array must be integer typed")
    arrays = [asarray(x) for x in promote_dtypes(*map(as_operand, choices))]
    count = len(arrays)
    if mode == "raise":
        if isinstance(index, Tracer) and index.concrete_value() is None:
            raise ConcretizationTypeError(
                index,
                "The error occurred because jnp.choose was jit-compiled with mode='raise'. Use "
                "mode='wrap' or mode='clip' instead.",
            )
        if bool(np.any((np.asarray(index) < 0) | (np.asarray(index) >= count))):
            raise ValueError("invalid entry in choice array")
    elif mode == "clip":
        index = lax.clamp(constant_like(index, 0), index, constant_like(index, count - 1))
    elif mode == "wrap":
        index = remainder(index, constant_like(index, count))
    else:
        raise ValueError(f"mode={mode!r} not understood. Must be 'raise', 'wrap', or 'clip'")
    shape = lax.broadcast_shapes(index.shape, *(x.shape for x in arrays))
    index = broadcast_to(convert(index, np.dtype(np.int32)), shape)
    table = stack([broadcast_to(x, shape) for x in arrays])
    picked = take_along_axis(table, lax.expand_dims(index, (0,)), 0)
    return lax.squeeze(picked, (0,))


# -- leaving out and inserting -------------------------------------------------------------------


def _positions(obj: Any, length: int, name: str) -> np.ndarray:
    """Return positions on an axis, which must be known, as non-negative integers."""
    if isinstance(obj, slice):
        return np.arange(length)[obj]
    check_arraylike(name, 0, obj)
    refuse_tracers(obj, f"obj of jax.numpy.{name}")
    where = np.asarray(obj)
    if where.dtype == bool:
        return np.flatnonzero(where)
    if where.dtype.kind not in "iu":
        raise ValueError(f"np.{name}(arr, obj): for arr.ndim > 0, obj must be an integer")
    limit = length + (name == "insert")
    if where.size and not (np.all(where >= -length) and np.all(where < limit)):
        bad = where[(where < -length) | (where >= limit)].ravel()[0]
        raise ValueError(f"axis {bad} is out of bounds for array of dimension {length}")
    return np.where(where < 0, where + length, where)


def delete(
    arr: Any, obj: Any, axis: int | None = None, *, assume_unique_indices: bool = False
) -> Any:
    """Return an array without some elements or slices.

    Parameters
    ----------
    arr : array_like
    obj : int, slice or array_like of int or bool
        Which positions to leave out; must be known while tracing, except for one position.
    axis : int, optional
        By default the array is seen as flat.
    assume_unique_indices : bool
        A promise with which ``obj`` may be a traced array too.

    Examples
    --------
    >>> delete(asarray([5, 6, 7]), 1)
    Array([5, 7], dtype=int32)
    """
    x = operand("delete", arr)
    if axis is None:
        x, axis = ravel(x), 0
    axis = canonical_axis(axis, x.ndim)
    if isinstance(obj, Tracer) and (assume_unique_indices or obj.ndim == 0):
        return _delete_traced(x, lax.reshape(obj, (obj.size,)), axis)
    dropped = _positions(obj, x.shape[axis], "delete")
    kept = np.setdiff1d(np.arange(x.shape[axis]), dropped).astype(np.int32)
    return take(x, kept, axis, mode="promise_in_bounds")


def _delete_traced(x: Any, obj: Any, axis: int) -> Any:
    """Leave out distinct positions: each element comes from as many places further on as
    positions before it are left out."""
    length, count = x.shape[axis], obj.shape[0]
    dropped = lax.sort(wrap_negative(convert(obj, np.dtype(np.int32)), length))
    before = lax.sub(dropped, lax.iota(dropped.dtype, count))
    place = lax.iota(dropped.dtype, length - count)
    shape = (length - count, count)
    passed = lax.le(
        lax.broadcast_in_dim(before, shape, (1,)), lax.broadcast_in_dim(place, shape, (0,))
    )
    shift = lax.reduce_sum(convert(passed, dropped.dtype), (1,))
    return take(x, lax.add(place, shift), axis, mode="promise_in_bounds")


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Return an array with elements or slices inserted.

    Parameters
    ----------
    arr : array_like
    obj : int, slice or array_like of int
        Before which positions; must be known while tracing.
    values : array_like
        Broadcast to what is inserted, and converted to the dtype of ``arr``.
    axis : int, optional
        By default the array is seen as flat.

    Examples
    --------
    >>> insert(asarray([1, 2, 3]), 1, 9)
    Array([1, 9, 2, 3], dtype=int32)
    """
    x, v = operand("insert", arr), operand("insert", values)
    if axis is None:
        x, axis = ravel(x), 0
    axis = canonical_axis(axis, x.ndim)
    length = x.shape[axis]
    if isinstance(obj, Tracer) and obj.ndim == 0:
        return _insert_traced(x, obj, convert(v, x.dtype), axis)
    where = _positions(obj, length, "insert")
    v = convert(lax.broadcast_to_rank(v, x.ndim), x.dtype)
    if where.ndim == 0:
        v = _first_axis_to(v, axis)
        where = np.full(v.shape[axis], where)
    count = where.size
    block = broadcast_to(v, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    order = np.argsort(where, kind="stable")
    total = length + count
    from_values = np.zeros(total, bool)
    places = where.ravel()[order] + np.arange(count)
    from_values[places] = True
    source = np.empty(total, np.int32)
    source[places] = length + order
    source[~from_values] = np.arange(length)
    return take(concatenate([x, block], axis), source, axis, mode="promise_in_bounds")


def _first_axis_to(values: Any, axis: int) -> Any:
    """Move the first axis: with a single position that is the one to be inserted."""
    order = (*range(1, axis + 1), 0, *range(axis + 1, values.ndim))
    return lax.transpose(values, order)


def _insert_traced(x: Any, obj: Any, values: Any, axis: int) -> Any:
    values = _first_axis_to(lax.broadcast_to_rank(values, x.ndim), axis)
    length, count = x.shape[axis], values.shape[axis]
    values = broadcast_to(values, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    start = wrap_negative(convert(obj, np.dtype(np.int32)), length)
    place = lax.iota(start.dtype, length + count)
    offset = lax.sub(place, broadcast_to(start, place.shape))
    inside = lax.bitwise_and(
        lax.ge(offset, constant_like(offset, 0)), lax.lt(offset, constant_like(offset, count))
    )
    outside = pick(
        lax.lt(offset, constant_like(offset, 0)), place, lax.sub(place, constant_like(place, count))
    )
    source = pick(inside, lax.add(offset, constant_like(offset, length)), outside)
    return take(concatenate([x, values], axis), source, axis, mode="promise_in_bounds")
