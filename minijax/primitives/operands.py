"""Which operands does an elementwise operation accept, and how do they meet?

The operations of this layer do not promote: dtypes must be equal, and shapes must be equal up to
axes of length one and scalars. (``numpy.add`` promotes first and then comes here.) This module
holds what all elementwise operations share: the checks, the type rule, the batching rule, and
the sum that takes the cotangent of a broadcast operand back to its shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, is_array_like, typeof
from minijax.core.primitive import AxisInfo, Primitive, Rule

ArrayLike = Any

KIND_NAMES = {
    np.bool_: "bool",
    np.integer: "integer",
    np.signedinteger: "signedinteger",
    np.unsignedinteger: "unsignedinteger",
    np.floating: "floating",
    np.complexfloating: "complexfloating",
}
NUMERIC = (np.integer, np.floating, np.complexfloating)
INEXACT = (np.floating, np.complexfloating)
REAL = (np.integer, np.floating)
LOGICAL = (np.integer, np.bool_)
EVERYTHING = (np.bool_, np.integer, np.floating, np.complexfloating)


def check_operands(name: str, *operands: ArrayLike) -> None:
    """Refuse operands that are not arrays or scalars (lists above all).

    Raises
    ------
    TypeError
        Naming the operation, the type found and its position.
    """
    for position, x in enumerate(operands):
        if not is_array_like(x):
            raise TypeError(
                f"Error interpreting argument to {name} as a JAX value. The problematic value is "
                f"of type {type(x)} and was passed to {name} at position {position}."
            )


def check_kinds(name: str, avals: Sequence[ShapedArray], kinds: tuple[type, ...]) -> None:
    """Refuse dtypes that the operation is not defined on."""
    for position, aval in enumerate(avals):
        if any(dtypes.issubdtype(aval.dtype, kind) for kind in kinds):
            continue
        at = f" at position {position}" if len(avals) > 1 else ""
        listed = ", ".join(KIND_NAMES[kind] for kind in kinds)
        raise TypeError(
            f"{name} does not accept dtype {aval.dtype.name}{at}. Accepted dtypes{at} are "
            f"subtypes of {listed}."
        )


def check_same_dtypes(name: str, avals: Sequence[ShapedArray]) -> None:
    """Refuse operands of different dtypes."""
    if any(aval.dtype != avals[0].dtype for aval in avals[1:]):
        given = ", ".join(aval.dtype.name for aval in avals)
        tip = (
            f" (Tip: jnp.{name} is a similar function that does automatic type promotion on "
            "inputs)."
            if name in _PROMOTING_TWINS
            else ""
        )
        raise TypeError(f"lax.{name} requires arguments to have the same dtypes, got {given}.{tip}")


_PROMOTING_TWINS = frozenset(
    "add sub mul div rem max min pow atan2 nextafter bitwise_and bitwise_or bitwise_xor".split()
)


def broadcast_shape(name: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the common shape of operands: equal rank with axes of length one, or scalars.

    Examples
    --------
    >>> broadcast_shape("add", [(2, 1), (), (1, 3)])
    (2, 3)
    """
    ranked = [shape for shape in shapes if shape]
    if not ranked:
        return ()
    if any(len(shape) != len(ranked[0]) for shape in ranked):
        ranks = "{" + ", ".join(map(str, sorted({len(shape) for shape in shapes}))) + "}"
        raise TypeError(f"{name}: arrays must have the same number of dimensions, got {ranks}")
    result = []
    for lengths in zip(*ranked, strict=True):
        wide = {n for n in lengths if n != 1}
        if len(wide) > 1:
            listed = ", ".join(map(str, shapes))
            raise TypeError(f"{name} got incompatible shapes for broadcasting: {listed}.")
        result.append(wide.pop() if wide else 1)
    return tuple(result)


def elementwise_abstract(
    p: Primitive, kinds: tuple[type, ...], result_dtype: Any = None, name: str | None = None
) -> Rule:
    """Make and register the type rule of an elementwise operation.

    ``kinds`` are accepted dtypes; ``result_dtype`` is a dtype, or a function of the operands'
    dtype, where the result differs from them. ``name`` is the public name used in messages.
    """
    public = name or p.name

    def abstract_rule(*avals: ShapedArray, **params: Any) -> ShapedArray:
        check_kinds(p.name, avals, kinds)
        check_same_dtypes(public, avals)
        dtype = avals[0].dtype
        if result_dtype is not None:
            dtype = result_dtype(dtype) if callable(result_dtype) else result_dtype
        shape = broadcast_shape(p.name, [aval.shape for aval in avals])
        return ShapedArray(shape, dtype, all(aval.weak_type for aval in avals))

    abstract_rule.__name__ = f"{p.name}_abstract"
    return p.abstract(abstract_rule)


def elementwise_batch(p: Primitive) -> Rule:
    """Make and register the batching rule of an elementwise operation.

    Operands whose batch axis stands in the same place pass as they are. Otherwise every batched
    operand gets its axis in front, and an unbatched one of some rank gets an axis of length one
    there; scalars go everywhere as they are.
    """

    def batch_rule(axis: AxisInfo, args: Sequence[Any], dims: Sequence[Any], **params: Any):
        ranks = [len(typeof(x).shape) for x in args]
        placed = {
            (d, rank) for d, rank in zip(dims, ranks, strict=True) if d is not None or rank > 0
        }
        if len(placed) == 1 and None not in {d for d, _ in placed}:
            return p.bind(*args, **params), next(iter(placed))[0]
        rank = max(r - (d is not None) for r, d in zip(ranks, dims, strict=True))
        aligned = [_align(x, d, rank) for x, d in zip(args, dims, strict=True)]
        return p.bind(*aligned, **params), 0

    batch_rule.__name__ = f"{p.name}_batch"
    return p.batch(batch_rule)


def _align(x: Any, dim: int | None, rank: int) -> Any:
    shape = typeof(x).shape
    if dim is None:
        return (
            reshape_p.bind(x, new_sizes=(1, *shape), dimensions=None, sharding=None) if shape else x
        )
    front = move_axis(x, dim, 0)
    missing = rank - (len(shape) - 1)
    if not missing:
        return front
    head, *tail = typeof(front).shape
    sizes = (head, *(1,) * missing, *tail)
    return reshape_p.bind(front, new_sizes=sizes, dimensions=None, sharding=None)


# Moving axes is what batching does all the time; the rules of these three primitives stand in
# structural.py and reduce.py, which need the checks above.

reshape_p = Primitive("reshape")
transpose_p = Primitive("transpose")
reduce_sum_p = Primitive("reduce_sum")


def move_axis(x: Any, source: int, destination: int) -> Any:
    """Move one axis to another place; nothing is bound if it is there already."""
    ndim = len(typeof(x).shape)
    source, destination = source % ndim, destination % ndim
    if source == destination:
        return x
    order = [i for i in range(ndim) if i != source]
    order.insert(destination, source)
    return transpose_p.bind(x, permutation=tuple(order))


def unbroadcast(ct: Any, aval: ShapedArray) -> Any:
    """Sum a cotangent over the axes along which its operand was broadcast.

    Examples
    --------
    The cotangent of ``y`` in ``x * y`` with shapes (2, 3) and (2, 1) has shape (2, 3); the
    result has shape (2, 1).
    """
    shape = typeof(ct).shape
    if shape == aval.shape:
        return ct
    if not aval.shape:
        return reduce_sum_p.bind(ct, axes=tuple(range(len(shape))), out_sharding=None)
    axes = tuple(i for i, n in enumerate(aval.shape) if n == 1 and shape[i] != 1)
    summed = reduce_sum_p.bind(ct, axes=axes, out_sharding=None)
    return reshape_p.bind(summed, new_sizes=aval.shape, dimensions=None, sharding=None)
