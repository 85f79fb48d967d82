"""How is a pytree taken apart, quickly?

By one walk in postorder that fills two lists: the leaves, and the *spec* of the structure
(``treedef.py``). Every call of a jitted function flattens its arguments, so the built-in containers
have walkers of their own, and a type that was met as a leaf before costs one look into a set.
Flattening with a predicate or with key paths goes through the node types, one way for all.
"""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Any

from minijax.core.tree_nodes import find_node_type, leaf_types, note_leaf_type, sorted_keys
from minijax.core.treedef import (
    LEAF,
    Metadata,
    PyTreeDef,
    entry_of,
    intern,
    interned,
    is_plain,
    treedef_from_spec,
)

# A walker appends the leaves below a node to `leaves` and its structure to `spec`, and returns
# whether it met metadata that forbid interning.


def _walk_tuple(node: tuple[Any, ...], leaves: list[Any], spec: list[Any]) -> bool:
    odd = False
    for child in node:
        if type(child) in leaf_types:
            leaves.append(child)
            spec.append(LEAF)
        else:
            odd |= _walkers.get(type(child), _walk_other)(child, leaves, spec)
    spec.append((tuple, None, len(node)))
    return odd


def _walk_list(node: list[Any], leaves: list[Any], spec: list[Any]) -> bool:
    odd = False
    for child in node:
        if type(child) in leaf_types:
            leaves.append(child)
            spec.append(LEAF)
        else:
            odd |= _walkers.get(type(child), _walk_other)(child, leaves, spec)
    spec.append((list, None, len(node)))
    return odd


def _walk_dict(node: dict[Any, Any], leaves: list[Any], spec: list[Any]) -> bool:
    keys = tuple(sorted_keys(node)) if len(node) > 1 else tuple(node)
    odd = False
    for key in keys:
        child = node[key]
        if type(child) in leaf_types:
            leaves.append(child)
            spec.append(LEAF)
        else:
            odd |= _walkers.get(type(child), _walk_other)(child, leaves, spec)
    if is_plain(keys):
        spec.append((dict, keys, len(keys)))
        return odd
    spec.append((dict, Metadata(keys), len(keys)))
    return True


def _walk_none(node: None, leaves: list[Any], spec: list[Any]) -> bool:
    spec.append((NoneType, None, 0))
    return False


def _walk_other(node: Any, leaves: list[Any], spec: list[Any]) -> bool:
    typ = type(node)
    if typ in leaf_types:
        leaves.append(node)
        spec.append(LEAF)
        return False
    node_type = find_node_type(typ)
    if node_type is None:
        note_leaf_type(typ)
        leaves.append(node)
        spec.append(LEAF)
        return False
    children, metadata = node_type.flatten(node)
    odd = False
    for child in children:
        odd |= _walkers.get(type(child), _walk_other)(child, leaves, spec)
    plain = is_plain(metadata)
    spec.append((typ, metadata if plain else Metadata(metadata), len(children)))
    return odd or not plain


_walkers: dict[type, Callable[[Any, list[Any], list[Any]], bool]] = {
    tuple: _walk_tuple,
    list: _walk_list,
    dict: _walk_dict,
    NoneType: _walk_none,
}


def says_leaf(is_leaf: Callable[..., Any] | None, *args: Any) -> bool:
    """Ask a user's ``is_leaf`` predicate; it may be absent, and has to answer with a bool.

    Raises
    ------
    ValueError
        If it answers with anything else.
    """
    if is_leaf is None:
        return False
    answer = is_leaf(*args)
    if answer is not None and type(answer) is not bool:
        raise ValueError(
            f"is_leaf predicate returned a non-boolean value {answer!r}; expected a boolean"
        )
    return bool(answer)


def with_path(
    is_leaf: Callable[..., bool] | None, takes_path: bool
) -> Callable[[tuple[Any, ...], Any], bool] | None:
    """A predicate on a node, or on a path and a node, as one on a path and a node."""
    if is_leaf is None or takes_path:
        return is_leaf
    return lambda path, node: is_leaf(node)


def _walk_with_predicate(
    node: Any, is_leaf: Callable[[Any], bool], leaves: list[Any], spec: list[Any]
) -> None:
    node_type = None if says_leaf(is_leaf, node) else find_node_type(type(node))
    if node_type is None:
        leaves.append(node)
        spec.append(LEAF)
        return
    children, metadata = node_type.flatten(node)
    for child in children:
        _walk_with_predicate(child, is_leaf, leaves, spec)
    spec.append(entry_of(type(node), metadata, len(children)))


def _walk_with_path(
    path: tuple[Any, ...],
    node: Any,
    is_leaf: Callable[[tuple[Any, ...], Any], bool] | None,
    leaves: list[tuple[tuple[Any, ...], Any]],
    spec: list[Any],
) -> None:
    node_type = None if says_leaf(is_leaf, path, node) else find_node_type(type(node))
    if node_type is None:
        leaves.append((path, node))
        spec.append(LEAF)
        return
    children, metadata = node_type.flatten_with_keys(node)
    for key, child in children:
        _walk_with_path((*path, key), child, is_leaf, leaves, spec)
    spec.append(entry_of(type(node), metadata, len(children)))


def tree_flatten(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[Any], PyTreeDef]:
    """Take a pytree apart into its leaves and its structure.

    Parameters
    ----------
    tree
        Any value; one that is not a container is a leaf.
    is_leaf
        Asked at every node: True makes it a leaf, whatever it is.

    Returns
    -------
    leaves : list
        From left to right; dictionaries in the order of their sorted keys.
    treedef : PyTreeDef

    Raises
    ------
    ValueError
        If the keys of a dictionary cannot be sorted, or ``is_leaf`` does not return a bool.

    Examples
    --------
    >>> tree_flatten({"b": [1, 2], "a": None})
    ([1, 2], PyTreeDef({'a': None, 'b': [*, *]}))
    """
    leaves: list[Any] = []
    spec: list[Any] = []
    if is_leaf is not None:
        _walk_with_predicate(tree, is_leaf, leaves, spec)
        return leaves, treedef_from_spec(tuple(spec))
    odd = _walkers.get(type(tree), _walk_other)(tree, leaves, spec)
    key = tuple(spec)
    if odd:
        return leaves, PyTreeDef(key)
    return leaves, interned.get(key) or intern(key)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves of a pytree, as ``tree_flatten`` gives them."""
    leaves: list[Any] = []
    if is_leaf is not None:
        _walk_with_predicate(tree, is_leaf, leaves, [])
    else:
        _walkers.get(type(tree), _walk_other)(tree, leaves, [])
    return leaves


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> PyTreeDef:
    """The structure of a pytree, as ``tree_flatten`` gives it."""
    return tree_flatten(tree, is_leaf)[1]


def tree_flatten_with_path(
    tree: Any, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> tuple[list[tuple[tuple[Any, ...], Any]], PyTreeDef]:
    """Take a pytree apart; each leaf comes with its key path.

    Parameters
    ----------
    tree
        Any value.
    is_leaf
        As in ``tree_flatten``.
    is_leaf_takes_path
        Call ``is_leaf(path, node)`` instead of ``is_leaf(node)``.

    Returns
    -------
    paths_and_leaves : list of (tuple of keys, leaf)
    treedef : PyTreeDef

    Examples
    --------
    >>> tree_flatten_with_path({"a": [7]})
    ([((DictKey(key='a'), SequenceKey(idx=0)), 7)], PyTreeDef({'a': [*]}))
    """
    leaves: list[tuple[tuple[Any, ...], Any]] = []
    spec: list[Any] = []
    _walk_with_path((), tree, with_path(is_leaf, is_leaf_takes_path), leaves, spec)
    return leaves, treedef_from_spec(tuple(spec))
