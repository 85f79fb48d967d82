"""Which functions stand between the layers of a network?

Each is one line of ``numpy``, applied to every element. What needs care is the derivative: where
a formula is chosen by ``where``, the branch not chosen must not produce infinities, whose product
with zero is NaN; and where a function has a corner, its derivative there is settled by a rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import minijax.numpy as jnp
from minijax import lax
from minijax.core.aval import typeof
from minijax.higher_order.custom_jvp import custom_jvp
from minijax.numpy.calls import staged_call
from minijax.numpy.promotion import check_arraylike, promote_args_inexact
from minijax.util import canonicalize_axis


@staged_call
def identity(x: Any) -> Any:
    """Return the argument as an array."""
    check_arraylike("identity", x)
    return jnp.asarray(x)


# -- rectified -------------------------------------------------------------------------------------


def _where_true(predicate: Any, t: Any) -> Any:
    return lax.select(predicate, t, lax.full_like(t, 0))


@custom_jvp
@staged_call
def relu(x: Any) -> Any:
    """Rectified linear unit: ``max(x, 0)``. Its derivative at 0 is 0.

    Examples
    --------
    >>> relu(np.array([-1., 2.]))
    Array([0., 2.], dtype=float32)
    """
    return jnp.maximum(x, 0)


def relu_jvp(t: Any, out: Any, x: Any) -> Any:
    return _where_true(jnp.greater(x, 0), t)


relu.defjvps(relu_jvp)


@custom_jvp
@staged_call
def relu6(x: Any) -> Any:
    """Rectified linear unit with a ceiling: ``min(max(x, 0), 6)``.

    Its derivative at 0 and at 6 is 0.
    """
    return jnp.minimum(jnp.maximum(x, 0), 6.0)


def relu6_jvp(t: Any, out: Any, x: Any) -> Any:
    return _where_true(jnp.greater(x, 0) & jnp.less(x, 6), t)


relu6.defjvps(relu6_jvp)


@staged_call
def leaky_relu(x: Any, negative_slope: Any = 1e-2) -> Any:
    """``x`` where that is not negative, else ``negative_slope * x``."""
    check_arraylike("leaky_relu", x)
    return jnp.where(jnp.greater_equal(x, 0), x, jnp.multiply(negative_slope, x))


@staged_call
def elu(x: Any, alpha: Any = 1.0) -> Any:
    """Exponential linear unit: ``x`` where positive, else ``alpha * (exp(x) - 1)``.

    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential
    linear units", 2015.
    """
    check_arraylike("elu", x)
    positive = jnp.greater(x, 0)
    exponent = jnp.where(positive, 0.0, x)  # no overflow where the other branch is taken
    return jnp.where(positive, x, jnp.multiply(alpha, jnp.expm1(exponent)))


@staged_call
def celu(x: Any, alpha: Any = 1.0) -> Any:
    """Continuously differentiable ELU: ``max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1)``.

    Barron, "Continuously differentiable exponential linear units", 2017.
    """
    negative = jnp.divide(jnp.minimum(x, 0.0), alpha)
    return jnp.maximum(x, 0.0) + alpha * jnp.expm1(negative)


# Mean 0 and variance 1 are a fixed point of the SELU (equation 14 of the paper).
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@staged_call
def selu(x: Any) -> Any:
    """Scaled ELU, which keeps activations near mean 0 and variance 1.

    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017.
    """
    return SELU_SCALE * elu(x, SELU_ALPHA)


# -- smooth ----------------------------------------------------------------------------------------


def sigmoid(x: Any) -> Any:
    """Logistic function of floats: ``1 / (1 + exp(-x))``."""
    return lax.logistic(x)


def tanh(x: Any, /) -> Any:
    """Hyperbolic tangent."""
    return jnp.tanh(x)


@staged_call
def softplus(x: Any) -> Any:
    """Smooth form of relu: ``log(1 + exp(x))``."""
    return jnp.logaddexp(x, 0.0)


@staged_call
def log_sigmoid(x: Any) -> Any:
    """Logarithm of the sigmoid: ``-softplus(-x)``."""
    check_arraylike("log_sigmoid", x)
    return -softplus(lax.neg(x))


@staged_call
def soft_sign(x: Any) -> Any:
    """``x / (abs(x) + 1)``, between -1 and 1."""
    check_arraylike("soft_sign", x)
    return jnp.divide(x, jnp.abs(x) + 1)


@staged_call
def silu(x: Any) -> Any:
    """Sigmoid linear unit of floats, also called swish: ``x * sigmoid(x)``."""
    check_arraylike("silu", x)
    return jnp.multiply(x, sigmoid(x))


swish = silu


@staged_call
def mish(x: Any) -> Any:
    """``x * tanh(softplus(x))``.

    Misra, "Mish: a self regularized non-monotonic neural activation function", 2019.
    """
    check_arraylike("mish", x)
    return jnp.multiply(x, jnp.tanh(softplus(x)))


def gelu(x: Any, approximate: bool = True) -> Any:
    """Gaussian error linear unit: ``x`` times the normal distribution function at ``x``.

    Parameters
    ----------
    x : array_like
    approximate : bool
        Use ``tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))`` in place of the error function.

    Returns
    -------
    array of floats

    References
    ----------
    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016.
    """
    (x,) = promote_args_inexact("gelu", x)
    x = jnp.asarray(x)
    dtype = x.dtype
    if approximate:
        factor = np.sqrt(2 / np.pi).astype(dtype)
        distribution = 0.5 * (1.0 + jnp.tanh(factor * (x + 0.044715 * (x**3))))
        return x * distribution
    return (0.5 * x) * lax.erfc(-x * np.sqrt(0.5).astype(dtype))


@staged_call(static_argnames=("axis",))
def glu(x: Any, axis: int = -1) -> Any:
    """Gated linear unit: the first half along an axis times the sigmoid of the second half.

    Raises
    ------
    ValueError
        If the axis has an odd length.
    """
    check_arraylike("glu", x)
    shape = typeof(x).shape
    axis = canonicalize_axis(axis, len(shape))
    if shape[axis] % 2:
        raise ValueError(f"glu: axis size must be divisible by 2, got {shape[axis]}")
    values, gates = jnp.split(x, 2, axis)
    return values * sigmoid(gates)


@staged_call
def squareplus(x: Any, b: Any = 4) -> Any:
    """Algebraic form of softplus: ``(x + sqrt(x**2 + b)) / 2``."""
    check_arraylike("squareplus", x)
    return jnp.divide(jnp.add(x, jnp.sqrt(jnp.square(x) + b)), 2)


@custom_jvp
@staged_call
def log1mexp(x: Any) -> Any:
    """``log(1 - exp(-x))`` for x > 0, exact near 0 and far from it.

    Mächler, "Accurately computing ``log(1 - exp(-|a|))``", 2012.
    """
    check_arraylike("log1mexp", x)
    near = jnp.less(x, jnp.log(2.0))
    return jnp.where(near, jnp.log(-jnp.expm1(lax.neg(x))), jnp.log1p(-jnp.exp(lax.neg(x))))


def log1mexp_jvp(t: Any, out: Any, x: Any) -> Any:
    return t / jnp.expm1(x)


log1mexp.defjvps(log1mexp_jvp)

# -- made of straight pieces and parabolas ---------------------------------------------------------


@staged_call
def hard_tanh(x: Any) -> Any:
    """``x`` clipped to the interval from -1 to 1, with derivative 1 at its ends."""
    check_arraylike("hard_tanh", x)
    return jnp.where(jnp.greater(x, 1), 1, jnp.where(jnp.less(x, -1), -1, x))


@staged_call
def hard_sigmoid(x: Any) -> Any:
    """Piecewise linear form of the sigmoid: ``relu6(x + 3) / 6``."""
    return relu6(jnp.add(x, 3.0)) / 6.0


@staged_call
def hard_silu(x: Any) -> Any:
    """Piecewise form of silu, also called hard swish: ``x * hard_sigmoid(x)``."""
    check_arraylike("hard_silu", x)
    return jnp.multiply(x, hard_sigmoid(x))


hard_swish = hard_silu


@staged_call
def sparse_plus(x: Any) -> Any:
    """Softplus made of a parabola: 0 up to -1, ``(x + 1)**2 / 4``, ``x`` from 1 on."""
    check_arraylike("sparse_plus", x)
    parabola = jnp.add(x, 1.0) ** 2 / 4
    return jnp.where(
        jnp.less_equal(x, -1.0), 0.0, jnp.where(jnp.greater_equal(x, 1.0), x, parabola)
    )


@staged_call
def sparse_sigmoid(x: Any) -> Any:
    """Derivative of :func:`sparse_plus`: ``(x + 1) / 2`` clipped to the interval from 0 to 1."""
    return 0.5 * jnp.clip(jnp.add(x, 1.0), 0.0, 2.0)
