"""Do users' classes become nodes in each of the ways to register them?"""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from functools import partial
from typing import Any

import pytest

from minijax import tree
from minijax.core.tree import (
    DictKey,
    FlattenedIndexKey,
    GetAttrKey,
    SequenceKey,
    default_registry,
    flatten_one_level,
    flatten_one_level_with_keys,
    is_tree_node,
    register_dataclass,
    register_pytree_node,
    register_pytree_node_class,
    register_pytree_with_keys,
    register_pytree_with_keys_class,
    register_static,
    tree_flatten,
    tree_flatten_with_path,
    tree_leaves,
    tree_map,
    tree_structure,
)

Point = namedtuple("Point", ["x", "y"])


def new_box(**methods: Any) -> Any:
    """A class of its own, for registering it."""

    class Box:
        def __init__(self, *content: Any):
            self.content = content

    return type("NewBox", (Box,), methods)


class TestFunctions:
    def test_without_keys(self) -> None:
        box = new_box()
        register_pytree_node(box, lambda b: (iter(b.content), "meta"), lambda meta, c: box(meta, c))
        leaves, treedef = tree_flatten(box(1, [2]))
        assert leaves == [1, 2]
        assert treedef.unflatten([3, 4]).content == ("meta", (3, [4]))
        assert tree_flatten_with_path(box(1, [2]))[0] == [
            ((FlattenedIndexKey(0),), 1),
            ((FlattenedIndexKey(1), SequenceKey(0)), 2),
        ]

    def test_with_keys(self) -> None:
        box = new_box()
        register_pytree_with_keys(
            box, lambda b: ((("own", b.content[0]),), None), lambda _, c: box(*c)
        )
        assert tree_flatten_with_path([box((5,))])[0] == [
            ((SequenceKey(0), "own", SequenceKey(0)), 5)
        ]
        assert tree_map(lambda x: x + 1, box(5)).content == (6,)

    def test_keys_as_an_extra(self) -> None:
        box = new_box()
        register_pytree_node(
            box,
            lambda b: (b.content, None),
            lambda _, c: box(*c),
            lambda b: ([(DictKey(i), c) for i, c in enumerate(b.content)], None),
        )
        assert tree_flatten_with_path(box(7))[0] == [((DictKey(0),), 7)]

    def test_subclasses_are_not_registered(self) -> None:
        box = new_box()
        register_pytree_node(box, lambda b: (b.content, None), lambda _, c: box(*c))
        assert is_tree_node(box)
        assert not is_tree_node(type("Derived", (box,), {}))

    @pytest.mark.parametrize("taken", [tuple, list, dict, type(None)])
    def test_twice(self, taken: type) -> None:
        with pytest.raises(ValueError, match="Duplicate custom PyTreeDef type registration for"):
            register_pytree_node(taken, lambda x: ((), None), lambda *_: None)

    def test_named_tuple_can_be_registered(self) -> None:
        pair = namedtuple("pair", "a b")
        assert len(tree_leaves(pair(1, 2))) == 2
        register_pytree_node(pair, lambda p: ((p.a,), p.b), lambda b, c: pair(c[0], b))
        assert tree_leaves(pair(1, 2)) == [1]

    def test_arguments(self) -> None:
        with pytest.raises(TypeError, match="Only a type can be registered"):
            register_pytree_node(3, lambda x: ((), None), lambda *_: None)  # pyright: ignore
        with pytest.raises(TypeError, match="takes functions"):
            register_pytree_node(new_box(), None, None)  # pyright: ignore

    @pytest.mark.parametrize(
        ("result", "message"),
        [
            ("hello", r"\(children, aux_data\) tuple, got 'hello'"),
            ((2, 3, 4), r"\(children, aux_data\) tuple, got \(2, 3, 4\)"),
            ((7, 7), r"tuple where 'children' is iterable, got \(7, 7\)"),
        ],
    )
    def test_flatten_function_returns_something_else(self, result: Any, message: str) -> None:
        box = new_box()
        register_pytree_node(box, lambda b: result, lambda *_: box())
        with pytest.raises(ValueError, match=f"The to_iterable function .* {message}"):
            tree_flatten(box())

    @pytest.mark.parametrize("result", ["hello", (2, 3, 4), (7, 7), ((1, 2), None)])
    def test_keyed_flatten_function_returns_something_else(self, result: Any) -> None:
        box = new_box()
        register_pytree_with_keys(box, lambda b: result, lambda *_: box())
        with pytest.raises(ValueError, match="The to_iterable_with_keys function for a custom"):
            tree_flatten_with_path(box())


class TestClassDecorators:
    def test_methods(self) -> None:
        @register_pytree_node_class
        class Box:
            def __init__(self, *content: Any):
                self.content = content

            def tree_flatten(self) -> tuple[Any, str]:
                return self.content, "meta"

            @classmethod
            def tree_unflatten(cls, metadata: str, children: tuple[Any, ...]) -> Box:
                return cls(metadata, *children)

        assert tree_map(lambda x: -x, Box(1, 2)).content == ("meta", -1, -2)

    def test_methods_with_keys(self) -> None:
        box: Any = register_pytree_with_keys_class(
            new_box(
                tree_flatten_with_keys=lambda self: (((GetAttrKey("c"), self.content[0]),), None),
                tree_unflatten=classmethod(lambda cls, _, c: cls(*c)),
            )
        )
        assert tree_flatten_with_path(box(3))[0] == [((GetAttrKey("c"),), 3)]
        assert tree_leaves(box(3)) == [3]

    def test_missing_methods(self) -> None:
        with pytest.raises(AttributeError, match="tree_flatten"):
            register_pytree_node_class(new_box())
        with pytest.raises(AttributeError, match="tree_flatten_with_keys"):
            register_pytree_with_keys_class(new_box())


class TestStatic:
    def test_is_all_metadata(self) -> None:
        @register_static
        class Size(int):
            pass

        leaves, treedef = tree_flatten(Size(3))
        assert leaves == []
        assert treedef.unflatten([]) == 3
        assert treedef != tree_structure(Size(4))
        assert repr(treedef) == "PyTreeDef(CustomNode(Size[3], []))"
        assert tree_flatten_with_path([Size(3), 1])[0] == [((SequenceKey(1),), 1)]

    def test_without_a_hash(self) -> None:
        @register_static
        class Options(dict):
            pass

        assert hash(tree_structure(Options(a=1))) == hash(tree_structure(Options(a=1)))
        assert tree_structure(Options(a=1)) != tree_structure(Options(a=2))


def new_dataclass() -> Any:
    @dataclasses.dataclass
    class Layer:
        weight: Any
        bias: Any = 5
        name: str = dataclasses.field(default="layer", metadata={"static": True})

    return Layer


class TestDataclass:
    def test_fields_are_inferred(self) -> None:
        layer = register_dataclass(new_dataclass())
        leaves, treedef = tree_flatten(layer(1, (2, 3), "first"))
        assert leaves == [1, 2, 3]
        assert treedef.node_data() == (layer, ("first",))
        assert repr(treedef) == "PyTreeDef(CustomNode(Layer[('first',)], [*, (*, *)]))"
        assert treedef.unflatten([4, 5, 6]) == layer(4, (5, 6), "first")
        assert tree_flatten_with_path(layer(1))[0] == [
            ((GetAttrKey("weight"),), 1),
            ((GetAttrKey("bias"),), 5),
        ]

    def test_fields_are_named(self) -> None:
        layer = register_dataclass(new_dataclass(), ["weight"], ["name", "bias"])
        assert tree_leaves(layer(1, 2)) == [1]

    def test_dropped_field_gets_its_default(self) -> None:
        layer = register_dataclass(new_dataclass(), ["weight"], ["name"], drop_fields=["bias"])
        assert tree_map(lambda x: x, layer(1, 99)) == layer(1, 5)

    def test_field_made_with_static(self) -> None:
        @register_dataclass
        @dataclasses.dataclass
        class Layer:
            weight: Any
            name: str = tree.static(default="x", metadata={"doc": "what it is called"})
            bias: Any = tree.static(default=0, metadata={"static": False})

        assert tree_leaves(Layer(1, "n", 2)) == [1, 2]
        assert dataclasses.fields(Layer)[1].metadata == {
            "static": True,
            "doc": "what it is called",
        }

    def test_plain_class(self) -> None:
        class Pair:
            def __init__(self, left: Any, right: Any):
                self.left, self.right = left, right

        register_dataclass(Pair, ["left"], ["right"])
        assert tree_map(lambda x: x * 2, Pair(3, "r")).left == 6

    def test_used_as_decorator_with_fields(self) -> None:
        @partial(register_dataclass, data_fields=["a"], meta_fields=[])
        @dataclasses.dataclass(frozen=True)
        class One:
            a: int

        assert tree_leaves(One(4)) == [4]

    def test_mismatch(self) -> None:
        layer = register_dataclass(new_dataclass())
        treedef = tree_structure(layer(1))
        with pytest.raises(ValueError, match="Custom dataclass node type mismatch: expected type"):
            treedef.flatten_up_to(3)
        with pytest.raises(ValueError, match=r"Mismatch custom dataclass node data: \('layer',\)"):
            treedef.flatten_up_to(layer(1, 2, "other"))

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ((["weight"],), TypeError, "must both be specified when either is"),
            ((None, ["name"]), TypeError, "Got data_fields=None meta_fields=\\['name'\\]"),
            ((["weight"], ["name"]), ValueError, "Missing fields: {'bias'}. Add them to drop_f"),
            ((["weight", "bias"], ["name", "q"]), ValueError, "Unexpected fields: {'q'}"),
            ((["weight", "bias"], ["name", "bias"]), ValueError, "Overlapping fields: {'bias'}"),
        ],
    )
    def test_wrong_fields(self, arguments: Any, error: type, message: str) -> None:
        with pytest.raises(error, match=message):
            register_dataclass(new_dataclass(), *arguments)

    def test_nothing_to_infer_from(self) -> None:
        with pytest.raises(TypeError, match="are required when nodetype is not a dataclass"):
            register_dataclass(new_box())


class TestOneLevel:
    @pytest.mark.parametrize(
        ("node", "keys", "children", "metadata"),
        [
            ((1, [2]), [SequenceKey(0), SequenceKey(1)], [1, [2]], None),
            ([3], [SequenceKey(0)], [3], None),
            ({"b": 1, "a": 2}, [DictKey("a"), DictKey("b")], [2, 1], ("a", "b")),
            (None, [], [], None),
            (Point(1, 2), [GetAttrKey("x"), GetAttrKey("y")], [1, 2], Point),
        ],
    )
    def test_children_and_keys(self, node: Any, keys: Any, children: Any, metadata: Any) -> None:
        found, found_metadata = flatten_one_level(node)
        assert (list(found), found_metadata) == (children, metadata)
        pairs, found_metadata = flatten_one_level_with_keys(node)
        assert (list(pairs), found_metadata) == (list(zip(keys, children, strict=True)), metadata)
        assert default_registry.flatten_one_level(node) == flatten_one_level(node)

    def test_leaf(self) -> None:
        with pytest.raises(ValueError, match="can't tree-flatten type: <class 'int'>"):
            flatten_one_level(1)
        with pytest.raises(ValueError, match="can't tree-flatten type: <class 'int'>"):
            flatten_one_level_with_keys(1)
        assert default_registry.flatten_one_level(1) is None
        assert default_registry.flatten_one_level_with_keys(1) is None

    def test_is_tree_node(self) -> None:
        assert all(map(is_tree_node, (tuple, list, dict, type(None), Point)))
        assert not any(map(is_tree_node, (int, str, set, object, 3)))  # pyright: ignore

    def test_registry_as_an_object(self) -> None:
        assert default_registry.flatten([1, (2,)]) == tree_flatten([1, (2,)])
        assert default_registry.flatten_with_path([1]) == tree_flatten_with_path([1])
        assert default_registry.is_node(list)
        box, layer = new_box(), new_dataclass()
        default_registry.register_node(box, lambda b: (b.content, None), lambda _, c: box(*c))
        default_registry.register_dataclass_node(layer, ["weight", "bias"], ["name"])
        assert tree_leaves([box(1), layer(2, 3)]) == [1, 2, 3]
