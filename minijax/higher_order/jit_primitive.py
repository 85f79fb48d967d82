"""What is a call of a compiled function, as an operation?

``jit_p`` is an ordinary primitive whose parameter is a jaxpr. Every transformation turns it into
the ``jit_p`` of the transformed jaxpr, kept with the original so that it is derived once. At the
bottom the jaxpr is compiled and run; inside another program it becomes a call of a function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minijax.core.aval import typeof
from minijax.core.jaxpr import Eqn, Jaxpr
from minijax.core.primitive import Arg, AxisInfo, Primitive, Zero, is_undefined_primal, is_zero
from minijax.primitives.arithmetic import mul
from minijax.primitives.elementwise import cos, sin
from minijax.transforms.batching import batch_jaxpr, place_batch_axis, used_axes
from minijax.transforms.dce import dce_jaxpr
from minijax.transforms.dispatch import run_jaxpr
from minijax.transforms.evaluate import interpret_jaxpr
from minijax.transforms.jvp import jvp_jaxpr
from minijax.transforms.linearize import linearize_jaxpr
from minijax.transforms.lowering import LoweringContext
from minijax.transforms.staging import trace_to_jaxpr
from minijax.transforms.transpose import transpose_jaxpr
from minijax.util import merge_lists, partition_list, select_where

jit_p = Primitive("jit", multiple_results=True, memoize=False)


@jit_p.abstract
def jit_abstract(*avals: Any, jaxpr: Jaxpr, name: str) -> list[Any]:
    return jaxpr.out_avals


@jit_p.reference
def jit_reference(*args: Any, jaxpr: Jaxpr, name: str) -> list[Any]:
    return interpret_jaxpr(jaxpr, *args)


def jit_evaluate(*args: Any, jaxpr: Jaxpr, name: str) -> list[Any]:
    """Compile and run, for a call met outside all transformations."""
    return run_jaxpr(jaxpr, name, *args)


jit_p.evaluate = jit_evaluate


@jit_p.jvp
def jit_jvp(primals: list, tangents: list, *, jaxpr: Jaxpr, name: str) -> tuple[list, list]:
    nonzeros = [not is_zero(t) for t in tangents]
    derived, nonzeros_out = jvp_jaxpr(jaxpr, nonzeros, [False] * len(jaxpr.outvars))
    moving = select_where(nonzeros, tangents)
    outs = jit_p.bind(*primals, *moving, jaxpr=derived, name=name)
    primals_out, tangents_out = outs[: len(nonzeros_out)], outs[len(nonzeros_out) :]
    zeros = [
        Zero(aval.tangent())
        for aval, bit in zip(jaxpr.out_avals, nonzeros_out, strict=True)
        if not bit
    ]
    return primals_out, merge_lists(nonzeros_out, zeros, tangents_out)


@jit_p.linearize
def jit_linearize(
    nonzeros: list[bool], *primals: Any, jaxpr: Jaxpr, name: str
) -> tuple[list, Callable[..., list]]:
    primal, linear, nonzeros_out = linearize_jaxpr(jaxpr, nonzeros, [False] * len(jaxpr.outvars))
    outs = jit_p.bind(*primals, jaxpr=primal, name=name)
    primals_out, residuals = outs[: len(nonzeros_out)], outs[len(nonzeros_out) :]

    def tangent_fun(*tangents: Any) -> list:
        moving = select_where(nonzeros, tangents)
        moved = jit_p.bind(*residuals, *moving, jaxpr=linear, name=name)
        zeros = [
            Zero(aval.tangent())
            for aval, bit in zip(jaxpr.out_avals, nonzeros_out, strict=True)
            if not bit
        ]
        return merge_lists(nonzeros_out, zeros, moved)

    return primals_out, tangent_fun


@jit_p.transpose
def jit_transpose(cts: list, *args: Any, jaxpr: Jaxpr, name: str) -> list:
    linear = [is_undefined_primal(x) for x in args]
    nonzero = [not is_zero(ct) for ct in cts]
    backward = transpose_jaxpr(jaxpr, linear, nonzero)
    known, _ = partition_list(linear, args)
    results = jit_p.bind(*known, *select_where(nonzero, cts), jaxpr=backward, name=name)
    return merge_lists(linear, [None] * len(known), results)


@jit_p.batch
def jit_batch(
    axis: AxisInfo, args: list, dims: list, *, jaxpr: Jaxpr, name: str
) -> tuple[list, list]:
    batched = [dim is not None for dim in dims]
    derived, batched_out = batch_jaxpr(jaxpr, axis, batched, [False] * len(jaxpr.outvars))
    moved = [
        x if dim is None else place_batch_axis(x, dim, axis.size)
        for x, dim in zip(args, dims, strict=True)
    ]
    outs = jit_p.bind(*moved, jaxpr=derived, name=name)
    return outs, [0 if bit else None for bit in batched_out]


@jit_p.lower
def jit_lower(ctx: LoweringContext, *args: Any, jaxpr: Jaxpr, name: str) -> list:
    return ctx.call(name, jaxpr, args)


def jit_dce(used: list[bool], eqn: Eqn) -> tuple[list[bool], Eqn | None]:
    """Drop what is unused inside the called program."""
    jaxpr, used_in = dce_jaxpr(eqn.params["jaxpr"], used)
    if not any(used) and not jaxpr.effects:
        return [False] * len(eqn.invars), None
    return used_in, eqn.replace(
        invars=select_where(used_in, eqn.invars),
        outvars=select_where(used, eqn.outvars),
        params=eqn.params | {"jaxpr": jaxpr},
    )


jit_p.dce = jit_dce
jit_p.named_axes = lambda *, jaxpr, name: used_axes(jaxpr)


def _sample_program(x: Any, y: Any) -> Any:
    product = mul(sin(x), y)
    jaxpr = trace_to_jaxpr(lambda a, b: [mul(a, b), cos(a)], [typeof(x), typeof(product)])
    return jit_p.bind(x, product, jaxpr=jaxpr, name="sample")


jit_p.sample_call(_sample_program, Arg((3,)), Arg((3,)))
