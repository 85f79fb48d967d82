"""Do slices at dynamic positions start where JAX's do, and refuse what JAX refuses?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minijax
from minijax import lax
from minijax.core.aval import typeof

X = np.arange(12, dtype=np.float32).reshape(3, 4)
jax = pytest.importorskip("jax")


@st.composite
def windows(draw: st.DrawFn) -> tuple[np.ndarray, list[int], list[int]]:
    shape = draw(st.lists(st.integers(1, 4), max_size=3))
    sizes = [draw(st.integers(0, n)) for n in shape]
    starts = [draw(st.integers(-n - 2, n + 2)) for n in shape]
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(np.float32), starts, sizes


@settings(max_examples=60, deadline=None)
@given(windows(), st.booleans())
def test_slices_start_where_jax_starts_them(window: Any, as_arrays: bool) -> None:
    x, starts, sizes = window
    positions: Any = [np.asarray(i, np.int32) for i in starts] if as_arrays else starts
    ours, theirs = (library.lax.dynamic_slice(x, positions, sizes) for library in (minijax, jax))
    np.testing.assert_array_equal(ours, theirs)
    update = -np.ones(sizes, np.float32)
    ours, theirs = (
        library.lax.dynamic_update_slice(x, update, positions) for library in (minijax, jax)
    )
    np.testing.assert_array_equal(ours, theirs)


def traced(f: Any) -> Any:
    return lambda library: library.jit(lambda i: f(library.lax, i))(np.int32(-1))


CALLS = {
    "slice_in_dim": lambda lib, i: lib.dynamic_slice_in_dim(X, i, 2, 1),
    "index_in_dim": lambda lib, i: lib.dynamic_index_in_dim(X, i, 1),
    "index_in_dim, dropped": lambda lib, i: lib.dynamic_index_in_dim(X, i, 0, keepdims=False),
    "update_slice_in_dim": lambda lib, i: lib.dynamic_update_slice_in_dim(X, X[:, :2] * 10, i, 1),
    "update_index_in_dim": lambda lib, i: lib.dynamic_update_index_in_dim(X, X[0] * 10, i, 0),
    "not negative": lambda lib, i: lib.dynamic_slice(
        X, (i, 0), (1, 1), allow_negative_indices=False
    ),
    "index_take": lambda lib, i: lib.index_take(
        X, (np.array([2, 0, -1]), np.array([1, 1, 0])), (0, 1)
    ),
    "static index": lambda lib, i: lib.index_in_dim(X, -1, 1, keepdims=False),
}


@pytest.mark.parametrize("name", CALLS)
def test_one_axis_at_a_time(name: str) -> None:
    for i in (-5, -1, 0, 2, 9, np.int32(-2), np.uint8(2)):
        if name == "not negative" and (i < 0 or i.__class__ is np.uint8):
            continue
        ours, theirs = (np.asarray(CALLS[name](library.lax, i)) for library in (minijax, jax))
        np.testing.assert_array_equal(ours, theirs)
    ours, theirs = (np.asarray(traced(CALLS[name])(library)) for library in (minijax, jax))
    np.testing.assert_array_equal(ours, theirs)


def of(*starts: Any, sizes: Any = (1, 1), **options: Any) -> Any:
    return lambda lib, a: lib.dynamic_slice(X, tuple(map(a, starts)), sizes, **options)


REFUSED = {
    "too few starts": lambda lib, a: lib.dynamic_slice(X, (0,), (1, 1)),
    "too large": lambda lib, a: lib.dynamic_slice(X, (0, 0), (1, 5)),
    "negative size": lambda lib, a: lib.dynamic_slice(X, (0, 0), (1, -1)),
    "float start": lambda lib, a: lib.dynamic_slice(X, (0, 0.0), (1, 1)),
    "mixed starts": lambda lib, a: lib.dynamic_slice(X, (np.int32(0), np.int8(0)), (1, 1)),
    "start of rank 1": lambda lib, a: lib.dynamic_slice(X, (a([0, 1]), 0), (1, 1)),
    "table of starts": lambda lib, a: lib.dynamic_slice(X, a([[0], [1]]), (1, 1)),
    "forbidden negative": lambda lib, a: lib.dynamic_slice(
        X, (0, -2), (1, 1), allow_negative_indices=False
    ),
    "rank of update": lambda lib, a: lib.dynamic_update_slice(X, np.ones((1, 1, 1), "f4"), (0, 0)),
    "size of update": lambda lib, a: lib.dynamic_update_slice(X, np.ones((1, 5), "f4"), (0, 0)),
    "dtype of update": lambda lib, a: lib.dynamic_update_slice(X, np.ones((1, 1), "i4"), (0, 0)),
    "start of update": lambda lib, a: lib.dynamic_update_slice(X, X, (0.0, 0.0)),
    "static index": lambda lib, a: lib.index_in_dim(X, 5, 0),
    "rank in dim": lambda lib, a: lib.dynamic_update_slice_in_dim(X, np.ones(4, "f4"), 1, 0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_same_words(name: str) -> None:
    messages = []
    for library in (minijax, jax):
        with pytest.raises((TypeError, ValueError, IndexError)) as caught:
            REFUSED[name](library.lax, library.numpy.asarray)
        messages.append(f"{caught.type.__name__}: {caught.value}")
    assert messages[0] == messages[1]


def test_start_dtypes_are_kept() -> None:
    jaxpr = minijax.make_jaxpr(lambda i: lax.dynamic_slice_in_dim(X, i, 2, 1))(np.uint8(1))
    assert "0:u8[]" in str(jaxpr)
    out = lax.dynamic_slice(X, np.array([1, 1]), (2, 2))
    assert str(typeof(out)) == "f32[2,2]"
