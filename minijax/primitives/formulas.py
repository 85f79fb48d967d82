"""How is an algorithm written once and computed twice, by NumPy and by a compiled program?

Some special functions are sums or continued fractions of which no library has a value (the
derivative of the incomplete gamma function along its order) or StableHLO an operation. Such an
algorithm is written with Python's operators, on operands of which it knows nothing else, and gets
the functions that operators cannot express as an object: :class:`NumpyFormulas`, whose operands
are ndarrays, or :class:`StablehloFormulas`, whose operands are values of a program being written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
import scipy

from minijax.core import dtypes
from minijax.core.primitive import Primitive, Rule
from minijax.primitives.elementwise_rules import on_common_shape, register
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import TensorType, Value, element_type
from minijax.stablehlo.number import Number

Step = Callable[[Any, Sequence[Any]], tuple[Sequence[Any], Any]]


class Formulas(ABC):
    """The functions that an algorithm needs besides operators; ``eps`` is that of its numbers."""

    eps: float
    largest: float
    unary = ("exp", "log", "log1p", "sqrt", "lgamma", "digamma")

    def __init__(self, dtype: Any):
        info = dtypes.finfo(dtype)
        self.eps, self.largest = float(info.eps), float(info.max)

    @abstractmethod
    def apply(self, name: str, x: Any) -> Any:
        """Apply a function of one argument by its name in ``unary``."""

    @abstractmethod
    def where(self, condition: Any, if_true: Any, if_false: Any) -> Any:
        """Choose elementwise."""

    @abstractmethod
    def full(self, value: float, like: Any) -> Any:
        """Make an array like another, with one value everywhere."""

    @abstractmethod
    def equal(self, x: Any, y: Any) -> Any:
        """Compare elementwise."""

    @abstractmethod
    def iterate(self, step: Step, state: Sequence[Any], limit: int) -> Sequence[Any]:
        """Repeat ``step(n, state) -> (state, goes_on)`` for n = 1, 2, ... up to ``limit``.

        Where ``goes_on`` is false an element keeps the state it has got, so that its result does
        not depend on its neighbours; the loop ends when all elements are done.
        """


class NumpyFormulas(Formulas):
    """Computes at once, on ndarrays."""

    def apply(self, name: str, x: Any) -> Any:
        if name == "lgamma":
            return scipy.special.gammaln(x)
        return scipy.special.digamma(x) if name == "digamma" else getattr(np, name)(x)

    def where(self, condition: Any, if_true: Any, if_false: Any) -> Any:
        return np.where(condition, if_true, if_false)

    def full(self, value: float, like: Any) -> Any:
        return np.full_like(like, value)

    def equal(self, x: Any, y: Any) -> Any:
        return np.equal(x, y)

    def iterate(self, step: Step, state: Sequence[Any], limit: int) -> Sequence[Any]:
        active = np.ones(np.shape(state[0]), bool)
        for n in range(1, limit + 1):
            if not active.any():
                break
            proposed, goes_on = step(float(n), state)
            state = [np.where(active, x, y) for x, y in zip(proposed, state, strict=True)]
            active = active & goes_on
        return state


_OPERATIONS = {
    "exp": "stablehlo.exponential",
    "log": "stablehlo.log",
    "log1p": "stablehlo.log_plus_one",
    "sqrt": "stablehlo.sqrt",
    "lgamma": "chlo.lgamma",
    "digamma": "chlo.digamma",
}


class StablehloFormulas(Formulas):
    """Writes operations; operands are of type :class:`Number`."""

    def __init__(self, ctx: Emitter, dtype: Any):
        super().__init__(dtype)
        self.ctx = ctx

    def apply(self, name: str, x: Any) -> Any:
        return x.unary(_OPERATIONS[name])

    def where(self, condition: Any, if_true: Any, if_false: Any) -> Any:
        return condition.where(if_true, if_false)

    def full(self, value: float, like: Any) -> Any:
        return like.coerce(value)

    def equal(self, x: Any, y: Any) -> Any:
        return x.equals(y)

    def iterate(self, step: Step, state: Sequence[Any], limit: int) -> Sequence[Any]:
        ctx, shape = self.ctx, state[0].value.type.shape
        count = TensorType((), state[0].value.type.element)
        one = Number(ctx, ctx.constant(1, np.dtype(bool))).value
        first = Number(ctx, ctx.op("stablehlo.convert", one, type=count))
        active = Number(ctx, ctx.broadcast(one, shape, ()))
        carry = [first.value, active.value, *(x.value for x in state)]
        types = [v.type for v in carry]
        with ctx.region(types) as condition:
            n, active, *_ = (Number(ctx, v) for v in condition.arguments)
            ctx.return_(((n <= float(limit)) & self._any(active)).value)
        with ctx.region(types) as body:
            n, active, *held = (Number(ctx, v) for v in body.arguments)
            everywhere = Number(ctx, ctx.broadcast(n.value, shape, ()))
            proposed, goes_on = step(everywhere, held)
            kept = [active.where(x, y).value for x, y in zip(proposed, held, strict=True)]
            ctx.return_((n + 1.0).value, (active & goes_on).value, *kept)
        results = ctx.ops("stablehlo.while", carry, types, [condition, body])
        return [Number(ctx, v) for v in results[2:]]

    def _any(self, mask: Number) -> Number:
        shape = mask.value.type.shape
        if not shape:
            return mask
        scalar = TensorType((), "i1")
        initial = self.ctx.constant(False, np.dtype(bool))
        with self.ctx.region([scalar, scalar]) as either:
            x, y = either.arguments
            self.ctx.return_(self.ctx.op("stablehlo.or", x, y, type=scalar))
        found = self.ctx.op(
            "stablehlo.reduce", mask.value, initial,
            type=scalar, regions=[either], dimensions=tuple(range(len(shape))),
        )  # fmt: skip
        return Number(self.ctx, found)


# -- rules made of an algorithm --------------------------------------------------------------------

Algorithm = Callable[..., Any]


def reference_by(p: Primitive, algorithm: Algorithm) -> None:
    """Register a reference rule: the algorithm on ndarrays of float64."""

    def reference_rule(*operands: np.ndarray) -> np.ndarray:
        dtype = operands[0].dtype
        wide = np.broadcast_arrays(*(x.astype(np.float64) for x in operands))
        return np.asarray(algorithm(NumpyFormulas(np.float64), *wide)).astype(dtype)

    register(p, "reference", reference_rule)


def lower_formula(algorithm: Algorithm) -> Rule:
    """Make a lowering: the algorithm on values of a program; narrow floats by way of float32."""

    def lower_rule(ctx: Emitter, *operands: Value, **params: Any) -> Value:
        (aval,) = ctx.avals_out
        dtype = aval.dtype if aval.dtype.itemsize >= 4 else np.dtype("float32")
        numbers = [Number(ctx, x).to(element_type(dtype)) for x in on_common_shape(ctx, *operands)]
        result = algorithm(StablehloFormulas(ctx, dtype), *numbers)
        return result.to(element_type(aval.dtype)).value

    return lower_rule


def lower_by(p: Primitive, algorithm: Algorithm) -> None:
    """Register such a lowering."""
    register(p, "lower", lower_formula(algorithm))


def in_float64(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Compute a function in float64 and round once to the dtype of its operands."""

    @wraps(function)
    def rule(*operands: np.ndarray) -> np.ndarray:
        value = function(*(x.astype(np.float64) for x in operands))
        return np.asarray(value).astype(operands[0].dtype)

    return rule
