"""How is one of several values chosen, element by element?

All of it is ``select_n``, which wants cases of one dtype and one shape. ``where`` promotes and
broadcasts to that; ``clip`` is a maximum and a minimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.numpy.calls import is_staging, staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import (
    as_operand,
    check_arraylike,
    constant_like,
    dtype_of,
    promote_args,
    promote_dtypes,
    promote_shapes,
)

BOOL = np.dtype(bool)


@staged_call
def _where(condition: Any, x: Any, y: Any) -> Any:
    x, y = promote_dtypes(x, y)
    if dtype_of(condition) != BOOL:
        condition = lax.ne(condition, constant_like(condition, 0))
    shape = lax.broadcast_shapes(*[typeof(each).shape for each in (condition, x, y)])
    if typeof(condition).shape:
        condition = broadcast_operand(condition, shape)
    return lax.select(condition, broadcast_operand(x, shape), broadcast_operand(y, shape))


def broadcast_operand(x: Any, shape: tuple[int, ...]) -> Any:
    """Broadcast an operand to a shape it is known to fit; nothing is bound if it has it."""
    given = typeof(x).shape
    if given == shape:
        return x
    if isinstance(x, np.ndarray) and not is_staging():
        return np.broadcast_to(x, shape)
    return lax.broadcast_in_dim(x, shape, tuple(range(len(shape) - len(given), len(shape))))


def pick(condition: Any, x: Any, y: Any) -> Any:
    """Return ``where(condition, x, y)``: the elements of ``x`` where the condition holds."""
    check_arraylike("where", condition, x, y)
    return _where(as_operand(condition), as_operand(x), as_operand(y))


@staged_call
def clip(arr: Any = None, /, min: Any = None, max: Any = None) -> Any:
    """Limit the elements of an array to an interval.

    Parameters
    ----------
    arr : array_like
        Not complex.
    min, max : array_like, optional
        Bounds, broadcast against ``arr``; None sets no bound.

    Returns
    -------
    Array

    Examples
    --------
    >>> clip(np.array([1, 5, 9]), 2, 6)
    Array([2, 5, 6], dtype=int32)
    """
    given = [arr, *(x for x in (min, max) if x is not None)]
    check_arraylike("clip", *given)
    if any(dtypes.issubdtype(dtype_of(as_operand(x)), np.complexfloating) for x in given):
        raise ValueError(
            "Clip received a complex value either through the input or the min/max keywords. "
            "Complex values have no ordering and cannot be clipped. Please convert to a real "
            "value or array by taking the real or imaginary components via jax.numpy.real/imag "
            "respectively."
        )
    if min is not None:
        arr = lax.max(*promote_args("clip", min, arr))
    if max is not None:
        arr = lax.min(*promote_args("clip", max, arr))
    return asarray(as_operand(arr))


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Choose each element from the first array whose condition holds there.

    Parameters
    ----------
    condlist : sequence of array_like
        Conditions.
    choicelist : sequence of array_like
        As many arrays; all broadcast to one shape.
    default : array_like
        Where no condition holds.

    Examples
    --------
    >>> x = np.arange(4)
    >>> select([x < 1, x < 3], [10, 20], 30)
    Array([10, 20, 20, 30], dtype=int32, weak_type=True)
    """
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"condlist must have length equal to choicelist ({len(condlist)} vs {len(choicelist)})"
        )
    if len(condlist) == 0:
        raise ValueError("condlist must be non-empty")
    check_arraylike("select", *condlist, *choicelist, default)
    choices = promote_dtypes(*map(as_operand, (default, *choicelist)))
    conditions = [_as_condition(as_operand(c)) for c in condlist]
    shape = lax.broadcast_shapes(*[typeof(x).shape for x in (*conditions, *choices)])
    out = broadcast_operand(choices[0], shape)
    # The last condition is applied first, so that an earlier one overrides it.
    for condition, choice in zip(reversed(conditions), reversed(choices[1:]), strict=True):
        where_true = broadcast_operand(condition, shape)
        out = lax.select(where_true, broadcast_operand(choice, shape), out)
    return out


def _as_condition(x: Any) -> Any:
    dtype = dtype_of(x)
    return x if dtype == BOOL else lax.ne(x, np.zeros((), dtype))


def promoted_together(name: str, *args: Any) -> list[Any]:
    """Return operands with one dtype and one shape."""
    operands = promote_shapes(name, *promote_args(name, *args))
    shape = lax.broadcast_shapes(*[typeof(x).shape for x in operands])
    return [broadcast_operand(x, shape) for x in operands]
