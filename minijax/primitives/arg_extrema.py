"""Where is the largest element, and where the smallest?

``argmax`` and ``argmin`` return the first place of the extremum along one axis. NaN counts as
extreme: its first place is the answer if there is one. In StableHLO they are one reduction over
pairs of value and index.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray
from minijax.core.primitive import ALL_KINDS, Arg, AxisInfo, Primitive
from minijax.primitives.broadcasting import without
from minijax.primitives.monoids import highest, lowest, numpy_dtype
from minijax.primitives.operands import ArrayLike, check_operands
from minijax.primitives.reduce import check_ordered
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value, element_type


def arg_extremum(
    name: str, find: Callable[..., np.ndarray], start: Callable[[Any], Any], direction: str
) -> Primitive:
    """Make ``argmax`` or ``argmin``; ``direction`` compares a better value with another."""
    p = Primitive(name)

    def abstract_rule(x: ShapedArray, *, axes: tuple[int, ...], index_dtype: Any) -> ShapedArray:
        check_ordered(name.removeprefix("arg"), x)
        (axis,) = axes
        if not 0 <= axis < x.ndim:
            raise ValueError(f"Invalid axis {axis} for operand shape {x.shape}")
        if not dtypes.issubdtype(index_dtype, np.integer):
            raise TypeError(f"index_dtype must be an integer type, but got {index_dtype.name}")
        if not x.shape[axis]:
            raise ValueError(
                "argmin and argmax require non-empty reduced dimension. "
                f"operand.shape={x.shape} axis={axis}"
            )
        if dtypes.issubdtype(x.dtype, np.complexfloating):
            raise TypeError(
                f"{direction.lower()} does not accept dtype {x.dtype.name} at position 0. Accepted "
                "dtypes at position 0 are subtypes of integer, floating, bool."
            )
        return ShapedArray(without(x.shape, axes), index_dtype)

    def reference_rule(x: np.ndarray, *, axes: tuple[int, ...], index_dtype: Any) -> np.ndarray:
        return np.asarray(find(x.astype(numpy_dtype(x.dtype), copy=False), axes[0])).astype(
            index_dtype
        )

    def batch_rule(
        axis: AxisInfo, args: Sequence[Any], dims: Sequence[int], *, axes: tuple[int, ...], **params
    ):
        (x,), (dim,), (searched,) = args, dims, axes
        searched += searched >= dim
        return p.bind(x, axes=(searched,), **params), dim - (searched < dim)

    def lower_rule(ctx: Emitter, x: Value, *, axes: tuple[int, ...], index_dtype: Any) -> Value:
        dtype, index = ctx.avals_in[0].dtype, element_type(index_dtype)
        is_float = dtypes.issubdtype(dtype, np.floating)
        kinds = [TensorType(ctx.avals_out[0].shape, e) for e in (x.type.element, index)]
        places = ctx.op(
            "stablehlo.iota", type=TensorType(x.type.shape, index), iota_dimension=axes[0]
        )
        starts = [ctx.constant(start(dtype), dtype), ctx.constant(0, index_dtype)]
        body = _emit_choice(ctx, [value.type for value in starts], direction, is_float)
        _, found = ctx.ops("stablehlo.reduce", [x, places, *starts], kinds, [body], dimensions=axes)
        return found

    for rule in (abstract_rule, reference_rule, batch_rule, lower_rule):
        rule.__name__ = f"{name}_{rule.__name__.removesuffix('_rule')}"
    p.abstract(abstract_rule)
    p.reference(reference_rule)
    p.jvp_zero("an index has no derivative")
    p.batch(batch_rule)
    p.lower(lower_rule)
    for dtype in (*ALL_KINDS, "uint8"):
        p.sample(Arg((3, 4), 0), axes=(1,), index_dtype=np.dtype(np.int32), _dtypes=(dtype,))
    p.sample(Arg((3, 4, 2)), axes=(0,), index_dtype=np.dtype(np.uint8))
    p.sample(
        np.array([[1, np.nan, np.nan], [2, 2, 1]], np.float32),
        axes=(1,),
        index_dtype=np.dtype(np.int32),
        _dtypes=("float32",),
    )
    return p


def _emit_choice(ctx: Emitter, kinds: Sequence[TensorType], direction: str, is_float: bool) -> Any:
    """Emit the region that chooses between two pairs of value and index."""
    with ctx.region([*kinds, *kinds]) as body:
        x, i, y, j = body.arguments
        better = ctx.compare(direction, x, y)
        if is_float:  # NaN beats all, and no comparison holds for it but this
            better = ctx.like("stablehlo.or", better, ctx.compare("NE", x, x))
        earlier = ctx.like("stablehlo.and", ctx.compare("EQ", x, y), ctx.compare("LT", i, j))
        first = ctx.like("stablehlo.or", better, earlier)
        ctx.return_(ctx.select(better, x, y), ctx.select(first, i, j))
    return body


argmax_p = arg_extremum("argmax", np.argmax, lowest, "GT")
argmin_p = arg_extremum("argmin", np.argmin, highest, "LT")


def argmax(operand: ArrayLike, axis: int, index_dtype: Any) -> Any:
    """Find the index of the first largest element along an axis; NaN counts as largest.

    Parameters
    ----------
    operand : array_like
        Of real numbers or truth values.
    axis : int
        Not negative; of at least one element.
    index_dtype : dtype-like
        An integer type.

    Returns
    -------
    Array
        Of ``index_dtype``, without the axis.

    Raises
    ------
    ValueError
        If there is no such axis, or it is empty.
    TypeError
        If ``index_dtype`` is no integer type, or the operand is complex.

    Examples
    --------
    >>> argmax(np.array([1, 3, 3]), 0, np.int32)
    Array(1, dtype=int32)
    """
    return _bind(argmax_p, operand, axis, index_dtype)


def argmin(operand: ArrayLike, axis: int, index_dtype: Any) -> Any:
    """Find the index of the first smallest element along an axis; see :func:`argmax`.

    Examples
    --------
    >>> argmin(np.array([1, 3, 3]), 0, np.int32)
    Array(0, dtype=int32)
    """
    return _bind(argmin_p, operand, axis, index_dtype)


def _bind(p: Primitive, operand: ArrayLike, axis: int, index_dtype: Any) -> Any:
    check_operands(p.name, operand)
    index_dtype = dtypes.check_and_canonicalize_user_dtype(index_dtype, p.name)
    return p.bind(operand, axes=(operator.index(axis),), index_dtype=index_dtype)
