"""scan: the loop that it means, its derivatives, and what it keeps in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp
from minijax import lax
from minijax.core import dtypes
from minijax.core.array import array_from_numpy
from minijax.core.aval import ShapedArray
from minijax.core.primitive import UndefinedPrimal, Zero
from minijax.higher_order import bodies
from minijax.higher_order.scan import scan_p
from minijax.transforms.dce import dce_jaxpr
from minijax.transforms.staging import trace_to_jaxpr
from minijax.transforms.transpose import backward_pass

XS = np.array([1.0, -2.0, 0.5, 3.0, 1.5], np.float32)


@pytest.fixture(autouse=True)
def _numpy_device() -> Iterator[None]:
    """Loops here run on the backend that compiles nothing; compiled ones are in other files."""
    with jax.default_device(jax.devices("numpy")[0]), jax.enable_checks(True):
        yield


def in_python(f: Any, init: Any, xs: Any, reverse: bool = False) -> tuple[Any, np.ndarray]:
    """Return what the documentation says that scan computes."""
    carry, ys = init, []
    for x in reversed(xs) if reverse else xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, np.stack(ys[::-1] if reverse else ys)


def scans_in(jaxpr: Any) -> list[Any]:
    return [eqn for eqn in jaxpr.eqns if eqn.primitive is scan_p]


def close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-5, atol=1e-6)


# -- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("unroll", [0, 1, 2, 3, 5, 7, True, False])
def test_is_the_loop_in_python(reverse: bool, unroll: Any) -> None:
    step = lambda c, x: (c * 0.5 + x, c * x)  # noqa: E731
    carry, ys = lax.scan(step, 2.0, XS, reverse=reverse, unroll=unroll)
    expected_carry, expected_ys = in_python(step, np.float32(2), XS, reverse)
    close(carry, expected_carry)
    close(ys, expected_ys)


@pytest.mark.parametrize("length", [0, 1, 2, 5])
@pytest.mark.parametrize("unroll", [1, 2])
def test_compiled_loop_is_the_loop_in_python(length: int, unroll: int) -> None:
    step = lambda c, x: (c * 0.5 + x, c * x)  # noqa: E731
    with jax.default_device(jax.devices("cpu")[0]):
        carry, ys = lax.scan(step, np.float32(2), XS[:length], reverse=True, unroll=unroll)
    assert ys.shape == (length,)
    if length:
        expected_carry, expected_ys = in_python(step, np.float32(2), XS[:length], True)
        close(carry, expected_carry)
        close(ys, expected_ys)
    else:
        close(carry, 2.0)


def test_none_and_dicts_in_carry_and_outputs() -> None:
    def step(c: Any, _: None) -> Any:
        return {"n": c["n"] + 1, "nothing": None}, (None, {"y": c["n"]})

    carry, ys = lax.scan(step, {"n": 0, "nothing": None}, None, length=3)
    assert carry == {"n": 3, "nothing": None}
    assert ys[0] is None
    close(ys[1]["y"], [0, 1, 2])


def test_xs_none_needs_a_length() -> None:
    with pytest.raises(ValueError, match="`length` not provided"):
        lax.scan(lambda c, x: (c, x), 0, None)


def test_loop_over_keys() -> None:
    words = np.arange(1, 5, dtype=np.uint64) << 32
    kind = dtypes.threefry2x32_key
    keys = array_from_numpy(words, aval=ShapedArray((4,), kind))
    carry, ys = lax.scan(lambda c, key: (key, c), keys[0], keys)
    assert carry.dtype == kind
    assert ys.dtype == kind
    assert np.array_equal(carry.value, words[3])
    assert np.array_equal(ys.value, words[[0, 0, 1, 2]])
    mapped = jax.vmap(lambda k: lax.scan(lambda c, key: (key, c), k, keys)[1])(keys[:2])
    assert np.array_equal(mapped.value, np.stack([words[[0, 0, 1, 2]], words[[1, 0, 1, 2]]]))


def test_runs_in_python_without_jit() -> None:
    seen = []

    def step(c: Any, x: Any) -> Any:
        seen.append(float(c))
        return c + x, c

    with jax.disable_jit():
        carry, ys = lax.scan(step, jnp.float32(0), XS[:3], reverse=True)
        with pytest.raises(ValueError, match="zero-length scan is not supported"):
            lax.scan(step, jnp.float32(0), XS[:0])
    assert seen == [0.0, 0.5, -1.5]
    close(carry, -0.5)
    close(ys, [-1.5, 0.5, 0.0])


# -- the carry acquires what it did not have -----------------------------------------------------


def test_instantiated_zeros_in_a_carry() -> None:
    # The first carry has no tangent at the start and gets one from the second.
    loop = lambda w: lax.scan(lambda c, x: ((c[0] + c[1], c[1] * w), None), (0.0, w), XS)[0][0]  # noqa: E731
    w = np.float32(1.1)
    powers = np.arange(1, 6)
    close(loop(w), (w**powers).sum())
    close(jax.grad(loop)(w), (powers * w ** (powers - 1)).sum())
    close(jax.jvp(loop, (w,), (np.float32(2),))[1], 2 * (powers * w ** (powers - 1)).sum())


def test_carry_becomes_batched_in_the_body() -> None:
    loop = lambda w: lax.scan(lambda c, _: ((w, c[0], c[1]), None), (1.0, 2.0, 3.0), None, 2)[0]  # noqa: E731
    first, second, third = jax.vmap(loop)(np.array([7.0, 8.0], np.float32))
    close(first, [7, 8])
    close(second, [7, 8])
    close(third, [1, 1])


def test_weak_carry_becomes_strong_in_the_body() -> None:
    carry, ys = lax.scan(lambda c, x: (c + x, c), 0, XS)
    assert carry.dtype == ys.dtype == np.float32
    assert not carry.weak_type
    carry, _ = lax.scan(lambda c, x: (c + 1, None), 0, XS)
    assert carry.dtype == np.int32
    assert carry.weak_type


# -- derivatives ---------------------------------------------------------------------------------


def test_integer_and_boolean_carries_beside_a_float() -> None:
    def loop(w: Any, n: Any) -> Any:
        step = lambda c, x: ((c[0] + 1, ~c[1], c[2] * w + c[0] * x), None)  # noqa: E731
        return lax.scan(step, (n, True, w), XS)[0][2]

    w, n = np.float32(0.5), np.int32(2)
    expected = 6 * w**5 + sum(
        0 if k == 4 else (4 - k) * w ** (3 - k) * (2 + k) * XS[k] for k in range(5)
    )
    close(jax.grad(loop)(w, n), expected)
    by_integer = jax.grad(loop, argnums=1, allow_int=True)(w, n)
    assert by_integer.dtype == jax.float0
    tangent = jax.jvp(loop, (w, n), (np.float32(1), np.zeros((), jax.float0)))[1]
    close(tangent, expected)


def test_one_variable_used_twice() -> None:
    loop = lambda w: lax.scan(lambda c, x: (c * c * w + w, None), w, XS[:2])[0]  # noqa: E731
    value = lambda w: (w**3 + w) ** 2 * w + w  # noqa: E731
    w, h = 0.7, 1e-4
    close(jax.grad(loop)(np.float32(w)), (value(w + h) - value(w - h)) / (2 * h))


def test_cotangents_of_a_captured_value_add_up() -> None:
    matrix = np.array([[1.0, 2.0], [0.0, 1.0]], np.float32)
    loop = lambda m: lax.scan(lambda c, _: (m @ c, None), np.ones(2, np.float32), None, 2)[0].sum()  # noqa: E731
    # sum(M M 1): the derivative is 1 (M 1)' + M' 1 1'
    ones = np.ones(2, np.float32)
    expected = np.outer(ones, matrix @ ones) + np.outer(matrix.T @ ones, ones)
    close(jax.grad(loop)(matrix), expected)


def test_unused_outputs_get_no_derivative() -> None:
    def loss(w: Any) -> Any:
        carry, (used, _) = lax.scan(lambda c, x: (c * w, (c * x, jnp.exp(c))), w, XS)
        return used[1]

    close(jax.grad(loss)(np.float32(3)), 2 * 3 * XS[1])
    text = str(jax.make_jaxpr(jax.jit(jax.grad(loss)))(np.float32(3)))
    assert "add_any" in text


def test_length_zero_has_derivatives() -> None:
    loss = lambda w, xs: lax.scan(lambda c, x: (c * x, c), w, xs)[0] * 3  # noqa: E731
    d_w, d_xs = jax.grad(loss, argnums=(0, 1))(np.float32(2), XS[:0])
    close(d_w, 3.0)
    assert d_xs.shape == (0,)


def test_transpose_with_a_known_counter_in_the_carry() -> None:
    def loop(x: Any) -> Any:
        return lax.scan(lambda c, _: ((c[0] + 1, c[1] * c[0]), c[1]), (2, x), None, length=3)

    aval = ShapedArray((2,), np.float32)
    jaxpr = trace_to_jaxpr(lambda x: [loop(x)[0][1], loop(x)[1]], [aval])
    ct_carry, ct_ys = np.ones(2, np.float32), np.ones((3, 2), np.float32)
    (ct,) = backward_pass(jaxpr, [UndefinedPrimal(aval)], [ct_carry, ct_ys])
    close(ct, [24 + 1 + 2 + 6] * 2)
    (ct,) = backward_pass(jaxpr, [UndefinedPrimal(aval)], [Zero(aval), ct_ys])
    close(ct, [9, 9])


# -- residuals -----------------------------------------------------------------------------------


def forward_and_backward(loss: Any, *args: Any) -> tuple[Any, Any]:
    forward, backward = scans_in(jax.make_jaxpr(jax.grad(loss))(*args))
    return forward, backward


def test_loop_invariant_residuals_are_not_stacked() -> None:
    matrix = np.eye(4, dtype=np.float32)

    def loss(m: Any) -> Any:
        step = lambda c, x: (jnp.sin(m) @ c * x, None)  # noqa: E731
        return lax.scan(step, np.ones(4, np.float32), XS)[0].sum()

    forward, _ = forward_and_backward(loss, matrix)
    # Besides the final carry only what the carry was in each iteration (and the product).
    assert all(var.aval.shape in ((4,), (5, 4)) for var in forward.outvars)
    assert "sin" not in str(forward.params["jaxpr"])
    assert "cos" not in str(forward.params["jaxpr"])


def test_residuals_that_are_inputs_or_outputs_are_not_stacked_again() -> None:
    def loss(w: Any, xs: Any) -> Any:
        carry, ys = lax.scan(lambda c, x: (c * x, c), w, xs)
        return carry + ys.sum()

    forward, backward = forward_and_backward(loss, np.float32(2), XS)
    assert [var.aval.shape for var in forward.outvars] == [(), (5,)]
    shapes = [atom.aval.shape for atom in backward.invars]
    assert shapes.count((5,)) == 2  # the cotangents of ys, and xs; the carry's ct is a scalar


# -- what is handed through; dead code -----------------------------------------------------------


def test_what_the_body_hands_through_leaves_the_loop() -> None:
    def run(a: Any, b: Any) -> Any:
        return lax.scan(lambda c, x: ((c[0] * x, c[1]), (x, c[1] + x)), (a, b), b)

    (eqn,) = scans_in(jax.make_jaxpr(run)(XS, XS))
    assert eqn.params["num_carry"] == 1
    assert eqn.params["num_consts"] == 1
    assert len(eqn.outvars) == 2
    (c, same), (xs, _) = run(jnp.asarray(XS), jnp.asarray(XS))
    close(same, XS)
    close(xs, XS)
    close(c, XS * XS.prod())


def test_dead_carry_and_outputs_are_dropped() -> None:
    def run(a: Any, b: Any, xs: Any) -> Any:
        step = lambda c, x: ((c[0] + x, c[1] * c[0], c[2] * 2), (c[1], c[2]))  # noqa: E731
        return lax.scan(step, (a, b, b), xs)[0][0]

    jaxpr = jax.make_jaxpr(run)(np.float32(1), np.float32(2), XS)
    pruned, used = dce_jaxpr(jaxpr, [True])
    (eqn,) = scans_in(pruned)
    assert used == [True, False, True]
    assert eqn.params["num_carry"] == 1
    assert len(eqn.outvars) == 1
    pruned, used = dce_jaxpr(jaxpr, [False])
    assert not pruned.eqns
    assert used == [False, False, False]


def test_carry_that_only_another_carry_reads_stays() -> None:
    def run(a: Any, b: Any) -> Any:
        return lax.scan(lambda c, _: ((c[0] + c[1], c[1] * 2), None), (a, b), None, 3)[0][0]

    jaxpr = jax.make_jaxpr(run)(np.float32(1), np.float32(2))
    pruned, _ = dce_jaxpr(jaxpr, [True])
    assert scans_in(pruned)[0].params["num_carry"] == 2


# -- captured values and caches ------------------------------------------------------------------


def test_captured_values_are_operands() -> None:
    w = np.arange(3, dtype=np.float32)
    jaxpr = jax.make_jaxpr(lambda c: lax.scan(lambda c, _: (c * w, None), c, None, 2))(w)
    (eqn,) = scans_in(jaxpr)
    assert eqn.params["num_consts"] == 1
    assert not eqn.params["jaxpr"].consts


def test_captured_tracers_of_every_transformation() -> None:
    def run(w: Any) -> Any:
        return lax.scan(lambda c, x: (c * w + x, None), 0.0, XS[:3])[0]

    w = np.array([0.5, 2.0], np.float32)
    expected = XS[0] * w**2 + XS[1] * w + XS[2]
    slopes = 2 * XS[0] * w + XS[1]
    close(jax.vmap(run)(w), expected)
    close([jax.jit(run)(x) for x in w], expected)
    close(jax.vmap(jax.grad(run))(w), slopes)
    close(jax.jit(jax.vmap(jax.grad(run)))(w), slopes)
    close([jax.grad(jax.jit(run))(x) for x in w], slopes)


def test_no_cache_holds_a_dead_tracer() -> None:
    captured: list[Any] = []

    def step(c: Any, x: Any) -> Any:
        return c * captured[0] + x, None

    def run(w: Any) -> Any:
        captured[:] = [w]
        return lax.scan(step, 0.0, XS[:2])[0]

    close(jax.grad(run)(np.float32(3)), XS[0])
    close(jax.grad(run)(np.float32(4)), XS[0])
    close(jax.jit(run)(np.float32(2)), XS[0] * 2 + XS[1])
    captured.clear()


def test_body_is_traced_once_per_signature() -> None:
    traced = []

    def step(c: Any, x: Any) -> Any:
        traced.append(1)
        return c + x, None

    for _ in range(3):
        lax.scan(step, np.float32(0), XS)
    assert len(traced) == 1
    lax.scan(step, np.float32(0), XS[:2])
    assert len(traced) == 1
    lax.scan(step, np.zeros(2, np.float32), np.ones((3, 2), np.float32))
    assert len(traced) == 2
    with jax.enable_x64(True):
        lax.scan(step, np.float32(0), XS)
    assert len(traced) == 3


def test_cache_dies_with_the_function() -> None:
    before = len(bodies._bodies)
    lax.scan(lambda c, x: (c + x, None), np.float32(0), XS)
    assert len(bodies._bodies) <= before + 1


# -- lowering ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "unroll", "loops"), [(5, 1, 1), (5, 2, 1), (5, 5, 0), (1, 1, 0)]
)
def test_is_one_while_loop_in_stablehlo(length: int, unroll: int, loops: int) -> None:
    run = lambda c, xs: lax.scan(lambda c, x: (jnp.sin(c) * x, c), c, xs, unroll=unroll)  # noqa: E731
    text = jax.jit(run).lower(np.float32(1), XS[:length]).as_text()
    assert text.count('"stablehlo.while"') == loops
    assert text.count('"stablehlo.sine"') == (unroll + length % unroll if loops else length)


# -- errors --------------------------------------------------------------------------------------


def test_carry_mismatch_names_the_leaf_and_the_cure() -> None:
    with pytest.raises(TypeError) as raised:
        lax.scan(lambda carry, x: ({"a": carry["a"], "b": XS}, None), {"a": XS, "b": 1.0}, XS)
    message = str(raised.value)
    assert "carry component carry['b'] has type float32[]" in message
    assert "has type float32[5], so the shapes do not match" in message
    assert "Revise the function" in message


def test_traced_length_says_what_to_use_instead() -> None:
    with pytest.raises(jax.errors.ConcretizationTypeError, match="use `while_loop` or `fori_loop`"):
        jax.jit(lambda n: lax.scan(lambda c, _: (c, None), 0, None, length=n))(3)


def test_scalars_cannot_be_scanned_over() -> None:
    with pytest.raises(ValueError, match="no leading axis to scan over"):
        lax.scan(lambda c, x: (c, x), 0, np.float32(1))
