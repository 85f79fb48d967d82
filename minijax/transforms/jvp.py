"""How is a function differentiated along a direction?

Carry with every value its tangent, and let each primitive's jvp rule say how tangents move. The
trace does nothing else: it unpacks pairs, applies the rule, and packs pairs again. A tangent that
is symbolically zero is not carried, so values that do not depend on the inputs cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minijax.core.aval import typeof
from minijax.core.jaxpr import Jaxpr
from minijax.core.primitive import Primitive, Zero, instantiate, is_zero, zero_tangent
from minijax.core.trace import (
    Trace,
    Tracer,
    check_leaks,
    current_trace,
    leaked_tracer_error,
    set_current_trace,
    tracing,
)
from minijax.transforms.evaluate import eval_jaxpr
from minijax.transforms.staging import JaxprTrace
from minijax.util import unzip


class JVPTracer(Tracer):
    """A primal value with its tangent."""

    __slots__ = ("primal", "tangent")

    def __init__(self, trace: JVPTrace, primal: Any, tangent: Any):
        super().__init__(trace, typeof(primal))
        self.primal = primal
        self.tangent = tangent

    def __repr__(self) -> str:
        if isinstance(self.tangent, Tracer):  # as in reverse mode, where it is yet to come
            return f"GradTracer(primal={self.primal}, typeof(tangent)={typeof(self.tangent)})"
        return f"JVPTracer(primal={self.primal}, tangent={self.tangent})"

    def concrete_value(self) -> Any:
        """Return the primal value if it is concrete: Python may branch on it."""
        if isinstance(self.primal, Tracer):
            return self.primal.concrete_value()
        return self.primal

    def origin_message(self) -> str:
        """Say where the primal value comes from."""
        return self.primal.origin_message() if isinstance(self.primal, Tracer) else ""


class JVPTrace(Trace):
    """Applies jvp rules."""

    __slots__ = ()

    def unpack(self, x: Any) -> tuple[Any, Any]:
        """Return the primal value and tangent of an operand."""
        if isinstance(x, JVPTracer) and x._trace is self:
            if not self.is_live:
                raise leaked_tracer_error(x)
            return x.primal, x.tangent
        return x, zero_tangent(x)

    def pack(self, primal: Any, tangent: Any) -> Any:
        """Return a tracer for the pair, or the primal value alone if the tangent is zero."""
        return primal if is_zero(tangent) else JVPTracer(self, primal, tangent)

    def process_primitive(self, primitive: Primitive, args: tuple, params: dict[str, Any]) -> Any:
        """Apply the jvp rule of an operation."""
        primals, tangents = unzip(map(self.unpack, args))
        parent = self.parent
        assert parent is not None
        if all(map(is_zero, tangents)):
            with set_current_trace(parent):
                return primitive.bind(*primals, **params)
        outs, out_tangents = self.differentiate(primitive, primals, tangents, params)
        if primitive.multiple_results:
            return [self.pack(x, t) for x, t in zip(outs, out_tangents, strict=True)]
        return self.pack(outs, out_tangents)

    def differentiate(
        self, primitive: Primitive, primals: list, tangents: list, params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Return results and their tangents, computed by the parent trace."""
        with set_current_trace(self.parent):
            return primitive.rule("jvp")(primals, tangents, **params)

    def describe(self) -> str:
        """Name the transformation."""
        return "a function differentiated by jvp or grad"


def jvp(
    fun: Callable[..., Sequence[Any]], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Differentiate a flat function; tangents, also those returned, may be ``Zero``."""
    trace = JVPTrace(current_trace())
    with tracing(trace):
        args = [trace.pack(x, t) for x, t in zip(primals, tangents, strict=True)]
        primals_out, tangents_out = unzip(map(trace.unpack, fun(*args)))
        del args
    check_leaks(trace)
    return primals_out, tangents_out


def jvp_jaxpr(
    jaxpr: Jaxpr, nonzeros: Sequence[bool], instantiate_out: Sequence[bool]
) -> tuple[Jaxpr, list[bool]]:
    """Return the program that computes a jaxpr and its derivative.

    Parameters
    ----------
    jaxpr : Jaxpr
        Without constants.
    nonzeros : list of bool
        Which arguments have a tangent.
    instantiate_out : list of bool
        Which results must have a tangent in the new program even if it is zero.

    Returns
    -------
    jaxpr : Jaxpr
        Takes the arguments and then the tangents of those that have one; returns the results
        and then the tangents of those that have one.
    nonzeros_out : list of bool
        Which results have a tangent.
    """
    key = ("jvp", tuple(nonzeros), tuple(instantiate_out))
    return jaxpr.remember(key, lambda: _jvp_jaxpr(jaxpr, nonzeros, instantiate_out))


def _jvp_jaxpr(
    jaxpr: Jaxpr, nonzeros: Sequence[bool], instantiate_out: Sequence[bool]
) -> tuple[Jaxpr, list[bool]]:
    trace = JaxprTrace(current_trace(), jaxpr.debug_info)
    with tracing(trace):
        primals = [trace.new_arg(aval) for aval in jaxpr.in_avals]
        tangents: list[Any] = [
            trace.new_arg(aval.tangent()) if nonzero else Zero(aval.tangent())
            for aval, nonzero in zip(jaxpr.in_avals, nonzeros, strict=True)
        ]
        outs, out_tangents = jvp(lambda *args: eval_jaxpr(jaxpr, *args), primals, tangents)
        out_tangents = [
            instantiate(t) if force else t
            for t, force in zip(out_tangents, instantiate_out, strict=True)
        ]
        nonzeros_out = [not is_zero(t) for t in out_tangents]
        result = trace.to_jaxpr([*outs, *(t for t in out_tangents if not is_zero(t))])
    return result, nonzeros_out
