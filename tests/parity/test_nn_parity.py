"""Do the functions of ``nn`` have the values, types and derivatives of JAX's?"""

from __future__ import annotations

import itertools
import operator
import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import minijax as mj

jax = pytest.importorskip("jax", reason="compares with JAX, which is not installed")

pytestmark = pytest.mark.parity

ACTIVATIONS = [
    "celu", "elu", "gelu", "hard_sigmoid", "hard_silu", "hard_tanh", "identity", "leaky_relu",
    "log1mexp", "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_sign",
    "softplus", "sparse_plus", "sparse_sigmoid", "squareplus", "tanh",
]  # fmt: skip
POINTS = np.array(
    [
        -np.inf,
        -100,
        -30,
        -6,
        -3,
        -1.5,
        -1,
        -0.1,
        -0.0,
        0,
        0.1,
        1,
        1.5,
        3,
        6,
        30,
        100,
        np.inf,
        np.nan,
    ],
    np.float32,
)


def outcome(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fun(*args, **kwargs)
    except (TypeError, ValueError, IndexError) as error:
        return type(error)


def assert_alike(ours: Any, theirs: Any, rtol: float, what: Any, weak: bool = True) -> None:
    if isinstance(theirs, tuple):
        for mine, other in zip(ours, theirs, strict=True):
            assert_alike(mine, other, rtol, what)
        return
    if isinstance(theirs, type):
        assert ours == theirs, what
        return
    assert not isinstance(ours, type), (what, ours)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), what
    assert not weak or ours.weak_type == theirs.weak_type, what
    wide = np.complex128 if theirs.dtype.kind == "c" else np.float64
    values = [np.asarray(x).astype(wide) for x in (ours, theirs)]
    np.testing.assert_allclose(*values, rtol=rtol, atol=rtol / 10, err_msg=str(what))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_slopes(name: str) -> None:
    ours, theirs = getattr(mj.nn, name), getattr(jax.nn, name)
    assert_alike(ours(POINTS), theirs(POINTS), 3e-6, name)
    slopes = [m.vmap(m.grad(f))(POINTS) for m, f in ((mj, ours), (jax, theirs))]
    assert_alike(slopes[0], slopes[1], 3e-6, name)
    finite = POINTS[np.abs(POINTS) < 50]
    curves = [m.vmap(m.grad(m.grad(f)))(finite) for m, f in ((mj, ours), (jax, theirs))]
    assert_alike(curves[0], curves[1], 1e-4, name)


OPERANDS: list[Any] = [
    np.arange(-1, 2), 1, 1.5, True, np.float64(2), ml_dtypes.bfloat16(1.3), [1.0, 2.0],
    np.uint8(3), np.complex64(0.3 + 1j), np.zeros((2, 0), np.float32),
    np.array([0.5, -0.5], np.float16),
]  # fmt: skip


# With these JAX answers an array of integers by a strong float when compiled, a weak one if not.
THROUGH_LOGADDEXP = ("log_sigmoid", "mish", "softplus")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_result_types(name: str) -> None:
    for operand in OPERANDS:
        mine, other = (outcome(getattr(m.nn, name), operand) for m in (mj, jax))
        rtol = 1e-2 if "float16" in str(getattr(operand, "dtype", "")) else 3e-6
        assert_alike(mine, other, rtol, (name, operand), weak=name not in THROUGH_LOGADDEXP)


X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32) * 3
WHERE = np.array([[True, True, False, True], [False] * 4, [True, False, False, True]])
SIGNED = np.array([1.0, -2.0, 0.0, 3.0], np.float32)

CALLS: dict[str, Callable[[Any], Any]] = {
    "gelu exact": lambda m: lambda x: m.nn.gelu(x, approximate=False),
    "elu alpha": lambda m: lambda x: m.nn.elu(x, 0.3),
    "celu alpha": lambda m: lambda x: m.nn.celu(x, 0.3),
    "leaky slope": lambda m: lambda x: m.nn.leaky_relu(x, 0.3),
    "squareplus b": lambda m: lambda x: m.nn.squareplus(x, 0.3),
    "glu": lambda m: m.nn.glu,
    "glu axis": lambda m: lambda x: m.nn.glu(x[:2], axis=0),
    "softmax": lambda m: m.nn.softmax,
    "softmax axis": lambda m: lambda x: m.nn.softmax(x, axis=0),
    "softmax axes": lambda m: lambda x: m.nn.softmax(x, axis=(0, 1)),
    "softmax all": lambda m: lambda x: m.nn.softmax(x, axis=None),
    "softmax where": lambda m: lambda x: m.nn.softmax(x, where=WHERE),
    "log_softmax": lambda m: m.nn.log_softmax,
    "log_softmax axis": lambda m: lambda x: m.nn.log_softmax(x, 0),
    "log_softmax where": lambda m: lambda x: m.nn.log_softmax(x, where=WHERE),
    "logsumexp": lambda m: m.nn.logsumexp,
    "logsumexp axis": lambda m: lambda x: m.nn.logsumexp(x, 1),
    "logsumexp axes": lambda m: lambda x: m.nn.logsumexp(x, (0, 1), keepdims=True),
    "logsumexp b": lambda m: (
        lambda x: m.nn.logsumexp(x, 0, b=np.array([[1], [2], [3]], np.float32))
    ),
    "logsumexp b scalar": lambda m: lambda x: m.nn.logsumexp(x, b=2),
    "logsumexp negative": lambda m: lambda x: m.nn.logsumexp(x, 1, b=SIGNED),
    "logsumexp sign": lambda m: lambda x: m.nn.logsumexp(x, 1, b=SIGNED, return_sign=True),
    "logsumexp sign keep": lambda m: (
        lambda x: m.nn.logsumexp(x, 1, SIGNED, keepdims=True, return_sign=True)
    ),
    "logsumexp where": lambda m: lambda x: m.nn.logsumexp(x, 1, where=WHERE),
    "logmeanexp": lambda m: m.nn.logmeanexp,
    "logmeanexp axis": lambda m: lambda x: m.nn.logmeanexp(x, 1, keepdims=True),
    "logmeanexp axes": lambda m: lambda x: m.nn.logmeanexp(x, (0, -1)),
    "logmeanexp where": lambda m: lambda x: m.nn.logmeanexp(x, 1, where=WHERE[:, :1]),
    "standardize": lambda m: m.nn.standardize,
    "standardize axis": lambda m: lambda x: m.nn.standardize(x, axis=(0, 1)),
    "standardize given": lambda m: lambda x: m.nn.standardize(x, mean=0.5, variance=2.0),
    "standardize stable": lambda m: lambda x: m.nn.standardize(x, algorithm="stable"),
    "standardize where": lambda m: lambda x: m.nn.standardize(x, where=WHERE),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    mine, other = CALLS[name](mj), CALLS[name](jax)
    inputs: list[Any] = [X, X.astype(np.complex64), X.astype(np.int32), X[:, :0]]
    for x in inputs:
        assert_alike(outcome(mine, x), outcome(other, x), 1e-5, (name, x.dtype, x.shape))
    for dtype in (ml_dtypes.bfloat16, np.float16):
        x = X.astype(dtype)
        assert_alike(outcome(mine, x), outcome(other, x), 2e-2, (name, dtype))


@pytest.mark.parametrize("name", CALLS)
def test_derivatives_of_calls(name: str) -> None:
    def gradient(m: Any) -> Any:
        return m.grad(lambda x: sum((v * v).sum() for v in m.tree.leaves(CALLS[name](m)(x))))

    mine, other = (np.asarray(gradient(m)(X)) for m in (mj, jax))
    np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("function", ["softmax", "log_softmax", "logsumexp", "logmeanexp"])
def test_infinities(function: str) -> None:
    for pair in itertools.product([-np.inf, 0.0, np.inf, np.nan], repeat=2):
        x = np.array(pair, np.float32)
        mine, other = (np.asarray(getattr(m.nn, function)(x)) for m in (mj, jax))
        np.testing.assert_allclose(mine, other, rtol=1e-6, err_msg=f"{function} {pair}")
        slopes = [
            np.asarray(m.grad(lambda x, m=m: getattr(m.nn, function)(x).sum())(x))
            for m in (mj, jax)
        ]
        np.testing.assert_allclose(*slopes, rtol=1e-5, err_msg=f"{function} {pair}")


ONE_HOT: list[Any] = [
    ([0, 2, 5, -1], 3, {}),
    (np.arange(2), 0, {}),
    (np.arange(2.0), 3, {}),
    (1, 3, {"dtype": bool}),
    (np.arange(6).reshape(2, 3), np.int64(4), {"axis": 0, "dtype": "int8"}),
    (np.arange(6).reshape(2, 3), 4, {"axis": 1}),
    (np.arange(2), 3, {"axis": 5}),
    (np.arange(2), 3.0, {}),
    (np.array([1, 2], np.uint8), 300, {"dtype": ml_dtypes.bfloat16}),
]


@pytest.mark.parametrize("case", ONE_HOT, ids=str)
def test_one_hot(case: Any) -> None:
    labels, count, options = case
    mine, other = (outcome(m.nn.one_hot, labels, count, **options) for m in (mj, jax))
    assert_alike(mine, other, 0, case)


FAMILY = [
    "glorot_uniform", "glorot_normal", "xavier_uniform", "xavier_normal", "lecun_uniform",
    "lecun_normal", "he_uniform", "he_normal", "kaiming_uniform", "kaiming_normal",
]  # fmt: skip
INITIALIZERS: dict[str, Callable[[Any], Any]] = {
    "zeros": lambda i: i.zeros,
    "ones": lambda i: i.ones,
    "constant": lambda i: i.constant(3),
    "constant row": lambda i: i.constant(np.arange(6.0)),
    "uniform": lambda i: i.uniform(),
    "uniform scale": lambda i: i.uniform(2.0, "bfloat16"),
    "normal": lambda i: i.normal(),
    "normal stddev": lambda i: i.normal(2.0),
    "truncated_normal": lambda i: i.truncated_normal(),
    "truncated_normal bounds": lambda i: i.truncated_normal(2.0, None, -1.0, 0.5),
    **{name: operator.methodcaller(name) for name in FAMILY},
    "axes": lambda i: i.he_normal(in_axis=(0, 1), out_axis=2, batch_axis=3),
    "batch": lambda i: i.lecun_uniform(in_axis=1, out_axis=0, batch_axis=(2,)),
    "fan_out": lambda i: i.variance_scaling(1.5, "fan_out", "normal"),
    "fan_geo_avg": lambda i: i.variance_scaling(1.5, "fan_geo_avg", "uniform"),
    "unknown mode": lambda i: i.variance_scaling(1.5, "fan", "uniform"),
    "unknown distribution": lambda i: i.variance_scaling(1.5, "fan_in", "uni"),
    "default": lambda i: i.normal(dtype="float16"),
}  # fmt: skip


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers(name: str) -> None:
    mine, other = (INITIALIZERS[name](m.nn.initializers) for m in (mj, jax))
    keys = mj.random.key(5), jax.random.key(5)
    for shape, dtype in itertools.product(
        [(4, 6), (2, 3, 5, 6), (6,)], [(), ("float32",), ("complex64",), ("bfloat16",)]
    ):
        drawn = outcome(mine, keys[0], shape, *dtype)
        expected = outcome(other, keys[1], shape, *dtype)
        assert_alike(drawn, expected, 1e-2 if "bfloat16" in dtype else 2e-5, (name, shape, dtype))
