"""Does the program on the front page do what it says there?"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"


def test_every_link_leads_somewhere() -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text())
    assert targets
    assert [target for target in targets if not (README.parent / target).exists()] == []


def test_every_file_named_exists() -> None:
    paths = re.findall(r"`((?:minijax|backends|tests|tutorials|docs)/[\w./]+)`", README.read_text())
    assert paths
    assert [path for path in paths if not (README.parent / path).exists()] == []


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the example prints, run from a file as a reader would."""
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    path = tmp_path_factory.mktemp("readme") / "example.py"
    path.write_text(program)
    finished = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_example_finds_the_weights(printed: str) -> None:
    numbers = [float(number) for number in printed.splitlines()[0].strip("[] ").split()]
    assert numbers == pytest.approx([1.0, -2.0, 0.5], abs=2e-3)


def test_example_prints_a_jaxpr(printed: str) -> None:
    assert printed.splitlines()[1].startswith("{ lambda ; a:f32[3] b:f32[3]. let")
