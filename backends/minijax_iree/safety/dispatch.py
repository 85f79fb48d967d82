"""Kernels ("dispatches"): what IREE fuses into one of them has limits."""

from __future__ import annotations

from minijax.stablehlo.ir import Operation, Value

from .rewriter import Rewriter

# A kernel may have 32 buffers, results and temporaries among them.
MOST_INPUTS = 24

# Operations that are fused with the operations computing their operands.
FUSED = frozenset(
    "stablehlo." + name
    for name in (
        "abs", "add", "and", "atan2", "bitcast_convert", "broadcast_in_dim", "cbrt", "ceil",
        "clamp", "compare", "complex", "concatenate", "convert", "cosine", "count_leading_zeros",
        "divide", "exponential", "exponential_minus_one", "floor", "imag", "is_finite", "log",
        "log_plus_one", "logistic", "maximum", "minimum", "multiply", "negate", "not", "or", "pad",
        "popcnt", "power", "real", "reduce", "reduce_precision", "remainder", "reshape", "reverse",
        "round_nearest_afz", "round_nearest_even", "rsqrt", "select", "shift_left",
        "shift_right_arithmetic", "shift_right_logical", "sign", "sine", "slice", "sqrt",
        "subtract", "tan", "tanh", "transpose", "xor",
    )
)  # fmt: skip


class InputCounter:
    """Counts, while a program is rewritten, the inputs of the kernel each value will be part of."""

    def __init__(self) -> None:
        self._inputs: dict[Value, frozenset[Value]] = {}

    def __call__(self, rewriter: Rewriter, op: Operation) -> None:
        """Put a barrier before an operation whose kernel would have too many inputs.

        Fault (IREE 3.13, all targets): a kernel with more than 32 buffers compiles, but fails when
        it is loaded ("binding count 49 > 32").
        """
        inputs = self._union(op.operands)
        if len(inputs) > MOST_INPUTS:
            # Distinct, in order, constants left out: they take no buffer.
            computed = [value for value in dict.fromkeys(op.operands) if self._of(value) != {value}]
            replacements = dict(zip(computed, rewriter.barrier(computed), strict=True))
            op.operands[:] = [replacements.get(operand, operand) for operand in op.operands]
            inputs = self._union(op.operands)
        for result in op.results:
            self._inputs[result] = inputs

    def _union(self, values: list[Value]) -> frozenset[Value]:
        return frozenset().union(*(self._of(value) for value in values))

    def _of(self, value: Value) -> frozenset[Value]:
        """The inputs of the kernel that computes a value: itself if no fused operation does."""
        op = value.defining_op
        if op is not None and op.name == "stablehlo.constant":
            return frozenset()
        return self._inputs.get(value, frozenset((value,)))


def reverse_after_barrier(rewriter: Rewriter, op: Operation) -> None:
    """Put a barrier between a slice and a reverse.

    Fault (IREE 3.13, llvm-cpu): reversing a slice of rank 3 does not compile ("LLVM Translation
    failed ... unrealized_conversion_cast").
    """
    source = op.operands[0].defining_op
    if source is not None and source.name == "stablehlo.slice":
        op.operands[:] = rewriter.barrier(op.operands)
