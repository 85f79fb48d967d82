"""How does a jaxpr get compiled and called on arrays?

A :class:`LoadedProgram` is a jaxpr made callable on one device. Results that are arguments or
constants are handed through without running anything, arguments that nothing reads are not
passed, and the rest is what the device's backend compiles, from the jaxpr itself or from its
StableHLO, as the backend likes.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.config import snapshot
from minijax.core.array import ConcreteArray, array_from_numpy, storage_dtype
from minijax.core.aval import ShapedArray, typeof
from minijax.core.backend import Device, Executable, Program
from minijax.core.hooks import install_bottom_trace
from minijax.core.jaxpr import Jaxpr, Literal, Var
from minijax.core.primitive import Primitive
from minijax.core.trace import Tracer, leaked_tracer_error, set_current_trace
from minijax.errors import JaxRuntimeError
from minijax.stablehlo.ir import Module
from minijax.transforms.dce import dce_jaxpr
from minijax.transforms.evaluate import EvalTrace, check_finite, placement
from minijax.transforms.lowering import estimate_flops, lower_jaxpr
from minijax.transforms.staging import trace_to_jaxpr

logger = logging.getLogger("minijax")


class LoadedProgram:
    """A compiled jaxpr on a device.

    Parameters
    ----------
    jaxpr : Jaxpr
        Its constants are concrete.
    name : str
        Name of the function, for messages.
    device : Device
    donated : sequence of bool
        Which arguments the caller gives up.
    keep_unused : bool
        Pass arguments that nothing reads.
    options : tuple of (str, str)
        The user's compiler options.
    """

    __slots__ = (
        "all_computed", "const_buffers", "device", "donated", "executable", "kept", "module",
        "name", "out_avals", "out_plan", "run_avals",
    )  # fmt: skip

    def __init__(
        self,
        jaxpr: Jaxpr,
        name: str,
        device: Device,
        donated: Sequence[bool] = (),
        keep_unused: bool = False,
        options: tuple[tuple[str, str], ...] = (),
    ):
        self.name = name
        self.device = device
        self.out_avals: list[Any] = jaxpr.out_avals
        self.out_plan, computed = _plan_outputs(jaxpr, device)
        self.all_computed = self.out_plan == [("computed", i) for i in range(len(computed))]
        body = Jaxpr(
            jaxpr.invars, computed, jaxpr.eqns, jaxpr.constvars, jaxpr.consts, jaxpr.debug_info
        )
        body, used = dce_jaxpr(body, [True] * len(computed), instantiate=keep_unused)
        self.kept = [i for i, bit in enumerate(used) if bit]
        self.donated = _usable_donations(jaxpr, donated)
        self.run_avals: list[Any] = body.out_avals
        self.const_buffers = [
            to_array(const, var.aval, device).buffer
            for var, const in zip(body.constvars, body.consts, strict=True)
        ]
        self.module: Module | None = None
        self.executable: Executable | None = None
        if body.outvars or body.effects:
            self._compile(body, options)

    def _compile(self, body: Jaxpr, options: tuple[tuple[str, str], ...]) -> None:
        backend = self.device.backend
        start = time.perf_counter()
        if backend.stage == "stablehlo":
            self.module = lower_jaxpr(body, self.name)
        program = Program(
            name=self.name,
            body=body if self.module is None else self.module,
            out_avals=tuple(self.run_avals),
            donated=tuple(len(self.const_buffers) + self.kept.index(i) for i in self.donated
                          if i in self.kept),
            flops=estimate_flops(body),
            options=options,
        )  # fmt: skip
        self.executable = backend.compile(program, self.device)
        if snapshot().log_compiles:
            seconds = time.perf_counter() - start
            logger.warning("Finished compilation of jit(%s) in %.3f sec", self.name, seconds)

    def __call__(self, args: Sequence[ConcreteArray], committed: bool) -> list[ConcreteArray]:
        """Run on arrays that live on the program's device."""
        device = self.device
        buffers = []
        if self.executable is not None:
            operands = self.const_buffers.copy()
            for i in self.kept:
                buffer = args[i]._buffer
                operands.append(args[i].buffer if buffer is None else buffer)
            buffers = self.executable.execute(operands)
        if self.all_computed:
            outs = [
                ConcreteArray(aval, device, None, buffer, committed)
                for aval, buffer in zip(self.out_avals, buffers, strict=True)
            ]
        else:
            outs = [
                self._result(aval, plan, args, buffers, committed)
                for aval, plan in zip(self.out_avals, self.out_plan, strict=True)
            ]
        if self.donated:
            self._take(args)
        state = snapshot()
        if state.debug_nans or state.debug_infs:
            check_finite(f"jit({self.name})", outs)
        return outs

    def _result(
        self,
        aval: ShapedArray,
        plan: tuple[str, Any],
        args: Sequence[ConcreteArray],
        buffers: Sequence[Any],
        committed: bool,
    ) -> ConcreteArray:
        source, where = plan
        if source == "computed":
            return ConcreteArray(aval, self.device, None, buffers[where], committed)
        shared = args[where] if source == "argument" else where
        shared.require_alive()
        return ConcreteArray(aval, self.device, shared._value, shared._buffer, committed)

    def _take(self, args: Sequence[ConcreteArray]) -> None:
        """Delete donated arguments.

        Raises
        ------
        JaxRuntimeError
            If one of them is passed a second time in the same call.
        """
        for i in self.donated:
            if any(args[j] is args[i] for j in range(len(args)) if j != i):
                raise JaxRuntimeError(
                    f"Attempt to use a buffer that was donated in the same call of {self.name}: "
                    f"arguments of type {args[i].aval.str_short()} are one array. Donate a copy."
                )
        for i in self.donated:
            args[i].delete()


def _usable_donations(jaxpr: Jaxpr, donated: Sequence[bool]) -> list[int]:
    """Return the donated arguments whose memory a result can take; warn about the others.

    Each result takes the place of one argument of its shape and dtype. Arguments that the
    program does not read are left alone.
    """
    wanted = Counter((aval.shape, aval.dtype) for aval in jaxpr.out_avals)
    read = {x for eqn in jaxpr.eqns for x in eqn.invars} | set(jaxpr.outvars)
    usable, unusable = [], []
    for i, (var, bit) in enumerate(zip(jaxpr.invars, donated, strict=False)):
        if not bit or var not in read:
            continue
        kind = var.aval.shape, var.aval.dtype  # type: ignore[attr-defined]
        wanted[kind] -= 1
        (usable if wanted[kind] >= 0 else unusable).append(i)
    if unusable:
        kinds = ", ".join(jaxpr.invars[i].aval.str_short() for i in unusable)
        warnings.warn(
            f"Some donated buffers were not usable: {kinds}.\nA donated argument is of use where "
            "a result has its shape and dtype.",
            stacklevel=2,
        )
    return usable


def _plan_outputs(jaxpr: Jaxpr, device: Device) -> tuple[list[tuple[str, Any]], list[Any]]:
    """Say where each result comes from; returns that and the results to compute, each once."""
    arguments = {var: i for i, var in enumerate(jaxpr.invars)}
    constants = dict(zip(jaxpr.constvars, jaxpr.consts, strict=True))
    computed: dict[Var, int] = {}
    plan: list[tuple[str, Any]] = []
    for atom in jaxpr.outvars:
        if isinstance(atom, Literal):
            plan.append(("constant", to_array(atom.val, atom.aval, device)))
        elif atom in arguments:
            plan.append(("argument", arguments[atom]))
        elif atom in constants:
            plan.append(("constant", to_array(constants[atom], atom.aval, device)))
        else:
            plan.append(("computed", computed.setdefault(atom, len(computed))))
    return plan, list(computed)


def to_array(x: Any, aval: ShapedArray, device: Device) -> ConcreteArray:
    """Return an operand as an array on a device; NumPy values are copied.

    Raises
    ------
    OverflowError
        If a Python integer does not fit its dtype.
    """
    if type(x) is ConcreteArray:
        return x if x.device is device else move(x, device)
    if isinstance(x, Tracer):
        raise leaked_tracer_error(x)
    block = np.empty(aval.shape, storage_dtype(aval.dtype))
    block[...] = x
    return array_from_numpy(block, aval=aval, device=device)


def move(x: ConcreteArray, device: Device, committed: bool | None = None) -> ConcreteArray:
    """Return an array with the same value on another device."""
    if committed is None:
        committed = x.committed
    if x.device is device:
        x.require_alive()
        return ConcreteArray(x.aval, device, x._value, x._buffer, committed)
    return ConcreteArray(x.aval, device, x.value, None, committed)


def place(
    args: list[Any], avals: Sequence[Any], pinned: Device | None = None
) -> tuple[Device, bool]:
    """Turn operands, in the list, into arrays on the device where they meet.

    Returns
    -------
    device : Device
        ``pinned`` if it is given.
    committed : bool
        Whether the user chose it.
    """
    device, committed = (pinned, True) if pinned is not None else placement(args)
    for i, x in enumerate(args):
        if type(x) is not ConcreteArray or x.device is not device:
            args[i] = to_array(x, avals[i], device)
    return device, committed


# -- single operations on devices that NumPy cannot see ------------------------------------------

_single_programs: dict[Any, LoadedProgram] = {}


def run_on_device(
    primitive: Primitive,
    args: Sequence[Any],
    avals: Sequence[Any],
    out_avals: Sequence[Any],
    params: dict[str, Any],
    device: Device,
    committed: bool,
) -> list[ConcreteArray]:
    """Compile one operation as a program of its own and run it."""
    key = (primitive, tuple(avals), tuple(params.items()), device)
    try:
        program = _single_programs.get(key)
    except TypeError:  # a parameter without a hash
        program = key = None
    if program is None:

        def apply(*xs: Any) -> list[Any]:
            out = primitive.bind(*xs, **params)
            return out if primitive.multiple_results else [out]

        program = LoadedProgram(trace_to_jaxpr(apply, avals), primitive.name, device)
        if key is not None:
            _single_programs[key] = program
    arrays = [to_array(x, aval, device) for x, aval in zip(args, avals, strict=True)]
    with set_current_trace(None):
        return program(arrays, committed)


def run_jaxpr(jaxpr: Jaxpr, name: str, *args: Any) -> list[ConcreteArray]:
    """Compile a jaxpr (once) for where its operands live, and run it."""
    arrays = list(args)
    device, committed = place(arrays, [typeof(x) for x in args])
    program = jaxpr.remember(("program", device), lambda: LoadedProgram(jaxpr, name, device))
    return program(arrays, committed)


install_bottom_trace(EvalTrace(run_on_device))
