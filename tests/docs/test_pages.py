"""Is what the documentation says true? Every example runs, every listing exists."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import examples
import minijax
import minijax.numpy as jnp
import minijax_iree
import minijax_numpy
import minijax_template
from minijax.core.primitive import Primitive

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BLOCKS = {page: list(examples.blocks(page)) for page in PAGES}
PACKAGES = (minijax, minijax_iree, minijax_numpy, minijax_template)
PROGRAMS = ("minijax_iree.worker",)  # started as a program, not imported


def relative(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


# -- pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.kind == "run" for b in BLOCKS[p])], ids=relative
)
def test_the_blocks_of_a_page_run(page: Path) -> None:
    before = dict(Primitive.registry)
    assert any(examples.run_page(page))
    assert Primitive.registry == before


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_pages_show_no_output_that_is_typed_in(page: Path) -> None:
    assert ">>>" not in page.read_text()


LISTINGS = [b for blocks in BLOCKS.values() for b in blocks if b.kind == "source"]


@pytest.mark.parametrize("block", LISTINGS, ids=lambda b: b.argument)
def test_listing_is_in_the_source(block: Any) -> None:
    found = examples.listing(block.argument, block.options.get("through"))
    assert block.argument.rpartition(".")[2] in found.text


@pytest.mark.parametrize("name", ["minijax.transforms.jvp.Nothing", "minijax.nothing.at_all"])
def test_listing_of_nothing_is_an_error(name: str) -> None:
    with pytest.raises(examples.ExampleError):
        examples.listing(name)


def test_listing_without_docstring_keeps_the_rest() -> None:
    whole = examples.listing("minijax.core.primitive.Primitive.bind").text.splitlines()
    brief = examples.listing("minijax.core.primitive.Primitive.bind", docstring=False)
    assert brief.text.splitlines() == [whole[0], whole[2]]


def test_session_prints_the_last_value_and_wants_its_error() -> None:
    session = examples.Session("a page")
    assert session.run("x = 2\nx + 1") == "3"
    assert session.run("x / 0", raises="ZeroDivisionError").startswith("ZeroDivisionError:")
    with pytest.raises(examples.ExampleError, match="a page:7: NameError"):
        session.run("y", line=7)
    with pytest.raises(examples.ExampleError, match="should raise"):
        session.run("x", raises="TypeError")


# -- docstrings -----------------------------------------------------------------------------------


def example_names() -> dict[str, Any]:
    """What every example may use without importing it."""
    return {"np": np, "jax": minijax, "jnp": jnp}


def modules() -> list[str]:
    return [
        info.name
        for package in PACKAGES
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
        if info.name not in PROGRAMS
    ]


def facade_of(module: ModuleType) -> ModuleType:
    """The module that users import from: its examples are written as if they had."""
    parts = module.__name__.split(".")
    name = ".".join(parts[:2])
    if module.__name__.startswith("minijax.core.tree"):
        name = "minijax.tree_util"
    return importlib.import_module(name)


_NUMBER = re.compile(r"-?\d+\.\d*(?:e[-+]?\d+)?")


class CloseNumbers(doctest.OutputChecker):
    """Compares floats to five digits: NumPy's last digits depend on the processor."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        if super().check_output(want, got, optionflags):
            return True
        expected, found = ([float(n) for n in _NUMBER.findall(t)] for t in (want, got))
        texts = ["".join(_NUMBER.sub("#", t).split()) for t in (want, got)]
        return texts[0] == texts[1] and np.allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_close_numbers_are_equal_and_others_are_not() -> None:
    check = CloseNumbers().check_output
    assert check("Array([1. , 2.5000001])", "Array([1.  , 2.5])", 0)
    assert not check("Array([1.0, 2.51])", "Array([1.0, 2.5])", 0)
    assert not check("Array([1.0, 2.5])", "[1.0, 2.5]", 0)


@pytest.mark.parametrize("name", modules())
def test_examples_of_docstrings_are_true(name: str) -> None:
    module = importlib.import_module(name)
    names = example_names() | vars(facade_of(module)) | vars(module)
    runner = doctest.DocTestRunner(
        CloseNumbers(), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    failed = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name, globs=names):
        report: list[str] = []
        if runner.run(test, out=report.append).failed:
            failed.append("".join(report))
    assert not failed, "\n".join(failed)
