"""Windows that slide over unsigned integers."""

from __future__ import annotations

import numpy as np
import pytest

from minijax.stablehlo.emit import NUMPY_OF_ELEMENT
from minijax.stablehlo.ir import IntegerMatrix, TensorType
from minijax_iree.compiler import CompilationError

COMBINE = {"add": np.add, "maximum": np.maximum, "minimum": np.minimum, "multiply": np.multiply}
STARTS = {"add": 0, "maximum": 0, "minimum": 255, "multiply": 1}
ROWS = np.array([[3, 200, 100, 255, 0, 7], [1, 2, 128, 127, 90, 250]])


def windows(kind, width, before, after):
    """The body of a program: windows over rows, padded before and after."""

    def body(ctx, x):
        scalar = TensorType((), x.type.element)
        with ctx.region([scalar, scalar]) as combine:
            ctx.return_(ctx.like(f"stablehlo.{kind}", *combine.arguments))
        return ctx.op(
            "stablehlo.reduce_window",
            x,
            ctx.constant(np.array(STARTS[kind], NUMPY_OF_ELEMENT[x.type.element])),
            type=x.type,
            regions=[combine],
            window_dimensions=(1, width),
            window_strides=(1, 1),
            padding=IntegerMatrix(((0, 0), (before, after))),
        )

    return body


@pytest.mark.parametrize("kind", COMBINE)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_windows_of_unsigned(bench, dtype, kind):
    x = ROWS.astype(dtype)
    padded = np.pad(x, ((0, 0), (1, 1)), constant_values=dtype(STARTS[kind]))
    combine = COMBINE[kind]
    with np.errstate(over="ignore"):
        expected = combine(combine(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    np.testing.assert_array_equal(bench.run([x], windows(kind, 3, 1, 1))[0], expected)


@pytest.mark.parametrize("kind", COMBINE)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_cumulative_of_unsigned(bench, dtype, kind):
    x = ROWS.astype(dtype)
    expected = COMBINE[kind].accumulate(x, axis=1, dtype=dtype)
    np.testing.assert_array_equal(bench.run([x], windows(kind, 6, 5, 0))[0], expected)


def test_cumulative_of_unsigned_fault_persists(bench):
    module = bench.build([ROWS.astype(np.uint8)], windows("add", 6, 5, 0))
    with pytest.raises(CompilationError, match="unresolved target materialization"):
        bench.backend._compiler.compile(module.text(), bench.backend.target.flags)
