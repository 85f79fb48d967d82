"""Are forward and reverse derivatives right, and the transposes of each other?"""

from __future__ import annotations

import functools
import pickle
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp


def f(x: Any, y: Any) -> Any:
    return {"s": jnp.sin(x) * y, "p": x * y**2}


def test_jvp() -> None:
    value, moved = jax.jvp(f, (1.0, 2.0), (3.0, 4.0))
    assert float(value["p"]) == 4
    assert float(moved["s"]) == pytest.approx(3 * np.cos(1) * 2 + 4 * np.sin(1))
    assert float(moved["p"]) == pytest.approx(3 * 4 + 4 * 2 * 2)


def test_jvp_with_aux_lists_and_pytrees() -> None:
    value, moved, aux = jax.jvp(lambda p: (p["x"] ** 2, "aux"), [{"x": 3.0}], [{"x": 1.0}], True)
    assert (float(value), float(moved), aux) == (9, 6, "aux")


def test_vjp() -> None:
    value, pullback = jax.vjp(f, 1.0, 2.0)
    x_bar, y_bar = pullback({"s": jnp.float32(1), "p": jnp.float32(10)})
    assert float(value["s"]) == pytest.approx(2 * np.sin(1))
    assert float(x_bar) == pytest.approx(2 * np.cos(1) + 10 * 4)
    assert float(y_bar) == pytest.approx(np.sin(1) + 10 * 4)
    _, again, aux = jax.vjp(lambda x: (x * 2, x), 1.0, has_aux=True)
    assert float(again(1.0)[0]) == 2 and float(aux) == 1


def test_pullback_can_be_used_many_times_mapped_jitted_and_pickled_residuals() -> None:
    x = jnp.arange(3.0)
    _, pullback = jax.vjp(lambda v: jnp.sin(v) * v, x)
    rows = jax.vmap(pullback)(jnp.eye(3))[0]
    diagonal = np.cos(np.arange(3)) * np.arange(3) + np.sin(np.arange(3))
    np.testing.assert_allclose(rows, np.diag(diagonal), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(pullback)(jnp.ones(3))[0], diagonal, rtol=1e-6)
    leaves = jax.tree.leaves(pullback)
    assert leaves and all(isinstance(leaf, jax.Array) for leaf in leaves)
    pickle.dumps(leaves)


def test_pullback_may_leave_a_jitted_function() -> None:
    value, pullback = jax.jit(functools.partial(jax.vjp, lambda v: v**3))(2.0)
    assert float(value) == 8 and float(pullback(1.0)[0]) == 12


def test_linearize() -> None:
    value, tangent = jax.linearize(f, 1.0, 2.0)
    moved = tangent(3.0, 4.0)
    expected = jax.jvp(f, (1.0, 2.0), (3.0, 4.0))
    assert float(value["s"]) == pytest.approx(float(expected[0]["s"]))
    assert float(moved["s"]) == pytest.approx(float(expected[1]["s"]))
    assert float(jax.jit(tangent)(1.0, 0.0)["p"]) == 4
    *_, aux = jax.linearize(lambda x: (x, [x]), 1.0, has_aux=True)
    assert float(aux[0]) == 1


def test_linear_function_does_not_run_python_again() -> None:
    runs = []
    _, tangent = jax.linearize(lambda x: (runs.append(1), jnp.sin(x))[1], 1.0)
    tangent(1.0)
    tangent(2.0)
    assert len(runs) == 1


def test_forward_and_reverse_are_transposes() -> None:
    rng = np.random.default_rng(0)
    x = {"a": rng.normal(size=(3, 4)).astype(np.float32), "b": rng.normal(size=4).astype("f")}
    v = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), x)

    def g(p: Any) -> Any:
        return jnp.tanh(p["a"] @ p["b"]), jnp.exp(p["b"]) * p["a"][0]

    value, moved = jax.jvp(g, (x,), (v,))
    _, pullback = jax.vjp(g, x)
    ct = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), value)
    (back,) = pullback(ct)
    left = sum(np.vdot(a, b) for a, b in zip(ct, moved, strict=True))
    right = sum(np.vdot(back[k], v[k]) for k in x)
    assert left == pytest.approx(right, rel=1e-5)


def test_integers_move_in_float0() -> None:
    zero = np.zeros((), jax.float0)
    value, moved = jax.jvp(lambda n, x: (n, n * x), (3, 2.0), (zero, 1.0))
    assert moved[0].dtype == jax.float0 and float(moved[1]) == 3
    _, pullback = jax.vjp(lambda n, x: (n, n * x), 3, 2.0)
    n_bar, x_bar = pullback((zero, 1.0))
    assert n_bar.dtype == jax.float0 and float(x_bar) == 3
    assert int(value[0]) == 3


def test_cotangents_have_the_dtype_of_the_primal() -> None:
    x = jnp.ones(2, jnp.bfloat16)
    value, pullback = jax.vjp(lambda v: v.astype(np.float32) * 2, x)
    assert value.dtype == np.float32
    (x_bar,) = pullback(jnp.ones(2))
    assert x_bar.dtype == jnp.bfloat16


def test_weak_primal_gives_weak_cotangent() -> None:
    assert jax.vjp(lambda x: x * 2, 1.0)[1](1.0)[0].weak_type
    assert not jax.vjp(lambda x: x * 2, jnp.float32(1))[1](jnp.float32(1))[0].weak_type


def test_perturbations_of_nested_derivatives_are_not_confused() -> None:
    """d/dx (x · d/dy (x + y)) is 1, not 2: the inner tangent is not the outer one."""
    inner = jax.grad(lambda x: x * jax.grad(lambda y: x + y)(1.0))
    assert float(inner(1.0)) == 1

    def forward(x: Any) -> Any:
        return x * jax.jvp(lambda y: x + y, (1.0,), (1.0,))[1]

    assert float(jax.jvp(forward, (1.0,), (1.0,))[1]) == 1
    assert float(jax.grad(forward)(1.0)) == 1


def test_forward_over_reverse_and_reverse_over_forward() -> None:
    def g(x: Any) -> Any:
        return jnp.sum(jnp.sin(x) * x**2)

    x, v = jnp.array([0.5, 1.5]), jnp.array([1.0, -2.0])
    a = np.asarray(x)
    second = -np.sin(a) * a**2 + 4 * a * np.cos(a) + 2 * np.sin(a)
    expected = second * np.asarray(v)
    forward_reverse = jax.jvp(jax.grad(g), (x,), (v,))[1]
    reverse_forward = jax.grad(lambda y: jax.jvp(g, (y,), (v,))[1])(x)
    reverse_reverse = jax.grad(lambda y: jnp.vdot(jax.grad(g)(y), v))(x)
    for got in (forward_reverse, reverse_forward, reverse_reverse):
        np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_linear_transpose_is_the_adjoint() -> None:
    def linear(x: Any, y: Any) -> Any:
        return {"sum": 2 * x[:2] + y, "rest": x[2]}

    x, y = jnp.array([1.0, 2.0, 3.0]), jnp.array([4.0, 5.0])
    ct = {"sum": jnp.array([1.0, 10.0]), "rest": jnp.float32(7)}
    ct_x, ct_y = jax.linear_transpose(linear, x, jax.ShapeDtypeStruct((2,), np.float32))(ct)
    assert ct_x.tolist() == [2.0, 20.0, 7.0]
    assert ct_y.tolist() == [1.0, 10.0]
    out = linear(x, y)
    left = float(out["sum"] @ ct["sum"] + out["rest"] * ct["rest"])
    assert left == float(x @ ct_x + y @ ct_y)


def test_linear_transpose_refuses_what_is_not_linear() -> None:
    with pytest.raises(NotImplementedError, match="sin is not linear"):
        jax.linear_transpose(jnp.sin, 1.0)(1.0)
    with pytest.raises(TypeError, match="floating-point"):
        jax.linear_transpose(lambda i: i, 1)
