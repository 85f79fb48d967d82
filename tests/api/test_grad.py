"""Is the gradient right, and of the structure, dtype and weakness that it should have?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp


def test_gradient_of_a_scalar_function() -> None:
    slope = jax.grad(lambda x: x**3 + jnp.sin(x))(2.0)
    assert float(slope) == pytest.approx(12 + np.cos(2.0))
    assert slope.weak_type and slope.dtype == np.float32


@pytest.mark.parametrize(
    "argnums, expected",
    [(0, 12.0), (1, 4.0), (-1, 4.0), ((0, 1), (12.0, 4.0)), ([1, 0], (4.0, 12.0)), ((1,), (4.0,))],
)
def test_argnums(argnums: Any, expected: Any) -> None:
    assert jax.grad(lambda x, y: x**2 * y, argnums)(2.0, 3.0) == expected


def test_pytrees_keep_their_structure() -> None:
    params = {"w": jnp.ones((2, 3)), "b": [jnp.zeros(3), None, ()]}

    def loss(p: Any, x: Any) -> Any:
        return jnp.sum(x @ p["w"] + p["b"][0])

    gradient = jax.grad(loss)(params, jnp.ones((4, 2)))
    assert jax.tree.structure(gradient) == jax.tree.structure(params)
    np.testing.assert_array_equal(gradient["w"], np.full((2, 3), 4))
    np.testing.assert_array_equal(gradient["b"][0], [4, 4, 4])


def test_value_and_grad_with_aux() -> None:
    def f(x: Any) -> Any:
        return x**2, {"twice": 2 * x, "name": "square", "n": 3}

    (value, aux), slope = jax.value_and_grad(f, has_aux=True)(3.0)
    assert (float(value), float(slope), float(aux["twice"]), aux["name"]) == (9, 6, 6, "square")
    slope, aux = jax.grad(f, has_aux=True)(3.0)
    assert (float(slope), aux["n"]) == (6, 3)
    assert not isinstance(aux["twice"], type(jax.make_jaxpr))
    slope, aux = jax.jit(jax.grad(lambda x: (x**2, x + 1), has_aux=True))(3.0)
    assert (float(slope), float(aux)) == (6, 4)


def test_aux_depends_on_the_argument_without_being_differentiated() -> None:
    def outer(x: Any) -> Any:
        slope, aux = jax.grad(lambda y: (y**3, y * x), has_aux=True)(x)
        return slope + aux

    assert float(jax.grad(outer)(2.0)) == pytest.approx(6 * 2 + 2 * 2)


def test_keyword_arguments_are_passed_on() -> None:
    assert float(jax.grad(lambda x, *, k: k * x)(2.0, k=5.0)) == 5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_gradient_has_the_dtype_of_the_argument(dtype: str) -> None:
    with jax.enable_x64(True):
        x = jnp.ones(3, dtype)
        assert jax.grad(lambda v: jnp.sum(v.astype(np.float32) ** 2))(x).dtype == x.dtype
        assert jax.grad(lambda v: jnp.sum(v * v))(x).dtype == x.dtype


def test_numpy_arguments() -> None:
    gradient = jax.grad(lambda x: (x**2).sum())(np.arange(3, dtype=np.float32))
    assert isinstance(gradient, jax.Array)
    np.testing.assert_array_equal(gradient, [0, 2, 4])
    assert not jax.grad(lambda x: x)(np.float64(1)).weak_type


def test_integers_have_float0_gradients() -> None:
    gradient = jax.grad(lambda n, x: n * x, argnums=(0, 1), allow_int=True)(3, 2.0)
    assert gradient[0].dtype == jax.float0 and gradient[0].shape == ()
    assert float(gradient[1]) == 3
    tree = jax.grad(lambda p: p["x"] * p["n"][0], allow_int=True)({"x": 2.0, "n": jnp.arange(1, 4)})
    assert tree["n"].dtype == jax.float0 and tree["n"].shape == (3,)
    assert float(tree["x"]) == 1


def test_holomorphic_and_complex_functions() -> None:
    slope = jax.grad(lambda z: z**2, holomorphic=True)(1 + 2j)
    assert complex(slope) == pytest.approx(2 + 4j)
    # of a real function of complex arguments: the conjugate of what mathematicians write
    assert complex(jax.grad(lambda z: jnp.real(z * jnp.conj(z)))(1 + 2j)) == pytest.approx(2 - 4j)


def test_unused_arguments_and_constants_have_zero_gradients() -> None:
    assert float(jax.grad(lambda x: 1.0)(2.0)) == 0
    np.testing.assert_array_equal(
        jax.grad(lambda p: p["a"].sum())({"a": jnp.ones(2), "b": jnp.ones(3)})["b"], np.zeros(3)
    )
    assert float(jax.grad(lambda x: jnp.floor(x) * 2)(1.5)) == 0


def test_stop_gradient() -> None:
    assert float(jax.grad(lambda x: x * jax.lax.stop_gradient(x))(3.0)) == 3


def test_one_variable_used_twice_and_results_that_nobody_uses() -> None:
    def f(x: Any) -> Any:
        unused = jnp.exp(x * 100)  # its derivative is not finite
        del unused
        return x * x + jnp.sin(x) * x

    assert float(jax.grad(f)(3.0)) == pytest.approx(6 + np.sin(3) + 3 * np.cos(3), rel=1e-5)


def test_gradient_runs_python_once_and_evaluates_once() -> None:
    runs = []
    value, slope = jax.value_and_grad(lambda x: (runs.append(1), x**2)[1])(3.0)
    assert len(runs) == 1 and float(value) == 9 and float(slope) == 6


def test_wrapper_keeps_name() -> None:
    def named(x: Any) -> Any:
        """Document."""
        return x

    for transform in (jax.grad, jax.value_and_grad, jax.vmap, jax.jacfwd, jax.hessian):
        assert transform(named).__name__ == "named" and transform(named).__doc__ == "Document."


# Every nesting of grad, vmap and jit, three deep ------------------------------------------------


def polynomial(x: Any) -> Any:
    return x**4 - 2 * x**2 + x


def composite(x: Any) -> Any:
    return jnp.sin(x) * jnp.exp(-(x**2)) + jnp.tanh(x)


def inner_jit(x: Any) -> Any:
    return jax.jit(lambda y: y * jnp.cos(y))(x) * 2


def constant_inside(x: Any) -> Any:
    return jnp.sum(jnp.array([1.0, 2.0, 3.0], x.dtype) * x**3)


FUNCTIONS = [polynomial, composite, inner_jit, constant_inside]
NESTINGS = [
    order
    for depth in (1, 2, 3)
    for order in np.ndindex(*(3,) * depth)
    if order.count(1) <= 1  # the argument has one axis to map over
]
TRANSFORM: list[Callable[..., Any]] = [jax.grad, jax.vmap, jax.jit]


def derivative(f: Callable[[Any], Any], order: int, x: np.ndarray) -> Any:
    """By central differences of the function in double precision."""
    step = 1e-2
    values = {k: np.asarray(jax.vmap(f)(x + k * step)) for k in range(-4, 5)}
    weights = {
        0: {0: 1.0},
        1: {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12},
        2: {-2: -1 / 12, -1: 4 / 3, 0: -5 / 2, 1: 4 / 3, 2: -1 / 12},
        3: {-3: 1 / 8, -2: -1.0, -1: 13 / 8, 1: -13 / 8, 2: 1.0, 3: -1 / 8},
    }[order]
    return sum(w * values[k] for k, w in weights.items()) / step**order


@pytest.mark.parametrize("nesting", NESTINGS, ids=lambda n: "".join("gvj"[i] for i in n))
@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_every_nesting_of_grad_vmap_and_jit(f: Any, nesting: tuple[int, ...]) -> None:
    with jax.enable_x64(True):
        points = np.array([0.3, -0.7, 1.1])
        transformed = f
        for i in reversed(nesting):
            transformed = TRANSFORM[i](transformed)
        expected = derivative(f, nesting.count(0), points)
        if nesting.count(1):
            if any(nesting[i] == 0 and 1 in nesting[i:] for i in range(len(nesting))):
                return  # the gradient of a mapped function: see the test below
            got = np.asarray(transformed(points))
        else:
            got = np.array([float(transformed(p)) for p in points])
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("outer", [lambda f: f, jax.jit])
@pytest.mark.parametrize("middle", [lambda f: f, jax.jit])
@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_gradient_of_a_mapped_function(f: Any, middle: Any, outer: Any) -> None:
    with jax.enable_x64(True):
        points = np.array([0.3, -0.7, 1.1])
        total = outer(jax.grad(lambda x: middle(jax.vmap(f))(x).sum()))
        np.testing.assert_allclose(total(points), derivative(f, 1, points), rtol=1e-5, atol=1e-5)
        second = outer(jax.vmap(jax.grad(lambda x: middle(jax.grad(f))(x))))
        np.testing.assert_allclose(second(points), derivative(f, 2, points), rtol=1e-5, atol=1e-5)
