"""How is a program replaced by an equivalent one that IREE gets right?

`Rewriter` copies a module, operation by operation. Before an operation is appended to the copy,
the rules for its name are asked, in order. A rule gets the copied operation, whose operands are
already values of the copy, and may

* return None: the operation is kept, perhaps with operands or attributes that the rule replaced;
* emit other operations and return their values in place of the operation's results.

What a rule emits is not given to rules again: a rule emits only what is safe. Calls inside loops
are inlined. The original module is left as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from minijax.stablehlo.emit import NUMPY_OF_ELEMENT, Emitter
from minijax.stablehlo.ir import Block, Dense, Function, Module, Operation, TensorType, Value

from .inspect_ir import integer_range
from .sharing import values_sharing_arguments

Rule = Callable[["Rewriter", Operation], "Sequence[Value] | None"]


class Rewriter(Emitter):
    """Copies modules and applies rules on the way.

    Parameters
    ----------
    rules : mapping of str to sequence of Rule
        The rules to ask, by the name of the operation.
    """

    def __init__(self, rules: Mapping[str, Sequence[Rule]]) -> None:
        super().__init__(Block())
        self._rules = rules
        self._copies: dict[Value, Value] = {}
        self._shared: set[Value] = set()
        self._bodies: dict[str, Block] = {}
        self._loops = 0
        self._numbers = 0

    def module(self, module: Module) -> Module:
        """Return the rewritten copy of a module."""
        self._shared = values_sharing_arguments(module)
        self._bodies = {function.name: function.body for function in module.functions}
        return Module(module.name, [self._function(function) for function in module.functions])

    def fresh_number(self) -> int:
        """Return a number that was not returned before: it keeps equal operations apart."""
        self._numbers += 1
        return self._numbers

    def shares_argument(self, value: Value) -> bool:
        """Whether a value of the copy may have the memory of an argument of the program."""
        return value in self._shared

    def _function(self, function: Function) -> Function:
        body = Block([argument.type for argument in function.body.arguments])
        self._fill(body, function.body)
        return Function(function.name, body, list(function.result_types), function.public)

    def _fill(self, copy: Block, original: Block) -> None:
        """Append the rewritten operations of `original` to `copy`."""
        self._record(original.arguments, copy.arguments)
        outer, self.block = self.block, copy
        for op in original.operations:
            self._operation(op)
        self.block = outer

    def _operation(self, original: Operation) -> None:
        # Rules for loops need to see what the body does with each carry.
        if self._loops and original.name == "func.call":
            self._inline(original)
            return
        self._loops += original.name == "stablehlo.while"
        regions = []
        for region in original.regions:
            regions.append(Block([argument.type for argument in region.arguments]))
            self._fill(regions[-1], region)
        self._loops -= original.name == "stablehlo.while"
        self.source = original.source
        self.original = original
        op = Operation(
            original.name,
            [self._copies[operand] for operand in original.operands],
            [result.type for result in original.results],
            dict(original.attributes),
            regions,
            original.source,
        )
        self._record(original.results, self._replacement(op))

    def _inline(self, call: Operation) -> None:
        """Copy the body of a called function to where it is called."""
        body = self._bodies[call.attributes["callee"].name]
        self._record(body.arguments, [self._copies[operand] for operand in call.operands])
        *operations, last = body.operations
        for op in operations:
            self._operation(op)
        self._record(call.results, [self._copies[operand] for operand in last.operands])

    def _record(self, originals: Sequence[Value], copies: Sequence[Value]) -> None:
        for value, copy in zip(originals, copies, strict=True):
            self._copies[value] = copy
            if value in self._shared:
                self._shared.add(copy)

    def _replacement(self, op: Operation) -> Sequence[Value]:
        for rule in self._rules.get(op.name, ()):
            values = rule(self, op)
            if values is not None:
                return values
        self.append(op)
        return op.results

    def append(self, op: Operation) -> None:
        """Append an operation as it is."""
        self.block.operations.append(op)

    def clone(self, op: Operation, operands: Sequence[Value], types: Sequence) -> list[Value]:
        """Append `op` with other operands and result types; regions and attributes are shared."""
        return self.ops(op.name, operands, types, op.regions, **op.attributes)

    # -- operations that rules need beyond those of Emitter ----------------------------------------

    def dtype(self, value: Value) -> np.dtype:
        """The NumPy dtype of a value's elements."""
        return np.dtype(NUMPY_OF_ELEMENT[value.type.element])

    def zeros(self, kind: TensorType) -> Value:
        """Emit an array of zeros."""
        zero = np.zeros((), NUMPY_OF_ELEMENT[kind.element])
        value = Dense(np.broadcast_to(zero, kind.shape), kind.element)
        return self.op("stablehlo.constant", type=kind, value=value)

    def constant_saturated(self, number: int, like: Value) -> Value:
        """Emit an integer, or the nearest that the element type of `like` can hold."""
        smallest, largest = integer_range(like.type.element)
        return self.constant_like(min(max(number, smallest), largest), like)

    def slice(self, x: Value, starts: Sequence[int], limits: Sequence[int]) -> Value:
        """Emit ``x[starts[0]:limits[0], ...]``."""
        shape = tuple(stop - start for start, stop in zip(starts, limits, strict=True))
        return self.op(
            "stablehlo.slice",
            x,
            type=TensorType(shape, x.type.element),
            start_indices=tuple(starts),
            limit_indices=tuple(limits),
            strides=(1,) * len(shape),
        )

    def to_element(self, x: Value, element: str) -> Value:
        """Emit a conversion to an element type (nothing if it is the same)."""
        return self.convert(x, NUMPY_OF_ELEMENT[element])

    def iota(self, kind: TensorType, dimension: int) -> Value:
        """Emit the position of each element along a dimension."""
        return self.op("stablehlo.iota", type=kind, iota_dimension=dimension)
