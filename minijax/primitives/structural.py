"""How do the elements of an array take another order or shape?

Reshape, transpose, squeeze, reverse: the elements stay what they are and only move. So these
operations accept every dtype, keys of random streams included; all of them are linear, and each
transpose rule is again one of them.

Repeating elements is the matter of :mod:`minijax.primitives.broadcasting`; building arrays of
:mod:`minijax.primitives.build`; cutting and joining of :mod:`minijax.primitives.cutting` and
:mod:`minijax.primitives.joining`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core.array import Array
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import ALL_KINDS, Arg, AxisInfo, Primitive
from minijax.primitives.broadcasting import as_ints, canonical_shape, expand_dims, without
from minijax.primitives.operands import (
    ArrayLike,
    check_operands,
    move_axis,
    reshape_p,
    transpose_p,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value
from minijax.util import canonicalize_axis

# -- reshape -----------------------------------------------------------------------------------


def reshape(
    operand: ArrayLike,
    new_sizes: Any,
    dimensions: Sequence[int] | None = None,
    *,
    out_sharding: Any = None,
) -> Any:
    """Give the elements, in row-major order, another shape.

    Parameters
    ----------
    operand : array_like
        Of any dtype.
    new_sizes : int or sequence of int
        The lengths of the result; all known (``numpy.reshape`` also takes -1).
    dimensions : sequence of int, optional
        The order in which the operand's axes are read, if not from first to last.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    Array

    Raises
    ------
    TypeError
        If the number of elements differs, or ``dimensions`` is not a permutation.

    Examples
    --------
    >>> reshape(np.array([[1, 2], [3, 4]]), (4,), dimensions=(1, 0))
    Array([1, 3, 2, 4], dtype=int32)
    """
    check_operands("reshape", operand)
    sizes = canonical_shape(new_sizes)
    shape = typeof(operand).shape
    order = None if dimensions is None else as_ints(dimensions)
    if order == tuple(range(len(shape))):
        order = None
    if isinstance(operand, Array) and shape == sizes and order is None:
        return operand
    return reshape_p.bind(operand, new_sizes=sizes, dimensions=order, sharding=out_sharding)


@reshape_p.abstract
def reshape_abstract(
    x: ShapedArray, *, new_sizes: tuple[int, ...], dimensions: Any, sharding: Any
) -> ShapedArray:
    if any(n < 0 for n in new_sizes):
        raise TypeError(f"reshape new_sizes must all be positive, got {new_sizes}.")
    if math.prod(new_sizes) != x.size:
        raise TypeError(
            "reshape total size must be unchanged, got new_sizes "
            f"{new_sizes} (total size {math.prod(new_sizes)}) for shape {x.shape} "
            f"(total size {x.size})"
        )
    if dimensions is not None and sorted(dimensions) != list(range(x.ndim)):
        raise TypeError(
            "reshape dimensions must be a permutation of operand dimensions, got dimensions "
            f"{dimensions} for shape {x.shape}."
        )
    return x.update(shape=new_sizes)


@reshape_p.reference
def reshape_reference(
    x: np.ndarray, *, new_sizes: tuple[int, ...], dimensions: Any, sharding: Any
) -> np.ndarray:
    return (x if dimensions is None else x.transpose(dimensions)).reshape(new_sizes)


@reshape_p.linear_in(0)
def reshape_transpose(
    ct: Any, x: Any, *, new_sizes: tuple[int, ...], dimensions: Any, sharding: Any
) -> list[Any]:
    shape = x.aval.shape
    if dimensions is None:
        return [reshape(ct, shape)]
    read = reshape(ct, tuple(shape[d] for d in dimensions))
    return [transpose(read, np.argsort(dimensions))]


@reshape_p.batch
def reshape_batch(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int],
    *,
    new_sizes: tuple[int, ...],
    dimensions: Any,
    sharding: Any,
):
    front = move_axis(args[0], dims[0], 0)
    if dimensions is not None:
        dimensions = (0, *(d + 1 for d in dimensions))
    return reshape(front, (axis.size, *new_sizes), dimensions), 0


@reshape_p.lower
def reshape_lower(
    ctx: Emitter, x: Value, *, new_sizes: tuple[int, ...], dimensions: Any, sharding: Any
) -> Value:
    if dimensions is not None:
        x = _emit_transpose(ctx, x, dimensions)
    return ctx.reshape(x, new_sizes)


reshape_p.sample(Arg((2, 6)), new_sizes=(3, 4), dimensions=None, sharding=None, _dtypes=ALL_KINDS)
reshape_p.sample(Arg((2, 3)), new_sizes=(6,), dimensions=(1, 0), sharding=None)
reshape_p.sample(Arg(()), new_sizes=(1, 1), dimensions=None, sharding=None)
reshape_p.sample(Arg((0, 3)), new_sizes=(2, 0), dimensions=None, sharding=None)


def collapse(operand: Any, start_dimension: int, stop_dimension: int | None = None) -> Any:
    """Merge the axes from ``start_dimension`` to before ``stop_dimension`` into one.

    Examples
    --------
    >>> collapse(np.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    shape = typeof(operand).shape
    start, stop, _ = slice(start_dimension, stop_dimension).indices(len(shape))
    if stop < start:
        raise ValueError(
            f"Invalid dimension range passed to collapse: {shape}"
            f"[{start_dimension}:{stop_dimension}]"
        )
    return reshape(operand, (*shape[:start], math.prod(shape[start:stop]), *shape[stop:]))


# -- transpose ---------------------------------------------------------------------------------


def transpose(operand: ArrayLike, permutation: Any) -> Any:
    """Reorder the axes: axis i of the result is axis ``permutation[i]`` of the operand.

    Raises
    ------
    TypeError
        If ``permutation`` does not name each axis once.

    Examples
    --------
    >>> transpose(np.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    check_operands("transpose", operand)
    permutation = as_ints(permutation)
    if isinstance(operand, Array) and permutation == tuple(range(operand.ndim)):
        return operand
    return transpose_p.bind(operand, permutation=permutation)


@transpose_p.abstract
def transpose_abstract(x: ShapedArray, *, permutation: tuple[int, ...]) -> ShapedArray:
    if sorted(permutation) != list(range(x.ndim)):
        raise TypeError(
            "transpose permutation isn't a permutation of operand dimensions, got permutation "
            f"{permutation} for operand shape {x.shape}."
        )
    return x.update(shape=tuple(x.shape[i] for i in permutation))


@transpose_p.reference
def transpose_reference(x: np.ndarray, *, permutation: tuple[int, ...]) -> np.ndarray:
    return x.transpose(permutation)


@transpose_p.linear_in(0)
def transpose_transpose(ct: Any, x: Any, *, permutation: tuple[int, ...]) -> list[Any]:
    return [transpose(ct, np.argsort(permutation))]


@transpose_p.batch
def transpose_batch(
    axis: AxisInfo, args: Sequence[Any], dims: Sequence[int], *, permutation: tuple[int, ...]
):
    (x,), (dim,) = args, dims
    return transpose(x, (dim, *(i + (i >= dim) for i in permutation))), 0


@transpose_p.lower
def transpose_lower(ctx: Emitter, x: Value, *, permutation: tuple[int, ...]) -> Value:
    return _emit_transpose(ctx, x, permutation)


def _emit_transpose(ctx: Emitter, x: Value, permutation: Sequence[int]) -> Value:
    shape = tuple(x.type.shape[i] for i in permutation)
    kind = TensorType(shape, x.type.element)
    return ctx.op("stablehlo.transpose", x, type=kind, permutation=tuple(permutation))


transpose_p.sample(Arg((2, 3, 4)), permutation=(2, 0, 1), _dtypes=ALL_KINDS)
transpose_p.sample(Arg((2, 3)), permutation=(1, 0))
transpose_p.sample(Arg(()), permutation=())


# -- squeeze -----------------------------------------------------------------------------------

squeeze_p = Primitive("squeeze")


def squeeze(array: ArrayLike, dimensions: Sequence[int]) -> Any:
    """Remove axes of length one.

    Raises
    ------
    ValueError
        If an axis is longer, does not exist, or is named twice.

    Examples
    --------
    >>> squeeze(np.zeros((1, 3, 1)), (0, -1)).shape
    (3,)
    """
    check_operands("squeeze", array)
    ndim = typeof(array).ndim
    axes = tuple(canonicalize_axis(operator.index(d), ndim) for d in dimensions)
    if not axes and isinstance(array, Array):
        return array
    return squeeze_p.bind(array, dimensions=axes)


@squeeze_p.abstract
def squeeze_abstract(x: ShapedArray, *, dimensions: tuple[int, ...]) -> ShapedArray:
    if len(set(dimensions)) != len(dimensions):
        raise ValueError(f"dimensions are not unique: {dimensions}")
    if any(x.shape[d] != 1 for d in dimensions):
        raise ValueError(
            "cannot select an axis to squeeze out which has size not equal to one, got "
            f"shape={x.shape} and dimensions={dimensions}"
        )
    return x.update(shape=without(x.shape, dimensions))


@squeeze_p.reference
def squeeze_reference(x: np.ndarray, *, dimensions: tuple[int, ...]) -> np.ndarray:
    return x.reshape(without(x.shape, dimensions))


@squeeze_p.linear_in(0)
def squeeze_transpose(ct: Any, x: Any, *, dimensions: tuple[int, ...]) -> list[Any]:
    return [expand_dims(ct, dimensions)]


@squeeze_p.batch
def squeeze_batch(
    axis: AxisInfo, args: Sequence[Any], dims: Sequence[int], *, dimensions: tuple[int, ...]
):
    (x,), (dim,) = args, dims
    moved = tuple(d + (d >= dim) for d in dimensions)
    return squeeze(x, moved), dim - sum(d < dim for d in moved)


@squeeze_p.lower
def squeeze_lower(ctx: Emitter, x: Value, *, dimensions: tuple[int, ...]) -> Value:
    return ctx.reshape(x, ctx.avals_out[0].shape)


squeeze_p.sample(Arg((1, 3, 1)), dimensions=(0, 2), _dtypes=ALL_KINDS)
squeeze_p.sample(Arg((1, 2, 1)), dimensions=(2,))


# -- rev ---------------------------------------------------------------------------------------

rev_p = Primitive("rev")


def rev(operand: ArrayLike, dimensions: Sequence[int]) -> Any:
    """Reverse the order of the elements along some axes.

    Raises
    ------
    TypeError
        If an axis is negative, does not exist, or is named twice.

    Examples
    --------
    >>> rev(np.array([1, 2, 3]), (0,))
    Array([3, 2, 1], dtype=int32)
    """
    check_operands("rev", operand)
    return rev_p.bind(operand, dimensions=as_ints(dimensions))


@rev_p.abstract
def rev_abstract(x: ShapedArray, *, dimensions: tuple[int, ...]) -> ShapedArray:
    if any(d < 0 for d in dimensions):
        raise TypeError(f"rev dimensions must have every element be nonnegative, got {dimensions}.")
    if len(set(dimensions)) != len(dimensions):
        raise TypeError(f"rev dimensions must be unique, got {dimensions}.")
    if any(d >= x.ndim for d in dimensions):
        raise TypeError(
            f"rev dimensions must all be less than operand ndim, got dimensions {dimensions} for "
            f"operand ndim {x.ndim}."
        )
    return x


@rev_p.reference
def rev_reference(x: np.ndarray, *, dimensions: tuple[int, ...]) -> np.ndarray:
    return np.flip(x, dimensions)


@rev_p.linear_in(0)
def rev_transpose(ct: Any, x: Any, *, dimensions: tuple[int, ...]) -> list[Any]:
    return [rev(ct, dimensions)]


@rev_p.batch
def rev_batch(
    axis: AxisInfo, args: Sequence[Any], dims: Sequence[int], *, dimensions: tuple[int, ...]
):
    (x,), (dim,) = args, dims
    return rev(x, tuple(d + (d >= dim) for d in dimensions)), dim


@rev_p.lower
def rev_lower(ctx: Emitter, x: Value, *, dimensions: tuple[int, ...]) -> Value:
    return ctx.op("stablehlo.reverse", x, dimensions=dimensions) if dimensions else x


rev_p.sample(Arg((2, 3)), dimensions=(1,), _dtypes=ALL_KINDS)
rev_p.sample(Arg((2, 3, 2)), dimensions=(2, 0))
rev_p.sample(Arg((2,)), dimensions=())
