"""How are diagonals and triangles of matrices made, read and summed?

They are where row and column indices compare in some way: two ``iota`` and a comparison make the
mask, and a selection applies it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.array import Array
from minijax.core.backend import Device
from minijax.numpy.axes import canonical_axis, refuse_tracers
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import as_arrays, asarray, place
from minijax.numpy.division import power
from minijax.numpy.promotion import (
    as_operand,
    check_arraylike,
    constant_like,
    promote_dtypes_numeric,
)
from minijax.numpy.reductions import refuse_out, sum, widened
from minijax.numpy.selection import pick
from minijax.numpy.shapes import moveaxis, operand
from minijax.numpy.taking import take
from minijax.primitives.broadcasting import canonical_shape
from minijax.primitives.conversion import convert

INT = np.dtype(np.int32)


def _row_column(rows: int, columns: int, k: Any) -> tuple[Any, Any]:
    """Return row indices shifted by ``k`` and column indices of a matrix."""
    shape = (rows, columns)
    row, column = (lax.broadcasted_iota(INT, shape, axis) for axis in (0, 1))
    shift = convert(k, INT) if isinstance(k, Array) else _within(k, rows + columns)
    return lax.add(row, shift), column


def _within(k: int, limit: int) -> np.ndarray:
    """Return a diagonal as an index; those far outside of the matrix are all alike."""
    return np.asarray(max(-limit, min(k, limit)), INT)


def eye(
    N: int, M: int | None = None, k: Any = 0, dtype: Any = None, *, device: Device | None = None
) -> Any:
    """Return a matrix with ones on a diagonal and zeros elsewhere.

    Parameters
    ----------
    N : int
        Rows.
    M : int, optional
        Columns; by default as many as rows.
    k : int
        Which diagonal; positive ones lie above the main diagonal.
    dtype : dtype-like, optional
        By default the default float.
    device : Device, optional
        Where the array shall live.

    Examples
    --------
    >>> eye(2, dtype=int).tolist()
    [[1, 0], [0, 1]]
    """
    wanted = dtypes.default_float_dtype() if dtype is None else dtype
    target = dtypes.check_and_canonicalize_user_dtype(wanted, "eye")
    (rows,) = canonical_shape((N,))
    (columns,) = (rows,) if M is None else canonical_shape((M,))
    if rows < 0 or columns < 0:
        raise ValueError(f"negative dimensions are not allowed, got {N} and {M}")
    return place(convert(lax.eq(*_row_column(rows, columns, k)), target), device)


def identity(n: int, dtype: Any = None) -> Any:
    """Return a square matrix with ones on the main diagonal; see :func:`eye`."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Return a matrix with ones on and below a diagonal; the arguments are those of :func:`eye`.

    Examples
    --------
    >>> tri(2, dtype=int).tolist()
    [[1, 0], [1, 1]]
    """
    wanted = dtypes.default_float_dtype() if dtype is None else dtype
    target = dtypes.check_and_canonicalize_user_dtype(wanted, "tri")
    return convert(_lower_mask(N, N if M is None else M, k), target)


def _lower_mask(rows: int, columns: int, k: Any) -> Any:
    row = lax.add(lax.broadcasted_iota(INT, (rows, columns), 0), _within(k, rows + columns))
    return lax.ge(row, lax.broadcasted_iota(INT, (rows, columns), 1))


@staged_call(static_argnames=("k",))
def tril(m: Any, k: int = 0) -> Any:
    """Replace what lies above a diagonal by zeros.

    Parameters
    ----------
    m : array_like, shape (..., rows, columns)
    k : int
        Which diagonal; positive ones lie above the main diagonal.

    Examples
    --------
    >>> tril(asarray([[1, 2], [3, 4]])).tolist()
    [[1, 0], [3, 4]]
    """
    x = _matrices("tril", m)
    mask = _spread(_lower_mask(x.shape[-2], x.shape[-1], k), x.shape)
    return lax.select(mask, x, lax.full_like(x, 0))


@staged_call(static_argnames=("k",))
def triu(m: Any, k: int = 0) -> Any:
    """Replace what lies below a diagonal by zeros; the arguments are those of :func:`tril`.

    Examples
    --------
    >>> triu(asarray([[1, 2], [3, 4]])).tolist()
    [[1, 2], [0, 4]]
    """
    x = _matrices("triu", m)
    mask = _spread(_lower_mask(x.shape[-2], x.shape[-1], k - 1), x.shape)
    return lax.select(mask, lax.full_like(x, 0), x)


def _matrices(name: str, m: Any) -> Any:
    x = operand(name, m)
    if x.ndim < 2:
        raise ValueError(f"Argument to jax.numpy.{name} must be at least 2D")
    return x


def _spread(mask: Any, shape: tuple[int, ...]) -> Any:
    return lax.broadcast_in_dim(mask, shape, (len(shape) - 2, len(shape) - 1))


# -- diagonals -----------------------------------------------------------------------------------


@staged_call(static_argnames=("offset", "axis1", "axis2"))
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Read a diagonal of matrices.

    Parameters
    ----------
    a : array_like
        Of at least two axes.
    offset : int
        Which diagonal; positive ones lie above the main diagonal.
    axis1, axis2 : int
        The axes of rows and columns.

    Returns
    -------
    Array
        The diagonals lie along the last axis.

    Examples
    --------
    >>> diagonal(asarray([[1, 2], [3, 4]]))
    Array([1, 4], dtype=int32)
    """
    x = operand("diagonal", a)
    if x.ndim < 2:
        raise ValueError("diagonal requires an array of at least two dimensions.")
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    start = max(-offset, 0) * columns + max(offset, 0)
    flat = lax.reshape(x, (*x.shape[:-2], rows * columns))
    if length == 0:
        return lax.slice_in_dim(flat, 0, 0, axis=-1)
    last = start + (length - 1) * (columns + 1) + 1
    return lax.slice_in_dim(flat, start, last, columns + 1, axis=-1)


def diag(v: Any, k: int = 0) -> Any:
    """Read a diagonal of a matrix, or make a matrix of its diagonal.

    Parameters
    ----------
    v : array_like
        Of one axis, the diagonal to be; of two, the matrix.
    k : int
        Which diagonal; positive ones lie above the main diagonal.

    Examples
    --------
    >>> diag(asarray([1, 2])).tolist()
    [[1, 0], [0, 2]]
    """
    check_arraylike("diag", v)
    refuse_tracers(k, "k of jax.numpy.diag")
    return _diag(as_operand(v), k=int(k))


@staged_call(static_argnames=("k",))
def _diag(v: Any, *, k: int) -> Any:
    x = asarray(v)
    if x.ndim == 2:
        return diagonal(x, offset=k)
    if x.ndim != 1:
        raise ValueError("diag input must be 1d or 2d")
    size = x.shape[0] + abs(k)
    padded = lax.pad(x, constant_like(x, 0), ((max(0, k), max(0, -k), 0),))
    mask = lax.eq(*_row_column(size, size, k))
    return pick(mask, lax.expand_dims(padded, (0,)), constant_like(x, 0))


def diagflat(v: Any, k: int = 0) -> Any:
    """Make a matrix of its diagonal, an array seen as flat; see :func:`diag`."""
    x = operand("diagflat", v)
    return diag(lax.reshape(x, (x.size,)), k)


@staged_call(static_argnames=("axis1", "axis2", "dtype", "out"))
def trace(
    a: Any, offset: Any = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
) -> Any:
    """Sum of a diagonal of matrices.

    Parameters
    ----------
    a : array_like
        Of at least two axes.
    offset : int
        Which diagonal; positive ones lie above the main diagonal.
    axis1, axis2 : int
        The axes of rows and columns.
    dtype : dtype-like, optional
        In which to sum.
    out : None
        Not supported.

    Examples
    --------
    >>> trace(asarray([[1, 2], [3, 4]]))
    Array(5, dtype=int32)
    """
    refuse_out("trace", out)
    x = operand("trace", a)
    axes = canonical_axis(axis1, x.ndim), canonical_axis(axis2, x.ndim)
    x = moveaxis(x, axes, (-2, -1))
    wanted = widened(x.dtype) if dtype is None else dtype
    dtype = dtypes.check_and_canonicalize_user_dtype(wanted, "trace")
    mask = _spread(lax.eq(*_row_column(x.shape[-2], x.shape[-1], offset)), x.shape)
    return sum(pick(mask, x, lax.full_like(x, 0)), (-2, -1), dtype)


# -- indices of triangles and diagonals ------------------------------------------------------------


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Any, Any]:
    """Return row and column indices of the elements on and below a diagonal.

    Parameters
    ----------
    n : int
        Rows.
    k : int
        Which diagonal.
    m : int, optional
        Columns; by default as many as rows.

    Examples
    --------
    >>> [i.tolist() for i in tril_indices(2)]
    [[0, 1, 1], [0, 0, 1]]
    """
    rows, columns = np.tril_indices(n, k, m)
    return asarray(rows), asarray(columns)


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Any, Any]:
    """Return row and column indices on and above a diagonal; see :func:`tril_indices`."""
    rows, columns = np.triu_indices(n, k, m)
    return asarray(rows), asarray(columns)


def tril_indices_from(arr: Any, k: int = 0) -> tuple[Any, Any]:
    """Return the indices of the lower triangle of a matrix; see :func:`tril_indices`."""
    x = operand("tril_indices_from", arr)
    if x.ndim != 2:
        raise ValueError("Only 2-D inputs are accepted")
    return tril_indices(x.shape[0], k, x.shape[1])


def triu_indices_from(arr: Any, k: int = 0) -> tuple[Any, Any]:
    """Return the indices of the upper triangle of a matrix; see :func:`triu_indices`."""
    x = operand("triu_indices_from", arr)
    if x.ndim != 2:
        raise ValueError("Only 2-D inputs are accepted")
    return triu_indices(x.shape[0], k, x.shape[1])


def diag_indices(n: int, ndim: int = 2) -> tuple[Any, ...]:
    """Return the indices of the main diagonal of an array with axes of one length.

    Parameters
    ----------
    n : int
        The length of the axes.
    ndim : int
        Their number.
    """
    if n < 0 or ndim < 0:
        negative, value = ("n", n) if n < 0 else ("ndim", ndim)
        raise ValueError(f"{negative} argument to diag_indices must be nonnegative, got {value}")
    return (lax.iota(dtypes.default_int_dtype(), n),) * ndim


def diag_indices_from(arr: Any) -> tuple[Any, ...]:
    """Return the indices of the main diagonal of an array with axes of one length."""
    x = operand("diag_indices_from", arr)
    if x.ndim < 2:
        raise ValueError("input array must be at least 2-d")
    if len(set(x.shape)) != 1:
        raise ValueError("All dimensions of input must be of equal length")
    return diag_indices(x.shape[0], x.ndim)


def fill_diagonal(a: Any, val: Any, wrap: bool = False, *, inplace: bool = True) -> Any:
    """Return an array with another main diagonal.

    Parameters
    ----------
    a : array_like
        Of at least two axes.
    val : array_like
        A scalar, or as many values as the diagonal has, repeated if they are fewer.
    wrap : bool
        Not supported.
    inplace : bool
        Must be False: arrays are never changed in place.

    Examples
    --------
    >>> fill_diagonal(lax.full((2, 2), 0), 7, inplace=False).tolist()
    [[7, 0], [0, 7]]
    """
    if inplace:
        raise NotImplementedError(
            "JAX arrays are immutable, must use inplace=False: fill_diagonal then returns the "
            "changed array."
        )
    if wrap:
        raise NotImplementedError("wrap=True is not implemented, must use wrap=False")
    x, values = operand("fill_diagonal", a), operand("fill_diagonal", val)
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) != 1):
        raise ValueError("All dimensions of input must be of equal length")
    counts = [lax.broadcasted_iota(INT, x.shape, d) for d in range(x.ndim)]
    mask = lax.eq(counts[0], counts[1])
    for other in counts[2:]:
        mask = lax.bitwise_and(mask, lax.eq(counts[0], other))
    flat = convert(lax.reshape(values, (values.size,)), x.dtype)
    if values.size == 1:
        return pick(mask, lax.squeeze(flat, (0,)), x)
    rows = np.arange(x.shape[0], dtype=np.int32) % values.size
    column = lax.expand_dims(take(flat, rows), range(1, x.ndim))
    return pick(mask, column, x)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Return the matrix of powers of an array, one row for each element.

    Parameters
    ----------
    x : array_like, shape (n,)
    N : int, optional
        How many powers; by default as many as there are elements.
    increasing : bool
        Begin with the power 0.

    Examples
    --------
    >>> vander(asarray([1, 2, 3]), 2).tolist()
    [[1, 1], [2, 1], [3, 1]]
    """
    (column,) = as_arrays(operand("vander", x))
    if column.ndim != 1:
        raise ValueError("x must be a one-dimensional array")
    count = column.shape[0] if N is None else N
    if count < 0:
        raise ValueError("N must be nonnegative")
    (column,) = promote_dtypes_numeric(column)
    exponents = lax.iota(column.dtype, count)
    if not increasing:
        exponents = lax.sub(constant_like(exponents, count - 1), exponents)
    return power(lax.expand_dims(column, (1,)), lax.expand_dims(exponents, (0,)))
