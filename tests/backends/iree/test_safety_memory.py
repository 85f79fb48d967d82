"""Arguments stay as they are; windows outside their array are neither read nor written."""

from __future__ import annotations

import numpy as np
import pytest

from minijax.stablehlo.ir import Dims, TensorType

X = np.arange(12, dtype=np.float32).reshape(3, 4)
ROWS = np.array([0, 2, 5, -1, 2], np.int32)


def f32(*shape):
    return TensorType(shape, "f32")


def update_corner(ctx, x):
    zero = ctx.constant(np.int32(0))
    nine = ctx.constant(np.full((1, 1), 9, np.float32))
    return ctx.op("stablehlo.dynamic_update_slice", x, nine, zero, zero, type=x.type)


def update_disguised(ctx, x):
    """An argument that went through a reshape, a multiplication by one and a barrier."""
    x = ctx.reshape(ctx.reshape(x, (12,)), (3, 4))
    x = ctx.like("stablehlo.multiply", x, ctx.constant_like(1, x))
    (x,) = ctx.barrier([x])
    return update_corner(ctx, x)


def sort_rows(ctx, x):
    scalar = f32()
    with ctx.region([scalar, scalar]) as comparator:
        ctx.return_(ctx.compare("LT", *comparator.arguments))
    return ctx.ops("stablehlo.sort", [x], [x.type], [comparator], dimension=1, is_stable=True)


def expected_corner():
    expected = X.copy()
    expected[0, 0] = 9
    return expected


@pytest.mark.parametrize("body", [update_corner, update_disguised])
def test_update_leaves_argument(bench, body):
    result, argument = bench.run([X], body)
    np.testing.assert_array_equal(result, expected_corner())
    np.testing.assert_array_equal(argument, X)


@pytest.mark.parametrize("body", [update_corner, update_disguised])
def test_update_fault_persists(bench, body):
    _, argument = bench.run([X], body, safe=False)
    assert not np.array_equal(argument, X)


def test_sort_leaves_argument(bench):
    result, argument = bench.run([-X], sort_rows)
    np.testing.assert_array_equal(result, np.sort(-X, axis=1))
    np.testing.assert_array_equal(argument, -X)


def test_sort_fault_persists(bench):
    _, argument = bench.run([-X], sort_rows, safe=False)
    assert not np.array_equal(argument, -X)


def test_loop_with_invariant_carry(bench):
    """A carry that the body returns as it got it is the argument itself."""

    def body(ctx, x, count):
        types = [x.type, count.type]
        with ctx.region(types) as condition:
            _, i = condition.arguments
            ctx.return_(ctx.compare("LT", i, ctx.constant(np.int32(3))))
        with ctx.region(types) as step:
            invariant, i = step.arguments
            update_corner(ctx, invariant)
            ctx.return_(invariant, ctx.like("stablehlo.add", i, ctx.constant(np.int32(1))))
        return ctx.ops("stablehlo.while", [x, count], types, [condition, step])

    result, _, argument, _ = bench.run([X, np.int32(0)], body)
    np.testing.assert_array_equal(result, X)
    np.testing.assert_array_equal(argument, X)


# -- gather --------------------------------------------------------------------------------------


def take_rows(ctx, x, rows):
    return ctx.op(
        "stablehlo.gather",
        x,
        ctx.reshape(rows, (*rows.type.shape, 1)),
        type=f32(*rows.type.shape, x.type.shape[1]),
        dimension_numbers=Dims(
            "gather",
            (
                ("offset_dims", (1,)),
                ("collapsed_slice_dims", (0,)),
                ("operand_batching_dims", ()),
                ("start_indices_batching_dims", ()),
                ("start_index_map", (0,)),
                ("index_vector_dim", 1),
            ),
        ),
        slice_sizes=(1, x.type.shape[1]),
        indices_are_sorted=False,
    )


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.int8, np.uint8])
def test_gather_clamps(bench, dtype):
    rows = ROWS if np.dtype(dtype).kind == "i" else np.abs(ROWS)
    result = bench.run([X, rows.astype(dtype)], take_rows)[0]
    np.testing.assert_array_equal(result, X[np.clip(rows, 0, 2)])


def test_gather_of_long_array_by_bytes(bench):
    """The last start does not fit in the index type and must not wrap around."""
    x = np.arange(1000, dtype=np.float32).reshape(500, 2)
    result = bench.run([x, np.array([0, 200], np.uint8)], take_rows)[0]
    np.testing.assert_array_equal(result, x[[0, 200]])


def test_gather_unsigned_fault_persists(bench):
    """A byte above 127 is taken for a negative index, which may end the process."""
    x = np.arange(1000, dtype=np.float32).reshape(500, 2)
    outputs = bench.run_apart([x, np.array([0, 200], np.uint8)], take_rows)
    assert outputs is None or not np.array_equal(outputs[0], x[[0, 200]])


def test_gather_fault_persists(bench):
    outputs = bench.run_apart([X, ROWS], take_rows)
    assert outputs is None or not np.array_equal(outputs[0], X[np.clip(ROWS, 0, 2)])


# -- scatter -------------------------------------------------------------------------------------

COMBINE = {
    "set": lambda old, new: new,
    "add": np.add,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


def scatter(kind, window_dims, inserted, to_operand, batching=(), index_batching=()):
    """Return a program body with these dimension numbers."""

    def body(ctx, x, indices, updates):
        scalar = TensorType((), x.type.element)
        with ctx.region([scalar, scalar]) as combine:
            old, new = combine.arguments
            ctx.return_(new if kind == "set" else ctx.like(f"stablehlo.{kind}", old, new))
        return ctx.op(
            "stablehlo.scatter",
            x,
            indices,
            updates,
            type=x.type,
            regions=[combine],
            scatter_dimension_numbers=Dims(
                "scatter",
                (
                    ("update_window_dims", window_dims),
                    ("inserted_window_dims", inserted),
                    ("input_batching_dims", batching),
                    ("scatter_indices_batching_dims", index_batching),
                    ("scatter_dims_to_operand_dims", to_operand),
                    ("index_vector_dim", indices.type.ndim - 1),
                ),
            ),
            indices_are_sorted=False,
            unique_indices=False,
        )

    return body


def updates_like(*shape):
    return np.linspace(1, 2, int(np.prod(shape)), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize("kind", COMBINE)
def test_scatter_rows(bench, kind):
    updates = updates_like(5, 4)
    result, argument, *_ = bench.run([X, ROWS[:, None], updates], scatter(kind, (1,), (0,), (0,)))
    expected = X.copy()
    for row, update in zip(ROWS, updates, strict=True):
        if 0 <= row < 3:
            expected[row] = COMBINE[kind](expected[row], update)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    np.testing.assert_array_equal(argument, X)


@pytest.mark.parametrize("kind", COMBINE)
def test_scatter_partial_windows(bench, kind):
    """Windows of two by two; those that stick out are dropped as a whole."""
    starts = np.array([[0, 0], [1, 2], [2, 0], [-1, 0], [0, 3], [0, 1]], np.int32)
    updates = updates_like(6, 2, 2)
    result = bench.run([X, starts, updates], scatter(kind, (1, 2), (), (0, 1)))[0]
    expected = X.copy()
    for (row, column), update in zip(starts, updates, strict=True):
        if 0 <= row <= 1 and 0 <= column <= 2:
            window = expected[row : row + 2, column : column + 2]
            window[:] = COMBINE[kind](window, update)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize("kind", COMBINE)
def test_scatter_batched(bench, kind):
    """Each row of the operand has its own indices."""
    columns = np.array([[0, 3], [9, 1], [1, -2]], np.int32)
    updates = updates_like(3, 2)
    body = scatter(kind, (), (1,), (1,), batching=(0,), index_batching=(0,))
    result = bench.run([X, columns[..., None], updates], body)[0]
    expected = X.copy()
    for row in range(3):
        for column, update in zip(columns[row], updates[row], strict=True):
            if 0 <= column < 4:
                expected[row, column] = COMBINE[kind](expected[row, column], update)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize("row", [1, 3, -1])
@pytest.mark.parametrize("kind", COMBINE)
def test_scatter_one_window(bench, kind, row):
    """One index vector: done in place by dynamic_update_slice."""
    updates = updates_like(2)
    index = np.array([row, 1], np.int32)
    result, argument, *_ = bench.run([X, index, updates], scatter(kind, (0,), (0,), (0, 1)))
    expected = X.copy()
    if 0 <= row < 3:
        expected[row, 1:3] = COMBINE[kind](expected[row, 1:3], updates)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    np.testing.assert_array_equal(argument, X)


def test_scatter_middle_dimension(bench):
    x = np.zeros((2, 3, 4), np.float32)
    updates = np.ones((2, 2, 4), np.float32)
    body = scatter("add", (0, 2), (1,), (1,))
    result = bench.run([x, np.array([[1], [7]], np.int32), updates], body)[0]
    expected = x.copy()
    expected[:, 1] = 1
    np.testing.assert_array_equal(result, expected)


def test_scatter_nothing(bench):
    body = scatter("add", (1,), (0,), (0,))
    result = bench.run([X, np.zeros((0, 1), np.int32), np.zeros((0, 4), np.float32)], body)[0]
    np.testing.assert_array_equal(result, X)


def test_scatter_outside_fault_persists(bench):
    """Writing far outside the operand ends the process or at least changes something."""
    far = np.array([[10_000_000], [0]], np.int32)
    body = scatter("set", (1,), (0,), (0,))
    outputs = bench.run_apart([X, far, updates_like(2, 4)], body)
    assert outputs is None


def test_scatter_partial_window_fault_persists(bench):
    starts = np.array([[0, 0], [1, 2]], np.int32)
    with pytest.raises(RuntimeError, match="batch rank|crashed"):
        bench.run(
            [X, starts, updates_like(2, 2, 2)], scatter("add", (1, 2), (), (0, 1)), safe=False
        )
