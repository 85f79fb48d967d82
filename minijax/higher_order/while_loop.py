"""What is a loop whose length is known only when it ends?

``while_loop`` applies a function as long as a condition on the carried value holds. As a primitive
it has two jaxprs, the condition's and the body's, each with the values it captured as operands of
its own, followed by the carry.

Its derivative along a direction is a loop that carries the tangents too. Backwards it cannot run:
that would need the values of every iteration, and how many there are is not known when memory is
laid out. Under ``vmap`` the condition can hold for some examples and not for others; the loop then
goes on while it holds for any, and those that are done keep their values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.config import config
from minijax.core.aval import ShapedArray, typeof
from minijax.core.jaxpr import Eqn, Jaxpr, Var
from minijax.core.primitive import (
    Arg,
    AxisInfo,
    Primitive,
    Sample,
    broadcast_in_dim_p,
    instantiate,
    is_zero,
)
from minijax.core.tree import tree_structure, tree_unflatten, treedef_is_leaf
from minijax.errors import ConcretizationTypeError
from minijax.higher_order.bodies import (
    Body,
    evaluate_compiled,
    flatten_operands,
    handed_through,
    interleave,
    promote_weak_carry,
    rearranged,
    trace_body,
    with_zeros,
)
from minijax.higher_order.mismatches import check_carry
from minijax.primitives.arithmetic import add, mul
from minijax.primitives.logic import lt, select_n
from minijax.primitives.reduce import reduce_or
from minijax.stablehlo.ir import Value
from minijax.transforms.batching import batch_jaxpr, place_batch_axis, used_axes
from minijax.transforms.dce import dce_jaxpr
from minijax.transforms.evaluate import eval_jaxpr, interpret_jaxpr
from minijax.transforms.jvp import jvp_jaxpr
from minijax.transforms.lowering import LoweringContext
from minijax.transforms.staging import trace_to_jaxpr
from minijax.util import fixpoint, merge_lists, partition_list, select_where, split_list

while_p = Primitive("while", multiple_results=True, memoize=False)


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any
) -> Any:
    """Apply ``body_fun`` while ``cond_fun`` holds.

    Written out in Python::

        def while_loop(cond_fun, body_fun, init_val):
            val = init_val
            while cond_fun(val):
                val = body_fun(val)
            return val

    It is compiled to a single loop. It can be differentiated in forward mode only; where the
    number of iterations is known, use ``scan`` or ``fori_loop``.

    Parameters
    ----------
    cond_fun : callable
        From the carried value to a boolean scalar.
    body_fun : callable
        From the carried value to the next one, of the same structure, shapes and dtypes.
    init_val : pytree of array_like
        The carried value at the start.

    Returns
    -------
    pytree of Array
        The first carried value for which the condition does not hold.

    Raises
    ------
    TypeError
        If ``cond_fun`` returns no boolean scalar, or ``body_fun`` a value of another structure
        or type than it was given.

    Examples
    --------
    >>> while_loop(lambda x: x < 100, lambda x: x * 2, 3)
    Array(192, dtype=int32, weak_type=True)
    """
    return run_while(cond_fun, body_fun, init_val)


def run_while(
    cond_fun: Callable[..., Any], body_fun: Callable[..., Any], init_val: Any, owner: Any = None
) -> Any:
    """Do what :func:`while_loop` does; ``owner`` as in ``bodies.trace_body``."""
    if not (callable(cond_fun) and callable(body_fun)):
        raise TypeError("lax.while_loop: body_fun and cond_fun arguments should be callable.")
    leaves, tree = flatten_operands(init_val)
    if config.disable_jit:
        try:
            return _while_in_python(cond_fun, body_fun, init_val)
        except ConcretizationTypeError:
            pass  # the condition has no concrete value, as under vmap: the primitive must do
    in_tree = tree_structure((tree_unflatten(tree, [0] * tree.num_leaves),))
    while True:
        avals = [typeof(x) for x in leaves]
        body = trace_body(body_fun, in_tree, avals, "while_loop", owner)
        promoted = promote_weak_carry(leaves, avals, body.jaxpr.out_avals)
        if promoted is None:
            break
        leaves = promoted
    condition = trace_body(cond_fun, in_tree, avals, "while_cond", owner)
    _check_condition(condition)
    check_carry("while_loop", body_fun, tree, avals, body.out_tree, body.jaxpr.out_avals)
    jaxprs, fixed = _without_fixed_carry(condition, body, leaves)
    changing, unchanging = partition_list(fixed, leaves)
    outs = while_p.bind(
        *condition.consts, *body.consts, *unchanging, *changing,
        cond_jaxpr=jaxprs[0], cond_nconsts=len(condition.consts),
        body_jaxpr=jaxprs[1], body_nconsts=len(body.consts) + len(unchanging),
    )  # fmt: skip
    return tree_unflatten(tree, merge_lists(fixed, outs, list(map(handed_through, unchanging))))


def _while_in_python(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], value: Any
) -> Any:
    while cond_fun(value):
        value = body_fun(value)
    return value


def _check_condition(condition: Body) -> None:
    tree, avals = condition.out_tree, condition.jaxpr.out_avals
    if not treedef_is_leaf(tree):
        raise TypeError(f"cond_fun must return a boolean scalar, but got pytree {tree}.")
    if avals[0].shape or avals[0].dtype != np.bool_:
        raise TypeError(f"cond_fun must return a boolean scalar, but got output type(s) {avals}.")


def _without_fixed_carry(
    condition: Body, body: Body, leaves: list[Any]
) -> tuple[tuple[Jaxpr, Jaxpr], list[bool]]:
    """Make constants of the body from what it returns as it came, if the condition ignores it."""
    cond_jaxpr, body_jaxpr = condition.jaxpr, body.jaxpr
    cond_consts, num_consts = len(condition.consts), len(body.consts)
    read = {x for eqn in cond_jaxpr.eqns for x in eqn.invars} | set(cond_jaxpr.outvars)
    fixed = [
        before is after and in_cond not in read
        for before, after, in_cond in zip(
            body_jaxpr.invars[num_consts:],
            body_jaxpr.outvars,
            cond_jaxpr.invars[cond_consts:],
            strict=True,
        )
    ]
    changing, unchanging = partition_list(fixed, range(len(leaves)))
    in_order = [*range(num_consts), *(num_consts + i for i in [*unchanging, *changing])]
    kept = [True] * cond_consts + [not bit for bit in fixed]
    trimmed_cond = _with_invars(cond_jaxpr, select_where(kept, cond_jaxpr.invars))
    return (trimmed_cond, rearranged(body_jaxpr, in_order, changing)), fixed


def _with_invars(jaxpr: Jaxpr, invars: Sequence[Var]) -> Jaxpr:
    """Return a jaxpr with other arguments: some that it does not read dropped or added."""
    if jaxpr.invars == list(invars):
        return jaxpr

    def compute() -> Jaxpr:
        return Jaxpr(invars, jaxpr.outvars, jaxpr.eqns, jaxpr.constvars, jaxpr.consts)

    return jaxpr.remember(("invars", tuple(invars)), compute)


# -- type and value ------------------------------------------------------------------------------


@while_p.abstract
def while_abstract(*avals: Any, body_jaxpr: Jaxpr, **params: Any) -> list[Any]:
    return body_jaxpr.out_avals


@while_p.reference
def while_reference(
    *args: np.ndarray, cond_jaxpr: Jaxpr, body_jaxpr: Jaxpr, cond_nconsts: int, body_nconsts: int
) -> list[np.ndarray]:
    cond_consts, body_consts, carry = split_list(args, [cond_nconsts, body_nconsts])
    while interpret_jaxpr(cond_jaxpr, *cond_consts, *carry)[0]:
        carry = interpret_jaxpr(body_jaxpr, *body_consts, *carry)
    return carry


def while_evaluate(*args: Any, **params: Any) -> list[Any]:
    return evaluate_compiled(while_p, params["body_jaxpr"], args, params)


while_p.evaluate = while_evaluate

# -- derivatives ---------------------------------------------------------------------------------


@while_p.jvp
def while_jvp(
    primals: list,
    tangents: list,
    *,
    cond_jaxpr: Jaxpr,
    body_jaxpr: Jaxpr,
    cond_nconsts: int,
    body_nconsts: int,
) -> tuple[list, list]:
    num_carry = len(body_jaxpr.outvars)
    nonzeros = [not is_zero(t) for t in tangents[cond_nconsts:]]
    of_consts, of_init = split_list(nonzeros, [body_nconsts])

    def step(of_carry: list[bool]) -> tuple[Jaxpr, list[bool]]:
        return jvp_jaxpr(body_jaxpr, [*of_consts, *of_carry], of_carry)

    derived, of_carry = fixpoint(step, of_init)
    num_moving_consts = sum(of_consts)
    num_primals = body_nconsts + num_carry
    in_order = interleave(
        split_list(range(num_primals), [body_nconsts]),
        split_list(range(num_primals, len(derived.invars)), [num_moving_consts]),
    )
    body = rearranged(derived, in_order, range(len(derived.outvars)))
    tangent_avals = [aval.tangent() for aval in select_where(of_carry, body_jaxpr.out_avals)]
    moving = [
        instantiate(t) for t in select_where([*of_consts, *of_carry], tangents[cond_nconsts:])
    ]
    cond_consts, consts, carry = split_list(primals, [cond_nconsts, body_nconsts])
    const_ts, carry_ts = split_list(moving, [num_moving_consts])
    outs = while_p.bind(
        *cond_consts, *consts, *const_ts, *carry, *carry_ts,
        cond_jaxpr=_ignoring(cond_jaxpr, tangent_avals), cond_nconsts=cond_nconsts,
        body_jaxpr=body, body_nconsts=body_nconsts + num_moving_consts,
    )  # fmt: skip
    results, moved = split_list(outs, [num_carry])
    return results, with_zeros(of_carry, moved, [typeof(x) for x in results])


def _ignoring(jaxpr: Jaxpr, avals: Sequence[ShapedArray]) -> Jaxpr:
    """Return a jaxpr that takes further arguments and does not read them."""

    def compute() -> Jaxpr:
        further = [Var(aval) for aval in avals]
        return Jaxpr([*jaxpr.invars, *further], jaxpr.outvars, jaxpr.eqns, jaxpr.constvars,
                     jaxpr.consts)  # fmt: skip

    return jaxpr.remember(("ignoring", tuple(avals)), compute)


@while_p.linearize
def while_linearize(
    nonzeros: list[bool], *primals: Any, **params: Any
) -> tuple[list, Callable[..., list]]:
    outs = while_p.bind(*primals, **params)

    def tangent_fun(*tangents: Any) -> list:
        # Nothing is kept of the iterations: the derivative runs the loop once more.
        return while_jvp(list(primals), list(tangents), **params)[1]

    return outs, tangent_fun


@while_p.transpose
def while_transpose(cts: list, *args: Any, **params: Any) -> list:
    raise ValueError(
        "Reverse-mode differentiation does not work for lax.while_loop or lax.fori_loop with "
        "dynamic start/stop values. Try using lax.scan, or using fori_loop with static "
        "start/stop."
    )


# -- vectorisation -------------------------------------------------------------------------------


@while_p.batch
def while_batch(
    axis: AxisInfo,
    args: list,
    dims: list,
    *,
    cond_jaxpr: Jaxpr,
    body_jaxpr: Jaxpr,
    cond_nconsts: int,
    body_nconsts: int,
) -> tuple[list, list]:
    batched = [dim is not None for dim in dims]
    of_cond, of_consts, of_init = split_list(batched, [cond_nconsts, body_nconsts])

    def step(of_carry: list[bool]) -> tuple[Jaxpr, list[bool]]:
        return batch_jaxpr(body_jaxpr, axis, [*of_consts, *of_carry], of_carry)

    body, of_carry = fixpoint(step, of_init)
    condition, (differs,) = batch_jaxpr(cond_jaxpr, axis, [*of_cond, *of_carry], [False])
    if differs:
        of_carry = [True] * len(of_carry)
        body, _ = step(of_carry)
        condition, _ = batch_jaxpr(cond_jaxpr, axis, [*of_cond, *of_carry], [True])
    moved = [
        place_batch_axis(x, dim, axis.size) if bit else x
        for x, dim, bit in zip(args, dims, [*of_cond, *of_consts, *of_carry], strict=True)
    ]
    bind = _bind_masked if differs else while_p.bind
    outs = bind(
        *moved, cond_jaxpr=condition, cond_nconsts=cond_nconsts,
        body_jaxpr=body, body_nconsts=body_nconsts,
    )  # fmt: skip
    return outs, [0 if bit else None for bit in of_carry]


def _bind_masked(
    *args: Any, cond_jaxpr: Jaxpr, body_jaxpr: Jaxpr, cond_nconsts: int, body_nconsts: int
) -> list[Any]:
    """Apply a loop whose condition is a vector, one entry for each example.

    The vector is carried along, so that the condition is computed once in an iteration. Where it
    does not hold, the body's results are thrown away and all carries keep their values.
    """
    cond_consts, _, carry = split_list(args, [cond_nconsts, body_nconsts])
    (goes_on,) = eval_jaxpr(cond_jaxpr, *cond_consts, *carry)

    def masked_body(*xs: Any) -> list[Any]:
        cond_consts, consts, (goes_on,), carry = split_list(xs, [cond_nconsts, body_nconsts, 1])
        proposed = eval_jaxpr(body_jaxpr, *consts, *carry)
        carry = [
            y if x is y else _where(goes_on, x, y) for x, y in zip(proposed, carry, strict=True)
        ]
        return [*eval_jaxpr(cond_jaxpr, *cond_consts, *carry), *carry]

    def any_goes_on(goes_on: Any, *carry: Any) -> list[Any]:
        return [reduce_or(goes_on, (0,))]

    def compute() -> tuple[Jaxpr, Jaxpr]:
        carry_avals = [typeof(goes_on), *body_jaxpr.in_avals[body_nconsts:]]
        const_avals = [*cond_jaxpr.in_avals[:cond_nconsts], *body_jaxpr.in_avals[:body_nconsts]]
        return (
            trace_to_jaxpr(any_goes_on, carry_avals, cond_jaxpr.debug_info),
            trace_to_jaxpr(masked_body, [*const_avals, *carry_avals], body_jaxpr.debug_info),
        )

    condition, body = body_jaxpr.remember(("masked", cond_jaxpr), compute)
    consts = args[: cond_nconsts + body_nconsts]
    return while_p.bind(
        *consts, goes_on, *carry,
        cond_jaxpr=condition, cond_nconsts=0, body_jaxpr=body, body_nconsts=len(consts),
    )[1:]  # fmt: skip


def _where(predicate: Any, x: Any, y: Any) -> Any:
    """Choose among examples: ``predicate`` has one entry for each, ``x`` and ``y`` an array."""
    shape = typeof(x).shape
    if len(shape) > 1:
        predicate = broadcast_in_dim_p.bind(
            predicate, shape=shape, broadcast_dimensions=(0,), sharding=None
        )
    return select_n(predicate, y, x)


# -- lowering ------------------------------------------------------------------------------------


@while_p.lower
def while_lower(
    ctx: LoweringContext,
    *args: Value,
    cond_jaxpr: Jaxpr,
    body_jaxpr: Jaxpr,
    cond_nconsts: int,
    body_nconsts: int,
) -> list[Value]:
    types = [v.type for v in args]
    sizes = [cond_nconsts, body_nconsts]
    with ctx.region(types) as condition:
        cond_consts, _, carry = split_list(condition.arguments, sizes)
        ctx.return_(*ctx.inline(cond_jaxpr, [*cond_consts, *carry]))
    with ctx.region(types) as body:
        cond_consts, consts, carry = split_list(body.arguments, sizes)
        ctx.return_(*cond_consts, *consts, *ctx.inline(body_jaxpr, [*consts, *carry]))
    outs = ctx.ops("stablehlo.while", args, types, [condition, body])
    return outs[cond_nconsts + body_nconsts :]


# -- dead code, effects, named axes --------------------------------------------------------------


def while_dce(used: list[bool], eqn: Eqn) -> tuple[list[bool], Eqn | None]:
    cond_jaxpr, body_jaxpr = eqn.params["cond_jaxpr"], eqn.params["body_jaxpr"]
    cond_nconsts, body_nconsts = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    if not any(used) and not eqn.effects:
        return [False] * len(eqn.invars), None
    _, used_in_cond = dce_jaxpr(cond_jaxpr, [True])
    needed = [a or b for a, b in zip(used, used_in_cond[cond_nconsts:], strict=True)]

    def step(used_carry: list[bool]) -> tuple[tuple[Jaxpr, list[bool]], list[bool]]:
        kept = [*[False] * body_nconsts, *used_carry]
        pruned, used_in = dce_jaxpr(body_jaxpr, used_carry, instantiate=kept)
        return (pruned, used_in), used_in[body_nconsts:]

    (pruned, used_in_body), used_carry = fixpoint(step, needed)
    used_cond_consts = used_in_cond[:cond_nconsts]
    used_in = [*used_cond_consts, *used_in_body]
    if all(used_in):
        return used_in, eqn
    kept = select_where([*used_cond_consts, *used_carry], cond_jaxpr.invars)
    params = {
        "cond_jaxpr": _with_invars(cond_jaxpr, kept),
        "cond_nconsts": sum(used_cond_consts),
        "body_jaxpr": pruned,
        "body_nconsts": sum(used_in_body[:body_nconsts]),
    }
    return used_in, eqn.replace(
        invars=select_where(used_in, eqn.invars),
        outvars=select_where(used_carry, eqn.outvars),
        params=params,
    )


while_p.dce = while_dce
while_p.effects = lambda *avals, cond_jaxpr, body_jaxpr, **params: (
    cond_jaxpr.effects | body_jaxpr.effects
)
while_p.named_axes = lambda *, cond_jaxpr, body_jaxpr, **params: (
    *used_axes(cond_jaxpr),
    *used_axes(body_jaxpr),
)

# -- samples -------------------------------------------------------------------------------------


def _multiplied_five_times(x: Any, factor: Any) -> Any:
    return while_loop(lambda c: lt(c[0], 5), lambda c: (add(c[0], 1), mul(c[1], factor)), (0, x))[1]


# Not "smooth": that asks the checker of rules for a transpose, which there is none of.
while_p.samples.append(Sample((Arg((3,)), Arg(())), fun=_multiplied_five_times, smooth=False))
