"""How is the structure of a pytree written down, so that it can be compared, hashed and undone?

A ``PyTreeDef`` is the list of the tree's nodes in *postorder*: children before their parent, the
root last. A leaf is the mark ``LEAF``, an inner node is ``(type, metadata, arity)``::

    {"a": 1, "b": (2, None)}     LEAF   LEAF (NoneType, None, 0) (tuple, None, 2)
                                 (dict, ("a", "b"), 2)

In postorder every operation is one loop with a stack and no recursion: an inner node takes its
``arity`` children off the stack and puts itself there.

Treedefs are *interned*: one structure is one object, so that looking it up as a key, as every call
of a jitted function does, compares by identity. Only metadata of which equal values are
indistinguishable (strings, integers, tuples of them, classes) are interned: ``1``, ``1.0`` and
``True`` are equal, but a dictionary must get back the keys that it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import EllipsisType
from typing import Any, final

from minijax.core import tree_proto
from minijax.core.tree_nodes import (
    DictNode,
    NamedTupleNode,
    NodeType,
    find_node_type,
)

# Ellipsis: hashed and compared by identity in C, and still itself after pickling.
LEAF = ...
Entry = EllipsisType | tuple[type, Any, int]
Spec = tuple[Any, ...]


@final
class Metadata:
    """Metadata of any kind as part of a structure: hashable, and compared with care.

    Metadata that are not hashable all hash alike; two structures are still told apart by ``==``.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        try:
            return hash(self.value)
        except TypeError:
            return 0

    def __eq__(self, other: object) -> bool:
        other_value = other.value if isinstance(other, Metadata) else other
        try:
            return self.value is other_value or bool(self.value == other_value)
        except Exception as error:
            raise ValueError(
                "Exception raised while checking equality of metadata fields of pytree. Make sure "
                "that metadata fields are hashable and have simple equality semantics. (Note: "
                "arrays cannot be passed as metadata fields!)"
            ) from error


def is_plain(metadata: Any) -> bool:
    """Whether equal metadata are indistinguishable, so that the structure can be interned."""
    kind = type(metadata)
    if kind is tuple:
        for item in metadata:
            if type(item) is not str and type(item) is not int:
                return False
        return True
    return metadata is None or kind is str or kind is int or kind is type


def entry_of(node_type: type, metadata: Any, arity: int) -> Entry:
    return (node_type, metadata if is_plain(metadata) else Metadata(metadata), arity)


def _raw_metadata(entry: tuple[type, Any, int]) -> Any:
    return entry[1].value if type(entry[1]) is Metadata else entry[1]


def _node_type(entry: tuple[type, Any, int]) -> NodeType:
    node_type = find_node_type(entry[0])
    if node_type is None:
        raise ValueError(f"{entry[0]!r} is not registered as a pytree node.")
    return node_type


@final
class PyTreeDef:
    """The structure of a pytree: its containers without its leaves.

    Made by ``tree_structure`` and ``tree_flatten``. Two structures are equal when they have the
    same containers with equal metadata; the hash agrees with that. Structures can be pickled if
    their metadata can.

    Examples
    --------
    >>> treedef = tree_structure({"a": 1, "b": (2, None)})
    >>> treedef
    PyTreeDef({'a': *, 'b': (*, None)})
    >>> treedef.unflatten([10, 20])
    {'a': 10, 'b': (20, None)}
    """

    __slots__ = ("_hash", "_num_leaves", "_spec", "_steps", "__weakref__")

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._num_leaves = spec.count(LEAF)
        self._hash: int | None = None
        self._steps: list[Any] | None = None

    @property
    def num_leaves(self) -> int:
        """How many leaves the tree has."""
        return self._num_leaves

    @property
    def num_nodes(self) -> int:
        """How many nodes the tree has, leaves included."""
        return len(self._spec)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, PyTreeDef):
            return NotImplemented
        return self._spec == other._spec

    def __hash__(self) -> int:
        value = self._hash
        if value is None:
            value = self._hash = hash(self._spec)
        return value

    def __repr__(self) -> str:
        def describe(entry: Any, children: list[str]) -> str:
            if entry is LEAF:
                return "*"
            return _node_type(entry).describe(entry[0], _raw_metadata(entry), children)

        return f"PyTreeDef({self._fold(describe)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (treedef_from_spec, (self._spec,))

    def _fold(self, combine: Callable[[Any, list[Any]], Any]) -> Any:
        """Compute a value for the root from those of its children, bottom up, left to right."""
        stack: list[Any] = []
        for entry in self._spec:
            first = len(stack) if entry is LEAF else len(stack) - entry[2]
            children = stack[first:]
            del stack[first:]
            stack.append(combine(entry, children))
        return stack.pop()

    def _check_leaves(self, leaves: Iterable[Any]) -> list[Any]:
        found = list(leaves)
        if len(found) < self._num_leaves:
            raise ValueError(
                f"Too few leaves for PyTreeDef; expected {self._num_leaves}, got {len(found)}"
            )
        if len(found) > self._num_leaves:
            raise ValueError(f"Too many leaves for PyTreeDef; expected {self._num_leaves}.")
        return found

    def _plan(self) -> list[Any]:
        """The spec made ready for ``unflatten``: runs of leaves as lengths, nodes as builders."""
        steps: list[Any] = []
        run = 0
        for entry in self._spec:
            if entry is LEAF:
                run += 1
                continue
            if run:
                steps.append(run)
                run = 0
            steps.append((_node_type(entry).build, entry[0], _raw_metadata(entry), entry[2]))
        if run:
            steps.append(run)
        return steps

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Build the tree with these leaves.

        Raises
        ------
        ValueError
            If there are too few or too many leaves.
        """
        leaves = self._check_leaves(leaves)
        steps = self._steps
        if steps is None:
            steps = self._steps = self._plan()
        stack: list[Any] = []
        taken = 0
        for step in steps:
            if type(step) is int:
                stack += leaves[taken : taken + step]
                taken += step
            else:
                build, node_type, metadata, arity = step
                children = []
                if arity:
                    children = stack[-arity:]
                    del stack[-arity:]
                stack.append(build(node_type, metadata, children))
        return stack[0]

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """Flatten a tree of which this structure is a prefix; what stands at a leaf stays whole.

        Raises
        ------
        ValueError
            If the tree does not have this structure down to the leaves.
        """
        # Postorder backwards meets a parent before its children, and these from the right.
        pending = [tree]
        leaves = []
        for entry in reversed(self._spec):
            value = pending.pop()
            if entry is LEAF:
                leaves.append(value)
            else:
                pending += _children_like(entry, value)
        leaves.reverse()
        return leaves

    def children(self) -> list[PyTreeDef]:
        """The structures of the root's children; none if the root is a leaf."""
        starts: list[int] = []
        for i, entry in enumerate(self._spec[:-1]):
            if entry is LEAF or entry[2] == 0:
                starts.append(i)
            elif entry[2] > 1:
                del starts[1 - entry[2] :]
        if not starts:
            return []
        ends = [*starts[1:], len(self._spec) - 1]
        return [
            treedef_from_spec(self._spec[start:end])
            for start, end in zip(starts, ends, strict=True)
        ]

    def node_data(self) -> tuple[type, Any] | None:
        """The type and the metadata of the root; None if it is a leaf."""
        root = self._spec[-1]
        if root is LEAF:
            return None
        if isinstance(_node_type(root), NamedTupleNode):
            return root[0], None
        return root[0], _node_data(root)

    @staticmethod
    def from_node_data_and_children(
        registry: Any, node_data: tuple[type, Any] | None, children: Iterable[PyTreeDef]
    ) -> PyTreeDef:
        """The inverse of ``node_data`` and ``children``.

        Parameters
        ----------
        registry
            ``default_registry``; there is no other.
        node_data
            The type and metadata of the root; None for a leaf.
        children
            The structures of its children.

        Raises
        ------
        RuntimeError
            If the type is not a node.
        """
        if node_data is None:
            return treedef_from_spec((LEAF,))
        typ, metadata = node_data
        node_type = find_node_type(typ)
        if node_type is None:
            raise RuntimeError(f"Could not find type: {typ!r}.")
        if isinstance(node_type, DictNode):
            metadata = tuple(metadata)
        elif isinstance(node_type, NamedTupleNode):
            metadata = typ
        return _join(typ, metadata, list(children))

    def compose(self, inner: PyTreeDef) -> PyTreeDef:
        """The structure in which each leaf of this one has been replaced by ``inner``."""
        if not isinstance(inner, PyTreeDef):
            raise TypeError(f"compose takes a PyTreeDef, got {inner!r}.")
        spec: list[Any] = []
        for entry in self._spec:
            if entry is LEAF:
                spec += inner._spec
            else:
                spec.append(entry)
        return treedef_from_spec(tuple(spec))

    def walk(
        self,
        f_node: Callable[[tuple[Any, ...], Any], Any],
        f_leaf: Callable[[Any], Any],
        leaves: Iterable[Any],
    ) -> Any:
        """Compute a value bottom up: ``f_leaf(leaf)``, and ``f_node(children, node_data)``."""
        remaining = iter(self._check_leaves(leaves))

        def visit(entry: Any, children: list[Any]) -> Any:
            if entry is LEAF:
                return f_leaf(next(remaining))
            return f_node(tuple(children), _node_data(entry))

        return self._fold(visit)

    def from_iterable_tree(self, tree: Any) -> Any:
        """Build this structure out of nested iterables, one for each inner node.

        Raises
        ------
        ValueError
            If an iterable has the wrong length.
        """
        pending = [tree]
        leaves = []
        for entry in reversed(self._spec):
            value = pending.pop()
            if entry is LEAF:
                leaves.append(value)
                continue
            children = list(value)
            if len(children) != entry[2]:
                raise ValueError("Arity mismatch between trees")
            pending += children
        return self.unflatten(reversed(leaves))

    def serialize_using_proto(self) -> bytes:
        """The structure as a protocol buffer; see ``tree_proto``.

        Raises
        ------
        ValueError
            If a node is not None, a tuple, a list, or a dictionary with strings for keys.
        """
        return tree_proto.encode(self._spec)

    @staticmethod
    def deserialize_using_proto(registry: Any, data: bytes) -> PyTreeDef:
        """The inverse of ``serialize_using_proto``; ``registry`` is ``default_registry``.

        Raises
        ------
        RuntimeError
            If the bytes are not the encoding of one structure.
        """
        return treedef_from_spec(tree_proto.decode(data))


def _node_data(entry: tuple[type, Any, int]) -> Any:
    """Metadata as the methods of a treedef give them out: the keys of a dictionary are a list."""
    metadata = _raw_metadata(entry)
    return list(metadata) if entry[0] is dict else metadata


def _children_like(entry: tuple[type, Any, int], value: Any) -> Any:
    """The children of ``value``, which has to be a node as ``entry`` says."""
    typ, metadata, arity = entry
    if type(value) is typ:
        # The built-in containers where they fit; what does not fit goes on to its error.
        if (typ is tuple or typ is list) and len(value) == arity:
            return value
        if typ is dict and len(value) == arity and type(metadata) is tuple:
            try:
                return [value[key] for key in metadata]
            except KeyError:
                pass
    node_type = _node_type(entry)
    node_type.check_same(typ, _raw_metadata(entry), value)
    children, other = node_type.flatten(value)
    if metadata is not other and Metadata(other) != metadata:
        raise ValueError(node_type.explain_metadata(_raw_metadata(entry), other, value))
    if len(children) != arity:
        raise ValueError(node_type.explain_arity(arity, len(children), value))
    return children


# --- interning ---

interned: dict[Spec, PyTreeDef] = {}
_MAX_INTERNED = 8192


def intern(spec: Spec) -> PyTreeDef:
    """The one treedef of a spec in which all metadata are plain."""
    if len(interned) >= _MAX_INTERNED:
        interned.clear()
    return interned.setdefault(spec, PyTreeDef(spec))


def treedef_from_spec(spec: Spec) -> PyTreeDef:
    """The treedef of any spec."""
    for entry in spec:
        if entry is not LEAF and type(entry[1]) is Metadata:
            return PyTreeDef(spec)
    return interned.get(spec) or intern(spec)


def _join(typ: type, metadata: Any, children: list[PyTreeDef]) -> PyTreeDef:
    """The structure with this root above these children."""
    spec: list[Any] = []
    for child in children:
        if not isinstance(child, PyTreeDef):
            raise TypeError(f"Expected a PyTreeDef as a child, got {child!r}.")
        spec += child._spec
    spec.append(entry_of(typ, metadata, len(children)))
    return treedef_from_spec(tuple(spec))


def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef:
    """The structure of a tuple of trees, from theirs."""
    return _join(tuple, None, list(treedefs))
