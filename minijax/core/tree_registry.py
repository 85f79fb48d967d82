"""What does JAX's API hand around as the registry of node types?

An object whose methods are the functions of this package: there is one registry for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, final

from minijax.core.tree_flatten import tree_flatten, tree_flatten_with_path
from minijax.core.tree_nodes import (
    flatten_one_level,
    flatten_one_level_with_keys,
    is_tree_node,
)
from minijax.core.tree_register import register_dataclass, register_pytree_node
from minijax.core.treedef import PyTreeDef


@final
class PyTreeRegistry:
    """The registered node types as an object; there is one, ``default_registry``."""

    __slots__ = ()

    def flatten(
        self, tree: Any, is_leaf: Callable[[Any], bool] | None = None
    ) -> tuple[list[Any], PyTreeDef]:
        """See ``tree_flatten``."""
        return tree_flatten(tree, is_leaf)

    def flatten_with_path(
        self,
        tree: Any,
        is_leaf: Callable[..., bool] | None = None,
        is_leaf_takes_path: bool = False,
    ) -> tuple[list[tuple[tuple[Any, ...], Any]], PyTreeDef]:
        """See ``tree_flatten_with_path``."""
        return tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)

    def flatten_one_level(self, tree: Any) -> tuple[Iterable[Any], Any] | None:
        """See ``flatten_one_level``; None for a leaf."""
        return flatten_one_level(tree) if is_tree_node(type(tree)) else None

    def flatten_one_level_with_keys(
        self, tree: Any
    ) -> tuple[Iterable[tuple[Any, Any]], Any] | None:
        """See ``flatten_one_level_with_keys``; None for a leaf."""
        return flatten_one_level_with_keys(tree) if is_tree_node(type(tree)) else None

    def is_node(self, typ: type) -> bool:
        """See ``is_tree_node``."""
        return is_tree_node(typ)

    def register_node(
        self,
        type: type,
        to_iterable: Callable[..., Any],
        from_iterable: Callable[..., Any],
        to_iterable_with_keys: Callable[..., Any] | None = None,
    ) -> None:
        """See ``register_pytree_node``."""
        register_pytree_node(type, to_iterable, from_iterable, to_iterable_with_keys)

    def register_dataclass_node(
        self, type: type, data_fields: list[str], meta_fields: list[str]
    ) -> None:
        """See ``register_dataclass``."""
        register_dataclass(type, data_fields, meta_fields)


default_registry = PyTreeRegistry()
