"""Which functions have a derivative that their formula does not show?

``logaddexp`` at infinity and ``sinc`` at zero: differentiating the formula that computes them
would give NaN where the derivative exists. So each has a derivative rule of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.higher_order.custom_jvp import custom_jvp
from minijax.numpy.calls import staged_call
from minijax.numpy.promotion import cast, constant_like, dtype_of, promote_args_inexact
from minijax.numpy.selection import pick, promoted_together


def _is_complex(x: Any) -> bool:
    return dtypes.issubdtype(dtype_of(x), np.complexfloating)


def _log_of_sum(x1: Any, x2: Any, correction: Callable[[Any], Any]) -> Any:
    """Return the maximum plus a correction, a function of the distance."""
    larger, distance = lax.max(x1, x2), lax.sub(x1, x2)
    # The distance of equal infinities is NaN, and so is that from a NaN: the sum is right.
    undefined = lax.ne(distance, distance)
    value = lax.add(larger, correction(lax.neg(lax.abs(distance))))
    return lax.select(undefined, lax.add(x1, x2), value)


def logaddexp(x1: Any, x2: Any, /) -> Any:
    """Elementwise ``log(exp(x1) + exp(x2))`` without overflow.

    Parameters
    ----------
    x1, x2 : array_like
        Broadcast to one shape.

    Examples
    --------
    >>> logaddexp(1000.0, 1000.0)
    Array(1000.6932, dtype=float32, weak_type=True)
    """
    return _logaddexp(*promoted_together("logaddexp", *promote_args_inexact("logaddexp", x1, x2)))


@custom_jvp
def _logaddexp(x1: Any, x2: Any) -> Any:
    if _is_complex(x1):
        return _logaddexp_of_complex(x1, x2)
    return _log_of_sum(x1, x2, lambda distance: lax.log1p(lax.exp(distance)))


def _logaddexp_of_complex(x1: Any, x2: Any) -> Any:
    ordered = lax.gt(lax.real(x1), lax.real(x2))
    larger, smaller = lax.select(ordered, x1, x2), lax.select(ordered, x2, x1)
    out = lax.add(larger, lax.log1p(lax.exp(lax.sub(smaller, larger))))
    # The imaginary part is an angle: bring it into (-pi, pi].
    angle = lax.imag(out)
    turn = constant_like(angle, 2 * np.pi)
    turns = lax.round(lax.div(angle, turn))
    out = lax.complex(lax.real(out), lax.sub(angle, lax.mul(turns, turn)))
    return cast(out, dtype_of(x1), typeof(x1).weak_type)


@_logaddexp.defjvp
def _logaddexp_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    x1, x2 = primals
    out = _logaddexp(x1, x2)
    weights = [lax.exp(lax.sub(_finite(x), _finite(out))) for x in (x1, x2)]
    return out, _weighted(tangents, weights)


def _weighted(tangents: Sequence[Any], weights: Sequence[Any]) -> Any:
    first, second = (lax.mul(t, w) for t, w in zip(tangents, weights, strict=True))
    return lax.add(first, second)


def _finite(x: Any) -> Any:
    """Replace infinity by zero: then a share of two infinities is one, and not NaN."""
    if _is_complex(x):
        return x
    return lax.select(lax.eq(x, _filled(x, np.inf)), _filled(x, 0), x)


def _filled(x: Any, value: float) -> Any:
    return lax.full_like(x, value)


def logaddexp2(x1: Any, x2: Any, /) -> Any:
    """Elementwise ``log2(2**x1 + 2**x2)`` without overflow.

    Parameters
    ----------
    x1, x2 : array_like
        Broadcast to one shape.

    Examples
    --------
    >>> logaddexp2(3.0, 3.0)
    Array(4., dtype=float32, weak_type=True)
    """
    x1, x2 = promote_args_inexact("logaddexp2", x1, x2)
    return _logaddexp2(*promoted_together("logaddexp2", x1, x2))


@custom_jvp
def _logaddexp2(x1: Any, x2: Any) -> Any:
    if _is_complex(x1):
        unit = constant_like(x1, np.log(2))
        return lax.div(_logaddexp_of_complex(lax.mul(x1, unit), lax.mul(x2, unit)), unit)

    def correction(distance: Any) -> Any:
        return lax.mul(constant_like(distance, 1 / np.log(2)), lax.log1p(lax.exp2(distance)))

    return _log_of_sum(x1, x2, correction)


@_logaddexp2.defjvp
def _logaddexp2_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    x1, x2 = primals
    out = _logaddexp2(x1, x2)
    weights = [lax.exp2(lax.sub(_finite(x), _finite(out))) for x in (x1, x2)]
    return out, _weighted(tangents, weights)


# -- sinc ----------------------------------------------------------------------------------------


@staged_call
def sinc(x: Any, /) -> Any:
    """Elementwise ``sin(pi x) / (pi x)``, 1 at zero.

    Parameters
    ----------
    x : array_like

    Examples
    --------
    >>> sinc(0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    (x,) = promote_args_inexact("sinc", x)
    zero = lax.eq(x, constant_like(x, 0))
    angle = lax.mul(constant_like(x, np.pi), x)
    safe = pick(zero, constant_like(x, 1), angle)
    return pick(zero, _sinc_near_zero(0, angle), lax.div(lax.sin(safe), safe))


def _sinc_near_zero(order: int, x: Any) -> Any:
    """The derivative of ``sin(x) / x`` of some order, at zero and as a function of ``x``."""

    @custom_jvp
    def value(x: Any) -> Any:
        # The Taylor series is sum (-1)^k x^(2k) / (2k+1)!, so odd derivatives vanish.
        at_zero = 0.0 if order % 2 else (-1.0) ** (order // 2) / (order + 1)
        return lax.full_like(x, at_zero)

    @value.defjvp
    def value_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x,), (t,) = primals, tangents
        return value(x), lax.mul(t, _sinc_near_zero(order + 1, x))

    return value(x)
