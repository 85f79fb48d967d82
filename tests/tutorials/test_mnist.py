"""Does the first program that a newcomer runs do what its page says?"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mnist_show

PROGRAM = Path(__file__).resolve().parents[2] / "tutorials" / "mnist.py"

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tutorial on the shipped images, writing into ``directory``."""
    environment = {name: value for name, value in os.environ.items() if name != "MNIST_DATA"}
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def report(directory: Path, *arguments: str) -> dict:
    """What ``--losses`` writes, after a run that must succeed."""
    finished = run(directory, "--losses", "losses.json", *arguments)
    assert finished.returncode == 0, finished.stderr
    return json.loads((directory / "losses.json").read_text())


def test_it_learns(tmp_path: Path) -> None:
    finished = run(tmp_path, "--epochs", "2", "--losses", "losses.json")
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""  # no progress bar in a log
    header, titles, first_row, second_row, *_ = finished.stdout.splitlines()
    assert header.startswith("minijax ") and "5,000 training and 1,000 test images" in header
    assert titles.split() == ["epoch", "seconds", "training", "test", "accuracy"]
    assert first_row.split()[0] == "0" and second_row.split()[0] == "1"

    result = json.loads((tmp_path / "losses.json").read_text())
    assert result["library"] == "minijax"
    assert len(result["losses"]) == 2 * (5000 // 128)
    first, second = result["epochs"]
    assert first["test_accuracy"] > 0.84
    assert second["test_accuracy"] > 0.88
    assert second["train_accuracy"] > first["train_accuracy"]


@needs_jax
@pytest.mark.parity
@pytest.mark.parametrize("flag", ["--threefry-partitionable", "--no-threefry-partitionable"])
def test_it_computes_what_jax_computes(tmp_path: Path, flag: str) -> None:
    ours = report(tmp_path, "--epochs", "2", flag)
    theirs = report(tmp_path, "--epochs", "2", flag, "--jax")
    assert theirs["library"] == "jax"
    np.testing.assert_allclose(ours["losses"][:10], theirs["losses"][:10], rtol=1e-5)
    np.testing.assert_allclose(ours["losses"][:50], theirs["losses"][:50], rtol=1e-3)


def test_missing_data_is_one_clear_line(tmp_path: Path) -> None:
    finished = run(tmp_path, "--data", str(tmp_path / "nowhere"))
    assert finished.returncode == 1
    assert "train-images-idx3-ubyte.gz does not exist; --data DIR" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_batch_larger_than_the_data(tmp_path: Path) -> None:
    finished = run(tmp_path, "--batch-size", "5001")
    assert finished.returncode == 1
    assert "--batch-size 5001 is more than the 5000 training images" in finished.stderr


@pytest.mark.parametrize("arguments", [("--epochs", "0"), ("--batch-size", "-1")])
def test_counts_are_positive(tmp_path: Path, arguments: tuple[str, str]) -> None:
    finished = run(tmp_path, *arguments)
    assert finished.returncode == 2
    assert "must be at least 1" in finished.stderr


def drawn(path: Path) -> bool:
    """Draw a picture of three digits, one of them misread."""
    return mnist_show.save_picture(
        path,
        losses=[2.0, 1.0, 0.5, 0.25],
        accuracies=[0.5, 0.75],
        images=np.zeros((3, 784), np.float32),
        labels=np.array([1, 2, 3]),
        predictions=np.array([1, 2, 8]),
    )


def test_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert drawn(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_no_picture_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist_show, "Figure", None)
    assert not drawn(tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()


class Terminal:
    """A stream that says it is a terminal, and keeps what is written."""

    def __init__(self) -> None:
        self.written = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.written += text

    def flush(self) -> None:
        pass


def test_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(mnist_show, "REDRAW_SECONDS", -1)
    bar = mnist_show.ProgressBar("epoch 0", steps=2, images_per_step=4)
    bar.advance(np.float32(8))
    bar.advance(np.float32(2))
    bar.close()
    half, full, closed = terminal.written.split("\r")[1:]
    assert half == f"epoch 0 [{'#' * 15}{' ' * 15}] 1/2  loss 2.0000"
    assert full == f"epoch 0 [{'#' * 30}] 2/2  loss 0.5000"
    assert closed == "\x1b[K"


def test_progress_bar_reads_few_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a loss waits for it, which would stop the next step from being prepared."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(mnist_show, "REDRAW_SECONDS", 3600)
    read = []

    class Loss:
        def __float__(self) -> float:
            read.append(self)
            return 0.0

    bar = mnist_show.ProgressBar("epoch 0", steps=100, images_per_step=1)
    for _ in range(100):
        bar.advance(Loss())
    assert len(read) == 1
