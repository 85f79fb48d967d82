"""associative_scan: all partial results, of any number of elements along any axis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp
from minijax.higher_order.associative_scan import associative_scan


@pytest.fixture(autouse=True)
def _numpy_device() -> Iterator[None]:
    with jax.default_device(jax.devices("numpy")[0]):
        yield


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 7, 8, 13])
@pytest.mark.parametrize("reverse", [False, True])
def test_sums_are_cumulative_sums(length: int, reverse: bool) -> None:
    xs = np.arange(1, 3 * length + 1).reshape(3, length)
    got = associative_scan(lambda a, b: a + b, xs, reverse=reverse, axis=-1)
    expected = np.cumsum(xs[:, ::-1], 1)[:, ::-1] if reverse else np.cumsum(xs, 1)
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("reverse", [False, True])
def test_operands_stand_in_the_order_of_the_scan(reverse: bool) -> None:
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(6, 2, 2)).astype(np.float32)
    got = associative_scan(jnp.matmul, matrices, reverse=reverse)
    product, expected = np.eye(2), []
    for m in matrices[::-1] if reverse else matrices:
        product = product @ m
        expected.append(product)
    np.testing.assert_allclose(got, expected[::-1] if reverse else expected, rtol=1e-4, atol=1e-5)


def test_linear_recurrence_of_a_pair_and_its_gradient() -> None:
    # x' = a x + b, carried by pairs (a, b): the first value starts from zero.
    def compose(one: Any, other: Any) -> Any:
        return one[0] * other[0], other[0] * one[1] + other[1]

    def final(a: Any, b: Any) -> Any:
        return associative_scan(compose, (a, b))[1][-1]

    a, b = np.array([2.0, 3.0, 0.5], np.float32), np.array([1.0, -1.0, 4.0], np.float32)
    np.testing.assert_allclose(final(a, b), (1 * 3 - 1) * 0.5 + 4)
    by_a, by_b = jax.grad(final, argnums=(0, 1))(a, b)
    np.testing.assert_allclose(by_a, [0, 0.5, 2])
    np.testing.assert_allclose(by_b, [1.5, 0.5, 1])


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="must have the same first dimension"):
        associative_scan(lambda a, b: a, (np.ones(3), np.ones(4)))
    with pytest.raises(TypeError, match="fn argument should be callable"):
        associative_scan(3, np.ones(3))  # type: ignore[arg-type]
