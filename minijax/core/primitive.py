"""What is an operation, and what must be known about it?

A :class:`Primitive` is a name with *rules*: which type comes out (abstract), which value
(reference), how it differentiates (jvp or linearize, transpose), how it vectorises (batch) and
what StableHLO it becomes (lower). All rules of one operation stand together where the operation
is defined, each a named function registered by a decorator. A rule that cannot exist is written
down with its reason, so that the table of all primitives and rules has no blank cell.

Derivatives of first-order operations are written one argument at a time; from them, and from the
declarations ``linear_in`` and ``bilinear``, this module composes the full jvp rule. So only the
machinery here, and never the author of such a rule, meets a symbolic zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from minijax import source_info
from minijax.core import dtypes
from minijax.core.aval import AbstractValue, ShapedArray, typeof
from minijax.core.trace import current_trace

Rule = Callable[..., Any]


class Zero:
    """A tangent or cotangent known to be zero, so that nothing need be computed from it."""

    __slots__ = ("aval",)

    def __init__(self, aval: AbstractValue):
        self.aval = aval

    def __repr__(self) -> str:
        return f"Zero({self.aval})"


class UndefinedPrimal:
    """Stands in a transpose rule for the argument in which the operation is linear."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __repr__(self) -> str:
        return f"UndefinedPrimal({self.aval})"


@dataclass(frozen=True, slots=True)
class AxisInfo:
    """The axis that a batching rule adds: its name (None if it has none) and size.

    ``trace`` is the batching trace at work, for rules of operations that hold Python functions:
    these may close over its tracers.
    """

    name: Any
    size: int
    trace: Any = field(default=None, compare=False, repr=False)

    def without_trace(self) -> AxisInfo:
        """Return what may be kept beyond the life of the trace."""
        return AxisInfo(self.name, self.size)


def zero_tangent(x: Any) -> Zero:
    """Return the symbolic zero tangent of a primal value."""
    return Zero(typeof(x).tangent())


def is_zero(tangent: Any) -> bool:
    """Tell whether a tangent or cotangent is symbolically zero."""
    return type(tangent) is Zero


def is_undefined_primal(x: Any) -> bool:
    """Tell whether an argument of a transpose rule is one that a cotangent is wanted for."""
    return type(x) is UndefinedPrimal


SLOTS = ("abstract", "reference", "jvp", "linearize", "transpose", "batch", "lower")
"""The columns of the rule matrix. ``linearize`` is given only where jvp is not enough."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A rule that does not exist, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Arg:
    """An operand of a sample: shape, and the interval its values are drawn from."""

    shape: tuple[int, ...] = ()
    low: float = -2.0
    high: float = 2.0
    dtype: str | None = None  # None: each dtype of the sample in turn

    def draw(self, rng: np.random.Generator, dtype: str) -> np.ndarray:
        """Draw an array of the sample's dtype, or of this operand's own."""
        kind = dtypes.dtype(self.dtype or dtype, canonicalize=False)
        if kind == np.bool_:
            return rng.integers(0, 2, self.shape).astype(bool)
        if dtypes.issubdtype(kind, np.integer):
            return rng.integers(int(self.low), int(self.high), self.shape, endpoint=True).astype(
                kind
            )
        values = rng.uniform(self.low, self.high, self.shape)
        if dtypes.issubdtype(kind, np.complexfloating):
            values = values + 1j * rng.uniform(self.low, self.high, self.shape)
        return np.asarray(values).astype(kind)


FLOATS = ("float32", "float64", "bfloat16", "float16")
COMPLEX = ("complex64", "complex128")
REALS = (*FLOATS, "int32")
ALL_KINDS = (*REALS, "bool")


@dataclass(frozen=True, slots=True)
class Sample:
    """One application of a primitive for the rule checker.

    ``fun`` applies the primitive to arrays; for first-order primitives it is ``bind`` with
    ``params``. ``dtypes`` are those the sample is instantiated with. ``moving`` are the positions
    of the operands that derivatives are taken along; None means all.
    """

    args: tuple[Arg | np.ndarray, ...]
    dtypes: tuple[str, ...] = FLOATS
    params: dict[str, Any] = field(default_factory=dict)
    fun: Callable[..., Any] | None = None
    smooth: bool = True  # False: the derivative is a convention that differences do not show
    moving: tuple[int, ...] | None = None


class Primitive:
    """An operation of the language of jaxprs, with its rules.

    Parameters
    ----------
    name : str
        As printed in jaxprs.
    multiple_results : bool
        True if ``bind`` returns a list.

    Examples
    --------
    >>> double_p = Primitive("double")
    >>> @double_p.abstract
    ... def double_abstract(x):
    ...     return x
    """

    registry: dict[str, Primitive] = {}  # the first primitive of each name

    def __init__(self, name: str, multiple_results: bool = False, memoize: bool = True):
        self.name = name
        self.multiple_results = multiple_results
        self.rules: dict[str, Rule | Absent] = {}
        self.samples: list[Sample] = []
        self.named_axes: Rule = _no_named_axes
        self.effects: Rule = _no_effects
        self.evaluate: Rule | None = None  # how the bottom trace runs it, if not by reference
        self.stage: Rule | None = None  # further operands, and params, where a jaxpr is written
        self.dce: Rule | None = None  # what is left of an equation, some results being unused
        self.print_rule: Rule | None = None
        self.hidden_params: dict[str, Any] = {}
        self._memo: dict[Any, Any] | None = {} if memoize else None
        Primitive.registry.setdefault(name, self)

    def __repr__(self) -> str:
        return self.name

    def bind(self, *args: Any, **params: Any) -> Any:
        """Apply the operation under the current trace."""
        return current_trace().process_primitive(self, args, params)

    # -- rules -------------------------------------------------------------------------------

    def abstract(self, rule: Rule) -> Rule:
        """Register ``rule(*avals, **params) -> aval`` (a list if ``multiple_results``)."""
        return self._register("abstract", rule)

    def reference(self, rule: Rule) -> Rule:
        """Register ``rule(*ndarrays, **params) -> ndarray``: NumPy as the specification."""
        return self._register("reference", rule)

    def jvp(self, rule: Rule) -> Rule:
        """Register the full form ``rule(primals, tangents, **params) -> (outs, tangents)``.

        Tangents may be ``Zero``. For higher-order operations; others use ``jvp_each``.
        """
        return self._register("jvp", rule)

    def jvp_each(self, *rules: Rule | None) -> Any:
        """Register ``rule(t, *primals, **params) -> tangent`` for each argument.

        The tangent of the output is the sum over arguments; None says that the output does not
        depend smoothly on that argument. With one rule it can be used as a decorator.
        """
        self.rules["jvp"] = _jvp_by_argument(self, rules)
        return rules[0] if len(rules) == 1 else None

    def jvp_from_output(self, *rules: Rule | None) -> Any:
        """As :meth:`jvp_each` with ``rule(t, out, *primals, **params)``: d exp = t * exp."""
        self.rules["jvp"] = _jvp_by_argument(self, rules, with_output=True)
        return rules[0] if len(rules) == 1 else None

    def jvp_zero(self, reason: str) -> None:
        """Say that the derivative is zero wherever it exists, which also settles transpose."""
        self.rules["jvp"] = _jvp_zero(self)
        self.rules.setdefault("transpose", Absent(reason))

    def linear_in(self, *positions: Any) -> Callable[[Rule], Rule]:
        """Declare the output jointly linear in some arguments; decorates the transpose rule.

        ``linear_in(...)`` means all arguments. The rule is ``rule(ct, *args, **params)`` and
        returns one cotangent (or None) per argument.
        """

        def register(rule: Rule) -> Rule:
            self.rules["jvp"] = _jvp_linear(self, positions)
            return self._register("transpose", rule)

        return register

    def bilinear(self, rule: Rule) -> Rule:
        """Declare a product of two arguments; decorates the transpose rule."""

        def left(t: Any, x: Any, y: Any, **params: Any) -> Any:
            return self.bind(t, y, **params)

        def right(t: Any, x: Any, y: Any, **params: Any) -> Any:
            return self.bind(x, t, **params)

        self.rules["jvp"] = _jvp_by_argument(self, (left, right))
        return self._register("transpose", rule)

    def linearize(self, rule: Rule) -> Rule:
        """Register ``rule(nonzeros, *primals, **params) -> (outs, tangent_function)``."""
        return self._register("linearize", rule)

    def transpose(self, rule: Rule) -> Rule:
        """Register ``rule(ct, *args, **params) -> [cotangent or None per argument]``."""
        return self._register("transpose", rule)

    def batch(self, rule: Rule) -> Rule:
        """Register ``rule(axis, args, dims, **params) -> (out, dim)`` (lists if several)."""
        return self._register("batch", rule)

    def lower(self, rule: Rule) -> Rule:
        """Register ``rule(ctx, *values, **params) -> value``, which emits StableHLO."""
        return self._register("lower", rule)

    def no_jvp(self, reason: str) -> None:
        """Say why there is no derivative."""
        self.rules["jvp"] = Absent(reason)

    def no_transpose(self, reason: str) -> None:
        """Say why the operation never stands in a linear program."""
        self.rules["transpose"] = Absent(reason)

    def no_batch(self, reason: str) -> None:
        """Say why the operation cannot be vectorised."""
        self.rules["batch"] = Absent(reason)

    def no_reference(self, reason: str) -> None:
        """Say why there is no value to compute outside a program."""
        self.rules["reference"] = Absent(reason)

    def no_lower(self, reason: str) -> None:
        """Say why the operation never reaches a compiler."""
        self.rules["lower"] = Absent(reason)

    def _register(self, slot: str, rule: Rule) -> Rule:
        self.rules[slot] = rule
        return rule

    def has_rule(self, slot: str) -> bool:
        """Tell whether a rule is given (and not declared absent)."""
        return callable(self.rules.get(slot))

    def rule(self, slot: str) -> Rule:
        """Return a rule; NotImplementedError with the written reason if it is absent."""
        found = self.rules.get(slot)
        if callable(found):
            return found
        reason = found.reason if isinstance(found, Absent) else "no such rule is registered"
        raise NotImplementedError(f"{slot} of primitive '{self.name}': {reason}")

    # -- types -------------------------------------------------------------------------------

    def infer(self, avals: Sequence[Any], params: dict[str, Any]) -> Any:
        """Return the type of the result, remembered per argument types and parameters.

        A user's mistake (TypeError, ValueError) gains a note with the user's line.
        """
        key = None
        if self._memo is not None:
            try:
                key = (*avals, *params.items())
                found = self._memo.get(key)
                if found is not None:
                    return found
            except TypeError:  # a parameter without a hash
                key = None
        try:
            result = self.rule("abstract")(*avals, **params)
        except (TypeError, ValueError, IndexError) as error:
            note_user_line(error, self.name)
            raise
        if key is not None and self._memo is not None:
            if len(self._memo) > 8192:
                self._memo.clear()
            self._memo[key] = result
        return result

    # -- samples and printing ------------------------------------------------------------------

    def sample(
        self,
        *args: Arg | np.ndarray,
        _dtypes: tuple[str, ...] = FLOATS,
        _smooth: bool = True,
        _moving: tuple[int, ...] | None = None,
        **params: Any,
    ) -> None:
        """Add a sample application for the rule checker (see :class:`Sample`)."""
        self.samples.append(Sample(args, _dtypes, params, None, _smooth, _moving))

    def sample_call(
        self, fun: Callable[..., Any], *args: Arg | np.ndarray, _dtypes: tuple[str, ...] = FLOATS
    ) -> None:
        """Add a sample given as a function of arrays, for operations that take functions."""
        self.samples.append(Sample(args, _dtypes, {}, fun))

    def hide_params(self, **defaults: Any) -> None:
        """Leave parameters out of printed jaxprs while they have these values."""
        self.hidden_params.update(defaults)


def note_user_line(error: Exception, what: str) -> None:
    """Attach the user's line to an exception, once."""
    if not getattr(error, "__notes__", None):
        error.add_note(f"This came from {what} called at {source_info.current()}")


def _no_named_axes(**params: Any) -> tuple:
    return ()


def _no_effects(*avals: Any, **params: Any) -> frozenset:
    return frozenset()


# -- the composed jvp rules ------------------------------------------------------------------


def _outputs_and_zeros(p: Primitive, out: Any) -> Any:
    return [zero_tangent(o) for o in out] if p.multiple_results else zero_tangent(out)


def _jvp_by_argument(p: Primitive, rules: Sequence[Rule | None], with_output: bool = False) -> Rule:
    def jvp_rule(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
        out = p.bind(*primals, **params)
        head = (out,) if with_output else ()
        terms = [
            rule(t, *head, *primals, **params)
            for rule, t in zip(rules, tangents, strict=True)
            if rule is not None and not is_zero(t)
        ]
        return out, reduce(add_tangents, terms) if terms else zero_tangent(out)

    jvp_rule.__name__ = f"{p.name}_jvp"
    return jvp_rule


def _jvp_zero(p: Primitive) -> Rule:
    def jvp_rule(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
        out = p.bind(*primals, **params)
        return out, _outputs_and_zeros(p, out)

    jvp_rule.__name__ = f"{p.name}_jvp"
    return jvp_rule


def _jvp_linear(p: Primitive, positions: Sequence[Any]) -> Rule:
    everywhere = positions == (...,)

    def jvp_rule(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
        out = p.bind(*primals, **params)
        linear = [everywhere or i in positions for i in range(len(primals))]
        if all(is_zero(t) for t, bit in zip(tangents, linear, strict=True) if bit):
            return out, _outputs_and_zeros(p, out)
        moved = [
            instantiate(t) if bit else x
            for x, t, bit in zip(primals, tangents, linear, strict=True)
        ]
        return out, p.bind(*moved, **params)

    jvp_rule.__name__ = f"{p.name}_jvp"
    return jvp_rule


# -- the operations of tangent spaces ----------------------------------------------------------
#
# The composed rules above add tangents and write out zeros. Both are operations of the language
# themselves; their rules stand in primitives/identity.py and primitives/broadcasting.py.

add_any_p = Primitive("add_any")
broadcast_in_dim_p = Primitive("broadcast_in_dim")


def add_tangents(x: Any, y: Any) -> Any:
    """Add two tangents or cotangents of one type; symbolic zeros cost nothing."""
    if is_zero(x):
        return y
    if is_zero(y):
        return x
    return add_any_p.bind(x, y)


def full_of(aval: ShapedArray, fill_value: Any) -> Any:
    """Return an array of one type with one value everywhere, as an operation of the program."""
    scalar = np.asarray(fill_value, aval.dtype)
    if not aval.shape:
        return scalar
    return broadcast_in_dim_p.bind(scalar, shape=aval.shape, broadcast_dimensions=(), sharding=None)


def instantiate(tangent: Any) -> Any:
    """Write out a symbolic zero as an array of zeros; other tangents pass."""
    if not is_zero(tangent):
        return tangent
    if tangent.aval.dtype == dtypes.float0:
        return np.zeros(tangent.aval.shape, dtypes.float0)
    return full_of(tangent.aval, 0)
