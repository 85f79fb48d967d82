"""Do the functions of ``minijax.numpy`` compute what NumPy computes?

Each line is evaluated with both libraries under the name ``xp``. Results must agree in shape and
value; the dtypes are those of minijax, 32 bits wide, and are compared with JAX's elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minijax.numpy as jnp

X = np.linspace(-2, 3, 12, dtype=np.float32).reshape(3, 4)
POSITIVE = np.abs(X) + np.float32(0.1)
INTS = np.arange(-6, 6, dtype=np.int32).reshape(3, 4)
MASK = X > 0

UNARY = [
    "negative", "positive", "absolute", "fabs", "sign", "exp", "exp2", "expm1", "sin", "cos",
    "tan", "arctan", "sinh", "cosh", "tanh", "arcsinh", "floor", "ceil", "trunc", "rint", "square",
    "cbrt", "deg2rad", "rad2deg", "degrees", "radians", "isnan", "isinf", "isfinite", "signbit",
    "isposinf", "isneginf", "logical_not", "conjugate", "real", "imag", "angle", "sinc", "spacing",
    "nan_to_num", "reciprocal",
]  # fmt: skip
UNARY_POSITIVE = ["log", "log2", "log10", "log1p", "sqrt", "arccosh_shifted", "frexp", "modf"]
BINARY = [
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "fmod", "divmod",
    "maximum", "minimum", "fmax", "fmin", "arctan2", "hypot", "logaddexp", "logaddexp2",
    "copysign", "nextafter", "heaviside", "equal", "not_equal", "less", "less_equal", "greater",
    "greater_equal", "logical_and", "logical_or", "logical_xor", "isclose",
]  # fmt: skip
BINARY_INTEGER = [
    "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "gcd", "lcm",
    "floor_divide", "remainder", "power",
]  # fmt: skip

CALLS = [
    "sum(X)", "sum(X, axis=0)", "sum(X, axis=(0, 1), keepdims=True)", "sum(X, where=MASK)",
    "sum(X, initial=2)", "prod(X, axis=1)", "max(X, axis=-1)", "min(X)", "mean(X, axis=1)",
    "mean(X, where=MASK)", "var(X)", "var(X, axis=0, ddof=1)", "std(X, axis=1)",
    "any(MASK, axis=0)", "all(MASK)", "argmax(X, axis=0)", "argmin(X)",
    "argmax(X, axis=1, keepdims=True)",
    "cumsum(X, axis=1)", "cumprod(X)", "ptp(X, axis=0)", "count_nonzero(MASK, axis=1)",
    "nansum(N)", "nanmean(N, axis=1)", "nanmax(N, axis=0)", "nanargmin(N)", "nanvar(N)",
    "nancumsum(N)", "average(X, axis=1, weights=X[0] + 3)",
    "reshape(X, (4, 3))", "reshape(X, (2, -1), order='F')", "ravel(X, order='F')", "transpose(X)",
    "moveaxis(T, 0, -1)", "swapaxes(T, 0, 2)", "rollaxis(T, 2)", "expand_dims(X, (0, 3))",
    "squeeze(X[None, :, None])", "broadcast_to(X[0], (2, 3, 4))", "atleast_3d(X)",
    "concatenate([X, X], axis=1)", "stack([X, X], axis=-1)", "vstack([X, X[0]])",
    "hstack([X[0], X[1]])", "dstack([X, X])", "column_stack([X[:, 0], X])", "split(X, 2, axis=1)",
    "array_split(X, 3, axis=1)", "append(X, 9)", "block([[X, X], [X, X]])", "tile(X, (2, 1))",
    "repeat(X, 2, axis=0)", "repeat(X, np.array([1, 0, 2]), axis=0)", "flip(X, 1)", "rot90(X, 3)",
    "roll(X, 5)", "roll(X, (1, 2), axis=(0, 1))", "delete(X, 1, axis=0)", "insert(X, 1, 0, axis=1)",
    "where(MASK, X, 0)", "where(MASK)", "nonzero(INTS)", "argwhere(MASK)", "select([MASK], [X], 7)",
    "clip(X, -1, 1)", "take(X, np.array([2, 0]), axis=1)", "choose(INTS % 2, [X, -X])",
    "take_along_axis(X, np.abs(INTS) % 4, axis=1)", "compress(MASK[0], X, axis=1)",
    "dot(X, X.T)", "matmul(T, np.swapaxes(T, 1, 2))", "matmul(X, X[0])", "vdot(X, X)",
    "inner(X, X)", "outer(X[0], X[1])", "tensordot(T, T, ((0, 2), (0, 2)))", "kron(X, X[:2, :2])",
    "trace(X)",
    "cross(X[:, :3], X[:, 1:])", "einsum('ij,kj->ik', X, X)", "einsum('ii->i', X[:, :3])",
    "einsum('...i,i', T, X[0])", "einsum('ij,jk,kl->il', X, X.T, X)",
    "eye(3, 4, 1)", "tri(3, 4)", "tril(T, 1)", "triu(X, -1)", "diag(X, 1)", "diag(X[0], -1)",
    "diagonal(T, axis1=1, axis2=2)", "diagflat(X)", "vander(X[0], 3)", "meshgrid(X[0], X[1])",
    "indices((2, 3))", "arange(1, 10, 3)", "linspace(0, 1, 7)", "logspace(0, 2, 4)",
    "geomspace(1, 100, 4)", "full((2, 2), 3)", "zeros_like(X)", "ones((2, 0))",
    "pad(X, 1)", "pad(X, ((1, 2), (0, 3)), mode='edge')", "pad(X, 5, mode='reflect')",
    "pad(X, 5, mode='symmetric')", "pad(X, 5, mode='wrap')", "pad(X, 2, mode='linear_ramp')",
    "pad(X, 2, mode='mean')", "pad(X, 2, mode='maximum', stat_length=2)",
    "diff(X)", "diff(X, n=2, axis=0)", "ediff1d(X)", "gradient(X)", "trapezoid(X)",
    "polyval(np.array([1., 2., 3.], np.float32), X)", "searchsorted(np.sort(X[0]), X)",
    "digitize(X, X[0])", "isin(INTS, np.array([1, 3]))", "interp(X, X[0], X[1])",
    "unravel_index(np.array([1, 7]), (3, 4))", "round(X, 1)", "sort(X, axis=0)", "argsort(-X)",
    "lexsort((INTS[0], X[0]))", "bincount(np.array([1, 1, 4]))", "histogram(X, bins=4)",
    "cov(X)", "corrcoef(X)", "allclose(X, X)", "array_equal(X, X + 1)", "ldexp(X, np.int32(3))",
]  # fmt: skip

NAMES = {
    "X": X, "MASK": MASK, "INTS": INTS, "np": np, "T": np.stack([X, X + 1]),
    "N": np.where(X > 2, np.float32(np.nan), X),
}  # fmt: skip


def assert_agree(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_agree(a, b)
        return
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("call", CALLS)
def test_call(call: str) -> None:
    ours = eval(f"xp.{call}", {**NAMES, "xp": jnp})
    assert_agree(ours, eval(f"xp.{call}", {**NAMES, "xp": np}))


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    with np.errstate(all="ignore"):
        assert_agree(getattr(jnp, name)(X), getattr(np, name)(X))


@pytest.mark.parametrize("name", UNARY_POSITIVE)
def test_unary_of_positive_numbers(name: str) -> None:
    values = POSITIVE + 1 if name == "arccosh_shifted" else POSITIVE
    name = "arccosh" if name == "arccosh_shifted" else name
    assert_agree(getattr(jnp, name)(values), getattr(np, name)(values))


@pytest.mark.parametrize("name", BINARY)
def test_binary_with_broadcasting(name: str) -> None:
    assert_agree(getattr(jnp, name)(X, X[1]), getattr(np, name)(X, X[1]))


@pytest.mark.parametrize("name", BINARY_INTEGER)
def test_binary_of_integers(name: str) -> None:
    other = np.array([1, 2, 3, 4], np.int32)
    assert_agree(getattr(jnp, name)(INTS, other), getattr(np, name)(INTS, other))
