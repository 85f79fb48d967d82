"""Do pytrees behave, print and fail as in JAX?

Each check calls a function of :mod:`minijax.tree_util` and the one of that name in
``jax.tree_util`` on trees of the same kind, drawn by hypothesis, and compares the outcomes: the
value, or the class of the error and, where JAX wrote the text by hand, its text.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minijax import tree, tree_util

jax = pytest.importorskip("jax", reason="compares with JAX, which is not installed")
inner = pytest.importorskip("jax._src.tree_util", reason="compares with JAX's inner functions")
oracle = jax.tree_util

pytestmark = pytest.mark.parity

Point = namedtuple("Point", ["x", "y"])


class Tagged:
    """Registered with both libraries."""

    def __init__(self, children: Any, tag: Any):
        self.children, self.tag = tuple(children), tag

    def __repr__(self) -> str:
        return f"Tagged({self.children}, {self.tag})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tagged) and repr(self) == repr(other)


@dataclasses.dataclass
class Layer:
    weight: Any
    bias: Any = 1
    name: Any = dataclasses.field(default="x", metadata={"static": True})


for library in (tree_util, oracle):
    library.register_pytree_node(
        Tagged, lambda t: (t.children, t.tag), lambda tag, children: Tagged(children, tag)
    )
    library.register_dataclass(Layer)


def containers(children: st.SearchStrategy) -> st.SearchStrategy:
    lists = st.lists(children, max_size=3)
    dicts = st.dictionaries(st.sampled_from("abcd"), children, max_size=3)
    tags = st.sampled_from([None, "s", 1, (1, "t"), [2]])
    return (
        lists
        | lists.map(tuple)
        | dicts
        | dicts.map(OrderedDict)
        | dicts.map(lambda d: defaultdict(list, d))
        | st.tuples(children, children).map(lambda pair: Point(*pair))
        | st.builds(Tagged, lists, tags)
        | st.builds(Layer, children, children, tags)
    )


trees = st.recursive(st.integers(0, 9) | st.none(), containers, max_leaves=8)
# A tree, and a second one with a chance of having the same structure down to the leaves.
pairs = st.tuples(trees, trees) | trees.map(
    lambda t: (t, tree_util.tree_map(lambda x: [x] if x % 2 else x, t))
)


def comparable(text: str) -> str:
    """A message without what may differ: the order of a set of keys, and JAX's "0 child"."""
    text = text.replace("0 children", "0 child")
    return "".join(sorted(text)) if "symmetric difference" in text else text


def outcome(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The value as text, for the values are of different classes; or the error."""
    try:
        return repr(f(*args, **kwargs))
    except Exception as error:
        return type(error), comparable(str(error).split("\n\n")[0])


def check_same(name: str, *args: Any, **kwargs: Any) -> None:
    ours = outcome(getattr(tree_util, name), *args, **kwargs)
    theirs = outcome(getattr(oracle, name), *args, **kwargs)
    assert ours == theirs


def test_every_public_name_is_there() -> None:
    for ours, theirs in ((tree_util, oracle), (tree, jax.tree)):
        public = {name for name in dir(theirs) if not name.startswith("_")}
        assert public <= set(dir(ours))
    ours, theirs = tree_util.PyTreeDef, oracle.PyTreeDef
    assert {name for name in dir(theirs) if not name.startswith("_")} <= set(dir(ours))


@given(trees)
def test_flatten(value: Any) -> None:
    check_same("tree_flatten", value)
    check_same("tree_flatten_with_path", value)
    check_same("tree_leaves", value)
    check_same("tree_leaves", value, is_leaf=lambda x: isinstance(x, (tuple, Point)))
    check_same("tree_structure", value, is_leaf=lambda x: x is None)
    check_same("tree_flatten_with_path", value, lambda p, x: len(p) > 1, is_leaf_takes_path=True)


@given(trees)
def test_treedef(value: Any) -> None:
    ours, theirs = tree_util.tree_structure(value), oracle.tree_structure(value)
    for read in (
        lambda d: (d.num_leaves, d.num_nodes, d.node_data(), d.children()),
        lambda d: d.compose(d),
        lambda d: d.unflatten(range(d.num_leaves)),
        lambda d: d.unflatten(range(d.num_leaves + 1)),
        lambda d: d.unflatten(range(d.num_leaves - 1)),
        lambda d: d.walk(lambda *args: args, lambda x: -x, range(d.num_leaves)),
        lambda d: d.serialize_using_proto(),
    ):
        assert outcome(read, ours) == outcome(read, theirs)
    assert outcome(
        lambda: tree_util.treedef_tuple([ours, ours]).from_iterable_tree([value, value])
    ) == outcome(lambda: oracle.treedef_tuple([theirs, theirs]).from_iterable_tree([value, value]))


@given(pairs)
def test_two_trees(two: tuple[Any, Any]) -> None:
    a, b = two
    ours, theirs = tree_util.tree_structure(a), oracle.tree_structure(a)
    assert outcome(ours.flatten_up_to, b) == outcome(theirs.flatten_up_to, b)
    assert (ours == tree_util.tree_structure(b)) is (theirs == oracle.tree_structure(b))
    # JAX 0.10.2 names every field of a named tuple by the first in these.
    if "Point" not in repr(a):
        check_same("tree_map", lambda x, y: (x, y), a, b)
        check_same("tree_map_with_path", lambda p, x, y: (p, x, y), a, b)
        check_same("tree_broadcast", a, b)
        found, expected = tree_util.equality_errors(a, b), inner.equality_errors(a, b)
        assert comparable(repr(list(found))) == comparable(repr(list(expected)))


@given(trees, trees)
def test_transpose(outer: Any, within: Any) -> None:
    def transpose(library: Any) -> Any:
        o, i = library.tree_structure(outer), library.tree_structure(within)
        value = o.compose(i).unflatten(range(o.num_leaves * i.num_leaves))
        return library.tree_transpose(o, i, value)

    # Where there is no leaf, JAX has nothing to build one of the two trees from, and says so.
    if tree_util.tree_leaves(outer) and tree_util.tree_leaves(within):
        assert outcome(transpose, tree_util) == outcome(transpose, oracle)


@given(trees)
def test_reductions(value: Any) -> None:
    check_same("tree_reduce", lambda a, b: (a, b), value)
    check_same("tree_reduce", lambda a, b: (a, b), value, 0)
    check_same("tree_reduce_associative", lambda a, b: (a, b), value)
    check_same("tree_all", value)
    check_same("all_leaves", [value])
    check_same("is_tree_node", type(value))


@given(trees)
def test_one_level(value: Any) -> None:
    if isinstance(value, Point):
        return
    for name in ("flatten_one_level", "flatten_one_level_with_keys"):

        def read(library: Any, name: str = name) -> Any:
            children, metadata = getattr(library, name)(value)
            return list(children), metadata

        assert outcome(read, tree_util) == outcome(read, oracle)


@pytest.mark.parametrize("value", [{1: 0, "a": 0}, defaultdict(int, {1: 0, "a": 0})])
def test_keys_that_cannot_be_sorted(value: Any) -> None:
    check_same("tree_flatten", value)


@pytest.mark.parametrize("answer", [None, True, False, 1, [], "yes"])
def test_answers_of_is_leaf(answer: Any) -> None:
    check_same("tree_flatten", [(1,)], is_leaf=lambda x: answer)


@given(trees)
def test_key_paths_as_text(value: Any) -> None:
    def paths(library: Any) -> Any:
        return [
            (
                library.keystr(path),
                library.keystr(path, simple=True, separator="/"),
                [str(key) for key in path],
            )
            for path, _ in library.tree_flatten_with_path(value)[0]
        ]

    assert paths(tree_util) == paths(oracle)


@given(trees)
def test_bytes_of_structures_are_exchanged(value: Any) -> None:
    theirs = oracle.tree_structure(value)
    try:
        data = theirs.serialize_using_proto()
    except ValueError:
        return
    ours = tree_util.PyTreeDef.deserialize_using_proto(tree_util.default_registry, data)
    assert ours == tree_util.tree_structure(value)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"data_fields": ["weight"]},
        {"meta_fields": ["weight"]},
        {"data_fields": ["weight"], "meta_fields": ["name"]},
        {"data_fields": ["weight"], "meta_fields": ["name"], "drop_fields": ["bias"]},
        {"data_fields": ["weight", "bias"], "meta_fields": ["name", "more"]},
        {"data_fields": ["weight", "bias"], "meta_fields": ["name", "bias"]},
        {"drop_fields": ["bias"]},
    ],
)
def test_register_dataclass(arguments: dict[str, Any]) -> None:
    def register(library: Any) -> Any:
        new = dataclasses.make_dataclass(
            "New", [("weight", int), ("bias", int, 1), ("name", str, "x")]
        )
        library.register_dataclass(new, **arguments)
        return library.tree_structure(new(1, 2, "n")), library.tree_map(lambda x: -x, new(1, 2))

    assert outcome(register, tree_util) == outcome(register, oracle)


@pytest.mark.parametrize("name", ["register_pytree_node_class", "register_pytree_with_keys_class"])
def test_register_class_without_methods(name: str) -> None:
    for library in (tree_util, oracle):
        with pytest.raises(AttributeError):
            getattr(library, name)(type("Empty", (), {}))


def test_partial() -> None:
    for library in (tree_util, oracle):
        bound = library.Partial(max, 1, key=None)
        assert repr(bound) == "Partial(<built-in function max>, 1, key=None)"
        assert (
            repr(library.tree_structure(bound))
            == "PyTreeDef(CustomNode(Partial[<built-in function max>], [(*,), {'key': None}]))"
        )
