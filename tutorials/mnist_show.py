"""How does one watch a network learn?  A progress bar while it trains, a picture when it is done.

Nothing here knows about the model: the bar is handed a number to show, the picture plain arrays.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import SupportsFloat

import numpy as np

try:
    from matplotlib.figure import Figure
except ImportError:  # pictures are optional
    Figure = None

BAR_WIDTH = 30
REDRAW_SECONDS = 0.1
DIGITS_SHOWN = 40


class ProgressBar:
    """A line on standard error that fills up, with the loss beside it; silent in a log file."""

    def __init__(self, title: str, steps: int, images_per_step: int) -> None:
        self.title, self.steps, self.images_per_step = title, steps, images_per_step
        self.done = 0
        self.last_drawn = -float("inf")

    def advance(self, loss: SupportsFloat) -> None:
        """Count one step, and redraw now and then.

        Reading the ``loss`` of a step waits until it is computed, so only a redraw does that.
        """
        self.done += 1
        is_due = time.monotonic() - self.last_drawn > REDRAW_SECONDS
        if sys.stderr.isatty() and is_due:
            filled = "#" * (BAR_WIDTH * self.done // self.steps)
            bar = f"{self.title} [{filled:{BAR_WIDTH}}] {self.done}/{self.steps}"
            loss_per_image = float(loss) / self.images_per_step
            print(f"\r{bar}  loss {loss_per_image:.4f}", end="", file=sys.stderr, flush=True)
            self.last_drawn = time.monotonic()

    def close(self) -> None:
        """Leave the line empty for whatever is printed next."""
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def save_picture(
    path: Path,
    losses: Sequence[float],
    accuracies: Sequence[float],
    images: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray,
) -> bool:
    """Draw the learning curve, and digits with what the network reads in them; mistakes are red.

    Parameters
    ----------
    path
        The picture file; its suffix chooses the format.
    losses
        The loss of every step.
    accuracies
        The test accuracy after every epoch.
    images, labels, predictions
        Some digits, (count, 784); what they are, (count,); and what the network takes them for.

    Returns
    -------
    bool
        False, with nothing written, if matplotlib is not installed.
    """
    if Figure is None:
        return False
    figure = Figure(figsize=(12, 5), layout="constrained")
    halves = np.asarray(figure.subfigures(1, 2))
    draw_curve(halves[0], losses, accuracies)
    draw_digits(halves[1], images, labels, predictions)
    figure.savefig(path, dpi=110)
    return True


def draw_curve(figure, losses: Sequence[float], accuracies: Sequence[float]) -> None:
    """The loss over all steps (left axis) and the test accuracy after every epoch (right axis)."""
    loss_axis = figure.subplots()
    loss_axis.plot(losses, color="0.7", linewidth=0.8)
    loss_axis.set(xlabel="step", ylabel="loss per image", yscale="log")
    accuracy_axis = loss_axis.twinx()
    steps = np.arange(1, len(accuracies) + 1) * (len(losses) // len(accuracies))
    accuracy_axis.plot(steps, accuracies, "o-", color="tab:blue")
    accuracy_axis.set_ylabel("test accuracy", color="tab:blue")
    loss_axis.set_title(f"test accuracy {accuracies[-1]:.1%} after {len(accuracies)} epochs")


def draw_digits(
    figure, images: np.ndarray, labels: np.ndarray, predictions: np.ndarray, columns: int = 8
) -> None:
    """A grid of digits, each under the network's reading of it."""
    rows = -(-len(images) // columns)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    digits = zip(axes[: len(images)], images, labels, predictions, strict=True)
    for axis, image, label, prediction in digits:
        axis.imshow(image.reshape(28, 28), cmap="gray_r")
        if prediction == label:
            axis.set_title(f"{prediction}", color="tab:green")
        else:
            axis.set_title(f"{prediction}, not {label}", color="tab:red", fontsize="small")
