"""Does ``x[index]`` select what NumPy selects, and ``x.at[index]`` update what JAX updates?

In bounds the language of indices is NumPy's; out of bounds, on updates and in the words of errors,
JAX is the measure. Each index is tried eagerly, with the array traced, and with its arrays and
scalars traced too.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minijax
import minijax.numpy as jnp
from minijax.core.aval import typeof
from minijax.transforms.evaluate import interpret_jaxpr
from minijax.transforms.staging import trace_to_jaxpr

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
I = np.array([1, 0], np.int32)  # noqa: E741
M = X[:, :, 0] > 4

INDICES = [
    "0", "-1", "1, 2", "0, 1, 2", "...", "..., 0", "0, ..., 0", "None", "None, 0", "..., None",
    "0, None, 1", ":", "1:", ":, 1:3", ":, ::2", "::-1", ":, ::-2, 1", "1:1", "5:, 0", "-9:9",
    "I", ":, I", "..., I", "I, 0", "0, I", "0, :, I", "I, :, I", "I, I", "I, 1:3",
    "I, ::2", "I, ::-1", "I, None, I", "None, I, ..., I", "I, None", "None, I", "I[:, None], I",
    "I[:, None], :, I", "I[:0]", "I[:0], 0", "[0, 1], [1, 2]", ":, [2, 0]", "[], ",
    "True", "False", "True, 0", ":, True, I", "None, True", "I, True", "..., True", "True, True",
    "M", "M, 0", "M, :2", ":, M[0]", "M[:, 0], M[:, 0].nonzero()[0]", "X > 7", "I == 1, ..., 0",
    "np.int8(1)", "np.uint8([1, 0])", "np.array(1), 0", "np.bool_(True)", "0, I, ::-2, None", "()",
]  # fmt: skip


def select(x: Any, index: str, **names: Any) -> Any:
    return eval(f"x[{index}]", {"np": np, "x": x, "X": X, "M": M, "I": I} | names)


def require_equal(got: Any, expected: Any) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def traced(function: Any, *args: Any) -> Any:
    """Write a program down and run it by the reference rules."""
    jaxpr = trace_to_jaxpr(lambda *xs: [function(*xs)], [typeof(x) for x in args])
    return interpret_jaxpr(jaxpr, *args)[0]


def comparable(index: str) -> bool:
    """Tell whether an index means the same with its array traced: masks must be known."""
    return "==" not in index


@pytest.mark.parametrize("index", INDICES)
def test_reads_as_numpy(index: str) -> None:
    expected = select(X, index)
    require_equal(select(jnp.asarray(X), index), expected)
    require_equal(traced(lambda x: select(x, index), X), expected)
    if comparable(index):
        require_equal(traced(lambda x, i: select(x, index, I=i), X, I), expected)


def update(name: str, index: str, x: Any, y: Any, i: Any = I) -> Any:
    names = {"np": np, "X": X, "M": M, "I": i, "x": x, "y": y}
    return eval(f"x.at[{index}].{name}(y)", names)


def updated_by_numpy(operator: str, index: str, y: np.ndarray) -> np.ndarray:
    x = X.copy()
    exec(f"x[{index}] {operator} y", {"np": np, "X": X, "M": M, "I": I, "x": x, "y": y})
    return x


def some_values(index: str) -> np.ndarray:
    shape = select(X, index).shape
    return -np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize("index", INDICES[:-1])
def test_updates_as_numpy(index: str) -> None:
    y = some_values(index)
    for name, operator in (("set", "="), ("add", "+="), ("multiply", "*=")):
        expected = updated_by_numpy(operator, index, y)
        require_equal(update(name, index, jnp.asarray(X), y), expected)
        if comparable(index):
            got = traced(lambda x, y, i, name=name: update(name, index, x, y, i), X, y, I)
            require_equal(got, expected)


def test_compiled() -> None:
    """All indices in one program, on the default device."""
    kinds = [index for index in INDICES[:-1] if comparable(index)]

    @minijax.jit
    def program(x: Any, i: Any) -> Any:
        reads = [select(x, index, I=i) for index in kinds]
        return reads, [update("set", index, x, some_values(index), i) for index in kinds]

    for index, read, written in zip(kinds, *program(X, I), strict=True):
        require_equal(read, select(X, index))
        require_equal(written, updated_by_numpy("=", index, some_values(index)))


# -- indices drawn at random ------------------------------------------------------------------


@st.composite
def words(draw: st.DrawFn, length: int) -> Any:
    kind = draw(st.sampled_from(["int", "slice", "slice", "array"]))
    if kind == "int":
        return draw(st.integers(-length, length - 1))
    if kind == "slice":
        bound = st.none() | st.integers(-length - 2, length + 2)
        step = draw(st.none() | st.sampled_from([1, 2, -1, -2, 3]))
        return slice(draw(bound), draw(bound), step)
    shape = draw(st.sampled_from([(2,), (1,), (3, 1), (2, 2)]))
    entries = st.integers(-length, length - 1)
    count = int(np.prod(shape))
    return np.array(draw(st.lists(entries, min_size=count, max_size=count)), np.int32).reshape(
        shape
    )


@st.composite
def indices(draw: st.DrawFn) -> tuple:
    taken = draw(st.integers(0, 3))
    result = [draw(words(length)) for length in X.shape[:taken]]
    for _ in range(draw(st.integers(0, 2))):
        result.insert(draw(st.integers(0, len(result))), None)
    if draw(st.booleans()):
        result.append(...)
    return tuple(result)


def is_valid(index: tuple) -> bool:
    shapes = [word.shape for word in index if isinstance(word, np.ndarray)]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(indices().filter(is_valid))
def test_random_indices_read_as_numpy(index: tuple) -> None:
    expected = X[index]
    x = jnp.asarray(X)
    require_equal(x[index], expected)
    require_equal(x.at[index].get(mode="clip"), expected)
    require_equal(x.at[index].get(mode="fill"), expected)


@settings(max_examples=60, deadline=None)
@given(indices().filter(is_valid))
def test_random_indices_update_as_numpy(index: tuple) -> None:
    x = jnp.asarray(X)
    replaced, added = X.copy(), X.copy()
    y = np.arange(X[index].size, dtype=np.float32).reshape(X[index].shape) + 100
    replaced[index] = y
    np.add.at(added, index, y)
    require_equal(x.at[index].set(y), replaced)
    require_equal(x.at[index].add(y), added)


# -- out of bounds, as JAX --------------------------------------------------------------------

OUT_OF_BOUNDS = [
    "5", "-5", "1, 7", "jnp.array([5, -7, 1])", "jnp.array([5, 1]), -9", "jnp.array([0]), 10",
    "jnp.array([[-3], [1]]), jnp.array([0, 9])", "1:9, 5", "::2, 9", "0, jnp.array([-9, 9]), ::2",
    "jnp.array([200], jnp.uint8)", "jnp.array([-1], jnp.int8)", "jnp.array(7), 0",
]  # fmt: skip
UPDATES = [
    "get()", "get(mode='fill')", "get(mode='fill', fill_value=-1)", "get(mode='clip')", "set(9)",
    "get(wrap_negative_indices=False)", "set(9, wrap_negative_indices=False)", "add(9)", "min(-1)",
    "set(9, mode='clip')", "multiply(3, mode='clip')", "max(50, mode='drop')", "subtract(1)",
    "apply(lambda v: v + 1)", "divide(2)", "power(2)",
]  # fmt: skip


@pytest.mark.parametrize("index", OUT_OF_BOUNDS)
def test_out_of_bounds_as_jax(index: str) -> None:
    jax = pytest.importorskip("jax")

    def results(library: Any) -> list[Any]:
        names = {"jnp": library.numpy, "x": library.numpy.asarray(X)}
        return [eval(f"x.at[{index}].{call}", names) for call in UPDATES]

    for ours, theirs in zip(results(minijax), jax.jit(lambda: results(jax))(), strict=True):
        require_equal(ours, theirs)


def test_traced_scalar_out_of_bounds() -> None:
    jax = pytest.importorskip("jax")

    def results(x: Any, i: Any) -> list[Any]:
        names = {"x": x, "i": i}
        return [eval(f"x.at[i, :, i + 1].{call}", names) for call in UPDATES]

    for i in (-4, -1, 0, 2, 5):
        expected = jax.jit(results)(X, i)
        for ours, theirs in zip(minijax.jit(results)(X, i), expected, strict=True):
            require_equal(ours, theirs)


# -- refused, in JAX's words ------------------------------------------------------------------

REFUSED = [
    "x[0, 0, 0, 0]", "x[0.5]", "x['a']", "x[[0, 1]]", "x[[[0, 1]]]", "x[[]]", "x[[True, False]]",
    "x[[0, None]]", "x[[slice(None)]]", "x[0.5:1]", "x[::0]", "x[..., ...]", "x[{}]", "x[1j]",
    "x[range(2)]", "x['a', ]", "x[jnp.array([0.5])]", "x[np.array([], float)]", "x[(None,) * 2, ]",
    "x[jnp.array([True, False, True])]", "x[jnp.ones((2, 2), bool)]", "x[M, 0, 0]",
    "x[jnp.array([0, 1]), jnp.array([0, 1, 2])]", "jit(lambda x, m: x[m])(x, M)",
    "jit(lambda x, m: x.at[m].set(0))(x, M)", "jnp.float32(1)[0]", "jnp.zeros((0, 3))[0]",
    "jnp.zeros((0, 3)).at[0].set(1)", "x.at[0].set(jnp.ones(5))",
    "x.at[0, 0].set(jnp.ones((2, 4)))", "x.at[0].set(1, mode='bogus')", "x.at[0.5].set(1)",
    "x.at[0].set(None)", "x.at(0)", "(x > 0).at[0].add(True)", "x[0:jnp.array([1])]",
]  # fmt: skip


@pytest.mark.parametrize("expression", REFUSED)
def test_refused_in_the_same_words(expression: str) -> None:
    jax = pytest.importorskip("jax")
    messages = []
    for library in (minijax, jax):
        names = {"jnp": library.numpy, "np": np, "jit": library.jit, "M": M}
        with pytest.raises((TypeError, ValueError, IndexError)) as caught:
            eval(expression, names | {"x": library.numpy.asarray(X)})
        messages.append(f"{caught.type.__name__}: {str(caught.value).splitlines()[0]}")
    assert messages[0] == messages[1]


def test_traced_slices_are_refused() -> None:
    with pytest.raises(IndexError, match="Slice entries must be static integers"):
        minijax.jit(lambda x, i: x[i:])(X, 1)


@pytest.mark.parametrize(
    "dtype, values",
    [("int32", 0.5), ("bool", 2), ("bfloat16", np.float32(1)), ("int8", np.int32(300))],
)
def test_unsafe_updates_warn(dtype: str, values: Any) -> None:
    jax = pytest.importorskip("jax")
    results = []
    for library in (minijax, jax):
        with pytest.warns(FutureWarning, match="scatter inputs have incompatible types") as caught:
            results.append(library.numpy.ones(3, dtype).at[0].set(values))
        assert library is jax or caught[0].filename == __file__
    assert str(results[0]) == str(results[1])


def test_safe_updates_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jnp.ones(3).at[0].set(2)
        jnp.ones(3, jnp.uint8).at[0].set(-1)


def test_results_keep_the_type_of_the_array() -> None:
    weak = jnp.asarray(1.0)[None]
    assert weak.weak_type
    assert weak.at[0].set(jnp.ones(())).weak_type
    assert weak[np.array([0, 0])].weak_type
    assert jnp.arange(3, dtype=jnp.int8).at[jnp.array([0])].add(1).dtype == jnp.int8


def test_repr_names_array_and_index() -> None:
    x = jnp.arange(2)
    assert repr(x.at) == "_IndexUpdateHelper(Array([0, 1], dtype=int32))"
    assert repr(x.at[0]) == "_IndexUpdateRef(Array([0, 1], dtype=int32), 0)"


def test_apply_counts_repetitions() -> None:
    x = jnp.zeros(3)
    table = jnp.array([0, 0, 2, 9])
    require_equal(x.at[table].apply(lambda v: v + 1), np.array([2, 0, 1], np.float32))
    require_equal(
        minijax.jit(lambda i: x.at[i].apply(lambda v: v + 1))(table),
        np.array([2, 0, 1], np.float32),
    )


# -- programs and derivatives -----------------------------------------------------------------


def test_static_indices_are_slices() -> None:
    text = str(minijax.make_jaxpr(lambda x: x[1, ::2, None])(X))
    assert "slice[" in text
    assert "squeeze[dimensions=(0,)]" in text
    assert "gather" not in text


def test_traced_scalars_are_dynamic_slices() -> None:
    text = str(minijax.make_jaxpr(lambda x, i: x.at[i, 0].add(x[i, 1]))(X, 1))
    assert "dynamic_slice" in text
    assert "dynamic_update_slice" in text
    assert "gather" not in text
    assert "scatter" not in text


@pytest.mark.parametrize("index", ["1", "i, 1:3", "::2, 1", "i, :, i", ":, i"])
@pytest.mark.parametrize("method", ["set", "add", "multiply", "min", "max"])
def test_gradients_equal_jax(index: str, method: str) -> None:
    jax = pytest.importorskip("jax")
    unique = "unique_indices=True" if method == "multiply" else ""
    gradients = []
    for library in (minijax, jax):
        source = f"lambda x, y, i: (x.at[{index}].{method}(y, {unique}) ** 2).sum()"
        gradients.append(library.grad(eval(source), (0, 1))(X + 0.5, np.float32(7.25), I))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-5)


@pytest.mark.parametrize("index", ["i", "i, 1", "i, ::2", "i, :, i", "1, i"])
def test_vmap_over_indices(index: str) -> None:
    many = np.array([0, 1, -1, 2, -9], np.int32)
    for in_axes in ((None, 0), (0, 0)):
        x = jnp.asarray(np.stack([X] * 5) if in_axes[0] == 0 else X)
        read = minijax.vmap(lambda x, i: eval(f"x[{index}]"), in_axes)(x, many)
        write = minijax.vmap(lambda x, i: eval(f"x.at[{index}].set(-1)"), in_axes)(x, many)
        for row, i in enumerate(many):
            one = jnp.asarray(X)
            require_equal(read[row], eval(f"one[{index}]", {"one": one, "i": int(i)}))
            require_equal(write[row], eval(f"one.at[{index}].set(-1)", {"one": one, "i": int(i)}))
