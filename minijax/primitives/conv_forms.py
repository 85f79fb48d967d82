"""Which convolutions are asked for most often, and what do they leave out?

Each function here fills in arguments of
:func:`~minijax.primitives.conv.conv_general_dilated`. ``conv_transpose`` is a convolution with
holes in the left operand: it leads from small images to large ones, as the gradient of a strided
convolution does. ``conv_general_dilated_patches`` returns the windows themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core.aval import typeof
from minijax.primitives.broadcasting import as_ints, broadcast
from minijax.primitives.build import iota
from minijax.primitives.conv import conv_general_dilated
from minijax.primitives.conv_dimensions import (
    ConvGeneralDilatedDimensionNumbers,
    conv_dimension_numbers,
    take,
)
from minijax.primitives.conversion import convert
from minijax.primitives.dot import dot_general
from minijax.primitives.logic import eq
from minijax.primitives.operands import ArrayLike
from minijax.primitives.precision import PrecisionLike
from minijax.primitives.structural import reshape, rev, transpose
from minijax.primitives.window_shapes import as_pads, dilated_length


def conv(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """Convolve arrays whose axes are (batch, features, ...) and (output, input features, ...).

    Examples
    --------
    >>> conv(np.ones((1, 3, 8, 8)), np.ones((4, 3, 3, 3)), (2, 2), "SAME").shape
    (1, 4, 4, 4)
    """
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_with_general_padding(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """Convolve as :func:`conv` does, with any padding and with dilation.

    Examples
    --------
    >>> x, w = np.ones((1, 3, 8)), np.ones((4, 3, 3))
    >>> conv_with_general_padding(x, w, (1,), ((2, 0),), (1,), (1,)).shape
    (1, 4, 8)
    """
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


# -- from small to large --------------------------------------------------------------------------

_CHANNELS_LAST = {
    3: ("NHC", "HIO", "NHC"),
    4: ("NHWC", "HWIO", "NHWC"),
    5: ("NHWDC", "HWDIO", "NHWDC"),
}


def conv_transpose(
    lhs: ArrayLike,
    rhs: ArrayLike,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    transpose_kernel: bool = False,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
) -> Any:
    """Convolve with ``strides - 1`` holes between neighbours of ``lhs``: the result is larger.

    Parameters
    ----------
    lhs, rhs : array_like
        By default with the features last: (batch, ..., features), (..., input, output features).
    strides : sequence of int
        How much larger the result is along each spatial axis.
    padding : str or sequence of (before, after)
        ``"SAME"``: the result is ``strides`` times as long; ``"VALID"``: as long as every element
        of ``lhs`` times the whole window needs. Pairs pad the spread-out operand; with
        ``use_consistent_padding`` they are those of the convolution that this one undoes.
    rhs_dilation : sequence of int, optional
    dimension_numbers : optional
        See :func:`~minijax.primitives.conv_dimensions.conv_dimension_numbers`.
    transpose_kernel : bool
        Mirror the window and exchange its features: the gradient of a convolution with ``rhs``.
    precision, preferred_element_type : optional
        As for :func:`~minijax.primitives.conv.conv_general_dilated`.
    use_consistent_padding : bool

    Returns
    -------
    Array

    Raises
    ------
    ValueError
        If no layout is given for operands with other than one to three spatial axes, or the name
        of a padding is unknown.

    Examples
    --------
    >>> conv_transpose(np.ones((1, 4, 3)), np.ones((2, 3, 5)), (2,), "SAME").shape
    (1, 8, 5)
    """
    lhs_shape, rhs_shape = typeof(lhs).shape, typeof(rhs).shape
    if dimension_numbers is None:
        if len(lhs_shape) not in _CHANNELS_LAST:
            raise ValueError("No 4+ dimensional dimension_number defaults.")
        dimension_numbers = _CHANNELS_LAST[len(lhs_shape)]
    numbers = conv_dimension_numbers(lhs_shape, rhs_shape, dimension_numbers)
    window = take(rhs_shape, numbers.rhs_spec[2:])
    dilation = (1,) * len(window) if rhs_dilation is None else as_ints(rhs_dilation)
    reach = [dilated_length(k, d) for k, d in zip(window, dilation, strict=True)]
    if isinstance(padding, str):
        if padding in ("SAME", "VALID"):
            padding = [_transpose_pads(k, s, padding) for k, s in zip(reach, strides, strict=True)]
    elif use_consistent_padding:
        padding = [
            (k - 1 - low, k - 1 - high)
            for k, (low, high) in zip(reach, as_pads(padding), strict=True)
        ]
    if transpose_kernel:
        rhs = rev(rhs, numbers.rhs_spec[2:])
        order = list(range(len(rhs_shape)))
        out, into = numbers.rhs_spec[:2]
        order[out], order[into] = into, out
        rhs = transpose(rhs, tuple(order))
    return conv_general_dilated(
        lhs,
        rhs,
        (1,) * len(window),
        padding,
        tuple(strides),
        dilation,
        numbers,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def _transpose_pads(window: int, stride: int, padding: str) -> tuple[int, int]:
    """Return the padding with which the result of ``conv_transpose`` has the wanted length."""
    if padding == "VALID":
        return window - 1, window - 1 + max(stride - window, 0)
    total = window + stride - 2
    before = window - 1 if stride > window - 1 else -(-total // 2)
    return before, total - before


# -- the windows themselves -----------------------------------------------------------------------


def conv_general_dilated_patches(
    lhs: ArrayLike,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """Return at each place the elements of the window there.

    Parameters
    ----------
    lhs : array_like
    filter_shape : sequence of int
        Length of the window along each spatial axis.
    window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers
        As for :func:`~minijax.primitives.conv.conv_general_dilated`.
    precision, preferred_element_type : optional

    Returns
    -------
    Array
        With features * (product of ``filter_shape``) features, those of the window counting
        fastest.

    Examples
    --------
    >>> x = np.arange(4, dtype=np.float32).reshape(1, 1, 4)
    >>> conv_general_dilated_patches(x, (2,), (1,), "VALID")[0].tolist()
    [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]]
    """
    window = as_ints(filter_shape)
    aval = typeof(lhs)
    numbers = conv_dimension_numbers(aval.shape, (1, 1, *window), dimension_numbers)
    features, size = aval.shape[numbers.lhs_spec[1]], math.prod(window)
    rhs = _one_per_place(size, aval.dtype)
    rhs = reshape(broadcast(rhs, (features,)), (features * size, 1, *window))
    rhs = transpose(rhs, tuple(np.argsort(numbers.rhs_spec).tolist()))
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        numbers,
        feature_group_count=features,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def _one_per_place(size: int, dtype: Any) -> Any:
    """Return the identity matrix, each row of which picks one element of a window."""
    places = iota(np.int32, size)
    rows = reshape(places, (size, 1))
    return convert(eq(rows, reshape(places, (1, size))), dtype)


def conv_general_dilated_local(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    filter_shape: Sequence[int],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    precision: PrecisionLike = None,
) -> Any:
    """Convolve with weights of their own for each place.

    Parameters
    ----------
    lhs : array_like
    rhs : array_like
        Output features, input features * (product of ``filter_shape``), and for each spatial axis
        as many entries as the window has places.
    window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, precision
        As for :func:`~minijax.primitives.conv.conv_general_dilated`.
    filter_shape : sequence of int
        Length of the window along each spatial axis.

    Returns
    -------
    Array

    Examples
    --------
    >>> x, w = np.ones((1, 3, 8)), np.ones((4, 3 * 2, 7))
    >>> conv_general_dilated_local(x, w, (1,), "VALID", (2,)).shape
    (1, 4, 7)
    """
    numbers = conv_dimension_numbers(typeof(lhs).shape, typeof(rhs).shape, dimension_numbers)
    _, rhs_spec, out_spec = numbers
    patches = conv_general_dilated_patches(
        lhs, filter_shape, window_strides, padding, lhs_dilation, rhs_dilation, numbers, precision
    )
    axes = ((out_spec[1],), (rhs_spec[1],)), (out_spec[2:], rhs_spec[2:])
    product = dot_general(patches, rhs, axes, precision=precision)
    return transpose(product, tuple(np.argsort((*out_spec[2:], *out_spec[:2])).tolist()))
