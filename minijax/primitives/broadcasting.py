"""How does an array repeat along axes that it lacks?

One operation, ``broadcast_in_dim``, says for each axis of the operand which axis of the result it
becomes; along all others the array repeats. It is also how axes of length one are added, and how
a scalar becomes an array. Its transpose sums over what was repeated.

The file begins with the checks of shapes and axes that all structural operations share.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from minijax.core.array import Array
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import ALL_KINDS, Arg, AxisInfo, broadcast_in_dim_p
from minijax.primitives.operands import (
    ArrayLike,
    check_operands,
    move_axis,
    reduce_sum_p,
    transpose_p,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value
from minijax.util import canonicalize_axis


def canonical_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple of ints; a single integer is a shape of one axis.

    Raises
    ------
    TypeError
        If a length is no integer, or not known while tracing.
    """
    try:
        if np.ndim(shape) == 0 and not isinstance(shape, (tuple, list)):
            return (operator.index(shape),)
        return tuple(map(operator.index, shape))
    except TypeError as error:
        raise TypeError(
            "Shapes must be 1D sequences of concrete values of integer type, got "
            f"{shape if isinstance(shape, (tuple, list)) else (shape,)}."
        ) from error


def as_ints(values: Any) -> tuple[int, ...]:
    """Return axes or indices, of whatever integer types, as a tuple of ints."""
    return tuple(map(operator.index, values))


def without(values: Sequence[Any], positions: Sequence[int]) -> tuple[Any, ...]:
    """Return the values that do not stand at ``positions``."""
    return tuple(value for i, value in enumerate(values) if i not in positions)


def inserted(values: Sequence[Any], position: int, value: Any) -> tuple[Any, ...]:
    """Return the values with one more in front of that at ``position``."""
    return (*values[:position], value, *values[position:])


# -- broadcast_in_dim --------------------------------------------------------------------------


def broadcast_in_dim(
    operand: ArrayLike,
    shape: Sequence[int],
    broadcast_dimensions: Sequence[int],
    *,
    out_sharding: Any = None,
) -> Any:
    """Repeat an array along axes that it lacks, or has with length one.

    Parameters
    ----------
    operand : array_like
        Of any dtype.
    shape : sequence of int
        Shape of the result.
    broadcast_dimensions : sequence of int
        For each axis of the operand the axis of the result that it becomes.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    Array
        Of the given shape and the operand's dtype.

    Raises
    ------
    TypeError
        If the shapes do not fit, or an axis of the result is named twice.

    Examples
    --------
    >>> broadcast_in_dim(np.array([1, 2]), (2, 3), (0,))
    Array([[1, 1, 1],
           [2, 2, 2]], dtype=int32)
    """
    check_operands("broadcast_in_dim", operand)
    shape, dims = canonical_shape(shape), as_ints(broadcast_dimensions)
    if isinstance(operand, Array) and operand.shape == shape and dims == tuple(range(len(shape))):
        return operand
    return broadcast_in_dim_p.bind(
        operand, shape=shape, broadcast_dimensions=dims, sharding=out_sharding
    )


@broadcast_in_dim_p.abstract
def broadcast_in_dim_abstract(
    x: ShapedArray, *, shape: tuple[int, ...], broadcast_dimensions: tuple[int, ...], sharding: Any
) -> ShapedArray:
    if any(n < 0 for n in shape):
        raise TypeError(
            f"broadcast_in_dim shape must have every element be nonnegative, got {shape}."
        )
    _check_broadcast_dimensions(x, shape, broadcast_dimensions)
    if any(n not in (1, shape[d]) for n, d in zip(x.shape, broadcast_dimensions, strict=True)):
        raise TypeError(
            "broadcast_in_dim operand dimension sizes must either be 1, or be equal to their "
            "corresponding dimensions in the target broadcast shape; got operand of shape "
            f"{x.shape}, target broadcast shape {shape}, broadcast_dimensions "
            f"{broadcast_dimensions} "
        )
    if len(set(broadcast_dimensions)) != len(broadcast_dimensions):
        raise TypeError(
            "broadcast_in_dim broadcast_dimensions must not contain duplicates, got "
            f"broadcast_dimensions {broadcast_dimensions}"
        )
    return x.update(shape=shape)


def _check_broadcast_dimensions(
    x: ShapedArray, shape: tuple[int, ...], dims: tuple[int, ...]
) -> None:
    if any(d < 0 for d in dims):
        raise TypeError(
            "broadcast_in_dim broadcast_dimensions must have every element be nonnegative, got "
            f"{dims}."
        )
    if len(shape) < x.ndim:
        raise TypeError(
            "broadcast_in_dim target broadcast shape must have equal or higher rank to the "
            f"operand shape; got operand ndim {x.ndim} and target broadcast ndim {len(shape)}."
        )
    if len(dims) != x.ndim:
        raise TypeError(
            "broadcast_in_dim broadcast_dimensions must have length equal to operand ndim; got "
            f"broadcast_dimensions {dims} for operand ndim {x.ndim}."
        )
    if any(d >= len(shape) for d in dims):
        raise TypeError(
            "broadcast_in_dim broadcast_dimensions must be a subset of output dimensions, got "
            f"{dims} for operand ndim {x.ndim} and shape {shape}."
        )


@broadcast_in_dim_p.reference
def broadcast_in_dim_reference(
    x: np.ndarray, *, shape: tuple[int, ...], broadcast_dimensions: tuple[int, ...], sharding: Any
) -> np.ndarray:
    if x.shape == shape and broadcast_dimensions == tuple(range(x.ndim)):
        return x
    lengths = [1] * len(shape)
    for length, dim in zip(x.shape, broadcast_dimensions, strict=True):
        lengths[dim] = length
    if any(a > b for a, b in pairwise(broadcast_dimensions)):
        x = x.transpose(np.argsort(broadcast_dimensions))
    return np.broadcast_to(x.reshape(lengths), shape)


@broadcast_in_dim_p.linear_in(0)
def broadcast_in_dim_transpose(
    ct: Any, x: Any, *, shape: tuple[int, ...], broadcast_dimensions: tuple[int, ...], sharding: Any
) -> list[Any]:
    pairs = list(zip(x.aval.shape, broadcast_dimensions, strict=True))
    kept = [d for n, d in pairs if n == shape[d]]
    repeated = without(range(len(shape)), kept)
    if repeated:
        ct = reduce_sum_p.bind(ct, axes=repeated, out_sharding=None)
    if kept != sorted(kept):
        ct = transpose_p.bind(ct, permutation=tuple(sorted(kept).index(d) for d in kept))
    if len(kept) == len(pairs):
        return [ct]
    axes = [i for i, (_, d) in enumerate(pairs) if d in kept]
    return [broadcast_in_dim(ct, x.aval.shape, axes)]


@broadcast_in_dim_p.batch
def broadcast_in_dim_batch(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int],
    *,
    shape: tuple[int, ...],
    broadcast_dimensions: tuple[int, ...],
    sharding: Any,
):
    # The batch axis goes right behind the axis that precedes it, so that none has to move.
    (x,), (dim,) = args, dims
    out_dim = broadcast_dimensions[dim - 1] + 1 if dim else 0
    moved = [d + (d >= out_dim) for d in broadcast_dimensions]
    moved.insert(dim, out_dim)
    return broadcast_in_dim(x, inserted(shape, out_dim, axis.size), moved), out_dim


@broadcast_in_dim_p.lower
def broadcast_in_dim_lower(
    ctx: Emitter,
    x: Value,
    *,
    shape: tuple[int, ...],
    broadcast_dimensions: tuple[int, ...],
    sharding: Any,
) -> Value:
    return ctx.broadcast(x, shape, broadcast_dimensions)


def _broadcast_in_dim_print(eqn: Any, shown: dict[str, Any]) -> dict[str, Any]:
    """Leave out the shape, which the type of the result shows."""
    return {key: value for key, value in shown.items() if key != "shape"}


broadcast_in_dim_p.print_rule = _broadcast_in_dim_print
broadcast_in_dim_p.hide_params(broadcast_dimensions=(), sharding=None)
broadcast_in_dim_p.sample(
    Arg(), shape=(2, 3), broadcast_dimensions=(), sharding=None, _dtypes=ALL_KINDS
)
broadcast_in_dim_p.sample(Arg((3, 1)), shape=(2, 3, 4), broadcast_dimensions=(1, 2), sharding=None)
broadcast_in_dim_p.sample(Arg((1, 2)), shape=(1, 2), broadcast_dimensions=(0, 1), sharding=None)
broadcast_in_dim_p.sample(Arg((2, 3)), shape=(3, 4, 2), broadcast_dimensions=(2, 0), sharding=None)
broadcast_in_dim_p.sample(Arg((0, 2)), shape=(3, 0, 2), broadcast_dimensions=(1, 2), sharding=None)


def broadcast(operand: ArrayLike, sizes: Sequence[int], *, out_sharding: Any = None) -> Any:
    """Add leading axes of the given lengths, along which the array repeats.

    Examples
    --------
    >>> broadcast(np.array([1, 2]), (2,))
    Array([[1, 2],
           [1, 2]], dtype=int32)
    """
    given = typeof(operand).shape
    sizes = canonical_shape(sizes)
    dims = range(len(sizes), len(sizes) + len(given))
    return broadcast_in_dim(operand, (*sizes, *given), tuple(dims), out_sharding=out_sharding)


def broadcast_to_rank(x: ArrayLike, rank: int) -> Any:
    """Add leading axes of length one until the array has ``rank`` axes."""
    ndim = typeof(x).ndim
    return x if ndim >= rank else expand_dims(x, range(rank - ndim))


def batch_axis_at(x: Any, given: int | None, dim: int, size: int) -> Any:
    """Move a batch axis to ``dim``; an operand without one is repeated along it."""
    if given is not None:
        return move_axis(x, given, dim)
    shape = inserted(typeof(x).shape, dim, size)
    return broadcast_in_dim(x, shape, without(range(len(shape)), (dim,)))


def expand_dims(array: ArrayLike, dimensions: Any) -> Any:
    """Add axes of length one, which stand at ``dimensions`` of the result.

    Raises
    ------
    ValueError
        If an axis is named twice or lies outside the result.

    Examples
    --------
    >>> expand_dims(np.zeros(3), (0, -1)).shape
    (1, 3, 1)
    """
    check_operands("expand_dims", array)
    if len(set(dimensions)) != len(dimensions):
        raise ValueError(f"repeated axis in lax.expand_dims: {tuple(dimensions)}")
    given = typeof(array).shape
    ndim = len(given) + len(dimensions)
    added = [canonicalize_axis(operator.index(d), ndim) for d in dimensions]
    if len(set(added)) != len(added):
        raise ValueError(f"repeated axis in lax.expand_dims: {tuple(added)}")
    shape = list(given)
    for d in sorted(added):
        shape.insert(d, 1)
    return broadcast_in_dim(array, shape, without(range(ndim), added))
