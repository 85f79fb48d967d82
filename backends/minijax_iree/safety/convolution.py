"""Convolution: complex numbers, and the forms that IREE runs fast."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from minijax.stablehlo.ir import Dims, Operation, Raw, TensorType, Value

from .rewriter import Rewriter
from .sorting import transpose

Axes = tuple[int, ...]

# With more places than this, a product for each would be a long program.
MOST_PLACES = 64


class Layout(NamedTuple):
    """The axes of a convolution's operands and result: two special ones, then spatial ones."""

    lhs: Axes  # batch, features
    rhs: Axes  # output features, input features
    out: Axes  # batch, features


def layout_of(op: Operation) -> Layout:
    """Read the layout off the attribute ``#stablehlo.conv<[b, f, 0]x[o, i, 0]->[b, f, 0]>``."""
    text = op.attributes["dimension_numbers"].text.split("<")[1].rstrip(">")
    operands, out = text.split("->")
    specs = []
    for spec, letters in zip((*operands.split("x"), out), ("bf", "oi", "bf"), strict=True):
        names = spec.strip("[]").split(", ")
        order = (*letters, *map(str, range(len(names) - 2)))
        specs.append(tuple(names.index(name) for name in order))
    return Layout(*specs)


def convolution_in_fast_form(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Bring the features last, or write a product of matrices for each place of the result.

    Faults (IREE 3.13, llvm-cpu): a convolution of complex numbers ends the compiler with a
    segmentation fault; one whose features are not last takes 50 times as long, and one with a
    large window and a small result, as the gradient of the weights is, 30 times as long.
    """
    lhs, rhs = op.operands
    kind = op.results[0].type
    if not kind.element.startswith("complex"):
        return convolve(rewriter, op, lhs, rhs, kind.element)
    part = kind.element.removeprefix("complex<").removesuffix(">")
    (a, b), (c, d) = (complex_parts(rewriter, x, part) for x in (lhs, rhs))

    def multiply(x: Value, y: Value) -> Value:
        found = convolve(rewriter, op, x, y, part)
        if found is None:
            found = rewriter.clone(op, [x, y], [TensorType(kind.shape, part)])
        return found[0]

    real = rewriter.like("stablehlo.subtract", multiply(a, c), multiply(b, d))
    imaginary = rewriter.like("stablehlo.add", multiply(a, d), multiply(b, c))
    return [rewriter.op("stablehlo.complex", real, imaginary, type=kind)]


def complex_parts(rewriter: Rewriter, x: Value, part: str) -> tuple[Value, Value]:
    """Emit the real and the imaginary part."""
    kind = TensorType(x.type.shape, part)
    real, imaginary = (rewriter.op(f"stablehlo.{name}", x, type=kind) for name in ("real", "imag"))
    return real, imaginary


def convolve(
    rewriter: Rewriter, op: Operation, lhs: Value, rhs: Value, element: str
) -> list[Value] | None:
    """Emit the convolution `op` of other operands in a fast form; None if it has that form."""
    layout = layout_of(op)
    groups = op.attributes["feature_group_count"] * op.attributes["batch_group_count"]
    places = prod(op.results[0].type.shape[axis] for axis in layout.out[2:])
    window = prod(rhs.type.shape[axis] for axis in layout.rhs[2:])
    if groups == 1 and places < window and places <= MOST_PLACES:
        return [convolve_by_places(rewriter, op, layout, lhs, rhs, element)]
    return convolve_channels_last(rewriter, op, layout, lhs, rhs, element)


# -- features last --------------------------------------------------------------------------------


def convolve_channels_last(
    rewriter: Rewriter, op: Operation, layout: Layout, lhs: Value, rhs: Value, element: str
) -> list[Value] | None:
    """Emit the convolution between transposes. Barriers keep these from becoming part of it."""
    batch, features, *spatial = layout.lhs
    out_features, in_features, *window = layout.rhs
    out_batch, out_channels, *out_spatial = layout.out
    orders = (
        (batch, *spatial, features),
        (*window, in_features, out_features),
        (out_batch, *out_spatial, out_channels),
    )
    if all(order == tuple(range(len(order))) for order in orders):
        return None
    moved = [transpose(rewriter, x, order) for x, order in zip((lhs, rhs), orders, strict=False)]
    digits = ", ".join(map(str, range(len(spatial))))
    middle = f", {digits}, " if digits else ", "
    window_names = f"{digits}, " if digits else ""
    numbers = f"[b{middle}f]x[{window_names}i, o]->[b{middle}f]"
    attributes: dict[str, Any] = op.attributes | {
        "dimension_numbers": Raw(f"#stablehlo.conv<{numbers}>")
    }
    shape = tuple(op.results[0].type.shape[axis] for axis in orders[2])
    (out,) = rewriter.ops(
        op.name, rewriter.barrier(moved), [TensorType(shape, element)], **attributes
    )
    return [transpose(rewriter, out, tuple(orders[2].index(i) for i in range(len(shape))))]


# -- place by place -------------------------------------------------------------------------------


def convolve_by_places(
    rewriter: Rewriter, op: Operation, layout: Layout, lhs: Value, rhs: Value, element: str
) -> Value:
    """Emit for each place of the result the product of two matrices, and put them together.

    The rows of both are the elements of the window with their input features. In the gradient of
    the weights these rows are the pixels of all images, so that the transposes change nothing when
    features are last in the forward convolution.
    """
    batch, features, *spatial = layout.lhs
    out_features, in_features, *window_axes = layout.rhs
    x = spread(rewriter, op, transpose(rewriter, lhs, (features, *spatial, batch)))
    w = transpose(rewriter, rhs, (in_features, *window_axes, out_features))
    window, depth = w.type.shape[1:-1], prod(w.type.shape[:-1])
    columns = (x.type.shape[-1], w.type.shape[-1])
    x, w = rewriter.barrier([x, rewriter.reshape(w, (depth, columns[1]))])
    counts = tuple(op.results[0].type.shape[axis] for axis in layout.out[2:])
    products = []
    for place in product(*map(range, counts)):
        rows = window_at(rewriter, op, x, place, window)
        (rows,) = rewriter.barrier([rewriter.reshape(rows, (depth, columns[0]))])
        out = multiply_transposed(rewriter, op, rows, w, element)
        products.append(rewriter.reshape(out, (1, *columns)))
    stacked = products[0]
    if len(products) > 1:
        kind = TensorType((len(products), *columns), element)
        stacked = rewriter.op("stablehlo.concatenate", *products, type=kind, dimension=0)
    stacked = rewriter.reshape(stacked, (*counts, *columns))
    # Its axes are the places, the batch and the features.
    out_axes = (*layout.out[2:], *layout.out[:2])
    return transpose(rewriter, stacked, tuple(out_axes.index(i) for i in range(len(out_axes))))


def spread(rewriter: Rewriter, op: Operation, x: Value) -> Value:
    """Emit the padding and the holes of the left operand, spatial axes in the middle."""
    pads = ((0, 0), *op.attributes["padding"].rows, (0, 0))
    dilation = (1, *op.attributes["lhs_dilation"], 1)
    if all(pad == (0, 0) for pad in pads) and all(d == 1 for d in dilation):
        return x
    shape = tuple(
        low + (n - 1) * d + 1 + high if n else low + high
        for n, d, (low, high) in zip(x.type.shape, dilation, pads, strict=True)
    )
    return rewriter.op(
        "stablehlo.pad",
        x,
        rewriter.zeros(TensorType((), x.type.element)),
        type=TensorType(shape, x.type.element),
        edge_padding_low=tuple(low for low, _ in pads),
        edge_padding_high=tuple(high for _, high in pads),
        interior_padding=tuple(d - 1 for d in dilation),
    )


def window_at(
    rewriter: Rewriter, op: Operation, x: Value, place: Sequence[int], window: Sequence[int]
) -> Value:
    """Emit the elements of the window that belongs to a place of the result."""
    steps = op.attributes["rhs_dilation"]
    starts = [i * s for i, s in zip(place, op.attributes["window_strides"], strict=True)]
    stops = [
        start + (n - 1) * step + 1 for start, n, step in zip(starts, window, steps, strict=True)
    ]
    shape = (x.type.shape[0], *window, x.type.shape[-1])
    return rewriter.op(
        "stablehlo.slice",
        x,
        type=TensorType(shape, x.type.element),
        start_indices=(0, *starts, 0),
        limit_indices=(x.type.shape[0], *stops, x.type.shape[-1]),
        strides=(1, *steps, 1),
    )


def multiply_transposed(
    rewriter: Rewriter, op: Operation, x: Value, y: Value, element: str
) -> Value:
    """Emit the product of the transpose of one matrix and another."""
    return rewriter.op(
        "stablehlo.dot_general",
        x,
        y,
        type=TensorType((x.type.shape[1], y.type.shape[1]), element),
        dot_dimension_numbers=Dims(
            "dot",
            (
                ("lhs_batching_dimensions", ()),
                ("rhs_batching_dimensions", ()),
                ("lhs_contracting_dimensions", (0,)),
                ("rhs_contracting_dimensions", (0,)),
            ),
        ),
        precision_config=op.attributes["precision_config"],
    )
