"""How is a formula written in StableHLO so that it can be read?

By a :class:`Number`, a value with operators: ``abs(x) * y + 1.0`` emits the operations. Python
scalars become constants of the other operand's shape and element type. Truth values are numbers
too: they have ``&``, ``|``, ``~`` and :meth:`Number.where`.
"""

from __future__ import annotations

from typing import Union

from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value

Operand = Union["Number", int, float]


class Number:
    """A value of a program that is being written, with Python's operators.

    Parameters
    ----------
    emitter : Emitter
        Where operations are appended.
    value : Value
    """

    __slots__ = ("emitter", "value")

    def __init__(self, emitter: Emitter, value: Value) -> None:
        self.emitter = emitter
        self.value = value

    def _wrap(self, value: Value) -> Number:
        return Number(self.emitter, value)

    def coerce(self, other: Operand) -> Number:
        """Make a number like this one of a Python scalar; numbers pass."""
        if isinstance(other, Number):
            return other
        return self._wrap(self.emitter.constant_like(other, self.value))

    def unary(self, name: str) -> Number:
        """Emit an operation of one operand, by its full name."""
        return self._wrap(self.emitter.like(name, self.value))

    def binary(self, name: str, other: Operand) -> Number:
        """Emit an operation of StableHLO with two operands of one type."""
        operands = self.value, self.coerce(other).value
        return self._wrap(self.emitter.like(f"stablehlo.{name}", *operands))

    def compare(self, direction: str, other: Operand) -> Number:
        """Emit a comparison."""
        return self._wrap(self.emitter.compare(direction, self.value, self.coerce(other).value))

    def __add__(self, other: Operand) -> Number:
        return self.binary("add", other)

    def __radd__(self, other: Operand) -> Number:
        return self.coerce(other) + self

    def __sub__(self, other: Operand) -> Number:
        return self.binary("subtract", other)

    def __rsub__(self, other: Operand) -> Number:
        return self.coerce(other) - self

    def __mul__(self, other: Operand) -> Number:
        return self.binary("multiply", other)

    def __rmul__(self, other: Operand) -> Number:
        return self.coerce(other) * self

    def __truediv__(self, other: Operand) -> Number:
        return self.binary("divide", other)

    def __rtruediv__(self, other: Operand) -> Number:
        return self.coerce(other) / self

    def __and__(self, other: Operand) -> Number:
        return self.binary("and", other)

    def __or__(self, other: Operand) -> Number:
        return self.binary("or", other)

    def __rshift__(self, other: Operand) -> Number:
        signed = self.value.type.element.startswith("i")
        return self.binary(f"shift_right_{'arithmetic' if signed else 'logical'}", other)

    def __neg__(self) -> Number:
        return self.unary("stablehlo.negate")

    def __abs__(self) -> Number:
        return self.unary("stablehlo.abs")

    def __invert__(self) -> Number:
        return self.unary("stablehlo.not")

    def __lt__(self, other: Operand) -> Number:
        return self.compare("LT", other)

    def __le__(self, other: Operand) -> Number:
        return self.compare("LE", other)

    def __gt__(self, other: Operand) -> Number:
        return self.compare("GT", other)

    def __ge__(self, other: Operand) -> Number:
        return self.compare("GE", other)

    def equals(self, other: Operand) -> Number:
        """Emit ``self == other`` (Python's own operator is left to compare objects)."""
        return self.compare("EQ", other)

    def where(self, if_true: Operand, if_false: Operand) -> Number:
        """Emit a choice by this truth value; at least one of the two is a Number."""
        model = if_true if isinstance(if_true, Number) else if_false
        assert isinstance(model, Number)
        chosen = model.coerce(if_true).value, model.coerce(if_false).value
        return self._wrap(self.emitter.select(self.value, *chosen))

    def convert(self, element: str) -> Number:
        """Emit a conversion to an element type (nothing if it is the same)."""
        result = TensorType(self.value.type.shape, element)
        if result == self.value.type:
            return self
        return self._wrap(self.emitter.op("stablehlo.convert", self.value, type=result))
