"""How is an array summed up along axes?

Each reduction is one operation between preparations: convert to the dtype of the result, put the
neutral element where a mask excludes elements, reduce, put the removed axes back with length one
if ``keepdims`` asks for it. Sums of narrow floats are computed in float32 and rounded once. The
result is never weakly typed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.numpy.axes import Axis, canonical_axes
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import (
    as_operand,
    check_arraylike,
    constant_like,
    dtype_of,
    promote_dtypes_inexact,
)
from minijax.numpy.selection import broadcast_operand, pick
from minijax.primitives.conversion import convert
from minijax.primitives.monoids import accumulator_dtype, highest, lowest

BOOL = np.dtype(bool)


@dataclass(frozen=True)
class Reduction:
    """What one reduction has of its own.

    ``start`` gives the neutral element of a dtype; ``combine`` applies ``initial``. ``sums`` says
    that small integers and narrow floats are widened; ``extremum`` that an empty axis is an error.
    """

    name: str
    reduce: Callable[..., Any]
    combine: Callable[..., Any]
    start: Callable[[Any], Any]
    sums: bool = False
    extremum: bool = False


SUM = Reduction("sum", lax.reduce_sum, lax.add, lambda dtype: 0, sums=True)
PROD = Reduction("prod", lax.reduce_prod, lax.mul, lambda dtype: 1, sums=True)
MAX = Reduction("max", lax.reduce_max, lax.max, lowest, extremum=True)
MIN = Reduction("min", lax.reduce_min, lax.min, highest, extremum=True)


#: A sum in the dtype bool is a disjunction, a product a conjunction.
_LOGICAL = {
    "sum": (lax.reduce_or, lax.bitwise_or),
    "prod": (lax.reduce_and, lax.bitwise_and),
}


def reduce_with(
    kind: Reduction,
    a: Any,
    axis: Axis,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
    promote_integers: bool = True,
) -> Any:
    """Apply a reduction with the arguments that all of them share."""
    refuse_out(kind.name, out)
    check_arraylike(kind.name, a)
    check_mask(kind.name, where)
    x = as_operand(a)
    aval = typeof(x)
    axes = canonical_axes(axis, aval.ndim)
    result = _result_dtype(kind, aval.dtype, dtype, promote_integers)
    work = accumulator_dtype(result) if kind.sums and dtype is None else result
    if kind.extremum and initial is None:
        _check_extremum(kind.name, aval.shape, axes, where)
    x = convert(x, work) if aval.dtype != work or aval.weak_type else asarray(x)
    if where is not None:
        x = pick(where, x, np.asarray(kind.start(work), work))
        axes = canonical_axes(axis, x.ndim)
    reduce, combine = kind.reduce, kind.combine
    if kind.sums and work == BOOL:
        reduce, combine = _LOGICAL[kind.name]
    reduced = reduce(x, axes)
    if initial is not None:
        check_arraylike(kind.name, initial)
        reduced = combine(_initial(initial, work), reduced)
    if keepdims:
        reduced = put_back(reduced, axes)
    return convert(reduced, result)


def check_mask(name: str, where: Any) -> None:
    """Refuse a mask that is not of booleans."""
    if where is None:
        return
    check_arraylike(name, where)
    dtype = dtype_of(as_operand(where))
    if dtype != BOOL:
        raise ValueError(
            f"jnp.{name}: where must be None or a boolean array; got where.dtype={dtype!r}."
        )


def refuse_out(name: str, out: Any) -> None:
    """Refuse an output argument: arrays are never written."""
    if out is not None:
        raise NotImplementedError(f"The 'out' argument to jnp.{name} is not supported.")


def _result_dtype(kind: Reduction, given: Any, dtype: Any, promote_integers: bool) -> Any:
    if dtype is not None:
        return dtypes.check_and_canonicalize_user_dtype(dtype, kind.name)
    return widened(given) if kind.sums and promote_integers else given


def widened(dtype: Any) -> Any:
    """Return the dtype of a sum: booleans and small integers are counted in default integers."""
    default = dtypes.default_int_dtype()
    if dtype == BOOL:
        return default
    if dtypes.issubdtype(dtype, np.integer) and dtype.itemsize < default.itemsize:
        signed = dtypes.issubdtype(dtype, np.signedinteger)
        return default if signed else dtypes.default_uint_dtype()
    return dtype


def _initial(initial: Any, dtype: Any) -> Any:
    x = as_operand(initial)
    if typeof(x).shape:
        raise ValueError(f"initial value must be a scalar. Got array of shape {typeof(x).shape}")
    if isinstance(x, (bool, int, float, complex)):
        return np.asarray(x).astype(dtype)
    return convert(x, dtype)


def _check_extremum(name: str, shape: Sequence[int], axes: Sequence[int], where: Any) -> None:
    if where is not None:
        raise ValueError(
            f"reduction operation {name} does not have an identity, so to use a where mask one "
            "has to specify 'initial'"
        )
    if 0 in [shape[a] for a in axes]:
        raise ValueError(f"zero-size array to reduction operation {name} which has no identity")


def put_back(x: Any, axes: Sequence[int]) -> Any:
    """Put axes of length one where a reduction removed some."""
    return lax.expand_dims(x, sorted(axes)) if axes else x


# -- sums, products, extrema ---------------------------------------------------------------------


def sum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
    promote_integers: bool = True,
) -> Any:
    """Sum over axes.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
        By default all axes.
    dtype : dtype-like, optional
        In which to sum; by default that of ``a``, or the default integer if that is narrower.
    out : None
        Not supported.
    keepdims : bool
        Keep the summed axes with length one.
    initial : scalar, optional
        Added to the sum.
    where : array_like of bool, optional
        Which elements count.
    promote_integers : bool
        False keeps the dtype of narrow integers.

    Returns
    -------
    Array

    Examples
    --------
    >>> sum(np.arange(6).reshape(2, 3), axis=0)
    Array([3, 5, 7], dtype=int32)
    """
    return reduce_with(SUM, a, axis, dtype, out, keepdims, initial, where, promote_integers)


def prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
    promote_integers: bool = True,
) -> Any:
    """Product over axes; the arguments are those of :func:`sum`.

    Examples
    --------
    >>> prod(np.array([2, 3, 4]))
    Array(24, dtype=int32)
    """
    return reduce_with(PROD, a, axis, dtype, out, keepdims, initial, where, promote_integers)


def max(
    a: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """Largest element along axes; NaN if there is one.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
        By default all axes.
    out : None
        Not supported.
    keepdims : bool
        Keep the reduced axes with length one.
    initial : scalar, optional
        A lower bound of the result; needed for empty arrays and with ``where``.
    where : array_like of bool, optional
        Which elements count.

    Raises
    ------
    ValueError
        If there is nothing to compare.

    Examples
    --------
    >>> max(np.array([[1, 5], [7, 2]]), axis=1)
    Array([5, 7], dtype=int32)
    """
    return reduce_with(MAX, a, axis, None, out, keepdims, initial, where)


def min(
    a: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """Smallest element along axes; the arguments are those of :func:`max`.

    Examples
    --------
    >>> min(np.array([[1, 5], [7, 2]]))
    Array(1, dtype=int32)
    """
    return reduce_with(MIN, a, axis, None, out, keepdims, initial, where)


amax, amin = max, min


@staged_call(static_argnames=("axis", "keepdims"))
def _ptp(a: Any, axis: Axis, keepdims: bool) -> Any:
    return lax.sub(max(a, axis, keepdims=keepdims), min(a, axis, keepdims=keepdims))


def ptp(a: Any, axis: Axis = None, out: None = None, keepdims: bool = False) -> Any:
    """Largest minus smallest element along axes.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
    out : None
        Not supported.
    keepdims : bool
        Keep the reduced axes with length one.
    """
    refuse_out("ptp", out)
    check_arraylike("ptp", a)
    return _ptp(a, axis=static_axis(axis), keepdims=keepdims)


def static_axis(axis: Any) -> Any:
    """Return an axis argument in a form that can be part of a cache key."""
    return axis if axis is None or hasattr(axis, "__index__") else tuple(axis)


# -- truth ---------------------------------------------------------------------------------------


def _truth(
    name: str, reduce: Any, start: bool, a: Any, axis: Axis, out: Any, keepdims: bool, where: Any
) -> Any:
    refuse_out(name, out)
    check_arraylike(name, a)
    x = convert(asarray(as_operand(a)), BOOL)
    check_mask(name, where)
    if where is not None:
        x = pick(where, x, np.asarray(start))
    axes = canonical_axes(axis, x.ndim)
    reduced = reduce(x, axes)
    return put_back(reduced, axes) if keepdims else reduced


def all(
    a: Any, axis: Axis = None, out: None = None, keepdims: bool = False, *, where: Any = None
) -> Any:
    """Whether all elements along axes are not zero.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
        By default all axes.
    out : None
        Not supported.
    keepdims : bool
        Keep the reduced axes with length one.
    where : array_like of bool, optional
        Which elements count.

    Examples
    --------
    >>> all(np.array([[1, 1], [1, 0]]), axis=0)
    Array([ True, False], dtype=bool)
    """
    return _truth("all", lax.reduce_and, True, a, axis, out, keepdims, where)


def any(
    a: Any, axis: Axis = None, out: None = None, keepdims: bool = False, *, where: Any = None
) -> Any:
    """Whether some element along axes is not zero; the arguments are those of :func:`all`.

    Examples
    --------
    >>> any(np.array([[0, 1], [0, 0]]), axis=0)
    Array([False,  True], dtype=bool)
    """
    return _truth("any", lax.reduce_or, False, a, axis, out, keepdims, where)


@staged_call(static_argnames=("axis", "keepdims"))
def count_nonzero(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Number of elements along axes that are not zero.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
    keepdims : bool
        Keep the reduced axes with length one.

    Examples
    --------
    >>> count_nonzero(np.array([0, 3, 4]))
    Array(2, dtype=int32)
    """
    check_arraylike("count_nonzero", a)
    x = as_operand(a)
    nonzero = lax.ne(x, constant_like(x, 0))
    return sum(nonzero, axis, dtypes.default_int_dtype(), keepdims=keepdims)


# -- averages --------------------------------------------------------------------------------------


def mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: Any = None,
) -> Any:
    """Arithmetic mean along axes.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
        By default all axes.
    dtype : dtype-like, optional
        Of the result; by default that of ``a``, or the default float for integers.
    out : None
        Not supported.
    keepdims : bool
        Keep the reduced axes with length one.
    where : array_like of bool, optional
        Which elements count.

    Returns
    -------
    Array
        NaN where no element counts.

    Examples
    --------
    >>> mean(np.array([1, 2, 6]))
    Array(3., dtype=float32)
    """
    refuse_out("mean", out)
    check_arraylike("mean", a)
    x = as_operand(a)
    result, work = _mean_dtypes("mean", dtype_of(x), dtype)
    if where is None:
        count: Any = _axis_count(typeof(x).shape, axis)
    else:
        check_mask("mean", where)
        count = counted(where, typeof(x).shape, axis, work, keepdims)
    total = sum(x, axis, work, keepdims=keepdims, where=where)
    if isinstance(count, int):
        count = constant_like(total, count)
    return convert(lax.div(total, count), result)


def _mean_dtypes(name: str, given: Any, dtype: Any) -> tuple[Any, Any]:
    """Return the dtype of a mean, and the one to compute in."""
    if dtype is None:
        result = dtypes.canonicalize_dtype(dtypes.to_inexact_dtype(given))
    else:
        result = dtypes.check_and_canonicalize_user_dtype(dtype, name)
    inexact = dtypes.canonicalize_dtype(dtypes.to_inexact_dtype(result))
    return result, accumulator_dtype(inexact) if dtype is None else inexact


def _axis_count(shape: Sequence[int], axis: Axis) -> int:
    if axis is None:
        return math.prod(shape)
    listed = axis if isinstance(axis, Sequence) else (axis,)
    return math.prod(shape[operator.index(a)] for a in listed)


def counted(where: Any, shape: tuple[int, ...], axis: Axis, dtype: Any, keepdims: bool) -> Any:
    """Return how many elements a mask selects along axes."""
    mask = broadcast_operand(as_operand(where), shape)
    ones = convert(mask, dtypes.default_int_dtype())
    return sum(ones, axis, dtype, keepdims=keepdims)


def average(
    a: Any,
    axis: Axis = None,
    weights: Any = None,
    returned: bool = False,
    keepdims: bool = False,
) -> Any:
    """Weighted mean along axes.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
        By default all axes.
    weights : array_like, optional
        Of the shape of ``a``, or of one axis, the one named.
    returned : bool
        Return the sum of the weights too.
    keepdims : bool
        Keep the reduced axes with length one.

    Examples
    --------
    >>> average(np.array([1.0, 4.0]), weights=np.array([2, 1]))
    Array(2., dtype=float32)
    """
    if weights is None:
        check_arraylike("average", a)
        (x,) = promote_dtypes_inexact(as_operand(a))
        out = mean(x, axis, keepdims=keepdims)
        if not returned:
            return out
        count = _axis_count(typeof(x).shape, axis)
        return out, lax.full_like(out, count)
    check_arraylike("average", a, weights)
    x, w = promote_dtypes_inexact(as_operand(a), as_operand(weights))
    w = _aligned_weights(x, w, axis)
    total = sum(w, axis, keepdims=keepdims)
    x_w = lax.mul(asarray(x), asarray(w))
    out = lax.div(sum(x_w, axis, keepdims=keepdims), total)
    return (out, broadcast_operand(total, out.shape)) if returned else out


def _aligned_weights(x: Any, w: Any, axis: Axis) -> Any:
    shape, given = typeof(x).shape, typeof(w).shape
    if given == shape:
        return w
    if not given and axis is None:
        return broadcast_operand(w, shape)
    if axis is None:
        raise ValueError("Axis must be specified when shapes of a and weights differ.")
    axes = canonical_axes(axis, len(shape))
    if given != tuple(shape[a] for a in axes):
        raise ValueError(
            "Shape of weights must be consistent with shape of a along specified axis."
        )
    placed = tuple(shape[d] if d in axes else 1 for d in range(len(shape)))
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    return lax.reshape(lax.transpose(w, order), placed)


# -- spread ----------------------------------------------------------------------------------------


@staged_call(static_argnames=("axis", "dtype", "keepdims"))
def _var(
    a: Any,
    correction: Any,
    where: Any = None,
    mean: Any = None,
    *,
    axis: Axis,
    dtype: Any,
    keepdims: bool,
) -> Any:
    given = dtype_of(a)
    result, work = _var_dtypes(given, dtype)
    x = convert(a, work)
    if mean is None:
        mean = _mean(x, axis, work, where)
    centered = lax.sub(x, convert(mean, work))
    if dtypes.issubdtype(work, np.complexfloating):
        squares = lax.real(lax.mul(centered, lax.conj(centered)))
        work = dtype_of(squares)
    else:
        squares = lax.square(centered)
    if where is None:
        count: Any = np.asarray(_axis_count(typeof(a).shape, axis), work)
    else:
        count = counted(where, typeof(a).shape, axis, work, keepdims)
    count = lax.sub(count, convert(correction, work))
    total = sum(squares, axis, work, keepdims=keepdims, where=where)
    out = convert(lax.div(total, count), result)
    return pick(lax.gt(count, constant_like(count, 0)), out, np.nan)


def _mean(x: Any, axis: Axis, dtype: Any, where: Any) -> Any:
    return mean(x, axis, dtype, keepdims=True, where=where)


def _var_dtypes(given: Any, dtype: Any) -> tuple[Any, Any]:
    """Return the dtype of a variance, and the one in which to compute it."""
    is_complex = dtypes.issubdtype(given, np.complexfloating)
    if dtype is None:
        inexact = dtypes.canonicalize_dtype(dtypes.to_inexact_dtype(given))
        result = dtypes.canonicalize_dtype(dtypes.to_floating_dtype(inexact))
        return result, accumulator_dtype(inexact)
    result = dtypes.check_and_canonicalize_user_dtype(dtype, "var")
    if is_complex and not dtypes.issubdtype(result, np.complexfloating):
        raise ValueError(
            "jax.numpy.var does not yet support real dtype parameters when computing the "
            "variance of an array of complex values. The semantics of numpy.var seem unclear in "
            "this case. Please comment on https://github.com/jax-ml/jax/issues/2283 if this "
            "behavior is important to you."
        )
    inexact = dtypes.canonicalize_dtype(dtypes.to_inexact_dtype(result))
    return result, accumulator_dtype(inexact)


def var(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: float | None = None,
) -> Any:
    """Variance along axes: the mean of squared distances from the mean.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
        By default all axes.
    dtype : dtype-like, optional
        Of the result.
    out : None
        Not supported.
    ddof : float
        The sum is divided by ``n - ddof``.
    keepdims : bool
        Keep the reduced axes with length one.
    where : array_like of bool, optional
        Which elements count.
    mean : array_like, optional
        The mean, if it is known already, with the reduced axes kept.
    correction : float, optional
        Another name for ``ddof``.

    Returns
    -------
    Array
        Real; NaN where ``n - ddof`` is not positive.

    Examples
    --------
    >>> var(np.array([1.0, 3.0]))
    Array(1., dtype=float32)
    """
    refuse_out("var", out)
    return _var(
        *_var_operands("var", a, ddof, correction, where, mean),
        axis=static_axis(axis), dtype=_static_dtype(dtype, "var"), keepdims=keepdims,
    )  # fmt: skip


def _var_operands(
    name: str, a: Any, ddof: Any, correction: Any, where: Any, mean: Any
) -> tuple[Any, ...]:
    check_arraylike(name, a)
    check_mask(name, where)
    if correction is None:
        correction = ddof
    elif not isinstance(ddof, int) or ddof != 0:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    optional = [as_operand(x) if x is not None else None for x in (where, mean)]
    return (as_operand(a), correction, *optional)


def _static_dtype(dtype: Any, name: str) -> Any:
    return None if dtype is None else dtypes.check_and_canonicalize_user_dtype(dtype, name)


@staged_call(static_argnames=("axis", "dtype", "keepdims"))
def _std(a: Any, correction: Any, where: Any = None, mean: Any = None, **static: Any) -> Any:
    return lax.sqrt(_var(a, correction, where, mean, **static))


def std(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: float | None = None,
) -> Any:
    """Standard deviation along axes: the root of :func:`var`, whose arguments it takes.

    Examples
    --------
    >>> std(np.array([1.0, 3.0]))
    Array(1., dtype=float32)
    """
    refuse_out("std", out)
    if dtype is not None and not dtypes.issubdtype(dtypes.dtype(dtype), np.inexact):
        raise ValueError(f"dtype argument to jnp.std must be inexact; got {dtype}")
    return _std(
        *_var_operands("std", a, ddof, correction, where, mean),
        axis=static_axis(axis), dtype=_static_dtype(dtype, "std"), keepdims=keepdims,
    )  # fmt: skip


# -- positions of extrema --------------------------------------------------------------------------


def argmax(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Any:
    """Position of the first largest element along an axis; NaN counts as largest.

    Parameters
    ----------
    a : array_like
    axis : int, optional
        By default the array is seen as flat.
    out : None
        Not supported.
    keepdims : bool
        Keep the axis with length one.

    Raises
    ------
    ValueError
        If there is nothing to compare.

    Examples
    --------
    >>> argmax(np.array([3, 7, 7]))
    Array(1, dtype=int32)
    """
    return _arg_extremum("argmax", lax.argmax, a, axis, out, keepdims)


def argmin(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Any:
    """Position of the first smallest element along an axis; see :func:`argmax`."""
    return _arg_extremum("argmin", lax.argmin, a, axis, out, keepdims)


def _arg_extremum(
    name: str, operation: Any, a: Any, axis: int | None, out: Any, keepdims: bool | None
) -> Any:
    refuse_out(name, out)
    check_arraylike(name, a)
    x = asarray(as_operand(a))
    ndim = x.ndim
    if axis is None:
        reduced_axes, flat, position = tuple(range(ndim)), lax.reshape(x, (x.size,)), 0
    else:
        position = operator.index(axis)
        if not -ndim <= position < ndim:
            raise IndexError("tuple index out of range")
        (position,) = canonical_axes(position, ndim)
        reduced_axes, flat = (position,), x
    if flat.shape[position] == 0:
        raise ValueError(f"attempt to get {name} of an empty sequence")
    found = operation(flat, position, dtypes.default_int_dtype())
    return put_back(found, reduced_axes) if keepdims else found
