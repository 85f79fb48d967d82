"""Where do random bits come from, and how is a key stored?

``threefry2x32`` is a block cipher used as a counter-based generator: the key and a counter go in,
both as two 32-bit words, and two words come out that no test tells from random ones. Nothing is
remembered between calls, so numbers depend on the key and the position only, never on the order of
computation. The cipher is Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, "Parallel
random numbers: as easy as 1, 2, 3", SC 2011).

A key is one element of dtype ``key<fry>``, stored as one 64-bit integer, so that arrays of keys are
cut, stacked and mapped over like any others. ``random_wrap`` and ``random_unwrap`` go between keys
and their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray
from minijax.core.primitive import Arg, AxisInfo, Primitive
from minijax.primitives.elementwise_rules import on_common_shape
from minijax.primitives.operands import (
    ArrayLike,
    broadcast_shape,
    check_operands,
    elementwise_batch,
    move_axis,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value, type_of_aval

UINT32 = np.dtype(np.uint32)

# -- the cipher -----------------------------------------------------------------------------------

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
"""How far the second word is rotated in the rounds of odd and of even groups of four."""

PARITY = 0x1BD11BDA
"""The third word of the key schedule is the exclusive or of the key's words and this."""

CHUNK = 1 << 14  # elements: both words and a temporary stay in the cache over all rounds

threefry2x32_p = Primitive("threefry2x32", multiple_results=True)


def threefry2x32(key0: ArrayLike, key1: ArrayLike, x0: ArrayLike, x1: ArrayLike) -> list[Any]:
    """Encrypt two words of a counter under two words of a key, elementwise.

    Parameters
    ----------
    key0, key1, x0, x1 : uint32 arrays or scalars
        Of one shape, up to axes of length one and scalars.

    Returns
    -------
    list of two uint32 arrays

    Raises
    ------
    TypeError
        If a dtype is another one, or shapes do not fit together.

    Examples
    --------
    >>> zero = np.uint32(0)
    >>> [hex(int(word)) for word in threefry2x32(zero, zero, zero, zero)]
    ['0x6b200159', '0x99ba4efe']
    """
    check_operands("threefry2x32", key0, key1, x0, x1)
    return threefry2x32_p.bind(key0, key1, x0, x1)


@threefry2x32_p.abstract
def threefry2x32_abstract(*words: ShapedArray) -> list[ShapedArray]:
    if any(word.dtype != UINT32 for word in words):
        listed = ", ".join(map(repr, words))
        raise TypeError(f"Arguments to threefry2x32 must have uint32 type, got ({listed})")
    out = ShapedArray(broadcast_shape("threefry2x32", [word.shape for word in words]), UINT32)
    return [out, out]


@threefry2x32_p.reference
def threefry2x32_reference(*words: np.ndarray) -> list[np.ndarray]:
    key0, key1, x0, x1 = np.broadcast_arrays(*words)
    out0, out1 = np.array(x0, order="C"), np.array(x1, order="C")
    flat0, flat1 = out0.reshape(-1), out1.reshape(-1)
    one_key = words[0].size == words[1].size == 1
    keys = [k.reshape(-1) for k in (words[:2] if one_key else (key0, key1))]
    for start in range(0, flat0.size, CHUNK):
        part = slice(start, start + CHUNK)
        first, second = keys if one_key else (k[part] for k in keys)
        _encrypt(first, second, flat0[part], flat1[part])
    return [out0, out1]


def _encrypt(key0: np.ndarray, key1: np.ndarray, x0: np.ndarray, x1: np.ndarray) -> None:
    """Encrypt in place. The key is added before each group of four rounds, and at the end."""
    schedule = (key0, key1, key0 ^ key1 ^ np.uint32(PARITY))
    high_bits = np.empty_like(x1)
    for group in range(6):
        x0 += schedule[group % 3]
        x1 += schedule[(group + 1) % 3] + np.uint32(group)
        if group == 5:
            break
        for distance in ROTATIONS[group % 2]:
            x0 += x1
            np.left_shift(x1, np.uint32(distance), out=high_bits)
            x1 >>= np.uint32(32 - distance)
            x1 |= high_bits
            x1 ^= x0


threefry2x32_p.jvp_zero("random bits are integers")

_batch_one = elementwise_batch(threefry2x32_p)


@threefry2x32_p.batch
def threefry2x32_batch(
    axis: AxisInfo, args: Sequence[Any], dims: Sequence[int | None]
) -> tuple[list[Any], list[int]]:
    outs, dim = _batch_one(axis, args, dims)
    return outs, [dim, dim]


@threefry2x32_p.lower
def threefry2x32_lower(ctx: Emitter, *words: Value) -> list[Value]:
    key0, key1, x0, x1 = on_common_shape(ctx, *words)

    def apply(name: str, x: Value, y: Value) -> Value:
        return ctx.like(f"stablehlo.{name}", x, y)

    parity = apply("xor", apply("xor", key0, key1), ctx.constant_like(PARITY, key0))
    schedule = (key0, key1, parity)
    for group in range(6):
        x0 = apply("add", x0, schedule[group % 3])
        x1 = apply("add", x1, schedule[(group + 1) % 3])
        x1 = apply("add", x1, ctx.constant_like(group, x1))
        if group == 5:
            break
        for distance in ROTATIONS[group % 2]:
            x0 = apply("add", x0, x1)
            high = apply("shift_left", x1, ctx.constant_like(distance, x1))
            low = apply("shift_right_logical", x1, ctx.constant_like(32 - distance, x1))
            x1 = apply("xor", apply("or", high, low), x0)
    return [x0, x1]


threefry2x32_p.sample(
    *(Arg(shape, 0, 2**32 - 1) for shape in ((), (), (5,), (5,))), _dtypes=("uint32",)
)
threefry2x32_p.sample(
    *(Arg(shape, 0, 2**32 - 1) for shape in ((2, 1), (2, 1), (1, 3), (2, 3))), _dtypes=("uint32",)
)
threefry2x32_p.sample(*(Arg((), 0, 2**32 - 1) for _ in range(4)), _dtypes=("uint32",))

# -- keys and their words -------------------------------------------------------------------------

KEY_TYPES = {dtypes.threefry2x32_key.tag: dtypes.threefry2x32_key}
"""The dtype of keys by the tag that stands for it in jaxprs."""

random_wrap_p = Primitive("random_wrap")


def random_wrap(words: ArrayLike, *, impl: str = "fry") -> Any:
    """Make keys of their words.

    Parameters
    ----------
    words : uint32[..., 2]
    impl : str
        The tag of the key type.

    Returns
    -------
    array of keys, shape ``words.shape[:-1]``

    Raises
    ------
    TypeError
        If the dtype is another one or the last axis has not one entry per word.
    """
    check_operands("random_wrap", words)
    return random_wrap_p.bind(words, impl=impl)


@random_wrap_p.abstract
def random_wrap_abstract(words: ShapedArray, *, impl: str) -> ShapedArray:
    complaint = "JAX encountered invalid PRNG key data: expected key_data"
    if words.ndim < 1:
        raise TypeError(f"{complaint}.ndim >= 1; got ndim={words.ndim}")
    if words.dtype != UINT32:
        raise TypeError(f"{complaint}.dtype = uint32; got dtype={words.dtype.name}")
    key_shape = (_words_per_key(impl),)
    if words.shape[-1:] != key_shape:
        raise TypeError(
            f"{complaint}.shape to end with {key_shape}; got shape={words.shape} for impl="
            f"{KEY_TYPES[impl].impl_name}"
        )
    return ShapedArray(words.shape[:-1], KEY_TYPES[impl])


def _words_per_key(impl: str) -> int:
    return KEY_TYPES[impl].itemsize // UINT32.itemsize


@random_wrap_p.reference
def random_wrap_reference(words: np.ndarray, *, impl: str) -> np.ndarray:
    return np.array(words, order="C").view(KEY_TYPES[impl].storage)[..., 0]


random_wrap_p.jvp_zero("keys have no tangents")


@random_wrap_p.batch
def random_wrap_batch(
    axis: AxisInfo, args: Sequence[Any], dims: Sequence[int], *, impl: str
) -> tuple[Any, int]:
    return random_wrap(move_axis(args[0], dims[0], 0), impl=impl), 0


@random_wrap_p.lower
def random_wrap_lower(ctx: Emitter, words: Value, *, impl: str) -> Value:
    return ctx.bitcast(words, type_of_aval(ctx.avals_out[0]))


random_wrap_p.sample(Arg((3, 2), 0, 2**32 - 1), _dtypes=("uint32",), impl="fry")
random_wrap_p.sample(Arg((2,), 0, 2**32 - 1), _dtypes=("uint32",), impl="fry")

random_unwrap_p = Primitive("random_unwrap")


def random_unwrap(keys: ArrayLike) -> Any:
    """Return the words of keys: uint32 of shape ``(*keys.shape, 2)``.

    Raises
    ------
    TypeError
        If the operand is not an array of keys.
    """
    check_operands("random_unwrap", keys)
    return random_unwrap_p.bind(keys)


@random_unwrap_p.abstract
def random_unwrap_abstract(keys: ShapedArray) -> ShapedArray:
    if not dtypes.issubdtype(keys.dtype, dtypes.prng_key):
        raise TypeError(f"random_unwrap must be passed keys, got {keys.str_short()}")
    dtype: Any = keys.dtype
    return ShapedArray((*keys.shape, _words_per_key(dtype.tag)), UINT32)


@random_unwrap_p.reference
def random_unwrap_reference(keys: np.ndarray) -> np.ndarray:
    return np.array(keys, order="C")[..., None].view(UINT32)


random_unwrap_p.jvp_zero("keys have no tangents")


@random_unwrap_p.batch
def random_unwrap_batch(
    axis: AxisInfo, args: Sequence[Any], dims: Sequence[int]
) -> tuple[Any, int]:
    return random_unwrap(move_axis(args[0], dims[0], 0)), 0


@random_unwrap_p.lower
def random_unwrap_lower(ctx: Emitter, keys: Value) -> Value:
    return ctx.bitcast(keys, type_of_aval(ctx.avals_out[0]))


def _words_of_wrapped(words: Any) -> Any:
    return random_unwrap(random_wrap(words))


random_unwrap_p.sample_call(_words_of_wrapped, Arg((3, 2), 0, 2**32 - 1), _dtypes=("uint32",))
