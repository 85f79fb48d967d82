"""How is ``x[index]`` carried out?

A parsed index (:mod:`minijax.numpy.index_parsing`) is one of two things. A *basic* one selects a
window: a slice at a place known now, or known when the program runs; then strides, reversal, and
the axes that go or come. An *advanced* one reads entry by entry: its tables are broadcast together
to one table of coordinates, and ``gather`` reads there. Both are described here by a small
dataclass, :class:`Window` and :class:`Entries`, from which ``x.at[index]`` also writes
(:mod:`minijax.numpy.indexed_update`).

An index out of bounds reads the nearest entry; ``x.at[index].get(mode="fill")`` reads a fill value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minijax import lax
from minijax.core.array import Array, ConcreteArray, array_from_numpy
from minijax.core.trace import in_eager_mode
from minijax.lax import GatherDimensionNumbers, GatherScatterMode
from minijax.numpy.index_parsing import (
    Gap,
    Index,
    NewAxis,
    Scalar,
    Span,
    Table,
    count_from_front,
    index_dtype,
    parse_index,
)
from minijax.primitives.gather import default_fill_value


def getitem(x: Array, index: Any) -> Any:
    """Return ``x[index]``.

    Parameters
    ----------
    x : array
    index : int, slice, None, Ellipsis, array of integers or booleans, or a tuple of these
        As in NumPy, except that an index out of bounds reads the nearest entry and that a list
        is not taken for an array.

    Raises
    ------
    IndexError, TypeError
        See :func:`minijax.numpy.index_parsing.parse_index`.
    """
    parsed = parse_index(index, x.shape)
    if type(x) is ConcreteArray and in_eager_mode() and parsed.is_static:
        if x.device.backend.host_memory:
            return _view(x, parsed)
    return take_index(x, parsed)


def take_index(
    x: Any,
    index: Index,
    mode: GatherScatterMode = GatherScatterMode.PROMISE_IN_BOUNDS,
    fill_value: Any = None,
    wrap: bool = True,
    unique: bool = False,
    ordered: bool = False,
) -> Any:
    """Read what a parsed index selects, as operations of the program."""
    if index.is_basic:
        return read_window(x, window_of(index, wrap), mode, fill_value)
    return read_entries(x, entries_of(index, wrap), mode, fill_value, unique, ordered)


def _view(x: ConcreteArray, index: Index) -> ConcreteArray:
    """Read at once through NumPy; a basic index makes a view."""
    words: list[Any] = []
    dtype = np.dtype(np.int64)
    for item in index.items:
        match item:
            case Scalar(dim, entry):
                length = index.shape[dim]
                words.append(_nearest(count_from_front(entry, length, True, dtype), length))
            case Span():
                words.append(item.as_slice())
            case Table(None, values):
                words.append(bool(values.size))
            case Table(int(dim), values):
                length = index.shape[dim]
                values = count_from_front(values, length, True, dtype)
                words.append(np.clip(values, 0, max(length - 1, 0)))
            case NewAxis():
                words.append(None)
            case Gap():
                words.append(...)
    if not any(word is ... for word in words):
        words.append(...)  # the result is an array also where nothing is left of the axes
    value = x.value[tuple(words)]
    aval = x.aval.update(shape=value.shape)
    return array_from_numpy(value, aval=aval, device=x.device, committed=x.committed)


def _nearest(entry: int, length: int) -> int:
    return min(max(entry, 0), length - 1)


# -- windows: basic indices -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """What a basic index selects.

    Attributes
    ----------
    lengths : tuple of int
        Shape of the array.
    starts : tuple
        Where the window begins in each dimension: an int, or a traced scalar.
    extents : tuple of int
        Its lengths, with the entries that strides leave out.
    strides : tuple of int
    flipped : tuple of int
        Dimensions that the result runs through backwards.
    dropped : tuple of int
        Dimensions of length one that the result lacks.
    new_axes : tuple of int
        Axes of the result that are new.
    """

    lengths: tuple[int, ...]
    starts: tuple[Any, ...]
    extents: tuple[int, ...]
    strides: tuple[int, ...]
    flipped: tuple[int, ...]
    dropped: tuple[int, ...]
    new_axes: tuple[int, ...]

    @property
    def is_contiguous(self) -> bool:
        """True if nothing is left out between the entries."""
        return all(stride == 1 for stride in self.strides)

    @property
    def is_static(self) -> bool:
        """True if the place is known."""
        return all(isinstance(start, int) for start in self.starts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        kept = [
            -(-extent // stride)
            for d, (extent, stride) in enumerate(zip(self.extents, self.strides, strict=True))
            if d not in self.dropped
        ]
        return with_ones(kept, self.new_axes)

    def lies_inside(self) -> Any:
        """Return whether the window is inside: a bool, or a traced one."""
        inside: Any = True
        for start, extent, length in zip(self.starts, self.extents, self.lengths, strict=True):
            if isinstance(start, int):
                if not 0 <= start <= length - extent:
                    return False
                continue
            zero, last = start.dtype.type(0), start.dtype.type(length - extent)
            here = lax.bitwise_and(lax.ge(start, zero), lax.le(start, last))
            inside = here if inside is True else lax.bitwise_and(inside, here)
        return inside

    def clipped_starts(self) -> list[Any]:
        """Return the starts, the known ones moved inside, all of one dtype if some are traced."""
        starts = [
            min(max(start, 0), length - extent) if isinstance(start, int) else start
            for start, extent, length in zip(self.starts, self.extents, self.lengths, strict=True)
        ]
        traced = [start.dtype for start in starts if isinstance(start, Array)]
        if not traced:
            return starts
        return [traced[0].type(s) if isinstance(s, int) else s for s in starts]


def with_ones(lengths: Sequence[int], new_axes: Sequence[int]) -> tuple[int, ...]:
    """Return a shape with axes of length one put in at the given places of the result."""
    rest = iter(lengths)
    return tuple(1 if i in new_axes else next(rest) for i in range(len(lengths) + len(new_axes)))


def window_of(index: Index, wrap: bool) -> Window:
    """Return the window that a basic index selects; negative entries count from the end."""
    starts: list[Any] = []
    extents: list[int] = []
    strides: list[int] = []
    flipped: list[int] = []
    dropped: list[int] = []
    new_axes: list[int] = []
    dtype = index_dtype(index)
    for item in index.items:
        match item:
            case Scalar(dim, entry):
                starts.append(count_from_front(entry, index.shape[dim], wrap, dtype))
                extents.append(1)
                strides.append(1)
                dropped.append(dim)
            case Span(dim):
                starts.append(item.first)
                extents.append(item.extent)
                strides.append(item.stride)
                if item.is_reversed:
                    flipped.append(dim)
            case NewAxis():
                new_axes.append(len(starts) - len(dropped) + len(new_axes))
    return Window(
        index.shape,
        tuple(starts),
        tuple(extents),
        tuple(strides),
        tuple(flipped),
        tuple(dropped),
        tuple(new_axes),
    )


def read_window(x: Any, window: Window, mode: GatherScatterMode, fill_value: Any) -> Any:
    """Read a window; one that is not inside is moved there, or filled if the mode says so."""
    inside: Any = True
    if mode is GatherScatterMode.FILL_OR_DROP:
        inside = window.lies_inside()
        if fill_value is None:
            fill_value = default_fill_value(x.dtype)
        if inside is False:
            return _filled(x, window.shape, fill_value)
    out = x
    if window.is_static:
        if window.extents != window.lengths or not window.is_contiguous:
            out = _static_slice(x, window.clipped_starts(), window.extents, window.strides)
    else:
        out = lax.dynamic_slice(
            x, window.clipped_starts(), window.extents, allow_negative_indices=False
        )
        if not window.is_contiguous:
            out = _static_slice(out, [0] * out.ndim, window.extents, window.strides)
    out = shape_result(out, window.flipped, window.dropped, window.new_axes)
    if inside is not True:
        out = lax.select(inside, out, _filled(x, out.shape, fill_value))
    return out


def _static_slice(
    x: Any, starts: Sequence[int], extents: Sequence[int], strides: Sequence[int]
) -> Any:
    limits = [start + extent for start, extent in zip(starts, extents, strict=True)]
    return lax.slice(x, starts, limits, None if set(strides) <= {1} else strides)


def _filled(x: Any, shape: tuple[int, ...], fill_value: Any) -> Any:
    return lax.full(shape, fill_value, x.dtype)


def shape_result(
    x: Any, flipped: Sequence[int], dropped: Sequence[int], new_axes: Sequence[int]
) -> Any:
    """Reverse, drop and insert axes, in this order; nothing is bound where nothing is to do."""
    if flipped:
        x = lax.rev(x, tuple(flipped))
    if dropped:
        x = lax.squeeze(x, tuple(dropped))
    if new_axes:
        x = lax.expand_dims(x, tuple(new_axes))
    return x


# -- entries: advanced indices ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entries:
    """What an advanced index selects, as ``gather`` and ``scatter`` want it told.

    Attributes
    ----------
    table : ndarray or array, shape (*batch, k)
        Coordinates along the dimensions in ``numbers.start_index_map``.
    numbers : GatherDimensionNumbers
    sizes : tuple of int
        Shape of the piece read at each row of the table.
    shape : tuple of int
        Shape of the result before axes are inserted.
    flipped : tuple of int
        Axes of the result to reverse.
    new_axes : tuple of int
        Axes of the final result that are new.
    is_ordered : bool
        True if the rows are known to be sorted and unique.
    """

    table: Any
    numbers: GatherDimensionNumbers
    sizes: tuple[int, ...]
    shape: tuple[int, ...]
    flipped: tuple[int, ...]
    new_axes: tuple[int, ...]
    is_ordered: bool


_BLOCK = object()  # where the axes of the broadcast tables go


def entries_of(index: Index, wrap: bool) -> Entries:
    """Return the entries that an index selects; negative ones count from the end.

    Scalars go along with the tables: ``x[0, :, i]`` reads as ``x[zeros_like(i), :, i]``.
    """
    tables = [item for item in index.items if type(item) in (Scalar, Table)]
    is_ordered = not any(type(item) is Table for item in tables)
    block = index.block
    dtype = index_dtype(index)
    layout = _layout(index.items, tables)

    shape: list[int] = []
    batch: list[int] = []
    offsets: list[int] = []
    flipped: list[int] = []
    new_axes: list[int] = []
    columns: dict[int, tuple[Any, int]] = {}  # dimension: its column, and its first batch axis
    for item in layout:
        if type(item) is NewAxis:
            new_axes.append(len(shape) + len(new_axes))
        elif item is _BLOCK:
            for table in tables:
                if table.dim is not None:
                    values = table.value if type(table) is Scalar else table.values
                    values = count_from_front(values, index.shape[table.dim], wrap, dtype)
                    place = len(batch) + len(block) - _rank(values)
                    columns[table.dim] = values, place
            shape += block
            batch += block
        else:
            if item.is_reversed:
                flipped.append(len(shape))
            if item.stride > 1:
                columns[item.dim] = item.first + item.stride * np.arange(item.size), len(batch)
                batch.append(item.size)
            else:
                offsets.append(len(shape))
                if item.size != index.shape[item.dim]:
                    columns[item.dim] = item.first, len(batch)
            shape.append(item.size)

    windows = {i.dim: i.size for i in layout if type(i) is Span and i.stride == 1}
    dims = sorted(columns)
    table = _join_columns([columns[d] for d in dims], tuple(batch), dtype)
    numbers = GatherDimensionNumbers(
        offset_dims=tuple(offsets),
        collapsed_slice_dims=tuple(d for d in range(len(index.shape)) if d not in windows),
        start_index_map=tuple(dims),
    )
    sizes = tuple(windows.get(d, 1) for d in range(len(index.shape)))
    return Entries(table, numbers, sizes, tuple(shape), tuple(flipped), tuple(new_axes), is_ordered)


def _layout(items: Sequence[Any], tables: Sequence[Any]) -> list[Any]:
    """Return what makes up the axes of the result, in order.

    The tables' common axes stand where the tables stand if these are adjacent, else in front.
    """
    places = [i for i, item in enumerate(items) if type(item) in (Scalar, Table)]
    adjacent = bool(places) and places[-1] - places[0] + 1 == len(places)
    first = places[0] if adjacent else 0
    layout: list[Any] = []
    for i, item in enumerate(items):
        if tables and i == first:
            layout.append(_BLOCK)
        if type(item) in (Span, NewAxis):
            layout.append(item)
    return layout


def _join_columns(
    columns: Sequence[tuple[Any, int]], batch: tuple[int, ...], dtype: np.dtype
) -> Any:
    """Return the table of coordinates: an ndarray if all of it is known."""
    if not columns:
        return np.zeros((*batch, 0), dtype)
    if not any(isinstance(values, Array) for values, _ in columns):
        known = [_along(np.asarray(values, dtype), place, batch) for values, place in columns]
        return np.stack(known, axis=-1)
    joined = [
        lax.broadcast_in_dim(
            values if isinstance(values, Array) else np.asarray(values, dtype),
            (*batch, 1),
            tuple(range(place, place + _rank(values))),
        )
        for values, place in columns
    ]
    return joined[0] if len(joined) == 1 else lax.concatenate(joined, len(batch))


def _rank(values: Any) -> int:
    return 0 if isinstance(values, int) else values.ndim


def _along(values: np.ndarray, place: int, batch: tuple[int, ...]) -> np.ndarray:
    ones = (1,) * (len(batch) - place - values.ndim) if values.ndim else ()
    return np.broadcast_to(values.reshape(values.shape + ones), batch)


def read_entries(
    x: Any,
    entries: Entries,
    mode: GatherScatterMode,
    fill_value: Any,
    unique: bool = False,
    ordered: bool = False,
) -> Any:
    """Read entries; the mode says what one out of bounds gives."""
    if 0 in entries.shape:
        out = lax.full(entries.shape, 0, x.dtype)
    else:
        out = lax.gather(
            x,
            entries.table,
            entries.numbers,
            entries.sizes,
            unique_indices=unique or entries.is_ordered,
            indices_are_sorted=ordered or entries.is_ordered,
            mode=mode,
            fill_value=fill_value,
        )
    return shape_result(out, entries.flipped, (), entries.new_axes)
