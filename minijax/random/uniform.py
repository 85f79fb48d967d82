"""How do random bits become numbers that are equally likely?

Unsigned integers are the bits themselves (:func:`bits`). A float of an interval is made of bits
as its mantissa (:func:`uniform`); an integer of a range is the remainder of more bits than the
range needs (:func:`randint`). A biased coin is a comparison with a float (:func:`bernoulli`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.numpy.calls import staged_call
from minijax.primitives.broadcasting import broadcast_to_rank, canonical_shape
from minijax.primitives.conversion import convert
from minijax.random.keys import one_key
from minijax.random.threefry import UINT_OF_WIDTH, random_bits, split_words


def checked_shape(name: str, shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple; TypeError unless its lengths are known and not negative."""
    checked = canonical_shape(shape)
    if any(n < 0 for n in checked):
        raise TypeError(f"{name}: shape must have every element be nonnegative, got {checked}.")
    return checked


def float_dtype(name: str, dtype: Any, kinds: str = "float") -> np.dtype:
    """Return the dtype of a sampler's result; None is the default float.

    Raises
    ------
    ValueError
        If it is not of the ``kinds``, "float" or "float or complex".
    """
    if dtype is None:
        return dtypes.default_float_dtype()
    wanted = np.floating if kinds == "float" else np.inexact
    if not dtypes.issubdtype(dtype, wanted):
        raise ValueError(f"dtype argument to `{name}` must be a {kinds} dtype, got {dtype}")
    return dtypes.check_and_canonicalize_user_dtype(dtype, name)


# -- bits ------------------------------------------------------------------------------------------


def bits(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Draw unsigned integers of the whole range of their dtype.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    dtype : dtype-like, optional
        An unsigned integer type, by default the default one.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    array of ``shape`` and ``dtype``

    Raises
    ------
    ValueError
        If ``key`` is an array of keys, or ``dtype`` not an unsigned integer type.

    Examples
    --------
    >>> from minijax import random
    >>> random.bits(random.key(0), (2,), np.uint8)
    Array([167, 146], dtype=uint8)
    """
    words = one_key("bits", key)
    if dtype is None:
        dtype = dtypes.default_uint_dtype()
    elif not dtypes.issubdtype(dtype, np.unsignedinteger):
        raise ValueError(f"dtype argument to `bits` must be an unsigned int dtype, got {dtype}")
    dtype = dtypes.check_and_canonicalize_user_dtype(dtype, "bits")
    return random_bits(words, 8 * dtype.itemsize, checked_shape("bits", shape))


# -- floats ----------------------------------------------------------------------------------------


def uniform(
    key: Any,
    shape: Any = (),
    dtype: Any = None,
    minval: Any = 0.0,
    maxval: Any = 1.0,
    *,
    out_sharding: Any = None,
) -> Any:
    """Draw floats that are equally likely everywhere between two bounds.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    dtype : dtype-like, optional
        A float type, by default the default one.
    minval, maxval : scalars or arrays that broadcast to ``shape``
        Results are at least ``minval`` and less than ``maxval``, up to rounding.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    array of ``shape`` and ``dtype``

    Raises
    ------
    ValueError
        If ``key`` is an array of keys, or ``dtype`` not a float type.

    Examples
    --------
    >>> from minijax import random
    >>> random.uniform(random.key(42), (2,))
    Array([0.48870957, 0.6797972 ], dtype=float32)
    """
    words = one_key("uniform", key)
    dtype = float_dtype("uniform", dtype)
    return uniform_floats(words, checked_shape("uniform", shape), dtype, minval, maxval)


@staged_call(static_argnames=("shape", "dtype"))
def _uniform(words: Any, shape: tuple[int, ...], dtype: Any, minval: Any, maxval: Any) -> Any:
    low, high = (to_rank(convert(x, dtype), len(shape)) for x in (minval, maxval))
    scaled = lax.add(lax.mul(_floats_below_one(words, shape, dtype), lax.sub(high, low)), low)
    return lax.max(low, lax.reshape(scaled, shape))


uniform_floats = _uniform
"""``uniform`` of the words of a key, a tuple and a dtype, for use by other samplers."""


def to_rank(x: Any, rank: int) -> Any:
    """Give a parameter the rank of the result; scalars go with any."""
    return broadcast_to_rank(x, rank) if typeof(x).ndim else x


def _floats_below_one(words: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Return floats of [0, 1): random mantissas make floats of [1, 2), less one."""
    info = dtypes.finfo(dtype)
    width = 8 if info.nmant < 8 else info.bits
    word = UINT_OF_WIDTH[info.bits]
    drawn = convert(random_bits(words, width, shape), word)
    mantissa = lax.shift_right_logical(drawn, word.type(width - info.nmant))
    one = np.ones((), dtype)
    floats = lax.bitcast_convert_type(lax.bitwise_or(mantissa, one.view(word)), dtype)
    return lax.sub(floats, one)


def bernoulli(
    key: Any, p: Any = 0.5, shape: Any = None, mode: str = "low", *, out_sharding: Any = None
) -> Any:
    """Draw booleans that are true with a given probability.

    Parameters
    ----------
    key : key
    p : float scalar or array
        The probability.
    shape : int or sequence of int, optional
        By default that of ``p``, which must broadcast to it.
    mode : {"low", "high"}
        "high" draws more bits for each boolean, so that probabilities much smaller than the
        rounding error of floats come out right.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    bool array of ``shape``

    Raises
    ------
    TypeError
        If ``p`` is not a float.
    ValueError
        If ``mode`` is something else, or ``p`` does not broadcast to ``shape``.

    Examples
    --------
    >>> from minijax import random
    >>> random.bernoulli(random.key(0), 0.75, (3,))
    Array([False, False,  True], dtype=bool)
    """
    words = one_key("bernoulli", key)
    if mode not in ("high", "low"):
        raise ValueError(f"got mode={mode!r}, expected 'high' or 'low'")
    aval = typeof(p)
    if not dtypes.issubdtype(aval.dtype, np.floating):
        raise TypeError(
            f"bernoulli probability `p` must have a floating dtype, got {aval.dtype.name}."
        )
    shape = aval.shape if shape is None else checked_shape("bernoulli", shape)
    check_broadcast("bernoulli", shape, aval.shape)
    return _bernoulli(words, convert(p, aval.dtype), shape, mode)


@staged_call(static_argnames=("shape", "mode"))
def _bernoulli(words: Any, p: Any, shape: tuple[int, ...], mode: str) -> Any:
    dtype: Any = typeof(p).dtype
    p = to_rank(p, len(shape))
    if mode == "low":
        return lax.lt(uniform_floats(words, shape, dtype, 0.0, 1.0), p)
    # Of two draws the second fills the gaps between the values that the first can have.
    coarse, fine = pairs(uniform_floats(words, (2, *shape), dtype, 0.0, 1.0))
    fine = lax.mul(fine, np.asarray(dtypes.finfo(dtype).eps, dtype))
    return lax.lt(fine, lax.sub(p, coarse))


def pairs(x: Any) -> tuple[Any, Any]:
    """Return the two entries of an array whose first axis has length two."""
    first, second = (lax.index_in_dim(x, i, 0, keepdims=False) for i in range(2))
    return first, second


def check_broadcast(name: str, shape: tuple[int, ...], *given: tuple[int, ...]) -> None:
    """Refuse a ``shape`` to which the shapes of parameters do not broadcast.

    Raises
    ------
    ValueError
        Naming the sampler and the shapes.
    """
    together = lax.broadcast_shapes(shape, *given)
    if together != shape:
        raise ValueError(
            f"{name} parameter shapes must be broadcast-compatible with shape argument, and the "
            "result of broadcasting the shapes must equal the shape argument, but got result "
            f"{together} for shape argument {shape}"
        )


# -- integers --------------------------------------------------------------------------------------


def randint(
    key: Any,
    shape: Any,
    minval: Any,
    maxval: Any,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Any:
    """Draw integers of a range.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    minval, maxval : integer scalars or arrays that broadcast to ``shape``
        Results are at least ``minval`` and less than ``maxval``; they are ``minval`` if that is
        not less than ``maxval``.
    dtype : dtype-like, optional
        An integer type, by default the default one. Bounds outside its range are moved to the
        end of the range.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    array of ``shape`` and ``dtype``
        With a range that is not a power of two some results are slightly more likely than
        others: twice as many bits are drawn as the dtype has, which keeps this small.

    Raises
    ------
    TypeError
        If ``dtype`` is not an integer type.
    ValueError
        If ``key`` is an array of keys, or bounds do not broadcast to ``shape``.

    Examples
    --------
    >>> from minijax import random
    >>> random.randint(random.key(0), (3,), 0, 10)
    Array([9, 0, 2], dtype=int32)
    """
    words = one_key("randint", key)
    if dtype is None:
        dtype = dtypes.default_int_dtype()
    elif not dtypes.issubdtype(dtype, np.integer):
        raise TypeError(f"randint only accepts integer dtypes, got {dtypes.dtype(dtype).name}")
    dtype = dtypes.check_and_canonicalize_user_dtype(dtype, "randint")
    shape = checked_shape("randint", shape)
    bounds = [_integer_bound(x) for x in (minval, maxval)]
    check_broadcast("randint", shape, *(typeof(x).shape for x in bounds))
    if dtypes.itemsize_bits(dtype) >= 32:
        return _randint(words, shape, *bounds, dtype)
    # Narrow integers are drawn as int32, their bounds reduced to 32 bits at once.
    wide, info = np.dtype(np.int32), dtypes.iinfo(dtype)
    low = _clip(convert(bounds[0], wide), int(info.min), int(info.max))
    high = _clip(convert(bounds[1], wide), int(info.min), int(info.max) + 1)
    return convert(_randint(words, shape, low, high, wide), dtype)


def _integer_bound(x: Any) -> Any:
    if isinstance(x, int):
        x = dtypes.coerce_to_array(x)  # OverflowError where it does not fit
    given = typeof(x).dtype
    kept = dtypes.issubdtype(given, np.integer)
    return convert(x, given if kept else dtypes.default_int_dtype())


def _clip(x: Any, low: int, high: int) -> Any:
    """Move integers into a range, as far as their dtype has it."""
    dtype = typeof(x).dtype
    info = dtypes.iinfo(dtype)
    low, high = (min(max(bound, int(info.min)), int(info.max)) for bound in (low, high))
    return lax.clamp(dtype.type(low), x, dtype.type(high))


@staged_call(static_argnames=("shape", "dtype"))
def _randint(words: Any, shape: tuple[int, ...], minval: Any, maxval: Any, dtype: Any) -> Any:
    info = dtypes.iinfo(dtype)
    last = int(info.max)
    minval, maxval = (to_rank(x, len(shape)) for x in (minval, maxval))
    low, high = (convert(_clip(x, int(info.min), last), dtype) for x in (minval, maxval))
    width = info.bits
    unsigned = UINT_OF_WIDTH[width]
    one = unsigned.type(1)
    span = convert(lax.sub(high, low), unsigned)
    span = lax.select_n(lax.le(high, low), *_alike(span, one))
    beyond = lax.bitwise_and(_exceeds(maxval, last), lax.gt(high, low))
    # A range to the very end of the dtype has one more element than its clipped bounds tell; the
    # whole range of the dtype has a span of zero, and the remainder by zero changes nothing.
    span = lax.select_n(beyond, *_alike(span, lax.add(span, one)))
    upper, lower = (random_bits(part, width, shape) for part in pairs(split_words(words, (2,))))
    # upper * 2**width + lower, modulo the span, without leaving the dtype.
    factor = lax.rem(unsigned.type(2 ** (width // 2)), span)
    factor = lax.rem(lax.mul(factor, factor), span)
    offset = lax.add(lax.mul(lax.rem(upper, span), factor), lax.rem(lower, span))
    return lax.add(low, convert(lax.rem(offset, span), dtype))


random_integers = _randint
"""``randint`` of the words of a key, a tuple, bounds that are arrays, and a dtype."""


def _exceeds(x: Any, limit: int) -> Any:
    dtype = typeof(x).dtype
    return lax.gt(x, dtype.type(min(limit, int(dtypes.iinfo(dtype).max))))


def _alike(*operands: Any) -> list[Any]:
    """Give operands of ``select_n`` one shape."""
    shape = lax.broadcast_shapes(*(typeof(x).shape for x in operands))
    return [x if typeof(x).shape == shape else lax.broadcast(x, shape) for x in operands]


def rademacher(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Draw signs: -1 or 1, equally likely.

    Parameters
    ----------
    key : key
    shape : int or sequence of int
    dtype : dtype-like, optional
        Any number type, by default the default integer.
    out_sharding : None
        Accepted for compatibility.

    Examples
    --------
    >>> from minijax import random
    >>> random.rademacher(random.key(0), (3,))
    Array([-1, -1,  1], dtype=int32)
    """
    words = one_key("rademacher", key)
    dtype = dtypes.check_and_canonicalize_user_dtype(
        dtypes.default_int_dtype() if dtype is None else dtype, "rademacher"
    )
    return signs(words, checked_shape("rademacher", shape), dtype)


@staged_call(static_argnames=("shape", "dtype"))
def _rademacher(words: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    half = np.full((), 0.5, dtypes.default_float_dtype())
    heads = convert(_bernoulli(words, half, shape, "low"), dtype)
    two, one = np.asarray(2, dtype), np.asarray(1, dtype)
    return lax.sub(lax.mul(two, heads), one)


signs = _rademacher
"""``rademacher`` of the words of a key, a tuple and a dtype, for use by other samplers."""
