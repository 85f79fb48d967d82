"""Random bits: the Philox generator at the end of its 64-bit counter."""

from __future__ import annotations

import numpy as np

from minijax.stablehlo.ir import Operation, TensorType, Value

from .inspect_ir import size
from .rewriter import Rewriter

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10


def random_bits_carry(rewriter: Rewriter, op: Operation) -> list[Value] | None:
    """Write out Philox-4x32, whose counter of 128 bits has the key as its upper half.

    Fault (IREE 3.13, all targets): where the lower half of the counter overflows, the upper half is
    not advanced, so that other numbers are drawn than XLA draws.
    """
    bits = op.results[1]
    if "THREE_FRY" in op.attributes["rng_algorithm"].text or not size(bits):
        return None
    words_each = 2 if bits.type.element == "ui64" else 1
    count = size(bits) * words_each
    blocks = -(-count // 4)
    key, counter = (
        rewriter.reshape(rewriter.slice(op.operands[0], (i,), (i + 1,)), ()) for i in range(2)
    )
    words = [
        rewriter.reshape(word, (blocks, 1))
        for word in philox_blocks(rewriter, key, counter, blocks)
    ]
    kind = TensorType((blocks, 4), "ui32")
    table = rewriter.op("stablehlo.concatenate", *words, type=kind, dimension=1)
    drawn = rewriter.slice(rewriter.reshape(table, (blocks * 4,)), (0,), (count,))
    if words_each == 2:
        drawn = rewriter.reshape(drawn, (size(bits), 2))
        drawn = rewriter.bitcast(drawn, TensorType((size(bits),), "ui64"))
    advanced = rewriter.like("stablehlo.add", counter, rewriter.constant_like(blocks, counter))
    state = [rewriter.reshape(half, (1,)) for half in (key, advanced)]
    return [
        rewriter.op("stablehlo.concatenate", *state, type=op.results[0].type, dimension=0),
        rewriter.reshape(drawn, bits.type.shape),
    ]


def philox_blocks(rewriter: Rewriter, key: Value, counter: Value, blocks: int) -> list[Value]:
    """Emit the four words of each block."""
    wide = TensorType((blocks,), "ui64")

    def apply(name: str, x: Value, y: Value) -> Value:
        return rewriter.like(f"stablehlo.{name}", x, y)

    def halves(x: Value) -> tuple[Value, Value]:
        upper = apply("shift_right_logical", x, rewriter.constant_like(32, x))
        return rewriter.to_element(x, "ui32"), rewriter.to_element(upper, "ui32")

    def multiply(x: Value, number: int) -> tuple[Value, Value]:
        x = rewriter.to_element(x, "ui64")
        return halves(apply("multiply", x, rewriter.constant_like(number, x)))

    start, keys = (rewriter.broadcast(x, wide.shape, ()) for x in (counter, key))
    lower = apply("add", start, rewriter.iota(wide, 0))
    overflows = rewriter.to_element(rewriter.compare("LT", lower, start), "ui64")
    words = [*halves(lower), *halves(apply("add", keys, overflows)), *halves(keys)]
    done = rewriter.constant(np.int32(0))
    types = [value.type for value in (done, *words)]
    # In a loop: written out, the rounds become one kernel, which takes minutes to compile.
    with rewriter.region(types) as condition:
        done_so_far = condition.arguments[0]
        rewriter.return_(
            rewriter.compare("LT", done_so_far, rewriter.constant_like(ROUNDS, done_so_far))
        )
    with rewriter.region(types) as body:
        number, *x, key0, key1 = body.arguments
        low0, high0 = multiply(x[0], MULTIPLIERS[0])
        low1, high1 = multiply(x[2], MULTIPLIERS[1])
        second = apply("xor", apply("xor", high1, x[1]), key0)
        fourth = apply("xor", apply("xor", high0, x[3]), key1)
        rewriter.return_(
            apply("add", number, rewriter.constant_like(1, number)),
            *(second, low1, fourth, low0),
            *(
                apply("add", k, rewriter.constant_like(np.uint32(step), k))
                for k, step in zip((key0, key1), STEPS, strict=True)
            ),
        )
    return rewriter.ops("stablehlo.while", [done, *words], types, [condition, body])[1:5]
