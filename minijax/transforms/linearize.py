"""How is the derivative at a point written down as a linear program?

Run the jvp rules once under a trace with two parents. An operation among primal values goes to the
primal parent, which computes it; as soon as an operand is a tangent, the operation goes to the
tangent parent, which writes it down. What remains is a jaxpr from input tangents to output
tangents whose constants are the *residuals*: the primal values that the derivative needs.
Transposing that jaxpr gives reverse mode.

A rule that mixes both kinds, such as ``t * cos(x)``, thereby splits by itself: ``cos(x)`` is
computed now, the product is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minijax.core.aval import typeof
from minijax.core.jaxpr import DebugInfo, Jaxpr
from minijax.core.primitive import Primitive, Zero, instantiate, is_zero
from minijax.core.trace import (
    Trace,
    Tracer,
    check_leaks,
    current_trace,
    set_current_trace,
    tracing,
)
from minijax.transforms.dce import dce_jaxpr
from minijax.transforms.evaluate import eval_jaxpr
from minijax.transforms.jvp import JVPTrace
from minijax.transforms.staging import JaxprTrace, hoist_constants
from minijax.util import unzip

LINEAR = DebugInfo("linearize", "the derivative", "<derived>")


class SplitTrace(Trace):
    """Sends an operation to the tangent trace as soon as one operand is a tangent."""

    __slots__ = ("tangent",)

    def __init__(self, parent: Trace, tangent: JaxprTrace):
        super().__init__(parent)
        self.tangent = tangent

    def process_primitive(self, primitive: Primitive, args: tuple, params: dict[str, Any]) -> Any:
        """Choose the parent that carries out the operation."""
        linear = any(isinstance(x, Tracer) and x._trace is self.tangent for x in args)
        with set_current_trace(self.tangent if linear else self.parent):
            return primitive.bind(*args, **params)


class LinearizeTrace(JVPTrace):
    """Applies jvp rules, computing primal values and writing tangents down."""

    __slots__ = ("split", "tangent")

    def __init__(self, parent: Trace, tangent: JaxprTrace):
        super().__init__(parent)
        self.tangent = tangent
        self.split = SplitTrace(parent, tangent)

    def differentiate(
        self, primitive: Primitive, primals: list, tangents: list, params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Apply the linearize rule if there is one, else the jvp rule under both parents."""
        if not primitive.has_rule("linearize"):
            with set_current_trace(self.split):
                return primitive.rule("jvp")(primals, tangents, **params)
        nonzeros = [not is_zero(t) for t in tangents]
        with set_current_trace(self.parent):
            outs, tangent_fun = primitive.rule("linearize")(nonzeros, *primals, **params)
        with set_current_trace(self.tangent):
            return outs, tangent_fun(*tangents)


def linearize(
    fun: Callable[..., Sequence[Any]], primals: Sequence[Any], nonzeros: Sequence[bool]
) -> tuple[list[Any], list[bool], Jaxpr]:
    """Linearize a flat function at a point.

    Parameters
    ----------
    fun : callable
        From flat arguments to a flat list of results.
    primals : list of array
        The point.
    nonzeros : list of bool
        Which arguments are varied.

    Returns
    -------
    primals_out : list of array
    nonzeros_out : list of bool
        Which results vary.
    jaxpr : Jaxpr
        Takes the tangents of the varied arguments, returns the tangents of the varied results;
        its constants are the residuals.
    """
    parent = current_trace()
    tangent_trace = JaxprTrace(parent, LINEAR)
    trace = LinearizeTrace(parent, tangent_trace)
    with tracing(tangent_trace):
        with tracing(trace):
            args = [
                trace.pack(x, tangent_trace.new_arg(typeof(x).tangent()) if nonzero else None)
                if nonzero
                else x
                for x, nonzero in zip(primals, nonzeros, strict=True)
            ]
            primals_out, tangents_out = unzip(map(trace.unpack, fun(*args)))
            del args
        nonzeros_out = [not is_zero(t) for t in tangents_out]
        jaxpr = tangent_trace.to_jaxpr([t for t in tangents_out if not is_zero(t)])
    check_leaks(trace)
    jaxpr, _ = dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars), instantiate=True)
    return primals_out, nonzeros_out, jaxpr


def linearize_jaxpr(
    jaxpr: Jaxpr, nonzeros: Sequence[bool], instantiate_out: Sequence[bool]
) -> tuple[Jaxpr, Jaxpr, list[bool]]:
    """Split the derivative of a program into a primal and a linear program.

    Parameters
    ----------
    jaxpr : Jaxpr
        Without constants.
    nonzeros : list of bool
        Which arguments have a tangent.
    instantiate_out : list of bool
        Which results must have a tangent even if it is zero.

    Returns
    -------
    primal_jaxpr : Jaxpr
        From the arguments to the results followed by the residuals.
    linear_jaxpr : Jaxpr
        From the residuals followed by the tangents to the tangents of results that have one.
    nonzeros_out : list of bool
        Which results have a tangent.
    """
    key = ("linearize", tuple(nonzeros), tuple(instantiate_out))
    return jaxpr.remember(key, lambda: _linearize_jaxpr(jaxpr, nonzeros, instantiate_out))


def _linearize_jaxpr(
    jaxpr: Jaxpr, nonzeros: Sequence[bool], instantiate_out: Sequence[bool]
) -> tuple[Jaxpr, Jaxpr, list[bool]]:
    primal_trace = JaxprTrace(current_trace(), jaxpr.debug_info)
    tangent_trace = JaxprTrace(primal_trace, LINEAR)
    trace = LinearizeTrace(primal_trace, tangent_trace)
    with tracing(primal_trace), tracing(tangent_trace):
        with tracing(trace):
            args = []
            for aval, nonzero in zip(jaxpr.in_avals, nonzeros, strict=True):
                primal = primal_trace.new_arg(aval)
                tangent = tangent_trace.new_arg(aval.tangent()) if nonzero else Zero(aval.tangent())
                args.append(trace.pack(primal, tangent))
            primals_out, tangents_out = unzip(map(trace.unpack, eval_jaxpr(jaxpr, *args)))
        with set_current_trace(tangent_trace):
            tangents_out = [
                instantiate(t) if force else t
                for t, force in zip(tangents_out, instantiate_out, strict=True)
            ]
        nonzeros_out = [not is_zero(t) for t in tangents_out]
        linear = tangent_trace.to_jaxpr([t for t in tangents_out if not is_zero(t)])
        linear, _ = dce_jaxpr(linear, [True] * len(linear.outvars), instantiate=True)
        linear, residuals = hoist_constants(linear)
        primal = primal_trace.to_jaxpr([*primals_out, *residuals])
    return primal, linear, nonzeros_out
