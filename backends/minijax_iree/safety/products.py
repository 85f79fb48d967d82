"""Products: dot_general and convolution."""

from __future__ import annotations

from minijax.stablehlo.ir import Operation, Value

from .inspect_ir import is_unsigned, size
from .rewriter import Rewriter

# What may stand between a conversion and the product that IREE fuses it into.
_MOVES = frozenset(
    "stablehlo." + name
    for name in ("reshape", "transpose", "broadcast_in_dim", "slice", "reverse", "pad", "convert")
)


def product_of_nothing(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Replace a product without any term by zeros.

    Fault (IREE 3.13): a contraction of length zero ends the compiler with a division by zero at
    -O1.
    """
    if all(size(value) for value in (*op.operands, *op.results)):
        return None
    return [rewriter.zeros(op.results[0].type)]


def product_separate_conversion(rewriter: Rewriter, op: Operation) -> None:
    """Put a barrier between a conversion from bool or unsigned integers and a product.

    Fault (IREE 3.13, llvm-cpu at -O2 and -O3): the conversion is made part of the product, which
    then takes the operand for a signed number: ``one_hot @ w`` comes out negated.
    """
    wide = op.results[0].type.element
    for position, operand in enumerate(op.operands):
        element = operand.type.element
        if is_unsigned(element) and element != wide:
            converted = rewriter.to_element(operand, wide)
            (op.operands[position],) = rewriter.barrier([converted])
        elif is_converted_unsigned(operand):
            (op.operands[position],) = rewriter.barrier([operand])


def is_converted_unsigned(value: Value) -> bool:
    """Whether a value is, moved about, a conversion from bool or an unsigned integer."""
    op = value.defining_op
    while op is not None and op.name in _MOVES:
        if op.name == "stablehlo.convert" and is_unsigned(op.operands[0].type.element):
            return True
        op = op.operands[0].defining_op
    return False
