"""What are the derivatives of elementwise operations where calculus does not say?

Slopes at kinks, at the ends of domains and of powers at zero are compared with JAX, and so are
the programs that compute derivatives, as they print. That rules agree with finite differences
elsewhere is checked for all primitives together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minijax.transforms.dispatch  # noqa: F401 - computes what is not traced
from minijax.core.aval import ShapedArray
from minijax.primitives import (  # noqa: F401 - structural rules take part in transposing
    arithmetic,
    broadcasting,
    complex_parts,
    elementwise,
    erf_inv,
    error_function,
    gamma,
    logic,
    piecewise,
    reduce,
    structural,
    two_argument,
)
from minijax.transforms.jvp import jvp
from minijax.transforms.staging import trace_to_jaxpr

jax = pytest.importorskip("jax")

FILES = (
    arithmetic,
    complex_parts,
    elementwise,
    erf_inv,
    error_function,
    gamma,
    logic,
    piecewise,
    two_argument,
)


def ours(name: str) -> Any:
    """The public function of this library with the name of one of ``jax.lax``."""
    return next(getattr(file, name) for file in FILES if hasattr(file, name))


KINKS = np.array([-1.0, -0.0, 0.0, 0.5, 1.0, 2.0], np.float32)


def slopes(name: str, position: int, *args: Any) -> tuple[np.ndarray, np.ndarray]:
    """The partial derivative by our rule and by JAX."""
    tangents = [np.ones_like(x) if i == position else np.zeros_like(x) for i, x in enumerate(args)]
    mine = jvp(lambda *xs: [ours(name)(*xs)], args, tangents)[1][0]
    theirs = jax.jvp(getattr(jax.lax, name), args, tuple(tangents))[1]
    return np.asarray(mine), np.asarray(theirs)


@pytest.mark.parametrize("name", ("abs", "sqrt", "log", "asin", "square", "cbrt", "rsqrt"))
def test_slope_at_special_points(name: str) -> None:
    mine, theirs = slopes(name, 0, KINKS)
    np.testing.assert_allclose(mine, theirs, rtol=1e-6)


@pytest.mark.parametrize("position", (0, 1))
@pytest.mark.parametrize("name", ("max", "min", "pow", "rem", "atan2", "div"))
def test_slope_of_two_arguments(name: str, position: int) -> None:
    x, y = (v.ravel() for v in np.meshgrid(KINKS, KINKS))
    mine, theirs = slopes(name, position, x, y)
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)


@pytest.mark.parametrize("position", (0, 1, 2))
def test_slope_of_clamp(position: int) -> None:
    x, y = (v.ravel() for v in np.meshgrid(KINKS, KINKS))
    mine, theirs = slopes("clamp", position, x, y, np.roll(x, 7))
    np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("exponent", (-2, -1, 0, 1, 2, 3))
def test_slope_of_a_power_with_an_integer_exponent(exponent: int) -> None:
    y = np.int32(exponent)
    (mine,) = jvp(lambda x: [two_argument.pow(x, y)], [KINKS], [np.ones_like(KINKS)])[1]
    theirs = jax.jvp(lambda x: jax.lax.pow(x, y), (KINKS,), (np.ones_like(KINKS),))[1]
    np.testing.assert_allclose(np.asarray(mine), theirs, rtol=1e-6)


def printed(text: Any) -> str:
    """The equations of a jaxpr, whatever the line breaks."""
    return " ".join(str(text).split())


UNARY = (
    "sin cos tan tanh exp exp2 log sqrt rsqrt log1p expm1 logistic erf_inv erf erfc neg asin "
    "acos atan sinh cosh asinh acosh atanh cbrt lgamma digamma square"
).split()


@pytest.mark.parametrize("name", UNARY)
def test_derivative_prints_as_in_jax(name: str) -> None:
    def tangent(x: Any) -> Any:
        return jvp(lambda x: [ours(name)(x)], [x], [x])[1]

    def their_tangent(x: Any) -> Any:
        return jax.jvp(getattr(jax.lax, name), (x,), (x,))[1]

    mine = trace_to_jaxpr(tangent, [ShapedArray((), np.dtype("float32"))])
    theirs = jax.make_jaxpr(their_tangent)(np.float32(0.5))
    assert printed(mine) == printed(theirs.jaxpr)


MISTAKES = {
    "different dtypes": lambda lax: lax.add(np.float32(1), np.int32(1)),
    "different ranks": lambda lax: lax.add(np.ones((2, 3)), np.ones(3)),
    "shapes": lambda lax: lax.mul(np.ones((2, 3)), np.ones((3, 2))),
    "a list": lambda lax: lax.add([1], [2]),
    "a dtype": lambda lax: lax.sin(np.int32(1)),
    "booleans": lambda lax: lax.add(True, True),
    "negative integer power": lambda lax: lax.integer_pow(np.int32(1), -1),
    "integer base": lambda lax: lax.pow(np.int32(1), np.int32(1)),
    "float exponent": lambda lax: lax.pow(np.float16(1), np.float32(1)),
    "no case": lambda lax: lax.select_n(True),
    "three cases": lambda lax: lax.select_n(True, 1.0, 2.0, 3.0),
    "float selector": lambda lax: lax.select_n(1.0, 2.0, 3.0),
    "shapes of cases": lambda lax: lax.select_n(True, np.ones(2), np.ones(3)),
    "shape of selector": lambda lax: lax.select_n(np.ones(3, bool), np.ones(2), np.ones(2)),
    "bounds": lambda lax: lax.clamp(np.ones(2), np.ones((2, 2)), np.float64(1)),
    "real part": lambda lax: lax.real(np.float32(1)),
    "parts": lambda lax: lax.complex(np.float32(1), np.int32(1)),
    "rounding": lambda lax: lax.round(np.float32(1), 7),
    "accuracy": lambda lax: lax.sqrt(np.float32(1), accuracy=3),
}


class OurLax:
    """The public functions under one name, as ``jax.lax`` has them."""

    def __getattr__(self, name: str) -> Any:
        return ours(name)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_refused_in_the_words_of_jax(mistake: str) -> None:
    call = MISTAKES[mistake]
    with pytest.raises(Exception) as theirs:
        call(jax.lax)
    with pytest.raises(theirs.type) as mine:
        call(OurLax())
    assert str(mine.value).strip() == str(theirs.value).strip()
