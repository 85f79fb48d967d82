"""How does a user's loop body or branch become a jaxpr, and what do all such jaxprs share?

Loops and branches take Python functions of pytrees; their primitives take jaxprs whose captured
values are leading operands. This module traces the one into the other, and remembers the result
with the function, so that a loop called again is neither traced nor compiled again. A function
that captured a tracer is traced each time: the tracer's scope will have ended at the next call.

The rest are small operations on jaxprs that the rules of scan, while and cond have in common.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minijax.config import config
from minijax.core import dtypes
from minijax.core.array import Array
from minijax.core.aval import ShapedArray, is_array_like, typeof
from minijax.core.backend import default_device
from minijax.core.jaxpr import Jaxpr, Var
from minijax.core.primitive import Primitive, Zero
from minijax.core.trace import Tracer, axis_env
from minijax.core.tree import PyTreeDef, tree_flatten, tree_unflatten
from minijax.primitives.conversion import convert
from minijax.transforms.dispatch import run_jaxpr, to_array
from minijax.transforms.flat import FlatFunction, debug_info, describe_function
from minijax.transforms.staging import trace_closed, trace_to_jaxpr
from minijax.util import merge_lists

# -- tracing --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Body:
    """A traced function: ``jaxpr`` takes ``consts``, the values it captured, before its arguments.

    ``out_tree`` is the structure of the function's result.
    """

    jaxpr: Jaxpr
    consts: list[Any]
    out_tree: PyTreeDef


_bodies: weakref.WeakKeyDictionary[Any, dict[Any, Body]] = weakref.WeakKeyDictionary()


def trace_body(
    fun: Callable[..., Any],
    in_tree: PyTreeDef,
    avals: Sequence[ShapedArray],
    what: str,
    owner: Any = None,
) -> Body:
    """Write down a function of pytrees as a jaxpr without constants.

    Parameters
    ----------
    fun : callable
    in_tree : PyTreeDef
        Structure of the tuple of arguments.
    avals : list of ShapedArray
        Types of the leaves.
    what : str
        The operation that the function is traced for, as messages call it.
    owner : hashable, optional
        What ``fun`` is made of: the user's function, or several, where ``fun`` itself is a
        wrapper made for this call. The traced body is remembered with it.
    """
    source: Any = fun if owner is None else owner
    owners: tuple = source if type(source) is tuple else (source,)
    key = (
        what, getattr(fun, "__qualname__", None), owners[1:], in_tree, tuple(avals),
        config.trace_key(), axis_env(),
    )  # fmt: skip
    cache = _cache_of(owners[0])
    found = cache.get(key)
    if found is not None:
        return found
    flat = FlatFunction(
        fun, in_tree, f"{describe_function(owners[0])} traced for {what}", has_kwargs=False
    )
    info = debug_info(what, fun, tree_unflatten(in_tree, avals))
    body = Body(*trace_closed(flat, avals, info), flat.out_tree)
    if not any(isinstance(const, Tracer) for const in body.consts):
        cache[key] = body
    return body


def _cache_of(owner: Any) -> dict[Any, Body]:
    try:
        return _bodies.setdefault(owner, {})
    except TypeError:  # a callable without hash or weak references
        return {}


def flatten_operands(tree: Any) -> tuple[list[Any], PyTreeDef]:
    """Flatten operands; what is not an array is refused by name.

    Raises
    ------
    TypeError
    """
    leaves, treedef = tree_flatten(tree)
    return [_operand(x) for x in leaves], treedef


def _operand(x: Any) -> Any:
    if isinstance(x, (Array, np.ndarray, np.generic, bool, int, float, complex)):
        return x
    if is_array_like(x):
        return x.__jax_array__()
    raise TypeError(f"Argument {x!r} of type {type(x)} is not a valid JAX type")


def promote_weak_carry(
    leaves: Sequence[Any], avals_in: Sequence[ShapedArray], avals_out: Sequence[ShapedArray]
) -> list[Any] | None:
    """Convert weakly typed initial values that the body gives another dtype; None if none are.

    ``scan(lambda c, x: (c + x, None), 0, floats)`` begins with an integer zero that is meant as
    a float.
    """
    if len(avals_in) != len(avals_out):
        return None  # the structures differ: the caller says so
    promoted = list(leaves)
    for i, (given, returned) in enumerate(zip(avals_in, avals_out, strict=True)):
        if given.weak_type and (given.shape, given.dtype) != (returned.shape, returned.dtype):
            promoted[i] = convert(leaves[i], dtypes.result_type(leaves[i], returned))
    if all(new is old for new, old in zip(promoted, leaves, strict=True)):
        return None
    return promoted


def handed_through(x: Any) -> Any:
    """Return an operand as a result: NumPy values and Python scalars become arrays."""
    return x if isinstance(x, Array) else to_array(x, typeof(x), default_device())


# -- operations on jaxprs ----------------------------------------------------------------------


def rearranged(jaxpr: Jaxpr, in_order: Sequence[int], out_order: Sequence[int]) -> Jaxpr:
    """Return a jaxpr with its arguments and results in another order.

    Results may be left out or repeated; every argument must be listed once.
    """

    def compute() -> Jaxpr:
        info = replace(jaxpr.debug_info, arg_names=())
        return Jaxpr(
            [jaxpr.invars[i] for i in in_order],
            [jaxpr.outvars[i] for i in out_order],
            jaxpr.eqns,
            jaxpr.constvars,
            jaxpr.consts,
            info,
        )

    if list(in_order) == list(range(len(jaxpr.invars))) and list(out_order) == list(
        range(len(jaxpr.outvars))
    ):
        return jaxpr
    return jaxpr.remember(("rearranged", tuple(in_order), tuple(out_order)), compute)


def interleave(first: Sequence[Sequence[Any]], second: Sequence[Sequence[Any]]) -> list[Any]:
    """Merge groups pairwise: the consts of both, then the carries of both, and so on.

    >>> interleave([[1], [2, 3]], [[10], [20]])
    [1, 10, 2, 3, 20]
    """
    return [x for pair in zip(first, second, strict=True) for group in pair for x in group]


def depends_on(jaxpr: Jaxpr, inputs: Sequence[bool]) -> list[bool]:
    """Tell which results are reached from some of the arguments."""
    reached = {var for var, bit in zip(jaxpr.invars, inputs, strict=True) if bit}
    for eqn in jaxpr.eqns:
        if any(isinstance(x, Var) and x in reached for x in eqn.invars):
            reached.update(eqn.outvars)
    return [isinstance(x, Var) and x in reached for x in jaxpr.outvars]


def with_zeros(
    nonzeros: Sequence[bool], tangents: Sequence[Any], avals: Sequence[ShapedArray]
) -> list[Any]:
    """Put symbolic zeros between tangents: one for each result that has none."""
    zeros = [Zero(aval.tangent()) for aval, bit in zip(avals, nonzeros, strict=True) if not bit]
    return merge_lists(nonzeros, zeros, tangents)


def evaluate_compiled(
    primitive: Primitive, jaxpr: Jaxpr, args: Sequence[Any], params: dict[str, Any]
) -> list[Any]:
    """Run one loop on concrete operands: compiled on their device, once for their types.

    The compiled program is remembered with ``jaxpr``, the body of the loop.
    """
    avals = tuple(typeof(x) for x in args)

    def compute() -> Jaxpr:
        return trace_to_jaxpr(lambda *xs: primitive.bind(*xs, **params), avals)

    key = ("eager", primitive, avals, tuple(sorted(params.items(), key=lambda item: item[0])))
    return run_jaxpr(jaxpr.remember(key, compute), primitive.name, *args)
