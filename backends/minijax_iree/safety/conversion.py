"""Conversion of floating-point numbers to integers."""

from __future__ import annotations

import numpy as np

from minijax.stablehlo.ir import Operation, Value

from .inspect_ir import integer_range, is_float, is_integer
from .rewriter import Rewriter


def convert_saturate(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Convert to the nearest integer that the result can hold, and NaN to zero, as XLA does.

    Fault (IREE 3.13, all targets): numbers outside the range of the result, NaN and infinities
    give anything (the smallest integer, or the low bits).
    """
    (x,) = op.operands
    element = op.results[0].type.element
    if not is_float(x.type.element) or not is_integer(element):
        return None
    if x.type.element in ("f16", "bf16"):
        x = rewriter.to_element(x, "f32")  # exact, and leaves fewer cases
    smallest, largest = integer_range(element)
    highest = largest_float_within(rewriter.dtype(x), largest)
    low = rewriter.constant_like(smallest, x)
    high = rewriter.constant_like(highest, x)
    number = rewriter.to_element(rewriter.like("stablehlo.clamp", low, x, high), element)
    if int(highest) != largest:
        above = rewriter.compare("GT", x, high)
        number = rewriter.select(above, rewriter.constant_like(largest, number), number)
    is_nan = rewriter.compare("NE", x, x)
    return [rewriter.select(is_nan, rewriter.constant_like(0, number), number)]


def largest_float_within(dtype: np.dtype, limit: int) -> np.floating:
    """The largest floating-point number that is not above an integer."""
    number = dtype.type(limit)
    return np.nextafter(number, dtype.type(0)) if int(number) > limit else number
