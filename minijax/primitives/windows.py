"""What is the sum, or the largest, of the elements in a window that slides over an array?

``reduce_window_sum``, ``reduce_window_max`` and ``reduce_window_min`` are what pooling layers
compute. A window is a box, so that the reference combines the elements along one axis after the
other. The derivatives of the extrema pick what belongs to the element chosen
(:mod:`minijax.primitives.window_choices`); that of the sum is a window over the cotangents.

Windows with any other combination are the matter of :mod:`minijax.higher_order.reduce_window`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import ALL_KINDS, Arg, Primitive
from minijax.primitives.build import full
from minijax.primitives.cutting import pad, pad_reference
from minijax.primitives.logic import ge_p, le_p
from minijax.primitives.monoids import (
    MAXIMUM,
    MINIMUM,
    SUM,
    Monoid,
    accumulator_dtype,
    emit_combination,
    numpy_dtype,
)
from minijax.primitives.reduce import check_ordered
from minijax.primitives.window_choices import select_and_gather_add_p
from minijax.primitives.window_shapes import (
    Ints,
    Pads,
    batch_windows,
    dilated_length,
    spread,
    transposed_pads,
    window_count,
    window_result,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import IntegerMatrix, TensorType, Value, element_type

# -- reductions that are monoids ------------------------------------------------------------------


def window_reduction(name: str, monoid: Monoid, check: Callable[[ShapedArray], None]) -> Primitive:
    """Make a reduction over windows with its type, reference, batching and lowering rule."""
    p = Primitive(name)

    def abstract_rule(x: ShapedArray, **params: Any) -> ShapedArray:
        check(x)
        return window_result("reduce_window", x, **params)

    def reference_rule(
        x: np.ndarray,
        *,
        window_dimensions: Ints,
        window_strides: Ints,
        padding: Pads,
        base_dilation: Ints,
        window_dilation: Ints,
    ) -> np.ndarray:
        dtype = x.dtype
        wide = numpy_dtype(dtype)
        start = np.asarray(monoid.start(dtype)).astype(wide)
        x = pad_reference(
            x.astype(wide, copy=False), start, padding_config=spread(padding, base_dilation)
        )
        for axis, (window, stride, dilation) in enumerate(
            zip(window_dimensions, window_strides, window_dilation, strict=True)
        ):
            x = _reduce_along(monoid, x, start, axis, window, stride, dilation)
        return x.astype(dtype, copy=False)

    def lower_rule(
        ctx: Emitter,
        x: Value,
        *,
        window_dimensions: Ints,
        window_strides: Ints,
        padding: Pads,
        base_dilation: Ints,
        window_dilation: Ints,
    ) -> Value:
        dtype = ctx.avals_in[0].dtype
        wide = accumulator_dtype(dtype) if monoid.rounds else dtype
        total = ctx.op(
            "stablehlo.reduce_window",
            ctx.convert(x, wide),
            ctx.constant(monoid.start(dtype), wide),
            type=TensorType(ctx.avals_out[0].shape, element_type(wide)),
            regions=[emit_combination(ctx, monoid, wide)],
            window_dimensions=window_dimensions,
            window_strides=window_strides,
            base_dilations=base_dilation,
            window_dilations=window_dilation,
            padding=IntegerMatrix(padding),
        )
        return ctx.convert(total, dtype)

    for rule in (abstract_rule, reference_rule, lower_rule):
        rule.__name__ = f"{name}_{rule.__name__.removesuffix('_rule')}"
    p.abstract(abstract_rule)
    p.reference(reference_rule)
    p.lower(lower_rule)
    batch_windows(p)
    return p


def _reduce_along(
    monoid: Monoid,
    x: np.ndarray,
    start: np.ndarray,
    axis: int,
    window: int,
    stride: int,
    dilation: int,
) -> np.ndarray:
    """Combine the elements of each window along one axis."""
    count = window_count(x.shape[axis], dilated_length(window, dilation), stride)
    total = np.full((*x.shape[:axis], count, *x.shape[axis + 1 :]), start, x.dtype)
    before = (slice(None),) * axis
    for offset in range(0, window * dilation, dilation):
        if count:
            reached = x[(*before, slice(offset, offset + (count - 1) * stride + 1, stride))]
            monoid.ufunc(total, reached, out=total)
    return total


def _check_number(x: ShapedArray) -> None:
    if not dtypes.issubdtype(x.dtype, np.number):
        raise TypeError(
            f"operand to reduce_window_sum must have a number dtype, got {x.dtype.name}"
        )


reduce_window_sum_p = window_reduction("reduce_window_sum", SUM, _check_number)


@reduce_window_sum_p.linear_in(0)
def reduce_window_sum_transpose(
    ct: Any,
    x: Any,
    *,
    window_dimensions: Ints,
    window_strides: Ints,
    padding: Pads,
    base_dilation: Ints,
    window_dilation: Ints,
) -> list[Any]:
    """Sum the cotangents of all windows that reach an element: a window over the cotangents."""
    shape = typeof(ct).shape
    pads = transposed_pads(
        x.aval.shape,
        window_dimensions,
        window_strides,
        shape,
        padding,
        base_dilation,
        window_dilation,
    )
    holes = pad(ct, full((), 0, typeof(ct).dtype), spread(pads, window_strides))
    summed = reduce_window_sum_p.bind(
        holes,
        window_dimensions=window_dimensions,
        window_strides=base_dilation,
        padding=((0, 0),) * len(shape),
        base_dilation=(1,) * len(shape),
        window_dilation=window_dilation,
    )
    return [summed]


reduce_window_max_p = window_reduction(
    "reduce_window_max", MAXIMUM, lambda x: check_ordered("max", x)
)
reduce_window_min_p = window_reduction(
    "reduce_window_min", MINIMUM, lambda x: check_ordered("min", x)
)


def reduce_window_max_jvp(t: Any, x: Any, **params: Any) -> Any:
    return select_and_gather_add_p.bind(t, x, select_prim=ge_p, **params)


def reduce_window_min_jvp(t: Any, x: Any, **params: Any) -> Any:
    return select_and_gather_add_p.bind(t, x, select_prim=le_p, **params)


reduce_window_max_p.jvp_each(reduce_window_max_jvp)
reduce_window_max_p.no_transpose("a maximum is not linear")
reduce_window_min_p.jvp_each(reduce_window_min_jvp)
reduce_window_min_p.no_transpose("a minimum is not linear")

# -- samples --------------------------------------------------------------------------------------

_PLAIN: dict[str, Any] = {
    "window_dimensions": (2, 3),
    "window_strides": (1, 1),
    "padding": ((0, 0), (0, 0)),
    "base_dilation": (1, 1),
    "window_dilation": (1, 1),
}
_OVERLAPPING: dict[str, Any] = _PLAIN | {"window_strides": (1, 2), "padding": ((1, 0), (1, 2))}
_WITH_HOLES: dict[str, Any] = _OVERLAPPING | {"base_dilation": (2, 1), "padding": ((1, 1), (-1, 2))}

for _p in (reduce_window_sum_p, reduce_window_max_p, reduce_window_min_p):
    _kinds = (*ALL_KINDS, "uint8") if _p is not reduce_window_sum_p else ALL_KINDS[:-1]
    _p.sample(Arg((3, 5)), _dtypes=_kinds, **_PLAIN)
    _p.sample(Arg((3, 5)), _dtypes=("float32", "float64", "int32"), **_OVERLAPPING)
    _p.sample(Arg((3, 5)), _dtypes=("float32", "float64"), **_WITH_HOLES)
    _p.sample(Arg((1, 5)), _dtypes=("float32",), **_PLAIN)
    _p.sample(Arg((0, 5)), _dtypes=("float32",), **_OVERLAPPING)
_SPARSE: dict[str, Any] = _OVERLAPPING | {"window_dilation": (1, 2)}
reduce_window_sum_p.sample(Arg((3, 7)), _dtypes=("float32", "float64"), **_SPARSE)
