"""How are sums and products accumulated along an axis?

Each element of the result covers the input up to that element.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.numpy.axes import canonical_axis
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.nan_reductions import replace_nan
from minijax.numpy.promotion import as_operand, check_arraylike
from minijax.numpy.reductions import refuse_out, widened
from minijax.primitives.conversion import convert

BOOL = np.dtype(bool)


def _accumulated(
    name: str, operation: Any, x: Any, axis: int | None, dtype: Any, out: Any, nan: Any = None
) -> Any:
    refuse_out(name, out)
    check_arraylike(name, x)
    x = asarray(as_operand(x))
    if axis is None or x.ndim == 0:
        x, axis = lax.reshape(x, (x.size,)), 0
    axis = canonical_axis(axis, x.ndim)
    if dtype is None:
        dtype = dtypes.default_int_dtype() if x.dtype == BOOL else x.dtype
    else:
        dtype = dtypes.check_and_canonicalize_user_dtype(dtype, name)
    if nan is not None:
        x = replace_nan(x, nan)
    if dtype != BOOL:
        return operation(convert(x, dtype), axis)
    return convert(operation(convert(x, dtypes.default_int_dtype()), axis), BOOL)


@staged_call(static_argnames=("axis", "dtype"))
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    """Running sum along an axis.

    Parameters
    ----------
    a : array_like
    axis : int, optional
        By default the array is seen as flat.
    dtype : dtype-like, optional
        By default that of ``a``, the default integer for booleans.
    out : None
        Not supported.

    Examples
    --------
    >>> cumsum(np.array([1, 2, 3]))
    Array([1, 3, 6], dtype=int32)
    """
    return _accumulated("cumsum", lax.cumsum, a, axis, dtype, out)


@staged_call(static_argnames=("axis", "dtype"))
def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    """Running product along an axis; the arguments are those of :func:`cumsum`.

    Examples
    --------
    >>> cumprod(np.array([1, 2, 3]))
    Array([1, 2, 6], dtype=int32)
    """
    return _accumulated("cumprod", lax.cumprod, a, axis, dtype, out)


@staged_call(static_argnames=("axis", "dtype"))
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    """Running sum along an axis, NaN counting as 0; the arguments are those of :func:`cumsum`."""
    return _accumulated("nancumsum", lax.cumsum, a, axis, dtype, out, 0)


@staged_call(static_argnames=("axis", "dtype"))
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    """Running product, NaN counting as 1; the arguments are those of :func:`cumsum`."""
    return _accumulated("nancumprod", lax.cumprod, a, axis, dtype, out, 1)


def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Running sum by the rules of the array API: small integers are widened.

    Parameters
    ----------
    x : array_like
    axis : int, optional
        May be left out only for arrays of one axis.
    dtype : dtype-like, optional
    include_initial : bool
        Begin with the empty sum, 0.

    Examples
    --------
    >>> cumulative_sum(np.array([1, 2, 3]), include_initial=True)
    Array([0, 1, 3, 6], dtype=int32)
    """
    return _cumulative("cumulative_sum", lax.cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Running product by the rules of the array API; see :func:`cumulative_sum`."""
    return _cumulative("cumulative_prod", lax.cumprod, 1, x, axis, dtype, include_initial)


def _cumulative(
    name: str, operation: Any, start: int, x: Any, axis: Any, dtype: Any, include_initial: bool
) -> Any:
    check_arraylike(name, x)
    x = asarray(as_operand(x))
    if x.ndim == 0:
        raise ValueError("The input must be non-scalar to take a cumulative sum or product.")
    if axis is None or x.ndim == 0:
        if x.ndim > 1:
            raise ValueError(
                f"The input array has rank {x.ndim}, however axis was not set to an explicit "
                "value. The axis argument is only optional for one-dimensional arrays."
            )
        axis = 0
    axis = canonical_axis(operator.index(axis), x.ndim)
    dtype = widened(x.dtype) if dtype is None else dtype
    out = _accumulated(name, operation, x, axis, dtype, None)
    if not include_initial:
        return out
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    return lax.concatenate([lax.full(shape, start, out.dtype), out], axis)
