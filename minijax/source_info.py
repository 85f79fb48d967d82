"""Which line of the user's program asked for this operation?

An equation remembers the innermost stack frame that lies outside this package. Only the code
object and the instruction offset are kept; file, line and column are computed when somebody
asks, for nearly nobody does. While a transformation replays an equation, the equation's own
source stands in for the stack, so that derivatives and batched operations still point at the
line the user wrote.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType

_PACKAGE_DIR = os.path.dirname(os.path.abspath(__file__)) + os.sep


class SourceInfo:
    """A place in a program: a code object and an offset in it, resolved lazily."""

    __slots__ = ("code", "offset")

    def __init__(self, code: CodeType | None, offset: int = 0):
        self.code = code
        self.offset = offset

    @property
    def file_name(self) -> str:
        """Path of the source file, ``<unknown>`` if there is none."""
        return self.code.co_filename if self.code else "<unknown>"

    @property
    def function_name(self) -> str:
        """Qualified name of the function."""
        return self.code.co_qualname if self.code else "<unknown>"

    def position(self) -> tuple[int, int]:
        """Line (from 1) and column (from 0) of the expression; zeros if unknown."""
        if self.code is None:
            return 0, 0
        positions = itertools.islice(self.code.co_positions(), self.offset // 2, None)
        line, _, column, _ = next(positions, (None, None, None, None))
        return line or self.code.co_firstlineno, column or 0

    @property
    def line(self) -> int:
        """Line number, from 1."""
        return self.position()[0]

    def __str__(self) -> str:
        return f"{self.file_name}:{self.line} ({self.function_name})"


UNKNOWN = SourceInfo(None)
_replayed: ContextVar[SourceInfo | None] = ContextVar("minijax_source_info", default=None)


_internal_files: dict[str, bool] = {}


def is_internal(file_name: str) -> bool:
    """Tell whether a file belongs to the package rather than to its user."""
    found = _internal_files.get(file_name)
    if found is None:
        found = file_name.startswith(_PACKAGE_DIR)
        # dataclasses and contextlib generate or interpose frames between user and package
        found = found or file_name.startswith("<string>") or file_name.endswith("contextlib.py")
        _internal_files[file_name] = found
    return found


def current() -> SourceInfo:
    """Return the source of the operation being issued."""
    replayed = _replayed.get()
    return replayed if replayed is not None else user_frame()


def user_frame() -> SourceInfo:
    """Return the innermost frame of the stack that is not the package's own."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not is_internal(code.co_filename):
            return SourceInfo(code, frame.f_lasti)
        frame = frame.f_back
    return UNKNOWN


@contextmanager
def replaying(source: SourceInfo) -> Iterator[None]:
    """Attribute the operations issued inside to ``source``."""
    token = _replayed.set(source)
    try:
        yield
    finally:
        _replayed.reset(token)


def set_replayed(source: SourceInfo | None):
    """Set the stand-in without a context manager; returns the token for :func:`reset_replayed`."""
    return _replayed.set(source)


def reset_replayed(token) -> None:
    """Undo :func:`set_replayed`."""
    _replayed.reset(token)
