"""What is a program, once it has been traced?

A *jaxpr* is a typed list of equations in single-assignment form. Each equation applies one
primitive to variables and literals and names its results. Values captured from outside are
``consts``, bound to ``constvars``; scalars are written as literals. There is one class: the
constants travel with the equations.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, deque
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minijax.config import config
from minijax.core.aval import AbstractValue, typeof
from minijax.core.pretty import Doc, brk, concat, group, join, layout, nest, text
from minijax.core.primitive import Primitive
from minijax.core.trace import axis_env
from minijax.source_info import SourceInfo


class Var:
    """A variable: a type and an identity."""

    __slots__ = ("aval",)

    def __init__(self, aval: AbstractValue):
        self.aval: Any = aval  # nearly always a ShapedArray, and used as one

    def __repr__(self) -> str:
        return f"Var(id={id(self)}):{self.aval}"


class DropVar(Var):
    """A result that nobody uses, printed ``_``."""

    __slots__ = ()


class Literal:
    """A scalar written in the program itself."""

    __slots__ = ("aval", "val")

    def __init__(self, val: Any, aval: AbstractValue | None = None):
        self.val = val
        self.aval: Any = typeof(val) if aval is None else aval

    def __repr__(self) -> str:
        return f"Literal({self.val})"


Atom = Var | Literal


class Eqn:
    """One application of a primitive."""

    __slots__ = ("effects", "invars", "outvars", "params", "primitive", "source")

    def __init__(
        self,
        primitive: Primitive,
        invars: list[Atom],
        outvars: list[Var],
        params: dict[str, Any],
        source: SourceInfo,
        effects: frozenset = frozenset(),
    ):
        self.primitive = primitive
        self.invars = invars
        self.outvars = outvars
        self.params = params
        self.source = source
        self.effects = effects

    def replace(self, **changes: Any) -> Eqn:
        """Return a copy with some fields replaced."""
        fields = {name: getattr(self, name) for name in Eqn.__slots__}
        return Eqn(**(fields | changes))


@dataclass(frozen=True, slots=True)
class DebugInfo:
    """Which function a jaxpr was traced from, and how its arguments are called."""

    transformation: str
    function: str
    location: str
    arg_names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.function} at {self.location} for {self.transformation}"


NO_DEBUG_INFO = DebugInfo("tracing", "<unknown>", "<unknown>")


class Jaxpr:
    """A program: ``{ lambda constvars ; invars . let eqns in outvars }``.

    Immutable by convention: a transformation builds another. Compared by identity.
    """

    __slots__ = (
        "__weakref__", "_caches", "constvars", "consts", "debug_info", "effects", "eqns", "invars",
        "outvars",
    )  # fmt: skip

    def __init__(
        self,
        invars: Sequence[Var],
        outvars: Sequence[Atom],
        eqns: Sequence[Eqn],
        constvars: Sequence[Var] = (),
        consts: Sequence[Any] = (),
        debug_info: DebugInfo = NO_DEBUG_INFO,
    ):
        self.invars = list(invars)
        self.outvars = list(outvars)
        self.eqns = list(eqns)
        self.constvars = list(constvars)
        self.consts = list(consts)
        self.debug_info = debug_info
        self.effects = frozenset().union(*(eqn.effects for eqn in self.eqns))
        self._caches: dict[Any, Any] = {}

    @property
    def in_avals(self) -> list[Any]:
        """Types of the arguments."""
        return [var.aval for var in self.invars]

    @property
    def out_avals(self) -> list[Any]:
        """Types of the results."""
        return [atom.aval for atom in self.outvars]

    @property
    def jaxpr(self) -> Jaxpr:
        """The jaxpr itself. JAX keeps constants in a wrapper; here there is one class."""
        return self

    @property
    def literals(self) -> list[Any]:
        """The constants (JAX's older name)."""
        return self.consts

    def remember(self, key: Any, compute: Any) -> Any:
        """Return ``compute()``, kept with the jaxpr under ``key``.

        Derived programs (its derivative, its batched form) depend on nothing but the jaxpr, the
        key, the configuration and the sizes of named axes; they live and die with the jaxpr.
        """
        full_key = (key, config.trace_key(), axis_env())
        if full_key not in self._caches:
            self._caches[full_key] = compute()
        return self._caches[full_key]

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return self.pretty_print()

    def pretty_print(self, *, source_info: bool = False, name_stack: bool = False) -> str:
        """Return the program's text; ``source_info`` adds the user's line to each equation."""
        return _Printer(source_info).text(self)


def subjaxprs(params: dict[str, Any]) -> Iterator[Jaxpr]:
    """Yield the jaxprs among the parameters of an equation."""
    for value in params.values():
        if isinstance(value, Jaxpr):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from (item for item in value if isinstance(item, Jaxpr))


def is_literalable(x: Any) -> bool:
    """Tell whether a captured value is a scalar, to be written into the program."""
    if isinstance(x, (bool, int, float, complex, np.generic)):
        return True
    return isinstance(x, np.ndarray) and x.ndim == 0


# -- printing ---------------------------------------------------------------------------------

LONG_JAXPR = 10
"""A jaxpr inside another is printed before it, under a name, if it has more equations."""


def eqn_text(eqn: Eqn) -> str:
    """Return one equation as text: ``b:f32[3] = sin a``."""
    return layout(_Printer().equation(eqn))


class _Printer:
    """Writes a jaxpr in JAX's text form.

    Variables are named in the order in which they are met. A jaxpr that occurs more than once
    among the parameters, or is long, is written first, as ``let name = { lambda … } in``.
    """

    def __init__(self, source_info: bool = False):
        self.source_info = source_info
        self.var_names: dict[Var, str] = {}
        self.shared: dict[Jaxpr, str] = {}
        taken = self.shared.values()
        self.fresh_names = (n for n in map(_letters, itertools.count()) if n not in taken)

    def text(self, jaxpr: Jaxpr) -> str:
        """Return the text of a whole program."""
        self.shared.update(_shared_jaxprs(jaxpr))
        parts = []
        for shared, name in self.shared.items():
            parts += [text(f"let {name} = "), self.jaxpr(shared), text(" in"), brk()]
        # Only the program asked for shows which of its results are unused: JAX does so.
        used = {*jaxpr.outvars}.union(*(eqn.invars for eqn in jaxpr.eqns))
        results = [var for eqn in jaxpr.eqns for var in eqn.outvars]
        self.var_names.update({var: "_" for var in results if var not in used})
        return layout(concat(*parts, self.jaxpr(jaxpr)))

    def jaxpr(self, jaxpr: Jaxpr) -> Doc:
        """Return ``{ lambda constvars ; invars . let eqns in outvars }`` as a document."""
        parts = [
            text("{ lambda "),
            self.binders(jaxpr.constvars),
            text("; "),
            self.binders(jaxpr.invars),
            text(". let"),
            nest(2, concat(brk(), join(brk("; "), [self.equation(eqn) for eqn in jaxpr.eqns]))),
            brk(),
            text("in ("),
            _filled([self.atom(atom) for atom in jaxpr.outvars], ","),
            text(",) }" if len(jaxpr.outvars) == 1 else ") }"),
        ]
        return group(nest(2, concat(*parts)))

    def equation(self, eqn: Eqn) -> Doc:
        """Return ``results = primitive[parameters] arguments`` as a document."""
        self.name_like_caller(eqn)
        parts = []
        if eqn.outvars:
            place = _place(eqn.source) if self.source_info else None
            parts += [self.binders(eqn.outvars), text(" = ", place)]
        parts.append(text(eqn.primitive.name))
        params = _printed_params(eqn)
        if params:
            parts.append(self.parameters(params))
        parts += [text(" "), _filled([self.atom(atom) for atom in eqn.invars])]
        return concat(*parts)

    def parameters(self, params: dict[str, Any]) -> Doc:
        """Return ``[name=value …]`` as a document."""
        items = [concat(text(f"{key}="), self.parameter(value)) for key, value in params.items()]
        return _bracketed("[", items, "]")

    def parameter(self, value: Any) -> Doc:
        """Return the value of a parameter as a document."""
        if isinstance(value, Jaxpr):
            return text(self.shared[value]) if value in self.shared else self.jaxpr(value)
        if type(value) is tuple and value and all(isinstance(item, Jaxpr) for item in value):
            return _bracketed("(", [self.parameter(item) for item in value], ")")
        return text(_ADDRESS.sub(lambda match: "X" * len(match[0]), str(value)))

    def binders(self, variables: Sequence[Var]) -> Doc:
        """Return ``a:f32[3] b:i32[]`` as a document."""
        return _filled([f"{self.name(var)}:{var.aval}" for var in variables])

    def atom(self, atom: Atom) -> str:
        """Return the text of a variable or literal where it is used."""
        if isinstance(atom, Literal):
            return f"{_literal_value(atom)}:{atom.aval}"
        return self.name(atom)

    def name(self, var: Var) -> str:
        """Return the name of a variable, the next unused one at the first time."""
        if isinstance(var, DropVar):
            return "_"
        if var not in self.var_names:
            self.var_names[var] = next(self.fresh_names)
        return self.var_names[var]

    def name_like_caller(self, eqn: Eqn) -> None:
        """Call the variables of a ``jit`` inside by the names that they have outside."""
        if not _is_call(eqn):
            return
        called = eqn.params["jaxpr"]
        if called in self.shared:
            return
        for inner, outer in ((called.invars, eqn.invars), (called.outvars, eqn.outvars)):
            lent: set[Atom] = set()
            # Not strict: messages print equations that have a wrong number of arguments.
            for theirs, ours in zip(inner, outer, strict=False):
                if isinstance(theirs, Var) and isinstance(ours, Var) and ours not in lent:
                    if theirs not in self.var_names:
                        lent.add(ours)
                        self.var_names[theirs] = self.name(ours)


_ADDRESS = re.compile(r"(?<= at 0x)[0-9a-fA-F]+")  # differs from run to run, so it is masked


def _literal_value(literal: Literal) -> Any:
    """Return the Python number that stands for a literal in the text."""
    value = literal.val
    if type(value) in (bool, int, float, complex):
        return value
    if isinstance(value, np.floating) and getattr(literal.aval, "weak_type", False):
        return float(str(value))  # the user wrote 0.1, not 0.10000000149011612
    return np.asarray(value).item() if np.ndim(value) == 0 else value


def _is_call(eqn: Eqn) -> bool:
    """Tell whether an equation calls a named program on its arguments, as ``jit`` does."""
    return "name" in eqn.params and isinstance(eqn.params.get("jaxpr"), Jaxpr)


def _printed_params(eqn: Eqn) -> dict[str, Any]:
    """Return the parameters that are printed, in order."""
    hidden = eqn.primitive.hidden_params
    shown = {
        key: value
        for key, value in sorted(eqn.params.items())
        if not (key in hidden and type(value) is type(hidden[key]) and value == hidden[key])
    }
    if "name" in shown and any(subjaxprs(shown)):
        shown = {"name": shown["name"], **shown}
    return shown if eqn.primitive.print_rule is None else eqn.primitive.print_rule(eqn, shown)


def _shared_jaxprs(program: Jaxpr) -> dict[Jaxpr, str]:
    """Name the inner jaxprs that are written first: those met twice, and the long ones.

    A jaxpr is called as the first call of it is, or ``jaxpr`` if it is never called by name.
    """
    names: dict[Jaxpr, str] = {}
    visits: Counter[Jaxpr] = Counter()
    queue = deque([program])
    while queue:
        jaxpr = queue.popleft()
        visits[jaxpr] += 1
        if visits[jaxpr] > 2:  # what is inside has been met twice already
            continue
        for eqn in jaxpr.eqns:
            for inner in subjaxprs(eqn.params):
                queue.append(inner)
                if _is_call(eqn):
                    names.setdefault(inner, eqn.params["name"].strip("<>"))
    del visits[program]
    shared: dict[str, Jaxpr] = {}
    for jaxpr, count in visits.items():
        if count > 1 or len(jaxpr.eqns) > LONG_JAXPR:
            shared[_unused_name(names.get(jaxpr, "jaxpr"), shared)] = jaxpr
    return {jaxpr: name for name, jaxpr in shared.items()}


def _unused_name(name: str, taken: Container[str]) -> str:
    """Return ``name``, with a number behind it if it is taken."""
    numbered = (f"{name}{i}" for i in itertools.count(1))
    return next(each for each in itertools.chain([name], numbered) if each not in taken)


def _letters(number: int) -> str:
    """Write a number to base 26 with the digits a to z: a, …, z, ba, bb, …"""
    head, digit = divmod(number, 26)
    return (_letters(head) if head else "") + chr(ord("a") + digit)


def _filled(words: Sequence[str], separator: str = "") -> Doc:
    """Return words with a space between, which is a new line where the line is full."""
    parts = [text(word + separator) for word in words[:-1]] + [text(word) for word in words[-1:]]
    return nest(2, join(group(brk()), parts))


def _bracketed(opening: str, items: Sequence[Doc], closing: str) -> Doc:
    """Return items in brackets, all on one line or one on each."""
    inner = nest(2, concat(brk(""), join(brk(), items)))
    return group(concat(text(opening), inner, brk(""), text(closing)))


def _place(source: SourceInfo) -> str:
    """Return ``file:line:column (function)``, nothing if the place is unknown."""
    if source.code is None:
        return ""
    line, column = source.position()
    return f"{source.file_name}:{line}:{column} ({source.function_name})"
