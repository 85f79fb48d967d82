"""How are windows read out of an operand at positions known only when the program runs?

``gather`` is the most general of the reading operations: a table of indices names where windows
start (:mod:`minijax.primitives.gather_dimensions` says how), and the result holds the windows
side by side. Indexing by arrays, ``take`` and batched slices come down to it. It is linear in
the operand; its cotangent is added up by ``scatter-add`` where the windows were read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import Arg, AxisInfo, Primitive, full_of
from minijax.primitives.arithmetic import add_p
from minijax.primitives.gather_dimensions import (
    GatherDimensionNumbers,
    GatherScatterMode,
    Windows,
    check_dims,
    check_index_table,
    check_operand_dims,
    last_starts,
    lower_inside,
    scatter_add_p,
    scatter_numbers,
    shift_dims,
    update_program,
    window_dims,
)
from minijax.primitives.operands import ArrayLike, check_operands, move_axis
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Dims, Value

gather_p = Primitive("gather")


def gather(
    operand: ArrayLike,
    start_indices: ArrayLike,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Sequence[int],
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: str | GatherScatterMode | None = None,
    fill_value: Any = None,
) -> Any:
    """Read windows of ``operand`` at the starts that a table of indices names.

    Parameters
    ----------
    operand : array
    start_indices : integer array, shape (*batch, k)
        One row of ``k`` coordinates per window.
    dimension_numbers : GatherDimensionNumbers
    slice_sizes : sequence of int
        Shape of a window, one entry per dimension of ``operand``.
    unique_indices, indices_are_sorted : bool
        Promises about the rows that a compiler may use.
    mode : GatherScatterMode or str, optional
        What a window out of bounds gives; by default the caller promises that there is none.
    fill_value : scalar, optional
        For ``mode="fill"``: by default NaN, the least signed or greatest unsigned integer, True.

    Returns
    -------
    array
        Of the operand's dtype, its rank ``len(batch) + len(dimension_numbers.offset_dims)``.

    Raises
    ------
    TypeError, ValueError
        If shapes and dimension numbers do not fit together.

    Examples
    --------
    Rows 2 and 0 of a matrix:

    >>> numbers = GatherDimensionNumbers((1,), (0,), (0,))
    >>> x = np.arange(6).reshape(3, 2)
    >>> gather(x, np.array([[2], [0]]), numbers, (1, 2))
    Array([[4, 5],
           [0, 1]], dtype=int32)
    """
    check_operands("gather", operand, start_indices)
    parsed = GatherScatterMode.from_any(
        GatherScatterMode.PROMISE_IN_BOUNDS if mode is None else mode
    )
    if parsed is not GatherScatterMode.FILL_OR_DROP:
        fill_value = None
    elif fill_value is None:
        fill_value = default_fill_value(typeof(operand).dtype)
    return gather_p.bind(
        operand,
        start_indices,
        dimension_numbers=dimension_numbers,
        slice_sizes=tuple(map(int, slice_sizes)),
        unique_indices=bool(unique_indices),
        indices_are_sorted=bool(indices_are_sorted),
        mode=parsed,
        fill_value=fill_value,
    )


def default_fill_value(dtype: Any) -> Any:
    """Return what stands for a missing element: NaN, an extreme integer, or True."""
    if dtypes.issubdtype(dtype, np.inexact):
        return np.nan
    if dtypes.issubdtype(dtype, np.signedinteger):
        return int(dtypes.iinfo(dtype).min)
    if dtypes.issubdtype(dtype, np.unsignedinteger):
        return int(dtypes.iinfo(dtype).max)
    if dtype == np.bool_:
        return True
    if dtypes.issubdtype(dtype, dtypes.prng_key):
        return int(np.iinfo(dtype.storage).max)
    raise ValueError(f"Unsupported dtype for gather fill_value {dtype}")


@gather_p.abstract
def gather_abstract(
    operand: ShapedArray,
    indices: ShapedArray,
    *,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: tuple[int, ...],
    **params: Any,
) -> ShapedArray:
    numbers = dimension_numbers
    check_index_table("gather", indices)
    check_dims("gather", "offset_dims", numbers.offset_dims, None)
    _check_offset_dims(numbers.offset_dims, indices.ndim - 1 + len(numbers.offset_dims))
    check_operand_dims(
        "gather",
        operand,
        indices,
        ("collapsed_slice_dims", numbers.collapsed_slice_dims),
        ("start_index_map", numbers.start_index_map),
        numbers.operand_batching_dims,
        ("start_indices_batching_dims", numbers.start_indices_batching_dims),
    )
    _check_slice_sizes(operand, numbers, slice_sizes)
    batch = iter(indices.shape[:-1])
    window = iter([slice_sizes[d] for d in window_dims(operand.ndim, numbers)])
    ndim = indices.ndim - 1 + len(numbers.offset_dims)
    shape = [next(window if i in numbers.offset_dims else batch) for i in range(ndim)]
    return ShapedArray(tuple(shape), operand.dtype, operand.weak_type)


def _check_offset_dims(offset_dims: tuple[int, ...], output_rank: int) -> None:
    for i, dim in enumerate(offset_dims):
        if not 0 <= dim < output_rank:
            raise TypeError(
                f"Offset dimension {i} in gather op is out of bounds; got {dim}, but should have "
                f"been in [0, {output_rank})"
            )


def _check_slice_sizes(
    operand: ShapedArray, numbers: GatherDimensionNumbers, slice_sizes: tuple[int, ...]
) -> None:
    if operand.ndim != len(slice_sizes):
        raise TypeError(
            "Gather op must have one slice size for every input dimension; got: "
            f"len(slice_sizes)={len(slice_sizes)}, input_shape.rank={operand.ndim}"
        )
    hidden = len(numbers.collapsed_slice_dims) + len(numbers.operand_batching_dims)
    if len(slice_sizes) != len(numbers.offset_dims) + hidden:
        raise TypeError(
            "All components of the offset index in a gather op must either be a offset dimension "
            f"or explicitly collapsed/batching; got len(slice_sizes)={len(slice_sizes)}, "
            f"output_slice_sizes={numbers.offset_dims}, collapsed_slice_dims="
            f"{numbers.collapsed_slice_dims}, operand_batching_dims="
            f"{numbers.operand_batching_dims}."
        )
    for i, (size, length) in enumerate(zip(slice_sizes, operand.shape, strict=True)):
        if not 0 <= size <= length:
            raise TypeError(
                f"Slice size at index {i} in gather op is out of range, must be within "
                f"[0, {length} + 1), got {size}."
            )
    for i, dim in enumerate(numbers.collapsed_slice_dims):
        if slice_sizes[dim] != 1:
            raise TypeError(
                "Gather op can only collapse slice dims with bound 1, but bound is "
                f"{slice_sizes[dim]} for index {dim} at position {i}."
            )
    for i, dim in enumerate(numbers.operand_batching_dims):
        if slice_sizes[dim] > 1:
            raise TypeError(
                "Gather op can only have operand batching dims with bound 0/1, but bound is "
                f"{slice_sizes[dim]} for index {dim} at position {i}."
            )


@gather_p.reference
def gather_reference(
    operand: np.ndarray,
    indices: np.ndarray,
    *,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: tuple[int, ...],
    mode: GatherScatterMode,
    fill_value: Any,
    **params: Any,
) -> np.ndarray:
    windows = Windows(operand, indices, dimension_numbers, slice_sizes)
    found = _read(windows, operand)
    if mode is GatherScatterMode.FILL_OR_DROP and not windows.inside.all():
        inside = windows.inside.reshape(windows.inside.shape + (1,) * len(windows.dims))
        found = np.where(inside, found, np.asarray(fill_value).astype(operand.dtype))
    return np.transpose(found, np.argsort(windows.order()))


def _read(windows: Windows, operand: np.ndarray) -> np.ndarray:
    """Return the windows with their axes in the order of the addresses."""
    view, addresses, dims = windows.cut(operand), windows.addresses(), windows.cut_dims()
    if not addresses:  # every window is the same one
        return np.broadcast_to(view, windows.batch_shape + view.shape)
    if len(addresses) == 1:  # rows, mostly: np.take copies them whole
        place, count = dims.index(windows.addressed[0]), addresses[0].ndim
        taken = np.take(view, addresses[0], axis=place)
        return np.moveaxis(taken, range(place, place + count), range(count))
    places = [dims.index(d) for d in windows.addressed]
    return np.moveaxis(view, places, range(len(places)))[addresses]


def gather_jvp(t: Any, operand: Any, indices: Any, **params: Any) -> Any:
    if params["mode"] is GatherScatterMode.FILL_OR_DROP:  # a fill value does not vary
        params["fill_value"] = 0
    return gather_p.bind(t, indices, **params)


gather_p.jvp_each(gather_jvp, None)


@gather_p.transpose
def gather_transpose(
    ct: Any,
    operand: Any,
    indices: Any,
    *,
    dimension_numbers: GatherDimensionNumbers,
    indices_are_sorted: bool,
    unique_indices: bool,
    mode: GatherScatterMode,
    **params: Any,
) -> list[Any]:
    aval = operand.aval.strip_weak_type()
    summed = scatter_add_p.bind(
        full_of(aval, 0),
        indices,
        ct,
        dimension_numbers=scatter_numbers(dimension_numbers),
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=mode,
        update_jaxpr=update_program(add_p, aval.dtype),
        update_consts=(),
    )
    return [summed, None]


@gather_p.batch
def gather_batch(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: tuple[int, ...],
    **params: Any,
) -> tuple[Any, int]:
    """Make the axis one of the window, of the table, or a pair of batching dimensions."""
    (operand, indices), (operand_dim, indices_dim) = args, dims
    offset_dims, collapsed, start_index_map, operand_batching, indices_batching = dimension_numbers
    offset_dims = shift_dims(offset_dims)
    if operand_dim is not None:
        operand = move_axis(operand, operand_dim, 0)
        collapsed, start_index_map = shift_dims(collapsed), shift_dims(start_index_map)
        operand_batching = shift_dims(operand_batching)
        slice_sizes = (axis.size, *slice_sizes)
    if indices_dim is not None:
        indices = move_axis(indices, indices_dim, 0)
        indices_batching = shift_dims(indices_batching)
    if indices_dim is None:
        offset_dims = (0, *offset_dims)
    elif operand_dim is None:  # one table after the other: no order among the rows of all
        params |= {"indices_are_sorted": False, "unique_indices": False}
    else:
        operand_batching, indices_batching = (0, *operand_batching), (0, *indices_batching)
        slice_sizes = (min(1, axis.size), *slice_sizes[1:])
    numbers = GatherDimensionNumbers(
        offset_dims, collapsed, start_index_map, operand_batching, indices_batching
    )
    out = gather_p.bind(
        operand, indices, dimension_numbers=numbers, slice_sizes=slice_sizes, **params
    )
    return out, 0


@gather_p.lower
def gather_lower(
    ctx: Emitter,
    operand: Value,
    indices: Value,
    *,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: tuple[int, ...],
    indices_are_sorted: bool,
    mode: GatherScatterMode,
    fill_value: Any,
    **params: Any,
) -> Value:
    """StableHLO's gather clips starts by itself; filling is a mask and a select."""
    numbers = dimension_numbers
    found = ctx.op(
        "stablehlo.gather",
        operand,
        indices,
        dimension_numbers=gather_attribute(numbers, len(indices.type.shape) - 1),
        slice_sizes=slice_sizes,
        indices_are_sorted=indices_are_sorted,
    )
    if mode is not GatherScatterMode.FILL_OR_DROP:
        return found
    last = last_starts(ctx.avals_in[0], numbers, slice_sizes, ctx.avals_in[1].dtype)
    shape = found.type.shape
    batch = [i for i in range(len(shape)) if i not in numbers.offset_dims]
    inside = ctx.broadcast(lower_inside(ctx, indices, last), shape, batch)
    return ctx.select(inside, found, ctx.constant_like(fill_value, found))


def gather_attribute(numbers: GatherDimensionNumbers, index_vector_dim: int) -> Dims:
    """Return dimension numbers as StableHLO writes them."""
    return Dims(
        "gather",
        (
            ("offset_dims", numbers.offset_dims),
            ("collapsed_slice_dims", numbers.collapsed_slice_dims),
            ("operand_batching_dims", numbers.operand_batching_dims),
            ("start_indices_batching_dims", numbers.start_indices_batching_dims),
            ("start_index_map", numbers.start_index_map),
            ("index_vector_dim", index_vector_dim),
        ),
    )


_ROWS = {
    "dimension_numbers": GatherDimensionNumbers((1,), (0,), (0,)),
    "slice_sizes": (1, 4),
    "unique_indices": False,
    "indices_are_sorted": False,
}
_WINDOWS = _ROWS | {
    "dimension_numbers": GatherDimensionNumbers((0, 2), (), (1, 0)),
    "slice_sizes": (2, 3),
}
_PAIRED = _ROWS | {
    "dimension_numbers": GatherDimensionNumbers((2,), (1,), (1,), (0,), (1,)),
    "slice_sizes": (1, 1, 4),
}
_CLIP = {"mode": GatherScatterMode.CLIP, "fill_value": None}
_FILL = {"mode": GatherScatterMode.FILL_OR_DROP, "fill_value": -7}
_PROMISE = {"mode": GatherScatterMode.PROMISE_IN_BOUNDS, "fill_value": None}
_ANY_DTYPE = ("float32", "float64", "bfloat16", "int32", "bool", "complex64")

gather_p.sample(Arg((3, 4)), np.array([[2], [0], [2]]), _dtypes=_ANY_DTYPE, **_ROWS, **_PROMISE)
gather_p.sample(Arg((3, 4)), np.array([[9], [1], [-9]], np.int32), **_ROWS, **_CLIP)
gather_p.sample(Arg((3, 4)), np.array([[3], [1], [-1]], np.int32), **_ROWS, **_FILL)
gather_p.sample(Arg((3, 4)), np.array([[1, 0], [2, 2], [0, 1]], np.int8), **_WINDOWS, **_CLIP)
gather_p.sample(Arg((3, 4)), np.array([[1, 0], [2, 2], [-1, 1]]), **_WINDOWS, **_FILL)
gather_p.sample(Arg((2, 3, 4)), np.array([[[2], [0]], [[1], [5]]]), **_PAIRED, **_CLIP)
gather_p.sample(Arg((2, 3, 4)), np.array([[[2], [0]], [[1], [5]]]), **_PAIRED, **_FILL)
