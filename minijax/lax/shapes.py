"""Which shape do arrays of several shapes have together? NumPy's rule, as ``lax`` offers it."""

from __future__ import annotations

from typing import Any


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """Return the shape to which arrays of these shapes broadcast.

    Parameters
    ----------
    *shapes : tuple of int or int
        Aligned at their ends; axes of length one repeat.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    tuples = [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes]
    rank = max(map(len, tuples), default=0)
    result = []
    for lengths in zip(*((1,) * (rank - len(s)) + s for s in tuples), strict=True):
        wide = set(lengths) - {1}
        if len(wide) > 1:
            raise ValueError(f"Incompatible shapes for broadcasting: shapes={tuples}")
        result.append(wide.pop() if wide else 1)
    return tuple(result)
