"""How do several arrays become one, and one several?

``concatenate`` joins along an axis that is there, ``stack`` along a fresh one; the others are
these two under other names. ``split`` goes back.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.array import Array
from minijax.numpy.axes import canonical_axis, refuse_tracers
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import as_operand, check_arraylike, promote_dtypes
from minijax.numpy.shapes import atleast_1d, atleast_2d, atleast_3d, operand, ravel
from minijax.primitives.conversion import convert

# -- joining -------------------------------------------------------------------------------------


def _as_list(name: str, arrays: Any) -> list[Any]:
    """Return the arrays to join; a single array stands for its elements along the first axis."""
    if isinstance(arrays, (np.ndarray, Array)):
        return list(unstack(arrays)) if arrays.ndim else [arrays]
    listed = list(arrays)
    check_arraylike(name, *listed)
    return [as_operand(x) for x in listed]


def _promoted(arrays: Sequence[Any], dtype: Any, name: str) -> list[Any]:
    if dtype is None:
        return [asarray(x) for x in promote_dtypes(*arrays)]
    target = dtypes.check_and_canonicalize_user_dtype(dtype, name)
    return [convert(asarray(x), target) for x in arrays]


def concatenate(arrays: Any, axis: int | None = 0, dtype: Any = None) -> Any:
    """Join arrays along an existing axis.

    Parameters
    ----------
    arrays : sequence of array_like
        Of shapes that differ along ``axis`` at most.
    axis : int, optional
        None joins the arrays seen as flat.
    dtype : dtype-like, optional
        By default their common dtype.

    Raises
    ------
    ValueError
        If there is no array, or one has no axes.
    TypeError
        If the shapes do not fit.

    Examples
    --------
    >>> concatenate([asarray([1, 2]), asarray([3.5])])
    Array([1. , 2. , 3.5], dtype=float32)
    """
    items = _as_list("concatenate", arrays)
    if not items:
        raise ValueError("Need at least one array to concatenate.")
    if axis is None:
        return concatenate([ravel(x) for x in items], 0, dtype)
    ndim = np.ndim(items[0]) if not isinstance(items[0], Array) else items[0].ndim
    if ndim == 0:
        raise ValueError("Zero-dimensional arrays cannot be concatenated.")
    axis = canonical_axis(axis, ndim)
    return lax.concatenate(_promoted(items, dtype, "concatenate"), axis)


def concat(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any:
    """Join arrays along an existing axis; see :func:`concatenate`."""
    return concatenate(arrays, axis)


def stack(arrays: Any, axis: int = 0, out: None = None, dtype: Any = None) -> Any:
    """Join arrays of one shape along a fresh axis.

    Parameters
    ----------
    arrays : sequence of array_like
    axis : int
        Where the fresh axis stands in the result.
    out : None
        Not supported.
    dtype : dtype-like, optional
        By default their common dtype.

    Raises
    ------
    ValueError
        If there is no array, or the shapes differ.

    Examples
    --------
    >>> stack([asarray([1, 2]), asarray([3, 4])], axis=1).tolist()
    [[1, 3], [2, 4]]
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.stack is not supported.")
    if isinstance(arrays, (np.ndarray, Array)):
        x = asarray(arrays)
        if x.ndim == 0:
            raise ValueError("Need at least one array to stack.")
        axis = canonical_axis(axis, x.ndim)
        moved = lax.transpose(x, (*range(1, axis + 1), 0, *range(axis + 1, x.ndim)))
        return moved if dtype is None else convert(moved, _promotable(dtype))
    items = _as_list("stack", arrays)
    if not items:
        raise ValueError("Need at least one array to stack.")
    parts = _promoted(items, dtype, "stack")
    shapes = ", ".join(str(x.shape) for x in parts)
    if any(x.ndim != parts[0].ndim for x in parts):
        raise ValueError(f"Cannot stack arrays with different numbers of dimensions: got {shapes}.")
    if any(x.shape != parts[0].shape for x in parts):
        raise ValueError(f"All input arrays must have the same shape. Got {shapes}.")
    axis = canonical_axis(axis, parts[0].ndim + 1)
    return lax.concatenate([lax.expand_dims(x, (axis,)) for x in parts], axis)


def _promotable(dtype: Any) -> Any:
    return dtypes.check_and_canonicalize_user_dtype(dtype, "stack")


def vstack(tup: Any, dtype: Any = None) -> Any:
    """Join arrays along the first axis; those of one axis become rows.

    Parameters
    ----------
    tup : sequence of array_like
    dtype : dtype-like, optional

    Examples
    --------
    >>> vstack([asarray([1, 2]), asarray([3, 4])]).shape
    (2, 2)
    """
    return concatenate([atleast_2d(x) for x in _as_list("vstack", tup)], 0, dtype)


def hstack(tup: Any, dtype: Any = None) -> Any:
    """Join arrays along the second axis, or the first if they have one.

    Parameters
    ----------
    tup : sequence of array_like
    dtype : dtype-like, optional
    """
    items = [atleast_1d(x) for x in _as_list("hstack", tup)]
    return concatenate(items, 0 if items and items[0].ndim == 1 else 1, dtype)


def dstack(tup: Any, dtype: Any = None) -> Any:
    """Join arrays along the third axis.

    Parameters
    ----------
    tup : sequence of array_like
    dtype : dtype-like, optional
    """
    return concatenate([atleast_3d(x) for x in _as_list("dstack", tup)], 2, dtype)


def column_stack(tup: Any) -> Any:
    """Join arrays along the second axis; those of one axis become columns.

    Parameters
    ----------
    tup : sequence of array_like
    """
    items = [asarray(x) for x in _as_list("column_stack", tup)]
    columns = [lax.transpose(atleast_2d(x), (1, 0)) if x.ndim < 2 else x for x in items]
    return concatenate(columns, 1)


@staged_call(static_argnames=("axis",))
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Join two arrays.

    Parameters
    ----------
    arr, values : array_like
    axis : int, optional
        None joins them seen as flat.

    Examples
    --------
    >>> append(asarray([1, 2]), 3)
    Array([1, 2, 3], dtype=int32)
    """
    check_arraylike("append", arr, values)
    if axis is None:
        return concatenate([ravel(arr), ravel(values)], 0)
    return concatenate([arr, values], axis)


def block(arrays: Any) -> Any:
    """Assemble an array from blocks in nested lists; the innermost are joined along the last axis.

    Parameters
    ----------
    arrays : array_like or nested list of array_like

    Examples
    --------
    >>> block([[asarray([1]), asarray([2])], [asarray([3]), asarray([4])]]).tolist()
    [[1, 2], [3, 4]]
    """
    joined, _ = _join_blocks(arrays)
    return joined


def _join_blocks(blocks: Any) -> tuple[Any, int]:
    if isinstance(blocks, tuple):
        raise ValueError("jax.numpy.block does not allow tuples, use lists instead.")
    if not isinstance(blocks, list):
        return operand("block", blocks), 1
    if not blocks:
        raise ValueError("jax.numpy.block does not allow empty list arguments")
    parts, depths = zip(*map(_join_blocks, blocks), strict=True)
    if len(set(depths)) > 1:
        raise ValueError("jax.numpy.block requires nested lists of uniform depth.")
    depth = depths[0]
    rank = max(depth, *(x.ndim for x in parts))
    parts = tuple(lax.broadcast_to_rank(x, rank) for x in parts)
    return concatenate(parts, -depth), depth + 1


# -- cutting -------------------------------------------------------------------------------------


def _split(name: str, ary: Any, indices_or_sections: Any, axis: int) -> list[Any]:
    x = operand(name, ary)
    refuse_tracers(indices_or_sections, f"indices_or_sections of jax.numpy.{name}")
    axis = canonical_axis(axis, x.ndim)
    return list(lax.split(x, _sizes(name, x.shape[axis], indices_or_sections), axis))


def _sizes(name: str, length: int, cuts: Any) -> tuple[int, ...]:
    if isinstance(cuts, (list, tuple)) or np.ndim(cuts) > 0:
        inner = [operator.index(i) for i in np.asarray(cuts)]
        inner = [i + length if i < 0 else i for i in inner]
        if name == "array_split":
            inner = [min(i, length) for i in inner]
        ends = [0, *inner, length]
        return tuple(b - a for a, b in zip(ends[:-1], ends[1:], strict=True))
    parts = operator.index(cuts)
    if parts <= 0:
        raise ValueError(f"number of sections must be larger than 0, got {parts}")
    short, rest = divmod(length, parts)
    if rest and name != "array_split":
        raise ValueError(f"array split does not result in an equal division: rest is {rest}")
    return (short + 1,) * rest + (short,) * (parts - rest)


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut an array along an axis.

    Parameters
    ----------
    ary : array_like
    indices_or_sections : int or sequence of int
        The number of equal pieces, or where to cut.
    axis : int

    Raises
    ------
    ValueError
        If the pieces cannot be equal.

    Examples
    --------
    >>> [x.tolist() for x in split(asarray([1, 2, 3, 4]), 2)]
    [[1, 2], [3, 4]]
    """
    return _split("split", ary, indices_or_sections, axis)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut an array along an axis into pieces that may differ in length by one.

    Parameters
    ----------
    ary : array_like
    indices_or_sections : int or sequence of int
    axis : int
    """
    return _split("array_split", ary, indices_or_sections, axis)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Cut an array along the first axis; see :func:`split`."""
    return _split("vsplit", ary, indices_or_sections, 0)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Cut an array along the second axis, or the only one; see :func:`split`."""
    x = operand("hsplit", ary)
    return _split("hsplit", x, indices_or_sections, 0 if x.ndim == 1 else 1)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Cut an array along the third axis; see :func:`split`."""
    return _split("dsplit", ary, indices_or_sections, 2)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Return the elements of an array along an axis, which is gone from them.

    Parameters
    ----------
    x : array_like
    axis : int

    Examples
    --------
    >>> [row.tolist() for row in unstack(asarray([[1, 2], [3, 4]]))]
    [[1, 2], [3, 4]]
    """
    x = operand("unstack", x)
    axis = canonical_axis(axis, x.ndim)
    return tuple(lax.index_in_dim(x, i, axis, keepdims=False) for i in range(x.shape[axis]))
