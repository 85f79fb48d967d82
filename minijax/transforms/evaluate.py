"""How is an operation computed, and how is a jaxpr run?

Three ways, from the inside out. :func:`interpret_jaxpr` runs a jaxpr on ndarrays with the
reference rules: it is the meaning of programs, and all of the NumPy backend. :class:`EvalTrace`,
the trace beneath all others, carries out single operations on arrays, by the reference rule where
the data is host memory. :func:`eval_jaxpr` sends the equations of a jaxpr to the current trace,
whatever it is; transformations use it to run jaxprs under themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax import source_info
from minijax.config import snapshot
from minijax.core import dtypes
from minijax.core.array import ConcreteArray, storage_dtype
from minijax.core.aval import ShapedArray, typeof
from minijax.core.backend import Device, default_device
from minijax.core.jaxpr import Eqn, Jaxpr, Literal, Var
from minijax.core.primitive import Primitive
from minijax.core.trace import Trace, Tracer, leaked_tracer_error


def eval_jaxpr(jaxpr: Jaxpr, *args: Any) -> list[Any]:
    """Run a jaxpr by binding its equations under the current trace.

    Every operation is attributed to the source of its equation. Values are dropped after their
    last use.
    """
    environment: dict[Var, Any] = {}
    environment.update(zip(jaxpr.constvars, jaxpr.consts, strict=True))
    environment.update(zip(jaxpr.invars, args, strict=True))
    for eqn, dying in zip(jaxpr.eqns, last_uses(jaxpr), strict=True):
        operands = [x.val if type(x) is Literal else environment[x] for x in eqn.invars]  # type: ignore[index]
        token = source_info.set_replayed(eqn.source)
        try:
            outs = eqn.primitive.bind(*operands, **eqn.params)
        finally:
            source_info.reset_replayed(token)
        _store(environment, eqn, outs, dying)
    return [x.val if type(x) is Literal else environment[x] for x in jaxpr.outvars]  # type: ignore[index]


def _store(environment: dict[Var, Any], eqn: Eqn, outs: Any, dying: list[Var]) -> None:
    if eqn.primitive.multiple_results:
        environment.update(zip(eqn.outvars, outs, strict=True))
    else:
        environment[eqn.outvars[0]] = outs
    for var in dying:
        del environment[var]


def last_uses(jaxpr: Jaxpr) -> list[list[Var]]:
    """Return for each equation the variables that nothing after it reads."""

    def compute() -> list[list[Var]]:
        seen = {x for x in jaxpr.outvars if isinstance(x, Var)}
        dying = []
        for eqn in reversed(jaxpr.eqns):
            last = {x for x in (*eqn.invars, *eqn.outvars) if isinstance(x, Var)} - seen
            seen |= last
            dying.append(list(last))
        return dying[::-1]

    return jaxpr.remember("last_uses", compute)


# -- the meaning of programs --------------------------------------------------------------------


def interpret_jaxpr(jaxpr: Jaxpr, *args: np.ndarray) -> list[np.ndarray]:
    """Run a jaxpr on ndarrays with the reference rules."""
    environment: dict[Var, Any] = {}
    consts = [as_storage(c, v.aval) for c, v in zip(jaxpr.consts, jaxpr.constvars, strict=True)]
    environment.update(zip(jaxpr.constvars, consts, strict=True))
    environment.update(zip(jaxpr.invars, args, strict=True))
    for eqn, dying in zip(jaxpr.eqns, last_uses(jaxpr), strict=True):
        operands = [_interpreted(x, environment) for x in eqn.invars]
        outs = apply_reference(eqn.primitive, operands, [v.aval for v in eqn.outvars], eqn.params)
        environment.update(zip(eqn.outvars, outs, strict=True))
        for var in dying:
            del environment[var]
    return [_interpreted(x, environment) for x in jaxpr.outvars]


def _interpreted(atom: Any, environment: dict[Var, Any]) -> np.ndarray:
    return as_storage(atom.val, atom.aval) if type(atom) is Literal else environment[atom]


def apply_reference(
    primitive: Primitive,
    operands: Sequence[np.ndarray],
    out_avals: Sequence[ShapedArray],
    params: dict[str, Any],
) -> list[np.ndarray]:
    """Apply a reference rule; its results must have the types that the type rule promises."""
    with np.errstate(all="ignore"):
        result = primitive.rule("reference")(*operands, **params)
    results = result if primitive.multiple_results else [result]
    return [
        _as_promised(primitive, np.asarray(x), aval)
        for x, aval in zip(results, out_avals, strict=True)
    ]


def _as_promised(primitive: Primitive, value: np.ndarray, aval: ShapedArray) -> np.ndarray:
    if value.shape != aval.shape or value.dtype != storage_dtype(aval.dtype):
        raise TypeError(
            f"The reference rule of '{primitive.name}' returned {value.dtype}{list(value.shape)} "
            f"where its abstract rule promises {aval.str_short()}."
        )
    return value


def as_storage(x: Any, aval: ShapedArray) -> np.ndarray:
    """Return the ndarray that holds an operand of a type."""
    if type(x) is ConcreteArray:
        return x.value
    return np.asarray(x, dtype=storage_dtype(aval.dtype))


# -- the bottom trace ---------------------------------------------------------------------------


class EvalTrace(Trace):
    """Computes operations at once.

    ``run_on_device`` runs one operation on a device whose memory NumPy cannot see; it is given
    by the dispatcher, which stands above.
    """

    __slots__ = ("run_on_device",)

    def __init__(self, run_on_device: Callable[..., Any]):
        super().__init__()
        self.run_on_device = run_on_device

    def process_primitive(self, primitive: Primitive, args: tuple, params: dict[str, Any]) -> Any:
        """Compute one operation on concrete operands."""
        for x in args:
            if isinstance(x, Tracer):
                raise leaked_tracer_error(x)
        if primitive.evaluate is not None:
            return primitive.evaluate(*args, **params)
        avals = [typeof(x) for x in args]
        result = primitive.infer(avals, params)
        out_avals = result if primitive.multiple_results else [result]
        device, committed = placement(args)
        if not device.backend.host_memory:
            outs = self.run_on_device(primitive, args, avals, out_avals, params, device, committed)
            return outs if primitive.multiple_results else outs[0]
        operands = [as_storage(x, aval) for x, aval in zip(args, avals, strict=True)]
        values = apply_reference(primitive, operands, out_avals, params)
        raw = [x for x in args if type(x) is np.ndarray]
        outs = [
            _wrap(value, aval, device, committed, raw)
            for value, aval in zip(values, out_avals, strict=True)
        ]
        state = snapshot()
        if state.debug_nans or state.debug_infs:
            check_finite(primitive.name, outs)
        return outs if primitive.multiple_results else outs[0]

    def describe(self) -> str:
        """Say that nothing is traced."""
        return "eager evaluation"


def _wrap(
    value: np.ndarray, aval: ShapedArray, device: Device, committed: bool, raw: list[np.ndarray]
) -> ConcreteArray:
    if any(np.may_share_memory(value, x) for x in raw):
        value = value.copy()  # the caller owns that memory and may write to it
    value.flags.writeable = False
    return ConcreteArray(aval, device, value, None, committed)


def placement(args: Sequence[Any]) -> tuple[Device, bool]:
    """Return where an operation on these operands runs, and whether the user chose it.

    Raises
    ------
    ValueError
        If operands are committed to different devices.
    """
    chosen: ConcreteArray | None = None
    fallback: Device | None = None
    for x in args:
        if type(x) is ConcreteArray:
            if not x.committed:
                fallback = fallback or x.device
            elif chosen is None:
                chosen = x
            elif x.device is not chosen.device:
                raise ValueError(
                    "Received incompatible devices for jitted computation. Got arguments of type "
                    f"{chosen.aval.str_short()} on device {chosen.device} and of type "
                    f"{x.aval.str_short()} on device {x.device}: move one of them with "
                    "jax.device_put."
                )
    if chosen is not None:
        return chosen.device, True
    return (fallback if fallback is not None else default_device()), False


def check_finite(what: str, outs: Sequence[ConcreteArray]) -> None:
    """Raise FloatingPointError if a result holds a NaN or infinity and the flag forbids it."""
    state = snapshot()
    for x in outs:
        if not dtypes.issubdtype(x.dtype, np.inexact):
            continue
        value = x.value.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
        if state.debug_nans and np.isnan(value).any():
            raise FloatingPointError(
                f"invalid value (nan) encountered in {what} at {source_info.current()}"
            )
        if state.debug_infs and np.isinf(value).any():
            raise FloatingPointError(
                f"invalid value (inf) encountered in {what} at {source_info.current()}"
            )
