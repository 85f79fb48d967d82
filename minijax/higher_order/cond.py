"""What is a choice between programs?

``cond`` runs one of two functions and ``switch`` one of several, chosen by a value that is known
only when the program runs. One primitive serves both: its parameter is the tuple of branches, its
first operand the index of the one to run. For ``cond`` branch 0 is ``false_fun``.

All branches take the same operands, so what any of them captured is an operand of all; and all
return the same types. Transformations treat the branches alike: a result has a tangent or a batch
axis in all branches if it has one in any. Residuals differ from branch to branch; they share
places by type, and a branch fills the places of the others with zeros.

Under ``vmap`` with an index that differs from example to example all branches run, and each
example picks its result. A branch then sees values that it was not meant for; its operands are
guarded so that no derivative flows back from there, where it could be NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.config import config
from minijax.core import dtypes
from minijax.core.aval import is_array_like, typeof
from minijax.core.jaxpr import Eqn, Jaxpr
from minijax.core.primitive import (
    Arg,
    AxisInfo,
    Primitive,
    broadcast_in_dim_p,
    full_of,
    is_undefined_primal,
    is_zero,
)
from minijax.core.trace import Tracer
from minijax.core.tree import tree_unflatten
from minijax.higher_order.bodies import (
    handed_through,
    with_zeros,
)
from minijax.higher_order.branches import Branches, split_branches, trace_branches
from minijax.primitives.arithmetic import mul
from minijax.primitives.conversion import convert
from minijax.primitives.elementwise import sin
from minijax.primitives.identity import stop_gradient
from minijax.primitives.logic import eq, gt, ne, select_n
from minijax.primitives.piecewise import clamp
from minijax.primitives.reduce import reduce_sum
from minijax.stablehlo.ir import Value, type_of_aval
from minijax.transforms.batching import batch_jaxpr, place_batch_axis, used_axes
from minijax.transforms.dce import dce_jaxpr
from minijax.transforms.dispatch import run_jaxpr
from minijax.transforms.evaluate import eval_jaxpr, interpret_jaxpr
from minijax.transforms.jvp import jvp_jaxpr
from minijax.transforms.lowering import LoweringContext
from minijax.transforms.transpose import transpose_jaxpr
from minijax.util import merge_lists, partition_list, select_where, split_list

cond_p = Primitive("cond", multiple_results=True, memoize=False)
INT32 = np.dtype(np.int32)
_ABSENT: Any = object()


def cond(
    pred: Any,
    true_fun: Callable[..., Any],
    false_fun: Callable[..., Any],
    *operands: Any,
    operand: Any = _ABSENT,
) -> Any:
    """Run one of two functions.

    Written out in Python::

        def cond(pred, true_fun, false_fun, *operands):
            return true_fun(*operands) if pred else false_fun(*operands)

    Both functions are traced; only the chosen one runs, except under ``vmap`` with a predicate
    that differs from example to example, where both run. Also accepted is the older form
    ``cond(pred, true_operand, true_fun, false_operand, false_fun)``.

    Parameters
    ----------
    pred : bool scalar
        A number counts as true if it is not zero.
    true_fun, false_fun : callable
        They return the same structure, shapes and dtypes.
    *operands : pytree of array_like
        Arguments of both functions.
    operand : pytree of array_like, optional
        One operand, by name (an older form).

    Returns
    -------
    pytree of Array
        The result of the function chosen.

    Raises
    ------
    TypeError
        If ``pred`` is not a scalar or the functions return different types.

    Examples
    --------
    >>> cond(True, lambda x: x + 1, lambda x: x - 1, 3)
    Array(4, dtype=int32, weak_type=True)
    """
    if operand is not _ABSENT:
        if operands:
            raise TypeError(
                "if 'operand' keyword is passed then no positional operands can be passed, got "
                f"operand={operand} and positional operands {operands}"
            )
        operands = (operand,)
    elif len(operands) == 2 and callable(false_fun) and callable(operands[1]):
        return _cond_of_two_operands(pred, true_fun, false_fun, *operands)
    if not (callable(true_fun) and callable(false_fun)):
        raise TypeError("lax.cond: true_fun and false_fun arguments should be callable.")
    _check_predicate(pred)
    if config.disable_jit and _is_concrete(pred):
        return (true_fun if pred else false_fun)(*operands)
    branches = trace_branches(
        "cond", [false_fun, true_fun], operands, ["false_fun", "true_fun"], first=1
    )
    if typeof(pred).dtype != np.bool_:
        pred = bool(pred) if _is_python_scalar(pred) else ne(pred, full_of(typeof(pred), 0))
    index = np.int32(pred) if _is_python_scalar(pred) else convert(pred, INT32)
    return _bind_branches(index, branches)


def _cond_of_two_operands(
    pred: Any, true_operand: Any, true_fun: Any, false_operand: Any, false_fun: Any
) -> Any:
    return cond(
        pred,
        lambda operands: true_fun(operands[0]),
        lambda operands: false_fun(operands[1]),
        (true_operand, false_operand),
    )


def switch(
    index: Any,
    branches: Sequence[Callable[..., Any]],
    *operands: Any,
    operand: Any = _ABSENT,
) -> Any:
    """Run one of several functions.

    Written out in Python::

        def switch(index, branches, *operands):
            return branches[min(max(index, 0), len(branches) - 1)](*operands)

    Parameters
    ----------
    index : integer scalar
        Out of range it counts as the nearest in range.
    branches : sequence of callable
        They return the same structure, shapes and dtypes.
    *operands : pytree of array_like
        Arguments of all functions.
    operand : pytree of array_like, optional
        One operand, by name (an older form).

    Returns
    -------
    pytree of Array
        The result of the function chosen.

    Raises
    ------
    TypeError
        If ``index`` is not an integer scalar or the functions return different types.
    ValueError
        If there are no branches.

    Examples
    --------
    >>> switch(5, [lambda x: x, lambda x: 10 * x], 3)
    Array(30, dtype=int32, weak_type=True)
    """
    if operand is not _ABSENT:
        if operands:
            raise TypeError(
                "if 'operand' keyword is passed then no positional operands can be passed, got "
                f"operand={operand} and positional operands {operands}"
            )
        operands = (operand,)
    branches = tuple(branches)
    if not all(callable(branch) for branch in branches):
        raise TypeError("lax.switch: branches argument should be a sequence of callables.")
    _check_index(index)
    if not branches:
        raise ValueError("Empty branch sequence")
    if len(branches) == 1:
        return branches[0](*operands)
    last = len(branches) - 1
    if config.disable_jit and _is_concrete(index):
        return branches[min(max(int(index), 0), last)](*operands)
    names = [f"branch {i}" for i in range(len(branches))]
    traced = trace_branches("switch", branches, operands, names, first=0)
    index = np.int32(index) if _is_python_scalar(index) else convert(index, INT32)
    return _bind_branches(clamp(np.int32(0), index, np.int32(last)), traced)


def _check_predicate(pred: Any) -> None:
    if pred is None:
        raise TypeError("cond predicate is None")
    if not is_array_like(pred):
        raise TypeError(f"Pred must be a scalar, got {pred} of type {type(pred)}")
    aval = typeof(pred)
    if aval.shape:
        raise TypeError(f"Pred must be a scalar, got {pred} of shape {aval.shape}.")
    if not any(dtypes.issubdtype(aval.dtype, k) for k in (np.bool_, np.integer, np.floating)):
        raise TypeError(f"Pred type must be either boolean or number, got {aval.dtype.name}.")


def _check_index(index: Any) -> None:
    if not is_array_like(index):
        raise TypeError(f"Branch index must be scalar, got {index} of type {type(index)}.")
    aval = typeof(index)
    if aval.shape:
        raise TypeError(f"Branch index must be scalar, got {index} of shape {aval.shape}.")
    if not dtypes.issubdtype(aval.dtype, np.integer):
        raise TypeError(f"Index type must be an integer, got {index} as {aval.dtype.name}")


def _is_python_scalar(x: Any) -> bool:
    return isinstance(x, (bool, int, float, np.generic, np.ndarray))


def _is_concrete(x: Any) -> bool:
    return not isinstance(x, Tracer) or x.concrete_value() is not None


def _bind_branches(index: Any, branches: Branches) -> Any:
    """Apply the primitive; a result that is the same operand in all branches needs no choice."""
    jaxprs, operands = branches.jaxprs, branches.operands
    forwarded = [
        _common_operand(column, jaxprs)
        for column in zip(*(jaxpr.outvars for jaxpr in jaxprs), strict=True)
    ]
    computed = [source is None for source in forwarded]
    trimmed = tuple(dce_jaxpr(jaxpr, computed, instantiate=True)[0] for jaxpr in jaxprs)
    outs = cond_p.bind(index, *operands, branches=trimmed)
    passed = [handed_through(operands[i]) for i in forwarded if i is not None]
    return tree_unflatten(branches.out_tree, merge_lists(computed, passed, outs))


def _common_operand(atoms: tuple[Any, ...], jaxprs: Sequence[Jaxpr]) -> int | None:
    found = {
        jaxpr.invars.index(atom) if atom in jaxpr.invars else None
        for atom, jaxpr in zip(atoms, jaxprs, strict=True)
    }
    i = found.pop()
    return i if not found else None


# -- type and value ------------------------------------------------------------------------------


@cond_p.abstract
def cond_abstract(index: Any, *avals: Any, branches: tuple[Jaxpr, ...]) -> list[Any]:
    return [
        column[0].update(weak_type=all(aval.weak_type for aval in column))
        for column in zip(*(jaxpr.out_avals for jaxpr in branches), strict=True)
    ]


@cond_p.reference
def cond_reference(
    index: np.ndarray, *args: np.ndarray, branches: tuple[Jaxpr, ...]
) -> list[np.ndarray]:
    return interpret_jaxpr(_chosen(index, branches), *args)


def cond_evaluate(index: Any, *args: Any, branches: tuple[Jaxpr, ...]) -> list[Any]:
    # The index is known: nothing of the other branches need be compiled. A result that is weakly
    # typed in this branch alone is not so in the conditional.
    outs = run_jaxpr(_chosen(index, branches), "cond", *args)
    avals = cond_abstract(index, *args, branches=branches)
    return [
        convert(x, aval.dtype) if x.weak_type and not aval.weak_type else x
        for x, aval in zip(outs, avals, strict=True)
    ]


cond_p.evaluate = cond_evaluate


def _chosen(index: Any, branches: tuple[Jaxpr, ...]) -> Jaxpr:
    """Return the branch for a concrete index; out of range it is the last, as in StableHLO."""
    i = int(index)
    return branches[i if 0 <= i < len(branches) else -1]


# -- derivatives ---------------------------------------------------------------------------------


@cond_p.jvp
def cond_jvp(primals: list, tangents: list, *, branches: tuple[Jaxpr, ...]) -> tuple[list, list]:
    nonzeros = [not is_zero(t) for t in tangents[1:]]
    untouched = [False] * len(branches[0].outvars)
    found = [jvp_jaxpr(jaxpr, nonzeros, untouched)[1] for jaxpr in branches]
    nonzeros_out = [any(column) for column in zip(*found, strict=True)]
    derived = tuple(jvp_jaxpr(jaxpr, nonzeros, nonzeros_out)[0] for jaxpr in branches)
    outs = cond_p.bind(*primals, *select_where(nonzeros, tangents[1:]), branches=derived)
    results, moved = split_list(outs, [len(untouched)])
    return results, with_zeros(nonzeros_out, moved, [typeof(x) for x in results])


@cond_p.linearize
def cond_linearize(
    nonzeros: list[bool], index: Any, *operands: Any, branches: tuple[Jaxpr, ...]
) -> tuple[list, Callable[..., list]]:
    nonzeros = nonzeros[1:]
    split = branches[0].remember(
        ("linearize cond", branches, tuple(nonzeros)), lambda: split_branches(branches, nonzeros)
    )
    outs = cond_p.bind(index, *operands, branches=split.forward)
    results, residuals = split_list(outs, [len(split.nonzeros_out)])
    read = [operands[i] for i in split.operands_read]

    def tangent_fun(_: Any, *tangents: Any) -> list:
        moving = select_where(nonzeros, tangents)
        moved = cond_p.bind(index, *read, *residuals, *moving, branches=split.linear)
        return with_zeros(split.nonzeros_out, moved, [typeof(x) for x in results])

    return results, tangent_fun


@cond_p.transpose
def cond_transpose(cts: list, index: Any, *args: Any, branches: tuple[Jaxpr, ...]) -> list:
    linear = [is_undefined_primal(x) for x in args]
    nonzero = [not is_zero(ct) for ct in cts]
    backward = tuple(transpose_jaxpr(jaxpr, linear, nonzero) for jaxpr in branches)
    known, _ = partition_list(linear, args)
    results = cond_p.bind(index, *known, *select_where(nonzero, cts), branches=backward)
    return [None, *merge_lists(linear, [None] * len(known), results)]


# -- vectorisation -------------------------------------------------------------------------------


@cond_p.batch
def cond_batch(
    axis: AxisInfo, args: list, dims: list, *, branches: tuple[Jaxpr, ...]
) -> tuple[list, list]:
    (index, *operands), (index_dim, *operand_dims) = args, dims
    if index_dim is not None:
        index = place_batch_axis(index, index_dim, axis.size)
        return _select_branches(axis, index, operands, operand_dims, branches)
    batched = [dim is not None for dim in operand_dims]
    untouched = [False] * len(branches[0].outvars)
    found = [batch_jaxpr(jaxpr, axis, batched, untouched)[1] for jaxpr in branches]
    batched_out = [any(column) for column in zip(*found, strict=True)]
    derived = tuple(batch_jaxpr(jaxpr, axis, batched, batched_out)[0] for jaxpr in branches)
    moved = [
        x if dim is None else place_batch_axis(x, dim, axis.size)
        for x, dim in zip(operands, operand_dims, strict=True)
    ]
    outs = cond_p.bind(index, *moved, branches=derived)
    return outs, [0 if bit else None for bit in batched_out]


def _select_branches(
    axis: AxisInfo,
    index: Any,
    operands: list,
    dims: list,
    branches: tuple[Jaxpr, ...],
) -> tuple[list, list]:
    """Run all branches on all examples and let each example pick its result."""
    if any(jaxpr.effects for jaxpr in branches):
        raise NotImplementedError(
            "vmap of cond or switch whose branches have effects, with a predicate that differs "
            "from example to example: all branches would run, and with them their effects."
        )
    guarded = [dim is not None or _has_tangent(x) for x, dim in zip(operands, dims, strict=True)]
    placed = [
        place_batch_axis(x, dim, axis.size) if bit else x
        for x, dim, bit in zip(operands, dims, guarded, strict=True)
    ]
    force = [True] * len(branches[0].outvars)
    results = []
    for i, jaxpr in enumerate(branches):
        taken = eq(index, np.int32(i))
        own = [_guard(taken, x) if _has_tangent(x) else x for x in placed]
        derived, _ = batch_jaxpr(jaxpr, axis, guarded, force)
        results.append(eval_jaxpr(derived, *own))
    outs = [select_n(_spread(index, column[0]), *column) for column in zip(*results, strict=True)]
    return outs, [0] * len(outs)


def _has_tangent(x: Any) -> bool:
    return typeof(x).tangent().dtype != dtypes.float0


def _guard(taken: Any, x: Any) -> Any:
    """Return ``x`` such that examples which do not take this branch get no cotangent from it."""
    return select_n(_spread(taken, x), stop_gradient(x), x)


def _spread(choice: Any, like: Any) -> Any:
    """Repeat a vector with one entry per example over the axes of an array of examples."""
    shape = typeof(like).shape
    if len(shape) == 1:
        return choice
    return broadcast_in_dim_p.bind(choice, shape=shape, broadcast_dimensions=(0,), sharding=None)


# -- lowering ------------------------------------------------------------------------------------


@cond_p.lower
def cond_lower(
    ctx: LoweringContext, index: Value, *args: Value, branches: tuple[Jaxpr, ...]
) -> list[Value]:
    types = [type_of_aval(aval) for aval in ctx.avals_out]
    regions = []
    for jaxpr in branches:
        with ctx.region() as region:
            ctx.return_(*ctx.inline(jaxpr, args))
        regions.append(region)
    return ctx.ops("stablehlo.case", [index], types, regions)


# -- dead code, effects, named axes --------------------------------------------------------------


def cond_dce(used: list[bool], eqn: Eqn) -> tuple[list[bool], Eqn | None]:
    branches = eqn.params["branches"]
    if not any(used) and not eqn.effects:
        return [False] * len(eqn.invars), None
    found = [dce_jaxpr(jaxpr, used)[1] for jaxpr in branches]
    used_in = [any(column) for column in zip(*found, strict=True)]
    pruned = tuple(dce_jaxpr(jaxpr, used, instantiate=used_in)[0] for jaxpr in branches)
    if all(new is old for new, old in zip(pruned, branches, strict=True)):
        return [True] * len(eqn.invars), eqn
    return [True, *used_in], eqn.replace(
        invars=select_where([True, *used_in], eqn.invars),
        outvars=select_where(used, eqn.outvars),
        params={"branches": pruned},
    )


cond_p.dce = cond_dce
cond_p.effects = lambda *avals, branches: frozenset().union(*(j.effects for j in branches))
cond_p.named_axes = lambda *, branches: tuple(
    {name: None for jaxpr in branches for name in used_axes(jaxpr)}
)

# -- samples -------------------------------------------------------------------------------------


def _sample_cond(x: Any, y: Any) -> Any:
    positive = gt(reduce_sum(x, (0,)), np.zeros((), x.dtype))
    return cond(positive, lambda x, y: mul(sin(x), y), lambda x, y: mul(x, x), x, y)


cond_p.sample_call(_sample_cond, Arg((3,), 0.5, 2.0), Arg(()))
cond_p.sample_call(_sample_cond, Arg((3,), -2.0, -0.5), Arg(()))
