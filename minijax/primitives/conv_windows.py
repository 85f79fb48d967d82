"""How is a convolution computed as a product of matrices?

A strided view shows all windows of the left operand without copying anything. With the elements of
a window as the columns of a matrix and the windows as its rows, the convolution is that matrix
times the kernel. The product needs the rows in memory, each element as often as windows reach it,
so the windows of a part of the batch are multiplied at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minijax.primitives.dot import dot_general_reference
from minijax.primitives.precision import CanonicalPrecision
from minijax.primitives.window_shapes import dilated_length, window_count

WINDOW_BYTES = 1 << 24
"""About how much memory the windows copied for one matrix product may take."""


def in_groups(x: np.ndarray, feature_group_count: int, batch_group_count: int) -> np.ndarray:
    """Return the padded left operand as (groups, batch, features of a group, spatial...)."""
    batch, features, *spatial = x.shape
    shape = (
        batch_group_count, batch // batch_group_count,
        feature_group_count, features // feature_group_count, *spatial,
    )  # fmt: skip
    groups = feature_group_count * batch_group_count
    return np.moveaxis(x.reshape(shape), 2, 1).reshape(groups, shape[1], shape[3], *spatial)


def windows_of(
    x: np.ndarray, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> np.ndarray:
    """Return a view of all windows: (groups, batch, places..., features, window...)."""
    spatial = tuple(range(3, 3 + len(window)))
    reach = tuple(map(dilated_length, window, dilation))
    if any(n < r for n, r in zip(x.shape[3:], reach, strict=True)) or 0 in reach:
        counts = map(window_count, x.shape[3:], reach, strides)
        return np.zeros((*x.shape[:2], *counts, x.shape[2], *window), x.dtype)
    if not window:
        return x
    views = sliding_window_view(x, reach, spatial)
    steps = [slice(None, None, step) for step in (*strides, *dilation)]
    return np.moveaxis(views[(slice(None),) * 3 + tuple(steps)], 2, 2 + len(window))


def multiply_windows(
    windows: np.ndarray, kernel: np.ndarray, precision: CanonicalPrecision, preferred: Any
) -> np.ndarray:
    """Multiply windows by the kernel of their group, a part of the batch at a time.

    A view of the windows costs nothing, but the product needs them as the rows of a matrix.
    """
    groups, batch, depth = windows.shape[0], windows.shape[1], kernel.shape[2]
    places = windows.shape[2 : (windows.ndim + 1) // 2]
    rows_of_one = max(groups * depth * math.prod(places) * windows.itemsize, 1)
    count = max(WINDOW_BYTES // rows_of_one, 1)
    parts = []
    for start in range(0, max(batch, 1), count):
        part = windows[:, start : start + count]
        rows = part.reshape(groups, part.shape[1] * math.prod(places), depth)
        product = dot_general_reference(
            rows,
            kernel,
            dimension_numbers=(((2,), (2,)), ((0,), (0,))),
            precision=precision,
            preferred_element_type=preferred,
            out_sharding=None,
        )
        parts.append(product.reshape(groups, part.shape[1], *places, kernel.shape[1]))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
