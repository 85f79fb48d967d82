"""Where and how do two pytrees differ in structure?

That two structures are not equal is quickly found and of little help: these functions walk both
trees together and name the key path of every place where they part. They are called when something
has failed already, so they are written for the message, not for speed.

The two questions differ in one point. In ``prefix_errors`` a leaf of the first tree may stand for a
whole subtree of the second (``in_axes=0`` for all arguments); in ``equality_errors`` it may not.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from minijax.core.tree_flatten import says_leaf, with_path
from minijax.core.tree_keys import key_value, keystr
from minijax.core.tree_nodes import find_node_type
from minijax.core.treedef import Metadata, PyTreeDef


class _Level(NamedTuple):
    """One node taken apart; a leaf has no keys and no metadata."""

    is_leaf: bool
    keys: list[Any]
    children: list[Any]
    metadata: Any


class _Leaf:
    """Stands for the leaves of a tree of which only the structure is known."""

    __slots__ = ()


def _level(tree: Any) -> _Level:
    node_type = find_node_type(type(tree))
    if node_type is None:
        return _Level(True, [], [], None)
    pairs, metadata = node_type.flatten_with_keys(tree)
    return _Level(False, [key for key, _ in pairs], [child for _, child in pairs], metadata)


def _key_difference(keys1: list[Any], keys2: list[Any]) -> list[Any]:
    values1, values2 = [key_value(key) for key in keys1], [key_value(key) for key in keys2]
    return [v for v in values1 if v not in values2] + [v for v in values2 if v not in values1]


def _same_metadata(a: Any, b: Any) -> bool:
    return Metadata(a) == Metadata(b)


# --- the first tree as a prefix of the second ---


def prefix_errors(
    prefix_tree: Any,
    full_tree: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> list[Callable[[str], ValueError]]:
    """Say why one tree is not a prefix of another.

    Parameters
    ----------
    prefix_tree
        The tree whose leaves stand for subtrees.
    full_tree
        The tree that it should be a prefix of.
    is_leaf, is_leaf_takes_path
        As in ``tree_flatten_with_path``, for ``prefix_tree``.

    Returns
    -------
    list of functions
        One for each place where they part; ``error(name)`` is the ValueError, which calls the
        prefix tree by the name that the user knows (``"vmap in_axes"``). Empty if it is a prefix.

    Examples
    --------
    >>> (error,) = prefix_errors({"w": [0]}, {"w": (1,)})
    >>> print(str(error("in_axes")).splitlines()[1])
        in_axes['w']
    """
    return list(_prefix_errors((), prefix_tree, full_tree, with_path(is_leaf, is_leaf_takes_path)))


def _prefix_errors(
    path: tuple[Any, ...],
    prefix: Any,
    full: Any,
    is_leaf: Callable[[tuple[Any, ...], Any], bool] | None,
) -> Iterator[Callable[[str], ValueError]]:
    level = _level(prefix)
    if level.is_leaf or says_leaf(is_leaf, path, prefix):
        return
    kind = type(prefix)
    if kind is not type(full):
        yield _prefix_error(
            path,
            "different types",
            f"has a subtree of type\n    {kind}\n"
            "but at the same key path the full pytree has a subtree of different type\n"
            f"    {type(full)}.",
        )
        return
    other = _level(full)
    if len(level.keys) != len(other.keys):
        yield _prefix_arity_error(path, kind, level.keys, other.keys)
        return
    if not _same_metadata(level.metadata, other.metadata):
        yield _prefix_metadata_error(path, kind, level.metadata, other.metadata)
        return
    for key, child, full_child in zip(level.keys, level.children, other.children, strict=True):
        yield from _prefix_errors((*path, key), child, full_child, is_leaf)


def _prefix_error(
    path: tuple[Any, ...], what: str, explanation: str
) -> Callable[[str], ValueError]:
    return lambda name: ValueError(
        f"pytree structure error: {what} at key path\n    {name}{keystr(path)}\n"
        f"At that key path, the prefix pytree {name} {explanation}"
    )


def _prefix_arity_error(
    path: tuple[Any, ...], kind: type, keys: list[Any], full_keys: list[Any]
) -> Callable[[str], ValueError]:
    if kind in (tuple, list):
        return _prefix_error(
            path,
            f"different lengths of {kind.__name__}",
            f"has a subtree of type {kind.__name__} of length {len(keys)}, but the full pytree has "
            f"a subtree of the same type but of length {len(full_keys)}.",
        )

    def show(values: Any) -> str:
        return " ".join(map(str, values))

    explanation = (
        f"has a subtree of type\n    {kind}\n"
        f"with {len(keys)} child keys\n    {show(map(key_value, keys))}\n"
        "but at the same key path the full pytree has a subtree of the same type but with "
        f"{len(full_keys)} child keys\n    {show(map(key_value, full_keys))}\n"
    )
    difference = _key_difference(keys, full_keys)
    if difference:
        explanation += f"so the symmetric difference on key sets is\n    {show(difference)}"
    return _prefix_error(path, "different numbers of pytree children", explanation)


def _prefix_metadata_error(
    path: tuple[Any, ...], kind: type, metadata: Any, full_metadata: Any
) -> Callable[[str], ValueError]:
    lines = difflib.ndiff(str(metadata).splitlines(), str(full_metadata).splitlines())
    return _prefix_error(
        path,
        "different pytree metadata",
        f"has a subtree of type\n    {kind}\nwith metadata\n    {metadata}\n"
        "but at the same key path the full pytree has a subtree of the same type but with "
        f"metadata\n    {full_metadata}\n"
        f"so the diff in the metadata at these pytree nodes is\n"
        f"{textwrap.indent(chr(10).join(lines), '    ')}",
    )


# --- two trees as equals ---

Difference = tuple[tuple[Any, ...], str, str, str]


def equality_errors(
    tree1: Any, tree2: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Iterator[Difference]:
    """Say where the structures of two trees differ.

    Parameters
    ----------
    tree1, tree2
        Any values.
    is_leaf
        As in ``tree_flatten``, for both.

    Yields
    ------
    path, what1, what2, explanation
        A key path, what stands there in each tree, and how these differ.

    Examples
    --------
    >>> list(equality_errors([1, (2,)], [1, (2, 3)]))[0][1:]
    ('tuple of length 1', 'tuple of length 2', 'the lengths do not match')
    """
    return _equality_errors((), tree1, tree2, is_leaf)


def equality_errors_pytreedef(treedef1: PyTreeDef, treedef2: PyTreeDef) -> Iterator[Difference]:
    """``equality_errors`` for two structures."""
    tree1 = treedef1.unflatten([_Leaf()] * treedef1.num_leaves)
    tree2 = treedef2.unflatten([_Leaf()] * treedef2.num_leaves)
    return equality_errors(tree1, tree2)


def _type_name(tree: Any) -> str:
    return "pytree leaf" if isinstance(tree, _Leaf) else str(type(tree))


def _child_count(count: int) -> str:
    return f"{count} child{'' if count == 1 else 'ren'}"


def _equality_errors(
    path: tuple[Any, ...], tree1: Any, tree2: Any, is_leaf: Callable[[Any], bool] | None
) -> Iterator[Difference]:
    leaf1, leaf2 = says_leaf(is_leaf, tree1), says_leaf(is_leaf, tree2)
    level1, level2 = _level(tree1), _level(tree2)
    if (leaf1 or level1.is_leaf) and (leaf2 or level2.is_leaf):
        return
    kind = type(tree1)
    if kind is not type(tree2) or leaf1 or leaf2:
        yield path, _type_name(tree1), _type_name(tree2), "their Python types differ"
        return
    count1, count2 = len(level1.keys), len(level2.keys)
    if count1 != count2:
        if kind in (tuple, list):
            name = kind.__name__
            yield (
                path,
                f"{name} of length {count1}",
                f"{name} of length {count2}",
                "the lengths do not match",
            )
            return
        difference = " ".join(map(repr, _key_difference(level1.keys, level2.keys)))
        yield (
            path,
            f"{kind} with {_child_count(count1)}",
            f"{kind} with {_child_count(count2)}",
            "the numbers of children do not match"
            + (f", with the symmetric difference of key sets: {{{difference}}}" * bool(difference)),
        )
        return
    if not _same_metadata(level1.metadata, level2.metadata):
        yield (
            path,
            f"{kind} with pytree metadata {level1.metadata}",
            f"{kind} with pytree metadata {level2.metadata}",
            "the pytree node metadata does not match",
        )
        return
    for key, child1, child2 in zip(level1.keys, level1.children, level2.children, strict=True):
        yield from _equality_errors((*path, key), child1, child2, is_leaf)
