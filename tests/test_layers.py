"""Do the imports keep the architecture?

Three rules, read off the source by parsing it, so that nothing has to be imported or run:

1. a module imports only from its own layer and from the layers below it;
2. the modules that import each other form no cycle;
3. no import stands inside a function or a class.

``LAYERS`` is the whole architecture as data.  A module that no layer names fails the test, so a
file cannot be added without saying where it belongs.  What stands under ``if TYPE_CHECKING`` never
runs: rule 2 does not see it, but rule 1 does, unless ``UPWARD_TYPE_IMPORTS`` lists it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS: tuple[tuple[str, ...], ...] = (
    # 0: small tools; they know nothing of the package
    (
        "minijax.util",
        "minijax.config",
        "minijax.errors",
        "minijax.source_info",
        "minijax.tracebacks",
    ),
    # 1: types, pytrees, primitives, traces, arrays, backends
    ("minijax.core",),
    # 2: the builder of StableHLO text
    ("minijax.stablehlo",),
    # 3: first-order primitives, each with all its rules
    ("minijax.primitives",),
    # 4: transformations of jaxprs and functions
    ("minijax.transforms",),
    # 5: primitives whose rules call the transformations
    ("minijax.higher_order",),
    # 6: the transformations and operations under their public names
    ("minijax.lax", "minijax.api", "minijax.tree_util", "minijax.tree", "minijax.dtypes"),
    # 7: libraries written with the public names
    (
        "minijax.numpy",
        "minijax.nn",
        "minijax.random",
        "minijax.scipy",
        "minijax.ops",
        "minijax.example_libraries",
    ),
    # 8: tools around the library
    ("minijax.export", "minijax.inspect", "minijax.testing", "minijax.compat"),
    # 9: the public package, and the backends, which see it from outside
    ("minijax", "minijax_numpy", "minijax_iree", "minijax_template"),
)
"""From the bottom up.  A name stands for a module, and for everything in it if a package."""

UPWARD_TYPE_IMPORTS: frozenset[tuple[str, str]] = frozenset()
"""(importer, imported) pairs that only a type checker follows, and that may point upward."""


# Reading the imports -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Import:
    """One imported module, and the line that imports it."""

    importer: str
    imported: str
    line: int
    for_typing: bool = False
    inside: str = ""  # the function or class around it

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


@dataclass
class SourceTree:
    """The modules below some directories, by dotted name."""

    files: dict[str, Path] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, *package_directories: Path) -> SourceTree:
        """The modules of these top-level packages."""
        tree = cls()
        for directory in package_directories:
            for path in sorted(directory.rglob("*.py")):
                parts = path.relative_to(directory.parent).with_suffix("").parts
                if parts[-1] == "__init__":
                    parts = parts[:-1]
                    tree.packages.add(".".join(parts))
                tree.files[".".join(parts)] = path
        return tree

    def imports(self) -> Iterator[Import]:
        """Every import of one of these modules by another."""
        for name, path in self.files.items():
            reader = ImportReader(self, name)
            reader.visit(ast.parse(path.read_text(), str(path)))
            yield from reader.found


class ImportReader(ast.NodeVisitor):
    """Collects the imports of one module."""

    def __init__(self, tree: SourceTree, module: str) -> None:
        self.tree, self.module = tree, module
        self.found: list[Import] = []
        self.inside: list[str] = []
        self.for_typing = False

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self.absolute("." * node.level + (node.module or ""))
        for alias in node.names:
            # ``from package import name`` means the submodule of that name if there is one.
            submodule = f"{base}.{alias.name}"
            self.add(submodule if submodule in self.tree.files else base, node.lineno)

    def visit_Call(self, node: ast.Call) -> None:
        """``import_module("name")`` and ``__import__("name")`` are imports too."""
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in ("import_module", "__import__") and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                self.add(self.absolute(argument.value), node.lineno)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        condition = node.test
        name = condition.attr if isinstance(condition, ast.Attribute) else None
        name = condition.id if isinstance(condition, ast.Name) else name
        if name != "TYPE_CHECKING":
            self.generic_visit(node)
            return
        before, self.for_typing = self.for_typing, True
        for statement in node.body:
            self.visit(statement)
        self.for_typing = before
        for statement in node.orelse:
            self.visit(statement)

    def visit_scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """A definition: imports in its body are hidden ones; its decorators run outside of it."""
        for decorator in node.decorator_list:
            self.visit(decorator)
        self.inside.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.inside.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_scope

    def absolute(self, name: str) -> str:
        """The dotted name that ``name``, with leading dots or without, means in this module."""
        level = len(name) - len(name.lstrip("."))
        if level == 0:
            return name
        parts = self.module.split(".")
        drop = level - 1 if self.module in self.tree.packages else level
        return ".".join((*parts[: len(parts) - drop], name[level:])).rstrip(".")

    def add(self, imported: str, line: int) -> None:
        """Note an import of a module of the tree, and any import at all inside a definition."""
        if imported in self.tree.files and imported != self.module:
            self.note(imported, line)
            # Importing a.b.c runs a/__init__.py and a/b/__init__.py first.  Packages that hold the
            # importer as well are running already.
            for package in parent_packages(imported):
                if package in self.tree.files and not f"{self.module}.".startswith(f"{package}."):
                    self.note(package, line)
        elif self.inside:
            self.note(imported, line)

    def note(self, imported: str, line: int) -> None:
        inside = ".".join(self.inside)
        self.found.append(Import(self.module, imported, line, self.for_typing, inside))


def parent_packages(module: str) -> Iterator[str]:
    """``a.b``, ``a`` for ``a.b.c``."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


# The rules ---------------------------------------------------------------------------------------


def layer_of(module: str) -> int | None:
    """The number of the layer that names the module or, failing that, a package around it."""
    for name in (module, *parent_packages(module)):
        # The public package does not answer for files that merely lie in it.
        if name == "minijax" and module != "minijax":
            return None
        for number, names in enumerate(LAYERS):
            if name in names:
                return number
    return None


def modules_without_layer(tree: SourceTree) -> list[str]:
    """Modules that ``LAYERS`` does not place."""
    return [name for name in tree.files if layer_of(name) is None]


def upward_imports(tree: SourceTree) -> list[str]:
    """Imports from a higher layer."""
    found = []
    for edge in tree.imports():
        importer, imported = layer_of(edge.importer), layer_of(edge.imported)
        if importer is None or imported is None or imported <= importer:
            continue
        if edge.for_typing and (edge.importer, edge.imported) in UPWARD_TYPE_IMPORTS:
            continue
        found.append(f"{edge}, from layer {importer} up to layer {imported}")
    return found


def hidden_imports(tree: SourceTree) -> list[str]:
    """Imports inside a function or class, of whatever module."""
    return [f"{edge} inside {edge.inside}" for edge in tree.imports() if edge.inside]


def import_cycle(tree: SourceTree) -> list[str]:
    """The modules along one cycle of imports, or nothing."""
    graph: dict[str, set[str]] = {name: set() for name in tree.files}
    for edge in tree.imports():
        if not edge.for_typing and edge.imported in tree.files:
            graph[edge.importer].add(edge.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib lists the cycle from the imported to the importer.
        return list(reversed(error.args[1]))
    return []


# The project keeps them --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project() -> SourceTree:
    backends = sorted(path for path in (ROOT / "backends").iterdir() if path.is_dir())
    return SourceTree.read(ROOT / "minijax", *backends)


def test_the_project_is_found(project: SourceTree) -> None:
    assert {"minijax", "minijax.core", "minijax_numpy", "minijax_iree"} <= set(project.files)


def test_every_module_has_a_layer(project: SourceTree) -> None:
    assert modules_without_layer(project) == []


def test_no_upward_import(project: SourceTree) -> None:
    assert upward_imports(project) == []


def test_no_hidden_import(project: SourceTree) -> None:
    assert hidden_imports(project) == []


def test_no_import_cycle(project: SourceTree) -> None:
    assert import_cycle(project) == []


def test_every_type_import_exception_is_needed(project: SourceTree) -> None:
    used = {(edge.importer, edge.imported) for edge in project.imports() if edge.for_typing}
    assert used >= UPWARD_TYPE_IMPORTS


def test_library_never_imports_a_backend(project: SourceTree) -> None:
    """Backends are found through their entry points, those of this repository like any other."""
    edges = [edge for edge in project.imports() if edge.importer.startswith("minijax.")]
    assert [str(edge) for edge in edges if not edge.imported.startswith("minijax.")] == []


# The rules can fail ------------------------------------------------------------------------------

LAWFUL = {
    "minijax/__init__.py": "from minijax.lax import sin\nfrom minijax import api",
    "minijax/util.py": "import itertools",
    "minijax/core/__init__.py": "",
    "minijax/core/aval.py": "from minijax import util\nfrom . import dtypes",
    "minijax/core/dtypes.py": "from ..util import zip",
    "minijax/primitives/__init__.py": "",
    "minijax/primitives/sin.py": "from minijax.core.aval import ShapedArray",
    "minijax/lax/__init__.py": "from minijax.primitives.sin import sin",
    "minijax/api.py": "import minijax.core.aval",
    "minijax_numpy/__init__.py": "import minijax\nfrom minijax.core import aval",
}


def synthetic(directory: Path, changes: dict[str, str] | None = None) -> SourceTree:
    """A small tree that keeps every rule, apart from the ``changes`` to it."""
    for name, text in {**LAWFUL, **(changes or {})}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return SourceTree.read(directory / "minijax", directory / "minijax_numpy")


def test_lawful_tree_passes(tmp_path: Path) -> None:
    tree = synthetic(tmp_path)
    assert modules_without_layer(tree) == []
    assert upward_imports(tree) == []
    assert hidden_imports(tree) == []
    assert import_cycle(tree) == []


def test_unplaced_module_is_reported(tmp_path: Path) -> None:
    tree = synthetic(tmp_path, {"minijax/stray.py": ""})
    assert modules_without_layer(tree) == ["minijax.stray"]


@pytest.mark.parametrize(
    "statement",
    [
        "import minijax.lax",
        "from minijax import lax",
        "from minijax.lax import sin",
        "from ..lax import sin",
        "from .. import lax",
        "try:\n    import minijax.lax\nexcept ImportError:\n    pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from minijax.lax import sin",
        "import typing\nif typing.TYPE_CHECKING:\n    import minijax.lax",
        "import importlib\nlax = importlib.import_module('minijax.lax')",
        "import importlib\nlax = importlib.import_module('..lax', __package__)",
    ],
)
def test_upward_import_is_reported(tmp_path: Path, statement: str) -> None:
    tree = synthetic(tmp_path, {"minijax/core/aval.py": statement})
    (report,) = upward_imports(tree)
    assert report.startswith("minijax.core.aval:")
    assert report.endswith("imports minijax.lax, from layer 1 up to layer 6")


def test_name_from_public_package_is_an_upward_import(tmp_path: Path) -> None:
    tree = synthetic(tmp_path, {"minijax/core/aval.py": "from minijax import jit"})
    assert upward_imports(tree) == [
        "minijax.core.aval:1 imports minijax, from layer 1 up to layer 9"
    ]


def test_import_of_backend_is_an_upward_import(tmp_path: Path) -> None:
    tree = synthetic(tmp_path, {"minijax/api.py": "import minijax_numpy"})
    assert upward_imports(tree) == [
        "minijax.api:1 imports minijax_numpy, from layer 6 up to layer 9"
    ]


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("def f():\n    import os", "f"),
        ("async def f():\n    from os import path", "f"),
        ("class C:\n    import os", "C"),
        ("class C:\n    def f(self):\n        if self:\n            import os", "C.f"),
        ("def f():\n    __import__('os')", "f"),
        ("def f():\n    importlib.import_module('os')", "f"),
    ],
)
def test_hidden_import_is_reported(tmp_path: Path, source: str, place: str) -> None:
    tree = synthetic(tmp_path, {"minijax/util.py": source})
    (report,) = hidden_imports(tree)
    assert report.startswith("minijax.util:") and report.endswith(f"imports os inside {place}")


def test_import_cycle_is_reported(tmp_path: Path) -> None:
    changes = {
        "minijax/core/dtypes.py": "from minijax.core.tree import map",
        "minijax/core/tree.py": "from minijax.core import aval",
    }
    cycle = import_cycle(synthetic(tmp_path, changes))
    assert set(cycle) == {"minijax.core.aval", "minijax.core.dtypes", "minijax.core.tree"}
    assert cycle[0] == cycle[-1] and len(cycle) == 4


def test_cycle_through_package_file_is_reported(tmp_path: Path) -> None:
    """Importing a module of a package runs the package's own file first."""
    changes = {
        "minijax/numpy/__init__.py": "import minijax.nn.relu",
        "minijax/nn/__init__.py": "import minijax.numpy",
        "minijax/nn/relu.py": "",
    }
    cycle = import_cycle(synthetic(tmp_path, changes))
    assert set(cycle) == {"minijax.numpy", "minijax.nn"}


def test_type_import_makes_no_cycle(tmp_path: Path) -> None:
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import minijax.core.aval"
    tree = synthetic(tmp_path, {"minijax/core/dtypes.py": source})
    assert import_cycle(tree) == []
    assert upward_imports(tree) == []
