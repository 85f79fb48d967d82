"""Where do the lower layers reach the upper ones, and why only here?

Two things must be bound late. ``x + y`` on an array means ``numpy.add``, which lives six layers
above the class ``Array``; and an operation outside all transformations is run by the evaluation
trace, which needs the compiler. Both are installed once, when the package is imported; nothing
else in the package reaches upwards.
"""

from __future__ import annotations

from typing import Any


class _Hooks:
    """The late bindings: ``array_operations`` is a namespace of functions by operator name."""

    array_operations: Any = None
    bottom_trace: Any = None


hooks = _Hooks()


def install_array_operations(namespace: Any) -> None:
    """Give arrays their operators and methods: an object with one function per method."""
    hooks.array_operations = namespace


def install_bottom_trace(trace: Any) -> None:
    """Install the trace that evaluates operations outside all transformations."""
    hooks.bottom_trace = trace
