"""How is a formula written in StableHLO so that it can be read?

By a :class:`Number`, a value with operators: ``(x * y + 1).exp()`` emits the operations. Python
scalars become constants of the other operand's shape and element type. Truth values are numbers
too: they have ``&``, ``|``, ``~`` and :meth:`Number.where`.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        The value.
    """

    __slots__ = ("emitter", "value")

    def __init__(self, emitter: Emitter, value: Value) -> None:
        self.emitter = emitter
        self.value = value

    def _wrap(self, value: Value) -> Number:
        return Number(self.emitter, value)

    def coerce(self, other: Operand) -> Number:
        """Make a number of a Python scalar."""
        if isinstance(other, Number):
            return other
        return self._wrap(self.emitter.constant_like(other, self.value))

    def unary(self, name: str) -> Number:
        """Emit an operation of one operand, of the same type; CHLO's by their full name."""
        name = name if "." in name else f"stablehlo.{name}"
        return self._wrap(self.emitter.like(name, self.value))

    def binary(self, name: str, other: Operand) -> Number:
        """Emit an operation of two operands, of the same type."""
        return self._wrap(
            self.emitter.like(f"stablehlo.{name}", self.value, self.coerce(other).value)
        )

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

    def __xor__(self, other: Operand) -> Number:
        return self.binary("xor", other)

    def __rshift__(self, other: Operand) -> Number:
        signed = self.value.type.element.startswith("i")
        return self.binary(f"shift_right_{'arithmetic' if signed else 'logical'}", other)

    def __lshift__(self, other: Operand) -> Number:
        return self.binary("shift_left", other)

    def __neg__(self) -> Number:
        return self.unary("negate")

    def __abs__(self) -> Number:
        return self.unary("abs")

    def __invert__(self) -> Number:
        return self.unary("not")

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

    def is_nan(self) -> Number:
        """Whether each element is not a number."""
        return self.compare("NE", self)

    def where(self, if_true: Operand, if_false: Operand) -> Number:
        """Emit a selection by this truth value; at least one branch must be a Number."""
        model = if_true if isinstance(if_true, Number) else if_false
        assert isinstance(model, Number)
        return self._wrap(
            self.emitter.select(
                self.value, model.coerce(if_true).value, model.coerce(if_false).value
            )
        )

    def to(self, element: str) -> Number:
        """Emit a conversion to an element type (nothing if it is the same)."""
        result = TensorType(self.value.type.shape, element)
        if result == self.value.type:
            return self
        return self._wrap(self.emitter.op("stablehlo.convert", self.value, type=result))

    def bits(self, element: str) -> Number:
        """Emit a reinterpretation of the bits as another element type of the same width."""
        result = TensorType(self.value.type.shape, element)
        return self._wrap(self.emitter.bitcast(self.value, result))

    def exp(self) -> Number:
        """e to the power of self."""
        return self.unary("exponential")

    def log(self) -> Number:
        """Natural logarithm."""
        return self.unary("log")

    def floor(self) -> Number:
        """Largest integer not above self."""
        return self.unary("floor")

    def round(self) -> Number:
        """Nearest integer, ties to even."""
        return self.unary("round_nearest_even")

    def truncate(self) -> Number:
        """Nearest integer towards zero."""
        return (self < 0).where(self.unary("ceil"), self.floor())

    def sign_bit(self) -> Number:
        """Whether the sign bit of a float is set; also for negative zero and NaN."""
        integer = {"f32": "i32", "f64": "i64", "f16": "i16", "bf16": "i16"}
        return self.bits(integer[self.value.type.element]) < 0

    def with_sign_of(self, other: Number) -> Number:
        """Change the sign where `other` is negative or negative zero; self must not be negative."""
        return other.sign_bit().where(-self, self)


def polynomial(x: Number, coefficients: Sequence[float]) -> Number:
    """``c[0] + c[1] x + c[2] x**2 + ...`` by Horner's rule."""
    result = x.coerce(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = result * x + coefficient
    return result
