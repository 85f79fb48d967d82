"""Is a mapped function the function applied to every example?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp


def test_mapping_is_a_loop() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)

    def f(row: Any) -> Any:
        return {"norm": jnp.sqrt(jnp.sum(row**2)), "sorted": jnp.cumsum(row)}

    out = jax.vmap(f)(x)
    np.testing.assert_allclose(out["norm"], np.linalg.norm(x, axis=1), rtol=1e-6)
    np.testing.assert_allclose(out["sorted"], np.cumsum(x, axis=1), rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_axes_in_and_out(axis: int) -> None:
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    out = jax.vmap(lambda m: m * 2, in_axes=axis, out_axes=axis)(x)
    np.testing.assert_array_equal(out, 2 * x)
    moved = jax.vmap(lambda m: m, in_axes=axis, out_axes=-1)(x)
    np.testing.assert_array_equal(moved, np.moveaxis(x, axis, -1))


def test_nested_axis_specifications() -> None:
    params = {"w": jnp.ones((3, 5)), "b": (jnp.ones(5), jnp.arange(4.0))}

    def f(p: Any, x: Any, scale: Any) -> Any:
        return p["w"] @ x + p["b"][1], scale

    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    out, scale = jax.vmap(f, in_axes=({"w": None, "b": (0, 0)}, 1, None), out_axes=(1, None))(
        {"w": params["w"], "b": (jnp.ones((4, 5)), params["b"][1])}, x, 7.0
    )
    assert out.shape == (3, 4) and float(scale) == 7
    np.testing.assert_allclose(out, np.ones((3, 5)) @ x + np.arange(4), rtol=1e-5)


def test_none_marks_shared_arguments_of_any_kind() -> None:
    assert jax.vmap(lambda x, s: x if s == "yes" else -x, in_axes=(0, None))(
        jnp.ones(2), "yes"
    ).tolist() == [1, 1]
    tree = {"a": None, "b": jnp.ones(2)}
    np.testing.assert_array_equal(jax.vmap(lambda t: t["b"])(tree), [1, 1])


def test_keyword_arguments_are_mapped_over_their_first_axis() -> None:
    out = jax.vmap(lambda x, y: x + y, in_axes=1)(jnp.ones((2, 3)), y=jnp.arange(3.0))
    assert out.shape == (3, 2)


def test_results_that_do_not_vary() -> None:
    x = jnp.ones(3)
    np.testing.assert_array_equal(jax.vmap(lambda a: 2.0)(x), [2, 2, 2])
    assert float(jax.vmap(lambda a: 2.0, out_axes=None)(x)) == 2
    constant = jax.vmap(lambda a: jnp.arange(2), out_axes=1)(x)
    np.testing.assert_array_equal(constant, [[0, 0, 0], [1, 1, 1]])


def test_axis_size_without_mapped_arguments_and_empty_axes() -> None:
    np.testing.assert_array_equal(jax.vmap(lambda: 1.0, axis_size=3)(), [1, 1, 1])
    assert jax.vmap(lambda x: x * 2)(jnp.ones((0, 2))).shape == (0, 2)


def test_nested_vmap() -> None:
    x, y = jnp.arange(3.0), jnp.arange(4.0)
    outer = jax.vmap(jax.vmap(lambda a, b: a * b, (None, 0)), (0, None))
    np.testing.assert_array_equal(outer(x, y), np.outer(x, y))
    swapped = jax.vmap(jax.vmap(lambda a, b: a * b, (0, None)), (None, 0), out_axes=1)
    np.testing.assert_array_equal(swapped(x, y), np.outer(x, y))


def test_mixed_ranks_broadcast_as_for_one_example() -> None:
    out = jax.vmap(lambda a, b: a + b)(jnp.ones((5, 3)), jnp.ones((5, 2, 3)))
    assert out.shape == (5, 2, 3)
    assert jax.vmap(lambda a, b: a + b)(jnp.ones(5), jnp.ones((5, 5))).shape == (5, 5)
    product = jax.vmap(jnp.matmul, in_axes=(0, None))(jnp.ones((5, 2, 3)), jnp.ones(3))
    assert product.shape == (5, 2)


# Named axes --------------------------------------------------------------------------------------


def test_collectives() -> None:
    x = jnp.array([1.0, 5.0, 3.0])

    def f(v: Any) -> Any:
        return {
            "sum": jax.lax.psum(v, "i"),
            "mean": jax.lax.pmean(v, "i"),
            "max": jax.lax.pmax(v, "i"),
            "min": jax.lax.pmin(v, "i"),
            "index": jax.lax.axis_index("i"),
            "size": jax.lax.psum(1, "i"),
        }

    out = jax.vmap(f, axis_name="i")(x)
    assert out["sum"].tolist() == [9, 9, 9] and out["mean"].tolist() == [3, 3, 3]
    assert out["max"].tolist() == [5, 5, 5] and out["min"].tolist() == [1, 1, 1]
    assert out["index"].tolist() == [0, 1, 2] and out["size"].tolist() == [3, 3, 3]
    jitted = jax.jit(jax.vmap(f, axis_name="i"))(x)
    assert jax.tree.map(lambda a: a.tolist(), jitted) == jax.tree.map(lambda a: a.tolist(), out)


def test_collectives_over_two_axes_and_through_jit() -> None:
    x = jnp.arange(6.0).reshape(2, 3)

    @jax.jit
    def f(v: Any) -> Any:
        return jax.lax.psum(v, ("i", "j")), jax.lax.psum(v, "j"), jax.lax.pmax(v, "i")

    total, rows, columns = jax.vmap(jax.vmap(f, axis_name="j"), axis_name="i")(x)
    assert np.all(np.asarray(total) == 15)
    np.testing.assert_array_equal(rows[:, 0], [3, 12])
    np.testing.assert_array_equal(columns[0], [3, 4, 5])


def test_derivative_through_a_collective() -> None:
    def loss(x: Any) -> Any:
        normal = jax.vmap(lambda v: v / jax.lax.psum(v, "i"), axis_name="i")(x)
        return normal[0]

    x = np.array([1.0, 3.0], np.float32)
    np.testing.assert_allclose(jax.grad(loss)(x), [3 / 16, -1 / 16], rtol=1e-6)
    # every example's function is the sum, and every example has a part in both
    slopes = jax.vmap(jax.grad(lambda v: jax.lax.psum(v**2, "i")), axis_name="i")(x)
    np.testing.assert_allclose(slopes, [4, 12], rtol=1e-6)


def test_vmap_of_jit_of_grad_of_jit() -> None:
    f = jax.jit(lambda x, y: jnp.sum(jax.jit(jnp.sin)(x) * y))
    out = jax.vmap(jax.jit(jax.grad(f)), in_axes=(0, None))(jnp.ones((4, 2)), jnp.arange(2.0))
    np.testing.assert_allclose(out, np.tile(np.cos(1) * np.arange(2), (4, 1)), rtol=1e-6)


def test_sizes_follow_the_call_not_the_function() -> None:
    f = jax.vmap(jax.jit(lambda x: x + 1))
    assert f(jnp.ones(3)).shape == (3,) and f(jnp.ones((4, 2))).shape == (4, 2)


def test_random_keys_are_mapped() -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    mapped = jax.vmap(lambda k: jax.random.uniform(k, (2,)))(keys)
    looped = np.stack([jax.random.uniform(k, (2,)) for k in keys])
    np.testing.assert_array_equal(mapped, looped)
