"""How can two libraries be compared on a busy machine?  In turns, in one process.

A slice of one, a slice of the other, and so on: whatever slows the machine slows both.  The minimum
over the slices is what the code costs when nothing disturbs it, the median what it costs here.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

EXPLANATION = "each pair is minimum / median over the slices; a limit holds for the minima"
"""The line to print under a report."""


class Times(NamedTuple):
    """Seconds of one contender: its best slice and its typical one."""

    minimum: float
    median: float


def summarize(seconds: list[float]) -> Times:
    """The minimum and the median of some measurements."""
    return Times(min(seconds), statistics.median(seconds))


def in_turns(
    contenders: Mapping[str, Callable[[], object]], rounds: int, calls: int
) -> dict[str, Times]:
    """Seconds per call of each contender, from ``rounds`` slices of ``calls`` calls in turns.

    Each is called once before the clock starts.
    """
    for contender in contenders.values():
        contender()
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in order_of_turns(contenders, number):
            measured[name].append(seconds_per_call(contenders[name], calls))
    return {name: summarize(seconds) for name, seconds in measured.items()}


def order_of_turns(names: Iterable[str], number: int) -> list[str]:
    """Every other round goes in reverse, so that none always runs after the same other one."""
    in_order = list(names)
    return in_order if number % 2 == 0 else in_order[::-1]


def seconds_per_call(function: Callable[[], object], calls: int) -> float:
    """The mean over ``calls`` calls in a row."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def ratio_line(title: str, ours: Times, theirs: Times, unit: str, limit: float) -> str:
    """One row of a report: both times, their ratios, and whether the smaller ratio keeps the limit.

    ``unit`` is "us", "ms" or "s".
    """
    scale = {"us": 1e6, "ms": 1e3, "s": 1.0}[unit]
    by_minimum = ours.minimum / theirs.minimum
    by_median = ours.median / theirs.median
    verdict = "kept" if by_minimum <= limit else "MISSED"
    return (
        f"{title:<28} minijax {ours.minimum * scale:8.2f} / {ours.median * scale:8.2f} {unit:<2}  "
        f"jax {theirs.minimum * scale:8.2f} / {theirs.median * scale:8.2f} {unit:<2}  "
        f"ratio {by_minimum:5.2f} / {by_median:5.2f}  limit {limit:g} {verdict}"
    )
