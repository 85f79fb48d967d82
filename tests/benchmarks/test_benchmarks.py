"""Do the benchmarks run, and compare what they say they compare?  Nothing here judges a time."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DIRECTORY = Path(__file__).resolve().parents[2] / "benchmarks"

pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed"),
]

ROW = re.compile(r"minijax +([\d.]+) / +([\d.]+) .* jax +([\d.]+) / +([\d.]+) .* ratio +([\d.]+)")


def lines(program: str, *arguments: str) -> list[str]:
    """What a benchmark prints; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if name != "MNIST_DATA"}
    finished = subprocess.run(
        [sys.executable, str(DIRECTORY / program), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout.splitlines()


def check_row(line: str) -> None:
    """A row has two times of each library, the smaller one first, and the ratio of the smaller."""
    match = ROW.search(line)
    assert match is not None, line
    our_minimum, our_median, their_minimum, their_median, ratio = map(float, match.groups())
    assert 0 < our_minimum <= our_median and 0 < their_minimum <= their_median
    assert ratio == pytest.approx(our_minimum / their_minimum, rel=0.2, abs=0.1)


def test_dispatch() -> None:
    one, ten, _ = lines("dispatch.py", "--rounds", "4", "--calls", "20")
    assert one.startswith("one small array") and ten.startswith("dict of 10 small arrays")
    check_row(one)
    check_row(ten)


def test_import_time() -> None:
    row, *_ = lines("import_time.py", "--rounds", "1")
    check_row(row)


def test_mnist() -> None:
    epoch, row, _, first_ten, first_fifty = lines("mnist.py", "--epochs", "1")
    assert re.match(r"epoch 0  minijax: .* test accuracy 0\.\d+  jax: .* accuracy 0\.\d+$", epoch)
    check_row(row)
    assert first_ten.startswith("first 10 losses") and first_ten.endswith("kept")
    assert first_fifty.startswith("first 39 losses") and first_fifty.endswith("kept")
