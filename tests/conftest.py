"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# Examples are derived from the test, not from a clock: a run says the same on every machine.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
