"""How do several arrays become one, and one several?

``concatenate`` and ``split`` undo each other, and each is the other's transpose.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core.array import Array
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import (
    ALL_KINDS,
    Arg,
    AxisInfo,
    Primitive,
    instantiate,
    is_undefined_primal,
)
from minijax.primitives.broadcasting import as_ints, batch_axis_at, inserted, without
from minijax.primitives.operands import ArrayLike, check_operands
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value
from minijax.util import canonicalize_axis

# -- concatenate --------------------------------------------------------------------------------

concatenate_p = Primitive("concatenate")


def concatenate(operands: Any, dimension: int) -> Any:
    """Join arrays along an existing axis.

    Parameters
    ----------
    operands : sequence of array_like
        Of one dtype, and of shapes that differ along ``dimension`` at most.
    dimension : int
        Not negative.

    Returns
    -------
    Array

    Raises
    ------
    ValueError
        If there are no operands.
    TypeError
        If dtypes or shapes do not fit, or there is no such axis.

    Examples
    --------
    >>> concatenate([np.array([1, 2]), np.array([3])], 0)
    Array([1, 2, 3], dtype=int32)
    """
    if len(operands) == 0:
        raise ValueError("concatenate requires a non-empty sequences of arrays")
    operands = list(operands)
    check_operands("concatenate", *operands)
    if len(operands) == 1 and isinstance(operands[0], Array):
        return operands[0]
    return concatenate_p.bind(*operands, dimension=operator.index(dimension))


@concatenate_p.abstract
def concatenate_abstract(*xs: ShapedArray, dimension: int) -> ShapedArray:
    shapes = ", ".join(str(x.shape) for x in xs)
    first = xs[0].shape
    if any(x.ndim != len(first) for x in xs):
        raise TypeError(
            f"Cannot concatenate arrays with different numbers of dimensions: got {shapes}."
        )
    if not 0 <= dimension < len(first):
        raise TypeError(
            f"concatenate dimension out of bounds: dimension {dimension} for shapes {shapes}."
        )
    if any(without(x.shape, (dimension,)) != without(first, (dimension,)) for x in xs):
        raise TypeError(
            "Cannot concatenate arrays with shapes that differ in dimensions other than the one "
            f"being concatenated: concatenating along dimension {dimension} for shapes {shapes}."
        )
    if any(x.dtype != xs[0].dtype for x in xs):
        raise TypeError(
            "lax.concatenate requires arguments to have the same dtypes, got "
            f"{', '.join(x.dtype.name for x in xs)}. (Tip: jnp.concatenate is a similar function "
            "that does automatic type promotion on inputs)."
        )
    total = sum(x.shape[dimension] for x in xs)
    shape = inserted(without(first, (dimension,)), dimension, total)
    return ShapedArray(shape, xs[0].dtype, all(x.weak_type for x in xs))


@concatenate_p.reference
def concatenate_reference(*xs: np.ndarray, dimension: int) -> np.ndarray:
    return np.concatenate(xs, dimension)


@concatenate_p.linear_in(...)
def concatenate_transpose(ct: Any, *xs: Any, dimension: int) -> list[Any]:
    shapes = [x.aval.shape if is_undefined_primal(x) else typeof(x).shape for x in xs]
    cts = split(ct, [shape[dimension] for shape in shapes], dimension)
    return [c if is_undefined_primal(x) else None for c, x in zip(cts, xs, strict=True)]


@concatenate_p.batch
def concatenate_batch(axis: AxisInfo, args: Sequence[Any], dims: Sequence[Any], *, dimension: int):
    places = {d for d in dims if d is not None}
    dim = places.pop() if len(places) == 1 else 0
    moved = [batch_axis_at(x, d, dim, axis.size) for x, d in zip(args, dims, strict=True)]
    return concatenate(moved, dimension + (dim <= dimension)), dim


@concatenate_p.lower
def concatenate_lower(ctx: Emitter, *xs: Value, dimension: int) -> Value:
    return ctx.op("stablehlo.concatenate", *xs, dimension=dimension)


concatenate_p.sample(Arg((2, 3)), Arg((1, 3)), dimension=0, _dtypes=ALL_KINDS)
concatenate_p.sample(Arg((2, 1)), Arg((2, 0)), Arg((2, 3)), dimension=1)
concatenate_p.sample(Arg((2,)), dimension=0)


# -- split --------------------------------------------------------------------------------------

split_p = Primitive("split", multiple_results=True)


def split(operand: ArrayLike, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """Cut an array along an axis into pieces of given lengths.

    Raises
    ------
    ValueError
        If the lengths do not add up, one is negative, or there is no such axis.

    Examples
    --------
    >>> split(np.arange(3), (1, 2))
    [Array([0], dtype=int32), Array([1, 2], dtype=int32)]
    """
    check_operands("split", operand)
    axis = canonicalize_axis(operator.index(axis), typeof(operand).ndim)
    return split_p.bind(operand, sizes=as_ints(sizes), axis=axis)


@split_p.abstract
def split_abstract(x: ShapedArray, *, sizes: tuple[int, ...], axis: int) -> list[ShapedArray]:
    if any(size < 0 for size in sizes):
        raise ValueError(f"Sizes passed to split must be nonnegative, got {list(sizes)}")
    if sum(sizes) != x.shape[axis]:
        raise ValueError(
            f"Sum of sizes {sum(sizes)} must be equal to dimension {axis} of the operand shape "
            f"{list(x.shape)}"
        )
    rest = without(x.shape, (axis,))
    return [x.update(shape=inserted(rest, axis, size)) for size in sizes]


@split_p.reference
def split_reference(x: np.ndarray, *, sizes: tuple[int, ...], axis: int) -> list[np.ndarray]:
    return np.split(x, np.cumsum(sizes)[:-1], axis) if sizes else []


@split_p.linear_in(0)
def split_transpose(cts: Sequence[Any], x: Any, *, sizes: tuple[int, ...], axis: int) -> list[Any]:
    return [concatenate([instantiate(ct) for ct in cts], axis)]


@split_p.batch
def split_batch(
    axis_info: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int],
    *,
    sizes: tuple[int, ...],
    axis: int,
):
    (x,), (dim,) = args, dims
    return split(x, sizes, axis + (dim <= axis)), [dim] * len(sizes)


@split_p.lower
def split_lower(ctx: Emitter, x: Value, *, sizes: tuple[int, ...], axis: int) -> list[Value]:
    pieces, start = [], 0
    for size in sizes:
        limit = inserted(without(x.type.shape, (axis,)), axis, start + size)
        kind = TensorType(inserted(without(limit, (axis,)), axis, size), x.type.element)
        starts = inserted((0,) * (len(limit) - 1), axis, start)
        pieces.append(
            ctx.op(
                "stablehlo.slice",
                x,
                type=kind,
                start_indices=starts,
                limit_indices=limit,
                strides=(1,) * len(limit),
            )
        )
        start += size
    return pieces


split_p.sample(Arg((2, 5)), sizes=(1, 4), axis=1, _dtypes=ALL_KINDS)
split_p.sample(Arg((4, 2)), sizes=(2, 0, 2), axis=0)
