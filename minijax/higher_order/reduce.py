"""How are many elements combined by a user's own function?

``reduce`` takes any function of two elements, also of pairs of elements from several arrays, as
argmax needs. What it computes is written down once, as a program: the elements are combined two by
two, neighbours first, until one is left, and that is combined with the initial value
(:func:`tree_program`). The reference runs that program and the derivative is that of the program;
a compiler gets StableHLO's ``reduce``. The function ought to be associative, for in which order
elements are combined is nobody's promise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core.aval import ShapedArray, typeof
from minijax.core.jaxpr import Jaxpr
from minijax.core.primitive import Arg, AxisInfo, Primitive, is_zero
from minijax.core.tree import tree_unflatten
from minijax.higher_order.combinations import (
    check_inits,
    combine_arrays,
    flatten_pair,
    is_monoid,
    jvp_of_program,
    trace_combination,
)
from minijax.primitives.arithmetic import add, mul
from minijax.primitives.broadcasting import as_ints, batch_axis_at, broadcast_in_dim, without
from minijax.primitives.cutting import slice_in_dim
from minijax.primitives.joining import concatenate
from minijax.primitives.logic import bitwise_and, bitwise_or, bitwise_xor, gt, select
from minijax.primitives.monoids import AND, MAXIMUM, MINIMUM, OR, PRODUCT, SUM, XOR, Monoid
from minijax.primitives.piecewise import max, min
from minijax.primitives.reduce import (
    reduce_and,
    reduce_max,
    reduce_min,
    reduce_or,
    reduce_prod,
    reduce_sum,
    reduce_xor,
)
from minijax.primitives.structural import reshape, squeeze
from minijax.stablehlo.ir import TensorType, Value, type_of_aval
from minijax.transforms.batching import batch_jaxpr
from minijax.transforms.evaluate import eval_jaxpr, interpret_jaxpr
from minijax.transforms.lowering import LoweringContext
from minijax.transforms.staging import trace_to_jaxpr
from minijax.util import split_list

_KNOWN: dict[Callable[..., Any], tuple[Monoid, Callable[..., Any]]] = {
    add: (SUM, reduce_sum),
    mul: (PRODUCT, reduce_prod),
    max: (MAXIMUM, reduce_max),
    min: (MINIMUM, reduce_min),
    bitwise_and: (AND, reduce_and),
    bitwise_or: (OR, reduce_or),
    bitwise_xor: (XOR, reduce_xor),
}

reduce_p = Primitive("reduce", multiple_results=True)


def reduce(
    operands: Any,
    init_values: Any,
    computation: Callable[[Any, Any], Any],
    dimensions: Sequence[int],
    out_sharding: Any = None,
) -> Any:
    """Combine the elements along some axes by a function of two elements.

    Parameters
    ----------
    operands : pytree of array_like
        Arrays of one shape.
    init_values : pytree of scalars
        Of the same structure and dtypes: what the function leaves as it is.
    computation : callable
        Associative; takes two pytrees of scalars like ``init_values`` and returns one.
    dimensions : sequence of int
        The axes to reduce.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    pytree of Array
        As ``computation`` returns it.

    Raises
    ------
    TypeError
        If dtypes do not fit.
    ValueError
        If shapes, structures or axes do not fit.
    NotImplementedError
        If ``computation`` depends on a value that is being traced.

    Examples
    --------
    >>> x = np.array([[1, 2], [3, 4]])
    >>> reduce(x, 0, lambda a, b: a + 10 * b, (1,))
    Array([210, 430], dtype=int32)
    """
    leaves, inits, tree = flatten_pair(operands, init_values)
    known = _KNOWN.get(computation) if _is_hashable(computation) else None
    if known is not None and is_monoid(known[0], inits):
        return tree_unflatten(tree, [known[1](leaves[0], dimensions)])
    reduce_check([typeof(x) for x in leaves], [typeof(x) for x in inits])
    jaxpr, out_tree = trace_combination("reduce", computation, tree, inits)
    outs = reduce_p.bind(
        *leaves, *inits, computation=computation, jaxpr=jaxpr, dimensions=as_ints(dimensions)
    )
    return tree_unflatten(out_tree, outs)


def _is_hashable(x: Any) -> bool:
    return getattr(type(x), "__hash__", None) is not None


def reduce_check(operands: Sequence[ShapedArray], inits: Sequence[ShapedArray]) -> None:
    """Refuse operands and initial values that do not fit together."""
    check_inits("reduce", operands, inits)
    if any(x.shape for x in inits):
        raise ValueError(f"reduce found non-scalar initial value: {[x.shape for x in inits]}")
    if any(x.dtype != init.dtype for x, init in zip(operands, inits, strict=True)):
        raise TypeError(
            "reduce operand dtypes should match corresponding initial value dtypes, got "
            f"operands={list(operands)} and initial_values={list(inits)}"
        )


@reduce_p.abstract
def reduce_abstract(
    *avals: ShapedArray, computation: Any, jaxpr: Jaxpr, dimensions: tuple[int, ...]
) -> list[ShapedArray]:
    operands, inits = _halves(avals)
    reduce_check(operands, inits)
    if len(set(dimensions)) != len(dimensions):
        raise ValueError(f"duplicate value in 'axes' of reduction: {dimensions}")
    if not all(0 <= axis < operands[0].ndim for axis in dimensions):
        raise ValueError(
            f"reduction axes {dimensions} contains out-of-bounds indices for "
            f"{operands[0].str_short()}."
        )
    return [x.update(shape=without(x.shape, dimensions)) for x in operands]


def _halves(values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Split the operands from the initial values."""
    first, second = split_list(values, [len(values) // 2])
    return first, second


# -- what a reduction computes --------------------------------------------------------------------


def tree_program(jaxpr: Jaxpr, avals: Sequence[ShapedArray], dimensions: tuple[int, ...]) -> Jaxpr:
    """Return a reduction as a program of single steps; it is remembered with ``jaxpr``."""

    def fun(*args: Any) -> list[Any]:
        return reduce_as_tree(jaxpr, *_halves(args), dimensions)

    key = ("reduce as a tree", tuple(avals), dimensions)
    return jaxpr.remember(key, lambda: trace_to_jaxpr(fun, avals))


def reduce_as_tree(
    jaxpr: Jaxpr, operands: Sequence[Any], inits: Sequence[Any], dimensions: tuple[int, ...]
) -> list[Any]:
    """Combine neighbours until one element is left for each place of the result."""
    shape = typeof(operands[0]).shape
    rest = without(range(len(shape)), dimensions)
    lengths = tuple(shape[i] for i in rest)
    if not dimensions:
        return list(operands)
    n = math.prod(shape[i] for i in dimensions)
    start = [broadcast_in_dim(x, lengths, ()) for x in inits]
    if not n:
        return start
    order = (*dimensions, *rest)
    xs = [
        reshape(x, (n, *lengths), None if order == tuple(sorted(order)) else order)
        for x in operands
    ]
    while n > 1:
        even = [slice_in_dim(x, 0, n - 1, 2) for x in xs]
        odd = [slice_in_dim(x, 1, n, 2) for x in xs]
        combined = combine_arrays(jaxpr, even, odd)
        if n % 2:
            last = [slice_in_dim(x, n - 1, n) for x in xs]
            combined = [concatenate(pair, 0) for pair in zip(combined, last, strict=True)]
        xs, n = combined, (n + 1) // 2
    return combine_arrays(jaxpr, start, [squeeze(x, (0,)) for x in xs])


@reduce_p.reference
def reduce_reference(
    *args: np.ndarray, computation: Any, jaxpr: Jaxpr, dimensions: tuple[int, ...]
) -> list[np.ndarray]:
    program = tree_program(jaxpr, [typeof(x) for x in args], dimensions)
    return interpret_jaxpr(program, *args)


@reduce_p.jvp
def reduce_jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    computation: Any,
    jaxpr: Jaxpr,
    dimensions: tuple[int, ...],
) -> tuple[list[Any], list[Any]]:
    program = tree_program(jaxpr, [typeof(x) for x in primals], dimensions)
    return jvp_of_program(program, primals, tangents, [not is_zero(t) for t in tangents])


reduce_p.no_transpose("its derivative is that of the single steps")


@reduce_p.batch
def reduce_batch(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    computation: Any,
    jaxpr: Jaxpr,
    dimensions: tuple[int, ...],
) -> tuple[list[Any], list[int]]:
    xs = [
        x if d is None else batch_axis_at(x, d, 0, axis.size)
        for x, d in zip(args, dims, strict=True)
    ]
    operands, inits = _halves(xs)
    _, init_dims = _halves(dims)
    if all(d is None for d in init_dims):
        operands = [
            x if d is not None else batch_axis_at(x, None, 0, axis.size)
            for x, d in zip(operands, dims, strict=False)
        ]
        outs = reduce_p.bind(
            *operands,
            *inits,
            computation=computation,
            jaxpr=jaxpr,
            dimensions=tuple(i + 1 for i in dimensions),
        )
        return outs, [0] * len(outs)
    # StableHLO begins all results with one value: with several, the steps are taken singly.
    batched = [d is not None for d in dims]
    avals = [
        aval.update(shape=aval.shape[1:]) if bit else aval
        for aval, bit in zip(map(typeof, xs), batched, strict=True)
    ]
    program = tree_program(jaxpr, avals, dimensions)
    derived, _ = batch_jaxpr(program, axis, batched, [True] * len(program.outvars))
    return eval_jaxpr(derived, *xs), [0] * len(operands)


@reduce_p.lower
def reduce_lower(
    ctx: LoweringContext,
    *args: Value,
    computation: Any,
    jaxpr: Jaxpr,
    dimensions: tuple[int, ...],
) -> list[Value]:
    operands, _ = _halves(args)
    if not dimensions:
        return operands
    scalars = [TensorType((), x.type.element) for x in operands]
    with ctx.region([*scalars, *scalars]) as body:
        ctx.return_(*ctx.inline(jaxpr, body.arguments))
    types = [type_of_aval(aval) for aval in ctx.avals_out]
    return ctx.ops("stablehlo.reduce", args, types, [body], dimensions=dimensions)


# -- samples --------------------------------------------------------------------------------------


def _sample_product(x: Any) -> Any:
    return reduce(x, np.ones((), typeof(x).dtype), lambda a, b: mul(b, a), (0, 2))


def _sample_of_pairs(x: Any, y: Any) -> Any:
    def larger(a: tuple[Any, Any], b: tuple[Any, Any]) -> tuple[Any, Any]:
        first = gt(a[0], b[0])
        return select(first, a[0], b[0]), select(first, a[1], b[1])

    lowest = np.asarray(-100).astype(typeof(x).dtype)
    zero = np.zeros((), typeof(y).dtype)
    return reduce((x, y), (lowest, zero), larger, (1,))


reduce_p.sample_call(_sample_product, Arg((2, 3, 5), 1, 2), _dtypes=("float32", "float64", "int32"))
reduce_p.sample_call(_sample_of_pairs, Arg((3, 4)), Arg((3, 4)), _dtypes=("float32", "float64"))
reduce_p.sample_call(_sample_product, Arg((2, 0, 3)), _dtypes=("float32",))
reduce_p.sample_call(_sample_product, Arg((0, 2, 3)), _dtypes=("float32",))
