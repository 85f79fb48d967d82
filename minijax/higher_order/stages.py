"""What lies between a Python function and a running program, step by step?

``jit(f).trace(x)`` gives the jaxpr, ``.lower()`` the StableHLO module, ``.compile()`` the program.
Each stage is an object that can be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minijax.core.aval import ShapeDtypeStruct, typeof
from minijax.core.backend import Device
from minijax.core.jaxpr import Jaxpr
from minijax.core.trace import Tracer
from minijax.core.tree import PyTreeDef, tree_flatten, tree_unflatten
from minijax.stablehlo.ir import Module
from minijax.transforms.dispatch import LoadedProgram, to_array
from minijax.transforms.evaluate import placement
from minijax.transforms.lowering import lower_jaxpr


@dataclass(frozen=True, slots=True)
class Traced:
    """A function traced for one signature.

    ``split`` takes the arguments of a call and returns the dynamic ones.
    """

    jaxpr: Jaxpr
    in_tree: PyTreeDef
    out_tree: PyTreeDef
    fun_name: str
    device: Device
    donated: Sequence[bool]
    keep_unused: bool
    compiler_options: tuple[tuple[str, str], ...]
    split: Callable[[tuple, dict[str, Any]], tuple]

    @property
    def out_info(self) -> Any:
        """The shapes and dtypes of the result."""
        return tree_unflatten(
            self.out_tree,
            [
                ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type)
                for a in self.jaxpr.out_avals
            ],
        )

    def lower(self) -> Lowered:
        """Lower to StableHLO."""
        return Lowered(self, lower_jaxpr(self.jaxpr, self.fun_name))


@dataclass(frozen=True, slots=True)
class Lowered:
    """A function lowered to StableHLO."""

    traced: Traced
    module: Module

    @property
    def in_tree(self) -> PyTreeDef:
        """Structure of the arguments."""
        return self.traced.in_tree

    @property
    def out_tree(self) -> PyTreeDef:
        """Structure of the result."""
        return self.traced.out_tree

    @property
    def out_info(self) -> Any:
        """The shapes and dtypes of the result."""
        return self.traced.out_info

    def as_text(self, dialect: str | None = None, *, debug_info: bool = False) -> str:
        """Return the StableHLO text; with ``debug_info`` each operation names its source line."""
        if dialect not in (None, "stablehlo"):
            raise ValueError(f"dialect must be 'stablehlo', got {dialect!r}")
        return self.module.text(locations=debug_info)

    def compiler_ir(self, dialect: str | None = None) -> Module:
        """Return the module."""
        if dialect not in (None, "stablehlo"):
            raise ValueError(f"dialect must be 'stablehlo', got {dialect!r}")
        return self.module

    def compile(self, compiler_options: dict[str, Any] | None = None) -> Compiled:
        """Compile for the device that was default when the function was traced."""
        traced = self.traced
        options = dict(traced.compiler_options) | {
            k: str(v) for k, v in (compiler_options or {}).items()
        }
        program = LoadedProgram(
            traced.jaxpr,
            traced.fun_name,
            traced.device,
            traced.donated,
            traced.keep_unused,
            tuple(sorted(options.items())),
        )
        return Compiled(traced, program)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled function: callable with arguments of the types it was compiled for."""

    traced: Traced
    program: LoadedProgram

    @property
    def in_tree(self) -> PyTreeDef:
        """Structure of the arguments."""
        return self.traced.in_tree

    @property
    def out_tree(self) -> PyTreeDef:
        """Structure of the result."""
        return self.traced.out_tree

    def as_text(self) -> str:
        """Return the compiled form for a reader."""
        executable = self.program.executable
        return "" if executable is None else executable.as_text()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program.

        Raises
        ------
        TypeError
            If the arguments differ from those it was compiled for: nothing is traced again.
        """
        leaves, tree = tree_flatten(self.traced.split(args, kwargs))
        if tree != self.traced.in_tree:
            raise TypeError(
                "Function compiled with input pytree does not match the input pytree it was "
                f"called with: expected {self.traced.in_tree}, got {tree}."
            )
        avals = self.traced.jaxpr.in_avals
        for i, (x, aval) in enumerate(zip(leaves, avals, strict=True)):
            if isinstance(x, Tracer):
                raise TypeError(
                    "Cannot apply JAX transformations to a function lowered and compiled for a "
                    f"particular signature. Detected argument of Tracer type {type(x)}."
                )
            given = typeof(x)
            if (given.shape, given.dtype) != (aval.shape, aval.dtype):
                raise TypeError(
                    "Argument types differ from the types for which this computation was "
                    f"compiled: argument {i} has type {given.str_short()}, expected "
                    f"{aval.str_short()}."
                )
        device = self.traced.device
        _, committed = placement(leaves)
        arrays = [to_array(x, aval, device) for x, aval in zip(leaves, avals, strict=True)]
        return tree_unflatten(self.traced.out_tree, self.program(arrays, committed))
