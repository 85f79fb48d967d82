"""How is a function of pytrees differentiated?

Forward along a direction (``jvp``), as a linear function at a point (``linearize``), backward
(``vjp``), and the gradient of a scalar function. Integers have tangents of dtype float0.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.array import Array
from minijax.core.aval import typeof
from minijax.core.backend import default_device
from minijax.core.jaxpr import Jaxpr
from minijax.core.primitive import UndefinedPrimal, Zero, full_of, instantiate, is_zero
from minijax.core.tree import (
    Partial,
    PyTreeDef,
    keystr,
    tree_flatten,
    tree_flatten_with_path,
    tree_leaves,
    tree_structure,
    tree_unflatten,
)
from minijax.primitives.conversion import convert_element_type_p
from minijax.tracebacks import public_boundary
from minijax.transforms import jvp as jvp_transform
from minijax.transforms import linearize as linearize_transform
from minijax.transforms.dispatch import to_array
from minijax.transforms.evaluate import eval_jaxpr
from minijax.transforms.flat import (
    FlatFunction,
    check_callable,
    check_primals,
    debug_info,
    describe_function,
)
from minijax.transforms.staging import hoist_constants, trace_to_jaxpr
from minijax.transforms.transpose import backward_pass

Function = Callable[..., Any]


@public_boundary
def jvp(
    fun: Function, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """Evaluate a function and its derivative along a direction.

    Parameters
    ----------
    fun : callable
    primals : sequence
        The point: the arguments of ``fun``.
    tangents : sequence
        The direction, of the same structure, shapes and dtypes (float0 for integers).
    has_aux : bool
        True if ``fun`` returns a pair, the second part of which is not differentiated.

    Returns
    -------
    primals_out, tangents_out : pytree
        And the auxiliary part if there is one.

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> y, t = jvp(jnp.sin, (0.0,), (2.0,))
    >>> float(t)
    2.0
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            "primal and tangent arguments to jax.jvp must be tuples or lists; found "
            f"{type(primals).__name__} and {type(tangents).__name__}."
        )
    check_callable(fun)
    check_primals(fun, primals)
    primal_tree, tangent_tree = tree_structure(primals), tree_structure(tangents)
    if primal_tree != tangent_tree:
        raise TypeError(
            "primal and tangent arguments to jax.jvp must have the same tree structure; primals "
            f"have tree structure {primal_tree} whereas tangents have tree structure "
            f"{tangent_tree}."
        )
    leaves, in_tree = tree_flatten(tuple(primals))
    tangent_leaves = tree_leaves(tangents)
    moved = [_checked_tangent(x, t) for x, t in zip(leaves, tangent_leaves, strict=True)]
    flat = FlatFunction(fun, in_tree, has_kwargs=False, has_aux=has_aux)
    outs, out_tangents = jvp_transform.jvp(flat, [as_array(x) for x in leaves], moved)
    result = flat.unflatten(outs), flat.unflatten([instantiate(t) for t in out_tangents])
    return (*result, flat.aux(outs)) if has_aux else result


def _checked_tangent(primal: Any, tangent: Any) -> Any:
    expected, given = typeof(primal).tangent(), typeof(tangent)
    if given.dtype != expected.dtype:
        raise TypeError(
            "primal and tangent arguments to jax.jvp do not match; dtypes must be equal, or in "
            "case of int/bool primal dtype the tangent dtype must be float0. Got primal dtype "
            f"{typeof(primal).dtype.name} and so expected tangent dtype {expected.dtype.name}, "
            f"but got tangent dtype {given.dtype.name} instead."
        )
    if given.shape != expected.shape:
        raise ValueError(
            "jvp called with different primal and tangent shapes; Got primal shape "
            f"{typeof(primal).shape} and tangent shape as {given.shape}"
        )
    return Zero(expected) if expected.dtype == dtypes.float0 else as_array(tangent)


def as_array(x: Any) -> Any:
    """Return an argument as an array, so that Python code may ask it for shape and dtype."""
    return x if isinstance(x, Array) else to_array(x, typeof(x), default_device())


@public_boundary
def linearize(fun: Function, *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate a function and write its derivative at the point down as a linear function.

    Parameters
    ----------
    fun : callable
    *primals
        The point.
    has_aux : bool
        True if ``fun`` returns a pair, the second part of which is not differentiated.

    Returns
    -------
    primals_out : pytree
    fun_jvp : callable
        From tangents to tangents; it does not evaluate ``fun`` again.

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> y, f_jvp = linearize(jnp.sin, 0.0)
    >>> float(f_jvp(3.0))
    3.0
    """
    check_callable(fun)
    check_primals(fun, primals)
    leaves, in_tree = tree_flatten(primals)
    flat = FlatFunction(fun, in_tree, has_kwargs=False, has_aux=has_aux)
    nonzeros = [_is_inexact(x) for x in leaves]
    outs, nonzeros_out, jaxpr = linearize_transform.linearize(
        flat, [as_array(x) for x in leaves], nonzeros
    )
    points = leaves

    def fun_jvp(*tangents: Any) -> Any:
        tangent_leaves, tangent_tree = tree_flatten(tangents)
        if tangent_tree != in_tree:
            raise TypeError(
                "Tangent values passed to linearized function must have the same structure as "
                f"the primals: expected {in_tree}, got {tangent_tree}."
            )
        for x, t in zip(points, tangent_leaves, strict=True):
            _check_linear_argument(x, t)
        moved = [_checked_tangent(x, t) for x, t in zip(points, tangent_leaves, strict=True)]
        results = iter(eval_jaxpr(jaxpr, *(t for t in moved if not is_zero(t))))
        return flat.unflatten(
            [
                next(results) if bit else instantiate(Zero(typeof(x).tangent()))
                for x, bit in zip(outs, nonzeros_out, strict=True)
            ]
        )

    result = flat.unflatten(outs), fun_jvp
    return (*result, flat.aux(outs)) if has_aux else result


def _check_linear_argument(primal: Any, tangent: Any) -> None:
    expected, given = typeof(primal).tangent(), typeof(tangent)
    if (given.shape, given.dtype) != (expected.shape, expected.dtype):
        raise ValueError(
            "linearized function called on tangent values inconsistent with the original primal "
            f"values: got tangent of type {given.str_short()} for a primal value of type "
            f"{typeof(primal).str_short()}, expected {expected.str_short()}."
        )


def _is_inexact(x: Any) -> bool:
    return dtypes.issubdtype(typeof(x).dtype, np.inexact)


@public_boundary
def vjp(fun: Function, *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate a function and return its derivative's transpose.

    Parameters
    ----------
    fun : callable
    *primals
        The point.
    has_aux : bool
        True if ``fun`` returns a pair, the second part of which is not differentiated.

    Returns
    -------
    primals_out : pytree
    vjp_fun : callable
        From a cotangent of the result to a tuple of cotangents of the arguments (float0 for
        integers).

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> y, f_vjp = vjp(jnp.sin, 0.0)
    >>> [float(ct) for ct in f_vjp(5.0)]
    [5.0]
    """
    check_callable(fun)
    check_primals(fun, primals)
    leaves, in_tree = tree_flatten(primals)
    flat = FlatFunction(fun, in_tree, has_kwargs=False, has_aux=has_aux)
    nonzeros = [_is_inexact(x) for x in leaves]
    outs, nonzeros_out, jaxpr = linearize_transform.linearize(
        flat, [as_array(x) for x in leaves], nonzeros
    )
    closed, residuals = hoist_constants(jaxpr)
    pullback = _Pullback(
        closed,
        flat.out_tree,
        in_tree,
        tuple(typeof(x) for x in leaves),
        tuple(nonzeros),
        tuple(typeof(x) for x in outs[: flat.out_tree.num_leaves]),
        tuple(nonzeros_out),
    )
    result = flat.unflatten(outs), Partial(pullback, residuals)
    return (*result, flat.aux(outs)) if has_aux else result


@dataclass(frozen=True, slots=True)
class _Pullback:
    """The transpose of a derivative: a function of residuals and cotangents.

    Together with its residuals it is a pytree, so that it may leave a jitted function.
    """

    jaxpr: Jaxpr
    out_tree: PyTreeDef
    in_tree: PyTreeDef
    in_avals: tuple[Any, ...]
    nonzeros: tuple[bool, ...]
    out_avals: tuple[Any, ...]
    nonzeros_out: tuple[bool, ...]

    @public_boundary
    def __call__(self, residuals: list[Any], cotangents: Any) -> Any:
        """Return the cotangents of the arguments."""
        cts = self._checked(cotangents)
        count = len(self.out_avals)
        varying = [ct for ct, bit in zip(cts, self.nonzeros_out[:count], strict=True) if bit]
        aux = [Zero(v.aval) for v in self.jaxpr.outvars[len(varying) :]]
        tangents = [UndefinedPrimal(v.aval) for v in self.jaxpr.invars[len(residuals) :]]  # type: ignore[arg-type]
        results = backward_pass(self.jaxpr, [*residuals, *tangents], [*varying, *aux])
        moved = iter(results[len(residuals) :])
        return tree_unflatten(
            self.in_tree,
            [
                _like_primal(instantiate(next(moved)), aval)
                if bit
                else instantiate(Zero(aval.tangent()))
                for aval, bit in zip(self.in_avals, self.nonzeros, strict=True)
            ],
        )

    def _checked(self, cotangents: Any) -> list[Any]:
        leaves, tree = tree_flatten(cotangents)
        if tree != self.out_tree:
            raise ValueError(
                f"unexpected tree structure of argument to vjp function: got {tree}, but "
                f"expected {self.out_tree}."
            )
        paths = [path for path, _ in tree_flatten_with_path(cotangents)[0]]
        for ct, aval, path in zip(leaves, self.out_avals, paths, strict=True):
            expected, given = aval.tangent(), typeof(ct)
            if (given.shape, given.dtype) != (expected.shape, expected.dtype):
                where = f" at {keystr(path)}" if path else ""
                raise ValueError(
                    "unexpected JAX type (e.g. shape/dtype) for argument to VJP function: got "
                    f"{given.str_short()}{where}, but expected {expected.str_short()} because "
                    "the corresponding output of the differentiated function had JAX type "
                    f"{aval.str_short()}."
                )
        return [
            ct if aval.tangent().dtype == dtypes.float0 else as_array(ct)
            for ct, aval in zip(leaves, self.out_avals, strict=True)
        ]


@public_boundary
def linear_transpose(fun: Function, *primals: Any) -> Function:
    """Return the transpose of a linear function.

    Parameters
    ----------
    fun : callable
        Linear in all its arguments.
    *primals
        Arrays or :class:`ShapeDtypeStruct` that say the types of the arguments.

    Returns
    -------
    callable
        From a cotangent of the result to a tuple of cotangents of the arguments.

    Raises
    ------
    TypeError
        If an argument or a result is not of floating-point or complex type.
    NotImplementedError
        When the transpose is applied, if an operation of ``fun`` is not linear.

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> transpose = linear_transpose(lambda x: 2 * x[:2], jnp.ones(3))
    >>> transpose(jnp.array([1.0, 10.0]))
    (Array([ 2., 20.,  0.], dtype=float32),)
    """
    leaves, in_tree = tree_flatten(primals)
    flat = FlatFunction(fun, in_tree, has_kwargs=False)
    jaxpr = trace_to_jaxpr(
        flat, [typeof(x) for x in leaves], debug_info("linear_transpose", fun, primals)
    )
    for aval in (*jaxpr.in_avals, *jaxpr.out_avals):
        if not dtypes.issubdtype(aval.dtype, np.inexact):
            raise TypeError(
                "linear_transpose only supports functions of floating-point or complex arrays, "
                f"but {describe_function(fun)} has an argument or result of type "
                f"{aval.str_short()}."
            )
    closed, residuals = hoist_constants(jaxpr)
    pullback = _Pullback(
        closed,
        flat.out_tree,
        in_tree,
        tuple(jaxpr.in_avals),
        (True,) * len(leaves),
        tuple(jaxpr.out_avals),
        (True,) * len(jaxpr.out_avals),
    )
    return Partial(pullback, residuals)


def _like_primal(ct: Any, aval: Any) -> Any:
    """Give a cotangent the weakness of its primal value, as in JAX."""
    if aval.weak_type and not typeof(ct).weak_type:
        return convert_element_type_p.bind(ct, new_dtype=aval.dtype, weak_type=True, sharding=None)
    return ct


def value_and_grad(
    fun: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Function:
    """Return a function that evaluates both ``fun`` and its gradient.

    Parameters
    ----------
    fun : callable
        Returns a scalar (with ``has_aux``: a pair of a scalar and anything).
    argnums : int or sequence of int
        Arguments to differentiate with respect to.
    has_aux : bool
    holomorphic : bool
        True if ``fun`` is a holomorphic function of complex arguments.
    allow_int : bool
        Accept integer arguments; their gradient has dtype float0.

    Returns
    -------
    callable
        Returns ``(value, gradient)``, or ``((value, aux), gradient)``.

    Examples
    --------
    >>> value, slope = value_and_grad(lambda x: x**2)(3.0)
    >>> float(value), float(slope)
    (9.0, 6.0)
    """
    if reduce_axes:
        raise NotImplementedError("reduce_axes argument to grad is deprecated")
    check_callable(fun)
    numbers = argument_numbers(argnums)

    @functools.wraps(fun)
    @public_boundary
    def value_and_grad_fun(*args: Any, **kwargs: Any) -> Any:
        of_dynamic, dynamic = select_arguments(fun, args, kwargs, numbers)
        for x in tree_leaves(dynamic):
            check_input(x, "grad", holomorphic, allow_int)
        result = vjp(of_dynamic, *dynamic, has_aux=has_aux)
        value, vjp_fun = result[0], result[1]
        _check_scalar(value)
        check_output(value, "grad", holomorphic)
        gradient = vjp_fun(full_of(typeof(value).tangent(), 1))
        gradient = gradient[0] if isinstance(argnums, int) else gradient
        return ((value, result[2]), gradient) if has_aux else (value, gradient)

    return value_and_grad_fun


def grad(
    fun: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Function:
    """Return the gradient of a scalar function, as a function.

    Parameters are those of :func:`value_and_grad`.

    Returns
    -------
    callable
        Returns the gradient, with the structure of the argument (a tuple of gradients if
        ``argnums`` is a sequence); with ``has_aux`` a pair of it and the auxiliary part.

    Examples
    --------
    >>> float(grad(grad(lambda x: x**3))(2.0))
    12.0
    """
    both = value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, reduce_axes)

    @functools.wraps(fun)
    @public_boundary
    def grad_fun(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return grad_fun


def argument_numbers(argnums: int | Sequence[int]) -> tuple[int, ...]:
    """Return ``argnums`` as a tuple.

    Raises
    ------
    TypeError
        If it holds anything but integers.
    ValueError
        If it names an argument twice, or none.
    """
    if not isinstance(argnums, Sequence):
        return (operator.index(argnums),)
    numbers = tuple(operator.index(n) for n in argnums)
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"argnums={argnums} must name one or several different arguments.")
    return numbers


def select_arguments(
    fun: Function, args: tuple, kwargs: dict[str, Any], numbers: tuple[int, ...]
) -> tuple[Function, tuple]:
    """Return ``fun`` as a function of the arguments to differentiate, and these.

    Raises
    ------
    TypeError
        If there are too few positional arguments.
    """
    needed = max((n + 1 if n >= 0 else -n) for n in numbers)
    if needed > len(args):
        argnums = numbers[0] if len(numbers) == 1 else numbers
        raise TypeError(
            f"differentiating with respect to argnums={argnums} requires at least {needed} "
            f"positional arguments to be passed by the caller, but got only {len(args)} "
            "positional arguments."
        )
    positions = [n % len(args) for n in numbers]

    @functools.wraps(fun)
    def of_dynamic(*values: Any) -> Any:
        full = list(args)
        for i, value in zip(positions, values, strict=True):
            full[i] = value
        return fun(*full, **kwargs)

    return of_dynamic, tuple(args[i] for i in positions)


def check_input(x: Any, what: str, holomorphic: bool, allow_int: bool) -> None:
    """Refuse an argument that ``what`` cannot differentiate with respect to (TypeError)."""
    if not isinstance(x, (Array, np.ndarray, np.generic, bool, int, float, complex)):
        raise TypeError(
            f"{what} requires real- or complex-valued inputs, but got a value of type {type(x)}: "
            f"{x!r}. Differentiate with respect to other arguments (argnums) instead."
        )
    dtype = typeof(x).dtype
    if dtypes.issubdtype(dtype, dtypes.extended):
        raise TypeError(f"{what} with input dtype {dtype.name}: keys have no derivative")
    if holomorphic:
        if not dtypes.issubdtype(dtype, np.complexfloating):
            raise TypeError(
                f"{what} with holomorphic=True requires inputs with complex dtype, but got "
                f"{dtype.name}."
            )
    elif dtypes.issubdtype(dtype, np.integer) or dtypes.issubdtype(dtype, np.bool_):
        if not allow_int:
            raise TypeError(
                f"{what} requires real- or complex-valued inputs (input dtype that is a "
                f"sub-dtype of np.inexact), but got {dtype.name}. If you want to use Boolean- or "
                "integer-valued inputs, use vjp or set allow_int to True."
            )


def _check_scalar(value: Any) -> None:
    leaves = tree_leaves(value)
    if len(leaves) != 1 or leaves[0] is not value:
        raise TypeError(
            "Gradient only defined for scalar-output functions. Output was "
            f"{value if leaves else None!r}: return one number."
        )
    if typeof(value).shape != ():
        raise TypeError(
            "Gradient only defined for scalar-output functions. Output had shape: "
            f"{typeof(value).shape}."
        )


def check_output(value: Any, what: str, holomorphic: bool) -> None:
    """Refuse a result that ``what`` cannot differentiate (TypeError)."""
    dtype = typeof(value).dtype
    if holomorphic and not dtypes.issubdtype(dtype, np.complexfloating):
        raise TypeError(
            f"{what} with holomorphic=True requires outputs with complex dtype, but got "
            f"{dtype.name}."
        )
    if not holomorphic and dtypes.issubdtype(dtype, np.complexfloating):
        raise TypeError(
            f"{what} requires real-valued outputs (output dtype that is a sub-dtype of "
            f"np.floating), but got {dtype.name}. For holomorphic differentiation, pass "
            "holomorphic=True. For differentiation of non-holomorphic functions involving "
            "complex outputs, use jax.vjp directly."
        )
    if not holomorphic and not dtypes.issubdtype(dtype, np.floating):
        raise TypeError(
            f"{what} requires real-valued outputs (output dtype that is a sub-dtype of "
            f"np.floating), but got {dtype.name}. For differentiation of functions with integer "
            "outputs, use jax.vjp directly."
        )
