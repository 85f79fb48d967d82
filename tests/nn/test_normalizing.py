"""Are probabilities and logarithms of sums right, also where exponentials would overflow?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

import minijax as jax
from minijax import nn

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32) * 3
WHERE = np.array([[True, True, False, True], [False] * 4, [True, False, False, True]])
INF = np.inf


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis: Any, keepdims: bool) -> None:
    expected: Any = scipy.special.logsumexp(X, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(nn.logsumexp(X, axis, keepdims=keepdims), expected, rtol=1e-6)


def test_logsumexp_with_factors() -> None:
    factors = np.array([1.0, -2.0, 0.0, 3.0], np.float32)
    out, sign = nn.logsumexp(X, 1, factors, return_sign=True)
    reference: Any = scipy.special.logsumexp(X, 1, factors, return_sign=True)
    expected, signs = reference
    np.testing.assert_allclose(out, expected, rtol=1e-5)
    np.testing.assert_array_equal(sign, signs)
    plain = np.asarray(nn.logsumexp(X, 1, factors))
    np.testing.assert_array_equal(np.isnan(plain), signs < 0)
    # A factor of zero takes an element out, whatever it is.
    assert float(nn.logsumexp(floats(INF, 0), b=floats(0, 1))) == 0


def test_logsumexp_of_some_elements() -> None:
    out = np.asarray(nn.logsumexp(X, 1, where=WHERE))
    assert out[1] == -INF
    for row in (0, 2):
        expected: Any = scipy.special.logsumexp(X[row][WHERE[row]])
        np.testing.assert_allclose(out[row], expected, rtol=1e-6)


@pytest.mark.parametrize(
    "x, expected",
    [
        ([1000.0, 1000.0], 1000 + np.log(2)),
        ([-1000.0, -1000.0], -1000 + np.log(2)),
        ([-INF, -INF], -INF),
        ([INF, 1.0], INF),
        ([-INF, 0.0], 0.0),
        ([], -INF),
    ],
)
def test_logsumexp_does_not_overflow(x: list[float], expected: float) -> None:
    np.testing.assert_allclose(nn.logsumexp(floats(*x)), expected, rtol=1e-6)


def test_complex_logsumexp() -> None:
    x = np.array([1j, 2], np.complex64)
    np.testing.assert_allclose(nn.logsumexp(x), 2.0761714 + 0.10572525j, rtol=1e-6)
    out, direction = nn.logsumexp(x, return_sign=True)
    assert out.dtype == np.float32
    np.testing.assert_allclose(np.abs(direction), 1, rtol=1e-6)


def test_slope_of_logsumexp_is_softmax() -> None:
    np.testing.assert_allclose(jax.grad(nn.logsumexp)(X), nn.softmax(X, axis=None), rtol=1e-5)


def test_logmeanexp() -> None:
    wide = np.exp(X.astype(np.float64))
    np.testing.assert_allclose(nn.logmeanexp(X), np.log(wide.mean()), rtol=1e-5)
    expected = np.log(wide.mean(1, keepdims=True))
    np.testing.assert_allclose(nn.logmeanexp(X, 1, keepdims=True), expected, rtol=1e-5)
    some = np.asarray(nn.logmeanexp(X, 1, where=WHERE))
    np.testing.assert_allclose(some[0], np.log(wide[0][WHERE[0]].mean()), rtol=1e-5)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_softmax(axis: Any) -> None:
    expected = scipy.special.softmax(X, axis)
    np.testing.assert_allclose(nn.softmax(X, axis), expected, rtol=1e-5)
    np.testing.assert_allclose(nn.log_softmax(X, axis), np.log(expected), rtol=1e-5)
    np.testing.assert_allclose(jax.jit(nn.softmax, static_argnums=1)(X, axis), expected, rtol=1e-5)


def test_softmax_of_large_numbers() -> None:
    x = floats(1e4, 1e4 - 1, -1e4)
    np.testing.assert_allclose(nn.softmax(x), [0.7310586, 0.26894143, 0], rtol=1e-6)
    assert np.isfinite(np.asarray(nn.log_softmax(x))).all()


def test_softmax_of_some_elements() -> None:
    out, logs = np.asarray(nn.softmax(X, where=WHERE)), np.asarray(nn.log_softmax(X, where=WHERE))
    assert (out[~WHERE & [[True], [False], [True]]] == 0).all() and (logs[~WHERE] == -INF).all()
    np.testing.assert_allclose(out[0][WHERE[0]], scipy.special.softmax(X[0][WHERE[0]]), rtol=1e-5)
    np.testing.assert_allclose(logs[0][WHERE[0]], np.log(out[0][WHERE[0]]), rtol=1e-5)


def test_derivatives_of_softmax() -> None:
    x = X[0]
    p = scipy.special.softmax(x.astype(np.float64))
    np.testing.assert_allclose(
        jax.jacobian(nn.softmax)(x), np.diag(p) - np.outer(p, p), rtol=1e-4, atol=1e-7
    )
    np.testing.assert_allclose(
        jax.jacobian(nn.log_softmax)(x), np.eye(4) - p[None], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("shape", [(0,), (2, 0)])
def test_softmax_of_nothing(shape: tuple[int, ...]) -> None:
    assert nn.softmax(np.zeros(shape, np.float32)).shape == shape
    assert nn.log_softmax(np.zeros(shape, np.float32)).shape == shape


def test_softmax_of_16_bits_keeps_its_dtype() -> None:
    out = nn.softmax(jax.numpy.asarray(X, "bfloat16"))
    assert out.dtype.name == "bfloat16"
    np.testing.assert_allclose(
        np.asarray(out).astype(np.float32), scipy.special.softmax(X, -1), rtol=3e-2, atol=1e-3
    )


@pytest.mark.parametrize("algorithm", ["fast", "stable"])
def test_standardize(algorithm: str) -> None:
    out = np.asarray(nn.standardize(X, algorithm=algorithm))
    np.testing.assert_allclose(out.mean(-1), 0, atol=1e-6)
    np.testing.assert_allclose(out.var(-1), 1, rtol=1e-4)
    given = nn.standardize(X, mean=0.5, variance=2.0, epsilon=0.0)
    np.testing.assert_allclose(given, (X - 0.5) / np.sqrt(2), rtol=1e-6)
    with pytest.raises(ValueError, match="Unknown algorithm 'slow'"):
        nn.standardize(X, algorithm="slow")


def test_one_hot() -> None:
    out = nn.one_hot([0, 2, 5, -1], 3)
    assert out.dtype == np.float32
    assert np.asarray(out).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    labels = np.array([[0, 1, 2], [2, 1, 0]])
    for axis in (0, 1, -1):
        moved = np.asarray(nn.one_hot(labels, 3, axis=axis, dtype=np.int8))
        assert moved.dtype == np.int8
        np.testing.assert_array_equal(np.moveaxis(moved, axis, -1), np.eye(3)[labels])
    np.testing.assert_array_equal(jax.vmap(lambda i: nn.one_hot(i, 3))(labels), np.eye(3)[labels])
    with pytest.raises(ValueError, match="axis 5 is out of bounds"):
        nn.one_hot(labels, 3, axis=5)
    with pytest.raises(TypeError):
        nn.one_hot(labels, 3.0)  # type: ignore[arg-type]
