"""How is a tree structure stored in a file that other programs can read?

As the protocol buffer that jaxlib writes for a ``PyTreeDef``: the nodes in postorder, and a table
of the strings that are dictionary keys::

    message PyTreeDef { repeated Node nodes = 1;  repeated string strings = 2; }
    message Node      { uint32 arity = 1;  Kind kind = 2;  DictData dict = 3; }
    message DictData  { repeated uint32 key_ids = 1 [packed]; }
    enum    Kind      { LEAF = 1;  LIST = 2;  NONE = 3;  TUPLE = 4;  DICT = 5; }

Only these containers can be stored: what a user's class needs to be built again is not data. The
functions work on the *spec* of a treedef (``treedef.py``). The wire format is described at
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import Any

_KIND_OF_TYPE = {list: 2, NoneType: 3, tuple: 4, dict: 5}
_TYPE_OF_KIND = {kind: typ for typ, kind in _KIND_OF_TYPE.items()}
_LEAF_KIND = 1
_VARINT, _BYTES = 0, 2


def encode(spec: tuple[Any, ...]) -> bytes:
    """Encode the spec of a treedef.

    Raises
    ------
    ValueError
        If a node is not None, a tuple, a list, or a dictionary with strings for keys.
    """
    key_ids: dict[str, int] = {}
    nodes = b"".join(_bytes_field(1, _encode_node(entry, key_ids)) for entry in spec)
    return nodes + b"".join(_bytes_field(2, key.encode()) for key in key_ids)


def decode(data: bytes) -> tuple[Any, ...]:
    """Decode what ``encode`` wrote.

    Raises
    ------
    RuntimeError
        If the bytes are not the encoding of one structure.
    """
    try:
        fields = list(_fields(data))
        strings = [value.decode() for number, value in fields if number == 2]
        spec = tuple(_decode_node(value, strings) for number, value in fields if number == 1)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RuntimeError("The bytes are not a serialized PyTreeDef.") from error
    depth = 0
    for entry in spec:
        arity = 0 if entry is ... else entry[2]
        if arity > depth:
            raise RuntimeError("PyTreeDef traversal ran out of children.")
        depth += 1 - arity
    if depth != 1:
        raise RuntimeError("PyTreeDef traversal did not yield a singleton.")
    return spec


def _encode_node(entry: Any, key_ids: dict[str, int]) -> bytes:
    if entry is ...:
        return _varint_field(2, _LEAF_KIND)
    typ, keys, arity = entry
    if typ not in _KIND_OF_TYPE:
        raise ValueError(
            "User-defined nodes are not supported when serializing pytrees as protocol buffers. "
            "You should either convert the user-defined nodes to another type or use pickle "
            "instead."
        )
    node = (_varint_field(1, arity) if arity else b"") + _varint_field(2, _KIND_OF_TYPE[typ])
    if typ is dict and arity:
        if not isinstance(keys, tuple) or not all(isinstance(key, str) for key in keys):
            raise ValueError("Only string keys are supported in proto pytree serialization.")
        ids = b"".join(_varint(key_ids.setdefault(key, len(key_ids))) for key in keys)
        node += _bytes_field(3, _bytes_field(1, ids))
    return node


def _decode_node(data: bytes, strings: list[str]) -> Any:
    fields = dict(_fields(data))
    if fields[2] == _LEAF_KIND:
        return ...
    typ, arity = _TYPE_OF_KIND[fields[2]], fields.get(1, 0)
    if typ is not dict:
        return (typ, None, arity)
    ids = dict(_fields(fields.get(3, b""))).get(1, b"")
    keys, position = [], 0
    while position < len(ids):
        key_id, position = _read_varint(ids, position)
        keys.append(strings[key_id])
    if len(keys) != arity:
        raise ValueError(f"A dictionary of {arity} children has {len(keys)} keys.")
    return (dict, tuple(keys), arity)


def _varint(value: int) -> bytes:
    """Seven bits a byte, least significant first; the high bit says that more follow."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _bytes_field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: numbers and bytes are the only wire types in use."""
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        value, position = _read_varint(data, position)
        if tag & 7 == _BYTES:
            end = position + value
            if end > len(data):
                raise ValueError("A field is longer than its message.")
            value, position = data[position:end], end
        elif tag & 7 != _VARINT:
            raise ValueError(f"Unexpected wire type {tag & 7}.")
        yield tag >> 3, value
