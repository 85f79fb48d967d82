"""Windows, convolutions, the largest elements, random bits: right, and the faults still there."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from minijax.core.aval import ShapedArray
from minijax.core.backend import Program
from minijax.primitives.conv import conv_attribute, conv_reference
from minijax.primitives.conv_dimensions import ConvDimensionNumbers
from minijax.primitives.logic import ge_p
from minijax.primitives.random_bit_generator import (
    RandomAlgorithm,
    rng_bit_generator_reference,
)
from minijax.primitives.top_k import top_k_reference
from minijax.primitives.window_choices import select_and_scatter_add_reference
from minijax.stablehlo.ir import IntegerMatrix, Raw, TensorType
from minijax_iree.compiler import CompilationError, CompilerCrash

# -- select_and_scatter ---------------------------------------------------------------------------

WINDOWS = [
    ((2, 2), (2, 2), ((0, 0), (0, 0)), (4, 6)),
    ((3, 3), (2, 2), ((1, 1), (0, 1)), (5, 6)),
    ((2, 3), (1, 1), ((0, 0), (2, 2)), (4, 5)),
    ((3, 2), (3, 1), ((-1, 2), (0, -1)), (6, 4)),
]


def select_and_scatter(window: Any, strides: Any, padding: Any) -> Any:
    """A program body: operand, source -> sum of what each window chose."""

    def body(ctx: Any, operand: Any, source: Any) -> Any:
        scalar = TensorType((), operand.type.element)
        with ctx.region([scalar, scalar]) as choice:
            ctx.return_(ctx.compare("GE", *choice.arguments))
        with ctx.region([scalar, scalar]) as addition:
            ctx.return_(ctx.like("stablehlo.add", *addition.arguments))
        return ctx.op(
            "stablehlo.select_and_scatter",
            operand,
            source,
            ctx.constant(np.float32(0)),
            type=operand.type,
            regions=[choice, addition],
            window_dimensions=window,
            window_strides=strides,
            padding=IntegerMatrix(padding),
        )

    return body


@pytest.mark.parametrize(("window", "strides", "padding", "shape"), WINDOWS)
def test_select_and_scatter(bench, window, strides, padding, shape):
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 2, shape).astype(np.float32)
    counts = tuple(
        (n + sum(pad) - k) // s + 1
        for n, pad, k, s in zip(shape, padding, window, strides, strict=True)
    )
    source = rng.normal(size=counts).astype(np.float32)
    result = bench.run([x, source], select_and_scatter(window, strides, padding))
    expected = select_and_scatter_add_reference(
        source,
        x,
        select_prim=ge_p,
        window_dimensions=window,
        window_strides=strides,
        padding=padding,
    )
    np.testing.assert_allclose(result[0], expected, rtol=1e-6)
    np.testing.assert_array_equal(result[1], x)


def test_fault_overlapping_windows_are_not_compiled(bench):
    x, source = np.ones((5, 5), np.float32), np.ones((3, 3), np.float32)
    with pytest.raises(CompilationError, match="select_and_scatter"):
        bench.run([x, source], select_and_scatter((3, 3), (1, 1), ((0, 0),) * 2), safe=False)


# -- top_k ----------------------------------------------------------------------------------------


def top_k(k: int) -> Any:
    def body(ctx: Any, x: Any) -> Any:
        shape = (*x.type.shape[:-1], k)
        kinds = [TensorType(shape, x.type.element), TensorType(shape, "i32")]
        return ctx.ops("chlo.top_k", [x], kinds, k=k)

    return body


ODD = np.array([[1, np.nan, 3, -0.0, 0.0, 3, np.inf, -np.nan, -np.inf]], np.float32)


@pytest.mark.parametrize(
    "x",
    [
        ODD,
        ODD.astype(np.float16),
        ODD.astype(np.float64),
        np.random.default_rng(0).integers(0, 5, (3, 100)).astype(np.int32),
        np.array([[3, 250, 7, 250]], np.uint8),
        np.array([[False, True, False, True]]),
    ],
)
def test_top_k(bench, x):
    for k in (0, 1, 4):
        result = bench.run([x], top_k(k))
        for found, expected in zip(result, top_k_reference(x, k=k, axis=1), strict=False):
            assert found.tobytes() == expected.tobytes()
        assert result[2].tobytes() == x.tobytes()


def test_fault_top_k_of_ties_nan_and_unsigned(bench):
    ties = np.array([2, 1, 2, 2, 0, 2, 1, 2], np.int32)
    wrong = []
    for x in (ODD[0], ties, np.array([3, 250, 7, 250], np.uint8)):
        found = bench.run([x], top_k(4), safe=False)
        expected = top_k_reference(x, k=4, axis=0)
        wrong.append(not all(map(np.array_equal, found[:2], expected)))
    assert all(wrong)


# -- convolution ----------------------------------------------------------------------------------

NHWC = ConvDimensionNumbers((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
NCHW = ConvDimensionNumbers(*((0, 1, 2, 3),) * 3)
ODD_LAYOUT = ConvDimensionNumbers((3, 1, 0, 2), (1, 3, 2, 0), (1, 3, 0, 2))


def params_of(numbers: ConvDimensionNumbers, **changes: Any) -> dict[str, Any]:
    return {
        "window_strides": (1, 1),
        "padding": ((0, 0), (0, 0)),
        "lhs_dilation": (1, 1),
        "rhs_dilation": (1, 1),
        "dimension_numbers": numbers,
        "feature_group_count": 1,
        "batch_group_count": 1,
    } | changes


def expected_convolution(x: np.ndarray, w: np.ndarray, params: dict[str, Any]) -> np.ndarray:
    return conv_reference(
        x, w, **params, precision=None, preferred_element_type=None, out_sharding=None
    )


def convolution(shape: tuple[int, ...], params: dict[str, Any]) -> Any:
    """A program body: the convolution of two arrays."""

    def body(ctx: Any, x: Any, w: Any) -> Any:
        attributes = params | {
            "padding": IntegerMatrix(params["padding"]),
            "dimension_numbers": conv_attribute(params["dimension_numbers"]),
            "precision_config": [Raw("#stablehlo<precision DEFAULT>")] * 2,
        }
        kind = TensorType(shape, x.type.element)
        return ctx.op("stablehlo.convolution", x, w, type=kind, **attributes)

    return body


CONVOLUTIONS = [
    ((2, 7, 6, 3), (3, 2, 3, 4), params_of(NHWC, window_strides=(2, 1), padding=((1, 2), (0, 1)))),
    ((2, 3, 7, 6), (4, 3, 3, 2), params_of(NCHW, padding=((1, 2), (0, 1)))),
    (
        (5, 3, 4, 2),
        (2, 4, 3, 3),
        params_of(
            ODD_LAYOUT,
            lhs_dilation=(1, 2),
            rhs_dilation=(2, 1),
            padding=((2, -1), (-1, 2)),
            window_strides=(1, 3),
        ),
    ),
    ((2, 4, 5, 5), (6, 2, 2, 2), params_of(NCHW, feature_group_count=2)),
    ((4, 3, 5, 5), (2, 3, 2, 2), params_of(NCHW, batch_group_count=2)),
    # A large window with few places, as in the gradient of weights.
    ((3, 2, 8, 8), (4, 2, 6, 7), params_of(NCHW, padding=((0, 1), (1, 0)), rhs_dilation=(1, 1))),
    (
        (3, 2, 6, 4),
        (4, 2, 3, 5),
        params_of(
            NCHW, lhs_dilation=(2, 1), rhs_dilation=(3, 1), padding=((-1, 1), (1, 1)),
            window_strides=(3, 1),
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize("dtype", (np.float32, np.complex64))
@pytest.mark.parametrize(("lhs", "rhs", "params"), CONVOLUTIONS)
def test_convolution(bench, lhs, rhs, params, dtype):
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=shape).astype(np.float32).astype(dtype) for shape in (lhs, rhs))
    if dtype is np.complex64:
        x, w = x * (1 + 2j), w * (3 - 1j)
        x, w = x.astype(dtype), w.astype(dtype)
    expected = expected_convolution(x, w, params)
    result = bench.run([x, w], convolution(expected.shape, params))
    np.testing.assert_allclose(result[0], expected, rtol=1e-4, atol=1e-4)


def test_fault_convolution_of_complex_numbers_ends_the_compiler(bench):
    x, w = np.ones((1, 2, 4), np.complex64), np.ones((2, 2, 3), np.complex64)
    one_axis = {
        "window_strides": (1,),
        "padding": ((1, 1),),
        "lhs_dilation": (1,),
        "rhs_dilation": (1,),
        "dimension_numbers": ConvDimensionNumbers(*((0, 1, 2),) * 3),
    }
    with pytest.raises(CompilerCrash):
        bench.run([x, w], convolution((1, 2, 4), params_of(NCHW) | one_axis), safe=False)


def test_fault_features_not_last_are_slow(bench):
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=s).astype(np.float32) for s in ((8, 32, 32, 32), (32, 32, 3, 3)))
    params = params_of(NCHW, padding=((1, 1), (1, 1)))
    body = convolution((8, 32, 32, 32), params)
    seconds = [shortest_run(bench, [x, w], body, safe) for safe in (True, False)]
    assert seconds[1] > 4 * seconds[0]


def shortest_run(bench: Any, arguments: list[np.ndarray], body: Any, safe: bool) -> float:
    """The shortest of five runs, in seconds."""
    module = bench.build(arguments, body)
    avals = tuple(ShapedArray(t.shape, np.dtype(np.float32)) for t in module.main.result_types)
    program = Program("test", module if safe else module.text(), avals)
    executable = bench.backend.compile(program, bench.device)
    buffers = [bench.backend.buffer_from_numpy(x, bench.device) for x in arguments]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        (result,) = executable.execute(buffers)
        bench.backend.buffer_to_numpy(result, avals[0].shape, avals[0].dtype)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


# -- random bits ----------------------------------------------------------------------------------


def random_bits(ctx: Any, state: Any) -> Any:
    return ctx.ops(
        "stablehlo.rng_bit_generator",
        [state],
        [state.type, TensorType((9,), "ui32")],
        rng_algorithm=Raw("#stablehlo<rng_algorithm PHILOX>"),
    )


def expected_bits(state: np.ndarray) -> list[np.ndarray]:
    with np.errstate(over="ignore"):
        return rng_bit_generator_reference(
            state,
            shape=(9,),
            dtype=np.dtype(np.uint32),
            algorithm=RandomAlgorithm.RNG_PHILOX,
            out_sharding=None,
        )


LAST = np.array([2**40 + 7, 2**64 - 2], np.uint64)


def test_random_bits_carry(bench):
    for state in (np.array([1, 2], np.uint64), LAST):
        for found, expected in zip(
            bench.run([state], random_bits), expected_bits(state), strict=False
        ):
            np.testing.assert_array_equal(found, expected)


def test_fault_the_counter_does_not_carry(bench):
    found = bench.run([LAST], random_bits, safe=False)
    assert not np.array_equal(found[1], expected_bits(LAST)[1])
