"""Where in an array is something to be found?

Positions of non-zero elements have a number that depends on values: it is computed at once, or
fixed by ``size``. Positions in a sorted array are found by halving an interval as often as the
length requires, for all queries together.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.core.trace import Tracer
from minijax.errors import ConcretizationTypeError
from minijax.numpy.axes import canonical_axis
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.cumulative import cumsum
from minijax.numpy.division import divmod, remainder
from minijax.numpy.promotion import (
    as_operand,
    check_arraylike,
    constant_like,
    dtype_of,
    promote_dtypes,
    promote_dtypes_inexact,
)
from minijax.numpy.selection import pick
from minijax.numpy.shapes import broadcast_to, operand, ravel
from minijax.numpy.taking import take
from minijax.numpy.ufuncs import as_bool
from minijax.primitives.conversion import convert

INT = np.dtype(np.int32)

# -- choice and non-zero elements ------------------------------------------------------------------


def where(
    condition: Any, x: Any = None, y: Any = None, /, *, size: int | None = None,
    fill_value: Any = None,
) -> Any:  # fmt: skip
    """Choose elements by a condition; with one argument, find where it holds.

    Parameters
    ----------
    condition : array_like
        What is not zero holds.
    x, y : array_like, optional
        Where the condition holds and where not; all three are broadcast. Both or none.
    size, fill_value : optional
        With one argument, as for :func:`nonzero`.

    Returns
    -------
    Array
        Of the common dtype of ``x`` and ``y``; or a tuple of index arrays.

    Examples
    --------
    >>> where(asarray([True, False]), 1, 2)
    Array([1, 2], dtype=int32, weak_type=True)
    """
    if x is None and y is None:
        check_arraylike("where", condition)
        return nonzero(condition, size=size, fill_value=fill_value)
    if size is not None or fill_value is not None:
        raise ValueError(
            "size and fill_value arguments cannot be used in three-term where function."
        )
    return pick(condition, x, y)


def nonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> tuple[Any, ...]:
    """Return the indices of elements that are not zero, one array for each axis.

    Parameters
    ----------
    a : array_like
        Must be concrete unless ``size`` is given.
    size : int, optional
        Length of the result: further elements are left out.
    fill_value : scalar or sequence of scalars, optional
        What fills up the result; by default 0.

    Examples
    --------
    >>> nonzero(asarray([0, 5, 6]))
    (Array([1, 2], dtype=int32),)
    """
    x = operand("nonzero", a)
    if x.ndim == 0:
        raise ValueError(
            "Calling nonzero on 0d arrays is not allowed. Use jnp.atleast_1d(scalar).nonzero() "
            "instead."
        )
    mask = as_bool(x)
    if size is None:
        if isinstance(mask, Tracer) and mask.concrete_value() is None:
            raise ConcretizationTypeError(
                mask,
                "The size argument of jnp.nonzero must be statically specified to use "
                "jnp.nonzero within JAX transformations.",
            )
        value = mask.concrete_value() if isinstance(mask, Tracer) else mask
        return tuple(asarray(i) for i in np.nonzero(np.asarray(value)))
    return _nonzero_of_size(mask, operator.index(size), fill_value)


def _nonzero_of_size(mask: Any, size: int, fill_value: Any) -> tuple[Any, ...]:
    """Find the first ``size`` true elements: the i-th is where the count first exceeds i."""
    fill = fill_value if isinstance(fill_value, tuple) else (fill_value,) * mask.ndim
    if len(fill) != mask.ndim:
        raise ValueError(f"fill_value must be a scalar or a tuple of length {mask.ndim}")
    if mask.size == 0 or size == 0:
        return tuple(
            lax.full((size,), 0 if f is None else f, dtypes.default_int_dtype()) for f in fill
        )
    counts = cumsum(convert(lax.reshape(mask, (mask.size,)), INT))
    flat = searchsorted(counts, lax.iota(INT, size), side="right")
    found = lax.lt(flat, np.asarray(mask.size, flat.dtype))
    strides = [math.prod(mask.shape[d + 1 :]) for d in range(mask.ndim)]
    out = []
    for stride, length, value in zip(strides, mask.shape, fill, strict=True):
        index = lax.rem(lax.div(flat, constant_like(flat, stride)), constant_like(flat, length))
        out.append(pick(found, index, np.asarray(0 if value is None else value, index.dtype)))
    return tuple(out)


def flatnonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Return the positions of elements that are not zero in an array seen as flat.

    Parameters
    ----------
    a : array_like
    size, fill_value : optional
        As for :func:`nonzero`.
    """
    x = operand("flatnonzero", a)
    return nonzero(lax.reshape(x, (x.size,)), size=size, fill_value=fill_value)[0]


def argwhere(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Return the indices of elements that are not zero, one row for each.

    Parameters
    ----------
    a : array_like
    size, fill_value : optional
        As for :func:`nonzero`.
    """
    x = operand("argwhere", a)
    if x.ndim == 0:
        found = nonzero(lax.reshape(x, (1,)), size=size, fill_value=fill_value)[0]
        return lax.full((found.shape[0], 0), 0, found.dtype)
    columns = nonzero(x, size=size, fill_value=fill_value)
    return lax.concatenate([lax.expand_dims(i, (1,)) for i in columns], 1)


def compress(
    condition: Any,
    a: Any,
    axis: int | None = None,
    *,
    size: int | None = None,
    fill_value: Any = 0,
    out: None = None,
) -> Any:
    """Return the slices of an array where a condition of one axis holds.

    Parameters
    ----------
    condition : array_like of bool, shape (n,)
        Must be known while tracing unless ``size`` is given.
    a : array_like
    axis : int, optional
        By default the array is seen as flat.
    size : int, optional
        Length of the result along the axis.
    fill_value : scalar
        What fills up the result.
    out : None
        Not supported.

    Examples
    --------
    >>> compress(asarray([True, False, True]), asarray([5, 6, 7]))
    Array([5, 7], dtype=int32)
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.compress is not supported.")
    x, mask = operand("compress", a), operand("compress", condition)
    if mask.ndim != 1:
        raise ValueError("condition must be a 1D array")
    if axis is None:
        x, axis = ravel(x), 0
    axis = canonical_axis(axis, x.ndim)
    length = x.shape[axis]
    mask = lax.slice_in_dim(mask, 0, min(length, mask.shape[0]))
    rows = flatnonzero(mask, size=size, fill_value=length)
    return take(x, rows, axis, mode="fill", fill_value=np.asarray(fill_value).item())


def extract(condition: Any, arr: Any, *, size: int | None = None, fill_value: Any = 0) -> Any:
    """Return the elements where a condition holds; see :func:`compress`.

    Parameters
    ----------
    condition : array_like of bool
    arr : array_like
        Of the same size.
    size : int, optional
    fill_value : scalar
    """
    return compress(ravel(condition), ravel(arr), size=size, fill_value=fill_value)


# -- sorted arrays -------------------------------------------------------------------------------


def searchsorted(
    a: Any, v: Any, side: str = "left", sorter: Any = None, *, method: str = "scan"
) -> Any:
    """Return where elements would have to be inserted into a sorted array.

    Parameters
    ----------
    a : array_like, shape (n,)
        In increasing order, NaN last.
    v : array_like
        What to look for.
    side : "left" or "right"
        Before or after elements that are equal.
    sorter : array_like, optional
        Positions that sort ``a``, if it is not sorted.
    method : str
        Accepted for compatibility: there is one method.

    Returns
    -------
    Array
        Integers of the shape of ``v``, from 0 to ``n``.

    Examples
    --------
    >>> searchsorted(asarray([1, 2, 2, 3]), asarray([0, 2, 9]))
    Array([0, 1, 4], dtype=int32)
    """
    check_arraylike("searchsorted", a, v)
    if side not in ("left", "right"):
        raise ValueError(
            f"{side!r} is an invalid value for keyword 'side'. Expected one of ['left', 'right']."
        )
    if method not in ("scan", "scan_unrolled", "sort", "compare_all"):
        raise ValueError(
            f"{method!r} is an invalid value for keyword 'method'. Expected one of ['sort', "
            "'scan', 'scan_unrolled', 'compare_all']."
        )
    if len(typeof(as_operand(a)).shape) != 1:
        raise ValueError("a should be 1-dimensional")
    table, queries = (asarray(x) for x in promote_dtypes(as_operand(a), as_operand(v)))
    if sorter is not None:
        table = take(table, sorter)
    return _searchsorted(table, queries, right=side == "right")


@staged_call(static_argnames=("right",))
def _searchsorted(table: Any, queries: Any, *, right: bool) -> Any:
    """Keep for each query an interval that contains its place, and halve it again and again."""
    length = table.shape[0]
    dtype = dtypes.default_int_dtype()
    low = lax.full(queries.shape, 0, dtype)
    high = lax.full(queries.shape, length, dtype)
    for _ in range(length.bit_length()):
        middle = lax.div(lax.add(low, high), np.asarray(2, dtype))
        probe = take(table, middle, mode="clip")
        after = _sorts_before(probe, queries, or_equal=right)
        after = lax.bitwise_and(after, lax.lt(low, high))
        low = lax.select(after, lax.add(middle, np.asarray(1, dtype)), low)
        high = lax.select(after, high, middle)
    return low


def _sorts_before(x: Any, y: Any, *, or_equal: bool) -> Any:
    """Compare in the order of sorting: NaN is larger than all numbers, and equal to NaN."""
    compare = lax.le if or_equal else lax.lt
    if not dtypes.issubdtype(x.dtype, np.inexact):
        return compare(x, y)
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        tie = lax.eq(lax.real(x), lax.real(y))
        return lax.select(tie, compare(lax.imag(x), lax.imag(y)), lax.lt(lax.real(x), lax.real(y)))
    y_nan = lax.ne(y, y)
    if or_equal:
        return lax.bitwise_or(y_nan, compare(x, y))
    return lax.bitwise_or(lax.bitwise_and(y_nan, lax.eq(x, x)), compare(x, y))


def digitize(x: Any, bins: Any, right: bool = False, *, method: str | None = None) -> Any:
    """Return the bin that each element falls into.

    Parameters
    ----------
    x : array_like
    bins : array_like, shape (n,)
        Borders, increasing or decreasing.
    right : bool
        Whether a bin contains its right border.
    method : str, optional
        Accepted for compatibility.

    Examples
    --------
    >>> digitize(asarray([0.5, 1.0, 2.5]), asarray([0.0, 1.0, 2.0]))
    Array([1, 2, 3], dtype=int32)
    """
    check_arraylike("digitize", x, bins)
    borders = operand("digitize", bins)
    if borders.ndim != 1:
        raise ValueError(f"digitize: bins must be a 1-dimensional array; got {bins=}")
    if borders.shape[0] == 0:
        return lax.full(typeof(as_operand(x)).shape, 0, INT)
    side = "right" if not right else "left"
    up = searchsorted(borders, x, side)
    down = searchsorted(lax.rev(borders, (0,)), x, side)
    count = np.asarray(borders.shape[0], up.dtype)
    first = lax.index_in_dim(borders, 0, keepdims=False)
    last = lax.index_in_dim(borders, -1, keepdims=False)
    return pick(lax.ge(last, first), up, lax.sub(count, down))


def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    method: str = "auto",
) -> Any:
    """Whether each element occurs in another array.

    Parameters
    ----------
    element, test_elements : array_like
    assume_unique : bool
        Accepted for compatibility.
    invert : bool
        Return where it does not.
    method : str
        Accepted for compatibility.

    Examples
    --------
    >>> isin(asarray([1, 2, 3]), asarray([3, 1]))
    Array([ True, False,  True], dtype=bool)
    """
    check_arraylike("isin", element, test_elements)
    x, tests = (asarray(v) for v in promote_dtypes(as_operand(element), as_operand(test_elements)))
    found = _in1d(lax.reshape(x, (x.size,)), lax.reshape(tests, (tests.size,)))
    found = lax.bitwise_not(found) if invert else found
    return lax.reshape(found, x.shape)


@staged_call
def _in1d(x: Any, tests: Any) -> Any:
    equal = lax.eq(lax.expand_dims(x, (1,)), lax.expand_dims(tests, (0,)))
    return lax.reduce_or(equal, (1,))


@staged_call(static_argnames=("left", "right"))
def _interp(
    x: Any, xp: Any, fp: Any, left_value: Any, right_value: Any, *, left: Any, right: Any
) -> Any:
    upper = lax.clamp(np.int32(1), searchsorted(xp, x, side="right"), np.int32(xp.shape[0] - 1))
    lower = lax.sub(upper, constant_like(upper, 1))
    f_lower, f_upper = take(fp, lower, mode="clip"), take(fp, upper, mode="clip")
    x_lower, x_upper = take(xp, lower, mode="clip"), take(xp, upper, mode="clip")
    span = lax.sub(x_upper, x_lower)
    tiny = lax.le(lax.abs(span), constant_like(span, np.spacing(np.finfo(xp.dtype).eps)))
    slope = lax.div(lax.sub(x, x_lower), pick(tiny, constant_like(span, 1), span))
    slope = convert(slope, fp.dtype)
    out = pick(tiny, f_lower, lax.add(f_lower, lax.mul(slope, lax.sub(f_upper, f_lower))))
    if left != "extrapolate":
        first = lax.index_in_dim(fp, 0, keepdims=False) if left_value is None else left_value
        out = pick(lax.lt(x, lax.index_in_dim(xp, 0, keepdims=False)), first, out)
    if right != "extrapolate":
        last = lax.index_in_dim(fp, -1, keepdims=False) if right_value is None else right_value
        out = pick(lax.gt(x, lax.index_in_dim(xp, -1, keepdims=False)), last, out)
    return out


def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Interpolate linearly between points.

    Parameters
    ----------
    x : array_like
        Where.
    xp, fp : array_like, shape (n,)
        The points; ``xp`` in increasing order.
    left, right : scalar or "extrapolate", optional
        The value beyond the first and last point; by default theirs.
    period : scalar, optional
        The points repeat with this period, and need not be in order.

    Examples
    --------
    >>> interp(1.5, asarray([1.0, 2.0]), asarray([10.0, 20.0]))
    Array(15., dtype=float32)
    """
    check_arraylike("interp", x, xp, fp)
    points, queries = (asarray(v) for v in promote_dtypes_inexact(as_operand(xp), as_operand(x)))
    (values,) = promote_dtypes_inexact(as_operand(fp))
    if len(points.shape) != 1 or points.shape != typeof(values).shape:
        raise ValueError("xp and fp must be one-dimensional arrays of equal size")
    if period is not None:
        queries, points, values = _one_period(queries, points, asarray(values), period)
        left = right = None
    given = [None if isinstance(v, str) else v for v in (left, right)]
    words = [v if isinstance(v, str) else None for v in (left, right)]
    for word in words:
        if word not in (None, "extrapolate"):
            raise ValueError("the only valid string value of `left` and `right` is 'extrapolate'")
    return _interp(queries, points, asarray(values), *given, left=words[0], right=words[1])


def _one_period(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    """Take positions modulo a period, sort the points and repeat the last and the first."""
    if np.ndim(period):
        raise ValueError(f"period must be a scalar; got {period}")
    if isinstance(period, (int, float)) and period == 0:
        raise ValueError(f"period must be a non-zero value; got {period}")
    length = lax.abs(convert(period, x.dtype))
    x, xp = remainder(x, length), remainder(xp, length)
    xp, fp = lax.sort((xp, fp), num_keys=1)

    def ends(v: Any) -> tuple[Any, Any]:
        return lax.slice_in_dim(v, -1, None), lax.slice_in_dim(v, 0, 1)

    last, first = ends(xp)
    xp = lax.concatenate([lax.sub(last, length), xp, lax.add(first, length)], 0)
    last, first = ends(fp)
    return x, xp, lax.concatenate([last, fp, first], 0)


# -- flat positions ------------------------------------------------------------------------------


def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """Turn positions in an array seen as flat into indices.

    Parameters
    ----------
    indices : array_like of int
        Negative ones count from the end; those out of bounds give the nearest element.
    shape : int or sequence of int

    Examples
    --------
    >>> [int(i) for i in unravel_index(5, (2, 3))]
    [1, 2]
    """
    check_arraylike("unravel_index", indices)
    lengths = (operator.index(shape),) if hasattr(shape, "__index__") else tuple(map(int, shape))
    flat = as_operand(indices)
    if not dtypes.issubdtype(dtype_of(flat), np.integer):
        raise TypeError(f"only int indices permitted, got {dtype_of(flat).name}")
    total = math.prod(lengths)
    flat = asarray(flat)
    weak = flat.weak_type
    flat = lax.clamp(constant_like(flat, -total), flat, constant_like(flat, total - 1))
    flat = pick(
        lax.lt(flat, constant_like(flat, 0)), lax.add(flat, constant_like(flat, total)), flat
    )
    out = []
    for length in reversed(lengths):
        flat, index = divmod(flat, constant_like(flat, length))
        out.append(convert(index, index.dtype, weak))
    return tuple(reversed(out))


def ravel_multi_index(
    multi_index: Sequence[Any], dims: Sequence[int], mode: str = "raise", order: str = "C"
) -> Any:
    """Turn indices into positions in an array seen as flat.

    Parameters
    ----------
    multi_index : sequence of array_like of int
        One for each axis.
    dims : sequence of int
        The shape.
    mode : "raise", "wrap" or "clip"
        What to do with indices out of bounds; "raise" needs known indices.
    order : "C" or "F"

    Examples
    --------
    >>> int(ravel_multi_index((1, 2), (2, 3)))
    5
    """
    if len(multi_index) != len(dims):
        raise ValueError(f"len(multi_index)={len(multi_index)} != len(dims)={len(dims)}")
    lengths = tuple(operator.index(n) for n in dims)
    check_arraylike("ravel_multi_index", *multi_index)
    columns = [asarray(as_operand(i)) for i in multi_index]
    if any(not dtypes.issubdtype(i.dtype, np.integer) for i in columns):
        raise TypeError("only int indices permitted")
    if order not in ("C", "F"):
        raise ValueError(f"invalid order={order!r}. Expected 'C' or 'F'")
    columns = [_bounded(i, n, mode) for i, n in zip(columns, lengths, strict=True)]
    order_of = range(len(lengths))
    position = lax.full((), 0, dtypes.default_int_dtype())
    for d in order_of if order == "C" else reversed(order_of):
        scaled = lax.mul(position, constant_like(position, lengths[d]))
        step, scaled = promote_dtypes(columns[d], scaled)
        shape = lax.broadcast_shapes(step.shape, scaled.shape)
        position = lax.add(broadcast_to(step, shape), broadcast_to(scaled, shape))
    return position


def _bounded(index: Any, length: int, mode: str) -> Any:
    if mode == "clip":
        return lax.clamp(constant_like(index, 0), index, constant_like(index, length - 1))
    if mode == "wrap":
        return divmod(index, constant_like(index, length))[1]
    if mode != "raise":
        raise ValueError(f"invalid mode={mode!r}. Expected 'raise', 'wrap', or 'clip'")
    if isinstance(index, Tracer):
        raise ConcretizationTypeError(
            index, "To use jnp.ravel_multi_index here, pass mode='wrap' or mode='clip'."
        )
    values = np.asarray(index)
    if ((values < 0) | (values >= length)).any():
        raise ValueError("invalid entry in coordinates array")
    return index
