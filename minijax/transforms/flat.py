"""How do functions of pytrees meet transformations of flat functions?

Traces and jaxprs know only lists of arrays. A user's function takes and returns nested containers,
keyword arguments and Python scalars. This module stands between: it flattens arguments, wraps the
function so that it takes and returns flat lists, remembers the structure of the result, checks
that results are arrays, and finds names for arguments to use in messages.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core.aval import ShapeDtypeStruct, is_array_like, typeof
from minijax.core.jaxpr import DebugInfo
from minijax.core.tree import (
    PyTreeDef,
    keystr,
    tree_flatten,
    tree_flatten_with_path,
    tree_leaves,
    tree_unflatten,
)


class FlatFunction:
    """A function of flat arguments made of one of pytrees.

    Parameters
    ----------
    fun : callable
        Called with the arguments that ``in_tree`` describes.
    in_tree : PyTreeDef
        Structure of ``(args, kwargs)``, or of ``args`` alone if ``has_kwargs`` is false.
    what : str
        What to call the function in messages.
    has_kwargs : bool
        Whether ``in_tree`` describes keyword arguments too.
    has_aux : bool
        Whether the function returns a pair whose second part is only handed through.

    After a call ``out_tree`` holds the structure of the result.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        in_tree: PyTreeDef,
        what: str = "",
        has_kwargs: bool = True,
        has_aux: bool = False,
    ):
        self.fun = fun
        self.in_tree = in_tree
        self.what = what or describe_function(fun)
        self.has_kwargs = has_kwargs
        self.has_aux = has_aux
        self.out_tree: PyTreeDef = None  # type: ignore[assignment]
        self._aux_tree: PyTreeDef = None  # type: ignore[assignment]
        self._aux_objects: list[Any] = []

    def __call__(self, *leaves: Any) -> list[Any]:
        """Call the function; returns the leaves of its result, then the arrays of its aux."""
        tree = tree_unflatten(self.in_tree, leaves)
        result = self.fun(*tree[0], **tree[1]) if self.has_kwargs else self.fun(*tree)
        aux: list[Any] = []
        if self.has_aux:
            result, aux = self._set_aux_aside(result)
        outs, self.out_tree = tree_flatten(result)
        for i, x in enumerate(outs):
            if not is_array_like(x):
                raise TypeError(
                    f"function {self.what} returned a value of type {type(x)}"
                    f"{_output_path(result, i)}, which is not a valid JAX type"
                )
        return [*outs, *aux]

    def _set_aux_aside(self, result: Any) -> tuple[Any, list[Any]]:
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(
                "expected function with aux output to return a two-element tuple, but got type "
                f"{type(result)} with value {result!r}"
            )
        self._aux_objects, self._aux_tree = tree_flatten(result[1])
        return result[0], [x for x in self._aux_objects if is_array_like(x)]

    def unflatten(self, outs: Sequence[Any]) -> Any:
        """Return the result (without aux) made of its leaves."""
        return tree_unflatten(self.out_tree, outs[: self.out_tree.num_leaves])

    def aux(self, outs: Sequence[Any]) -> Any:
        """Return the auxiliary part; what was no array is in it as it was."""
        arrays = iter(outs[self.out_tree.num_leaves :])
        leaves = [next(arrays) if is_array_like(x) else x for x in self._aux_objects]
        return tree_unflatten(self._aux_tree, leaves)


def check_callable(fun: Any) -> None:
    """Refuse what cannot be called, where it is given and not only where it is called.

    Raises
    ------
    TypeError
    """
    if not callable(fun):
        raise TypeError(f"Expected a callable value, got {fun}")


def _output_path(result: Any, index: int) -> str:
    path, _ = tree_flatten_with_path(result)[0][index]
    return f" at output component {keystr(path)}" if path else ""


def describe_function(fun: Callable[..., Any]) -> str:
    """Return ``name at file:line`` for messages."""
    return f"{function_name(fun)} at {function_location(fun)}"


def function_name(fun: Callable[..., Any]) -> str:
    """Return the name of a function, also of a partial or callable object."""
    if isinstance(fun, functools.partial):
        return function_name(fun.func)
    return getattr(fun, "__name__", type(fun).__name__)


def function_location(fun: Callable[..., Any]) -> str:
    """Return ``file:line`` where a function is defined."""
    inner = inspect.unwrap(fun.func if isinstance(fun, functools.partial) else fun)
    code = getattr(inner, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else "<unknown>"


def argument_names(
    fun: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any] | None = None
) -> tuple[str, ...]:
    """Return a name for every leaf of the arguments: ``x``, ``params['w'][0]``."""
    kwargs = kwargs or {}
    names = _parameter_names(fun, args)
    result = []
    for path, _ in tree_flatten_with_path((tuple(args), kwargs))[0]:
        if path[0].idx == 0:  # type: ignore[attr-defined]
            result.append(names[path[1].idx] + keystr(path[2:]))  # type: ignore[attr-defined]
        else:
            result.append(str(path[1].key) + keystr(path[2:]))  # type: ignore[attr-defined]
    return tuple(result)


def _parameter_names(fun: Callable[..., Any], args: Sequence[Any]) -> list[str]:
    try:
        parameters = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):
        return [f"args[{i}]" for i in range(len(args))]
    names: list[str] = []
    for p in parameters:
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            names.append(p.name)
        elif p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}[{i}]" for i in range(len(args) - len(names))]
    return names + [f"args[{i}]" for i in range(len(names), len(args))]


def debug_info(
    transformation: str,
    fun: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
) -> DebugInfo:
    """Describe a function about to be traced."""
    return DebugInfo(
        transformation,
        function_name(fun),
        function_location(fun),
        argument_names(fun, args, kwargs),
    )


def check_arguments(
    fun: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
    allow_structs: bool = False,
) -> None:
    """Refuse arguments that are not arrays, naming their path.

    With ``allow_structs`` a ``ShapeDtypeStruct`` may stand for an array.

    Raises
    ------
    TypeError
    OverflowError
        If a Python integer does not fit the integer type in use.
    """
    kwargs = kwargs or {}
    for i, x in enumerate(tree_leaves((tuple(args), kwargs))):
        if not _is_argument(x, allow_structs):
            name = argument_names(fun, args, kwargs)[i]
            raise TypeError(
                f"Error interpreting argument to {fun} as an abstract array. The problematic "
                f"value is of type {type(x)} and was passed to the function at path {name}.\n"
                "This typically means that a jit-wrapped function was called with a non-array "
                "argument, and this argument was not marked as static using the static_argnums "
                "or static_argnames parameters of jax.jit."
            )
        if type(x) is int and not _fits(x):
            name = argument_names(fun, args, kwargs)[i]
            raise OverflowError(
                "An overflow was encountered while parsing an argument to a jitted computation, "
                f"whose argument path is {name}. Got <class 'int'> with value {x}, which does "
                f"not fit {typeof(x).dtype.name}: set jax_enable_x64, or pass a float."
            )


def check_primals(fun: Callable[..., Any], primals: Sequence[Any]) -> None:
    """Refuse points of differentiation that are not arrays, naming their path.

    Raises
    ------
    TypeError
    """
    for i, x in enumerate(tree_leaves(tuple(primals))):
        if not _is_argument(x, allow_structs=False):
            raise TypeError(
                f"Argument {x!r} of type {type(x)} is not a valid JAX type: argument "
                f"{argument_names(fun, primals)[i]} of {describe_function(fun)} must be an array "
                "or a scalar. Close over it, or differentiate with respect to others (argnums)."
            )


def _is_argument(x: Any, allow_structs: bool) -> bool:
    if isinstance(x, ShapeDtypeStruct):
        return allow_structs
    try:
        typeof(x)
    except TypeError:  # no array, or one of a dtype that arrays here cannot have
        return False
    return True


def _fits(x: int) -> bool:
    limits = np.iinfo(typeof(x).dtype)
    return limits.min <= x <= limits.max
