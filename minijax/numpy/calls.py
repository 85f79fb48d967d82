"""Which functions show as one equation in a program, and are plain Python otherwise?

``where`` or ``floor_divide`` are made of several operations. In a program that is being written
down they are one equation, a call of a small program that is traced once per signature: the
program stays short and quick to trace. Computed at once, a call would only cost a compilation, so
there the operations run one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from minijax.core.trace import Trace, current_trace
from minijax.higher_order.jit import jit
from minijax.transforms.staging import JaxprTrace


def is_staging() -> bool:
    """Tell whether operations issued here end up in a program, through whatever traces."""
    trace: Trace | None = current_trace()
    while trace is not None:
        if isinstance(trace, JaxprTrace):
            return True
        trace = trace.parent
    return False


def staged_call(
    fun: Callable[..., Any] | None = None,
    *,
    static_argnames: Sequence[str] = (),
    name: str = "",
) -> Any:
    """Decorate a function so that a program calls it instead of containing it.

    The name of the call is that of the function, unless one is given. Arguments named in
    ``static_argnames`` are ordinary Python values.
    """
    if fun is None:
        return functools.partial(staged_call, static_argnames=static_argnames, name=name)
    fun.__name__ = name or fun.__name__
    direct, compiled = fun, jit(fun, static_argnames=tuple(static_argnames))

    @functools.wraps(direct)
    def call(*args: Any, **kwargs: Any) -> Any:
        return compiled(*args, **kwargs) if is_staging() else direct(*args, **kwargs)

    return call
