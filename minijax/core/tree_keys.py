"""How is a place inside a pytree named?

A *key path* is a tuple of keys, one per level from the root to the leaf, and each kind of container
has its own kind of key: ``params["w"][0].bias`` is the path
``(DictKey("w"), SequenceKey(0), GetAttrKey("bias"))``. Keys print as the piece of Python that
reads the child, so a path printed key by key is an expression that can be pasted behind the
variable's name. Error messages about trees name the place in this way.

A key is any object: a class registered by a user may use its own. The four classes here are the
ones that the containers of this package use.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

KeyEntry = TypeVar("KeyEntry", bound=Hashable)
KeyPath = tuple[KeyEntry, ...]


@dataclass(frozen=True, slots=True)
class SequenceKey:
    """The child at position ``idx`` of a list or tuple; prints as ``[idx]``."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def __hash__(self) -> int:
        return hash((SequenceKey, self.idx))


@dataclass(frozen=True, slots=True)
class DictKey:
    """The child under ``key`` of a mapping; prints as ``['key']``."""

    key: Hashable

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def __hash__(self) -> int:
        return hash((DictKey, self.key))


@dataclass(frozen=True, slots=True)
class GetAttrKey:
    """The child in the attribute ``name`` of an object; prints as ``.name``."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def __hash__(self) -> int:
        return hash((GetAttrKey, self.name))


@dataclass(frozen=True, slots=True)
class FlattenedIndexKey:
    """The ``key``-th child of a node registered without keys; prints as ``[<flat index key>]``."""

    key: int

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"

    def __hash__(self) -> int:
        return hash((FlattenedIndexKey, self.key))


def key_value(key: Any) -> Any:
    """What a key holds (an index, a dictionary key, a name); a foreign key stands for itself."""
    match key:
        case SequenceKey(value) | DictKey(value) | GetAttrKey(value) | FlattenedIndexKey(value):
            return value
        case _:
            return key


def keystr(keys: tuple[Any, ...], *, simple: bool = False, separator: str = "") -> str:
    """Print a key path.

    Parameters
    ----------
    keys
        The keys from the root to the place.
    simple
        Print what the keys hold (``w``) instead of the expressions that read it (``['w']``).
    separator
        Put between the keys.

    Returns
    -------
    str

    Examples
    --------
    >>> keystr((DictKey("w"), SequenceKey(0)))
    "['w'][0]"
    >>> keystr((DictKey("w"), SequenceKey(0)), simple=True, separator="/")
    'w/0'
    """
    return separator.join(str(key_value(key) if simple else key) for key in keys)
