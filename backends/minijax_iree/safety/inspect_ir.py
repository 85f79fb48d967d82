"""Small questions about StableHLO values that several rules ask."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.stablehlo.emit import NUMPY_OF_ELEMENT
from minijax.stablehlo.ir import Block, Operation, Value

FLOAT_BITS = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}


def is_float(element: str) -> bool:
    """Whether an element type is one of the floating-point types computed with."""
    return element in FLOAT_BITS


def is_unsigned(element: str) -> bool:
    """Whether an element type is a truth value or an unsigned integer."""
    return element == "i1" or element.startswith("ui")


def is_integer(element: str) -> bool:
    """Whether an element type is an integer (truth values are not)."""
    return element != "i1" and element.lstrip("u")[0] == "i"


def integer_range(element: str) -> tuple[int, int]:
    """Smallest and largest value of an integer element type."""
    information = dtypes.iinfo(NUMPY_OF_ELEMENT[element])
    return int(information.min), int(information.max)


def size(value: Value) -> int:
    """Number of elements."""
    return prod(value.type.shape)


def splat(value: Value) -> Any:
    """The number that a constant consists of, however broadcast; None if it is no such constant."""
    op = value.defining_op
    while op is not None and op.name in ("stablehlo.broadcast_in_dim", "stablehlo.reshape"):
        op = op.operands[0].defining_op
    if op is None or op.name != "stablehlo.constant":
        return None
    array = np.asarray(op.attributes["value"].value)
    if array.size == 0 or (array.size > 1 and not (array == array.flat[0]).all()):
        return None
    return array.flat[0]


def terminator(block: Block) -> Operation:
    """The operation that ends a block: its operands are the block's results."""
    return block.operations[-1]
