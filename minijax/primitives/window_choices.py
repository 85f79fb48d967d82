"""Which element does a window choose, and what goes with it?

The derivative of an extremum over a window picks the tangent that belongs to the element chosen:
``select_and_gather_add``. Its transpose adds each cotangent to the element that was chosen:
``select_and_scatter_add``. Both go through the elements of a window in order and keep the first of
several equal ones. Elements outside the array are never chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import Arg, Primitive
from minijax.primitives.build import full
from minijax.primitives.cutting import pad, pad_reference
from minijax.primitives.cutting import slice as cut
from minijax.primitives.logic import ge_p, le_p
from minijax.primitives.monoids import (
    SUM,
    accumulator_dtype,
    emit_combination,
    highest,
    lowest,
    numpy_dtype,
)
from minijax.primitives.window_shapes import (
    Ints,
    Pads,
    batch_windows,
    dilated_length,
    spread,
    window_count,
    window_result,
    window_taps,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import IntegerMatrix, TensorType, Value, element_type

# -- the elements of a window, one after the other ------------------------------------------------


_CHOICES: dict[Primitive, tuple[np.ufunc, Callable[[Any], Any]]] = {
    ge_p: (np.greater_equal, lowest),
    le_p: (np.less_equal, highest),
}
"""How to compare, and what is never preferred, by the primitive that selects."""


def _choose(
    x: np.ndarray,
    select_prim: Primitive,
    window_dimensions: Ints,
    window_strides: Ints,
    padding: Pads,
    base_dilation: Ints,
    window_dilation: Ints,
) -> tuple[np.ndarray, list[tuple[slice, ...]]]:
    """Return which element each window chooses (-1: it has none), and where these are."""
    prefers, _ = _CHOICES[select_prim]
    widths = spread(padding, base_dilation)
    inside = pad_reference(np.ones(x.shape, bool), np.array(False), padding_config=widths)
    x = pad_reference(x, np.zeros((), x.dtype), padding_config=widths)
    counts = tuple(
        window_count(n, dilated_length(window, dilation), stride)
        for n, window, stride, dilation in zip(
            x.shape, window_dimensions, window_strides, window_dilation, strict=True
        )
    )
    taps = list(window_taps(window_dimensions, window_strides, window_dilation, counts))
    best, chosen = np.zeros(counts, x.dtype), np.full(counts, -1)
    for i, tap in enumerate(taps):
        replaces = inside[tap] & ((chosen < 0) | ~prefers(best, x[tap]))
        best = np.where(replaces, x[tap], best)
        chosen = np.where(replaces, i, chosen)
    return chosen, taps


# -- the tangent of what was chosen ---------------------------------------------------------------

select_and_gather_add_p = Primitive("select_and_gather_add")
select_and_scatter_add_p = Primitive("select_and_scatter_add")


@select_and_gather_add_p.abstract
def select_and_gather_add_abstract(
    tangents: ShapedArray, operand: ShapedArray, *, select_prim: Primitive, **params: Any
) -> ShapedArray:
    if tangents.shape != operand.shape:
        raise TypeError(
            "select_and_gather_add tangents and operand shapes must match, got "
            f"{tangents.shape} and {operand.shape}."
        )
    shape = window_result("select_and_gather_add", operand, **params).shape
    return ShapedArray(shape, tangents.dtype)


@select_and_gather_add_p.reference
def select_and_gather_add_reference(
    tangents: np.ndarray, operand: np.ndarray, **params: Any
) -> np.ndarray:
    chosen, taps = _choose(operand, **params)
    widths = spread(params["padding"], params["base_dilation"])
    padded = pad_reference(tangents, np.zeros((), tangents.dtype), padding_config=widths)
    out = np.zeros(chosen.shape, tangents.dtype)
    for i, tap in enumerate(taps):
        np.copyto(out, padded[tap], where=chosen == i)
    return out


@select_and_gather_add_p.linear_in(0)
def select_and_gather_add_transpose(
    ct: Any,
    tangents: Any,
    operand: Any,
    *,
    base_dilation: Ints,
    window_dilation: Ints,
    window_dimensions: Ints,
    window_strides: Ints,
    padding: Pads,
    select_prim: Primitive,
) -> list[Any]:
    if any(d != 1 for d in window_dilation):
        raise NotImplementedError(
            "VJP not implemented for select_and_gather (MaxPool) with window dilation, got "
            f"window_dilation={window_dilation}."
        )
    holes = [(0, 0, dilation - 1) for dilation in base_dilation]
    has_holes = any(d != 1 for d in base_dilation)
    if has_holes:
        dtype = typeof(operand).dtype
        never = full((), _CHOICES[select_prim][1](dtype), dtype)
        operand = pad(operand, never, holes)
    out = select_and_scatter_add_p.bind(
        ct,
        operand,
        select_prim=select_prim,
        window_dimensions=window_dimensions,
        window_strides=window_strides,
        padding=padding,
    )
    if has_holes:
        shape = typeof(out).shape
        out = cut(out, (0,) * len(shape), shape, base_dilation)
    return [out, None]


batch_windows(select_and_gather_add_p)


@select_and_gather_add_p.lower
def select_and_gather_add_lower(
    ctx: Emitter,
    tangents: Value,
    operand: Value,
    *,
    select_prim: Primitive,
    window_dimensions: Ints,
    window_strides: Ints,
    padding: Pads,
    base_dilation: Ints,
    window_dilation: Ints,
) -> Value:
    """Emit one reduction of pairs: the keys are compared, the tangents go along."""
    dtype = ctx.avals_in[1].dtype
    key, tangent = (TensorType((), x.type.element) for x in (operand, tangents))
    with ctx.region([key, tangent, key, tangent]) as body:
        best, t, candidate, other = body.arguments
        keeps = ctx.compare(select_prim.name.upper(), best, candidate)
        ctx.return_(ctx.select(keeps, best, candidate), ctx.select(keeps, t, other))
    shape = ctx.avals_out[0].shape
    _, gathered = ctx.ops(
        "stablehlo.reduce_window",
        [
            operand,
            tangents,
            ctx.constant(_CHOICES[select_prim][1](dtype), dtype),
            ctx.constant(0, ctx.avals_in[0].dtype),
        ],
        [TensorType(shape, operand.type.element), TensorType(shape, tangents.type.element)],
        [body],
        window_dimensions=window_dimensions,
        window_strides=window_strides,
        base_dilations=base_dilation,
        window_dilations=window_dilation,
        padding=IntegerMatrix(padding),
    )
    return gathered


# -- the cotangent for what was chosen ------------------------------------------------------------


@select_and_scatter_add_p.abstract
def select_and_scatter_add_abstract(
    source: ShapedArray,
    operand: ShapedArray,
    *,
    select_prim: Primitive,
    window_dimensions: Ints,
    window_strides: Ints,
    padding: Pads,
) -> ShapedArray:
    ones = (1,) * operand.ndim
    windows = window_result(
        "select_and_scatter_add", operand, window_dimensions, window_strides, padding, ones, ones
    )
    if source.shape != windows.shape:
        raise TypeError(
            "select_and_scatter_add needs one source element per window: got a source of shape "
            f"{source.shape} for windows of shape {windows.shape}."
        )
    return ShapedArray(operand.shape, source.dtype)


@select_and_scatter_add_p.reference
def select_and_scatter_add_reference(
    source: np.ndarray,
    operand: np.ndarray,
    *,
    select_prim: Primitive,
    window_dimensions: Ints,
    window_strides: Ints,
    padding: Pads,
) -> np.ndarray:
    ones = (1,) * operand.ndim
    chosen, taps = _choose(
        operand, select_prim, window_dimensions, window_strides, padding, ones, ones
    )
    wide = numpy_dtype(source.dtype)
    shape = tuple(n + low + high for n, (low, high) in zip(operand.shape, padding, strict=True))
    out = np.zeros(shape, wide)
    for i, tap in enumerate(taps):
        out[tap] += np.where(chosen == i, source.astype(wide, copy=False), wide.type(0))
    undone = [(-low, -high, 0) for low, high in padding]
    return pad_reference(
        out.astype(source.dtype), np.zeros((), source.dtype), padding_config=undone
    )  # type: ignore[arg-type]


@select_and_scatter_add_p.linear_in(0)
def select_and_scatter_add_transpose(
    ct: Any, source: Any, operand: Any, *, window_dimensions: Ints, **params: Any
) -> list[Any]:
    ones = (1,) * len(window_dimensions)
    gathered = select_and_gather_add_p.bind(
        ct,
        operand,
        window_dimensions=window_dimensions,
        base_dilation=ones,
        window_dilation=ones,
        **params,
    )
    return [gathered, None]


batch_windows(select_and_scatter_add_p)


@select_and_scatter_add_p.lower
def select_and_scatter_add_lower(
    ctx: Emitter,
    source: Value,
    operand: Value,
    *,
    select_prim: Primitive,
    window_dimensions: Ints,
    window_strides: Ints,
    padding: Pads,
) -> Value:
    dtype = ctx.avals_in[0].dtype
    wide = accumulator_dtype(dtype)
    scalar = TensorType((), operand.type.element)
    with ctx.region([scalar, scalar]) as choice:
        ctx.return_(ctx.compare(select_prim.name.upper(), *choice.arguments))
    total = ctx.op(
        "stablehlo.select_and_scatter",
        operand,
        ctx.convert(source, wide),
        ctx.constant(0, wide),
        type=TensorType(operand.type.shape, element_type(wide)),
        regions=[choice, emit_combination(ctx, SUM, wide)],
        window_dimensions=window_dimensions,
        window_strides=window_strides,
        padding=IntegerMatrix(padding),
    )
    return ctx.convert(total, dtype)


# -- samples --------------------------------------------------------------------------------------

_PLAIN: dict[str, Any] = {
    "window_dimensions": (2, 3),
    "window_strides": (1, 2),
    "padding": ((0, 0), (0, 0)),
}
_OVERLAPPING: dict[str, Any] = _PLAIN | {"padding": ((1, 0), (1, 2))}
_NO_HOLES: dict[str, Any] = {"base_dilation": (1, 1), "window_dilation": (1, 1)}
_TIES = np.array([[1, 1, 0, 1, 1], [1, 0, 1, 1, 1], [0, 0, 1, 1, 0]], np.float32)

for _prim in (ge_p, le_p):
    for _windows, _params in (((2, 2), _PLAIN), ((3, 3), _OVERLAPPING)):
        select_and_gather_add_p.sample(
            Arg((3, 5)), Arg((3, 5)), select_prim=_prim, **_NO_HOLES, **_params
        )
        select_and_scatter_add_p.sample(Arg(_windows), Arg((3, 5)), select_prim=_prim, **_params)
select_and_gather_add_p.sample(
    Arg((3, 5)), _TIES, select_prim=ge_p, _dtypes=("float32",), **_NO_HOLES, **_OVERLAPPING
)
select_and_scatter_add_p.sample(
    Arg((3, 3)), _TIES, select_prim=ge_p, _dtypes=("float32",), **_OVERLAPPING
)
_HOLES: dict[str, Any] = _OVERLAPPING | {"base_dilation": (2, 1), "window_dilation": (1, 1)}
select_and_gather_add_p.sample(
    Arg((3, 5)), Arg((3, 5)), select_prim=ge_p, _dtypes=("float32", "float64"), **_HOLES
)
