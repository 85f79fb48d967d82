"""How are elements put in another order along an axis: flipped, rolled, turned?"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core.array import Array
from minijax.core.trace import Tracer
from minijax.numpy.axes import canonical_axes
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.division import remainder
from minijax.numpy.promotion import check_arraylike
from minijax.numpy.reductions import static_axis
from minijax.numpy.shapes import operand, transpose
from minijax.primitives.conversion import convert

INT = np.dtype(np.int32)


def flip(m: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Reverse the order of elements along axes.

    Parameters
    ----------
    m : array_like
    axis : int or sequence of int, optional
        By default all axes.

    Examples
    --------
    >>> flip(asarray([1, 2, 3]))
    Array([3, 2, 1], dtype=int32)
    """
    return _flip(operand("flip", m), axis=static_axis(axis))


@staged_call(static_argnames=("axis",))
def _flip(x: Any, *, axis: Any) -> Any:
    return lax.rev(x, canonical_axes(axis, x.ndim))


def flipud(m: Any) -> Any:
    """Reverse the order along the first axis; see :func:`flip`."""
    return flip(m, 0)


def fliplr(m: Any) -> Any:
    """Reverse the order along the second axis; see :func:`flip`."""
    return flip(m, 1)


@staged_call(static_argnames=("k", "axes"))
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """Turn arrays by right angles in the plane of two axes.

    Parameters
    ----------
    m : array_like
    k : int
        How many right angles, from the first axis towards the second.
    axes : (int, int)

    Examples
    --------
    >>> rot90(asarray([[1, 2], [3, 4]])).tolist()
    [[2, 4], [1, 3]]
    """
    x = operand("rot90", m)
    if len(axes) != 2:
        raise ValueError("rot90 requires two axes")
    first, second = (i + x.ndim if i < 0 else i for i in map(operator.index, axes))
    if first == second:
        raise ValueError("Axes must be different")
    k %= 4
    if k == 0:
        return x
    if k == 2:
        return flip(x, (first, second))
    order = list(range(x.ndim))
    order[first], order[second] = second, first
    return transpose(flip(x, second), order) if k == 1 else flip(transpose(x, order), second)


# -- rolling -------------------------------------------------------------------------------------


def roll(a: Any, shift: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Move elements along axes; those pushed out at one end come in at the other.

    Parameters
    ----------
    a : array_like
    shift : int, array_like of int or sequence of int
        How far; one value for all axes or one for each.
    axis : int or sequence of int, optional
        By default the array is seen as flat.

    Examples
    --------
    >>> roll(asarray([1, 2, 3]), 1)
    Array([3, 1, 2], dtype=int32)
    """
    if isinstance(shift, (tuple, list)):
        check_arraylike("roll", a, *shift)
        shift = tuple(shift) if not any(isinstance(s, Array) for s in shift) else asarray(shift)
    else:
        check_arraylike("roll", a, shift)
    x = operand("roll", a)
    if axis is None:
        flat = lax.reshape(x, (x.size,))
        return lax.reshape(roll(flat, shift, 0), x.shape)
    axes = tuple(canonical_axes(i, x.ndim)[0] for i in np.atleast_1d(axis).tolist())
    if isinstance(shift, Tracer):
        return _roll_dynamic(x, shift, axes=axes)
    shifts = np.broadcast_to(np.asarray(shift), (len(axes),))
    return _roll_static(x, shifts=tuple(int(s) for s in shifts), axes=axes)


@staged_call(static_argnames=("shifts", "axes"))
def _roll_static(x: Any, *, shifts: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    for shift, axis in zip(shifts, axes, strict=True):
        length = x.shape[axis]
        if length == 0:
            continue
        cut = (-shift) % length
        if cut:
            tail = lax.slice_in_dim(x, cut, length, axis=axis)
            x = lax.concatenate([tail, lax.slice_in_dim(x, 0, cut, axis=axis)], axis)
    return x


@staged_call(static_argnames=("axes",))
def _roll_dynamic(x: Any, shift: Any, *, axes: tuple[int, ...]) -> Any:
    shifts = lax.broadcast_in_dim(
        convert(lax.reshape(shift, (shift.size,)), INT), (len(axes),), (0,)
    )
    for i, axis in enumerate(axes):
        length = x.shape[axis]
        if length == 0:
            continue
        by = lax.index_in_dim(shifts, i, keepdims=False)
        start = lax.sub(np.int32(length), remainder(by, np.int32(length)))
        doubled = lax.concatenate([x, x], axis)
        x = lax.dynamic_slice_in_dim(doubled, start, length, axis)
    return x
