"""What does ``x[index]`` select?

NumPy's index language has many words: integers, slices, ``None``, ``...``, integer arrays, masks.
:func:`parse_index` turns an index into one *item* per word of a small language: every dimension of
the array is addressed by exactly one :class:`Scalar`, :class:`Span` or :class:`Table`, and
:class:`NewAxis` stands where an axis of length one comes in. Whatever is known is made a Python or
NumPy number here; what is traced stays an array.

If no item is a :class:`Table` the index is *basic* and selects a (strided) window; otherwise it is
*advanced* and reads entry by entry. :mod:`minijax.numpy.indexing` says how either is carried out.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.array import Array, ConcreteArray
from minijax.core.aval import is_array_like, typeof
from minijax.core.trace import Tracer
from minijax.errors import NonConcreteBooleanIndexError
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import as_operand

_NOT_A_TUPLE = (
    "Using a non-tuple sequence for multidimensional indexing is not allowed; use "
    "`arr[{cure}]` instead of `arr[seq]`. See "
    "https://github.com/jax-ml/jax/issues/4564 for more information."
)

# -- items ------------------------------------------------------------------------------------


class NewAxis(NamedTuple):
    """``None``: an axis of length one that is no dimension of the array."""


class Gap(NamedTuple):
    """``...``: spans of whole dimensions follow; what stands on both sides is not adjacent."""


class Scalar(NamedTuple):
    """One entry along a dimension, which disappears: a Python int, or a traced integer."""

    dim: int
    value: Any


class Span(NamedTuple):
    """``size`` entries along a dimension, from ``start`` on every ``step``-th."""

    dim: int
    start: int
    step: int
    size: int

    @property
    def is_reversed(self) -> bool:
        """True if the entries count downwards."""
        return self.step < 0 and self.size > 1

    @property
    def stride(self) -> int:
        """Distance of the entries."""
        return abs(self.step) if self.size > 1 else 1

    @property
    def first(self) -> int:
        """Lowest entry; 0 if there is none."""
        if self.size == 0:
            return 0
        return self.start + (self.size - 1) * self.step if self.is_reversed else self.start

    @property
    def extent(self) -> int:
        """Length of the piece that holds all entries."""
        return (self.size - 1) * self.stride + 1 if self.size else 0

    def as_slice(self) -> slice:
        """Return the slice object, for NumPy."""
        stop = self.start + self.size * self.step
        return (
            slice(self.start, None if stop < 0 else stop, self.step) if self.size else slice(0, 0)
        )


class Table(NamedTuple):
    """Entries along a dimension by an integer array: an ndarray if it is known, else traced.

    A scalar boolean addresses no dimension (``dim`` is None) but has a length, 1 or 0.
    """

    dim: int | None
    values: Any


class Index(NamedTuple):
    """A parsed index.

    Attributes
    ----------
    shape : tuple of int
        Shape of the array it is for.
    items : tuple
    block : tuple of int
        The shape to which all tables are broadcast.
    """

    shape: tuple[int, ...]
    items: tuple[Any, ...]
    block: tuple[int, ...]

    @property
    def is_basic(self) -> bool:
        """True if it selects a window, perhaps a strided one."""
        return not any(type(item) is Table for item in self.items)

    @property
    def is_static(self) -> bool:
        """True if nothing is traced."""
        return all(
            type(item.value) is int
            if type(item) is Scalar
            else type(item) is not Table or isinstance(item.values, np.ndarray)
            for item in self.items
        )


# -- parsing ----------------------------------------------------------------------------------


def parse_index(index: Any, shape: tuple[int, ...]) -> Index:
    """Parse an index of NumPy's language.

    Raises
    ------
    IndexError
        If there are too many indices, a mask has the wrong shape, two ellipses, or an axis is
        empty; NonConcreteBooleanIndexError if a mask is traced.
    ValueError
        If index arrays cannot be broadcast together.
    TypeError
        If an index is a list, a string, or not of an integer or boolean type.
    """
    words = index if type(index) is tuple else (_single(index),)
    words = [_normal_form(word) for word in words]
    taken = [_dimensions_taken(word) for word in words]
    if sum(taken) > len(shape):
        raise IndexError(
            f"Too many indices: array is {len(shape)}-dimensional, but {sum(taken)} were indexed"
        )
    gaps = sum(word is Ellipsis for word in words)
    if gaps > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if not gaps:
        words.append(Ellipsis)
        taken.append(0)
    items: list[Any] = []
    dim = 0
    for position, (word, count) in enumerate(zip(words, taken, strict=True)):
        if word is Ellipsis:
            count = len(shape) - sum(taken)
            if gaps:
                items.append(Gap())
            items += [Span(d, 0, 1, shape[d]) for d in range(dim, dim + count)]
        else:
            items += _items(word, dim, shape, position)
        dim += count
    return Index(shape, tuple(items), _block_of(items))


def _block_of(items: Sequence[Any]) -> tuple[int, ...]:
    shapes = [item.values.shape for item in items if type(item) is Table]
    try:
        return np.broadcast_shapes(*shapes) if shapes else ()
    except ValueError:
        raise ValueError(f"Incompatible shapes for broadcasting: shapes={shapes}") from None


def _single(index: Any) -> Any:
    """Return an index that is not a tuple, unless it is a sequence, which NumPy reads otherwise."""
    if isinstance(index, Sequence) and not isinstance(index, str):
        several = any(_is_sequence_like(word) for word in index)
        raise TypeError(_NOT_A_TUPLE.format(cure="tuple(seq)" if several else "array(seq)"))
    return index


def _is_sequence_like(word: Any) -> bool:
    return word is None or isinstance(word, (Sequence, slice, np.ndarray, Array))


def _normal_form(word: Any) -> Any:
    """Return None, Ellipsis, a slice, a bool, an int, or an array of integers or booleans."""
    if type(word) is int or word is None or word is Ellipsis or isinstance(word, (bool, slice)):
        return word
    if isinstance(word, str):
        raise TypeError(f"JAX does not support string indexing; got idx={word!r}")
    if isinstance(word, (list, tuple)):
        word = _table_from_list(word)
    elif not is_array_like(word):
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), newaxis (`None`) and integer or "
            f"boolean arrays are valid indices. Got {word}"
        )
    word = as_operand(word)
    dtype = np.dtype(type(word)) if isinstance(word, (float, complex)) else word.dtype
    if not (dtype == np.bool_ or dtypes.issubdtype(dtype, np.integer)):
        raise TypeError(
            f"Indexer must have integer or boolean type, got indexer with type {dtype.name}"
        )
    return _known(word)


def _table_from_list(word: Any) -> Any:
    if not word:
        return np.zeros(0, np.int32)
    array = asarray(word)
    return array.value if isinstance(array, ConcreteArray) else array


def _known(word: Any) -> Any:
    """Return the value of an array as far as it is known, scalars as Python's."""
    if isinstance(word, Tracer):
        if word.dtype == np.bool_:
            word = word.concrete_value() if word.concrete_value() is not None else word
        if isinstance(word, Tracer):
            return word
    if isinstance(word, ConcreteArray):
        if word.ndim and word.dtype != np.bool_ and not word.device.backend.host_memory:
            return word
        word = word.value
    return word.item() if word.ndim == 0 else np.asarray(word)


def _dimensions_taken(word: Any) -> int:
    if word is None or word is Ellipsis or type(word) is bool:
        return 0
    if isinstance(word, (slice, int)) or word.dtype != np.bool_:
        return 1
    return word.ndim


def _items(word: Any, dim: int, shape: tuple[int, ...], position: int) -> list[Any]:
    """Return the items of a word that starts at a dimension."""
    if word is None:
        return [NewAxis()]
    if type(word) is bool:
        return [Table(None, np.zeros(int(word), np.int32))]
    if isinstance(word, slice):
        return [_span(word, dim, shape[dim], position)]
    if isinstance(word, int):
        _check_not_empty(dim, shape)
        return [Scalar(dim, word)]
    if word.dtype == np.bool_:
        return _mask(word, dim, shape, position)
    if word.ndim == 0:
        _check_not_empty(dim, shape)
        return [Scalar(dim, word)]
    return [Table(dim, word)]


def _check_not_empty(dim: int, shape: tuple[int, ...]) -> None:
    if shape[dim] == 0:
        raise IndexError(f"index is out of bounds for axis {dim} with size 0")


def _span(word: slice, dim: int, length: int, position: int) -> Span:
    for bound in (word.start, word.stop, word.step):
        if isinstance(bound, Tracer):
            raise IndexError(
                "Slice entries must be static integers. "
                f"Got slice({word.start}, {word.stop}, {word.step}) at position {position}"
            )
    bounds = [
        None if bound is None else operator.index(bound)
        for bound in (word.start, word.stop, word.step)
    ]
    start, stop, step = slice(*bounds).indices(length)
    return Span(dim, start, step, len(range(start, stop, step)))


def _mask(word: Any, dim: int, shape: tuple[int, ...], position: int) -> list[Any]:
    """Return the coordinates of the true entries of a mask."""
    covered = shape[dim : dim + word.ndim]
    if isinstance(word, Tracer):
        raise NonConcreteBooleanIndexError(word)
    if any(n not in (0, length) for n, length in zip(word.shape, covered, strict=True)):
        raise IndexError(
            "boolean index did not match shape of indexed array in index "
            f"{position}: got {word.shape}, expected {list(covered)}"
        )
    return [Table(dim + i, places) for i, places in enumerate(np.nonzero(word))]


# -- entries counted from the end -------------------------------------------------------------


def index_dtype(index: Index) -> np.dtype:
    """Return the dtype in which the program computes with the traced parts of an index."""
    widest = max(index.shape, default=0)
    traced = [
        item.value if type(item) is Scalar else item.values
        for item in index.items
        if type(item) in (Scalar, Table)
    ]
    wide = any(typeof(x).dtype.itemsize == 8 for x in traced if isinstance(x, Array))
    return np.dtype(np.int64 if wide or widest > np.iinfo(np.int32).max else np.int32)


def count_from_front(values: Any, length: int, wrap: bool, dtype: np.dtype) -> Any:
    """Return entries with negative ones counted from the end, if ``wrap`` says so.

    Known ones (int, ndarray) are computed here, traced ones in the program.
    """
    if isinstance(values, int):
        return values + length if wrap and values < 0 else values
    if isinstance(values, np.ndarray):
        values = _fitting(values, dtype)
        return np.where(values < 0, values + dtype.type(length), values) if wrap else values
    unsigned = dtypes.issubdtype(values.dtype, np.unsignedinteger)
    values = lax.convert_element_type(values, dtype)
    if unsigned or not wrap:
        return values
    is_negative = lax.lt(values, dtype.type(0))
    return lax.select(is_negative, lax.add(values, dtype.type(length)), values)


def _fitting(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert known entries; what does not fit is out of bounds and stays so."""
    limits = np.iinfo(dtype)
    if values.dtype.itemsize >= dtype.itemsize and values.dtype != dtype:
        values = np.clip(values, max(limits.min, int(np.iinfo(values.dtype).min)), limits.max)
    return values.astype(dtype)
