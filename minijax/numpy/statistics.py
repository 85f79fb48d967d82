"""How often do values occur, and how do variables vary together?"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.trace import Tracer
from minijax.errors import ConcretizationTypeError
from minijax.numpy.convert import asarray
from minijax.numpy.creation import linspace
from minijax.numpy.joining import concatenate
from minijax.numpy.products import dot
from minijax.numpy.promotion import (
    as_operand,
    check_arraylike,
    constant_like,
    promote_dtypes_inexact,
)
from minijax.numpy.reductions import average, max, mean, min, sum
from minijax.numpy.searching import searchsorted
from minijax.numpy.selection import pick
from minijax.numpy.shapes import operand
from minijax.primitives.conversion import convert

INT = np.dtype(np.int32)


def bincount(x: Any, weights: Any = None, minlength: int = 0, *, length: int | None = None) -> Any:
    """Count how often each integer occurs.

    Parameters
    ----------
    x : array_like of int, shape (n,)
        Negative numbers count as 0.
    weights : array_like, shape (n,), optional
        What each occurrence counts.
    minlength : int
        The least length of the result.
    length : int, optional
        Its length; needed if ``x`` is traced. Larger numbers are not counted.

    Examples
    --------
    >>> bincount(asarray([0, 2, 2]))
    Array([1, 0, 2], dtype=int32)
    """
    values = operand("bincount", x)
    if values.dtype == np.bool_:
        values = convert(values, np.dtype("uint8"))
    if not dtypes.issubdtype(values.dtype, np.integer):
        raise TypeError(f"x argument to bincount must have an integer type; got {values.dtype}")
    if values.ndim != 1:
        raise ValueError("only 1-dimensional input supported.")
    least = operator.index(minlength)
    if length is None:
        if isinstance(values, Tracer):
            raise ConcretizationTypeError(
                values, "The error occurred because of argument 'x' of jnp.bincount. To avoid "
                "this error, pass a static `length` argument.",
            )  # fmt: skip
        found = int(np.max(np.asarray(values))) + 1 if values.size else 0
        length = found if found > least else least
    else:
        length = operator.index(length)
        if length < 0:
            raise ValueError(f"'length' must be non-negative; got {length}")
    if weights is None:
        amounts = lax.full(values.shape, 1, dtypes.default_int_dtype())
    else:
        amounts = operand("bincount", weights)
        if amounts.shape != values.shape:
            raise ValueError("shape of weights must match shape of x.")
    place = lax.max(values, constant_like(values, 0))
    return _add_up(place, amounts, length)


def _add_up(place: Any, amounts: Any, length: int) -> Any:
    """Add amounts up at positions; what lies beyond the length is dropped."""
    return lax.scatter_add(
        lax.full((length,), 0, amounts.dtype),
        lax.expand_dims(place, (1,)),
        amounts,
        lax.ScatterDimensionNumbers((), (0,), (0,)),
        mode="drop",
    )


# -- histograms ----------------------------------------------------------------------------------


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """Return the borders of bins of equal width.

    Parameters
    ----------
    a : array_like
    bins : int or array_like
        Their number, or the borders themselves.
    range : (low, high), optional
        By default the smallest and largest element.
    weights : None
        Ignored.
    """
    if isinstance(bins, str):
        raise NotImplementedError("string values for `bins` not implemented.")
    x = operand("histogram_bin_edges", a)
    (flat,) = promote_dtypes_inexact(lax.reshape(x, (x.size,)))
    given = asarray(bins)
    if given.ndim == 1:
        return convert(given, flat.dtype)
    if range is not None:
        low, high = (convert(end, flat.dtype) for end in range)
        low, high = asarray(low), asarray(high)
    elif flat.size:
        low, high = min(flat), max(flat)
    else:
        low, high = (lax.full((), end, flat.dtype) for end in (0, 1))
    half = constant_like(low, 0.5)
    single = lax.eq(low, high)
    ends = pick(single, lax.sub(low, half), low), pick(single, lax.add(high, half), high)
    return linspace(*ends, operator.index(bins) + 1, dtype=flat.dtype)


def histogram(
    a: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool | None = None
) -> tuple[Any, Any]:
    """Count the elements in bins.

    Parameters
    ----------
    a : array_like
    bins, range
        As for :func:`histogram_bin_edges`.
    weights : array_like, optional
        What each element counts.
    density : bool, optional
        Return counts divided by their sum and the widths of the bins.

    Returns
    -------
    counts : Array, shape (n,)
    edges : Array, shape (n + 1,)

    Examples
    --------
    >>> counts, edges = histogram(asarray([1.0, 2.0, 2.5]), 2, (1, 3))
    >>> counts.tolist(), edges.tolist()
    ([1.0, 2.0], [1.0, 2.0, 3.0])
    """
    x = operand("histogram", a)
    (flat,) = promote_dtypes_inexact(lax.reshape(x, (x.size,)))
    if weights is None:
        amounts = lax.full(flat.shape, 1, flat.dtype)
    else:
        amounts = operand("histogram", weights)
        if amounts.shape != x.shape:
            raise ValueError("weights should have the same shape as a.")
        amounts = lax.reshape(amounts, flat.shape)
    edges = histogram_bin_edges(flat, bins, range)
    count = edges.shape[0] - 1
    place = searchsorted(edges, flat, side="right")
    last = lax.index_in_dim(edges, -1, keepdims=False)
    place = pick(lax.eq(flat, last), constant_like(place, count), place)
    # Position 0 holds what lies below the first border.
    counts = lax.slice_in_dim(_add_up(place, amounts, count + 1), 1, count + 1)
    if density:
        widths = lax.sub(lax.slice_in_dim(edges, 1, count + 1), lax.slice_in_dim(edges, 0, count))
        (counts,) = promote_dtypes_inexact(counts)
        counts = lax.div(lax.div(counts, convert(widths, counts.dtype)), sum(counts))
    return counts, edges


# -- covariance ----------------------------------------------------------------------------------


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    dtype: Any = None,
) -> Any:
    """Covariance of variables.

    Parameters
    ----------
    m : array_like, shape (variables, observations) or (observations,)
    y : array_like, optional
        Further variables.
    rowvar : bool
        Whether rows are variables.
    bias : bool
        Divide by the number of observations instead of one less.
    ddof : int, optional
        Divide by the number of observations less this.
    fweights : array_like of int, optional
        How often each observation was made.
    aweights : array_like, optional
        Its importance.
    dtype : dtype-like, optional
        Of the result.

    Returns
    -------
    Array, shape (variables, variables), or a scalar for one variable

    Examples
    --------
    >>> cov(asarray([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    given = (m,) if y is None else (m, y)
    check_arraylike("cov", *given)
    arrays = [asarray(x) for x in promote_dtypes_inexact(*map(as_operand, given))]
    if any(x.ndim > 2 for x in arrays):
        raise ValueError("m has more than 2 dimensions" if arrays[0].ndim > 2 else
                         "y has more than 2 dimensions")  # fmt: skip
    if dtype is not None and not dtypes.issubdtype(dtype, np.inexact):
        raise ValueError(f"cov: dtype must be a subclass of float or complex; got {dtype=}")
    rows = [_as_rows(x, rowvar) for x in arrays]
    x = concatenate(rows, 0) if len(rows) > 1 else rows[0]
    if x.shape[0] == 0:
        return lax.full((0, 0), 0, x.dtype)
    if ddof is None:
        ddof = 0 if bias else 1
    weights = _weights(x, fweights, aweights)
    if weights is None:
        center, factor = mean(x, 1), constant_like(x, _positive(x.shape[1] - ddof))
    else:
        center, total = average(x, 1, weights, returned=True)
        total = lax.index_in_dim(total, 0, keepdims=False)
        correction = constant_like(total, ddof)
        if aweights is not None:
            squares = sum(lax.mul(weights, convert(asarray(aweights), weights.dtype)))
            correction = lax.div(lax.mul(correction, squares), total)
        factor = lax.sub(total, correction)
    x = lax.sub(x, lax.broadcast_in_dim(center, x.shape, (0,)))
    scaled = x
    if weights is not None:
        scaled = lax.mul(x, lax.broadcast_in_dim(convert(weights, x.dtype), x.shape, (1,)))
    other = lax.conj(scaled) if x.dtype.kind == "c" else scaled
    out = lax.div(dot(x, lax.transpose(other, (1, 0))), convert(factor, x.dtype))
    out = lax.squeeze(out, [d for d in (0, 1) if out.shape[d] == 1])
    return out if dtype is None else convert(out, dtypes.canonicalize_dtype(dtype))


def _positive(x: int) -> int:
    return x if x > 0 else 0


def _as_rows(x: Any, rowvar: bool) -> Any:
    if x.ndim < 2:
        return lax.broadcast_to_rank(x, 2)
    return x if rowvar else lax.transpose(x, (1, 0))


def _weights(x: Any, fweights: Any, aweights: Any) -> Any:
    """Return the product of both kinds of weights, or None."""
    out = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        w = operand("cov", given)
        if w.ndim > 1:
            raise RuntimeError(f"cannot handle multidimensional {name}")
        if w.shape[0] != x.shape[1]:
            raise RuntimeError(f"incompatible numbers of samples and {name}")
        if name == "fweights" and not dtypes.issubdtype(w.dtype, np.integer):
            raise TypeError("fweights must be integer.")
        real = convert(w, dtypes.to_floating_dtype(x.dtype))
        out = real if out is None else lax.mul(out, real)
    return out


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, dtype: Any = None) -> Any:
    """Correlation coefficients of variables: covariances of variables scaled to variance 1.

    Parameters
    ----------
    x, y, rowvar, dtype
        As for :func:`cov`.
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return lax.div(c, c)
    diagonal = lax.reduce_sum(_only_diagonal(c), (1,))
    deviations = lax.sqrt(lax.real(diagonal) if c.dtype.kind == "c" else diagonal)
    deviations = convert(deviations, c.dtype)
    out = lax.div(c, lax.broadcast_in_dim(deviations, c.shape, (0,)))
    out = lax.div(out, lax.broadcast_in_dim(deviations, c.shape, (1,)))
    if out.dtype.kind == "c":
        return lax.complex(_within_one(lax.real(out)), _within_one(lax.imag(out)))
    return _within_one(out)


def _only_diagonal(c: Any) -> Any:
    rows, columns = (lax.broadcasted_iota(INT, c.shape, axis) for axis in (0, 1))
    return lax.select(lax.eq(rows, columns), c, lax.full_like(c, 0))


def _within_one(x: Any) -> Any:
    return lax.clamp(constant_like(x, -1), x, constant_like(x, 1))
