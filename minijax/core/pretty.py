"""How is a nested text broken into lines that are narrow enough?

A *document* says where a text may be broken and how its parts are indented, not where it is
broken. A group is written on one line if all of it fits into what is left of the line; otherwise
its own breaks become new lines, and the groups inside are tried in turn. That is the algebra of
Philip Wadler, "A prettier printer" (2003). A text may carry a note, which is written to the right
of the finished lines, all notes in one column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """Characters that stay together."""

    chars: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Concat:
    """Documents one after another."""

    parts: tuple[Doc, ...]


@dataclass(frozen=True, slots=True)
class Nest:
    """A document whose new lines are indented by ``columns`` more."""

    columns: int
    inner: Doc


@dataclass(frozen=True, slots=True)
class Break:
    """A new line, or ``flat`` where the group around it fits on the line."""

    flat: str


@dataclass(frozen=True, slots=True)
class Group:
    """A document whose own breaks are either all new lines or none."""

    inner: Doc


Doc = Text | Concat | Nest | Break | Group


def text(chars: str, note: str | None = None) -> Doc:
    """Return characters that are never broken, with a note for the right margin if given."""
    return Text(chars, note)


def concat(*parts: Doc) -> Doc:
    """Return documents one after another."""
    return Concat(parts)


def nest(columns: int, inner: Doc) -> Doc:
    """Return a document with its new lines indented by ``columns`` more."""
    return Nest(columns, inner)


def brk(flat: str = " ") -> Doc:
    """Return a place for a new line, written ``flat`` in a group that fits."""
    return Break(flat)


def group(inner: Doc) -> Doc:
    """Return a document that is written on one line if it fits."""
    return Group(inner)


def join(separator: Doc, parts: Iterable[Doc]) -> Doc:
    """Return documents with a separator between each two."""
    spread: list[Doc] = []
    for part in parts:
        spread += [separator, part] if spread else [part]
    return Concat(tuple(spread))


def layout(doc: Doc, width: int = 80) -> str:
    """Return the text of a document, broken into lines of at most ``width`` where it can be.

    Whether a group fits is decided by the group alone, not by what follows it on the line.

    Examples
    --------
    >>> words = join(brk(), [text("add"), text("b"), text("c")])
    >>> layout(group(nest(2, words)))
    'add b c'
    >>> print(layout(group(nest(2, words)), width=5))
    add
      b
      c
    """
    lines: list[tuple[str, list[str]]] = []
    line, column, notes = [""], 0, []
    pending: list[tuple[int, bool, Doc]] = [(0, False, doc)]  # indentation, on one line?, rest
    while pending:
        indent, flat, doc = pending.pop()
        match doc:
            case Text(chars, note):
                line.append(chars)
                column += len(chars)
                notes += [note] if note is not None else []
            case Concat(parts):
                pending.extend((indent, flat, part) for part in reversed(parts))
            case Nest(columns, inner):
                pending.append((indent + columns, flat, inner))
            case Break(chars) if flat:
                line.append(chars)
                column += len(chars)
            case Break():
                lines.append(("".join(line), notes))
                line, column, notes = [" " * indent], indent, []
            case Group(inner):
                pending.append((indent, flat or _fits(inner, width - column), inner))
    return _with_notes([*lines, ("".join(line), notes)])


def _fits(doc: Doc, room: int) -> bool:
    """Tell whether a document written on one line takes at most ``room`` columns."""
    pending = [doc]
    while pending and room >= 0:
        match pending.pop():
            case Text(chars) | Break(chars):
                room -= len(chars)
            case Concat(parts):
                pending.extend(reversed(parts))
            case Nest(_, inner) | Group(inner):
                pending.append(inner)
    return room >= 0


def _with_notes(lines: list[tuple[str, list[str]]]) -> str:
    """Write the notes in a column right of the longest line, one below another."""
    margin = max(len(line) for line, _ in lines)
    written = []
    for line, notes in lines:
        if not notes:
            written.append(line)
        for i, note in enumerate(notes):
            written.append(f"{'' if i else line:{margin}} # {note}")
    return "\n".join(written)
