"""How do functions become branches that can stand in one conditional?

All branches of a conditional take the same operands and return the same types. Each is traced by
itself; then every branch is given what any of them captured, and their results are compared.
Linearized, branches have residuals of their own, which must get common places too: places are
shared by type, and a branch fills those that it does not use with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minijax.core.aval import ShapedArray, typeof
from minijax.core.jaxpr import Jaxpr, Var
from minijax.core.primitive import full_of
from minijax.core.tree import PyTreeDef, tree_structure
from minijax.higher_order.bodies import Body, flatten_operands, trace_body
from minijax.higher_order.mismatches import check_branches
from minijax.transforms.evaluate import eval_jaxpr
from minijax.transforms.linearize import linearize_jaxpr
from minijax.transforms.staging import trace_to_jaxpr
from minijax.util import split_list


@dataclass(frozen=True, slots=True)
class Branches:
    """Branches traced for the same operands, captured values included."""

    jaxprs: tuple[Jaxpr, ...]
    operands: list[Any]
    out_tree: PyTreeDef


def trace_branches(
    what: str,
    functions: Sequence[Callable[..., Any]],
    operands: tuple,
    names: Sequence[str],
    first: int,
) -> Branches:
    """Trace all branches; ``first`` is the one that messages compare the others with."""
    leaves, _ = flatten_operands(operands)
    in_tree = tree_structure(operands)
    avals = [typeof(x) for x in leaves]
    bodies = [trace_body(fun, in_tree, avals, what) for fun in functions]
    chief = bodies[first]
    for i, body in enumerate(bodies):
        if i != first:
            check_branches(
                what,
                (names[first], names[i]),
                (functions[first], functions[i]),
                (chief.out_tree, body.out_tree),
                (chief.jaxpr.out_avals, body.jaxpr.out_avals),
            )
    jaxprs, consts = _with_common_constants(bodies)
    return Branches(jaxprs, [*consts, *leaves], chief.out_tree)


def _with_common_constants(bodies: Sequence[Body]) -> tuple[tuple[Jaxpr, ...], list[Any]]:
    """Let every branch take what any branch captured, each value once."""
    consts = {id(const): const for body in bodies for const in body.consts}
    position = {key: i for i, key in enumerate(consts)}
    avals = [typeof(const) for const in consts.values()]
    jaxprs = []
    for body in bodies:
        own = tuple(position[id(const)] for const in body.consts)
        jaxprs.append(_with_constants_at(body.jaxpr, own, tuple(avals)))
    return tuple(jaxprs), list(consts.values())


def _with_constants_at(jaxpr: Jaxpr, own: tuple[int, ...], avals: tuple[ShapedArray, ...]) -> Jaxpr:
    """Return a jaxpr whose first arguments are its own among those of all branches."""

    def compute() -> Jaxpr:
        captured = [Var(aval) for aval in avals]
        for var, i in zip(jaxpr.invars, own, strict=False):
            captured[i] = var
        return Jaxpr([*captured, *jaxpr.invars[len(own) :]], jaxpr.outvars, jaxpr.eqns)

    if own == tuple(range(len(avals))):
        return jaxpr
    return jaxpr.remember(("constants at", own, avals), compute)


@dataclass(frozen=True, slots=True)
class LinearizedBranches:
    """Branches split for linearization.

    ``forward`` take the operands and return the results followed by the residuals of all
    branches; ``linear`` take some operands (``operands_read``), the residuals and the tangents.
    """

    forward: tuple[Jaxpr, ...]
    linear: tuple[Jaxpr, ...]
    operands_read: list[int]
    nonzeros_out: list[bool]


def split_branches(branches: tuple[Jaxpr, ...], nonzeros: list[bool]) -> LinearizedBranches:
    untouched = [False] * len(branches[0].outvars)
    found = [linearize_jaxpr(jaxpr, nonzeros, untouched)[2] for jaxpr in branches]
    nonzeros_out = [any(column) for column in zip(*found, strict=True)]
    pairs = [linearize_jaxpr(jaxpr, nonzeros, nonzeros_out)[:2] for jaxpr in branches]

    # Where does each branch's residual come from: an operand, or a place shared by type?
    operands_read: list[int] = []
    places: list[ShapedArray] = []
    sources: list[list[tuple[bool, int]]] = []
    for primal, _ in pairs:
        free = list(range(len(places)))
        of_branch = []
        for atom in primal.outvars[len(untouched) :]:
            if atom in primal.invars:
                position = primal.invars.index(atom)  # type: ignore[arg-type]
                if position not in operands_read:
                    operands_read.append(position)
                of_branch.append((True, position))
                continue
            aval = atom.aval.strip_weak_type()  # type: ignore[union-attr]
            place = next((i for i in free if places[i] == aval), None)
            if place is None:
                place = len(places)
                places.append(aval)
            else:
                free.remove(place)
            of_branch.append((False, place))
        sources.append(of_branch)

    forward, linear = [], []
    for (primal, tangent), of_branch in zip(pairs, sources, strict=True):
        forward.append(_filling_places(primal, len(untouched), of_branch, places))
        linear.append(
            _reading_places(tangent, of_branch, operands_read, branches[0].in_avals, places)
        )
    return LinearizedBranches(tuple(forward), tuple(linear), operands_read, nonzeros_out)


def _filling_places(
    primal: Jaxpr, num_outs: int, sources: list[tuple[bool, int]], places: list[ShapedArray]
) -> Jaxpr:
    """Return a branch that returns its residuals in their places and zeros in the others."""

    def filled(*operands: Any) -> list[Any]:
        results, residuals = split_list(eval_jaxpr(primal, *operands), [num_outs])
        own = {
            place: x
            for (is_operand, place), x in zip(sources, residuals, strict=True)
            if not is_operand
        }
        return [
            *results,
            *(own[i] if i in own else full_of(aval, 0) for i, aval in enumerate(places)),
        ]

    return trace_to_jaxpr(filled, primal.in_avals, primal.debug_info)


def _reading_places(
    linear: Jaxpr,
    sources: list[tuple[bool, int]],
    operands_read: list[int],
    operand_avals: list[ShapedArray],
    places: list[ShapedArray],
) -> Jaxpr:
    """Return the derivative of a branch that finds its residuals among those of all."""
    sizes = [len(operands_read), len(places)]

    def reading(*xs: Any) -> list[Any]:
        read, stored, tangents = split_list(xs, sizes)
        residuals = [
            read[operands_read.index(i)] if is_operand else stored[i] for is_operand, i in sources
        ]
        return eval_jaxpr(linear, *residuals, *tangents)

    avals = [*(operand_avals[i] for i in operands_read), *places, *linear.in_avals[len(sources) :]]
    return trace_to_jaxpr(reading, avals, linear.debug_info)
