"""How are whole derivative matrices computed?

A Jacobian is the derivative along every unit vector at once: ``vmap`` of ``jvp`` over the standard
basis gives it column by column, ``vmap`` of ``vjp`` row by row.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.api.derivatives import (
    argument_numbers,
    check_input,
    check_output,
    jvp,
    select_arguments,
    vjp,
)
from minijax.api.vectorize import vmap
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.core.primitive import full_of
from minijax.core.tree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from minijax.primitives.cutting import slice_in_dim
from minijax.primitives.structural import reshape
from minijax.tracebacks import public_boundary
from minijax.transforms.flat import check_callable

Function = Callable[..., Any]


def jacfwd(
    fun: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Function:
    """Return the Jacobian of a function, computed column by column in forward mode.

    Returns
    -------
    callable
        Its result has for each pair of an output and an input leaf an array of the output's
        shape followed by the input's.

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> jacfwd(lambda x: x**2)(jnp.array([1.0, 2.0]))
    Array([[2., 0.],
           [0., 4.]], dtype=float32)
    """
    check_callable(fun)
    numbers = argument_numbers(argnums)

    @functools.wraps(fun)
    @public_boundary
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        of_dynamic, dynamic = select_arguments(fun, args, kwargs, numbers)
        for x in tree_leaves(dynamic):
            _check_forward_input(x, holomorphic)

        def pushforward(tangents: Any) -> Any:
            value, moved, *aux = jvp(of_dynamic, dynamic, tangents, has_aux=has_aux)
            return value, tree_map(_as_zeros, value, moved), *aux

        results = vmap(pushforward, out_axes=(None, -1, None) if has_aux else (None, -1))(
            _standard_basis(dynamic)
        )
        for y in tree_leaves(results[0]):
            if holomorphic:
                check_output(y, "jacfwd", True)
        tree = dynamic[0] if isinstance(argnums, int) else dynamic
        jac = tree_map(lambda y: _split_columns(y, tree), results[1])
        return (jac, results[2]) if has_aux else jac

    return jacobian


def jacrev(
    fun: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Function:
    """Return the Jacobian of a function, computed row by row in reverse mode.

    The result is that of :func:`jacfwd`; cheaper where there are fewer outputs than inputs.

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> jacrev(jnp.sum)(jnp.ones(2))
    Array([1., 1.], dtype=float32)
    """
    check_callable(fun)
    numbers = argument_numbers(argnums)

    @functools.wraps(fun)
    @public_boundary
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        of_dynamic, dynamic = select_arguments(fun, args, kwargs, numbers)
        for x in tree_leaves(dynamic):
            check_input(x, "jacrev", holomorphic, allow_int)
        result = vjp(of_dynamic, *dynamic, has_aux=has_aux)
        value, pullback = result[0], result[1]
        for y in tree_leaves(value):
            check_output(y, "jacrev", holomorphic)
        rows = vmap(pullback)(_standard_basis(value))
        rows = rows[0] if isinstance(argnums, int) else rows
        tree = dynamic[0] if isinstance(argnums, int) else dynamic
        jac = _split_rows(rows, value, tree)
        return (jac, result[2]) if has_aux else jac

    return jacobian


jacobian = jacrev


def hessian(
    fun: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Function:
    """Return the Hessian of a function: the forward-mode Jacobian of the reverse-mode one.

    Examples
    --------
    >>> float(hessian(lambda x: x**3)(2.0))
    12.0
    """
    return jacfwd(
        jacrev(fun, argnums, has_aux=has_aux, holomorphic=holomorphic),
        argnums,
        has_aux=has_aux,
        holomorphic=holomorphic,
    )


def _check_forward_input(x: Any, holomorphic: bool) -> None:
    dtype = typeof(x).dtype
    if not holomorphic and not dtypes.issubdtype(dtype, np.floating):
        raise TypeError(
            "jacfwd requires real-valued inputs (input dtype that is a sub-dtype of "
            f"np.floating), but got {dtype.name}. For holomorphic differentiation, pass "
            "holomorphic=True. For differentiation of non-holomorphic functions involving "
            "complex inputs or integer inputs, use jax.jvp directly."
        )
    check_input(x, "jacfwd", holomorphic, False)


def _as_zeros(value: Any, tangent: Any) -> Any:
    """Return the tangent, for integer results zeros of their own dtype in place of float0."""
    if typeof(tangent).dtype != dtypes.float0:
        return tangent
    return full_of(typeof(value).strip_weak_type(), 0)


def _standard_basis(tree: Any) -> Any:
    """Return the unit vectors of a pytree's space, stacked along a new first axis."""
    leaves, treedef = tree_flatten(tree)
    avals = [typeof(x).tangent() for x in leaves]
    total = sum(a.size for a in avals)
    basis, start = [], 0
    for aval in avals:
        rows = np.eye(total, aval.size, -start, dtype=aval.dtype)
        basis.append(rows.reshape(total, *aval.shape))
        start += aval.size
    return tree_unflatten(treedef, basis)


def _split_columns(y: Any, tree: Any) -> Any:
    """Cut the last axis of a Jacobian into the leaves of the input."""
    leaves, treedef = tree_flatten(tree)
    parts, start = [], 0
    for x in leaves:
        aval = typeof(x)
        part = slice_in_dim(y, start, start + aval.size, axis=-1)
        parts.append(reshape(part, (*typeof(y).shape[:-1], *aval.shape)))
        start += aval.size
    return tree_unflatten(treedef, parts)


def _split_rows(rows: Any, value: Any, tree: Any) -> Any:
    """Cut the first axis of stacked cotangents into the leaves of the output."""
    outs, out_tree = tree_flatten(value)
    leaves, in_tree = tree_flatten(tree)
    stacked = tree_leaves(rows)
    parts, start = [], 0
    for y in outs:
        size = typeof(y).size
        block = [
            reshape(
                slice_in_dim(r, start, start + size, axis=0),
                (*typeof(y).shape, *typeof(x).shape),
            )
            for r, x in zip(stacked, leaves, strict=True)
        ]
        parts.append(tree_unflatten(in_tree, block))
        start += size
    return tree_unflatten(out_tree, parts)
