"""Is a tracer that outlives its function found, and named with its line?"""

from __future__ import annotations

import copy
import inspect
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp
from minijax.core.trace import axis_env, axis_size_of, current_trace, in_eager_mode
from minijax.errors import ConcretizationTypeError, UnexpectedTracerError

HERE = "test_trace.py"


def line_of(text: str) -> int:
    """The line of this file that holds the text."""
    lines = inspect.getsource(inspect.getmodule(line_of) or line_of).splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line and "line_of" not in line)


def leak_from(transform: Callable[..., Any]) -> Any:
    """A tracer of a function that has ended."""
    kept = []

    def keeps(x: Any) -> Any:
        kept.append(x * 2)  # the leak
        return x * 1.0

    transform(keeps)
    return kept[0]


TRANSFORMS: dict[str, Callable[..., Any]] = {
    "jit": lambda f: jax.jit(f)(1.0),
    "grad": lambda f: jax.grad(f)(1.0),
    "jvp": lambda f: jax.jvp(f, (1.0,), (1.0,)),
    "vmap": lambda f: jax.vmap(f)(jnp.ones(3)),
    "make_jaxpr": lambda f: jax.make_jaxpr(f)(1.0),
    "linearize": lambda f: jax.linearize(f, 1.0),
    "jit of grad": lambda f: jax.jit(jax.grad(f))(1.0),
    "vmap of grad": lambda f: jax.vmap(jax.grad(f))(jnp.ones(3)),
}
USES: dict[str, Callable[[Any], Any]] = {
    "eagerly": lambda x: x + 1,
    "as an argument of jit": jax.jit(lambda x: x + 1),
    "inside jit": lambda x: jax.jit(lambda y: y + x)(1.0),
    "inside grad": lambda x: jax.grad(lambda y: y * x)(1.0),
    "inside vmap": lambda x: jax.vmap(lambda y: y * x)(jnp.ones(2)),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_leaked_tracer_is_an_error_wherever_it_is_used(transform: str, use: str) -> None:
    leaked = leak_from(TRANSFORMS[transform])
    with pytest.raises(UnexpectedTracerError, match="unexpected tracer") as raised:
        USES[use](leaked)
    assert HERE in str(raised.value)


def test_message_names_function_and_both_lines() -> None:
    leaked = leak_from(TRANSFORMS["jit"])
    with pytest.raises(UnexpectedTracerError) as raised:
        _ = leaked + 1
    text = str(raised.value)
    assert "keeps at" in text and "float32[]" in text
    assert f"{HERE}:{line_of('# the leak')}" in text
    assert f"{HERE}:{line_of('leaked + 1')}" in text
    assert "checking_leaks" in text and "explicitly return" in text


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_checking_leaks_raises_at_the_leak(transform: str) -> None:
    with jax.checking_leaks(), pytest.raises(Exception, match="Leaked"):
        leak_from(TRANSFORMS[transform])


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_checking_leaks_accepts_functions_without_leaks(transform: str) -> None:
    def clean(x: Any) -> Any:
        parts = {"a": x * 2, "b": [x]}
        return jnp.sin(parts["a"]) + sum(parts["b"])

    with jax.checking_leaks():
        TRANSFORMS[transform](clean)
        TRANSFORMS[transform](lambda x: jax.jit(clean)(x) + jax.grad(lambda y: y * 3.0)(2.0))


def test_trace_is_restored_after_an_error() -> None:
    def fails(x: Any) -> Any:
        raise KeyError("mine")

    for transform in TRANSFORMS.values():
        with pytest.raises(KeyError, match="mine"):
            transform(fails)
        assert in_eager_mode()
        assert axis_env() == ()
    assert float(jnp.float32(1) + 1) == 2


def test_other_threads_are_in_eager_mode() -> None:
    seen = []

    def f(x: Any) -> Any:
        thread = threading.Thread(target=lambda: seen.append(float(jnp.float32(1) + 1)))
        thread.start()
        thread.join()
        return x

    jax.jit(f)(1.0)
    assert seen == [2.0]


def test_constants_are_computed_while_tracing() -> None:
    """Operations that no tracer takes part in are staged by jit but computed by grad and vmap."""
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append(jnp.ones(2) + 1)
        return x * 1.0

    jax.grad(f)(1.0)
    jax.vmap(f)(jnp.ones(2))
    np.testing.assert_array_equal(seen[0], [2, 2])
    np.testing.assert_array_equal(seen[1], [2, 2])


def test_named_axes_are_visible_inside_only() -> None:
    def f(x: Any) -> Any:
        assert axis_size_of("i") == 3
        return x

    jax.vmap(f, axis_name="i")(jnp.ones(3))
    with pytest.raises(NameError, match="unbound axis name: i"):
        axis_size_of("i")


def test_inner_axis_of_the_same_name_hides_the_outer() -> None:
    def outer(x: Any) -> Any:
        inner = jax.vmap(lambda y: jax.lax.psum(y, "i"), axis_name="i")(jnp.ones(2))
        return jax.lax.psum(x, "i") + inner[0]

    np.testing.assert_array_equal(jax.vmap(outer, axis_name="i")(jnp.ones(3)), [5, 5, 5])


# What a tracer refuses ---------------------------------------------------------------------------


def traced(use: Callable[[Any], Any], example: Any = 1.0) -> Any:
    seen = []
    jax.jit(lambda x: (seen.append(use(x)), x)[1])(example)
    return seen[0]


@pytest.mark.parametrize(
    "use",
    [
        int, float, complex, lambda x: x.item(), lambda x: x.tolist(), lambda x: x.tobytes(),
        pickle.dumps, lambda x: x.devices(), lambda x: x.device, lambda x: x.delete(),
        lambda x: x.is_deleted(), lambda x: x.unsafe_buffer_pointer(), np.from_dlpack,
    ],
)  # fmt: skip
def test_what_needs_a_value_raises_concretization_errors(use: Callable[[Any], Any]) -> None:
    with pytest.raises(ConcretizationTypeError, match="depends on the value of the argument x"):
        traced(use)


def test_waiting_for_a_tracer_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="not available on traced array"):
        traced(lambda x: x.block_until_ready())
    assert not traced(lambda x: hasattr(x, "block_until_ready"))


def test_copies_of_tracers_are_the_tracer() -> None:
    assert traced(lambda x: copy.copy(x) is x and copy.deepcopy([x])[0] is x)


def test_pictures_of_tracers() -> None:
    assert traced(repr) == "JitTracer(~float32[])"
    assert traced(str, jnp.ones((2, 3))) == "JitTracer(float32[2,3])"
    assert traced(lambda x: f"{x}") == "JitTracer(~float32[])"
    with pytest.raises(TypeError, match="unsupported format string"):
        traced(lambda x: f"{x:.2f}")
    seen = []
    jax.vmap(lambda x: (seen.append(repr(x)), x)[1])(jnp.ones((2, 3)))
    jax.grad(lambda x: (seen.append(repr(x)), x.sum())[1])(jnp.ones(2))
    jax.jvp(lambda x: (seen.append(repr(x)), x)[1], (jnp.ones(2),), (jnp.ones(2),))
    assert seen == [
        "VmapTracer(aval=float32[3], batched=float32[2,3])",
        "GradTracer(primal=[1. 1.], typeof(tangent)=f32[2])",
        "JVPTracer(primal=[1. 1.], tangent=[1. 1.])",
    ]


def test_eager_grad_and_jvp_allow_python_control_flow() -> None:
    def f(x: Any) -> Any:
        return x**2 if x > 0 else -x

    assert float(jax.grad(f)(3.0)) == 6
    assert float(jax.grad(f)(-3.0)) == -1
    assert float(jax.grad(jax.grad(f))(3.0)) == 2
    assert float(jax.jvp(f, (3.0,), (1.0,))[1]) == 6


def test_the_bottom_trace_is_current_outside() -> None:
    assert current_trace().parent is None
    assert in_eager_mode()
