"""Where does a window stand that slides over an array, and how often does it fit?

Convolutions and pooling slide a window over an array that was spread out and padded first: with
``base dilation`` d there are d - 1 holes between neighbours, with ``window dilation`` d the window
reads every d-th element, and with stride s it advances s elements at a time. All lengths follow
from two small formulas, :func:`dilated_length` and :func:`window_count`. The padding that makes
the transpose of such an operation end up with the right lengths stands here too.
"""

from __future__ import annotations

import enum
import itertools
import operator
from collections.abc import Iterator, Sequence
from typing import Any

from minijax.core.aval import ShapedArray
from minijax.core.primitive import AxisInfo, Primitive
from minijax.primitives.broadcasting import batch_axis_at, inserted

Ints = tuple[int, ...]

Pads = tuple[tuple[int, int], ...]
"""What is added along each axis: before and after. Negative numbers cut off."""


class PaddingType(enum.Enum):
    """Paddings with a name; see :func:`padtype_to_pads`."""

    VALID = 1
    SAME = 2
    SAME_LOWER = 3


def dilated_length(length: int, dilation: int) -> int:
    """Return the length of an axis with ``dilation - 1`` holes between neighbours.

    >>> dilated_length(3, 2), dilated_length(0, 2)
    (5, 0)
    """
    return (length - 1) * dilation + 1 if length else 0


def window_count(length: int, window: int, stride: int) -> int:
    """Return at how many places a window fits that advances by ``stride``.

    >>> window_count(5, 3, 2), window_count(2, 3, 1)
    (2, 0)
    """
    return max((length - window) // stride + 1, 0)


def padtype_to_pads(
    in_shape: Sequence[int],
    window_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | PaddingType,
) -> list[tuple[int, int]]:
    """Return the padding along each axis that a name stands for.

    Parameters
    ----------
    in_shape, window_shape, window_strides : sequence of int
        One entry per axis.
    padding : str or PaddingType
        ``"VALID"``: none. ``"SAME"``: as much as gives one window for every ``stride`` elements,
        an odd one behind. ``"SAME_LOWER"``: the same, an odd one in front.

    Returns
    -------
    list of (before, after)

    Raises
    ------
    RuntimeError
        If there is no padding of that name.

    Examples
    --------
    >>> padtype_to_pads((8, 9), (3, 2), (2, 1), "SAME")
    [(0, 1), (0, 1)]
    """
    kind = _padding_type(padding)
    if kind is PaddingType.VALID:
        return [(0, 0)] * len(in_shape)
    pads = []
    for n, window, stride in zip(in_shape, window_shape, window_strides, strict=True):
        windows = -(-int(n) // int(stride))
        total = max((windows - 1) * int(stride) + int(window) - int(n), 0)
        less, more = total // 2, total - total // 2
        pads.append((less, more) if kind is PaddingType.SAME else (more, less))
    return pads


def _padding_type(padding: str | PaddingType) -> PaddingType:
    if isinstance(padding, PaddingType):
        return padding
    found = PaddingType.__members__.get(padding.upper()) if isinstance(padding, str) else None
    if found is None:
        raise RuntimeError(
            "Unrecognized padding type: expected 'VALID', 'SAME', or 'SAME_LOWER', got "
            f"{padding.upper() if isinstance(padding, str) else padding}."
        )
    return found


def as_pads(padding: Sequence[Sequence[int]]) -> Pads:
    """Return explicit padding as pairs of ints."""
    return tuple((operator.index(low), operator.index(high)) for low, high in padding)


def transposed_pads(
    in_shape: Sequence[int],
    window_shape: Sequence[int],
    window_strides: Sequence[int],
    out_shape: Sequence[int],
    padding: Pads,
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> Pads:
    """Return the padding with which the transpose leads from windows back to elements.

    The transpose slides the mirrored window over the cotangent, which has ``stride - 1`` holes
    between neighbours, and advances by ``base_dilation``. The first element is met by the windows
    that begin up to a window's length before it.
    """
    pads = []
    for n, window, stride, count, (low, _), base, dilation in zip(
        in_shape,
        window_shape,
        window_strides,
        out_shape,
        padding,
        base_dilation,
        window_dilation,
        strict=True,
    ):
        reach = dilated_length(window, dilation)
        before = reach - low - 1
        length, spread = dilated_length(n, base), dilated_length(count, stride)
        pads.append((before, length + reach - 1 - spread - before))
    return tuple(pads)


def window_pads_for(
    in_shape: Sequence[int],
    window_shape: Sequence[int],
    window_strides: Sequence[int],
    out_shape: Sequence[int],
    padding: Pads,
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> Pads:
    """Return the padding with which sliding the cotangent over the operand gives one number per
    element of the window.

    The operand and what is added before it stay as they are; behind it stays what windows reached.
    """
    pads = []
    for n, window, stride, count, (low, _), base, dilation in zip(
        in_shape,
        window_shape,
        window_strides,
        out_shape,
        padding,
        base_dilation,
        window_dilation,
        strict=True,
    ):
        reached = dilated_length(count, stride) + dilated_length(window, dilation) - 1
        pads.append((low, reached - dilated_length(n, base) - low))
    return tuple(pads)


def window_taps(
    window_dimensions: Ints, window_strides: Ints, window_dilation: Ints, counts: Ints
) -> Iterator[tuple[slice, ...]]:
    """Yield for each element of a window where all windows have it in the padded array."""
    offsets = [
        range(0, n * dilation, dilation)
        for n, dilation in zip(window_dimensions, window_dilation, strict=True)
    ]
    for place in itertools.product(*offsets):
        yield tuple(
            slice(offset, offset + (count - 1) * stride + 1 if count else offset, stride)
            for offset, stride, count in zip(place, window_strides, counts, strict=True)
        )


# -- reductions over windows: types and batching ---------------------------------------------------


def reduce_window_shape_tuple(
    operand_shape: Sequence[int],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Ints:
    """Return how many windows there are along each axis.

    >>> reduce_window_shape_tuple((8, 9), (3, 2), (1, 2), ((0, 0), (1, 1)))
    (6, 5)
    """
    ones = (1,) * len(operand_shape)
    return tuple(
        window_count(dilated_length(n, base) + low + high, dilated_length(window, dilation), stride)
        for n, window, stride, (low, high), base, dilation in zip(
            operand_shape,
            window_dimensions,
            window_strides,
            padding,
            ones if base_dilation is None else base_dilation,
            ones if window_dilation is None else window_dilation,
            strict=True,
        )
    )


def window_result(
    name: str,
    operand: ShapedArray,
    window_dimensions: Ints,
    window_strides: Ints,
    padding: Pads,
    base_dilation: Ints,
    window_dilation: Ints,
) -> ShapedArray:
    """Return the type of a reduction over windows.

    Raises
    ------
    TypeError
        If a list has not one positive number per axis.
    """
    if len(window_dimensions) != operand.ndim:
        raise TypeError(
            f"{name} got the wrong number of window_dimensions for operand: got operand shape "
            f"{operand.shape} with window_dimensions {window_dimensions}."
        )
    for what, values in (
        ("window_strides", window_strides),
        ("padding", padding),
        ("base_dilation", base_dilation),
        ("window_dilation", window_dilation),
    ):
        if len(values) != operand.ndim:
            raise TypeError(
                f"{name} got inconsistent {what} and window_dimensions: got {what} {values} and "
                f"window_dimensions {window_dimensions}."
            )
    for what, values in (
        ("window_dimensions", window_dimensions),
        ("window_strides", window_strides),
    ):
        if any(value <= 0 for value in values):
            raise TypeError(
                f"{name} {what} must have every element be strictly positive, got {values}."
            )
    for values in (base_dilation, window_dilation):
        if any(value <= 0 for value in values):
            raise TypeError(f"All dilations must be positive, got {values}.")
    shape = reduce_window_shape_tuple(
        operand.shape, window_dimensions, window_strides, padding, base_dilation, window_dilation
    )
    return operand.update(shape=shape)


def spread(padding: Pads, base_dilation: Ints) -> tuple[tuple[int, int, int], ...]:
    """Return padding and holes as ``pad`` takes them."""
    return tuple(
        (low, high, dilation - 1)
        for (low, high), dilation in zip(padding, base_dilation, strict=True)
    )


def batch_windows(p: Primitive) -> None:
    """Register the batching rule: the new axis has windows of length one."""

    def batch_rule(axis: AxisInfo, args: Sequence[Any], dims: Sequence[Any], **params: Any):
        dim = next(d for d in dims if d is not None)
        xs = [batch_axis_at(x, d, dim, axis.size) for x, d in zip(args, dims, strict=True)]
        return p.bind(*xs, **batched_window(params, dim)), dim

    batch_rule.__name__ = f"{p.name}_batch"
    p.batch(batch_rule)


def batched_window(params: dict[str, Any], dim: int) -> dict[str, Any]:
    """Return the parameters of a window with one axis more, along which it has length one."""
    neutral = {
        "window_dimensions": 1,
        "window_strides": 1,
        "padding": (0, 0),
        "base_dilation": 1,
        "window_dilation": 1,
    }
    return {
        name: inserted(value, dim, neutral[name]) if name in neutral else value
        for name, value in params.items()
    }
