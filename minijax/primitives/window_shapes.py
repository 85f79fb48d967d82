"""Where does a window stand that slides over an array, and how often does it fit?

Convolutions and pooling slide a window over an array that was spread out and padded first: with
``base dilation`` d there are d - 1 holes between neighbours, with ``window dilation`` d the window
reads every d-th element, and with stride s it advances s elements at a time. All lengths follow
from two small formulas, :func:`dilated_length` and :func:`window_count`. The padding that makes
the transpose of such an operation end up with the right lengths stands here too.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Sequence

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
