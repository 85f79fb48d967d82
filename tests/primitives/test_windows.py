"""Are reductions over sliding windows, and their derivatives, those of JAX?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minijax
from minijax import lax
from minijax.core.aval import typeof
from minijax.higher_order.reduce_window import reduce_window
from minijax.primitives.logic import ge_p
from minijax.primitives.window_choices import select_and_gather_add_p, select_and_scatter_add_p
from minijax.primitives.window_shapes import reduce_window_shape_tuple

jax = pytest.importorskip("jax")

Y = np.ones((4, 6), np.float32)
START = {"add": 0.0, "max": -np.inf, "min": np.inf, "mul": 1.0}


def whole_numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def require_equal(ours: Any, theirs: Any) -> None:
    found, expected = typeof(ours), jax.typeof(theirs)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@st.composite
def windows(draw: Any, dilated: bool = True) -> tuple[np.ndarray, dict[str, Any]]:
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    x = whole_numbers(draw(st.tuples(st.integers(1, 6), st.integers(1, 6))))
    pads = draw(st.tuples(*(st.tuples(st.integers(0, 2), st.integers(0, 2)),) * 2))
    params: dict[str, Any] = {
        "window_dimensions": draw(pair),
        "window_strides": draw(pair),
        "padding": draw(st.sampled_from(("SAME", "VALID", pads))),
    }
    if dilated:
        params |= {"base_dilation": draw(pair), "window_dilation": draw(pair)}
    return x, params


def both(x: Any, name: str, params: dict[str, Any]) -> tuple[Any, Any]:
    init = np.float32(START[name])
    return (
        lambda x: reduce_window(x, init, getattr(lax, name), **params),
        lambda x: jax.lax.reduce_window(x, init, getattr(jax.lax, name), **params),
    )


@given(windows(), st.sampled_from(("add", "max", "min", "mul")))
@settings(max_examples=60, deadline=None)
def test_values(problem: Any, name: str) -> None:
    x, params = problem
    ours, theirs = both(x, name, params)
    require_equal(ours(x), theirs(x))


@given(windows(dilated=False), st.sampled_from(("add", "max", "min")))
@settings(max_examples=30, deadline=None)
def test_derivatives_at_ties(problem: Any, name: str) -> None:
    x, params = problem
    ours, theirs = both(x, name, params)
    out = np.asarray(theirs(x))
    assume(out.size and np.isfinite(out).all())
    t, ct = whole_numbers(x.shape, 1), whole_numbers(out.shape, 2)
    require_equal(minijax.jvp(ours, (x,), (t,))[1], jax.jvp(theirs, (x,), (t,))[1])
    require_equal(minijax.vjp(ours, x)[1](ct)[0], jax.vjp(theirs, x)[1](ct)[0])


@pytest.mark.parametrize("dtype", ("bool", "int8", "uint8", "bfloat16", "float16"))
def test_dtypes(dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 2, (3, 5)).astype(jax.numpy.dtype(dtype))
    for p in ("reduce_window_max_p", "reduce_window_min_p", "reduce_window_sum_p"):
        if dtype == "bool" and "sum" in p:
            continue
        ones, window = (1, 1), (2, 3)
        params = {
            "window_dimensions": window, "window_strides": ones, "padding": ((1, 0), (0, 1)),
            "base_dilation": ones, "window_dilation": ones,
        }  # fmt: skip
        require_equal(getattr(lax, p).bind(x, **params), getattr(jax.lax, p).bind(x, **params))


@pytest.mark.parametrize("name", ("add", "mul"))
@pytest.mark.parametrize(
    ("padding", "dilation"), [("SAME", 1), ("VALID", 2), ([(-1, 2)], 1), ("VALID", 1)]
)
def test_elements_outside_are_passed_over(name: str, padding: Any, dilation: int) -> None:
    """They are not taken for the initial value, which would count several times."""
    x = np.arange(5, dtype=np.float32)

    def fun(reduce: Any, lib: Any) -> Any:
        params = (3,), (1,), padding, (dilation,)
        return lambda x: reduce(x, np.float32(2), getattr(lib, name), *params)

    ours, theirs = fun(reduce_window, lax), fun(jax.lax.reduce_window, jax.lax)
    require_equal(ours(x), theirs(x))
    require_equal(minijax.jit(ours)(x), theirs(x))


def test_pairs_and_derivatives_of_a_general_function() -> None:
    x, y = whole_numbers((3, 5)), whole_numbers((3, 5), 1)

    def fun(reduce: Any) -> Any:
        return lambda x, y: reduce(
            (x, y), (0.0, 1.0), lambda a, b: (a[0] + b[0], a[1] * b[1]), (2, 2), (1, 2), "SAME"
        )

    ours, theirs = fun(reduce_window), fun(jax.lax.reduce_window)
    for a, b in zip(ours(x, y), theirs(x, y), strict=True):
        require_equal(a, b)
    pairs = minijax.jvp(ours, (x, y), (y, x))[1], jax.jvp(theirs, (x, y), (y, x))[1]
    for a, b in zip(*pairs, strict=True):
        require_equal(a, b)

    def total(y: Any) -> Any:
        return minijax.numpy.sum(ours(x, y)[1])

    step = np.zeros_like(y)
    step[1, 2] = 1
    difference = (total(y + step) - total(y - step)) / 2  # exact: each product has y[1, 2] once
    assert float(minijax.grad(total)(y)[1, 2]) == float(difference)


def test_an_initial_value_per_example() -> None:
    x, inits = whole_numbers((3, 5)), np.array([1.0, 2.0, 3.0], np.float32)
    outs = minijax.vmap(lambda i: reduce_window(x, i, lambda a, b: a * b, (2, 2)))(inits)
    for i, init in enumerate(inits):
        require_equal(outs[i], jax.lax.reduce_window(x, init, lambda a, b: a * b, (2, 2)))


@pytest.mark.parametrize("name", ("add", "max", "mul"))
def test_equations_are_printed_as_in_jax(name: str) -> None:
    params = {"window_dimensions": (2, 3), "window_strides": (2, 1), "padding": "SAME"}
    ours, theirs = both(Y, name, params)
    assert str(minijax.make_jaxpr(ours)(Y)) == str(jax.make_jaxpr(theirs)(Y))
    if name == "max":
        ours, theirs = (
            lib.make_jaxpr(lambda x, t, f=f, lib=lib: lib.jvp(f, (x,), (t,)))(Y, Y)
            for f, lib in ((ours, minijax), (theirs, jax))
        )
        assert str(ours) == str(theirs)


ERRORS: list[tuple[Any, ...]] = [
    (Y, 0.0, "add", (3,), (1, 1), "VALID"),
    (Y, 0.0, "add", (3, 1), (1,), "VALID"),
    (Y, 0.0, "add", (3, 0), (1, 1), "VALID"),
    (Y, 0.0, "add", (3, 1), (1, 0), "VALID"),
    (Y, 0.0, "add", (3, 1), (1, 1), "VALID", (0, 1)),
    (Y, 0.0, "add", (3, 1), (1, 1), "VALID", (1,)),
    (Y, 0.0, "add", (3, 1), (1, 1), "VALID", None, (1,)),
    (Y, 0, "max", (3, 1), (1, 1), "VALID"),
    (Y, np.zeros(2, np.float32), "add", (3, 1), (1, 1), "VALID"),
    (Y > 0, False, "add", (3, 1), (1, 1), "VALID"),
    ((), (), "add", (3, 1), (1, 1), "VALID"),
]


@pytest.mark.parametrize("args", ERRORS)
def test_errors_are_those_of_jax(args: Any) -> None:
    operand, init, name, *rest = args
    with pytest.raises(Exception) as expected:
        theirs = jax.lax.reduce_window
        jax.eval_shape(lambda x: theirs(x, init, getattr(jax.lax, name), *rest), operand)
    with pytest.raises(expected.type) as raised:
        reduce_window(operand, init, getattr(lax, name), *rest)
    assert str(raised.value) == str(expected.value)


def test_choices_must_fit() -> None:
    params = {"window_dimensions": (2, 2), "window_strides": (1, 1), "padding": ((0, 0), (0, 0))}
    with pytest.raises(TypeError, match="one source element per window"):
        select_and_scatter_add_p.bind(Y, Y, select_prim=ge_p, **params)
    ones = {"base_dilation": (1, 1), "window_dilation": (1, 1)}
    with pytest.raises(TypeError, match="tangents and operand shapes must match"):
        select_and_gather_add_p.bind(Y[0], Y, select_prim=ge_p, **ones, **params)

    def pooled(y: Any) -> Any:
        return reduce_window(y, -np.inf, lax.max, (2, 1), (1, 1), "VALID", None, (2, 1))

    with pytest.raises(NotImplementedError, match="VJP not implemented for select_and_gather"):
        minijax.vjp(pooled, Y)[1](np.ones((2, 6), np.float32))


def test_shapes() -> None:
    args = ((8, 9), (3, 2), (1, 2), ((0, 0), (1, 1)))
    assert reduce_window_shape_tuple(*args) == jax.lax.reduce_window_shape_tuple(*args)
