"""How does a linear program run backwards?

Linear programs are what :mod:`minijax.transforms.linearize` writes. Walk the equations from last
to first. The cotangent of an equation's result is complete when it is reached, for every use
stands later; the primitive's transpose rule turns it into cotangents of the linear operands, and
those of one variable add up. Equations that do not depend on the linear arguments are no part of
the linear map: they are computed forwards first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minijax import source_info
from minijax.core.jaxpr import Eqn, Jaxpr, Literal, Var
from minijax.core.primitive import UndefinedPrimal, Zero, add_tangents, instantiate, is_zero
from minijax.transforms.dce import dce_jaxpr
from minijax.transforms.staging import trace_to_jaxpr
from minijax.util import merge_lists, partition_list, select_where


def backward_pass(jaxpr: Jaxpr, args: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
    """Transpose a jaxpr with respect to the arguments given as ``UndefinedPrimal``.

    Parameters
    ----------
    jaxpr : Jaxpr
    args : list
        Values of the arguments in which the program is not linear; ``UndefinedPrimal`` for the
        others.
    cotangents : list
        One for each result; may be ``Zero``.

    Returns
    -------
    list
        One cotangent for each linear argument (possibly ``Zero``), None for the others.
    """
    if all(map(is_zero, cotangents)):
        return [Zero(x.aval.tangent()) if type(x) is UndefinedPrimal else None for x in args]
    jaxpr, _ = dce_jaxpr(jaxpr, [not is_zero(ct) for ct in cotangents], instantiate=True)
    cotangents = [ct for ct in cotangents if not is_zero(ct)]
    linear = {var for var, x in zip(jaxpr.invars, args, strict=True) if type(x) is UndefinedPrimal}
    known: dict[Var, Any] = dict(zip(jaxpr.constvars, jaxpr.consts, strict=True))
    known.update(
        (var, x)
        for var, x in zip(jaxpr.invars, args, strict=True)
        if type(x) is not UndefinedPrimal
    )
    linear_eqns = _run_forward(jaxpr, known, linear)

    pending: dict[Var, Any] = {}
    for atom, ct in zip(jaxpr.outvars, cotangents, strict=True):
        _accumulate(pending, linear, atom, ct)
    for eqn in reversed(linear_eqns):
        _transpose_eqn(eqn, known, linear, pending)
    return [
        pending.get(var, Zero(var.aval.tangent())) if var in linear else None
        for var in jaxpr.invars
    ]


def _run_forward(jaxpr: Jaxpr, known: dict[Var, Any], linear: set[Var]) -> list[Eqn]:
    """Compute the equations that no linear argument reaches; return the others."""
    linear_eqns = []
    for eqn in jaxpr.eqns:
        if any(isinstance(x, Var) and x in linear for x in eqn.invars):
            linear.update(eqn.outvars)
            linear_eqns.append(eqn)
            continue
        operands = [_known_value(x, known) for x in eqn.invars]
        with source_info.replaying(eqn.source):
            outs = eqn.primitive.bind(*operands, **eqn.params)
        known.update(
            zip(eqn.outvars, outs if eqn.primitive.multiple_results else [outs], strict=True)
        )
    return linear_eqns


def _known_value(atom: Any, known: dict[Var, Any]) -> Any:
    return atom.val if type(atom) is Literal else known[atom]


def _transpose_eqn(
    eqn: Eqn, known: dict[Var, Any], linear: set[Var], pending: dict[Var, Any]
) -> None:
    cts = [pending.pop(var, Zero(var.aval.tangent())) for var in eqn.outvars]
    if all(map(is_zero, cts)):
        return
    operands = [
        UndefinedPrimal(x.aval)  # type: ignore[arg-type]
        if isinstance(x, Var) and x in linear
        else _known_value(x, known)
        for x in eqn.invars
    ]
    with source_info.replaying(eqn.source):
        if eqn.primitive.multiple_results:
            results = eqn.primitive.rule("transpose")(cts, *operands, **eqn.params)
        else:
            results = eqn.primitive.rule("transpose")(cts[0], *operands, **eqn.params)
        for atom, ct in zip(eqn.invars, results, strict=True):
            if ct is not None:
                _accumulate(pending, linear, atom, ct)


def _accumulate(pending: dict[Var, Any], linear: set[Var], atom: Any, ct: Any) -> None:
    if isinstance(atom, Var) and atom in linear and not is_zero(ct):
        pending[atom] = add_tangents(pending[atom], ct) if atom in pending else ct


def transpose_jaxpr(jaxpr: Jaxpr, linear: Sequence[bool], nonzero: Sequence[bool]) -> Jaxpr:
    """Return the transpose of a program in some of its arguments, as a program.

    It takes the other arguments and then the cotangents of those results that have one, and
    returns the cotangents of the linear arguments, zeros written out.
    """

    def compute() -> Jaxpr:
        known_avals, _ = partition_list(linear, jaxpr.in_avals)
        ct_avals = [aval.tangent() for aval in select_where(nonzero, jaxpr.out_avals)]

        def backward(*xs: Any) -> list:
            known, cts = list(xs[: len(known_avals)]), xs[len(known_avals) :]
            undefined: list[Any] = [
                UndefinedPrimal(aval) for aval in select_where(linear, jaxpr.in_avals)
            ]
            zeros = [
                Zero(aval.tangent())
                for aval, bit in zip(jaxpr.out_avals, nonzero, strict=True)
                if not bit
            ]
            operands = merge_lists(linear, known, undefined)
            results = backward_pass(jaxpr, operands, merge_lists(nonzero, zeros, cts))
            return [instantiate(ct) for ct in select_where(linear, results)]

        return trace_to_jaxpr(backward, [*known_avals, *ct_avals], jaxpr.debug_info)

    return jaxpr.remember(("transpose", tuple(linear), tuple(nonzero)), compute)
