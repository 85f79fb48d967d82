"""Products, loops and the limits of one kernel."""

from __future__ import annotations

import numpy as np
import pytest

from minijax.stablehlo.ir import Dims, TensorType
from minijax_iree.compiler import CompilationError, CompilerCrash
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


def loop(rounds, step, first, second):
    """A program body: a loop over two arrays, started as the functions `first` and `second` say.

    ``step(ctx, a, b)`` gives the next two arrays.
    """

    def body(ctx, x):
        start = [ctx.constant(np.int32(0)), first(ctx, x), second(ctx, x)]
        types = [value.type for value in start]
        with ctx.region(types) as condition:
            count = condition.arguments[0]
            ctx.return_(ctx.compare("LT", count, ctx.constant(np.int32(rounds))))
        with ctx.region(types) as block:
            count, a, b = block.arguments
            following = ctx.like("stablehlo.add", count, ctx.constant(np.int32(1)))
            ctx.return_(following, *step(ctx, a, b))
        results = ctx.ops("stablehlo.while", start, types, [condition, block])
        return [*results[1:], x]

    return body


def itself(ctx, x):
    return x


def double(ctx, x):
    return ctx.like("stablehlo.add", x, x)


def ones(ctx, x):
    return ctx.constant_like(1, x)


STEPS = {
    "both change": lambda ctx, a, b: (double(ctx, a), ctx.like("stablehlo.add", a, b)),
    "one constant": lambda ctx, a, b: (ctx.like("stablehlo.add", a, b), b),
    "exchanged": lambda ctx, a, b: (b, a),
    "moved on": lambda ctx, a, b: (double(ctx, a), a),
    "not read": lambda ctx, a, b: (double(ctx, a), ones(ctx, b)),
    "none read": lambda ctx, a, b: (ones(ctx, a), ones(ctx, b)),
    "unused result": lambda ctx, a, b: (double(ctx, a), (double(ctx, b), ones(ctx, b))[1]),
}
NUMPY_STEPS = {
    "both change": lambda a, b: (a + a, a + b),
    "one constant": lambda a, b: (a + b, b),
    "exchanged": lambda a, b: (b, a),
    "moved on": lambda a, b: (a + a, a),
    "not read": lambda a, b: (a + a, np.ones_like(b)),
    "none read": lambda a, b: (np.ones_like(a), np.ones_like(b)),
    "unused result": lambda a, b: (a + a, np.ones_like(b)),
}
STARTS = [(itself, itself), (itself, double), (double, itself), (ones, double)]


@pytest.mark.parametrize("starts", STARTS, ids=lambda pair: "-".join(f.__name__ for f in pair))
@pytest.mark.parametrize("name", STEPS)
def test_loops(bench, name, starts):
    x = np.arange(1, 9, dtype=np.float32)
    start = {itself: x, double: x + x, ones: np.ones_like(x)}
    a, b = (start[function] for function in starts)
    for _ in range(3):
        a, b = NUMPY_STEPS[name](a, b)
    outputs = bench.run([x], loop(3, STEPS[name], *starts))
    for output, expected in zip(outputs, [a, b, x, x], strict=True):
        np.testing.assert_array_equal(output, expected)


def largest_of_previous(ctx, x):
    """A loop that carries an array and the largest element of the array of the round before."""
    start = [ctx.constant(np.int32(0)), ctx.constant(np.float32(0)), x]
    types = [value.type for value in start]
    with ctx.region(types) as condition:
        ctx.return_(ctx.compare("LT", condition.arguments[0], ctx.constant(np.int32(3))))
    with ctx.region(types) as body:
        count, _, array = body.arguments
        scalar = TensorType((), "f32")
        with ctx.region([scalar, scalar]) as larger:
            ctx.return_(ctx.like("stablehlo.maximum", *larger.arguments))
        lowest = ctx.constant(np.float32(-np.inf))
        largest = ctx.op(
            "stablehlo.reduce", array, lowest, type=scalar, regions=[larger], dimensions=(0,)
        )
        following = ctx.like("stablehlo.add", count, ctx.constant(np.int32(1)))
        ctx.return_(following, largest, ctx.like("stablehlo.add", array, array))
    return ctx.ops("stablehlo.while", start, types, [condition, body])[1:]


def test_carry_that_nobody_reads(bench):
    x = np.arange(8, dtype=np.float32)
    largest, array, _ = bench.run([x], largest_of_previous)
    assert largest == 28
    np.testing.assert_array_equal(array, 8 * x)


def count_to_five(ctx):
    """The number of rounds of a loop, as a fraction: nothing depends on an argument."""
    start = ctx.constant(np.int32(0))
    with ctx.region([start.type]) as condition:
        ctx.return_(ctx.compare("LT", condition.arguments[0], ctx.constant(np.int32(5))))
    with ctx.region([start.type]) as body:
        ctx.return_(ctx.like("stablehlo.add", body.arguments[0], ctx.constant(np.int32(1))))
    (count,) = ctx.ops("stablehlo.while", [start], [start.type], [condition, body])
    converted = ctx.convert(count, np.dtype(np.float32))
    return ctx.like("stablehlo.multiply", ctx.constant(np.float32(0.5)), converted)


def test_loop_without_arguments(bench):
    """A loop over constants that feeds another operation compiles by a flag variant."""
    assert bench.run([], count_to_five)[0] == 2.5


def test_loop_without_arguments_fault_persists(bench):
    module = bench.build([], count_to_five)
    with pytest.raises(CompilationError, match="maximum iteration count exceeded"):
        bench.backend._compiler.compile(make_safe(module).text(), bench.backend.target.flags)


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
