"""Are keys and draws those of JAX, bit for bit?

Everything that is made of integers, and floats that are made of bits alone, must be equal. Floats
that pass through a logarithm, an error function or a fused product may differ by their last bits,
for each compiler rounds those in its own way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from minijax import devices, random
from minijax.config import default_device, enable_x64, threefry_partitionable

jax = pytest.importorskip("jax", reason="compares with JAX, which is not installed")

pytestmark = pytest.mark.parity

SEEDS = (0, 1, 42, -7, 2**33 + 5)
SHAPES = ((), (0,), (1,), (2,), (3,), (5,), (2, 3), (2, 0, 3), (3, 5, 7), (1001,))
FLOATS_32 = ("float32", "bfloat16", "float16")


@pytest.fixture(params=itertools.product([False, True], repeat=2), ids=lambda p: f"{p[0]}-{p[1]}")
def wide(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Both libraries under each pair of values of the flags; the value of ``enable_x64``."""
    partitionable, x64 = request.param
    with ExitStack() as stack:
        stack.enter_context(threefry_partitionable(partitionable))
        stack.enter_context(enable_x64(x64))
        stack.enter_context(jax.threefry_partitionable(partitionable))
        stack.enter_context(jax.enable_x64(x64))
        yield x64


def both_keys(seed: int) -> list[tuple[Any, Any]]:
    return [
        (random.key(seed), jax.random.key(seed)),
        (random.PRNGKey(seed), jax.random.PRNGKey(seed)),
    ]


def assert_same(ours: Any, theirs: Any, what: Any = "") -> None:
    if hasattr(ours, "dtype") and ours.dtype.name.startswith("key<"):
        assert ours.shape == theirs.shape and ours.dtype.name == theirs.dtype.name
        ours, theirs = random.key_data(ours), jax.random.key_data(theirs)
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), what
    np.testing.assert_array_equal(ours, theirs, err_msg=str(what))


def steps_apart(ours: Any, theirs: Any) -> np.ndarray:
    """Return how many floats of their dtype lie between the elements of two arrays."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    word = np.dtype(f"i{ours.dtype.itemsize}")

    def place(x: np.ndarray) -> np.ndarray:
        bits = x.view(word).astype(np.int64)
        return np.where(bits < 0, np.int64(np.iinfo(word).min) - bits, bits)

    return np.abs(place(ours) - place(theirs))


# -- keys ------------------------------------------------------------------------------------------


def test_keys(wide: bool) -> None:
    for seed in SEEDS:
        for ours, theirs in both_keys(seed):
            assert_same(ours, theirs, seed)
            for num in (0, 1, 2, 3, 7, (2, 3), ()):
                assert_same(random.split(ours, num), jax.random.split(theirs, num), (seed, num))
            for data in (0, 1, 2**32 - 1, np.int64(-1), np.float32(3.7), True):
                folded = random.fold_in(ours, data), jax.random.fold_in(theirs, data)
                assert_same(*folded, (seed, data))


# -- what must be equal ----------------------------------------------------------------------------


def test_bits(wide: bool) -> None:
    widths = (8, 16, 32, 64) if wide else (8, 16, 32)
    for seed, width, shape in itertools.product(SEEDS, widths, SHAPES):
        for ours, theirs in both_keys(seed):
            dtype = f"uint{width}"
            drawn = random.bits(ours, shape, dtype), jax.random.bits(theirs, shape, dtype)
            assert_same(*drawn, (seed, dtype, shape))


def test_uniform(wide: bool) -> None:
    dtypes = (*FLOATS_32, "float64") if wide else FLOATS_32
    for seed, dtype, shape in itertools.product(SEEDS, dtypes, SHAPES):
        ours, theirs = both_keys(seed)[0]
        for bounds in ({}, {"minval": -1.0}, {"minval": 0.5, "maxval": 1.0}):
            drawn = (
                random.uniform(ours, shape, dtype, **bounds),
                jax.random.uniform(theirs, shape, dtype, **bounds),
            )
            assert_same(*drawn, (seed, dtype, shape, bounds))


def ranges(wide: bool) -> list[tuple[int, int]]:
    narrow = [(0, 10), (-5, 5), (3, 3), (5, 2), (-200, 300), (0, 2**31 - 1), (-(2**31), 2**31 - 1)]
    more = [(0, 2**40), (-(2**63), 2**63 - 1), (0, 2**32), (-(2**31), 2**31)]
    return narrow + more if wide else narrow


def test_randint(wide: bool) -> None:
    dtypes = [f"{sign}int{width}" for sign in ("", "u") for width in (8, 16, 32)]
    if wide:
        dtypes += ["int64", "uint64"]
    for dtype, (low, high) in itertools.product(dtypes, ranges(wide)):
        ours, theirs = both_keys(11)[0]
        drawn = (
            random.randint(ours, (200,), low, high, dtype),
            jax.random.randint(theirs, (200,), low, high, dtype),
        )
        assert_same(*drawn, (dtype, low, high))


LOGITS = np.log(np.random.default_rng(0).random((3, 4)).astype(np.float32))
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
THINGS = np.arange(24).reshape(2, 3, 4)

DISCRETE: dict[str, Callable[[Any, Any], Any]] = {
    "bernoulli": lambda r, k: r.bernoulli(k, 0.3, (1000,)),
    "bernoulli high": lambda r, k: r.bernoulli(k, 0.3, (1000,), "high"),
    "bernoulli array": lambda r, k: r.bernoulli(k, WEIGHTS),
    "bernoulli broadcast": lambda r, k: r.bernoulli(k, WEIGHTS, (5, 4)),
    "rademacher": lambda r, k: r.rademacher(k, (1000,)),
    "rademacher float": lambda r, k: r.rademacher(k, (10,), "float32"),
    "randint arrays": lambda r, k: r.randint(k, (3, 4), np.arange(3)[:, None], np.arange(4) * 10),
    "randint ranks": lambda r, k: r.randint(k, (3, 4), 0, np.arange(4) * 10),
    "randint floats": lambda r, k: r.randint(k, (20,), 0.5, 10.7),
    "permutation": lambda r, k: r.permutation(k, 100),
    "permutation long": lambda r, k: r.permutation(k, 3000),
    "permutation 0": lambda r, k: r.permutation(k, THINGS),
    "permutation 2": lambda r, k: r.permutation(k, THINGS, axis=-1),
    "permutation independent": lambda r, k: r.permutation(k, THINGS, 1, independent=True),
    "categorical": lambda r, k: r.categorical(k, LOGITS),
    "categorical axis": lambda r, k: r.categorical(k, LOGITS, axis=0),
    "categorical shape": lambda r, k: r.categorical(k, LOGITS, shape=(50, 3)),
    "categorical axis shape": lambda r, k: r.categorical(k, LOGITS, axis=0, shape=(5, 2, 4)),
    "categorical different": lambda r, k: r.categorical(k, LOGITS, shape=(2, 3), replace=False),
    "categorical different axis": lambda r, k: r.categorical(
        k, LOGITS, axis=0, shape=(2, 4), replace=False
    ),
    "choice": lambda r, k: r.choice(k, 9, (5, 3)),
    "choice different": lambda r, k: r.choice(k, 9, (2, 3), replace=False),
    "choice weights": lambda r, k: r.choice(k, 4, (50,), p=WEIGHTS),
    "choice different weights": lambda r, k: r.choice(k, 4, (3,), p=WEIGHTS, replace=False),
    "choice array": lambda r, k: r.choice(k, THINGS, (2, 5), axis=2),
    "choice array different": lambda r, k: r.choice(k, THINGS, (2, 2), axis=-1, replace=False),
    "choice array weights": lambda r, k: r.choice(k, THINGS, (5,), axis=-1, p=WEIGHTS),
}


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(wide: bool, name: str) -> None:
    for seed in SEEDS:
        for ours, theirs in both_keys(seed):
            assert_same(DISCRETE[name](random, ours), DISCRETE[name](jax.random, theirs), seed)


# -- what must be nearly equal ---------------------------------------------------------------------


def test_normal_of_32_bits_is_equal(wide: bool) -> None:
    for seed, dtype in itertools.product(SEEDS, FLOATS_32):
        ours, theirs = both_keys(seed)[0]
        drawn = random.normal(ours, (1000,), dtype), jax.random.normal(theirs, (1000,), dtype)
        apart = steps_apart(*drawn)
        assert apart.max() <= 1 and (apart == 0).mean() > 0.99, (seed, dtype)


CONTINUOUS: dict[str, Callable[[Any, Any, str], Any]] = {
    "normal": lambda r, k, d: r.normal(k, (1000,), d),
    "uniform": lambda r, k, d: r.uniform(k, (1000,), d, -3.3, 7.1),
    "truncated_normal": lambda r, k, d: r.truncated_normal(k, -2.0, 1.5, (1000,), d),
    "exponential": lambda r, k, d: r.exponential(k, (1000,), d),
    "gumbel": lambda r, k, d: r.gumbel(k, (1000,), d),
    "gumbel high": lambda r, k, d: r.gumbel(k, (1000,), d, mode="high"),
    "laplace": lambda r, k, d: r.laplace(k, (1000,), d),
    "logistic": lambda r, k, d: r.logistic(k, (1000,), d),
    "cauchy": lambda r, k, d: r.cauchy(k, (1000,), d),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(wide: bool, name: str) -> None:
    for dtype in (*FLOATS_32, "float64") if wide else FLOATS_32:
        for seed in SEEDS:
            ours, theirs = both_keys(seed)[0]
            mine = np.asarray(CONTINUOUS[name](random, ours, dtype))
            other = np.asarray(CONTINUOUS[name](jax.random, theirs, dtype))
            assert mine.dtype == other.dtype
            eps = float(jax.numpy.finfo(dtype).eps)
            np.testing.assert_allclose(
                mine.astype(np.float64),
                other.astype(np.float64),
                rtol=1e-12 if dtype == "float64" else 60 * eps,
                atol=8 * eps,
            )


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_normal(wide: bool, dtype: str) -> None:
    if dtype == "complex128" and not wide:
        pytest.skip("needs 64-bit types")
    ours, theirs = both_keys(3)[0]
    drawn = random.normal(ours, (1000,), dtype), jax.random.normal(theirs, (1000,), dtype)
    np.testing.assert_allclose(*drawn, rtol=1e-6 if dtype == "complex64" else 1e-13)


ORDERS = np.array([0.3, 1.0, 7.0], np.float32)
PARAMETRIC: dict[str, Callable[[Any, Any], Any]] = {
    "pareto": lambda r, k: r.pareto(k, ORDERS, (50, 3)),
    "rayleigh": lambda r, k: r.rayleigh(k, 2.0, (100,)),
    "weibull_min": lambda r, k: r.weibull_min(k, 2.0, 3.0, (100,)),
    "triangular": lambda r, k: r.triangular(k, 0.0, np.array([0.5, 1], np.float32), 2.0, (50, 2)),
    "lognormal": lambda r, k: r.lognormal(k, 2.0, (100,)),
    "maxwell": lambda r, k: r.maxwell(k, (100,)),
    "double_sided_maxwell": lambda r, k: r.double_sided_maxwell(k, 1.0, ORDERS, (50,)),
    "wald": lambda r, k: r.wald(k, 1.5, (100,)),
    "geometric": lambda r, k: r.geometric(k, 0.3, (100,)),
    "gamma": lambda r, k: r.gamma(k, ORDERS, (50, 3)),
    "loggamma": lambda r, k: r.loggamma(k, ORDERS, (50, 3)),
    "t": lambda r, k: r.t(k, 1.5, (50, 3)),
    "chisquare": lambda r, k: r.chisquare(k, 1.5, (50, 3)),
    "f": lambda r, k: r.f(k, 1.5, 2.5, (50, 3)),
    "beta": lambda r, k: r.beta(k, 1.5, 0.5, (50, 3)),
    "dirichlet": lambda r, k: r.dirichlet(k, ORDERS, (50,)),
    "generalized_normal": lambda r, k: r.generalized_normal(k, 1.5, (50, 3)),
    "ball": lambda r, k: r.ball(k, 3, shape=(50,)),
    "poisson": lambda r, k: r.poisson(k, np.array([0, 0.5, 5, 20, 1000], np.float32), (40, 5)),
}


@pytest.mark.slow  # JAX needs some ten seconds to compile each loop
@pytest.mark.parametrize("partitionable", [False, True])
@pytest.mark.parametrize("name", PARAMETRIC)
def test_parametric(partitionable: bool, name: str) -> None:
    with (
        threefry_partitionable(partitionable),
        jax.threefry_partitionable(partitionable),
        default_device(devices("numpy")[0]),
    ):
        for ours, theirs in both_keys(3):
            mine = np.asarray(PARAMETRIC[name](random, ours))
            other = np.asarray(PARAMETRIC[name](jax.random, theirs))
            assert (mine.shape, mine.dtype) == (other.shape, other.dtype)
            if mine.dtype.kind == "i":
                np.testing.assert_array_equal(mine, other)
            else:
                np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)
