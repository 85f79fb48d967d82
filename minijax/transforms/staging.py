"""How is a Python function written down as a jaxpr?

Run it once on tracers that stand for its arguments. Each operation becomes an equation. A value
that is no tracer of this trace, be it an array or a tracer of an enclosing transformation, is
captured as a constant of the jaxpr; scalars become literals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax import source_info
from minijax.config import config
from minijax.core import dtypes
from minijax.core.array import ConcreteArray, array_from_numpy
from minijax.core.aval import AbstractValue, typeof
from minijax.core.jaxpr import (
    NO_DEBUG_INFO,
    Atom,
    DebugInfo,
    Eqn,
    Jaxpr,
    Literal,
    Var,
    is_literalable,
)
from minijax.core.jaxpr_check import check_jaxpr
from minijax.core.primitive import Primitive
from minijax.core.trace import (
    Trace,
    Tracer,
    check_leaks,
    current_trace,
    described_type,
    leaked_tracer_error,
    tracing,
)


class JaxprTracer(Tracer):
    """A value of the program being written: a variable of its jaxpr."""

    __slots__ = ("variable",)

    def __init__(self, trace: JaxprTrace, var: Var, source: source_info.SourceInfo | None = None):
        super().__init__(trace, var.aval)  # type: ignore[arg-type]
        self.variable = var
        self._creation = source

    def __repr__(self) -> str:
        return f"JitTracer({described_type(self.aval)})"


class JaxprTrace(Trace):
    """Writes operations down as equations."""

    __slots__ = ("constants", "debug_info", "eqns", "invars")

    def __init__(self, parent: Trace, debug_info: DebugInfo = NO_DEBUG_INFO):
        super().__init__(parent)
        self.debug_info = debug_info
        self.invars: list[Var] = []
        self.eqns: list[Eqn] = []
        # by identity: variable, value, and the captured object, whose identity must last
        self.constants: dict[int, tuple[Var, Any, Any]] = {}

    def new_arg(self, aval: AbstractValue) -> JaxprTracer:
        """Add an argument to the program."""
        var = Var(aval)
        self.invars.append(var)
        return JaxprTracer(self, var, source_info.current())

    def atom(self, x: Any) -> Atom:
        """Return the variable or literal that an operand is in this program."""
        if type(x) is JaxprTracer and x._trace is self:
            if not self.is_live:
                raise leaked_tracer_error(x)
            return x.variable
        if isinstance(x, Tracer) and not x._trace.is_live:
            raise leaked_tracer_error(x)
        if is_literalable(x):
            return _literal(x)
        if type(x) is ConcreteArray and not x.aval.shape and isinstance(x.dtype, np.dtype):
            # A weak array stays as it is: a NumPy scalar would be taken for a strong one.
            return Literal(x if x.aval.weak_type else x.value[()], x.aval)
        found = self.constants.get(id(x))
        if found is None:
            # The user may write to his ndarray between tracing and running: take a copy.
            value = _copied(x) if isinstance(x, np.ndarray) else x
            found = self.constants[id(x)] = (Var(typeof(x)), value, x)
        return found[0]

    def process_primitive(self, primitive: Primitive, args: tuple, params: dict[str, Any]) -> Any:
        """Append an equation; returns tracers for its results."""
        if primitive.stage is not None:
            captured, params = primitive.stage([typeof(x) for x in args], params)
            args = (*captured, *args)
        atoms = [self.atom(x) for x in args]
        avals = [a.aval for a in atoms]
        result = primitive.infer(avals, params)
        out_avals = result if primitive.multiple_results else [result]
        source = source_info.current()
        outvars = [Var(aval) for aval in out_avals]
        effects = primitive.effects(*avals, **params)
        self.eqns.append(Eqn(primitive, atoms, outvars, params, source, effects))
        outs = [JaxprTracer(self, var, source) for var in outvars]
        return outs if primitive.multiple_results else outs[0]

    def to_jaxpr(self, outs: Sequence[Any]) -> Jaxpr:
        """Return the program written so far that returns ``outs``."""
        outvars = [self.atom(x) for x in outs]
        captured = list(self.constants.values())
        jaxpr = Jaxpr(
            self.invars,
            outvars,
            self.eqns,
            [var for var, _, _ in captured],
            [value for _, value, _ in captured],
            self.debug_info,
        )
        if config.enable_checks:
            check_jaxpr(jaxpr)
        return jaxpr

    def describe(self) -> str:
        """Name the function being traced."""
        return str(self.debug_info)

    def origin_message(self, tracer: Tracer) -> str:
        """Say which arguments a value depends on, by following the equations backwards."""
        info = self.debug_info
        head = f"The error occurred while tracing the function {info}. "
        if not isinstance(tracer, JaxprTracer) or tracer._trace is not self:
            return head.rstrip()
        positions = self._arguments_of(tracer.variable)
        names = [info.arg_names[i] for i in positions if i < len(info.arg_names)]
        if names:
            what = "argument" if len(names) == 1 else "arguments"
            return (
                f"{head}This concrete value was not available in Python because it depends on "
                f"the value of the {what} {_listing(names)}."
            )
        return f"{head}The value was computed at {tracer.creation_line()}."

    def _arguments_of(self, var: Var) -> list[int]:
        needed: set[Any] = {var}
        for eqn in reversed(self.eqns):
            if any(out in needed for out in eqn.outvars):
                needed.update(x for x in eqn.invars if isinstance(x, Var))
        return [i for i, invar in enumerate(self.invars) if invar in needed]


def _copied(x: np.ndarray) -> Any:
    aval = typeof(x)
    if aval.dtype == dtypes.float0:
        return x
    return array_from_numpy(np.array(x, aval.dtype), aval=aval)


def _literal(x: Any) -> Literal:
    aval = typeof(x)
    if aval.dtype == dtypes.float0:
        return Literal(np.asarray(x), aval)
    value = np.asarray(x, aval.dtype)[()]  # a Python integer that does not fit is an error
    if aval.weak_type:  # a Python scalar, which must remain one to be weak when it is replayed
        return Literal(x if isinstance(x, (float, complex)) else value.item(), aval)
    return Literal(value, aval)


def _listing(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def trace_to_jaxpr(
    fun: Callable[..., Sequence[Any]],
    avals: Sequence[AbstractValue],
    debug_info: DebugInfo = NO_DEBUG_INFO,
) -> Jaxpr:
    """Write down a function of flat arguments that returns a flat list.

    Parameters
    ----------
    fun : callable
        Takes as many arguments as there are ``avals`` and returns a list of arrays.
    avals : list of AbstractValue
        Types of the arguments.
    debug_info : DebugInfo
        What to call the function in messages.

    Returns
    -------
    Jaxpr
        Its ``consts`` are the captured values, which may be tracers of enclosing traces.
    """
    trace = JaxprTrace(current_trace(), debug_info)
    with tracing(trace):
        args = [trace.new_arg(aval) for aval in avals]
        outs = fun(*args)
        jaxpr = trace.to_jaxpr(outs)
        del args, outs
    check_leaks(trace)
    return jaxpr


def hoist_constants(jaxpr: Jaxpr) -> tuple[Jaxpr, list[Any]]:
    """Turn the constants of a jaxpr into leading arguments; returns it and the constants.

    What a loop body or a jitted function captures must be an operand of its equation, so that
    every transformation sees it.
    """
    if not jaxpr.consts:
        return jaxpr, []
    invars = [*jaxpr.constvars, *jaxpr.invars]
    hoisted = Jaxpr(invars, jaxpr.outvars, jaxpr.eqns, debug_info=jaxpr.debug_info)
    return hoisted, jaxpr.consts


def trace_closed(
    fun: Callable[..., Sequence[Any]],
    avals: Sequence[AbstractValue],
    debug_info: DebugInfo = NO_DEBUG_INFO,
) -> tuple[Jaxpr, list[Any]]:
    """As :func:`trace_to_jaxpr` with captured values hoisted into leading arguments."""
    return hoist_constants(trace_to_jaxpr(fun, avals, debug_info))
