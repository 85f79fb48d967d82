"""A backend to copy: everything a backend must do, in as few lines as that takes.

Copy this package, rename it, and register it in your ``pyproject.toml``::

    [project.entry-points."minijax.backends"]
    mine = "my_package:MyBackend"

Then ``jax.devices("mine")`` finds it, ``jax.jit(f, backend="mine")`` runs on it, and
``python -m minijax.testing.conformance mine`` shows which primitives it gets right. This one
consumes jaxprs and calls a table of kernels, one per primitive; what the table lacks it computes
with the NumPy reference rule, so that it works from the first line on. Replace the kernels by your
device's, and ``buffer_from_numpy``/``buffer_to_numpy`` by the copies to and from its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core.backend import Backend, Device, Executable, Program
from minijax.core.jaxpr import Jaxpr, Literal
from minijax.transforms.evaluate import apply_reference, as_storage

Kernel = Callable[..., np.ndarray]

KERNELS: dict[str, Kernel] = {
    "neg": lambda x: np.negative(x),
    "sin": lambda x, accuracy: np.sin(x),
}
"""What the device computes itself: a function of buffers and parameters per primitive."""


class TemplateExecutable(Executable):
    """A program as the device runs it: here, one kernel call per equation."""

    def __init__(self, jaxpr: Jaxpr):
        self.jaxpr = jaxpr

    def execute(self, buffers: Sequence[Any]) -> list[Any]:
        """Run on buffers, the program's constants first; returns fresh buffers."""
        jaxpr = self.jaxpr
        values = dict(zip([*jaxpr.constvars, *jaxpr.invars], buffers, strict=True))

        def read(atom: Any) -> Any:
            return as_storage(atom.val, atom.aval) if isinstance(atom, Literal) else values[atom]

        for eqn in jaxpr.eqns:
            operands = [read(x) for x in eqn.invars]
            kernel = KERNELS.get(eqn.primitive.name)
            if kernel is not None:
                outs = [kernel(*operands, **eqn.params)]
            else:
                avals: Any = [var.aval for var in eqn.outvars]
                outs = apply_reference(eqn.primitive, operands, avals, eqn.params)
            values.update(zip(eqn.outvars, outs, strict=True))
        return [read(x) for x in jaxpr.outvars]


class TemplateBackend(Backend):
    """One device, platform ``template``."""

    name = "template"
    stage = "jaxpr"  # "stablehlo" if your compiler reads that: then program.body is a Module
    platforms = ("template",)
    host_memory = False  # NumPy cannot see the device's memory: every operation is compiled

    def __init__(self) -> None:
        self.device = Device(id=0, platform="template", device_kind="template", backend=self)

    def devices(self, platform: str) -> list[Device]:
        """Return the devices that are there."""
        return [self.device]

    def compile(self, program: Program, device: Device) -> TemplateExecutable:
        """Compile a program for a device."""
        return TemplateExecutable(program.body)

    def buffer_from_numpy(self, array: np.ndarray, device: Device) -> Any:
        """Copy an array to the device."""
        return array

    def buffer_to_numpy(self, buffer: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Copy a buffer back."""
        return np.array(buffer, dtype).reshape(shape)
