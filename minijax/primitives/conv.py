"""How is one array slid over another, multiplied and summed at each place?

``conv_general_dilated`` is the convolution of neural networks (a correlation, strictly: nothing is
mirrored) in every form: any number of spatial axes in any layout, strides, padding of which some
may be negative, holes in either operand (*dilation*), and *groups*, many convolutions side by
side. With ``feature_group_count`` each group has its own input features, with
``batch_group_count`` its own part of the batch; the output features are divided in both.

These forms are not a luxury: the two derivatives of a convolution are convolutions again. That of
the left operand has its stride as a hole, that of the right one the cotangent as its window, and
groups of one kind become groups of the other. So does a batch axis of both operands.

The layouts are the matter of :mod:`minijax.primitives.conv_dimensions`, the matrix product that a
convolution is in NumPy that of :mod:`minijax.primitives.conv_windows`; forms with defaults stand in
:mod:`minijax.primitives.conv_forms`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import Arg, AxisInfo, Primitive, is_undefined_primal
from minijax.primitives.broadcasting import as_ints
from minijax.primitives.conv_dimensions import (
    ConvDimensionNumbers,
    ConvGeneralDilatedDimensionNumbers,
    check_counts,
    check_per_axis,
    conv_dimension_numbers,
    conv_result_shape,
    take,
)
from minijax.primitives.conv_windows import in_groups, multiply_windows, windows_of
from minijax.primitives.conversion import convert
from minijax.primitives.cutting import pad_reference
from minijax.primitives.operands import (
    ArrayLike,
    check_operands,
    check_same_dtypes,
)
from minijax.primitives.precision import (
    CanonicalPrecision,
    PrecisionLike,
    canonicalize_precision,
    precision_levels,
    running_types,
)
from minijax.primitives.structural import reshape, rev
from minijax.primitives.window_shapes import (
    Pads,
    as_pads,
    dilated_length,
    padtype_to_pads,
    transposed_pads,
    window_pads_for,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import IntegerMatrix, Raw, TensorType, Value, element_type

conv_general_dilated_p = Primitive("conv_general_dilated")


def conv_general_dilated(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Slide ``rhs`` over ``lhs``, multiply and sum.

    Parameters
    ----------
    lhs : array_like
        Batch, features and any number of spatial axes.
    rhs : array_like
        Output features, input features and the spatial axes of the window; of the same dtype.
    window_strides : sequence of int
        By how many elements the window advances along each spatial axis.
    padding : str or sequence of (before, after)
        ``"VALID"``, ``"SAME"`` or ``"SAME_LOWER"`` (see
        :func:`~minijax.primitives.window_shapes.padtype_to_pads`), or what is added along each
        spatial axis; negative numbers cut off.
    lhs_dilation, rhs_dilation : sequence of int, optional
        With d there are d - 1 holes between neighbours along a spatial axis.
    dimension_numbers : optional
        The layout; see :func:`~minijax.primitives.conv_dimensions.conv_dimension_numbers`.
    feature_group_count : int
        In how many groups the input and output features are divided: each group of output
        features sees its own input features only.
    batch_group_count : int
        In how many groups the batch and the output features are divided.
    precision : optional
        A ``Precision``, its name, or a pair of them: see :class:`~minijax.lax.Precision`.
    preferred_element_type : dtype-like, optional
        The dtype in which to accumulate and of the result.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    Array
        Batch, output features and as many spatial axes.

    Raises
    ------
    TypeError, ValueError
        If shapes, layout, groups and dtypes do not fit together.

    Examples
    --------
    >>> x = np.arange(5, dtype=np.float32).reshape(1, 1, 5)
    >>> w = np.ones((1, 1, 2), np.float32)
    >>> conv_general_dilated(x, w, (2,), "VALID")
    Array([[[1., 5.]]], dtype=float32)
    """
    check_operands("conv_general_dilated", lhs, rhs)
    lhs_shape, rhs_shape = typeof(lhs).shape, typeof(rhs).shape
    numbers = conv_dimension_numbers(lhs_shape, rhs_shape, dimension_numbers)
    ones = (1,) * (len(numbers.lhs_spec) - 2)
    lhs_dilation = ones if lhs_dilation is None else as_ints(lhs_dilation)
    rhs_dilation = ones if rhs_dilation is None else as_ints(rhs_dilation)
    strides = as_ints(window_strides)
    if isinstance(padding, str):
        if lhs_dilation != ones:
            raise ValueError(
                "String padding is not implemented for transposed convolution using this op. "
                "Please either exactly specify the required padding or use conv_transpose."
            )
        check_per_axis(numbers, window_strides=strides, rhs_dilation=rhs_dilation)
        window = map(dilated_length, take(rhs_shape, numbers.rhs_spec[2:]), rhs_dilation)
        spatial = take(lhs_shape, numbers.lhs_spec[2:])
        padding = padtype_to_pads(spatial, tuple(window), strides, padding)
    if preferred_element_type is not None:
        preferred_element_type = dtypes.check_and_canonicalize_user_dtype(
            preferred_element_type, "conv_general_dilated"
        )
    return conv_general_dilated_p.bind(
        lhs,
        rhs,
        window_strides=strides,
        padding=as_pads(padding),
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        dimension_numbers=numbers,
        feature_group_count=feature_group_count,
        batch_group_count=batch_group_count,
        precision=canonicalize_precision(precision),
        preferred_element_type=preferred_element_type,
        out_sharding=out_sharding,
    )


# -- types ----------------------------------------------------------------------------------------


@conv_general_dilated_p.abstract
def conv_abstract(
    lhs: ShapedArray,
    rhs: ShapedArray,
    *,
    window_strides: tuple[int, ...],
    padding: Pads,
    lhs_dilation: tuple[int, ...],
    rhs_dilation: tuple[int, ...],
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    preferred_element_type: Any,
    **params: Any,
) -> ShapedArray:
    check_same_dtypes("conv_general_dilated", [lhs, rhs])
    check_counts(lhs, rhs, dimension_numbers, feature_group_count, batch_group_count)
    check_per_axis(
        dimension_numbers,
        window_strides=window_strides,
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
    )
    shape = conv_result_shape(
        lhs,
        rhs,
        dimension_numbers,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        batch_group_count,
    )
    if preferred_element_type is None:
        return ShapedArray(shape, lhs.dtype, lhs.weak_type and rhs.weak_type)
    check_preferred_element_type(lhs.dtype, preferred_element_type)
    return ShapedArray(shape, preferred_element_type)


def check_preferred_element_type(dtype: Any, preferred: Any) -> None:
    """Refuse to accumulate in a dtype that cannot hold products of ``dtype``.

    Raises
    ------
    TypeError
        If it is of another kind, narrower, or without the sign.
    """
    if dtype == np.bool_:
        return

    def both(kind: type, preferred_kind: type) -> bool:
        return dtypes.issubdtype(dtype, kind) and dtypes.issubdtype(preferred, preferred_kind)

    if not (
        both(np.integer, np.integer)
        or both(np.integer, np.floating)
        or both(np.floating, np.floating)
        or both(np.complexfloating, np.complexfloating)
    ):
        raise TypeError(
            "Input type is incompatible with `preferred_element_type`. The compatible "
            "combinations of (input_type, preferred_element_type) are (integral, integral), "
            "(integral, floating), (floating, floating), (complex, complex."
        )
    if both(np.signedinteger, np.unsignedinteger):
        raise TypeError(
            "`preferred_element_type` must have the same signedness as the original type."
        )
    if dtypes.itemsize_bits(preferred) < dtypes.itemsize_bits(dtype):
        raise TypeError("`preferred_element_type` must not be narrower than the original type.")


# -- value ----------------------------------------------------------------------------------------


@conv_general_dilated_p.reference
def conv_reference(
    lhs: np.ndarray,
    rhs: np.ndarray,
    *,
    window_strides: tuple[int, ...],
    padding: Pads,
    lhs_dilation: tuple[int, ...],
    rhs_dilation: tuple[int, ...],
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    precision: CanonicalPrecision,
    preferred_element_type: Any,
    out_sharding: Any,
) -> np.ndarray:
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    lhs, rhs = np.transpose(lhs, lhs_spec), np.transpose(rhs, rhs_spec)
    spread = [
        (low, high, dilation - 1)
        for (low, high), dilation in zip(padding, lhs_dilation, strict=True)
    ]
    zero = np.zeros((), lhs.dtype)
    lhs = pad_reference(lhs, zero, padding_config=((0, 0, 0), (0, 0, 0), *spread))
    groups = feature_group_count * batch_group_count
    lhs = in_groups(lhs, feature_group_count, batch_group_count)
    windows = windows_of(lhs, rhs.shape[2:], window_strides, rhs_dilation)
    kernel = rhs.reshape(groups, rhs.shape[0] // groups, math.prod(rhs.shape[1:]))
    out = multiply_windows(windows, kernel, precision, preferred_element_type)
    # The axes are groups, batch, output spatial, output features of a group.
    out = np.moveaxis(out, (0, -1), (1, 2))
    out = out.reshape(out.shape[0], out.shape[1] * out.shape[2], *out.shape[3:])
    return np.transpose(out, np.argsort(out_spec))


# -- derivative -----------------------------------------------------------------------------------


@conv_general_dilated_p.bilinear
def conv_transpose_rule(ct: Any, lhs: Any, rhs: Any, **params: Any) -> list[Any]:
    if is_undefined_primal(lhs):
        return [conv_transpose_lhs(ct, lhs.aval, rhs, **params), None]
    return [None, conv_transpose_rhs(ct, lhs, rhs.aval, **params)]


def conv_transpose_lhs(
    ct: Any,
    lhs: ShapedArray,
    rhs: Any,
    *,
    window_strides: tuple[int, ...],
    padding: Pads,
    lhs_dilation: tuple[int, ...],
    rhs_dilation: tuple[int, ...],
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    **params: Any,
) -> Any:
    """Slide the mirrored window over the cotangent; input and output features change places."""
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    pads = transposed_pads(
        take(lhs.shape, lhs_spec[2:]),
        take(typeof(rhs).shape, rhs_spec[2:]),
        window_strides,
        take(typeof(ct).shape, out_spec[2:]),
        padding,
        lhs_dilation,
        rhs_dilation,
    )
    groups = feature_group_count * batch_group_count
    if groups > 1:  # the groups of output features now divide the input features
        out_features, in_features = rhs_spec[:2]
        rhs = split_axis(rhs, out_features, groups)
        rhs = fold_axis(rhs, out_features, in_features + (in_features > out_features))
    out = conv_general_dilated_p.bind(
        ct,
        convert(rev(rhs, rhs_spec[2:]), typeof(ct).dtype),
        window_strides=lhs_dilation,
        padding=pads,
        lhs_dilation=window_strides,
        rhs_dilation=rhs_dilation,
        dimension_numbers=ConvDimensionNumbers(out_spec, _swapped(rhs_spec), lhs_spec),
        feature_group_count=groups,
        batch_group_count=1,
        **params,
    )
    if batch_group_count > 1:
        batch, features = lhs_spec[:2]
        out = fold_axis(split_axis(out, features, groups), features, batch + (batch > features))
    return convert(out, lhs.dtype)


def conv_transpose_rhs(
    ct: Any,
    lhs: Any,
    rhs: ShapedArray,
    *,
    window_strides: tuple[int, ...],
    padding: Pads,
    lhs_dilation: tuple[int, ...],
    rhs_dilation: tuple[int, ...],
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    **params: Any,
) -> Any:
    """Slide the cotangent over the left operand, summing over the batch: it is now the features.

    The two counts of groups change places with the axes that they divide.
    """
    lhs_spec, rhs_spec, out_spec = map(_swapped, dimension_numbers)
    pads = window_pads_for(
        take(typeof(lhs).shape, lhs_spec[2:]),
        take(rhs.shape, rhs_spec[2:]),
        window_strides,
        take(typeof(ct).shape, out_spec[2:]),
        padding,
        lhs_dilation,
        rhs_dilation,
    )
    out = conv_general_dilated_p.bind(
        convert(lhs, typeof(ct).dtype),
        ct,
        window_strides=rhs_dilation,
        padding=pads,
        lhs_dilation=lhs_dilation,
        rhs_dilation=window_strides,
        dimension_numbers=ConvDimensionNumbers(lhs_spec, out_spec, rhs_spec),
        feature_group_count=batch_group_count,
        batch_group_count=feature_group_count,
        **params,
    )
    return convert(out, rhs.dtype)


def _swapped(spec: tuple[int, ...]) -> tuple[int, ...]:
    return (spec[1], spec[0], *spec[2:])


def split_axis(x: Any, axis: int, count: int) -> Any:
    """Make two axes of one: ``count`` groups, then what each holds."""
    shape = typeof(x).shape
    return reshape(x, (*shape[:axis], count, shape[axis] // count, *shape[axis + 1 :]))


def fold_axis(x: Any, axis: int, into: int) -> Any:
    """Make one axis of two, ``axis`` counting slower; both are numbered as they stand in ``x``."""
    shape = typeof(x).shape
    order = [i for i in range(len(shape)) if i != axis]
    place = order.index(into)
    order.insert(place, axis)
    sizes = [shape[i] for i in order]
    sizes[place : place + 2] = [shape[axis] * shape[into]]
    in_order = order == sorted(order)
    return reshape(x, tuple(sizes), None if in_order else tuple(order))


# -- batching -------------------------------------------------------------------------------------


@conv_general_dilated_p.batch
def conv_batch(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    **params: Any,
) -> tuple[Any, int]:
    """Fold the axis into one that is there: the batch, the output features, or the groups."""
    (lhs, rhs), (lhs_dim, rhs_dim) = args, dims
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    groups = feature_group_count * batch_group_count
    params["dimension_numbers"] = dimension_numbers
    out_dim = out_spec[1]
    if lhs_dim is not None and rhs_dim is not None:
        by_batch = batch_group_count > 1
        place = lhs_spec[0 if by_batch else 1]
        lhs = fold_axis(lhs, lhs_dim, place + (lhs_dim <= place))
        rhs = fold_axis(rhs, rhs_dim, rhs_spec[0] + (rhs_dim <= rhs_spec[0]))
        if by_batch:
            batch_group_count *= axis.size
        else:
            feature_group_count *= axis.size
    elif lhs_dim is not None:
        lhs = _fold_within_groups(lhs, lhs_dim, lhs_spec[0], batch_group_count)
        out_dim = out_spec[0]
    elif rhs_dim is not None:
        rhs = _fold_within_groups(rhs, rhs_dim, rhs_spec[0], groups)
    params |= {
        "feature_group_count": feature_group_count,
        "batch_group_count": batch_group_count,
    }
    out = conv_general_dilated_p.bind(lhs, rhs, **params)
    if lhs_dim is None and groups > 1:  # groups stand outside of the axis: bring it in front
        grouped = split_axis(split_axis(out, out_dim, groups), out_dim + 1, axis.size)
        return fold_axis(grouped, out_dim, out_dim + 2), out_dim
    return split_axis(out, out_dim, axis.size), out_dim


def _fold_within_groups(x: Any, dim: int, place: int, groups: int) -> Any:
    """Fold a batch axis into the axis that stands at ``place`` without it.

    That axis consists of groups, which must stay outermost.
    """
    target = place + (dim <= place)
    if groups == 1:
        return fold_axis(x, dim, target)
    grouped = split_axis(x, target, groups)
    dim += dim > target
    inner = fold_axis(grouped, dim, target + 1)
    return fold_axis(inner, place, place + 1)


# -- lowering -------------------------------------------------------------------------------------


@conv_general_dilated_p.lower
def conv_lower(
    ctx: Emitter,
    lhs: Value,
    rhs: Value,
    *,
    window_strides: tuple[int, ...],
    padding: Pads,
    lhs_dilation: tuple[int, ...],
    rhs_dilation: tuple[int, ...],
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    precision: CanonicalPrecision,
    preferred_element_type: Any,
    out_sharding: Any,
) -> Value:
    (out,) = ctx.avals_out
    dtype = ctx.avals_in[0].dtype
    types = running_types(dtype, dtype, preferred_element_type, precision)
    product = ctx.op(
        "stablehlo.convolution",
        ctx.convert(lhs, types.lhs),
        ctx.convert(rhs, types.rhs),
        type=TensorType(out.shape, element_type(types.accumulator)),
        window_strides=window_strides,
        padding=IntegerMatrix(padding),
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        dimension_numbers=conv_attribute(dimension_numbers),
        feature_group_count=feature_group_count,
        batch_group_count=batch_group_count,
        precision_config=[
            Raw(f"#stablehlo<precision {level}>") for level in precision_levels(precision)
        ],
    )
    return ctx.convert(product, out.dtype)


def conv_attribute(numbers: ConvDimensionNumbers) -> Raw:
    """Return dimension numbers as StableHLO writes them: ``[b, f, 0]x[o, i, 0]->[b, f, 0]``."""

    def written(spec: tuple[int, ...], letters: str) -> str:
        names = [*letters, *map(str, range(len(spec) - 2))]
        return f"[{', '.join(names[spec.index(i)] for i in range(len(spec)))}]"

    lhs, rhs, out = map(written, numbers, ("bf", "oi", "bf"))
    return Raw(f"#stablehlo.conv<{lhs}x{rhs}->{out}>")


# -- samples --------------------------------------------------------------------------------------

_PLAIN: dict[str, Any] = {
    "window_strides": (1, 1),
    "padding": ((0, 0), (0, 0)),
    "lhs_dilation": (1, 1),
    "rhs_dilation": (1, 1),
    "dimension_numbers": ConvDimensionNumbers(*((0, 1, 2, 3),) * 3),
    "feature_group_count": 1,
    "batch_group_count": 1,
    "precision": None,
    "preferred_element_type": None,
    "out_sharding": None,
}
_LINE: dict[str, Any] = _PLAIN | {
    "window_strides": (1,),
    "padding": ((1, 1),),
    "lhs_dilation": (1,),
    "rhs_dilation": (1,),
    "dimension_numbers": ConvDimensionNumbers(*((0, 1, 2),) * 3),
}
_NHWC = ConvDimensionNumbers((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
_MIXED = ConvDimensionNumbers((3, 1, 0, 2), (1, 3, 2, 0), (1, 3, 0, 2))
_EVERYWHERE = ("float32", "float64", "bfloat16", "int32", "int8")

_Form = tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], tuple[str, ...]]
_FORMS: tuple[_Form, ...] = (
    ((2, 3, 4, 5), (4, 3, 3, 2), {}, _EVERYWHERE),
    (
        (2, 5, 4, 3),
        (3, 2, 3, 4),
        {"dimension_numbers": _NHWC, "window_strides": (2, 1), "padding": ((1, 2), (0, 1))},
        ("float32", "float64"),
    ),
    (
        (5, 3, 4, 2),
        (2, 4, 3, 3),
        {
            "dimension_numbers": _MIXED,
            "lhs_dilation": (1, 2),
            "rhs_dilation": (2, 1),
            "padding": ((2, -1), (-1, 2)),
            "window_strides": (1, 3),
        },
        ("float32", "float64"),
    ),
    ((2, 4, 4, 3), (6, 2, 2, 2), {"feature_group_count": 2}, ("float32", "float64", "bfloat16")),
    ((2, 3, 4, 3), (6, 1, 2, 2), {"feature_group_count": 3}, ("float32", "float64")),
    ((4, 3, 3, 3), (2, 3, 2, 2), {"batch_group_count": 2}, ("float32", "float64")),
    (
        (2, 3, 3, 4),
        (2, 2, 2, 6),
        {"feature_group_count": 2, "dimension_numbers": _NHWC},
        ("float32", "float64"),
    ),
    ((2, 0, 3, 3), (2, 0, 2, 2), {}, ("float32",)),
    ((2, 3, 1, 3), (2, 3, 2, 2), {}, ("float32",)),
)
for _lhs, _rhs, _changes, _kinds in _FORMS:
    conv_general_dilated_p.sample(Arg(_lhs), Arg(_rhs), _dtypes=_kinds, **_PLAIN | _changes)
conv_general_dilated_p.sample(
    Arg((1, 2, 4)), Arg((2, 2, 3)), _dtypes=("complex64", "bool", "uint8"), **_LINE
)
for _kind, _preferred in (("int8", "int32"), ("bfloat16", "float32")):
    _types: dict[str, Any] = {"preferred_element_type": np.dtype(_preferred)}
    conv_general_dilated_p.sample(
        Arg((1, 2, 4), -9, 9), Arg((2, 2, 3), -9, 9), _dtypes=(_kind,), **_LINE | _types
    )
_POINT: dict[str, Any] = _PLAIN | {
    "window_strides": (),
    "padding": (),
    "lhs_dilation": (),
    "rhs_dilation": (),
    "dimension_numbers": ConvDimensionNumbers(*((0, 1),) * 3),
}
conv_general_dilated_p.sample(Arg((2, 3)), Arg((4, 3)), _dtypes=("float32",), **_POINT)
