"""Is a structure taken apart, compared, hashed, stored and built again without loss?"""

from __future__ import annotations

import enum
import gc
import pickle
import timeit
import weakref
from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minijax.core import tree_flatten as flatten_module
from minijax.core import treedef as treedef_module
from minijax.core.tree import (
    DictKey,
    GetAttrKey,
    Partial,
    PyTreeDef,
    SequenceKey,
    default_registry,
    register_pytree_node,
    tree_flatten,
    tree_flatten_with_path,
    tree_leaves,
    tree_structure,
    tree_unflatten,
    treedef_children,
    treedef_is_leaf,
    treedef_tuple,
)

Point = namedtuple("Point", ["x", "y"])


class Tagged:
    """One child and metadata of any kind."""

    def __init__(self, child: Any, tag: Any = None):
        self.child, self.tag = child, tag

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tagged) and (self.child, self.tag) == (other.child, other.tag)


register_pytree_node(Tagged, lambda t: ((t.child,), t.tag), lambda tag, c: Tagged(c[0], tag))

leaves_strategy = st.integers() | st.text(max_size=2) | st.floats(allow_nan=False)
tags = st.none() | st.text(max_size=2) | st.integers() | st.lists(st.integers(), max_size=2)


def containers(children: st.SearchStrategy) -> st.SearchStrategy:
    """Every kind of node above these children."""
    dicts = st.dictionaries(st.text(max_size=2), children, max_size=3)
    return (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | dicts
        | st.dictionaries(st.integers(), children, max_size=3)
        | dicts.map(OrderedDict)
        | dicts.map(lambda d: defaultdict(list, d))
        | st.tuples(children, children).map(lambda pair: Point(*pair))
        | st.tuples(children, tags).map(lambda pair: Tagged(*pair))
    )


trees = st.recursive(leaves_strategy | st.none(), containers, max_leaves=12)


def same_types(a: Any, b: Any) -> bool:
    """Equal trees may still differ in the types of keys and containers; these must not."""
    return repr(tree_structure(a)) == repr(tree_structure(b)) and type(a) is type(b)


class TestRoundTrip:
    @given(trees)
    def test_unflatten_undoes_flatten(self, tree: Any) -> None:
        leaves, treedef = tree_flatten(tree)
        rebuilt = tree_unflatten(treedef, leaves)
        assert rebuilt == tree
        assert same_types(rebuilt, tree)

    @given(trees)
    def test_counts(self, tree: Any) -> None:
        leaves, treedef = tree_flatten(tree)
        assert treedef.num_leaves == len(leaves)
        below = treedef.children()
        assert treedef.num_nodes == 1 + sum(child.num_nodes for child in below)
        assert treedef.num_leaves == sum(child.num_leaves for child in below) or not below

    @given(trees)
    def test_all_ways_of_flattening_agree(self, tree: Any) -> None:
        leaves, treedef = tree_flatten(tree)
        pairs, with_path = tree_flatten_with_path(tree)
        assert [leaf for _, leaf in pairs] == leaves == tree_leaves(tree)
        assert with_path == treedef == tree_structure(tree)
        assert tree_flatten(tree, is_leaf=lambda x: False) == (leaves, treedef)
        assert len({path for path, _ in pairs}) == len(leaves)

    @given(trees)
    def test_flatten_up_to_itself_gives_the_leaves(self, tree: Any) -> None:
        leaves, treedef = tree_flatten(tree)
        assert treedef.flatten_up_to(tree) == leaves

    @given(trees, trees)
    def test_compose_is_substitution(self, outer: Any, inner: Any) -> None:
        outer_def, inner_def = tree_structure(outer), tree_structure(inner)
        substituted = tree_unflatten(outer_def, [inner] * outer_def.num_leaves)
        assert outer_def.compose(inner_def) == tree_structure(substituted)

    @given(trees, trees)
    def test_equality_agrees_with_hash(self, a: Any, b: Any) -> None:
        def_a, def_b = tree_structure(a), tree_structure(b)
        assert def_a == tree_structure(a)
        assert (def_a == def_b) is (repr(def_a) == repr(def_b))
        if def_a == def_b:
            assert hash(def_a) == hash(def_b)

    @given(trees)
    def test_pickle(self, tree: Any) -> None:
        leaves, treedef = tree_flatten(tree)
        restored = pickle.loads(pickle.dumps(treedef))
        assert restored == treedef
        assert hash(restored) == hash(treedef)
        assert restored.unflatten(leaves) == tree

    @given(trees)
    def test_root_and_children_make_the_structure(self, tree: Any) -> None:
        treedef = tree_structure(tree)
        rebuilt = PyTreeDef.from_node_data_and_children(
            default_registry, treedef.node_data(), treedef.children()
        )
        assert rebuilt == treedef


class TestStructure:
    @pytest.mark.parametrize(
        ("tree", "text"),
        [
            (3, "*"),
            (None, "None"),
            ((), "()"),
            ((1,), "(*,)"),
            ((1, [2, None]), "(*, [*, None])"),
            ([], "[]"),
            ({}, "{}"),
            ({"b": 1, "a": (2,)}, "{'a': (*,), 'b': *}"),
            ({2: 0, 1: 0}, "{1: *, 2: *}"),
            (Point(1, 2), "CustomNode(namedtuple[Point], [*, *])"),
            (OrderedDict(b=1, a=2), "CustomNode(OrderedDict[('b', 'a')], [*, *])"),
            (
                defaultdict(list, b=1, a=2),
                "CustomNode(defaultdict[(<class 'list'>, ('a', 'b'))], [*, *])",
            ),
            (Tagged(1, "tag"), "CustomNode(Tagged[tag], [*])"),
            (
                Partial(len, 1, a=2),
                "CustomNode(Partial[<built-in function len>], [(*,), {'a': *}])",
            ),
        ],
    )
    def test_repr(self, tree: Any, text: str) -> None:
        assert repr(tree_structure(tree)) == f"PyTreeDef({text})"

    @pytest.mark.parametrize("leaf", [deque([1]), {1, 2}, "ab", np.zeros(2), object(), tuple])
    def test_everything_else_is_a_leaf(self, leaf: Any) -> None:
        leaves, treedef = tree_flatten(leaf)
        assert leaves[0] is leaf
        assert treedef.node_data() is None

    @pytest.mark.parametrize("base", [dict, list, tuple, OrderedDict])
    def test_subclasses_of_containers_are_leaves(self, base: type) -> None:
        derived = type("Derived", (base,), {})
        assert treedef_is_leaf(tree_structure(derived()))
        assert tree_leaves([derived()]) == [derived()]

    def test_subclass_of_a_named_tuple_is_a_node(self) -> None:
        class Place(Point):
            pass

        treedef = tree_structure(Place(1, 2))
        assert type(treedef.unflatten([3, 4])) is Place
        assert treedef != tree_structure(Point(1, 2))

    def test_type_registered_after_it_was_met_as_a_leaf(self) -> None:
        class Late:
            pass

        assert tree_leaves([Late()]) != []
        register_pytree_node(Late, lambda _: ((), None), lambda *_: Late())
        assert tree_leaves([Late()]) == []

    def test_dictionaries_are_sorted(self) -> None:
        leaves, treedef = tree_flatten({"b": 1, "a": 2})
        assert leaves == [2, 1]
        assert list(treedef.unflatten([0, 0])) == ["a", "b"]
        assert treedef == tree_structure({"a": 0, "b": 0})
        assert tree_leaves(OrderedDict(b=1, a=2)) == [1, 2]

    @pytest.mark.parametrize("tree", [{1: 0, "a": 0}, [{"x": {1: 0, "a": 0}}]])
    def test_keys_that_cannot_be_sorted(self, tree: Any) -> None:
        with pytest.raises(ValueError, match="Comparator raised exception while sorting"):
            tree_flatten(tree)

    def test_node_data_and_children(self) -> None:
        treedef = tree_structure({"b": (1, 2), "a": None})
        assert treedef.node_data() == (dict, ["a", "b"])
        assert treedef_children(treedef) == [tree_structure(None), tree_structure((1, 2))]
        assert tree_structure(1).node_data() is None
        assert tree_structure(1).children() == []
        assert tree_structure(None).node_data() == (type(None), None)
        assert tree_structure(Tagged(1, "t")).node_data() == (Tagged, "t")

    def test_unknown_type_in_node_data(self) -> None:
        with pytest.raises(RuntimeError, match="Could not find type"):
            PyTreeDef.from_node_data_and_children(default_registry, (int, None), [])

    def test_treedef_tuple(self) -> None:
        parts = [tree_structure(1), tree_structure({"a": 0})]
        assert treedef_tuple(parts) == tree_structure((1, {"a": 0}))
        assert treedef_tuple([]) == tree_structure(())

    @pytest.mark.parametrize(
        ("tree", "expected"), [(1, True), (None, True), ((), True), ([1], False)]
    )
    def test_treedef_is_leaf(self, tree: Any, expected: bool) -> None:
        assert treedef_is_leaf(tree_structure(tree)) is expected

    @pytest.mark.parametrize("wrong", [3, None])
    def test_parts_have_to_be_structures(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match="PyTreeDef"):
            treedef_tuple([wrong])
        with pytest.raises(TypeError, match="PyTreeDef"):
            tree_structure([1]).compose(wrong)

    def test_deep_tree_needs_no_recursion_once_flat(self) -> None:
        tree: Any = 1
        for _ in range(500):
            tree = [tree]
        treedef = tree_structure(tree)
        for _ in range(3):
            treedef = treedef.compose(treedef)
        assert treedef.num_nodes == 4001
        assert repr(treedef).count("[") == 4000
        assert treedef.flatten_up_to(treedef.unflatten([7])) == [7]


class TestEquality:
    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ([1], (1,)),
            ({"a": 1}, OrderedDict(a=1)),
            ({"a": 1}, {"b": 1}),
            (defaultdict(list, a=1), defaultdict(dict, a=1)),
            (None, ()),
            (Tagged(1, "a"), Tagged(1, "b")),
            (1, None),
        ],
    )
    def test_differ(self, a: Any, b: Any) -> None:
        assert tree_structure(a) != tree_structure(b)

    def test_not_equal_to_other_objects(self) -> None:
        assert tree_structure(1) != "PyTreeDef(*)"
        assert (tree_structure(1) == None) is False  # noqa: E711

    def test_metadata_without_a_hash(self) -> None:
        a, b = tree_structure(Tagged(1, [1, 2])), tree_structure(Tagged(1, [1, 2]))
        assert a == b
        assert hash(a) == hash(b)
        assert {a: "found"}[b] == "found"
        assert a != tree_structure(Tagged(1, [1, 3]))

    def test_arrays_as_metadata_are_refused_when_compared(self) -> None:
        a, b = (tree_structure(Tagged(1, np.arange(3))) for _ in range(2))
        message = "Exception raised while checking equality of metadata fields of pytree"
        with pytest.raises(ValueError, match=message):
            _ = a == b
        with pytest.raises(ValueError, match=message):
            a.flatten_up_to(Tagged(1, np.arange(3)))

    def test_plain_metadata_where_an_array_is_found(self) -> None:
        with pytest.raises(ValueError, match="Exception raised while checking equality"):
            tree_structure(Tagged(1)).flatten_up_to(Tagged(1, np.zeros(0)))

    def test_the_same_array_as_metadata_is_equal(self) -> None:
        array = np.arange(3)
        assert tree_structure(Tagged(1, array)) == tree_structure(Tagged(2, array))

    def test_equal_keys_of_different_types_are_kept_apart(self) -> None:
        """Interning must not hand out the keys of a structure that was met earlier."""

        class Color(enum.StrEnum):
            RED = "red"

        for trees in (({1: 0}, {True: 0}, {1.0: 0}), ({"red": 0}, {Color.RED: 0})):
            assert len({tree_structure(tree) for tree in trees}) == 1
            for tree in trees:
                leaves, treedef = tree_flatten(tree)
                (key,) = treedef.unflatten(leaves)
                assert type(key) is type(next(iter(tree)))

    def test_equal_metadata_of_different_types_are_kept_apart(self) -> None:
        for tag in (1, True, 1.0, np.int32(1), (1,), (True,)):
            treedef = tree_structure(Tagged(0, tag))
            assert type(treedef.unflatten([0]).tag) is type(tag)


class TestInterning:
    def test_one_structure_is_one_object(self) -> None:
        assert tree_structure({"a": (1, None)}) is tree_structure({"a": (2, None)})
        assert tree_structure((1, [2])).children()[1] is tree_structure([5])
        assert pickle.loads(pickle.dumps(tree_structure([1]))) is tree_structure([1])

    def test_tables_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(treedef_module, "_MAX_INTERNED", 10)
        before = tree_structure({"kept": 1})
        for i in range(30):
            tree_structure({f"key {i}": 1})
        assert len(treedef_module.interned) <= 10
        assert tree_structure({"kept": 1}) == before
        for _ in range(2000):
            tree_leaves([type("Leaf", (), {})()])
        assert len(flatten_module.leaf_types) <= 1024

    def test_metadata_are_not_kept_alive(self) -> None:
        class Big:
            pass

        tag = Big()
        alive = weakref.ref(tag)
        tree_structure(Tagged(1, tag))
        del tag
        gc.collect()
        assert alive() is None

    @pytest.mark.parametrize(
        ("tree", "limit"), [(((1.0,), {}), 6e-6), ((dict.fromkeys("abcdefghij", 1.0),), 25e-6)]
    )
    def test_flatten_is_quick(self, tree: Any, limit: float) -> None:
        """Every call of a jitted function flattens its arguments. Five times the usual time."""
        best = min(timeit.repeat(lambda: tree_flatten(tree), number=1000, repeat=7)) / 1000
        assert best < limit


class TestUnflatten:
    def test_number_of_leaves(self) -> None:
        treedef = tree_structure((1, (2, 3)))
        with pytest.raises(ValueError, match="Too few leaves for PyTreeDef; expected 3, got 2"):
            treedef.unflatten([1, 2])
        with pytest.raises(ValueError, match=r"Too many leaves for PyTreeDef; expected 3\."):
            treedef.unflatten(iter([1, 2, 3, 4]))

    def test_any_iterable(self) -> None:
        assert tree_structure([1, (2,)]).unflatten(x for x in "ab") == ["a", ("b",)]

    def test_does_not_share_the_callers_list(self) -> None:
        leaves = [1, 2]
        assert tree_structure([0, 0]).unflatten(leaves) is not leaves

    def test_default_factory_survives(self) -> None:
        leaves, treedef = tree_flatten(defaultdict(list, a=1))
        rebuilt = treedef.unflatten(leaves)
        assert rebuilt["missing"] == []

    def test_nodes_are_built_from_the_left(self) -> None:
        order = []

        class Noted:
            pass

        def build(_: Any, children: tuple[Any, ...]) -> Noted:
            order.append(children[0])
            return Noted()

        register_pytree_node(Noted, lambda _: ((0,), None), build)
        tree_structure([Noted(), {"a": Noted()}, Noted()]).unflatten("abc")
        assert order == ["a", "b", "c"]

    def test_walk(self) -> None:
        nodes = []

        def on_node(children: tuple[Any, ...], data: Any) -> str:
            nodes.append((children, data))
            return "node"

        treedef = tree_structure((1, {"b": 2, "a": None}))
        assert treedef.walk(on_node, lambda leaf: leaf * 10, [1, 2]) == "node"
        assert nodes == [((), None), (("node", 20), ["a", "b"]), ((10, "node"), None)]
        with pytest.raises(ValueError, match="Too many leaves"):
            treedef.walk(on_node, lambda leaf: leaf, [1, 2, 3])

    def test_from_iterable_tree(self) -> None:
        treedef = tree_structure((1, {"a": 2, "b": 3}, None))
        assert treedef.from_iterable_tree([7, iter((8, 9)), ()]) == (7, {"a": 8, "b": 9}, None)
        with pytest.raises(ValueError, match="Arity mismatch between trees"):
            treedef.from_iterable_tree([7, (8,), ()])


class TestFlattenUpTo:
    @pytest.mark.parametrize(
        ("tree", "full", "expected"),
        [
            ([(1, 2), None, Point(3, 7)], [({"f": 7}, (3, 4)), None, Point((1,), None)], None),
            ({"a": 1, "b": (2, 3)}, {"b": ([8], (9,)), "a": [7]}, [[7], [8], (9,)]),
            (1, {"a": 7}, [{"a": 7}]),
            (None, None, []),
            (Tagged(1, [2]), Tagged([5], [2]), [[5]]),
        ],
    )
    def test_subtrees_stay_whole(self, tree: Any, full: Any, expected: Any) -> None:
        if expected is None:
            expected = [{"f": 7}, (3, 4), (1,), None]
        assert tree_structure(tree).flatten_up_to(full) == expected

    @pytest.mark.parametrize(
        ("tree", "full", "message"),
        [
            ([1, 2], [7], "List arity mismatch: 1 != 2; list: [7]."),
            ((1,), (7, 8), "Tuple arity mismatch: 2 != 1; tuple: (7, 8)."),
            ([1], (7,), "Expected list, got (7,)."),
            ((1,), [7], "Expected tuple, got [7]."),
            ((1,), Point(1, 2), "Expected tuple, got Point(x=1, y=2)."),
            (([1],), (7,), "Expected list, got 7."),
            ({"a": 1}, [7], "Expected dict, got [7]."),
            (
                {"a": 1},
                {"a": 7, "b": 8},
                "Dict key mismatch; expected keys: ['a']; present keys: ['a', 'b'].",
            ),
            ({"a": 1}, {"b": 7}, "Dict key mismatch; expected keys: ['a']; present keys: ['b']."),
            ({"a": 1}, OrderedDict(a=1), "Expected dict, got OrderedDict("),
            ({"a": 1, "b": 2}, {1: 1, "b": 2}, "Comparator raised exception while sorting"),
            (None, 1, "Expected None, got 1."),
            (Point(1, 2), (1, 2), "Expected named tuple, got (1, 2)."),
            (Point(1, 2), namedtuple("Other", "x y")(1, 2), "Named tuple type mismatch: expected"),
            (Tagged(1), 3, "Custom node type mismatch: expected type: <class"),
            (OrderedDict(a=1), OrderedDict(b=1), "Mismatch custom node data: ('a',) != ('b',);"),
            (Tagged(1, "a"), Tagged(1, "b"), "Mismatch custom node data: 'a' != 'b'; value: "),
        ],
    )
    def test_errors(self, tree: Any, full: Any, message: str) -> None:
        with pytest.raises(ValueError) as caught:
            tree_structure(tree).flatten_up_to(full)
        assert str(caught.value).startswith(message)

    def test_number_of_children_of_a_custom_node(self) -> None:
        class Many:
            def __init__(self, *children: Any):
                self.children = children

        register_pytree_node(Many, lambda m: (m.children, None), lambda _, c: Many(*c))
        with pytest.raises(ValueError, match="Custom type arity mismatch: 3 != 2"):
            tree_structure(Many(1, 2)).flatten_up_to(Many(1, 2, 3))


class TestIsLeaf:
    def test_stops_at_a_node(self) -> None:
        tree = {"a": (1, 2), "b": [(3,), None]}
        leaves, treedef = tree_flatten(tree, is_leaf=lambda x: isinstance(x, tuple))
        assert leaves == [(1, 2), (3,)]
        assert treedef == tree_structure({"a": 0, "b": [0, None]})
        assert tree_leaves([None], is_leaf=lambda x: x is None) == [None]

    def test_is_asked_at_every_node_from_the_root(self) -> None:
        asked: list[Any] = []
        tree_flatten([1, (2, None)], is_leaf=lambda x: bool(asked.append(x)))
        assert asked == [[1, (2, None)], 1, (2, None), 2, None]

    @pytest.mark.parametrize("answer", [5, [], np.bool_(True), np.arange(3)])
    def test_has_to_answer_with_a_bool(self, answer: Any) -> None:
        message = "is_leaf predicate returned a non-boolean value .*; expected a boolean"
        with pytest.raises(ValueError, match=message):
            tree_flatten([1], is_leaf=lambda _: answer)
        with pytest.raises(ValueError, match=message):
            tree_flatten_with_path([1], is_leaf=lambda _: answer)

    def test_errors_pass_through(self) -> None:
        def fail(_: Any) -> bool:
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            tree_flatten([1], is_leaf=fail)

    def test_with_path(self) -> None:
        tree = {"a": [1, (2, None)], "p": Point(3, 4)}
        pairs, treedef = tree_flatten_with_path(
            tree, is_leaf=lambda path, _: len(path) == 2, is_leaf_takes_path=True
        )
        assert pairs == [
            ((DictKey("a"), SequenceKey(0)), 1),
            ((DictKey("a"), SequenceKey(1)), (2, None)),
            ((DictKey("p"), GetAttrKey("x")), 3),
            ((DictKey("p"), GetAttrKey("y")), 4),
        ]
        assert treedef == tree_structure({"a": [0, 0], "p": Point(0, 0)})
        assert tree_flatten_with_path([(1,)], is_leaf=lambda x: type(x) is tuple)[0] == [
            ((SequenceKey(0),), (1,))
        ]
