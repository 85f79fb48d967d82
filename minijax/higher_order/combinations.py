"""How does a user's function of two elements combine many?

``reduce`` and ``reduce_window`` take a function that combines two elements, or two tuples of them.
It is traced once on scalars to a jaxpr; applied to arrays, its equations run for all elements at
once (:func:`combine_arrays`). Where the function is one that the library knows, with the value
that changes nothing to begin from, a primitive of its own does the work (:func:`is_monoid`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core.aval import ShapedArray, typeof
from minijax.core.jaxpr import Jaxpr
from minijax.core.primitive import AxisInfo
from minijax.core.trace import Tracer
from minijax.core.tree import PyTreeDef, tree_structure, tree_unflatten
from minijax.higher_order.bodies import flatten_operands, trace_body, with_zeros
from minijax.primitives.broadcasting import batch_axis_at
from minijax.primitives.monoids import Monoid
from minijax.primitives.operands import move_axis
from minijax.primitives.structural import reshape
from minijax.transforms.batching import batch_jaxpr
from minijax.transforms.evaluate import eval_jaxpr
from minijax.transforms.jvp import jvp_jaxpr
from minijax.util import select_where, split_list


def flatten_pair(operands: Any, init_values: Any) -> tuple[list[Any], list[Any], PyTreeDef]:
    """Flatten what is reduced and where it begins: pytrees of one structure.

    Raises
    ------
    ValueError
        If the structures differ.
    """
    leaves, tree = flatten_operands(operands)
    inits, init_tree = flatten_operands(init_values)
    if tree != init_tree:
        raise ValueError(
            f"Operands must have the same tree structure as init_values: {tree} vs. {init_tree}"
        )
    return leaves, inits, tree


def trace_combination(
    what: str, computation: Callable[..., Any], tree: PyTreeDef, inits: Sequence[Any]
) -> tuple[Jaxpr, PyTreeDef]:
    """Trace a function of two elements of the types of ``inits``.

    Raises
    ------
    NotImplementedError
        If the function depends on a value that is being traced.
    TypeError
        If it does not return what it takes.
    """
    scalars = [ShapedArray((), typeof(x).dtype) for x in inits]
    element = tree_unflatten(tree, scalars)
    body = trace_body(computation, tree_structure((element, element)), scalars * 2, what)
    if any(isinstance(x, Tracer) for x in body.consts):
        raise NotImplementedError(
            "Reduction computations can't close over Tracers. Pass the value as an operand."
        )
    returned = [(aval.shape, aval.dtype) for aval in body.jaxpr.out_avals]
    if returned != [(aval.shape, aval.dtype) for aval in scalars]:
        listed = ", ".join(aval.str_short() for aval in body.jaxpr.out_avals)
        expected = ", ".join(aval.str_short() for aval in scalars)
        raise TypeError(
            f"{what}: the computation must return scalars of the types of its operands, "
            f"{expected}, got {listed}."
        )
    return _with_constants(body.jaxpr, body.consts), body.out_tree


def _with_constants(jaxpr: Jaxpr, consts: Sequence[Any]) -> Jaxpr:
    """Return a jaxpr that holds the values of its leading arguments."""
    if not consts:
        return jaxpr
    captured, arguments = split_list(jaxpr.invars, [len(consts)])
    return Jaxpr(arguments, jaxpr.outvars, jaxpr.eqns, captured, list(consts), jaxpr.debug_info)


def is_monoid(monoid: Monoid, inits: Sequence[Any]) -> bool:
    """Tell whether a reduction of one operand begins with what changes nothing."""
    if len(inits) != 1 or isinstance(inits[0], Tracer) or typeof(inits[0]).shape:
        return False
    start = np.asarray(inits[0])
    return bool(np.equal(start, monoid.start(start.dtype)))


def check_inits(what: str, operands: Sequence[ShapedArray], inits: Sequence[ShapedArray]) -> None:
    """Refuse operands of different shapes and initial values that are no scalars."""
    if not operands:
        raise ValueError(f"{what} must have at least one operand.")
    if any(x.shape != operands[0].shape for x in operands):
        shapes = [x.shape for x in operands]
        raise ValueError(f"{what} operands must all have the same shape, got {shapes}.")


def combine_arrays(jaxpr: Jaxpr, xs: Sequence[Any], ys: Sequence[Any]) -> list[Any]:
    """Combine arrays of one shape, element by element."""
    shape = typeof(xs[0]).shape
    if not shape:
        return eval_jaxpr(jaxpr, *xs, *ys)
    size = math.prod(shape)
    if not size:
        return list(ys)
    batched = [True] * (2 * len(xs))
    vectorized, _ = batch_jaxpr(jaxpr, AxisInfo(None, size), batched, [True] * len(xs))
    outs = eval_jaxpr(vectorized, *(reshape(x, (size,)) for x in (*xs, *ys)))
    return [reshape(out, shape) for out in outs]


def jvp_of_program(
    program: Jaxpr, primals: Sequence[Any], tangents: Sequence[Any], nonzeros: list[bool]
) -> tuple[list[Any], list[Any]]:
    """Differentiate the program that a reduction stands for."""
    derived, nonzeros_out = jvp_jaxpr(program, nonzeros, [False] * len(program.outvars))
    results = eval_jaxpr(derived, *primals, *select_where(nonzeros, tangents))
    outs, moved = split_list(results, [len(program.outvars)])
    return outs, with_zeros(nonzeros_out, moved, [typeof(x) for x in outs])


def halves(values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Split the operands of a reduction from its initial values."""
    first, second = split_list(values, [len(values) // 2])
    return first, second


def batch_reduction(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int | None],
    reduce_with_axis: Callable[..., list[Any]],
    make_program: Callable[[Sequence[ShapedArray]], Jaxpr],
) -> tuple[list[Any], list[int]]:
    """Vectorize a reduction.

    ``reduce_with_axis`` reduces operands that have the batch axis in front. But all results of an
    operation begin with one initial value: where that is batched too, the steps of the program are
    taken singly.
    """
    operand_dims, init_dims = halves(dims)
    if all(d is None for d in init_dims):
        operands, inits = halves(args)
        moved = [
            batch_axis_at(x, d, 0, axis.size) for x, d in zip(operands, operand_dims, strict=True)
        ]
        return reduce_with_axis(*moved, *inits), [0] * len(moved)
    batched = [d is not None for d in dims]
    xs = [x if d is None else move_axis(x, d, 0) for x, d in zip(args, dims, strict=True)]
    avals = [
        aval.update(shape=aval.shape[1:]) if bit else aval
        for aval, bit in zip(map(typeof, xs), batched, strict=True)
    ]
    program = make_program(avals)
    derived, _ = batch_jaxpr(program, axis, batched, [True] * len(program.outvars))
    return eval_jaxpr(derived, *xs), [0] * len(program.outvars)
