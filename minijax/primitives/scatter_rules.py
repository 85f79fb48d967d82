"""What do all scatters have in common?

A scatter writes windows of updates into an operand, and a primitive of
:mod:`minijax.primitives.scatter` says how an old and a new value combine. Everything else is the
same for all and stands here: the public function, the type, the value in NumPy, batching and
lowering. The combining operation itself travels with the equation as a little program on scalars,
``update_jaxpr``, from which the region of ``stablehlo.scatter`` is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import AxisInfo, Primitive, broadcast_in_dim_p
from minijax.primitives.gather_dimensions import (
    GatherScatterMode,
    ScatterDimensionNumbers,
    Windows,
    check_dims,
    check_index_table,
    check_operand_dims,
    gather_numbers,
    last_starts,
    lower_clip_starts,
    lower_inside,
    shift_dims,
    update_program,
    window_dims,
    window_sizes,
)
from minijax.primitives.operands import ArrayLike, check_operands, check_same_dtypes, move_axis
from minijax.stablehlo.emit import NUMPY_OF_ELEMENT, Emitter
from minijax.stablehlo.ir import Dims, TensorType, Value

# -- what all of them share --------------------------------------------------------------------


def public_scatter(
    p: Primitive, summary: str, combine: Primitive | None = None, **combine_params: Any
) -> Callable[..., Any]:
    """Make the public function of a scatter that combines by ``combine`` (None: replaces)."""

    def scatter_function(
        operand: ArrayLike,
        scatter_indices: ArrayLike,
        updates: ArrayLike,
        dimension_numbers: ScatterDimensionNumbers,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: str | GatherScatterMode | None = None,
    ) -> Any:
        check_operands(p.name, operand, scatter_indices, updates)
        dtype = typeof(operand).dtype
        return p.bind(
            operand,
            scatter_indices,
            updates,
            dimension_numbers=dimension_numbers,
            indices_are_sorted=bool(indices_are_sorted),
            unique_indices=bool(unique_indices),
            mode=GatherScatterMode.from_any(mode),
            update_jaxpr=update_program(combine, dtype, **combine_params) if combine else None,
            update_consts=(),
        )

    scatter_function.__name__ = scatter_function.__qualname__ = p.name.replace("-", "_")
    scatter_function.__doc__ = summary + _PUBLIC_DOC
    return scatter_function


_PUBLIC_DOC = """

    Parameters
    ----------
    operand : array
    scatter_indices : integer array, shape (*batch, k)
        One row of ``k`` coordinates per window.
    updates : array of the operand's dtype
        The windows: rank ``len(batch) + len(dimension_numbers.update_window_dims)``.
    dimension_numbers : ScatterDimensionNumbers
    indices_are_sorted, unique_indices : bool
        Promises about the rows that a compiler may use.
    mode : GatherScatterMode or str, optional
        What becomes of a window out of bounds: by default it is left out.

    Returns
    -------
    array
        Of the operand's shape and dtype.

    Raises
    ------
    TypeError, ValueError
        If shapes, dtypes and dimension numbers do not fit together.
    """


def scatter_abstract(
    operand: ShapedArray,
    indices: ShapedArray,
    updates: ShapedArray,
    *,
    dimension_numbers: ScatterDimensionNumbers,
    **params: Any,
) -> ShapedArray:
    """Type rule of all scatters."""
    check_index_table("scatter", indices)
    check_same_dtypes("scatter", [operand, updates])
    numbers = dimension_numbers
    expected_rank = len(numbers.update_window_dims) + indices.ndim - 1
    if updates.ndim != expected_rank:
        raise TypeError(f"Updates tensor must be of rank {expected_rank}; got {updates.ndim}.")
    check_dims("scatter", "update_window_dims", numbers.update_window_dims, updates.ndim)
    check_operand_dims(
        "scatter",
        operand,
        indices,
        ("inserted_window_dims", numbers.inserted_window_dims),
        ("scatter_dims_to_operand_dims", numbers.scatter_dims_to_operand_dims),
        numbers.operand_batching_dims,
        ("scatter_indices_batching_dims", numbers.scatter_indices_batching_dims),
    )
    _check_updates_shape(operand, indices, updates, numbers)
    return operand


def _check_updates_shape(
    operand: ShapedArray,
    indices: ShapedArray,
    updates: ShapedArray,
    numbers: ScatterDimensionNumbers,
) -> None:
    kept = window_dims(operand.ndim, gather_numbers(numbers))
    window_rank = len(numbers.update_window_dims) + operand.ndim - len(kept)
    if window_rank != operand.ndim:
        raise TypeError(
            f"Scatter op has window of size {window_rank}; doesn't match operand of rank "
            f"{operand.ndim}."
        )
    for dim, axis in zip(kept, numbers.update_window_dims, strict=True):
        if updates.shape[axis] > operand.shape[dim]:
            raise TypeError(
                "Bounds of the window dimensions of updates must not exceed the bounds of the "
                f"corresponding dimensions of operand. For dimension {axis}, updates bound is "
                f"{updates.shape[axis]}, operand bound is {operand.shape[dim]}."
            )
    axes = [i for i in range(updates.ndim) if i not in numbers.update_window_dims]
    for axis, length in zip(axes, indices.shape[:-1], strict=True):
        if updates.shape[axis] != length:
            raise TypeError(
                "Bounds of the scatter dimensions of updates must be the same as the bounds of "
                "the corresponding dimensions of scatter indices. For scatter dimension "
                f"{axis}, updates bound is {updates.shape[axis]}, indices bound is {length}."
            )


def write_windows(
    combine: np.ufunc | None,
    operand: np.ndarray,
    indices: np.ndarray,
    updates: np.ndarray,
    numbers: ScatterDimensionNumbers,
    mode: GatherScatterMode,
) -> np.ndarray:
    """Reference value of all scatters: windows in the order of the indices' rows."""
    sizes = window_sizes(operand, updates, numbers)
    windows = Windows(operand, indices, gather_numbers(numbers), sizes)
    batch = len(windows.batch_shape)
    number = windows.inside.size
    values = np.transpose(updates, windows.order())
    values = values.reshape((number, *values.shape[batch:]))
    addresses = [a.reshape((number, *a.shape[batch:])) for a in windows.addresses()]
    if mode is not GatherScatterMode.CLIP and not windows.inside.all():
        kept = windows.inside.reshape(-1)
        values, addresses = values[kept], [a[kept] for a in addresses]
    out = np.array(operand, order="C")
    view, dims = windows.cut(out), windows.cut_dims()
    if not addresses:  # every window is the same one
        for value in values:
            view[...] = value if combine is None else combine(view, value)
        return out
    view = np.moveaxis(view, [dims.index(d) for d in windows.addressed], range(len(addresses)))
    if combine is None:
        view[tuple(addresses)] = values
    else:
        _combine_at(combine, out, view, addresses, values)
    return out


def _combine_at(
    combine: np.ufunc,
    out: np.ndarray,
    view: np.ndarray,
    addresses: Sequence[np.ndarray],
    values: np.ndarray,
) -> None:
    """Combine element by element: ``ufunc.at`` is fast only on one axis, so count along memory."""
    steps = [stride // out.itemsize for stride in view.strides]
    position: Any = sum(
        a * step for a, step in zip(addresses, steps[: len(addresses)], strict=True)
    )
    for length, step in zip(view.shape[len(addresses) :], steps[len(addresses) :], strict=True):
        position = position[..., None] + np.arange(length) * step
    position = np.broadcast_to(position, values.shape)
    combine.at(out.reshape(-1), position.reshape(-1), values.reshape(-1))


def batch_scatter(
    p: Primitive,
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int | None],
    dimension_numbers: ScatterDimensionNumbers,
    params: dict[str, Any],
) -> tuple[Any, int]:
    """Batch rule of all scatters: one more axis of the window, or a pair of batching dimensions."""
    operand, updates = (batch_in_front(args[i], dims[i], axis.size) for i in (0, 2))
    window, inserted, mapped, operand_batching, indices_batching = map(
        shift_dims, dimension_numbers
    )
    indices = args[1]
    if dims[1] is None:
        window = (0, *window)
        indices_batching = dimension_numbers.scatter_indices_batching_dims
    else:
        indices = move_axis(indices, dims[1], 0)
        operand_batching, indices_batching = (0, *operand_batching), (0, *indices_batching)
    numbers = ScatterDimensionNumbers(window, inserted, mapped, operand_batching, indices_batching)
    return p.bind(operand, indices, updates, dimension_numbers=numbers, **params), 0


def batch_in_front(x: Any, dim: int | None, size: int) -> Any:
    """Move the batch axis to the front, or repeat an unbatched operand along one."""
    if dim is not None:
        return move_axis(x, dim, 0)
    shape = typeof(x).shape
    return broadcast_in_dim_p.bind(
        x,
        shape=(size, *shape),
        broadcast_dimensions=tuple(range(1, len(shape) + 1)),
        sharding=None,
    )


def scatter_lower(
    ctx: Any,
    operand: Value,
    indices: Value,
    updates: Value,
    *,
    dimension_numbers: ScatterDimensionNumbers,
    indices_are_sorted: bool,
    unique_indices: bool,
    mode: GatherScatterMode,
    update_jaxpr: Any,
    **params: Any,
) -> Value:
    """Lowering of all scatters: the region says how an old and a new value combine."""
    indices = _lower_bounds(ctx, indices, dimension_numbers, mode)
    scalar = TensorType((), operand.type.element)
    with ctx.region([scalar, scalar]) as body:
        old, new = body.arguments
        ctx.return_(new if update_jaxpr is None else ctx.inline(update_jaxpr, [old, new])[0])
    return ctx.op(
        "stablehlo.scatter",
        operand,
        indices,
        updates,
        type=operand.type,
        regions=[body],
        scatter_dimension_numbers=scatter_attribute(dimension_numbers, len(indices.type.shape) - 1),
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
    )


def _lower_bounds(
    ctx: Emitter, indices: Value, numbers: ScatterDimensionNumbers, mode: GatherScatterMode
) -> Value:
    """Emit what the mode asks for beyond StableHLO's own rule.

    StableHLO drops single *elements* that are out of bounds, we drop windows whole: one that
    sticks out is sent to where none of its elements is inside.
    """
    operand, _, updates = ctx.avals_in
    sizes = window_sizes(operand, updates, numbers)
    mapped = numbers.scatter_dims_to_operand_dims
    if ctx.avals_in[1].dtype.itemsize < 4:  # where the operand's lengths may not fit
        indices = ctx.convert(indices, np.dtype(np.int32))
    last = last_starts(
        operand, gather_numbers(numbers), sizes, NUMPY_OF_ELEMENT[indices.type.element]
    )
    if mode is GatherScatterMode.CLIP:
        return lower_clip_starts(ctx, indices, last)
    if mode is not GatherScatterMode.FILL_OR_DROP or all(sizes[d] == 1 for d in mapped):
        return indices
    shape = indices.type.shape
    inside = ctx.broadcast(lower_inside(ctx, indices, last), shape, range(len(shape) - 1))
    outside = ctx.constant(np.asarray([operand.shape[d] for d in mapped], last.dtype))
    return ctx.select(inside, indices, ctx.broadcast(outside, shape, (len(shape) - 1,)))


def scatter_attribute(numbers: ScatterDimensionNumbers, index_vector_dim: int) -> Dims:
    """Return dimension numbers as StableHLO writes them."""
    return Dims(
        "scatter",
        (
            ("update_window_dims", numbers.update_window_dims),
            ("inserted_window_dims", numbers.inserted_window_dims),
            ("input_batching_dims", numbers.operand_batching_dims),
            ("scatter_indices_batching_dims", numbers.scatter_indices_batching_dims),
            ("scatter_dims_to_operand_dims", numbers.scatter_dims_to_operand_dims),
            ("index_vector_dim", index_vector_dim),
        ),
    )


def shared_rules(p: Primitive, combine: np.ufunc | None) -> None:
    """Register the rules in which scatters differ by the combining operation only."""

    def reference(
        operand: np.ndarray,
        indices: np.ndarray,
        updates: np.ndarray,
        *,
        dimension_numbers: ScatterDimensionNumbers,
        mode: GatherScatterMode,
        **params: Any,
    ) -> np.ndarray:
        return write_windows(combine, operand, indices, updates, dimension_numbers, mode)

    def batch(
        axis: AxisInfo,
        args: Sequence[Any],
        dims: Sequence[int | None],
        *,
        dimension_numbers: ScatterDimensionNumbers,
        **params: Any,
    ) -> tuple[Any, int]:
        return batch_scatter(p, axis, args, dims, dimension_numbers, params)

    name = p.name.replace("-", "_")
    reference.__name__, batch.__name__ = f"{name}_reference", f"{name}_batch"
    p.abstract(scatter_abstract)
    p.reference(reference)
    p.batch(batch)
    p.lower(scatter_lower)
