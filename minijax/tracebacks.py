"""What does a user see of the package when his function fails inside it?

A function under three transformations is called through dozens of frames that say nothing to the
person who wrote it. At the public boundary they are taken out of the traceback, which then holds
the frames of the user's files only. Set ``jax_traceback_filtering`` to ``"off"`` to see all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from minijax.config import snapshot
from minijax.source_info import is_internal

NOTE = (
    "Frames inside the library are left out of this traceback; JAX_TRACEBACK_FILTERING=off "
    "shows them."
)


F = TypeVar("F", bound=Callable)


def public_boundary(fun: F) -> F:
    """Decorate a function that users call: tracebacks of its exceptions are theirs alone."""

    @functools.wraps(fun)
    def call(*args, **kwargs):
        try:
            return fun(*args, **kwargs)
        except Exception as error:
            hide_internal_frames(error)
            raise

    return call  # type: ignore[return-value]


def hide_internal_frames(error: BaseException) -> None:
    """Take the package's own frames out of the traceback of an exception being handled.

    For use in an ``except`` clause that ends with a bare ``raise``: that goes on with the
    traceback set here, and does not add the frame of its own function again.
    """
    if snapshot().traceback_filtering == "off":
        return
    entries = []
    entry = error.__traceback__
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    kept = [e for e in entries if not is_internal(e.tb_frame.f_code.co_filename)]
    if len(kept) == len(entries):
        return
    chain: TracebackType | None = None
    for e in reversed(kept):
        chain = TracebackType(chain, e.tb_frame, e.tb_lasti, e.tb_lineno)
    error.__traceback__ = chain
    if NOTE not in getattr(error, "__notes__", ()):
        error.add_note(NOTE)
