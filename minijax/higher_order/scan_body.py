"""How does the function given to scan become the body of a loop?

The lengths of the inputs must agree, the function must return a pair, and the carry must come out
with the type that it went in with. What the body only hands through is then taken out of the
loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minijax.core.aval import ShapedArray, typeof
from minijax.core.jaxpr import Jaxpr
from minijax.core.trace import Tracer
from minijax.core.tree import (
    PyTreeDef,
    tree_flatten,
    tree_structure,
    tree_unflatten,
    treedef_children,
)
from minijax.errors import ConcretizationTypeError
from minijax.higher_order.bodies import (
    Body,
    promote_weak_carry,
    rearranged,
    trace_body,
)
from minijax.higher_order.mismatches import check_carry
from minijax.primitives.broadcasting import expand_dims
from minijax.primitives.cutting import slice_in_dim
from minijax.primitives.joining import concatenate
from minijax.primitives.structural import squeeze
from minijax.util import partition_list, split_list


def scan_length(xs: Sequence[Any], length: Any) -> int:
    """Return the number of iterations; ValueError if lengths disagree or are missing."""
    avals = [typeof(x) for x in xs]
    if any(not aval.shape for aval in avals):
        scalars = ", ".join(aval.str_short() for aval in avals if not aval.shape)
        raise ValueError(f"scan got value with no leading axis to scan over: {scalars}.")
    sizes = sorted({aval.shape[0] for aval in avals})
    if length is not None:
        length = _concrete_length(length)
        if any(size != length for size in sizes):
            raise ValueError(
                f"scan got `length` argument of {length} which disagrees with leading axis sizes "
                f"{[aval.shape[0] for aval in avals]}."
            )
        return length
    if len(sizes) > 1:
        listed = ", ".join(str(aval.shape[0]) for aval in avals)
        raise ValueError(f"scan got values with different leading axis sizes: {listed}.")
    if not sizes:
        raise ValueError("scan got no values to scan over and `length` not provided.")
    return sizes[0]


def _concrete_length(length: Any) -> int:
    if isinstance(length, Tracer) and length.concrete_value() is None:
        raise ConcretizationTypeError(
            length,
            "The `length` argument to `scan` expects a concrete `int` value. For scan-like "
            "iteration with a dynamic length, use `while_loop` or `fori_loop`.",
        )
    if int(length) < 0:
        raise ValueError(f"scan got a negative `length` of {length}.")
    return int(length)


def checked_unroll(unroll: Any, length: int) -> int:
    """Return the number of iterations to write out in one turn."""
    if isinstance(unroll, bool):
        return max(length, 1) if unroll else 1
    if not isinstance(unroll, (int, np.integer)) or unroll < 0:
        raise ValueError("`unroll` must be a `bool` or a non-negative `int`.")
    return int(unroll)


def trace_scan_body(
    f: Callable[..., Any],
    leaves: list[Any],
    init_tree: PyTreeDef,
    xs: list[Any],
    xs_tree: PyTreeDef,
    owner: Any,
) -> tuple[Body, list[Any], PyTreeDef]:
    """Return the traced body, the initial carry (promoted if need be), and the tree of ys."""
    x_avals = [typeof(x).update(shape=typeof(x).shape[1:]) for x in xs]
    in_tree = tree_structure(
        (
            tree_unflatten(init_tree, [0] * init_tree.num_leaves),
            tree_unflatten(xs_tree, [0] * xs_tree.num_leaves),
        )
    )
    while True:
        avals = [typeof(x) for x in leaves]
        body = trace_body(f, in_tree, [*avals, *x_avals], "scan", owner)
        out_avals = body.jaxpr.out_avals
        children = treedef_children(body.out_tree)
        if len(children) != 2:
            returned = tree_unflatten(body.out_tree, out_avals)
            shown = returned.str_short() if isinstance(returned, ShapedArray) else returned
            raise TypeError(f"scan body output must be a pair, got {shown}.")
        carry_tree, ys_tree = children
        avals_out = out_avals[: carry_tree.num_leaves]
        promoted = promote_weak_carry(leaves, avals, avals_out)
        if promoted is None:
            check_carry("scan", f, init_tree, avals, carry_tree, avals_out)
            return body, leaves, ys_tree
        leaves = promoted


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A body that computes only what changes.

    ``carry_source`` and ``ys_source`` have an entry for each part of the final carry and of the
    outputs: the initial carry or the input that it is, or None if the loop computes it.
    """

    jaxpr: Jaxpr
    carry_source: list[int | None]
    ys_source: list[int | None]


def forwarding(body: Body, leaves: list[Any]) -> tuple[Forwarding, tuple[list[Any], list[Any]]]:
    """Take out of the loop what it only hands through; returns its consts and carry too.

    A carry that the body returns as it came is a constant; an output that is a slice of an input
    is that input.
    """
    jaxpr = body.jaxpr
    num_consts, num_carry = len(body.consts), len(leaves)
    _, carry_in, xs_in = split_list(jaxpr.invars, [num_consts, num_carry])
    carry_out, ys_out = split_list(jaxpr.outvars, [num_carry])
    fixed = [var is atom for var, atom in zip(carry_in, carry_out, strict=True)]
    position = {var: i for i, var in enumerate(xs_in)}
    carry_source = [i if bit else None for i, bit in enumerate(fixed)]
    ys_source = [position.get(atom) for atom in ys_out]  # type: ignore[arg-type]
    moving, still = partition_list(fixed, range(num_carry))
    in_order = [
        *range(num_consts),
        *(num_consts + i for i in [*still, *moving]),
        *range(num_consts + num_carry, len(jaxpr.invars)),
    ]
    kept_ys = [num_carry + i for i, source in enumerate(ys_source) if source is None]
    trimmed = rearranged(jaxpr, in_order, [*moving, *kept_ys])
    changing, unchanging = partition_list(fixed, leaves)
    plan = Forwarding(trimmed, carry_source, ys_source)
    return plan, ([*body.consts, *unchanging], changing)


def scan_in_python(
    f: Callable[..., Any], init: Any, xs: list[Any], xs_tree: PyTreeDef, length: int, reverse: bool
) -> tuple[Any, Any]:
    """Run the loop in Python, as ``jax_disable_jit`` asks for."""
    if length == 0:
        raise ValueError(
            "zero-length scan is not supported in disable_jit() mode because the output type is "
            "unknown."
        )
    carry, rows, ys_tree = init, [], None
    for i in reversed(range(length)) if reverse else range(length):
        x = tree_unflatten(xs_tree, [squeeze(slice_in_dim(v, i, i + 1), (0,)) for v in xs])
        carry, y = f(carry, x)
        row, ys_tree = tree_flatten(y)
        rows.append(row)
    if reverse:
        rows.reverse()
    ys = [
        concatenate([expand_dims(y, (0,)) for y in column], 0) for column in zip(*rows, strict=True)
    ]
    return carry, tree_unflatten(ys_tree, ys)  # type: ignore[arg-type]
