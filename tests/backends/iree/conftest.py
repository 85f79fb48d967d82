"""A bench for programs: build one from a few lines, run it with or without the workarounds."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minijax.core.aval import ShapedArray
from minijax.core.backend import Program
from minijax.stablehlo.emit import NUMPY_OF_ELEMENT, Emitter
from minijax.stablehlo.ir import Block, Function, Module, TensorType, Value, element_type
from minijax_iree import IreeBackend

RUN_PROGRAM = Path(__file__).with_name("run_program.py")


class Bench:
    """Runs small programs on the CPU."""

    def __init__(self) -> None:
        self.backend = IreeBackend()
        self.device = self.backend.devices("cpu")[0]

    def build(
        self, arguments: Sequence[Any], body: Callable[..., Value | Sequence[Value]]
    ) -> Module:
        """Make a module of ``body(emitter, *values)`` for arguments like these arrays."""
        block = Block([tensor_type(np.asarray(argument)) for argument in arguments])
        emitter = Emitter(block)
        results = body(emitter, *block.arguments)
        results = [results] if isinstance(results, Value) else list(results)
        emitter.ops("func.return", results, [])
        main = Function("main", block, [value.type for value in results], public=True)
        return Module("test", [main])

    def run(
        self,
        arguments: Sequence[Any],
        body: Callable[..., Value | Sequence[Value]],
        safe: bool = True,
    ) -> list[np.ndarray]:
        """Build and run; `safe` false leaves the workarounds out. Returns results, then arguments.

        The arguments come back as they are after the run.
        """
        module = self.build(arguments, body)
        kinds = module.main.result_types
        avals = tuple(ShapedArray(kind.shape, numpy_dtype(kind)) for kind in kinds)
        program = Program("test", module if safe else module.text(), avals)
        executable = self.backend.compile(program, self.device)
        arrays = [np.asarray(argument) for argument in arguments]
        likes = [(kind.shape, numpy_dtype(kind)) for kind in kinds]
        likes += [(array.shape, array.dtype) for array in arrays]
        buffers = [self.backend.buffer_from_numpy(array, self.device) for array in arrays]
        results = executable.execute(buffers)
        return [
            self.backend.buffer_to_numpy(buffer, shape, dtype)
            for buffer, (shape, dtype) in zip([*results, *buffers], likes, strict=True)
        ]

    def run_apart(
        self, arguments: Sequence[Any], body: Callable[..., Value | Sequence[Value]]
    ) -> list[np.ndarray] | None:
        """Build and run without workarounds in another process; None if that process dies."""
        module = self.build(arguments, body)
        kinds = [(kind.shape, numpy_dtype(kind)) for kind in module.main.result_types]
        arrays = [np.asarray(argument) for argument in arguments]
        finished = subprocess.run(
            [sys.executable, str(RUN_PROGRAM)],
            input=pickle.dumps((module.text(), kinds, arrays)),
            capture_output=True,
            check=False,
        )
        return pickle.loads(finished.stdout) if finished.returncode == 0 else None


def tensor_type(array: np.ndarray) -> TensorType:
    """The StableHLO type of an array."""
    return TensorType(array.shape, element_type(array.dtype))


def numpy_dtype(kind: TensorType) -> np.dtype:
    """The NumPy dtype of a StableHLO type."""
    return np.dtype(NUMPY_OF_ELEMENT[kind.element])


@pytest.fixture(scope="session")
def bench() -> Bench:
    """The bench, with one compiler process for the whole session."""
    return Bench()
