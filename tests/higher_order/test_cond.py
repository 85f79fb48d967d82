"""cond and switch: the choice that they mean, its derivatives, and vmap over it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp
from minijax import lax
from minijax.higher_order.cond import cond_p
from minijax.transforms.dce import dce_jaxpr

VECTOR = np.array([1.0, -2.0, 3.0], np.float32)


@pytest.fixture(autouse=True)
def _numpy_device() -> Iterator[None]:
    """Programs here run on the backend that compiles nothing; compiled ones say so."""
    with jax.default_device(jax.devices("numpy")[0]), jax.enable_checks(True):
        yield


def close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-5, atol=1e-6)


def conds_in(jaxpr: Any) -> list[Any]:
    return [eqn for eqn in jaxpr.eqns if eqn.primitive is cond_p]


def chosen(x: Any, w: Any) -> Any:
    return lax.cond(x > 0, lambda x: jnp.sin(x) * w, lambda x: x * x + w, x)


# -- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["numpy", "cpu"])
@pytest.mark.parametrize("predicate", [True, False])
def test_cond_is_the_if_in_python(platform: str, predicate: bool) -> None:
    with jax.default_device(jax.devices(platform)[0]):
        run = lambda p, x: lax.cond(p, lambda x: x + 1, lambda x: x * 2, x)  # noqa: E731
        expected = VECTOR + 1 if predicate else VECTOR * 2
        close(run(predicate, VECTOR), expected)
        close(jax.jit(run)(predicate, VECTOR), expected)


@pytest.mark.parametrize("platform", ["numpy", "cpu"])
def test_switch_clamps_the_index(platform: str) -> None:
    branches = [lambda x: x, lambda x: 10 * x, lambda x: 100 * x]
    run = jax.jit(lambda i, x: lax.switch(i, branches, x))
    with jax.default_device(jax.devices(platform)[0]):
        for i, expected in [(-5, 3), (0, 3), (1, 30), (2, 300), (9, 300)]:
            assert int(run(i, 3)) == expected
            assert int(lax.switch(i, branches, 3)) == expected


def test_switch_with_one_branch_is_a_call() -> None:
    jaxpr = jax.make_jaxpr(lambda i, x: lax.switch(i, [lambda x: x * 2], x))(0, 1.0)
    assert not conds_in(jaxpr)


def test_older_forms_of_cond() -> None:
    twice = lambda x: x * 2  # noqa: E731
    old_form: list[Any] = [VECTOR, twice, VECTOR + 1, lambda x: x * 5]
    close(lax.cond(True, twice, lambda x: x, operand=VECTOR), VECTOR * 2)
    close(lax.cond(False, lambda _: VECTOR, lambda _: VECTOR + 1, operand=None), VECTOR + 1)
    close(lax.cond(False, *old_form), (VECTOR + 1) * 5)
    with pytest.raises(TypeError, match="no positional operands can be passed"):
        lax.cond(True, twice, twice, VECTOR, operand=VECTOR)


def test_none_and_dicts_as_results() -> None:
    out = lax.cond(True, lambda x: {"a": x, "b": None}, lambda x: {"a": -x, "b": None}, VECTOR)
    close(out["a"], VECTOR)
    assert out["b"] is None


def test_weak_result_of_one_branch_is_strong() -> None:
    strong = lambda: jnp.float32(2)  # noqa: E731
    assert not lax.cond(True, lambda: 1.0, strong).weak_type
    assert lax.cond(True, lambda: 1.0, lambda: 2.0).weak_type


def test_runs_in_python_without_jit() -> None:
    ran = []

    def branch(name: str) -> Any:
        return lambda x: (ran.append(name), x)[1]

    with jax.disable_jit():
        lax.cond(True, branch("true"), branch("false"), 1.0)
        lax.switch(2, [branch("0"), branch("1"), branch("2")], 1.0)
    assert ran == ["true", "2"]


def test_only_the_chosen_branch_is_computed_eagerly() -> None:
    def fail(x: np.ndarray) -> np.ndarray:
        raise AssertionError

    with jax.debug_nans(True):
        close(lax.cond(True, lambda x: x, lambda x: jnp.log(-x), np.float32(1)), 1)


# -- derivatives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.5, -0.5])
def test_derivatives_are_those_of_the_branch_taken(x: float) -> None:
    w = 3.0
    taken = x > 0
    by_x = w * np.cos(x) if taken else 2 * x
    by_w = np.sin(x) if taken else 1
    by_xx = -w * np.sin(x) if taken else 2
    args = np.float32(x), np.float32(w)
    for gradient in (jax.grad(chosen, argnums=(0, 1)), jax.jit(jax.grad(chosen, argnums=(0, 1)))):
        close(gradient(*args), (by_x, by_w))
    close(jax.jvp(chosen, args, (np.float32(2), np.float32(5)))[1], 2 * by_x + 5 * by_w)
    close(jax.grad(jax.grad(chosen))(*args), by_xx)
    close(jax.grad(jax.jit(chosen))(*args), by_x)


def test_tangent_in_one_branch_only() -> None:
    run = lambda x, p: lax.cond(p, lambda: x * 3, lambda: jnp.float32(1))  # noqa: E731
    close(jax.grad(run)(np.float32(2), True), 3)
    close(jax.grad(run)(np.float32(2), False), 0)


def test_residuals_share_places_by_type() -> None:
    def run(p: Any, x: Any) -> Any:
        branches = [
            lambda x: jnp.sin(x).sum(),
            lambda x: jnp.exp(x).sum(),
            lambda x: jnp.cos(x).sum(),
        ]
        return lax.switch(p, branches, x)

    forward, backward = conds_in(jax.make_jaxpr(jax.grad(run, argnums=1))(1, VECTOR))
    assert [var.aval.shape for var in forward.outvars] == [(), (3,)]
    close(jax.grad(run, argnums=1)(1, VECTOR), np.exp(VECTOR))


def test_operands_are_residuals_without_being_returned() -> None:
    run = lambda p, x: lax.cond(p, lambda x: (x * x).sum(), lambda x: x.sum(), x)  # noqa: E731
    forward, _ = conds_in(jax.make_jaxpr(jax.grad(run, argnums=1))(True, VECTOR))
    assert len(forward.outvars) == 1


def test_integer_operands_and_results() -> None:
    run = lambda p, n, x: lax.cond(p, lambda n, x: (n + 1, x * n), lambda n, x: (n, x), n, x)  # noqa: E731
    loss = lambda x: run(True, 4, x)[1]  # noqa: E731
    close(jax.grad(loss)(np.float32(2)), 4)
    tangents = jax.jvp(lambda x: run(True, 4, x), (np.float32(2),), (np.float32(1),))[1]
    assert tangents[0].dtype == jax.float0


# -- vmap ----------------------------------------------------------------------------------------


def test_shared_predicate_stays_a_choice() -> None:
    run = lambda p, x: lax.cond(p, lambda x: x + 1, lambda x: 0.0, x)  # noqa: E731
    mapped = jax.vmap(run, in_axes=(None, 0))
    assert conds_in(jax.make_jaxpr(mapped)(True, VECTOR))
    close(mapped(True, VECTOR), VECTOR + 1)
    close(mapped(False, VECTOR), np.zeros(3))


def test_batched_predicate_selects() -> None:
    mapped = jax.vmap(chosen, in_axes=(0, None))
    assert not conds_in(jax.make_jaxpr(mapped)(VECTOR, np.float32(2)))
    expected = np.where(VECTOR > 0, np.sin(VECTOR) * 2, VECTOR**2 + 2)
    close(mapped(VECTOR, np.float32(2)), expected)
    by_w = jax.grad(lambda w: mapped(VECTOR, w).sum())(np.float32(2))
    close(by_w, np.sin(1) + 1 + np.sin(3))


def test_batched_index_selects_among_several() -> None:
    branches = [lambda x: x, lambda x: x * x, lambda x: -x]
    run = jax.vmap(lambda i, x: lax.switch(i, branches, x))
    close(run(np.array([2, 0, 1]), VECTOR), [-1, -2, 9])
    close(run(np.array([7, -1, 1]), VECTOR), [-1, -2, 9])


def test_no_nan_gradient_from_the_untaken_branch() -> None:
    def safe(x: Any, scale: Any) -> Any:
        return lax.cond(x > 0, lambda x: jnp.sqrt(x) / scale, lambda x: 0.0 * x, x)

    points = np.array([-1.0, 0.0, 4.0], np.float32)
    scales = np.array([0.0, 0.0, 2.0], np.float32)
    by_x, by_scale = jax.vmap(jax.grad(safe, argnums=(0, 1)))(points, scales)
    close(by_x, [0, 0, 0.125])
    close(by_scale, [0, 0, -0.5])
    # A shared operand collects cotangents from all examples, also from those.
    total = lambda s: jax.vmap(safe, in_axes=(0, None))(points, s).sum()  # noqa: E731
    close(jax.grad(total)(np.float32(2)), -0.5)


# -- captured values, what is handed through, dead code ------------------------------------------


def test_captured_value_of_both_branches_is_one_operand() -> None:
    def run(p: Any, a: Any) -> Any:
        return lax.cond(p, lambda: a * 2, lambda: a * a + VECTOR)

    jaxpr = jax.make_jaxpr(run)(True, VECTOR)
    (eqn,) = conds_in(jaxpr)
    assert len(eqn.invars) == 3  # the index, a, VECTOR
    close(run(False, VECTOR), VECTOR**2 + VECTOR)
    close(jax.grad(lambda a: run(False, a).sum())(VECTOR), 2 * VECTOR)


def test_no_cache_holds_a_dead_tracer() -> None:
    captured: list[Any] = []
    first = lambda x: x * captured[0]  # noqa: E731
    second = lambda x: x  # noqa: E731

    def run(w: Any) -> Any:
        captured[:] = [w]
        return lax.cond(True, first, second, 2.0)

    close(jax.grad(run)(np.float32(3)), 2)
    close(jax.grad(run)(np.float32(4)), 2)
    captured.clear()


def test_result_that_is_an_operand_in_all_branches_is_handed_through() -> None:
    run = lambda p, x: lax.cond(p, lambda x: (x, x * 2), lambda x: (x, x * 3), x)  # noqa: E731
    (eqn,) = conds_in(jax.make_jaxpr(run)(True, VECTOR))
    assert len(eqn.outvars) == 1


def test_dead_results_and_operands_are_dropped() -> None:
    run = lambda p, x, y: lax.cond(p, lambda x, y: (x * 2, y), lambda x, y: (x, y * 3), x, y)  # noqa: E731
    jaxpr = jax.make_jaxpr(run)(True, VECTOR, VECTOR)
    pruned, used = dce_jaxpr(jaxpr, [True, False])
    assert used == [True, True, False]
    assert len(conds_in(pruned)[0].outvars) == 1
    pruned, used = dce_jaxpr(jaxpr, [False, False])
    assert not pruned.eqns


def test_is_a_case_in_stablehlo() -> None:
    text = jax.jit(chosen).lower(np.float32(1), np.float32(2)).as_text()
    assert text.count('"stablehlo.case"') == 1


# -- errors --------------------------------------------------------------------------------------


def test_results_of_different_types_are_named() -> None:
    with pytest.raises(TypeError) as raised:
        lax.cond(True, lambda: {"u": VECTOR}, lambda: {"u": np.float32(1)})
    message = str(raised.value)
    assert "true_fun at path ['u'] has type float32[3]" in message
    assert "false_fun has type float32[], so the shapes do not match" in message
    assert "test_cond.py" in message


@pytest.mark.parametrize("predicate", [VECTOR > 0, "yes", None, np.complex64(1)])
def test_predicate_must_be_a_real_scalar(predicate: Any) -> None:
    with pytest.raises(TypeError, match=r"Pred|predicate"):
        lax.cond(predicate, lambda: 1, lambda: 2)


@pytest.mark.parametrize("index", [1.0, VECTOR.astype(int), True])
def test_index_must_be_an_integer_scalar(index: Any) -> None:
    with pytest.raises(TypeError, match=r"Index|index"):
        lax.switch(index, [lambda: 1, lambda: 2])


def test_switch_needs_branches() -> None:
    with pytest.raises(ValueError, match="Empty branch sequence"):
        lax.switch(0, [])
