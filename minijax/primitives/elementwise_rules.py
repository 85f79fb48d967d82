"""Which rules do elementwise operations share, and how is one written in a single line?

:mod:`minijax.primitives.operands` says which operands meet and how; this file adds what their
derivatives and lowerings have in common (typed constants, broadcast tangents, operands of one
shape), and :func:`unary`, which makes a whole operation of one argument from its row in a table:
name, accepted dtypes, NumPy function, StableHLO operation, derivative.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.core.primitive import (
    COMPLEX,
    FLOATS,
    Arg,
    AxisInfo,
    Primitive,
    Rule,
    broadcast_in_dim_p,
)
from minijax.primitives.operands import (
    KIND_NAMES,
    ArrayLike,
    broadcast_shape,
    check_operands,
    elementwise_abstract,
    elementwise_batch,
    move_axis,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value

# -- constants and shapes -----------------------------------------------------------------------


def scalar_like(x: Any, value: Any) -> np.ndarray:
    """Return ``value`` as a scalar of the dtype of ``x``; it broadcasts to any shape."""
    dtype: Any = typeof(x).dtype
    return np.asarray(value, dtype)


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Broadcast an operand as elementwise operations do; nothing is bound if it fits already."""
    given = typeof(x).shape
    if given == shape:
        return x
    dims = tuple(range(len(shape))) if given else ()
    return broadcast_in_dim_p.bind(x, shape=shape, broadcast_dimensions=dims, sharding=None)


def broadcast_tangent(t: Any, *primals: Any) -> Any:
    """Give the tangent of one operand the shape of the output of all."""
    return broadcast_to(t, broadcast_shape("tangent", [typeof(x).shape for x in primals]))


def batch_at_full_shape(p: Primitive, scalars: tuple[int, ...]) -> Rule:
    """Make and register the batching rule of an operation whose arrays must have one shape.

    The operands at the positions ``scalars`` may be scalars among arrays, as long as they stay
    scalars. If one operand has to be given the batch axis, all get the full shape.
    """

    def batch_rule(axis: AxisInfo, args: Sequence[Any], dims: Sequence[Any], **params: Any):
        shapes = [typeof(x).shape for x in args]
        pairs = list(zip(shapes, dims, strict=True))
        places = {(shape, d) for shape, d in pairs if shape or d is not None}
        placed = (shape or d is not None or i in scalars for i, (shape, d) in enumerate(pairs))
        if len(places) == 1 and all(placed):
            ((_, dim),) = places
            return p.bind(*args, **params), dim
        unbatched = [shape if d is None else shape[:d] + shape[d + 1 :] for shape, d in pairs]
        full = (axis.size, *max(unbatched, key=len))
        spread = [_spread(x, d, full) for x, d in zip(args, dims, strict=True)]
        return p.bind(*spread, **params), 0

    batch_rule.__name__ = f"{p.name}_batch"
    return p.batch(batch_rule)


def _spread(x: Any, dim: int | None, full: tuple[int, ...]) -> Any:
    shape = typeof(x).shape
    if dim is not None:
        x = move_axis(x, dim, 0)
        target = (0, *range(len(full) - len(shape) + 1, len(full)))
    else:
        target = tuple(range(len(full) - len(shape), len(full)))
    if typeof(x).shape == full:
        return x
    return broadcast_in_dim_p.bind(x, shape=full, broadcast_dimensions=target, sharding=None)


# -- lowering -----------------------------------------------------------------------------------


def on_common_shape(ctx: Emitter, *operands: Value) -> list[Value]:
    """Broadcast operands to the shape of the result, as StableHLO requires."""
    shape = ctx.avals_out[0].shape
    axes = tuple(range(len(shape)))
    return [ctx.broadcast(x, shape, axes if x.type.shape else ()) for x in operands]


def lower_as(p: Primitive, name: str, **attributes: Any) -> Rule:
    """Make and register the lowering to one elementwise operation of StableHLO (or CHLO)."""

    def lower_rule(ctx: Emitter, *operands: Value, **params: Any) -> Value:
        return ctx.op(name, *on_common_shape(ctx, *operands), **attributes)

    lower_rule.__name__ = f"{p.name}_lower"
    return p.lower(lower_rule)


# -- integers of less than a byte -----------------------------------------------------------------


def is_narrow_integer(dtype: Any) -> bool:
    """Tell whether a dtype is of integers with fewer than eight bits."""
    return dtypes.issubdtype(dtype, np.integer) and dtypes.iinfo(dtype).bits < 8


def compute_in_bytes(p: Primitive) -> None:
    """Let a reference rule see integers of fewer than eight bits as bytes; the result wraps.

    NumPy has no arithmetic for them, or gives the result another dtype.
    """
    ordinary = p.rule("reference")

    def reference_rule(*operands: np.ndarray, **params: Any) -> np.ndarray:
        dtype = operands[0].dtype
        if dtype.itemsize > 1 or not is_narrow_integer(dtype):
            return ordinary(*operands, **params)
        byte = np.int8 if dtypes.issubdtype(dtype, np.signedinteger) else np.uint8
        return ordinary(*(x.astype(byte) for x in operands), **params).astype(dtype)

    register(p, "reference", reference_rule)


# -- operations of one argument -----------------------------------------------------------------


class AccuracyMode(enum.Enum):
    """How exactly a transcendental function should be computed, where a backend has a choice."""

    HIGHEST = 1
    DEFAULT = 2


class Tolerance:
    """The largest error a transcendental function may have: a wish that backends may ignore.

    Parameters
    ----------
    atol, rtol : float
        Absolute and relative error.
    ulps : int
        Error in units of the last place.
    """

    __slots__ = ("atol", "rtol", "ulps")

    def __init__(self, atol: float = 0.0, rtol: float = 0.0, ulps: int = 0):
        if atol < 0 or rtol < 0 or ulps < 0:
            raise ValueError("Tolerances must be non-negative.")
        self.atol, self.rtol, self.ulps = atol, rtol, ulps

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tolerance) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[float, float, int]:
        return self.atol, self.rtol, self.ulps

    def __repr__(self) -> str:
        return f"Tolerance(atol={self.atol}, rtol={self.rtol}, ulps={self.ulps})"


def check_accuracy(accuracy: Any) -> None:
    """Refuse an ``accuracy`` that is neither None nor a mode nor a tolerance."""
    if accuracy is not None and not isinstance(accuracy, (AccuracyMode, Tolerance)):
        raise NotImplementedError(f"Accuracy {accuracy} not supported")


def public_unary(
    p: Primitive, summary: str, kinds: tuple[type, ...], *, name: str = "", accuracy: bool = False
) -> Callable[..., Any]:
    """Make the public function ``f(x)``, or ``f(x, accuracy=None)``, of a primitive."""
    public = name or p.name

    def apply(x: ArrayLike) -> Any:
        check_operands(public, x)
        return p.bind(x)

    def apply_with_accuracy(x: ArrayLike, accuracy: Tolerance | AccuracyMode | None = None) -> Any:
        check_operands(public, x)
        check_accuracy(accuracy)
        return p.bind(x, accuracy=accuracy)

    sections = _parameters("x", kinds)
    if accuracy:
        p.hide_params(accuracy=None)
        sections += (
            "\naccuracy : AccuracyMode or Tolerance, optional\n"
            "    How exactly to compute, where a backend has a choice."
        )
    return _named(apply_with_accuracy if accuracy else apply, public, f"{summary}{sections}")


def public_binary(
    p: Primitive, summary: str, kinds: tuple[type, ...], *, name: str = ""
) -> Callable[[ArrayLike, ArrayLike], Any]:
    """Make the public function ``f(x, y)`` of a primitive."""
    public = name or p.name

    def apply(x: ArrayLike, y: ArrayLike) -> Any:
        check_operands(public, x, y)
        return p.bind(x, y)

    sections = _parameters("x, y", kinds) + (
        "\n    Of one dtype; of one shape up to axes of length one, or scalars."
    )
    return _named(apply, public, f"{summary}{sections}")


def _parameters(names: str, kinds: tuple[type, ...]) -> str:
    accepted = ", ".join(KIND_NAMES[kind] for kind in kinds)
    return f"\n\nParameters\n----------\n{names} : array or scalar ({accepted})"


def _named(function: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def register(p: Primitive, slot: str, rule: Rule) -> None:
    """Register a rule that stands in a table, under the name ``<operation>_<slot>``."""
    rule.__name__ = f"{p.name}_{slot}"
    p.rules[slot] = rule


def unary(
    name: str,
    kinds: tuple[type, ...],
    reference: Callable[[np.ndarray], np.ndarray],
    lowering: str | Rule,
    summary: str,
    *,
    jvp: Rule | None = None,
    jvp_from_output: Rule | None = None,
    accuracy: bool = False,
    domain: tuple[float, float] = (-2.0, 2.0),
) -> tuple[Primitive, Callable[..., Any]]:
    """Make an operation of one argument that maps each dtype to itself.

    Parameters
    ----------
    name : str
        Of the primitive and of the public function.
    kinds : tuple of scalar types
        Accepted dtypes.
    reference : function of an ndarray
        The value.
    lowering : str or lowering rule
        The operation of StableHLO or CHLO, or a rule that emits several.
    summary : str
        First sentence of the docstring of the public function.
    jvp : function ``(t, x) -> tangent``, or
    jvp_from_output : function ``(t, out, x) -> tangent``
        The derivative; with neither, it is zero wherever it exists.
    accuracy : bool
        Whether the function takes an ``accuracy``.
    domain : pair of float
        Interval from which samples are drawn.

    Returns
    -------
    primitive : Primitive
    function : callable
        ``f(x)`` or ``f(x, accuracy=None)``.
    """
    p = Primitive(name)
    elementwise_abstract(p, kinds)
    register(p, "reference", lambda x, **params: reference(x))
    derivative = jvp or jvp_from_output
    if derivative is None:
        p.jvp_zero(f"{name} is constant between its jumps")
    else:
        given = derivative
        declare = p.jvp_each if jvp else p.jvp_from_output
        declare(lambda t, *values, **params: given(t, *values))
        p.no_transpose(f"{name} is not linear")
    elementwise_batch(p)
    if isinstance(lowering, str):
        lower_as(p, lowering)
    else:
        p.lower(lowering)
    sampled = (*FLOATS, *COMPLEX) if np.complexfloating in kinds else FLOATS
    params: dict[str, Any] = {"accuracy": None} if accuracy else {}
    p.sample(Arg((2, 3), *domain), _dtypes=sampled, **params)
    return p, public_unary(p, summary, kinds, accuracy=accuracy)
