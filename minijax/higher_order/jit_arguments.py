"""Which arguments of a jitted function are traced, and which are Python values?

A *static* argument stays the Python value it is: the function is traced again for each value. The
others, the *dynamic* ones, become tracers. Users name static and donated arguments by position or
by keyword; :class:`ArgumentRules` completes one by the other from the function's signature and
takes calls apart.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from minijax.core.tree import tree_leaves
from minijax.transforms.flat import argument_names, function_name


@dataclass(frozen=True, slots=True)
class ArgumentRules:
    """Positions and names of static and donated arguments; positions may count from the end."""

    static_argnums: tuple[int, ...] = ()
    static_argnames: tuple[str, ...] = ()
    donate_argnums: tuple[int, ...] = ()
    donate_argnames: tuple[str, ...] = ()

    @property
    def all_dynamic(self) -> bool:
        """True if no argument is static."""
        return not (self.static_argnums or self.static_argnames)

    def split(
        self, fun: Callable[..., Any], args: tuple, kwargs: dict[str, Any]
    ) -> tuple[tuple[tuple, dict[str, Any]], tuple]:
        """Return the dynamic ``(args, kwargs)``, and the static values as a hashable key.

        Raises
        ------
        ValueError
            If a static value has no hash.
        """
        positions = _count_from_start(self.static_argnums, len(args))
        statics = [(i, _hashable(fun, i, args[i])) for i in sorted(positions) if 0 <= i < len(args)]
        statics += [
            (name, _hashable(fun, name, kwargs[name]))
            for name in self.static_argnames
            if name in kwargs
        ]
        dynamic = tuple(x for i, x in enumerate(args) if i not in positions)
        named = {k: x for k, x in kwargs.items() if k not in self.static_argnames}
        return (dynamic, named), tuple(statics)

    def close_over_static(
        self, fun: Callable[..., Any], args: tuple, kwargs: dict[str, Any]
    ) -> Callable[..., Any]:
        """Return ``fun`` as a function of the dynamic arguments alone."""
        if self.all_dynamic:
            return fun
        positions = _count_from_start(self.static_argnums, len(args))
        # Only the static values are kept: a function that held tracers would keep them alive.
        fixed = {i: x for i, x in enumerate(args) if i in positions}
        named_fixed = {k: kwargs[k] for k in self.static_argnames if k in kwargs}
        count = len(args)

        def of_dynamic(*dynamic: Any, **named: Any) -> Any:
            rest = iter(dynamic)
            full = [fixed[i] if i in fixed else next(rest) for i in range(count)]
            return fun(*full, **named, **named_fixed)

        return of_dynamic

    def dynamic_names(
        self, fun: Callable[..., Any], args: tuple, kwargs: dict[str, Any]
    ) -> tuple[str, ...]:
        """Return a name for every leaf of the dynamic arguments."""
        positions = _count_from_start(self.static_argnums, len(args))
        # A static value may be any object, so it is named as if it were a leaf, and left out.
        shown = [None if i in positions else x for i, x in enumerate(args)]
        named = {k: x for k, x in kwargs.items() if k not in self.static_argnames}
        return argument_names(fun, shown, named)

    def donated(self, dynamic: tuple[tuple, dict[str, Any]], count: int) -> list[bool]:
        """Tell for every leaf of the dynamic arguments whether the caller gives it up.

        ``count`` is the number of positional arguments of the call.
        """
        statics = _count_from_start(self.static_argnums, count)
        donated = _count_from_start(self.donate_argnums, count)
        positions = [i for i in range(count) if i not in statics]
        bits = []
        for i, x in zip(positions, dynamic[0], strict=True):
            bits += [i in donated] * len(tree_leaves(x))
        for name in sorted(dynamic[1]):
            bits += [name in self.donate_argnames] * len(tree_leaves(dynamic[1][name]))
        return bits


def _count_from_start(numbers: Iterable[int], count: int) -> set[int]:
    return {i + count if i < 0 else i for i in numbers}


def _hashable(fun: Callable[..., Any], where: int | str, value: Any) -> tuple[type, Any]:
    """Return a static value as part of a key; its type too, for ``1 == True == 1.0``."""
    try:
        hash(value)
    except TypeError as error:
        raise ValueError(
            "Non-hashable static arguments are not supported. An error occurred while trying to "
            f"hash an object of type {type(value)}, {value} (argument {where!r} of "
            f"{function_name(fun)}). The error was:\nTypeError: {error}\n"
            "Pass a tuple instead of a list, or leave the argument out of static_argnums."
        ) from None
    return type(value), value


def argument_rules(
    fun: Callable[..., Any],
    static_argnums: int | Sequence[int] | None,
    static_argnames: str | Iterable[str] | None,
    donate_argnums: int | Sequence[int] | None,
    donate_argnames: str | Iterable[str] | None,
) -> ArgumentRules:
    """Check what the user says of the arguments of ``fun``, and complete it.

    Raises
    ------
    ValueError
        If ``fun`` has no such argument, or one is both static and donated.
    """
    static = _resolve(fun, static_argnums, static_argnames, "static")
    donated = _resolve(fun, donate_argnums, donate_argnames, "donate")
    for what, first, second in zip(("nums", "names"), static, donated, strict=True):
        both = [each for each in first if each in second]
        if both:
            raise ValueError(
                f"static_arg{what} and donate_arg{what} cannot intersect. {both} appear in both "
                f"static_arg{what} {first} and donate_arg{what} {second}: a static argument has "
                "no memory to give up."
            )
    return ArgumentRules(*static, *donated)


def _resolve(
    fun: Callable[..., Any],
    numbers: int | Sequence[int] | None,
    names: str | Iterable[str] | None,
    what: str,
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Complete argument numbers by names and names by numbers from the signature."""
    number_list = (numbers,) if isinstance(numbers, int) else tuple(numbers or ())
    name_list = (names,) if isinstance(names, str) else tuple(names or ())
    try:
        parameters = list(inspect.signature(fun).parameters.values())
    except (TypeError, ValueError):
        return number_list, name_list
    positional = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    _check_numbers(number_list, parameters, len(positional), what)
    _check_names(name_list, parameters, what)
    within = [i for i in number_list if -len(positional) <= i < len(positional)]
    all_names = [*name_list, *(positional[i] for i in within if names is None)]
    places = [positional.index(name) for name in name_list if name in positional]
    all_numbers = [*number_list, *(i for i in places if numbers is None)]
    return tuple(dict.fromkeys(all_numbers)), tuple(dict.fromkeys(all_names))


def _check_numbers(
    numbers: Sequence[int], parameters: Sequence[inspect.Parameter], count: int, what: str
) -> None:
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return
    for i in numbers:
        if not -count <= i < count:
            raise ValueError(
                f"Jitted function has {what}_argnums={tuple(numbers)}, but only accepts {count} "
                "positional arguments."
            )


def _check_names(names: Sequence[str], parameters: Sequence[inspect.Parameter], what: str) -> None:
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    invalid = [name for name in names if name not in [p.name for p in parameters]]
    if invalid:
        raise ValueError(
            f"Jitted function has invalid argnames {{{', '.join(map(repr, invalid))}}} in "
            f"{what}_argnames. Function does not take these args."
        )
