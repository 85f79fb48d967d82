"""Does dead-code elimination keep what is used, and only that?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minijax.core.aval import ShapedArray
from minijax.core.jaxpr import Atom, DebugInfo, Eqn, Jaxpr, Literal, Var
from minijax.core.jaxpr_check import check_jaxpr
from minijax.core.primitive import Primitive
from minijax.source_info import UNKNOWN
from minijax.transforms.dce import dce_jaxpr
from minijax.util import select_where

SCALAR = ShapedArray((), np.float32)


def throw_away(name: str, multiple_results: bool = False) -> Primitive:
    """Return a primitive that is not entered in the registry."""
    known = name in Primitive.registry
    primitive = Primitive(name, multiple_results)
    if not known:
        del Primitive.registry[name]
    return primitive


f_p = throw_away("f", multiple_results=True)  # any arguments, `count` results
show_p = throw_away("show", multiple_results=True)
call_p = throw_away("call", multiple_results=True)


@f_p.abstract
def f_abstract(*avals: ShapedArray, count: int) -> list[ShapedArray]:
    return [SCALAR] * count


@show_p.abstract
def show_abstract(x: ShapedArray) -> list[ShapedArray]:
    return []


@call_p.abstract
def call_abstract(*avals: ShapedArray, jaxpr: Jaxpr) -> list[Any]:
    return jaxpr.out_avals


def call_dce(used_outs: list[bool], eqn: Eqn) -> tuple[list[bool], Eqn | None]:
    jaxpr, used_ins = dce_jaxpr(eqn.params["jaxpr"], used_outs)
    if not jaxpr.outvars and not jaxpr.effects:
        return [False] * len(eqn.invars), None
    return used_ins, eqn.replace(
        invars=select_where(used_ins, eqn.invars),
        outvars=select_where(used_outs, eqn.outvars),
        params={"jaxpr": jaxpr},
        effects=jaxpr.effects,
    )


call_p.dce = call_dce


def variables(count: int) -> list[Var]:
    return [Var(SCALAR) for _ in range(count)]


def apply(*args: Atom, count: int = 1) -> Eqn:
    return Eqn(f_p, list(args), variables(count), {"count": count}, UNKNOWN)


def show(x: Atom) -> Eqn:
    return Eqn(show_p, [x], [], {}, UNKNOWN, frozenset({"Debug"}))


def call(jaxpr: Jaxpr, *args: Atom) -> Eqn:
    outs = variables(len(jaxpr.outvars))
    return Eqn(call_p, list(args), outs, {"jaxpr": jaxpr}, UNKNOWN, jaxpr.effects)


def test_equations_that_no_used_result_needs_are_dropped() -> None:
    a, b = variables(2)
    left, right = apply(a), apply(b)
    top = apply(left.outvars[0], Literal(2.0))
    jaxpr = Jaxpr([a, b], [top.outvars[0], right.outvars[0]], [left, right, top])
    pruned, used = dce_jaxpr(jaxpr, [True, False])
    assert used == [True, False]
    assert pruned.eqns == [left, top]
    assert (pruned.invars, pruned.outvars) == ([a], top.outvars)
    pruned, used = dce_jaxpr(jaxpr, [False, False])
    assert (pruned.eqns, pruned.invars, pruned.outvars, used) == ([], [], [], [False, False])


def test_an_equation_stays_for_one_used_result() -> None:
    (a,) = variables(1)
    pair = apply(a, count=2)
    pruned, used = dce_jaxpr(Jaxpr([a], pair.outvars, [pair]), [False, True])
    assert pruned.eqns == [pair]
    assert pruned.outvars == [pair.outvars[1]]
    assert used == [True]


def test_results_that_are_arguments_literals_or_occur_twice() -> None:
    a, b = variables(2)
    one = Literal(1.0)
    jaxpr = Jaxpr([a, b], [b, one, b, a], [])
    pruned, used = dce_jaxpr(jaxpr, [True, True, True, False])
    assert pruned.outvars == [b, one, b]
    assert pruned.invars == [b]
    assert used == [False, True]


def test_nothing_dropped_is_the_same_jaxpr() -> None:
    (a,) = variables(1)
    eqn = apply(a)
    jaxpr = Jaxpr([a], eqn.outvars, [eqn])
    assert dce_jaxpr(jaxpr, [True]) == (jaxpr, [True])


def test_the_outcome_is_remembered_with_the_jaxpr() -> None:
    a, b = variables(2)
    jaxpr = Jaxpr([a, b], [a, b], [])
    first, used = dce_jaxpr(jaxpr, [True, False])
    used.append(True)  # the caller's list, not the one remembered
    assert dce_jaxpr(jaxpr, [True, False]) == (first, [True, False])
    assert dce_jaxpr(jaxpr, [True, False], instantiate=True)[0] is not first


@pytest.mark.parametrize(
    ("instantiate", "expected"),
    [
        (False, [True, False, False]),
        (True, [True] * 3),
        ([False, False, True], [True, False, True]),
    ],
)
def test_unused_arguments_are_kept_if_asked_for(instantiate: Any, expected: list[bool]) -> None:
    args = variables(3)
    pruned, used = dce_jaxpr(Jaxpr(args, args[:1], []), [True], instantiate)
    assert used == expected
    assert pruned.invars == select_where(expected, args)


def test_constants_without_use_are_dropped_with_their_values() -> None:
    a, b = variables(2)
    eqn = apply(a)
    jaxpr = Jaxpr([], [*eqn.outvars, b], [eqn], [a, b], [np.float32(1), np.float32(2)])
    pruned, _ = dce_jaxpr(jaxpr, [True, False])
    assert pruned.constvars == [a]
    assert pruned.consts == [np.float32(1)]


def test_effects_keep_an_equation_and_what_it_reads() -> None:
    a, b = variables(2)
    read, dead = apply(a), apply(b)
    shown = show(read.outvars[0])
    pruned, used = dce_jaxpr(Jaxpr([a, b], dead.outvars, [read, dead, shown]), [False])
    assert pruned.eqns == [read, shown]
    assert pruned.effects == {"Debug"}
    assert used == [True, False]


def two_halves(*, effect: bool) -> Jaxpr:
    """Return a program of two arguments and two results that have nothing to do with another."""
    a, b = variables(2)
    left, right = apply(a), apply(b)
    eqns = [left, right, show(a)] if effect else [left, right]
    return Jaxpr([a, b], [*left.outvars, *right.outvars], eqns)


def test_a_rule_drops_what_is_unused_inside() -> None:
    a, b = variables(2)
    eqn = call(two_halves(effect=False), a, b)
    jaxpr = Jaxpr([a, b], eqn.outvars, [eqn])
    pruned, used = dce_jaxpr(jaxpr, [False, True])
    assert used == [False, True]
    (left_over,) = pruned.eqns
    assert left_over.invars == [b]
    assert len(left_over.params["jaxpr"].eqns) == 1
    check_jaxpr(pruned)
    assert dce_jaxpr(jaxpr, [False, False])[0].eqns == []


def test_a_rule_is_asked_about_an_equation_that_stays_for_its_effects() -> None:
    a, b = variables(2)
    eqn = call(two_halves(effect=True), a, b)
    pruned, used = dce_jaxpr(Jaxpr([a, b], eqn.outvars, [eqn]), [False, False])
    assert used == [True, False]
    assert [e.primitive for e in pruned.eqns[0].params["jaxpr"].eqns] == [show_p]
    check_jaxpr(pruned)


def test_a_rule_that_leaves_nothing() -> None:
    a, b = variables(2)
    useless = throw_away("useless", multiple_results=True)
    useless.dce = lambda used_outs, eqn: ([False, False], None)
    eqn = Eqn(useless, [a, b], [], {}, UNKNOWN, frozenset({"Debug"}))
    pruned, used = dce_jaxpr(Jaxpr([a, b], [], [eqn]), [])
    assert (pruned.eqns, used) == ([], [False, False])


def test_names_of_dropped_arguments_are_dropped() -> None:
    info = DebugInfo("jit", "f", "file.py:1", ("x", "y"))
    a, b = variables(2)
    pruned, _ = dce_jaxpr(Jaxpr([a, b], [b], [], debug_info=info), [True])
    assert pruned.debug_info == DebugInfo("jit", "f", "file.py:1", ("y",))


# -- against the definition ---------------------------------------------------------------------


@st.composite
def programs(draw: st.DrawFn) -> tuple[Jaxpr, list[bool]]:
    """Draw a random program and which of its results are used."""
    invars = variables(draw(st.integers(0, 4)))
    known: list[Atom] = [*invars, Literal(1.0)]
    eqns = []
    for _ in range(draw(st.integers(0, 8))):
        args = draw(st.lists(st.sampled_from(known), max_size=3))
        eqn = show(args[0]) if args and draw(st.booleans()) else apply(*args, count=2)
        eqns.append(eqn)
        known += eqn.outvars
    outs = draw(st.lists(st.sampled_from(known), max_size=4))
    return Jaxpr(invars, outs, eqns), draw(
        st.lists(st.booleans(), min_size=len(outs), max_size=len(outs))
    )


def reachable(jaxpr: Jaxpr, used_outputs: list[bool]) -> set[Atom]:
    """Return the variables that used results and effects depend on, by exhaustion."""
    needed: set[Atom] = set(select_where(used_outputs, jaxpr.outvars))
    for _ in jaxpr.eqns:
        for eqn in jaxpr.eqns:
            if eqn.effects or needed.intersection(eqn.outvars):
                needed.update(eqn.invars)
    return needed


@given(programs())
def test_random_programs_keep_exactly_what_is_reachable(drawn: tuple[Jaxpr, list[bool]]) -> None:
    jaxpr, used_outputs = drawn
    pruned, used_inputs = dce_jaxpr(jaxpr, used_outputs)
    check_jaxpr(pruned)
    needed = reachable(jaxpr, used_outputs)
    assert used_inputs == [var in needed for var in jaxpr.invars]
    assert pruned.outvars == select_where(used_outputs, jaxpr.outvars)
    assert pruned.eqns == [e for e in jaxpr.eqns if e.effects or needed.intersection(e.outvars)]
