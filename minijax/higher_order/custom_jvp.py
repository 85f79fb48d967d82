"""How does a user give a function a derivative of his own?

``custom_jvp_call`` is an ordinary primitive. Called directly, its parameters are the user's Python
functions, and its rules call them: the reference and evaluation rules run the function, the jvp
rule runs the user's rule in place of differentiating. So Python control flow on concrete values
works in both, and derivatives of derivatives differentiate the rule itself.

When a jaxpr is being written, Python functions cannot stand in it. The ``stage`` rule then replaces
them by jaxprs: the function's is traced at once, the rule's when it is first needed. What the
function closes over becomes leading operands, ``num_consts`` of them, which have no derivative.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any

import numpy as np

from minijax.config import config
from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.jaxpr import Jaxpr
from minijax.core.primitive import (
    Arg,
    AxisInfo,
    Primitive,
    Zero,
    instantiate,
    is_zero,
)
from minijax.core.trace import Tracer, axis_env, leaked_tracer_error, set_current_trace
from minijax.core.tree import (
    PyTreeDef,
    keystr,
    tree_flatten,
    tree_flatten_with_path,
    tree_map,
    tree_unflatten,
)
from minijax.errors import UnexpectedTracerError
from minijax.primitives.arithmetic import mul
from minijax.primitives.elementwise import cos, sin
from minijax.transforms.batching import batch, batch_jaxpr, place_batch_axis
from minijax.transforms.evaluate import eval_jaxpr, interpret_jaxpr
from minijax.transforms.flat import FlatFunction, function_name
from minijax.transforms.lowering import LoweringContext
from minijax.transforms.staging import trace_closed, trace_to_jaxpr

custom_jvp_call_p = Primitive("custom_jvp_call", multiple_results=True, memoize=False)
custom_jvp_call_p.hide_params(num_consts=0)


class FlatRule:
    """A user's derivative rule made flat.

    Called with flat primals and tangents it returns flat results and tangents. The structures of
    arguments and results are those of the primal function.
    """

    def __init__(
        self,
        rule: Callable[..., Any],
        in_tree: PyTreeDef,
        primal: FlatFunction,
        symbolic_zeros: bool,
    ):
        self.rule = rule
        self.in_tree = in_tree
        self.primal = primal
        self.symbolic_zeros = symbolic_zeros

    def __repr__(self) -> str:
        return function_name(self.rule)

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        """Call the user's rule and check what it returns."""
        args = tree_unflatten(self.in_tree, primals)
        moved = [
            (SymbolicZero(t.aval) if self.symbolic_zeros else instantiate(t)) if is_zero(t) else t
            for t in tangents
        ]
        result = self.rule(args, tree_unflatten(self.in_tree, moved))
        name = function_name(self.rule)
        if not isinstance(result, (list, tuple)) or len(result) != 2:
            raise TypeError(
                f"Custom JVP rule {name} for function {self.primal.what} must produce a pair "
                "(list or tuple of length two) representing primal and tangent outputs, but got "
                f"{result}."
            )
        primals_out, out_tree = tree_flatten(result[0])
        tangents_out, tangent_tree = tree_flatten(
            result[1], is_leaf=lambda x: isinstance(x, SymbolicZero)
        )
        if out_tree != tangent_tree:
            raise TypeError(
                f"Custom JVP rule {name} for function {self.primal.what} must produce primal and "
                f"tangent outputs with equal container (pytree) structures, but got {out_tree} "
                f"and {tangent_tree} respectively."
            )
        if self.primal.out_tree is None:  # the rule runs in place of the function
            self.primal.out_tree = out_tree
        expected = self.primal.out_tree
        if out_tree != expected:
            raise TypeError(
                f"Custom JVP rule {name} for function {self.primal.what} must produce a pair "
                "(list or tuple of length two) where the first element represents the primal "
                "output (equal in value to the output of the custom_jvp-decorated function "
                "itself, and in particular of the same container/pytree structure), but instead "
                f"the JVP rule output's first element had container/pytree structure: {out_tree} "
                f"while the function's output has {expected}."
            )
        paths = [path for path, _ in tree_flatten_with_path(result[0])[0]]
        return primals_out, [
            self._checked_tangent(x, t, path)
            for x, t, path in zip(primals_out, tangents_out, paths, strict=True)
        ]

    def _checked_tangent(self, primal: Any, tangent: Any, path: tuple) -> Any:
        expected = typeof(primal).tangent()
        if isinstance(tangent, SymbolicZero):
            return Zero(expected)
        given = typeof(tangent)
        if given.dtype == dtypes.float0 or expected.dtype == dtypes.float0:
            return Zero(expected)
        if given.shape != expected.shape or given.dtype != expected.dtype:
            where = f" at {keystr(path)}" if path else ""
            raise TypeError(
                f"Custom JVP rule {function_name(self.rule)} must produce primal and tangent "
                "outputs with corresponding shapes and dtypes. Expected "
                f"{expected.str_short()} (tangent type of {typeof(primal).str_short()}){where} "
                f"but got {given.str_short()}."
            )
        return tangent


class SymbolicZero:
    """What a rule with ``symbolic_zeros=True`` receives for a tangent that is zero."""

    __slots__ = ("aval",)

    def __init__(self, aval: Any):
        self.aval = aval

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tangent."""
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        """Dtype of the tangent."""
        return self.aval.dtype

    def __repr__(self) -> str:
        return f"SymbolicZero({self.aval})"


class StagedRule:
    """A derivative rule traced to jaxprs: one for each pattern of zero tangents."""

    def __init__(self, rule: Callable[..., tuple[list, list]], avals: Sequence[Any]):
        self.rule = rule
        self.avals = list(avals)
        self.traced: dict[Any, tuple[Jaxpr, list[bool]]] = {}

    def __repr__(self) -> str:
        return repr(self.rule)

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        """Run the traced rule under the current trace."""
        zeros = tuple(is_zero(t) for t in tangents)
        key = zeros, config.trace_key(), axis_env()
        if key not in self.traced:
            self.traced[key] = self._trace(zeros)
        jaxpr, nonzeros_out = self.traced[key]
        outs = eval_jaxpr(jaxpr, *primals, *(t for t in tangents if not is_zero(t)))
        count = len(nonzeros_out)
        moved = iter(outs[count:])
        return outs[:count], [
            next(moved) if bit else Zero(typeof(x).tangent())
            for x, bit in zip(outs[:count], nonzeros_out, strict=True)
        ]

    def _trace(self, zeros: tuple[bool, ...]) -> tuple[Jaxpr, list[bool]]:
        tangent_avals = [a.tangent() for a, zero in zip(self.avals, zeros, strict=True) if not zero]
        nonzeros_out: list[bool] = []

        def flat(*xs: Any) -> list[Any]:
            moving = iter(xs[len(self.avals) :])
            tangents = [
                Zero(a.tangent()) if zero else next(moving)
                for a, zero in zip(self.avals, zeros, strict=True)
            ]
            outs, tangents_out = self.rule(xs[: len(self.avals)], tangents)
            nonzeros_out[:] = [not is_zero(t) for t in tangents_out]
            return [*outs, *(t for t in tangents_out if not is_zero(t))]

        jaxpr = trace_to_jaxpr(flat, [*self.avals, *tangent_avals])
        for const in jaxpr.consts:
            if isinstance(const, Tracer):  # would be kept beyond the life of its trace
                raise leaked_tracer_error(const)
        return jaxpr, nonzeros_out


# -- rules: ``call`` is a Python function before staging, a jaxpr after ----------------------------


def _run(call: Any, *args: Any) -> list[Any]:
    return eval_jaxpr(call, *args) if isinstance(call, Jaxpr) else call(*args)


def custom_jvp_call_stage(
    avals: Sequence[Any], params: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Replace the Python functions by jaxprs; returns what the function captured as well."""
    call = params["call_jaxpr"]
    if isinstance(call, Jaxpr):
        return [], params
    jaxpr, captured = trace_closed(call, avals)
    staged = {
        "call_jaxpr": jaxpr,
        "jvp": StagedRule(params["jvp"], avals),
        "num_consts": len(captured),
    }
    return captured, params | staged


custom_jvp_call_p.stage = custom_jvp_call_stage


@custom_jvp_call_p.abstract
def custom_jvp_call_abstract(*avals: Any, call_jaxpr: Jaxpr, **params: Any) -> list[Any]:
    return call_jaxpr.out_avals


@custom_jvp_call_p.reference
def custom_jvp_call_reference(*args: Any, call_jaxpr: Jaxpr, **params: Any) -> list[Any]:
    return interpret_jaxpr(call_jaxpr, *args)


def custom_jvp_call_evaluate(*args: Any, call_jaxpr: Any, **params: Any) -> list[Any]:
    with set_current_trace(None):
        return _run(call_jaxpr, *args)


custom_jvp_call_p.evaluate = custom_jvp_call_evaluate


@custom_jvp_call_p.jvp
def custom_jvp_call_jvp(
    primals: list, tangents: list, *, jvp: Callable[..., Any], num_consts: int, **params: Any
) -> tuple[list, list]:
    for x, t in zip(primals[:num_consts], tangents[:num_consts], strict=True):
        if not is_zero(t):
            raise UnexpectedTracerError(
                f"The custom_jvp function {params['name']} closes over a value of type "
                f"{typeof(x).str_short()} that is being differentiated. Its rule says nothing "
                "about the derivative with respect to that value: pass it as an argument."
            )
    return jvp(primals[num_consts:], tangents[num_consts:])


custom_jvp_call_p.no_transpose("the derivative is given by the rule, so the call is never linear")


@custom_jvp_call_p.batch
def custom_jvp_call_batch(
    axis: AxisInfo,
    args: list,
    dims: list,
    *,
    call_jaxpr: Any,
    jvp: Any,
    num_consts: int,
    **params: Any,
) -> tuple[list, list]:
    if not isinstance(call_jaxpr, Jaxpr):
        out_dims: list[int | None] = []
        outs = custom_jvp_call_p.bind(
            *args,
            call_jaxpr=BatchedCall(axis, dims, call_jaxpr, out_dims),
            jvp=BatchedRule(axis, dims, jvp, out_dims),
            num_consts=num_consts,
            **params,
        )
        return outs, out_dims
    batched = [d is not None for d in dims]
    if not any(batched):
        outs = custom_jvp_call_p.bind(
            *args, call_jaxpr=call_jaxpr, jvp=jvp, num_consts=num_consts, **params
        )
        return outs, [None] * len(outs)
    call, _ = batch_jaxpr(call_jaxpr, axis, batched, [True] * len(call_jaxpr.outvars))
    args = [
        x if d is None else place_batch_axis(x, d, axis.size)
        for x, d in zip(args, dims, strict=True)
    ]
    in_dims = [None if d is None else 0 for d in dims[num_consts:]]
    rule = BatchedRule(axis.without_trace(), in_dims, jvp, [0] * len(call.outvars))
    staged = StagedRule(rule, [typeof(x) for x in args[num_consts:]])
    outs = custom_jvp_call_p.bind(
        *args, call_jaxpr=call, jvp=staged, num_consts=num_consts, **params
    )
    return outs, [0] * len(outs)


class BatchedCall:
    """The user's function for all examples at once; notes in ``out_dims`` what varies."""

    def __init__(
        self,
        axis: AxisInfo,
        in_dims: Sequence[int | None],
        fun: Callable[..., Any],
        out_dims: list[int | None],
    ):
        self.axis = axis
        self.in_dims = in_dims
        self.fun = fun
        self.out_dims = out_dims

    def __call__(self, *args: Any) -> list[Any]:
        """Run the function for one example under the batching trace."""
        outs, self.out_dims[:] = batch(self.fun, self.axis, args, self.in_dims)
        return outs


class BatchedRule:
    """A derivative rule for all examples at once.

    ``out_dims`` notes the batch axes of the results, as :class:`BatchedCall` does: either of the
    two runs first. A result varies as soon as its tangent does.
    """

    def __init__(
        self,
        axis: AxisInfo,
        in_dims: Sequence[int | None],
        rule: Callable[..., Any],
        out_dims: list[int | None],
    ):
        self.axis = axis
        self.in_dims = in_dims
        self.rule = rule
        self.out_dims = out_dims

    def __repr__(self) -> str:
        return repr(self.rule)

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        """Run the rule for one example under the batching trace."""
        axis, in_dims = self.axis, self.in_dims
        moving = [t for t in tangents if not is_zero(t)]
        moving_dims = [d for t, d in zip(tangents, in_dims, strict=True) if not is_zero(t)]
        nonzeros_out: list[bool] = []

        def one_example(*xs: Any) -> list[Any]:
            rest = iter(xs[len(primals) :])
            here = [
                Zero(_without(t.aval, d)) if is_zero(t) else next(rest)
                for t, d in zip(tangents, in_dims, strict=True)
            ]
            outs, out_tangents = self.rule(xs[: len(primals)], here)
            nonzeros_out[:] = [not is_zero(t) for t in out_tangents]
            return [*outs, *(t for t in out_tangents if not is_zero(t))]

        values, dims = batch(one_example, axis, [*primals, *moving], [*in_dims, *moving_dims])
        count = len(nonzeros_out)
        moved = iter(zip(values[count:], dims[count:], strict=True))
        outs, out_tangents, out_dims = [], [], []
        known = self.out_dims or [None] * count
        for x, d, bit, before in zip(values, dims, nonzeros_out, known, strict=False):
            t, t_dim = next(moved) if bit else (None, None)
            if d is None and t_dim is None and before is None:
                out_dims.append(None)
            else:
                out_dims.append(0)
                x = place_batch_axis(x, d, axis.size)
                t = place_batch_axis(t, t_dim, axis.size) if bit else None
            outs.append(x)
            out_tangents.append(t if bit else Zero(typeof(x).tangent()))
        self.out_dims[:] = out_dims
        return outs, out_tangents


def _without(aval: Any, dim: int | None) -> Any:
    if dim is None:
        return aval
    return ShapedArray(aval.shape[:dim] + aval.shape[dim + 1 :], aval.dtype)


@custom_jvp_call_p.lower
def custom_jvp_call_lower(
    ctx: LoweringContext, *args: Any, call_jaxpr: Jaxpr, **params: Any
) -> list[Any]:
    return ctx.inline(call_jaxpr, args)


# -- the decorator --------------------------------------------------------------------------------


class custom_jvp:
    """Give a function a derivative rule of its own.

    Parameters
    ----------
    fun : callable
        From pytrees of arrays to a pytree of arrays.
    nondiff_argnums, nondiff_argnames : sequence of int, sequence of str
        Arguments that are passed on as they are; the rule receives them first.

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> @custom_jvp
    ... def log1pexp(x):
    ...     return jnp.log(1.0 + jnp.exp(x))
    >>> @log1pexp.defjvp
    ... def log1pexp_jvp(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), (1 - 1 / (1 + jnp.exp(x))) * t
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        nondiff_argnums: Sequence[int] = (),
        nondiff_argnames: Sequence[str] = (),
    ):
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.nondiff_argnums = _nondiff_positions(fun, nondiff_argnums, nondiff_argnames)
        self.jvp: Callable[..., Any] | None = None
        self.symbolic_zeros = False

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Give the rule ``jvp(primals, tangents) -> (primal_out, tangent_out)``."""
        self.jvp = jvp
        self.symbolic_zeros = symbolic_zeros
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Give one rule ``jvp(t, primal_out, *primals)`` for each argument; None is zero."""
        if self.nondiff_argnums:
            raise TypeError("Can't use ``defjvps`` with ``nondiff_argnums``: use ``defjvp``.")

        def jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
            primal_out = self(*primals)
            zeros = tree_map(lambda x: np.zeros(x.shape, x.dtype), primal_out)
            terms = [
                rule(t, primal_out, *primals) if rule is not None else zeros
                for rule, t in zip(jvps, tangents, strict=True)
            ]
            return primal_out, tree_map(lambda *ts: sum(ts[1:], ts[0]), *terms)

        self.defjvp(jvp)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; under differentiation its rule is used."""
        name = function_name(self.fun)
        if self.jvp is None:
            raise AttributeError(
                f"No JVP defined for custom_jvp function {name} using defjvp. Call "
                f"{name}.defjvp(rule) first."
            )
        args = _positional(self.fun, args, kwargs)
        static = {i: args[i] for i in sorted(n % len(args) for n in self.nondiff_argnums)}
        dynamic = tuple(x for i, x in enumerate(args) if i not in static)
        leaves, in_tree = tree_flatten(dynamic)
        rule = functools.partial(self.jvp, *static.values()) if static else self.jvp
        fun = _fix_arguments(self.fun, static, len(args)) if static else self.fun
        flat = FlatFunction(fun, in_tree, has_kwargs=False)
        flat_rule = FlatRule(rule, in_tree, flat, self.symbolic_zeros)
        outs = custom_jvp_call_p.bind(
            *leaves,
            call_jaxpr=flat,
            jvp=flat_rule,
            name=name,
            num_consts=0,
            symbolic_zeros=self.symbolic_zeros,
        )
        return tree_unflatten(flat.out_tree, outs)


def _fix_arguments(
    fun: Callable[..., Any], static: dict[int, Any], count: int
) -> Callable[..., Any]:
    def fixed(*dynamic: Any) -> Any:
        rest = iter(dynamic)
        return fun(*(static[i] if i in static else next(rest) for i in range(count)))

    functools.update_wrapper(fixed, fun)
    return fixed


def _nondiff_positions(
    fun: Callable[..., Any], numbers: Sequence[int], names: Sequence[str]
) -> tuple[int, ...]:
    if not names:
        return tuple(numbers)
    parameters = list(inspect.signature(fun).parameters)
    return (*numbers, *(parameters.index(name) for name in names))


def _positional(
    fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """Resolve keyword arguments and defaults to positions."""
    try:
        bound = inspect.signature(fun).bind(*args, **kwargs)
    except ValueError:
        return args
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(
            f"The following keyword arguments of {function_name(fun)} could not be resolved to "
            f"positions: {', '.join(bound.kwargs)}"
        )
    return bound.args


def _samples_of_custom_jvp_call() -> None:
    twice_sine = custom_jvp(lambda x, y: (sin(x), mul(x, y)))

    @twice_sine.defjvp
    def rule(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x, y), (tx, ty) = primals, tangents
        return twice_sine(x, y), (mul(tx, cos(x)), mul(tx, y) + mul(x, ty))

    custom_jvp_call_p.sample_call(twice_sine, Arg((3,)), Arg((3,)))


_samples_of_custom_jvp_call()
