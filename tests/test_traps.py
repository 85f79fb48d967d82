"""Where implementers trip: one test for each trap that the architecture names.

The name of a test is the name of the trap. Most of them are bugs that systems of this kind have
had; two are open in JAX 0.10.2, and say so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp
from minijax import lax
from minijax.core.jaxpr import Jaxpr, subjaxprs
from minijax.core.primitive import Zero
from minijax.core.trace import Tracer
from minijax.errors import UnexpectedTracerError
from minijax.transforms.linearize import linearize

# Zeros, dtypes and carries of loops --------------------------------------------------------------


def test_instantiated_zeros_in_a_scan_carry() -> None:
    """A carry that does not depend on the input needs no tangent, so the body carries none."""

    def f(x: Any) -> Any:
        def body(carry: Any, _: Any) -> Any:
            count, value = carry
            return (count + 1.0, value * x), None

        return lax.scan(body, (0.0, 1.0), None, length=3)[0][1]

    assert float(jax.grad(f)(2.0)) == 12
    _, _, linear = linearize(lambda x: [f(x)], [jnp.float32(2)], [True])
    (loop,) = [eqn for eqn in linear.eqns if eqn.primitive.name == "scan"]
    assert loop.params["num_carry"] == 1


def test_carry_that_becomes_nonzero_in_the_body() -> None:
    def f(x: Any) -> Any:
        def body(carry: Any, _: Any) -> Any:
            a, b, c = carry
            return (b, c, c + x), None  # the tangent reaches a after three rounds

        return lax.scan(body, (0.0, 0.0, 0.0), None, length=5)[0][0]

    assert float(jax.grad(f)(1.0)) == 3
    assert float(jax.jvp(f, (1.0,), (1.0,))[1]) == 3


def test_carry_that_becomes_batched_in_the_body() -> None:
    def f(x: Any) -> Any:
        body = lambda carry, _: ((carry[1], carry[1] + x), None)  # noqa: E731
        return lax.scan(body, (0.0, 0.0), None, length=3)[0]

    first, second = jax.vmap(f)(jnp.arange(3.0))
    np.testing.assert_array_equal(first, [0, 2, 4])
    np.testing.assert_array_equal(second, [0, 3, 6])


def test_carry_that_becomes_strongly_typed_in_the_body() -> None:
    out = lax.scan(lambda c, x: (c + x, c), 0.0, jnp.arange(3.0))[0]
    assert float(out) == 3 and not out.weak_type
    assert float(lax.fori_loop(0, 3, lambda i, c: c + jnp.float32(1), 0.0)) == 3
    assert float(lax.while_loop(lambda c: c < 3, lambda c: c + jnp.float32(1), 0.0)) == 3


def test_integer_inputs_and_float0() -> None:
    def f(n: Any, x: Any) -> Any:
        return lax.fori_loop(0, 3, lambda i, c: c * x + n, 1.0)

    slopes = jax.grad(f, argnums=(0, 1), allow_int=True)(2, 3.0)
    assert slopes[0].dtype == jax.float0
    assert float(slopes[1]) == pytest.approx(3 * 9 + 2 * (2 * 3 + 1))
    _, moved = jax.jvp(f, (2, 3.0), (np.zeros((), jax.float0), 1.0))
    assert float(moved) == float(slopes[1])


def test_symbolic_zeros_never_reach_rules_of_first_order_primitives() -> None:
    seen: list[Any] = []

    def spy(x: Any, y: Any) -> Any:
        outs = [x * 2.0, jnp.where(y > 0, x, y), jnp.concatenate([x, y]), jnp.maximum(x, y)]
        seen.extend(outs)
        return sum(jnp.sum(o) for o in outs)

    x, y = jnp.ones(3), jnp.arange(3.0)
    jax.grad(spy)(x, y)  # y has no tangent: its zero is symbolic
    jax.jit(jax.grad(spy, argnums=1))(x, y)
    jax.vmap(jax.grad(spy), in_axes=(0, None))(jnp.ones((2, 3)), y)
    assert not any(isinstance(getattr(o, "tangent", None), Zero) for o in seen)


def test_cotangent_dtype_is_that_of_the_primal() -> None:
    x = jnp.ones(2, jnp.bfloat16)

    def f(v: Any) -> Any:
        return jnp.sum(v.astype(np.float32) * 3) + jnp.sum(v)

    assert jax.grad(f)(x).dtype == jnp.bfloat16
    assert jax.jit(jax.grad(f))(x).dtype == jnp.bfloat16


# The linear program ------------------------------------------------------------------------------


def test_non_linear_equations_inside_the_linear_jaxpr() -> None:
    """A jitted rule mixes primal and tangent computations in one program to be transposed."""

    @jax.custom_jvp
    def f(x: Any) -> Any:
        return jnp.sin(x)

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x,), (t,) = primals, tangents
        return jnp.sin(x), jax.jit(lambda a, b: jnp.cos(a) * jnp.exp(a * 0) * b)(x, t)

    assert float(jax.grad(f)(0.5)) == pytest.approx(np.cos(0.5))
    assert float(jax.grad(jax.grad(f))(0.5)) == pytest.approx(-np.sin(0.5))


def test_one_variable_used_twice() -> None:
    def f(x: Any) -> Any:
        y = jnp.sin(x)
        return y * y + jax.jit(lambda a, b: a * b)(y, y)

    assert float(jax.grad(f)(0.5)) == pytest.approx(4 * np.sin(0.5) * np.cos(0.5))
    assert float(jax.grad(lambda x: x + x + x)(1.0)) == 3


def test_unused_outputs() -> None:
    pair = jax.jit(lambda x: (jnp.sin(x), jnp.log(x - 1)))  # the second is not differentiable at 1
    assert float(jax.grad(lambda x: pair(x)[0])(1.0)) == pytest.approx(np.cos(1))
    assert float(jax.vmap(lambda x: pair(x)[0])(jnp.ones(2))[0]) == pytest.approx(np.sin(1))


def test_dead_while_in_a_tangent_program() -> None:
    """A while loop cannot be transposed; one that the derivative does not need must not be."""

    def f(x: Any) -> Any:
        steps, _ = lax.while_loop(lambda c: c[1] < 100, lambda c: (c[0] + 1, c[1] * 2), (0, x))
        return x**2 + steps.astype(np.float32)

    assert float(jax.grad(f)(3.0)) == 6
    assert float(jax.grad(jax.jit(f))(3.0)) == 6


def test_loop_invariant_residuals_are_not_stacked() -> None:
    w = jnp.ones((50, 50))

    def f(x: Any) -> Any:
        body = lambda c, _: (jnp.tanh(w @ c), None)  # noqa: E731
        return jnp.sum(lax.scan(body, x, None, length=7)[0])

    _, _, linear = linearize(lambda x: [f(x)], [jnp.ones(50)], [True])
    assert not [c.shape for c in linear.consts if c.shape == (7, 50, 50)]


# Closures, caches and leaks ----------------------------------------------------------------------


def test_closed_over_tracers_in_loop_bodies() -> None:
    def f(x: Any) -> Any:
        total = lax.fori_loop(0, 3, lambda i, c: c + x, 0.0)
        total += lax.scan(lambda c, _: (c * x, None), 1.0, None, length=2)[0]
        total += lax.while_loop(lambda c: c < x, lambda c: c + 1.0, 0.0)
        return total + lax.cond(x > 0, lambda: x * 10, lambda: x)

    assert float(f(3.0)) == 9 + 9 + 3 + 30
    assert float(jax.jit(f)(3.0)) == 51
    np.testing.assert_array_equal(jax.vmap(f)(jnp.array([3.0, 1.0])), [51, 3 + 1 + 1 + 10])
    assert float(jax.jvp(f, (3.0,), (1.0,))[1]) == 3 + 6 + 0 + 10


def test_leaked_tracers() -> None:
    kept = []
    jax.jit(lambda x: (kept.append(x), x)[1])(1.0)
    with pytest.raises(UnexpectedTracerError, match=r"test_traps\.py"):
        _ = kept[0] + 1


def test_cached_jaxpr_holding_dead_tracers() -> None:
    """Open in JAX 0.10.2 (issue 38460): a cached program captured a tracer of an earlier trace."""
    cell: list[Any] = [1.0]
    inner = jax.jit(lambda y: y * cell[0])

    def outer(x: Any) -> Any:
        cell[0] = x
        return inner(2.0)

    for value in (3.0, 5.0):
        assert float(jax.jit(outer)(value)) == 2 * value
        assert float(jax.grad(outer)(value)) == 2
    for program in programs_of(inner):
        assert not any(isinstance(const, Tracer) for const in program.consts)
    cell[0] = 7.0
    assert float(inner(2.0)) == 14


def programs_of(jitted: Any) -> list[Jaxpr]:
    found: list[Jaxpr] = [traced.jaxpr for traced in jitted._cache.values()]
    for jaxpr in found:
        found += [inner for eqn in jaxpr.eqns for inner in subjaxprs(eqn.params)]
    return found


def test_cached_derivatives_hold_no_dead_tracers() -> None:
    """A rule that closes over a traced value is refused before its program is kept."""

    def outer(x: Any, s: Any) -> Any:
        @jax.custom_jvp
        def f(y: Any) -> Any:
            return y * 2

        f.defjvp(lambda p, t: (f(p[0]), t[0] * s))
        return jax.grad(jax.jit(f))(x)

    assert float(outer(2.0, 3.0)) == 3
    with pytest.raises(UnexpectedTracerError):
        jax.jit(outer)(2.0, 3.0)
    assert float(outer(2.0, 4.0)) == 4


def test_static_argument_change_that_jax_misses() -> None:
    """JAX 0.10.2 returns a value in the second call, from the program of the first."""

    def f(a: Any, b: Any) -> Any:
        return jnp.zeros(a) + b

    assert jax.jit(f, static_argnums=(0,))(5, 5).shape == (5,)
    with pytest.raises(TypeError):
        jax.jit(f, static_argnums=(1,))(5, 5)
    assert jax.jit(f, static_argnums=(0,))(4, 5).shape == (4,)


def test_incomplete_cache_keys() -> None:
    """Each of these changes the program though shapes and dtypes stay."""
    runs: list[Any] = []

    def f(x: Any, **options: Any) -> Any:
        runs.append(options)
        return x + 1.5

    jitted = jax.jit(f, static_argnames="n")
    calls = [
        lambda: jitted(1),
        lambda: jitted(jnp.int32(1)),  # weak type
        lambda: jitted(1, n=1),
        lambda: jitted(1, n=True),
        lambda: jitted(1, y=1),
        lambda: jitted(1, n=(1,)),
    ]
    for i, call in enumerate(calls):
        call()
        assert len(runs) == i + 1
    for flag in (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("strict"),
        jax.default_matmul_precision("highest"),
        jax.numpy_rank_promotion("raise"),
        jax.threefry_partitionable(False),
    ):
        before = len(runs)
        with flag:
            jitted(1.0)
        assert len(runs) == before + 1
    before = len(runs)
    jax.vmap(jitted, axis_name="i")(jnp.ones(3))
    jax.vmap(jitted, axis_name="i")(jnp.ones(4))
    assert len(runs) == before + 2


def test_unhashable_statics() -> None:
    with pytest.raises(ValueError, match="Non-hashable static arguments"):
        jax.jit(lambda x, y: x, static_argnums=1)(1.0, [1])
    assert float(jax.jit(lambda x, y: x + len(y), static_argnums=1)(1.0, (1, 2))) == 3


def test_donation() -> None:
    x = jnp.arange(4.0)
    view = np.asarray(x)
    y = jax.jit(lambda a: a * 2, donate_argnums=0)(x)
    assert x.is_deleted()
    np.testing.assert_array_equal(y, [0, 2, 4, 6])
    np.testing.assert_array_equal(view, [0, 1, 2, 3])  # a view that NumPy holds is not written to


# Pytrees -----------------------------------------------------------------------------------------


def test_none_as_an_empty_node() -> None:
    tree = {"a": None, "b": (1.0, None), "c": []}
    assert len(jax.tree.leaves(tree)) == 1
    out = jax.jit(lambda t: {"x": None, "y": t["b"][0]})(tree)
    assert out["x"] is None
    slopes = jax.grad(lambda t: t["b"][0] * 2)(tree)
    assert slopes["a"] is None and float(slopes["b"][0]) == 2
    np.testing.assert_array_equal(jax.vmap(lambda t: t["b"])({"a": None, "b": jnp.ones(2)}), 1)
    assert lax.cond(True, lambda: (None, 1.0), lambda: (None, 2.0))[0] is None


def test_dict_order() -> None:
    f = jax.jit(lambda d: d["a"] - d["b"])
    assert float(f({"a": 3.0, "b": 1.0})) == float(f({"b": 1.0, "a": 3.0})) == 2
    out = lax.cond(True, lambda: {"x": 1.0, "y": 2.0}, lambda: {"y": 3.0, "x": 4.0})
    assert (float(out["x"]), float(out["y"])) == (1, 2)
    slopes = jax.grad(lambda d: d["a"] * 2 + d["b"])({"b": 1.0, "a": 1.0})
    assert (float(slopes["a"]), float(slopes["b"])) == (2, 1)


# Control flow under vmap -------------------------------------------------------------------------


def test_vmap_of_a_while_predicate() -> None:
    """Every carry of an example that is done stays as it is, the unbatched ones too."""

    def f(limit: Any) -> Any:
        return lax.while_loop(
            lambda c: c[0] < limit,
            lambda c: (c[0] + 1, c[1] * 2.0, c[2] + 1.0),
            (0, 1.0, 0.0),
        )

    count, power, sum_ = jax.vmap(f)(jnp.array([0, 3, 5]))
    np.testing.assert_array_equal(count, [0, 3, 5])
    np.testing.assert_array_equal(power, [1, 8, 32])
    np.testing.assert_array_equal(sum_, [0, 3, 5])


def test_vmap_of_cond_gives_no_nan_from_the_branch_not_taken() -> None:
    def safe_log(x: Any) -> Any:
        return lax.cond(x > 0, jnp.log, lambda v: v * 0.0, x)

    x = jnp.array([-1.0, 0.0, 2.0])
    np.testing.assert_allclose(jax.vmap(safe_log)(x), [0, 0, np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(safe_log))(x), [0, 0, 0.5], rtol=1e-6)
    gradient = jax.grad(lambda v: jax.vmap(safe_log)(v).sum())(x)
    np.testing.assert_allclose(gradient, [0, 0, 0.5], rtol=1e-6)


def test_mixed_ranks_under_batching() -> None:
    out = jax.vmap(lambda a, b: a * b + a)(jnp.ones(3), jnp.ones((3, 2, 3)))
    assert out.shape == (3, 2, 3)
    out = jax.vmap(lambda a, b: jnp.where(a > 0, b, 0.0))(jnp.ones(2), jnp.ones((2, 2)))
    np.testing.assert_array_equal(out, np.ones((2, 2)))
    clamped = jax.vmap(lax.clamp, in_axes=(0, 0, None))(
        jnp.zeros(2), jnp.ones((2, 3)) * 5, jnp.float32(2)
    )
    np.testing.assert_array_equal(clamped, np.full((2, 3), 2))


# Programs ----------------------------------------------------------------------------------------


def test_large_constants_are_not_printed_into_the_program() -> None:
    big = np.random.default_rng(0).normal(size=20_000).astype(np.float32)

    def f(x: Any) -> Any:
        return jnp.sum(jax.jit(lambda y: y * big)(x))

    for program in (f, jax.grad(f), jax.grad(jax.jit(f))):
        text = jax.jit(program).lower(jnp.ones(20_000)).as_text()
        assert len(text) < 10_000
    np.testing.assert_allclose(jax.jit(jax.grad(f))(jnp.ones(20_000)), big)


def test_gather_and_scatter_out_of_bounds() -> None:
    x = jnp.arange(3.0)
    i = jnp.array([-4, -1, 0, 3, 100])
    for get in (lambda a, j: a[j], jax.jit(lambda a, j: a[j])):
        np.testing.assert_array_equal(get(x, i), [0, 2, 0, 2, 2])
    for put in (lambda a, j: a.at[j].add(1.0), jax.jit(lambda a, j: a.at[j].add(1.0))):
        np.testing.assert_array_equal(put(x, i), [1, 1, 3])  # dropped where out of bounds
    slopes = jax.grad(lambda a: a[i].sum())(x)
    np.testing.assert_array_equal(slopes.shape, (3,))


def test_reference_rules_accumulate_as_the_compiler_does() -> None:
    x = jnp.ones(1000, jnp.bfloat16)
    assert float(jnp.sum(x)) == float(jax.jit(jnp.sum)(x)) == 1000
    assert float(jnp.dot(x, x)) == float(jax.jit(jnp.dot)(x, x)) == 1000
    small = jnp.full(300, 100, jnp.int8)
    assert int(small.sum(dtype=np.int8)) == int(jax.jit(lambda a: a.sum(dtype=np.int8))(small))


def test_arguments_are_never_written() -> None:
    """IREE may compute in place; what a caller holds must stay."""
    x = jnp.arange(16.0)
    before = np.array(x)
    for f in (
        lambda a: a.at[3].set(9.0),
        lambda a: lax.fori_loop(0, 4, lambda i, c: c.at[i].add(1.0), a),
        lambda a: lax.dynamic_update_slice(a, jnp.ones(4), (2,)),
        lambda a: a.at[jnp.array([1, 1])].add(1.0),
    ):
        jax.jit(f)(x)
        np.testing.assert_array_equal(x, before)
        same, _ = jax.jit(lambda a, f=f: (a, f(a)))(x)
        np.testing.assert_array_equal(same, before)


def test_every_equation_carries_the_users_line() -> None:
    def f(x: Any) -> Any:
        return jnp.sin(x) * x

    for transformed, example in (
        (f, 1.0),
        (jax.grad(f), 1.0),
        (jax.vmap(jax.grad(f)), jnp.ones(2)),
        (lambda x: jax.jvp(jax.jit(f), (x,), (x,)), 1.0),
    ):
        program = jax.make_jaxpr(transformed)(example)
        assert program.eqns
        assert all(eqn.source.file_name == __file__ for eqn in program.eqns)
