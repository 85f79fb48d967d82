"""Do the distributions with parameters have the distribution, shape and slope they must?

Loops run on the NumPy backend here, which compiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import scipy.stats

import minijax as jax
from minijax import random

COUNT = 3000
INTERPRETER = jax.devices("numpy")[0]

with jax.default_device(INTERPRETER):
    KEY = random.key(1)


@pytest.fixture(autouse=True)
def _numpy_backend() -> Iterator[None]:
    with jax.default_device(INTERPRETER):
        yield


CONTINUOUS: dict[str, tuple[Callable[..., Any], Any]] = {
    "pareto": (lambda k, s: random.pareto(k, 2.5, s), scipy.stats.pareto(2.5)),
    "rayleigh": (lambda k, s: random.rayleigh(k, 1.5, s), scipy.stats.rayleigh(scale=1.5)),
    "weibull_min": (
        lambda k, s: random.weibull_min(k, 2.0, 3.0, s),
        scipy.stats.weibull_min(3, scale=2),
    ),
    "lognormal": (lambda k, s: random.lognormal(k, 0.5, s), scipy.stats.lognorm(0.5)),
    "wald": (lambda k, s: random.wald(k, 1.5, s), scipy.stats.invgauss(1.5)),
    "maxwell": (lambda k, s: random.maxwell(k, s), scipy.stats.maxwell),
    "double_sided_maxwell": (
        lambda k, s: abs(random.double_sided_maxwell(k, 0.0, 2.0, s)),
        scipy.stats.maxwell(scale=2),
    ),
    "triangular": (
        lambda k, s: random.triangular(k, -1.0, 1.0, 3.0, s),
        scipy.stats.triang(0.5, -1, 4),
    ),
    "gamma": (lambda k, s: random.gamma(k, 2.5, s), scipy.stats.gamma(2.5)),
    "gamma of low order": (lambda k, s: random.gamma(k, 0.3, s), scipy.stats.gamma(0.3)),
    "loggamma": (
        lambda k, s: random.loggamma(k, 2.5, s),
        scipy.stats.loggamma(2.5),
    ),
    "chisquare": (lambda k, s: random.chisquare(k, 3.0, s), scipy.stats.chi2(3)),
    "f": (lambda k, s: random.f(k, 3.0, 5.0, s), scipy.stats.f(3, 5)),
    "t": (lambda k, s: random.t(k, 3.0, s), scipy.stats.t(3)),
    "beta": (lambda k, s: random.beta(k, 2.0, 0.5, s), scipy.stats.beta(2, 0.5)),
    "dirichlet": (
        lambda k, s: random.dirichlet(k, np.array([1.0, 2.0, 3.0]), s)[..., 0],
        scipy.stats.beta(1, 5),
    ),
    "generalized_normal": (
        lambda k, s: random.generalized_normal(k, 1.5, s),
        scipy.stats.gennorm(1.5),
    ),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_distribution(name: str) -> None:
    draw, expected = CONTINUOUS[name]
    drawn = draw(KEY, (COUNT,))
    assert drawn.shape == (COUNT,) and drawn.dtype == np.float32
    assert scipy.stats.kstest(np.asarray(drawn), expected.cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    "draw, expected",
    [
        (lambda s: random.geometric(KEY, 0.3, s), scipy.stats.geom(0.3)),
        (lambda s: random.poisson(KEY, 3.0, s), scipy.stats.poisson(3)),
        (lambda s: random.poisson(KEY, 40.0, s), scipy.stats.poisson(40)),
    ],
)
def test_counts(draw: Any, expected: Any) -> None:
    drawn = np.asarray(draw((COUNT,)))
    assert drawn.dtype == np.int32
    edges = np.unique(expected.ppf([0.1, 0.25, 0.4, 0.55, 0.7, 0.85]))
    below = np.array([(drawn <= edge).sum() for edge in edges])
    counts = np.diff([0, *below, COUNT])
    chances = np.diff([0, *expected.cdf(edges), 1])
    assert scipy.stats.chisquare(counts, COUNT * chances).pvalue > 1e-3


def test_no_events_are_expected() -> None:
    assert np.asarray(random.poisson(KEY, 0.0, (5,))).tolist() == [0] * 5


def test_points_of_a_ball() -> None:
    points = np.asarray(random.ball(KEY, 3, shape=(1000,)))
    radii = np.linalg.norm(points, axis=-1)
    assert points.shape == (1000, 3)
    assert scipy.stats.kstest(radii**3, scipy.stats.uniform.cdf).pvalue > 1e-3


def test_parts_of_a_dirichlet_number_add_up() -> None:
    parts = np.asarray(random.dirichlet(KEY, np.array([1e-3, 1.0, 2.0]), (100,)))
    assert parts.shape == (100, 3)
    np.testing.assert_allclose(parts.sum(-1), 1, rtol=1e-6)


def test_parameters_give_the_shape() -> None:
    column, row = np.ones((3, 1), np.float32), np.ones(2, np.float32)
    assert random.beta(KEY, column, row).shape == (3, 2)
    assert random.gamma(KEY, row).shape == (2,)
    assert random.pareto(KEY, row, (4, 2)).shape == (4, 2)
    assert random.triangular(KEY, 0.0, row / 2, 1.0).shape == (2,)
    assert random.double_sided_maxwell(KEY, 0.0, row, (4,)).shape == (4, 2)
    assert random.dirichlet(KEY, np.ones((4, 3))).shape == (4, 3)
    assert random.lognormal(KEY).shape == ()


def test_an_element_does_not_depend_on_its_neighbours() -> None:
    orders = np.array([0.5, 3.0, 40.0], np.float32)
    together = np.asarray(random.gamma(KEY, orders))
    others = np.asarray(random.gamma(KEY, np.array([9.0, 3.0, 0.1], np.float32)))
    assert together[1] == others[1]


@pytest.mark.parametrize("sampler", ["gamma", "loggamma"])
def test_slope_of_gamma_variates(sampler: str) -> None:
    draw = getattr(random, sampler)

    def quantile(order: float) -> float:
        """The variate of a slightly different order that has the same quantile."""
        variate = float(draw(KEY, 2.5)) if sampler == "gamma" else float(np.exp(draw(KEY, 2.5)))
        x = scipy.stats.gamma(order).ppf(scipy.stats.gamma(2.5).cdf(variate))
        return x if sampler == "gamma" else np.log(x)

    expected = (quantile(2.501) - quantile(2.499)) / 0.002
    np.testing.assert_allclose(jax.grad(lambda a: draw(KEY, a))(2.5), expected, rtol=1e-3)


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda: random.pareto(KEY, np.ones(3), (4,)), "Incompatible shapes"),
        (lambda: random.pareto(KEY, 1.0, dtype=int), "must be a float dtype"),
        (lambda: random.geometric(KEY, 0.5, dtype=float), "must be an int dtype"),
        (lambda: random.poisson(KEY, 0.5, dtype=float), "must be an int dtype"),
        (lambda: random.gamma(random.split(KEY), 1.0), "gamma accepts a single key"),
        (lambda: random.dirichlet(KEY, 1.0), "alpha.ndim >= 1"),
    ],
)
def test_mistakes(draw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw()
