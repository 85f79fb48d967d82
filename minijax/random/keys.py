"""What is a key, and how do many come of one?

Random numbers are a function of a key: the same key gives the same numbers, always. So a program
that wants further numbers makes further keys, by :func:`split` or :func:`fold_in`, and uses each
only once.

Keys come in two styles. Those of :func:`key` have a dtype of their own, ``key<fry>``, and an
array of keys has the shape of the array; those of :func:`PRNGKey`, the older style, are their two
words, ``uint32[2]``. Every function takes both and answers in the style that it was given.
"""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

from minijax.config import snapshot
from minijax.core import dtypes
from minijax.core.aval import is_array_like, typeof
from minijax.primitives.broadcasting import canonical_shape
from minijax.primitives.conversion import convert
from minijax.primitives.identity import copy
from minijax.primitives.random_bits import random_unwrap, random_wrap
from minijax.random.threefry import UINT32, fold_words, seed_words, split_words

IMPLEMENTATIONS = {dtypes.threefry2x32_key.impl_name: dtypes.threefry2x32_key}
"""The dtype of keys by the name of the generator that they are for."""


# -- making keys -----------------------------------------------------------------------------------


def key(seed: Any, *, impl: Any = None, dtype: Any = None) -> Any:
    """Make a key of an integer.

    Parameters
    ----------
    seed : int or integer scalar
        Of Python integers outside the default integer type only the lower bits count.
    impl : str or dtype, optional
        The generator: ``"threefry2x32"``, which is also the default.
    dtype : dtype, optional
        The same as ``impl``; only one may be given.

    Returns
    -------
    key<fry>[]

    Raises
    ------
    TypeError
        If ``seed`` is not an integer scalar.
    OverflowError
        If it has more than 64 bits.
    ValueError
        If there is no such generator.

    Examples
    --------
    >>> key(42)
    Array((), dtype=key<fry>) overlaying:
    [ 0 42]
    """
    return random_wrap(_seeded("key", seed), impl=key_dtype(_one_of(impl, dtype)).tag)


def PRNGKey(seed: Any, *, impl: Any = None) -> Any:
    """Make a key of the older style, two ``uint32`` words, of an integer.

    With ``jax_enable_custom_prng`` it is :func:`key`, which takes the same arguments.

    Examples
    --------
    >>> PRNGKey(42)
    Array([ 0, 42], dtype=uint32)
    """
    key_type = key_dtype(impl)
    words = _seeded("PRNGKey", seed)
    return random_wrap(words, impl=key_type.tag) if snapshot().enable_custom_prng else words


def _seeded(name: str, seed: Any) -> Any:
    if isinstance(seed, int):
        seed = np.int64(seed)  # takes what has no place in 32 bits, such as Python's hashes
    if is_key(seed):
        raise TypeError(f"{name} accepts a scalar seed, but was given a PRNG key.")
    if np.ndim(seed) > 0:
        raise TypeError(
            f"{name} accepts a scalar seed, but was given an array of shape {np.shape(seed)} != "
            "(). Use jax.vmap for batching"
        )
    if not dtypes.issubdtype(typeof(seed).dtype, np.integer) and not _is_bool(seed):
        raise TypeError(f"PRNG key seed must be an integer; got {seed!r}")
    return seed_words(convert(seed, typeof(seed).dtype))


def _is_bool(x: Any) -> bool:
    return typeof(x).dtype == np.bool_


def _one_of(impl: Any, dtype: Any) -> Any:
    if impl is not None and dtype is not None:
        raise ValueError(
            f"impl and dtype are two ways to say the same, got impl={impl!r} and dtype={dtype!r}: "
            "give one of them."
        )
    return dtype if impl is None else impl


def key_dtype(impl: Any = None) -> dtypes.KeyType:
    """Return the dtype of the keys of a generator.

    Examples
    --------
    >>> key_dtype("threefry2x32")
    key<fry>
    """
    if impl is None:
        impl = snapshot().default_prng_impl
    if isinstance(impl, dtypes.KeyType):
        return impl
    if not isinstance(impl, str):
        raise TypeError(f"unrecognized type {type(impl)} for specifying PRNG implementation.")
    if impl not in IMPLEMENTATIONS:
        known = ", ".join(f'"{name}"' for name in IMPLEMENTATIONS)
        raise ValueError(
            f'unrecognized PRNG implementation "{impl}". Did you mean one of: {known}?'
        )
    return IMPLEMENTATIONS[impl]


# -- looking at keys -------------------------------------------------------------------------------


def is_key(x: Any) -> bool:
    """Tell whether ``x`` is an array of keys (of the dtype, not of words)."""
    return dtypes.is_extended(getattr(x, "dtype", None)) and dtypes.issubdtype(
        x.dtype, dtypes.prng_key
    )


def check_words(words: Any) -> Any:
    """Refuse what cannot be the words of keys; return an operand.

    Raises
    ------
    TypeError
        If it is not an array of uint32 with two words along the last axis.
    """
    if not all(hasattr(words, name) for name in ("ndim", "shape", "dtype")):
        raise TypeError(
            "JAX encountered invalid PRNG key data: expected key_data to have ndim, shape, and "
            f"dtype attributes. Got {words}"
        )
    if words.dtype != UINT32:
        raise TypeError(
            "JAX encountered invalid PRNG key data: expected key_data.dtype = uint32; got "
            f"dtype={words.dtype}"
        )
    _shape_of_keys(words.shape)
    return words


def _shape_of_keys(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the keys whose words have a shape."""
    if not shape:
        raise TypeError(
            "JAX encountered invalid PRNG key data: expected key_data.ndim >= 1; got ndim=0"
        )
    if shape[-1] != 2:
        raise TypeError(
            "JAX encountered invalid PRNG key data: expected key_data.shape to end with (2,); got "
            f"shape={shape} for impl=threefry2x32"
        )
    return shape[:-1]


def one_key(name: str, key: Any) -> Any:
    """Return the words ``uint32[2]`` of the key that a function was given.

    Raises
    ------
    TypeError
        If it is not a key of either style.
    ValueError
        If it is an array of keys, or of the older style and ``jax_legacy_prng_key`` forbids that.
    """
    typed = is_key(key)
    shape = key.shape if typed else _shape_of_keys(check_words(key).shape)
    if not typed:
        _check_older_style_allowed()
    if shape:
        raise ValueError(
            f"{name} accepts a single key, but was given a key array of shape {key.shape} != (). "
            "Use jax.vmap for batching."
        )
    return random_unwrap(key) if typed else key


def _check_older_style_allowed() -> None:
    policy = snapshot().legacy_prng_key
    if policy == "allow":
        return
    message = (
        "Legacy uint32 key array passed as key to jax.random function. Please create keys using "
        "jax.random.key(). If use of a raw key array was intended, set "
        'jax_legacy_prng_key="allow".'
    )
    if policy == "error":
        raise ValueError(message)
    warnings.warn(message, stacklevel=4)


def _in_style_of(key: Any, words: Any) -> Any:
    return random_wrap(words, impl=key.dtype.tag) if is_key(key) else words


def key_data(keys: Any) -> Any:
    """Return the words of keys: ``uint32`` with one more axis, of length two.

    Keys of the older style are their words.

    Examples
    --------
    >>> key_data(key(7))
    Array([0, 7], dtype=uint32)
    """
    return random_unwrap(keys) if is_key(keys) else check_words(keys)


def wrap_key_data(key_bits_array: Any, *, impl: Any = None, dtype: Any = None) -> Any:
    """Make keys of their words, the last axis of an array of ``uint32``.

    Examples
    --------
    >>> wrap_key_data(np.zeros((3, 2), np.uint32)).shape
    (3,)
    """
    tag = key_dtype(_one_of(impl, dtype)).tag
    return random_wrap(check_words(key_bits_array), impl=tag)


def key_impl(keys: Any) -> str:
    """Return the name of the generator that keys are for.

    Examples
    --------
    >>> key_impl(key(0))
    'threefry2x32'
    """
    if is_key(keys):
        return keys.dtype.impl_name
    check_words(keys)
    return key_dtype().impl_name


def clone(key: Any) -> Any:
    """Return a copy of keys, to say that using them again is meant."""
    return copy(key if is_key(key) else check_words(key))


# -- many keys of one ------------------------------------------------------------------------------


def split(key: Any, num: int | tuple[int, ...] = 2) -> Any:
    """Make several keys of one, which is not to be used any more.

    Parameters
    ----------
    key : key
    num : int or tuple of int
        How many, or the shape of the array of keys.

    Returns
    -------
    array of keys of the same style, of shape ``num``

    Raises
    ------
    ValueError
        If ``key`` is an array of keys.

    Examples
    --------
    >>> split(PRNGKey(0))
    Array([[1797259609, 2579123966],
           [ 928981903, 3453687069]], dtype=uint32)
    """
    words = one_key("split", key)
    shape = canonical_shape(num)
    if any(n < 0 for n in shape):
        raise ValueError(f"split: the number of keys must not be negative, got num={num}")
    return _in_style_of(key, split_words(words, shape))


def fold_in(key: Any, data: Any) -> Any:
    """Make a key of a key and an integer, the number of a step or of a device say.

    Parameters
    ----------
    key : key
    data : integer scalar
        Different integers of 32 bits give independent keys.

    Returns
    -------
    key of the same style

    Raises
    ------
    OverflowError
        If ``data`` is a Python integer that is negative or has more than 32 bits.

    Examples
    --------
    >>> fold_in(PRNGKey(0), 1)
    Array([ 928981903, 3453687069], dtype=uint32)
    """
    words = one_key("fold_in", key)
    if np.ndim(data) > 0:
        raise TypeError(
            f"fold_in accepts a scalar, but was given an array of shape {np.shape(data)} != (). "
            "Use jax.vmap for batching."
        )
    return _in_style_of(key, fold_words(words, _as_word(data)))


def _as_word(data: Any) -> Any:
    if isinstance(data, int) and not isinstance(data, bool):
        return np.uint32(operator.index(data))
    if not is_array_like(data):
        raise TypeError(f"fold_in accepts an integer, but was given {data!r}")
    return convert(data, UINT32)
