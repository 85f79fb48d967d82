"""How is an array continued beyond its ends?

Constants are one ``pad`` operation. Every other mode treats one axis after another and joins the
array with what continues it: its last element, its mirror image, its beginning, a statistic.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.numpy.axes import refuse_tracers
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.creation import linspace
from minijax.numpy.floats import round
from minijax.numpy.promotion import as_operand, check_arraylike
from minijax.numpy.reductions import max, mean, min
from minijax.numpy.shapes import broadcast_to, operand
from minijax.numpy.taking import take
from minijax.primitives.conversion import convert

Widths = tuple[tuple[int, int], ...]

_OPTIONS = {
    "constant": {"constant_values"},
    "edge": set(),
    "linear_ramp": {"end_values"},
    "maximum": {"stat_length"},
    "mean": {"stat_length"},
    "median": {"stat_length"},
    "minimum": {"stat_length"},
    "reflect": {"reflect_type"},
    "symmetric": {"reflect_type"},
    "wrap": set(),
    "empty": set(),
}


def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Continue an array beyond its ends.

    Parameters
    ----------
    array : array_like
    pad_width : int, (before, after) or one such pair for each axis
        How far; must be known while tracing. A dict gives pairs for some axes.
    mode : str or callable
        "constant", "edge", "linear_ramp", "maximum", "mean", "minimum", "reflect", "symmetric",
        "wrap" or "empty"; or a function ``f(row, (before, after), axis, kwargs)`` that returns
        the padded row.
    **kwargs
        ``constant_values``, ``end_values``, ``stat_length`` (each as ``pad_width``) or
        ``reflect_type`` ("even" or "odd"), by the mode.

    Raises
    ------
    ValueError, TypeError
        If a width is negative, of the wrong form or no integer; if an option does not belong to
        the mode.
    NotImplementedError
        If there is no such mode.

    Examples
    --------
    >>> pad(asarray([1, 2, 3]), 1)
    Array([0, 1, 2, 3, 0], dtype=int32)
    >>> pad(asarray([1, 2, 3]), (2, 0), mode="reflect")
    Array([3, 2, 1, 2, 3], dtype=int32)
    """
    check_arraylike("pad", array)
    x = asarray(as_operand(array))
    widths = _widths(pad_width, x.ndim)
    if callable(mode):
        return _pad_by_function(x, widths, mode, kwargs)
    if mode not in _OPTIONS or mode == "median":
        raise NotImplementedError(f"Unimplemented padding mode '{mode}' for np.pad.")
    unknown = set(kwargs) - _OPTIONS[mode]
    if unknown:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {unknown}")
    if mode == "linear_ramp":
        return _pad_ramp(x, widths, _pairs("end_values", kwargs.get("end_values", 0), x.ndim))
    if mode in ("maximum", "mean", "minimum"):
        length = kwargs.get("stat_length")
        lengths = None if length is None else _widths(length, x.ndim, "stat_length")
        return _pad_statistic(x, widths, mode, lengths)
    constant = kwargs.get("constant_values", 0)
    value = asarray(constant)
    return _pad(x, value, widths=widths, mode=mode, odd=kwargs.get("reflect_type", "even") == "odd")


@staged_call(static_argnames=("widths", "mode", "odd"))
def _pad(x: Any, value: Any, *, widths: Widths, mode: str, odd: bool) -> Any:
    if mode in ("constant", "empty"):
        return _pad_constant(x, widths, value)
    if mode == "edge":
        return _along_axes(x, widths, _pad_edge)
    if mode == "wrap":
        return _along_axes(x, widths, _pad_wrap)
    offset = 1 if mode == "reflect" else 0
    return _along_axes(x, widths, lambda *args: _pad_mirror(*args, offset=offset, odd=odd))


# -- widths --------------------------------------------------------------------------------------


def _widths(given: Any, ndim: int, name: str = "pad_width") -> Widths:
    """Return one pair of integers for each axis."""
    if isinstance(given, dict):
        return _widths_of_dict(given, ndim)
    refuse_tracers(given, f"{name} of jax.numpy.pad")
    table = np.asarray(given)
    if table.dtype.kind not in "iu" and table.size:
        raise TypeError(f"`{name}` must be of integral type.")
    if (table < 0).any():
        raise ValueError("index can't contain negative values")
    return tuple((operator.index(a), operator.index(b)) for a, b in _table(name, table, ndim))


def _widths_of_dict(given: dict[int, Any], ndim: int) -> Widths:
    rows = [(0, 0)] * ndim
    for axis, width in given.items():
        rows[operator.index(axis)] = _widths(width, 1)[0]
    return tuple(rows)


def _table(name: str, table: Any, ndim: int) -> Any:
    """Broadcast a scalar, a pair, or one pair per axis to one pair per axis."""
    valid = {(ndim, 2), (1, 2), (2,), (1,), ()}
    if np.shape(table) not in valid:
        raise ValueError(
            f"jnp.pad: {name} with nd={ndim} has unsupported shape {np.shape(table)}. Valid shapes "
            f"are ({ndim}, 2), (1, 2), (2,), (1,), or ()."
        )
    return np.broadcast_to(table, (ndim, 2))


def _pairs(name: str, values: Any, ndim: int) -> Any:
    """Return one pair of array elements for each axis."""
    x = asarray(values)
    _table(name, np.zeros(x.shape), ndim)
    return broadcast_to(x, (ndim, 2))


# -- constants -----------------------------------------------------------------------------------


def _pad_constant(x: Any, widths: Widths, value: Any) -> Any:
    if value.ndim == 0:
        return lax.pad(x, convert(value, x.dtype), [(a, b, 0) for a, b in widths])
    values = _pairs("constant_values", value, x.ndim)
    for axis, (before, after) in enumerate(widths):
        for side, (low, high) in enumerate(((before, 0), (0, after))):
            config = [(0, 0, 0)] * x.ndim
            config[axis] = (low, high, 0)
            x = lax.pad(x, convert(_element(values, axis, side), x.dtype), config)
    return x


def _element(values: Any, axis: int, side: int) -> Any:
    row = lax.index_in_dim(values, axis, 0, keepdims=False)
    return lax.index_in_dim(row, side, 0, keepdims=False)


# -- continuation of an axis -----------------------------------------------------------------------


def _along_axes(x: Any, widths: Widths, extend: Callable[[Any, int, int, int], Any]) -> Any:
    for axis, (before, after) in enumerate(widths):
        if before == after == 0:
            continue
        if x.shape[axis] == 0:
            raise ValueError(
                f"Cannot apply this padding mode to an empty axis: axis {axis} of shape {x.shape}"
            )
        x = extend(x, axis, before, after)
    return x


def _pad_edge(x: Any, axis: int, before: int, after: int) -> Any:
    first = lax.slice_in_dim(x, 0, 1, axis=axis)
    last = lax.slice_in_dim(x, x.shape[axis] - 1, x.shape[axis], axis=axis)
    return lax.concatenate([_widen(first, axis, before), x, _widen(last, axis, after)], axis)


def _widen(x: Any, axis: int, length: int) -> Any:
    return broadcast_to(x, (*x.shape[:axis], length, *x.shape[axis + 1 :]))


def _pad_wrap(x: Any, axis: int, before: int, after: int) -> Any:
    length = x.shape[axis]
    positions = np.arange(-before, length + after) % length
    return _gathered(x, axis, positions)


def _gathered(x: Any, axis: int, positions: np.ndarray) -> Any:
    return take(x, positions.astype(np.int32), axis, mode="promise_in_bounds")


def _pad_mirror(x: Any, axis: int, before: int, after: int, *, offset: int, odd: bool) -> Any:
    """Reflect at the ends, as often as needed; the end itself appears ``2 - offset`` times."""
    length = x.shape[axis]
    if length == 1 and offset:
        return _pad_edge(x, axis, before, after)
    positions = np.arange(-before, length + after)
    period = 2 * length - 2 * offset
    place = positions % period
    mirrored = np.where(place < length, place, period - place - (1 - offset))
    out = _gathered(x, axis, mirrored)
    if not odd:
        return out
    return _odd_continuation(x, out, axis, positions, place, length, offset)


def _odd_continuation(
    x: Any, out: Any, axis: int, positions: np.ndarray, place: np.ndarray, length: int, offset: int
) -> Any:
    """Reflect values at the end values too, so that a straight line goes on straight.

    Each reflection adds twice the difference of the ends to what the one before started from.
    """
    period = 2 * length - 2 * offset
    rounds = np.floor_divide(positions, period)
    flipped = place >= length
    first, last = (lax.slice_in_dim(x, i, i + 1, axis=axis) for i in (0, length - 1))
    span = lax.sub(last, first)
    shape = [1] * x.ndim
    shape[axis] = -1
    turns = asarray((2 * rounds).reshape(shape).astype(x.dtype))
    shift = lax.mul(*_common(span, turns))
    twice_last = lax.mul(last, asarray(np.asarray(2, x.dtype)))
    reflected = lax.sub(*_common(twice_last, out))
    mask = broadcast_to(asarray(flipped.reshape(shape)), out.shape)
    return lax.add(lax.select(mask, reflected, out), shift)


def _common(a: Any, b: Any) -> tuple[Any, Any]:
    shape = lax.broadcast_shapes(a.shape, b.shape)
    return broadcast_to(a, shape), broadcast_to(b, shape)


# -- ramps, statistics, functions ------------------------------------------------------------------


def _pad_ramp(x: Any, widths: Widths, ends: Any) -> Any:
    for axis, (before, after) in enumerate(widths):
        parts = [x]
        for side, count in enumerate((before, after)):
            edge_at = 0 if side == 0 else x.shape[axis] - 1
            edge = lax.index_in_dim(x, edge_at, axis, keepdims=False)
            end = convert(_element(ends, axis, side), x.dtype)
            ramp = linspace(end, edge, count, endpoint=False, dtype=x.dtype, axis=axis)
            if side == 0:
                parts.insert(0, ramp)
            else:
                parts.append(lax.rev(ramp, (axis,)))
        x = lax.concatenate(parts, axis)
    return x


_STATISTICS = {"maximum": max, "minimum": min, "mean": mean}


def _pad_statistic(x: Any, widths: Widths, mode: str, lengths: Widths | None) -> Any:
    reduce = _STATISTICS[mode]
    for axis, (before, after) in enumerate(widths):
        total = x.shape[axis]
        low, high = (total, total) if lengths is None else lengths[axis]
        sides = (
            lax.slice_in_dim(x, 0, _shorter(low, total), axis=axis),
            lax.slice_in_dim(x, total - _shorter(high, total), total, axis=axis),
        )
        first, last = (_statistic(part, reduce, axis, x.dtype) for part in sides)
        parts = [_widen(first, axis, before), x, _widen(last, axis, after)]
        x = lax.concatenate(parts, axis)
    return x


def _shorter(length: int, total: int) -> int:
    return length if length < total else total


def _statistic(part: Any, reduce: Any, axis: int, dtype: Any) -> Any:
    value = reduce(part, axis=axis, keepdims=True)
    return convert(round(value) if dtypes.issubdtype(dtype, np.integer) else value, dtype)


def _pad_by_function(
    x: Any, widths: Widths, function: Callable[..., Any], options: dict[str, Any]
) -> Any:
    padded = _pad_constant(x, widths, operand("pad", 0))
    for axis in range(x.ndim):
        rows = _rows(padded, axis)
        done = [asarray(function(row, widths[axis], axis, options)) for row in rows]
        padded = _from_rows(done, padded.shape, axis)
    return padded


def _rows(x: Any, axis: int) -> Sequence[Any]:
    """Return the rows of an array along an axis."""
    last = lax.transpose(x, (*(d for d in range(x.ndim) if d != axis), axis))
    flat = lax.reshape(last, (x.size // x.shape[axis], x.shape[axis]))
    return [lax.index_in_dim(flat, i, 0, keepdims=False) for i in range(flat.shape[0])]


def _from_rows(rows: Sequence[Any], shape: tuple[int, ...], axis: int) -> Any:
    others = [n for d, n in enumerate(shape) if d != axis]
    joined = lax.concatenate([lax.expand_dims(row, (0,)) for row in rows], 0)
    restored = lax.reshape(joined, (*others, shape[axis]))
    order = list(range(len(shape) - 1))
    order.insert(axis, len(shape) - 1)
    return lax.transpose(restored, tuple(order))
