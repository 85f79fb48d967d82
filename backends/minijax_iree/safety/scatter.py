"""Scatter must not write outside its operand. Two forms replace all others.

An update of a single window becomes a dynamic_update_slice, which loops do in place. All other
updates take one general form. Its idea: give the operand one slot more, the *trash slot*, and send
there every update that would fall outside. To say "slot number n" for any dimension numbers, the
operand is seen as a matrix: one row per position that an index can choose, one column per element
of the window dimensions that are always covered completely.

Terms used below, for ``x.at[i, :, j].add(u)`` with x of shape (A, B, C):

* *row dimensions* of the operand (A and C here): chosen by indices or batching, or a window that
  does not cover them completely;
* *column dimensions* (B): window dimensions covered completely.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from minijax.stablehlo.ir import Dims, Operation, TensorType, Value

from .inspect_ir import is_unsigned, size, terminator
from .memory import protect
from .rewriter import Rewriter


@dataclass(frozen=True)
class ScatterShape:
    """The dimension numbers of a scatter, with what follows from them.

    Attributes
    ----------
    operand, updates : tuple of int
        The shapes.
    window_dims : tuple of int
        Dimensions of the updates that form the window.
    batch_dims : tuple of int
        The other dimensions of the updates; each corresponds to a dimension of the indices.
    window_operand_dims : tuple of int
        The operand dimension that each of `window_dims` moves along.
    index_dims : tuple of int
        The operand dimension that each component of an index vector chooses a position in.
    batching : tuple of (int, int)
        Pairs (operand dimension, updates dimension) that move together.
    index_vector_dim : int
        The dimension of the indices that holds the components.
    """

    operand: tuple[int, ...]
    updates: tuple[int, ...]
    window_dims: tuple[int, ...]
    batch_dims: tuple[int, ...]
    window_operand_dims: tuple[int, ...]
    index_dims: tuple[int, ...]
    batching: tuple[tuple[int, int], ...]
    index_vector_dim: int

    @staticmethod
    def of(op: Operation) -> ScatterShape:
        """Read the shape of a scatter operation with one operand."""
        operand, indices, updates = (value.type for value in op.operands)
        numbers = op.attributes["scatter_dimension_numbers"]
        window_dims = tuple(numbers["update_window_dims"])
        batch_dims = tuple(d for d in range(updates.ndim) if d not in window_dims)
        absent = (*numbers["inserted_window_dims"], *numbers["input_batching_dims"])
        axis = numbers["index_vector_dim"]
        # Dimension k of the indices is, the index vector left out, dimension batch_dims[k] of the
        # updates.
        in_updates = dict(
            zip((d for d in range(indices.ndim) if d != axis), batch_dims, strict=True)
        )
        return ScatterShape(
            operand=operand.shape,
            updates=updates.shape,
            window_dims=window_dims,
            batch_dims=batch_dims,
            window_operand_dims=tuple(d for d in range(operand.ndim) if d not in absent),
            index_dims=tuple(numbers["scatter_dims_to_operand_dims"]),
            batching=tuple(
                (d, in_updates[k])
                for d, k in zip(
                    numbers["input_batching_dims"],
                    numbers["scatter_indices_batching_dims"],
                    strict=True,
                )
            ),
            index_vector_dim=axis,
        )

    def window_size(self, operand_dim: int) -> int:
        """How many positions of an operand dimension one window covers."""
        if operand_dim not in self.window_operand_dims:
            return 1
        return self.updates[self.window_dims[self.window_operand_dims.index(operand_dim)]]

    def column_dims(self) -> tuple[int, ...]:
        """The operand dimensions that can be columns: covered completely, last, and in order."""
        columns: list[int] = []
        operand_dim, update_dim = len(self.operand) - 1, len(self.updates) - 1
        while (
            operand_dim >= 0
            and operand_dim not in self.index_dims
            and operand_dim in self.window_operand_dims
            and self.window_dims[self.window_operand_dims.index(operand_dim)] == update_dim
            and self.updates[update_dim] == self.operand[operand_dim]
        ):
            columns.insert(0, operand_dim)
            operand_dim, update_dim = operand_dim - 1, update_dim - 1
        return tuple(columns)


def scatter_drop_outside(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Make a scatter drop the windows that do not lie inside the operand.

    Faults (IREE 3.13): indices outside the operand write to foreign memory (all targets); windows
    narrower than the operand do not compile ("expected indices to be equal to batch rank"); the
    operand is overwritten even where it is an argument (see `memory.protect`).
    """
    if len(op.operands) != 3:
        return None
    operand, _, updates = op.operands
    if size(updates) == 0 or size(operand) == 0:
        return [operand]
    shape = ScatterShape.of(op)
    if prod(shape.updates[d] for d in shape.batch_dims) == 1 and not shape.batching:
        combined = scatter_one_window(rewriter, op, shape)
        if combined is not None:
            return combined
    return scatter_with_trash_slot(rewriter, op, shape)


# -- one window -----------------------------------------------------------------------------------


def scatter_one_window(
    rewriter: Rewriter, op: Operation, shape: ScatterShape
) -> list[Value] | None:
    """Update one window by dynamic_slice, the computation and dynamic_update_slice.

    Only if the computation is the second argument itself or one operation on both arguments.
    """
    operand, indices, updates = op.operands
    body = op.regions[0]
    result = terminator(body).operands[0]
    computed = result.defining_op
    replaces = result is body.arguments[1]
    if not replaces and (computed is None or computed.operands != body.arguments):
        return None
    starts = scalar_starts(rewriter, indices, shape)
    first = rewriter.constant(0, rewriter.dtype(indices))
    sizes = tuple(shape.window_size(d) for d in range(len(shape.operand)))
    positions = [starts.get(d, first) for d in range(len(shape.operand))]
    window_type = TensorType(sizes, operand.type.element)
    window = rewriter.op(
        "stablehlo.dynamic_slice", operand, *positions, type=window_type, slice_sizes=sizes
    )
    # The window dimensions of the updates are in the order of the operand's, the others are 1.
    update = updates
    if shape.batch_dims:
        kept = tuple(shape.updates[d] for d in shape.window_dims)
        update = rewriter.reshape(update, kept)
    update = rewriter.reshape(update, sizes)
    if not replaces:
        assert computed is not None
        update = rewriter.op(computed.name, window, update, type=window_type, **computed.attributes)
    for dim, start in starts.items():
        last = shape.operand[dim] - sizes[dim]
        inside = in_range(rewriter, start, last)
        update = rewriter.select(inside, update, window)
    return [
        rewriter.op(
            "stablehlo.dynamic_update_slice",
            protect(rewriter, operand),
            update,
            *positions,
            type=operand.type,
        )
    ]


def scalar_starts(rewriter: Rewriter, indices: Value, shape: ScatterShape) -> dict[int, Value]:
    """The start position of the only window in each operand dimension that an index chooses."""
    flat = rewriter.reshape(indices, (size(indices),))
    starts = {}
    for component, dim in enumerate(shape.index_dims):
        piece = rewriter.slice(flat, (component,), (component + 1,))
        starts[dim] = rewriter.reshape(piece, ())
    return starts


# -- the general form -----------------------------------------------------------------------------


def scatter_with_trash_slot(rewriter: Rewriter, op: Operation, shape: ScatterShape) -> list[Value]:
    """Scatter rows into the operand seen as a matrix with one row more than it has."""
    operand, indices, updates = op.operands
    columns = shape.column_dims()
    width = prod(shape.operand[d] for d in columns)
    rows = size(operand) // width
    row_numbers = update_row_numbers(rewriter, indices, shape, len(columns), rows)
    count = size(row_numbers)

    # With one column there is no window dimension at all, which IREE compiles to simpler code.
    tail = (width,) if columns else ()
    matrix = rewriter.reshape(operand, (rows, *tail))
    trash = rewriter.zeros(TensorType((1, *tail), operand.type.element))
    padded_type = TensorType((rows + 1, *tail), operand.type.element)
    padded = rewriter.op("stablehlo.concatenate", matrix, trash, type=padded_type, dimension=0)
    scattered = rewriter.op(
        "stablehlo.scatter",
        padded,
        rewriter.reshape(row_numbers, (count, 1)),
        rewriter.reshape(updates, (count, *tail)),
        type=padded_type,
        regions=op.regions,
        scatter_dimension_numbers=Dims(
            "scatter",
            (
                ("update_window_dims", (1,) if columns else ()),
                ("inserted_window_dims", (0,)),
                ("scatter_dims_to_operand_dims", (0,)),
                ("index_vector_dim", 1),
            ),
        ),
        indices_are_sorted=False,
        unique_indices=bool(op.attributes.get("unique_indices", False)),
    )
    kept = rewriter.slice(scattered, (0,) * (1 + len(tail)), (rows, *tail))
    return [rewriter.reshape(kept, shape.operand)]


def update_row_numbers(
    rewriter: Rewriter, indices: Value, shape: ScatterShape, column_count: int, rows: int
) -> Value:
    """The matrix row that each element of the updates (columns left out) belongs to.

    It is the sum of the window's start, the position in the window and the batch position, each
    times the stride of its dimension; windows that are not inside get the number of the trash row.
    """
    element = "i32" if rows < 2**31 - 1 else "i64"
    target = shape.updates[: len(shape.updates) - column_count]
    row_dims = range(len(shape.operand) - column_count)
    strides = {d: prod(shape.operand[e] for e in row_dims if e > d) for d in row_dims}

    numbers = rewriter.zeros(TensorType(target, element))
    inside: Value | None = None
    for component, dim in enumerate(shape.index_dims):
        start = index_component(rewriter, indices, shape, component, target)
        fits = in_range(rewriter, start, shape.operand[dim] - shape.window_size(dim))
        inside = fits if inside is None else rewriter.like("stablehlo.and", inside, fits)
        numbers = add_scaled(rewriter, numbers, rewriter.to_element(start, element), strides[dim])
    moving = [
        *((d, u) for d, u in zip(shape.window_operand_dims, shape.window_dims, strict=True)),
        *shape.batching,
    ]
    for dim, update_dim in moving:
        if dim in strides and shape.updates[update_dim] > 1:
            position = rewriter.iota(TensorType(target, element), update_dim)
            numbers = add_scaled(rewriter, numbers, position, strides[dim])
    if inside is None:
        return numbers
    return rewriter.select(inside, numbers, rewriter.constant_like(rows, numbers))


def index_component(
    rewriter: Rewriter,
    indices: Value,
    shape: ScatterShape,
    component: int,
    target: tuple[int, ...],
) -> Value:
    """One component of all index vectors, in the shape of the updates (columns left out)."""
    axis = shape.index_vector_dim
    lengths = list(indices.type.shape)
    if axis < len(lengths):
        starts, limits = [0] * len(lengths), list(lengths)
        starts[axis], limits[axis] = component, component + 1
        indices = rewriter.slice(indices, starts, limits)
        del lengths[axis]
        indices = rewriter.reshape(indices, lengths)
    return rewriter.broadcast(indices, target, shape.batch_dims)


def in_range(rewriter: Rewriter, value: Value, last: int) -> Value:
    """Whether 0 <= value <= last."""
    below = rewriter.compare("LE", value, rewriter.constant_saturated(last, value))
    if is_unsigned(value.type.element):
        return below
    above = rewriter.compare("GE", value, rewriter.constant_like(0, value))
    return rewriter.like("stablehlo.and", above, below)


def add_scaled(rewriter: Rewriter, total: Value, value: Value, factor: int) -> Value:
    """Emit ``total + factor * value``."""
    if factor != 1:
        scale = rewriter.constant_like(factor, value)
        value = rewriter.like("stablehlo.multiply", value, scale)
    return rewriter.like("stablehlo.add", total, value)
