"""Which equations does a program need for the results that are asked for?

Walk the equations backwards with the set of live variables: those that something later reads. An
equation stays if one of its results is live or if it has an effect, and then its arguments are
live too. An operation that holds programs of its own may say more: its ``dce`` rule drops what is
unused inside.

Linearization runs this pass before it transposes, so that nothing is transposed in vain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from minijax.core.jaxpr import DebugInfo, Eqn, Jaxpr, Var
from minijax.util import select_where


def dce_jaxpr(
    jaxpr: Jaxpr, used_outputs: Sequence[bool], instantiate: bool | Sequence[bool] = False
) -> tuple[Jaxpr, list[bool]]:
    """Drop the results that are not used and everything computed for them alone.

    Parameters
    ----------
    jaxpr : Jaxpr
    used_outputs : sequence of bool
        One per result: whether to keep it.
    instantiate : bool or sequence of bool
        Whether to keep arguments that turn out unused: all, none, or one bool for each.

    Returns
    -------
    jaxpr : Jaxpr
        The program of the results kept. Constants without use are gone. The jaxpr itself if
        nothing is dropped, so that what is remembered with it stays in use.
    used_inputs : list of bool
        One per argument of ``jaxpr``: whether the new program has it.

    Notes
    -----
    A primitive with programs among its parameters may set ``primitive.dce`` to
    ``rule(used_outs, eqn) -> (used_ins, new_eqn)``. ``used_ins`` tells which arguments of ``eqn``
    are live and ``new_eqn`` stands in its place; it is None if nothing of the equation is needed.
    The rule is also asked about an equation that stays for its effects alone.

    Examples
    --------
    >>> import minijax as jax
    >>> program = jax.make_jaxpr(lambda x, y: (jax.numpy.sin(x), jax.numpy.cos(y)))(1.0, 2.0)
    >>> dce_jaxpr(program, [True, False])
    ({ lambda ; a:f32[]. let b:f32[] = sin a in (b,) }, [True, False])
    """
    kept = _per_argument(jaxpr, instantiate)
    outputs = tuple(bool(used) for used in used_outputs)
    pruned, used_inputs = jaxpr.remember(
        ("dce", outputs, kept), lambda: _live_part(jaxpr, outputs, kept)
    )
    return pruned, list(used_inputs)


def _per_argument(jaxpr: Jaxpr, instantiate: bool | Sequence[bool]) -> tuple[bool, ...]:
    if isinstance(instantiate, bool):
        return (instantiate,) * len(jaxpr.invars)
    return tuple(bool(keep) for keep in instantiate)


def _live_part(
    jaxpr: Jaxpr, used_outputs: Sequence[bool], instantiate: Sequence[bool]
) -> tuple[Jaxpr, list[bool]]:
    outvars = select_where(used_outputs, jaxpr.outvars)
    live = {atom for atom in outvars if isinstance(atom, Var)}
    eqns: list[Eqn] = []
    for eqn in reversed(jaxpr.eqns):
        used_args, needed = _live_equation(eqn, [var in live for var in eqn.outvars])
        live.update(atom for atom in select_where(used_args, eqn.invars) if isinstance(atom, Var))
        if needed is not None:
            eqns.append(needed)
    eqns.reverse()
    used_inputs = [keep or var in live for keep, var in zip(instantiate, jaxpr.invars, strict=True)]
    used_consts = [var in live for var in jaxpr.constvars]
    if eqns == jaxpr.eqns and all([*used_outputs, *used_inputs, *used_consts]):
        return jaxpr, used_inputs
    pruned = Jaxpr(
        select_where(used_inputs, jaxpr.invars),
        outvars,
        eqns,
        select_where(used_consts, jaxpr.constvars),
        select_where(used_consts, jaxpr.consts),
        _debug_info(jaxpr, used_inputs),
    )
    return pruned, used_inputs


def _live_equation(eqn: Eqn, used_outs: list[bool]) -> tuple[list[bool], Eqn | None]:
    """Return which arguments of an equation are live and what is left of it."""
    if not any(used_outs) and not eqn.effects:
        return [False] * len(eqn.invars), None
    if eqn.primitive.dce is not None:
        return eqn.primitive.dce(used_outs, eqn)
    return [True] * len(eqn.invars), eqn


def _debug_info(jaxpr: Jaxpr, used_inputs: Sequence[bool]) -> DebugInfo:
    """Return the description of the function without the names of dropped arguments."""
    info = jaxpr.debug_info
    if len(info.arg_names) != len(used_inputs):
        return info
    return replace(info, arg_names=tuple(select_where(used_inputs, info.arg_names)))
