"""Small tools for lists: splitting, merging and filtering by a list of booleans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def split_list(items: Sequence[T], lengths: Sequence[int]) -> list[list[T]]:
    """Cut ``items`` into pieces of the given lengths and a last piece with the rest.

    >>> split_list([1, 2, 3, 4], [1, 2])
    [[1], [2, 3], [4]]
    """
    pieces, start = [], 0
    for length in lengths:
        pieces.append(list(items[start : start + length]))
        start += length
    return [*pieces, list(items[start:])]


def select_where(mask: Sequence[bool], items: Sequence[T]) -> list[T]:
    """Return the items whose mask is true."""
    return [item for keep, item in zip(mask, items, strict=True) if keep]


def partition_list(mask: Sequence[bool], items: Sequence[T]) -> tuple[list[T], list[T]]:
    """Return the items whose mask is false, then those whose mask is true."""
    return select_where([not bit for bit in mask], items), select_where(mask, items)


def merge_lists(mask: Sequence[bool], if_false: Sequence[T], if_true: Sequence[T]) -> list[T]:
    """Undo :func:`partition_list`."""
    false_items, true_items = iter(if_false), iter(if_true)
    return [next(true_items) if bit else next(false_items) for bit in mask]


def unzip(pairs: Iterable[Sequence[Any]], width: int = 2) -> tuple[list[Any], ...]:
    """Turn a list of tuples of ``width`` items into ``width`` lists (also when empty)."""
    columns: tuple[list[Any], ...] = tuple([] for _ in range(width))
    for row in pairs:
        for column, item in zip(columns, row, strict=True):
            column.append(item)
    return columns


def fixpoint(
    step: Callable[[list[bool]], tuple[T, list[bool]]], bits: list[bool]
) -> tuple[T, list[bool]]:
    """Grow ``bits`` until ``step(bits)`` returns no bit that was not set on entry.

    A loop carry that starts without a property (a tangent, a batch axis) can acquire it in the
    body; the body must then be built again with the property on entry. Bits only ever turn on,
    so there are at most ``len(bits) + 1`` rounds.
    """
    while True:
        result, out_bits = step(bits)
        grown = [before or after for before, after in zip(bits, out_bits, strict=True)]
        if grown == bits:
            return result, bits
        bits = grown


def canonicalize_axis(axis: int, ndim: int) -> int:
    """Map an axis in ``[-ndim, ndim)`` to ``[0, ndim)``; ValueError outside."""
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of bounds for array of dimension {ndim}")
    return axis + ndim if axis < 0 else axis
