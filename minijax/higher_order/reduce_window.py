"""How are the elements of sliding windows combined by a user's own function?

``reduce_window`` takes any function of two elements. With addition, maximum and minimum it is one
of the primitives of :mod:`minijax.primitives.windows`. Otherwise what it computes is written down
as a program (:func:`window_program`): beginning with the initial value, the first elements of all
windows are combined with it at once, then the second ones, and so on. Elements outside the array
are passed over. The reference and the derivative are those of this program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core.aval import ShapedArray, typeof
from minijax.core.jaxpr import Jaxpr
from minijax.core.primitive import Arg, AxisInfo, Primitive, is_zero
from minijax.core.tree import tree_unflatten
from minijax.higher_order.combinations import (
    batch_reduction,
    check_inits,
    combine_arrays,
    flatten_pair,
    halves,
    is_monoid,
    jvp_of_program,
    trace_combination,
)
from minijax.primitives.arithmetic import add, mul
from minijax.primitives.broadcasting import as_ints, broadcast_in_dim
from minijax.primitives.build import full
from minijax.primitives.cutting import pad, pad_reference
from minijax.primitives.cutting import slice as cut
from minijax.primitives.logic import gt, select
from minijax.primitives.monoids import MAXIMUM, MINIMUM, SUM, Monoid
from minijax.primitives.piecewise import max, min
from minijax.primitives.window_shapes import (
    Ints,
    Pads,
    as_pads,
    batched_window,
    dilated_length,
    padtype_to_pads,
    reduce_window_shape_tuple,
    spread,
    window_result,
    window_taps,
)
from minijax.primitives.windows import (
    reduce_window_max_p,
    reduce_window_min_p,
    reduce_window_sum_p,
)
from minijax.stablehlo.ir import IntegerMatrix, TensorType, Value, type_of_aval
from minijax.transforms.evaluate import interpret_jaxpr
from minijax.transforms.lowering import LoweringContext
from minijax.transforms.staging import trace_to_jaxpr

_KNOWN: tuple[tuple[Callable[..., Any], Monoid, Primitive], ...] = (
    (add, SUM, reduce_window_sum_p),
    (max, MAXIMUM, reduce_window_max_p),
    (min, MINIMUM, reduce_window_min_p),
)

reduce_window_p = Primitive("reduce_window", multiple_results=True)


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[[Any, Any], Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Combine the elements of each window that slides over arrays.

    Parameters
    ----------
    operand : pytree of array_like
        Arrays of one shape.
    init_value : pytree of scalars
        Of the same structure and dtypes: what the function leaves as it is.
    computation : callable
        Associative; takes two pytrees of scalars like ``init_value`` and returns one.
    window_dimensions : sequence of int
        The window's length along each axis.
    window_strides : sequence of int, optional
        By how many elements it advances; by default 1.
    padding : str or sequence of (before, after)
        See :func:`~minijax.primitives.window_shapes.padtype_to_pads`.
    base_dilation, window_dilation : sequence of int, optional
        With d there are d - 1 holes between neighbours of the array, or of the window.

    Returns
    -------
    pytree of Array

    Raises
    ------
    TypeError, ValueError
        If shapes, dtypes and structures do not fit together.
    NotImplementedError
        If ``computation`` depends on a value that is being traced.

    Examples
    --------
    >>> x = np.array([3, 1, 4, 1, 5])
    >>> reduce_window(x, 1, lambda a, b: a * b, (2,), (2,))
    Array([3, 4], dtype=int32)
    """
    leaves, inits, tree = flatten_pair(operand, init_value)
    if not leaves:
        raise ValueError("reduce_window must have at least one operand.")
    params = window_params(
        typeof(leaves[0]),
        window_dimensions,
        window_strides,
        padding,
        base_dilation,
        window_dilation,
    )
    for known, monoid, p in _KNOWN:
        if computation is known and is_monoid(monoid, inits):
            return tree_unflatten(tree, [p.bind(leaves[0], **params)])
    reduce_window_check([typeof(x) for x in leaves], [typeof(x) for x in inits])
    jaxpr, out_tree = trace_combination("reduce_window", computation, tree, inits)
    if out_tree != tree:
        raise ValueError(
            "reduce_window output must have the same tree structure as the operands "
            f"{tree} vs. {out_tree}"
        )
    return tree_unflatten(
        tree, reduce_window_p.bind(*leaves, *inits, jaxpr=jaxpr, consts=(), **params)
    )


def window_params(
    x: ShapedArray,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
    base_dilation: Sequence[int] | None,
    window_dilation: Sequence[int] | None,
) -> dict[str, Any]:
    """Return a window as the parameters that equations hold."""
    window = as_ints(window_dimensions)
    ones = (1,) * len(window)
    strides, base, dilation = (
        ones if values is None else as_ints(values)
        for values in (window_strides, base_dilation, window_dilation)
    )
    window_result("reduce_window", x, window, strides, ((0, 0),) * x.ndim, base, dilation)
    if isinstance(padding, str):
        reach = tuple(map(dilated_length, window, dilation))
        padding = padtype_to_pads(x.shape, reach, strides, padding)
    return {
        "window_dimensions": window,
        "window_strides": strides,
        "padding": as_pads(padding),
        "base_dilation": base,
        "window_dilation": dilation,
    }


def reduce_window_check(operands: Sequence[ShapedArray], inits: Sequence[ShapedArray]) -> None:
    """Refuse operands and initial values that do not fit together."""
    check_inits("reduce_window", operands, inits)
    dtypes = [[x.dtype for x in avals] for avals in (operands, inits)]
    if dtypes[0] != dtypes[1]:
        raise TypeError(
            "reduce_window got inconsistent dtypes for operands and init_values: got operand "
            f"dtypes {dtypes[0]} and init_value dtypes {dtypes[1]}."
        )
    if any(x.shape for x in inits):
        raise TypeError(
            "reduce_window expected init_values to be scalars but init_values have shapes "
            f"{[x.shape for x in inits]}."
        )


@reduce_window_p.abstract
def reduce_window_abstract(
    *avals: ShapedArray, jaxpr: Jaxpr, consts: tuple, **params: Any
) -> list[ShapedArray]:
    operands, inits = halves(avals)
    reduce_window_check(operands, inits)
    return [window_result("reduce_window", x, **params) for x in operands]


# -- what it computes -----------------------------------------------------------------------------


def window_program(jaxpr: Jaxpr, avals: Sequence[ShapedArray], params: dict[str, Any]) -> Jaxpr:
    """Return a reduction over windows as single steps; it is remembered with ``jaxpr``."""

    def fun(*args: Any) -> list[Any]:
        return combine_taps(jaxpr, *halves(args), **params)

    key = ("windows step by step", tuple(avals), tuple(params.items()))
    return jaxpr.remember(key, lambda: trace_to_jaxpr(fun, avals))


def combine_taps(
    jaxpr: Jaxpr,
    operands: Sequence[Any],
    inits: Sequence[Any],
    *,
    window_dimensions: Ints,
    window_strides: Ints,
    padding: Pads,
    base_dilation: Ints,
    window_dilation: Ints,
) -> list[Any]:
    """Combine the elements of all windows, one element of each at a time."""
    shape = typeof(operands[0]).shape
    widths = spread(padding, base_dilation)
    counts = reduce_window_shape_tuple(
        shape, window_dimensions, window_strides, padding, base_dilation, window_dilation
    )
    inside = pad_reference(np.ones(shape, bool), np.array(False), padding_config=widths)
    padded = [pad(x, full((), 0, typeof(x).dtype), widths) for x in operands]
    totals = [broadcast_in_dim(x, counts, ()) for x in inits]
    for tap in window_taps(window_dimensions, window_strides, window_dilation, counts):
        if not inside[tap].any():
            continue
        box = [[part.start for part in tap], [part.stop for part in tap], window_strides]
        reached = [cut(x, *box) for x in padded]
        combined = combine_arrays(jaxpr, totals, reached)
        if not inside[tap].all():
            combined = [select(inside[tap], x, y) for x, y in zip(combined, totals, strict=True)]
        totals = combined
    return totals


@reduce_window_p.reference
def reduce_window_reference(
    *args: np.ndarray, jaxpr: Jaxpr, consts: tuple, **params: Any
) -> list[np.ndarray]:
    return interpret_jaxpr(window_program(jaxpr, [typeof(x) for x in args], params), *args)


@reduce_window_p.jvp
def reduce_window_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: Jaxpr, consts: tuple, **params: Any
) -> tuple[list[Any], list[Any]]:
    program = window_program(jaxpr, [typeof(x) for x in primals], params)
    return jvp_of_program(program, primals, tangents, [not is_zero(t) for t in tangents])


reduce_window_p.no_transpose("its derivative is that of the single steps")


@reduce_window_p.batch
def reduce_window_batch(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    jaxpr: Jaxpr,
    consts: tuple,
    **params: Any,
) -> tuple[list[Any], list[int]]:
    def reduce_with_axis(*xs: Any) -> list[Any]:
        return reduce_window_p.bind(*xs, jaxpr=jaxpr, consts=consts, **batched_window(params, 0))

    def make_program(avals: Sequence[ShapedArray]) -> Jaxpr:
        return window_program(jaxpr, avals, params)

    return batch_reduction(axis, args, dims, reduce_with_axis, make_program)


@reduce_window_p.lower
def reduce_window_lower(
    ctx: LoweringContext, *args: Value, jaxpr: Jaxpr, consts: tuple, **params: Any
) -> list[Value]:
    """Emit StableHLO's operation, or single steps where windows stick out of the array.

    StableHLO takes the initial value for every element outside, so that its operation passes over
    them only where the function leaves the initial value as it is.
    """
    sticks_out = any(pads != (0, 0) for pads in params["padding"])
    if sticks_out or any(dilation != 1 for dilation in params["base_dilation"]):
        return ctx.inline(window_program(jaxpr, ctx.avals_in, params), args)
    operands, _ = halves(args)
    scalars = [TensorType((), x.type.element) for x in operands]
    with ctx.region([*scalars, *scalars]) as body:
        ctx.return_(*ctx.inline(jaxpr, body.arguments))
    return ctx.ops(
        "stablehlo.reduce_window",
        args,
        [type_of_aval(aval) for aval in ctx.avals_out],
        [body],
        window_dimensions=params["window_dimensions"],
        window_strides=params["window_strides"],
        base_dilations=params["base_dilation"],
        window_dilations=params["window_dilation"],
        padding=IntegerMatrix(params["padding"]),
    )


# -- samples --------------------------------------------------------------------------------------


def _sample_product(x: Any) -> Any:
    two = np.full((), 2, typeof(x).dtype)
    return reduce_window(x, two, lambda a, b: mul(b, a), (2, 3), (1, 2), ((1, 0), (-1, 2)), (1, 2))


def _sample_of_pairs(x: Any, y: Any) -> Any:
    def larger(a: tuple[Any, Any], b: tuple[Any, Any]) -> tuple[Any, Any]:
        first = gt(a[0], b[0])
        return select(first, a[0], b[0]), select(first, a[1], b[1])

    lowest = np.asarray(-100).astype(typeof(x).dtype)
    zero = np.zeros((), typeof(y).dtype)
    return reduce_window((x, y), (lowest, zero), larger, (2, 2), None, "SAME")


def _sample_without_padding(x: Any) -> Any:
    two = np.full((), 2, typeof(x).dtype)
    return reduce_window(x, two, lambda a, b: mul(b, a), (2, 3), None, "VALID")


reduce_window_p.sample_call(
    _sample_without_padding, Arg((3, 4), 1, 2), _dtypes=("float32", "float64", "int32")
)
reduce_window_p.sample_call(
    _sample_product, Arg((3, 4), 1, 2), _dtypes=("float32", "float64", "int32")
)
reduce_window_p.sample_call(
    _sample_of_pairs, Arg((3, 4)), Arg((3, 4)), _dtypes=("float32", "float64")
)
reduce_window_p.sample_call(_sample_product, Arg((0, 4)), _dtypes=("float32",))
