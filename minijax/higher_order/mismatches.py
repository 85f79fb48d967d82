"""How is a user told that the types in a loop or a conditional do not fit together?

A loop carry must leave the body with the structure and types that it entered with; the branches
of a conditional must return the same. The messages name the place in the pytree by the user's own
argument name, both types, and the cure.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minijax.core.aval import ShapedArray
from minijax.core.primitive import note_user_line
from minijax.core.tree import PyTreeDef, keystr, tree_flatten_with_path, tree_unflatten
from minijax.core.tree_mismatch import equality_errors, equality_errors_pytreedef
from minijax.transforms.flat import describe_function


def check_carry(
    what: str,
    fun: Callable[..., Any],
    in_tree: PyTreeDef,
    avals_in: Sequence[ShapedArray],
    out_tree: PyTreeDef,
    avals_out: Sequence[ShapedArray],
) -> None:
    """Refuse a loop body whose carry comes out with another structure or type than it went in.

    Raises
    ------
    TypeError
    """
    name = _first_parameter(fun)
    if in_tree != out_tree:
        differences = equality_errors(
            tree_unflatten(in_tree, avals_in), tree_unflatten(out_tree, avals_out)
        )
        lines = [
            f"{_component(name, path)} is a {one} but the corresponding component of the carry "
            f"output is a {other}, so {explanation}"
            for path, one, other, explanation in differences
        ]
        raise _error(
            what,
            f"{what} body function carry input and carry output must have the same pytree "
            f"structure, but they differ:\n\n{_listed(lines)}\n\n"
            "Revise the function so that the carry output has the same pytree structure as the "
            "carry input.",
        )
    lines = [
        f"{_component(name, path)} has type {one.str_short()} but the corresponding output carry "
        f"component has type {other.str_short()}, so {_difference(one, other)}"
        for path, one, other in _differing(in_tree, avals_in, avals_out)
    ]
    if lines:
        raise _error(
            what,
            f"{what} body function carry input and carry output must have equal types, but they "
            f"differ:\n\n{_listed(lines)}\n\n"
            "Revise the function so that all output types match the corresponding input types.",
        )


def check_branches(
    what: str,
    names: tuple[str, str],
    functions: tuple[Callable[..., Any], Callable[..., Any]],
    trees: tuple[PyTreeDef, PyTreeDef],
    avals: tuple[Sequence[ShapedArray], Sequence[ShapedArray]],
) -> None:
    """Refuse two branches of a conditional that return different structures or types.

    Raises
    ------
    TypeError
    """
    first, second = names
    who = "\n".join(
        f"{name} is {describe_function(fun)}" for name, fun in zip(names, functions, strict=True)
    )
    if trees[0] != trees[1]:
        lines = [
            f"{first} output{_at(path)} is a {one} but {second} output{_at(path)} is a {other}, "
            f"so {explanation}"
            for path, one, other, explanation in equality_errors_pytreedef(*trees)
        ]
        raise _error(
            what,
            f"{what} branch outputs must have the same pytree structure, but they differ:\n\n"
            f"{who}\n\n{_listed(lines)}\n\n"
            f"Revise {first} and/or {second} so that they have the same pytree structure.",
        )
    lines = [
        f"the output of {first}{_at(path)} has type {one.str_short()} but the corresponding "
        f"output of {second} has type {other.str_short()}, so {_difference(one, other)}"
        for path, one, other in _differing(trees[0], *avals)
    ]
    if lines:
        raise _error(
            what,
            f"{what} branches must have equal output types but they differ.\n\n"
            f"{who}\n\n{_listed(lines)}\n\n"
            f"Revise {first} and/or {second} so that all output types match.",
        )


def _error(what: str, message: str) -> TypeError:
    """Return the error with a note of the line that called the loop or the conditional."""
    error = TypeError(message)
    note_user_line(error, what)
    return error


def _differing(
    tree: PyTreeDef, avals: Sequence[ShapedArray], others: Sequence[ShapedArray]
) -> Iterator[tuple[Any, ShapedArray, ShapedArray]]:
    """Yield the leaves whose types differ; weakness does not count."""
    paths = [path for path, _ in tree_flatten_with_path(tree_unflatten(tree, avals))[0]]
    for path, one, other in zip(paths, avals, others, strict=True):
        if (one.shape, one.dtype) != (other.shape, other.dtype):
            yield path, one, other


def _difference(one: ShapedArray, other: ShapedArray) -> str:
    parts = ["the dtypes do not match"] if one.dtype != other.dtype else []
    if len(one.shape) != len(other.shape) or one.shape != other.shape:
        parts.append("the shapes do not match")
    return ", and ".join(parts)


def _component(name: str, path: Any) -> str:
    return f"the input carry component {name}{keystr(path)}" if path else f"the input carry {name}"


def _at(path: Any) -> str:
    return f" at path {keystr(path)}" if path else ""


def _listed(lines: list[str]) -> str:
    """Return one difference as a sentence, several as a list."""
    if len(lines) == 1:
        return (
            f"{lines[0][0].upper() if lines[0].startswith('the ') else lines[0][0]}{lines[0][1:]}."
        )
    return ";\n".join(f"  * {line}" for line in lines) + "."


def _first_parameter(fun: Callable[..., Any]) -> str:
    try:
        return next(iter(inspect.signature(fun).parameters), "carry")
    except (TypeError, ValueError):
        return "carry"
