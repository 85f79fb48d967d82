"""Forms that IREE makes faster: the values stay, the operations are the intended ones."""

from __future__ import annotations

import numpy as np
import pytest

import minijax
import minijax.numpy as jnp
from minijax_iree.tuning import tune

RANDOM = np.random.default_rng(0)


def random(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def tuned(function, *arguments):
    """The tuned program of a function, as the names of its operations."""
    lowered = minijax.jit(function).lower(*arguments)
    module = tune(lowered.compiler_ir())
    return [op.name.split(".")[1] for part in module.functions for op in part.body.walk()]


def check(function, *arguments, rtol=1e-5):
    """Compare the compiled program with the one that NumPy runs."""
    with minijax.disable_jit():
        expected = minijax.tree.leaves(function(*map(jnp.asarray, arguments)))
    found = minijax.tree.leaves(minijax.jit(function)(*arguments))
    for result, other in zip(found, expected, strict=True):
        scale = np.abs(np.asarray(other)).max()
        np.testing.assert_allclose(result, other, rtol=rtol, atol=rtol * scale)


# -- products --------------------------------------------------------------------------------------

TRANSPOSED = {
    "matrices": (lambda x, y: (x @ y).T, (5, 6), (6, 7)),
    "first operand transposed": (lambda x, y: (x.T @ y).T, (6, 5), (6, 7)),
    "both transposed": (lambda x, y: (x.T @ y.T).T, (6, 5), (7, 6)),
    "batched": (lambda x, y: jnp.swapaxes(x @ y, 1, 2), (3, 5, 6), (3, 6, 7)),
    "two free dimensions": (lambda x, y: jnp.einsum("abk,kc->cab", x, y), (2, 3, 6), (6, 7)),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_product(name):
    function, *shapes = TRANSPOSED[name]
    arguments = [random(*shape) for shape in shapes]
    check(function, *arguments)
    # Transpositions of an argument stay; that of the product does not.
    operations = tuned(function, *arguments)
    assert "transpose" not in operations[operations.index("dot_general") :]


def test_product_used_twice_is_computed_once():
    def function(x, y):
        product = x @ y
        return product, product.T

    check(function, random(5, 6), random(6, 7))
    assert tuned(function, random(5, 6), random(6, 7)).count("dot_general") == 1


FLATTENED = {
    "rows of a sequence": ("bsd,dk->bsk", (2, 3, 4), (4, 5)),
    "heads": ("bsd,dhk->bshk", (2, 3, 4), (4, 5, 6)),
    "heads joined": ("bshk,hkd->bsd", (2, 3, 4, 5), (4, 5, 6)),
    "gradient of a weight": ("bsd,bsk->dk", (2, 3, 4), (2, 3, 5)),
    "contracted first": ("kab,kc->abc", (2, 3, 4), (2, 5)),
    "contracted between": ("akb,kc->abc", (2, 3, 4), (3, 5)),
    "contracted in another order": ("hka,khc->ac", (2, 3, 4), (3, 2, 5)),
    "batched": ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
}


@pytest.mark.parametrize("name", FLATTENED)
def test_products_of_many_dimensions(name):
    subscripts, *shapes = FLATTENED[name]
    check(lambda x, y: jnp.einsum(subscripts, x, y), *(random(*shape) for shape in shapes))


# -- updates ---------------------------------------------------------------------------------------


def step(parameters, x, y):
    """One step of gradient descent with momentum; returns parameters and the loss."""

    def loss(weights):
        hidden = jnp.maximum(x @ weights[0], 0)
        return jnp.mean((hidden @ weights[1] - y) ** 2)

    value, gradients = minijax.value_and_grad(loss)([weight for weight, _ in parameters])
    moved = []
    for (weight, momentum), gradient in zip(parameters, gradients, strict=True):
        momentum = 0.9 * momentum + gradient
        moved.append((weight - 0.1 * momentum, momentum))
    return moved, value


def large_step_arguments():
    weights = [random(200, 256), random(256, 190)]
    return [(weight, random(*weight.shape)) for weight in weights], random(8, 200), random(8, 190)


def flat_step(*arrays):
    w0, m0, w1, m1, x, y = arrays
    return step([(w0, m0), (w1, m1)], x, y)


def test_updates_come_last():
    parameters, x, y = large_step_arguments()
    arguments = [*minijax.tree.leaves(parameters), x, y]
    check(flat_step, *arguments, rtol=1e-4)
    operations = tuned(flat_step, *arguments)
    barrier = operations.index("optimization_barrier")
    assert operations.count("optimization_barrier") == 1
    assert "dot_general" not in operations[barrier:]


def test_two_steps_in_one_program():
    def twice(*arrays):
        (moved, _) = flat_step(*arrays)
        return flat_step(*minijax.tree.leaves(moved), *arrays[4:])

    parameters, x, y = large_step_arguments()
    check(twice, *minijax.tree.leaves(parameters), x, y, rtol=1e-3)


# -- reductions ------------------------------------------------------------------------------------

REDUCTIONS = {
    "sum": lambda x: jnp.sum(x, -1),
    "max": lambda x: jnp.max(x, -1),
    "min": lambda x: jnp.min(x, -1),
    "prod": lambda x: jnp.prod(1 + x / 100, -1),
    "argmax": lambda x: jnp.argmax(x, -1),
    "softmax": lambda x: minijax.nn.softmax(x, -1),
    "logsumexp": lambda x: minijax.nn.logsumexp(x, -1),
    "variance": lambda x: jnp.var(x, -1),
    "sum of columns": lambda x: jnp.sum(x, 0),
}


@pytest.mark.parametrize("length", [70, 128, 1000])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_of_rows(name, length):
    check(REDUCTIONS[name], random(20, length))


def test_rows_are_split_into_vectors():
    operations = tuned(REDUCTIONS["sum"], random(20, 1000))
    assert operations.count("reduce") == 2
    assert tuned(REDUCTIONS["sum"], random(20, 1024)).count("reduce") == 1
    assert tuned(REDUCTIONS["variance"], random(20, 1000)).count("reduce") <= 3


def test_reduction_of_integers_and_nan():
    x = np.arange(200, dtype=np.int32).reshape(2, 100) * 12345678
    np.testing.assert_array_equal(minijax.jit(REDUCTIONS["sum"])(x), x.sum(-1, dtype=np.int32))
    y = random(2, 100)
    y[1, 99] = np.nan
    assert np.isnan(minijax.jit(REDUCTIONS["max"])(y)).tolist() == [False, True]


def test_exponentials_are_finished_first():
    operations = tuned(REDUCTIONS["softmax"], random(32, 512))
    exponential = operations.index("exponential")
    assert operations[exponential + 1] == "optimization_barrier"
