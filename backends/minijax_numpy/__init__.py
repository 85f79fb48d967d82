"""A backend that is the specification: it runs jaxprs with the NumPy reference rules.

It compiles nothing, so it starts at once and shows what a program means; every other backend is
held to what this one computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core.backend import Backend, Device, Executable, Program
from minijax.core.jaxpr import Jaxpr
from minijax.transforms.evaluate import interpret_jaxpr


class NumpyExecutable(Executable):
    """A jaxpr, interpreted at each call."""

    def __init__(self, jaxpr: Jaxpr):
        self.jaxpr = jaxpr

    def execute(self, buffers: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Interpret the program; buffers are ndarrays, constants first."""
        constants = len(self.jaxpr.constvars)
        return interpret_jaxpr(self.jaxpr, *buffers[constants:])

    def as_text(self) -> str:
        """Return the jaxpr's text: it is what runs."""
        return str(self.jaxpr)


class NumpyBackend(Backend):
    """One device, platform ``numpy``; buffers are read-only ndarrays."""

    name = "numpy"
    stage = "jaxpr"
    platforms = ("numpy",)
    host_memory = True

    def __init__(self) -> None:
        self._device = Device(id=0, platform="numpy", device_kind="NumPy", backend=self)

    def devices(self, platform: str) -> list[Device]:
        """Return the one device."""
        return [self._device]

    def compile(self, program: Program, device: Device) -> NumpyExecutable:
        """Wrap the jaxpr."""
        return NumpyExecutable(program.body)

    def buffer_from_numpy(self, array: np.ndarray, device: Device) -> np.ndarray:
        """Return the array itself."""
        return array

    def buffer_to_numpy(self, buffer: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return the buffer itself, as a view so that it can be made read-only."""
        return buffer.view()
