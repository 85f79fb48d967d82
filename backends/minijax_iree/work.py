"""How should a program be compiled and run? A look at what it consists of.

The main question is whether it is worth several threads. The answer is an estimate of its time,
operation by operation.

IREE's local-task driver spreads every matrix product and every large loop nest over all cores;
waking the other cores takes about 50 us, which small operations do not get back. local-sync runs
everything on the caller's thread. A program runs on one of the two as a whole, so the question is
whether its large operations gain more than its small ones lose.

The figures below are rough times of one core with 512-bit vectors. Nothing but this choice depends
on them.
"""

from __future__ import annotations

from math import prod

from minijax.stablehlo.ir import Module, Operation, TensorType, Value

from .safety.inspect_ir import is_integer

# Nanoseconds per element of the result, or of the operand where that is larger.
DEFAULT_COST = 0.15
COSTS = {
    "atan2": 2.0, "cbrt": 3.0, "cosine": 4.0, "divide": 0.3, "exponential": 0.7,
    "exponential_minus_one": 1.0, "gather": 1.0, "log": 1.0, "log_plus_one": 1.0, "logistic": 1.0,
    "power": 3.0, "scatter": 2.0, "sine": 4.0, "sqrt": 0.5, "rsqrt": 0.5, "tan": 4.0, "tanh": 1.0,
    "transpose": 0.5,
}  # fmt: skip
# These take no time of their own.
FREE = frozenset(
    "stablehlo." + name
    for name in (
        "broadcast_in_dim", "constant", "iota", "optimization_barrier", "reshape", "return",
        "bitcast_convert", "slice", "convert",
    )
)  # fmt: skip
# Multiplications and additions per nanosecond of a product.
PRODUCT_RATE = 100.0
WAKING = 50_000.0


def gains_from_threads(module: Module) -> bool:
    """Whether the program as a whole may be faster on local-task."""
    gain = 0.0
    for function in module.functions:
        for op in function.body.walk():
            time = operation_time(op)
            if time > 2 * WAKING:
                gain += time / 2
            elif op.name in PRODUCTS:
                gain -= WAKING
    return gain > 0


def operation_time(op: Operation) -> float:
    """Estimated nanoseconds of one operation on one core."""
    if op.name in PRODUCTS:
        return PRODUCTS[op.name](op) / PRODUCT_RATE
    if not op.name.startswith(("stablehlo.", "chlo.")) or op.name in FREE:
        return 0.0
    if op.regions and op.name not in WITH_COMPUTATION:
        return 0.0
    largest = max(map(element_count, (*op.operands, *op.results)), default=0)
    return largest * COSTS.get(op.name.split(".")[1], DEFAULT_COST)


# Operations whose region is applied to each element; the regions of others hold operations that
# are counted themselves.
WITH_COMPUTATION = frozenset(
    ("stablehlo.reduce", "stablehlo.reduce_window", "stablehlo.scatter", "stablehlo.sort")
)


def element_count(value: Value) -> int:
    """Number of elements of a value; zero for tokens."""
    return prod(value.type.shape) if isinstance(value.type, TensorType) else 0


def dot_operations(op: Operation) -> float:
    """Floating-point operations of a dot_general."""
    lhs = op.operands[0].type.shape
    contracted = op.attributes["dot_dimension_numbers"]["lhs_contracting_dimensions"]
    return 2.0 * element_count(op.results[0]) * prod(lhs[d] for d in contracted)


def convolution_operations(op: Operation) -> float:
    """Floating-point operations of a convolution, roughly: which dimension is which is not read."""
    kernel = op.operands[1].type.shape
    return 2.0 * element_count(op.results[0]) * prod(kernel) / max(kernel, default=1)


PRODUCTS = {
    "stablehlo.dot_general": dot_operations,
    "stablehlo.convolution": convolution_operations,
}


def has_conditional_loop(module: Module) -> bool:
    """Whether a program has a loop that goes on by more than an integer it counts."""
    return any(
        op.name == "stablehlo.while" and not all(map(is_counter, condition_carries(op)))
        for function in module.functions
        for op in function.body.walk()
    )


def condition_carries(loop: Operation) -> set[Value]:
    """The carries of a loop that its condition uses."""
    condition = loop.regions[0]
    used = {operand for op in condition.walk() for operand in op.operands}
    return used.intersection(condition.arguments)


def is_counter(value: Value) -> bool:
    """Whether a value is a single integer."""
    return value.type.shape == () and is_integer(value.type.element)


def gathers_only_rows(module: Module) -> bool:
    """Whether a program has gathers and each takes whole rows of a matrix by one index."""
    rows = False
    for function in module.functions:
        for op in function.body.walk():
            if op.name == "stablehlo.reverse":
                return False
            if op.name == "stablehlo.gather":
                if len(op.attributes["dimension_numbers"]["start_index_map"]) != 1:
                    return False
                if op.operands[0].type.ndim > 2:
                    return False
                rows = True
    return rows
