"""How do two processes exchange a header and a body over a pipe?

One message is one *frame*::

    8 bytes   length of the header, big endian
    8 bytes   length of the body, big endian
    header    JSON
    body      bytes

This file imports the standard library only: `compiler.py` uses it on one side of the pipe and
`worker.py`, which is started as a program outside the package, on the other.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Protocol

PREFIX = struct.Struct(">QQ")


class Pipe(Protocol):
    """An unbuffered binary stream; reads and writes may be partial."""

    def read(self, size: int, /) -> bytes | None: ...

    def write(self, data: memoryview, /) -> int | None: ...


def read_exactly(pipe: Pipe, size: int) -> bytes:
    """Read `size` bytes; raise EOFError when the pipe ends before."""
    pieces = []
    while size:
        piece = pipe.read(size)
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def write_all(pipe: Pipe, data: bytes) -> None:
    """Write all of `data`, in as many pieces as the pipe takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) or 0 :]


def read_frame(pipe: Pipe) -> tuple[dict[str, Any], bytes]:
    """Read one (header, body) pair; raise EOFError when the pipe ends."""
    header_size, body_size = PREFIX.unpack(read_exactly(pipe, PREFIX.size))
    header = json.loads(read_exactly(pipe, header_size))
    return header, read_exactly(pipe, body_size)


def write_frame(pipe: Pipe, header: dict[str, Any], body: bytes) -> None:
    """Write one (header, body) pair."""
    encoded = json.dumps(header).encode()
    write_all(pipe, PREFIX.pack(len(encoded), len(body)) + encoded)
    write_all(pipe, body)
