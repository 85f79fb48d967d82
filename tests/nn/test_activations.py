"""Do the activation functions have the values and slopes that their definitions say?

Above all at the points where formulas meet, at infinity, and in every mode of differentiation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest

import minijax as jax
from minijax import nn

INF, NAN = np.inf, np.nan
POINTS = np.array([-INF, -30, -3, -1, -0.0, 0, 1, 3, 6, 30, INF, NAN], np.float32)

# Values and slopes at POINTS, computed with JAX 0.10.2.
CORNERS: dict[str, tuple[list[float], list[float]]] = {
    "relu": ([0, 0, 0, 0, 0, 0, 1, 3, 6, 30, INF, NAN], [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0]),
    "relu6": ([0, 0, 0, 0, 0, 0, 1, 3, 6, 6, 6, NAN], [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]),
    "leaky_relu": (
        [-INF, -0.3, -0.03, -0.01, 0, 0, 1, 3, 6, 30, INF, NAN],
        [0.01, 0.01, 0.01, 0.01, 1, 1, 1, 1, 1, 1, 1, 0.01],
    ),
    "hard_tanh": (
        [-1, -1, -1, -1, 0, 0, 1, 1, 1, 1, 1, NAN],
        [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1],
    ),
    "hard_sigmoid": (
        [0, 0, 0, 1 / 3, 0.5, 0.5, 2 / 3, 1, 1, 1, 1, NAN],
        [0, 0, 0, 1 / 6, 1 / 6, 1 / 6, 1 / 6, 0, 0, 0, 0, 0],
    ),
    "hard_silu": (
        [NAN, 0, 0, -1 / 3, 0, 0, 2 / 3, 3, 6, 30, INF, NAN],
        [0, 0, 0, 1 / 6, 0.5, 0.5, 5 / 6, 1, 1, 1, 1, NAN],
    ),
    "elu": (
        [-1, -1, -0.95021296, -0.63212055, 0, 0, 1, 3, 6, 30, INF, NAN],
        [0, 0, 0.04978704, 0.36787945, 1, 1, 1, 1, 1, 1, 1, NAN],
    ),
    "celu": (
        [-1, -1, -0.95021296, -0.63212055, 0, 0, 1, 3, 6, 30, INF, NAN],
        [0, 0, 0.04978704, 0.36787945, 1, 1, 1, 1, 1, 1, 1, NAN],
    ),
    "sparse_plus": (
        [0, 0, 0, 0, 0.25, 0.25, 1, 3, 6, 30, INF, NAN],
        [NAN, 0, 0, 0, 0.5, 0.5, 1, 1, 1, 1, NAN, NAN],
    ),
    "sparse_sigmoid": (
        [0, 0, 0, 0, 0.5, 0.5, 1, 1, 1, 1, 1, NAN],
        [0, 0, 0, 0.25, 0.5, 0.5, 0.25, 0, 0, 0, 0, 0],
    ),
    "softplus": (
        [0, 9.357623e-14, 0.04858735, 0.31326166, 0.6931472, 0.6931472, 1.3132616, 3.0485873,
         6.0024757, 30, INF, NAN],
        [0, 9.357623e-14, 0.04742587, 0.26894142, 0.5, 0.5, 0.7310586, 0.95257413, 0.9975274, 1, 1,
         NAN],
    ),
    "sigmoid": (
        [0, 9.357623e-14, 0.04742587, 0.26894142, 0.5, 0.5, 0.7310586, 0.95257413, 0.9975274, 1, 1,
         NAN],
        [0, 9.357623e-14, 0.04517666, 0.19661193, 0.25, 0.25, 0.19661193, 0.04517666, 0.00246651,
         0, 0, NAN],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CORNERS)
def test_values_and_slopes(name: str) -> None:
    function = getattr(nn, name)
    values, slopes = CORNERS[name]
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-7)
    close(function(POINTS), values)
    close(jax.vmap(jax.grad(function))(POINTS), slopes)
    finite = np.isfinite(POINTS)  # at infinity products with zero depend on the mode
    pushed = jax.jvp(function, (POINTS[finite],), (np.ones(finite.sum(), np.float32),))[1]
    close(pushed, np.array(slopes)[finite])


SMOOTH: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gelu": lambda x: x * 0.5 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
    "soft_sign": lambda x: x / (1 + np.abs(x)),
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "tanh": np.tanh,
    "identity": lambda x: x,
}


@pytest.mark.parametrize("name", SMOOTH)
def test_definition(name: str) -> None:
    x = np.linspace(-4, 4, 41, dtype=np.float32) + np.float32(0.013)
    function, definition = getattr(nn, name), SMOOTH[name]
    wide = x.astype(np.float64)
    np.testing.assert_allclose(function(x), definition(wide), rtol=2e-5, atol=1e-6)
    step = 1e-6
    slopes = (definition(wide + step) - definition(wide - step)) / (2 * step)
    np.testing.assert_allclose(jax.vmap(jax.grad(function))(x), slopes, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [*CORNERS, *SMOOTH])
def test_compiled_and_mapped(name: str) -> None:
    function = getattr(nn, name)
    x = np.linspace(-7, 7, 15, dtype=np.float32)
    eager = np.asarray(function(x))
    np.testing.assert_allclose(jax.jit(function)(x), eager, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(jax.vmap(function)(x), eager)


def test_exact_gelu() -> None:
    x = np.array([-1.0, 0.5, 2.0], np.float32)
    expected = [-0.15865525, 0.34573123, 1.9544997]
    np.testing.assert_allclose(nn.gelu(x, approximate=False), expected, rtol=1e-5)


def test_parameters() -> None:
    x = np.array([-1.0, 2.0], np.float32)
    np.testing.assert_allclose(nn.leaky_relu(x, 0.5), [-0.5, 2])
    np.testing.assert_allclose(nn.elu(x, 2.0), [2 * np.expm1(-1.0), 2], rtol=1e-6)
    np.testing.assert_allclose(nn.celu(x, 2.0), [2 * np.expm1(-0.5), 2], rtol=1e-6)
    np.testing.assert_allclose(nn.squareplus(x, 0), [0, 2])


def test_log1mexp_is_exact_near_zero_and_far_away() -> None:
    x = np.array([1e-6, 0.5, 1.0, 20.0], np.float32)
    expected = np.log(-np.expm1(-x.astype(np.float64)))
    np.testing.assert_allclose(nn.log1mexp(x), expected, rtol=2e-6)
    slopes = 1 / np.expm1(x.astype(np.float64))
    np.testing.assert_allclose(jax.vmap(jax.grad(nn.log1mexp))(x), slopes, rtol=2e-6)


def test_glu() -> None:
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    expected = x[:, :2] / (1 + np.exp(-x[:, 2:]))
    np.testing.assert_allclose(nn.glu(x), expected, rtol=1e-6)
    assert nn.glu(x, axis=0).shape == (1, 4)
    with pytest.raises(ValueError, match="axis size must be divisible by 2"):
        nn.glu(x[:, :3])


def test_result_types() -> None:
    assert nn.relu(np.arange(3)).dtype == np.int32
    assert nn.relu(1).weak_type and nn.relu(1).dtype == np.int32
    assert nn.relu6(np.arange(3)).dtype == np.float32
    assert nn.elu(np.ones(1, np.float16)).dtype == np.float16
    assert not nn.gelu(1.5).weak_type
    with pytest.raises(TypeError, match="logistic does not accept dtype int32"):
        nn.sigmoid(np.arange(3))
    with pytest.raises(TypeError, match="requires ndarray or scalar arguments"):
        nn.relu([1.0])


def test_second_derivative_of_relu_is_zero() -> None:
    assert float(jax.grad(jax.grad(nn.relu))(2.0)) == 0


def test_printed_as_in_jax() -> None:
    text = str(jax.make_jaxpr(nn.relu)(np.zeros(2, np.float32)))
    assert "custom_jvp_call[" in text and "name=relu" in text and "max c 0.0:f32[]" in text


def test_aliases() -> None:
    assert nn.swish is nn.silu and nn.hard_swish is nn.hard_silu
