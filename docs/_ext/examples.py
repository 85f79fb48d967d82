"""How do pages show code that is known to run? The parts that need no Sphinx.

A page holds blocks ``{run}``, executed one after the other in one namespace, and ``{source}``,
which show the text of an object of the package. The directives in ``pages.py`` and the tests both
use what is here: so a page that builds is a page whose examples run.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minijax.core.primitive import Primitive

ROOT = Path(__file__).resolve().parents[2]


class ExampleError(Exception):
    """A block of a page did not do what the page says."""


# -- code that is executed ------------------------------------------------------------------------


@dataclass
class Session:
    """What the blocks of one page have defined so far."""

    name: str
    namespace: dict[str, Any] = field(default_factory=lambda: {"__name__": "__example__"})
    primitives: dict[str, Primitive] = field(default_factory=dict)

    def run(self, code: str, line: int = 1, raises: str | None = None) -> str:
        """Execute a block as an interpreter would; return what it prints.

        The value of a last expression is printed, unless it is None.

        Parameters
        ----------
        code : str
        line : int
            Where the block stands in the page: source locations then name the page's lines.
        raises : str, optional
            The exception that the block must end with; its message is printed.
        """
        tree = ast.parse(code, self.name)
        ast.increment_lineno(tree, line - 1)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), self._own_primitives():
            try:
                exec(compile(tree, self.name, "exec"), self.namespace)
                if isinstance(last, ast.Expr):
                    value = eval(
                        compile(ast.Expression(last.value), self.name, "eval"), self.namespace
                    )
                    if value is not None:
                        print(repr(value))  # noqa: T201
            except Exception as error:
                if type(error).__name__ != raises:
                    raise ExampleError(
                        f"{self.name}:{line}: {type(error).__name__}: {error}"
                    ) from error
                print(f"{raises}: {error}")  # noqa: T201
                raises = None
        if raises is not None:
            raise ExampleError(f"{self.name}:{line}: the block should raise {raises}")
        return printed.getvalue().rstrip("\n")

    @contextlib.contextmanager
    def _own_primitives(self) -> Iterator[None]:
        """Keep the primitives that a page defines out of the registry that others see."""
        registry, before = Primitive.registry, dict(Primitive.registry)
        registry.update(self.primitives)
        try:
            yield
        finally:
            self.primitives = {n: p for n, p in registry.items() if n not in before}
            registry.clear()
            registry.update(before)


@dataclass(frozen=True)
class Block:
    """A directive of a page: its name, argument, options, text, and the line of its text."""

    kind: str
    argument: str
    options: dict[str, str]
    text: str
    line: int


_DIRECTIVE = re.compile(r"^(`{3,}|:{3,})\{([\w-]+)\}[ ]*(.*?)\n(.*?)^\1\s*$", re.M | re.S)
_OPTION = re.compile(r":([\w-]+):[ ]*(.*)")


def blocks(page: Path) -> Iterator[Block]:
    """Yield the directives of a MyST page."""
    text = page.read_text()
    for match in _DIRECTIVE.finditer(text):
        lines = match[4].splitlines()
        options = {}
        line = text.count("\n", 0, match.start()) + 2
        while lines and (option := _OPTION.fullmatch(lines[0])):
            options[option[1]] = option[2]
            lines.pop(0)
            line += 1
        while lines and not lines[0].strip():
            lines.pop(0)
            line += 1
        yield Block(match[2], match[3], options, "\n".join(lines), line)


def run_page(page: Path) -> list[str]:
    """Execute all blocks of a page; return what each printed."""
    session = Session(page_name(page))
    return [
        session.run(block.text, block.line, block.options.get("raises"))
        for block in blocks(page)
        if block.kind == "run"
    ]


def page_name(page: Path) -> str:
    """Name a page as it is named in source locations: ``docs/glossary.md``."""
    return page.resolve().relative_to(ROOT).as_posix()


# -- text taken from the source -------------------------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """A piece of a source file: its path in the repository, first line and text."""

    path: str
    line: int
    text: str


def find_module(name: str) -> tuple[Path, list[str]]:
    """Split a dotted name into the file of its module and the names within."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            spec = importlib.util.find_spec(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        if spec is not None and spec.origin is not None:
            return Path(spec.origin), parts[count:]
    raise ExampleError(f"{name}: no such module")


def find_object(tree: ast.Module, path: Sequence[str]) -> ast.stmt:
    """Return the statement that defines an object: a function, class or assignment."""
    body: list[ast.stmt] = tree.body
    found: ast.stmt | None = None
    for part in path:
        found = next((node for node in body if part in _defined(node)), None)
        if found is None:
            raise ExampleError(f"{'.'.join(path)} is not defined there")
        body = found.body if isinstance(found, ast.ClassDef) else []
    if found is None:
        raise ExampleError("name an object, not a module")
    return found


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.AnnAssign):
        return {ast.unparse(node.target)}
    if isinstance(node, ast.Assign):
        elements = [
            element
            for target in node.targets
            for element in (target.elts if isinstance(target, ast.Tuple) else [target])
        ]
        return {ast.unparse(element) for element in elements}
    return set()


def listing(name: str, through: str | None = None, docstring: bool = True) -> Listing:
    """Return the source of an object named by its module and its name in there.

    Parameters
    ----------
    name : str
        Such as ``minijax.transforms.jvp.JVPTrace.process_primitive``.
    through : str, optional
        The name of a later object of the same file: everything up to its end is taken.
    docstring : bool
        Whether to keep the object's docstring.
    """
    path, names = find_module(name)
    text = path.read_text()
    tree, lines = ast.parse(text), text.splitlines()
    first = find_object(tree, names)
    last = find_object(tree, through.split(".")) if through else first
    start = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))])
    assert last.end_lineno is not None
    kept = lines[start - 1 : last.end_lineno]
    if not docstring:
        span = _docstring_span(first)
        kept = [line for i, line in enumerate(kept, start) if i not in span]
    return Listing(path.relative_to(ROOT).as_posix(), start, textwrap.dedent("\n".join(kept)))


def _docstring_span(node: ast.stmt) -> range:
    if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or ast.get_docstring(node) is None:
        return range(0)
    body = node.body
    end = body[1].lineno if len(body) > 1 else body[0].end_lineno
    assert end is not None
    if len(body) > 1 and isinstance(body[1], (ast.FunctionDef, ast.ClassDef)):
        end = min([end, *(d.lineno for d in body[1].decorator_list)])
    return range(body[0].lineno, max(end, body[0].lineno + 1))
