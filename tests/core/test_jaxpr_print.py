"""Golden texts of jaxprs, in the layout that JAX 0.10 prints.

The programs are built by hand from primitives that exist only here, so that each layout has its
smallest example. The same programs traced by both libraries: ``tests/parity``.
"""

from __future__ import annotations

import doctest
from collections.abc import Sequence
from textwrap import dedent
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from minijax.core import pretty
from minijax.core.aval import AbstractValue, ShapedArray
from minijax.core.jaxpr import Atom, DropVar, Eqn, Jaxpr, Literal, Var, eqn_text
from minijax.core.primitive import Primitive
from minijax.source_info import UNKNOWN, SourceInfo

VECTOR = ShapedArray((3,), np.float32)
SCALAR = ShapedArray((), np.float32)


def throw_away(name: str) -> Primitive:
    """Return a primitive that is not entered in the registry."""
    known = name in Primitive.registry
    primitive = Primitive(name)
    if not known:
        del Primitive.registry[name]
    return primitive


add_p, cos_p, mul_p, sin_p = (throw_away(name) for name in ("add", "cos", "mul", "sin"))


class Program:
    """Writes a jaxpr down: arguments, then equations, then results."""

    def __init__(self, *avals: AbstractValue):
        self.invars = [Var(aval) for aval in avals]
        self.eqns: list[Eqn] = []
        self.source = UNKNOWN

    def __getitem__(self, index: int) -> Var:
        return self.invars[index]

    def bind(self, p: Primitive, *args: Atom, outs: Sequence[AbstractValue], **params: Any):
        """Append an equation; return its results."""
        results = [Var(aval) for aval in outs]
        self.eqns.append(Eqn(p, list(args), results, params, self.source))
        return results

    def apply(self, p: Primitive, *args: Atom, out: AbstractValue = VECTOR, **params: Any) -> Var:
        """Append an equation with one result; return it."""
        return self.bind(p, *args, outs=[out], **params)[0]

    def returns(self, *outs: Atom, constvars: Sequence[Var] = (), consts: Any = ()) -> Jaxpr:
        """Return the program."""
        return Jaxpr(self.invars, outs, self.eqns, constvars, consts)


def chain(length: int, p: Primitive = sin_p) -> Jaxpr:
    """Return a program that applies one operation several times."""
    program = Program(VECTOR)
    x = program[0]
    for _ in range(length):
        x = program.apply(p, x)
    return program.returns(x)


def check(jaxpr: Jaxpr, expected: str) -> None:
    assert str(jaxpr) == dedent(expected).strip("\n")


def param_text(value: Any, name: str = "value") -> str:
    """Return the text of one parameter of an equation."""
    program = Program(VECTOR)
    program.apply(throw_away("op"), program[0], **{name: value})
    return eqn_text(program.eqns[0])


# -- programs -----------------------------------------------------------------------------------


def test_a_program_that_fits_stands_on_one_line() -> None:
    program = Program(VECTOR)
    b = program.apply(sin_p, program[0])
    c = program.apply(mul_p, b, Literal(2.0, SCALAR))
    check(
        program.returns(c),
        "{ lambda ; a:f32[3]. let b:f32[3] = sin a; c:f32[3] = mul b 2.0:f32[] in (c,) }",
    )


def test_a_program_that_does_not_fit_has_one_equation_on_each_line() -> None:
    check(
        chain(3),
        """
        { lambda ; a:f32[3]. let
            b:f32[3] = sin a
            c:f32[3] = sin b
            d:f32[3] = sin c
          in (d,) }
        """,
    )


def test_without_equations_and_without_arguments() -> None:
    program = Program(VECTOR)
    check(program.returns(program[0]), "{ lambda ; a:f32[3]. let  in (a,) }")
    check(Program().returns(), "{ lambda ; . let  in () }")
    literals = [Literal(1.0), Literal(True), Literal(3)]
    check(Program().returns(*literals), "{ lambda ; . let  in (1.0:f32[], True:bool[], 3:i32[]) }")


def test_constants_stand_before_the_semicolon() -> None:
    constant = Var(VECTOR)
    program = Program(VECTOR)
    c = program.apply(add_p, program[0], constant)
    check(
        program.returns(c, constvars=[constant], consts=[np.ones(3, np.float32)]),
        "{ lambda a:f32[3]; b:f32[3]. let c:f32[3] = add b a in (c,) }",
    )


def test_names_go_on_after_z_and_long_lists_are_filled() -> None:
    program = Program(*[VECTOR] * 30)
    result = program.apply(add_p, program[0], program[29])
    check(
        program.returns(*program.invars, result),
        """
        { lambda ; a:f32[3] b:f32[3] c:f32[3] d:f32[3] e:f32[3] f:f32[3] g:f32[3] h:f32[3]
            i:f32[3] j:f32[3] k:f32[3] l:f32[3] m:f32[3] n:f32[3] o:f32[3] p:f32[3] q:f32[3]
            r:f32[3] s:f32[3] t:f32[3] u:f32[3] v:f32[3] w:f32[3] x:f32[3] y:f32[3] z:f32[3]
            ba:f32[3] bb:f32[3] bc:f32[3] bd:f32[3]. let
            be:f32[3] = add a bd
          in (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y,
            z, ba, bb, bc, bd, be) }
        """,
    )


def test_unused_results_are_underscores_in_the_program_asked_for_only() -> None:
    def two_of_which_one_is_used() -> Jaxpr:
        program = Program(VECTOR)
        first, _ = program.bind(throw_away("pair"), program[0], outs=[VECTOR, SCALAR])
        return program.returns(first)

    check(
        two_of_which_one_is_used(),
        "{ lambda ; a:f32[3]. let b:f32[3] _:f32[] = pair a in (b,) }",
    )
    outer = Program(VECTOR)
    result = outer.apply(throw_away("map"), outer[0], body=two_of_which_one_is_used())
    check(
        outer.returns(result),
        """
        { lambda ; a:f32[3]. let
            b:f32[3] = map[
              body={ lambda ; c:f32[3]. let d:f32[3] e:f32[] = pair c in (d,) }
            ] a
          in (b,) }
        """,
    )


def test_a_dropped_result_is_an_underscore_everywhere() -> None:
    eqn = Eqn(sin_p, [Literal(1.0)], [DropVar(SCALAR)], {}, UNKNOWN)
    assert eqn_text(eqn) == "_:f32[] = sin 1.0:f32[]"


def test_an_equation_without_results_and_one_without_arguments() -> None:
    program = Program(VECTOR)
    program.bind(throw_away("show"), program[0], outs=[])
    made = program.apply(throw_away("make"))
    check(program.returns(made), "{ lambda ; a:f32[3]. let show a; b:f32[3] = make  in (b,) }")


def test_long_arguments_and_results_are_filled_and_indented() -> None:
    program = Program(*[VECTOR] * 4)
    split = throw_away("split")
    results = program.bind(split, *program.invars * 8, outs=[VECTOR] * 10, axis=0)
    check(
        program.returns(*results),
        """
        { lambda ; a:f32[3] b:f32[3] c:f32[3] d:f32[3]. let
            e:f32[3] f:f32[3] g:f32[3] h:f32[3] i:f32[3] j:f32[3] k:f32[3] l:f32[3] m:f32[3]
              n:f32[3] = split[axis=0] a b c d a b c d a b c d a b c d a b c d a b c d a
              b c d a b c d
          in (e, f, g, h, i, j, k, l, m, n) }
        """,
    )


# -- literals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "True:bool[]"),
        (3, "3:i32[]"),
        (1e-05, "1e-05:f32[]"),
        (float("-inf"), "-inf:f32[]"),
        (float("nan"), "nan:f32[]"),
        (1j, "1j:c64[]"),
        (np.float32(0.1), "0.10000000149011612:f32[]"),
        (np.array(7, np.uint32), "7:u32[]"),
        (ml_dtypes.bfloat16(1 / 3), "0.333984375:bf16[]"),
        (np.complex64(1 + 2j), "(1+2j):c64[]"),
    ],
)
def test_literals(value: Any, expected: str) -> None:
    check(Program().returns(Literal(value)), f"{{ lambda ; . let  in ({expected},) }}")


def test_a_weak_literal_has_the_digits_that_the_user_wrote() -> None:
    literal = Literal(np.float32(0.1), SCALAR.update(weak_type=True))
    check(Program().returns(literal), "{ lambda ; . let  in (0.1:f32[],) }")


# -- parameters ---------------------------------------------------------------------------------


def test_parameters_are_sorted_and_broken_where_they_do_not_fit() -> None:
    program = Program(VECTOR)
    top_k, gather = throw_away("top_k"), throw_away("gather")
    b = program.apply(top_k, program[0], k=2, axis=0)
    c = program.apply(
        gather, b, slice_sizes=(1,), fill_value=None, unique_indices=False, mode="clip", indices=1
    )
    check(
        program.returns(c),
        """
        { lambda ; a:f32[3]. let
            b:f32[3] = top_k[axis=0 k=2] a
            c:f32[3] = gather[
              fill_value=None
              indices=1
              mode=clip
              slice_sizes=(1,)
              unique_indices=False
            ] b
          in (c,) }
        """,
    )


class Default:
    """An object with Python's own repr, which shows its address."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.dtype("float32"), "float32"),
        (np.dtype(ml_dtypes.bfloat16), "bfloat16"),
        ((np.dtype("float32"),), "(dtype('float32'),)"),
        ("a b", "a b"),
        ((), "()"),
        (np.float32(1), "1.0"),
        (int, "<class 'int'>"),
    ],
)
def test_parameter_values(value: Any, expected: str) -> None:
    assert param_text(value) == f"a:f32[3] = op[value={expected}] b"


def test_addresses_are_masked() -> None:
    shown = param_text(Default())
    assert "Default object at 0xXXX" in shown
    assert hex(id(Default))[:4] not in shown


def test_parameters_with_their_default_value_are_hidden() -> None:
    exp = throw_away("exp")
    exp.hide_params(accuracy=None, flag=0)
    program = Program(VECTOR)
    b = program.apply(exp, program[0], accuracy=None, flag=0)
    c = program.apply(exp, b, accuracy="high", flag=False)
    check(
        program.returns(c),
        """
        { lambda ; a:f32[3]. let
            b:f32[3] = exp a
            c:f32[3] = exp[accuracy=high flag=False] b
          in (c,) }
        """,
    )


def test_a_print_rule_chooses_parameters_and_their_order() -> None:
    def broadcast_print(eqn: Any, params: dict[str, Any]) -> dict[str, Any]:
        return {"rank": eqn.outvars[0].aval.ndim, "axes": params["axes"]}

    broadcast = throw_away("broadcast")
    broadcast.print_rule = broadcast_print
    program = Program(VECTOR)
    b = program.apply(broadcast, program[0], shape=(3,), axes=(0,))
    check(
        program.returns(b),
        "{ lambda ; a:f32[3]. let b:f32[3] = broadcast[rank=1 axes=(0,)] a in (b,) }",
    )


# -- programs within programs ---------------------------------------------------------------------


def test_inner_programs_and_tuples_of_them() -> None:
    program = Program(VECTOR)
    scan, cond = throw_away("scan"), throw_away("cond")
    b = program.apply(scan, program[0], jaxpr=chain(3), length=3)
    c = program.apply(cond, b, branches=(chain(1), chain(1, cos_p)))
    check(
        program.returns(c),
        """
        { lambda ; a:f32[3]. let
            b:f32[3] = scan[
              jaxpr={ lambda ; c:f32[3]. let
                  d:f32[3] = sin c
                  e:f32[3] = sin d
                  f:f32[3] = sin e
                in (f,) }
              length=3
            ] a
            g:f32[3] = cond[
              branches=(
                { lambda ; h:f32[3]. let i:f32[3] = sin h in (i,) }
                { lambda ; j:f32[3]. let k:f32[3] = cos j in (k,) }
              )
            ] b
          in (g,) }
        """,
    )


def test_a_call_has_its_name_first_and_the_callers_names_inside() -> None:
    inner = Program(VECTOR, VECTOR)
    product = inner.apply(mul_p, *inner.invars)
    other = inner.apply(sin_p, product)
    called = inner.returns(other, inner.apply(cos_p, other))
    program = Program(VECTOR)
    jit = throw_away("jit")
    first, _ = program.bind(
        jit, program[0], program[0], outs=[VECTOR] * 2, jaxpr=called, name="<lambda>", inline=True
    )
    check(
        program.returns(first),
        """
        { lambda ; a:f32[3]. let
            b:f32[3] _:f32[3] = jit[
              name=<lambda>
              inline=True
              jaxpr={ lambda ; a:f32[3] c:f32[3]. let
                  d:f32[3] = mul a c
                  b:f32[3] = sin d
                  _:f32[3] = cos b
                in (b, _) }
            ] a a
          in (b,) }
        """,
    )


def test_a_custom_rule_has_its_name_first_and_names_of_its_own_inside() -> None:
    program = Program(VECTOR)
    custom = throw_away("custom_jvp_call")
    x = program.apply(custom, program[0], name="f", call_jaxpr=chain(1), jvp="g")
    check(
        program.returns(x),
        """
        { lambda ; a:f32[3]. let
            b:f32[3] = custom_jvp_call[
              name=f
              call_jaxpr={ lambda ; c:f32[3]. let d:f32[3] = sin c in (d,) }
              jvp=g
            ] a
          in (b,) }
        """,
    )


def test_a_program_that_occurs_twice_is_written_first() -> None:
    program = Program(VECTOR)
    jit, map_p, cond = throw_away("jit"), throw_away("map"), throw_away("cond")
    named, unnamed, other = chain(1), chain(2), chain(1, cos_p)
    x = program[0]
    for _ in range(2):
        x = program.apply(jit, x, name="<lambda>", jaxpr=named)
        x = program.apply(map_p, x, body=unnamed)
        x = program.apply(cond, x, branches=(unnamed, unnamed))
        x = program.apply(jit, x, name="lambda", jaxpr=other)
    check(
        program.returns(x),
        """
        let lambda = { lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) } in
        let jaxpr = { lambda ; c:f32[3]. let
            d:f32[3] = sin c
            e:f32[3] = sin d
          in (e,) } in
        let lambda1 = { lambda ; f:f32[3]. let g:f32[3] = cos f in (g,) } in
        { lambda ; h:f32[3]. let
            i:f32[3] = jit[name=<lambda> jaxpr=lambda] h
            j:f32[3] = map[body=jaxpr] i
            k:f32[3] = cond[branches=(jaxpr jaxpr)] j
            l:f32[3] = jit[name=lambda jaxpr=lambda1] k
            m:f32[3] = jit[name=<lambda> jaxpr=lambda] l
            n:f32[3] = map[body=jaxpr] m
            o:f32[3] = cond[branches=(jaxpr jaxpr)] n
            p:f32[3] = jit[name=lambda jaxpr=lambda1] o
          in (p,) }
        """,
    )


def test_what_stands_in_a_shared_program_is_shared_too() -> None:
    jit = throw_away("jit")
    outer = Program(VECTOR)
    shared = outer.returns(outer.apply(jit, outer[0], name="b", jaxpr=chain(1)))
    program = Program(VECTOR)
    first = program.apply(jit, program[0], name="f", jaxpr=shared)
    second = program.apply(jit, first, name="f", jaxpr=shared)
    check(
        program.returns(second),
        """
        let f = { lambda ; a:f32[3]. let c:f32[3] = jit[name=b jaxpr=b] a in (c,) } in
        let b = { lambda ; d:f32[3]. let e:f32[3] = sin d in (e,) } in
        { lambda ; g:f32[3]. let
            h:f32[3] = jit[name=f jaxpr=f] g
            i:f32[3] = jit[name=f jaxpr=f] h
          in (i,) }
        """,
    )


def test_a_long_inner_program_is_written_first() -> None:
    program = Program(VECTOR)
    b = program.apply(throw_away("jit"), program[0], name="long", jaxpr=chain(11))
    lines = str(program.returns(b)).splitlines()
    assert lines[0] == "let long = { lambda ; a:f32[3]. let"
    assert lines[-1] == "{ lambda ; m:f32[3]. let n:f32[3] = jit[name=long jaxpr=long] m in (n,) }"


def test_programs_nested_in_programs_used_twice_are_visited_a_few_times_only() -> None:
    # 2**60 paths lead to the innermost program.
    inner = chain(1)
    jit = throw_away("jit")
    for _ in range(60):
        program = Program(VECTOR)
        x = program.apply(jit, program[0], name="f", jaxpr=inner)
        inner = program.returns(program.apply(jit, x, name="f", jaxpr=inner))
    assert str(inner).startswith("let f = { lambda")


# -- source lines -------------------------------------------------------------------------------


def source_of_test() -> SourceInfo:
    return SourceInfo(source_of_test.__code__)


def test_source_info_stands_in_a_column_right_of_all_lines() -> None:
    place = source_of_test()
    line, column = place.position()
    note = f"# {place.file_name}:{line}:{column} (source_of_test)"
    program = Program(VECTOR)
    program.source = place
    b = program.apply(sin_p, program[0])
    short = program.returns(b)
    text = short.pretty_print(source_info=True)
    assert text == "{ lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) } " + note
    program.source = UNKNOWN
    c = program.apply(throw_away("a_primitive_with_a_rather_long_name"), b)
    text = program.returns(c).pretty_print(source_info=True)
    assert text.splitlines() == [
        "{ lambda ; a:f32[3]. let",
        "    b:f32[3] = sin a                                 " + note,
        "    c:f32[3] = a_primitive_with_a_rather_long_name b # ",
        "  in (c,) }",
    ]


def test_notes_on_one_line_stand_below_one_another() -> None:
    place = source_of_test()
    program = Program(VECTOR)
    program.source = place
    text = program.returns(program.apply(sin_p, program.apply(sin_p, program[0])))
    first, second = text.pretty_print(source_info=True).splitlines()
    assert first.index("#") == second.index("#")
    assert second.strip() == first[first.index("#") :]


# -- the algebra of documents ---------------------------------------------------------------------


def test_pretty_examples() -> None:
    assert doctest.testmod(pretty).failed == 0


def test_a_group_is_broken_as_a_whole_and_inner_groups_are_tried_again() -> None:
    words = [pretty.text(word) for word in ("one", "two")]
    inner = pretty.group(pretty.join(pretty.brk(), words))
    outer = pretty.group(pretty.nest(2, pretty.join(pretty.brk("; "), [inner, inner, inner])))
    assert pretty.layout(outer) == "one two; one two; one two"
    assert pretty.layout(outer, 24) == "one two\n  one two\n  one two"
    assert pretty.layout(outer, 8) == "one two\n  one\n  two\n  one\n  two"
