"""Do gather and the scatters address what JAX addresses?

Dimension numbers, shapes, modes and indices (many out of bounds) are drawn at random; the reference
values must agree with ``jax.lax`` bit for bit. Operands hold small whole numbers, so that no
rounding depends on the order of summation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minijax
from minijax.primitives.gather import gather
from minijax.primitives.gather_dimensions import (
    GatherDimensionNumbers,
    GatherScatterMode,
    ScatterDimensionNumbers,
)
from minijax.primitives.random_bits import random_unwrap, random_wrap
from minijax.primitives.scatter import (
    scatter,
    scatter_add,
    scatter_max,
    scatter_min,
    scatter_mul,
    scatter_sub,
)

jax = pytest.importorskip("jax")

MODES = ("clip", "fill", "promise_in_bounds")
DTYPES = (np.float32, np.int32, ml_dtypes.bfloat16, np.bool_, np.complex64)
SCATTERS = {
    "scatter": scatter,
    "scatter_add": scatter_add,
    "scatter_sub": scatter_sub,
    "scatter_mul": scatter_mul,
    "scatter_min": scatter_min,
    "scatter_max": scatter_max,
}


class Problem(NamedTuple):
    """A gather: shape of the operand, table of indices, dimension numbers, window."""

    shape: tuple[int, ...]
    indices: np.ndarray
    numbers: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]

    @property
    def result_shape(self) -> tuple[int, ...]:
        offset_dims, collapsed, _, batching, _ = self.numbers
        hidden = {*collapsed, *batching}
        window = iter([n for d, n in enumerate(self.sizes) if d not in hidden])
        batch = iter(self.indices.shape[:-1])
        ndim = len(offset_dims) + self.indices.ndim - 1
        return tuple(next(window if i in offset_dims else batch) for i in range(ndim))


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    roles = draw(st.lists(st.sampled_from("paired mapped whole cut".split()), max_size=4))
    shape = tuple(draw(st.integers(1, 4)) for _ in roles)
    collapsed = {d for d in range(len(roles)) if roles[d] != "paired" and draw(st.booleans())}
    collapsed -= {d for d in collapsed if roles[d] == "whole" and shape[d] > 1}
    sizes = tuple(
        1 if role == "paired" or d in collapsed
        else shape[d] if role == "whole"
        else draw(st.integers(0 if role == "cut" else 1, shape[d]))
        for d, role in enumerate(roles)
    )  # fmt: skip
    batching = [d for d, role in enumerate(roles) if role == "paired"]
    free = draw(st.lists(st.integers(1, 3), max_size=2))
    axes = draw(st.permutations([*batching, *(-n for n in free)]))
    batch_shape = tuple(shape[a] if a >= 0 else -a for a in axes)
    mapped = draw(st.permutations([d for d, role in enumerate(roles) if role == "mapped"]))
    columns = [
        draw(st.lists(st.integers(-2, shape[d] + 1), min_size=n, max_size=n))
        for d in mapped
        for n in [int(np.prod(batch_shape))]
    ]
    indices = np.array(columns, np.int32).reshape(len(mapped), *batch_shape)
    indices = np.moveaxis(indices, 0, -1)
    window_rank = len(roles) - len(collapsed) - len(batching)
    places = draw(st.permutations(range(window_rank + len(batch_shape))))
    numbers = (
        tuple(sorted(places[:window_rank])),
        tuple(sorted(collapsed)),
        tuple(mapped),
        tuple(batching),
        tuple(axes.index(d) for d in batching),
    )
    return Problem(shape, np.ascontiguousarray(indices), numbers, sizes)


def whole_numbers(seed: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


def require_equal(got: Any, expected: Any) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got.astype(np.complex128), expected.astype(np.complex128))


@settings(max_examples=120, deadline=None)
@given(problems(), st.sampled_from(MODES), st.sampled_from(DTYPES))
def test_gather_equals_jax(problem: Problem, mode: str, dtype: Any) -> None:
    operand = whole_numbers(0, problem.shape, dtype)
    got = gather(
        operand, problem.indices, GatherDimensionNumbers(*problem.numbers), problem.sizes, mode=mode
    )
    expected = jax.lax.gather(
        operand,
        problem.indices,
        jax.lax.GatherDimensionNumbers(*problem.numbers),
        problem.sizes,
        mode=mode,
    )
    require_equal(got, expected)


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from(MODES), st.sampled_from(DTYPES), st.sampled_from([*SCATTERS]))
def test_scatter_equals_jax(problem: Problem, mode: str, dtype: Any, name: str) -> None:
    if dtype is np.bool_ and name in ("scatter_add", "scatter_sub", "scatter_mul"):
        return
    assume(problem.numbers[2])  # XLA fails to compile some scatters whose indices have no column
    operand = whole_numbers(0, problem.shape, dtype)
    updates = whole_numbers(1, problem.result_shape, dtype)
    numbers = ScatterDimensionNumbers(*problem.numbers)
    got = SCATTERS[name](operand, problem.indices, updates, numbers, mode=mode)
    numbers = jax.lax.ScatterDimensionNumbers(*problem.numbers)
    expected = getattr(jax.lax, name)(operand, problem.indices, updates, numbers, mode=mode)
    require_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint32, np.int32])
def test_index_dtypes(dtype: Any) -> None:
    indices = np.array([[0], [3], [np.iinfo(dtype).max]], dtype)
    operand = np.arange(300, dtype=np.float32)
    numbers = GatherDimensionNumbers((), (0,), (0,))
    for mode in MODES:
        got = gather(operand, indices, numbers, (1,), mode=mode)
        expected = jax.lax.gather(
            operand, indices, jax.lax.GatherDimensionNumbers((), (0,), (0,)), (1,), mode=mode
        )
        require_equal(got, expected)


BAD_GATHERS = {
    "unsorted offsets": ((2, 3), (1,), ((1, 0), (), (0,)), (1, 1)),
    "repeated offset": ((2, 3), (1,), ((0, 0), (), (0,)), (1, 1)),
    "offset out of range": ((2, 3), (1,), ((1,), (0,), (0,)), (1, 1)),
    "unsorted collapsed": ((2, 3), (1,), ((0,), (1, 0), (0,)), (1, 1)),
    "repeated collapsed": ((2, 3), (1,), ((0,), (1, 1), (0,)), (1, 1)),
    "collapsed out of range": ((2, 3), (1,), ((0,), (5,), (0,)), (1, 1)),
    "negative collapsed": ((2, 3), (1,), ((0,), (-1,), (0,)), (1, 1)),
    "map out of range": ((2, 3), (1,), ((0,), (0,), (7,)), (1, 1)),
    "repeated map": ((2, 3), (2,), ((0,), (0,), (0, 0)), (1, 1)),
    "map of wrong length": ((2, 3), (1,), ((0,), (0,), (0, 1)), (1, 1)),
    "collapsed window": ((2, 3), (1,), ((0,), (0,), (0,)), (2, 1)),
    "too few sizes": ((2, 3), (1,), ((0,), (0,), (0,)), (1,)),
    "negative size": ((2, 3), (1,), ((0,), (0,), (0,)), (1, -1)),
    "too large a size": ((2, 3), (1,), ((0,), (0,), (0,)), (1, 4)),
    "too many offsets": ((2, 3), (1,), ((0, 1), (0,), (0,)), (1, 1)),
    "scalar indices": ((2, 3), (), ((0,), (0,), (0,)), (1, 1)),
    "collapsed and batching": ((2, 3), (2, 1), ((1,), (0,), (1,), (0,), (0,)), (1, 1)),
    "mapped and batching": ((2, 3), (2, 1), ((1,), (), (0,), (0,), (0,)), (1, 1)),
    "row as batching": ((2, 3), (2, 1), ((1,), (), (1,), (0,), (1,)), (1, 1)),
    "unequal batching": ((2, 3), (3, 1), ((1,), (), (1,), (0,), (0,)), (1, 1)),
    "batching window": ((2, 3), (2, 1), ((1,), (), (1,), (0,), (0,)), (2, 1)),
    "batching out of range": ((2, 3), (2, 1), ((1,), (), (1,), (5,), (0,)), (2, 1)),
    "indices batching out of range": ((2, 3), (2, 1), ((1,), (), (1,), (0,), (4,)), (2, 1)),
    "unsorted batching": ((2, 3, 2), (2, 2, 1), ((2,), (), (1,), (2, 0), (0, 1)), (1, 1, 1)),
    "repeated batching": ((2, 3, 2), (2, 2, 1), ((2,), (), (1,), (0, 2), (1, 1)), (1, 1, 1)),
}  # fmt: skip
BAD_SCATTERS = {
    "unsorted window": ((2, 3), (1,), (3, 2), ((1, 0), (), (0,))),
    "repeated window": ((2, 3), (1,), (3, 2), ((0, 0), (), (0,))),
    "window out of range": ((2, 3), (1,), (3, 2), ((0, 3), (), (0,))),
    "repeated inserted": ((2, 3), (1,), (3,), ((0,), (1, 1), (0,))),
    "inserted out of range": ((2, 3), (1,), (3,), ((0,), (5,), (0,))),
    "window of wrong rank": ((2, 3), (1,), (3,), ((0,), (), (0,))),
    "map out of range": ((2, 3), (1,), (3,), ((0,), (0,), (5,))),
    "repeated map": ((2, 3), (2,), (3,), ((0,), (0,), (0, 0))),
    "updates of wrong rank": ((2, 3), (1,), (3, 1), ((0,), (0,), (0,))),
    "too large a window": ((2, 3), (1,), (4,), ((0,), (0,), (0,))),
    "too many windows": ((2, 3), (4, 1), (5, 3), ((1,), (0,), (0,))),
    "inserted and batching": ((2, 3), (2, 1), (2, 1), ((1,), (0,), (1,), (0,), (0,))),
    "mapped and batching": ((2, 3), (2, 1), (2, 1), ((1,), (), (0,), (0,), (0,))),
    "unequal batching": ((2, 3), (3, 1), (3, 1), ((1,), (), (1,), (0,), (0,))),
}


def message_of(call: Any) -> str:
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    return f"{caught.type.__name__}: {caught.value}"


@pytest.mark.parametrize("case", BAD_GATHERS)
def test_gather_refuses_what_jax_refuses(case: str) -> None:
    shape, table, numbers, sizes = BAD_GATHERS[case]
    operand, indices = np.zeros(shape, np.float32), np.zeros(table, np.int32)
    ours = message_of(lambda: gather(operand, indices, GatherDimensionNumbers(*numbers), sizes))
    theirs = jax.lax.GatherDimensionNumbers(*numbers)
    assert ours == message_of(lambda: jax.lax.gather(operand, indices, theirs, sizes))


@pytest.mark.parametrize("case", BAD_SCATTERS)
def test_scatter_refuses_what_jax_refuses(case: str) -> None:
    shape, table, updates_shape, numbers = BAD_SCATTERS[case]
    operand, indices = np.zeros(shape, np.float32), np.zeros(table, np.int32)
    updates = np.zeros(updates_shape, np.float32)
    ours = message_of(lambda: scatter(operand, indices, updates, ScatterDimensionNumbers(*numbers)))
    theirs = jax.lax.ScatterDimensionNumbers(*numbers)
    assert ours == message_of(lambda: jax.lax.scatter(operand, indices, updates, theirs))


def test_dtypes_are_checked() -> None:
    rows = ScatterDimensionNumbers((0,), (0,), (0,))
    operand, updates = np.zeros((2, 3), np.float32), np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="indices must have an integer type"):
        scatter(operand, np.zeros(1, np.float32), updates, rows)
    with pytest.raises(TypeError, match="same dtypes, got float32, int32"):
        scatter(operand, np.zeros(1, np.int32), updates.astype(np.int32), rows)
    with pytest.raises(TypeError, match="add does not accept dtype bool"):
        scatter_add(operand > 0, np.zeros(1, np.int32), updates > 0, rows)


def test_modes_have_jax_names() -> None:
    theirs = jax.lax.GatherScatterMode
    assert list(map(repr, GatherScatterMode)) == list(map(repr, theirs))
    for name in ("clip", "fill", "drop", "promise_in_bounds", "one_hot", None):
        assert str(GatherScatterMode.from_any(name)) == str(theirs.from_any(name))
    with pytest.raises(ValueError, match='Unknown gather mode "bogus"'):
        GatherScatterMode.from_any("bogus")


def test_dimension_numbers_print_as_in_jax() -> None:
    assert repr(GatherDimensionNumbers((0,), (), (0,))) == repr(
        jax.lax.GatherDimensionNumbers((0,), (), (0,))
    )
    assert repr(ScatterDimensionNumbers((0,), (), (0,))) == repr(
        jax.lax.ScatterDimensionNumbers((0,), (), (0,))
    )


# -- derivatives --------------------------------------------------------------------------------

INDICES = np.array([0, 0, 1, 7, -1], np.int32)
OPERAND = np.array([5.0, 1.0, 2.0], np.float32)
UPDATES = np.array([5.0, 5.0, 1.0, 4.0, 2.0], np.float32)


@pytest.mark.parametrize("method", ["set", "add", "subtract", "min", "max"])
def test_derivative_of_updates_with_repeated_indices(method: str) -> None:
    """Ties share the derivative of an extremum; of several values set, only the last counts."""

    def pullback(library: Any) -> Any:
        def update(x: Any, y: Any) -> Any:
            return getattr(library.numpy.asarray(x).at[INDICES], method)(y)

        return library.vjp(update, OPERAND, UPDATES)[1](np.array([1, 10, 100], np.float32))

    for ours, theirs in zip(pullback(minijax), pullback(jax), strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-6)


def test_derivative_of_products_needs_unique_indices() -> None:
    numbers = ScatterDimensionNumbers((), (0,), (0,))
    table = INDICES[:, None]
    with pytest.raises(NotImplementedError, match="only implemented if `unique_indices=True`"):
        minijax.jvp(lambda y: scatter_mul(OPERAND, table, y, numbers), (UPDATES,), (UPDATES,))


def test_a_filled_window_has_no_derivative() -> None:
    numbers = GatherDimensionNumbers((), (0,), (0,))

    def read(x: Any) -> Any:
        return gather(x, INDICES[:, None], numbers, (1,), mode="fill").sum()

    np.testing.assert_array_equal(np.asarray(minijax.grad(read)(OPERAND)), [2.0, 1.0, 0.0])


def test_keys_are_gathered_and_scattered() -> None:
    words = np.arange(6, dtype=np.uint32).reshape(3, 2)
    keys = random_wrap(words)
    picked = gather(keys, np.array([[2], [9]]), GatherDimensionNumbers((), (0,), (0,)), (1,),
                    mode="fill")  # fmt: skip
    everything = np.iinfo(np.uint32).max
    np.testing.assert_array_equal(random_unwrap(picked), [[4, 5], [everything, everything]])
    placed = scatter(keys, np.array([0]), picked[0], ScatterDimensionNumbers((), (0,), (0,)))
    np.testing.assert_array_equal(random_unwrap(placed), [[4, 5], [2, 3], [4, 5]])
