"""Do keys print as the Python that reads the child, and are they values?"""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from minijax.core.tree import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey, keystr

KEYS = [SequenceKey(1), DictKey("a"), DictKey(2), GetAttrKey("b"), FlattenedIndexKey(1)]


@pytest.mark.parametrize(
    ("key", "text", "representation"),
    [
        (SequenceKey(1), "[1]", "SequenceKey(idx=1)"),
        (DictKey("a"), "['a']", "DictKey(key='a')"),
        (DictKey(2), "[2]", "DictKey(key=2)"),
        (GetAttrKey("b"), ".b", "GetAttrKey(name='b')"),
        (FlattenedIndexKey(1), "[<flat index 1>]", "FlattenedIndexKey(key=1)"),
    ],
)
def test_text(key: Any, text: str, representation: str) -> None:
    assert str(key) == text
    assert repr(key) == representation


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_values(key: Any) -> None:
    copy = pickle.loads(pickle.dumps(key))
    assert copy == key
    assert hash(copy) == hash(key)
    assert [other == key for other in KEYS].count(True) == 1
    assert len({hash(other) for other in KEYS}) == len(KEYS)
    with pytest.raises(AttributeError):
        setattr(key, type(key).__match_args__[0], 3)


def test_a_key_is_only_as_hashable_as_what_it_holds() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(DictKey([]))  # pyright: ignore[reportArgumentType]


def test_pattern_matching() -> None:
    match [DictKey("a"), SequenceKey(1), GetAttrKey("b"), FlattenedIndexKey(2)]:
        case [DictKey(key), SequenceKey(idx=index), GetAttrKey(name=name), FlattenedIndexKey(flat)]:
            assert (key, index, name, flat) == ("a", 1, "b", 2)
        case _:
            pytest.fail("no match")


def test_keystr() -> None:
    path = (DictKey("a"), "own key", 3, GetAttrKey("q"), FlattenedIndexKey(1))
    assert keystr(path) == "['a']own key3.q[<flat index 1>]"
    assert keystr(path, simple=True, separator="/") == "a/own key/3/q/1"
    assert keystr(path[:1] * 2, separator="/") == "['a']/['a']"
    assert keystr(()) == ""
