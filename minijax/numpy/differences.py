"""How are differences taken along an axis, and areas and polynomials computed from values?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.numpy.axes import canonical_axes, canonical_axis
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.joining import concatenate
from minijax.numpy.promotion import (
    as_operand,
    check_arraylike,
    constant_like,
    promote_args,
    promote_dtypes,
    promote_dtypes_inexact,
)
from minijax.numpy.reductions import sum
from minijax.numpy.selection import promoted_together
from minijax.numpy.shapes import broadcast_to, moveaxis, operand

Axis = int | Sequence[int] | None


@staged_call(static_argnames=("n", "axis"))
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along an axis.

    Parameters
    ----------
    a : array_like
    n : int
        How often to take differences.
    axis : int
    prepend, append : array_like, optional
        Joined with ``a`` before; scalars are one more element.

    Examples
    --------
    >>> diff(asarray([1, 4, 9]))
    Array([3, 5], dtype=int32)
    """
    x = operand("diff", a)
    if n == 0:
        return x
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    if x.ndim == 0:
        raise ValueError(f"diff requires input that is at least one dimensional; got {a}")
    axis = canonical_axis(axis, x.ndim)
    parts = [_as_slice(prepend, x, axis), x, _as_slice(append, x, axis)]
    x = concatenate([part for part in parts if part is not None], axis)
    subtract = lax.ne if x.dtype == np.bool_ else lax.sub
    for _ in range(n):
        length = x.shape[axis]
        later = lax.slice_in_dim(x, min(1, length), length, axis=axis)
        x = subtract(later, lax.slice_in_dim(x, 0, max(0, length - 1), axis=axis))
    return x


def _as_slice(value: Any, x: Any, axis: int) -> Any:
    if value is None:
        return None
    part = operand("diff", value)
    return part if part.ndim else broadcast_to(part, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))


@staged_call
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of neighbours in an array seen as flat.

    Parameters
    ----------
    ary : array_like
    to_end, to_begin : array_like, optional
        Joined with the result.
    """
    x = operand("ediff1d", ary)
    flat = lax.reshape(x, (x.size,))
    out = diff(flat)
    ends = [to_begin, out, to_end]
    parts = [asarray(part) for part in ends if part is not None]
    return concatenate([lax.reshape(p, (p.size,)) for p in parts], 0, dtype=x.dtype)


@staged_call(static_argnames=("axis", "edge_order"))
def gradient(f: Any, *varargs: Any, axis: Axis = None, edge_order: int | None = None) -> Any:
    """Estimate derivatives by central differences, one-sided at the ends.

    Parameters
    ----------
    f : array_like
        Values at the points of a grid.
    *varargs : array_like
        The distance of points: one for all axes, or one for each, or their coordinates.
    axis : int or sequence of int, optional
        By default all axes.
    edge_order : int, optional
        Only 1 is supported.

    Returns
    -------
    Array or list of Array
        A list if there are several axes.

    Examples
    --------
    >>> gradient(asarray([1.0, 2.0, 4.0]))
    Array([1. , 1.5, 2. ], dtype=float32)
    """
    if edge_order not in (None, 1):
        raise NotImplementedError("The 'edge_order' argument to jnp.gradient is not supported.")
    check_arraylike("gradient", f, *varargs)
    x, *steps = (asarray(v) for v in promote_dtypes_inexact(*map(as_operand, (f, *varargs))))
    axes = canonical_axes(axis, x.ndim)
    if any(x.shape[a] < 2 for a in axes):
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least 2 elements are "
            "required."
        )
    if len(steps) not in (0, 1, len(axes)):
        raise TypeError(
            f"Number of spacing arguments: {len(steps)} does not match number of axes: {len(axes)}"
        )
    if not steps:
        steps = [asarray(np.asarray(1, x.dtype))]
    steps = steps * len(axes) if len(steps) == 1 else steps
    out = [_gradient_along(x, a, h) for a, h in zip(axes, steps, strict=True)]
    return out[0] if len(out) == 1 else out


def _gradient_along(x: Any, axis: int, step: Any) -> Any:
    x = moveaxis(x, axis, 0)
    length = x.shape[0]

    def rows(start: int, stop: int) -> Any:
        return lax.slice_in_dim(x, start, stop)

    if step.ndim == 0:
        inside = lax.div(
            lax.mul(lax.sub(rows(2, length), rows(0, length - 2)), constant_like(x, 0.5)), step
        )
        first = lax.div(lax.sub(rows(1, 2), rows(0, 1)), step)
        last = lax.div(lax.sub(rows(length - 1, length), rows(length - 2, length - 1)), step)
    else:
        inside, first, last = _uneven(x, diff(step), rows)
    return moveaxis(lax.concatenate([first, inside, last], 0), 0, axis)


def _uneven(x: Any, distances: Any, rows: Any) -> tuple[Any, Any, Any]:
    """Differences on points at unequal distances, exact for parabolas inside."""
    length, ones = x.shape[0], (1,) * (x.ndim - 1)

    def column(start: int, stop: int) -> Any:
        return lax.reshape(lax.slice_in_dim(distances, start, stop), (stop - start, *ones))

    before, after = column(0, length - 2), column(1, length - 1)
    total = lax.add(before, after)
    weight_before = lax.neg(lax.div(after, lax.mul(before, total)))
    weight_at = lax.div(lax.sub(after, before), lax.mul(before, after))
    weight_after = lax.div(before, lax.mul(after, total))
    inside = lax.add(
        lax.add(
            lax.mul(weight_before, rows(0, length - 2)), lax.mul(weight_at, rows(1, length - 1))
        ),
        lax.mul(weight_after, rows(2, length)),
    )
    first = lax.div(lax.sub(rows(1, 2), rows(0, 1)), column(0, 1))
    last = lax.div(
        lax.sub(rows(length - 1, length), rows(length - 2, length - 1)),
        column(length - 2, length - 1),
    )
    return inside, first, last


@staged_call(static_argnames=("axis",))
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Area below points joined by lines.

    Parameters
    ----------
    y : array_like
    x : array_like, optional
        Coordinates of the points.
    dx : scalar
        Their distance, without ``x``.
    axis : int

    Examples
    --------
    >>> trapezoid(asarray([1.0, 3.0]))
    Array(2., dtype=float32)
    """
    check_arraylike("trapezoid", y, *(() if x is None else (x,)))
    if x is None:
        (values,) = promote_dtypes_inexact(as_operand(y))
        values = moveaxis(values, axis, -1)
        steps = asarray(dx)
    else:
        values, points = promote_dtypes_inexact(as_operand(y), as_operand(x))
        points = asarray(points)
        points = points if points.ndim == 1 else moveaxis(points, axis, -1)
        values, steps = moveaxis(values, axis, -1), diff(points)
    length = values.shape[-1]
    pair_sums = lax.add(
        lax.slice_in_dim(values, 1, length, axis=-1),
        lax.slice_in_dim(values, 0, length - 1, axis=-1),
    )
    steps, pair_sums = promoted_together("trapezoid", steps, pair_sums)
    return lax.mul(constant_like(pair_sums, 0.5), sum(lax.mul(steps, pair_sums), -1))


@staged_call(static_argnames=("unroll",))
def polyval(p: Any, x: Any, *, unroll: int = 16) -> Any:
    """Value of a polynomial.

    Parameters
    ----------
    p : array_like, shape (n, ...)
        Coefficients, that of the highest power first.
    x : array_like
        Where.
    unroll : int
        Accepted for compatibility.

    Examples
    --------
    >>> polyval(asarray([1.0, 0.0, 2.0]), 3.0)
    Array(11., dtype=float32)
    """
    check_arraylike("polyval", p, x)
    coefficients, point = (asarray(v) for v in promote_dtypes(as_operand(p), as_operand(x)))
    shape = lax.broadcast_shapes(coefficients.shape[1:], point.shape)
    out = lax.full_like(point, 0, shape=shape)
    point = broadcast_to(point, shape)
    for i in range(coefficients.shape[0]):  # Horner's scheme
        out = lax.mul(out, point)
        term = lax.index_in_dim(coefficients, i, keepdims=False)
        out = lax.add(*promote_args("polyval", out, broadcast_to(term, shape)))
    return out
