"""How do keys and random bits come out of the cipher?

All functions here take the two words of one key and encrypt counters under it
(:mod:`minijax.primitives.random_bits`). Which counters belong to which result is settled by the
flag ``jax_threefry_partitionable``:

* On, each element of the result has its own 64-bit counter, its place in row-major order. So any
  part of an array of random numbers can be computed without the rest.
* Off, the counters of a whole array are cut in two halves, whose elements are encrypted in pairs.

The bits are those of JAX, for either value of the flag.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minijax import lax
from minijax.config import snapshot
from minijax.core.aval import typeof
from minijax.primitives.build import iota_p
from minijax.primitives.conversion import convert
from minijax.primitives.random_bits import threefry2x32

UINT32, UINT64 = np.dtype(np.uint32), np.dtype(np.uint64)
UINT_OF_WIDTH = {width: np.dtype(f"uint{width}") for width in (8, 16, 32, 64)}

LARGEST_BLOCK = 2**32 - 1
"""More counters than this do not fit into one word; further blocks are drawn from further keys."""


# -- keys ------------------------------------------------------------------------------------------


def seed_words(seed: Any) -> Any:
    """Return the words of the key for an integer: its upper and its lower 32 bits.

    Integers of less than 64 bits have no upper word, negative ones included.
    """
    lower = convert(seed, UINT32)
    upper: Any = np.uint32(0)
    if typeof(seed).dtype.itemsize == 8:
        width = typeof(seed).dtype.type(32)
        upper = convert(lax.shift_right_logical(seed, width), UINT32)
    return _join([upper, lower])


def split_words(words: Any, shape: tuple[int, ...]) -> Any:
    """Return the words of as many keys as ``shape`` has elements: ``uint32[*shape, 2]``."""
    if snapshot().threefry_partitionable:
        outs = threefry2x32(*_key_pair(words), *_counter_pairs(shape))
        last = (len(shape),)
        return lax.concatenate([lax.expand_dims(x, last) for x in outs], len(shape))
    counters = lax.iota(UINT32, 2 * math.prod(shape))
    return lax.reshape(_encrypt_halves(words, counters), (*shape, 2))


def fold_words(words: Any, data: Any) -> Any:
    """Return the words of the key that belongs to a key and a ``uint32`` scalar."""
    return _encrypt_halves(words, seed_words(data))


def _key_pair(words: Any) -> tuple[Any, Any]:
    return tuple(lax.index_in_dim(words, i, 0, keepdims=False) for i in range(2))  # type: ignore


def _join(scalars: list[Any]) -> Any:
    return lax.concatenate([lax.reshape(x, (1,)) for x in scalars], 0)


# -- bits ------------------------------------------------------------------------------------------


def random_bits(words: Any, width: int, shape: tuple[int, ...]) -> Any:
    """Return unsigned integers of 8, 16, 32 or 64 bits, all bits random."""
    if snapshot().threefry_partitionable:
        return _bits_by_place(words, width, shape)
    return _bits_by_halves(words, width, shape)


def _bits_by_place(words: Any, width: int, shape: tuple[int, ...]) -> Any:
    first, second = threefry2x32(*_key_pair(words), *_counter_pairs(shape))
    if width == 64:
        return _join_words(first, second)
    return convert(lax.bitwise_xor(first, second), UINT_OF_WIDTH[width])


def _counter_pairs(shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return the upper and the lower word of each element's place in row-major order."""
    size = math.prod(shape)
    if size <= 2**32:
        return np.uint32(0), lax.reshape(lax.iota(UINT32, size), shape)
    places = iota_p.bind(dtype=UINT64, shape=(size,), dimension=0, sharding=None)
    places = lax.reshape(places, shape)
    upper = lax.shift_right_logical(places, convert(32, UINT64))
    return convert(upper, UINT32), convert(places, UINT32)


def _join_words(upper: Any, lower: Any) -> Any:
    shifted = lax.shift_left(convert(upper, UINT64), convert(32, UINT64))
    return lax.bitwise_or(shifted, convert(lower, UINT64))


def _bits_by_halves(words: Any, width: int, shape: tuple[int, ...]) -> Any:
    size = math.prod(shape)
    drawn = _words_by_halves(words, -(-size * width // 32))
    if width == 64:
        upper, lower = lax.split(drawn, (size, size))
        drawn = _join_words(upper, lower)
    elif width < 32:
        drawn = lax.slice_in_dim(_cut_words(drawn, width), 0, size)
    return lax.reshape(drawn, shape)


def _words_by_halves(words: Any, count: int) -> Any:
    blocks, rest = divmod(count, LARGEST_BLOCK)
    if not blocks:
        return _encrypt_halves(words, lax.iota(UINT32, rest))
    keys = split_words(words, (blocks + 1,))
    sizes = [LARGEST_BLOCK] * blocks + [rest]
    parts = [
        _encrypt_halves(lax.index_in_dim(keys, i, 0, keepdims=False), lax.iota(UINT32, n))
        for i, n in enumerate(sizes)
    ]
    return lax.concatenate(parts, 0)


def _cut_words(drawn: Any, width: int) -> Any:
    """Cut each word into integers of ``width`` bits, the lowest bits first."""
    (size,) = typeof(drawn).shape
    pieces = 32 // width
    distances = (np.arange(pieces) * width).astype(UINT32)
    shifted = lax.shift_right_logical(lax.reshape(drawn, (size, 1)), distances[None])
    return lax.reshape(convert(shifted, UINT_OF_WIDTH[width]), (size * pieces,))


def _encrypt_halves(words: Any, counters: Any) -> Any:
    """Encrypt each element of the first half together with its fellow in the second half."""
    (size,) = typeof(counters).shape
    half = (size + 1) // 2
    if size % 2:
        counters = lax.pad(counters, np.uint32(0), [(0, 1, 0)])
    outs = threefry2x32(*_key_pair(words), *lax.split(counters, (half, half)))
    return lax.slice_in_dim(lax.concatenate(outs, 0), 0, size)
