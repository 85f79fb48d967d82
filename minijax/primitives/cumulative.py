"""How does a reduction keep what it has combined on the way?

``cumsum`` and its relatives return at each place the combination of all elements up to there (or,
with ``reverse``, from there on). In StableHLO each is a window as long as the axis that slides
over the elements, the form in which compilers recognise a scan.

The running sum is linear, and its transpose runs the other way. The others are differentiated as
the tree of combinations that :func:`prefix_scan` builds, of logarithmic depth: a tangent travels
along with every element, and one rule says how two pairs combine. So zeros among factors, ties
among maxima and large exponents need no special care.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import Arg, AxisInfo, Primitive
from minijax.primitives.arithmetic import add, mul, neg, sub
from minijax.primitives.build import full, full_like
from minijax.primitives.complex_parts import component_dtype, real
from minijax.primitives.cutting import pad, slice_in_dim
from minijax.primitives.elementwise import exp, log1p
from minijax.primitives.elementwise_rules import scalar_like
from minijax.primitives.identity import add_any
from minijax.primitives.joining import concatenate
from minijax.primitives.logic import eq, ge, ne, select
from minijax.primitives.monoids import (
    MAXIMUM,
    MINIMUM,
    PRODUCT,
    SUM,
    Monoid,
    accumulator_dtype,
    emit_combination,
    lowest,
    numpy_dtype,
)
from minijax.primitives.operands import INEXACT, ArrayLike, check_kinds, check_operands
from minijax.primitives.piecewise import extremum_jvp_left, extremum_jvp_right, max, min
from minijax.primitives.reduce import check_number
from minijax.primitives.structural import rev
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Block, IntegerMatrix, TensorType, Value, element_type

Pair = tuple[Any, Any]
"""An element and its tangent."""


# -- running combinations as a tree ---------------------------------------------------------------


def prefix_scan(combine: Callable[[Pair, Pair], Pair], pair: Pair, axis: int) -> Pair:
    """Combine at each place all pairs up to there, in a number of steps logarithmic in length.

    Neighbours are combined two by two; the running results of those are the results at odd
    places, and each of them combined with the next element is the result at an even place.
    """
    length = typeof(pair[0]).shape[axis]
    if length < 2:
        return pair

    def cut(pair: Pair, start: int, limit: int | None, stride: int = 1) -> Pair:
        x, t = (slice_in_dim(v, start, limit, stride, axis) for v in pair)
        return x, t

    neighbours = combine(cut(pair, 0, -1, 2), cut(pair, 1, None, 2))
    odd = prefix_scan(combine, neighbours, axis)
    earlier = cut(odd, 0, -1) if length % 2 == 0 else odd
    rest = combine(earlier, cut(pair, 2, None, 2))
    first = cut(pair, 0, 1)
    even = [concatenate([x, y], axis) for x, y in zip(first, rest, strict=True)]
    x, t = (_interleaved(x, y, axis) for x, y in zip(even, odd, strict=True))
    return x, t


def _interleaved(even: Any, odd: Any, axis: int) -> Any:
    """Return the elements of both in turn; ``even`` begins."""
    shape, zero = typeof(even).shape, full((), 0, typeof(even).dtype)
    even_is_longer = shape[axis] > typeof(odd).shape[axis]

    def spread(x: Any, low: int, high: int) -> Any:
        widths = [(low, high, 1) if i == axis else (0, 0, 0) for i in range(len(shape))]
        return pad(x, zero, widths)

    if even_is_longer:
        return add(spread(even, 0, 0), spread(odd, 1, 1))
    return add(spread(even, 0, 1), spread(odd, 1, 0))


def _scan_jvp(combine: Callable[[Pair, Pair], Pair]) -> Callable[..., Any]:
    """Make a jvp rule from the rule by which two elements and their tangents combine."""

    def jvp_rule(t: Any, x: Any, *, axis: int, reverse: bool) -> Any:
        if reverse:
            x, t = rev(x, (axis,)), rev(t, (axis,))
        _, t = prefix_scan(combine, (x, t), axis)
        return rev(t, (axis,)) if reverse else t

    return jvp_rule


# -- the rules that all running reductions share --------------------------------------------------


def cumulative(
    name: str,
    accumulate: Callable[..., np.ndarray],
    emit_region: Callable[[Emitter, Any], Block],
    start: Callable[[Any], Any],
    rounds: bool,
    check: Callable[[str, ShapedArray], None] = check_number,
) -> Primitive:
    """Make a running reduction with its type, reference, batching and lowering rule.

    ``accumulate(x, axis)`` computes it on an ndarray; ``emit_region(ctx, dtype)`` emits the
    region that combines two elements, ``start(dtype)`` is where it begins. If it ``rounds``,
    narrow floats accumulate in float32.
    """
    p = Primitive(name)

    def abstract_rule(x: ShapedArray, *, axis: int, reverse: bool) -> ShapedArray:
        check(name, x)
        if axis < 0:
            raise ValueError("XLA operations do not allow negative axes")
        if axis >= x.ndim:
            raise ValueError(f"axis {axis} is out of bounds for array of shape {x.shape}")
        return x

    def reference_rule(x: np.ndarray, *, axis: int, reverse: bool) -> np.ndarray:
        forwards = np.flip(x, axis) if reverse else x
        combined = accumulate(forwards.astype(numpy_dtype(x.dtype), copy=False), axis)
        combined = combined.astype(x.dtype, copy=False)
        return np.flip(combined, axis) if reverse else combined

    def batch_rule(
        axis_info: AxisInfo, args: Sequence[Any], dims: Sequence[int], *, axis: int, reverse: bool
    ):
        (x,), (dim,) = args, dims
        return p.bind(x, axis=axis + (axis >= dim), reverse=reverse), dim

    def lower_rule(ctx: Emitter, x: Value, *, axis: int, reverse: bool) -> Value:
        dtype, shape = ctx.avals_in[0].dtype, x.type.shape
        if not ctx.avals_in[0].size:
            return x
        wide = accumulator_dtype(dtype) if rounds else dtype
        before = shape[axis] - 1
        ours = (0, before) if reverse else (before, 0)
        combined = ctx.op(
            "stablehlo.reduce_window",
            ctx.convert(x, wide),
            ctx.constant(start(dtype), wide),
            type=TensorType(shape, element_type(wide)),
            regions=[emit_region(ctx, wide)],
            window_dimensions=tuple(n if i == axis else 1 for i, n in enumerate(shape)),
            window_strides=(1,) * len(shape),
            padding=IntegerMatrix(tuple(ours if i == axis else (0, 0) for i in range(len(shape)))),
        )
        return ctx.convert(combined, dtype)

    for rule in (abstract_rule, reference_rule, batch_rule, lower_rule):
        rule.__name__ = f"{name}_{rule.__name__.removesuffix('_rule')}"
    p.abstract(abstract_rule)
    p.reference(reference_rule)
    p.batch(batch_rule)
    p.lower(lower_rule)
    for shape, axis in (((2, 5), 1), ((4, 2), 0), ((0, 2), 0), ((1,), 0)):
        p.sample(Arg(shape), axis=axis, reverse=False)
        p.sample(Arg(shape), axis=axis, reverse=True)
    return p


def _of_monoid(name: str, monoid: Monoid) -> Primitive:
    def accumulate(x: np.ndarray, axis: int) -> np.ndarray:
        return monoid.ufunc.accumulate(x, axis, x.dtype)

    def emit_region(ctx: Emitter, dtype: Any) -> Block:
        return emit_combination(ctx, monoid, dtype)

    p = cumulative(name, accumulate, emit_region, monoid.start, monoid.rounds)
    p.sample(Arg((2, 5)), axis=1, reverse=False, _dtypes=("int32", "uint8"))
    return p


def _bind(p: Primitive, operand: ArrayLike, axis: int, reverse: bool) -> Any:
    check_operands(p.name, operand)
    return p.bind(operand, axis=operator.index(axis), reverse=bool(reverse))


# -- running sum ----------------------------------------------------------------------------------

cumsum_p = _of_monoid("cumsum", SUM)


def cumsum(operand: ArrayLike, axis: int = 0, reverse: bool = False) -> Any:
    """Sum at each place the elements up to there.

    Parameters
    ----------
    operand : array_like
        Of numbers.
    axis : int
        Not negative.
    reverse : bool
        Sum the elements from there on instead.

    Returns
    -------
    Array
        Of the operand's shape and dtype.

    Raises
    ------
    TypeError
        If the dtype is bool or one of keys.
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> cumsum(np.array([1, 2, 3]), reverse=True)
    Array([6, 5, 3], dtype=int32)
    """
    return _bind(cumsum_p, operand, axis, reverse)


@cumsum_p.linear_in(0)
def cumsum_transpose(ct: Any, x: Any, *, axis: int, reverse: bool) -> list[Any]:
    return [cumsum(ct, axis, not reverse)]


# -- running product ------------------------------------------------------------------------------

cumprod_p = _of_monoid("cumprod", PRODUCT)


def cumprod(operand: ArrayLike, axis: int = 0, reverse: bool = False) -> Any:
    """Multiply at each place the elements up to there; see :func:`cumsum`.

    Examples
    --------
    >>> cumprod(np.array([2, 3, 4]))
    Array([ 2,  6, 24], dtype=int32)
    """
    return _bind(cumprod_p, operand, axis, reverse)


def _times(a: Pair, b: Pair) -> Pair:
    (x, t), (y, s) = a, b
    return mul(x, y), add_any(mul(t, y), mul(x, s))


cumprod_p.jvp_each(_scan_jvp(_times))
cumprod_p.no_transpose("a product is not linear in its factors")
cumprod_p.sample(
    np.array([2.0, 0.0, 3.0, 0.0, 4.0], np.float32), axis=0, reverse=False, _dtypes=("float32",)
)


# -- running extrema ------------------------------------------------------------------------------

cummax_p = _of_monoid("cummax", MAXIMUM)
cummin_p = _of_monoid("cummin", MINIMUM)


def cummax(operand: ArrayLike, axis: int = 0, reverse: bool = False) -> Any:
    """Find at each place the largest element up to there; see :func:`cumsum`.

    Examples
    --------
    >>> cummax(np.array([1, 3, 2]))
    Array([1, 3, 3], dtype=int32)
    """
    return _bind(cummax_p, operand, axis, reverse)


def cummin(operand: ArrayLike, axis: int = 0, reverse: bool = False) -> Any:
    """Find at each place the smallest element up to there; see :func:`cumsum`.

    Examples
    --------
    >>> cummin(np.array([3, 1, 2]))
    Array([3, 1, 1], dtype=int32)
    """
    return _bind(cummin_p, operand, axis, reverse)


def _extremum(choose: Callable[[Any, Any], Any]) -> Callable[[Pair, Pair], Pair]:
    def combine(a: Pair, b: Pair) -> Pair:
        (x, t), (y, s) = a, b
        out = choose(x, y)
        return out, add_any(extremum_jvp_left(t, out, x, y), extremum_jvp_right(s, out, x, y))

    return combine


cummax_p.jvp_each(_scan_jvp(_extremum(max)))
cummax_p.no_transpose("a maximum is not linear")
cummin_p.jvp_each(_scan_jvp(_extremum(min)))
cummin_p.no_transpose("a minimum is not linear")


# -- running log-sum-exp --------------------------------------------------------------------------


def _logaddexp_accumulate(x: np.ndarray, axis: int) -> np.ndarray:
    if x.dtype.kind != "c":
        return np.logaddexp.accumulate(x, axis, x.dtype)
    rows = np.moveaxis(x, axis, 0).copy()
    for i in range(1, len(rows)):
        rows[i] = _logaddexp_of_complex(rows[i - 1], rows[i])
    return np.moveaxis(rows, 0, axis)


def _logaddexp_of_complex(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    larger, smaller = np.where(np.real(x) >= np.real(y), (x, y), (y, x))
    difference = smaller - larger
    return np.where(np.isnan(difference), x + y, larger + np.log1p(np.exp(difference))).astype(
        x.dtype
    )


def _emit_logaddexp(ctx: Emitter, dtype: Any) -> Block:
    """Emit the region ``max(x, y) + log1p(exp(-|x - y|))``; ``x + y`` for equal infinities."""
    scalar = TensorType((), element_type(dtype))
    with ctx.region([scalar, scalar]) as body:
        x, y = body.arguments
        difference = ctx.like("stablehlo.subtract", x, y)
        undefined = ctx.compare("NE", difference, difference)
        total = ctx.like("stablehlo.add", x, y)
        ordered = [x, y]
        if dtype.kind == "c":
            part = TensorType((), element_type(component_dtype(dtype)))
            ordered = [ctx.op("stablehlo.real", v, type=part) for v in (x, y)]
        in_order = ctx.compare("GE", *ordered)
        larger = ctx.select(in_order, x, y)
        gap = ctx.select(in_order, ctx.like("stablehlo.negate", difference), difference)
        correction = ctx.like("stablehlo.log_plus_one", ctx.like("stablehlo.exponential", gap))
        ctx.return_(ctx.select(undefined, total, ctx.like("stablehlo.add", larger, correction)))
    return body


def _check_inexact(name: str, x: ShapedArray) -> None:
    check_kinds(name, [x], INEXACT)


cumlogsumexp_p = cumulative(
    "cumlogsumexp", _logaddexp_accumulate, _emit_logaddexp, lowest, True, _check_inexact
)


def cumlogsumexp(operand: ArrayLike, axis: int = 0, reverse: bool = False) -> Any:
    """Compute at each place the logarithm of the sum of the exponentials up to there.

    No exponential is computed that could overflow. See :func:`cumsum`.

    Examples
    --------
    >>> cumlogsumexp(np.array([1000.0, 1000.0], np.float32))
    Array([1000.    , 1000.6932], dtype=float32)
    """
    return _bind(cumlogsumexp_p, operand, axis, reverse)


def _logaddexp(a: Pair, b: Pair) -> Pair:
    (x, t), (y, s) = a, b
    is_complex = dtypes.issubdtype(typeof(x).dtype, np.complexfloating)
    in_order = ge(real(x), real(y)) if is_complex else ge(x, y)
    difference = sub(x, y)
    gap = select(in_order, neg(difference), difference)
    softened = add(select(in_order, x, y), log1p(exp(gap)))
    out = select(ne(difference, difference), add(x, y), softened)
    return out, add(mul(t, _share(x, out)), mul(s, _share(y, out)))


def _share(x: Any, out: Any) -> Any:
    """Return how much of the sum of exponentials ``x`` contributes: exp(x - out)."""
    return exp(sub(_without_infinity(x), _without_infinity(out)))


def _without_infinity(x: Any) -> Any:
    return select(eq(x, scalar_like(x, np.inf)), full_like(x, 0), x)


cumlogsumexp_p.jvp_each(_scan_jvp(_logaddexp))
cumlogsumexp_p.no_transpose("a logarithm is not linear")
cumlogsumexp_p.sample(
    np.array([-np.inf, 1000.0, 1000.0, np.inf], np.float32),
    axis=0,
    reverse=False,
    _dtypes=("float32",),
)
