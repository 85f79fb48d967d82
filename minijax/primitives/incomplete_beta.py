"""Which part of a beta distribution lies below ``x``?

The regularised incomplete beta function is a continued fraction that converges fast on the near
side of the mean; on the far side the symmetry ``I(a, b, x) = 1 - I(b, a, 1 - x)`` leads back.

Formula: *Digital Library of Mathematical Functions*, 8.17.22, evaluated by Lentz's method.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from minijax.core.primitive import FLOATS, Arg, Primitive
from minijax.primitives.arithmetic import add, mul, neg, sub
from minijax.primitives.elementwise import exp, log, log1p
from minijax.primitives.elementwise_rules import scalar_like
from minijax.primitives.formulas import Formulas, in_float64, lower_by
from minijax.primitives.gamma import lgamma
from minijax.primitives.operands import (
    ArrayLike,
    check_operands,
    elementwise_abstract,
    elementwise_batch,
)

MOST_TERMS = 1000

regularized_incomplete_beta_p = Primitive("regularized_incomplete_beta")


def betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Any:
    """Elementwise regularised incomplete beta function ``I(a, b, x)``.

    Parameters
    ----------
    a, b : array or scalar (floating)
        The orders of the distribution, not negative.
    x : array or scalar (floating)
        From 0 to 1. All three are of one dtype; of one shape up to axes of length one, or scalars.

    Returns
    -------
    Array
        The integral of the beta density of orders ``a`` and ``b`` from 0 to ``x``; NaN outside of
        the domain. It can be differentiated along ``x`` only.

    Examples
    --------
    >>> betainc(np.float32(2.), np.float32(2.), np.float32(0.5))
    Array(0.5, dtype=float32)
    """
    check_operands("betainc", a, b, x)
    return regularized_incomplete_beta_p.bind(a, b, x)


elementwise_abstract(regularized_incomplete_beta_p, (np.floating,))


@regularized_incomplete_beta_p.reference
@in_float64
def regularized_incomplete_beta_reference(
    a: np.ndarray, b: np.ndarray, x: np.ndarray
) -> np.ndarray:
    return scipy.special.betainc(a, b, x)


def _no_jvp_order(t: Any, a: Any, b: Any, x: Any) -> Any:
    raise ValueError("Betainc gradient with respect to a and b not supported.")


def regularized_incomplete_beta_jvp(t: Any, a: Any, b: Any, x: Any) -> Any:
    """Multiply by the beta density."""
    log_beta = sub(add(lgamma(a), lgamma(b)), lgamma(add(a, b)))
    far = mul(sub(b, scalar_like(b, 1)), log1p(neg(x)))
    near = mul(sub(a, scalar_like(a, 1)), log(x))
    return mul(exp(sub(add(far, near), log_beta)), t)


regularized_incomplete_beta_p.jvp_each(
    _no_jvp_order, _no_jvp_order, regularized_incomplete_beta_jvp
)
regularized_incomplete_beta_p.no_transpose("a distribution function is not linear")
elementwise_batch(regularized_incomplete_beta_p)


def beta_tail(f: Formulas, a: Any, b: Any, x: Any) -> Any:
    """Return ``I(a, b, x)``."""
    far = x >= (a + 1.0) / (a + b + 2.0)
    near_a, near_b = f.where(far, b, a), f.where(far, a, b)
    near_x = f.where(far, 1.0 - x, x)
    log_beta = f.apply("lgamma", a) + f.apply("lgamma", b) - f.apply("lgamma", a + b)
    exponent = near_a * f.apply("log", near_x) + near_b * f.apply("log1p", -near_x) - log_beta
    value = f.apply("exp", exponent) * _continued_fraction(f, near_a, near_b, near_x) / near_a
    return _at_edges(f, a, b, x, f.where(far, 1.0 - value, value))


def _continued_fraction(f: Formulas, a: Any, b: Any, x: Any) -> Any:
    def extend(state: Any, numerator: Any) -> tuple[Any, Any, Any]:
        c, d, value = state
        c, d = 1.0 + numerator / c, 1.0 / (1.0 + numerator * d)
        return c, d, value * (c * d)

    def step(n: Any, state: Any) -> tuple[Any, Any]:
        m = a + n * 2.0
        state = extend(state, x * n * (b - n) / ((m - 1.0) * m))
        before = state[2]
        state = extend(state, -(x * (a + n) * (a + b + n)) / (m * (m + 1.0)))
        return state, abs(state[2] - before) > abs(before) * (2.0 * f.eps)

    d = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    return f.iterate(step, (f.full(1.0, x), d, d), MOST_TERMS)[2]


def _at_edges(f: Formulas, a: Any, b: Any, x: Any, value: Any) -> Any:
    """Put in the limits: all mass at 0 or at 1; NaN outside of the domain."""
    all_at_zero = f.equal(a, 0.0) | f.equal(b, np.inf)
    all_at_one = f.equal(b, 0.0) | f.equal(a, np.inf)
    is_start, is_end = f.equal(x, 0.0), f.equal(x, 1.0)
    value = f.where(is_start | (all_at_one & ~is_end), 0.0, value)
    value = f.where(is_end | (all_at_zero & ~is_start), 1.0, value)
    defined = (a >= 0.0) & (b >= 0.0) & (x >= 0.0) & (x <= 1.0)
    return f.where(~defined | (all_at_zero & all_at_one), np.nan, value)


lower_by(regularized_incomplete_beta_p, beta_tail)

for _b, _dtypes in (
    (Arg((2, 3), 0.5, 6), FLOATS),
    (Arg((), 0.5, 6), ("float32",)),
):
    regularized_incomplete_beta_p.sample(
        Arg((2, 3), 0.5, 6), _b, Arg((2, 3), 0.05, 0.95), _dtypes=_dtypes, _moving=(2,)
    )
