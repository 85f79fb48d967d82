"""Which Python types are nodes of a pytree, and what is known about each of them?

A pytree is a Python value seen as a tree: containers are nodes, everything else is a leaf. A type
is a node when something is registered for it here: how to take a node apart into its children and
the *metadata* that the children do not hold (the keys of a dictionary, the function of a
``Partial``), and how to put it together again. All this for one type is one ``NodeType``, so that a
kind of container reads in one place.

``treedef.py`` writes whole structures down with these; ``tree.py`` maps over them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from types import NoneType
from typing import Any, final

from minijax.core.tree_keys import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey

KeyChild = tuple[Any, Any]


class NodeType(ABC):
    """What a pytree has to know about one type of container.

    ``metadata`` is always the second item of what ``flatten`` returns.
    """

    __slots__ = ()

    @abstractmethod
    def flatten(self, node: Any) -> tuple[Sequence[Any], Any]:
        """The children in their order, and the metadata."""

    @abstractmethod
    def flatten_with_keys(self, node: Any) -> tuple[list[KeyChild], Any]:
        """The same, each child with the key that names it in a key path."""

    @abstractmethod
    def build(self, node_type: type, metadata: Any, children: list[Any]) -> Any:
        """The inverse of ``flatten``."""

    @abstractmethod
    def describe(self, node_type: type, metadata: Any, children: list[str]) -> str:
        """The node in the repr of a treedef, given those of its children."""

    @abstractmethod
    def check_same(self, node_type: type, metadata: Any, value: Any) -> None:
        """Raise ValueError unless ``value`` is of the expected type, whatever its children."""

    def explain_arity(self, expected: int, found: int, value: Any) -> str:
        """Say that a value of the right type has the wrong number of children."""
        return f"Custom type arity mismatch: {found} != {expected}; value: {value!r}."

    def explain_metadata(self, expected: Any, found: Any, value: Any) -> str:
        """Say that a value of the right type has the wrong metadata."""
        return f"Mismatch custom node data: {expected!r} != {found!r}; value: {value!r}."


@final
class NoneNode(NodeType):
    """``None`` is a node without children, so that an absent subtree has no leaves."""

    __slots__ = ()

    def flatten(self, node: None) -> tuple[Sequence[Any], None]:
        return (), None

    def flatten_with_keys(self, node: None) -> tuple[list[KeyChild], None]:
        return [], None

    def build(self, node_type: type, metadata: None, children: list[Any]) -> None:
        return None

    def describe(self, node_type: type, metadata: None, children: list[str]) -> str:
        return "None"

    def check_same(self, node_type: type, metadata: None, value: Any) -> None:
        if value is not None:
            raise ValueError(
                f"Expected None, got {value!r}.\n\n"
                "None is a pytree node without children, not a prefix of other values. To treat it "
                "as a leaf, pass is_leaf:\n"
                "  jax.tree.map(lambda x, y: None if x is None else f(x, y), a, b, "
                "is_leaf=lambda x: x is None)"
            )


@final
class TupleNode(NodeType):
    """Plain tuples; a subclass of tuple is a leaf, unless it is a named tuple or registered."""

    __slots__ = ()

    def flatten(self, node: tuple[Any, ...]) -> tuple[Sequence[Any], None]:
        return node, None

    def flatten_with_keys(self, node: tuple[Any, ...]) -> tuple[list[KeyChild], None]:
        return [(SequenceKey(i), child) for i, child in enumerate(node)], None

    def build(self, node_type: type, metadata: None, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children)

    def describe(self, node_type: type, metadata: None, children: list[str]) -> str:
        return f"({children[0]},)" if len(children) == 1 else f"({', '.join(children)})"

    def check_same(self, node_type: type, metadata: None, value: Any) -> None:
        if type(value) is not tuple:
            raise ValueError(f"Expected tuple, got {value!r}.")

    def explain_arity(self, expected: int, found: int, value: Any) -> str:
        return f"Tuple arity mismatch: {found} != {expected}; tuple: {value!r}."


@final
class ListNode(NodeType):
    """Plain lists; a subclass of list is a leaf, unless registered."""

    __slots__ = ()

    def flatten(self, node: list[Any]) -> tuple[Sequence[Any], None]:
        return node, None

    def flatten_with_keys(self, node: list[Any]) -> tuple[list[KeyChild], None]:
        return [(SequenceKey(i), child) for i, child in enumerate(node)], None

    def build(self, node_type: type, metadata: None, children: list[Any]) -> list[Any]:
        return children

    def describe(self, node_type: type, metadata: None, children: list[str]) -> str:
        return f"[{', '.join(children)}]"

    def check_same(self, node_type: type, metadata: None, value: Any) -> None:
        if type(value) is not list:
            raise ValueError(f"Expected list, got {value!r}.")

    def explain_arity(self, expected: int, found: int, value: Any) -> str:
        return f"List arity mismatch: {found} != {expected}; list: {value!r}."


def sorted_keys(node: dict[Any, Any]) -> list[Any]:
    """The keys of a dictionary in the order in which its children are visited.

    Raises
    ------
    ValueError
        If the keys cannot be compared with each other.
    """
    try:
        return sorted(node)
    except Exception as error:
        raise ValueError(
            "Comparator raised exception while sorting pytree dictionary keys."
        ) from error


@final
class DictNode(NodeType):
    """Plain dictionaries. Children are in the order of the sorted keys, which are the metadata.

    Sorting makes two dictionaries with the same keys the same structure, however they were filled.
    """

    __slots__ = ()

    def flatten(self, node: dict[Any, Any]) -> tuple[Sequence[Any], tuple[Any, ...]]:
        keys = sorted_keys(node)
        return tuple([node[key] for key in keys]), tuple(keys)

    def flatten_with_keys(self, node: dict[Any, Any]) -> tuple[list[KeyChild], tuple[Any, ...]]:
        keys = sorted_keys(node)
        return [(DictKey(key), node[key]) for key in keys], tuple(keys)

    def build(self, node_type: type, metadata: Sequence[Any], children: list[Any]) -> dict:
        return dict(zip(metadata, children, strict=True))

    def describe(self, node_type: type, metadata: Sequence[Any], children: list[str]) -> str:
        items = (f"{key!r}: {child}" for key, child in zip(metadata, children, strict=True))
        return "{" + ", ".join(items) + "}"

    def check_same(self, node_type: type, metadata: Sequence[Any], value: Any) -> None:
        if type(value) is not dict:
            raise ValueError(f"Expected dict, got {value!r}.")

    def explain_metadata(self, expected: Any, found: Any, value: Any) -> str:
        return (
            f"Dict key mismatch; expected keys: {list(expected)!r}; present keys: {list(found)!r}."
        )


@final
class NamedTupleNode(NodeType):
    """Every class made by ``collections.namedtuple`` or ``typing.NamedTuple``, unregistered.

    The metadata is the class itself.
    """

    __slots__ = ()

    def flatten(self, node: Any) -> tuple[Sequence[Any], type]:
        return list(node), type(node)

    def flatten_with_keys(self, node: Any) -> tuple[list[KeyChild], type]:
        return [(GetAttrKey(name), getattr(node, name)) for name in node._fields], type(node)

    def build(self, node_type: type, metadata: type, children: list[Any]) -> Any:
        return node_type(*children)

    def describe(self, node_type: type, metadata: type, children: list[str]) -> str:
        return f"CustomNode(namedtuple[{node_type.__name__}], [{', '.join(children)}])"

    def check_same(self, node_type: type, metadata: type, value: Any) -> None:
        if not is_namedtuple(type(value)):
            raise ValueError(f"Expected named tuple, got {value!r}.")
        if type(value) is not node_type:
            raise ValueError(
                f"Named tuple type mismatch: expected type: {node_type!r}, tuple: {value!r}."
            )


@final
class CustomNode(NodeType):
    """A type registered with functions that take a node apart and put it together.

    At least one of ``to_children`` and ``to_keyed_children`` is given.
    """

    __slots__ = ("_to_children", "_from_children", "_to_keyed_children")

    def __init__(
        self,
        to_children: Callable[[Any], Any] | None,
        from_children: Callable[[Any, tuple[Any, ...]], Any],
        to_keyed_children: Callable[[Any], Any] | None = None,
    ) -> None:
        self._to_children = to_children
        self._from_children = from_children
        self._to_keyed_children = to_keyed_children

    def flatten(self, node: Any) -> tuple[Sequence[Any], Any]:
        if self._to_children is None:
            keyed_children, metadata = self.flatten_with_keys(node)
            return [child for _, child in keyed_children], metadata
        result = self._to_children(node)
        what = "The to_iterable function for a custom PyTree node should return a"
        if type(result) is not tuple or len(result) != 2:
            raise ValueError(f"{what} (children, aux_data) tuple, got {result!r}")
        children, metadata = result
        if type(children) not in (tuple, list):
            try:
                children = list(children)
            except TypeError as error:
                raise ValueError(
                    f"{what} (children, aux_data) tuple where 'children' is iterable, "
                    f"got {result!r}"
                ) from error
        return children, metadata

    def flatten_with_keys(self, node: Any) -> tuple[list[KeyChild], Any]:
        if self._to_keyed_children is None:
            children, metadata = self.flatten(node)
            return [(FlattenedIndexKey(i), child) for i, child in enumerate(children)], metadata
        result = self._to_keyed_children(node)
        what = "The to_iterable_with_keys function for a custom PyTree node should return a"
        if type(result) is not tuple or len(result) != 2:
            raise ValueError(f"{what} (key_leaf_pairs, aux_data) tuple, got {result!r}")
        pairs, metadata = result
        try:
            return [(key, child) for key, child in pairs], metadata
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{what} (key_leaf_pairs, aux_data) tuple where 'key_leaf_pairs' is iterable and "
                f"holds (key, child) pairs, got {result!r}"
            ) from error

    def build(self, node_type: type, metadata: Any, children: list[Any]) -> Any:
        return self._from_children(metadata, tuple(children))

    def describe(self, node_type: type, metadata: Any, children: list[str]) -> str:
        return f"CustomNode({node_type.__name__}[{metadata}], [{', '.join(children)}])"

    def check_same(self, node_type: type, metadata: Any, value: Any) -> None:
        if type(value) is not node_type:
            raise ValueError(
                f"Custom node type mismatch: expected type: {node_type!r}, value: {value!r}."
            )


@final
class DataclassNode(NodeType):
    """A class whose children and metadata are attributes: ``data_fields`` and ``meta_fields``."""

    __slots__ = ("data_fields", "meta_fields")

    def __init__(self, data_fields: tuple[str, ...], meta_fields: tuple[str, ...]) -> None:
        self.data_fields = data_fields
        self.meta_fields = meta_fields

    def flatten(self, node: Any) -> tuple[Sequence[Any], tuple[Any, ...]]:
        children = [getattr(node, name) for name in self.data_fields]
        return children, tuple([getattr(node, name) for name in self.meta_fields])

    def flatten_with_keys(self, node: Any) -> tuple[list[KeyChild], tuple[Any, ...]]:
        children, metadata = self.flatten(node)
        keys = map(GetAttrKey, self.data_fields)
        return list(zip(keys, children, strict=True)), metadata

    def build(self, node_type: type, metadata: Sequence[Any], children: list[Any]) -> Any:
        fields = dict(zip(self.data_fields, children, strict=True))
        fields.update(zip(self.meta_fields, metadata, strict=True))
        return node_type(**fields)

    def describe(self, node_type: type, metadata: Sequence[Any], children: list[str]) -> str:
        return f"CustomNode({node_type.__name__}[{metadata}], [{', '.join(children)}])"

    def check_same(self, node_type: type, metadata: Sequence[Any], value: Any) -> None:
        if type(value) is not node_type:
            raise ValueError(
                f"Custom dataclass node type mismatch: expected type: {node_type!r}, "
                f"value: {value!r}."
            )

    def explain_metadata(self, expected: Any, found: Any, value: Any) -> str:
        return f"Mismatch custom dataclass node data: {expected!r} != {found!r}; value: {value!r}."


def is_namedtuple(candidate: type) -> bool:
    """Whether a type is a named tuple: a tuple whose places have names, in ``_fields``."""
    return issubclass(candidate, tuple) and hasattr(candidate, "_fields")


def _ordered_dict_with_keys(node: OrderedDict) -> tuple[list[KeyChild], tuple[Any, ...]]:
    return [(DictKey(key), child) for key, child in node.items()], tuple(node)


def _default_dict_with_keys(node: defaultdict) -> tuple[list[KeyChild], Any]:
    keys = tuple(sorted(node))
    return [(DictKey(key), node[key]) for key in keys], (node.default_factory, keys)


_NAMED_TUPLE = NamedTupleNode()

_registry: dict[type, NodeType] = {
    NoneType: NoneNode(),
    tuple: TupleNode(),
    list: ListNode(),
    dict: DictNode(),
    OrderedDict: CustomNode(
        lambda node: (list(node.values()), tuple(node)),
        lambda keys, children: OrderedDict(zip(keys, children, strict=True)),
        _ordered_dict_with_keys,
    ),
    defaultdict: CustomNode(
        None,
        lambda data, children: defaultdict(data[0], zip(data[1], children, strict=True)),
        _default_dict_with_keys,
    ),
}

# Types met as leaves: `type(x) in leaf_types` is the fastest way past a leaf. It holds on to the
# types in it, hence the bound.
leaf_types: set[type] = set()
_MAX_LEAF_TYPES = 1024


def find_node_type(candidate: type) -> NodeType | None:
    """What is registered for a type; None for the type of a leaf."""
    node_type = _registry.get(candidate)
    if node_type is None and is_namedtuple(candidate):
        return _NAMED_TUPLE
    return node_type


def note_leaf_type(candidate: type) -> None:
    """Remember that ``find_node_type`` returned None for a type."""
    if len(leaf_types) >= _MAX_LEAF_TYPES:
        leaf_types.clear()
    leaf_types.add(candidate)


def register_node_type(candidate: type, node_type: NodeType) -> None:
    """Make a type a node from here on.

    Raises
    ------
    TypeError
        If ``candidate`` is not a type.
    ValueError
        If it is registered already.
    """
    if not isinstance(candidate, type):
        raise TypeError(f"Only a type can be registered as a pytree node; got {candidate!r}.")
    if candidate in _registry:
        raise ValueError(f"Duplicate custom PyTreeDef type registration for {candidate!r}.")
    _registry[candidate] = node_type
    leaf_types.discard(candidate)


def is_tree_node(typ: type) -> bool:
    """Whether objects of exactly this type are nodes of pytrees."""
    return isinstance(typ, type) and find_node_type(typ) is not None


def flatten_one_level(tree: Any) -> tuple[Iterable[Any], Any]:
    """The children and the metadata of the root.

    Raises
    ------
    ValueError
        If ``tree`` is a leaf.
    """
    return _required_node_type(tree).flatten(tree)


def flatten_one_level_with_keys(tree: Any) -> tuple[Iterable[tuple[Any, Any]], Any]:
    """The children of the root with their keys, and its metadata.

    Raises
    ------
    ValueError
        If ``tree`` is a leaf.
    """
    return _required_node_type(tree).flatten_with_keys(tree)


def _required_node_type(tree: Any) -> NodeType:
    node_type = find_node_type(type(tree))
    if node_type is None:
        raise ValueError(f"can't tree-flatten type: {type(tree)}")
    return node_type
