"""Can every step between a function and its compiled program be taken by hand?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp


@jax.jit
def f(x: Any, y: Any) -> Any:
    return {"sum": jnp.sin(x) + y["b"]}


X = jnp.ones((2, 3))
Y = {"b": jnp.float32(2)}


def test_trace_lower_compile_call() -> None:
    traced = f.trace(X, Y)
    assert [e.primitive.name for e in traced.jaxpr.eqns] == ["sin", "add"]
    lowered = traced.lower()
    compiled = lowered.compile()
    np.testing.assert_allclose(compiled(X, Y)["sum"], np.sin(1) + np.full((2, 3), 2), rtol=1e-6)


def test_texts_of_the_stages() -> None:
    lowered = f.lower(X, Y)
    text = lowered.as_text()
    assert "func.func public @main" in text and "stablehlo.sine" in text and "loc(" not in text
    assert "test_stages.py" in lowered.as_text(debug_info=True)
    assert str(lowered.compiler_ir()) or lowered.compiler_ir() is lowered.module
    assert "stablehlo" in lowered.compile().as_text()
    with pytest.raises(ValueError, match="dialect"):
        lowered.as_text("hlo")


def test_structures_and_types() -> None:
    lowered = f.lower(X, Y)
    struct = jax.ShapeDtypeStruct((2, 3), np.float32)
    assert lowered.out_info == {"sum": struct}
    assert f.eval_shape(X, Y) == {"sum": struct}
    assert lowered.in_tree == jax.tree.structure(((X, Y), {}))
    assert lowered.compile().out_tree == jax.tree.structure({"sum": 0})


def test_stages_take_types_in_place_of_values() -> None:
    struct = jax.ShapeDtypeStruct((2, 3), jnp.float32)
    compiled = f.lower(struct, {"b": jax.ShapeDtypeStruct((), np.float32)}).compile()
    assert compiled(X, Y)["sum"].shape == (2, 3)


def test_ahead_of_time_tracing_is_shared_with_calls() -> None:
    traces = []
    g = jax.jit(lambda x: (traces.append(1), x + 1)[1])
    g.lower(jnp.ones(3))
    g(jnp.ones(3))
    g.trace(jnp.ones(3))
    assert len(traces) == 1


def test_static_and_keyword_arguments() -> None:
    g = jax.jit(lambda x, n, *, scale: x * n * scale, static_argnums=1)
    compiled = g.lower(1.0, 3, scale=2.0).compile()
    assert float(compiled(5.0, 3, scale=2.0)) == 30


def test_compiled_program_accepts_one_signature_only() -> None:
    compiled = jax.jit(lambda x: x + 1).lower(jnp.ones(3)).compile()
    with pytest.raises(TypeError, match=r"float32\[4\].*expected float32\[3\]"):
        compiled(jnp.ones(4))
    with pytest.raises(TypeError, match="compiled"):
        compiled(jnp.ones(3, jnp.int32))
    with pytest.raises(TypeError, match="pytree"):
        compiled((jnp.ones(3),))
    with pytest.raises(TypeError, match="pytree"):
        compiled(jnp.ones(3), jnp.ones(3))
    with pytest.raises(TypeError, match="Cannot apply JAX transformations"):
        jax.grad(lambda x: compiled(x).sum())(jnp.ones(3))


def test_compiler_options_of_compile() -> None:
    lowered = jax.jit(lambda x: x + 1).lower(1.0)
    assert float(lowered.compile({"iree-opt-level": "O1"})(1.0)) == 2


def test_make_jaxpr_and_eval_shape() -> None:
    jaxpr, shapes = jax.make_jaxpr(lambda x, n: x * n, static_argnums=1, return_shape=True)(X, 2)
    assert "mul a 2.0:f32[]" in str(jaxpr)
    assert shapes == jax.ShapeDtypeStruct((2, 3), np.float32)
    out = jax.eval_shape(lambda x, k: (x @ x.T, k), jax.ShapeDtypeStruct((4, 5), jnp.float32), k=1)
    assert out[0].shape == (4, 4) and out[1].weak_type
    psum = jax.make_jaxpr(lambda x: jax.lax.psum(x, "i"), axis_env=[("i", 4)])(1.0)
    assert "psum" in str(psum)


def test_eval_shape_computes_nothing() -> None:
    huge = jax.ShapeDtypeStruct((10**6, 10**6), np.float32)
    assert jax.eval_shape(lambda x: (x @ x).sum(0), huge).shape == (10**6,)
