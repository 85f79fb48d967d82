"""How do reductions pass over NaN?

NaN is replaced by the neutral element first, so that it changes nothing; where nothing but NaN
was found, the result is NaN again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.numpy.axes import Axis
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import as_operand, check_arraylike, constant_like, dtype_of
from minijax.numpy.reductions import (
    MAX,
    MIN,
    PROD,
    SUM,
    Reduction,
    all,
    argmax,
    argmin,
    check_mask,
    counted,
    max,
    min,
    prod,
    refuse_out,
    static_axis,
    sum,
)
from minijax.numpy.selection import pick
from minijax.primitives.conversion import convert


def _operand(name: str, a: Any) -> Any:
    check_arraylike(name, a)
    return asarray(as_operand(a))


def _can_be_nan(x: Any) -> bool:
    return dtypes.issubdtype(dtype_of(x), np.inexact)


def replace_nan(x: Any, value: Any) -> Any:
    """Return an array with a number in place of NaN."""
    return pick(lax.ne(x, x), np.asarray(value, x.dtype), x) if _can_be_nan(x) else x


def _without_nan(
    name: str, kind: Reduction, reduce: Callable[..., Any], a: Any, axis: Axis, **options: Any
) -> Any:
    x = _operand(name, a)
    out = reduce(replace_nan(x, kind.start(x.dtype)), axis, **options)
    if not kind.extremum or not _can_be_nan(x) or options["initial"] is not None:
        return out
    nothing = all(lax.ne(x, x), axis, keepdims=options["keepdims"])
    return pick(nothing, constant_like(out, np.nan), out)


@staged_call(static_argnames=("axis", "dtype", "keepdims"), name="nansum")
def _nansum(a: Any, initial: Any, where: Any, *, axis: Axis, dtype: Any, keepdims: bool) -> Any:
    return _without_nan(
        "nansum", SUM, sum, a, axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where
    )


def nansum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """Sum along axes, NaN counting as 0; the arguments are those of ``sum``.

    Examples
    --------
    >>> nansum(np.array([1.0, np.nan]))
    Array(1., dtype=float32)
    """
    refuse_out("nansum", out)
    check_mask("nansum", where)
    return _nansum(a, initial, where, axis=static_axis(axis), dtype=dtype, keepdims=keepdims)


@staged_call(static_argnames=("axis", "dtype", "keepdims"), name="nanprod")
def _nanprod(a: Any, initial: Any, where: Any, *, axis: Axis, dtype: Any, keepdims: bool) -> Any:
    return _without_nan(
        "nanprod", PROD, prod, a, axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where
    )


def nanprod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """Product along axes, NaN counting as 1; the arguments are those of ``prod``."""
    refuse_out("nanprod", out)
    check_mask("nanprod", where)
    return _nanprod(a, initial, where, axis=static_axis(axis), dtype=dtype, keepdims=keepdims)


@staged_call(static_argnames=("axis", "keepdims"), name="nanmax")
def _nanmax(a: Any, initial: Any, where: Any, *, axis: Axis, keepdims: bool) -> Any:
    return _without_nan(
        "nanmax", MAX, max, a, axis, keepdims=keepdims, initial=initial, where=where
    )


def nanmax(
    a: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """Largest element along axes that is not NaN; the arguments are those of ``max``.

    Examples
    --------
    >>> nanmax(np.array([1.0, np.nan]))
    Array(1., dtype=float32)
    """
    refuse_out("nanmax", out)
    check_mask("nanmax", where)
    return _nanmax(a, initial, where, axis=static_axis(axis), keepdims=keepdims)


@staged_call(static_argnames=("axis", "keepdims"), name="nanmin")
def _nanmin(a: Any, initial: Any, where: Any, *, axis: Axis, keepdims: bool) -> Any:
    return _without_nan(
        "nanmin", MIN, min, a, axis, keepdims=keepdims, initial=initial, where=where
    )


def nanmin(
    a: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """Smallest element along axes that is not NaN; the arguments are those of ``min``."""
    refuse_out("nanmin", out)
    check_mask("nanmin", where)
    return _nanmin(a, initial, where, axis=static_axis(axis), keepdims=keepdims)


def _not_nan(x: Any, where: Any) -> Any:
    """Return which elements count: those that are numbers, and not masked."""
    number = lax.eq(x, x)
    return number if where is None else lax.bitwise_and(*_same_shape(number, where))


def _same_shape(x: Any, where: Any) -> tuple[Any, Any]:
    mask = convert(asarray(where), np.dtype(bool))
    shape = lax.broadcast_shapes(x.shape, mask.shape)
    return tuple(  # type: ignore[return-value]
        lax.broadcast_in_dim(v, shape, range(len(shape) - v.ndim, len(shape))) for v in (x, mask)
    )


@staged_call(static_argnames=("axis", "dtype", "keepdims"), name="nanmean")
def _nanmean(a: Any, where: Any, *, axis: Axis, dtype: Any, keepdims: bool) -> Any:
    x = _operand("nanmean", a)
    if dtype is None:
        dtype = dtypes.canonicalize_dtype(dtypes.to_inexact_dtype(x.dtype))
    mask = _not_nan(x, where)
    count = counted(mask, mask.shape, axis, dtype, keepdims)
    total = sum(replace_nan(x, 0), axis, dtype, keepdims=keepdims, where=where)
    return lax.div(total, count)


def nanmean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    where: Any = None,
) -> Any:
    """Mean along axes of the elements that are not NaN; the arguments are those of ``mean``.

    Examples
    --------
    >>> nanmean(np.array([1.0, np.nan, 3.0]))
    Array(2., dtype=float32)
    """
    refuse_out("nanmean", out)
    check_mask("nanmean", where)
    return _nanmean(a, where, axis=static_axis(axis), dtype=dtype, keepdims=keepdims)


@staged_call(static_argnames=("axis", "dtype", "ddof", "keepdims"), name="nanvar")
def _nanvar(
    a: Any, where: Any, mean: Any, *, axis: Axis, dtype: Any, ddof: float, keepdims: bool
) -> Any:
    x = _operand("nanvar", a)
    work = dtypes.canonicalize_dtype(dtypes.to_inexact_dtype(x.dtype))
    x = convert(x, work)
    if mean is None:
        mean = _nanmean(x, where, axis=axis, dtype=work, keepdims=True)
    mask = _not_nan(x, where)
    centered = pick(mask, lax.sub(x, convert(mean, work)), constant_like(x, 0))
    if dtypes.issubdtype(work, np.complexfloating):
        squares = lax.real(lax.mul(centered, lax.conj(centered)))
    else:
        squares = lax.square(centered)
    real = squares.dtype
    count = counted(mask, mask.shape, axis, real, keepdims)
    count = lax.sub(count, constant_like(count, ddof))
    out = lax.div(sum(squares, axis, real, keepdims=keepdims), count)
    out = pick(lax.gt(count, constant_like(count, 0)), out, constant_like(out, np.nan))
    return out if dtype is None else convert(out, dtypes.canonicalize_dtype(dtype))


def nanvar(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = None,
    mean: Any = None,
) -> Any:
    """Variance along axes of the elements that are not NaN; the arguments are those of ``var``."""
    refuse_out("nanvar", out)
    check_mask("nanvar", where)
    return _nanvar(
        a, where, mean, axis=static_axis(axis), dtype=dtype, ddof=ddof, keepdims=keepdims
    )


def nanstd(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = None,
    mean: Any = None,
) -> Any:
    """Root of :func:`nanvar`, whose arguments it takes."""
    refuse_out("nanstd", out)
    check_mask("nanstd", where)
    return lax.sqrt(nanvar(a, axis, dtype, None, ddof, keepdims, where, mean))


# -- positions -------------------------------------------------------------------------------------


@staged_call(static_argnames=("axis", "keepdims"))
def _nanargmax(a: Any, *, axis: int | None, keepdims: bool) -> Any:
    return _nan_position(argmax, -np.inf, a, axis, keepdims)


@staged_call(static_argnames=("axis", "keepdims"))
def _nanargmin(a: Any, *, axis: int | None, keepdims: bool) -> Any:
    return _nan_position(argmin, np.inf, a, axis, keepdims)


def _nan_position(find: Any, worst: float, x: Any, axis: int | None, keepdims: bool) -> Any:
    if not _can_be_nan(x):
        return find(x, axis, keepdims=keepdims)
    found = find(replace_nan(x, worst), axis, keepdims=keepdims)
    nothing = all(lax.ne(x, x), axis, keepdims=keepdims)
    return pick(nothing, constant_like(found, -1), found)


def nanargmax(
    a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None
) -> Any:
    """Position of the first largest element that is not NaN; -1 if there is none.

    Parameters
    ----------
    a : array_like
    axis : int, optional
        By default the array is seen as flat.
    out : None
        Not supported.
    keepdims : bool
        Keep the axis with length one.
    """
    refuse_out("nanargmax", out)
    return _nanargmax(_operand("nanargmax", a), axis=axis, keepdims=bool(keepdims))


def nanargmin(
    a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None
) -> Any:
    """Position of the first smallest element that is not NaN; see :func:`nanargmax`."""
    refuse_out("nanargmin", out)
    return _nanargmin(_operand("nanargmin", a), axis=axis, keepdims=bool(keepdims))
