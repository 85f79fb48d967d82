"""How are the greatest common divisor and the least common multiple found, for whole arrays?

Euclid's algorithm runs for all elements together until the last of them is done.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.higher_order.while_loop import while_loop
from minijax.numpy.calls import staged_call
from minijax.numpy.division import equal_zero
from minijax.numpy.promotion import constant_like, dtype_of, promote_args
from minijax.numpy.selection import pick, promoted_together


def _operands(name: str, x1: Any, x2: Any) -> list[Any]:
    x1, x2 = promote_args(name, x1, x2)
    if not dtypes.issubdtype(dtype_of(x1), np.integer):
        raise ValueError(f"Arguments to jax.numpy.{name} must be integers.")
    return promoted_together(name, x1, x2)


def _magnitude(x: Any) -> Any:
    unsigned = dtypes.issubdtype(dtype_of(x), np.unsignedinteger)
    return x if unsigned else lax.abs(x)


@staged_call
def gcd(x1: Any, x2: Any) -> Any:
    """Greatest common divisor.

    Parameters
    ----------
    x1, x2 : array_like of int
        Broadcast to one shape.

    Examples
    --------
    >>> gcd(12, 18)
    Array(6, dtype=int32, weak_type=True)
    """
    return _gcd(*map(_magnitude, _operands("gcd", x1, x2)))


def _gcd(a: Any, b: Any) -> Any:
    def unfinished(pair: tuple[Any, Any]) -> Any:
        _, rest = pair
        return lax.reduce_or(lax.ne(rest, constant_like(rest, 0)), range(rest.ndim))

    def step(pair: tuple[Any, Any]) -> tuple[Any, Any]:
        value, rest = pair
        done = equal_zero(rest)
        remains = lax.rem(value, pick(done, constant_like(rest, 1), rest))
        return pick(done, value, rest), pick(done, rest, remains)

    return while_loop(unfinished, step, (a, b))[0]


@staged_call
def lcm(x1: Any, x2: Any) -> Any:
    """Least common multiple.

    Parameters
    ----------
    x1, x2 : array_like of int
        Broadcast to one shape.

    Examples
    --------
    >>> lcm(4, 6)
    Array(12, dtype=int32, weak_type=True)
    """
    x1, x2 = map(_magnitude, _operands("lcm", x1, x2))
    divisor = _gcd(x1, x2)
    none = equal_zero(divisor)
    multiple = lax.mul(x1, lax.div(x2, pick(none, constant_like(divisor, 1), divisor)))
    return pick(none, constant_like(divisor, 0), multiple)
