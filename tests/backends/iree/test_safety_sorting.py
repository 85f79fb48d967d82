"""Sorting: stable for any comparison, any axis and length, NaN last."""

from __future__ import annotations

import numpy as np
import pytest

from minijax.stablehlo.ir import TensorType


def sort(dimension, *elements, descending=False):
    """A program body that sorts its first operand and takes the others along."""

    def body(ctx, *operands):
        scalars = [TensorType((), element) for element in elements for _ in range(2)]
        with ctx.region(scalars) as comparator:
            left, right = comparator.arguments[:2]
            if elements[0] == "f32":
                # NaN comes after every number.
                left_is_nan, right_is_nan = (ctx.compare("NE", x, x) for x in (left, right))
                number_first = ctx.like(
                    "stablehlo.and", right_is_nan, ctx.like("stablehlo.not", left_is_nan)
                )
                before = ctx.like("stablehlo.or", ctx.compare("LT", left, right), number_first)
            else:
                before = ctx.compare("GT" if descending else "LT", left, right)
            ctx.return_(before)
        types = [operand.type for operand in operands]
        return ctx.ops(
            "stablehlo.sort", operands, types, [comparator], dimension=dimension, is_stable=True
        )

    return body


@pytest.mark.parametrize("length", [1, 2, 7, 64, 65, 100, 1000, 1024])
def test_argsort_is_stable(bench, length):
    """Few different keys, so that many are equal; short ones by IREE's sort, long ones not."""
    keys = np.random.default_rng(length).integers(0, 5, length).astype(np.int32)
    positions = np.arange(length, dtype=np.int32)
    result = bench.run([keys, positions], sort(0, "i32", "i32"))
    order = np.argsort(keys, stable=True)
    np.testing.assert_array_equal(result[0], keys[order])
    np.testing.assert_array_equal(result[1], order)
    np.testing.assert_array_equal(result[2], keys)
    np.testing.assert_array_equal(result[3], positions)


@pytest.mark.parametrize("length", [50, 500])
def test_descending_is_stable_too(bench, length):
    keys = np.random.default_rng(length).integers(0, 5, length).astype(np.int32)
    positions = np.arange(length, dtype=np.int32)
    result = bench.run([keys, positions], sort(0, "i32", "i32", descending=True))
    np.testing.assert_array_equal(result[1], np.argsort(-keys, stable=True))


@pytest.mark.parametrize("dimension", [0, 1, 2])
def test_axes(bench, dimension):
    x = np.random.default_rng(0).normal(size=(5, 100, 4)).astype(np.float32)
    positions = np.broadcast_to(
        np.arange(x.shape[dimension], dtype=np.int32).reshape(
            [-1 if d == dimension else 1 for d in range(3)]
        ),
        x.shape,
    )
    result = bench.run([x, positions], sort(dimension, "f32", "i32"))
    np.testing.assert_array_equal(result[0], np.sort(x, axis=dimension))
    np.testing.assert_array_equal(result[1], np.argsort(x, axis=dimension, stable=True))


@pytest.mark.parametrize("length", [20, 200])
def test_special_values(bench, length):
    x = np.random.default_rng(0).normal(size=length).astype(np.float32)
    x[3:9] = [np.nan, np.inf, -np.inf, 0.0, -0.0, np.nan]
    np.testing.assert_array_equal(bench.run([x], sort(0, "f32"))[0], np.sort(x))


def test_stability_fault_persists(bench):
    keys = np.random.default_rng(0).integers(0, 5, 200).astype(np.int32)
    positions = np.arange(200, dtype=np.int32)
    result = bench.run([keys, positions], sort(0, "i32", "i32"), safe=False)
    assert not np.array_equal(result[1], np.argsort(keys, stable=True))
