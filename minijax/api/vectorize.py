"""How is a function mapped over array axes?

``vmap`` finds the size of the mapped axis, runs the function once under the batching trace, and
puts the mapped axis of each result where it is wanted.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from minijax.api.derivatives import as_array
from minijax.core.aval import is_array_like, typeof
from minijax.core.primitive import AxisInfo
from minijax.core.tree import (
    broadcast_prefix,
    tree_flatten,
    tree_structure,
    tree_unflatten,
)
from minijax.tracebacks import public_boundary
from minijax.transforms.batching import batch, place_batch_axis
from minijax.transforms.flat import (
    FlatFunction,
    argument_names,
    check_callable,
    describe_function,
    function_name,
)

Function = Callable[..., Any]


def vmap(
    fun: Function,
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Any = None,
    axis_size: int | None = None,
    spmd_axis_name: Any = None,
) -> Function:
    """Return a function that maps ``fun`` over array axes.

    Parameters
    ----------
    fun : callable
    in_axes : int, None, or pytree of them
        Which axis of each argument is mapped over; None for arguments shared by all calls. A
        tuple gives one entry per positional argument; entries may be pytrees that are prefixes
        of the arguments. Keyword arguments are mapped over axis 0.
    out_axes : int, None, or pytree of them
        Where the mapped axis appears in the results.
    axis_name : hashable, optional
        Names the axis for collectives such as ``lax.psum``.
    axis_size : int, optional
        Size of the axis, where no argument tells it.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If mapped axes have different sizes or an axis specification does not fit.

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> vmap(jnp.dot, in_axes=(0, None))(jnp.ones((3, 2)), jnp.arange(2.0))
    Array([1., 1., 1.], dtype=float32)
    """
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    check_callable(fun)
    if not isinstance(in_axes, (int, tuple, type(None))):
        raise TypeError(
            "vmap in_axes must be an int, None, or a tuple of entries corresponding to the "
            f"positional arguments passed to the function, but got {in_axes}."
        )

    @functools.wraps(fun)
    @public_boundary
    def mapped(*args: Any, **kwargs: Any) -> Any:
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise ValueError(
                "vmap in_axes must be an int, None, or a tuple of entries corresponding to the "
                f"positional arguments passed to the function, but got len(in_axes)="
                f"{len(in_axes)}, len(args)={len(args)}"
            )
        leaves, in_tree = tree_flatten((args, kwargs))
        dims = _flatten_axes("vmap in_axes", (args, kwargs), (in_axes, 0))
        size = _mapped_axis_size(fun, args, kwargs, leaves, dims, axis_size)
        dims = [
            None if d is None else d % typeof(x).ndim for d, x in zip(dims, leaves, strict=True)
        ]
        flat = FlatFunction(fun, in_tree)
        values = [as_array(x) if d is not None else x for x, d in zip(leaves, dims, strict=True)]
        outs, out_dims = batch(flat, AxisInfo(axis_name, size), values, dims)
        result_tree = tree_unflatten(flat.out_tree, outs)
        wanted = _flatten_axes("vmap out_axes", result_tree, out_axes)
        placed = [
            _place_output(x, d, w, size, fun)
            for x, d, w in zip(outs, out_dims, wanted, strict=True)
        ]
        return tree_unflatten(flat.out_tree, placed)

    return mapped


def _flatten_axes(what: str, tree: Any, axes: Any) -> list[int | None]:
    """Spread a prefix of axis numbers over the leaves of a tree."""
    try:
        leaves = broadcast_prefix(axes, tree, is_leaf=lambda x: x is None)
    except ValueError as error:
        raise ValueError(
            f"{what} specification must be a tree prefix of the corresponding value, got "
            f"specification {axes} for value tree {tree_structure(tree)}. {error}"
        ) from None
    for axis in leaves:
        if axis is not None and not hasattr(axis, "__index__"):
            raise TypeError(f"{what} must be integers or None, got {axis!r}")
    return [None if axis is None else operator.index(axis) for axis in leaves]


def _mapped_axis_size(
    fun: Function,
    args: tuple,
    kwargs: dict[str, Any],
    leaves: list,
    dims: list,
    given: int | None,
) -> int:
    sizes = []
    for i, (x, dim) in enumerate(zip(leaves, dims, strict=True)):
        if dim is None:
            continue
        if not is_array_like(x):
            name = argument_names(fun, args, kwargs)[i]
            raise TypeError(
                f"Argument {x!r} of type {type(x)} is not a valid JAX type: argument {name} of "
                f"{describe_function(fun)} cannot be mapped over axis {dim}. Give it the entry "
                "None in in_axes to hand it to every call as it is."
            )
        shape = typeof(x).shape
        if not -len(shape) <= dim < len(shape):
            name = argument_names(fun, args, kwargs)[i]
            raise ValueError(
                f"vmap was requested to map its argument along axis {dim}, which implies that "
                f"its rank should be at least {dim + 1 if dim >= 0 else -dim}, but is only "
                f"{len(shape)} (its shape is {shape}): argument {name} of {function_name(fun)}"
            )
        sizes.append((i, shape[dim]))
    found = {size for _, size in sizes} | ({given} if given is not None else set())
    if len(found) == 1:
        return found.pop()  # type: ignore[return-value]
    if not leaves and not found:
        raise ValueError(
            "vmap wrapped function must be passed at least one argument containing an array or "
            f"axis_size must be specified, got empty *args={args} and **kwargs={kwargs}"
        )
    if not found:
        raise ValueError(
            "vmap must have at least one non-None value in in_axes or axis_size must be specified"
        )
    names = argument_names(fun, args, kwargs)
    lines = "\n".join(
        f"  * argument {names[i]} of type {typeof(leaves[i]).str_short()} has axis {dims[i]} of "
        f"size {size}"
        for i, size in sizes
    )
    expected = f"\n  * axis_size={given} was requested" if given is not None else ""
    raise ValueError(f"vmap got inconsistent sizes for array axes to be mapped:\n{lines}{expected}")


def _place_output(x: Any, dim: int | None, wanted: int | None, size: int, fun: Function) -> Any:
    if wanted is None:
        if dim is not None:
            raise ValueError(
                "at vmap out_axes, got axis spec None but output was batched on axis "
                f"{dim}: this result of {describe_function(fun)} differs from call to call."
            )
        return x
    ndim = typeof(x).ndim + (dim is None)
    if not -ndim <= wanted < ndim:
        raise ValueError(
            f"axis {wanted} is out of bounds for array of dimension {ndim}: out_axes of vmap"
        )
    return place_batch_axis(x, dim, size, wanted % ndim)
