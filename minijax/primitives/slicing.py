"""How is one window read or written at a position known only when the program runs?

The shape of the window is fixed; where it starts are scalar operands. A window never leaves the
array: its start is moved to the nearest one that is possible (``dynamic_slice(arange(5), [4],
[3])`` is ``[2, 3, 4]``). Negative starts count from the end, which the functions here settle
before anything is bound. Under ``vmap`` different examples start at different places: then
reading becomes a ``gather``, writing a ``scatter``.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.array import ConcreteArray
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import (
    REALS,
    Arg,
    AxisInfo,
    Primitive,
    broadcast_in_dim_p,
    full_of,
    is_undefined_primal,
)
from minijax.core.trace import in_eager_mode
from minijax.primitives.arithmetic import add
from minijax.primitives.broadcasting import expand_dims
from minijax.primitives.conversion import convert_element_type
from minijax.primitives.gather import gather_p
from minijax.primitives.gather_dimensions import (
    GatherDimensionNumbers,
    GatherScatterMode,
    ScatterDimensionNumbers,
)
from minijax.primitives.joining import concatenate
from minijax.primitives.logic import lt, select
from minijax.primitives.operands import ArrayLike, check_operands, check_same_dtypes, move_axis
from minijax.primitives.scatter import scatter_p
from minijax.primitives.scatter_rules import batch_in_front
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value

# -- starts ---------------------------------------------------------------------------------------


def _starts(
    shape: tuple[int, ...],
    start_indices: Any,
    allow_negative_indices: bool | Sequence[bool],
) -> list[Any]:
    """Return one scalar operand per dimension; negative ones count from the end."""
    if len(start_indices) != len(shape):
        raise ValueError(
            "Length of slice indices must match number of operand dimensions "
            f"({len(start_indices)} vs {shape})"
        )
    if not isinstance(start_indices, (list, tuple)):
        table = typeof(start_indices).shape
        if len(table) != 1:
            raise ValueError(f"Slice indices must be a 1D sequence, got {table}")
        start_indices = [start_indices[i] for i in range(table[0])]
    if isinstance(allow_negative_indices, bool):
        allow_negative_indices = [allow_negative_indices] * len(shape)
    return [
        _start(start, length, allowed)
        for start, length, allowed in zip(start_indices, shape, allow_negative_indices, strict=True)
    ]


def _start(start: Any, length: int, allow_negative: bool) -> Any:
    aval = typeof(start)
    if aval.shape or not dtypes.issubdtype(aval.dtype, np.integer):
        return start  # the type rule says what is wrong
    if type(start) is ConcreteArray and in_eager_mode():
        start = start.value[()]
    elif not isinstance(start, (int, np.integer)):
        return _traced_start(start, aval, length, allow_negative)
    elif start < 0 and not allow_negative:
        raise ValueError(
            f"Index {start} is out of bounds for dimension {length} if allow_negative_indices=False"
        )
    value = int(start)
    if value < 0 and allow_negative:
        value += length
    greatest = int(dtypes.iinfo(aval.dtype).max)
    return aval.dtype.type(min(value, greatest))


def _traced_start(start: Any, aval: ShapedArray, length: int, allow_negative: bool) -> Any:
    if not allow_negative or dtypes.issubdtype(aval.dtype, np.unsignedinteger):
        return start
    is_negative = lt(start, aval.dtype.type(0))
    strong = convert_element_type(start, aval.dtype) if aval.weak_type else start
    length_like = aval.dtype.type(min(length, int(dtypes.iinfo(aval.dtype).max)))
    return select(is_negative, add(strong, length_like), strong)


def _check_starts(name: str, starts: Sequence[ShapedArray], the: str) -> None:
    if any(aval.ndim for aval in starts):
        listed = f"({', '.join(map(repr, starts))}{',' if len(starts) == 1 else ''})"
        raise TypeError(
            f"start_indices arguments to {name} must be scalars,{the}got indices {listed}"
        )


def _check_start_dtypes(name: str, starts: Sequence[ShapedArray], colon: str) -> None:
    kinds = {aval.dtype for aval in starts}
    if len(kinds) > 1 or any(not dtypes.issubdtype(kind, np.integer) for kind in kinds):
        raise TypeError(
            f"index arguments to {name} must be integers of the same type, got{colon} "
            + ", ".join(aval.dtype.name for aval in starts)
        )


def _clipped(starts: Sequence[np.ndarray], shape: Sequence[int], sizes: Sequence[int]) -> tuple:
    """Return the slices of a window moved inside."""
    slices = []
    for start, length, size in zip(starts, shape, sizes, strict=True):
        first = min(max(int(start), 0), length - size)
        slices.append(slice(first, first + size))
    return tuple(slices)


def _start_table(
    axis: AxisInfo, starts: Sequence[Any], dims: Sequence[int | None]
) -> tuple[Any, bool]:
    """Return scalar starts, some of them batched, as one table of indices, and if it is batched."""
    batched = any(dim is not None for dim in dims)
    columns = []
    for start, dim in zip(starts, dims, strict=True):
        if batched and dim is None:
            start = broadcast_in_dim_p.bind(
                start, shape=(axis.size,), broadcast_dimensions=(), sharding=None
            )
        columns.append(expand_dims(start, (int(batched),)))
    return concatenate(columns, int(batched)), batched


# -- dynamic_slice --------------------------------------------------------------------------------

dynamic_slice_p = Primitive("dynamic_slice")


def dynamic_slice(
    operand: ArrayLike,
    start_indices: Any,
    slice_sizes: Sequence[int],
    *,
    allow_negative_indices: bool | Sequence[bool] = True,
) -> Any:
    """Read a window of fixed shape.

    Parameters
    ----------
    operand : array
    start_indices : sequence of integer scalars, or an integer array of rank 1
        One start per dimension, clipped so that the window lies inside.
    slice_sizes : sequence of int
    allow_negative_indices : bool or sequence of bool
        Whether a negative start counts from the end.

    Returns
    -------
    array
        Of shape ``slice_sizes`` and the operand's dtype.

    Raises
    ------
    TypeError, ValueError
        If lengths do not agree, a size exceeds the operand's, or starts are not integer scalars.

    Examples
    --------
    >>> dynamic_slice(np.arange(5), [3], [2])
    Array([3, 4], dtype=int32)
    """
    check_operands("dynamic_slice", operand)
    starts = _starts(typeof(operand).shape, start_indices, allow_negative_indices)
    return dynamic_slice_p.bind(
        operand, *starts, slice_sizes=tuple(map(operator.index, slice_sizes))
    )


@dynamic_slice_p.abstract
def dynamic_slice_abstract(
    operand: ShapedArray, *starts: ShapedArray, slice_sizes: tuple[int, ...]
) -> ShapedArray:
    if len(slice_sizes) != operand.ndim:
        raise TypeError(
            "slice slice_sizes must have one entry per dimension of the operand, "
            f"got slice_sizes {slice_sizes} for operand shape {operand.shape}."
        )
    if any(size > length for size, length in zip(slice_sizes, operand.shape, strict=True)):
        raise TypeError(
            "slice slice_sizes must be less than or equal to operand shape, "
            f"got slice_sizes {slice_sizes} for operand shape {operand.shape}."
        )
    if any(size < 0 for size in slice_sizes):
        raise TypeError(
            "slice slice_sizes must be greater than or equal to zero, "
            f"got slice_sizes of {slice_sizes}."
        )
    _check_starts("dynamic_slice", starts, "  ")
    _check_start_dtypes("dynamic_slice", starts, ":")
    return operand.update(shape=slice_sizes)


@dynamic_slice_p.reference
def dynamic_slice_reference(
    operand: np.ndarray, *starts: np.ndarray, slice_sizes: tuple[int, ...]
) -> np.ndarray:
    return operand[_clipped(starts, operand.shape, slice_sizes)]


@dynamic_slice_p.linear_in(0)
def dynamic_slice_transpose(
    ct: Any, operand: Any, *starts: Any, slice_sizes: tuple[int, ...]
) -> list[Any]:
    zeros = full_of(operand.aval.strip_weak_type(), 0)
    return [dynamic_update_slice_p.bind(zeros, ct, *starts), *[None] * len(starts)]


@dynamic_slice_p.batch
def dynamic_slice_batch(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    slice_sizes: tuple[int, ...],
) -> tuple[Any, int]:
    (operand, *starts), (operand_dim, *start_dims) = args, dims
    if all(dim is None for dim in start_dims):
        operand = move_axis(operand, operand_dim or 0, 0)
        starts = _with_zero_in_front(starts)
        sizes = (axis.size, *slice_sizes)
        return dynamic_slice_p.bind(operand, *starts, slice_sizes=sizes), 0
    table, _ = _start_table(axis, starts, start_dims)
    rank = len(slice_sizes)
    dims_of_window = tuple(range(rank))
    return gather_p.rule("batch")(
        axis,
        [operand, table],
        [operand_dim, 0],
        dimension_numbers=GatherDimensionNumbers(dims_of_window, (), dims_of_window),
        slice_sizes=slice_sizes,
        unique_indices=True,
        indices_are_sorted=True,
        mode=GatherScatterMode.CLIP,
        fill_value=None,
    )


def _with_zero_in_front(starts: Sequence[Any]) -> list[Any]:
    dtype = typeof(starts[0]).dtype if starts else np.dtype(np.int32)
    return [dtype.type(0), *starts]


@dynamic_slice_p.lower
def dynamic_slice_lower(
    ctx: Emitter, operand: Value, *starts: Value, slice_sizes: tuple[int, ...]
) -> Value:
    if not starts:  # of a scalar there is but one window
        return operand
    return ctx.op("stablehlo.dynamic_slice", operand, *starts, slice_sizes=slice_sizes)


_I32 = np.int32
for _sample in ([1, 2], [9, -5], [0, 0]):
    dynamic_slice_p.sample(
        Arg((3, 4)),
        *(np.asarray(i, _I32) for i in _sample),
        _dtypes=(*REALS, "complex64", "bool"),
        slice_sizes=(2, 2),
    )
dynamic_slice_p.sample(Arg((3,)), np.asarray(200, np.uint8), slice_sizes=(1,))
dynamic_slice_p.sample(Arg(()), slice_sizes=())

# -- dynamic_update_slice -------------------------------------------------------------------------

dynamic_update_slice_p = Primitive("dynamic_update_slice")


def dynamic_update_slice(
    operand: ArrayLike,
    update: ArrayLike,
    start_indices: Any,
    *,
    allow_negative_indices: bool | Sequence[bool] = True,
) -> Any:
    """Replace a window.

    Parameters
    ----------
    operand : array
    update : array of the operand's dtype and rank
        The window's contents.
    start_indices : sequence of integer scalars, or an integer array of rank 1
        One start per dimension, clipped so that the window lies inside.
    allow_negative_indices : bool or sequence of bool
        Whether a negative start counts from the end.

    Returns
    -------
    array
        Of the operand's shape and dtype.

    Raises
    ------
    TypeError, ValueError
        If ranks or dtypes do not agree, the update is larger than the operand, or starts are not
        integer scalars.

    Examples
    --------
    >>> dynamic_update_slice(np.arange(5), np.array([7, 8]), [3])
    Array([0, 1, 2, 7, 8], dtype=int32)
    """
    check_operands("dynamic_update_slice", operand, update)
    starts = _starts(typeof(operand).shape, start_indices, allow_negative_indices)
    return dynamic_update_slice_p.bind(operand, update, *starts)


@dynamic_update_slice_p.abstract
def dynamic_update_slice_abstract(
    operand: ShapedArray, update: ShapedArray, *starts: ShapedArray
) -> ShapedArray:
    if operand.ndim != update.ndim:
        raise TypeError(
            "dynamic_update_slice update must have the same rank as operand, "
            f"got update shape {update.shape} for operand shape {operand.shape}."
        )
    if any(n > length for n, length in zip(update.shape, operand.shape, strict=True)):
        raise TypeError(
            "dynamic_update_slice update shape must be smaller than operand shape, "
            f"got update shape {update.shape} for operand shape {operand.shape}."
        )
    _check_starts("dynamic_update_slice", starts, " ")
    check_same_dtypes("dynamic_update_slice", [operand, update])
    _check_start_dtypes("dynamic_update_slice", starts, "")
    return operand


@dynamic_update_slice_p.reference
def dynamic_update_slice_reference(
    operand: np.ndarray, update: np.ndarray, *starts: np.ndarray
) -> np.ndarray:
    out = operand.copy()
    out[_clipped(starts, operand.shape, update.shape)] = update
    return out


@dynamic_update_slice_p.linear_in(0, 1)
def dynamic_update_slice_transpose(ct: Any, operand: Any, update: Any, *starts: Any) -> list[Any]:
    operand_ct = update_ct = None
    update_aval = update.aval if is_undefined_primal(update) else typeof(update)
    if is_undefined_primal(operand):
        zeros = full_of(update_aval.strip_weak_type(), 0)
        operand_ct = dynamic_update_slice_p.bind(ct, zeros, *starts)
    if is_undefined_primal(update):
        update_ct = dynamic_slice_p.bind(ct, *starts, slice_sizes=update_aval.shape)
    return [operand_ct, update_ct, *[None] * len(starts)]


@dynamic_update_slice_p.batch
def dynamic_update_slice_batch(
    axis: AxisInfo, args: Sequence[Any], dims: Sequence[int | None]
) -> tuple[Any, int]:
    (operand, update, *starts), (operand_dim, update_dim, *start_dims) = args, dims
    if all(dim is None for dim in start_dims):
        operand, update = (
            batch_in_front(x, dim, axis.size)
            for x, dim in ((operand, operand_dim), (update, update_dim))
        )
        return dynamic_update_slice_p.bind(operand, update, *_with_zero_in_front(starts)), 0
    table, _ = _start_table(axis, starts, start_dims)
    rank = len(starts)
    return scatter_p.rule("batch")(
        axis,
        [operand, table, update],
        [operand_dim, 0, update_dim],
        dimension_numbers=ScatterDimensionNumbers(tuple(range(rank)), (), tuple(range(rank))),
        indices_are_sorted=True,
        unique_indices=True,
        mode=GatherScatterMode.CLIP,
        update_jaxpr=None,
        update_consts=(),
    )


@dynamic_update_slice_p.lower
def dynamic_update_slice_lower(
    ctx: Emitter, operand: Value, update: Value, *starts: Value
) -> Value:
    if not starts:
        return update
    return ctx.op("stablehlo.dynamic_update_slice", operand, update, *starts)


dynamic_update_slice_p.sample(
    Arg((3, 4)), Arg((2, 2)), np.asarray(1, _I32), np.asarray(1, _I32), _dtypes=(*REALS, "bool")
)
dynamic_update_slice_p.sample(
    Arg((3, 4)), Arg((2, 3)), np.asarray(9, _I32), np.asarray(-9, _I32), _dtypes=("float32",)
)
dynamic_update_slice_p.sample(Arg(()), Arg(()))
