"""Does ``reduce`` combine elements by any function as JAX does?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minijax
from minijax import lax
from minijax.higher_order.reduce import reduce

jax = pytest.importorskip("jax")

X = np.random.default_rng(0).integers(-3, 4, (2, 5, 3)).astype(np.float32)
START = {"add": 0.0, "max": -np.inf, "min": np.inf, "mul": 1.0}
BITS = {"bitwise_and": -1, "bitwise_or": 0, "bitwise_xor": 0}


def require_equal(ours: Any, theirs: Any) -> None:
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def require_same_equations(ours: Any, theirs: Any, *args: Any) -> None:
    assert str(minijax.make_jaxpr(ours)(*args)) == str(jax.make_jaxpr(theirs)(*args))


@pytest.mark.parametrize("name", (*START, *BITS))
def test_known_functions_become_their_own_primitives(name: str) -> None:
    x = X if name in START else X.astype(np.int32)
    init = np.float32(START[name]) if name in START else np.int32(BITS[name])
    pair = (
        lambda x: reduce(x, init, getattr(lax, name), (0, 2)),
        lambda x: jax.lax.reduce(x, init, getattr(jax.lax, name), (0, 2)),
    )
    require_same_equations(*pair, x)
    require_equal(pair[0](x), pair[1](x))


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 2), (2, 0), (0, 1, 2), ()])
@pytest.mark.parametrize("init", (0.0, 2.0))
def test_any_function(axes: tuple[int, ...], init: float) -> None:
    def total(reduce: Any) -> Any:
        return lambda x: reduce(x, np.float32(init), lambda a, b: a + b, axes)

    for x in (X, X[:, :0], X[:0]):
        ours = total(reduce)(x)
        require_equal(ours, total(jax.lax.reduce)(x))
        require_equal(minijax.jit(total(reduce))(x), ours)


def test_neighbours_keep_their_order() -> None:
    """Products of 2x2 matrices, held in four arrays, do not commute."""
    entries = tuple(
        np.random.default_rng(i).integers(-2, 3, 7).astype(np.float32) for i in range(4)
    )

    def product(a: Any, b: Any) -> Any:
        return (
            a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3],
            a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3],
        )  # fmt: skip

    identity = tuple(map(np.float32, (1, 0, 0, 1)))
    found = np.array([float(x) for x in reduce(entries, identity, product, (0,))]).reshape(2, 2)
    matrices = np.stack(entries, -1).reshape(-1, 2, 2)
    np.testing.assert_array_equal(found, np.linalg.multi_dot(list(matrices)))


def test_pytrees_and_derivatives() -> None:
    def fun(reduce: Any) -> Any:
        def combine(a: Any, b: Any) -> Any:
            return {"sum": a["sum"] + b["sum"], "product": a["product"] * b["product"]}

        inits = {"sum": np.float32(0), "product": np.float32(1)}
        return lambda x, y: reduce({"sum": x, "product": y}, inits, combine, (1,))

    ours, theirs = fun(reduce), fun(jax.lax.reduce)
    for name in ("sum", "product"):
        require_equal(ours(X, X)[name], theirs(X, X)[name])
        pairs = [
            lib.jvp(f, (X, X), (X, X + 1))[1][name] for lib, f in ((minijax, ours), (jax, theirs))
        ]
        require_equal(*pairs)
    cts = {"sum": X[:, 0], "product": X[:, 1]}
    for a, b in zip(minijax.vjp(ours, X, X)[1](cts), jax.vjp(theirs, X, X)[1](cts), strict=True):
        require_equal(a, b)


def test_vmap_of_operands_and_initial_values() -> None:
    def ours(x: Any, init: Any) -> Any:
        return reduce(x, init, lambda a, b: a * b, (1,))

    inits = np.array([1.0, 2.0], np.float32)
    expected = np.stack([X[i].prod(1) * inits[i] for i in range(2)])
    np.testing.assert_array_equal(minijax.vmap(ours)(X, inits), expected)
    once = minijax.vmap(lambda init: ours(X[0], init))(inits)
    np.testing.assert_array_equal(once, np.stack([X[0].prod(1), 2 * X[0].prod(1)]))


def test_the_derivative_in_the_initial_value() -> None:
    grad = minijax.grad(lambda init: reduce(X[0, 0], init, lambda a, b: a * b, (0,)))
    assert float(grad(np.float32(2))) == float(X[0, 0].prod())


def test_equations_are_printed_as_in_jax() -> None:
    def combine(a: Any, b: Any) -> Any:
        return a * b + 1.0

    ours = str(minijax.make_jaxpr(lambda x: reduce(x, np.float32(3), combine, (0, 2)))(X))
    theirs = str(jax.make_jaxpr(lambda x: jax.lax.reduce(x, np.float32(3), combine, (0, 2)))(X))
    without_addresses = [
        [line for line in text.splitlines() if "computation" not in line] for text in (ours, theirs)
    ]
    assert without_addresses[0] == without_addresses[1]


def add(a: Any, b: Any) -> Any:
    return a + b


ERRORS: list[tuple[Any, ...]] = [
    (X, np.int32(0), add, (0,)),
    ((X, X), 0.0, add, (0,)),
    (X, np.zeros(2, np.float32), add, (0,)),
]


@pytest.mark.parametrize("args", ERRORS)
def test_errors_are_those_of_jax(args: Any) -> None:
    with pytest.raises(Exception) as expected:
        jax.lax.reduce(*args)
    with pytest.raises(expected.type) as raised:
        reduce(*args)
    assert str(raised.value) == str(expected.value)


def test_what_cannot_be_reduced() -> None:
    with pytest.raises(ValueError, match="at least one operand"):
        reduce((), (), add, (0,))
    with pytest.raises(ValueError, match="must all have the same shape"):
        reduce((X, X[0]), (0.0, 0.0), lambda a, b: a, (0,))
    for axes in ((3,), (-1,)):
        with pytest.raises(ValueError, match="out-of-bounds"):
            reduce(X, 0.0, add, axes)
    with pytest.raises(ValueError, match="duplicate"):
        reduce(X, 0.0, add, (0, 0))
    with pytest.raises(TypeError, match="must return scalars of the types of its operands"):
        reduce(X, 0.0, lambda a, b: a > b, (0,))
    with pytest.raises(NotImplementedError, match="can't close over Tracers"):
        minijax.grad(lambda k: reduce(X[0, 0], 1.0, lambda a, b: a * b + k, (0,)))(1.0)
    captured = np.array([1.0, 2.0], np.float32)
    total = reduce(X[0, 0], 0.0, lambda a, b: a + b * captured[0], (0,))
    assert float(total) == X[0, 0].sum()
