"""Is the user's derivative rule used, everywhere, and with the values it expects?"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp
from minijax.errors import UnexpectedTracerError


@jax.custom_jvp
def marked(x: Any) -> Any:
    """The sine, with a derivative that shows that the rule was used: ten times too large."""
    return jnp.sin(x)


@marked.defjvp
def marked_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    return marked(x), 10 * jnp.cos(x) * t


WRAPPERS: list[Callable[[Any], Any]] = [lambda f: f, jax.jit, lambda f: jax.jit(jax.jit(f))]


@pytest.mark.parametrize("inner", WRAPPERS)
@pytest.mark.parametrize("outer", WRAPPERS)
def test_rule_is_used_in_every_transformation(inner: Any, outer: Any) -> None:
    f = inner(marked)
    x = np.array([0.0, 0.5], np.float32)
    expected = 10 * np.cos(x)
    assert float(outer(f)(0.5)) == pytest.approx(np.sin(0.5))
    assert float(outer(jax.grad(f))(0.5)) == pytest.approx(expected[1])
    assert float(outer(lambda v: jax.jvp(f, (v,), (1.0,))[1])(0.5)) == pytest.approx(expected[1])
    np.testing.assert_allclose(outer(jax.vmap(f))(x), np.sin(x), rtol=1e-6)
    np.testing.assert_allclose(outer(jax.vmap(jax.grad(f)))(x), expected, rtol=1e-5)
    gradient = outer(jax.grad(lambda v: jax.vmap(f)(v).sum()))(x)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)
    np.testing.assert_allclose(outer(jax.jacfwd(f))(x), np.diag(expected), rtol=1e-5)


@pytest.mark.parametrize("inner", WRAPPERS)
def test_second_derivative_differentiates_the_rule(inner: Any) -> None:
    f = inner(marked)
    assert float(jax.grad(jax.grad(f))(0.5)) == pytest.approx(-10 * np.sin(0.5), rel=1e-5)
    second = jax.jvp(lambda x: jax.jvp(f, (x,), (1.0,))[1], (0.5,), (1.0,))[1]
    assert float(second) == pytest.approx(-10 * np.sin(0.5), rel=1e-5)


def test_python_control_flow_on_concrete_values() -> None:
    @jax.custom_jvp
    def f(x: Any) -> Any:
        return x if x > 0 else -x

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x,), (t,) = primals, tangents
        return f(x), (t * 7 if x > 0 else t * -7)

    assert float(f(-2.0)) == 2
    assert float(jax.grad(f)(-2.0)) == -7 and float(jax.grad(f)(2.0)) == 7


def test_pytrees_several_arguments_and_keywords() -> None:
    @jax.custom_jvp
    def f(p: Any, y: Any = 2.0) -> Any:
        return {"out": p["a"] * y, "pair": (y, p["a"])}

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (p, y), (tp, ty) = primals, tangents
        moved = {"out": tp["a"] * y + p["a"] * ty, "pair": (3 * ty, 5 * tp["a"])}
        return f(p, y), moved

    value, moved = jax.jvp(f, ({"a": 3.0}, 4.0), ({"a": 1.0}, 0.0))
    assert float(value["out"]) == 12 and float(moved["out"]) == 4
    assert float(moved["pair"][1]) == 5
    assert float(jax.grad(lambda p: f(p)["out"])({"a": 3.0})["a"]) == 2
    assert float(jax.grad(lambda y: f(y=y, p={"a": 3.0})["pair"][0])(1.0)) == 3


def test_nondiff_arguments_come_first_and_as_they_are() -> None:
    @functools.partial(jax.custom_jvp, nondiff_argnums=(0, 2))
    def apply(fun: Any, x: Any, mode: str) -> Any:
        return fun(x) if mode == "call" else x

    @apply.defjvp
    def rule(fun: Any, mode: str, primals: Any, tangents: Any) -> Any:
        assert mode == "call"
        return fun(primals[0]), 10 * tangents[0]

    for wrap in WRAPPERS:
        assert float(wrap(jax.grad(lambda x: apply(jnp.sin, x, "call")))(0.0)) == 10
        assert float(jax.grad(wrap(lambda x: apply(jnp.sin, x, "call")))(0.0)) == 10


def test_nondiff_argnames() -> None:
    @functools.partial(jax.custom_jvp, nondiff_argnames=("n",))
    def scaled(x: Any, n: int) -> Any:
        return n * x

    @scaled.defjvp
    def rule(n: int, primals: Any, tangents: Any) -> Any:
        return n * primals[0], 5 * n * tangents[0]

    assert float(jax.grad(scaled)(2.0, 3)) == float(jax.grad(scaled)(2.0, n=3)) == 15


def test_defjvps_and_zero_rules() -> None:
    @jax.custom_jvp
    def f(x: Any, y: Any) -> Any:
        return x * y

    f.defjvps(lambda t, out, x, y: t * y * 2, None)
    assert float(jax.grad(f)(2.0, 3.0)) == 6
    assert float(jax.grad(f, 1)(2.0, 3.0)) == 0
    assert float(jax.jit(jax.grad(f, (0, 1)))(2.0, 3.0)[0]) == 6


def test_symbolic_zeros() -> None:
    seen = []

    @jax.custom_jvp
    def f(x: Any, y: Any) -> Any:
        return x * y

    def rule(primals: Any, tangents: Any) -> Any:
        seen.append([type(t).__name__ for t in tangents])
        return f(*primals), tangents[0] * primals[1]

    f.defjvp(rule, symbolic_zeros=True)
    assert float(jax.grad(f)(2.0, 3.0)) == 3
    assert seen[0][1] == "SymbolicZero" and seen[0][0] != "SymbolicZero"


def test_integer_arguments() -> None:
    @jax.custom_jvp
    def f(x: Any, n: Any) -> Any:
        return x * n

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x, n), (t, tn) = primals, tangents
        assert np.asarray(tn).dtype == jax.float0
        return f(x, n), t * n

    for wrap in WRAPPERS:
        assert float(jax.grad(wrap(f))(2.0, 3)) == 3


def test_methods() -> None:
    class Layer:
        @jax.custom_jvp
        @staticmethod
        def f(x: Any) -> Any:
            return x * 2

    Layer.f.defjvp(lambda p, t: (p[0] * 2, t[0] * 9))
    assert float(jax.grad(Layer.f)(1.0)) == 9


# What a function or its rule closes over ---------------------------------------------------------


def scaled_by(x: Any, s: Any) -> Any:
    @jax.custom_jvp
    def f(x: Any) -> Any:
        return x * s

    f.defjvp(lambda p, t: (f(p[0]), t[0] * s * 7))
    return f(x)


def test_closing_over_concrete_values_and_traced_ones() -> None:
    assert float(scaled_by(2.0, 3.0)) == float(jax.jit(scaled_by)(2.0, 3.0)) == 6
    assert float(jax.grad(scaled_by)(2.0, 3.0)) == 21
    assert float(jax.jit(jax.grad(scaled_by))(2.0, 3.0)) == 21
    x = jnp.arange(3.0)
    np.testing.assert_array_equal(jax.vmap(scaled_by, (0, None))(x, 3.0), [0, 3, 6])


def test_closing_over_the_values_of_a_vmap() -> None:
    x = jnp.arange(3.0)
    np.testing.assert_array_equal(jax.vmap(scaled_by, (None, 0))(2.0, x), [0, 2, 4])
    np.testing.assert_array_equal(jax.vmap(scaled_by)(x, x), [0, 1, 4])
    np.testing.assert_array_equal(jax.vmap(jax.grad(scaled_by))(x, x), [0, 7, 14])
    np.testing.assert_array_equal(jax.jit(jax.vmap(jax.grad(scaled_by)))(x, x), [0, 7, 14])


@pytest.mark.parametrize(
    "program",
    [
        lambda: jax.grad(scaled_by, 1)(2.0, 3.0),
        lambda: jax.grad(jax.jit(scaled_by), 1)(2.0, 3.0),
        lambda: jax.grad(jax.jit(scaled_by))(2.0, 3.0),
    ],
)
def test_derivative_with_respect_to_what_is_closed_over_is_refused(program: Any) -> None:
    """JAX refuses too; the last two fail in its compiler."""
    with pytest.raises(UnexpectedTracerError):
        program()


def test_closed_over_values_are_operands_of_the_printed_equation() -> None:
    text = str(jax.make_jaxpr(scaled_by)(2.0, 3.0))
    assert "custom_jvp_call[" in text and "num_consts=1" in text and "] b a" in text


def test_rule_is_traced_again_for_other_flags() -> None:
    f = jax.jit(marked)
    assert jax.grad(f)(0.5).dtype == np.float32
    with jax.enable_x64(True):
        assert jax.grad(f)(0.5).dtype == np.float64


# Mistakes ----------------------------------------------------------------------------------------


def with_rule(rule: Any) -> Any:
    f = jax.custom_jvp(lambda x: x * 2.0)
    f.defjvp(rule)
    return f


@pytest.mark.parametrize(
    "rule, text",
    [
        (lambda p, t: 1, "must produce a pair"),
        (lambda p, t: (p[0], (t[0],)), r"equal container \(pytree\) structures"),
        (lambda p, t: (p[0], jnp.ones(3)), r"corresponding shapes.*float32\[\].*float32\[3\]"),
        (lambda p, t: (p[0], jnp.int32(1)), r"Expected float32\[\].*but got int32\[\]"),
        (lambda p, t: (p[0], "s"), "not a valid JAX type"),
    ],
)
@pytest.mark.parametrize("wrap", WRAPPERS)
def test_bad_rules_are_refused(rule: Any, text: str, wrap: Any) -> None:
    with pytest.raises(TypeError, match=text):
        jax.grad(wrap(with_rule(rule)))(1.0)


def test_rule_with_another_structure_than_the_function() -> None:
    with pytest.raises(TypeError, match="primal"):
        jax.grad(jax.jit(with_rule(lambda p, t: ((p[0],), (t[0],)))))(1.0)


def test_function_without_rule() -> None:
    f = jax.custom_jvp(lambda x: x)
    with pytest.raises(AttributeError, match="No JVP defined for custom_jvp function"):
        f(1.0)
    with pytest.raises(TypeError, match="nondiff_argnums"):
        jax.custom_jvp(lambda n, x: x, nondiff_argnums=(0,)).defjvps(None)
