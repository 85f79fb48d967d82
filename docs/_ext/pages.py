"""The directives of the pages: ``run``, ``source``, ``rule-matrix`` and ``absent``."""

from __future__ import annotations

import importlib
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import minijax.lax
from examples import ExampleError, Session, listing, page_name
from minijax.core.primitive import SLOTS
from minijax.testing.rules import rule_matrix


class Run(SphinxDirective):
    """Execute Python, show it and what it prints.

    Options: ``lines`` shows only the first lines of the output, ``last`` only the last ones,
    ``raises`` names the exception that the block must end with, ``output`` the language of the
    output for highlighting.
    """

    has_content = True
    option_spec = {
        "lines": directives.positive_int,
        "last": directives.positive_int,
        "raises": directives.unchanged,
        "output": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        code = "\n".join(self.content)
        path = self.env.doc2path(self.env.docname)
        session = self.env.temp_data.get("session") or Session(page_name(path))
        self.env.temp_data["session"] = session
        try:
            printed = session.run(
                code, self.lineno + self.content_offset + 1, self.options.get("raises")
            )
        except (ExampleError, SyntaxError) as error:
            raise self.error(str(error)) from error
        shown: list[nodes.Node] = [literal(code, "python")]
        if printed:
            text = shortened(printed, self.options.get("lines"), self.options.get("last"))
            output = literal(text, self.options.get("output", "text"))
            output["classes"].append("output")
            shown.append(output)
        return shown


def literal(text: str, language: str) -> nodes.literal_block:
    """Make a block of code."""
    node = nodes.literal_block(text, text)
    node["language"] = language
    return node


def shortened(text: str, first: int | None, last: int | None) -> str:
    """Cut a text after some lines, or before some, and say how many are left out."""
    lines = text.splitlines()
    kept = first or last or len(lines)
    if len(lines) <= kept + 1:
        return text
    mark = f"... ({len(lines) - kept} more lines)"
    return "\n".join([*lines[:kept], mark] if first else [mark, *lines[-kept:]])


class Source(SphinxDirective):
    """Show the source of an object by its name; an error if there is none.

    Options: ``through`` names a later object of the file up to whose end the text goes, ``brief``
    leaves the docstring out.
    """

    required_arguments = 1
    option_spec = {"through": directives.unchanged, "brief": directives.flag}

    def run(self) -> list[nodes.Node]:
        try:
            found = listing(
                self.arguments[0], self.options.get("through"), "brief" not in self.options
            )
        except ExampleError as error:
            raise self.error(f"{self.arguments[0]}: {error}") from error
        self.env.note_dependency(str(self.env.srcdir.parent / found.path))
        wrapper = nodes.container(classes=["literal-block-wrapper"], literal_block=True)
        wrapper += nodes.caption("", "", nodes.literal("", found.path))
        wrapper += literal(found.text, "python")
        return [wrapper]


class RuleMatrix(SphinxDirective):
    """The table of all primitives and rules, with the reasons of absent rules as footnotes."""

    def run(self) -> list[nodes.Node]:
        self.footnotes: dict[str, nodes.footnote] = {}
        header = nodes.row()
        header += [_entry(nodes.Text(title)) for title in ("primitive", *SLOTS)]
        body = nodes.tbody()
        for name, cells in MATRIX.items():
            row = nodes.row()
            row += _entry(self._primitive(name))
            row += [_entry(self._cell(cells[slot])) for slot in SLOTS]
            body += row
        group = nodes.tgroup(cols=1 + len(SLOTS))
        group += [nodes.colspec(colwidth=1) for _ in range(1 + len(SLOTS))]
        group += [nodes.thead("", header), body]
        table = nodes.table("", group, classes=["rule-matrix"])
        reasons = nodes.container(classes=["reasons"])
        reasons += list(self.footnotes.values())
        return [table, nodes.rubric("", "Why a rule is absent"), reasons]

    def _primitive(self, name: str) -> nodes.Node:
        label = nodes.literal("", name)
        if name not in minijax.lax.__all__:
            return label
        return addnodes.pending_xref(
            "", label, refdomain="py", reftype="func", reftarget=f"minijax.lax.{name}"
        )

    def _cell(self, entry: str) -> nodes.Node:
        if entry == "given":
            return nodes.Text("✓")
        if entry == "by jvp":
            return nodes.Text("jvp")
        note = self.footnotes.get(entry)
        if note is None:
            number = str(len(self.footnotes) + 1)
            note = nodes.footnote(ids=[f"reason-{number}"], names=[f"reason-{number}"])
            note += [nodes.label("", number), nodes.paragraph("", entry)]
            self.footnotes[entry] = note
        number = note[0].astext()
        here = f"cell-{number}-{len(note['backrefs'])}"
        note["backrefs"].append(here)
        return nodes.footnote_reference("", number, refid=note["ids"][0], ids=[here])


def _entry(content: nodes.Node) -> nodes.entry:
    return nodes.entry("", nodes.paragraph("", "", content))


# Taken before any page defines primitives of its own.
MATRIX = rule_matrix()


class Absent(SphinxDirective):
    """Of the names given, list those that a module does not have."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        module: Any = importlib.import_module(self.arguments[0])
        missing = [
            name for line in self.content for name in line.split() if not hasattr(module, name)
        ]
        paragraph = nodes.paragraph()
        for i, name in enumerate(missing):
            paragraph += [nodes.Text(", ")] if i else []
            paragraph += nodes.literal("", name)
        return [paragraph] if missing else [nodes.paragraph("", "none of those looked for")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("run", Run)
    app.add_directive("source", Source)
    app.add_directive("rule-matrix", RuleMatrix)
    app.add_directive("absent", Absent)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
