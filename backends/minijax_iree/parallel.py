"""Is a program faster with several threads at this moment? It is tried out while it is used.

Whether it pays to wake the other cores depends on the program, and on what else they have to do: on
two cores that other programs were using, a step of training a small network took 1.6 times as long
with two threads as with one. So a program that might gain is loaded for both drivers, which compute
the same with the same code. Every call is timed, most calls go to the one that has been faster
lately, and the other gets a try now and then.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from minijax.core.backend import Executable

# How many calls each gets at first, and how many calls lie between two tries of the slower one.
FIRST_TRIES = 3
CALLS_BETWEEN_TRIES = 32
# Over how many of its latest calls the median is taken, which one interruption does not move.
REMEMBERED = 5


class ParallelProgram(Executable):
    """A program loaded for one thread and for several.

    Parameters
    ----------
    candidates : sequence of Executable
        The same program, loaded by different drivers whose buffers are interchangeable.
    """

    def __init__(self, candidates: Sequence[Executable]) -> None:
        self.candidates = tuple(candidates)
        self.seconds = [0.0] * len(candidates)
        self._latest = [deque[float](maxlen=REMEMBERED) for _ in candidates]
        self._calls = 0

    def as_text(self) -> str:
        """Return the StableHLO program as the compiler saw it, workarounds included."""
        return self.candidates[0].as_text()

    def execute(self, buffers: Sequence[Any]) -> list[Any]:
        """Run the program; see `minijax.core.backend.Executable`."""
        chosen = self._choose()
        start = time.perf_counter()
        results = self.candidates[chosen].execute(buffers)
        self._record(chosen, time.perf_counter() - start)
        return results

    def _choose(self) -> int:
        """The number of the candidate for this call."""
        number, count = self._calls, len(self.candidates)
        self._calls = number + 1
        if number < FIRST_TRIES * count:
            return number % count
        pick = max if number % CALLS_BETWEEN_TRIES == 0 else min
        return pick(range(count), key=self.seconds.__getitem__)

    def _record(self, chosen: int, seconds: float) -> None:
        latest = self._latest[chosen]
        latest.append(seconds)
        self.seconds[chosen] = sorted(latest)[len(latest) // 2]
