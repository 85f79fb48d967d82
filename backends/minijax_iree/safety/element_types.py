"""Element types that IREE supports in part: floats and integers of a few bits, complex128."""

from __future__ import annotations

import math

import numpy as np

from minijax.stablehlo.ir import Module, Operation, TensorType, Value
from minijax.stablehlo.number import Number

from .conversion import convert_saturate
from .inspect_ir import splat
from .rewriter import Rewriter

FLOAT_8 = frozenset(("f8E4M3FN", "f8E5M2", "f8E4M3FNUZ", "f8E5M2FNUZ"))
WIDE = frozenset(("f64", "f16"))

UNSUPPORTED = {
    "i2": "int2", "ui2": "uint2", "i4": "int4", "ui4": "uint4",
    "f8E4M3B11FNUZ": "float8_e4m3b11fnuz", "f8E4M3": "float8_e4m3", "f8E3M4": "float8_e3m4",
    "f8E8M0FNU": "float8_e8m0fnu", "f4E2M1FN": "float4_e2m1fn",
}  # fmt: skip


def refuse_unsupported(module: Module) -> None:
    """Refuse a program with values of a dtype that IREE cannot compute with.

    Fault (IREE 3.13, all targets): most of these dtypes do not compile ("'hal.element_type' op
    unsupported element type", "failed to calculate total byte count"); float8_e8m0fnu gives wrong
    numbers, integers of four bits have no type for arguments.

    Raises
    ------
    NotImplementedError
        Naming the dtype.
    """
    for function in module.functions:
        values = list(function.body.arguments)
        for op in function.body.walk():
            values += [*op.results, *(v for region in op.regions for v in region.arguments)]
        for value in values:
            dtype = UNSUPPORTED.get(getattr(value.type, "element", ""))
            if dtype:
                raise NotImplementedError(
                    f"IREE cannot compute with arrays of dtype {dtype}. Convert to a wider dtype "
                    "outside of compiled programs, or use the numpy backend."
                )


def convert_float8_by_f32(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Convert between floats of eight bits and other types than f32 by way of f32.

    Faults (IREE 3.13, llvm-cpu): conversions from f64 and f16, and to f16, do not compile ("failed
    to legalize operation 'arith.truncf'", "'arith.extf'"); -NaN of float8_e4m3fn becomes -480.
    """
    (x,) = op.operands
    target = op.results[0].type.element
    if x.type.element in FLOAT_8:
        wide = _widened(rewriter, x)
        if target == "f32":
            return [wide]
        op.operands[:] = [wide]
        return convert_saturate(rewriter, op)
    if x.type.element in WIDE and target in FLOAT_8:
        (wide,) = rewriter.barrier([rewriter.to_element(x, "f32")])
        return [rewriter.to_element(wide, target)]
    return None


def _widened(rewriter: Rewriter, x: Value) -> Value:
    """Return f32 of the same values."""
    wide = rewriter.to_element(x, "f32")
    if x.type.element != "f8E4M3FN":
        return wide
    is_nan = (Number(rewriter, x).bits("ui8") & 0x7F).equals(0x7F)
    return is_nan.where(math.nan, Number(rewriter, wide)).value


def return_filled_complex(rewriter: Rewriter, op: Operation) -> None:
    """Return arrays filled with one complex128 number as computed ones, not as constants.

    Fault (IREE 3.13, llvm-cpu): filling memory with such a number does not compile
    ("'stream.async.splat' op has no builtin for bit width 128").
    """
    op.operands[:] = [
        _computed(rewriter, value)
        if isinstance(value.type, TensorType) and value.type.element == "complex<f64>"
        else value
        for value in op.operands
    ]


def _computed(rewriter: Rewriter, value: Value) -> Value:
    number = splat(value)
    if number is None or not value.type.shape:
        return value
    kind = TensorType(value.type.shape, "f64")
    parts = [
        rewriter.op("stablehlo.broadcast_in_dim", part, type=kind, broadcast_dimensions=())
        for part in rewriter.barrier(
            [rewriter.constant(np.float64(number.real)), rewriter.constant(np.float64(number.imag))]
        )
    ]
    return rewriter.op("stablehlo.complex", *parts, type=value.type)
