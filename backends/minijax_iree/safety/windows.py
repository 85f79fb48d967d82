"""Windows that slide over an array: reduce_window and select_and_scatter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from minijax.stablehlo.ir import Operation, TensorType, Value

from .control_flow import replace_operands
from .inspect_ir import is_unsigned, terminator
from .rewriter import Rewriter
from .sorting import apply_elementwise

Box = tuple[range, ...]
"""For each axis the places, in the padded operand, of one element of all windows."""


def window_signed(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Let windows slide over signed integers that have the bits of unsigned ones.

    The computation takes the bits for unsigned numbers, as before.

    Fault (IREE 3.13, all targets): a cumulative sum, product, maximum or minimum of unsigned
    integers is not compiled ("failed to legalize unresolved target materialization from ('ui8') to
    ('i8')").
    """
    elements = [operand.type.element for operand in op.operands]
    if not any(map(is_wide_unsigned, elements)):
        return None
    operands = [rewriter.to_element(x, signed(x.type.element)) for x in op.operands]
    scalars = [TensorType((), signed(element)) for element in elements]
    computation = op.regions[0]
    *operations, last = computation.operations
    with rewriter.region(scalars) as body:
        arguments = [
            rewriter.to_element(argument, element)
            for argument, element in zip(body.arguments, elements, strict=True)
        ]
        replace_operands(computation, dict(zip(computation.arguments, arguments, strict=True)))
        body.operations.extend(operations)
        rewriter.return_(*(rewriter.to_element(x, signed(x.type.element)) for x in last.operands))
    types = [TensorType(result.type.shape, signed(result.type.element)) for result in op.results]
    windows = rewriter.ops(op.name, operands, types, [body], **op.attributes)
    return [
        rewriter.to_element(window, result.type.element)
        for window, result in zip(windows, op.results, strict=True)
    ]


def is_wide_unsigned(element: str) -> bool:
    """Whether an element type is an unsigned integer; truth values are not meant."""
    return element != "i1" and is_unsigned(element)


def signed(element: str) -> str:
    """The signed integer type of the same width; other element types are left as they are."""
    return element.removeprefix("u")


def select_and_scatter_by_steps(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Go through the elements of all windows one by one, first to choose, then to add.

    Fault (IREE 3.13, all targets): windows that overlap, do not cover the operand evenly, or stick
    out of it are not compiled ("failed to legalize operation 'stablehlo.select_and_scatter'").
    """
    combination = terminator(op.regions[1]).operands[0].defining_op
    if combination is None or combination.name != "stablehlo.add":
        return None
    operand, source, initial = op.operands
    pads = op.attributes["padding"].rows
    padded_shape = tuple(
        n + low + high for n, (low, high) in zip(operand.type.shape, pads, strict=True)
    )
    boxes = list(window_boxes(op, source.type.shape))
    chosen = choose(rewriter, op, boxes, padded_shape)
    zeros = rewriter.zeros(source.type)
    zero = rewriter.zeros(TensorType((), source.type.element))
    total = rewriter.broadcast(initial, padded_shape, ())
    for number, box in enumerate(boxes):
        is_chosen = rewriter.compare("EQ", chosen, rewriter.constant_like(number, chosen))
        added = rewriter.select(is_chosen, source, zeros)
        total = rewriter.like(
            "stablehlo.add", total, place(rewriter, added, zero, box, padded_shape)
        )
    return [pad_with(rewriter, total, [(-low, -high) for low, high in pads])]


def window_boxes(op: Operation, counts: Sequence[int]) -> Iterator[Box]:
    """Yield for each element of a window where all windows have it."""
    strides = op.attributes["window_strides"]
    for offset in product(*map(range, op.attributes["window_dimensions"])):
        yield tuple(
            range(start, start + count * stride, stride)
            for start, count, stride in zip(offset, counts, strides, strict=True)
        )


def choose(
    rewriter: Rewriter, op: Operation, boxes: Sequence[Box], padded_shape: tuple[int, ...]
) -> Value:
    """Emit the number of the element that each window chooses; -1 if it has none."""
    operand = op.operands[0]
    pads = op.attributes["padding"].rows
    inside = np.ones(padded_shape, bool)
    for axis, (n, (low, _)) in enumerate(zip(operand.type.shape, pads, strict=True)):
        places = np.arange(padded_shape[axis]) - low
        is_inside = (places >= 0) & (places < n)
        inside &= is_inside.reshape([-1 if i == axis else 1 for i in range(len(padded_shape))])
    operand = pad_with(rewriter, operand, pads)
    shape = op.operands[1].type.shape
    best = rewriter.zeros(TensorType(shape, operand.type.element))
    chosen = rewriter.constant_like(-1, rewriter.zeros(TensorType(shape, "i32")))
    found = np.zeros(shape, bool)
    for number, box in enumerate(boxes):
        here = inside[np.ix_(*box)] if box else inside
        candidate = strided_slice(rewriter, operand, box)
        keeps = apply_elementwise(rewriter, op.regions[0], [best, candidate])
        replaces = rewriter.like("stablehlo.not", keeps)
        # Where elements are outside is known beforehand, and so whether one was found before.
        replaces = rewriter.like("stablehlo.and", replaces, rewriter.constant(here & found))
        replaces = rewriter.like("stablehlo.or", replaces, rewriter.constant(here & ~found))
        best = rewriter.select(replaces, candidate, best)
        chosen = rewriter.select(replaces, rewriter.constant_like(number, chosen), chosen)
        found |= here
    return chosen


def pad_with(rewriter: Rewriter, x: Value, pads: Sequence[tuple[int, int]]) -> Value:
    """Emit padding with zeros; negative numbers cut off."""
    if all(pad == (0, 0) for pad in pads):
        return x
    shape = tuple(n + low + high for n, (low, high) in zip(x.type.shape, pads, strict=True))
    return rewriter.op(
        "stablehlo.pad",
        x,
        rewriter.zeros(TensorType((), x.type.element)),
        type=TensorType(shape, x.type.element),
        edge_padding_low=tuple(low for low, _ in pads),
        edge_padding_high=tuple(high for _, high in pads),
        interior_padding=(0,) * len(pads),
    )


def strided_slice(rewriter: Rewriter, x: Value, box: Box) -> Value:
    """Emit the elements at the places of a box."""
    return rewriter.op(
        "stablehlo.slice",
        x,
        type=TensorType(tuple(map(len, box)), x.type.element),
        start_indices=tuple(places.start for places in box),
        limit_indices=tuple(places[-1] + 1 if places else places.start for places in box),
        strides=tuple(places.step for places in box),
    )


def place(rewriter: Rewriter, x: Value, zero: Value, box: Box, shape: tuple[int, ...]) -> Value:
    """Emit an array of zeros with `x` at the places of a box."""
    ends = [places[-1] + 1 if places else places.start for places in box]
    return rewriter.op(
        "stablehlo.pad",
        x,
        zero,
        type=TensorType(shape, x.type.element),
        edge_padding_low=tuple(places.start for places in box),
        edge_padding_high=tuple(n - end for n, end in zip(shape, ends, strict=True)),
        interior_padding=tuple(places.step - 1 for places in box),
    )
