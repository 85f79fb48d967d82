"""How are arrays made from nothing but a shape and a rule?

Constant arrays are one broadcast scalar; ranges are an ``iota``, scaled and shifted. None of them
is data in the program, whatever its size.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import HasAval, ShapeDtypeStruct, typeof
from minijax.core.backend import Device
from minijax.numpy.axes import canonical_axis, refuse_tracers
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray, from_numpy, place
from minijax.numpy.promotion import (
    as_operand,
    check_arraylike,
    constant_like,
    dtype_of,
    promote_dtypes,
    promote_dtypes_inexact,
)
from minijax.numpy.selection import broadcast_operand
from minijax.numpy.shapes import broadcast_to, moveaxis
from minijax.primitives.broadcasting import canonical_shape
from minijax.primitives.conversion import convert

# -- constant arrays -----------------------------------------------------------------------------


def zeros(
    shape: Any, dtype: Any = None, *, device: Device | None = None, out_sharding: Any = None
) -> Any:
    """Return an array of zeros.

    Parameters
    ----------
    shape : int or sequence of int
    dtype : dtype-like, optional
        By default the default float.
    device : Device, optional
        Where the array shall live.
    out_sharding : None
        Accepted for compatibility.

    Examples
    --------
    >>> zeros((2, 2), int)
    Array([[0, 0],
           [0, 0]], dtype=int32)
    """
    return place(lax.full(canonical_shape(shape), 0, _or_default_float(dtype, "zeros")), device)


def ones(
    shape: Any, dtype: Any = None, *, device: Device | None = None, out_sharding: Any = None
) -> Any:
    """Return an array of ones; the arguments are those of :func:`zeros`.

    Examples
    --------
    >>> ones(3)
    Array([1., 1., 1.], dtype=float32)
    """
    return place(lax.full(canonical_shape(shape), 1, _or_default_float(dtype, "ones")), device)


def empty(
    shape: Any, dtype: Any = None, *, device: Device | None = None, out_sharding: Any = None
) -> Any:
    """Return an array of zeros: there are no uninitialised arrays. See :func:`zeros`."""
    return zeros(shape, dtype, device=device)


def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    *,
    device: Device | None = None,
    out_sharding: Any = None,
) -> Any:
    """Return an array with one value everywhere.

    Parameters
    ----------
    shape : int or sequence of int
    fill_value : array_like
        Broadcast to the shape.
    dtype : dtype-like, optional
        By default that of ``fill_value``, weak if it is a Python scalar.
    device : Device, optional
        Where the array shall live.
    out_sharding : None
        Accepted for compatibility.

    Examples
    --------
    >>> full((2,), 7.0)
    Array([7., 7.], dtype=float32, weak_type=True)
    """
    check_arraylike("full", fill_value)
    if dtype is not None:
        dtype = dtypes.check_and_canonicalize_user_dtype(dtype, "full")
    value, shape = as_operand(fill_value), canonical_shape(shape)
    if typeof(value).shape:
        return place(broadcast_to(asarray(value, dtype), shape), device)
    return place(lax.full(shape, value, dtype), device)


def _or_default_float(dtype: Any, name: str) -> Any:
    if dtype is None:
        return dtypes.default_float_dtype()
    return dtypes.check_and_canonicalize_user_dtype(dtype, name)


def _prototype(name: str, a: Any) -> Any:
    """Return what a ``_like`` function takes its shape and dtype from."""
    if isinstance(a, (HasAval, ShapeDtypeStruct)):
        return a
    if hasattr(a, "shape") and hasattr(a, "dtype"):
        return a if isinstance(a, (np.ndarray, np.generic)) else ShapeDtypeStruct(a.shape, a.dtype)
    check_arraylike(name, a)
    return as_operand(a)


def _like(name: str, a: Any, value: Any, dtype: Any, shape: Any, device: Device | None) -> Any:
    like = _prototype(name, a)
    if dtype is not None:
        dtype = dtypes.check_and_canonicalize_user_dtype(dtype, name)
    shape = None if shape is None else canonical_shape(shape)
    return place(lax.full_like(like, value, dtype, shape), device)


def zeros_like(
    a: Any,
    dtype: Any = None,
    shape: Any = None,
    *,
    device: Device | None = None,
    out_sharding: Any = None,
) -> Any:
    """Return zeros of the shape and dtype of another array.

    Parameters
    ----------
    a : array_like, or anything with a shape and a dtype
    dtype, shape : optional
        By default those of ``a``; a weak dtype stays weak.
    device : Device, optional
        Where the array shall live.
    out_sharding : None
        Accepted for compatibility.

    Examples
    --------
    >>> zeros_like(np.ones(2, np.float32))
    Array([0., 0.], dtype=float32)
    """
    return _like("zeros_like", a, 0, dtype, shape, device)


def ones_like(
    a: Any,
    dtype: Any = None,
    shape: Any = None,
    *,
    device: Device | None = None,
    out_sharding: Any = None,
) -> Any:
    """Return ones of the shape and dtype of another array; see :func:`zeros_like`."""
    return _like("ones_like", a, 1, dtype, shape, device)


def empty_like(
    prototype: Any, dtype: Any = None, shape: Any = None, *, device: Device | None = None
) -> Any:
    """Return zeros of the shape and dtype of another array; see :func:`zeros_like`."""
    return _like("empty_like", prototype, 0, dtype, shape, device)


def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    shape: Any = None,
    *,
    device: Device | None = None,
    out_sharding: Any = None,
) -> Any:
    """Return an array with one value everywhere, like another in shape and dtype.

    Parameters
    ----------
    a : array_like, or anything with a shape and a dtype
    fill_value : array_like
        Broadcast to the shape.
    dtype, shape : optional
        By default those of ``a``.
    device : Device, optional
        Where the array shall live.
    out_sharding : None
        Accepted for compatibility.

    Examples
    --------
    >>> full_like(np.arange(2), 7)
    Array([7, 7], dtype=int32)
    """
    like = _prototype("full_like", a)
    check_arraylike("full_like", 0, fill_value)
    value = as_operand(fill_value)
    if not typeof(value).shape:
        return _like("full_like", like, value, dtype, shape, device)
    target = canonical_shape(typeof(like).shape if shape is None else shape)
    return place(broadcast_to(asarray(value, dtype or dtype_of(like)), target), device)


# -- ranges --------------------------------------------------------------------------------------


def arange(
    start: Any,
    stop: Any = None,
    step: Any = None,
    dtype: Any = None,
    *,
    device: Device | None = None,
    out_sharding: Any = None,
) -> Any:
    """Return numbers at equal distances: ``start``, ``start + step``, … below ``stop``.

    Parameters
    ----------
    start : scalar
        Known while tracing, as are ``stop`` and ``step``. With one argument the end; then the
        range starts at 0.
    stop : scalar, optional
        The end, not included.
    step : scalar, optional
        By default 1.
    dtype : dtype-like, optional
        By default the common dtype of the arguments.
    device : Device, optional
        Where the array shall live.
    out_sharding : None
        Accepted for compatibility.

    Examples
    --------
    >>> arange(4), arange(1, 2, 0.5)
    (Array([0, 1, 2, 3], dtype=int32), Array([1. , 1.5], dtype=float32))
    """
    for name, value in (("start", start), ("stop", stop), ("step", step)):
        _check_range_argument(name if stop is not None else "stop", value)
    given = [x for x in (start, stop, step) if x is not None]
    if dtype is None:
        dtype = dtypes.result_type(*given)
    else:
        dtype = dtypes.check_and_canonicalize_user_dtype(dtype, "arange")
    first, last = (0, start) if stop is None else (start, stop)
    length = _range_length(first, last, 1 if step is None else step)
    counted = lax.iota(dtype, length)
    if step is not None:
        counted = lax.mul(_constant(step, dtype), counted)
    if step is not None or _number(first) != 0:
        counted = lax.add(_constant(first, dtype), counted)
    return place(counted, device)


def _check_range_argument(name: str, value: Any) -> None:
    refuse_tracers(value, f"{name} of jax.numpy.arange")
    if value is None:
        return
    if np.ndim(value):
        raise ValueError(f"jax.numpy.arange: arguments must be scalars; got {name}={value}")
    if np.iscomplexobj(value) or isinstance(value, complex):
        raise ValueError(
            "Passing complex start/stop/step to jnp.arange is no longer supported starting in "
            "JAX v0.10.0."
        )


def _range_length(start: Any, stop: Any, step: Any) -> int:
    start, stop, step = (_number(x) for x in (start, stop, step))
    return max(0, math.ceil((stop - start) / step))


def _number(x: Any) -> Any:
    """Return a scalar as a Python number."""
    if isinstance(x, (int, float)):
        return x
    value = np.asarray(x)
    return int(value) if value.dtype.kind in "iub" else float(value)


def _constant(x: Any, dtype: Any) -> np.ndarray:
    return np.asarray(_number(x)).astype(dtype)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Device | None = None,
) -> Any:
    """Return a number of points at equal distances between two ends.

    Parameters
    ----------
    start, stop : array_like
        Broadcast to one shape.
    num : int
        How many points.
    endpoint : bool
        Whether ``stop`` is one of them.
    retstep : bool
        Return the distance too.
    dtype : dtype-like, optional
        Of the result; integers are rounded down.
    axis : int
        Which axis of the result counts the points.
    device : Device, optional
        Where the array shall live.

    Examples
    --------
    >>> linspace(0, 1, 5)
    Array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    refuse_tracers(num, "num of jax.numpy.linspace")
    num, axis = operator.index(num), operator.index(axis)
    check_arraylike("linspace", start, stop)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    if dtype is not None:
        dtype = dtypes.check_and_canonicalize_user_dtype(dtype, "linspace")
    out = _linspace(
        as_operand(start), as_operand(stop),
        num=num, endpoint=endpoint, retstep=retstep, dtype=dtype, axis=axis,
    )  # fmt: skip
    return out if retstep else place(out, device)


@staged_call(static_argnames=("num", "endpoint", "retstep", "dtype", "axis"))
def _linspace(
    start: Any, stop: Any, *, num: int, endpoint: bool, retstep: bool, dtype: Any, axis: int
) -> Any:
    work = _float_type(start, stop)
    result = work if dtype is None else dtype
    start, stop = convert(start, work), convert(stop, work)
    bounds = lax.broadcast_shapes(start.shape, stop.shape)
    start, stop = broadcast_operand(start, bounds), broadcast_operand(stop, bounds)
    intervals = num - 1 if endpoint else num
    if intervals > 0:
        step = lax.div(lax.sub(stop, start), constant_like(start, intervals))
    else:
        step = lax.full((), np.nan, work)
    points = _points(start, stop, num, intervals, endpoint, bounds)
    if dtypes.issubdtype(result, np.integer) and not dtypes.issubdtype(work, np.integer):
        points = lax.floor(points)
    out = convert(moveaxis(points, 0, canonical_axis(axis, len(bounds) + 1)), result)
    return (out, convert(step, result)) if retstep else out


def _float_type(*args: Any) -> Any:
    return dtypes.canonicalize_dtype(dtypes.to_inexact_dtype(dtypes.result_type(*args)))


def _points(
    start: Any, stop: Any, num: int, intervals: int, endpoint: bool, bounds: tuple[int, ...]
) -> Any:
    """Return the points along a first axis, as weighted means of both ends."""
    row = (1, *bounds)
    if num == 0:
        return lax.full((0, *bounds), 0, start.dtype)
    if num == 1:
        return lax.reshape(start, row)
    real = dtypes.to_floating_dtype(start.dtype)
    weight = lax.div(lax.iota(real, intervals), np.asarray(intervals, real))
    weight = lax.reshape(weight, (intervals, *(1,) * len(bounds))) if bounds else weight
    weight = convert(weight, start.dtype)
    begin = lax.mul(lax.reshape(start, row), lax.sub(constant_like(weight, 1), weight))
    points = lax.add(begin, lax.mul(lax.reshape(stop, row), weight))
    # The last point is the end itself and not what rounding makes of it.
    return lax.concatenate([points, lax.expand_dims(stop, (0,))], 0) if endpoint else points


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return points at equal distances on a logarithmic scale.

    Parameters
    ----------
    start, stop : array_like
        Exponents of the ends.
    num, endpoint, dtype, axis
        As in :func:`linspace`.
    base : array_like
        What is raised to the exponents.

    Examples
    --------
    >>> logspace(0, 2, 3)
    Array([  1.,  10., 100.], dtype=float32)
    """
    check_arraylike("logspace", start, stop, base)
    if dtype is not None:
        dtype = dtypes.check_and_canonicalize_user_dtype(dtype, "logspace")
    return _logspace(
        as_operand(start), as_operand(stop), as_operand(base),
        num=operator.index(num), endpoint=endpoint, dtype=dtype, axis=operator.index(axis),
    )  # fmt: skip


@staged_call(static_argnames=("num", "endpoint", "dtype", "axis"))
def _logspace(
    start: Any, stop: Any, base: Any, *, num: int, endpoint: bool, dtype: Any, axis: int
) -> Any:
    start, stop = promote_dtypes_inexact(start, stop)
    exponents = _linspace(
        start, stop, num=num, endpoint=endpoint, retstep=False, dtype=None, axis=axis
    )
    base, exponents = promote_dtypes(base, exponents)
    out = lax.pow(base, exponents)
    return out if dtype is None else convert(out, dtype)


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """Return points with a constant quotient between two ends.

    Parameters
    ----------
    start, stop : array_like
        Not zero, of one sign.
    num, endpoint, dtype, axis
        As in :func:`linspace`.

    Examples
    --------
    >>> geomspace(1, 100, 3)
    Array([  1.,  10., 100.], dtype=float32)
    """
    check_arraylike("geomspace", start, stop)
    if dtype is not None:
        dtype = dtypes.check_and_canonicalize_user_dtype(dtype, "geomspace")
    return _geomspace(
        as_operand(start), as_operand(stop),
        num=operator.index(num), endpoint=endpoint, dtype=dtype, axis=operator.index(axis),
    )  # fmt: skip


@staged_call(static_argnames=("num", "endpoint", "dtype", "axis"))
def _geomspace(start: Any, stop: Any, *, num: int, endpoint: bool, dtype: Any, axis: int) -> Any:
    work = _float_type(start, stop)
    start, stop = convert(start, work), convert(stop, work)
    sign = lax.sign(start)
    exponents = _logspace(
        _log10(lax.div(start, sign)), _log10(lax.div(stop, sign)), 10.0,
        num=num, endpoint=endpoint, dtype=work, axis=0,
    )  # fmt: skip
    rows = lax.expand_dims(sign, (0,)) if sign.ndim else sign
    out = moveaxis(lax.mul(rows, exponents), 0, axis)
    return out if dtype is None else convert(out, dtype)


def _log10(x: Any) -> Any:
    return lax.mul(lax.log(x), constant_like(x, 1 / np.log(10)))


# -- grids ---------------------------------------------------------------------------------------


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> list[Any]:
    """Return the coordinates of the points of a grid.

    Parameters
    ----------
    *xi : array_like
        The coordinates along each axis.
    copy : bool
        Must be true: there are no views.
    sparse : bool
        Keep the axes of the other coordinates at length one.
    indexing : "xy" or "ij"
        "xy" exchanges the first two axes of the result.

    Examples
    --------
    >>> [x.tolist() for x in meshgrid(np.array([1, 2]), np.array([3, 4, 5]))]
    [[[1, 2], [1, 2], [1, 2]], [[3, 3], [4, 4], [5, 5]]]
    """
    check_arraylike("meshgrid", *xi)
    if not copy:
        raise ValueError("jax.numpy.meshgrid only supports copy=True")
    if indexing not in ("xy", "ij"):
        raise ValueError(f"Valid values for indexing are 'xy' and 'ij', got {indexing}")
    arrays = [asarray(as_operand(x)) for x in xi]
    if any(x.ndim > 1 for x in arrays):
        raise ValueError("Arguments to jax.numpy.meshgrid must be 1D, got shapes "
                         f"{[x.shape for x in arrays]}")  # fmt: skip
    arrays = [lax.reshape(x, (x.size,)) for x in arrays]
    order = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) >= 2:
        order[:2] = [1, 0]
    lengths = [0] * len(arrays)
    for x, axis in zip(arrays, order, strict=True):
        lengths[axis] = x.shape[0]
    out = []
    for x, axis in zip(arrays, order, strict=True):
        shape = [1 if sparse and d != axis else n for d, n in enumerate(lengths)]
        out.append(lax.broadcast_in_dim(x, tuple(shape), (axis,)))
    return out


def indices(dimensions: Sequence[int], dtype: Any = None, sparse: bool = False) -> Any:
    """Return the indices of all elements of an array, one array for each axis.

    Parameters
    ----------
    dimensions : sequence of int
        The shape.
    dtype : dtype-like, optional
        By default the default integer.
    sparse : bool
        Return a tuple of arrays with the other axes at length one, instead of one array.

    Examples
    --------
    >>> indices((2, 2)).tolist()
    [[[0, 0], [1, 1]], [[0, 1], [0, 1]]]
    """
    shape = canonical_shape(tuple(dimensions))
    wanted = dtypes.default_int_dtype() if dtype is None else dtype
    dtype = dtypes.check_and_canonicalize_user_dtype(wanted, "indices")
    out = []
    for axis, length in enumerate(shape):
        target = tuple(n if d == axis or not sparse else 1 for d, n in enumerate(shape))
        out.append(lax.broadcast_in_dim(lax.iota(dtype, length), target, (axis,)))
    if sparse:
        return tuple(out)
    if not out:
        return lax.full((0,), 0, dtype)
    return lax.concatenate([lax.expand_dims(x, (0,)) for x in out], 0)


def fromfunction(function: Any, shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    """Make an array by calling a function of the indices.

    Parameters
    ----------
    function : callable
        Gets one array of indices per axis and must treat them elementwise.
    shape : sequence of int
    dtype : dtype-like
        Of the indices.
    **kwargs
        Passed on to the function.

    Examples
    --------
    >>> fromfunction(lambda i, j: i + j, (2, 2), dtype=int)
    Array([[0, 1],
           [1, 2]], dtype=int32)
    """
    grid = indices(canonical_shape(shape), dtype)
    return function(
        *(lax.index_in_dim(grid, i, keepdims=False) for i in range(len(grid))), **kwargs
    )


def fromiter(iter: Any, dtype: Any, count: int = -1) -> Any:
    """Make an array of what an iterable yields.

    Parameters
    ----------
    iter : iterable of scalars
    dtype : dtype-like
    count : int
        How many elements to take; -1 for all.
    """
    return from_numpy(np.fromiter(iter, np.dtype(dtype), count))
