"""Is a function traced when it must be, and only then; are its arguments what the user said?"""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp


class Counted:
    """A function that counts how often it runs in Python."""

    def __init__(self, fun: Callable[..., Any]):
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.count = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        return self.fun(*args, **kwargs)


# Tracing once ------------------------------------------------------------------------------------


def test_function_is_traced_once_per_signature() -> None:
    f = Counted(lambda x: x * 2)
    jitted = jax.jit(f)
    for value in (1.0, 2.0, 3):
        assert float(jitted(value)) == 2 * value
    assert f.count == 2  # weak float32, weak int32
    jitted(jnp.ones(3))
    jitted(np.zeros(3, np.float32))
    assert f.count == 3
    jitted(jnp.ones((3, 1)))
    jitted(jnp.float32(1))  # strong
    assert f.count == 5


def test_two_wrappers_of_one_function_share_programs() -> None:
    f = Counted(lambda x: x + 1)
    jax.jit(f)(1.0)
    jax.jit(f)(2.0)
    jax.jit(f, keep_unused=True)(2.0)
    assert f.count == 2


def test_nested_jit_is_traced_once() -> None:
    inner = Counted(lambda x: x * 2)
    jitted = jax.jit(inner)

    @jax.jit
    def outer(x: Any) -> Any:
        return jitted(x) + jitted(x + 1) + jitted(jitted(x))

    assert float(outer(1.0)) == 2 + 4 + 4
    assert inner.count == 1
    float(jitted(3.0))
    assert inner.count == 1


def test_transformations_do_not_trace_again() -> None:
    f = Counted(lambda x: jnp.sin(x) * x)
    jitted = jax.jit(f)
    jitted(1.0)
    for _ in range(3):
        jax.grad(jitted)(2.0)
        jax.vmap(jitted)(jnp.ones(3))
        jax.jvp(jitted, (1.0,), (1.0,))
        jax.grad(jax.grad(jitted))(1.0)
    assert f.count <= 3  # weak and strong arguments


def test_call_by_keyword_and_by_position_give_the_same() -> None:
    @jax.jit
    def f(x: Any, y: Any = 10.0, *, z: Any = 100.0) -> Any:
        return x + 2 * y + 3 * z

    assert float(f(1.0)) == 321
    assert float(f(1.0, 2.0)) == float(f(1.0, y=2.0)) == float(f(y=2.0, x=1.0)) == 305
    assert float(f(1.0, z=2.0)) == 27


def test_keyword_call_is_not_taken_for_a_call_with_a_dict() -> None:
    """``f((x,), {"y": y})`` and ``f(x, y=y)`` have leaves and containers in common."""

    @jax.jit
    def f(x: Any, y: Any) -> Any:
        return x[0] - y["y"] if isinstance(x, tuple) else x + y

    assert float(f(5.0, y=2.0)) == 7
    assert float(f((5.0,), {"y": 2.0})) == 3
    assert float(f(5.0, y=2.0)) == 7


def test_arguments_of_a_dict_do_not_depend_on_its_order() -> None:
    f = Counted(lambda d: d["a"] - d["b"])
    jitted = jax.jit(f)
    assert float(jitted({"a": 3.0, "b": 1.0})) == float(jitted({"b": 1.0, "a": 3.0})) == 2
    assert f.count == 1


def test_clear_caches_and_clear_cache() -> None:
    f = Counted(lambda x: x + 1)
    jitted = jax.jit(f)
    jitted(1.0)
    jitted.clear_cache()
    jitted(1.0)
    assert f.count == 2
    jax.clear_caches()
    jitted(1.0)
    assert f.count == 3 and jitted._cache_size() == 1


def test_programs_die_with_their_function() -> None:
    def make() -> weakref.ref:
        big = jnp.ones(1000)

        def f(x: Any) -> Any:
            return x + big

        jax.jit(f)(1.0)
        jax.grad(lambda x: jax.jit(f)(x).sum())(1.0)
        return weakref.ref(f)

    alive = make()
    gc.collect()
    assert alive() is None


# Pytrees -----------------------------------------------------------------------------------------


class Point(NamedTuple):
    x: Any
    y: Any


def test_pytrees_go_in_and_out() -> None:
    @jax.jit
    def f(tree: Any) -> Any:
        return {"sum": tree["p"].x + tree["p"].y, "same": tree, "none": None, "list": [1, (2.0,)]}

    out = f({"p": Point(1.0, np.ones(2, np.float32)), "q": [], "r": None})
    np.testing.assert_array_equal(out["sum"], [2, 2])
    assert isinstance(out["same"]["p"], Point) and out["none"] is None
    assert out["same"]["q"] == [] and out["same"]["r"] is None
    assert isinstance(out["list"][0], jax.Array) and out["list"][0].dtype == np.int32


@pytest.mark.parametrize("result", [None, (), {}, [], (None,)])
def test_results_without_leaves(result: Any) -> None:
    assert jax.jit(lambda x: result)(1.0) == result


def test_arguments_are_handed_through_and_constants_returned() -> None:
    x = jnp.arange(4.0)
    same, twice, constant, scalar = jax.jit(lambda a: (a, a, np.arange(3), 2.5))(x)
    np.testing.assert_array_equal(same, x)
    np.testing.assert_array_equal(twice, x)
    np.testing.assert_array_equal(constant, [0, 1, 2])
    assert float(scalar) == 2.5 and scalar.weak_type


def test_no_arguments() -> None:
    np.testing.assert_array_equal(jax.jit(lambda: jnp.arange(3) * 2)(), [0, 2, 4])


# Static arguments --------------------------------------------------------------------------------


def power(x: Any, n: int) -> Any:
    for _ in range(n - 1):
        x = x * x
    return x


@pytest.mark.parametrize(
    "options",
    [
        {"static_argnums": 1}, {"static_argnums": (1,)}, {"static_argnums": -1},
        {"static_argnames": "n"}, {"static_argnames": ["n"]},
        {"static_argnums": 1, "static_argnames": "n"},
    ],
)  # fmt: skip
def test_static_arguments_stay_python_values(options: dict[str, Any]) -> None:
    jitted = jax.jit(power, **options)
    assert float(jitted(2.0, 2)) == 4
    assert float(jitted(2.0, 3)) == 16
    if options.get("static_argnums") != -1:
        assert float(jitted(2.0, n=2)) == 4


def test_static_values_are_told_apart_by_type_too() -> None:
    f = Counted(lambda x, flag: x + (10 if flag is True else 20))
    jitted = jax.jit(f, static_argnums=1)
    assert float(jitted(1.0, True)) == 11
    assert float(jitted(1.0, 1)) == 21
    assert float(jitted(1.0, 1.0)) == 21
    assert f.count == 3


def test_static_values_are_compared_by_eq_and_hash() -> None:
    class Options:
        def __init__(self, n: int):
            self.n = n

        def __hash__(self) -> int:
            return hash(self.n)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Options) and self.n == other.n

    f = Counted(lambda x, options: x * options.n)
    jitted = jax.jit(f, static_argnums=1)
    assert float(jitted(2.0, Options(3))) == float(jitted(2.0, Options(3))) == 6
    assert f.count == 1
    assert float(jitted(2.0, Options(4))) == 8


def test_static_functions_defaults_and_strings() -> None:
    @functools.partial(jax.jit, static_argnames=("activation", "mode"))
    def f(x: Any, activation: Any = jnp.sin, mode: str = "plain") -> Any:
        return activation(x) if mode == "plain" else -activation(x)

    assert float(f(0.0)) == 0
    assert float(f(0.0, jnp.cos)) == float(f(0.0, activation=jnp.cos)) == 1
    assert float(f(0.0, jnp.cos, mode="minus")) == -1


def test_static_pytrees_of_tuples() -> None:
    jitted = jax.jit(lambda shape, x: jnp.zeros(shape) + x, static_argnums=0)
    assert jitted((2, 3), 1.0).shape == (2, 3)


# Donation ----------------------------------------------------------------------------------------


def test_donated_argument_is_deleted() -> None:
    x, y = jnp.arange(4.0), jnp.arange(4.0)
    jitted = jax.jit(lambda a, b: a + b, donate_argnums=0)
    np.testing.assert_array_equal(jitted(x, y), [0, 2, 4, 6])
    assert x.is_deleted() and not y.is_deleted()
    with pytest.raises(RuntimeError, match=r"Array has been deleted with shape=float32\[4\]"):
        _ = x + 1


def test_donation_by_name_of_a_pytree() -> None:
    tree = {"w": jnp.ones(3), "b": jnp.ones(2)}
    jitted = jax.jit(
        lambda state, x: {"w": state["w"] * x, "b": state["b"]}, donate_argnames="state"
    )
    jitted(state=tree, x=2.0)
    assert tree["w"].is_deleted() and tree["b"].is_deleted()


def test_donation_without_use_warns_and_keeps_the_argument() -> None:
    x = jnp.arange(4.0)
    jitted = jax.jit(lambda a: a.sum(), donate_argnums=0)
    with pytest.warns(UserWarning, match=r"donated buffers were not usable: float32\[4\]"):
        jitted(x)
    assert not x.is_deleted()


def test_donating_an_array_passed_twice_is_an_error() -> None:
    x = jnp.arange(4.0)
    with pytest.raises(jax.errors.JaxRuntimeError, match="donated in the same call"):
        jax.jit(lambda a, b: a + b, donate_argnums=0)(x, x)


def test_donation_inside_a_transformation_and_of_numpy_does_nothing() -> None:
    jitted = jax.jit(lambda a: a * 2, donate_argnums=0)
    x = jnp.ones(3)
    jax.vmap(jitted)(x)
    jax.grad(lambda a: jitted(a).sum())(x)
    assert not x.is_deleted()
    own = np.ones(3, np.float32)
    jitted(own)
    np.testing.assert_array_equal(own, [1, 1, 1])


# Other options -----------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_unused", [False, True])
def test_keep_unused(keep_unused: bool) -> None:
    jitted = jax.jit(lambda x, y: y + 1, keep_unused=keep_unused)
    assert float(jitted(jnp.ones(3), 1.0)) == 2
    (traced,) = jitted._cache.values()
    (program,) = traced.programs.values()
    assert program.kept == ([0, 1] if keep_unused else [1])


def test_inline_writes_operations_into_the_caller() -> None:
    inlined = jax.jit(lambda x: jnp.sin(x) * 2, inline=True)
    called = jax.jit(lambda x: jnp.sin(x) * 2)
    names = [e.primitive.name for e in jax.make_jaxpr(lambda x: inlined(x) + 1)(1.0).eqns]
    assert names == ["sin", "mul", "add"]
    names = [e.primitive.name for e in jax.make_jaxpr(lambda x: called(x) + 1)(1.0).eqns]
    assert names == ["jit", "add"]
    assert float(inlined(0.5)) == float(called(0.5))
    assert float(jax.grad(inlined)(0.0)) == 2


def test_methods_as_jitted_functions() -> None:
    class Model:
        def __init__(self, scale: float):
            self.scale = scale

        @functools.partial(jax.jit, static_argnums=0)
        def apply(self, x: Any) -> Any:
            return x * self.scale

        @jax.jit
        @staticmethod
        def twice(x: Any) -> Any:
            return x * 2

    two, three = Model(2.0), Model(3.0)
    assert float(two.apply(1.0)) == 2 and float(three.apply(1.0)) == 3
    assert float(two.apply(x=1.0)) == 2
    assert float(jax.jit(two.apply)(1.0)) == 2


def test_wrapper_keeps_name_and_documentation() -> None:
    @jax.jit
    def documented(x: Any) -> Any:
        """Say it."""
        return x

    assert documented.__name__ == "documented" and documented.__doc__ == "Say it."
    assert "documented" in repr(documented)


def test_decorator_with_options() -> None:
    @jax.jit(static_argnums=1)
    def f(x: Any, n: int) -> Any:
        return x * n

    assert float(f(2.0, 3)) == 6


def test_partials_and_callable_objects() -> None:
    class Affine:
        def __call__(self, x: Any) -> Any:
            return 2 * x + 1

    assert float(jax.jit(functools.partial(lambda a, x: a * x, 3.0))(2.0)) == 6
    assert float(jax.jit(Affine())(1.0)) == 3
    assert float(jax.jit(jnp.sin)(0.0)) == 0


def test_compiler_options_reach_the_compiler() -> None:
    jitted = jax.jit(lambda x: x + 1, compiler_options={"iree-opt-level": "O1"})
    assert float(jitted(1.0)) == 2
    with pytest.raises(jax.errors.JaxRuntimeError, match="No such compile option"):
        jax.jit(lambda x: x + 1, compiler_options={"xla_something": True})(1.0)


def test_closures_over_tracers_are_not_kept() -> None:
    """A jitted function that captured a value of an enclosing transformation is traced again."""

    def outer(x: Any) -> Any:
        inner = jax.jit(lambda y: y * x)
        return inner(2.0) + inner(3.0)

    assert float(jax.grad(outer)(4.0)) == 5
    np.testing.assert_array_equal(jax.vmap(outer)(jnp.arange(3.0)), [0, 5, 10])
    assert float(jax.jit(outer)(2.0)) == 10
    assert float(jax.grad(jax.jit(outer))(2.0)) == 5


def test_cached_program_holds_no_tracer_of_an_earlier_call() -> None:
    scale: list[Any] = [1.0]
    inner = jax.jit(lambda y: y * scale[0])

    def outer(x: Any) -> Any:
        scale[0] = x
        return inner(2.0)

    for value in (3.0, 4.0):
        assert float(jax.grad(outer)(value)) == 2
        np.testing.assert_array_equal(jax.vmap(outer)(jnp.array([value])), [2 * value])
        assert float(jax.jit(outer)(value)) == 2 * value


def test_flags_and_axes_are_part_of_the_key() -> None:
    f = jax.jit(lambda x: jax.lax.psum(x, "i"))
    np.testing.assert_array_equal(jax.vmap(f, axis_name="i")(jnp.ones(2)), [2, 2])
    np.testing.assert_array_equal(jax.vmap(f, axis_name="i")(jnp.ones(3)), [3, 3, 3])
    with pytest.raises(NameError, match="unbound axis name"):
        f(1.0)
    size = jax.jit(lambda x: x * jax.lax.psum(1, "i"))
    np.testing.assert_array_equal(jax.vmap(size, axis_name="i")(jnp.ones(2)), [2, 2])
    np.testing.assert_array_equal(jax.vmap(size, axis_name="i")(jnp.ones(3)), [3, 3, 3])


def test_big_constants_are_arguments_of_the_program_and_not_text() -> None:
    big = np.arange(10_000.0, dtype=np.float32)
    text = jax.jit(lambda x: jnp.sum(x * big)).lower(jnp.ones(10_000)).as_text()
    assert len(text) < 5_000
    nested = jax.jit(lambda x: jax.jit(lambda y: y * big)(x) + big)
    assert len(nested.lower(jnp.ones(10_000)).as_text()) < 5_000
    np.testing.assert_array_equal(nested(jnp.ones(10_000)), 2 * big)


def test_python_side_effects_happen_while_tracing_only() -> None:
    seen = []
    jitted = jax.jit(lambda x: (seen.append("traced"), x)[1])
    for _ in range(3):
        jitted(1.0)
    assert seen == ["traced"]


def test_an_error_while_tracing_leaves_nothing_behind() -> None:
    broken = [True]

    @jax.jit
    def f(x: Any) -> Any:
        if broken[0]:
            raise KeyError("mine")
        return x + 1

    with pytest.raises(KeyError):
        f(1.0)
    broken[0] = False
    assert float(f(1.0)) == 2
