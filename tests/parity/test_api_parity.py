"""Do the transformations give JAX's values, dtypes, weak types and structures?

Each program takes a library and returns a pytree of arrays; both results are compared leaf by leaf.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minijax
import minijax.numpy

jax = pytest.importorskip("jax", reason="compares with JAX, which is not installed")

pytestmark = pytest.mark.parity

X = np.array([0.3, -1.2, 2.5], np.float32)
M = np.arange(12, dtype=np.float32).reshape(3, 4) / 7


def mlp(j: Any, params: Any, x: Any) -> Any:
    (w1, b1), (w2, b2) = params
    return j.numpy.tanh(x @ w1 + b1) @ w2 + b2


PARAMS = [(M, np.ones(4, np.float32)), (M.T, np.zeros(3, np.float32))]


def f(j: Any, x: Any) -> Any:
    return j.numpy.sin(x) * x**2 + j.numpy.exp(-x)


def loss(j: Any, x: Any) -> Any:
    return j.numpy.sum(f(j, x) ** 2)


def custom(j: Any) -> Any:
    @j.custom_jvp
    def half_gradient(x: Any) -> Any:
        return x * 1.0

    half_gradient.defjvp(lambda p, t: (half_gradient(p[0]), t[0] * (p[0] > 0) * 0.5))
    return half_gradient


def both(j: Any, x: Any) -> Any:
    return {"a": j.numpy.sum(x), "b": (x * 2, 3.0)}


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    # jit
    "jit": lambda j: j.jit(functools.partial(f, j))(X),
    "jit of scalars": lambda j: j.jit(lambda x, y, z: (x + y, x * z, x, 2.0))(1, 2.0, True),
    "jit of a pytree": lambda j: j.jit(functools.partial(both, j))(X),
    "jit of weak and strong": lambda j: j.jit(lambda x, y: (x + y, x + 1, y + 1))(1.0, X),
    "jit with static": lambda j: j.jit(lambda x, n: x**n, static_argnums=1)(X, 3),
    "jit of integers": lambda j: j.jit(lambda x: (x / 2, x // 2, x % 2, -x, x > 2))(np.arange(5)),
    "jit of bfloat16": lambda j: j.jit(lambda x: x * 1.1 + 1)(X.astype(j.numpy.bfloat16)),
    "jit of complex": lambda j: j.jit(lambda z: (z * 1j, abs(z), z.real))(X + 1j * X),
    # grad
    "grad": lambda j: j.grad(functools.partial(loss, j))(X),
    "grad of weak": lambda j: j.grad(lambda x: f(j, x))(2.0),
    "grad of numpy scalar": lambda j: j.grad(lambda x: f(j, x))(np.float64(2)),
    "grad of jit": lambda j: j.grad(j.jit(functools.partial(loss, j)))(X),
    "jit of grad": lambda j: j.jit(j.grad(functools.partial(loss, j)))(X),
    "value_and_grad of an mlp": lambda j: j.value_and_grad(
        lambda p: j.numpy.sum(mlp(j, p, X) ** 2)
    )(PARAMS),
    "grad with aux": lambda j: j.grad(lambda x: (loss(j, x), both(j, x)), has_aux=True)(X),
    "grad argnums": lambda j: j.grad(lambda x, y: j.numpy.sum(x * y), argnums=(1, 0))(X, 2.0),
    "grad of grad": lambda j: j.grad(j.grad(lambda x: f(j, x)))(2.0),
    "grad three times": lambda j: j.grad(j.jit(j.grad(j.grad(lambda x: f(j, x)))))(2.0),
    "grad of bfloat16": lambda j: j.grad(lambda x: j.numpy.sum(x * 3))(X.astype(j.numpy.bfloat16)),
    "grad allow_int": lambda j: j.grad(lambda n, x: n * x, (0, 1), allow_int=True)(3, 2.0)[1],
    "grad holomorphic": lambda j: j.grad(lambda z: z**2 * 1j, holomorphic=True)(1 + 2j),
    "grad of abs2": lambda j: j.grad(lambda z: j.numpy.real(z * z.conj()))(1 + 2j),
    "grad of a constant": lambda j: j.grad(lambda x: 1.0)(2.0),
    "grad of select": lambda j: j.grad(lambda x: j.numpy.where(x > 0, x, 0.0).sum())(X),
    "grad of max": lambda j: j.grad(lambda x: j.numpy.max(x))(np.array([1, 3, 3], np.float32)),
    # jvp, vjp, linearize
    "jvp": lambda j: j.jvp(functools.partial(f, j), (X,), (np.ones_like(X),)),
    "jvp of weak": lambda j: j.jvp(lambda x, y: x * y, (2.0, 3), (1.0, np.zeros((), j.float0)))[1],
    "vjp": lambda j: j.vjp(functools.partial(f, j), X)[1](np.ones_like(X)),
    "vjp of a pytree": lambda j: j.vjp(functools.partial(both, j), X)[1](
        {"a": np.float32(1), "b": (X, np.float32(2))}
    ),
    "linearize": lambda j: j.linearize(functools.partial(f, j), X)[1](X),
    "hessian vector product": lambda j: j.jvp(j.grad(functools.partial(loss, j)), (X,), (X,)),
    "jvp of jit of vmap": lambda j: j.jvp(j.jit(j.vmap(lambda x: f(j, x))), (X,), (X,)),
    # jacobians
    "jacfwd": lambda j: j.jacfwd(functools.partial(f, j))(X),
    "jacrev": lambda j: j.jacrev(lambda x: M.T @ f(j, x))(X),
    "jacrev of pytrees": lambda j: j.jacrev(functools.partial(both, j))(X),
    "jacfwd of pytrees": lambda j: j.jacfwd(lambda p: both(j, p["x"]))({"x": X}),
    "hessian": lambda j: j.hessian(functools.partial(loss, j))(X),
    "hessian of a scalar": lambda j: j.hessian(lambda x: f(j, x))(2.0),
    # vmap
    "vmap": lambda j: j.vmap(lambda row: j.numpy.dot(row, row))(M),
    "vmap axes": lambda j: j.vmap(lambda a, b: a * b, (1, None), 1)(M, X),
    "vmap of constants": lambda j: j.vmap(lambda x: (1, 2.0, j.numpy.arange(2)))(X),
    "vmap of weak": lambda j: j.vmap(lambda x, s: x * s, (0, None))(X, 2.0),
    "vmap of grad": lambda j: j.vmap(j.grad(lambda x: f(j, x)))(X),
    "vmap of vmap": lambda j: j.vmap(j.vmap(lambda a, b: a - b, (0, None)), (None, 0))(X, X),
    "vmap of jacrev of jit": lambda j: j.vmap(j.jacrev(j.jit(lambda x: f(j, x) * x.sum())))(M),
    "per example gradients": lambda j: j.vmap(
        j.grad(lambda p, x: j.numpy.sum(mlp(j, p, x) ** 2)), (None, 0)
    )(PARAMS, np.stack([X, -X])),
    "collectives": lambda j: j.vmap(
        lambda x: (
            j.lax.psum(x, "i"), j.lax.pmean(x, "i"), j.lax.pmax(x, "i"), j.lax.pmin(x, "i"),
            j.lax.axis_index("i"), j.lax.psum(1, "i"),
        ),
        axis_name="i",
    )(X),
    "grad through psum": lambda j: j.vmap(
        j.grad(lambda x: j.lax.psum(x**2, "i") * x), axis_name="i"
    )(X),
    # custom_jvp
    "custom_jvp": lambda j: j.vmap(j.grad(lambda x: custom(j)(x) * 5))(X),
    "custom_jvp under jit": lambda j: j.jit(j.grad(lambda x: j.numpy.sum(custom(j)(x) * x)))(X),
    # control flow
    "grad of scan": lambda j: j.grad(
        lambda x: j.lax.scan(lambda c, a: (c * a + x[0], c), 1.0, x)[0]
    )(X),
    "vmap of while": lambda j: j.vmap(
        lambda n: j.lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[1] * 2), (0, 1.0))
    )(np.arange(3)),
    "grad of cond": lambda j: j.vmap(
        j.grad(lambda x: j.lax.cond(x > 0, lambda y: y**2, lambda y: -y, x))
    )(X),
    "grad of fori_loop": lambda j: j.grad(
        lambda x: j.lax.fori_loop(0, 4, lambda i, c: c * x + i, 1.0)
    )(1.5),
    "stop_gradient": lambda j: j.grad(lambda x: x * j.lax.stop_gradient(x) ** 2)(3.0),
    # types without values
    "eval_shape": lambda j: [
        (s.shape, str(s.dtype), s.weak_type)
        for s in j.tree.leaves(j.eval_shape(functools.partial(both, j), X))
    ],
    "x64": lambda j: in_double(j, lambda: (j.grad(lambda x: f(j, x))(2.0), j.jit(lambda: 1)())),
}  # fmt: skip


WEAKNESS_DIFFERS = {
    # JAX writes zeros of a weak argument's type as weak, and loses it in complex arithmetic
    "grad of abs2", "jacfwd of pytrees", "hessian of a scalar",
}  # fmt: skip


def in_double(j: Any, program: Callable[[], Any]) -> Any:
    with j.enable_x64(True):
        return program()


def describe(leaf: Any) -> tuple[Any, ...]:
    return np.shape(leaf), str(np.asarray(leaf).dtype), bool(getattr(leaf, "weak_type", True))


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_those_of_jax(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX on values that it narrows
        ours, theirs = PROGRAMS[name](minijax), PROGRAMS[name](jax)
    leaves, treedef = minijax.tree.flatten(ours)
    expected, expected_treedef = jax.tree.flatten(theirs)
    assert str(treedef) == str(expected_treedef)
    for a, b in zip(leaves, expected, strict=True):
        if not isinstance(a, minijax.Array):
            assert a == b
            continue
        # JAX returns some results as typed Python scalars, which are weak
        parts = slice(2) if name in WEAKNESS_DIFFERS else slice(3)
        assert describe(a)[parts] == describe(b)[parts]
        tolerance = 2e-2 if "bfloat16" in str(a.dtype) else 1e-5
        np.testing.assert_allclose(
            np.asarray(a).astype(np.complex128), np.asarray(b).astype(np.complex128),
            rtol=tolerance, atol=tolerance,
        )  # fmt: skip
