"""How is the inverse of the error function computed, down to the last bit?

It turns uniform random numbers into normal ones, so its last bits show in every random draw. In
float32 it is therefore *defined* by an algorithm: M. Giles, "Approximating the erfinv function",
GPU Computing Gems, volume 2 (2012), has two polynomials in ``w = -log(1 - x * x)``, one for the
middle and one for the tails. The logarithm is that of S. Moshier's Cephes library, its ``log1p``
near 0 and its ``logf`` elsewhere. XLA computes the same on a CPU, with products fused into sums.

The algorithm is written once, over a small :class:`Arithmetic`. The reference rule runs it on
NumPy arrays, the lowering rule on values of StableHLO.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy

from minijax.core.primitive import Arg, Primitive
from minijax.primitives.arithmetic import mul, square
from minijax.primitives.elementwise import exp
from minijax.primitives.elementwise_rules import public_unary, scalar_like
from minijax.primitives.operands import elementwise_abstract, elementwise_batch
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value

FLOATING = (np.floating,)
FLOAT32 = np.dtype("float32")
BLOCK = 8192  # elements that the reference rule treats at once: its temporaries stay in the cache


class Arithmetic(ABC):
    """The operations on float32 that the algorithm is made of; methods return operands."""

    @abstractmethod
    def constant(self, value: float) -> Any:
        """Return a constant."""

    @abstractmethod
    def apply(self, name: str, *operands: Any) -> Any:
        """Return a sum, product, ...: ``name`` is an operation of StableHLO."""

    @abstractmethod
    def multiply_add(self, x: Any, y: Any, z: Any) -> Any:
        """Return ``x * y + z`` rounded once, if the machine can."""

    @abstractmethod
    def is_less(self, x: Any, y: Any) -> Any:
        """Return the boolean ``x < y``."""

    @abstractmethod
    def select(self, predicate: Any, if_true: Any, if_false: Any) -> Any:
        """Choose elementwise."""

    @abstractmethod
    def split(self, x: Any) -> tuple[Any, Any]:
        """Return mantissa in [0.5, 1) and exponent (as a float) of a positive number."""


# -- the algorithm -------------------------------------------------------------------------------

# Coefficients, highest power first.
GILES_CENTRAL = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
    -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
GILES_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
    0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip
LOG1P_NUMERATOR = (
    4.5270000862445199635215e-5, 4.9854102823193375972212e-1, 6.5787325942061044846969,
    29.911919328553073277375, 60.949667980987787057556, 57.112963590585538103336,
    20.039553499201281259648,
)  # fmt: skip
LOG1P_DENOMINATOR = (
    1.0, 15.062909083469192043167, 83.047565967967209469434, 221.76239823732856465394,
    309.09872225312059774938, 216.42788614495947685003, 60.118660497603843919306,
)  # fmt: skip
LOG_SERIES = (
    (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1),
    (-1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1),
    (2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
LOG_2_HIGH, LOG_2_LOW = 0.693359375, -2.12194440e-4


def inverse_error_function(m: Arithmetic, x: Any) -> Any:
    """Return erf_inv of float32 numbers: infinite at -1 and 1, NaN beyond."""
    w = m.apply("negate", log_one_plus(m, m.apply("multiply", m.apply("negate", x), x)))
    is_central = m.is_less(w, m.constant(5))
    in_tail = m.apply("subtract", m.apply("sqrt", w), m.constant(3))
    w = m.select(is_central, m.apply("subtract", w, m.constant(2.5)), in_tail)
    p = m.select(is_central, m.constant(GILES_CENTRAL[0]), m.constant(GILES_TAIL[0]))
    for central, tail in zip(GILES_CENTRAL[1:], GILES_TAIL[1:], strict=True):
        addend = m.select(is_central, m.constant(central), m.constant(tail))
        p = m.multiply_add(p, w, addend)
    size, one = m.apply("abs", x), m.constant(1)
    beyond = m.select(m.is_less(one, size), m.constant(math.nan), m.constant(math.inf))
    return m.apply("multiply", m.select(m.is_less(size, one), p, beyond), x)


def log_one_plus(m: Arithmetic, y: Any) -> Any:
    """Return ``log(1 + y)`` for ``-1 < y <= 0``."""
    is_near = m.is_less(m.apply("abs", y), m.constant(math.sqrt(2) - 1))
    elsewhere = _log(m, m.apply("add", y, m.constant(1)))
    return m.select(is_near, _log_one_plus_near_zero(m, y), elsewhere)


def _log_one_plus_near_zero(m: Arithmetic, y: Any) -> Any:
    """Return ``y - y^2 / 2 + y^3 * P(y) / Q(y)``."""
    numerator = _polynomial(m, LOG1P_NUMERATOR, y)
    ratio = m.apply("divide", numerator, _polynomial(m, LOG1P_DENOMINATOR, y))
    squared = m.apply("multiply", y, y)
    cubic = m.apply("multiply", m.apply("multiply", y, squared), ratio)
    return m.apply("add", y, m.multiply_add(squared, m.constant(-0.5), cubic))


def _log(m: Arithmetic, x: Any) -> Any:
    """Return ``log(x)`` of positive normal numbers: ``e * log(2) + log(1 + r)``."""
    mantissa, exponent = m.split(x)
    one = m.constant(1)
    is_low = m.is_less(mantissa, m.constant(math.sqrt(0.5)))
    exponent = m.select(is_low, m.apply("subtract", exponent, one), exponent)
    r = m.apply("subtract", mantissa, one)
    r = m.select(is_low, m.apply("add", r, mantissa), r)
    squared = m.apply("multiply", r, r)
    cubed = m.apply("multiply", squared, r)
    series, *rest = (_polynomial(m, coefficients, r) for coefficients in LOG_SERIES)
    for part in rest:
        series = m.multiply_add(series, cubed, part)
    low = m.apply("multiply", exponent, m.constant(LOG_2_LOW))
    series = m.multiply_add(series, cubed, low)
    head = m.multiply_add(squared, m.constant(-0.5), r)
    return m.multiply_add(exponent, m.constant(LOG_2_HIGH), m.apply("add", head, series))


def _polynomial(m: Arithmetic, coefficients: Sequence[float], x: Any) -> Any:
    p = m.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        p = m.multiply_add(p, x, m.constant(coefficient))
    return p


# -- the two machines ----------------------------------------------------------------------------


class NumpyArithmetic(Arithmetic):
    """Computes with arrays of float32."""

    UFUNCS = {
        "abs": np.abs,
        "add": np.add,
        "divide": np.divide,
        "multiply": np.multiply,
        "negate": np.negative,
        "sqrt": np.sqrt,
        "subtract": np.subtract,
    }

    def constant(self, value: float) -> Any:
        return np.float32(value)

    def apply(self, name: str, *operands: Any) -> Any:
        return self.UFUNCS[name](*operands)

    def multiply_add(self, x: Any, y: Any, z: Any) -> Any:
        # The product of two float32 is exact in float64; so the sum is rounded to float32 once,
        # but for cases rarer than one in 2 ** 28.
        return (np.multiply(x, y, dtype=np.float64) + z).astype(np.float32)

    def is_less(self, x: Any, y: Any) -> Any:
        return np.less(x, y)

    def select(self, predicate: Any, if_true: Any, if_false: Any) -> Any:
        return np.where(predicate, if_true, if_false)

    def split(self, x: Any) -> tuple[Any, Any]:
        mantissa, exponent = np.frexp(x)
        return mantissa, exponent.astype(np.float32)


class StableHloArithmetic(Arithmetic):
    """Writes operations on values of the type of ``like``, of elements ``f32``."""

    def __init__(self, ctx: Emitter, like: Value):
        self.ctx = ctx
        self.like = like

    def constant(self, value: float) -> Any:
        return self.ctx.constant_like(value, self.like)

    def apply(self, name: str, *operands: Any) -> Any:
        return self.ctx.like(f"stablehlo.{name}", *operands)

    def multiply_add(self, x: Any, y: Any, z: Any) -> Any:
        # StableHLO has no fused operation; compilers fuse the two where the hardware can.
        return self.apply("add", self.apply("multiply", x, y), z)

    def is_less(self, x: Any, y: Any) -> Any:
        return self.ctx.compare("LT", x, y)

    def select(self, predicate: Any, if_true: Any, if_false: Any) -> Any:
        return self.ctx.select(predicate, if_true, if_false)

    def split(self, x: Any) -> tuple[Any, Any]:
        ctx = self.ctx
        bits = ctx.bitcast(x, TensorType(x.type.shape, "i32"))
        shifted = self.apply("shift_right_logical", bits, ctx.constant_like(23, bits))
        exponent = self.apply("subtract", shifted, ctx.constant_like(126, bits))
        fraction = self.apply("and", bits, ctx.constant_like(0x007FFFFF, bits))
        half = ctx.constant_like(0x3F000000, bits)
        mantissa = ctx.bitcast(self.apply("or", fraction, half), x.type)
        return mantissa, ctx.convert(exponent, FLOAT32)


# -- the primitive -------------------------------------------------------------------------------

erf_inv_p = Primitive("erf_inv")
erf_inv = public_unary(
    erf_inv_p,
    "Elementwise inverse of the error function: infinite at -1 and 1, NaN beyond.",
    FLOATING,
)
elementwise_abstract(erf_inv_p, FLOATING)


@erf_inv_p.reference
def erf_inv_reference(x: np.ndarray) -> np.ndarray:
    if x.dtype == np.float64:
        return np.where(x == 0, x, scipy.special.erfinv(x))  # scipy drops the sign of zero
    out = np.empty(x.shape, x.dtype)
    source, target = x.reshape(-1), out.reshape(-1)
    for start in range(0, x.size, BLOCK):
        part = source[start : start + BLOCK].astype(np.float32)
        target[start : start + BLOCK] = inverse_error_function(NumpyArithmetic(), part)
    return out


@erf_inv_p.jvp_from_output
def erf_inv_jvp(t: Any, out: Any, x: Any) -> Any:
    return mul(scalar_like(x, math.sqrt(math.pi) / 2), mul(t, exp(square(out))))


erf_inv_p.no_transpose("erf_inv is not linear")
elementwise_batch(erf_inv_p)


@erf_inv_p.lower
def erf_inv_lower(ctx: Emitter, x: Value) -> Value:
    (aval,) = ctx.avals_in
    if aval.dtype == np.float64:
        return ctx.op("chlo.erf_inv", x)
    wide = ctx.convert(x, FLOAT32)
    return ctx.convert(inverse_error_function(StableHloArithmetic(ctx, wide), wide), aval.dtype)


erf_inv_p.sample(Arg((2, 3), -0.9, 0.9))
