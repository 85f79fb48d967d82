"""Do weights start with the spread that their initializer promises?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minijax import random
from minijax.nn import initializers

KEY = random.key(0)
SHAPE = (200, 300)

SPREADS = {
    "lecun": lambda fan_in, fan_out: 1 / fan_in,
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2 / fan_in,
}


@pytest.mark.parametrize("family", SPREADS)
@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_variance(family: str, kind: str) -> None:
    init = getattr(initializers, f"{family}_{kind}")()
    weights = np.asarray(init(KEY, SHAPE))
    variance = SPREADS[family](*SHAPE)
    np.testing.assert_allclose(weights.var(), variance, rtol=0.03)
    np.testing.assert_allclose(weights.mean(), 0, atol=variance**0.5 / 50)
    if kind == "normal":  # cut off at two standard deviations of the uncut distribution
        assert np.abs(weights).max() < 2.3 * variance**0.5


@pytest.mark.parametrize(
    "options, variance",
    [
        ({"in_axis": 2, "out_axis": 3}, 1 / (4 * 5 * 30)),
        ({"in_axis": (0, 1, 2), "out_axis": 3}, 1 / (4 * 5 * 30)),
        ({"in_axis": 2, "out_axis": 3, "batch_axis": (0, 1)}, 1 / 30),
        ({"in_axis": 3, "out_axis": 2, "batch_axis": 0}, 1 / (5 * 40)),
    ],
)
def test_axes(options: Any, variance: float) -> None:
    weights = np.asarray(initializers.lecun_normal(**options)(KEY, (4, 5, 30, 40)))
    np.testing.assert_allclose(weights.var(), variance, rtol=0.05)


@pytest.mark.parametrize(
    "mode, n", [("fan_in", 200), ("fan_out", 300), ("fan_avg", 250), ("fan_geo_avg", 6e4**0.5)]
)
@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal"])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_variance_scaling(mode: str, n: float, distribution: str, dtype: str) -> None:
    weights = initializers.variance_scaling(1.5, mode, distribution)(KEY, SHAPE, dtype)
    assert weights.dtype.name == dtype
    np.testing.assert_allclose(np.asarray(weights).var(), 1.5 / n, rtol=0.03)


def test_plain_initializers() -> None:
    assert (np.asarray(initializers.zeros(KEY, (2, 3))) == 0).all()
    assert initializers.ones(KEY, (2,), np.int32).dtype == np.int32
    assert np.asarray(initializers.constant(2.5)(KEY, (2,))).tolist() == [2.5, 2.5]
    drawn = np.asarray(initializers.uniform(3.0)(KEY, SHAPE))
    assert 0 <= drawn.min() and 2.9 < drawn.max() < 3
    np.testing.assert_allclose(np.asarray(initializers.normal(2.0)(KEY, SHAPE)).std(), 2, rtol=0.02)
    cut = np.asarray(initializers.truncated_normal(2.0, None, -1.0, 0.5)(KEY, SHAPE))
    assert -2 < cut.min() < -1.9 and 0.9 < cut.max() < 1


def test_dtype_of_maker_or_call() -> None:
    init = initializers.he_normal(dtype=np.float16)
    assert init(KEY, (3, 3)).dtype == np.float16
    assert init(KEY, (3, 3), np.float32).dtype == np.float32


def test_known_numbers() -> None:
    weights = initializers.glorot_uniform()(random.key(1), (2, 2))
    # Computed with JAX 0.10.2.
    expected = [[-0.1503191, 0.08267743], [-0.13247252, -0.15089755]]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: initializers.glorot_uniform()(KEY, (3,)), "1-dimensional weights tensor"),
        (lambda: initializers.variance_scaling(1.0, "x", "normal")(KEY, (3, 3)), "invalid mode"),
        (
            lambda: initializers.variance_scaling(1.0, "fan_in", "x")(KEY, (3, 3)),
            "invalid distribution",
        ),
        (lambda: initializers.normal()(KEY, (3,), np.int32), "must be a float or complex dtype"),
    ],
)
def test_mistakes(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
