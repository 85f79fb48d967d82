"""Do collectives see all examples of a batch, as JAX's do?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minijax

X = np.arange(12, dtype=np.float32).reshape(3, 4)
jax = pytest.importorskip("jax")

MAPPED = {
    "psum": lambda lax, x: lax.psum(x, "i"),
    "pmax": lambda lax, x: lax.pmax(x, "i"),
    "pmin": lambda lax, x: lax.pmin(x, "i"),
    "pmean": lambda lax, x: lax.pmean(x, "i"),
    "pmean of integers": lambda lax, x: lax.pmean(lax.convert_element_type(x, np.int32), "i"),
    "psum of booleans": lambda lax, x: lax.psum(lax.gt(x, np.float32(3)), "i"),
    "psum of a constant": lambda lax, x: lax.psum(np.array([2, 3], np.float32), "i"),
    "pmax of a constant": lambda lax, x: lax.pmax(np.array([2, 3], np.float32), "i"),
    "psum of a tree": lambda lax, x: lax.psum({"a": x, "b": (1, 2.5)}, "i"),
    "psum over nothing": lambda lax, x: lax.psum(x, ()),
    "psum of a position": lambda lax, x: lax.psum(x, ("i", 0)),
    "psum of a position alone": lambda lax, x: lax.psum(x, 0),
    "axis_index": lambda lax, x: lax.axis_index("i"),
    "axis_size": lambda lax, x: lax.axis_size("i"),
}
NESTED = {
    "both": lambda lax, x: lax.psum(x, ("i", "j")),
    "inner": lambda lax, x: lax.pmax(x, "i"),
    "outer": lambda lax, x: lax.psum(x, "j"),
    "index of both": lambda lax, x: lax.axis_index(("i", "j")),
}


def require_equal(ours: Any, theirs: Any) -> None:
    ours, theirs = jax.tree.leaves(ours), jax.tree.leaves(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert np.asarray(mine).dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(other))


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.parametrize("in_axis", [0, 1])
def test_one_axis(name: str, in_axis: int) -> None:
    results = []
    for library in (minijax, jax):
        function = library.vmap(
            lambda x, lax=library.lax: MAPPED[name](lax, x), in_axes=in_axis, axis_name="i"
        )
        results.append(function(X))
        if library is minijax:
            require_equal(minijax.jit(function)(X), results[0])
    require_equal(*results)


@pytest.mark.parametrize("name", NESTED)
def test_two_axes(name: str) -> None:
    results = []
    for library in (minijax, jax):
        inner = library.vmap(lambda x, lax=library.lax: NESTED[name](lax, x), axis_name="i")
        results.append(library.vmap(inner, axis_name="j")(np.stack([X, X + 1])))
    require_equal(*results)


def test_derivatives() -> None:
    results = []
    for library in (minijax, jax):
        lax = library.lax

        def loss(x: Any, lax: Any = lax) -> Any:
            return lax.psum(lax.reduce_sum(lax.mul(x, x), (0,)), "i")

        gradients = library.vmap(library.grad(loss), axis_name="i")(X)
        mapped = library.vmap(loss, axis_name="i")
        sums = library.grad(lambda x, f=mapped, lax=lax: lax.reduce_sum(f(x), (0,)))(X)
        results.append((gradients, sums))
    require_equal(*results)


def test_the_size_of_an_axis_is_a_python_number() -> None:
    seen = []
    minijax.vmap(lambda x: seen.append(minijax.lax.psum(1, "i")) or x, axis_name="i")(X)
    assert type(seen[0]) is int
    assert seen == [3]


@pytest.mark.parametrize("call", ["psum(X, 'k')", "pmax(X, 'k')", "axis_index('k')"])
def test_unknown_names(call: str) -> None:
    with pytest.raises(NameError, match="Found an unbound axis name: k"):
        eval(f"minijax.lax.{call}")


def test_refused() -> None:
    with pytest.raises(NotImplementedError, match="axis_index_groups not supported in vmap"):
        minijax.vmap(
            lambda x: minijax.lax.psum(x, "i", axis_index_groups=[[0], [1, 2]]), axis_name="i"
        )(X)
    with pytest.raises(ValueError, match="out-of-bounds indices"):
        minijax.lax.psum(X, -1)
    with pytest.raises(NotImplementedError, match="Differentiation rule for 'pmax'"):
        minijax.vmap(minijax.grad(lambda x: minijax.lax.pmax(x, "i")), axis_name="i")(X[0])


def test_collectives_of_mapped_axes_are_reductions() -> None:
    text = str(
        minijax.make_jaxpr(minijax.vmap(lambda x: minijax.lax.psum(x, "i"), axis_name="i"))(X)
    )
    assert "psum[axes=(0,) axis_index_groups=None]" in text
