"""Do the functions on whole trees do to the leaves what they say, and keep the structure?"""

from __future__ import annotations

import doctest
import functools
import importlib
import pickle
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minijax import tree, tree_util
from minijax.core.tree import (
    Partial,
    all_leaves,
    broadcast_flattened_prefix_with_treedef,
    broadcast_prefix,
    keystr,
    register_pytree_node,
    tree_all,
    tree_broadcast,
    tree_flatten,
    tree_leaves,
    tree_leaves_with_path,
    tree_map,
    tree_map_with_path,
    tree_reduce,
    tree_reduce_associative,
    tree_structure,
    tree_transpose,
)

trees = st.recursive(
    st.integers() | st.none(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("abc"), children, max_size=3)
    ),
    max_leaves=8,
)


class TestMap:
    def test_several_trees(self) -> None:
        first, second = ((1, 2), [3]), (([4], None), [{"a": 5}])
        assert tree_map(lambda x, y: (x, y), first, second) == (
            ((1, [4]), (2, None)),
            [(3, {"a": 5})],
        )

    @given(trees)
    def test_identity(self, value: Any) -> None:
        assert tree_map(lambda x: x, value) == value
        assert tree_map(lambda x, y: x is y, value, value) == tree_map(lambda x: True, value)

    def test_is_leaf(self) -> None:
        value = [(1, 2), None]
        assert tree_map(len, value, is_leaf=lambda x: isinstance(x, tuple)) == [2, None]
        assert tree_map(lambda x, y: (x, y), None, 3, is_leaf=lambda x: x is None) == (None, 3)

    def test_f_is_not_caught(self) -> None:
        with pytest.raises(ValueError, match="mine"):
            tree_map(lambda x, y: (_ for _ in ()).throw(ValueError("mine")), [1], [1])

    def test_error_names_the_place(self) -> None:
        message = r"different lengths of tuple at key path\n    tree_map tree\['a'\]"
        with pytest.raises(ValueError, match=message):
            tree_map(lambda x, y: x, {"a": (1, 2)}, {"a": (1,)})
        with pytest.raises(ValueError, match=r"    tree_map_with_path tree\['a'\]"):
            tree_map_with_path(lambda p, x, y: x, {"a": (1, 2)}, {"a": (1,)})

    def test_error_names_the_place_below_a_leaf_by_path(self) -> None:
        stops = {"is_leaf": lambda path, _: len(path) == 1, "is_leaf_takes_path": True}
        first, second = {"a": [1], "b": 2}, {"a": 3, "c": 4}
        with pytest.raises(ValueError, match="different pytree metadata at key path"):
            tree_map_with_path(lambda p, x, y: x, first, second, **stops)
        stops["is_leaf"] = lambda path, _: keystr(path) == "['a']"
        with pytest.raises(ValueError, match=r"tree_map_with_path tree\['b'\]"):
            tree_map_with_path(lambda p, x, y: x, {"a": [1], "b": [2]}, {"a": 3, "b": 4}, **stops)

    def test_error_without_a_place(self) -> None:
        """A predicate that changes its mind: the failure is reported as it was found."""
        answers = iter([False, False, True, True, True, True])
        with pytest.raises(ValueError, match=r"^Expected list, got 3\.$"):
            tree_map(lambda x, y: x, [[1]], [3], is_leaf=lambda _: next(answers, False) is True)

    def test_with_path(self) -> None:
        value = {"a": (1, [2])}
        assert tree_map_with_path(lambda p, x, y: (keystr(p), x + y), value, value) == {
            "a": (("['a'][0]", 2), [("['a'][1][0]", 4)])
        }
        stops = {"is_leaf": lambda path, _: len(path) == 1, "is_leaf_takes_path": True}
        assert tree_map_with_path(lambda p, x: len(x), value, **stops) == {"a": 2}

    def test_leaves_with_path(self) -> None:
        pairs = tree_leaves_with_path({"a": [5], "b": None})
        assert [(keystr(path), leaf) for path, leaf in pairs] == [("['a'][0]", 5)]


class TestBroadcast:
    def test_prefix(self) -> None:
        full = (0, {"a": 0, "b": None}, (0, [0]))
        assert broadcast_prefix((1, 2, 3), full) == [1, 2, 3, 3]
        assert tree_broadcast((1, 2, 3), full) == (1, {"a": 2, "b": None}, (3, [3]))

    def test_none(self) -> None:
        is_none = {"is_leaf": lambda x: x is None}
        assert broadcast_prefix([1, None], [3, (4, 5)], **is_none) == [1, None, None]
        assert tree_broadcast([1, None], [3, (4, 5)], **is_none) == [1, (None, None)]
        assert broadcast_prefix([1, None], [3, None]) == [1]

    def test_error_names_the_place(self) -> None:
        message = r"    broadcast_prefix prefix_tree\[1\]"
        with pytest.raises(ValueError, match=message):
            broadcast_prefix([1, None], [3, (4, 5)])
        with pytest.raises(ValueError, match=message):
            tree_broadcast([1, (2,)], [3, (4, 5)])

    @given(trees, trees)
    def test_from_structures_alone(self, outer: Any, inner: Any) -> None:
        full = tree_map(lambda _: inner, outer)
        leaves, treedef = tree_flatten(outer)
        expected = broadcast_prefix(outer, full)
        found = broadcast_flattened_prefix_with_treedef(leaves, treedef, tree_structure(full))
        assert found == expected

    @pytest.mark.parametrize("full", [(0,), [0, 0], ((0, 0, 0), 0), 0])
    def test_from_structures_that_do_not_fit(self, full: Any) -> None:
        leaves, treedef = tree_flatten(((1, 2), 3))
        with pytest.raises(ValueError, match="is not a prefix of"):
            broadcast_flattened_prefix_with_treedef(leaves, treedef, tree_structure(full))


class TestTranspose:
    def test_list_of_pairs(self) -> None:
        outer, inner = tree_structure([0, 0]), tree_structure((0, {"a": 0}))
        value = [(1, {"a": 2}), (3, {"a": 4})]
        expected = ([1, 3], {"a": [2, 4]})
        assert tree_transpose(outer, inner, value) == expected
        assert tree_transpose(outer, None, value) == expected

    @given(trees.filter(tree_leaves), trees.filter(tree_leaves))
    def test_twice_is_the_identity(self, outer: Any, inner: Any) -> None:
        outer_def, inner_def = tree_structure(outer), tree_structure(inner)
        size = outer_def.num_leaves * inner_def.num_leaves
        value = outer_def.compose(inner_def).unflatten(range(size))
        there = tree_transpose(outer_def, inner_def, value)
        assert tree_structure(there) == inner_def.compose(outer_def)
        assert tree_transpose(inner_def, outer_def, there) == value

    def test_mismatch(self) -> None:
        with pytest.raises(TypeError, match=r"Mismatch\n.*\n != \n"):
            tree_transpose(tree_structure([0, 0, 0]), tree_structure((0, 0)), [(1, 2), (3, 4)])
        with pytest.raises(TypeError, match="Mismatch"):
            tree_transpose(tree_structure([0, 0]), None, [(1, 2), (3,)])
        with pytest.raises(ValueError, match="cannot infer inner_treedef"):
            tree_transpose(tree_structure([]), None, [])


class TestReduce:
    def test_from_the_left(self) -> None:
        assert tree_reduce(lambda a, b: f"({a}{b})", {"a": "x", "b": ["y", "z"]}) == "((xy)z)"
        assert tree_reduce(lambda a, b: a + b, [], 7) == 7
        pairs = [(1,), (2,)]
        assert tree_reduce(lambda a, b: a + b, pairs, is_leaf=lambda x: type(x) is tuple) == (1, 2)
        with pytest.raises(TypeError, match="no initial value"):
            tree_reduce(lambda a, b: a, [])
        with pytest.raises(TypeError, match="unsupported operand"):
            tree_reduce(lambda a, b: a + b, [1], None)

    def test_associative_is_balanced(self) -> None:
        def pair(a: Any, b: Any) -> Any:
            return (a, b)

        assert tree_reduce_associative(pair, [1, 2, 3, 4, 5]) == ((1, 2), (3, (4, 5)))
        assert tree_reduce_associative(pair, [1], identity=0) == 1
        assert tree_reduce_associative(pair, [], identity=0) == 0
        with pytest.raises(TypeError, match="Must specify identity"):
            tree_reduce_associative(pair, [])

    def test_all(self) -> None:
        assert tree_all([]) is True
        assert tree_all({"a": 1, "b": (True, None)}) is True
        assert tree_all([1, 0]) is False
        assert tree_all([()], is_leaf=lambda x: x == ()) is False

    def test_all_leaves(self) -> None:
        assert all_leaves([1, "a", object()])
        assert all_leaves([])
        assert not all_leaves([1, (2,)])
        assert not all_leaves([None])
        assert all_leaves([(1,)], is_leaf=lambda x: isinstance(x, tuple))
        assert not all_leaves([[1]], is_leaf=lambda x: isinstance(x, tuple))


def join(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """A function to bind arguments to."""
    return (*args, *kwargs.items())


class TestPartial:
    def test_arguments_are_children(self) -> None:
        bound = Partial(join, 1, a=2)
        assert tree_leaves(bound) == [1, 2]
        assert tree_map(lambda x: 10 * x, bound)(3) == (10, 3, ("a", 20))
        assert tree_structure(bound) == tree_structure(Partial(join, 5, a=6))
        assert tree_structure(bound) != tree_structure(Partial(len, 1, a=2))
        assert isinstance(bound, functools.partial)

    @pytest.mark.parametrize("inner", [functools.partial(join, 1), Partial(join, 1)])
    def test_does_not_merge_with_another_partial(self, inner: functools.partial) -> None:
        outer, other = Partial(inner, 2), Partial(inner, 2)
        assert outer.args == (2,)
        assert outer(3) == (1, 2, 3)
        assert tree_leaves(outer) == [2]
        assert outer.func == inner
        assert inner == outer.func
        assert hash(outer.func) == hash(other.func)
        assert tree_structure(outer) == tree_structure(other)
        assert "join" in repr(outer)

    def test_pickle(self) -> None:
        assert pickle.loads(pickle.dumps(Partial(join, 1, a=2)))(3) == (1, 3, ("a", 2))

    def test_needs_a_function(self) -> None:
        with pytest.raises(TypeError, match="callable"):
            Partial(3)  # pyright: ignore[reportArgumentType]


def test_nodes_that_change_when_rebuilt() -> None:
    """Flattening goes by what is there, not by what was there before."""

    class Growing:
        def __init__(self, *content: Any):
            self.content = content

    register_pytree_node(Growing, lambda g: (g.content, None), lambda _, c: Growing(*c, 0))
    assert tree_leaves(tree_map(lambda x: x, Growing(1))) == [1, 0]


def test_short_names_are_the_same_functions() -> None:
    assert all(
        getattr(tree, name) is getattr(tree_util, f"tree_{name}")
        for name in tree.__all__
        if name != "static"
    )


@pytest.mark.parametrize(
    "name",
    ["tree", "treedef", "tree_flatten", "tree_keys", "tree_mismatch", "tree_partial"]
    + ["tree_register", "tree_registry", "tree_proto", "tree_nodes"],
)
def test_examples_in_docstrings(name: str) -> None:
    module: ModuleType = importlib.import_module(f"minijax.core.{name}")
    names = {**vars(importlib.import_module("minijax.core.tree")), **vars(module)}
    result = doctest.testmod(module, extraglobs=names)
    assert result.failed == 0
