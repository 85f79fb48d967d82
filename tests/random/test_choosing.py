"""Are permutations and choices complete, random and refused where they must be?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats

import minijax as jax
from minijax import random

KEY = random.key(0)


def test_permutation_holds_every_element() -> None:
    assert sorted(np.asarray(random.permutation(KEY, 50)).tolist()) == list(range(50))
    rows = np.arange(12).reshape(3, 4)
    for axis in (0, 1, -1):
        moved = np.asarray(random.permutation(KEY, rows, axis))
        order = np.argsort(np.take(moved, 0, 1 - axis % 2))
        np.testing.assert_array_equal(np.take(moved, order, axis), rows)


def test_independent_permutation() -> None:
    rows = np.tile(np.arange(20), (3, 1))
    moved = np.asarray(random.permutation(KEY, rows, 1, independent=True))
    np.testing.assert_array_equal(np.sort(moved, 1), rows)
    assert not np.array_equal(moved[0], moved[1])


def test_permutations_are_equally_likely() -> None:
    keys = random.split(KEY, 3000)
    drawn = np.asarray(jax.vmap(lambda key: random.permutation(key, 3))(keys))
    _, counts = np.unique(drawn @ np.array([9, 3, 1]), return_counts=True)
    assert len(counts) == 6 and scipy.stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("size", [0, 1, 2])
def test_short_permutations(size: int) -> None:
    assert sorted(np.asarray(random.permutation(KEY, size)).tolist()) == list(range(size))


def test_permutation_of_a_float() -> None:
    with pytest.raises(TypeError, match="x must be an integer or at least 1-dimensional"):
        random.permutation(KEY, 3.5)


def test_frequencies_of_categories() -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    for drawn in (
        random.categorical(KEY, np.log(weights), shape=(20000,)),
        random.choice(KEY, 4, (20000,), p=weights / 10),
    ):
        counts = np.bincount(np.asarray(drawn), minlength=4)
        assert scipy.stats.chisquare(counts, 20000 * weights / 10).pvalue > 1e-3


def test_impossible_categories() -> None:
    logits = np.array([0.0, -np.inf, 0.0], np.float32)
    assert 1 not in np.asarray(random.categorical(KEY, logits, shape=(1000,)))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_shapes_of_categorical(axis: int) -> None:
    logits = np.zeros((2, 3), np.float32)
    batch = np.delete(np.array([2, 3]), axis).item()
    assert random.categorical(KEY, logits, axis).shape == (batch,)
    assert random.categorical(KEY, logits, axis, (5, 4, batch)).shape == (5, 4, batch)


def test_categories_without_replacement_are_different() -> None:
    drawn = np.asarray(random.categorical(KEY, np.zeros((2, 6)), shape=(4, 2), replace=False))
    for column in drawn.T:
        assert len(set(column.tolist())) == 4


def test_choice_from_an_array() -> None:
    things = np.arange(12).reshape(3, 4)
    assert random.choice(KEY, things, (5, 2), axis=1).shape == (3, 5, 2)
    whole = np.asarray(random.choice(KEY, things, (4,), replace=False, axis=1))
    np.testing.assert_array_equal(np.sort(whole, 1), things)
    assert random.choice(KEY, things, (0, 2)).shape == (0, 2, 4)


@pytest.mark.parametrize(
    "draw, error, message",
    [
        (lambda: random.choice(KEY, 0, (3,)), ValueError, "a must be greater than 0"),
        (lambda: random.choice(KEY, 3, (5,), replace=False), ValueError, "larger sample"),
        (lambda: random.choice(KEY, [1, 2]), TypeError, "requires ndarray or scalar"),
        (lambda: random.choice(KEY, 3, p=np.ones(4)), ValueError, "p must be None or a 1D"),
        (lambda: random.categorical(KEY, np.zeros((2, 3)), shape=(3,)), ValueError, "Incompatible"),
        (lambda: random.categorical(KEY, np.zeros(3), axis=2), IndexError, "out of bounds"),
        (
            lambda: random.categorical(KEY, np.zeros(3), shape=(4,), replace=False),
            ValueError,
            "cannot exceed number of categories",
        ),
    ],
)
def test_mistakes(draw: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        draw()
