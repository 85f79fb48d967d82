"""Is a structure read back from its bytes, and nothing else taken for one?"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minijax.core.tree import PyTreeDef, default_registry, tree_structure

trees = st.recursive(
    st.integers() | st.none(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), children, max_size=3)
    ),
)


def decode(data: bytes) -> PyTreeDef:
    return PyTreeDef.deserialize_using_proto(default_registry, data)


@given(trees)
def test_round_trip(tree: Any) -> None:
    treedef = tree_structure(tree)
    assert decode(treedef.serialize_using_proto()) == treedef


def test_many_children_need_long_numbers() -> None:
    treedef = tree_structure({f"key {i:04}": (i,) * 200 for i in range(300)})
    assert decode(treedef.serialize_using_proto()) == treedef


@pytest.mark.parametrize(
    ("tree", "data"),
    [
        (1, b"\n\x02\x10\x01"),
        (None, b"\n\x02\x10\x03"),
        ((1,), b"\n\x02\x10\x01\n\x04\x08\x01\x10\x04"),
        ([], b"\n\x02\x10\x02"),
        (
            {"b": 1, "a": {"b": 2}},
            b"\n\x02\x10\x01\n\t\x08\x01\x10\x05\x1a\x03\n\x01\x00\n\x02\x10\x01"
            b"\n\n\x08\x02\x10\x05\x1a\x04\n\x02\x01\x00\x12\x01b\x12\x01a",
        ),
    ],
)
def test_bytes(tree: Any, data: bytes) -> None:
    assert tree_structure(tree).serialize_using_proto() == data


@pytest.mark.parametrize(
    ("tree", "message"),
    [({1: 2}, "Only string keys are supported"), (OrderedDict(a=1), "User-defined nodes are not")],
)
def test_what_cannot_be_stored(tree: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tree_structure(tree).serialize_using_proto()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"xx",
        b"\n",
        b"\n\x05\x10\x01",
        b"\n\x02\x10\x09",
        b"\n\x02\x10\x01" * 2,
        b"\n\x04\x08\x01\x10\x04",
        b"\n\x04\x08\x01\x10\x05",
        b"\x0d\x00\x00\x00\x00",
    ],
)
def test_bytes_of_something_else(data: bytes) -> None:
    with pytest.raises(RuntimeError, match="PyTreeDef"):
        decode(data)


@given(st.binary(max_size=30))
def test_any_bytes_are_a_structure_or_an_error(data: bytes) -> None:
    try:
        treedef = decode(data)
    except RuntimeError:
        return
    assert decode(treedef.serialize_using_proto()) == treedef
