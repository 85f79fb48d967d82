"""What program is a function?

``make_jaxpr`` shows it; ``eval_shape`` asks it only for the types of its results.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from minijax.core.aval import ShapeDtypeStruct, typeof
from minijax.core.jaxpr import Jaxpr
from minijax.core.trace import extend_axis_env
from minijax.core.tree import PyTreeDef, tree_flatten, tree_unflatten
from minijax.tracebacks import public_boundary
from minijax.transforms.flat import (
    FlatFunction,
    check_arguments,
    check_callable,
    debug_info,
    describe_function,
)
from minijax.transforms.staging import trace_to_jaxpr

Function = Callable[..., Any]


def make_jaxpr(
    fun: Function,
    static_argnums: int | Sequence[int] = (),
    axis_env: Sequence[tuple[Any, int]] | None = None,
    return_shape: bool = False,
) -> Function:
    """Return a function that returns the jaxpr of ``fun``.

    Parameters
    ----------
    fun : callable
    static_argnums : int or sequence of int
        Arguments that stay Python values.
    axis_env : sequence of (name, size), optional
        Named axes that the function may use, as if it stood inside a ``vmap`` that names them.
    return_shape : bool
        Also return the structure of the result with shapes and dtypes.

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> print(make_jaxpr(lambda x: jnp.sin(x) * 2)(1.0))
    { lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = mul b 2.0:f32[] in (c,) }
    """
    static = {static_argnums} if isinstance(static_argnums, int) else set(static_argnums)

    check_callable(fun)

    @functools.wraps(fun)
    @public_boundary
    def make(*args: Any, **kwargs: Any) -> Any:
        target, dynamic = _fix_static(fun, args, static)
        check_arguments(target, dynamic, kwargs, allow_structs=True)
        leaves, in_tree = tree_flatten((dynamic, kwargs))
        flat = FlatFunction(target, in_tree, describe_function(fun))
        info = debug_info("make_jaxpr", target, dynamic, kwargs)
        with ExitStack() as stack:
            for name, size in axis_env or ():
                stack.enter_context(extend_axis_env(name, size))
            jaxpr = trace_to_jaxpr(flat, [typeof(x) for x in leaves], info)
        return (jaxpr, _shapes(jaxpr, flat.out_tree)) if return_shape else jaxpr

    return make


def _fix_static(
    fun: Function, args: tuple[Any, ...], static: set[int]
) -> tuple[Function, tuple[Any, ...]]:
    if not static:
        return fun, args
    positions = {i % len(args) for i in static}

    @functools.wraps(fun)
    def of_dynamic(*dynamic: Any, **kwargs: Any) -> Any:
        rest = iter(dynamic)
        full = (args[i] if i in positions else next(rest) for i in range(len(args)))
        return fun(*full, **kwargs)

    return of_dynamic, tuple(x for i, x in enumerate(args) if i not in positions)


def _shapes(jaxpr: Jaxpr, out_tree: PyTreeDef) -> Any:
    structs = [ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in jaxpr.out_avals]
    return tree_unflatten(out_tree, structs)


@public_boundary
def eval_shape(fun: Function, *args: Any, **kwargs: Any) -> Any:
    """Return the shapes and dtypes of ``fun(*args, **kwargs)`` without computing it.

    Arguments may be arrays or :class:`ShapeDtypeStruct`.

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> eval_shape(jnp.sin, ShapeDtypeStruct((2,), jnp.float32))
    ShapeDtypeStruct(shape=(2,), dtype=float32)
    """
    check_callable(fun)
    check_arguments(fun, args, kwargs, allow_structs=True)
    leaves, in_tree = tree_flatten((args, kwargs))
    flat = FlatFunction(fun, in_tree)
    info = debug_info("eval_shape", fun, args, kwargs)
    jaxpr = trace_to_jaxpr(flat, [typeof(x) for x in leaves], info)
    return _shapes(jaxpr, flat.out_tree)
