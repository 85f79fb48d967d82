"""How are entries along one axis read or replaced?

Conveniences over :mod:`minijax.primitives.slicing` and :mod:`minijax.primitives.gather` for the
case that is met most: one axis, one index or one range of indices.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.primitives.arithmetic import add
from minijax.primitives.broadcasting import expand_dims
from minijax.primitives.cutting import slice_in_dim
from minijax.primitives.gather import gather
from minijax.primitives.gather_dimensions import GatherDimensionNumbers
from minijax.primitives.joining import concatenate
from minijax.primitives.logic import lt, select
from minijax.primitives.operands import ArrayLike, check_operands
from minijax.primitives.piecewise import rem
from minijax.primitives.slicing import dynamic_slice, dynamic_update_slice
from minijax.primitives.structural import squeeze
from minijax.util import canonicalize_axis


def _starts_along(start: Any, ndim: int, axis: int) -> list[Any]:
    """Return ``start`` along ``axis`` and zeros of its dtype along the others."""
    zero = 0 if isinstance(start, int) else typeof(start).dtype.type(0)
    return [start if d == axis else zero for d in range(ndim)]


def dynamic_slice_in_dim(
    operand: ArrayLike,
    start_index: Any,
    slice_size: int,
    axis: int = 0,
    *,
    allow_negative_indices: bool = True,
) -> Any:
    """Read ``slice_size`` entries along one axis; see :func:`dynamic_slice`.

    Examples
    --------
    >>> dynamic_slice_in_dim(np.arange(6).reshape(2, 3), 1, 2, axis=1)
    Array([[1, 2],
           [4, 5]], dtype=int32)
    """
    check_operands("dynamic_slice_in_dim", operand)
    shape = typeof(operand).shape
    axis = canonicalize_axis(operator.index(axis), len(shape))
    sizes = [slice_size if d == axis else n for d, n in enumerate(shape)]
    return dynamic_slice(
        operand,
        _starts_along(start_index, len(shape), axis),
        sizes,
        allow_negative_indices=allow_negative_indices,
    )


def dynamic_index_in_dim(
    operand: ArrayLike,
    index: Any,
    axis: int = 0,
    keepdims: bool = True,
    *,
    allow_negative_indices: bool = True,
) -> Any:
    """Read one entry along an axis, which is kept with length 1 or (``keepdims=False``) dropped.

    Examples
    --------
    >>> dynamic_index_in_dim(np.arange(6).reshape(2, 3), 1, keepdims=False)
    Array([3, 4, 5], dtype=int32)
    """
    window = dynamic_slice_in_dim(
        operand, index, 1, axis, allow_negative_indices=allow_negative_indices
    )
    return window if keepdims else squeeze(window, (axis,))


def index_in_dim(operand: ArrayLike, index: int, axis: int = 0, keepdims: bool = True) -> Any:
    """Read one entry along an axis at an index known here.

    Raises
    ------
    IndexError
        If the index is out of bounds.

    Examples
    --------
    >>> index_in_dim(np.arange(6).reshape(2, 3), -1, axis=1)
    Array([[2],
           [5]], dtype=int32)
    """
    check_operands("index_in_dim", operand)
    index, axis = operator.index(index), operator.index(axis)
    length = typeof(operand).shape[axis]
    wrapped = index + length if index < 0 else index
    if not 0 <= wrapped < length:
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {length}")
    window = slice_in_dim(operand, wrapped, wrapped + 1, 1, axis)
    return window if keepdims else squeeze(window, (axis,))


def dynamic_update_slice_in_dim(
    operand: ArrayLike,
    update: ArrayLike,
    start_index: Any,
    axis: int,
    *,
    allow_negative_indices: bool = True,
) -> Any:
    """Replace entries along one axis; see :func:`dynamic_update_slice`.

    Examples
    --------
    >>> dynamic_update_slice_in_dim(np.arange(4), np.array([7, 8]), 1, axis=0)
    Array([0, 7, 8, 3], dtype=int32)
    """
    check_operands("dynamic_update_slice_in_dim", operand, update)
    ndim = len(typeof(operand).shape)
    axis = canonicalize_axis(operator.index(axis), ndim)
    return dynamic_update_slice(
        operand,
        update,
        _starts_along(start_index, ndim, axis),
        allow_negative_indices=allow_negative_indices,
    )


def dynamic_update_index_in_dim(
    operand: ArrayLike,
    update: ArrayLike,
    index: Any,
    axis: int,
    *,
    allow_negative_indices: bool = True,
) -> Any:
    """Replace one entry along an axis; ``update`` may lack the axis.

    Examples
    --------
    >>> dynamic_update_index_in_dim(np.zeros((2, 2)), np.ones(2), 1, axis=0)
    Array([[0., 0.],
           [1., 1.]], dtype=float32)
    """
    check_operands("dynamic_update_index_in_dim", operand, update)
    ndim = len(typeof(operand).shape)
    axis = canonicalize_axis(operator.index(axis), ndim)
    if len(typeof(update).shape) != ndim:
        update = expand_dims(update, (axis,))
    return dynamic_update_slice_in_dim(
        operand, update, index, axis, allow_negative_indices=allow_negative_indices
    )


def index_take(src: ArrayLike, idxs: Sequence[Any], axes: Sequence[int]) -> Any:
    """Read entries by index arrays of rank 1 along some axes, which are replaced by one in front.

    Indices count modulo the length of their axis.

    Examples
    --------
    >>> index_take(np.arange(6).reshape(3, 2), (np.array([2, 0]),), (0,))
    Array([[4, 5],
           [0, 1]], dtype=int32)
    """
    check_operands("index_take", src, *idxs)
    shape = typeof(src).shape
    columns = [
        expand_dims(_modulo(index, shape[axis]), (1,))
        for index, axis in zip(idxs, axes, strict=True)
    ]
    numbers = GatherDimensionNumbers(
        tuple(range(1, len(shape) - len(axes) + 1)), tuple(sorted(axes)), tuple(axes)
    )
    sizes = [1 if d in axes else n for d, n in enumerate(shape)]
    return gather(src, concatenate(columns, 1), numbers, sizes)


def _modulo(index: Any, length: int) -> Any:
    """Return the remainder with the sign of ``length``, as Python's ``%``."""
    dtype = typeof(index).dtype
    remainder = rem(index, dtype.type(length))
    if dtypes.issubdtype(dtype, np.unsignedinteger):
        return remainder
    return select(lt(remainder, dtype.type(0)), add(remainder, dtype.type(length)), remainder)
