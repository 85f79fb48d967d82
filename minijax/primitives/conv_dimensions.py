"""Which axis of a convolution's operands is which?

Layouts differ: images may come as batch, channel, height, width or with the channels last. A
:class:`ConvDimensionNumbers` lists for each operand and the result its axes in one fixed order,
and users may write it as three strings of letters, ``("NHWC", "HWIO", "NHWC")``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from minijax.core.aval import ShapedArray
from minijax.primitives.window_shapes import (
    Pads,
    dilated_length,
    padtype_to_pads,
    window_count,
)

Axes = tuple[int, ...]


class ConvDimensionNumbers(NamedTuple):
    """The axes of the operands and the result of a convolution.

    Parameters
    ----------
    lhs_spec : tuple of int
        The left operand's batch axis, its feature axis, then its spatial axes.
    rhs_spec : tuple of int
        The right operand's axis of output features, that of input features, the spatial axes.
    out_spec : tuple of int
        The result's batch axis, feature axis, then its spatial axes.
    """

    lhs_spec: Axes
    rhs_spec: Axes
    out_spec: Axes


ConvGeneralDilatedDimensionNumbers = tuple[str, str, str] | list[str] | ConvDimensionNumbers | None
"""What is accepted as dimension numbers."""


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: Any
) -> ConvDimensionNumbers:
    """Return dimension numbers in the form that equations hold them in.

    Parameters
    ----------
    lhs_shape, rhs_shape : sequence of int
    dimension_numbers : None, three strings, or ConvDimensionNumbers
        Strings name the axes of the left operand, the right one and the result: ``N`` batch,
        ``C`` features, ``O`` and ``I`` output and input features, other letters spatial axes.
        None means the order batch or output features, features, spatial axes.

    Returns
    -------
    ConvDimensionNumbers

    Raises
    ------
    TypeError
        If the ranks differ or the strings do not fit.

    Examples
    --------
    >>> conv_dimension_numbers((1, 8, 8, 3), (3, 3, 3, 5), ("NHWC", "HWIO", "NHWC"))
    ConvDimensionNumbers(lhs_spec=(0, 3, 1, 2), rhs_spec=(3, 2, 0, 1), out_spec=(0, 3, 1, 2))
    """
    if isinstance(dimension_numbers, ConvDimensionNumbers):
        return dimension_numbers
    if len(lhs_shape) != len(rhs_shape):
        raise TypeError(
            "convolution requires lhs and rhs ndim to be equal, got "
            f"{len(lhs_shape)} and {len(rhs_shape)}."
        )
    if dimension_numbers is None:
        return ConvDimensionNumbers(*(tuple(range(len(lhs_shape))),) * 3)
    if not isinstance(dimension_numbers, (list, tuple)):
        raise TypeError(
            "convolution dimension_numbers must be tuple/list or None, got "
            f"{type(dimension_numbers)}."
        )
    if len(dimension_numbers) != 3:
        raise TypeError(
            "convolution dimension_numbers list/tuple must be length 3, got "
            f"{len(dimension_numbers)}."
        )
    if not all(isinstance(spec, str) for spec in dimension_numbers):
        raise TypeError(
            "convolution dimension_numbers elements must be strings, got "
            f"{tuple(map(type, dimension_numbers))}."
        )
    for i, spec in enumerate(dimension_numbers):
        if len(spec) != len(lhs_shape):
            raise TypeError(
                f"convolution dimension_numbers[{i}] must have len equal to the ndim of lhs and "
                f"rhs, got {len(spec)} for lhs and rhs shapes {lhs_shape} and {rhs_shape}."
            )
    return ConvDimensionNumbers(*conv_general_permutations(dimension_numbers))


def conv_general_permutations(dimension_numbers: Sequence[str]) -> tuple[Axes, Axes, Axes]:
    """Return the axes that three strings name, spatial ones in the order of the right operand.

    Raises
    ------
    TypeError
        If a letter is missing or repeated, or the spatial letters differ.

    Examples
    --------
    >>> conv_general_permutations(("NHC", "HIO", "NHC"))
    ((0, 2, 1), (2, 1, 0), (0, 2, 1))
    """
    lhs, rhs, out = dimension_numbers
    pairs = (("N", "C"), ("O", "I"), ("N", "C"))
    for i, (spec, (a, b)) in enumerate(zip(dimension_numbers, pairs, strict=True)):
        if spec.count(a) != 1 or spec.count(b) != 1:
            raise TypeError(
                f"convolution dimension_numbers[{i}] must contain the characters '{a}' and '{b}' "
                f"exactly once, got {spec}."
            )
        if len(set(spec)) != len(spec):
            raise TypeError(
                f"convolution dimension_numbers[{i}] cannot have duplicate characters, got {spec}."
            )
    if not set(lhs) - set("NC") == set(rhs) - set("OI") == set(out) - set("NC"):
        raise TypeError(
            "convolution dimension_numbers elements must each have the same set of spatial "
            f"characters, got {dimension_numbers}."
        )
    spatial = [letter for letter in rhs if letter not in "OI"]
    specs = [
        tuple(spec.index(letter) for letter in (a, b, *spatial))
        for spec, (a, b) in zip(dimension_numbers, pairs, strict=True)
    ]
    return specs[0], specs[1], specs[2]


def take(shape: Sequence[int], axes: Axes) -> tuple[int, ...]:
    """Return the lengths of some axes."""
    return tuple(shape[axis] for axis in axes)


# -- the shape of a result ------------------------------------------------------------------------


def conv_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    strides: Sequence[int],
    pads: str | Sequence[tuple[int, int]],
    batch_group_count: int = 1,
) -> tuple[int, ...]:
    """Return the shape of a convolution of operands whose axes are in the default order.

    Parameters
    ----------
    lhs_shape, rhs_shape : sequence of int
        (batch, features, spatial...) and (output features, input features, spatial...), dilated.
    strides : sequence of int
    pads : str or sequence of (before, after)
    batch_group_count : int

    Raises
    ------
    TypeError
        If there is not one padding per spatial axis.
    ValueError
        If more is cut off than there is.
    """
    if isinstance(pads, str):
        pads = padtype_to_pads(lhs_shape[2:], rhs_shape[2:], strides, pads)
    if len(pads) != len(lhs_shape) - 2:
        raise TypeError(
            "Wrong number of explicit pads for convolution: expected "
            f"{len(lhs_shape) - 2}, got {len(pads)}."
        )
    padded = [n + low + high for n, (low, high) in zip(lhs_shape[2:], pads, strict=True)]
    if any(n < 0 for n in padded):
        raise ValueError(
            "Negative padding is larger than the size of the corresponding dimension: got "
            f"padding={pads} for lhs_shape[2:]={tuple(lhs_shape[2:])}"
        )
    spatial = map(window_count, padded, rhs_shape[2:], strides)
    return (lhs_shape[0] // batch_group_count, rhs_shape[0], *spatial)


def check_counts(
    lhs: ShapedArray,
    rhs: ShapedArray,
    numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
) -> None:
    """Refuse operands whose batch and feature axes cannot be divided into the groups."""
    where = "conv_general_dilated"
    lhs_batch, lhs_features = take(lhs.shape, numbers.lhs_spec[:2])
    out_features, in_features = take(rhs.shape, numbers.rhs_spec[:2])
    for name, count, axis, length in (
        ("feature_group_count", feature_group_count, "lhs feature", lhs_features),
        ("batch_group_count", batch_group_count, "lhs batch", lhs_batch),
    ):
        if count <= 0:
            raise ValueError(f"{where} {name} must be a positive integer, got {count}.")
        if length % count:
            raise ValueError(
                f"{where} {name} must divide {axis} dimension size, but {count} does not divide "
                f"{length}."
            )
        if name == "feature_group_count" and length // count != in_features:
            raise ValueError(
                f"{where} lhs feature dimension size divided by feature_group_count must equal "
                f"the rhs input feature dimension size, but {length} // {count} != {in_features}."
            )
        if out_features % count:
            raise ValueError(
                f"{where} rhs output feature dimension size must be a multiple of {name}, but "
                f"{out_features} is not a multiple of {count}."
            )
    if batch_group_count > 1 and feature_group_count > 1:
        raise ValueError(
            "At most one of batch_group_count and feature_group_count may be > 1, got "
            f"batch_group_count={batch_group_count} and feature_group_count={feature_group_count}"
        )


def check_per_axis(numbers: ConvDimensionNumbers, **lists: Sequence[int]) -> None:
    """Refuse strides and dilations that are not one positive number for each spatial axis."""
    count = len(numbers.lhs_spec) - 2
    for name, values in lists.items():
        if len(values) != count:
            raise ValueError(
                f"conv_general_dilated window and {name} must have the same number of "
                f"dimensions, but got {count} and {len(values)}"
            )
        if any(value <= 0 for value in values):
            what = "dilations" if name.endswith("dilation") else "window strides"
            raise TypeError(f"All {what} must be positive, got {tuple(values)}.")


def conv_result_shape(
    lhs: ShapedArray,
    rhs: ShapedArray,
    numbers: ConvDimensionNumbers,
    window_strides: Sequence[int],
    padding: Pads,
    lhs_dilation: Sequence[int],
    rhs_dilation: Sequence[int],
    batch_group_count: int,
) -> tuple[int, ...]:
    """Return the shape of a convolution, its axes where ``numbers`` puts them."""
    lhs_shape, rhs_shape = take(lhs.shape, numbers.lhs_spec), take(rhs.shape, numbers.rhs_spec)
    spread = [*lhs_shape[:2], *map(dilated_length, lhs_shape[2:], lhs_dilation)]
    window = [*rhs_shape[:2], *map(dilated_length, rhs_shape[2:], rhs_dilation)]
    ordered = conv_shape_tuple(spread, window, window_strides, padding, batch_group_count)
    shape = [0] * len(ordered)
    for axis, n in zip(numbers.out_spec, ordered, strict=True):
        shape[axis] = n
    return tuple(shape)
