"""Which are the k largest elements along an axis, and where do they stand?

The elements come out in decreasing order; of equal ones the first comes first. The order of floats
is the *total* one: NaN is above infinity, a NaN with its sign bit set is below minus infinity, and
0 is above -0. In that order the bits of a float, read as an integer, count up from the smallest
number to the largest, once those of negative numbers are turned round (:func:`ordering_keys`).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import Arg, AxisInfo, Primitive, is_zero, zero_tangent
from minijax.primitives.broadcasting import expand_dims, without
from minijax.primitives.cutting import slice as cut
from minijax.primitives.gather import gather
from minijax.primitives.gather_dimensions import GatherDimensionNumbers
from minijax.primitives.operands import ArrayLike, check_operands
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value
from minijax.util import canonicalize_axis

top_k_p = Primitive("top_k", multiple_results=True)


def top_k(operand: ArrayLike, k: int, *, axis: int = -1) -> list[Any]:
    """Find the ``k`` largest elements along an axis and their positions.

    Parameters
    ----------
    operand : array_like
        Of real numbers or truth values.
    k : int
        From 0 to the length of the axis.
    axis : int

    Returns
    -------
    values : Array
        In decreasing order; ``k`` long along ``axis``.
    indices : Array
        int32, of the same shape.

    Raises
    ------
    ValueError
        If there is no such axis, it is shorter than ``k`` or longer than int32 counts, or the
        dtype is complex.

    Examples
    --------
    >>> top_k(np.array([3, 5, 1, 5]), 3)
    [Array([5, 5, 3], dtype=int32), Array([1, 3, 0], dtype=int32)]
    """
    check_operands("top_k", operand)
    axis = canonicalize_axis(operator.index(axis), typeof(operand).ndim)
    return top_k_p.bind(operand, k=operator.index(k), axis=axis)


@top_k_p.abstract
def top_k_abstract(x: ShapedArray, *, k: int, axis: int) -> list[ShapedArray]:
    if k < 0:
        raise ValueError(f"k argument to top_k must be nonnegative, got {k}")
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        raise ValueError("top_k is not compatible with complex inputs.")
    if x.shape[axis] < k:
        raise ValueError(
            "k argument to top_k must be no larger than size along axis; "
            f"got k={k} with shape={list(x.shape)} and axis={axis}"
        )
    largest = np.iinfo(np.int32).max
    if x.shape[axis] - 1 > largest:
        raise ValueError(
            "top_k returns int32 indices, which will overflow for array dimensions larger than "
            f"the maximum int32 ({largest}). Got operand.shape={x.shape}"
        )
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    return [x.update(shape=shape), ShapedArray(shape, np.dtype(np.int32))]


@top_k_p.reference
def top_k_reference(x: np.ndarray, *, k: int, axis: int) -> list[np.ndarray]:
    # Complementing an integer reverses the order without overflow, so that a stable sort leaves
    # equal elements as they stood.
    order = np.argsort(~ordering_keys(x), axis=axis, kind="stable")
    order = order[(slice(None),) * axis + (slice(k),)]
    return [np.take_along_axis(x, order, axis), order.astype(np.int32)]


def ordering_keys(x: np.ndarray) -> np.ndarray:
    """Return integers or booleans in the total order of the elements of ``x``."""
    if dtypes.issubdtype(x.dtype, np.floating):
        bits = x.view(f"i{x.dtype.itemsize}")
        return np.where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)
    return x if x.dtype.isbuiltin == 1 else x.astype(np.int8)


@top_k_p.jvp
def top_k_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, k: int, axis: int
) -> tuple[list[Any], list[Any]]:
    values, indices = top_k_p.bind(*primals, k=k, axis=axis)
    (t,) = tangents
    moved = zero_tangent(values) if is_zero(t) else _take_along(t, indices, axis)
    return [values, indices], [moved, zero_tangent(indices)]


def _take_along(x: Any, indices: Any, axis: int) -> Any:
    """Return elements of ``x`` along an axis, for each row those that its indices name."""
    ndim, shape = typeof(indices).ndim, typeof(indices).shape
    if 0 in shape:
        return cut(x, (0,) * ndim, shape)
    rows = without(range(ndim), (axis,))
    numbers = GatherDimensionNumbers((), (axis,), (axis,), rows, rows)
    return gather(x, expand_dims(indices, (ndim,)), numbers, (1,) * ndim)


top_k_p.no_transpose("which elements are the largest depends on the values")


@top_k_p.batch
def top_k_batch(
    axis_info: AxisInfo, args: Sequence[Any], dims: Sequence[int], *, k: int, axis: int
) -> tuple[list[Any], list[int]]:
    (x,), (dim,) = args, dims
    return top_k_p.bind(x, k=k, axis=axis + (dim <= axis)), [dim, dim]


@top_k_p.lower
def top_k_lower(ctx: Emitter, x: Value, *, k: int, axis: int) -> list[Value]:
    """Emit the operation of CHLO, which goes along the last axis."""
    order = [*without(range(x.type.ndim), (axis,)), axis]
    shape = (*without(x.type.shape, (axis,)), k)
    kinds = [TensorType(shape, x.type.element), TensorType(shape, "i32")]
    found = ctx.ops("chlo.top_k", [_transposed(ctx, x, order)], kinds, k=k)
    return [_transposed(ctx, y, np.argsort(order).tolist()) for y in found]


def _transposed(ctx: Emitter, x: Value, order: Sequence[int]) -> Value:
    if list(order) == sorted(order):
        return x
    kind = TensorType(tuple(x.type.shape[i] for i in order), x.type.element)
    return ctx.op("stablehlo.transpose", x, type=kind, permutation=tuple(order))


_ANY_DTYPE = ("float32", "float64", "bfloat16", "float16", "int32", "int8", "uint8", "bool")
_ODD = np.array([1, np.nan, 3, -0.0, 0.0, 3, np.inf, -np.nan, -np.inf], np.float32)

top_k_p.sample(Arg((2, 5)), _dtypes=_ANY_DTYPE, k=3, axis=1)
top_k_p.sample(Arg((4, 2)), _dtypes=("float32", "float64"), k=2, axis=0)
top_k_p.sample(Arg((6,), -3, 3), _dtypes=("int32", "uint32"), k=6, axis=0)
top_k_p.sample(_ODD, _dtypes=("float32",), k=9, axis=0, _smooth=False)
top_k_p.sample(Arg((2, 3)), _dtypes=("float32",), k=0, axis=1)
