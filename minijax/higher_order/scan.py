"""What is a loop of known length?

``scan`` applies a function again and again: it carries a value from each iteration to the next,
takes one slice of the inputs and yields one slice of the outputs. As a primitive its parameter is
the jaxpr of one iteration, so that transforming the loop means transforming the body: the
derivative of a loop is a loop, and so is its transpose, which runs backwards.

Operands and results come in groups: first the values that the body captured (*consts*, the same
in every iteration), then the *carry*, then the scanned inputs (*xs*), stacked along their first
axis. The body takes them in this order, with one slice of the xs, and returns the new carry and
one slice of the outputs (*ys*).

What makes the rules more than one line is the carry. In the body it can acquire what it did not
have at the start, a tangent or a batch axis, and so the body is transformed until the carry comes
out as it went in (:func:`minijax.util.fixpoint`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.config import config
from minijax.core.array import storage_dtype
from minijax.core.aval import ShapedArray, typeof
from minijax.core.jaxpr import Eqn, Jaxpr
from minijax.core.primitive import (
    Arg,
    AxisInfo,
    Primitive,
    UndefinedPrimal,
    Zero,
    instantiate,
    is_undefined_primal,
    is_zero,
)
from minijax.core.tree import (
    tree_unflatten,
)
from minijax.higher_order.bodies import (
    depends_on,
    evaluate_compiled,
    flatten_operands,
    handed_through,
    interleave,
    with_zeros,
)
from minijax.higher_order.scan_body import (
    checked_unroll,
    forwarding,
    scan_in_python,
    scan_length,
    trace_scan_body,
)
from minijax.higher_order.scan_derivatives import (
    split_scan_body,
    transposed_body,
    with_tangents_in_groups,
)
from minijax.higher_order.scan_lowering import lower_scan
from minijax.primitives.arithmetic import add, mul
from minijax.primitives.elementwise import sin
from minijax.stablehlo.ir import Value
from minijax.transforms.batching import batch_jaxpr, place_batch_axis, used_axes
from minijax.transforms.dce import dce_jaxpr
from minijax.transforms.evaluate import eval_jaxpr, interpret_jaxpr
from minijax.transforms.jvp import jvp_jaxpr
from minijax.transforms.lowering import LoweringContext
from minijax.transforms.staging import trace_to_jaxpr
from minijax.transforms.transpose import backward_pass
from minijax.util import fixpoint, merge_lists, partition_list, select_where, split_list

scan_p = Primitive("scan", multiple_results=True, memoize=False)
scan_p.print_rule = lambda eqn, shown: {k: v for k, v in shown.items() if k != "_split_transpose"}


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    _split_transpose: bool = False,
) -> tuple[Any, Any]:
    """Loop over the first axis of arrays while carrying state along.

    Written out in Python::

        def scan(f, init, xs):
            carry, ys = init, []
            for x in xs:
                carry, y = f(carry, x)
                ys.append(y)
            return carry, stack(ys)

    It is compiled to a single loop, whatever the length, and can be differentiated in both modes.

    Parameters
    ----------
    f : callable
        From the carry and one slice of ``xs`` to the next carry and one slice of the outputs. The
        carry keeps its structure, shapes and dtypes.
    init : pytree of array_like
        The carry at the start.
    xs : pytree of array_like, optional
        Inputs; all have the same first axis, along which they are sliced. None scans over nothing,
        ``length`` times.
    length : int, optional
        Number of iterations, where ``xs`` does not tell it.
    reverse : bool
        Run from the last slice to the first. Outputs stand where their inputs stood.
    unroll : int or bool
        Iterations to write out in one turn of the compiled loop; True writes out all.

    Returns
    -------
    carry : pytree of Array
        The carry after the last iteration.
    ys : pytree of Array
        The outputs of all iterations, stacked along a new first axis.

    Raises
    ------
    TypeError
        If ``f`` returns no pair, or a carry of another structure or type than it was given.
    ValueError
        If lengths disagree or are missing.

    Examples
    --------
    >>> scan(lambda total, x: (total + x, total), 0, np.arange(1, 5))
    (Array(10, dtype=int32), Array([0, 1, 3, 6], dtype=int32, weak_type=True))
    """
    return run_scan(f, init, xs, length, reverse, unroll, _split_transpose)


def run_scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any,
    length: int | None,
    reverse: bool = False,
    unroll: int | bool = 1,
    split_transpose: bool = False,
    owner: Any = None,
) -> tuple[Any, Any]:
    """Do what :func:`scan` does; ``owner`` as in :func:`minijax.higher_order.bodies.trace_body`."""
    if not callable(f):
        raise TypeError("lax.scan: f argument should be a callable.")
    leaves, init_tree = flatten_operands(init)
    xs_leaves, xs_tree = flatten_operands(xs)
    length = scan_length(xs_leaves, length)
    unroll = checked_unroll(unroll, length)
    if config.disable_jit:
        return scan_in_python(f, init, xs_leaves, xs_tree, length, reverse)
    body, leaves, ys_tree = trace_scan_body(f, leaves, init_tree, xs_leaves, xs_tree, owner)
    plan, (consts, carry) = forwarding(body, leaves)
    outs = scan_p.bind(
        *consts, *carry, *xs_leaves, jaxpr=plan.jaxpr, length=length, reverse=reverse,
        unroll=unroll, num_consts=len(consts), num_carry=len(carry),
        _split_transpose=split_transpose,
    )  # fmt: skip
    computed = iter(outs)
    final = [next(computed) if i is None else handed_through(leaves[i]) for i in plan.carry_source]
    ys = [next(computed) if i is None else handed_through(xs_leaves[i]) for i in plan.ys_source]
    return tree_unflatten(init_tree, final), tree_unflatten(ys_tree, ys)


def _with_axis(aval: ShapedArray, length: int) -> ShapedArray:
    return aval.update(shape=(length, *aval.shape))


# -- type and value ------------------------------------------------------------------------------


@scan_p.abstract
def scan_abstract(
    *avals: Any, jaxpr: Jaxpr, length: int, num_carry: int, **params: Any
) -> list[Any]:
    carry, ys = split_list(jaxpr.out_avals, [num_carry])
    return [*carry, *(_with_axis(aval, length) for aval in ys)]


@scan_p.reference
def scan_reference(
    *args: np.ndarray,
    jaxpr: Jaxpr,
    length: int,
    reverse: bool,
    num_consts: int,
    num_carry: int,
    **params: Any,
) -> list[np.ndarray]:
    consts, carry, xs = split_list(args, [num_consts, num_carry])
    ys = [
        np.empty((length, *aval.shape), storage_dtype(aval.dtype))
        for aval in jaxpr.out_avals[num_carry:]
    ]
    for i in reversed(range(length)) if reverse else range(length):
        outs = interpret_jaxpr(jaxpr, *consts, *carry, *(np.asarray(x[i]) for x in xs))
        carry, row = split_list(outs, [num_carry])
        for y, value in zip(ys, row, strict=True):
            y[i] = value
    return [*carry, *ys]


def scan_evaluate(*args: Any, **params: Any) -> list[Any]:
    return evaluate_compiled(scan_p, params["jaxpr"], args, params)


scan_p.evaluate = scan_evaluate

# -- derivatives ---------------------------------------------------------------------------------


@scan_p.jvp
def scan_jvp(
    primals: list, tangents: list, *, jaxpr: Jaxpr, num_consts: int, num_carry: int, **params: Any
) -> tuple[list, list]:
    sizes = [num_consts, num_carry]
    num_ys = len(jaxpr.outvars) - num_carry
    nonzeros = [not is_zero(t) for t in tangents]
    of_consts, of_init, of_xs = split_list(nonzeros, sizes)

    def step(of_carry: list[bool]) -> tuple[tuple[Jaxpr, list[bool]], list[bool]]:
        derived, nonzeros_out = jvp_jaxpr(
            jaxpr, [*of_consts, *of_carry, *of_xs], [*of_carry, *[False] * num_ys]
        )
        return (derived, nonzeros_out), nonzeros_out[:num_carry]

    (derived, nonzeros_out), of_carry = fixpoint(step, of_init)
    nonzeros = [*of_consts, *of_carry, *of_xs]
    moving = [instantiate(t) for t in select_where(nonzeros, tangents)]
    moving_sizes = [sum(of_consts), sum(of_carry)]
    body = with_tangents_in_groups(
        derived, len(primals), sizes, moving_sizes, len(nonzeros_out), num_carry
    )
    outs = scan_p.bind(
        *interleave(split_list(primals, sizes), split_list(moving, moving_sizes)),
        jaxpr=body,
        num_consts=num_consts + moving_sizes[0],
        num_carry=num_carry + moving_sizes[1],
        **params,
    )
    carry, carry_ts, ys, ys_ts = split_list(outs, [num_carry, moving_sizes[1], num_ys])
    results = [*carry, *ys]
    avals = [typeof(x) for x in results]
    return results, with_zeros(nonzeros_out, [*carry_ts, *ys_ts], avals)


@scan_p.linearize
def scan_linearize(
    nonzeros: list[bool],
    *primals: Any,
    jaxpr: Jaxpr,
    num_consts: int,
    num_carry: int,
    **params: Any,
) -> tuple[list, Callable[..., list]]:
    consts, carry, xs = split_list(primals, [num_consts, num_carry])
    parts = split_scan_body(jaxpr, nonzeros, num_consts, num_carry)
    consts = [*parts.consts, *consts]
    hoisted = eval_jaxpr(parts.invariant, *consts)
    outs = scan_p.bind(
        *consts, *hoisted, *carry, *xs,
        jaxpr=parts.forward, num_consts=len(consts) + len(hoisted), num_carry=num_carry, **params,
    )  # fmt: skip
    primals_out = outs[: len(jaxpr.outvars)]
    stacked = outs[num_carry:]
    fixed = [[*consts, *hoisted][i] for i in parts.fixed_residuals]
    scanned = [xs[i] if from_xs else stacked[i] for from_xs, i in parts.scanned_residuals]

    def tangent_fun(*tangents: Any) -> list:
        moving = [instantiate(t) for t in select_where(parts.nonzeros, tangents)]
        sizes = [sum(parts.nonzeros[:num_consts]), sum(parts.nonzeros[num_consts:][:num_carry])]
        of_consts, of_carry, of_xs = split_list(moving, sizes)
        moved = scan_p.bind(
            *fixed, *of_consts, *of_carry, *of_xs, *scanned, jaxpr=parts.linear,
            num_consts=len(fixed) + sizes[0], num_carry=sizes[1], **params,
        )  # fmt: skip
        return with_zeros(parts.nonzeros_out, moved, [typeof(x) for x in primals_out])

    return primals_out, tangent_fun


@scan_p.transpose
def scan_transpose(
    cts: list, *args: Any, jaxpr: Jaxpr, num_consts: int, num_carry: int, **params: Any
) -> list:
    linear = [is_undefined_primal(x) for x in args]
    in_consts, in_init, in_xs = split_list(linear, [num_consts, num_carry])

    def step(in_carry: list[bool]) -> tuple[None, list[bool]]:
        return None, depends_on(jaxpr, [*in_consts, *in_carry, *in_xs])[:num_carry]

    _, in_carry = fixpoint(step, in_init)
    if not all(in_carry):
        return _transpose_known_carry(
            cts, args, jaxpr=jaxpr, num_consts=num_consts, num_carry=num_carry, **params
        )
    # An initial carry that is known is an instantiated zero: the carry is linear all the same.
    consts, _, xs = split_list(args, [num_consts, num_carry])
    known_consts, _ = partition_list(in_consts, consts)
    known_xs, _ = partition_list(in_xs, xs)
    ct_carry, ct_ys = split_list(cts, [num_carry])
    nonzero_ys = [not is_zero(ct) for ct in ct_ys]
    sums = [instantiate(Zero(x.aval.tangent())) for x in select_where(in_consts, consts)]
    backward = transposed_body(jaxpr, in_consts, num_carry, in_xs, nonzero_ys)
    outs = scan_p.bind(
        *known_consts, *sums, *map(instantiate, ct_carry), *select_where(nonzero_ys, ct_ys),
        *known_xs, jaxpr=backward, num_consts=len(known_consts), num_carry=len(sums) + num_carry,
        **(params | {"reverse": not params["reverse"]}),
    )  # fmt: skip
    ct_consts, ct_init, ct_xs = split_list(outs, [len(sums), num_carry])
    return [
        *merge_lists(in_consts, [None] * len(known_consts), ct_consts),
        *(ct if bit else None for ct, bit in zip(ct_init, in_init, strict=True)),
        *merge_lists(in_xs, [None] * len(known_xs), ct_xs),
    ]


def _transpose_known_carry(cts: list, args: Sequence[Any], **params: Any) -> list:
    """Transpose a loop that carries more than what is linear, such as a counter.

    A linear function is its own derivative: linearizing the loop splits it into one that computes
    the known carries and one that is linear in all of its carry.
    """
    linear = [is_undefined_primal(x) for x in args]
    values = [instantiate(Zero(x.aval.tangent())) if bit else x
              for x, bit in zip(args, linear, strict=True)]  # fmt: skip
    _, tangent_fun = scan_linearize(linear, *values, **params)
    zeros = [Zero(typeof(x).tangent()) for x, bit in zip(values, linear, strict=True) if not bit]

    def moved(*tangents: Any) -> list:
        return [instantiate(t) for t in tangent_fun(*merge_lists(linear, zeros, tangents))]

    avals = [x.aval.tangent() for x in select_where(linear, args)]
    program = trace_to_jaxpr(moved, avals)
    results = backward_pass(program, [UndefinedPrimal(aval) for aval in avals], cts)
    return merge_lists(linear, [None] * len(zeros), results)


# -- vectorisation -------------------------------------------------------------------------------


@scan_p.batch
def scan_batch(
    axis: AxisInfo,
    args: list,
    dims: list,
    *,
    jaxpr: Jaxpr,
    num_consts: int,
    num_carry: int,
    **params: Any,
) -> tuple[list, list]:
    batched = [dim is not None for dim in dims]
    of_consts, of_init, of_xs = split_list(batched, [num_consts, num_carry])
    num_ys = len(jaxpr.outvars) - num_carry

    def step(of_carry: list[bool]) -> tuple[tuple[Jaxpr, list[bool]], list[bool]]:
        derived, batched_out = batch_jaxpr(
            jaxpr, axis, [*of_consts, *of_carry, *of_xs], [*of_carry, *[False] * num_ys]
        )
        return (derived, batched_out), batched_out[:num_carry]

    (derived, batched_out), of_carry = fixpoint(step, of_init)
    bits = [*of_consts, *of_carry, *of_xs]
    places = [0] * (num_consts + num_carry) + [1] * len(of_xs)  # xs: behind the scanned axis
    moved = [
        place_batch_axis(x, dim, axis.size, place) if bit else x
        for x, dim, bit, place in zip(args, dims, bits, places, strict=True)
    ]
    outs = scan_p.bind(*moved, jaxpr=derived, num_consts=num_consts, num_carry=num_carry, **params)
    out_places = [0] * num_carry + [1] * num_ys
    return outs, [
        place if bit else None for place, bit in zip(out_places, batched_out, strict=True)
    ]


# -- lowering ------------------------------------------------------------------------------------


@scan_p.lower
def scan_lower(
    ctx: LoweringContext, *args: Value, _split_transpose: bool, **params: Any
) -> list[Value]:
    return lower_scan(ctx, args, **params)


# -- dead code, effects, named axes --------------------------------------------------------------


def scan_dce(used: list[bool], eqn: Eqn) -> tuple[list[bool], Eqn | None]:
    jaxpr, num_consts = eqn.params["jaxpr"], eqn.params["num_consts"]
    num_carry = eqn.params["num_carry"]
    num_xs = len(jaxpr.invars) - num_consts - num_carry
    if not any(used) and not jaxpr.effects:
        return [False] * len(eqn.invars), None
    used_final, used_ys = split_list(used, [num_carry])

    def step(used_carry: list[bool]) -> tuple[tuple[Jaxpr, list[bool]], list[bool]]:
        # A carry that is needed in some iteration must be passed on by all.
        kept = [*[False] * num_consts, *used_carry, *[False] * num_xs]
        pruned, used_in = dce_jaxpr(jaxpr, [*used_carry, *used_ys], instantiate=kept)
        return (pruned, used_in), used_in[num_consts:][:num_carry]

    (pruned, used_in), used_carry = fixpoint(step, used_final)
    if pruned is jaxpr:
        return [True] * len(eqn.invars), eqn
    params = eqn.params | {
        "jaxpr": pruned,
        "num_consts": sum(used_in[:num_consts]),
        "num_carry": sum(used_carry),
    }
    kept_out = [*used_carry, *used_ys]
    return used_in, eqn.replace(
        invars=select_where(used_in, eqn.invars),
        outvars=select_where(kept_out, eqn.outvars),
        params=params,
    )


scan_p.dce = scan_dce
scan_p.effects = lambda *avals, jaxpr, **params: jaxpr.effects
scan_p.named_axes = lambda *, jaxpr, **params: used_axes(jaxpr)

# -- samples -------------------------------------------------------------------------------------


def _damped_sum(init: Any, factor: Any, xs: Any) -> Any:
    return scan(lambda c, x: (add(mul(c, factor), sin(x)), mul(c, x)), init, xs)


scan_p.sample_call(_damped_sum, Arg((2,)), Arg((2,)), Arg((3, 2)))
scan_p.sample_call(
    lambda init, xs: scan(lambda c, x: (mul(c, x), c), init, xs, reverse=True, unroll=2),
    Arg(()),
    Arg((5,)),
)
