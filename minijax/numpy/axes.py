"""Which axes does a function work on? The checks that reductions and manipulations share."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core.trace import Tracer
from minijax.errors import ConcretizationTypeError
from minijax.util import canonicalize_axis

Axis = int | Sequence[int] | None


def canonical_axes(axis: Any, ndim: int, name: str = "axis") -> tuple[int, ...]:
    """Return axes as a tuple of numbers in [0, ndim); None means all.

    Raises
    ------
    ValueError
        If an axis is out of bounds or named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    refuse_tracers(axis, name)
    listed = (axis,) if np.ndim(axis) == 0 and hasattr(axis, "__index__") else tuple(axis)
    axes = tuple(canonicalize_axis(operator.index(a), ndim) for a in listed)
    if len(set(axes)) != len(axes):
        raise ValueError(f"duplicate value in 'axis': {listed}")
    return axes


def canonical_axis(axis: Any, ndim: int) -> int:
    """Return one axis as a number in [0, ndim)."""
    refuse_tracers(axis, "axis")
    return canonicalize_axis(operator.index(axis), ndim)


def refuse_tracers(value: Any, what: str) -> None:
    """Raise ConcretizationTypeError for an argument that must be known while tracing."""
    listed = value if isinstance(value, (list, tuple)) else (value,)
    for x in listed:
        if isinstance(x, Tracer) and x.concrete_value() is None:
            raise ConcretizationTypeError(x, f"The argument '{what}' must be concrete.")
