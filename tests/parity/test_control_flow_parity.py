"""Do loops and conditionals compute what they compute in JAX, with the same types and messages?

Each program is written once, as a function of a library (JAX or minijax). Three things are
compared: results with their dtypes and weak types, the text of traced programs, and the class and
text of the errors that mistakes raise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minijax

jax = pytest.importorskip("jax", reason="compares with JAX, which is not installed")

pytestmark = pytest.mark.parity

VECTOR = np.array([0.5, -0.25, 1.5], np.float32)
LONGER = np.linspace(-1, 1, 7, dtype=np.float32)
MATRIX = np.linspace(-1, 1, 9, dtype=np.float32).reshape(3, 3)
SCALAR = np.float32(0.7)

Build = Callable[[Any], Any]
VALUES: dict[str, Build] = {}
TEXTS: dict[str, tuple[Build, tuple[Any, ...]]] = {}
ERRORS: dict[str, Build] = {}


def value(build: Build) -> Build:
    """Register a function of a library whose result is compared."""
    VALUES[build.__name__] = build
    return build


def text(*args: Any) -> Callable[[Build], Build]:
    """Register a function of a library that returns a program to be traced on ``args``."""

    def register(build: Build) -> Build:
        TEXTS[build.__name__] = (build, args)
        return build

    return register


def error(build: Build) -> Build:
    """Register a function of a library that raises."""
    ERRORS[build.__name__] = build
    return build


def assert_same(got: Any, expected: Any) -> None:
    got_leaves, got_tree = minijax.tree_util.tree_flatten(got)
    leaves, tree = jax.tree_util.tree_flatten(expected)
    assert str(got_tree) == str(tree)
    for x, y in zip(got_leaves, leaves, strict=True):
        assert x.dtype.name == y.dtype.name
        assert x.shape == y.shape
        assert getattr(x, "weak_type", False) == getattr(y, "weak_type", False)
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=3e-5, atol=1e-6)


# -- scan: values --------------------------------------------------------------------------------


def damped(lib: Any) -> Any:
    """Return a loop of a vector carry over a captured matrix and scanned rows."""

    def run(w: Any, init: Any, xs: Any, **options: Any) -> Any:
        def body(c: Any, x: Any) -> Any:
            new = lib.numpy.tanh(w @ c) * x
            return new, (new.sum(), c)

        return lib.lax.scan(body, init, xs, **options)

    return run


def total(lib: Any, **options: Any) -> Any:
    def run(w: Any, init: Any, xs: Any) -> Any:
        c, (sums, rows) = damped(lib)(w, init, xs, **options)
        return c.sum() + (sums * sums).sum() + (rows[1] * c).sum()

    return run


ROWS = np.linspace(0.5, 1.5, 15, dtype=np.float32).reshape(5, 3)


@value
def scan_forward(lib: Any) -> Any:
    return damped(lib)(MATRIX, VECTOR, ROWS)


@value
def scan_reverse(lib: Any) -> Any:
    return damped(lib)(MATRIX, VECTOR, ROWS, reverse=True)


@value
def scan_unrolled(lib: Any) -> Any:
    return damped(lib)(MATRIX, VECTOR, ROWS, unroll=2)


@value
def scan_jit(lib: Any) -> Any:
    return lib.jit(damped(lib))(MATRIX, VECTOR, ROWS)


@value
def scan_grad(lib: Any) -> Any:
    return lib.grad(total(lib), argnums=(0, 1, 2))(MATRIX, VECTOR, ROWS)


@value
def scan_grad_reverse(lib: Any) -> Any:
    return lib.grad(total(lib, reverse=True), argnums=(0, 1, 2))(MATRIX, VECTOR, ROWS)


@value
def scan_jit_grad(lib: Any) -> Any:
    return lib.jit(lib.grad(total(lib), argnums=(0, 1, 2)))(MATRIX, VECTOR, ROWS)


@value
def scan_grad_jit(lib: Any) -> Any:
    return lib.grad(lib.jit(total(lib)), argnums=(0, 1, 2))(MATRIX, VECTOR, ROWS)


@value
def scan_jvp(lib: Any) -> Any:
    return lib.jvp(total(lib), (MATRIX, VECTOR, ROWS), (MATRIX, VECTOR, ROWS))


@value
def scan_jvp_in_one_argument(lib: Any) -> Any:
    return lib.jvp(lambda xs: total(lib)(MATRIX, VECTOR, xs), (ROWS,), (ROWS,))


@value
def scan_hessian_vector_product(lib: Any) -> Any:
    gradient = lib.grad(lambda init: total(lib)(MATRIX, init, ROWS))
    return lib.jvp(gradient, (VECTOR,), (VECTOR,))


@value
def scan_grad_of_grad(lib: Any) -> Any:
    gradient = lib.grad(lambda init: total(lib)(MATRIX, init, ROWS))
    return lib.grad(lambda init: (gradient(init) ** 2).sum())(VECTOR)


@value
def scan_vmap_of_everything(lib: Any) -> Any:
    stack = lib.numpy.stack
    args = [stack([x, 2 * x]) for x in map(lib.numpy.asarray, (MATRIX, VECTOR, ROWS))]
    return lib.vmap(damped(lib))(*args)


@value
def scan_vmap_of_carry(lib: Any) -> Any:
    return lib.vmap(damped(lib), in_axes=(None, 1, None), out_axes=1)(MATRIX, MATRIX, ROWS)


@value
def scan_vmap_of_consts_batches_the_carry(lib: Any) -> Any:
    weights = np.stack([MATRIX, MATRIX + 1])
    return lib.vmap(damped(lib), in_axes=(0, None, None))(weights, VECTOR, ROWS)


@value
def scan_vmap_of_grad(lib: Any) -> Any:
    return lib.vmap(lib.grad(total(lib)), in_axes=(None, 0, None))(MATRIX, MATRIX, ROWS)


@value
def scan_grad_of_vmap(lib: Any) -> Any:
    mapped = lib.vmap(total(lib), in_axes=(None, 0, None))
    return lib.grad(lambda w: mapped(w, MATRIX, ROWS).sum())(MATRIX)


@value
def scan_of_length_zero(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (c * x, c + x), VECTOR, np.ones((0, 3), np.float32))


@value
def scan_of_length_zero_jit_grad(lib: Any) -> Any:
    run = damped(lib)
    loss = lambda init: run(MATRIX, init, ROWS[:0])[0].sum()  # noqa: E731
    return lib.jit(lib.grad(loss))(VECTOR)


@value
def scan_of_length_one(lib: Any) -> Any:
    return lib.jit(damped(lib))(MATRIX, VECTOR, ROWS[:1])


@value
def scan_without_xs(lib: Any) -> Any:
    return lib.lax.scan(lambda c, _: (c * 2, c), lib.numpy.asarray(VECTOR), None, length=3)


@value
def scan_of_dicts_and_nones(lib: Any) -> Any:
    def body(c: Any, x: Any) -> Any:
        return {"a": c["a"] + x[0], "b": None}, (c["a"], None, {"y": x[1]})

    return lib.lax.scan(body, {"a": SCALAR, "b": None}, (LONGER, LONGER))


@value
def scan_weak_carry_meets_strong(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (c + x, c), 1.0, VECTOR)


@value
def scan_weak_integer_carry_becomes_float(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (c + x, c), 0, VECTOR)


@value
def scan_weak_integer_carry_becomes_weak_float(lib: Any) -> Any:
    return lib.lax.scan(lambda c, _: (c * 0.5, c), 1, None, length=2)


@value
def scan_strong_carry_receives_weak(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (0.0, c), lib.numpy.float32(2), VECTOR)


@value
def scan_integer_carry_beside_float(lib: Any) -> Any:
    def run(x: Any) -> Any:
        def body(c: Any, y: Any) -> Any:
            i, v, flag = c
            return (i + 1, v * lib.numpy.where(flag, y, x) + i, ~flag), v * i

        return lib.lax.scan(body, (0, x, True), LONGER)

    scalar = lambda x: run(x)[0][1] + run(x)[1].sum()  # noqa: E731
    return run(SCALAR), lib.grad(scalar)(SCALAR), lib.jvp(scalar, (SCALAR,), (SCALAR,))


@value
def scan_carry_becomes_nonzero_in_the_body(lib: Any) -> Any:
    def run(x: Any) -> Any:
        return lib.lax.scan(lambda c, y: ((c[1], c[0] + x * y), c[0]), (0.0, 1.0), LONGER)[1].sum()

    return lib.grad(run)(SCALAR), lib.jvp(run, (SCALAR,), (SCALAR,))


@value
def scan_carry_becomes_batched_after_two_turns(lib: Any) -> Any:
    def run(x: Any) -> Any:
        return lib.lax.scan(lambda c, _: ((x, c[0], c[1]), None), (1.0, 2.0, 3.0), None, length=4)

    return lib.vmap(run)(VECTOR)


@value
def scan_with_one_variable_used_twice(lib: Any) -> Any:
    loss = lambda x: lib.lax.scan(lambda c, y: (c * c + x * x, c * c), x, LONGER)[1].sum()  # noqa: E731
    return lib.grad(loss)(SCALAR)


@value
def scan_with_unused_outputs(lib: Any) -> Any:
    def loss(w: Any, init: Any, xs: Any) -> Any:
        return damped(lib)(w, init, xs)[1][0][2]

    return lib.grad(loss, argnums=(0, 1, 2))(MATRIX, VECTOR, ROWS)


@value
def scan_invariant_residuals(lib: Any) -> Any:
    def loss(w: Any) -> Any:
        body = lambda c, x: (lib.numpy.sin(w) @ c + x * lib.numpy.cos(w[0]), None)  # noqa: E731
        return lib.lax.scan(body, VECTOR, ROWS)[0].sum()

    return lib.grad(loss)(MATRIX), lib.jit(lib.grad(loss))(MATRIX)


@value
def nested_scans(lib: Any) -> Any:
    def loss(x: Any, w: Any) -> Any:
        def outer(c: Any, row: Any) -> Any:
            return lib.lax.scan(lambda d, y: (d * x + lib.numpy.sin(y * w).sum(), d), c, row)

        c, ys = lib.lax.scan(outer, x, ROWS)
        return c + (ys**2).sum()

    gradient = lib.grad(loss, argnums=(0, 1))
    return gradient(SCALAR, VECTOR), lib.vmap(gradient, in_axes=(0, None))(VECTOR, VECTOR)


@value
def linear_transpose_of_a_counting_loop(lib: Any) -> Any:
    run = lambda x: lib.lax.fori_loop(0, 3, lambda i, c: c * (i + 1), x)  # noqa: E731
    return lib.linear_transpose(run, VECTOR)(VECTOR)


@value
def complex_scan(lib: Any) -> Any:
    z = np.complex64(0.3 + 0.4j)
    run = lambda z: lib.lax.scan(lambda c, x: (c * z + x, c), z, LONGER)[0]  # noqa: E731
    return run(z), lib.grad(lambda z: abs(run(z)) ** 2)(z)


# -- while, fori, map: values --------------------------------------------------------------------


def collatz_like(lib: Any) -> Any:
    def run(x: Any, bound: Any) -> Any:
        return lib.lax.while_loop(
            lambda c: c[1] < bound, lambda c: (c[0] + 1, c[1] * 1.5 + x, c[2] * x), (0, x, x)
        )

    return run


@value
def while_forward(lib: Any) -> Any:
    return collatz_like(lib)(SCALAR, np.float32(20)), lib.jit(collatz_like(lib))(SCALAR, 20.0)


@value
def while_that_never_runs(lib: Any) -> Any:
    return collatz_like(lib)(SCALAR, np.float32(0))


@value
def while_jvp(lib: Any) -> Any:
    run = lambda x: collatz_like(lib)(x, np.float32(20))[1:]  # noqa: E731
    return lib.jvp(run, (SCALAR,), (SCALAR,)), lib.jvp(lib.jit(run), (SCALAR,), (SCALAR,))


@value
def while_linearize_forwards(lib: Any) -> Any:
    out, tangent = lib.linearize(lambda x: collatz_like(lib)(x, np.float32(20))[2], SCALAR)
    return out, tangent(SCALAR)


@value
def while_vmap_with_batched_condition(lib: Any) -> Any:
    return lib.vmap(collatz_like(lib), in_axes=(0, None))(np.abs(LONGER) + 0.1, np.float32(20))


@value
def while_vmap_with_shared_condition(lib: Any) -> Any:
    def run(x: Any) -> Any:
        return lib.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, 1.0))

    return lib.vmap(run)(VECTOR)


@value
def while_vmap_of_bound(lib: Any) -> Any:
    bounds = np.array([1.0, 50.0, 0.0], np.float32)
    return lib.vmap(collatz_like(lib), in_axes=(None, 0))(SCALAR, bounds)


@value
def while_vmap_of_vmap(lib: Any) -> Any:
    bounds = np.array([[1, 50, 0], [20, 3, 7]], np.float32)
    once = lib.vmap(collatz_like(lib), in_axes=(0, None))
    return lib.vmap(lib.vmap(collatz_like(lib), in_axes=(None, 0)), in_axes=(None, 0))(
        SCALAR, bounds
    ), lib.vmap(once, in_axes=(None, 0))(np.abs(VECTOR), bounds[1])


@value
def while_vmap_of_jvp(lib: Any) -> Any:
    def tangent(x: Any) -> Any:
        return lib.jvp(lambda x: collatz_like(lib)(x, np.float32(20))[2], (x,), (x,))

    return lib.vmap(tangent)(np.abs(VECTOR))


@value
def while_jvp_of_vmap(lib: Any) -> Any:
    mapped = lib.vmap(lambda x: collatz_like(lib)(x, np.float32(20))[2])
    return lib.jvp(mapped, (np.abs(VECTOR),), (VECTOR,))


@value
def while_weak_carry(lib: Any) -> Any:
    y = lib.numpy.float32(2)
    return (
        lib.lax.while_loop(lambda c: c < 9, lambda c: c + y, 0),
        lib.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * y), (0, 1.0)),
    )


@value
def while_with_gradient_that_does_not_pass_through(lib: Any) -> Any:
    def loss(x: Any) -> Any:
        n = lib.lax.while_loop(lambda n: n < 5, lambda n: n + 1, 0)
        dead = lib.lax.while_loop(lambda c: c < 5, lambda c: c * 2 + x * x, x)
        return x * n + lib.lax.stop_gradient(dead)

    return lib.grad(loss)(SCALAR), lib.jit(lib.grad(loss))(SCALAR)


@value
def fori_forward(lib: Any) -> Any:
    add = lambda i, c: c + i * SCALAR  # noqa: E731
    run = lambda n: lib.lax.fori_loop(1, n, add, 0.0)  # noqa: E731
    return (
        lib.lax.fori_loop(0, 5, add, SCALAR),
        lib.jit(run)(6),
        lib.lax.fori_loop(3, 3, add, SCALAR),
        lib.lax.fori_loop(3, 1, add, SCALAR),
        lib.lax.fori_loop(0, 7, add, 0.0, unroll=2),
        lib.lax.fori_loop(0, 4, lambda i, c: c + i, 0),
    )


@value
def fori_grad(lib: Any) -> Any:
    loss = lambda x: lib.lax.fori_loop(0, 4, lambda i, c: c * lib.numpy.sin(x) + i, x)  # noqa: E731
    return (
        lib.grad(loss)(SCALAR),
        lib.grad(lib.grad(loss))(SCALAR),
        lib.vmap(lib.grad(loss))(VECTOR),
    )


@value
def fori_vmap_of_bound(lib: Any) -> Any:
    run = lambda n: lib.lax.fori_loop(0, n, lambda i, c: c * 2 + i, 1)  # noqa: E731
    return lib.vmap(run)(np.array([0, 3, 5], np.int32))


@value
def map_forward(lib: Any) -> Any:
    f = lambda x: (lib.numpy.sin(x), {"twice": 2 * x})  # noqa: E731
    return (
        lib.lax.map(f, LONGER),
        lib.lax.map(f, LONGER, batch_size=3),
        lib.lax.map(f, LONGER, batch_size=7),
        lib.lax.map(f, LONGER, batch_size=70),
    )


@value
def map_grad(lib: Any) -> Any:
    loss = lambda x: lib.lax.map(lambda y: lib.numpy.sin(x * y), LONGER).sum()  # noqa: E731
    return lib.grad(loss)(SCALAR)


# -- cond and switch: values ---------------------------------------------------------------------


def chosen(lib: Any) -> Any:
    def run(x: Any, w: Any) -> Any:
        return lib.lax.cond(
            x.sum() > 0,
            lambda x: (lib.numpy.sin(x) * w, x.sum()),
            lambda x: (x * x + w[0], (w * 2).sum() * 1.0),
            x,
        )

    return run


def chosen_total(lib: Any) -> Any:
    def run(x: Any, w: Any) -> Any:
        y, z = chosen(lib)(x, w)
        return (y**2).sum() + z

    return run


@value
def cond_both_ways(lib: Any) -> Any:
    run, x, w = chosen(lib), lib.numpy.asarray(VECTOR), lib.numpy.asarray(ROWS[0])
    return run(x, w), run(-x, w), lib.jit(run)(x, w), lib.jit(run)(-x, w)


@value
def cond_derivatives(lib: Any) -> Any:
    run, x, w = chosen_total(lib), lib.numpy.asarray(VECTOR), lib.numpy.asarray(ROWS[0])
    gradient = lib.grad(run, argnums=(0, 1))
    return (
        gradient(x, w),
        gradient(-x, w),
        lib.jit(gradient)(-x, w),
        lib.jvp(run, (x, w), (w, x)),
        lib.grad(lambda x: (lib.grad(run)(x, w) ** 2).sum())(-x),
        lib.jvp(lib.grad(run), (x, w), (w, x)),
    )


@value
def cond_vmap(lib: Any) -> Any:
    x, w = lib.numpy.asarray(ROWS - 1), lib.numpy.asarray(ROWS[0])
    run, gradient = chosen(lib), lib.grad(chosen_total(lib), argnums=(0, 1))
    return (
        lib.vmap(run, in_axes=(0, None))(x, w),
        lib.vmap(run, in_axes=(None, 0))(x[0], x),
        lib.vmap(gradient, in_axes=(0, None))(x, w),
        lib.grad(lambda w: lib.vmap(chosen_total(lib), in_axes=(0, None))(x, w).sum())(w),
    )


@value
def cond_vmap_has_no_nan_gradient_from_the_untaken_branch(lib: Any) -> Any:
    def safe_sqrt(x: Any, scale: Any) -> Any:
        return lib.lax.cond(x > 0, lambda x: lib.numpy.sqrt(x) / scale, lambda x: 0.0 * x, x)

    points = np.array([-1.0, 0.0, 4.0], np.float32)
    scales = np.array([0.0, 0.0, 2.0], np.float32)
    return lib.vmap(lib.grad(safe_sqrt, argnums=(0, 1)))(points, scales), lib.grad(
        lambda s: lib.vmap(safe_sqrt, in_axes=(0, None))(points, s).sum()
    )(np.float32(2))


@value
def cond_numbers_as_predicates(lib: Any) -> Any:
    yes, no = (lambda x: x + 1), (lambda x: x - 1)
    predicates = [True, 0, 2.5, np.int32(0), np.bool_(True), lib.numpy.float32(0)]
    return [lib.lax.cond(p, yes, no, SCALAR) for p in predicates]


@value
def cond_forms(lib: Any) -> Any:
    x = lib.numpy.asarray(VECTOR)
    twice = lambda x: x * 2  # noqa: E731
    return (
        lib.lax.cond(True, twice, lambda x: x, operand=x),
        lib.lax.cond(False, lambda _: x, lambda _: x * 3, operand=None),
        lib.lax.cond(False, x, twice, x + 1, lambda x: x * 5),
        lib.lax.cond(True, lambda: x, lambda: x * 3),
        lib.lax.cond(pred=True, true_fun=lambda: x, false_fun=lambda: x * 3),
        lib.lax.cond(True, lambda x: None, lambda x: None, x),
        lib.lax.cond(False, lambda d: {"u": d["v"]}, lambda d: {"u": -d["v"]}, {"v": x}),
    )


@value
def cond_weak_results(lib: Any) -> Any:
    return (
        lib.lax.cond(True, lambda: 1.0, lambda: 2.0),
        lib.lax.cond(True, lambda: 1.0, lambda: lib.numpy.float32(2)),
        lib.jit(lambda p: lib.lax.cond(p, lambda: 1.0, lambda: lib.numpy.float32(2)))(True),
    )


def switched(lib: Any) -> Any:
    def run(i: Any, x: Any) -> Any:
        return lib.lax.switch(i, [lib.numpy.sin, lambda x: x * x * x, lambda x: 1 / x], x)

    return run


@value
def switch_values(lib: Any) -> Any:
    run = switched(lib)
    indices = np.array([-3, 0, 1, 2, 9], np.int32)
    return (
        [run(i, SCALAR) for i in (-3, 0, 1, 2, 9, np.uint8(1), np.int32(2))],
        lib.jit(run)(1, SCALAR),
        lib.vmap(run, in_axes=(0, None))(indices, SCALAR),
        lib.vmap(lib.grad(run, argnums=1), in_axes=(0, None))(indices, SCALAR),
        lib.grad(lambda x: lib.vmap(run)(indices, x).sum())(np.arange(5, dtype=np.float32)),
        lib.lax.switch(0, [lambda x: x + 1], SCALAR),
    )


@value
def cond_inside_scan(lib: Any) -> Any:
    def loss(x: Any, w: Any) -> Any:
        def body(c: Any, y: Any) -> Any:
            new = lib.lax.cond(
                y > 0, lambda c: lib.numpy.sin(c * w), lambda c: c * y * lib.numpy.cos(w), c
            )
            return new, new * y

        c, ys = lib.lax.scan(body, x, LONGER)
        return c + ys.sum()

    gradient = lib.grad(loss, argnums=(0, 1))
    return (
        gradient(SCALAR, SCALAR),
        lib.jit(gradient)(SCALAR, SCALAR),
        lib.vmap(gradient, in_axes=(0, None))(VECTOR, SCALAR),
        lib.grad(lambda x: gradient(x, SCALAR)[1])(SCALAR),
    )


@value
def scan_inside_cond(lib: Any) -> Any:
    def loss(x: Any) -> Any:
        run = lambda x: lib.lax.scan(lambda c, y: (c * x + y, None), x, LONGER)[0]  # noqa: E731
        return lib.lax.cond(x > 0, run, lambda x: lib.numpy.sin(x), x)

    return [lib.grad(loss)(x) for x in VECTOR], lib.vmap(lib.grad(loss))(VECTOR)


@value
def while_inside_scan(lib: Any) -> Any:
    def run(x: Any) -> Any:
        def body(c: Any, y: Any) -> Any:
            n = lib.lax.while_loop(lambda n: n * y < 2.0, lambda n: n + 1, 1)
            return c * x + n, n

        return lib.lax.scan(body, x, np.abs(LONGER) + 0.1)

    return run(SCALAR), lib.grad(lambda x: run(x)[0])(SCALAR), lib.vmap(run)(VECTOR)


# -- texts of programs ---------------------------------------------------------------------------


@text(SCALAR, LONGER)
def text_of_scan(lib: Any) -> Any:
    return lambda a, b: lib.lax.scan(lambda c, x: (c * SCALAR + x, c), a, b)


@text(SCALAR, LONGER)
def text_of_scan_options(lib: Any) -> Any:
    body = lambda c, x: (c * x, c)  # noqa: E731
    return lambda a, b: lib.lax.scan(body, a, b, reverse=True, unroll=2, _split_transpose=True)


@text(VECTOR, VECTOR)
def text_of_scan_with_constants(lib: Any) -> Any:
    return lambda a, w: lib.lax.scan(lambda c, _: (c * w, None), a, None, length=4)


@text(VECTOR, VECTOR)
def text_of_scan_with_invariant_carries(lib: Any) -> Any:
    def body(c: Any, x: Any) -> Any:
        return (c[0] * x, c[1], c[2]), (c[1] * c[0], x)

    return lambda a, b: lib.lax.scan(body, (a, b, a), a)


@text()
def text_of_scan_with_weak_carry(lib: Any) -> Any:
    return lambda: lib.lax.scan(lambda c, x: (c * 2, c), 1.0, None, length=2)


@text(10)
def text_of_while(lib: Any) -> Any:
    return lambda a: lib.lax.while_loop(
        lambda c: c[0] < a, lambda c: (c[0] + 1, c[1] * 2), (0, 1.0)
    )


@text(VECTOR, VECTOR)
def text_of_while_with_invariant_carry(lib: Any) -> Any:
    return lambda a, b: lib.lax.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1], c[2] * c[1]), (0, a, b)
    )


@text(SCALAR)
def text_of_fori(lib: Any) -> Any:
    return lambda a: lib.lax.fori_loop(2, 10, lambda i, c: c * i, a)


@text(SCALAR, 3)
def text_of_fori_with_traced_bound(lib: Any) -> Any:
    return lambda a, n: lib.lax.fori_loop(0, n, lambda i, c: c * i, a)


@text(SCALAR, 3)
def text_of_fori_with_typed_bound(lib: Any) -> Any:
    return lambda a, n: lib.lax.fori_loop(lib.numpy.int16(0), n, lambda i, c: c * 2.0, a)


@text(SCALAR)
def text_of_cond(lib: Any) -> Any:
    return lambda a: lib.lax.cond(a > 0, lambda x: x * 2, lambda x: x * VECTOR.sum(), a)


@text(VECTOR)
def text_of_cond_with_shared_constants(lib: Any) -> Any:
    return lambda a: lib.lax.cond(a[0] > 0, lambda x: x * a, lambda x: x * a + a[0], a[1])


@text(VECTOR)
def text_of_cond_that_hands_through(lib: Any) -> Any:
    return lambda a: lib.lax.cond(a[0], lambda x: (x, x * 2), lambda x: (x, x * 3), a)


@text(VECTOR)
def text_of_cond_with_known_predicate(lib: Any) -> Any:
    return lambda a: lib.lax.cond(True, lambda x: x + 1, lambda x: x, a)


@text(1, SCALAR)
def text_of_switch(lib: Any) -> Any:
    return lambda i, a: lib.lax.switch(i, [lambda x: x * 2, lambda x: x * 3, lambda x: x], a)


@text(VECTOR)
def text_of_map(lib: Any) -> Any:
    return lambda a: lib.lax.map(lambda x: x * 2, a)


@text(VECTOR)
def text_of_map_in_blocks(lib: Any) -> Any:
    return lambda a: lib.lax.map(lambda x: x * 2, a, batch_size=2)


@text(SCALAR, VECTOR)
def text_of_jvp_of_while(lib: Any) -> Any:
    def run(a: Any, w: Any) -> Any:
        loop = lambda a, w: lib.lax.while_loop(  # noqa: E731
            lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * a * w), (0, w)
        )[1]
        return lib.jvp(loop, (a, w), (a, w))

    return run


@text(VECTOR, VECTOR)
def text_of_jvp_of_scan(lib: Any) -> Any:
    def run(a: Any, w: Any) -> Any:
        loop = lambda a, w: lib.lax.scan(lambda c, x: (c * w * x, c), a, w)  # noqa: E731
        return lib.jvp(loop, (a, w), (a, w))

    return run


@text(VECTOR)
def text_of_vmap_of_cond(lib: Any) -> Any:
    return lib.vmap(lambda a: lib.lax.cond(a > 0, lambda x: lib.numpy.sin(x), lambda x: x * 2, a))


# -- errors --------------------------------------------------------------------------------------


def loop(lib: Any, body: Any, init: Any, *rest: Any, **options: Any) -> Any:
    return lib.lax.scan(body, init, *(rest or (None,)), **({"length": 2} | options))


@error
def scan_of_no_function(lib: Any) -> Any:
    return lib.lax.scan(3, VECTOR, VECTOR)


@error
def scan_without_length(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (c, x), VECTOR, None)


@error
def scan_of_other_length(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (c, x), VECTOR, VECTOR, length=5)


@error
def scan_of_unequal_lengths(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (c, x), VECTOR, (VECTOR, LONGER))


@error
def scan_of_strings(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (c, x), VECTOR, "abc")


@error
def scan_with_string_carry(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (c, x), "abc", VECTOR)


@error
def scan_body_returns_a_string(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (c, "s"), VECTOR, VECTOR)


@error
def scan_body_returns_no_pair(lib: Any) -> Any:
    return loop(lib, lambda c, x: c, VECTOR)


@error
def scan_body_returns_three(lib: Any) -> Any:
    return loop(lib, lambda c, x: (c, c, None), VECTOR)


@error
def scan_carry_of_other_shape(lib: Any) -> Any:
    return loop(lib, lambda c, x: ({"p": c["p"], "q": c["p"]}, None), {"p": VECTOR, "q": SCALAR})


@error
def scan_carry_of_other_shape_and_dtype(lib: Any) -> Any:
    return loop(lib, lambda c, x: (lib.numpy.ones(3, int), None), SCALAR)


@error
def scan_carry_of_other_dtype(lib: Any) -> Any:
    return lib.lax.scan(lambda c, x: (c + x, None), np.int32(0), VECTOR)


@error
def scan_carry_of_other_structure(lib: Any) -> Any:
    return loop(lib, lambda c, x: ({"p": c["p"]}, None), {"p": VECTOR, "q": SCALAR})


@error
def scan_negative_unroll(lib: Any) -> Any:
    return loop(lib, lambda c, x: (c, None), VECTOR, unroll=-1)


@error
def while_of_no_function(lib: Any) -> Any:
    return lib.lax.while_loop(3, lambda c: c, 0)


@error
def while_condition_is_a_number(lib: Any) -> Any:
    return lib.lax.while_loop(lambda c: c, lambda c: c + 1, np.int32(0))


@error
def while_condition_is_a_vector(lib: Any) -> Any:
    return lib.lax.while_loop(lambda c: c < 3, lambda c: c + 1, VECTOR)


@error
def while_condition_is_a_pair(lib: Any) -> Any:
    return lib.lax.while_loop(lambda c: (c < 3, c < 3), lambda c: c + 1, 0)


@error
def while_carry_of_other_shape(lib: Any) -> Any:
    return lib.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, VECTOR), (0, 1.0))


@error
def while_carry_of_other_structure(lib: Any) -> Any:
    return lib.lax.while_loop(lambda c: c[0] < 3, lambda c: [c[0] + 1, c[1]], (0, 1.0))


@error
def while_backwards(lib: Any) -> Any:
    return lib.grad(lambda x: collatz_like(lib)(x, np.float32(20))[2])(SCALAR)


@error
def fori_with_traced_bound_backwards(lib: Any) -> Any:
    run = lambda x, n: lib.lax.fori_loop(0, n, lambda i, c: c * x, 1.0)  # noqa: E731
    return lib.jit(lib.grad(run))(SCALAR, 3)


@error
def fori_of_no_function(lib: Any) -> Any:
    return lib.lax.fori_loop(0, 3, 4, 1.0)


@error
def fori_bounds_of_two_types(lib: Any) -> Any:
    return lib.lax.fori_loop(np.int8(0), np.int16(3), lambda i, c: c, 1.0)


@error
def fori_float_bound(lib: Any) -> Any:
    return lib.lax.fori_loop(0.0, 3, lambda i, c: c, 1.0)


@error
def fori_unroll_with_traced_bound(lib: Any) -> Any:
    run = lambda n: lib.lax.fori_loop(0, n, lambda i, c: c * 2, 1.0, unroll=2)  # noqa: E731
    return lib.jit(run)(3)


@error
def fori_carry_of_other_shape(lib: Any) -> Any:
    return lib.lax.fori_loop(0, 3, lambda i, c: lib.numpy.ones(3), 1.0)


@error
def cond_predicate_is_a_vector(lib: Any) -> Any:
    return lib.lax.cond(np.array([True, False]), lambda x: x, lambda x: x, VECTOR)


@error
def cond_predicate_is_a_string(lib: Any) -> Any:
    return lib.lax.cond("x", lambda x: x, lambda x: x, VECTOR)


@error
def cond_predicate_is_none(lib: Any) -> Any:
    return lib.lax.cond(None, lambda x: x, lambda x: x, VECTOR)


@error
def cond_predicate_is_complex(lib: Any) -> Any:
    return lib.lax.cond(np.complex64(1), lambda x: x, lambda x: x, VECTOR)


@error
def cond_of_no_function(lib: Any) -> Any:
    return lib.lax.cond(True, 3, lambda x: x, VECTOR)


@error
def cond_of_a_string(lib: Any) -> Any:
    return lib.lax.cond(True, lambda x: x, lambda x: x, "abc")


@error
def cond_results_of_two_shapes(lib: Any) -> Any:
    return lib.lax.cond(True, lambda x: x, lambda x: x[0], lib.numpy.asarray(VECTOR))


@error
def cond_results_of_two_dtypes_in_a_dict(lib: Any) -> Any:
    x = lib.numpy.asarray(VECTOR)
    return lib.lax.cond(True, lambda x: {"u": x}, lambda x: {"u": x.astype(int)}, x)


@error
def cond_results_of_two_structures(lib: Any) -> Any:
    return lib.lax.cond(True, lambda x: (x, x), lambda x: [x, x], VECTOR)


@error
def cond_result_and_pair(lib: Any) -> Any:
    return lib.lax.cond(True, lambda x: (x, x), lambda x: x, VECTOR)


@error
def switch_without_branches(lib: Any) -> Any:
    return lib.lax.switch(0, [], VECTOR)


@error
def switch_of_no_function(lib: Any) -> Any:
    return lib.lax.switch(0, [lambda x: x, 3], VECTOR)


@error
def switch_float_index(lib: Any) -> Any:
    return lib.lax.switch(np.float32(1), [lambda x: x, lambda x: x], VECTOR)


@error
def switch_vector_index(lib: Any) -> Any:
    return lib.lax.switch(np.array([1, 2]), [lambda x: x, lambda x: x], VECTOR)


# -- the tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VALUES)
def test_values_agree(name: str) -> None:
    with minijax.default_device(minijax.devices("numpy")[0]):
        got = VALUES[name](minijax)
    assert_same(got, VALUES[name](jax))


@pytest.mark.slow
@pytest.mark.parametrize("name", VALUES)
def test_compiled_values_agree(name: str) -> None:
    assert_same(VALUES[name](minijax), VALUES[name](jax))


@pytest.mark.parametrize("name", TEXTS)
def test_texts_agree(name: str) -> None:
    build, args = TEXTS[name]
    assert str(minijax.make_jaxpr(build(minijax))(*args)) == str(jax.make_jaxpr(build(jax))(*args))


@pytest.mark.parametrize("name", ERRORS)
def test_errors_agree(name: str) -> None:
    with pytest.raises(Exception) as expected:
        ERRORS[name](jax)
    with pytest.raises(type(expected.value)) as raised:
        ERRORS[name](minijax)
    assert normal(raised.value) == normal(expected.value)


def normal(raised: BaseException) -> str:
    """Return a message without what belongs to a library's inside."""
    return re.sub(r"jax\._src\.core|minijax\.core\.aval", "CORE", str(raised))
