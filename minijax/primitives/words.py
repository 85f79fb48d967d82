"""Which operations see numbers as machine words?

``mulhi`` is the half of a product that multiplication of integers throws away. The comparisons
``eq_to``, ``lt_to``, ``le_to`` put floats in the *total order* of IEEE 754, in which also zeros of
different sign and NaN have their place: -NaN < -inf < ... < -0 < 0 < ... < inf < NaN. It is the
order of the bits, read as integers of sign and magnitude.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.primitive import FLOATS, Arg, Primitive
from minijax.primitives.elementwise_rules import on_common_shape, public_binary
from minijax.primitives.operands import elementwise_abstract, elementwise_batch
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value, element_type
from minijax.stablehlo.number import Number

# -- mulhi -----------------------------------------------------------------------------------------

mulhi_p = Primitive("mulhi")
mulhi = public_binary(
    mulhi_p,
    "Elementwise high half of the product of integers: ``x * y`` divided by ``2 ** width``, "
    "rounded down.",
    (np.integer,),
)
elementwise_abstract(mulhi_p, (np.integer,))


@mulhi_p.reference
def mulhi_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    bits = dtypes.iinfo(x.dtype).bits
    # Python's integers do not overflow.
    wide = object if x.dtype.itemsize == 8 else np.int64
    product = np.asarray(x.astype(wide) * y.astype(wide))
    return np.asarray(product >> bits).astype(x.dtype)


mulhi_p.jvp_zero("integers have no derivative")
elementwise_batch(mulhi_p)


@mulhi_p.lower
def mulhi_lower(ctx: Emitter, x: Value, y: Value) -> Value:
    """Multiply in twice the width; words of 64 bits in halves."""
    dtype = ctx.avals_in[0].dtype
    element, bits = element_type(dtype), dtypes.iinfo(dtype).bits
    left, right = (Number(ctx, v) for v in on_common_shape(ctx, x, y))
    if bits == 64:
        return _high_half(left, right).value
    wide = f"{element.rstrip('0123456789')}{2 * bits}"
    return ((left.to(wide) * right.to(wide)) >> bits).to(element).value


def _high_half(x: Number, y: Number) -> Number:
    """Return the upper 64 bits of a product, from the products of halves of 32 bits.

    The upper half of a factor has its sign, the lower half is not negative.
    """
    x_low, y_low = (v & 0xFFFFFFFF for v in (x, y))
    x_high, y_high = x >> 32, y >> 32
    lowest = (x_low * y_low).binary("shift_right_logical", 32)
    middle = x_high * y_low + lowest
    carried = x_low * y_high + (middle & 0xFFFFFFFF)
    return x_high * y_high + (middle >> 32) + (carried >> 32)


mulhi_p.sample(Arg((2, 3), -120, 120), Arg((2, 3), -120, 120), _dtypes=("int8", "int32"))
mulhi_p.sample(Arg((2, 3), 0, 250), Arg((), 0, 250), _dtypes=("uint8",))
for _low, _dtype in ((-(2**62), "int64"), (0, "uint64")):
    mulhi_p.sample(Arg((2, 3), _low, 2**62), Arg((2, 3), _low, 2**62), _dtypes=(_dtype,))

# -- comparisons in the total order ----------------------------------------------------------------

ORDERED = (np.integer, np.floating, np.bool_)


def _rank(x: np.ndarray) -> np.ndarray:
    """Return integers in the order of floats; others as they are."""
    if not dtypes.issubdtype(x.dtype, np.floating):
        return x
    word = x.view(f"i{x.dtype.itemsize}")
    return np.where(word < 0, word ^ np.iinfo(word.dtype).max, word)


def _rank_lower(ctx: Emitter, x: Value, dtype: Any) -> Value:
    if not dtypes.issubdtype(dtype, np.floating):
        return x
    bits = 8 * dtype.itemsize
    word = Number(ctx, ctx.bitcast(x, TensorType(x.type.shape, f"i{bits}")))
    return (word < 0).where(word.binary("xor", 2 ** (bits - 1) - 1), word).value


def total_order(
    name: str, ufunc: Callable[..., Any], direction: str, summary: str
) -> tuple[Primitive, Callable[[Any, Any], Any]]:
    """Make an elementwise comparison in the total order."""
    p = Primitive(name)
    elementwise_abstract(p, ORDERED, np.dtype(bool))

    def reference_rule(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ufunc(_rank(x), _rank(y))

    def lower_rule(ctx: Emitter, x: Value, y: Value) -> Value:
        dtype = ctx.avals_in[0].dtype
        ranks = [_rank_lower(ctx, v, dtype) for v in on_common_shape(ctx, x, y)]
        return ctx.compare(direction, *ranks)

    reference_rule.__name__, lower_rule.__name__ = f"{name}_reference", f"{name}_lower"
    p.reference(reference_rule)
    p.jvp_zero("booleans have no derivative")
    elementwise_batch(p)
    p.lower(lower_rule)
    p.sample(Arg((2, 3)), Arg((2, 3)), _dtypes=(*FLOATS, "int32"))
    p.sample(
        np.array([0.0, -0.0, np.nan, -np.nan, np.inf], np.float32),
        np.array([-0.0, 0.0, np.nan, np.nan, np.nan], np.float32),
        _dtypes=("float32",),
    )
    return p, public_binary(p, summary, ORDERED)


eq_to_p, eq_to = total_order(
    "eq_to", np.equal, "EQ", "Elementwise equality in the total order: NaN equals NaN, -0 not 0."
)
lt_to_p, lt_to = total_order(
    "lt_to", np.less, "LT", "Elementwise less-than in the total order, in which NaN is greatest."
)
le_to_p, le_to = total_order(
    "le_to", np.less_equal, "LE", "Elementwise less-or-equal in the total order."
)
