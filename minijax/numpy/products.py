"""How do the products of vectors, matrices and stacks of them come down to one operation?

``dot_general`` contracts some axes of both operands and lets others go along. Each function here
says which axes are which, and afterwards puts the axes of the result in the order it promises.
The dtype of the result is the common one of the operands, which need not be converted first.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.numpy.axes import canonical_axis
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import (
    as_operand,
    check_arraylike,
    common_type,
    dtype_of,
    promote_dtypes,
)
from minijax.numpy.shapes import broadcast_to, moveaxis, ravel
from minijax.primitives.conversion import convert


def product(
    a: Any, b: Any, numbers: Any, precision: Any = None, preferred_element_type: Any = None
) -> Any:
    """Apply ``dot_general`` with the result dtype that NumPy's functions promise."""
    if preferred_element_type is None:
        dtype, weak_type = common_type((a, b))
        if weak_type:
            dtype = dtypes.canonicalize_dtype(dtypes.result_type(a, b))
    else:
        dtype, weak_type = (
            dtypes.check_and_canonicalize_user_dtype(preferred_element_type, "dot"),
            False,
        )
    out = lax.dot_general(a, b, numbers, precision, dtype)
    return convert(out, dtype_of(out), weak_type)


def _operands(name: str, a: Any, b: Any) -> tuple[Any, Any]:
    check_arraylike(name, a, b)
    return as_operand(a), as_operand(b)


def _rank(x: Any) -> int:
    return len(typeof(x).shape)


def dot(
    a: Any,
    b: Any,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Sum products over the last axis of ``a`` and the second-last, or only one, of ``b``.

    Parameters
    ----------
    a, b : array_like
        A scalar multiplies.
    precision : optional
        How exactly to compute, where the hardware has a choice.
    preferred_element_type : dtype-like, optional
        In which to accumulate, and of the result.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    Array
        Of the shape of ``a`` without its last axis, then that of ``b`` without the contracted one.

    Examples
    --------
    >>> dot(asarray([1, 2]), asarray([3, 4]))
    Array(11, dtype=int32)
    """
    a, b = _operands("dot", a, b)
    if not _rank(a) or not _rank(b):
        contract: Any = ((), ())
    else:
        contract = ((_rank(a) - 1,), (max(0, _rank(b) - 2),))
    return product(a, b, (contract, ((), ())), precision, preferred_element_type)


def matmul(
    a: Any,
    b: Any,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Product of matrices; further axes in front are stacks of them, and broadcast.

    Parameters
    ----------
    a, b : array_like
        Of at least one axis; an array of one axis is a row on the left, a column on the right.
    precision : optional
        How exactly to compute, where the hardware has a choice.
    preferred_element_type : dtype-like, optional
        In which to accumulate, and of the result.
    out_sharding : None
        Accepted for compatibility.

    Raises
    ------
    ValueError
        If an operand is a scalar, or the stacks do not fit.
    TypeError
        If the matrices do not fit.

    Examples
    --------
    >>> matmul(asarray([[1, 2], [3, 4]]), asarray([1, 1]))
    Array([3, 7], dtype=int32)
    """
    a, b = _operands("matmul", a, b)
    for position, x in enumerate((a, b)):
        if not _rank(x):
            raise ValueError(
                f"matmul input operand {position} must have ndim at least 1, but it has ndim 0"
            )
    a_shape, b_shape = typeof(a).shape, typeof(b).shape
    rank = max(len(a_shape), len(b_shape), 2)
    a_stack, b_stack = _stack_axes(a_shape, rank), _stack_axes(b_shape, rank)
    batch, a_free, b_free, a_ones, b_ones = [], [], [], [], []
    for i in range(rank - 2):
        i_a, i_b = a_stack.get(i), b_stack.get(i)
        n_a = None if i_a is None else a_shape[i_a]
        n_b = None if i_b is None else b_shape[i_b]
        if n_b is None or (n_b == 1 and n_a not in (None, 1)):
            a_free.append(i)
            b_ones += [] if n_b is None else [i_b]
        elif n_a in (None, 1):
            b_free.append(i)
            a_ones += [] if n_a is None else [i_a]
        elif n_a == n_b:
            batch.append(i)
        else:
            raise ValueError(f"Incompatible shapes for matmul arguments: {a_shape} and {b_shape}")
    a = lax.squeeze(a, a_ones) if a_ones else a
    b = lax.squeeze(b, b_ones) if b_ones else b
    numbers = (
        ((_rank(a) - 1,), (max(0, _rank(b) - 2),)),
        (_places(batch, a_stack, a_ones), _places(batch, b_stack, b_ones)),
    )
    out = product(a, b, numbers, precision, preferred_element_type)
    rows = [rank] if len(a_shape) > 1 else []
    columns = [rank + 1] if len(b_shape) > 1 else []
    order = [*batch, *a_free, *rows, *b_free, *columns]
    wanted = sorted(range(len(order)), key=order.__getitem__)
    return out if wanted == list(range(len(order))) else lax.transpose(out, tuple(wanted))


def _stack_axes(shape: Sequence[int], rank: int) -> dict[int, int]:
    """Return which axis of an operand stands at each of the stack axes of the result."""
    missing = rank - len(shape)
    return {missing + i: i for i in range(len(shape) - 2)}


def _places(batch: Sequence[int], axes: dict[int, int], removed: Sequence[int]) -> tuple[int, ...]:
    return tuple(axes[i] - sum(r < axes[i] for r in removed) for i in batch)


def vdot(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None) -> Any:
    """Sum of products of all elements, those of ``a`` conjugated.

    Parameters
    ----------
    a, b : array_like
        Seen as flat.
    precision, preferred_element_type : optional
        See :func:`dot`.

    Examples
    --------
    >>> vdot(asarray([1j]), asarray([1j]))
    Array(1.+0.j, dtype=complex64)
    """
    a, b = _operands("vdot", a, b)
    if dtype_of(a).kind == "c":
        a = lax.conj(a)
    return dot(
        ravel(a), ravel(b), precision=precision, preferred_element_type=preferred_element_type
    )


def inner(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None) -> Any:
    """Sum products over the last axes of both operands.

    Parameters
    ----------
    a, b : array_like
        A scalar multiplies.
    precision, preferred_element_type : optional
        See :func:`dot`.
    """
    a, b = _operands("inner", a, b)
    contract: Any = ((), ())
    if _rank(a) and _rank(b):
        contract = ((_rank(a) - 1,), (_rank(b) - 1,))
    return product(a, b, (contract, ((), ())), precision, preferred_element_type)


def outer(a: Any, b: Any, out: None = None) -> Any:
    """All products of an element of ``a`` and one of ``b``.

    Parameters
    ----------
    a, b : array_like
        Seen as flat.
    out : None
        Not supported.

    Returns
    -------
    Array, shape (a.size, b.size)

    Examples
    --------
    >>> outer(asarray([1, 2]), asarray([3, 4])).tolist()
    [[3, 4], [6, 8]]
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.outer is not supported.")
    a, b = promote_dtypes(*_operands("outer", a, b))
    rows, columns = ravel(a), ravel(b)
    return _multiply(lax.expand_dims(rows, (1,)), lax.expand_dims(columns, (0,)))


def _multiply(a: Any, b: Any) -> Any:
    return lax.bitwise_and(a, b) if dtype_of(a) == np.bool_ else lax.mul(a, b)


def tensordot(
    a: Any,
    b: Any,
    axes: Any = 2,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Sum products over several axes.

    Parameters
    ----------
    a, b : array_like
    axes : int or pair of sequences of int
        How many of the last axes of ``a`` and the first of ``b``, or which of each.
    precision, preferred_element_type : optional
        See :func:`dot`.
    out_sharding : None
        Accepted for compatibility.

    Examples
    --------
    >>> tensordot(lax.full((2, 3, 4), 1.0), lax.full((3, 4, 5), 1.0)).shape
    (2, 5)
    """
    a, b = _operands("tensordot", a, b)
    ranks = _rank(a), _rank(b)
    if isinstance(axes, (int, np.integer)):
        count = operator.index(axes)
        if count > min(ranks):
            raise TypeError(
                f"Number of tensordot axes (axes {count}) exceeds input ranks "
                f"({typeof(a).shape} and {typeof(b).shape})"
            )
        contract = (tuple(range(ranks[0] - max(count, 0), ranks[0])), tuple(range(max(count, 0))))
    else:
        contract = _contracted_axes(axes, ranks)
    return product(a, b, (contract, ((), ())), precision, preferred_element_type)


def _contracted_axes(axes: Any, ranks: tuple[int, int]) -> Any:
    if not isinstance(axes, (list, tuple)) or len(axes) != 2:
        raise TypeError(
            f"tensordot requires axes to be a pair of ints or of sequences, got {axes!r}"
        )
    pair = []
    for given, rank in zip(axes, ranks, strict=True):
        listed = (given,) if hasattr(given, "__index__") else tuple(given)
        pair.append(tuple(canonical_axis(i, rank) for i in listed))
    if len(pair[0]) != len(pair[1]):
        raise TypeError(
            f"tensordot requires axes lists to have equal length, got {axes[0]} and {axes[1]}."
        )
    return tuple(pair)


@staged_call
def kron(a: Any, b: Any) -> Any:
    """Kronecker product: each element of ``a`` times the whole of ``b``.

    Parameters
    ----------
    a, b : array_like

    Examples
    --------
    >>> kron(asarray([1, 10]), asarray([1, 2]))
    Array([ 1,  2, 10, 20], dtype=int32)
    """
    a, b = promote_dtypes(*_operands("kron", a, b))
    rank = max(_rank(a), _rank(b))
    a, b = (lax.broadcast_to_rank(asarray(x), rank) for x in (a, b))
    wide_a = lax.expand_dims(a, range(1, 2 * rank, 2))
    wide_b = lax.expand_dims(b, range(0, 2 * rank, 2))
    shape = tuple(n * m for n, m in zip(a.shape, b.shape, strict=True))
    return lax.reshape(_multiply(wide_a, wide_b), shape)


@staged_call(static_argnames=("axisa", "axisb", "axisc", "axis"))
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """Cross product of vectors of two or three components.

    Parameters
    ----------
    a, b : array_like
        The other axes are broadcast. A missing third component is 0.
    axisa, axisb, axisc : int
        Which axes of ``a``, ``b`` and the result hold the components.
    axis : int, optional
        The three of them at once.

    Returns
    -------
    Array
        Only the third component, without an axis, if both operands have two.

    Examples
    --------
    >>> cross(asarray([1, 0, 0]), asarray([0, 1, 0]))
    Array([0, 0, 1], dtype=int32)
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = promote_dtypes(*_operands("cross", a, b))
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError("Dimension must be either 2 or 3 for cross product")
    rest = lax.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    xs, ys = _components(a, rest), _components(b, rest)

    def minor(i: int, j: int) -> Any:
        return lax.sub(lax.mul(xs[i], ys[j]), lax.mul(xs[j], ys[i]))

    if a.shape[-1] == b.shape[-1] == 2:
        return minor(0, 1)
    parts = [lax.expand_dims(minor(*pair), (len(rest),)) for pair in ((1, 2), (2, 0), (0, 1))]
    return moveaxis(lax.concatenate(parts, len(rest)), -1, axisc)


def _components(x: Any, rest: tuple[int, ...]) -> list[Any]:
    """Return the components of vectors along the last axis; two are completed by a zero."""
    parts = [
        broadcast_to(lax.index_in_dim(x, i, -1, keepdims=False), rest) for i in range(x.shape[-1])
    ]
    return parts if len(parts) == 3 else [*parts, lax.full_like(parts[0], 0)]


# -- products of stacks ----------------------------------------------------------------------------


def vecdot(
    x1: Any,
    x2: Any,
    /,
    *,
    axis: int = -1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Sum of products along one axis, the elements of ``x1`` conjugated; other axes broadcast.

    Parameters
    ----------
    x1, x2 : array_like
    axis : int
        Which axis of both.
    precision, preferred_element_type : optional
        See :func:`dot`.
    """
    a, b = (moveaxis(x, axis, -1) for x in _operands("vecdot", x1, x2))
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"axes must have matching dimension; got shapes {a.shape} and {b.shape} with {axis=}"
        )
    if a.dtype.kind == "c":
        a = lax.conj(a)
    return _stacked(a, b, 1, 1, precision, preferred_element_type)


def matvec(x1: Any, x2: Any, /) -> Any:
    """Product of matrices and vectors; stacks of them broadcast.

    Parameters
    ----------
    x1 : array_like, shape (..., m, n)
    x2 : array_like, shape (..., n)

    Returns
    -------
    Array, shape (..., m)
    """
    a, b = (asarray(x) for x in _operands("matvec", x1, x2))
    return _stacked(a, b, 2, 1)


def vecmat(x1: Any, x2: Any, /) -> Any:
    """Product of vectors, conjugated, and matrices; stacks of them broadcast.

    Parameters
    ----------
    x1 : array_like, shape (..., n)
    x2 : array_like, shape (..., n, m)

    Returns
    -------
    Array, shape (..., m)
    """
    a, b = (asarray(x) for x in _operands("vecmat", x1, x2))
    a = lax.conj(a) if a.dtype.kind == "c" else a
    return _stacked(a, b, 1, 2)


def _stacked(
    a: Any, b: Any, a_rank: int, b_rank: int, precision: Any = None, preferred: Any = None
) -> Any:
    """Contract the last axis of ``a`` with the first own axis of ``b``, stacks broadcast."""
    if a.ndim < a_rank or b.ndim < b_rank:
        raise ValueError(
            f"operands of shapes {a.shape} and {b.shape} lack axes: at least {a_rank} and {b_rank}"
        )
    stack = lax.broadcast_shapes(a.shape[: a.ndim - a_rank], b.shape[: b.ndim - b_rank])
    a = broadcast_to(a, (*stack, *a.shape[a.ndim - a_rank :]))
    b = broadcast_to(b, (*stack, *b.shape[b.ndim - b_rank :]))
    batch = tuple(range(len(stack)))
    numbers = (((a.ndim - 1,), (len(stack),)), (batch, batch))
    return product(a, b, numbers, precision, preferred)
