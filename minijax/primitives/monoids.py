"""What must be known about ``+`` to sum with it?

A *monoid* is an operation by which many values become one, with the value that it starts from:
sum and zero, maximum and the smallest number. Reductions, running reductions and windows are made
from these; here stand the start values for each dtype, the dtype in which a result accumulates,
and the region of StableHLO that combines two elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray
from minijax.core.primitive import Primitive
from minijax.primitives.arithmetic import add_p, mul_p
from minijax.primitives.logic import and_p, or_p, xor_p
from minijax.primitives.piecewise import max_p, min_p
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Block, TensorType, element_type


def lowest(dtype: Any) -> Any:
    """Return a value that is not above any other: minus infinity where there is one."""
    return _extreme(dtype, -1)


def highest(dtype: Any) -> Any:
    """Return a value that is not below any other: infinity where there is one."""
    return _extreme(dtype, 1)


def _extreme(dtype: Any, sign: int) -> Any:
    if dtype == np.bool_:
        return np.bool_(sign > 0)
    if dtypes.issubdtype(dtype, np.integer):
        info = dtypes.iinfo(dtype)
        return dtype.type(info.max if sign > 0 else info.min)
    if dtype.kind == "c" or dtypes.supports_inf(dtype):
        return dtype.type(sign * np.inf)
    return dtypes.finfo(dtype).max if sign > 0 else dtypes.finfo(dtype).min


def _all_bits(dtype: Any) -> Any:
    return np.bool_(True) if dtype == np.bool_ else np.asarray(-1).astype(dtype)[()]


@dataclass(frozen=True, slots=True)
class Monoid:
    """An associative operation: on ndarrays, as a primitive, and where it starts."""

    ufunc: np.ufunc
    primitive: Primitive
    start: Callable[[Any], Any]
    rounds: bool = False  # then narrow floats accumulate in float32
    params: dict[str, Any] = field(default_factory=dict)
    of_bool: Monoid | None = None  # the same operation on truth values

    def for_dtype(self, dtype: Any) -> Monoid:
        """Return the monoid to lower for a dtype: on truth values a logical one."""
        return self.of_bool if self.of_bool is not None and dtype == np.bool_ else self


AND = Monoid(np.bitwise_and, and_p, _all_bits)
OR = Monoid(np.bitwise_or, or_p, lambda dtype: dtype.type(0))
XOR = Monoid(np.bitwise_xor, xor_p, lambda dtype: dtype.type(0))
SUM = Monoid(np.add, add_p, lambda dtype: dtype.type(0), rounds=True)
PRODUCT = Monoid(
    np.multiply, mul_p, lambda dtype: dtype.type(1), rounds=True, params={"out_dtype": None}
)
MAXIMUM = Monoid(np.maximum, max_p, lowest, of_bool=OR)
MINIMUM = Monoid(np.minimum, min_p, highest, of_bool=AND)


def accumulator_dtype(dtype: np.dtype) -> np.dtype:
    """Return the dtype in which sums of ``dtype`` accumulate, to round only once at the end.

    >>> accumulator_dtype(np.dtype("float16")), accumulator_dtype(np.dtype("int8"))
    (dtype('float32'), dtype('int8'))
    """
    narrow = dtypes.issubdtype(dtype, np.floating) and dtype.itemsize < 4
    return np.dtype(np.float32) if narrow else dtype


def numpy_dtype(dtype: np.dtype) -> np.dtype:
    """Return a dtype of NumPy's own that holds the values of ``dtype``.

    The small types that NumPy borrows from ml_dtypes lack some of its functions.
    """
    if dtypes.issubdtype(dtype, np.integer) and dtypes.itemsize_bits(dtype) < 8:
        signed = dtypes.issubdtype(dtype, np.signedinteger)
        return np.dtype(np.int8 if signed else np.uint8)
    return accumulator_dtype(dtype)


def emit_combination(ctx: Emitter, monoid: Monoid, dtype: Any) -> Block:
    """Emit the region that combines two elements of ``dtype``."""
    monoid = monoid.for_dtype(dtype)
    scalar, kind = ShapedArray((), dtype), TensorType((), element_type(dtype))
    saved = ctx.avals_in, ctx.avals_out
    ctx.avals_in, ctx.avals_out = (scalar, scalar), (scalar,)
    try:
        with ctx.region([kind, kind]) as body:
            ctx.return_(monoid.primitive.rule("lower")(ctx, *body.arguments, **monoid.params))
    finally:
        ctx.avals_in, ctx.avals_out = saved
    return body
