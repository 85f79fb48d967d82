"""How does a function with arrays bound to it pass through ``jit``?

As a pytree: a ``Partial`` is ``functools.partial`` whose bound arguments are children.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, final

from minijax.core.tree_register import register_pytree_node


@final
class _OpaqueCallable:
    """A partial function as if it were any function.

    ``functools.partial`` merges with a partial that it is given and would lose which arguments are
    leaves; this hides the inner one. It is equal to what it hides.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __hash__(self) -> int:
        return hash(self.function)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _OpaqueCallable):
            return self.function == other.function
        return self.function == other

    def __repr__(self) -> str:
        return f"_OpaqueCallable({self.function!r})"


class Partial(functools.partial):
    """``functools.partial`` as a pytree: its arguments are children, the function is metadata.

    So a function with arrays in it can be an argument or a result of ``jit``.

    Examples
    --------
    >>> add_one = Partial(lambda x, y: x + y, 1)
    >>> tree_map(lambda x: 10 * x, add_one)(5)
    15
    """

    def __new__(cls, func: Callable[..., Any], /, *args: Any, **kw: Any) -> Partial:
        if isinstance(func, functools.partial):
            func = _OpaqueCallable(func)
        return super().__new__(cls, func, *args, **kw)


register_pytree_node(
    Partial,
    lambda partial: ((partial.args, partial.keywords), partial.func),
    lambda function, children: Partial(function, *children[0], **children[1]),
)
