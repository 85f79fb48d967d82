"""How do values of Python and NumPy become arrays?

:func:`array` copies, :func:`asarray` copies only what is not an array yet. NumPy data is always
copied, for its owner may write to it. A Python scalar gives a weakly typed array; lists take the
common dtype of their elements, strongly typed, and may contain tracers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.array import (
    Array,
    ConcreteArray,
    array_from_numpy,
    storage_dtype,
)
from minijax.core.aval import ShapedArray, is_array_like
from minijax.core.backend import Device
from minijax.core.tree import tree_leaves
from minijax.numpy.promotion import common_type
from minijax.primitives.conversion import convert, convert_values
from minijax.primitives.identity import copy as copy_operation
from minijax.transforms.dispatch import move

_NOT_NUMERIC = "is not a valid JAX array type. Only arrays of numeric types are supported by JAX."


def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str | None = "K",
    ndmin: int = 0,
    device: Device | None = None,
    out_sharding: Any = None,
) -> Any:
    """Make an array.

    Parameters
    ----------
    object : array_like or nested sequences of array_like
        Anything with ``__jax_array__`` or the protocols of NumPy, scalars, lists and tuples.
    dtype : dtype-like, optional
        By default that of ``object``; without ``jax_enable_x64`` 64-bit types are narrowed.
    copy : bool, optional
        Copy even if ``object`` is an array already. What is none is always copied.
    order : "K" or None
        There is only one.
    ndmin : int
        Leading axes of length one are added up to this number of axes.
    device : Device, optional
        Where the array shall live.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    Array
        Weakly typed if ``object`` is a Python scalar and no dtype is given.

    Raises
    ------
    TypeError
        If ``object`` has no numeric dtype.
    ValueError
        If it is None or ragged.
    OverflowError
        If a Python integer does not fit.

    Examples
    --------
    >>> array([1, 2.5])
    Array([1. , 2.5], dtype=float32)
    """
    if order is not None and order != "K":
        raise NotImplementedError("Only implemented for order='K'")
    if dtype is not None:
        dtype = dtypes.check_and_canonicalize_user_dtype(dtype, "array")
    if hasattr(type(object), "__jax_array__"):
        object = object.__jax_array__()
    if isinstance(object, Array):
        out = object if dtype is None else convert(object, dtype)
        if copy and out is object:
            out = copy_operation(out)
    else:
        out = _from_host(object, dtype)
    if ndmin > out.ndim:
        out = lax.expand_dims(out, range(ndmin - out.ndim))
    return place(out, device)


def asarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    copy: bool | None = None,
    device: Device | None = None,
    out_sharding: Any = None,
) -> Any:
    """Make an array, without a copy if ``a`` is one of the dtype wanted; see :func:`array`.

    Examples
    --------
    >>> asarray(2)
    Array(2, dtype=int32, weak_type=True)
    """
    if dtype is None and device is None and not copy and isinstance(a, Array):
        return a
    if copy is None:
        return array(a, dtype, copy=None, order=order, device=device)
    return array(a, dtype, copy=bool(copy), order=order, device=device)


def as_arrays(*args: Any) -> list[Any]:
    """Return operands (arrays and scalars) as arrays, keeping weak types."""
    return [x if isinstance(x, Array) else asarray(x) for x in args]


def copy(a: Any, order: str | None = None) -> Any:
    """Return a copy of an array. Copies are needed only before donation.

    Examples
    --------
    >>> copy(array([1, 2]))
    Array([1, 2], dtype=int32)
    """
    if order not in (None, "K"):
        raise NotImplementedError("Only implemented for order='K'")
    if not is_array_like(a):
        raise TypeError(f"copy requires ndarray or scalar arguments, got {type(a)} at position 0.")
    return array(a, copy=True)


def place(x: Any, device: Device | None) -> Any:
    """Move an array to the device the user asked for; None asks for nothing."""
    if device is None or not isinstance(x, ConcreteArray):
        return x
    return move(x, device, committed=True)


# -- from the host ---------------------------------------------------------------------------------


def _from_host(object: Any, dtype: Any) -> Any:
    """Make an array of what is none: scalars, sequences and what NumPy understands."""
    if type(object) in dtypes.python_scalar_dtypes:
        value = dtypes.coerce_to_array(object, dtype)
        return from_numpy(value, weak_type=dtype is None and type(object) is not bool)
    if isinstance(object, (list, tuple)):
        return _from_sequence(object, dtype)
    if object is None:
        raise ValueError("None is not a valid value for jnp.array")
    return from_numpy(np.asarray(object), dtype, object)


def from_numpy(
    value: np.ndarray, dtype: Any = None, shown: Any = None, *, weak_type: bool = False
) -> ConcreteArray:
    """Copy an ndarray into an array that nobody can write to.

    Parameters
    ----------
    value : np.ndarray
    dtype : dtype, optional
        Canonical dtype to convert to; by default its own, narrowed.
    shown : object, optional
        What the user gave, for the error message.
    weak_type : bool
        Whether the array is weakly typed.

    Raises
    ------
    TypeError
        If arrays cannot have the dtype of ``value``.
    """
    if value.dtype not in dtypes.KIND_OF and value.dtype != dtypes.float0:
        given = value if shown is None else shown
        raise TypeError(f"Value '{given}' with dtype {value.dtype} {_NOT_NUMERIC}")
    if dtype is None:
        dtype = dtypes.canonicalize_dtype(value.dtype)
    elif dtypes.is_extended(dtype):
        raise ValueError(f"Cannot convert_element_type from {value.dtype} to {dtype.name}")
    with np.errstate(all="ignore"):
        converted = convert_values(value, dtype)
    block = np.empty(converted.shape, storage_dtype(dtype))
    block[...] = converted
    return array_from_numpy(block, aval=ShapedArray(block.shape, dtype, weak_type))


def _from_sequence(items: Sequence[Any], dtype: Any) -> Any:
    leaves = tree_leaves(items, is_leaf=lambda x: x is None)
    if any(leaf is None for leaf in leaves):
        raise ValueError("None is not a valid value for jnp.array")
    leaves = [x.__jax_array__() if hasattr(type(x), "__jax_array__") else x for x in leaves]
    if dtype is None:
        dtype = _common_dtype(leaves)
    if not any(isinstance(leaf, Array) for leaf in leaves):
        with np.errstate(all="ignore"):
            return from_numpy(np.array(items, dtype))
    parts = [lax.expand_dims(asarray(item, dtype), (0,)) for item in items]
    if len({part.shape for part in parts}) > 1:
        raise ValueError(
            "setting an array element with a sequence. The elements have different shapes: "
            f"{[part.shape[1:] for part in parts]}"
        )
    return lax.concatenate(parts, 0)


def _common_dtype(leaves: Sequence[Any]) -> Any:
    if not leaves:
        return dtypes.default_float_dtype()
    typed = [x if is_array_like(x) else _as_ndarray(x) for x in leaves]
    dtype, weak_type = common_type(typed)
    return dtypes.result_type(*typed) if weak_type else dtype


def _as_ndarray(leaf: Any) -> np.ndarray:
    value = np.asarray(leaf)
    if value.dtype not in dtypes.KIND_OF:
        raise TypeError(f"Value '{leaf}' with dtype {value.dtype} {_NOT_NUMERIC}")
    return value


# -- memory of others ------------------------------------------------------------------------------


def from_dlpack(x: Any, /, *, device: Device | None = None, copy: bool | None = None) -> Any:
    """Make an array of one of another library, through the DLPack protocol.

    Parameters
    ----------
    x : object with ``__dlpack__`` and ``__dlpack_device__``
    device : Device, optional
        Where the array shall live.
    copy : bool, optional
        The data is always copied; False is refused.

    Examples
    --------
    >>> from_dlpack(np.ones(2, np.float32))
    Array([1., 1.], dtype=float32)
    """
    if copy is False:
        raise ValueError("from_dlpack: the data is always copied, copy=False cannot be granted.")
    return place(from_numpy(np.from_dlpack(x)), device)


def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0) -> Any:
    """Make an array of one axis of the bytes of an object.

    Parameters
    ----------
    buffer : bytes or object with the buffer protocol
    dtype : dtype-like
        How the bytes are to be read.
    count : int
        Number of elements; -1 for all.
    offset : int
        Where to start, in bytes.

    Examples
    --------
    >>> frombuffer(b"ab", "int8")
    Array([97, 98], dtype=int8)
    """
    return from_numpy(np.frombuffer(buffer, np.dtype(dtype), count, offset))


def astype(x: Any, dtype: Any, /, *, copy: bool = False, device: Device | None = None) -> Any:
    """Convert an array to another dtype.

    Parameters
    ----------
    x : array_like
    dtype : dtype-like
        None means the default float. Complex numbers lose their imaginary part.
    copy : bool
        Copy even if nothing is to be converted.
    device : Device, optional
        Where the result shall live.

    Examples
    --------
    >>> astype(array([1.7, -1.7]), int)
    Array([ 1, -1], dtype=int32)
    """
    (x,) = as_arrays(x)
    wanted = float if dtype is None else dtype
    target = dtypes.check_and_canonicalize_user_dtype(wanted, "astype")
    out = convert(x, target)
    if copy and out is x:
        out = copy_operation(x)
    return place(out, device)


def view(x: Any, dtype: Any = None, type: None = None) -> Any:
    """See the bits of an array as another dtype; the last axis changes with the element size.

    Parameters
    ----------
    x : array
    dtype : dtype-like, optional
    type : None
        Not supported.

    Raises
    ------
    ValueError
        If the last axis is not a multiple of the new element size.

    Examples
    --------
    >>> view(array([1.0]), "int32")
    Array([1065353216], dtype=int32)
    """
    if type is not None:
        raise NotImplementedError("`type` argument of array.view() is not supported.")
    if dtype is None:
        return x
    target = dtypes.check_and_canonicalize_user_dtype(dtype, "view")
    if x.dtype == target:
        return x
    if x.ndim == 0 and x.dtype.itemsize != target.itemsize:
        raise ValueError("view() of a 0d array is only supported if the itemsize is unchanged.")
    if x.dtype == np.bool_:
        return view(convert(x, np.dtype("uint8")), target)
    if target == np.bool_:
        return convert(view(x, "uint8") & 1, np.dtype(bool))
    if x.dtype.kind == "c":
        return view(_interleaved(x), target)
    if target.kind == "c":
        part = np.dtype(f"float{target.itemsize * 4}")
        real, imag = _deinterleaved(view(x, part))
        return lax.complex(real, imag)
    return _bitcast(x, target)


def _interleaved(x: Any) -> Any:
    """Return complex numbers as an array of twice the length, real and imaginary in turn."""
    parts = [lax.expand_dims(part, (x.ndim,)) for part in (lax.real(x), lax.imag(x))]
    joined = lax.concatenate(parts, x.ndim)
    return lax.reshape(joined, (*x.shape[:-1], 2 * x.shape[-1]) if x.ndim else (2,))


def _deinterleaved(x: Any) -> tuple[Any, Any]:
    if x.shape[-1] % 2:
        raise ValueError(
            "When changing to a larger dtype, its size must be a divisor of the total size in "
            "bytes of the last axis of the array."
        )
    pairs = lax.reshape(x, (*x.shape[:-1], x.shape[-1] // 2, 2))
    real = lax.index_in_dim(pairs, 0, -1, keepdims=False)
    return real, lax.index_in_dim(pairs, 1, -1, keepdims=False)


def _bitcast(x: Any, target: np.dtype) -> Any:
    old, new = x.dtype.itemsize, target.itemsize
    if old < new:
        if x.shape[-1] * old % new:
            raise ValueError(
                "When changing to a larger dtype, its size must be a divisor of the total size in "
                "bytes of the last axis of the array."
            )
        count = new // old
        x = lax.reshape(x, (*x.shape[:-1], x.shape[-1] // count, count))
        return lax.bitcast_convert_type(x, target)
    out = lax.bitcast_convert_type(x, target)
    if old > new:
        out = lax.reshape(out, (*x.shape[:-1], x.shape[-1] * (old // new)))
    return out
