"""How is an array put in order along an axis, and how do other arrays follow it?

One operation, ``sort``, takes any number of arrays of one shape: the first ``num_keys`` of them
decide the order, ties in one key being decided by the next, and all of them are moved alike. With
an ``iota`` among them it yields the permutation, by which the tangents are gathered.

The order of floats is that of numbers: the two zeros are equal, and NaN, of either sign, comes
after everything else. Complex numbers are ordered by their real parts, then by their imaginary
parts. The sort is stable: equal elements stay in the order in which they came.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, is_array_like, typeof
from minijax.core.primitive import Arg, AxisInfo, Primitive, is_zero, zero_tangent
from minijax.primitives.broadcasting import batch_axis_at, expand_dims, without
from minijax.primitives.build import broadcasted_iota
from minijax.primitives.gather import gather
from minijax.primitives.gather_dimensions import GatherDimensionNumbers
from minijax.primitives.operands import EVERYTHING, ArrayLike, check_kinds, check_operands
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value
from minijax.util import canonicalize_axis

sort_p = Primitive("sort", multiple_results=True)


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """Sort one or several arrays along an axis, in increasing order.

    Parameters
    ----------
    operand : array_like or sequence of them
        Of one shape; the keys of any number type or bool, the others of any dtype.
    dimension : int
        The axis along which to sort.
    is_stable : bool
        Whether equal elements must keep their order.
    num_keys : int
        How many of the arrays decide the order; all are moved alike.

    Returns
    -------
    Array, or tuple of arrays if a sequence was given

    Raises
    ------
    TypeError
        If shapes differ or there is nothing to sort.
    ValueError
        If there is no such axis or number of keys.

    Examples
    --------
    >>> sort(np.array([3, 1, 2]))
    Array([1, 2, 3], dtype=int32)
    >>> sort((np.array([1, 0, 1]), np.array([5, 6, 4])), num_keys=2)
    (Array([0, 1, 1], dtype=int32), Array([6, 4, 5], dtype=int32))
    """
    if not isinstance(operand, Sequence) or is_array_like(operand):
        if num_keys != 1:
            raise ValueError(f"num_keys={num_keys} must equal 1 for a single operand.")
        return _bind((operand,), dimension, is_stable, 1)[0]
    if not operand:
        raise TypeError("Sort requires at least one operand")
    if not 1 <= num_keys <= len(operand):
        raise ValueError(f"num_keys={num_keys} must be between 1 and len(operand)={len(operand)}")
    return tuple(_bind(operand, dimension, is_stable, num_keys))


def _bind(operands: Sequence[Any], dimension: int, is_stable: bool, num_keys: int) -> list[Any]:
    check_operands("sort", *operands)
    axis = canonicalize_axis(operator.index(dimension), typeof(operands[0]).ndim)
    return sort_p.bind(*operands, dimension=axis, is_stable=bool(is_stable), num_keys=num_keys)


def sort_key_val(
    keys: ArrayLike, values: ArrayLike, dimension: int = -1, is_stable: bool = True
) -> tuple[Any, Any]:
    """Sort ``keys`` along an axis and move ``values`` alike.

    Examples
    --------
    >>> sort_key_val(np.array([3, 1, 2]), np.array([10, 20, 30]))[1]
    Array([20, 30, 10], dtype=int32)
    """
    return sort((keys, values), dimension, is_stable)


@sort_p.abstract
def sort_abstract(
    *operands: ShapedArray, dimension: int, is_stable: bool, num_keys: int
) -> list[ShapedArray]:
    if any(x.shape != operands[0].shape for x in operands[1:]):
        shapes = " ".join(str(x.shape) for x in operands)
        raise TypeError(f"Arguments to sort must have equal shapes, got: {shapes}")
    check_kinds("sort", operands[:num_keys], EVERYTHING)
    return list(operands)


@sort_p.reference
def sort_reference(
    *operands: np.ndarray, dimension: int, is_stable: bool, num_keys: int
) -> list[np.ndarray]:
    keys = [part for x in operands[:num_keys] for part in _ordered_parts(x)]
    if len(keys) == 1:
        order = np.argsort(keys[0], axis=dimension, kind="stable")
    else:
        order = np.lexsort(keys[::-1], axis=dimension)  # NumPy wants the last tie-breaker first
    return [np.take_along_axis(x, order, dimension) for x in operands]


def _ordered_parts(x: np.ndarray) -> list[np.ndarray]:
    """Return arrays whose order in NumPy, one after the other, is that of ``x``."""
    if x.dtype.kind == "c":  # NumPy puts a complex number behind all others if any part is NaN
        return [np.real(x), np.imag(x)]
    if x.dtype.isbuiltin == 1:
        return [x]
    return [x.astype(np.float32 if dtypes.issubdtype(x.dtype, np.floating) else np.int32)]


@sort_p.jvp
def sort_jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    dimension: int,
    is_stable: bool,
    num_keys: int,
) -> tuple[list[Any], list[Any]]:
    params = {"dimension": dimension, "is_stable": is_stable, "num_keys": num_keys}
    if all(map(is_zero, tangents)):
        outs = sort_p.bind(*primals, **params)
        return outs, [zero_tangent(x) for x in outs]
    places = broadcasted_iota(np.uint32, typeof(primals[0]).shape, dimension)
    *outs, order = sort_p.bind(*primals, places, **params)
    return outs, [
        zero_tangent(x) if is_zero(t) else _take_along(t, order, dimension)
        for x, t in zip(outs, tangents, strict=True)
    ]


def _take_along(x: Any, order: Any, dimension: int) -> Any:
    """Return the elements of ``x`` along an axis in an order that differs from row to row."""
    ndim = typeof(x).ndim
    if typeof(x).shape[dimension] == 0:
        return x
    rows = without(range(ndim), (dimension,))
    numbers = GatherDimensionNumbers((), (dimension,), (dimension,), rows, rows)
    return gather(x, expand_dims(order, (ndim,)), numbers, (1,) * ndim)


sort_p.no_transpose("which element goes where depends on the values: sorting is not linear")


@sort_p.batch
def sort_batch(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    dimension: int,
    is_stable: bool,
    num_keys: int,
) -> tuple[list[Any], list[int]]:
    out_dim = next(d for d in dims if d is not None)
    moved = [batch_axis_at(x, d, out_dim, axis.size) for x, d in zip(args, dims, strict=True)]
    outs = sort_p.bind(
        *moved,
        dimension=dimension + (out_dim <= dimension),
        is_stable=is_stable,
        num_keys=num_keys,
    )
    return outs, [out_dim] * len(outs)


@sort_p.lower
def sort_lower(
    ctx: Emitter, *operands: Value, dimension: int, is_stable: bool, num_keys: int
) -> list[Value]:
    pairs = [TensorType((), x.type.element) for x in operands for _ in range(2)]
    with ctx.region(pairs) as comparator:
        left, right = comparator.arguments[::2], comparator.arguments[1::2]
        ctx.return_(_emit_before(ctx, left[:num_keys], right[:num_keys]))
    types = [x.type for x in operands]
    return ctx.ops(
        "stablehlo.sort", operands, types, [comparator], dimension=dimension, is_stable=is_stable
    )


def _emit_before(ctx: Emitter, left: Sequence[Value], right: Sequence[Value]) -> Value:
    """Emit whether the keys on the left come strictly before those on the right."""
    keys = [
        pair
        for x, y in zip(left, right, strict=True)
        for pair in zip(_emit_parts(ctx, x), _emit_parts(ctx, y), strict=True)
    ]
    *earlier, (x, y) = keys
    before = _emit_less(ctx, x, y)
    for x, y in reversed(earlier):
        # Strictly before by this key, or not behind by it and before by the next ones.
        not_behind = ctx.like("stablehlo.not", _emit_less(ctx, y, x))
        tie_broken = ctx.like("stablehlo.and", not_behind, before)
        before = ctx.like("stablehlo.or", _emit_less(ctx, x, y), tie_broken)
    return before


def _emit_parts(ctx: Emitter, x: Value) -> list[Value]:
    if not x.type.element.startswith("complex"):
        return [x]
    part = TensorType((), x.type.element.removeprefix("complex<").removesuffix(">"))
    return [ctx.op(f"stablehlo.{name}", x, type=part) for name in ("real", "imag")]


def _emit_less(ctx: Emitter, x: Value, y: Value) -> Value:
    """Emit ``x < y``, where a NaN is greater than everything but a NaN."""
    less = ctx.compare("LT", x, y)
    if x.type.element.lstrip("u").startswith("i"):
        return less
    only_y_is_nan = ctx.like("stablehlo.and", ctx.compare("EQ", x, x), ctx.compare("NE", y, y))
    return ctx.like("stablehlo.or", less, only_y_is_nan)


sort_p.sample(
    Arg((3, 5)), _dtypes=("float32", "float64", "bfloat16", "int32", "bool"),
    dimension=1, is_stable=True, num_keys=1,
)  # fmt: skip
sort_p.sample(Arg((4, 2)), Arg((4, 2), dtype="int32"), dimension=0, is_stable=True, num_keys=1)
sort_p.sample(
    Arg((6,), 0, 2, "int32"), Arg((6,)), Arg((6,)), dimension=0, is_stable=True, num_keys=2
)
sort_p.sample(Arg((4,)), _dtypes=("complex64",), dimension=0, is_stable=True, num_keys=1)
sort_p.sample(Arg((2, 0)), _dtypes=("float32",), dimension=1, is_stable=False, num_keys=1)
