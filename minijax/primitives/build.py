"""How does an array come into being out of nothing but a shape?

Two ways: ``iota`` counts along one axis, and a scalar broadcast to a shape (``full``) repeats one
value. Everything else that is made and not computed (identity matrices, ranges, masks) is made
from these two, so that no program carries such arrays in its text.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.array import array_from_numpy
from minijax.core.aval import ShapedArray, is_array_like, typeof
from minijax.core.primitive import Primitive
from minijax.primitives.broadcasting import broadcast, canonical_shape
from minijax.primitives.conversion import convert
from minijax.primitives.operands import NUMERIC, ArrayLike, check_kinds
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value

# -- iota ---------------------------------------------------------------------------------------

iota_p = Primitive("iota")


def iota(dtype: Any, size: int) -> Any:
    """Return the numbers from 0 to ``size - 1``.

    Examples
    --------
    >>> iota(np.float32, 3)
    Array([0., 1., 2.], dtype=float32)
    """
    return broadcasted_iota(dtype, canonical_shape((size,)), 0)


def broadcasted_iota(
    dtype: Any, shape: Sequence[int], dimension: int, *, out_sharding: Any = None
) -> Any:
    """Return an array in which each element is its own index along one axis.

    Parameters
    ----------
    dtype : dtype-like
        Any number type; integers that are too small wrap around.
    shape : sequence of int
    dimension : int
        The axis along which to count; not negative.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    Array

    Raises
    ------
    TypeError
        If ``dtype`` is no number type or a length is negative.
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> broadcasted_iota(np.int32, (2, 3), 1)
    Array([[0, 1, 2],
           [0, 1, 2]], dtype=int32)
    """
    return iota_p.bind(
        dtype=dtypes.check_and_canonicalize_user_dtype(dtype, "iota"),
        shape=canonical_shape(shape),
        dimension=operator.index(dimension),
        sharding=out_sharding,
    )


@iota_p.abstract
def iota_abstract(
    *, dtype: Any, shape: tuple[int, ...], dimension: int, sharding: Any
) -> ShapedArray:
    aval = ShapedArray(shape, dtype)
    check_kinds("iota", [aval], NUMERIC)
    if any(n < 0 for n in shape):
        raise TypeError(f"iota shape must have every element be nonnegative, got {shape}.")
    if not 0 <= dimension < len(shape):
        raise ValueError(
            f"iota dimension must be between 0 and len(shape), got dimension={dimension} for "
            f"shape={shape}"
        )
    return aval


@iota_p.reference
def iota_reference(
    *, dtype: Any, shape: tuple[int, ...], dimension: int, sharding: Any
) -> np.ndarray:
    counted = np.arange(shape[dimension]).astype(dtype)
    return np.broadcast_to(counted.reshape(-1, *(1,) * (len(shape) - dimension - 1)), shape)


iota_p.jvp_zero("it has no operands")
iota_p.no_batch("it has no operands")


@iota_p.lower
def iota_lower(
    ctx: Emitter, *, dtype: Any, shape: tuple[int, ...], dimension: int, sharding: Any
) -> Value:
    return ctx.op("stablehlo.iota", iota_dimension=dimension)


for _name in ("float32", "bfloat16", "int32", "uint8"):
    iota_p.sample(
        dtype=dtypes.DTYPES[_name], shape=(300, 2), dimension=0, sharding=None, _dtypes=(_name,)
    )
iota_p.sample(dtype=np.dtype("int32"), shape=(2, 3, 4), dimension=1, sharding=None)
iota_p.sample(dtype=np.dtype("int32"), shape=(0,), dimension=0, sharding=None)


# -- full ---------------------------------------------------------------------------------------


def full(shape: Any, fill_value: ArrayLike, dtype: Any = None, *, sharding: Any = None) -> Any:
    """Return an array with one value everywhere.

    Parameters
    ----------
    shape : int or sequence of int
    fill_value : scalar
    dtype : dtype-like, optional
        By default that of ``fill_value``, weak if it is a Python number. For a dtype of keys
        every word of the key gets the value.
    sharding : None
        Accepted for compatibility.

    Returns
    -------
    Array

    Raises
    ------
    TypeError
        If ``fill_value`` is not a scalar or a length is negative.

    Examples
    --------
    >>> full((2,), 1.5, np.int32)
    Array([1, 1], dtype=int32)
    """
    shape = canonical_shape(shape)
    fill_shape = typeof(fill_value).shape if is_array_like(fill_value) else np.shape(fill_value)
    if fill_shape:
        raise TypeError(
            f"full must be called with scalar fill_value, got fill_value.shape {fill_shape}."
        )
    weak = dtype is None and dtypes.is_weakly_typed(fill_value)
    if dtype is None:
        dtype = typeof(fill_value).dtype
    else:
        dtype = dtypes.check_and_canonicalize_user_dtype(dtype, "full")
    return broadcast(_scalar(fill_value, dtype, weak), shape, out_sharding=sharding)


def full_like(
    x: Any, fill_value: ArrayLike, dtype: Any = None, shape: Any = None, sharding: Any = None
) -> Any:
    """Return an array like ``x`` with one value everywhere.

    Parameters
    ----------
    x : array_like or anything with a shape and a dtype
    fill_value : scalar
    dtype, shape : optional
        By default those of ``x``; a weak dtype stays weak.
    sharding : None
        Accepted for compatibility.

    Examples
    --------
    >>> full_like(np.zeros(2, np.int32), 7)
    Array([7, 7], dtype=int32)
    """
    shape = typeof(x).shape if shape is None else canonical_shape(shape)
    if dtype is not None:
        return full(shape, fill_value, dtype, sharding=sharding)
    dtype, weak = typeof(x).dtype, dtypes.is_weakly_typed(x)
    if not weak or (is_array_like(fill_value) and typeof(fill_value).shape):
        return full(shape, fill_value, dtype, sharding=sharding)
    return broadcast(_scalar(fill_value, dtype, weak), shape, out_sharding=sharding)


def zeros_like_array(x: ArrayLike) -> Any:
    """Return zeros of the shape and dtype of ``x``."""
    return full_like(x, 0)


def _scalar(value: Any, dtype: Any, weak: bool) -> Any:
    """Return a scalar of a dtype; one number fills all words of a key."""
    if dtypes.is_extended(dtype) and isinstance(value, (int, np.integer)):
        word = int(value) & 0xFFFFFFFF
        return array_from_numpy(
            np.asarray(word | word << 32, dtype.storage), aval=ShapedArray((), dtype)
        )
    return convert(value, dtype, weak)
