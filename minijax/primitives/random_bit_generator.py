"""How are blocks of random bits drawn from a state that counts?

``rng_bit_generator`` takes a state of 128 bits, a key and a counter of 64 bits each, and returns
the state advanced together with as many random bits as a shape needs. It is the generator of XLA,
bit for bit, with two algorithms: Threefry-2x32 (see :mod:`minijax.primitives.random_bits`) and
Philox-4x32, ten rounds of multiplications (Salmon, Moraes, Dror and Shaw, "Parallel random
numbers: as easy as 1, 2, 3", SC 2011).

Threefry encrypts the counter to two words, which become neighbours along one axis: the first of
even length, or if there is none the longest, whose last word is dropped. Philox encrypts counter
and key to four words, which are used in order.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray
from minijax.core.primitive import Arg, AxisInfo, Primitive
from minijax.primitives.broadcasting import canonical_shape, expand_dims
from minijax.primitives.cutting import slice_in_dim
from minijax.primitives.joining import concatenate
from minijax.primitives.operands import ArrayLike, check_operands, move_axis
from minijax.primitives.random_bits import threefry2x32_reference
from minijax.primitives.structural import squeeze
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Raw, TensorType, Value


class RandomAlgorithm(enum.Enum):
    """How random bits are made; the default is that of the platform, Philox on the CPU."""

    RNG_DEFAULT = 0
    RNG_THREE_FRY = 1
    RNG_PHILOX = 2

    def __str__(self) -> str:
        return self.name


rng_bit_generator_p = Primitive("rng_bit_generator", multiple_results=True)


def rng_bit_generator(
    key: ArrayLike,
    shape: Sequence[int],
    dtype: Any = np.uint32,
    algorithm: RandomAlgorithm = RandomAlgorithm.RNG_DEFAULT,
    *,
    out_sharding: Any = None,
) -> list[Any]:
    """Draw an array of random bits.

    Parameters
    ----------
    key : uint32[4] or uint64[2]
        The state: a key, then a counter.
    shape : sequence of int
    dtype : dtype-like
        uint8, uint16, uint32 or uint64.
    algorithm : RandomAlgorithm
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    key : Array
        The state with the counter advanced.
    bits : Array
        Of the given shape and dtype.

    Raises
    ------
    TypeError
        If the state or the dtype is another one.

    Examples
    --------
    >>> state = np.array([1, 2, 3, 4], np.uint32)
    >>> rng_bit_generator(state, (2,), algorithm=RandomAlgorithm.RNG_THREE_FRY)
    [Array([1, 2, 4, 4], dtype=uint32), Array([1576285164, 2249660814], dtype=uint32)]
    """
    check_operands("rng_bit_generator", key)
    return rng_bit_generator_p.bind(
        key,
        shape=canonical_shape(shape),
        dtype=dtypes.check_and_canonicalize_user_dtype(dtype, "rng_bit_generator"),
        algorithm=algorithm,
        out_sharding=out_sharding,
    )


@rng_bit_generator_p.abstract
def rng_bit_generator_abstract(
    key: ShapedArray,
    *,
    shape: tuple[int, ...],
    dtype: np.dtype,
    algorithm: RandomAlgorithm,
    out_sharding: Any,
) -> list[ShapedArray]:
    if (key.shape, key.dtype.name) not in (((4,), "uint32"), ((2,), "uint64")):
        raise TypeError(
            "rng_bit_generator: the key must have type uint32[4] or uint64[2], got "
            f"{key.str_short()}"
        )
    if dtype.name not in ("uint8", "uint16", "uint32", "uint64"):
        raise TypeError(f"rng_bit_generator: unsupported dtype {dtype.name}")
    return [key, ShapedArray(shape, dtype)]


# -- value ----------------------------------------------------------------------------------------


@rng_bit_generator_p.reference
def rng_bit_generator_reference(
    key: np.ndarray,
    *,
    shape: tuple[int, ...],
    dtype: np.dtype,
    algorithm: RandomAlgorithm,
    out_sharding: Any,
) -> list[np.ndarray]:
    state = np.array(key, order="C").view(np.uint64)
    draw = _threefry if algorithm is RandomAlgorithm.RNG_THREE_FRY else _philox
    words_each = 2 if dtype.itemsize == 8 else 1
    words, blocks = draw(state, shape, words_each)
    if words_each == 2:  # the first word is the lower half
        words = words.reshape(-1).view("<u8")
    state[1] += np.uint64(blocks)
    return [state.view(key.dtype), words.astype(dtype, copy=False).reshape(shape)]


def _counters(start: np.uint64, count: int) -> np.ndarray:
    return start + np.arange(count, dtype=np.uint64)


def _halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper words of 64-bit integers."""
    return x.astype(np.uint32), (x >> np.uint64(32)).astype(np.uint32)


def _threefry(state: np.ndarray, shape: tuple[int, ...], words_each: int) -> tuple[np.ndarray, int]:
    """Return the words in the order of the array, and by how much the counter advances."""
    if words_each == 2:
        outer, length, inner = math.prod(shape), 2, 1
    else:
        outer, length, inner = _paired_axis(shape)
    pairs = outer * -(-length // 2) * inner
    words = threefry2x32_reference(*_halves(state[0]), *_halves(_counters(state[1], pairs)))
    paired = np.stack([word.reshape(outer, -(-length // 2), inner) for word in words], axis=2)
    return paired.reshape(outer, length + length % 2, inner)[:, :length], pairs


def _paired_axis(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return how many elements come before, along and behind the axis that is divided in pairs."""
    if not shape:
        return 1, 1, 1
    even = [i for i, n in enumerate(shape) if n % 2 == 0]
    axis = even[0] if even else int(np.argmax(shape))
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


PHILOX_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
PHILOX_STEPS = (np.uint32(0x9E3779B9), np.uint32(0xBB67AE85))


def _philox(state: np.ndarray, shape: tuple[int, ...], words_each: int) -> tuple[np.ndarray, int]:
    """Return the words in the order of the array, and by how much the counter advances.

    The key is also the upper half of the 128-bit counter.
    """
    count = math.prod(shape) * words_each
    blocks = -(-count // 4)
    lower = _counters(state[1], blocks)
    upper = state[0] + (lower < state[1]).astype(np.uint64)
    x = [*_halves(lower), *_halves(upper)]
    key = list(_halves(state[0]))
    for _ in range(10):
        low0, high0 = _halves(x[0] * PHILOX_MULTIPLIERS[0])
        low1, high1 = _halves(x[2] * PHILOX_MULTIPLIERS[1])
        x = [high1 ^ x[1] ^ key[0], low1, high0 ^ x[3] ^ key[1], low0]
        key = [k + step for k, step in zip(key, PHILOX_STEPS, strict=True)]
    return np.stack(x, axis=1).reshape(-1)[:count], blocks


rng_bit_generator_p.jvp_zero("random bits are integers")


@rng_bit_generator_p.batch
def rng_bit_generator_batch(
    axis: AxisInfo, args: Sequence[Any], dims: Sequence[int], **params: Any
) -> tuple[list[Any], list[int]]:
    """Draw for one state after the other, so that each draws what it draws alone."""
    keys = move_axis(args[0], dims[0], 0)
    drawn = [
        rng_bit_generator_p.bind(squeeze(slice_in_dim(keys, i, i + 1), (0,)), **params)
        for i in range(axis.size)
    ]
    columns = zip(*drawn, strict=True)
    return [concatenate([expand_dims(x, (0,)) for x in xs], 0) for xs in columns], [0, 0]


@rng_bit_generator_p.lower
def rng_bit_generator_lower(
    ctx: Emitter,
    key: Value,
    *,
    shape: tuple[int, ...],
    dtype: np.dtype,
    algorithm: RandomAlgorithm,
    out_sharding: Any,
) -> list[Value]:
    """Emit StableHLO's operation, which takes a state of two 64-bit words.

    Of narrow dtypes it draws 32 bits each; the lower bits are kept.
    """
    name = algorithm.name.removeprefix("RNG_")
    state = TensorType((2,), "ui64")
    given = key if key.type == state else ctx.bitcast(ctx.reshape(key, (2, 2)), state)
    drawn = TensorType(shape, "ui64" if dtype.itemsize == 8 else "ui32")
    advanced, bits = ctx.ops(
        "stablehlo.rng_bit_generator",
        [given],
        [state, drawn],
        rng_algorithm=Raw(f"#stablehlo<rng_algorithm {name}>"),
    )
    if key.type != state:
        advanced = ctx.reshape(ctx.bitcast(advanced, TensorType((2, 2), "ui32")), (4,))
    return [advanced, ctx.convert(bits, dtype)]


for _algorithm in RandomAlgorithm:
    for _shape, _dtype in (
        ((5,), "uint32"),
        ((2, 3), "uint32"),
        ((3, 5), "uint8"),
        ((3, 2), "uint16"),
        ((), "uint32"),
        ((0,), "uint32"),
        ((3,), "uint64"),
    ):
        rng_bit_generator_p.sample(
            Arg((4,), 0, 2**32 - 1),
            _dtypes=("uint32",),
            shape=_shape,
            dtype=np.dtype(_dtype),
            algorithm=_algorithm,
            out_sharding=None,
        )
    rng_bit_generator_p.sample(
        np.array([2**40 + 7, 2**64 - 2], np.uint64),
        _dtypes=("uint64",),
        shape=(9,),
        dtype=np.dtype(np.uint32),
        algorithm=_algorithm,
        out_sharding=None,
    )
