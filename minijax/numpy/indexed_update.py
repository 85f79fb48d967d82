"""How is ``x.at[index].set(y)`` carried out?

Arrays do not change, so an update makes a new one, in which the selected entries differ. For a
basic index without strides they are a window: it is read, combined with ``y`` and put back, which
costs as much as the window is large. Any other index becomes a ``scatter``. An update out of bounds
is left out, unless the mode is "clip".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from minijax import lax
from minijax.config import snapshot
from minijax.core import dtypes
from minijax.core.aval import ShapedArray, is_array_like, typeof
from minijax.core.primitive import full_of
from minijax.higher_order.while_loop import while_loop
from minijax.lax import GatherScatterMode, ScatterDimensionNumbers
from minijax.numpy.convert import asarray
from minijax.numpy.division import power
from minijax.numpy.index_parsing import Index, parse_index
from minijax.numpy.indexing import (
    Entries,
    Window,
    entries_of,
    read_entries,
    take_index,
    window_of,
    with_ones,
)
from minijax.numpy.promotion import as_operand, cast, common_type
from minijax.numpy.selection import broadcast_operand
from minijax.numpy.ufuncs import true_divide
from minijax.primitives.conversion import convert
from minijax.primitives.reduce import reduce_max

Combine = Callable[[Any, Any], Any]

_OPERATIONS: dict[str, tuple[Combine | None, Callable[..., Any]]] = {
    "set": (None, lax.scatter),
    "add": (lax.add, lax.scatter_add),
    "subtract": (lax.sub, lax.scatter_sub),
    "multiply": (lax.mul, lax.scatter_mul),
    "min": (lax.min, lax.scatter_min),
    "max": (lax.max, lax.scatter_max),
}
"""For each operation: how a window combines with the update, and the scatter that does it."""


class _IndexUpdateHelper:
    """``x.at``: waits for an index."""

    __slots__ = ("array",)

    def __init__(self, array: Any):
        self.array = array

    def __getitem__(self, index: Any) -> _IndexUpdateRef:
        return _IndexUpdateRef(self.array, index)

    def __repr__(self) -> str:
        return f"_IndexUpdateHelper({self.array!r})"


class _IndexUpdateRef:
    """``x.at[index]``: reads, or returns an updated copy of, the array.

    All methods take these keyword arguments:

    indices_are_sorted, unique_indices : bool
        Promises about index arrays that a compiler may use. Derivatives of products need unique
        indices.
    mode : str or GatherScatterMode
        What becomes of an index out of bounds: "drop" (or "fill"; the default of updates),
        "clip", or "promise_in_bounds" (the default of ``get``), which claims that there is none.
    wrap_negative_indices : bool
        Whether negative indices count from the end.
    out_sharding : None
        Accepted for compatibility.
    """

    __slots__ = ("array", "index")

    def __init__(self, array: Any, index: Any):
        self.array = array
        self.index = index

    def __repr__(self) -> str:
        return f"_IndexUpdateRef({self.array!r}, {self.index!r})"

    def get(
        self,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        fill_value: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return ``x[index]``; with ``mode="fill"`` what is out of bounds is ``fill_value``."""
        default = GatherScatterMode.PROMISE_IN_BOUNDS
        return take_index(
            self.array,
            parse_index(self.index, self.array.shape),
            default if mode is None else GatherScatterMode.from_any(mode),
            fill_value.item() if hasattr(fill_value, "dtype") else fill_value,
            wrap_negative_indices,
            unique_indices,
            indices_are_sorted,
        )

    def set(self, values: Any, **options: Any) -> Any:
        """Return the array with ``x[index] = values``. Of repeated entries, the last counts."""
        return self._update("set", values, **options)

    def add(self, values: Any, **options: Any) -> Any:
        """Return the array with ``x[index] += values``; repeated entries add up."""
        return self._update("add", values, **options)

    def subtract(self, values: Any, **options: Any) -> Any:
        """Return the array with ``x[index] -= values``; repeated entries add up."""
        return self._update("subtract", values, **options)

    def multiply(self, values: Any, **options: Any) -> Any:
        """Return the array with ``x[index] *= values``; repeated entries multiply."""
        return self._update("multiply", values, **options)

    mul = multiply

    def divide(self, values: Any, **options: Any) -> Any:
        """Return the array with ``x[index] /= values``, as floating point numbers."""
        divisors = _IndexUpdateRef(_ones_like(self.array), self.index)
        return true_divide(self.array, divisors.multiply(values, **options))

    def power(self, values: Any, **options: Any) -> Any:
        """Return the array with ``x[index] **= values``."""
        exponents = _IndexUpdateRef(_ones_like(self.array), self.index)
        return power(self.array, exponents.multiply(values, **options))

    def min(self, values: Any, **options: Any) -> Any:
        """Return the array with ``x[index] = minimum(x[index], values)``."""
        return self._update("min", values, **options)

    def max(self, values: Any, **options: Any) -> Any:
        """Return the array with ``x[index] = maximum(x[index], values)``."""
        return self._update("max", values, **options)

    def apply(
        self,
        func: Callable[[Any], Any],
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return the array with ``func``, which works elementwise, applied at the index.

        Where entries are repeated it is applied as often.
        """
        index = parse_index(self.index, self.array.shape)
        promises = {"indices_are_sorted": indices_are_sorted, "unique_indices": unique_indices}
        return apply_at_index(
            self.array,
            index,
            func,
            GatherScatterMode.from_any(mode),
            wrap_negative_indices,
            promises,
        )

    def _update(
        self,
        operation: str,
        values: Any,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        index = parse_index(self.index, self.array.shape)
        promises = {"indices_are_sorted": indices_are_sorted, "unique_indices": unique_indices}
        return update_index(
            self.array,
            index,
            operation,
            values,
            GatherScatterMode.from_any(mode),
            wrap_negative_indices,
            promises,
        )


def _ones_like(x: Any) -> Any:
    return full_of(x.aval, 1)


# -- any operation ----------------------------------------------------------------------------


def update_index(
    x: Any,
    index: Index,
    operation: str,
    values: Any,
    mode: GatherScatterMode,
    wrap: bool,
    promises: dict[str, bool],
) -> Any:
    """Return ``x`` with the entries at a parsed index combined with values."""
    combine, scatter = _OPERATIONS[operation]
    y = as_operand(values) if is_array_like(values) else asarray(values)
    dtype = _dtype_of_update(x, y, combine)
    y, wide = convert(y, dtype), cast(x, dtype, x.weak_type)
    window = window_of(index, wrap) if index.is_basic else None
    if window is not None and window.is_contiguous:
        piece = _as_piece(_fit(y, window.shape), window)
        out = write_window(
            wide, window, mode, (lambda old: combine(old, piece)) if combine else None, piece
        )
    else:
        entries = entries_of(index, wrap)
        fitted = _fit(y, with_ones(entries.shape, entries.new_axes))
        fitted = lax.squeeze(fitted, entries.new_axes) if entries.new_axes else fitted
        fitted = lax.rev(fitted, entries.flipped) if entries.flipped else fitted
        out = _scatter(scatter, wide, entries, fitted, mode, promises)
    return cast(out, x.dtype, x.weak_type)


def _dtype_of_update(x: Any, y: Any, combine: Any) -> Any:
    """Return the dtype to compute in; the result has that of ``x`` in any case."""
    if not dtypes.is_extended(x.dtype) and not dtypes.safe_to_cast(y, x):
        warnings.warn(
            "scatter inputs have incompatible types: cannot safely cast value from dtype="
            f"{typeof(y).dtype.name} to dtype={x.dtype.name} with jax_numpy_dtype_promotion="
            f"{snapshot().numpy_dtype_promotion}. In future JAX releases this will result in an "
            "error.",
            FutureWarning,
            stacklevel=5,
        )
    return x.dtype if combine is None else common_type((x, y))[0]


def _fit(y: Any, shape: tuple[int, ...]) -> Any:
    """Broadcast values to the shape of what they replace."""
    aval = typeof(y)
    if aval.ndim > len(shape):
        raise ValueError(
            f"Cannot broadcast to shape with fewer dimensions: arr_shape={aval.shape} shape={shape}"
        )
    pairs = zip(reversed(aval.shape), reversed(shape), strict=False)
    if any(have not in (1, wanted) for have, wanted in pairs):
        wanted = ShapedArray(shape, aval.dtype)
        raise ValueError(
            f"Incompatible types for broadcasting: input type={aval.str_short()} and requested "
            f"type={wanted.str_short()}"
        )
    return broadcast_operand(y, shape)


def apply_at_index(
    x: Any,
    index: Index,
    func: Callable[[Any], Any],
    mode: GatherScatterMode,
    wrap: bool,
    promises: dict[str, bool],
) -> Any:
    """Return ``x`` with a function applied to the entries at a parsed index."""

    def once(old: Any) -> Any:
        return cast(func(old), x.dtype, x.weak_type)

    window = window_of(index, wrap) if index.is_basic else None
    if window is not None and window.is_contiguous:
        return write_window(x, window, mode, once)
    entries = entries_of(index, wrap)
    unique = promises["unique_indices"] or entries.is_ordered
    old = _read(x, entries)
    new = once(old) if unique else _as_often_as_named(once, old, x, entries, mode)
    return _scatter(lax.scatter, x, entries, new, mode, promises)


def _as_often_as_named(
    func: Callable[[Any], Any], old: Any, x: Any, entries: Entries, mode: GatherScatterMode
) -> Any:
    """Apply a function to entries that the table may name several times, as many times."""
    counts = lax.full(x.shape, 0, np.dtype(np.int32))
    ones = lax.full(entries.shape, 1, np.dtype(np.int32))
    none = {"indices_are_sorted": False, "unique_indices": False}
    counts = _read(_scatter(lax.scatter_add, counts, entries, ones, mode, none), entries)

    def is_left(state: tuple[Any, Any, Any]) -> Any:
        done, most, _ = state
        return lax.lt(done, most)

    def step(state: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        done, most, value = state
        value = lax.select(lax.gt(counts, done), func(value), value)
        return lax.add(done, np.int32(1)), most, value

    most = reduce_max(counts, tuple(range(len(entries.shape))))
    return while_loop(is_left, step, (np.int32(0), most, old))[2]


# -- windows ----------------------------------------------------------------------------------


def _as_piece(y: Any, window: Window) -> Any:
    """Give values of the shape of a window's result the axes of the array itself."""
    if window.new_axes:
        y = lax.squeeze(y, window.new_axes)
    if window.dropped:
        y = lax.expand_dims(y, window.dropped)
    return lax.rev(y, window.flipped) if window.flipped else y


def write_window(
    x: Any,
    window: Window,
    mode: GatherScatterMode,
    combine: Callable[[Any], Any] | None,
    piece: Any = None,
) -> Any:
    """Replace a window by ``combine`` of its entries, or by ``piece`` if that is None."""
    inside = True if mode is GatherScatterMode.CLIP else window.lies_inside()
    if mode is GatherScatterMode.PROMISE_IN_BOUNDS and inside is not False:
        inside = True
    if inside is False or 0 in window.extents:
        return x
    starts = window.clipped_starts()
    old = None
    if combine is not None or inside is not True:
        old = lax.dynamic_slice(x, starts, window.extents, allow_negative_indices=False)
    new = piece if combine is None else combine(old)
    if inside is not True:
        new = lax.select(inside, new, old)
    if window.extents == window.lengths:
        return new
    return lax.dynamic_update_slice(x, new, starts, allow_negative_indices=False)


# -- entries ----------------------------------------------------------------------------------


def _read(x: Any, entries: Entries) -> Any:
    """Read where a scatter will write; what is out of bounds does not matter."""
    plain = replace(entries, flipped=(), new_axes=())
    return read_entries(x, plain, GatherScatterMode.CLIP, None)


def _scatter(
    scatter: Callable[..., Any],
    x: Any,
    entries: Entries,
    y: Any,
    mode: GatherScatterMode,
    promises: dict[str, bool],
) -> Any:
    if 0 in entries.shape:
        return x
    flags = {name: promised or entries.is_ordered for name, promised in promises.items()}
    numbers = ScatterDimensionNumbers(*entries.numbers)
    return scatter(x, entries.table, y, numbers, mode=mode, **flags)
