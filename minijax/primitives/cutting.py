"""How is a box cut out of an array, and how is an array put into a larger one?

``slice`` and ``pad`` undo each other: the transpose of each is made of the other. What a stride
skips, interior padding puts back. All bounds are known before the program runs; slices that start
at an index which the program computes are another matter.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import (
    ALL_KINDS,
    Arg,
    AxisInfo,
    Primitive,
    is_undefined_primal,
)
from minijax.primitives.broadcasting import (
    as_ints,
    batch_axis_at,
    broadcast_in_dim,
    inserted,
)
from minijax.primitives.build import full
from minijax.primitives.logic import select_n
from minijax.primitives.operands import ArrayLike, check_operands, reduce_sum_p
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value
from minijax.util import canonicalize_axis

Widths = tuple[tuple[int, int, int], ...]
"""What is added along each axis: before, after, and between any two elements."""


# -- slice --------------------------------------------------------------------------------------

slice_p = Primitive("slice")


def slice(
    operand: ArrayLike,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Any:
    """Cut out a box: along each axis the elements start, start + stride, … before limit.

    Parameters
    ----------
    operand : array_like
        Of any dtype.
    start_indices, limit_indices : sequence of int
        One per axis, with 0 <= start <= limit <= length.
    strides : sequence of int, optional
        Positive; by default every element is taken.

    Returns
    -------
    Array

    Raises
    ------
    TypeError
        If an index is outside its bounds, or there is not one for each axis.

    Examples
    --------
    >>> slice(np.arange(10), (2,), (9,), (3,))
    Array([2, 5, 8], dtype=int32)
    """
    check_operands("slice", operand)
    return slice_p.bind(
        operand,
        start_indices=_indices("start_indices", start_indices),
        limit_indices=_indices("limit_indices", limit_indices),
        strides=None if strides is None else _indices("strides", strides),
    )


def _indices(name: str, values: Sequence[int]) -> tuple[int, ...]:
    try:
        return as_ints(values)
    except TypeError as error:
        kinds = tuple(map(type, values))
        raise TypeError(
            f"slice {name} must have every element be an integer type, got {kinds}."
        ) from error


@slice_p.abstract
def slice_abstract(
    x: ShapedArray,
    *,
    start_indices: tuple[int, ...],
    limit_indices: tuple[int, ...],
    strides: tuple[int, ...] | None,
) -> ShapedArray:
    _check_bounds(x.shape, start_indices, limit_indices)
    steps = (1,) * x.ndim if strides is None else strides
    if len(steps) != x.ndim:
        raise TypeError(
            "slice strides must have length equal to the number of dimensions of the operand, got "
            f"strides {strides} for operand shape {x.shape}."
        )
    if any(step < 0 for step in steps):
        raise TypeError(f"slice strides must have every element be nonnegative, got {strides}.")
    if 0 in steps:
        raise TypeError(f"slice strides must be positive, got {strides}.")
    bounds = zip(start_indices, limit_indices, steps, strict=True)
    return x.update(shape=tuple(len(range(*bound)) for bound in bounds))


def _check_bounds(shape: tuple[int, ...], starts: tuple[int, ...], limits: tuple[int, ...]) -> None:
    if len(starts) != len(shape):
        raise TypeError(
            "slice start_indices must have length equal to the number of dimensions of the "
            f"operand, got indices {starts} for operand shape {shape}."
        )
    if len(starts) != len(limits):
        raise TypeError(
            "slice limit_indices must have the same length as start_indices, got start_indices "
            f"{starts} and limit_indices {limits}."
        )
    if any(limit > n for limit, n in zip(limits, shape, strict=True)):
        raise TypeError(
            "slice limit_indices must be less than or equal to operand shape, got limit_indices "
            f"{limits} for operand shape {shape}."
        )
    if any(start < 0 for start in starts):
        raise TypeError(
            f"slice start_indices must have every element be nonnegative, got {starts}."
        )
    if any(limit < start for start, limit in zip(starts, limits, strict=True)):
        raise TypeError(
            "slice limit_indices must be greater than or equal to start_indices, got "
            f"start_indices {starts} and limit_indices {limits}."
        )


@slice_p.reference
def slice_reference(
    x: np.ndarray,
    *,
    start_indices: tuple[int, ...],
    limit_indices: tuple[int, ...],
    strides: tuple[int, ...] | None,
) -> np.ndarray:
    steps = strides or (1,) * x.ndim
    bounds = zip(start_indices, limit_indices, steps, strict=True)
    return x[tuple(builtins.slice(*bound) for bound in bounds)]


@slice_p.linear_in(0)
def slice_transpose(
    ct: Any,
    x: Any,
    *,
    start_indices: tuple[int, ...],
    limit_indices: tuple[int, ...],
    strides: tuple[int, ...] | None,
) -> list[Any]:
    # The elements go back to their places; what the stride skipped is interior padding.
    steps = strides or (1,) * x.aval.ndim
    widths = [
        (start, n - (start + (taken - 1) * step + 1 if taken else start), step - 1)
        for n, taken, start, step in zip(
            x.aval.shape, typeof(ct).shape, start_indices, steps, strict=True
        )
    ]
    return [pad(ct, _zero_like(ct), widths)]


@slice_p.batch
def slice_batch(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int],
    *,
    start_indices: tuple[int, ...],
    limit_indices: tuple[int, ...],
    strides: tuple[int, ...] | None,
):
    (x,), (dim,) = args, dims
    starts = inserted(start_indices, dim, 0)
    limits = inserted(limit_indices, dim, axis.size)
    return slice(x, starts, limits, strides and inserted(strides, dim, 1)), dim


@slice_p.lower
def slice_lower(
    ctx: Emitter,
    x: Value,
    *,
    start_indices: tuple[int, ...],
    limit_indices: tuple[int, ...],
    strides: tuple[int, ...] | None,
) -> Value:
    return ctx.op(
        "stablehlo.slice",
        x,
        start_indices=start_indices,
        limit_indices=limit_indices,
        strides=strides or (1,) * x.type.ndim,
    )


slice_p.sample(
    Arg((4, 3)), start_indices=(1, 0), limit_indices=(3, 3), strides=None, _dtypes=ALL_KINDS
)
slice_p.sample(Arg((7, 3)), start_indices=(1, 2), limit_indices=(7, 3), strides=(3, 1))
slice_p.sample(Arg((8,)), start_indices=(0,), limit_indices=(7,), strides=(2,))
slice_p.sample(Arg((3, 2)), start_indices=(2, 0), limit_indices=(2, 2), strides=(2, 2))


def slice_in_dim(
    operand: Any,
    start_index: int | None,
    limit_index: int | None,
    stride: int = 1,
    axis: int = 0,
) -> Any:
    """Slice along one axis; negative indices count from its end.

    Examples
    --------
    >>> slice_in_dim(np.arange(5), 1, -1)
    Array([1, 2, 3], dtype=int32)
    """
    shape = typeof(operand).shape
    axis = canonicalize_axis(operator.index(axis), len(shape))
    starts, limits, strides = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis] = _from_front(start_index, 0, shape[axis])
    limits[axis] = _from_front(limit_index, shape[axis], shape[axis])
    strides[axis] = stride
    return slice(operand, starts, limits, strides)


def _from_front(index: int | None, default: int, length: int) -> int:
    if index is None:
        return default
    index = operator.index(index)
    return index + length if index < 0 else index


# -- pad ----------------------------------------------------------------------------------------

pad_p = Primitive("pad")


def pad(operand: ArrayLike, padding_value: ArrayLike, padding_config: Any) -> Any:
    """Put a value around the elements and between them, or cut elements off.

    Parameters
    ----------
    operand : array_like
        Of any dtype.
    padding_value : scalar
        Of the same dtype.
    padding_config : sequence of (low, high, interior)
        For each axis how much is added before the first element, after the last, and between
        any two. Negative ``low`` and ``high`` cut off instead; that comes last.

    Returns
    -------
    Array

    Raises
    ------
    TypeError
        If the dtypes differ.
    ValueError
        If there is not one triple per axis, ``interior`` is negative, more is cut off than there
        is, or ``padding_value`` is not a scalar.

    Examples
    --------
    >>> pad(np.array([1, 2, 3]), 0, [(-1, 2, 1)])
    Array([0, 2, 0, 3, 0, 0], dtype=int32)
    """
    check_operands("pad", operand, padding_value)
    widths = tuple(_width(*triple) for triple in padding_config)
    return pad_p.bind(operand, padding_value, padding_config=widths)


def _width(low: Any, high: Any, interior: Any) -> tuple[int, int, int]:
    return operator.index(low), operator.index(high), operator.index(interior)


def _zero_like(x: Any) -> Any:
    return full((), 0, typeof(x).dtype)


@pad_p.abstract
def pad_abstract(x: ShapedArray, value: ShapedArray, *, padding_config: Widths) -> ShapedArray:
    if x.dtype != value.dtype:
        raise TypeError(
            "pad operand and padding_value must be same dtype: got "
            f"{x.dtype.name} and {value.dtype.name}."
        )
    if value.shape:
        raise ValueError(
            f"padding_value must be a scalar; got np.shape(padding_value)={value.shape}"
        )
    if len(padding_config) != x.ndim:
        raise ValueError(
            "length of padding_config must equal the number of axes of operand, got "
            f"padding_config {padding_config} for operand shape {x.shape}"
        )
    if any(interior < 0 for _, _, interior in padding_config):
        raise ValueError(
            "interior padding in padding_config must be nonnegative, got padding_config "
            f"{padding_config}"
        )
    shape = tuple(
        low + n + max(n - 1, 0) * interior + high
        for n, (low, high, interior) in zip(x.shape, padding_config, strict=True)
    )
    if any(n < 0 for n in shape):
        raise ValueError(
            f"Dimension size after padding is not at least 0, got result shape {shape}, for "
            f"padding_config {padding_config} and operand shape {x.shape}"
        )
    return ShapedArray(shape, x.dtype, x.weak_type and value.weak_type)


@pad_p.reference
def pad_reference(x: np.ndarray, value: np.ndarray, *, padding_config: Widths) -> np.ndarray:
    shape, places, kept = [], [], []
    for n, (low, high, interior) in zip(x.shape, padding_config, strict=True):
        length, step = low + n + max(n - 1, 0) * interior + high, interior + 1
        first = max(0, -(low // step))  # the first element that is not cut off
        last = min(n, (length - 1 - low) // step + 1)  # one behind the last
        shape.append(length)
        places.append(builtins.slice(low + first * step, low + max(last, first) * step, step))
        kept.append(builtins.slice(first, max(last, first)))
    out = np.full(shape, value, x.dtype)
    out[tuple(places)] = x[tuple(kept)]
    return out


@pad_p.linear_in(...)
def pad_transpose(ct: Any, x: Any, value: Any, *, padding_config: Widths) -> list[Any]:
    ct_x = ct_value = None
    if is_undefined_primal(x):
        undone = [(-low, -high, 0) for low, high, _ in padding_config]
        steps = [interior + 1 for _, _, interior in padding_config]
        ct_x = pad(ct, _zero_like(ct), undone)
        shape = typeof(ct_x).shape
        ct_x = slice(ct_x, [0] * len(shape), shape, steps)
    if is_undefined_primal(value):
        shape = x.aval.shape if is_undefined_primal(x) else typeof(x).shape
        rest = select_n(_places(shape, padding_config), ct, full(typeof(ct).shape, _zero_like(ct)))
        ct_value = reduce_sum_p.bind(rest, axes=tuple(range(len(shape))), out_sharding=None)
    return [ct_x, ct_value]


def _places(shape: tuple[int, ...], padding_config: Widths) -> Any:
    """Return where in the padded array the operand's elements are, as booleans."""
    return pad(full(shape, np.True_), np.False_, padding_config)


@pad_p.batch
def pad_batch(axis: AxisInfo, args: Sequence[Any], dims: Sequence[Any], *, padding_config: Widths):
    (x, value), (x_dim, value_dim) = args, dims
    if value_dim is None:
        return pad(x, value, inserted(padding_config, x_dim, (0, 0, 0))), x_dim
    # Each example has a padding value of its own: pad with any, then choose.
    x = batch_axis_at(x, x_dim, 0, axis.size)
    padded = pad(x, _zero_like(x), ((0, 0, 0), *padding_config))
    shape = typeof(padded).shape
    ours = _places(typeof(x).shape[1:], padding_config)
    ours = broadcast_in_dim(ours, shape, range(1, len(shape)))
    return select_n(ours, broadcast_in_dim(value, shape, (0,)), padded), 0


@pad_p.lower
def pad_lower(ctx: Emitter, x: Value, value: Value, *, padding_config: Widths) -> Value:
    low, high, interior = zip(*padding_config, strict=True) if padding_config else ((), (), ())
    return ctx.op(
        "stablehlo.pad",
        x,
        value,
        edge_padding_low=low,
        edge_padding_high=high,
        interior_padding=interior,
    )


pad_p.sample(Arg((2, 3)), Arg(), padding_config=((1, 0, 0), (0, 2, 1)), _dtypes=ALL_KINDS)
pad_p.sample(Arg((4,)), Arg(), padding_config=((-1, -2, 0),))
pad_p.sample(Arg((3,)), Arg(), padding_config=((-2, 1, 2),))
pad_p.sample(Arg((2, 0)), Arg(), padding_config=((1, 1, 1), (2, -1, 3)))
pad_p.sample(Arg(()), Arg(), padding_config=())
