"""Does the checker accept sound jaxprs and name what is wrong with the others?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minijax.core.aval import ShapedArray
from minijax.core.jaxpr import Atom, DropVar, Eqn, Jaxpr, Literal, Var
from minijax.core.jaxpr_check import check_jaxpr
from minijax.core.primitive import Primitive
from minijax.errors import JaxprTypeError
from minijax.source_info import SourceInfo

VECTOR = ShapedArray((3,), np.float32)
WEAK = ShapedArray((3,), np.float32, weak_type=True)
SCALAR = ShapedArray((), np.float32)


def throw_away(name: str, multiple_results: bool = False) -> Primitive:
    """Return a primitive that is not entered in the registry."""
    known = name in Primitive.registry
    primitive = Primitive(name, multiple_results)
    if not known:
        del Primitive.registry[name]
    return primitive


add_p = throw_away("add")
divmod_p = throw_away("divmod", multiple_results=True)
show_p = throw_away("show", multiple_results=True)
call_p = throw_away("call", multiple_results=True)


@add_p.abstract
def add_abstract(x: ShapedArray, y: ShapedArray) -> ShapedArray:
    if x.shape != y.shape and x.shape and y.shape:
        raise TypeError(f"add got incompatible shapes: {x.shape}, {y.shape}.")
    return x if x.shape else y


@divmod_p.abstract
def divmod_abstract(x: ShapedArray, y: ShapedArray) -> list[ShapedArray]:
    return [x, y]


@show_p.abstract
def show_abstract(x: ShapedArray) -> list[ShapedArray]:
    return []


def show_effects(*avals: Any, **params: Any) -> frozenset:
    return frozenset({"Debug"})


show_p.effects = show_effects


@call_p.abstract
def call_abstract(*avals: ShapedArray, jaxpr: Jaxpr, name: str = "f") -> list[Any]:
    if len(avals) != len(jaxpr.invars):
        raise TypeError("wrong number of arguments")
    return jaxpr.out_avals


def source() -> SourceInfo:
    return SourceInfo(source.__code__)


def equation(p: Primitive, args: list[Atom], outs: list[Var], effects: Any = (), **params: Any):
    return Eqn(p, args, outs, params, source(), frozenset(effects))


def refuse(jaxpr: Jaxpr, *parts: str) -> str:
    """Check that the jaxpr is refused with a message that has all the parts."""
    with pytest.raises(JaxprTypeError) as caught:
        check_jaxpr(jaxpr)
    for part in parts:
        assert part in str(caught.value)
    return str(caught.value)


def test_sound_programs_pass() -> None:
    a, b, constant = Var(VECTOR), Var(VECTOR), Var(SCALAR)
    quotient = Var(WEAK)
    eqns = [
        equation(add_p, [a, Literal(2.0)], [b]),
        equation(divmod_p, [b, constant], [quotient, DropVar(SCALAR)]),
        equation(show_p, [quotient], [], {"Debug"}),
    ]
    outs = [quotient, quotient, Literal(np.float32(1))]
    check_jaxpr(Jaxpr([a], outs, eqns, [constant], [np.float32(3)]))


def test_a_variable_used_before_it_is_bound() -> None:
    a, b, c = Var(VECTOR), Var(VECTOR), Var(VECTOR)
    eqns = [equation(add_p, [a, b], [c]), equation(add_p, [a, a], [b])]
    message = refuse(
        Jaxpr([a], [c], eqns),
        "argument 1 is a variable of type f32[3] that is not bound",
        "= add ",
        __file__,
    )
    assert f":{source().line}" in message


def test_a_result_that_is_never_bound() -> None:
    a = Var(VECTOR)
    refuse(Jaxpr([a], [a, Var(SCALAR)], []), "result 1 is a variable of type f32[]", "{ lambda ;")


def test_a_variable_bound_twice() -> None:
    a, b = Var(VECTOR), Var(VECTOR)
    refuse(Jaxpr([a, a], [a], []), "bound twice")
    twice = [equation(add_p, [a, a], [b]), equation(add_p, [a, a], [b])]
    refuse(Jaxpr([a], [b], twice), "result 0 is a variable that is bound before")
    refuse(Jaxpr([a], [a], [equation(add_p, [a, a], [a])]), "bound before")


def test_a_result_of_another_type_than_inferred() -> None:
    a, b = Var(VECTOR), Var(SCALAR)
    refuse(
        Jaxpr([a], [b], [equation(add_p, [a, a], [b])]),
        "result 0 is inferred to be f32[3] but is bound as f32[]",
    )
    refuse(
        Jaxpr([a], [a], [equation(divmod_p, [a, a], [Var(VECTOR)])]),
        "2 results are inferred, 1 are bound",
    )


def test_arguments_that_the_primitive_refuses() -> None:
    a, b = Var(VECTOR), Var(ShapedArray((4,), np.float32))
    jaxpr = Jaxpr([a, b], [a], [equation(add_p, [a, b], [Var(VECTOR)])])
    refuse(jaxpr, "add got incompatible shapes: (3,), (4,).", "a:f32[3] = add b c")


@pytest.mark.parametrize(
    ("value", "aval", "fault"),
    [
        (np.float64(1), SCALAR, "dtype float64 that claims to be f32[]"),
        (np.int32(1), SCALAR, "dtype int32 that claims to be f32[]"),
        (np.ones(3, np.float32), VECTOR, "only scalars"),
        (np.float32(1), VECTOR, "type f32[3], where only scalars"),
        (1.0, VECTOR, "type f32[3], where only scalars"),
    ],
)
def test_literals_of_a_wrong_type(value: Any, aval: ShapedArray, fault: str) -> None:
    refuse(Jaxpr([], [Literal(value, aval)], []), fault)


def test_constants_of_a_wrong_type_or_number() -> None:
    constant = Var(VECTOR)
    refuse(Jaxpr([], [constant], [], [constant], []), "1 constvars but 0 consts")
    refuse(Jaxpr([], [constant], [], [constant], [np.ones(2, np.float32)]), "type f32[2]")


def test_inner_programs_are_checked() -> None:
    a, b = Var(VECTOR), Var(VECTOR)
    # The inner program reads a variable of the outer one.
    inner = Jaxpr([b], [a], [])
    refuse(Jaxpr([a], [a], [equation(call_p, [a], [Var(VECTOR)], jaxpr=inner)]), "not bound")


def test_a_call_with_a_wrong_number_of_arguments() -> None:
    a, b = Var(VECTOR), Var(VECTOR)
    eqn = equation(call_p, [a, a], [Var(VECTOR)], jaxpr=Jaxpr([b], [b], []), name="f")
    refuse(Jaxpr([a], [a], [eqn]), "wrong number of arguments", "name=f", "let  in")


def test_effects_must_be_declared() -> None:
    a = Var(VECTOR)
    silent = Jaxpr([a], [], [equation(show_p, [a], [])])
    refuse(silent, "effects that the equation does not declare: Debug")
    b = Var(VECTOR)
    shown = Jaxpr([b], [], [equation(show_p, [b], [], {"Debug"})])
    refuse(Jaxpr([a], [], [equation(call_p, [a], [], jaxpr=shown)]), "does not declare: Debug")
    check_jaxpr(Jaxpr([a], [], [equation(call_p, [a], [], {"Debug"}, jaxpr=shown)]))
