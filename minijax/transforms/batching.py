"""How does a function of one example become a function of many?

Each value carries the position of its batch axis, if it has one. A primitive's batching rule says
how to do the operation for all examples at once and where the batch axis ends up. Values without
batch axis are shared by all examples, and operations among them are done once.

Collectives (``psum`` over a named axis) are the operations that see across examples: they come to
the trace of the axis they name whether or not their operands are batched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minijax.core.aval import ShapedArray, typeof
from minijax.core.jaxpr import Jaxpr
from minijax.core.primitive import AxisInfo, Primitive, broadcast_in_dim_p
from minijax.core.trace import (
    Trace,
    Tracer,
    check_leaks,
    current_trace,
    described_type,
    extend_axis_env,
    leaked_tracer_error,
    set_current_trace,
    tracing,
)
from minijax.primitives.operands import move_axis
from minijax.transforms.evaluate import eval_jaxpr
from minijax.transforms.staging import JaxprTrace
from minijax.util import unzip


class BatchTracer(Tracer):
    """A value for all examples, seen as the value of one: ``dim`` is the batch axis."""

    __slots__ = ("dim", "value")

    def __init__(self, trace: BatchTrace, value: Any, dim: int):
        aval = typeof(value)
        shape = aval.shape[:dim] + aval.shape[dim + 1 :]
        super().__init__(trace, ShapedArray(shape, aval.dtype, aval.weak_type))
        self.value = value
        self.dim = dim

    def __repr__(self) -> str:
        whole = described_type(typeof(self.value))
        return f"VmapTracer(aval={described_type(self.aval)}, batched={whole})"


class BatchTrace(Trace):
    """Applies batching rules for one axis.

    A rule that runs a Python function starts a trace of its own for the same axis. The function
    may close over tracers of the trace that called the rule: they belong to both, to the
    ``family``.
    """

    __slots__ = ("axis", "family")

    def __init__(self, parent: Trace, axis: AxisInfo):
        super().__init__(parent)
        self.axis = AxisInfo(axis.name, axis.size, self)
        self.family: tuple[BatchTrace, ...] = () if axis.trace is None else (
            axis.trace, *axis.trace.family
        )  # fmt: skip

    def unpack(self, x: Any) -> tuple[Any, int | None]:
        """Return the value for all examples and its batch axis."""
        if isinstance(x, BatchTracer) and (x._trace is self or x._trace in self.family):
            if not x._trace.is_live:
                raise leaked_tracer_error(x)
            return x.value, x.dim
        return x, None

    def pack(self, value: Any, dim: int | None) -> Any:
        """Return a tracer for a batched value, an unbatched one as it is."""
        return value if dim is None else BatchTracer(self, value, dim)

    def process_primitive(self, primitive: Primitive, args: tuple, params: dict[str, Any]) -> Any:
        """Apply the batching rule of an operation."""
        values, dims = unzip(map(self.unpack, args))
        names_axis = self.axis.name is not None and self.axis.name in primitive.named_axes(**params)
        with set_current_trace(self.parent):
            shared = all(dim is None for dim in dims) and not names_axis
            if shared and primitive.stage is None:  # else a Python function may close over ours
                return primitive.bind(*values, **params)
            outs, out_dims = primitive.rule("batch")(self.axis, values, dims, **params)
        if primitive.multiple_results:
            return [self.pack(x, d) for x, d in zip(outs, out_dims, strict=True)]
        return self.pack(outs, out_dims)

    def describe(self) -> str:
        """Name the transformation."""
        return "a function vectorised by vmap"

    def origin_message(self, tracer: Tracer) -> str:
        """Say that the value differs from example to example."""
        if isinstance(tracer, BatchTracer) and isinstance(tracer.value, Tracer):
            return tracer.value.origin_message()
        return "The value has one entry per example of a batch: it was traced by vmap."


def batch(
    fun: Callable[..., Sequence[Any]],
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[int | None],
) -> tuple[list[Any], list[int | None]]:
    """Run a flat function for all examples; returns values and their batch axes."""
    trace = BatchTrace(current_trace(), axis)
    with extend_axis_env(axis.name, axis.size), tracing(trace):
        tracers = [trace.pack(x, d) for x, d in zip(args, dims, strict=True)]
        outs, out_dims = unzip(map(trace.unpack, fun(*tracers)))
        del tracers
    check_leaks(trace)
    return outs, out_dims


def place_batch_axis(value: Any, dim: int | None, size: int, destination: int = 0) -> Any:
    """Move the batch axis to a position, making one by repetition if there is none."""
    if dim is not None:
        return move_axis(value, dim, destination)
    shape = list(typeof(value).shape)
    destination = destination % (len(shape) + 1)
    kept = tuple(i for i in range(len(shape) + 1) if i != destination)
    shape.insert(destination, size)
    return broadcast_in_dim_p.bind(
        value, shape=tuple(shape), broadcast_dimensions=kept, sharding=None
    )


def batch_jaxpr(
    jaxpr: Jaxpr, axis: AxisInfo, batched: Sequence[bool], force_out: Sequence[bool]
) -> tuple[Jaxpr, list[bool]]:
    """Return the program of a jaxpr for all examples, batch axes in front.

    Parameters
    ----------
    jaxpr : Jaxpr
        Without constants.
    axis : AxisInfo
    batched : list of bool
        Which arguments have a batch axis.
    force_out : list of bool
        Which results must have one even if they do not vary.

    Returns
    -------
    jaxpr : Jaxpr
    batched_out : list of bool
        Which results have a batch axis.
    """
    axis = axis.without_trace()
    key = ("batch", axis, tuple(batched), tuple(force_out))
    return jaxpr.remember(key, lambda: _batch_jaxpr(jaxpr, axis, batched, force_out))


def _batch_jaxpr(
    jaxpr: Jaxpr, axis: AxisInfo, batched: Sequence[bool], force_out: Sequence[bool]
) -> tuple[Jaxpr, list[bool]]:
    trace = JaxprTrace(current_trace(), jaxpr.debug_info)
    with tracing(trace):
        args = [
            trace.new_arg(aval.update(shape=(axis.size, *aval.shape)) if bit else aval)
            for aval, bit in zip(jaxpr.in_avals, batched, strict=True)
        ]
        dims = [0 if bit else None for bit in batched]
        outs, out_dims = batch(lambda *xs: eval_jaxpr(jaxpr, *xs), axis, args, dims)
        batched_out = [
            dim is not None or force for dim, force in zip(out_dims, force_out, strict=True)
        ]
        outs = [
            place_batch_axis(x, dim, axis.size) if bit else x
            for x, dim, bit in zip(outs, out_dims, batched_out, strict=True)
        ]
        result = trace.to_jaxpr(outs)
    return result, batched_out


def used_axes(jaxpr: Jaxpr) -> tuple:
    """Return the names of the axes that collectives in a program use."""

    def compute() -> tuple:
        names = {n for eqn in jaxpr.eqns for n in eqn.primitive.named_axes(**eqn.params)}
        return tuple(names)

    return jaxpr.remember("used_axes", compute)
