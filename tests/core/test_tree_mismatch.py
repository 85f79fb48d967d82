"""Do errors about structure name the place and say what is there?"""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minijax.core.tree import (
    DictKey,
    GetAttrKey,
    SequenceKey,
    equality_errors,
    equality_errors_pytreedef,
    keystr,
    prefix_errors,
    register_pytree_node,
    tree_structure,
)

Point = namedtuple("Point", ["x", "y"])


class Bag:
    """A node without keys."""

    def __init__(self, *content: Any):
        self.content = content


register_pytree_node(Bag, lambda b: (b.content, None), lambda _, c: Bag(*c))

trees = st.recursive(
    st.integers() | st.none(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("abc"), children, max_size=3)
    ),
    max_leaves=8,
)


def messages(prefix: Any, full: Any, **kwargs: Any) -> list[str]:
    return [str(error("NAME")) for error in prefix_errors(prefix, full, **kwargs)]


@pytest.mark.parametrize(
    ("prefix", "full", "headings"),
    [
        ((1, 2), [1, 2], ["different types at key path\n    NAME\n"]),
        (((1,), (2,)), ([3], [4]), [f"different types at key path\n    NAME[{i}]\n" for i in "01"]),
        ((1,), (2, 3), ["different lengths of tuple at key path\n    NAME\n"]),
        ([[1]], [[2, 3]], ["different lengths of list at key path\n    NAME[0]\n"]),
        (
            {"hi": 1},
            {"hi": 2, "bye": 3},
            ["different numbers of pytree children at key path\n    NAME\n"],
        ),
        ([{1: 2}], [{3: 4}], ["different pytree metadata at key path\n    NAME[0]\n"]),
        (Bag(1, [2]), Bag(3, 4), ["different types at key path\n    NAME[<flat index 1>]\n"]),
        (Point([0], [0]), Point([1], (1,)), ["different types at key path\n    NAME.y\n"]),
        ({"{oops}": []}, {"{oops}": [1]}, ["different lengths of list at key path\n    NAME['{oo"]),
        (None, 1, ["different types at key path\n    NAME\n"]),
    ],
)
def test_prefix_errors_name_the_place(prefix: Any, full: Any, headings: list[str]) -> None:
    found = messages(prefix, full)
    assert len(found) == len(headings)
    for message, heading in zip(found, headings, strict=True):
        assert message.startswith(f"pytree structure error: {heading}")


@pytest.mark.parametrize(
    ("prefix", "full", "ending"),
    [
        (
            (1,),
            (2, 3),
            "has a subtree of type tuple of length 1, but the full pytree has a subtree of the "
            "same type but of length 2.",
        ),
        (
            {"a": 1},
            {"a": 1, "c": 2, "d": 3},
            "with 1 child keys\n    a\nbut at the same key path the full pytree has a subtree of "
            "the same type but with 3 child keys\n    a c d\n"
            "so the symmetric difference on key sets is\n    c d",
        ),
        (
            OrderedDict(a=1),
            OrderedDict(b=1),
            "with metadata\n    ('a',)\nbut at the same key path the full pytree has a subtree of "
            "the same type but with metadata\n    ('b',)\n"
            "so the diff in the metadata at these pytree nodes is\n"
            "    - ('a',)\n    ?   ^\n\n    + ('b',)\n    ?   ^\n",
        ),
    ],
)
def test_prefix_errors_say_what_is_there(prefix: Any, full: Any, ending: str) -> None:
    (message,) = messages(prefix, full)
    assert message.endswith(ending)


def test_prefix_may_stop_anywhere() -> None:
    assert messages((1, 2), ((11, {"a": 12}), 2)) == []
    assert messages(0, {"a": [1]}) == []
    assert messages([1, [None]], [1, [2]], is_leaf=lambda x: x is None) == []


@given(trees, trees)
def test_prefix_errors_are_found_exactly_where_flattening_fails(prefix: Any, full: Any) -> None:
    try:
        tree_structure(prefix).flatten_up_to(full)
    except ValueError:
        assert messages(prefix, full)
    else:
        assert messages(prefix, full) == []


@given(trees, trees)
def test_equality_errors_are_found_exactly_where_structures_differ(a: Any, b: Any) -> None:
    same = tree_structure(a) == tree_structure(b)
    assert (list(equality_errors(a, b)) == []) is same
    assert (list(equality_errors_pytreedef(tree_structure(a), tree_structure(b))) == []) is same


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((1, 2), [1, 2], ("", "<class 'tuple'>", "<class 'list'>", "their Python types differ")),
        (1, (2, 3), ("", "<class 'int'>", "<class 'tuple'>", "their Python types differ")),
        (
            [None],
            [[1]],
            ("[0]", "<class 'NoneType'>", "<class 'list'>", "their Python types differ"),
        ),
        ((1,), (2, 3), ("", "tuple of length 1", "tuple of length 2", "the lengths do not match")),
        (
            {"a": 1},
            {"a": 1, "c": 2, "d": 3},
            (
                "",
                "<class 'dict'> with 1 child",
                "<class 'dict'> with 3 children",
                "the numbers of children do not match, with the symmetric difference of key sets: "
                "{'c' 'd'}",
            ),
        ),
        (
            [{"a": 1}],
            [{"b": 1}],
            (
                "[0]",
                "<class 'dict'> with pytree metadata ('a',)",
                "<class 'dict'> with pytree metadata ('b',)",
                "the pytree node metadata does not match",
            ),
        ),
    ],
)
def test_equality_errors(a: Any, b: Any, expected: tuple[str, ...]) -> None:
    ((path, *rest),) = equality_errors(a, b)
    assert (keystr(path), *rest) == expected


def test_equality_errors_finds_every_place() -> None:
    errors = list(equality_errors(Point([1], {"a": ()}), Point((1,), {"a": []})))
    assert [path for path, *_ in errors] == [
        (GetAttrKey("x"),),
        (GetAttrKey("y"), DictKey("a")),
    ]


def test_equality_errors_of_structures() -> None:
    (error,) = equality_errors_pytreedef(tree_structure((1, 2)), tree_structure((1, [3])))
    path = (SequenceKey(1),)
    assert error == (path, "pytree leaf", "<class 'list'>", "their Python types differ")


def test_equality_errors_with_is_leaf() -> None:
    stop = {"is_leaf": lambda x: isinstance(x, tuple)}
    assert list(equality_errors([(1,)], [(2, 3)], **stop)) == []
    assert len(list(equality_errors([(1,)], [[2]], **stop))) == 1
