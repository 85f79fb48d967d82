"""The directive ``api``: the public names of a module, by the files they come from.

A façade such as ``minijax.numpy`` only gathers names; the files behind it are sorted by the
question they answer. The page follows them: one section for each file, headed by its question,
with a summary and then the functions.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

from examples import ROOT
from minijax.core.primitive import Primitive

PUBLIC_MODULES = (
    "minijax", "minijax.numpy", "minijax.lax", "minijax.random", "minijax.nn",
    "minijax.nn.initializers", "minijax.scipy.special", "minijax.tree_util", "minijax.errors",
    "minijax.dtypes", "minijax.core.primitive", "minijax.core.aval", "minijax.core.jaxpr",
    "minijax.core.backend", "minijax.testing.rules",
)  # fmt: skip


def public_names(module: ModuleType) -> list[str]:
    """Return the names a module offers: ``__all__``, or what it defines itself."""
    declared = getattr(module, "__all__", None)
    if declared is not None:
        return list(declared)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def is_documented(value: Any) -> bool:
    """Tell whether something has an entry of its own: functions and classes of the package have."""
    if isinstance(value, (Primitive, ModuleType)) or not callable(value):
        return False
    return getattr(inspect.unwrap(value), "__module__", "").startswith("minijax")


def sections(module: ModuleType) -> dict[str, list[str]]:
    """Group the documented names of a module by the module that defines them."""
    groups: dict[str, list[str]] = {}
    for name in public_names(module):
        value = getattr(module, name)
        if is_documented(value):
            groups.setdefault(inspect.unwrap(value).__module__, []).append(name)
    own = module.__name__ + "."
    return dict(sorted(groups.items(), key=lambda item: (not item[0].startswith(own), item[0])))


def question(home: str) -> str:
    """Return the first sentence of a module's docstring."""
    doc = inspect.getdoc(sys.modules[home]) if home in sys.modules else None
    paragraph = " ".join((doc or home).split("\n\n")[0].split())
    for end in (". ", "? "):
        paragraph = paragraph.split(end)[0] + (end[0] if end in paragraph else "")
    return paragraph.replace("``", "").rstrip(":")


def source_path(home: str) -> str:
    """Return the path of a module's file in the repository."""
    file = inspect.getsourcefile(sys.modules[home])
    assert file is not None
    return Path(file).relative_to(ROOT).as_posix()


def summary(value: Any) -> str:
    """Return the first sentence of a docstring."""
    paragraph = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    sentence = ""
    for piece in paragraph.split(". "):
        sentence += piece
        if sentence.count("``") % 2 == 0:
            break
        sentence += ". "
    return sentence.rstrip(".")


def entry(module: ModuleType, name: str) -> Iterator[str]:
    """Yield the rST that documents one name."""
    value = getattr(module, name)
    if inspect.isclass(value):
        yield f".. autoclass:: {module.__name__}.{name}"
        if not issubclass(value, BaseException):
            yield "   :members:"
    else:
        yield f".. autofunction:: {module.__name__}.{name}"
    yield ""


def page(module: ModuleType) -> Iterator[str]:
    """Yield the rST of all of a module."""
    groups = sections(module)
    for home, names in groups.items():
        title = question(home) if len(groups) > 1 else ""
        if title:
            yield from (title, "-" * (len(title) + 1), "")
            yield from (f"``{source_path(home)}``", "")
        yield from (".. list-table::", "   :class: summary", "")
        for name in names:
            yield f"   * - :py:obj:`~{module.__name__}.{name}`"
            yield f"     - {summary(getattr(module, name))}"
        yield ""
        for name in names:
            yield from entry(module, name)
    yield from others(module)


def others(module: ModuleType) -> Iterator[str]:
    """Yield what is left, constants, modules, what NumPy defines, and primitives: by name only."""
    rest = [name for name in public_names(module) if not is_documented(getattr(module, name))]
    primitives = [name for name in rest if isinstance(getattr(module, name), Primitive)]
    values = [name for name in rest if name not in primitives]
    if values:
        yield from ("Other names", "-----------", "")
        yield ", ".join(f"``{name}``" for name in values)
        yield ""
    if primitives:
        yield from ("Primitives", "----------", "")
        yield "Their rules are in :doc:`/rule-matrix`."
        yield ""
        yield ", ".join(f"``{name}``" for name in primitives)
        yield ""


class Api(SphinxDirective):
    """Document the public names of a module."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = importlib.import_module(self.arguments[0])
        lines = StringList(list(page(module)), source=self.arguments[0])
        container = nodes.section()
        container.document = self.state.document
        nested_parse_with_titles(self.state, lines, container, self.content_offset)
        return container.children


def public_homes() -> dict[str, str]:
    """Map the full name of every documented object to its public name."""
    homes: dict[str, str] = {}
    for module_name in PUBLIC_MODULES:
        module = importlib.import_module(module_name)
        for name in public_names(module):
            value = getattr(module, name)
            if is_documented(value) and hasattr(value, "__qualname__"):
                homes.setdefault(
                    f"{value.__module__}.{value.__qualname__}", f"{module_name}.{name}"
                )
    return homes


def without_any(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, result: str
) -> tuple[str, str | None] | None:
    """Leave out of signatures the annotation ``Any``, which says nothing."""
    if signature is None:
        return None
    signature = re.sub(r": ~typing\.Any = ", "=", signature)
    signature = re.sub(r": ~typing\.Any\b", "", signature)
    return signature, None if result == "~typing.Any" else result


def in_signature(node: nodes.Node | None) -> bool:
    """Tell whether a reference stands in a signature, where autodoc made it of an annotation."""
    while node is not None and not isinstance(node, addnodes.desc_signature):
        node = node.parent
    return node is not None


def resolve(app: Sphinx, env: Any, node: Any, contnode: Any) -> Any:
    """Lead a reference to where an object is defined to where it is documented.

    A type in a signature that has no entry (of another project, or internal) stays plain text; so
    do the names of other projects.
    """
    if node.get("refdomain") != "py":
        return None
    domain, target = env.domains["py"], node["reftarget"]
    documented = HOMES.get(target) or HOMES.get(f"{node.get('py:module')}.{target}")
    if documented is None and "." not in target:
        documented = next((n for n in domain.objects if n.rpartition(".")[2] == target), None)
    if documented not in domain.objects:
        external = target.partition(".")[0] in ("np", "numpy", "ml_dtypes")
        return contnode if external or in_signature(node) else None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", documented, node, contnode)


HOMES = public_homes()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and the references."""
    app.add_directive("api", Api)
    app.connect("autodoc-process-signature", without_any)
    app.connect("missing-reference", resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
