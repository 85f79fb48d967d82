"""How does a lowering rule write operations?

An :class:`Emitter` stands at the end of a block and appends operations to it. It offers the few
operations that nearly every rule needs (constants, broadcasts, conversions, comparisons) and
``op`` for all others. Result types follow from the abstract values of the equation, so that most
rules are one line. Everything emitted carries the source of the equation being lowered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.source_info import UNKNOWN, SourceInfo
from minijax.stablehlo.ir import (
    Block,
    Dense,
    Operation,
    Raw,
    TensorType,
    Value,
    element_type,
    type_of_aval,
)


class Emitter:
    """Appends operations to a block.

    ``avals_in`` and ``avals_out`` are the types of the equation being lowered. The subclass that
    lowers whole programs adds ``call`` and ``inline`` for rules of higher-order primitives.
    """

    def __init__(self, block: Block):
        self.block = block
        self.source: SourceInfo = UNKNOWN
        self.avals_in: Sequence[Any] = ()
        self.avals_out: Sequence[Any] = ()

    # -- operations ----------------------------------------------------------------------------

    def op(
        self,
        name: str,
        *operands: Value,
        type: Any = None,
        regions: Sequence[Block] = (),
        **attributes: Any,
    ) -> Value:
        """Append an operation with one result; its type defaults to that of the equation."""
        result_type = type if type is not None else type_of_aval(self.avals_out[0])
        return self.ops(name, operands, [result_type], regions, **attributes)[0]

    def ops(
        self,
        name: str,
        operands: Sequence[Value],
        types: Sequence[Any],
        regions: Sequence[Block] = (),
        **attributes: Any,
    ) -> list[Value]:
        """Append an operation with any number of results of the given types."""
        operation = Operation(name, operands, types, attributes, regions, self.source)
        self.block.operations.append(operation)
        return operation.results

    @contextmanager
    def region(self, argument_types: Sequence[Any] = ()) -> Iterator[Block]:
        """Write operations into a fresh region: ``with ctx.region([t]) as body: ...``.

        End it with :meth:`return_`.
        """
        outer, self.block = self.block, Block(argument_types)
        try:
            yield self.block
        finally:
            self.block = outer

    def return_(self, *values: Value) -> None:
        """End a region."""
        self.ops("stablehlo.return", values, [])

    # -- the operations that every rule needs --------------------------------------------------

    def constant(self, value: Any, dtype: Any = None) -> Value:
        """Emit a constant array or scalar of ``dtype`` (default: that of the value)."""
        array = np.asarray(value)
        if dtype is not None:
            storage = dtype.storage if isinstance(dtype, dtypes.ExtendedDType) else dtype
            array = array.astype(storage)
        element = element_type(array.dtype)
        return self.op(
            "stablehlo.constant",
            type=TensorType(array.shape, element),
            value=Dense(array, element),
        )

    def constant_like(self, value: Any, like: Value) -> Value:
        """Emit an array of the shape and element type of ``like``, ``value`` everywhere."""
        scalar = np.asarray(value).astype(NUMPY_OF_ELEMENT[like.type.element])
        return self.op(
            "stablehlo.constant",
            type=like.type,
            value=Dense(np.broadcast_to(scalar, like.type.shape), like.type.element),
        )

    def broadcast(self, x: Value, shape: Sequence[int], dims: Sequence[int]) -> Value:
        """Emit ``broadcast_in_dim``: axis i of ``x`` becomes axis ``dims[i]`` of the result."""
        result = TensorType(tuple(shape), x.type.element)
        if result == x.type and tuple(dims) == tuple(range(len(shape))):
            return x
        return self.op(
            "stablehlo.broadcast_in_dim", x, type=result, broadcast_dimensions=tuple(dims)
        )

    def broadcast_scalars(self, *values: Value) -> list[Value]:
        """Give rank-0 operands the shape of the others, as elementwise operations need it."""
        shape = max((v.type.shape for v in values), key=len)
        return [v if v.type.shape else self.broadcast(v, shape, ()) for v in values]

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """Emit a reshape (nothing if the shape is the same)."""
        if x.type.shape == tuple(shape):
            return x
        return self.op("stablehlo.reshape", x, type=TensorType(tuple(shape), x.type.element))

    def convert(self, x: Value, dtype: Any) -> Value:
        """Emit an elementwise conversion (nothing if the type is the same)."""
        result = TensorType(x.type.shape, element_type(dtype))
        return x if result == x.type else self.op("stablehlo.convert", x, type=result)

    def bitcast(self, x: Value, result: TensorType) -> Value:
        """Emit a reinterpretation of bits."""
        return self.op("stablehlo.bitcast_convert", x, type=result)

    def compare(self, direction: str, x: Value, y: Value) -> Value:
        """Emit a comparison: direction is EQ, NE, LT, LE, GT or GE."""
        return self.op(
            "stablehlo.compare",
            x,
            y,
            type=TensorType(x.type.shape, "i1"),
            comparison_direction=Raw(f"#stablehlo<comparison_direction {direction}>"),
            compare_type=Raw(f"#stablehlo<comparison_type {_comparison_type(x.type.element)}>"),
        )

    def select(self, predicate: Value, if_true: Value, if_false: Value) -> Value:
        """Emit a choice by a predicate (scalar or of the operands' shape)."""
        return self.op("stablehlo.select", predicate, if_true, if_false, type=if_true.type)

    def like(self, name: str, *operands: Value, **attributes: Any) -> Value:
        """Emit an operation whose result has the type of its first operand."""
        return self.op(name, *operands, type=operands[0].type, **attributes)

    def barrier(self, values: Sequence[Value]) -> list[Value]:
        """Emit an optimization barrier: the compiler may not move anything across."""
        types = [v.type for v in values]
        return self.ops("stablehlo.optimization_barrier", values, types)


NUMPY_OF_ELEMENT = {
    element_type(dtype): dtype
    for name, dtype in dtypes.DTYPES.items()
    if name not in ("int1", "uint1", "float6_e2m3fn", "float6_e3m2fn")
}


def _comparison_type(element: str) -> str:
    if element == "i1" or element.startswith("ui"):
        return "UNSIGNED"
    return "SIGNED" if element.startswith("i") else "FLOAT"
