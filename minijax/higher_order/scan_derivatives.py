"""What are the bodies of the derivative of a scan and of its transpose?

Linearizing the body of a scan splits it in two: one that computes the results and, besides, the
residuals, and a linear one that reads the residuals. Stacking every residual once per iteration
would be correct and wasteful. Most need no stack of their own:

* what does not change from one iteration to the next is computed once, before the loop;
* what is a slice of a scanned input is that input;
* what the loop yields anyway is shared.

The transpose of an iteration turns cotangents of its results into cotangents of its operands. Those
of the consts, which every iteration reads, add up: they are carried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minijax.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var
from minijax.core.primitive import UndefinedPrimal, Zero, add_tangents, instantiate
from minijax.higher_order.bodies import interleave, rearranged
from minijax.transforms.dce import dce_jaxpr
from minijax.transforms.linearize import linearize_jaxpr
from minijax.transforms.staging import hoist_constants, trace_to_jaxpr
from minijax.transforms.transpose import backward_pass
from minijax.util import fixpoint, merge_lists, partition_list, select_where, split_list


@dataclass(frozen=True, slots=True)
class LinearizedScan:
    """A scan split for linearization.

    ``consts`` are concrete values to pass before the operands. ``invariant`` computes, from all
    consts, what does not change during the loop. ``forward`` is the body with those values as
    further consts; after its outputs it yields the residuals to be stacked. ``linear`` is the
    body of the derivative; it takes the fixed residuals (positions among consts and invariant
    values), the tangents, and the scanned residuals: pairs of "is it one of the xs?" and a
    position among the xs or the stacked outputs. ``nonzeros`` and ``nonzeros_out`` tell which
    operands and results have tangents.
    """

    consts: list[Any]
    invariant: Jaxpr
    forward: Jaxpr
    linear: Jaxpr
    fixed_residuals: list[int]
    scanned_residuals: list[tuple[bool, int]]
    nonzeros: list[bool]
    nonzeros_out: list[bool]


def split_scan_body(
    jaxpr: Jaxpr, nonzeros: Sequence[bool], num_consts: int, num_carry: int
) -> LinearizedScan:
    """Linearize the body of a scan, with as few stacked residuals as are easily found."""
    key = ("linearize scan", tuple(nonzeros), num_consts, num_carry)
    return jaxpr.remember(key, lambda: _split(jaxpr, nonzeros, num_consts, num_carry))


def _split(
    jaxpr: Jaxpr, nonzeros: Sequence[bool], num_consts: int, num_carry: int
) -> LinearizedScan:
    num_outs = len(jaxpr.outvars)
    of_consts, of_init, of_xs = split_list(nonzeros, [num_consts, num_carry])

    def step(of_carry: list[bool]) -> tuple[Any, list[bool]]:
        result = linearize_jaxpr(
            jaxpr,
            [*of_consts, *of_carry, *of_xs],
            [*of_carry, *[False] * (num_outs - num_carry)],
        )
        return result, result[2][:num_carry]

    (primal, linear, nonzeros_out), of_carry = fixpoint(step, of_init)
    primal, consts = hoist_constants(primal)
    invariant, body, num_fixed = hoist_invariants(primal, len(consts) + num_consts, num_outs)
    outs, residuals = split_list(body.outvars, [num_outs])
    fixed_vars = body.invars[:num_fixed]
    xs_vars = body.invars[num_fixed + num_carry :]
    stacked: list[Atom] = list(outs[num_carry:])
    fixed: list[int] = []
    scanned: list[tuple[bool, int]] = []
    is_fixed = []
    for atom in residuals:
        is_fixed.append(atom in fixed_vars)
        if atom in fixed_vars:
            fixed.append(fixed_vars.index(atom))  # type: ignore[arg-type]
        elif atom in xs_vars:
            scanned.append((True, xs_vars.index(atom)))  # type: ignore[arg-type]
        else:
            if atom not in stacked:
                stacked.append(atom)
            scanned.append((False, stacked.index(atom)))
    forward = Jaxpr(
        body.invars, [*outs[:num_carry], *stacked], body.eqns, debug_info=jaxpr.debug_info
    )
    return LinearizedScan(
        consts,
        invariant,
        forward,
        _residuals_in_groups(linear, is_fixed),
        fixed,
        scanned,
        [*of_consts, *of_carry, *of_xs],
        nonzeros_out,
    )


def _residuals_in_groups(linear: Jaxpr, is_fixed: list[bool]) -> Jaxpr:
    """Put the fixed residuals before the tangents and the scanned ones behind them."""
    count = len(is_fixed)
    order = [
        *(i for i in range(count) if is_fixed[i]),
        *range(count, len(linear.invars)),
        *(i for i in range(count) if not is_fixed[i]),
    ]
    return rearranged(linear, order, range(len(linear.outvars)))


def hoist_invariants(jaxpr: Jaxpr, num_consts: int, num_outs: int) -> tuple[Jaxpr, Jaxpr, int]:
    """Take out of a loop body what depends on nothing but its first ``num_consts`` arguments.

    Returns the program of the invariant values, from the consts; the body with these values
    behind the consts; and how many arguments of the body are fixed. Equations without any
    operand, such as an array of zeros, stay in the body, for there they cost no memory; they are
    hoisted where a residual (a result from ``num_outs`` on) comes from them.
    """
    fixed: set[Var] = set(jaxpr.invars[:num_consts])  # do not change
    from_nothing: set[Var] = set()  # do not even depend on consts
    residuals = {x for x in jaxpr.outvars[num_outs:] if isinstance(x, Var)}
    before: list[Eqn] = []
    inside: list[Eqn] = []
    hoisted: list[Var] = []
    for eqn in jaxpr.eqns:
        operands = [x for x in eqn.invars if not isinstance(x, Literal)]
        if eqn.effects or not all(x in fixed or x in from_nothing for x in operands):
            inside.append(eqn)
        elif any(x in fixed for x in operands) or residuals.intersection(eqn.outvars):
            before.append(eqn)
            fixed.update(eqn.outvars)
            hoisted += eqn.outvars
        else:
            before.append(eqn)
            inside.append(eqn)
            from_nothing.update(eqn.outvars)
    read = {x for eqn in inside for x in eqn.invars} | set(jaxpr.outvars)
    hoisted = [var for var in hoisted if var in read]
    consts, rest = split_list(jaxpr.invars, [num_consts])
    invariant, _ = dce_jaxpr(
        Jaxpr(consts, hoisted, before), [True] * len(hoisted), instantiate=True
    )
    body = Jaxpr([*consts, *hoisted, *rest], jaxpr.outvars, inside, debug_info=jaxpr.debug_info)
    body, _ = dce_jaxpr(body, [True] * len(body.outvars), instantiate=True)
    return invariant, body, num_consts + len(hoisted)


def transposed_body(
    jaxpr: Jaxpr,
    in_consts: list[bool],
    num_carry: int,
    in_xs: list[bool],
    nonzero_ys: list[bool],
) -> Jaxpr:
    """Return one iteration of the transposed loop.

    It carries the cotangents of the consts, to which every iteration adds, and that of the carry;
    it scans over the cotangents of the ys and the known xs and yields cotangents of the others.
    """
    consts, carry, xs = split_list(jaxpr.in_avals, [len(in_consts), num_carry])
    known_consts, linear_consts = partition_list(in_consts, consts)
    known_xs, linear_xs = partition_list(in_xs, xs)
    carry_out, ys = split_list(jaxpr.out_avals, [num_carry])
    moving_ys = select_where(nonzero_ys, ys)
    still_ys = [Zero(y.tangent()) for y, bit in zip(ys, nonzero_ys, strict=True) if not bit]
    sizes = [len(known_consts), len(linear_consts), num_carry, len(moving_ys)]

    def backward(*operands: Any) -> list:
        known, sums, ct_carry, ct_ys, slices = split_list(operands, sizes)
        args = [
            *merge_lists(in_consts, known, [UndefinedPrimal(aval) for aval in linear_consts]),
            *(UndefinedPrimal(aval) for aval in carry),
            *merge_lists(in_xs, slices, [UndefinedPrimal(aval) for aval in linear_xs]),
        ]
        cts = backward_pass(jaxpr, args, [*ct_carry, *merge_lists(nonzero_ys, still_ys, ct_ys)])
        ct_consts, ct_init, ct_xs = split_list(cts, [len(consts), num_carry])
        sums = [
            add_tangents(total, ct)
            for total, ct in zip(sums, select_where(in_consts, ct_consts), strict=True)
        ]
        return [*sums, *map(instantiate, [*ct_init, *select_where(in_xs, ct_xs)])]

    def compute() -> Jaxpr:
        avals = [
            *known_consts,
            *(aval.tangent() for aval in [*linear_consts, *carry_out, *moving_ys]),
            *known_xs,
        ]
        return trace_to_jaxpr(backward, avals, jaxpr.debug_info)

    key = ("scan transpose", tuple(in_consts), tuple(in_xs), tuple(nonzero_ys))
    return jaxpr.remember(key, compute)


def with_tangents_in_groups(
    derived: Jaxpr,
    num_primals: int,
    sizes: list[int],
    moving_sizes: list[int],
    num_outs: int,
    num_carry: int,
) -> Jaxpr:
    """Put the tangents of consts behind the consts, those of the carry behind the carry."""
    primals = split_list(range(num_primals), sizes)
    tangents = split_list(range(num_primals, len(derived.invars)), moving_sizes)
    outs = split_list(range(num_outs), [num_carry])
    out_tangents = split_list(range(num_outs, len(derived.outvars)), [moving_sizes[1]])
    return rearranged(derived, interleave(primals, tangents), interleave(outs, out_tangents))
