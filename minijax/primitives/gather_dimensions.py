"""Which elements of an operand does a table of indices address?

Gather and scatter are one idea in two directions. A table of indices names the *starts* of
windows of one fixed shape in an operand; gather reads the windows, scatter writes them. The
*dimension numbers* say which column of the table counts along which dimension of the operand, and
where the axes of a window stand among those of the result (or of the updates). Both directions
therefore share this file: the dimension numbers, what happens to a window that leaves the operand
(:class:`GatherScatterMode`), the checks, and the arithmetic of addresses in NumPy.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray
from minijax.core.jaxpr import Eqn, Jaxpr, Var
from minijax.core.primitive import Primitive
from minijax.source_info import UNKNOWN
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value

# The cotangent of a gather is a scatter-add and the other way round. The rules of this primitive
# stand in scatter.py, which comes after gather.py.
scatter_add_p = Primitive("scatter-add")


class GatherScatterMode(enum.Enum):
    """What happens to a window that is not wholly inside the operand.

    Attributes
    ----------
    CLIP
        Its start is moved to the nearest one where it is.
    FILL_OR_DROP
        Gather returns a fill value for it; scatter leaves it out.
    PROMISE_IN_BOUNDS
        The caller promises that there is none. (Here one is clipped by gather and left out by
        scatter.)
    ONE_HOT
        For ``take_along_axis``: multiply by a one-hot matrix. Gather and scatter themselves
        treat it as PROMISE_IN_BOUNDS.
    """

    CLIP = 1
    FILL_OR_DROP = 2
    PROMISE_IN_BOUNDS = 3
    ONE_HOT = 4

    @staticmethod
    def from_any(mode: str | GatherScatterMode | None) -> GatherScatterMode:
        """Return the mode for a name; None means FILL_OR_DROP.

        Raises
        ------
        ValueError
            If the name is not that of a mode.

        Examples
        --------
        >>> GatherScatterMode.from_any("drop")
        <GatherScatterMode.FILL_OR_DROP: 2>
        """
        if isinstance(mode, GatherScatterMode):
            return mode
        found = _MODE_NAMES.get(mode) if mode is None or isinstance(mode, str) else None
        if found is None:
            raise ValueError(f'Unknown gather mode "{mode}"')
        return found


_MODE_NAMES: dict[str | None, GatherScatterMode] = {
    None: GatherScatterMode.FILL_OR_DROP,
    "clip": GatherScatterMode.CLIP,
    "fill": GatherScatterMode.FILL_OR_DROP,
    "drop": GatherScatterMode.FILL_OR_DROP,
    "promise_in_bounds": GatherScatterMode.PROMISE_IN_BOUNDS,
    "one_hot": GatherScatterMode.ONE_HOT,
}


class GatherDimensionNumbers(NamedTuple):
    """How the indices, the operand and the result of a gather meet.

    The last axis of the indices is the table's row; its other axes are *batch* axes, which stand
    in order among the axes of the result that ``offset_dims`` does not list.

    Parameters
    ----------
    offset_dims : tuple of int
        Axes of the result that run over a window.
    collapsed_slice_dims : tuple of int
        Dimensions of the operand along which a window has length 1, left out of the result.
    start_index_map : tuple of int
        Column ``k`` of the indices counts along this dimension of the operand.
    operand_batching_dims, start_indices_batching_dims : tuple of int
        Pairs of a dimension of the operand and an axis of the indices that go together: entry
        ``i`` of the one is addressed by entry ``i`` of the other only.
    """

    offset_dims: tuple[int, ...]
    collapsed_slice_dims: tuple[int, ...]
    start_index_map: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()


class ScatterDimensionNumbers(NamedTuple):
    """How the indices, the operand and the updates of a scatter meet.

    The same five as in :class:`GatherDimensionNumbers`, with the updates in the place of the
    result.

    Parameters
    ----------
    update_window_dims : tuple of int
        Axes of the updates that run over a window.
    inserted_window_dims : tuple of int
        Dimensions of the operand along which a window has length 1, absent in the updates.
    scatter_dims_to_operand_dims : tuple of int
        Column ``k`` of the indices counts along this dimension of the operand.
    operand_batching_dims, scatter_indices_batching_dims : tuple of int
        Pairs of a dimension of the operand and an axis of the indices that go together.
    """

    update_window_dims: tuple[int, ...]
    inserted_window_dims: tuple[int, ...]
    scatter_dims_to_operand_dims: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    scatter_indices_batching_dims: tuple[int, ...] = ()


def gather_numbers(numbers: ScatterDimensionNumbers) -> GatherDimensionNumbers:
    """Return the numbers of the gather that reads what a scatter writes."""
    return GatherDimensionNumbers(*numbers)


def scatter_numbers(numbers: GatherDimensionNumbers) -> ScatterDimensionNumbers:
    """Return the numbers of the scatter that writes where a gather reads."""
    return ScatterDimensionNumbers(*numbers)


def window_dims(ndim: int, numbers: GatherDimensionNumbers) -> tuple[int, ...]:
    """Return the dimensions of an operand that are axes of a window, in order."""
    hidden = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    return tuple(d for d in range(ndim) if d not in hidden)


def window_sizes(
    operand: ShapedArray | np.ndarray,
    updates: ShapedArray | np.ndarray,
    numbers: ScatterDimensionNumbers,
) -> tuple[int, ...]:
    """Return the shape of a scatter's window as seen in the operand."""
    sizes = [min(1, n) for n in operand.shape]
    kept = window_dims(operand.ndim, gather_numbers(numbers))
    for dim, axis in zip(kept, numbers.update_window_dims, strict=True):
        sizes[dim] = updates.shape[axis]
    return tuple(sizes)


def shift_dims(dims: Sequence[int], by: int = 1) -> tuple[int, ...]:
    """Return dimension numbers after ``by`` more axes have come in front."""
    return tuple(d + by for d in dims)


def number_of_windows(indices: ShapedArray) -> int:
    """Return how many windows a table of indices names."""
    return math.prod(indices.shape[:-1])


@cache
def update_program(combine: Primitive, dtype: Any, **params: Any) -> Jaxpr:
    """Return the program ``lambda old, new: combine(old, new)`` on scalars.

    It is a parameter of the scatters that combine, and says in a printed jaxpr how.
    """
    scalar = ShapedArray((), dtype)
    old, new = Var(scalar), Var(scalar)
    out = Var(combine.infer([scalar, scalar], params))
    return Jaxpr([old, new], [out], [Eqn(combine, [old, new], [out], params, UNKNOWN)])


# -- checks -----------------------------------------------------------------------------------


def check_dims(
    op: str, name: str, dims: Sequence[int], rank: int | None, ordered: bool = True
) -> None:
    """Refuse a list of dimensions that is out of order, repeats itself or leaves ``[0, rank)``."""
    if ordered and list(dims) != sorted(dims):
        raise TypeError(f"{name} in {op} op must be sorted; got {tuple(dims)}")
    if rank is not None:
        for dim in dims:
            if not 0 <= dim < rank:
                raise TypeError(
                    f"Invalid {name} set in {op} op; valid range is [0, {rank}); got: {dim}."
                )
    if len(set(dims)) != len(dims):
        raise TypeError(f"{name} in {op} op must not repeat; got: {tuple(dims)}.")


def check_disjoint(
    op: str, name1: str, dims1: Sequence[int], name2: str, dims2: Sequence[int]
) -> None:
    """Refuse two lists of dimensions with a common entry."""
    if not set(dims1).isdisjoint(dims2):
        raise TypeError(
            f"{name1} and {name2} in {op} op must be disjoint; "
            f"got: {tuple(dims1)} and {tuple(dims2)}."
        )


def check_operand_dims(
    op: str,
    operand: ShapedArray,
    indices: ShapedArray,
    collapsed: tuple[str, tuple[int, ...]],
    mapped: tuple[str, tuple[int, ...]],
    operand_batching: tuple[int, ...],
    indices_batching: tuple[str, tuple[int, ...]],
) -> None:
    """Check what dimension numbers say about the operand and the indices.

    Named lists come as pairs of the name, which differs between gather and scatter, and the list.
    """
    title = op.capitalize()
    rank, row = operand.ndim, indices.ndim - 1
    if len(mapped[1]) != indices.shape[-1]:
        raise TypeError(
            f"{title} op has {len(mapped[1])} elements in {mapped[0]} and the bound of dimension "
            f"index_vector_dim={row} of indices is {indices.shape[-1]}. These two numbers must be "
            "equal."
        )
    for column, dim in enumerate(mapped[1]):
        if not 0 <= dim < rank:
            raise TypeError(
                f"Invalid {mapped[0]}{' mapping' if op == 'scatter' else ''}; domain is "
                f"[0, {rank}), got: {column}->{dim}."
            )
    check_dims(op, mapped[0], mapped[1], None, ordered=False)
    check_dims(op, collapsed[0], collapsed[1], rank)
    check_dims(op, "operand_batching_dims", operand_batching, rank)
    for name, dims in (collapsed, mapped):
        check_disjoint(op, name, dims, "operand_batching_dims", operand_batching)
    name, dims = indices_batching
    check_dims(op, name, dims, indices.ndim, ordered=False)
    if row in dims:
        raise TypeError(
            f"{title} op cannot have the index vector dimension as a batching dimension; "
            f"got {dims}."
        )
    if len(operand_batching) != len(dims):
        raise TypeError(
            f"{title} op requires equal numbers of operand_batching_dims and {name}, got "
            f"{operand_batching} and {dims}."
        )
    operand_shape = tuple(operand.shape[d] for d in operand_batching)
    indices_shape = tuple(indices.shape[d] for d in dims)
    if operand_shape != indices_shape:
        raise TypeError(
            f"{title} op requires operand batching dimensions and indices batching dimensions to "
            f"have the same shape, got {operand_shape} and {indices_shape}."
        )


def check_index_table(op: str, indices: ShapedArray) -> None:
    """Refuse indices that are not a table of integers."""
    if not dtypes.issubdtype(indices.dtype, np.integer):
        raise ValueError("indices must have an integer type")
    if indices.ndim == 0:
        raise TypeError(
            f"{op.capitalize()} index leaf dimension must be within [0, rank(indices) + 1). "
            f"rank(indices) is 0 and {op} index leaf dimension is -1."
        )


# -- addresses in NumPy ------------------------------------------------------------------------


class Windows:
    """Where the windows of one gather or scatter lie in an operand.

    Parameters
    ----------
    operand : np.ndarray
        Its shape is used; the data only by :meth:`cut`.
    indices : np.ndarray
    numbers : GatherDimensionNumbers
    sizes : tuple of int
        The shape of a window, with one entry per dimension of the operand.

    Attributes
    ----------
    batch_shape : tuple of int
        Shape of the table without its rows.
    inside : np.ndarray
        bool[batch_shape]: which windows lie wholly inside.
    addressed : tuple of int
        Dimensions whose coordinate differs from window to window. Along the others every window
        starts at 0, so that a basic slice does.
    """

    def __init__(
        self,
        operand: np.ndarray,
        indices: np.ndarray,
        numbers: GatherDimensionNumbers,
        sizes: Sequence[int],
    ):
        self.numbers = numbers
        self.sizes = tuple(sizes)
        self.batch_shape = indices.shape[:-1]
        self.dims = window_dims(operand.ndim, numbers)
        self.addressed = tuple(sorted((*numbers.start_index_map, *numbers.operand_batching_dims)))
        self._starts: dict[int, np.ndarray] = {}
        self.inside = np.ones(self.batch_shape, bool)
        for column, dim in enumerate(numbers.start_index_map):
            start = _as_addresses(indices[..., column])
            last = operand.shape[dim] - self.sizes[dim]
            self.inside &= (start >= 0) & (start <= last)
            self._starts[dim] = np.clip(start, 0, last)
        paired = zip(
            numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True
        )
        for dim, axis in paired:
            self._starts[dim] = _along(np.arange(self.batch_shape[axis]), axis, self.batch_shape)

    def addresses(self) -> tuple[np.ndarray, ...]:
        """Return the coordinates of all elements, clipped, along the addressed dimensions.

        Their common shape is ``batch_shape`` followed by the window's axes that are addressed;
        along those where a coordinate is constant it has length 1.
        """
        axes = [d for d in self.dims if d in self._starts]
        result = []
        for dim in self.addressed:
            start = self._starts[dim].reshape(self.batch_shape + (1,) * len(axes))
            if dim in axes:
                steps = np.arange(self.sizes[dim])
                start = start + steps.reshape([-1 if d == dim else 1 for d in axes])
            result.append(start)
        return tuple(result)

    def cut(self, operand: np.ndarray) -> np.ndarray:
        """Return a view: dimensions that are not addressed cut to the window, collapsed ones out.

        The remaining dimensions are in the operand's order.
        """
        index = [
            slice(None) if d in self._starts else (slice(0, self.sizes[d]) if d in self.dims else 0)
            for d in range(operand.ndim)
        ]
        return operand[(*index, ...)]

    def cut_dims(self) -> list[int]:
        """Return the dimensions that :meth:`cut` keeps."""
        return sorted({*self.addressed, *self.dims})

    def order(self) -> list[int]:
        """Return the axes of a result (or of updates) in the order of its addresses.

        That is: batch axes, the window's axes that are addressed, the window's other axes. All
        data is brought into this order before it is read or written.
        """
        axis_of = dict(zip(self.dims, self.numbers.offset_dims, strict=True))
        ndim = len(self.batch_shape) + len(self.dims)
        batch = [i for i in range(ndim) if i not in self.numbers.offset_dims]
        inner = [axis_of[d] for d in self.dims if d in self._starts]
        outer = [axis_of[d] for d in self.dims if d not in self._starts]
        return [*batch, *inner, *outer]


def _as_addresses(column: np.ndarray) -> np.ndarray:
    if column.dtype == np.uint64:  # beyond int64 everything is out of bounds alike
        column = np.minimum(column, np.uint64(np.iinfo(np.int64).max))
    return column.astype(np.int64)


def _along(values: np.ndarray, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    shaped = values.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return np.broadcast_to(shaped, shape)


# -- bounds in StableHLO -----------------------------------------------------------------------


def last_starts(
    operand: ShapedArray, numbers: GatherDimensionNumbers, sizes: Sequence[int], dtype: Any
) -> np.ndarray:
    """Return for each column of the indices the last start inside, as far as ``dtype`` reaches."""
    greatest = int(dtypes.iinfo(dtype).max)
    lasts = [min(operand.shape[d] - sizes[d], greatest) for d in numbers.start_index_map]
    return np.asarray(lasts, dtype)


def lower_clip_starts(ctx: Emitter, indices: Value, last: np.ndarray) -> Value:
    """Emit the clipping of starts to where the windows are inside."""
    shape = indices.type.shape
    upper = ctx.broadcast(ctx.constant(last), shape, (len(shape) - 1,))
    lower = ctx.constant_like(0, indices)
    return ctx.like("stablehlo.clamp", lower, indices, upper)


def lower_inside(ctx: Emitter, indices: Value, last: np.ndarray) -> Value:
    """Emit the predicate, one per row of the indices, that a window is wholly inside."""
    shape = indices.type.shape
    upper = ctx.broadcast(ctx.constant(last), shape, (len(shape) - 1,))
    not_before = ctx.compare("GE", indices, ctx.constant_like(0, indices))
    not_after = ctx.compare("LE", indices, upper)
    inside = ctx.like("stablehlo.and", not_before, not_after)
    scalar = TensorType((), "i1")
    with ctx.region([scalar, scalar]) as body:
        ctx.return_(ctx.op("stablehlo.and", *body.arguments, type=scalar))
    return ctx.op(
        "stablehlo.reduce",
        inside,
        ctx.constant(True),
        type=TensorType(shape[:-1], "i1"),
        regions=[body],
        dimensions=(len(shape) - 1,),
    )
