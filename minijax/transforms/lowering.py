"""How does a jaxpr become a StableHLO module?

Equation by equation: each primitive's lowering rule appends operations to the block it is given.
What is left to this module is the frame: the public function ``main``, private functions for
jaxprs that are called (each once, however often it is called), constants, and the regions of
loops and branches, into which their rules inline jaxprs.

Constants that are arrays become leading arguments of ``main``: program texts stay small, and one
compiled program serves all values. In called functions and regions they are written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minijax.core.array import storage_dtype
from minijax.core.jaxpr import Eqn, Jaxpr, Literal, Var, subjaxprs
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Block, Function, Module, Symbol, Value, type_of_aval
from minijax.transforms.evaluate import as_storage


class LoweringContext(Emitter):
    """The emitter that lowering rules receive: knows the module that is being written."""

    def __init__(self, block: Block, module: Module):
        super().__init__(block)
        self.module = module
        self.functions: dict[Jaxpr, Function] = {}

    # -- for rules of higher-order primitives -------------------------------------------------

    def inline(self, jaxpr: Jaxpr, args: Sequence[Value]) -> list[Value]:
        """Append the operations of a jaxpr to the current block; returns its results."""
        environment: dict[Var, Value] = dict(zip(jaxpr.invars, args, strict=True))
        for var, const in zip(jaxpr.constvars, jaxpr.consts, strict=True):
            if var not in environment:
                environment[var] = self.constant(as_storage(const, var.aval))  # type: ignore[arg-type]
        return self._equations(jaxpr, environment)

    def call(self, name: str, jaxpr: Jaxpr, args: Sequence[Value]) -> list[Value]:
        """Append a call of a jaxpr as a private function, written once per jaxpr."""
        function = self.functions.get(jaxpr)
        if function is None:
            function = self._private_function(name, jaxpr)
        return self.ops("func.call", args, function.result_types, callee=Symbol(function.name))

    def _private_function(self, name: str, jaxpr: Jaxpr) -> Function:
        body = Block([type_of_aval(aval) for aval in jaxpr.in_avals])
        outer, self.block = self.block, body
        try:
            results = self.inline(jaxpr, body.arguments)
            self.ops("func.return", results, [])
        finally:
            self.block = outer
        taken = {f.name for f in self.module.functions}
        unique, count = name, 0
        while unique in taken or unique == "main":
            unique, count = f"{name}_{count}", count + 1
        function = Function(unique, body, [v.type for v in results])
        self.module.functions.append(function)
        self.functions[jaxpr] = function
        return function

    # -- equations ----------------------------------------------------------------------------

    def _equations(self, jaxpr: Jaxpr, environment: dict[Var, Value]) -> list[Value]:
        for eqn in jaxpr.eqns:
            operands = [self._operand(x, environment) for x in eqn.invars]
            results = self._lower_eqn(eqn, operands)
            environment.update(zip(eqn.outvars, results, strict=True))
        return [self._operand(x, environment) for x in jaxpr.outvars]

    def _operand(self, atom: Any, environment: dict[Var, Value]) -> Value:
        if type(atom) is Literal:
            return self.constant(as_storage(atom.val, atom.aval), storage_dtype(atom.aval.dtype))  # type: ignore[attr-defined]
        return environment[atom]

    def _lower_eqn(self, eqn: Eqn, operands: Sequence[Value]) -> list[Value]:
        saved = self.source, self.avals_in, self.avals_out
        self.source = eqn.source
        self.avals_in = [x.aval for x in eqn.invars]
        self.avals_out = [v.aval for v in eqn.outvars]
        try:
            results = eqn.primitive.rule("lower")(self, *operands, **eqn.params)
        finally:
            self.source, self.avals_in, self.avals_out = saved
        return list(results) if eqn.primitive.multiple_results else [results]


def lower_jaxpr(jaxpr: Jaxpr, name: str) -> Module:
    """Lower a program to a module whose ``main`` takes constants first, then arguments."""
    module = Module(f"jit_{name}")
    parameters = [*jaxpr.constvars, *jaxpr.invars]
    body = Block([type_of_aval(var.aval) for var in parameters])
    context = LoweringContext(body, module)
    environment = dict(zip(parameters, body.arguments, strict=True))
    results = context._equations(jaxpr, environment)
    context.ops("func.return", results, [])
    module.functions.insert(0, Function("main", body, [v.type for v in results], public=True))
    return module


def estimate_flops(jaxpr: Jaxpr) -> int:
    """Estimate the floating-point operations of one run of a program.

    Products count two per multiply-add, everything else one per element; a loop counts its body
    as often as it is known to run.
    """
    total = 0
    for eqn in jaxpr.eqns:
        inner = sum(map(estimate_flops, subjaxprs(eqn.params)))
        repeats = eqn.params.get("length", 1) if inner else 1
        total += inner * (repeats if isinstance(repeats, int) else 1)
        if eqn.primitive.name == "dot_general":
            ((contracting, _), _) = eqn.params["dimension_numbers"]
            lhs = eqn.invars[0].aval.shape  # type: ignore[union-attr]
            depth = 1
            for axis in contracting:
                depth *= lhs[axis]
            total += 2 * depth * eqn.outvars[0].aval.size  # type: ignore[union-attr]
        elif not inner:
            total += sum(getattr(v.aval, "size", 0) for v in eqn.outvars)
    return total
