"""How do slices stand for ranges, grids and joined arrays? ``mgrid``, ``r_`` and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax import lax
from minijax.numpy.convert import asarray
from minijax.numpy.creation import arange, linspace, meshgrid
from minijax.numpy.joining import concatenate, stack
from minijax.numpy.promotion import promote_dtypes
from minijax.numpy.searching import nonzero
from minijax.numpy.shapes import operand


def _range_of(item: slice) -> Any:
    """Return the range that a slice stands for; an imaginary step is a number of points."""
    start, step = item.start or 0, item.step if item.step is not None else 1
    if isinstance(step, complex):
        return linspace(start, item.stop, int(abs(step)))
    return arange(start, item.stop, step)


class _Grid:
    """``mgrid`` and ``ogrid``: index them with slices.

    Examples
    --------
    >>> _Grid(sparse=False)[0:2, 0:2].tolist()
    [[[0, 0], [1, 1]], [[0, 1], [0, 1]]]
    """

    def __init__(self, sparse: bool):
        self.sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return _range_of(key)
        ranges = promote_dtypes(*map(_range_of, key))
        grid = meshgrid(*ranges, indexing="ij", sparse=self.sparse)
        return grid if self.sparse else stack(grid)


mgrid, ogrid = _Grid(sparse=False), _Grid(sparse=True)


class _Joined:
    """``r_`` and ``c_``: index them with arrays, scalars and slices that stand for ranges.

    A leading string ``"r"`` or ``"c"`` makes a row or column of the result; ``"axis"``,
    ``"axis,ndim"`` or ``"axis,ndim,place"`` says along which axis to join, how many axes at least
    there are, and where the given ones stand among them.
    """

    def __init__(self, axis: int, ndim: int, place: int):
        self.defaults = (axis, ndim, place)

    def __getitem__(self, key: Any) -> Any:
        items = list(key) if isinstance(key, tuple) else [key]
        axis, ndim, place = self.defaults
        if items and isinstance(items[0], str):
            if items[0] in ("r", "c"):
                return self._matrix(items[0], items[1:])
            axis, ndim, place = self._directive(items.pop(0))
        arrays = [self._extended(item, ndim, place) for item in items]
        return concatenate(arrays, axis)

    def _matrix(self, word: str, items: list[Any]) -> Any:
        """Join arrays of one axis to one row or column."""
        axis, ndim, place = self.defaults
        joined = concatenate([self._extended(item, ndim, place) for item in items], axis)
        if joined.ndim != 1:
            return joined
        return lax.expand_dims(joined, (0 if word == "r" else 1,))

    def _directive(self, text: str) -> tuple[int, int, int]:
        try:
            numbers = [int(word) for word in text.split(",")]
        except ValueError as error:
            raise ValueError(f"could not understand directive {text}") from error
        return (*numbers, *self.defaults[len(numbers) :])  # type: ignore[return-value]

    def _extended(self, item: Any, ndim: int, place: int) -> Any:
        x = _range_of(item) if isinstance(item, slice) else asarray(item)
        given = x.ndim
        if given >= ndim:
            return x if x.ndim else lax.reshape(x, (1,))
        front = place if place >= 0 else ndim - given + place + 1
        axes = [*range(front), *range(front + given, ndim)]
        return lax.expand_dims(x, axes)


r_, c_ = _Joined(0, 1, -1), _Joined(-1, 2, 0)
s_, index_exp = np.s_, np.index_exp


def ix_(*args: Any) -> tuple[Any, ...]:
    """Return index arrays that together select a grid.

    Parameters
    ----------
    *args : array_like of int or bool, shape (n,)

    Examples
    --------
    >>> [i.shape for i in ix_(asarray([0, 1]), asarray([2]))]
    [(2, 1), (1, 1)]
    """
    out = []
    for position, given in enumerate(args):
        x = operand("ix", given)
        if x.ndim != 1:
            raise ValueError(
                f"Arguments to jax.numpy.ix_ must be 1-dimensional, got shape {x.shape}"
            )
        if x.dtype == np.bool_:
            raise NotImplementedError("Boolean arguments to jax.numpy.ix_ are not implemented")
        others = [d for d in range(len(args)) if d != position]
        out.append(lax.expand_dims(x, others))
    return tuple(out)


def mask_indices(n: int, mask_func: Any, k: Any = 0, *, size: int | None = None) -> tuple[Any, ...]:
    """Return the indices that a function such as ``triu`` keeps of a square matrix of ones.

    Parameters
    ----------
    n : int
    mask_func : callable
        Called with the matrix and ``k``.
    k : int
    size : int, optional
        As for ``nonzero``.
    """
    return nonzero(mask_func(lax.full((n, n), 1), k), size=size)
