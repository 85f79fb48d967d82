"""Do the functions of ``minijax.scipy.special`` agree with ``jax.scipy.special`` and SciPy?"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import scipy.special

import minijax
from minijax.scipy import special

jax = pytest.importorskip("jax")
jax_special = pytest.importorskip("jax.scipy.special")

REDUCING = ("logsumexp", "softmax", "log_softmax")
NAMES = [name for name in special.__all__ if name not in (*REDUCING, "multigammaln")]
DOMAINS = {
    "erfinv": (-0.99, 0.99), "logit": (0.01, 0.99), "ndtri": (1e-9, 1), "betainc": (0.01, 0.99),
    "ndtr": (-12, 12), "log_ndtr": (-30, 12), "gamma": (-5, 5), "gammasgn": (-5, 5),
    "gammaln": (-5, 5), "loggamma": (-5, 5), "zeta": (1.2, 5),
}  # fmt: skip
FLOATS_ONLY = ("ndtr", "ndtri", "log_ndtr")
# The logarithms cancel, or the series is cut off: errors that JAX has as well.
UNITS = {"kl_div": 3000, "rel_entr": 3000, "log_ndtr": 300_000, "betaln": 1000, "logit": 200}
EDGES = {
    "xlogy": (0.0, 1.0, np.inf, np.nan), "xlog1py": (0.0, 1.0, -1.0, np.inf, np.nan),
    "entr": (0.0, 1.0, -1.0, np.inf, np.nan), "rel_entr": (0.0, 1.0, -1.0, 2.0, np.nan),
    "kl_div": (0.0, 1.0, -1.0, 2.0, np.nan), "gammasgn": (0.0, -0.0, 1.0, -1.0, -1.5, -2.5, np.nan),
    "gamma": (0.0, -0.0, 1.0, -1.5, -2.5, np.inf, np.nan), "ndtr": (-np.inf, np.inf, 0.0, np.nan),
    "log_ndtr": (np.inf, 0.0, -50.0, 20.0, np.nan), "ndtri": (0.0, 1.0, 0.5, 1e-30, -1.0, 2.0),
    "logit": (0.0, 1.0, 0.5, -1.0, 2.0, np.nan), "boxcox": (0.0, 1.0, 2.0),
    "factorial": (0.0, -1.0, 5.0, np.nan), "comb": (0.0, 1.0, 2.0, 5.0, -1.0),
}  # fmt: skip


def arity(name: str) -> int:
    """The number of operands."""
    required = [
        p for p in inspect.signature(getattr(special, name)).parameters.values()
        if p.default is p.empty
    ]  # fmt: skip
    return len(required) + (name == "zeta")


def draw(name: str, dtype: Any) -> list[np.ndarray]:
    """Random operands from the domain."""
    rng = np.random.default_rng(0)
    low, high = DOMAINS.get(name, (0.05, 12))
    operands = [rng.uniform(low, high, 100).astype(dtype) for _ in range(arity(name))]
    if name == "polygamma":
        operands[0] = rng.integers(1, 4, 100)
    if name == "comb":
        operands = [np.round(operands[0] + 3), np.round(operands[1] / 4)]
    return operands


def assert_near(got: Any, want: Any, relative: float) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, relative, relative * 0.01)


@pytest.mark.parametrize("x64", [False, True], ids=["x32", "x64"])
@pytest.mark.parametrize("name", NAMES)
def test_value(name: str, x64: bool) -> None:
    dtype = np.float64 if x64 else np.float32
    operands = draw(name, dtype)
    relative = UNITS.get(name, 100) * float(np.finfo(dtype).eps)
    with jax.enable_x64(x64), minijax.enable_x64(x64):
        got = getattr(special, name)(*operands)
        want = getattr(jax_special, name)(*operands)
        assert got.dtype == want.dtype and got.weak_type == want.weak_type
    exact = getattr(scipy.special, name)(*(x.astype(x.dtype.kind + "8") for x in operands))
    np.testing.assert_allclose(got, exact, relative, relative * 0.01)
    # JAX loses more digits here and there.
    np.testing.assert_allclose(got, want, 1e-4, 1e-4)


@pytest.mark.parametrize("name", EDGES)
def test_edges(name: str) -> None:
    values = np.array(EDGES[name], np.float32)
    operands = [x.ravel() for x in np.meshgrid(*[values] * arity(name))]
    got, want = getattr(special, name)(*operands), getattr(jax_special, name)(*operands)
    np.testing.assert_allclose(got, want, 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_integers_and_python_scalars(name: str) -> None:
    """Integers become floats, Python scalars stay weak; or both libraries refuse them."""
    for operands in ([np.array([1, 2])] * arity(name), [0.5] * arity(name)):
        try:
            want = getattr(jax_special, name)(*operands)
        except (TypeError, ValueError) as error:
            with pytest.raises(type(error)) as caught:
                getattr(special, name)(*operands)
            assert str(caught.value).split(",")[0] == str(error).split(",")[0]
            continue
        got = getattr(special, name)(*operands)
        assert (got.dtype, got.weak_type) == (want.dtype, want.weak_type)
        np.testing.assert_allclose(got, want, 1e-4, 1e-5)


# igamma's and zeta's have tests of their own; these have no derivative in JAX either
NOT_DIFFERENTIABLE = ("polygamma", "zeta", "betainc", "gammasgn", "comb")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_DIFFERENTIABLE])
def test_gradient_of_compiled_program(name: str) -> None:
    operands = draw(name, np.float32)
    positions = tuple(range(arity(name)))

    def gradients(module: Any, functions: Any) -> Any:
        def total(*args: Any) -> Any:
            return getattr(functions, name)(*args).sum()

        return module.jit(module.grad(total, positions))(*operands)

    for got, want in zip(gradients(minijax, special), gradients(jax, jax_special), strict=True):
        assert_near(got, want, 2e-3)


@pytest.mark.parametrize("name", REDUCING)
def test_sum_of_exponentials(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    for axis in (None, 0, (0, 1)):
        got, want = (getattr(m, name)(x, axis=axis) for m in (special, jax_special))
        assert_near(got, want, 1e-5)


def test_multivariate_gamma() -> None:
    a = np.linspace(2, 9, 6, dtype=np.float32)
    for d in (1, 2, 4):
        got, want = special.multigammaln(a, d), jax_special.multigammaln(a, d)
        assert_near(got, want, 1e-4)


def test_derivatives_at_zero_exist() -> None:
    assert minijax.grad(special.xlogy, 1)(0.0, 2.0) == 0
    assert minijax.grad(special.xlogy, 0)(0.0, np.e) == pytest.approx(1, rel=1e-6)
    assert minijax.grad(special.entr)(1.0) == -1
    assert minijax.grad(special.log_ndtr)(-40.0) == pytest.approx(40.025, rel=1e-3)


def test_arguments_that_are_refused() -> None:
    with pytest.raises(NotImplementedError):
        special.zeta(2.0)
    with pytest.raises(NotImplementedError):
        special.factorial(3, exact=True)
    with pytest.raises(TypeError):
        special.gammaln([1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        special.log_ndtr(1.0, series_order=31)
