"""Which of two ways to run a program is chosen: the faster, found out by trying."""

from __future__ import annotations

import time

import pytest

from minijax.core.backend import Executable
from minijax_iree.parallel import CALLS_BETWEEN_TRIES, FIRST_TRIES, ParallelProgram


class Waiting(Executable):
    """Stands for a loaded program: waits, and counts its calls."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.calls = 0

    def execute(self, buffers):
        self.calls += 1
        time.sleep(self.seconds)
        return [self, *buffers]

    def as_text(self):
        return "program"


@pytest.mark.parametrize("fast", [0, 1])
def test_the_faster_is_chosen_and_the_other_tried(fast):
    candidates = [Waiting(0.001 if number == fast else 0.03) for number in (0, 1)]
    program = ParallelProgram(candidates)
    total = 2 * CALLS_BETWEEN_TRIES + 1
    for _ in range(total):
        program.execute([])
    slow = candidates[1 - fast]
    assert candidates[0].calls + candidates[1].calls == total
    assert slow.calls == FIRST_TRIES + 2
    assert program.as_text() == "program"


def test_the_choice_follows_the_machine():
    candidates = [Waiting(0.001), Waiting(0.02)]
    program = ParallelProgram(candidates)
    for _ in range(2 * FIRST_TRIES + 5):
        program.execute([])
    candidates[0].seconds = 0.2
    before = candidates[1].calls
    for _ in range(10):
        results = program.execute([7])
    assert results[1:] == [7]
    assert candidates[1].calls > before
