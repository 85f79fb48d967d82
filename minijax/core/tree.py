"""What can be done with whole pytrees?

A *pytree* is a value made of nested containers; what is not a container is a *leaf*. Every function
here takes its trees apart into leaves (``tree_flatten.py``) and structure (``treedef.py``), does
something with the lists of leaves, and puts them together again: transformations of functions on
arrays become transformations of functions on dictionaries of lists of arrays.

The other files of the package import pytrees from here: keys (``tree_keys.py``), the types that are
nodes (``tree_nodes.py``) and their registration (``tree_register.py``), structures, and the search
for differences (``tree_mismatch.py``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from minijax.core.tree_flatten import (
    says_leaf,
    tree_flatten,
    tree_flatten_with_path,
    tree_leaves,
    tree_structure,
)
from minijax.core.tree_keys import (
    DictKey,
    FlattenedIndexKey,
    GetAttrKey,
    KeyEntry,
    KeyPath,
    SequenceKey,
    keystr,
)
from minijax.core.tree_mismatch import (
    equality_errors,
    equality_errors_pytreedef,
    prefix_errors,
)
from minijax.core.tree_nodes import (
    find_node_type,
    flatten_one_level,
    flatten_one_level_with_keys,
    is_tree_node,
)
from minijax.core.tree_partial import Partial
from minijax.core.tree_register import (
    register_dataclass,
    register_pytree_node,
    register_pytree_node_class,
    register_pytree_with_keys,
    register_pytree_with_keys_class,
    register_static,
)
from minijax.core.tree_registry import PyTreeRegistry, default_registry
from minijax.core.treedef import PyTreeDef, treedef_tuple

T = TypeVar("T")
IsLeaf = Callable[[Any], bool]

_MISSING = object()


def tree_unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any:
    """Build the tree of this structure with these leaves: the inverse of ``tree_flatten``.

    Raises
    ------
    ValueError
        If there are too few or too many leaves.

    Examples
    --------
    >>> leaves, treedef = tree_flatten({"a": 1, "b": (2, 3)})
    >>> tree_unflatten(treedef, [10 * leaf for leaf in leaves])
    {'a': 10, 'b': (20, 30)}
    """
    return treedef.unflatten(leaves)


def tree_leaves_with_path(
    tree: Any, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves of a tree with their key paths, as ``tree_flatten_with_path`` gives them."""
    return tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)[0]


def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """The structures of the root's children; none if the root is a leaf."""
    return treedef.children()


def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    """Whether a structure is a single node: a leaf, or a container with nothing in it."""
    return treedef.num_nodes == 1


def all_leaves(iterable: Iterable[Any], is_leaf: IsLeaf | None = None) -> bool:
    """Whether all items are leaves: not containers, or leaves by ``is_leaf``.

    Examples
    --------
    >>> all_leaves([1, 2.0, "three"]), all_leaves([1, None])
    (True, False)
    """
    return all(says_leaf(is_leaf, x) or find_node_type(type(x)) is None for x in iterable)


# --- maps ---


def _flatten_up_to(
    treedef: PyTreeDef,
    prefix: Any,
    tree: Any,
    name: str,
    is_leaf: Callable[..., bool] | None,
    is_leaf_takes_path: bool = False,
) -> list[Any]:
    """``treedef.flatten_up_to(tree)`` with an error that names the place."""
    try:
        return treedef.flatten_up_to(tree)
    except ValueError:
        errors = prefix_errors(prefix, tree, is_leaf, is_leaf_takes_path)
        if not errors:
            raise
    raise errors[0](name)


def tree_map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Apply a function to the leaves and keep the structure.

    Parameters
    ----------
    f
        Takes one leaf of ``tree`` and what stands at the same place in each of ``rest``.
    tree
        Any value.
    *rest
        Trees of which ``tree`` is a prefix.
    is_leaf
        As in ``tree_flatten``, for ``tree``.

    Returns
    -------
    tree of results, structured as ``tree``

    Raises
    ------
    ValueError
        If ``tree`` is not a prefix of one of ``rest``; the message names the key path.

    Examples
    --------
    >>> tree_map(lambda x, y: x + y, {"a": 1, "b": [2]}, {"a": 10, "b": [20]})
    {'a': 11, 'b': [22]}
    """
    leaves, treedef = tree_flatten(tree, is_leaf)
    columns = [_flatten_up_to(treedef, tree, r, "tree_map tree", is_leaf) for r in rest]
    return treedef.unflatten(map(f, leaves, *columns))


def tree_map_with_path(
    f: Callable[..., Any],
    tree: Any,
    *rest: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> Any:
    """``tree_map`` with the key path of the place as first argument of ``f``.

    Examples
    --------
    >>> tree_map_with_path(lambda path, x: keystr(path), {"a": 1, "b": [2]})
    {'a': "['a']", 'b': ["['b'][0]"]}
    """
    pairs, treedef = tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)
    paths, leaves = [path for path, _ in pairs], [leaf for _, leaf in pairs]
    name = "tree_map_with_path tree"
    columns = [_flatten_up_to(treedef, tree, r, name, is_leaf, is_leaf_takes_path) for r in rest]
    return treedef.unflatten(map(f, paths, leaves, *columns))


def broadcast_prefix(prefix_tree: Any, full_tree: Any, is_leaf: IsLeaf | None = None) -> list[Any]:
    """Repeat each leaf of a prefix for every leaf below its place in the full tree.

    Parameters
    ----------
    prefix_tree
        A prefix of ``full_tree``.
    full_tree
        Any value.
    is_leaf
        As in ``tree_flatten``, for ``prefix_tree``.

    Returns
    -------
    list
        One item for each leaf of ``full_tree``.

    Raises
    ------
    ValueError
        If it is not a prefix; the message names the key path.

    Examples
    --------
    >>> broadcast_prefix((0, None), (5, [6, 7]), is_leaf=lambda x: x is None)
    [0, None, None]
    """
    leaves, treedef = tree_flatten(prefix_tree, is_leaf)
    name = "broadcast_prefix prefix_tree"
    subtrees = _flatten_up_to(treedef, prefix_tree, full_tree, name, is_leaf)
    result: list[Any] = []
    for leaf, subtree in zip(leaves, subtrees, strict=True):
        result += [leaf] * len(tree_leaves(subtree))
    return result


def broadcast_flattened_prefix_with_treedef(
    prefix_leaves: Iterable[Any], prefix_treedef: PyTreeDef, full_treedef: PyTreeDef
) -> list[Any]:
    """``broadcast_prefix`` for trees of which only the structures are at hand.

    Raises
    ------
    ValueError
        If ``prefix_treedef`` is not a prefix of ``full_treedef``.
    """
    remaining = iter(prefix_leaves)
    result: list[Any] = []

    def visit(prefix: PyTreeDef, full: PyTreeDef) -> None:
        if prefix.node_data() is None:
            result.extend([next(remaining)] * full.num_leaves)
            return
        children, full_children = prefix.children(), full.children()
        if prefix.node_data() != full.node_data() or len(children) != len(full_children):
            raise ValueError(f"{prefix_treedef} is not a prefix of {full_treedef}.")
        for child, full_child in zip(children, full_children, strict=True):
            visit(child, full_child)

    visit(prefix_treedef, full_treedef)
    return result


def tree_broadcast(prefix_tree: Any, full_tree: Any, is_leaf: IsLeaf | None = None) -> Any:
    """``broadcast_prefix`` in the structure of the full tree.

    Raises
    ------
    ValueError
        If ``prefix_tree`` is not a prefix of ``full_tree``; the message names the key path.

    Examples
    --------
    >>> tree_broadcast((0, 1), (5, [6, 7]))
    (0, [1, 1])
    """
    leaves = broadcast_prefix(prefix_tree, full_tree, is_leaf)
    return tree_structure(full_tree).unflatten(leaves)


def tree_transpose(
    outer_treedef: PyTreeDef, inner_treedef: PyTreeDef | None, pytree_to_transpose: Any
) -> Any:
    """Turn a tree of trees inside out: a list of pairs becomes a pair of lists.

    Parameters
    ----------
    outer_treedef
        The structure of the tree whose leaves are trees.
    inner_treedef
        The structure that these have in common; None to take that of the first.
    pytree_to_transpose
        A tree with the structure ``outer_treedef.compose(inner_treedef)``.

    Returns
    -------
    tree with the structure ``inner_treedef.compose(outer_treedef)``

    Raises
    ------
    TypeError
        If the numbers of leaves do not agree.
    ValueError
        If a structure to be found in the tree is not there.

    Examples
    --------
    >>> tree_transpose(tree_structure([0, 0]), tree_structure((0, 0)), [(1, 2), (3, 4)])
    ([1, 3], [2, 4])
    """
    if inner_treedef is None:
        subtrees = outer_treedef.flatten_up_to(pytree_to_transpose)
        if not subtrees:
            raise ValueError(
                "tree_transpose cannot infer inner_treedef from a tree without leaves."
            )
        inner_treedef = tree_structure(subtrees[0])
    leaves, treedef = tree_flatten(pytree_to_transpose)
    outer_size, inner_size = outer_treedef.num_leaves, inner_treedef.num_leaves
    if treedef.num_leaves != outer_size * inner_size:
        expected = outer_treedef.compose(inner_treedef)
        raise TypeError(f"Mismatch\n{treedef}\n != \n{expected}")
    columns = [leaves[i::inner_size] for i in range(inner_size)]
    return inner_treedef.unflatten([outer_treedef.unflatten(column) for column in columns])


# --- reductions ---


def tree_reduce(
    function: Callable[[T, Any], T],
    tree: Any,
    initializer: Any = _MISSING,
    is_leaf: IsLeaf | None = None,
) -> T:
    """Combine the leaves from left to right, as ``functools.reduce``.

    Raises
    ------
    TypeError
        If there is no leaf and no ``initializer``.

    Examples
    --------
    >>> tree_reduce(lambda total, x: total + x, {"a": 1, "b": [2, 3]})
    6
    """
    leaves = tree_leaves(tree, is_leaf)
    if initializer is _MISSING:
        return functools.reduce(function, leaves)
    return functools.reduce(function, leaves, initializer)


def tree_reduce_associative(
    operation: Callable[[T, T], T],
    tree: Any,
    *,
    identity: Any = _MISSING,
    is_leaf: IsLeaf | None = None,
) -> T:
    """Combine the leaves pairwise in a balanced tree of calls, of logarithmic depth.

    Parameters
    ----------
    operation
        An associative function of two leaves or results.
    tree
        Any value.
    identity
        The result if there is no leaf; not used otherwise.
    is_leaf
        As in ``tree_flatten``.

    Raises
    ------
    TypeError
        If there is no leaf and no ``identity``.

    Examples
    --------
    >>> tree_reduce_associative(lambda a, b: f"({a}{b})", ["a", "b", "c", "d"])
    '((ab)(cd))'
    """
    leaves = tree_leaves(tree, is_leaf)
    if not leaves:
        if identity is _MISSING:
            raise TypeError("Must specify identity for parallel reduction of empty sequence.")
        return identity

    def combine(items: list[Any]) -> Any:
        if len(items) == 1:
            return items[0]
        middle = len(items) // 2
        return operation(combine(items[:middle]), combine(items[middle:]))

    return combine(leaves)


def tree_all(tree: Any, *, is_leaf: IsLeaf | None = None) -> bool:
    """Whether all leaves are true.

    Examples
    --------
    >>> tree_all({"a": True, "b": [True, 0]})
    False
    """
    return all(tree_leaves(tree, is_leaf))


__all__ = [
    "DictKey",
    "FlattenedIndexKey",
    "GetAttrKey",
    "KeyEntry",
    "KeyPath",
    "Partial",
    "PyTreeDef",
    "PyTreeRegistry",
    "SequenceKey",
    "all_leaves",
    "broadcast_flattened_prefix_with_treedef",
    "broadcast_prefix",
    "default_registry",
    "equality_errors",
    "equality_errors_pytreedef",
    "flatten_one_level",
    "flatten_one_level_with_keys",
    "is_tree_node",
    "keystr",
    "prefix_errors",
    "register_dataclass",
    "register_pytree_node",
    "register_pytree_node_class",
    "register_pytree_with_keys",
    "register_pytree_with_keys_class",
    "register_static",
    "tree_all",
    "tree_broadcast",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_with_path",
    "tree_reduce",
    "tree_reduce_associative",
    "tree_structure",
    "tree_transpose",
    "tree_unflatten",
    "treedef_children",
    "treedef_is_leaf",
    "treedef_tuple",
]
