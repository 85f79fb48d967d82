"""A program for tests: run a StableHLO text without workarounds, in a process that may die.

Reads a pickled (text, result types, arguments) from standard input and writes the pickled list of
results and arguments, as they are after the run, to standard output.
"""

from __future__ import annotations

import pickle
import sys

from minijax.core.aval import ShapedArray
from minijax.core.backend import Program
from minijax_iree import IreeBackend

text, kinds, arrays = pickle.load(sys.stdin.buffer)
backend = IreeBackend()
device = backend.devices("cpu")[0]
avals = tuple(ShapedArray(shape, dtype) for shape, dtype in kinds)
executable = backend.compile(Program("test", text, avals), device)
buffers = [backend.buffer_from_numpy(array, device) for array in arrays]
results = executable.execute(buffers)
likes = [*kinds, *((array.shape, array.dtype) for array in arrays)]
outputs = [
    backend.buffer_to_numpy(buffer, shape, dtype)
    for buffer, (shape, dtype) in zip([*results, *buffers], likes, strict=True)
]
pickle.dump(outputs, sys.stdout.buffer)
