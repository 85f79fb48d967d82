"""Sorting. IREE's sort compares every element with every other; a network of exchanges does not.

Both forms here sort *stably* by giving each element its position as the last key. Few elements are
left to IREE's own sort. For more, Batcher's bitonic network is written as one loop: in each round
every element is compared with one partner and keeps the smaller or the larger of the two; after
log2(n) * (log2(n) + 1) / 2 rounds, n elements are in order. All comparisons of a round are
independent of each other, so that a round is one vectorized operation on the whole array.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from minijax.stablehlo.ir import Block, Dense, Dims, Operation, TensorType, Value
from minijax.stablehlo.number import Number

from .inspect_ir import terminator
from .memory import copy
from .rewriter import Rewriter

# Up to this length IREE's quadratic sort is the faster one.
LARGEST_QUADRATIC = 64


def sort_stably(rewriter: Rewriter, op: Operation) -> list[Value]:
    """Sort by the given comparison and, where it leaves two elements equal, by position.

    Faults (IREE 3.13, all targets): the attribute is_stable is ignored; time grows with the square
    of the length (20 s for 65536 elements); operands are sorted in place, also where they are
    arguments or another operation reads them later.
    """
    dimension = op.attributes["dimension"]
    length = op.operands[0].type.shape[dimension]
    if length <= 1 or prod(op.operands[0].type.shape) == 0:
        return list(op.operands)
    if length <= LARGEST_QUADRATIC:
        return sort_with_positions(rewriter, op, dimension)
    return sort_by_network(rewriter, op, dimension, length)


def sort_with_positions(rewriter: Rewriter, op: Operation, dimension: int) -> list[Value]:
    """Let IREE sort, with the position as one operand more."""
    shape = op.operands[0].type.shape
    positions = rewriter.iota(TensorType(shape, "i32"), dimension)
    operands = [copy(rewriter, operand, rewriter.fresh_number()) for operand in op.operands]
    operands.append(positions)
    # A sort made one kernel with the computation of an operand may not compile.
    operands = rewriter.barrier(operands)
    scalars = [TensorType((), operand.type.element) for operand in operands for _ in range(2)]
    with rewriter.region(scalars) as comparator:
        pairs = [comparator.arguments[i : i + 2] for i in range(0, len(scalars), 2)]
        left, right = ([pair[side] for pair in pairs] for side in (0, 1))
        rewriter.return_(stable_less(rewriter, op.regions[0], left, right).value)
    types = [operand.type for operand in operands]
    results = rewriter.ops(
        "stablehlo.sort", operands, types, [comparator], dimension=dimension, is_stable=True
    )
    return results[:-1]


def stable_less(
    rewriter: Rewriter, comparator: Block, left: Sequence[Value], right: Sequence[Value]
) -> Number:
    """Whether elements of `left` come before those of `right`; the last of each is the position."""
    before = apply_elementwise(rewriter, comparator, interleave(left[:-1], right[:-1]))
    after = apply_elementwise(rewriter, comparator, interleave(right[:-1], left[:-1]))
    earlier = Number(rewriter, left[-1]) < Number(rewriter, right[-1])
    return Number(rewriter, before) | (~Number(rewriter, after) & earlier)


def interleave(left: Sequence[Value], right: Sequence[Value]) -> list[Value]:
    """The arguments of a comparison: the pairs of operands one after the other."""
    return [value for pair in zip(left, right, strict=True) for value in pair]


def apply_elementwise(rewriter: Rewriter, block: Block, arguments: Sequence[Value]) -> Value:
    """Emit the operations of a region on scalars for arrays of arguments; return its result."""
    shape = arguments[0].type.shape
    values = dict(zip(block.arguments, arguments, strict=True))
    for op in block.operations[:-1]:
        attributes = dict(op.attributes)
        if op.name == "stablehlo.constant":
            constant = attributes["value"]
            attributes["value"] = Dense(np.broadcast_to(constant.value, shape), constant.element)
        types = [TensorType(shape, result.type.element) for result in op.results]
        operands = [values[operand] for operand in op.operands]
        values.update(
            zip(op.results, rewriter.ops(op.name, operands, types, **attributes), strict=True)
        )
    return values[terminator(block).operands[0]]


# -- the network ----------------------------------------------------------------------------------


def sort_by_network(rewriter: Rewriter, op: Operation, dimension: int, length: int) -> list[Value]:
    """Sort along the rows of matrices: the sorted dimension first, the others as columns."""
    shape = op.operands[0].type.shape
    order = (dimension, *(d for d in range(len(shape)) if d != dimension))
    moved_shape = tuple(shape[d] for d in order)
    width = prod(moved_shape[1:])
    padded_length = 1 << (length - 1).bit_length()

    def to_matrix(value: Value) -> Value:
        matrix = rewriter.reshape(transpose(rewriter, value, order), (length, width))
        return pad_rows(rewriter, matrix, padded_length)

    def from_matrix(matrix: Value) -> Value:
        kept = rewriter.slice(matrix, (0, 0), (length, width))
        inverse = tuple(order.index(d) for d in range(len(shape)))
        return transpose(rewriter, rewriter.reshape(kept, moved_shape), inverse)

    positions = rewriter.iota(TensorType((padded_length, width), "i32"), 0)
    matrices = [*(to_matrix(operand) for operand in op.operands), positions]
    two, one = (rewriter.constant(np.int32(number)) for number in (2, 1))
    carries = [two, one, *matrices]
    types = [carry.type for carry in carries]
    with rewriter.region(types) as condition:
        block_size = Number(rewriter, condition.arguments[0])
        rewriter.return_((block_size <= padded_length).value)
    with rewriter.region(types) as body:
        rewriter.return_(*network_round(rewriter, op.regions[0], body.arguments, length))
    results = rewriter.ops("stablehlo.while", carries, types, [condition, body])
    return [from_matrix(matrix) for matrix in results[2:-1]]


def network_round(
    rewriter: Rewriter, comparator: Block, carries: Sequence[Value], length: int
) -> list[Value]:
    """One round: compare each element with its partner, keep one of the two.

    The carries are the size of the blocks being merged, the distance of partners, the operands and
    the original positions. Rows beyond the length have the largest positions and stay last.
    """
    block_size, distance = (Number(rewriter, carry) for carry in carries[:2])
    own = list(carries[2:])
    rows, _ = own[0].type.shape
    row = Number(rewriter, rewriter.iota(TensorType((rows,), "i32"), 0))
    partner = row ^ broadcast_scalar(rewriter, distance, row)
    other = [take_rows(rewriter, matrix, partner.value) for matrix in own]

    own_position, other_position = Number(rewriter, own[-1]), Number(rewriter, other[-1])
    both_real = own_position.binary("maximum", other_position) < length
    less = both_real.where(
        stable_less(rewriter, comparator, own, other), own_position < other_position
    )
    ascending = (row & broadcast_scalar(rewriter, block_size, row)).equals(0)
    takes_larger = ascending ^ (row < partner)
    keep = less ^ Number(rewriter, rewriter.broadcast(takes_larger.value, own[0].type.shape, (0,)))
    kept = [rewriter.select(keep.value, mine, its) for mine, its in zip(own, other, strict=True)]

    half = distance >> 1
    done = half.equals(0)
    next_size = done.where(block_size << 1, block_size)
    next_distance = done.where(block_size, half)
    return [next_size.value, next_distance.value, *kept]


def broadcast_scalar(rewriter: Rewriter, scalar: Number, like: Number) -> Number:
    """A scalar in the shape of an array."""
    return Number(rewriter, rewriter.broadcast(scalar.value, like.value.type.shape, ()))


def take_rows(rewriter: Rewriter, matrix: Value, rows: Value) -> Value:
    """The rows of a matrix with the given numbers, which lie inside it."""
    count, width = rows.type.shape[0], matrix.type.shape[1]
    return rewriter.op(
        "stablehlo.gather",
        matrix,
        rewriter.reshape(rows, (count, 1)),
        type=matrix.type,
        dimension_numbers=Dims(
            "gather",
            (
                ("offset_dims", (1,)),
                ("collapsed_slice_dims", (0,)),
                ("start_index_map", (0,)),
                ("index_vector_dim", 1),
            ),
        ),
        slice_sizes=(1, width),
        indices_are_sorted=False,
    )


def transpose(rewriter: Rewriter, value: Value, order: tuple[int, ...]) -> Value:
    """Permute dimensions (nothing if the order stays)."""
    if order == tuple(range(len(order))):
        return value
    shape = tuple(value.type.shape[d] for d in order)
    kind = TensorType(shape, value.type.element)
    return rewriter.op("stablehlo.transpose", value, type=kind, permutation=order)


def pad_rows(rewriter: Rewriter, matrix: Value, rows: int) -> Value:
    """Append rows of zeros."""
    present, width = matrix.type.shape
    if rows == present:
        return matrix
    element = matrix.type.element
    zeros = rewriter.zeros(TensorType((rows - present, width), element))
    kind = TensorType((rows, width), element)
    return rewriter.op("stablehlo.concatenate", matrix, zeros, type=kind, dimension=0)
