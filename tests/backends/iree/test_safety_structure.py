"""Products, loops and the limits of one kernel."""

from __future__ import annotations

import numpy as np
import pytest

from minijax.stablehlo.ir import Dims, TensorType
from minijax_iree.compiler import CompilerCrash
from minijax_iree.safety import make_safe

W = np.linspace(-1, 1, 20, dtype=np.float32).reshape(4, 5)


def dot(ctx, x, y, element):
    kind = TensorType((x.type.shape[0], y.type.shape[1]), element)
    return ctx.op(
        "stablehlo.dot_general",
        x,
        y,
        type=kind,
        dot_dimension_numbers=Dims(
            "dot",
            (
                ("lhs_batching_dimensions", ()),
                ("rhs_batching_dimensions", ()),
                ("lhs_contracting_dimensions", (1,)),
                ("rhs_contracting_dimensions", (0,)),
            ),
        ),
    )


def converted_product(ctx, x, w):
    return dot(ctx, ctx.convert(x, np.dtype(np.float32)), w, "f32")


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.uint16, np.uint32])
def test_product_of_converted(bench, dtype):
    x = (np.arange(12).reshape(3, 4) % 3 * 100).astype(dtype)
    result = bench.run([x, W], converted_product)[0]
    np.testing.assert_allclose(result, x.astype(np.float32) @ W, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_product_of_unsigned(bench, dtype):
    x = (np.arange(12).reshape(3, 4) * 20).astype(dtype)
    result = bench.run([x, x.T.copy()], lambda ctx, a, b: dot(ctx, a, b, "i32"))[0]
    np.testing.assert_array_equal(result, x.astype(np.int32) @ x.T.astype(np.int32))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8])
def test_product_of_converted_fault_persists(bench, dtype):
    x = (np.arange(12).reshape(3, 4) % 3 * 100).astype(dtype)
    result = bench.run([x, W], converted_product, safe=False)[0]
    assert not np.allclose(result, x.astype(np.float32) @ W, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("rows", "depth"), [(3, 0), (0, 4)])
def test_product_of_nothing(bench, rows, depth):
    x, y = np.zeros((rows, depth), np.float32), np.zeros((depth, 2), np.float32)
    result = bench.run([x, y], lambda ctx, a, b: dot(ctx, a, b, "f32"))[0]
    np.testing.assert_array_equal(result, np.zeros((rows, 2), np.float32))


def test_product_of_nothing_fault_persists(bench):
    x, y = np.zeros((3, 0), np.float32), np.zeros((0, 2), np.float32)
    module = bench.build([x, y], lambda ctx, a, b: dot(ctx, a, b, "f32"))
    flags = (*bench.backend.target.flags, "--iree-opt-level=O1")
    with pytest.raises(CompilerCrash):
        bench.backend._compiler.compile(module.text(), flags)


def halve_until_small(ctx, x, go):
    """A loop whose truth value is carried: computed by the body, read by the condition only."""
    types = [x.type, go.type]
    with ctx.region(types) as condition:
        ctx.return_(condition.arguments[1])
    with ctx.region(types) as body:
        value, _ = body.arguments
        half = ctx.like("stablehlo.multiply", value, ctx.constant_like(0.5, value))
        ctx.return_(half, ctx.compare("GT", half, ctx.constant_like(1e-3, half)))
    return ctx.ops("stablehlo.while", [x, go], types, [condition, body])


def test_while_with_carried_condition(bench):
    value, go, *_ = bench.run([np.float32(1), np.bool_(True)], halve_until_small)
    assert value == np.float32(2.0**-10)
    assert not go


def test_while_fault_persists(bench):
    module = bench.build([np.float32(1), np.bool_(True)], halve_until_small)
    with pytest.raises(CompilerCrash):
        bench.backend._compiler.compile(module.text(), bench.backend.target.flags)


def sum_of_products(ctx, *values):
    total = values[0]
    for left, right in zip(values, values[1:], strict=False):
        total = ctx.like("stablehlo.add", total, ctx.like("stablehlo.multiply", left, right))
    return total


def many_arrays():
    return [np.full(5, k / 60, np.float32) for k in range(60)]


def test_many_inputs(bench):
    arrays = many_arrays()
    expected = arrays[0] + sum(x * y for x, y in zip(arrays, arrays[1:], strict=False))
    np.testing.assert_allclose(bench.run(arrays, sum_of_products)[0], expected, rtol=1e-5)


def test_many_inputs_fault_persists(bench):
    with pytest.raises(RuntimeError, match="binding count"):
        bench.run(many_arrays(), sum_of_products, safe=False)


def reverse_slice(ctx, x):
    piece = ctx.op(
        "stablehlo.slice",
        x,
        type=TensorType((3, 2, 3), "f32"),
        start_indices=(0, 1, 0),
        limit_indices=(3, 3, 5),
        strides=(1, 1, 2),
    )
    return ctx.like("stablehlo.reverse", piece, dimensions=(0, 2))


CUBE = np.arange(60, dtype=np.float32).reshape(3, 4, 5)


def test_reverse_of_slice(bench):
    result = bench.run([CUBE], reverse_slice)[0]
    np.testing.assert_array_equal(result, CUBE[:, 1:3, ::2][::-1, :, ::-1])


def test_reverse_of_slice_fault_persists(bench):
    module = bench.build([CUBE], reverse_slice)
    with pytest.raises(RuntimeError, match="unrealized_conversion_cast"):
        bench.backend._compiler.compile(module.text(), bench.backend.target.flags)


def test_make_safe_leaves_the_module_alone(bench):
    module = bench.build([np.float32(1), np.bool_(True)], halve_until_small)
    before = module.text()
    assert make_safe(module).text() != before
    assert module.text() == before
