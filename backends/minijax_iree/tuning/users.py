"""Which operations use a value?"""

from __future__ import annotations

from collections.abc import Sequence

from minijax.stablehlo.ir import Module, Operation, Value


class Users:
    """The operations that use each value of a module, as it is when this is made."""

    def __init__(self, module: Module) -> None:
        self._users: dict[Value, list[Operation]] = {}
        for function in module.functions:
            for op in function.body.walk():
                for operand in op.operands:
                    self._users.setdefault(operand, []).append(op)

    def of(self, value: Value) -> Sequence[Operation]:
        """The users of a value, in the order of the program; one of two operands counts twice."""
        return self._users.get(value, ())
