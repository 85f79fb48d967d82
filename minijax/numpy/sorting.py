"""How are elements brought into order along an axis?

NaN is larger than every number and comes last. Sorting is stable unless the caller gives that up;
the positions of sorted elements are found by sorting them along with the elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.numpy.axes import canonical_axis
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import as_operand, check_arraylike, dtype_of
from minijax.numpy.shapes import operand
from minijax.primitives.conversion import convert


def _check_order(name: str, kind: Any, order: Any) -> None:
    if kind is not None:
        raise TypeError(f"'kind' argument to {name} is not supported; use stable=True/False.")
    if order is not None:
        raise NotImplementedError(f"'order' argument to {name} is not supported.")


@staged_call(static_argnames=("axis", "kind", "order", "stable", "descending"))
def sort(
    a: Any,
    axis: int | None = -1,
    *,
    kind: None = None,
    order: None = None,
    stable: bool = True,
    descending: bool = False,
) -> Any:
    """Return the elements in increasing order along an axis.

    Parameters
    ----------
    a : array_like
    axis : int, optional
        None sorts the array seen as flat.
    kind, order : None
        Not supported.
    stable : bool
        Keep the order of equal elements.
    descending : bool
        Sort in decreasing order.

    Examples
    --------
    >>> sort(asarray([3, 1, 2]))
    Array([1, 2, 3], dtype=int32)
    """
    _check_order("sort", kind, order)
    x = operand("sort", a)
    if axis is None:
        x, axis = lax.reshape(x, (x.size,)), 0
    axis = canonical_axis(axis, x.ndim)
    out = lax.sort(x, dimension=axis, is_stable=stable)
    return lax.rev(out, (axis,)) if descending else out


@staged_call(static_argnames=("axis", "kind", "order", "stable", "descending"))
def argsort(
    a: Any,
    axis: int | None = -1,
    *,
    kind: None = None,
    order: None = None,
    stable: bool = True,
    descending: bool = False,
) -> Any:
    """Return the positions of the elements in increasing order along an axis.

    Parameters
    ----------
    a : array_like
    axis : int, optional
        None sorts the array seen as flat.
    kind, order : None
        Not supported.
    stable : bool
        Keep the order of equal elements.
    descending : bool
        Sort in decreasing order.

    Examples
    --------
    >>> argsort(asarray([3, 1, 2]))
    Array([1, 2, 0], dtype=int32)
    """
    _check_order("argsort", kind, order)
    x = operand("argsort", a)
    if axis is None:
        x, axis = lax.reshape(x, (x.size,)), 0
    axis = canonical_axis(axis, x.ndim)
    # Equal elements keep their order in a descending sort too: reverse before and after.
    x = lax.rev(x, (axis,)) if descending else x
    index = lax.broadcasted_iota(dtypes.default_int_dtype(), x.shape, axis)
    _, positions = lax.sort((x, index), dimension=axis, is_stable=stable, num_keys=1)
    if not descending:
        return positions
    last = np.asarray(x.shape[axis] - 1, positions.dtype)
    return lax.rev(lax.sub(last, positions), (axis,))


def lexsort(keys: Any, axis: int = -1) -> Any:
    """Return the positions of elements sorted by several keys; the last key decides first.

    Parameters
    ----------
    keys : sequence of array_like
        Of one shape.
    axis : int

    Examples
    --------
    >>> lexsort((asarray([1, 2, 0]), asarray([1, 0, 1])))
    Array([1, 2, 0], dtype=int32)
    """
    listed: Sequence[Any] = tuple(keys)
    if not listed:
        raise TypeError("need sequence of keys with len > 0 in lexsort")
    check_arraylike("lexsort", *listed)
    arrays = [asarray(as_operand(key)) for key in listed]
    if len({x.shape for x in arrays}) > 1:
        raise ValueError("all keys need to be the same shape")
    if arrays[0].ndim == 0:
        return lax.full((), 0, dtypes.default_int_dtype())
    axis = canonical_axis(axis, arrays[0].ndim)
    index = lax.broadcasted_iota(dtypes.default_int_dtype(), arrays[0].shape, axis)
    ordered = (*reversed(arrays), index)
    return lax.sort(ordered, dimension=axis, is_stable=True, num_keys=len(arrays))[-1]


def sort_complex(a: Any) -> Any:
    """Return the elements in increasing order along the last axis, as complex numbers.

    Parameters
    ----------
    a : array_like
    """
    out = sort(operand("sort_complex", a), axis=0)
    target = dtypes.canonicalize_dtype(dtypes.to_complex_dtype(dtype_of(out)))
    return convert(out, target)
