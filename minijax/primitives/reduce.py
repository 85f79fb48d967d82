"""How do many elements become one?

Sum, product, extrema, logic: each reduction removes some axes of an array by combining all
elements along them, beginning with the value that changes nothing, so that empty axes have an
answer too. All reductions share their rules but the derivative. Finding *where* the extremum is
(:mod:`minijax.primitives.arg_extrema`) and keeping what was combined on the way
(:mod:`minijax.primitives.cumulative`) stand next door.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import ALL_KINDS, REALS, Arg, AxisInfo, Primitive
from minijax.primitives.arithmetic import div, mul
from minijax.primitives.broadcasting import as_ints, broadcast_in_dim, without
from minijax.primitives.build import full
from minijax.primitives.conversion import convert
from minijax.primitives.cutting import pad, slice_in_dim
from minijax.primitives.identity import add_any
from minijax.primitives.logic import eq
from minijax.primitives.monoids import (
    AND,
    MAXIMUM,
    MINIMUM,
    OR,
    PRODUCT,
    SUM,
    XOR,
    Monoid,
    accumulator_dtype,
    emit_combination,
    numpy_dtype,
)
from minijax.primitives.operands import ArrayLike, check_operands, reduce_sum_p
from minijax.primitives.structural import reshape, squeeze
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value, element_type

# -- the rules that all reductions share ----------------------------------------------------------


def check_number(name: str, x: ShapedArray) -> None:
    """Refuse booleans and keys, which cannot be added up."""
    if not dtypes.issubdtype(x.dtype, np.number):
        raise TypeError(
            f"{name} does not accept dtype {x.dtype.name}. Accepted dtypes are subtypes of number."
        )


def check_ordered(name: str, x: ShapedArray) -> None:
    """Refuse keys, of which none is the largest; ``name`` is that of the comparison."""
    if dtypes.is_extended(x.dtype):
        raise ValueError(f"Unsupported dtype for {name}: {x.dtype.name}")


def check_logical(x: ShapedArray) -> None:
    """Refuse what is neither truth value nor integer."""
    if not dtypes.issubdtype(x.dtype, np.integer) and x.dtype != np.bool_:
        raise TypeError(
            f"logical reduction requires operand dtype bool or int, got {x.dtype.name}."
        )


def reduction(p: Primitive, monoid: Monoid, check: Callable[[ShapedArray], None]) -> Primitive:
    """Give a primitive the type, reference, batching and lowering rule of a reduction."""

    def abstract_rule(x: ShapedArray, *, axes: tuple[int, ...], **params: Any) -> ShapedArray:
        check(x)
        if len(set(axes)) != len(axes):
            raise ValueError(f"duplicate value in 'axes' of reduction: {axes}")
        if not all(0 <= axis < x.ndim for axis in axes):
            raise ValueError(
                f"reduction axes {axes} contains out-of-bounds indices for {x.str_short()}."
            )
        return x.update(shape=without(x.shape, axes))

    def reference_rule(x: np.ndarray, *, axes: tuple[int, ...], **params: Any) -> np.ndarray:
        wide = numpy_dtype(x.dtype)
        start = np.asarray(monoid.start(x.dtype)).astype(wide)[()]
        total = monoid.ufunc.reduce(x.astype(wide, copy=False), axes, wide, initial=start)
        return np.asarray(total).astype(x.dtype, copy=False)

    def batch_rule(axis: AxisInfo, args: Sequence[Any], dims: Sequence[int], *, axes, **params):
        (x,), (dim,) = args, dims
        moved = tuple(a + (a >= dim) for a in axes)
        return p.bind(x, axes=moved, **params), dim - sum(a < dim for a in moved)

    def lower_rule(ctx: Emitter, x: Value, *, axes: tuple[int, ...], **params: Any) -> Value:
        dtype = ctx.avals_in[0].dtype
        if not axes:
            return x
        wide = accumulator_dtype(dtype) if monoid.rounds else dtype
        total = ctx.op(
            "stablehlo.reduce",
            ctx.convert(x, wide),
            ctx.constant(monoid.start(dtype), wide),
            type=TensorType(ctx.avals_out[0].shape, element_type(wide)),
            regions=[emit_combination(ctx, monoid, wide)],
            dimensions=axes,
        )
        return ctx.convert(total, dtype)

    for slot in (abstract_rule, reference_rule, batch_rule, lower_rule):
        slot.__name__ = f"{p.name}_{slot.__name__.removesuffix('_rule')}"
    p.abstract(abstract_rule)
    p.reference(reference_rule)
    p.batch(batch_rule)
    p.lower(lower_rule)
    return p


def _bind(p: Primitive, operand: ArrayLike, axes: Sequence[int], **params: Any) -> Any:
    check_operands(p.name, operand)
    return p.bind(operand, axes=as_ints(axes), **params)


# -- sum ------------------------------------------------------------------------------------------

reduction(reduce_sum_p, SUM, lambda x: check_number("reduce_sum", x))


def reduce_sum(operand: ArrayLike, axes: Sequence[int], *, out_sharding: Any = None) -> Any:
    """Sum the elements along some axes.

    Parameters
    ----------
    operand : array_like
        Of numbers.
    axes : sequence of int
        Not negative; none sums nothing.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    Array
        Of the operand's dtype; integers wrap around, float16 and bfloat16 accumulate in float32.

    Raises
    ------
    TypeError
        If the dtype is bool or one of keys.
    ValueError
        If an axis does not exist or is named twice.

    Examples
    --------
    >>> reduce_sum(np.array([[1, 2], [3, 4]]), (0,))
    Array([4, 6], dtype=int32)
    """
    return _bind(reduce_sum_p, operand, axes, out_sharding=out_sharding)


@reduce_sum_p.linear_in(0)
def reduce_sum_transpose(ct: Any, x: Any, *, axes: tuple[int, ...], out_sharding: Any) -> list[Any]:
    return [broadcast_in_dim(ct, x.aval.shape, without(range(x.aval.ndim), axes))]


reduce_sum_p.sample(Arg((2, 3)), axes=(0,), out_sharding=None, _dtypes=(*REALS, "float16"))
reduce_sum_p.sample(Arg((2, 3, 4)), axes=(0, 2), out_sharding=None)
reduce_sum_p.sample(Arg((2, 0)), axes=(1,), out_sharding=None)
reduce_sum_p.sample(Arg((2, 3), -100, 100), axes=(0, 1), out_sharding=None, _dtypes=("int8",))
reduce_sum_p.sample(Arg((2, 3)), axes=(), out_sharding=None)


# -- product --------------------------------------------------------------------------------------

reduce_prod_p = reduction(
    Primitive("reduce_prod"), PRODUCT, lambda x: check_number("reduce_prod", x)
)


def reduce_prod(operand: ArrayLike, axes: Sequence[int]) -> Any:
    """Multiply the elements along some axes; see :func:`reduce_sum`.

    Examples
    --------
    >>> reduce_prod(np.array([[1, 2], [3, 4]]), (1,))
    Array([ 2, 12], dtype=int32)
    """
    return _bind(reduce_prod_p, operand, axes)


@reduce_prod_p.jvp_each
def reduce_prod_jvp(t: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    # Dividing the product by each factor would fail where a factor is zero. Multiply halves
    # instead, with the product rule, until one element is left.
    shape = typeof(x).shape
    rest = without(range(len(shape)), axes)
    lengths = tuple(shape[i] for i in rest)
    n = math.prod(shape[i] for i in axes)
    if not n:
        return full(lengths, 0, typeof(t).dtype)
    x, t = (reshape(v, (n, *lengths), (*axes, *rest)) for v in (x, t))
    while n > 1:
        if n % 2:
            x, t = _longer(x, 1), _longer(t, 0)
        half = (n + 1) // 2
        x, x_tail = slice_in_dim(x, 0, half), slice_in_dim(x, half, None)
        t, t_tail = slice_in_dim(t, 0, half), slice_in_dim(t, half, None)
        x, t, n = mul(x, x_tail), add_any(mul(t, x_tail), mul(x, t_tail)), half
    return squeeze(t, (0,))


def _longer(x: Any, value: int) -> Any:
    """Append one element along the first axis."""
    fill = full((), value, typeof(x).dtype)
    return pad(x, fill, ((0, 1, 0), *((0, 0, 0),) * (typeof(x).ndim - 1)))


reduce_prod_p.no_transpose("a product is not linear in its factors")
reduce_prod_p.sample(Arg((2, 3)), axes=(0,), _dtypes=REALS)
reduce_prod_p.sample(Arg((2, 3, 5)), axes=(0, 2))
reduce_prod_p.sample(np.array([2.0, 0.0, 3.0], np.float32), axes=(0,), _dtypes=("float32",))
reduce_prod_p.sample(np.array([[2.0, 0.0, 0.0]], np.float32), axes=(1,), _dtypes=("float32",))
reduce_prod_p.sample(Arg((0, 2)), axes=(0,))


# -- maximum and minimum --------------------------------------------------------------------------


def reduce_extremum_jvp(t: Any, out: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    """Pass the mean of the tangents of all elements that are equal to the extremum."""
    lengths = tuple(1 if i in axes else n for i, n in enumerate(typeof(x).shape))
    chosen = convert(eq(x, reshape(out, lengths)), typeof(t).dtype)
    return div(reduce_sum(mul(t, chosen), axes), reduce_sum(chosen, axes))


reduce_max_p = reduction(Primitive("reduce_max"), MAXIMUM, lambda x: check_ordered("max", x))


def reduce_max(operand: ArrayLike, axes: Sequence[int]) -> Any:
    """Find the largest element along some axes; NaN if there is one.

    Complex numbers are ordered by real part, then by imaginary part. Along an empty axis the
    result is minus infinity, or the smallest number that the dtype has.

    Examples
    --------
    >>> reduce_max(np.array([[1, 2], [3, 0]]), (1,))
    Array([2, 3], dtype=int32)
    """
    return _bind(reduce_max_p, operand, axes)


reduce_max_p.jvp_from_output(reduce_extremum_jvp)
reduce_max_p.no_transpose("a maximum is not linear")

reduce_min_p = reduction(Primitive("reduce_min"), MINIMUM, lambda x: check_ordered("min", x))


def reduce_min(operand: ArrayLike, axes: Sequence[int]) -> Any:
    """Find the smallest element along some axes; see :func:`reduce_max`.

    Examples
    --------
    >>> reduce_min(np.array([[1, 2], [3, 0]]), (1,))
    Array([1, 0], dtype=int32)
    """
    return _bind(reduce_min_p, operand, axes)


reduce_min_p.jvp_from_output(reduce_extremum_jvp)
reduce_min_p.no_transpose("a minimum is not linear")

for _p in (reduce_max_p, reduce_min_p):
    _p.sample(Arg((2, 3)), axes=(0,), _dtypes=ALL_KINDS)
    _p.sample(Arg((2, 3, 4)), axes=(0, 2))
    _p.sample(Arg((0, 2)), axes=(0,), _dtypes=("int32", "uint8"))
    _p.sample(np.array([1.0, np.nan, 2.0], np.float32), axes=(0,), _dtypes=("float32",))


# -- logic ----------------------------------------------------------------------------------------

reduce_and_p = reduction(Primitive("reduce_and"), AND, check_logical)
reduce_or_p = reduction(Primitive("reduce_or"), OR, check_logical)
reduce_xor_p = reduction(Primitive("reduce_xor"), XOR, check_logical)


def reduce_and(operand: ArrayLike, axes: Sequence[int]) -> Any:
    """Combine truth values, or the bits of integers, by "and" along some axes.

    Raises
    ------
    TypeError
        If the dtype is neither bool nor an integer.

    Examples
    --------
    >>> reduce_and(np.array([[True, False], [True, True]]), (1,))
    Array([False,  True], dtype=bool)
    """
    return _bind(reduce_and_p, operand, axes)


def reduce_or(operand: ArrayLike, axes: Sequence[int]) -> Any:
    """Combine truth values, or the bits of integers, by "or"; see :func:`reduce_and`."""
    return _bind(reduce_or_p, operand, axes)


def reduce_xor(operand: ArrayLike, axes: Sequence[int]) -> Any:
    """Combine truth values, or the bits of integers, by "xor"; see :func:`reduce_and`."""
    return _bind(reduce_xor_p, operand, axes)


for _p in (reduce_and_p, reduce_or_p, reduce_xor_p):
    _p.jvp_zero("its operands have no derivatives")
    _p.sample(Arg((2, 3)), axes=(0,), _dtypes=("bool", "int32"))
    _p.sample(Arg((2, 3), 0, 255), axes=(0, 1), _dtypes=("uint8",))
    _p.sample(Arg((2, 0)), axes=(1,), _dtypes=("bool", "int32"))
