"""Are traced programs printed as JAX prints them?

Each program is written once, as a function of a library (JAX or minijax), traced by both and the
texts compared. So the test covers more than the printer: both libraries must write the same
equations with the same parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minijax

jax = pytest.importorskip("jax", reason="compares with JAX, which is not installed")

pytestmark = pytest.mark.parity

VECTOR = np.arange(1, 4, dtype=np.float32)
MATRIX = np.arange(1, 10, dtype=np.float32).reshape(3, 3)
INDEX = np.int32(1)
PREDICATE = np.bool_(True)

PROGRAMS: dict[str, tuple[Callable[..., Callable[..., Any]], tuple[Any, ...]]] = {}


def program(*args: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function of a library that returns the program, to be traced on ``args``."""

    def register(build: Callable[..., Any]) -> Callable[..., Any]:
        PROGRAMS[build.__name__] = (build, args)
        return build

    return register


# -- layout -------------------------------------------------------------------------------------


@program(VECTOR)
def identity(lib: Any) -> Any:
    return lambda x: x


@program()
def no_arguments(lib: Any) -> Any:
    return lambda: (1.0, True, 3)


@program(VECTOR)
def one_line(lib: Any) -> Any:
    return lambda x: lib.numpy.sin(x) * 2.0


@program(VECTOR)
def several_lines(lib: Any) -> Any:
    return lambda x: lib.numpy.exp(lib.numpy.sin(lib.numpy.cos(x)))


@program(VECTOR)
def captured_constant(lib: Any) -> Any:
    return lambda x: x + VECTOR


@program(VECTOR)
def unused_result(lib: Any) -> Any:
    return lambda x: (lib.numpy.sin(x), x)[1]


@program(*[VECTOR] * 30)
def many_names(lib: Any) -> Any:
    return lambda *xs: [lib.numpy.sin(x) for x in xs]


@program(*[VECTOR] * 20)
def many_arguments(lib: Any) -> Any:
    return lambda *xs: lib.lax.concatenate(xs * 3, 0)


@program(VECTOR)
def many_results(lib: Any) -> Any:
    return lambda x: [x] * 50


# -- literals and parameters ----------------------------------------------------------------------


@program(VECTOR)
def literals(lib: Any) -> Any:
    return lambda x: x * 0.1 + np.float32(0.3) - 1e-6


@program(VECTOR)
def unusual_literals(lib: Any) -> Any:
    return lambda x: (x + np.inf) * np.nan


@program(VECTOR)
def half_precision(lib: Any) -> Any:
    return lambda x: x.astype(lib.numpy.bfloat16) * 3


@program(VECTOR)
def reduction(lib: Any) -> Any:
    return lambda x: lib.numpy.sum(x)


@program(MATRIX, VECTOR)
def matrix_product(lib: Any) -> Any:
    return lambda a, x: a @ x


@program(VECTOR)
def broadcasts(lib: Any) -> Any:
    return lambda x: (lib.lax.broadcast_in_dim(x, (2, 3), (1,)), lib.lax.broadcast(x[0], (2,)))


@program(VECTOR, np.zeros((2, 1), np.int32))
def gathered(lib: Any) -> Any:
    numbers = lib.lax.GatherDimensionNumbers(
        offset_dims=(), collapsed_slice_dims=(0,), start_index_map=(0,)
    )
    return lambda x, i: lib.lax.gather(x, i, numbers, slice_sizes=(1,), mode="clip")


@program(MATRIX)
def transposed_and_reshaped(lib: Any) -> Any:
    return lambda x: lib.lax.reshape(lib.lax.transpose(x, (1, 0)), (9,))


@program(VECTOR)
def iota_has_no_arguments(lib: Any) -> Any:
    return lambda x: x + lib.lax.iota(np.float32, 3)


# -- programs within programs ---------------------------------------------------------------------


@program(VECTOR)
def call(lib: Any) -> Any:
    return lambda x: lib.jit(lambda y, z: y * z + 1.0)(x, x)


@program(VECTOR)
def two_calls(lib: Any) -> Any:
    @lib.jit
    def double_sine(x: Any) -> Any:
        return lib.numpy.sin(x) * 2.0

    return lambda x: double_sine(double_sine(x))


@program(VECTOR)
def long_call(lib: Any) -> Any:
    def powers(x: Any) -> Any:
        for _ in range(12):
            x = lib.numpy.sin(x)
        return x

    return lambda x: lib.jit(powers)(x)


@program(VECTOR)
def call_in_a_shared_call(lib: Any) -> Any:
    inner = lib.jit(lambda x: lib.numpy.cos(x))
    outer = lib.jit(lambda x: inner(x) + 1.0)
    return lambda x: outer(outer(x))


@program(np.float32(0), VECTOR)
def loop(lib: Any) -> Any:
    return lambda c, xs: lib.lax.scan(lambda c, x: (c + x, c * x), c, xs)


@program(np.float32(0))
def conditional_loop(lib: Any) -> Any:
    return lambda x: lib.lax.while_loop(lambda c: c < 10.0, lambda c: c + 1.0, x)


@program(PREDICATE, VECTOR)
def branches(lib: Any) -> Any:
    return lambda p, x: lib.lax.cond(p, lambda y: y + 1.0, lambda y: y * 2.0, x)


@program(VECTOR)
def custom_derivative(lib: Any) -> Any:
    @lib.custom_jvp
    def f(x: Any) -> Any:
        return lib.numpy.sin(x)

    @f.defjvp
    def f_jvp(primals: Any, tangents: Any) -> Any:
        return f(*primals), tangents[0]

    return lambda x: f(x)


@program(VECTOR)
def derivative(lib: Any) -> Any:
    return lib.grad(lambda x: lib.numpy.sum(lib.numpy.sin(x) * x))


@program(MATRIX)
def vectorised(lib: Any) -> Any:
    return lib.vmap(lambda x: lib.numpy.sin(x) * 2.0)


@pytest.mark.parametrize("name", PROGRAMS)
def test_text_is_that_of_jax(name: str) -> None:
    build, args = PROGRAMS[name]
    ours = minijax.make_jaxpr(build(minijax))(*args)
    theirs = jax.make_jaxpr(build(jax))(*args)
    assert str(ours) == str(theirs)


@pytest.mark.parametrize("name", ["one_line", "several_lines", "two_calls", "loop"])
def test_source_lines_are_those_of_jax(name: str) -> None:
    build, args = PROGRAMS[name]
    ours = minijax.make_jaxpr(build(minijax))(*args)
    theirs = jax.make_jaxpr(build(jax))(*args)
    assert ours.pretty_print(source_info=True) == theirs.pretty_print(source_info=True)
