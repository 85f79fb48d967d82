"""Do the special functions have the values that JAX gives them, and their derivatives those of JAX?

Values come from SciPy in float64, or, for the derivatives of the incomplete gamma function, from
the algorithm that compiled programs use too. JAX computes with series of its own.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import minijax
from minijax import lax
from minijax.core.aval import ShapedArray
from minijax.core.primitive import Primitive
from minijax.primitives import bessel, gamma, incomplete_beta, incomplete_gamma, words

jax = pytest.importorskip("jax")

FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64")
DOMAINS = {
    "bessel_i0e": [(-40, 40)],
    "bessel_i1e": [(-40, 40)],
    "igamma": [(0.05, 30), (0.0, 40)],
    "igammac": [(0.05, 30), (0.0, 40)],
    "igamma_grad_a": [(0.05, 30), (0.0, 40)],
    "random_gamma_grad": [(0.05, 30), (0.05, 40)],
    "betainc": [(0.05, 30), (0.05, 30), (0.0, 1.0)],
    "zeta": [(1.1, 12), (0.05, 20)],
}
PRIMITIVES = {
    "bessel_i0e": bessel.bessel_i0e_p,
    "bessel_i1e": bessel.bessel_i1e_p,
    "igamma": incomplete_gamma.igamma_p,
    "igammac": incomplete_gamma.igammac_p,
    "igamma_grad_a": incomplete_gamma.igamma_grad_a_p,
    "random_gamma_grad": incomplete_gamma.random_gamma_grad_p,
    "betainc": incomplete_beta.regularized_incomplete_beta_p,
    "zeta": gamma.zeta_p,
    "mulhi": words.mulhi_p,
    "eq_to": words.eq_to_p,
    "lt_to": words.lt_to_p,
    "le_to": words.le_to_p,
}
TOLERANCE = {"float32": 2e-5, "float64": 2e-11, "float16": 4e-3, "bfloat16": 3e-2}
EDGES = (0.0, -0.0, 1.0, 3.0, -1.0, -2.5, np.inf, -np.inf, np.nan, 1e-30, 1e4)


@pytest.fixture(autouse=True)
def with_x64() -> Any:
    """JAX narrows 64-bit operands otherwise."""
    with jax.enable_x64(True), minijax.enable_x64(True):
        yield


def reference(p: Primitive, *operands: np.ndarray) -> np.ndarray:
    """The value by the reference rule, checked against the type rule."""
    with np.errstate(all="ignore"):
        value = np.asarray(p.rule("reference")(*operands))
    aval = p.infer([ShapedArray(x.shape, x.dtype) for x in operands], {})
    assert (value.shape, value.dtype) == (aval.shape, aval.dtype)
    return value


def draw(name: str, dtype: str, size: int = 300) -> list[np.ndarray]:
    """Random operands from the domain of a function."""
    rng = np.random.default_rng(len(name))
    kind = getattr(ml_dtypes, dtype, dtype)
    return [rng.uniform(low, high, size).astype(kind) for low, high in DOMAINS[name]]


def all_pairs(values: Any, dtype: Any) -> list[np.ndarray]:
    """Every value with every other."""
    return [x.ravel() for x in np.meshgrid(*[np.array(values).astype(dtype)] * 2, indexing="ij")]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", DOMAINS)
def test_value(name: str, dtype: str) -> None:
    operands = draw(name, dtype)
    got = reference(PRIMITIVES[name], *operands)
    if name == "random_gamma_grad" and dtype == "float32":
        dtype = "bfloat16"  # JAX loses many digits
    want = np.asarray(getattr(jax.lax, name)(*operands))
    assert got.dtype == want.dtype
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(
        got.astype(float), want.astype(float), rtol=tolerance, atol=tolerance / 10
    )


@pytest.mark.parametrize("name", ["bessel_i0e", "bessel_i1e"])
def test_bessel_function_at_its_edges(name: str) -> None:
    x = np.array(EDGES)
    got, want = reference(PRIMITIVES[name], x), np.asarray(getattr(jax.lax, name)(x))
    np.testing.assert_allclose(got, want, 1e-14)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


def test_incomplete_gamma_function_at_its_edges() -> None:
    """JAX has no value at order 0 below 1, nor at infinite order: there the limit is given."""
    a, x = all_pairs(EDGES, float)
    for name, at_zero, at_infinity in (("igamma", 1.0, 0.0), ("igammac", 0.0, 1.0)):
        want = np.array(getattr(jax.lax, name)(a, x))
        want[(a == 0) & (x > 0)] = at_zero
        want[(a == np.inf) & (x >= 0) & np.isfinite(x)] = at_infinity
        np.testing.assert_allclose(reference(PRIMITIVES[name], a, x), want, 1e-9, 1e-14)


def test_slopes_of_incomplete_gamma_function_at_their_edges() -> None:
    a, x = all_pairs([v for v in EDGES if v != np.inf], float)
    # JAX stops its series before the first term where the density underflows.
    for name, tolerance in (("igamma_grad_a", 1e-9), ("random_gamma_grad", 5e-4)):
        got, want = reference(PRIMITIVES[name], a, x), getattr(jax.lax, name)(a, x)
        np.testing.assert_allclose(got, want, tolerance, 1e-30)


def test_incomplete_beta_function_at_its_edges() -> None:
    orders, points = (0.0, 0.5, 1.0, 3.0, -1.0, np.inf, np.nan, 1e4), (*EDGES, 0.5, 2.0)
    a, b, x = (v.ravel() for v in np.meshgrid(orders, orders, points))
    got, want = reference(PRIMITIVES["betainc"], a, b, x), jax.lax.betainc(a, b, x)
    np.testing.assert_allclose(got, want, 1e-9)


def test_zeta_at_its_edges() -> None:
    x, q = all_pairs((*EDGES, 2.0, -2.0, 0.5), float)
    np.testing.assert_allclose(reference(PRIMITIVES["zeta"], x, q), jax.lax.zeta(x, q), 1e-12)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_high_half_of_product(dtype: str) -> None:
    info = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    edges = np.array([0, 1, info.min, info.max, info.max - 1, 7], dtype)
    random = rng.integers(info.min, info.max, 30, dtype, endpoint=True)
    x, y = all_pairs(np.concatenate([edges, random]), dtype)
    np.testing.assert_array_equal(reference(words.mulhi_p, x, y), jax.lax.mulhi(x, y))
    compiled = minijax.jit(lax.mulhi)(x, y)
    np.testing.assert_array_equal(compiled, jax.lax.mulhi(x, y))


@pytest.mark.parametrize("dtype", (*FLOATS, "int8", "bool"))
@pytest.mark.parametrize("name", ("eq_to", "lt_to", "le_to"))
def test_total_order(name: str, dtype: str) -> None:
    values = np.array([0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1.0, -1.5])
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    values = values[np.isfinite(values)] if kind.kind in "ib" else values
    x, y = all_pairs(values, kind)
    want = getattr(jax.lax, f"{name}_p").bind(jax.numpy.asarray(x), jax.numpy.asarray(y))
    np.testing.assert_array_equal(reference(PRIMITIVES[name], x, y), want)


# -- derivatives ---------------------------------------------------------------------------------

DERIVATIVES = [
    ("bessel_i0e", 0), ("bessel_i1e", 0), ("igamma", 0), ("igamma", 1), ("igammac", 0),
    ("igammac", 1), ("betainc", 2),
]  # fmt: skip


def tangent(module: Any, name: str, position: int, operands: list[np.ndarray]) -> np.ndarray:
    """The derivative along one operand."""
    arrays = [module.numpy.asarray(x) for x in operands]

    def function(x: Any) -> Any:
        return getattr(module.lax, name)(*arrays[:position], x, *arrays[position + 1 :])

    x = arrays[position]
    return np.asarray(module.jvp(function, (x,), (module.numpy.ones_like(x),))[1])


@pytest.mark.parametrize(("name", "position"), DERIVATIVES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivative(name: str, position: int, dtype: str) -> None:
    operands = draw(name, dtype, 60)
    got, want = (tangent(module, name, position, operands) for module in (minijax, jax))
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, 50 * TOLERANCE[dtype], 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("name", ["igamma_grad_a", "random_gamma_grad"])
def test_slope_along_the_order_is_a_limit_of_differences(name: str) -> None:
    a, x = draw("random_gamma_grad", "float64")
    step = 1e-5 * a
    rise = reference(incomplete_gamma.igamma_p, a + step, x)
    rise = (rise - reference(incomplete_gamma.igamma_p, a - step, x)) / (2 * step)
    if name == "random_gamma_grad":
        density = np.exp((a - 1) * np.log(x) - x - reference(gamma.lgamma_p, a))
        relevant = density > 1e-3
        a, x, rise = a[relevant], x[relevant], (-rise / density)[relevant]
    np.testing.assert_allclose(reference(PRIMITIVES[name], a, x), rise, 1e-5, 1e-8)


def test_derivatives_that_are_not_supported() -> None:
    a = lax.full((3,), 0.5)
    for function, error, text in (
        (lambda x: lax.betainc(x, a, a), ValueError, "gradient with respect to a and b"),
        (lambda x: lax.polygamma(x, a), ValueError, "gradient with respect to m"),
        (lambda x: lax.igamma_grad_a(x, a), NotImplementedError, "igamma_grad_a"),
        (lambda x: lax.zeta(x, a), NotImplementedError, "zeta"),
        (lambda x: lax.random_gamma_grad(x, a), NotImplementedError, "random_gamma_grad"),
    ):
        with pytest.raises(error, match=text):
            minijax.jvp(function, (a,), (a,))


# -- types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in PRIMITIVES if name[2:] != "_to"])
def test_types_and_errors(name: str) -> None:
    count = 2 if name == "mulhi" else len(DOMAINS[name])
    for dtype in ("float32", "float16", "int32", "complex64", "bool"):
        operands = [np.ones(2, dtype)] * count
        try:
            want = jax.eval_shape(getattr(jax.lax, name), *operands)
        except TypeError as error:
            # In JAX it is no operation of its own.
            text = f"{name} does not accept" if name == "random_gamma_grad" else str(error)
            with pytest.raises(TypeError, match=text.split(" dtype", maxsplit=1)[0]):
                getattr(lax, name)(*operands)
        else:
            got = minijax.eval_shape(getattr(lax, name), *operands)
            assert (got.shape, got.dtype) == (want.shape, want.dtype)


# -- compiled programs ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DOMAINS)
def test_compiled_value(name: str, dtype: str) -> None:
    """One program for the values inside and at the edges of the domain."""
    operands = draw(name, dtype)
    if len(operands) == 2 and name != "zeta":
        a, x = all_pairs([v for v in EDGES if v != np.inf], dtype)
        operands = [np.concatenate([operands[0], a]), np.concatenate([operands[1], x])]
    got = np.asarray(minijax.jit(getattr(lax, name))(*operands))
    want = reference(PRIMITIVES[name], *operands)
    assert got.dtype == want.dtype
    tolerance = TOLERANCE[dtype]
    small = 1e-30 if name == "random_gamma_grad" else tolerance / 5
    np.testing.assert_allclose(got, want, rtol=tolerance * 5, atol=small)
