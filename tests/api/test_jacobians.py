"""Are Jacobians and Hessians right, in shape and structure too?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp

BOTH = pytest.mark.parametrize("jac", [jax.jacfwd, jax.jacrev, jax.jacobian])


@BOTH
def test_jacobian_of_a_vector_function(jac: Callable[..., Any]) -> None:
    matrix = jac(lambda x: jnp.array([x[0] * x[1], x[0] ** 2, x[1]]))(jnp.array([2.0, 3.0]))
    np.testing.assert_array_equal(matrix, [[3, 2], [4, 0], [0, 1]])


@BOTH
def test_shapes_are_output_then_input(jac: Callable[..., Any]) -> None:
    a = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    tensor = jac(lambda x: a @ x)(jnp.ones((3, 4)))
    assert tensor.shape == (2, 4, 3, 4)
    np.testing.assert_allclose(tensor, np.einsum("ij,kl->ikjl", a, np.eye(4)), rtol=1e-6)


@BOTH
def test_pytrees_argnums_and_aux(jac: Callable[..., Any]) -> None:
    def f(p: Any, y: Any) -> Any:
        return {"u": p["x"] * y, "v": (p["z"].sum(), y)}, y * 2

    point = {"x": jnp.arange(2.0), "z": jnp.ones((2, 2))}
    matrix, aux = jac(f, argnums=(0, 1), has_aux=True)(point, 3.0)
    assert float(aux) == 6
    of_p, of_y = matrix["u"]
    assert of_p["x"].shape == (2, 2) and matrix["v"][0][0]["z"].shape == (2, 2)
    np.testing.assert_array_equal(of_p["x"], 3 * np.eye(2))
    np.testing.assert_array_equal(of_p["z"], np.zeros((2, 2, 2)))
    np.testing.assert_array_equal(of_y, [0, 1])
    assert float(matrix["v"][1][1]) == 1


@BOTH
def test_scalar_functions(jac: Callable[..., Any]) -> None:
    assert float(jac(lambda x: x**2)(3.0)) == 6


@BOTH
def test_holomorphic(jac: Callable[..., Any]) -> None:
    matrix = jac(lambda z: z**2 * 1j, holomorphic=True)(jnp.array([1 + 1j, 2.0]))
    np.testing.assert_allclose(matrix, np.diag([2j * (1 + 1j), 4j]), rtol=1e-6)


@BOTH
def test_under_jit_and_vmap(jac: Callable[..., Any]) -> None:
    matrices = jax.jit(jax.vmap(jac(lambda x: jnp.sin(x) * x[0])))(jnp.ones((5, 3)))
    assert matrices.shape == (5, 3, 3)
    one = jax.jacfwd(lambda x: jnp.sin(x) * x[0])(jnp.ones(3))
    np.testing.assert_allclose(matrices[2], one, rtol=1e-5)


def test_hessian() -> None:
    h = jax.hessian(lambda x: x[0] ** 2 * x[1] + x[1] ** 3)(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(h, [[4, 2], [2, 12]], rtol=1e-6)
    tree = jax.hessian(lambda p: p["a"] * p["b"].sum() ** 2)({"a": 2.0, "b": jnp.ones(2)})
    np.testing.assert_allclose(tree["b"]["b"], np.full((2, 2), 4), rtol=1e-6)
    np.testing.assert_allclose(tree["a"]["b"], [4, 4], rtol=1e-6)
    value, aux = jax.hessian(lambda x: (x**3, 1), has_aux=True)(2.0)
    assert float(value) == 12


def test_integer_results_of_jacfwd_are_zeros() -> None:
    zeros = jax.jacfwd(lambda x: jnp.round(x).astype(np.int32))(jnp.ones(2))
    assert zeros.dtype == np.int32 and zeros.shape == (2, 2) and not np.asarray(zeros).any()


def test_third_derivatives() -> None:
    third = jax.jacfwd(jax.jacrev(jax.jacfwd(lambda x: (x**3).sum())))(jnp.ones(2))
    expected = np.zeros((2, 2, 2))
    expected[0, 0, 0] = expected[1, 1, 1] = 6
    np.testing.assert_allclose(third, expected, rtol=1e-6)
