"""Which values of a program may have the memory of one of the program's arguments?

IREE 3.13 writes into memory of arguments (see `memory.py`). An update in place is harmless on a
value that the program computed, so the rules need to know which values may be an argument in
disguise: reshaped, passed through a barrier or a call, or the result of an operation that IREE
removes because it does nothing, such as the addition of zero.
"""

from __future__ import annotations

from collections.abc import Iterator

from minijax.stablehlo.ir import Block, Module, Operation, Value

from .inspect_ir import size, splat, terminator

# These return their first operand when they do nothing.
FIRST_OPERAND = frozenset(
    "stablehlo." + name
    for name in (
        "reshape", "bitcast_convert", "convert", "transpose", "broadcast_in_dim", "slice",
        "dynamic_slice", "pad", "reverse", "reduce", "real", "reduce_precision", "copy", "gather",
    )
)  # fmt: skip
# These return one of their operands when two are the same or one of them decides.
ANY_OPERAND = frozenset(
    "stablehlo." + name
    for name in ("select", "maximum", "minimum", "clamp", "concatenate", "and", "or")
)
# These return an operand when the other is this number.
NEUTRAL = {
    "stablehlo.add": 0,
    "stablehlo.subtract": 0,
    "stablehlo.xor": 0,
    "stablehlo.shift_left": 0,
    "stablehlo.shift_right_arithmetic": 0,
    "stablehlo.shift_right_logical": 0,
    "stablehlo.multiply": 1,
    "stablehlo.divide": 1,
    "stablehlo.power": 1,
}


def values_sharing_arguments(module: Module) -> set[Value]:
    """Return all values of a module that may share memory with an argument of its main function."""
    found: set[Value] = set(module.main.body.arguments)
    bodies = {function.name: function.body for function in module.functions}
    before = -1
    # Calls may stand before the function they call, so one pass over the text is not enough.
    while before != len(found):
        before = len(found)
        for function in module.functions:
            for op in function.body.walk():
                for source, target in same_memory(op, bodies):
                    if source in found:
                        found.add(target)
    return found


def same_memory(op: Operation, bodies: dict[str, Block]) -> Iterator[tuple[Value, Value]]:
    """Yield pairs (source, target) where `op` may make `target` the same memory as `source`."""
    name = op.name
    if name in FIRST_OPERAND:
        if size(op.operands[0]) == size(op.results[0]):
            yield op.operands[0], op.results[0]
    elif name in ANY_OPERAND:
        for operand in op.operands:
            if operand.type == op.results[0].type:
                yield operand, op.results[0]
    elif name in NEUTRAL:
        for operand, other in (op.operands, op.operands[::-1]):
            if splat(other) == NEUTRAL[name]:
                yield operand, op.results[0]
    elif name == "stablehlo.optimization_barrier":
        yield from zip(op.operands, op.results, strict=True)
    elif name in ("stablehlo.case", "stablehlo.if"):
        for region in op.regions:
            yield from zip(terminator(region).operands, op.results, strict=True)
    elif name == "stablehlo.while":
        yield from while_same_memory(op)
    elif name == "func.call":
        body = bodies[op.attributes["callee"].name]
        yield from zip(op.operands, body.arguments, strict=True)
        yield from zip(terminator(body).operands, op.results, strict=True)


def while_same_memory(op: Operation) -> Iterator[tuple[Value, Value]]:
    """Yield the pairs of a loop.

    IREE copies the initial value of a carry, except of one that the body returns as it got it.
    """
    body = op.regions[1]
    returned = terminator(body).operands
    for initial, inside, outside, value in zip(
        op.operands, body.arguments, returned, op.results, strict=True
    ):
        yield initial, value
        if outside is inside:
            yield initial, inside
