"""while_loop and fori_loop: the loops that they mean, and what differentiates them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp
from minijax import lax
from minijax.higher_order.scan import scan_p
from minijax.higher_order.while_loop import while_p
from minijax.transforms.dce import dce_jaxpr


@pytest.fixture(autouse=True)
def _numpy_device() -> Iterator[None]:
    """Loops here run on the backend that compiles nothing; compiled ones say so."""
    with jax.default_device(jax.devices("numpy")[0]), jax.enable_checks(True):
        yield


def close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-5, atol=1e-6)


def halvings(x: Any, bound: Any = 1.0) -> Any:
    """Return how often ``x`` must be halved to fall below a bound, and what it is then."""
    return lax.while_loop(lambda c: c[1] >= bound, lambda c: (c[0] + 1, c[1] / 2), (0, x))


# -- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["numpy", "cpu"])
def test_is_the_loop_in_python(platform: str) -> None:
    with jax.default_device(jax.devices(platform)[0]):
        for x, count in [(100.0, 7), (0.5, 0), (1.0, 1)]:
            n, y = halvings(np.float32(x))
            assert int(n) == count
            close(y, x / 2**count)


def test_runs_in_python_without_jit() -> None:
    seen = []

    def body(c: Any) -> Any:
        seen.append(int(c))
        return c + 1

    with jax.disable_jit():
        assert lax.while_loop(lambda c: c < 3, body, 0) == 3
        assert seen == [0, 1, 2]
        # Under vmap the condition has no single value, so that the primitive must do.
        counts, _ = jax.vmap(halvings)(np.array([4.0, 1.0], np.float32))
        assert counts.tolist() == [3, 1]


def test_none_and_dicts_in_the_carry() -> None:
    out = lax.while_loop(
        lambda c: c["n"] < 3,
        lambda c: {"n": c["n"] + 1, "nothing": None},
        {"n": 0, "nothing": None},
    )
    assert out == {"n": 3, "nothing": None}


def test_weak_carry_is_promoted_to_what_the_body_returns() -> None:
    out = lax.while_loop(lambda c: c < 2, lambda c: c + np.float32(0.75), 0)
    assert out.dtype == np.float32
    close(out, 2.25)


# -- vmap ----------------------------------------------------------------------------------------


def test_batched_condition_masks_all_carries() -> None:
    xs = np.array([100.0, 0.5, 1.0, 9.0], np.float32)
    counts, ys = jax.vmap(halvings)(xs)
    assert counts.tolist() == [7, 0, 1, 4]
    close(ys, xs / 2.0 ** np.array([7, 0, 1, 4]))


def test_condition_that_becomes_batched_through_the_carry() -> None:
    step = np.array([1, 2, 5], np.int32)
    run = lambda s: lax.while_loop(lambda c: c[0] < 6, lambda c: (c[0] + s, c[1] + 1), (0, 0))  # noqa: E731
    total, count = jax.vmap(run)(step)
    assert total.tolist() == [6, 6, 10]
    assert count.tolist() == [6, 3, 2]


def test_shared_condition_stays_scalar() -> None:
    run = lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, 1.0))  # noqa: E731
    xs = np.array([1.0, 2.0], np.float32)
    jaxpr = jax.make_jaxpr(jax.vmap(run))(xs)
    (eqn,) = [eqn for eqn in jaxpr.eqns if eqn.primitive is while_p]
    assert [var.aval.shape for var in eqn.outvars] == [(), (2,)]
    close(jax.vmap(run)(xs)[1], [1, 8])


def test_vmap_of_vmap_with_batched_conditions() -> None:
    xs, bounds = np.array([100.0, 3.0], np.float32), np.array([1.0, 10.0, 1000.0], np.float32)
    over_bounds = jax.vmap(halvings, in_axes=(None, 0))
    counts, _ = jax.vmap(over_bounds, in_axes=(0, None))(xs, bounds)
    assert counts.tolist() == [[7, 4, 0], [2, 0, 0]]


def test_unread_examples_cannot_go_on_forever() -> None:
    # The example that is done would never end by itself if its carry went on changing.
    run = lambda x: lax.while_loop(lambda x: x != 0, lambda x: x - 2, x)  # noqa: E731
    assert jax.vmap(run)(np.array([8, 0, 2], np.int32)).tolist() == [0, 0, 0]


# -- derivatives ---------------------------------------------------------------------------------


def power(x: Any) -> Any:
    """Multiply ``x`` into a product until that exceeds 20."""
    return lax.while_loop(lambda c: c < 20, lambda c: c * x, x)


def test_forward_mode() -> None:
    x, t = np.float32(3), np.float32(0.5)
    close(jax.jvp(power, (x,), (t,)), (27, 27 * 0.5))
    close(jax.jvp(jax.jit(power), (x,), (t,))[1], 27 * 0.5)
    second = jax.jvp(lambda x: jax.jvp(power, (x,), (np.float32(1),))[1], (x,), (np.float32(1),))
    close(second[1], 6 * 3)


def test_carry_that_becomes_nonzero_in_the_body() -> None:
    def run(x: Any) -> Any:
        step = lambda c: (c[0] + 1, c[2], c[1] + x)  # noqa: E731
        return lax.while_loop(lambda c: c[0] < 3, step, (0, 0.0, 0.0))

    (_, first, second) = jax.jvp(run, (np.float32(5),), (np.float32(1),))[1]
    close(first, 1)
    close(second, 2)


def test_linearize_forwards() -> None:
    value, tangent_of = jax.linearize(power, np.float32(3))
    close(value, 27)
    close(tangent_of(np.float32(2)), 54)


def test_reverse_mode_says_what_to_use_instead() -> None:
    with pytest.raises(ValueError, match="Try using lax.scan, or using fori_loop with static"):
        jax.grad(power)(np.float32(3))


def test_dead_loop_in_a_tangent_program_is_no_obstacle() -> None:
    def loss(x: Any) -> Any:
        _ = power(x)
        return x * jax.lax.stop_gradient(power(x))

    close(jax.grad(loss)(np.float32(3)), 27)
    close(jax.jit(jax.grad(loss))(np.float32(3)), 27)


def test_loop_over_integers_is_no_obstacle() -> None:
    def loss(x: Any) -> Any:
        return x * lax.while_loop(lambda n: n < 5, lambda n: n + 2, 0)

    close(jax.grad(loss)(np.float32(3)), 6)


# -- captured values, what is handed through, dead code ------------------------------------------


def test_captured_tracers_of_condition_and_body() -> None:
    def run(bound: Any, factor: Any) -> Any:
        return lax.while_loop(lambda c: c < bound, lambda c: c * factor, 1.0)

    bounds = np.array([5.0, 100.0], np.float32)
    close(jax.jit(run)(bounds[0], np.float32(3)), 9)
    close(jax.vmap(run, in_axes=(0, None))(bounds, np.float32(3)), [9, 243])
    close(jax.jvp(run, (bounds[0], np.float32(3)), (np.float32(1), np.float32(1)))[1], 6)


def test_what_the_body_hands_through_is_a_constant() -> None:
    run = lambda a, b: lax.while_loop(lambda c: c[1] < 9, lambda c: (c[0], c[1] * c[0]), (a, b))  # noqa: E731
    jaxpr = jax.make_jaxpr(run)(np.float32(2), np.float32(1))
    (eqn,) = [eqn for eqn in jaxpr.eqns if eqn.primitive is while_p]
    assert (eqn.params["body_nconsts"], len(eqn.outvars)) == (1, 1)


def test_dead_carries_are_dropped_and_those_of_the_condition_stay() -> None:
    def run(x: Any) -> Any:
        step = lambda c: (c[0] + 1, c[1] * x, c[2] + c[1])  # noqa: E731
        return lax.while_loop(lambda c: c[0] < 3, step, (0, x, x))

    jaxpr = jax.make_jaxpr(run)(np.float32(2))
    (eqn,) = dce_jaxpr(jaxpr, [False, True, False])[0].eqns
    assert len(eqn.outvars) == 2
    (eqn,) = dce_jaxpr(jaxpr, [True, False, False])[0].eqns
    assert len(eqn.outvars) == 1
    assert eqn.params["body_nconsts"] == 0
    assert not dce_jaxpr(jaxpr, [False] * 3)[0].eqns


def test_is_one_while_loop_in_stablehlo() -> None:
    text = jax.jit(halvings).lower(np.float32(1)).as_text()
    assert text.count('"stablehlo.while"') == 1


# -- errors --------------------------------------------------------------------------------------


def test_condition_must_be_a_boolean_scalar() -> None:
    with pytest.raises(TypeError, match="cond_fun must return a boolean scalar"):
        lax.while_loop(lambda c: c, lambda c: c, np.int32(0))


def test_carry_mismatch_names_the_leaf() -> None:
    with pytest.raises(TypeError, match=r"component state\[1\] has type float32\[\] but"):
        lax.while_loop(
            lambda c: c[0] < 3, lambda state: (state[0] + 1, jnp.ones(3)), (0, np.float32(1))
        )


# -- fori_loop -----------------------------------------------------------------------------------


def triangular(n: Any) -> Any:
    return lax.fori_loop(0, n, lambda i, c: c + i, 0)


def test_fori_is_the_loop_in_python() -> None:
    assert [int(triangular(n)) for n in (0, 1, 5, -3)] == [0, 0, 10, 0]
    assert [int(jax.jit(triangular)(n)) for n in (0, 1, 5, -3)] == [0, 0, 10, 0]
    assert jax.vmap(triangular)(np.array([0, 5, 3])).tolist() == [0, 10, 3]
    assert int(lax.fori_loop(3, 6, lambda i, c: c * 10 + i, 0, unroll=2)) == 345
    with jax.disable_jit():
        assert int(triangular(5)) == 10


def test_fori_with_known_bounds_is_a_scan_and_has_a_gradient() -> None:
    loop = lambda x: lax.fori_loop(0, 4, lambda i, c: c * x, 1.0)  # noqa: E731
    jaxpr = jax.make_jaxpr(loop)(np.float32(2))
    assert [eqn.primitive for eqn in jaxpr.eqns] == [scan_p]
    close(jax.grad(loop)(np.float32(2)), 32)


def test_fori_with_traced_bounds_is_a_while_loop() -> None:
    jaxpr = jax.make_jaxpr(triangular)(3)
    assert [eqn.primitive for eqn in jaxpr.eqns] == [while_p]
    with pytest.raises(ValueError, match="bounds are statically known"):
        jax.jit(lambda n: lax.fori_loop(0, n, lambda i, c: c, 0, unroll=2))(3)


def test_fori_bounds_with_concrete_tracers_are_known() -> None:
    # In eager grad the bound is a tracer over a known value.
    loss = lambda x, n: lax.fori_loop(0, n, lambda i, c: c * x, 1.0)  # noqa: E731
    close(jax.grad(loss)(np.float32(2), 3), 12)


def test_fori_body_is_traced_once() -> None:
    traced = []

    def body(i: Any, c: Any) -> Any:
        traced.append(1)
        return c + i

    for _ in range(3):
        lax.fori_loop(0, 4, body, 0)
    assert len(traced) == 1


# -- map -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 0, 1, 2, 3, 5, 7, 8])
def test_map_stacks_the_results(batch_size: int | None) -> None:
    xs = np.arange(14, dtype=np.float32).reshape(7, 2)
    total, parts = lax.map(lambda x: (x.sum(), {"d": x[1] - x[0]}), xs, batch_size=batch_size)
    close(total, xs.sum(1))
    close(parts["d"], np.ones(7))


def test_map_in_blocks_shares_no_body_with_plain_map() -> None:
    f = lambda x: x.sum()  # noqa: E731
    xs = np.arange(6, dtype=np.float32)
    close(lax.map(f, xs.reshape(3, 2)), [1, 5, 9])
    close(lax.map(f, xs, batch_size=2), xs)


def test_map_has_a_gradient() -> None:
    xs = np.arange(5, dtype=np.float32)
    for batch_size in (None, 2):
        loss = lambda w: lax.map(lambda x: x * w * w, xs, batch_size=batch_size).sum()  # noqa: B023,E731
        close(jax.grad(loss)(np.float32(3)), 60)
