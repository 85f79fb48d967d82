"""From a program to numbers: dtypes, sizes, threads, errors."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest

from minijax.core.aval import ShapedArray
from minijax.core.backend import Program
from minijax.errors import JaxRuntimeError
from minijax.stablehlo.ir import Dims, TensorType
from minijax_iree import IreeBackend
from minijax_iree.targets import TARGETS
from minijax_iree.work import gains_from_threads

DTYPES = [
    *(np.dtype(name) for name in "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()),
    *(np.dtype(name) for name in "float16 float32 float64 complex64 complex128".split()),
    np.dtype(ml_dtypes.bfloat16),
    np.dtype(ml_dtypes.float8_e4m3fn),
    np.dtype(ml_dtypes.float8_e5m2),
]


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0, 4)])
def test_every_dtype_goes_through(bench, shape):
    """One program that returns its arguments, through a barrier that keeps it from being empty."""
    arrays = [np.arange(np.prod(shape)).reshape(shape).astype(dtype) for dtype in DTYPES]
    outputs = bench.run(arrays, lambda ctx, *values: ctx.barrier(values))
    for output, array in zip(outputs, arrays + arrays, strict=True):
        assert output.dtype == array.dtype
        np.testing.assert_array_equal(output, array)


def test_results_feed_programs(bench):
    """A result keeps an element type that the next program accepts."""
    for dtype in (np.uint64, np.uint32, np.bool_):
        kind = ShapedArray((3,), np.dtype(dtype))
        module = bench.build([np.zeros(3, dtype)], lambda ctx, a: ctx.like("stablehlo.not", a))
        executable = bench.backend.compile(Program("not", module, (kind,)), bench.device)
        x = np.array([0, 1, 0]).astype(dtype)
        buffers = [bench.backend.buffer_from_numpy(x, bench.device)]
        twice = executable.execute(executable.execute(buffers))
        np.testing.assert_array_equal(bench.backend.buffer_to_numpy(twice[0], (3,), kind.dtype), x)


def test_arrays_that_are_not_contiguous(bench):
    x = np.arange(12, dtype=np.float32).reshape(3, 4).T
    result = bench.run([x], lambda ctx, a: ctx.like("stablehlo.negate", a))[0]
    np.testing.assert_array_equal(result, -x)


def test_buffer_does_not_see_later_writes(bench):
    x = np.zeros(100_000, np.float32)
    buffer = bench.backend.buffer_from_numpy(x, bench.device)
    x[:] = 1
    view = bench.backend.buffer_to_numpy(buffer, x.shape, x.dtype)
    assert not view.any()


def test_views_are_read_only_and_keep_the_buffer(bench):
    buffer = bench.backend.buffer_from_numpy(np.arange(1000.0), bench.device)
    view = bench.backend.buffer_to_numpy(buffer, (1000,), np.dtype(np.float64))
    del buffer
    np.testing.assert_array_equal(view, np.arange(1000.0))
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1


def test_no_results_and_no_arguments(bench):
    assert bench.run([], lambda ctx: []) == []
    np.testing.assert_array_equal(
        bench.run([], lambda ctx: ctx.constant(np.arange(3)))[0], [0, 1, 2]
    )


def test_dtype_without_element_type(bench):
    with pytest.raises(TypeError, match="no element type"):
        bench.backend.buffer_from_numpy(np.array(["a"]), bench.device)


def test_wrong_argument_is_an_error(bench):
    module = bench.build([np.zeros(3, np.float32)], lambda ctx, a: ctx.like("stablehlo.negate", a))
    kind = ShapedArray((3,), np.dtype(np.float32))
    executable = bench.backend.compile(Program("negate", module, (kind,)), bench.device)
    wrong = bench.backend.buffer_from_numpy(np.zeros(4, np.float32), bench.device)
    with pytest.raises(JaxRuntimeError, match="failed while it ran"):
        executable.execute([wrong])


def test_as_text_shows_the_program(bench):
    module = bench.build([np.zeros(3, np.float32)], lambda ctx, a: ctx.like("stablehlo.sine", a))
    kind = ShapedArray((3,), np.dtype(np.float32))
    executable = bench.backend.compile(Program("sine", module, (kind,)), bench.device)
    assert "stablehlo.round_nearest_even" in executable.as_text()


def test_compiler_options(bench):
    module = bench.build([np.zeros(3, np.float32)], lambda ctx, a: ctx.like("stablehlo.negate", a))
    kind = ShapedArray((3,), np.dtype(np.float32))
    options = (("iree-opt-level", "O3"),)
    program = Program("negate", module, (kind,), options=options)
    assert bench.backend.compile(program, bench.device)
    unknown = Program("negate", module, (kind,), options=(("xla_nonsense", "1"),))
    with pytest.raises(JaxRuntimeError, match="xla_nonsense"):
        bench.backend.compile(unknown, bench.device)


def product_module(bench, size):
    x = np.zeros((size, size), np.float32)
    numbers = Dims(
        "dot",
        (
            ("lhs_batching_dimensions", ()),
            ("rhs_batching_dimensions", ()),
            ("lhs_contracting_dimensions", (1,)),
            ("rhs_contracting_dimensions", (0,)),
        ),
    )
    return bench.build(
        [x, x],
        lambda ctx, a, b: ctx.op(
            "stablehlo.dot_general",
            a,
            b,
            type=TensorType((size, size), "f32"),
            dot_dimension_numbers=numbers,
        ),
    )


def test_large_products_use_threads(bench):
    assert not gains_from_threads(product_module(bench, 64))
    assert gains_from_threads(product_module(bench, 512))


@pytest.mark.parametrize("size", [64, 384])
def test_calls_from_several_threads(bench, size):
    """On local-sync and on local-task, with the same program and different arguments."""
    kind = ShapedArray((size, size), np.dtype(np.float32))
    program = Program("product", product_module(bench, size), (kind,))
    executable = bench.backend.compile(program, bench.device)

    def work(seed):
        x = np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)
        buffer = bench.backend.buffer_from_numpy(x, bench.device)
        for _ in range(20):
            (result,) = executable.execute([buffer, buffer])
            array = bench.backend.buffer_to_numpy(result, kind.shape, kind.dtype)
            np.testing.assert_allclose(array, x @ x, rtol=1e-3, atol=1e-2)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


@pytest.mark.skipif(os.name != "posix", reason="fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_child_runs_parallel_programs(bench):
    """The threads of local-task do not live in the child."""
    kind = ShapedArray((512, 512), np.dtype(np.float32))
    program = Program("product", product_module(bench, 512), (kind,))
    executable = bench.backend.compile(program, bench.device)
    buffer = bench.backend.buffer_from_numpy(np.eye(512, dtype=np.float32), bench.device)
    executable.execute([buffer, buffer])
    child = os.fork()
    if child == 0:
        (result,) = executable.execute([buffer, buffer])
        array = bench.backend.buffer_to_numpy(result, kind.shape, kind.dtype)
        os._exit(0 if np.array_equal(array, np.eye(512)) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_platforms():
    backend = IreeBackend()
    assert backend.host_memory
    assert backend.devices("cpu") is backend.devices("cpu")
    with pytest.raises(RuntimeError, match="Unknown backend 'abacus'"):
        backend.devices("abacus")


@pytest.mark.parametrize("platform", sorted(set(TARGETS) - {"cpu"}))
def test_absent_platforms_say_so(platform):
    backend = IreeBackend()
    try:
        devices = backend.devices(platform)
    except RuntimeError as error:
        assert "IREE's driver" in str(error)
    else:
        assert not devices[0].backend.host_memory


def test_import_loads_no_compiler():
    """Not with the backend, and neither of compiler and runtime with minijax alone."""
    code = (
        "import sys, minijax\n"
        "assert not [name for name in sys.modules if name.startswith('iree')]\n"
        "import minijax_iree; minijax_iree.IreeBackend().devices('cpu')\n"
        "assert not [name for name in sys.modules if name.startswith('iree.compiler')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_exit_is_clean():
    """Devices, buffers and programs may be destroyed in any order when the process ends."""
    code = """
import numpy as np
from minijax_iree import IreeBackend
from minijax.core.backend import Program
from minijax.core.aval import ShapedArray
device_first = IreeBackend()
device = device_first.devices("cpu")[0]
text = '''func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %x, %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}'''
program = Program("add", text, (ShapedArray((4,), np.dtype(np.float32)),))
executable = device_first.compile(program, device)
buffer = device_first.buffer_from_numpy(np.ones(4, np.float32), device)
result = executable.execute([buffer])
"""
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "leaked" not in finished.stderr
