"""How does an array get another shape, with the same elements?

Reshaping reads the elements in row-major order, transposing exchanges axes; axes of length one
come and go. Nothing here computes, and only broadcasting repeats elements.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core.aval import typeof
from minijax.numpy.axes import canonical_axes, canonical_axis, refuse_tracers
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import as_operand, check_arraylike, check_rank_promotion
from minijax.primitives.broadcasting import canonical_shape


def operand(name: str, a: Any) -> Any:
    """Check an argument and return it as an array."""
    check_arraylike(name, a)
    return asarray(as_operand(a))


# -- reshaping -----------------------------------------------------------------------------------


def reshape(
    a: Any, shape: Any, order: str = "C", *, copy: bool | None = None, out_sharding: Any = None
) -> Any:
    """Give an array another shape of the same size.

    Parameters
    ----------
    a : array_like
    shape : int or sequence of int
        One length may be -1: it is computed.
    order : "C" or "F"
        Read and write the elements with the last (C) or first (F) axis changing fastest.
    copy : bool, optional
        Accepted for compatibility; False is refused.
    out_sharding : None
        Accepted for compatibility.

    Raises
    ------
    TypeError
        If the sizes differ.

    Examples
    --------
    >>> reshape(asarray([1, 2, 3, 4]), (2, -1)).tolist()
    [[1, 2], [3, 4]]
    """
    x = operand("reshape", a)
    new_shape = complete_shape(x.shape, canonical_shape(shape))
    if order == "C":
        return lax.reshape(x, new_shape)
    if order == "F":
        backwards = range(x.ndim)[::-1]
        turned = lax.reshape(lax.transpose(x, tuple(backwards)), new_shape[::-1])
        return lax.transpose(turned, tuple(range(len(new_shape))[::-1]))
    if order == "A":
        raise NotImplementedError("np.reshape order=A is not implemented.")
    raise ValueError(f"Unexpected value for 'order' argument: {order}.")


def complete_shape(old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape with the length written as -1 computed.

    Raises
    ------
    TypeError
        If the sizes do not agree.
    """
    unknown = [i for i, n in enumerate(new) if n == -1]
    if len(unknown) > 1:
        raise TypeError(f"can only specify one unknown axis size with a `-1` value, got {new}")
    size = _product(old)
    if not unknown:
        if _product(new) != size:
            raise TypeError(
                f"cannot reshape array of shape {old} (size {size}) into shape {new} "
                f"(size {_product(new)})"
            )
        return new
    known = _product(n for n in new if n != -1)
    if known == 0 or size % known:
        raise TypeError(
            f"cannot reshape array of shape {old} (size {size}) into shape {new} because the "
            f"product of specified axis sizes ({known}) does not evenly divide {size}"
        )
    i = unknown[0]
    return (*new[:i], size // known, *new[i + 1 :])


def _product(lengths: Any) -> int:
    total = 1
    for n in lengths:
        total *= n
    return total


def ravel(a: Any, order: str = "C", *, out_sharding: Any = None) -> Any:
    """Return an array seen as flat.

    Parameters
    ----------
    a : array_like
    order : "C" or "F"
        Read the elements with the last (C) or first (F) axis changing fastest.
    out_sharding : None
        Accepted for compatibility.
    """
    if order == "K":
        raise NotImplementedError("Ravel not implemented for order='K'.")
    return reshape(a, (-1,), order) if _size(a) else reshape(a, (0,), order)


def _size(a: Any) -> int:
    check_arraylike("ravel", a)
    return typeof(as_operand(a)).size


def resize(a: Any, new_shape: Any) -> Any:
    """Return the elements of an array, repeated or cut off, in another shape.

    Parameters
    ----------
    a : array_like
    new_shape : int or sequence of int

    Examples
    --------
    >>> resize(asarray([1, 2, 3]), (2, 2)).tolist()
    [[1, 2], [3, 1]]
    """
    x = operand("resize", a)
    shape = canonical_shape(new_shape)
    if any(n < 0 for n in shape):
        raise ValueError("all elements of `new_shape` must be non-negative")
    size = _product(shape)
    if x.size == 0 or size == 0:
        return lax.full(shape, 0, x.dtype)
    flat = lax.reshape(x, (x.size,))
    repeats = -(-size // x.size)
    if repeats > 1:
        flat = lax.concatenate([flat] * repeats, 0)
    return lax.reshape(lax.slice_in_dim(flat, 0, size), shape)


# -- order of axes -------------------------------------------------------------------------------


def transpose(a: Any, axes: Any = None) -> Any:
    """Put the axes of an array in another order.

    Parameters
    ----------
    a : array_like
    axes : sequence of int, optional
        Axis ``i`` of the result is axis ``axes[i]``; by default the order is reversed.

    Examples
    --------
    >>> transpose(asarray([[1, 2, 3]])).shape
    (3, 1)
    """
    x = operand("transpose", a)
    if axes is None:
        return lax.transpose(x, tuple(range(x.ndim)[::-1]))
    order = [operator.index(i) for i in axes]
    return lax.transpose(x, tuple(i + x.ndim if -x.ndim <= i < 0 else i for i in order))


def permute_dims(a: Any, /, axes: tuple[int, ...]) -> Any:
    """Put the axes of an array in another order; see :func:`transpose`."""
    return transpose(a, axes)


def matrix_transpose(x: Any, /) -> Any:
    """Exchange the last two axes of an array.

    Parameters
    ----------
    x : array_like
        Of at least two axes.
    """
    x = operand("matrix_transpose", x)
    if x.ndim < 2:
        raise ValueError(
            f"x must be at least two-dimensional for matrix_transpose; got ndim={x.ndim}"
        )
    return lax.transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def moveaxis(a: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Move axes to other places; the rest keep their order.

    Parameters
    ----------
    a : array_like
    source, destination : int or sequence of int

    Examples
    --------
    >>> moveaxis(lax.full((2, 3, 4), 0.0), 0, -1).shape
    (3, 4, 2)
    """
    x = operand("moveaxis", a)
    sources, targets = _listed(source), _listed(destination)
    if len(sources) != len(targets):
        raise ValueError(f"Inconsistent number of elements: {len(sources)} vs {len(targets)}")
    sources = tuple(canonical_axis(i, x.ndim) for i in sources)
    targets = tuple(canonical_axis(i, x.ndim) for i in targets)
    order = [i for i in range(x.ndim) if i not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return lax.transpose(x, tuple(order))


def _listed(axes: Any) -> tuple[int, ...]:
    return (operator.index(axes),) if np.ndim(axes) == 0 else tuple(axes)


def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Exchange two axes.

    Parameters
    ----------
    a : array_like
    axis1, axis2 : int
    """
    x = operand("swapaxes", a)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return lax.transpose(x, tuple(order))


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Move an axis backwards until it stands before another; see :func:`moveaxis`.

    Parameters
    ----------
    a : array_like
    axis : int
    start : int
        The axis before which it shall stand.
    """
    x = operand("rollaxis", a)
    axis = canonical_axis(axis, x.ndim)
    if not -x.ndim <= start <= x.ndim:
        raise ValueError(f"{start=} must satisfy {-x.ndim}<=start<={x.ndim}")
    start += x.ndim if start < 0 else 0
    return moveaxis(x, axis, start - 1 if start > axis else start)


# -- axes of length one --------------------------------------------------------------------------


def expand_dims(a: Any, axis: int | Sequence[int]) -> Any:
    """Add axes of length one, which stand at ``axis`` of the result.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int

    Examples
    --------
    >>> expand_dims(asarray([1, 2]), 0).shape
    (1, 2)
    """
    return lax.expand_dims(operand("expand_dims", a), _listed(axis))


def squeeze(a: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Remove axes of length one.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
        By default all of them.

    Examples
    --------
    >>> squeeze(asarray([[[1], [2]]])).shape
    (2,)
    """
    x = operand("squeeze", a)
    if axis is None:
        axes = tuple(i for i, n in enumerate(x.shape) if n == 1)
    else:
        axes = canonical_axes(axis, x.ndim)
    return lax.squeeze(x, axes)


@staged_call
def atleast_1d(*arys: Any) -> Any:
    """Return arrays with at least one axis.

    Parameters
    ----------
    *arys : array_like

    Returns
    -------
    Array or list of Array
        A list unless there is one argument.
    """
    out = [x if x.ndim else lax.reshape(x, (1,)) for x in _operands("atleast_1d", arys)]
    return out[0] if len(out) == 1 else out


@staged_call
def atleast_2d(*arys: Any) -> Any:
    """Return arrays with at least two axes, added in front; see :func:`atleast_1d`."""
    out = [lax.broadcast_to_rank(x, 2) for x in _operands("atleast_2d", arys)]
    return out[0] if len(out) == 1 else out


@staged_call
def atleast_3d(*arys: Any) -> Any:
    """Return arrays with at least three axes, around those there are; see :func:`atleast_1d`."""
    places = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}
    out = [
        lax.expand_dims(x, places[x.ndim]) if x.ndim < 3 else x
        for x in _operands("atleast_3d", arys)
    ]
    return out[0] if len(out) == 1 else out


def _operands(name: str, arrays: Sequence[Any]) -> list[Any]:
    check_arraylike(name, *arrays)
    return [asarray(as_operand(x)) for x in arrays]


# -- broadcasting --------------------------------------------------------------------------------


def broadcast_to(array: Any, shape: Any, *, out_sharding: Any = None) -> Any:
    """Repeat an array along axes that it lacks, or has with length one.

    Parameters
    ----------
    array : array_like
    shape : int or sequence of int
    out_sharding : None
        Accepted for compatibility.

    Raises
    ------
    ValueError
        If the array does not fit into the shape.

    Examples
    --------
    >>> broadcast_to(asarray([1, 2]), (2, 2)).tolist()
    [[1, 2], [1, 2]]
    """
    x = operand("broadcast_to", array)
    refuse_tracers(shape, "shape of jax.numpy.broadcast_to")
    shape = canonical_shape(shape)
    if x.shape == shape:
        return x
    if x.ndim > len(shape):
        raise ValueError(
            f"Cannot broadcast to shape with fewer dimensions: arr_shape={x.shape} shape={shape}"
        )
    new = len(shape) - x.ndim
    if any(n not in (1, m) for n, m in zip(x.shape, shape[new:], strict=True)):
        wanted = f"{x.dtype.name}[{','.join(map(str, shape))}]"
        raise ValueError(
            f"Incompatible types for broadcasting: input type={x.aval.str_short()} and requested "
            f"type={wanted}"
        )
    return lax.broadcast_in_dim(x, shape, tuple(range(new, len(shape))))


def broadcast_arrays(*args: Any) -> list[Any]:
    """Broadcast arrays to their common shape.

    Parameters
    ----------
    *args : array_like

    Examples
    --------
    >>> [x.shape for x in broadcast_arrays(asarray([1, 2]), 0)]
    [(2,), (2,)]
    """
    arrays = _operands("broadcast_arrays", args)
    shapes = [x.shape for x in arrays]
    check_rank_promotion("broadcast_arrays", shapes)
    shape = lax.broadcast_shapes(*shapes)
    return [broadcast_to(x, shape) for x in arrays]


# -- questions about shapes ------------------------------------------------------------------------


def shape(a: Any) -> tuple[int, ...]:
    """Return the shape of an array, or of nested lists."""
    return tuple(asarray(a).shape) if isinstance(a, (list, tuple)) else operand("shape", a).shape


def ndim(a: Any) -> int:
    """Return the number of axes of an array, or of nested lists."""
    return len(shape(a))


def size(a: Any, axis: int | Sequence[int] | None = None) -> int:
    """Return the number of elements of an array, or its length along axes.

    Parameters
    ----------
    a : array_like
    axis : int or sequence of int, optional
    """
    lengths = shape(a)
    return _product(lengths[i] for i in canonical_axes(axis, len(lengths)))
