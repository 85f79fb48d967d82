"""Is a jaxpr well formed?

Transformations write programs; this module reads them critically: every variable is bound once
and before it is used, every equation has the types that its primitive infers, literals and
constants have the types that they claim, effects are declared. A failure is a fault of a
transformation or of a rule, and the message names the equation and the line of the user's program
that it came from. Staging checks what it wrote when ``jax_enable_checks`` is on.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from minijax.core.aval import AbstractValue, ShapedArray, typeof
from minijax.core.jaxpr import Atom, DropVar, Eqn, Jaxpr, Literal, Var, eqn_text, subjaxprs
from minijax.errors import JaxprTypeError


def check_jaxpr(jaxpr: Jaxpr) -> None:
    """Check that a program and the programs inside it are well formed.

    Weak types are ignored: a program means the same with and without them.

    Raises
    ------
    JaxprTypeError
        If a variable is used before it is bound or bound twice, if the type of a result is not
        the one that the primitive infers, if a literal or a constant is not of its type, or if an
        equation does not declare an effect that it has.

    Examples
    --------
    >>> import minijax as jax
    >>> check_jaxpr(jax.make_jaxpr(jax.numpy.sin)(1.0))
    """
    _check(jaxpr, set())


def _check(jaxpr: Jaxpr, checked: set[Jaxpr]) -> None:
    if jaxpr in checked:  # one program may stand in many equations
        return
    checked.add(jaxpr)
    bound: set[Var] = set()
    _check_constants(jaxpr)
    for var in [*jaxpr.constvars, *jaxpr.invars]:
        if var in bound:
            _fail(jaxpr, f"an argument or constant of type {var.aval} is bound twice")
        bound.add(var)
    for eqn in jaxpr.eqns:
        _check_arguments(eqn, bound)
        for inner in subjaxprs(eqn.params):
            _check(inner, checked)
        _check_types(eqn)
        _check_effects(eqn)
        _bind_results(eqn, bound)
    for index, atom in enumerate(jaxpr.outvars):
        fault = _fault_of_atom(atom, bound)
        if fault:
            _fail(jaxpr, f"result {index} is {fault}")


def _check_constants(jaxpr: Jaxpr) -> None:
    if len(jaxpr.constvars) != len(jaxpr.consts):
        _fail(jaxpr, f"{len(jaxpr.constvars)} constvars but {len(jaxpr.consts)} consts")
    for var, value in zip(jaxpr.constvars, jaxpr.consts, strict=True):
        if not _same_type(typeof(value), var.aval):
            _fail(jaxpr, f"a constant of type {typeof(value)} is bound to a {var.aval} variable")


def _check_arguments(eqn: Eqn, bound: set[Var]) -> None:
    for index, atom in enumerate(eqn.invars):
        fault = _fault_of_atom(atom, bound)
        if fault:
            _fail_at(eqn, f"argument {index} is {fault}")


def _check_types(eqn: Eqn) -> None:
    """Compare the results' types with those that the primitive infers from the arguments."""
    try:
        inferred = eqn.primitive.infer([atom.aval for atom in eqn.invars], eqn.params)
    except (TypeError, ValueError, IndexError) as error:
        _fail_at(eqn, f"the arguments do not suit the primitive: {error}", error)
    expected = inferred if eqn.primitive.multiple_results else [inferred]
    if len(expected) != len(eqn.outvars):
        _fail_at(eqn, f"{len(expected)} results are inferred, {len(eqn.outvars)} are bound")
    for index, (aval, var) in enumerate(zip(expected, eqn.outvars, strict=True)):
        if not _same_type(aval, var.aval):
            _fail_at(eqn, f"result {index} is inferred to be {aval} but is bound as {var.aval}")


def _check_effects(eqn: Eqn) -> None:
    """Compare the equation's effects with the primitive's and those of the programs inside."""
    has = eqn.primitive.effects(*(atom.aval for atom in eqn.invars), **eqn.params)
    missing = frozenset(has).union(*(j.effects for j in subjaxprs(eqn.params))) - eqn.effects
    if missing:
        names = ", ".join(sorted(map(str, missing)))
        _fail_at(eqn, f"effects that the equation does not declare: {names}")


def _bind_results(eqn: Eqn, bound: set[Var]) -> None:
    for index, var in enumerate(eqn.outvars):
        if var in bound:
            _fail_at(eqn, f"result {index} is a variable that is bound before")
        if not isinstance(var, DropVar):
            bound.add(var)


def _fault_of_atom(atom: Atom, bound: set[Var]) -> str:
    """Say what is wrong with a variable or literal where it is used; nothing if all is well."""
    if not isinstance(atom, Literal):
        return "" if atom in bound else f"a variable of type {atom.aval} that is not bound"
    value, aval = atom.val, atom.aval
    if not isinstance(aval, ShapedArray) or aval.shape or np.ndim(value):
        return f"a literal of type {aval}, where only scalars can be literals"
    # A Python scalar has no dtype of its own: the literal's type says what it means.
    if isinstance(value, (np.generic, np.ndarray)) and value.dtype != aval.dtype:
        return f"a literal of dtype {value.dtype} that claims to be {aval}"
    return ""


def _same_type(one: AbstractValue, other: AbstractValue) -> bool:
    """Compare two types without regard to weakness."""
    if isinstance(one, ShapedArray) and isinstance(other, ShapedArray):
        return one.shape == other.shape and one.dtype == other.dtype
    return one == other


def _fail(jaxpr: Jaxpr, fault: str) -> NoReturn:
    raise JaxprTypeError(f"Ill-formed jaxpr of {jaxpr.debug_info}: {fault}.\n{jaxpr}")


def _fail_at(eqn: Eqn, fault: str, cause: Exception | None = None) -> NoReturn:
    raise JaxprTypeError(
        f"Ill-formed equation: {fault}.\n  "
        + eqn_text(eqn).replace("\n", "\n  ")
        + f"\nIt came from {eqn.source}."
    ) from cause
