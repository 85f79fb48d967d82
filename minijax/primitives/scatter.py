"""How are values written at positions known only when the program runs?

A scatter is a gather backwards: a table of indices names windows of the operand
(:mod:`minijax.primitives.gather_dimensions`), and each receives one window of the updates. What
happens to the old value tells the primitives apart: ``scatter`` replaces it, the others add,
subtract, multiply, or take the lesser or greater. Where windows overlap, those others combine all
updates, and ``scatter`` keeps the last; so its derivative has to find out which one that was.
The rules that do not depend on this stand in :mod:`minijax.primitives.scatter_rules`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax.core.aval import typeof
from minijax.core.primitive import (
    Arg,
    Primitive,
    Rule,
    broadcast_in_dim_p,
    full_of,
    is_undefined_primal,
)
from minijax.primitives.arithmetic import add, add_p, div, mul, mul_p, neg, sub_p
from minijax.primitives.build import iota
from minijax.primitives.conversion import convert_element_type
from minijax.primitives.gather import gather_p
from minijax.primitives.gather_dimensions import (
    GatherScatterMode,
    ScatterDimensionNumbers,
    gather_numbers,
    number_of_windows,
    scatter_add_p,
    update_program,
    window_sizes,
)
from minijax.primitives.logic import eq, select
from minijax.primitives.operands import reshape_p
from minijax.primitives.piecewise import max_p, min_p
from minijax.primitives.scatter_rules import public_scatter, shared_rules

# -- operations at the places of a scatter, for derivatives --------------------------------------


def _zeros_like(x: Any) -> Any:
    aval = x.aval if is_undefined_primal(x) else typeof(x)
    return full_of(aval.strip_weak_type(), 0)


def _add_at(like: Any, indices: Any, updates: Any, params: dict[str, Any]) -> Any:
    """Add updates to zeros of the shape of ``like``, where a scatter with ``params`` writes."""
    params = params | {"update_jaxpr": update_program(add_p, typeof(updates).dtype)}
    return scatter_add_p.bind(_zeros_like(like), indices, updates, **params)


def _read_at(
    x: Any, indices: Any, updates: Any, params: dict[str, Any], mode: GatherScatterMode
) -> Any:
    """Read where a scatter with ``params`` writes; the result has the shape of ``updates``."""
    aval = updates.aval if is_undefined_primal(updates) else typeof(updates)
    numbers = params["dimension_numbers"]
    return gather_p.bind(
        x,
        indices,
        dimension_numbers=gather_numbers(numbers),
        slice_sizes=window_sizes(typeof(x), aval, numbers),
        unique_indices=params["unique_indices"],
        indices_are_sorted=params["indices_are_sorted"],
        mode=mode,
        fill_value=0 if mode is GatherScatterMode.FILL_OR_DROP else None,
    )


def _cotangent_of_updates(ct: Any, indices: Any, updates: Any, params: dict[str, Any]) -> Any:
    """Read the cotangent at the places written to; updates that were left out get 0."""
    return _read_at(ct, indices, updates, params, params["mode"])


# -- scatter ------------------------------------------------------------------------------------

scatter_p = Primitive("scatter")
scatter = public_scatter(scatter_p, "Replace windows of an operand by updates: the last one wins.")
shared_rules(scatter_p, None)


def scatter_jvp_operand(t: Any, operand: Any, indices: Any, updates: Any, **params: Any) -> Any:
    return scatter_p.bind(t, indices, _zeros_like(updates), **params)


def scatter_jvp_updates(t: Any, operand: Any, indices: Any, updates: Any, **params: Any) -> Any:
    if not params["unique_indices"]:
        lasting = _lasting_updates(operand, indices, updates, params)
        t = select(lasting, t, _zeros_like(t))
    return _add_at(operand, indices, t, params)


def _lasting_updates(operand: Any, indices: Any, updates: Any, params: dict[str, Any]) -> Any:
    """Tell which elements of the updates remain in the result of a scatter.

    Scatter the numbers of the windows (from 1 on) the same way and see which are still there.
    """
    numbers, shape = params["dimension_numbers"], typeof(updates).shape
    table = typeof(indices)
    names = add(iota(np.uint32, number_of_windows(table)), np.uint32(1))
    names = reshape_p.bind(names, new_sizes=table.shape[:-1], dimensions=None, sharding=None)
    batch = tuple(i for i in range(len(shape)) if i not in numbers.update_window_dims)
    names = broadcast_in_dim_p.bind(names, shape=shape, broadcast_dimensions=batch, sharding=None)
    nobody = full_of(typeof(operand).update(dtype=np.dtype(np.uint32), weak_type=False), 0)
    written = scatter_p.bind(nobody, indices, names, **params)
    return eq(names, _read_at(written, indices, updates, params, GatherScatterMode.CLIP))


scatter_p.jvp_each(scatter_jvp_operand, None, scatter_jvp_updates)


@scatter_p.transpose
def scatter_transpose(
    ct: Any, operand: Any, indices: Any, updates: Any, **params: Any
) -> list[Any]:
    operand_ct = updates_ct = None
    if is_undefined_primal(updates):
        if not params["unique_indices"]:
            raise NotImplementedError(
                "scatter transpose is only implemented where unique_indices=True"
            )
        updates_ct = _cotangent_of_updates(ct, indices, updates, params)
    if is_undefined_primal(operand):
        operand_ct = scatter_p.bind(ct, indices, _zeros_like(updates), **params)
    return [operand_ct, None, updates_ct]


# -- sums ---------------------------------------------------------------------------------------

scatter_add = public_scatter(scatter_add_p, "Add updates to windows of an operand.", add_p)
shared_rules(scatter_add_p, np.add)


@scatter_add_p.linear_in(0, 2)
def scatter_add_transpose(
    ct: Any, operand: Any, indices: Any, updates: Any, **params: Any
) -> list[Any]:
    updates_ct = None
    if is_undefined_primal(updates):
        updates_ct = _cotangent_of_updates(ct, indices, updates, params)
    return [ct if is_undefined_primal(operand) else None, None, updates_ct]


scatter_sub_p = Primitive("scatter-sub")
scatter_sub = public_scatter(scatter_sub_p, "Subtract updates from windows of an operand.", sub_p)
shared_rules(scatter_sub_p, np.subtract)


@scatter_sub_p.linear_in(0, 2)
def scatter_sub_transpose(
    ct: Any, operand: Any, indices: Any, updates: Any, **params: Any
) -> list[Any]:
    operand_ct, _, updates_ct = scatter_add_transpose(ct, operand, indices, updates, **params)
    return [operand_ct, None, None if updates_ct is None else neg(updates_ct)]


# -- products -----------------------------------------------------------------------------------

scatter_mul_p = Primitive("scatter-mul")
scatter_mul = public_scatter(
    scatter_mul_p, "Multiply windows of an operand by updates.", mul_p, out_dtype=None
)
shared_rules(scatter_mul_p, np.multiply)


def scatter_mul_jvp_operand(t: Any, operand: Any, indices: Any, updates: Any, **params: Any) -> Any:
    return scatter_mul_p.bind(t, indices, updates, **params)


def scatter_mul_jvp_updates(t: Any, operand: Any, indices: Any, updates: Any, **params: Any) -> Any:
    if not params["unique_indices"]:  # else the other factors at the same place come in
        raise NotImplementedError(
            "scatter_mul gradients are only implemented if `unique_indices=True`"
        )
    return mul(operand, _add_at(operand, indices, t, params))


scatter_mul_p.jvp_each(scatter_mul_jvp_operand, None, scatter_mul_jvp_updates)


@scatter_mul_p.transpose
def scatter_mul_transpose(
    ct: Any, operand: Any, indices: Any, updates: Any, **params: Any
) -> list[Any]:
    """Transpose the product with respect to the operand, in which alone it stands linear."""
    return [scatter_mul_p.bind(ct, indices, updates, **params), None, None]


# -- extrema ------------------------------------------------------------------------------------


def _extremum_jvps(p: Primitive) -> tuple[Rule, None, Rule]:
    """Make the jvp rules of ``scatter-min`` or ``-max``.

    The tangent is that of the value that was chosen; of several equal ones, their mean.
    """

    def jvp_operand(
        t: Any, out: Any, operand: Any, indices: Any, updates: Any, **params: Any
    ) -> Any:
        chosen, _, count = _chosen(out, operand, indices, updates, params)
        return div(select(chosen, t, _zeros_like(t)), count)

    def jvp_updates(
        t: Any, out: Any, operand: Any, indices: Any, updates: Any, **params: Any
    ) -> Any:
        _, chosen, count = _chosen(out, operand, indices, updates, params)
        return div(_add_at(operand, indices, select(chosen, t, _zeros_like(t)), params), count)

    return jvp_operand, None, jvp_updates


def _chosen(out: Any, operand: Any, indices: Any, updates: Any, params: dict[str, Any]) -> Any:
    """Return which operand and update elements equal the result, and how many do at each place."""
    dtype = typeof(operand).dtype
    of_operand = eq(operand, out)
    of_updates = eq(updates, _read_at(out, indices, updates, params, GatherScatterMode.CLIP))
    ones = convert_element_type(of_updates, dtype)
    count = add(convert_element_type(of_operand, dtype), _add_at(operand, indices, ones, params))
    return of_operand, of_updates, count


scatter_min_p = Primitive("scatter-min")
scatter_min = public_scatter(
    scatter_min_p, "Lower windows of an operand to the updates where these are less.", min_p
)
shared_rules(scatter_min_p, np.minimum)
scatter_min_p.jvp_from_output(*_extremum_jvps(scatter_min_p))
scatter_min_p.no_transpose("min is not linear")

scatter_max_p = Primitive("scatter-max")
scatter_max = public_scatter(
    scatter_max_p, "Raise windows of an operand to the updates where these are greater.", max_p
)
shared_rules(scatter_max_p, np.maximum)
scatter_max_p.jvp_from_output(*_extremum_jvps(scatter_max_p))
scatter_max_p.no_transpose("max is not linear")

# -- samples ------------------------------------------------------------------------------------


def _add_samples(p: Primitive, combine: Primitive | None, **combine_params: Any) -> None:
    """Rows with repetitions, windows that stick out, paired dimensions; see gather's samples."""
    rows = ScatterDimensionNumbers((1,), (0,), (0,))
    blocks = ScatterDimensionNumbers((0, 2), (), (1, 0))
    paired = ScatterDimensionNumbers((2,), (1,), (1,), (0,), (1,))
    drop, clip = GatherScatterMode.FILL_OR_DROP, GatherScatterMode.CLIP
    outside = np.array([[1], [9], [-1]], np.int32)
    columns = np.array([[0, 0], [2, 1], [-1, 1]])
    pairs = np.array([[[2], [0]], [[1], [5]]])
    for dtype in ("float32", "float64", "int32"):

        def sample(operand, indices, updates, numbers, mode, unique=False, dtype=dtype):
            program = (
                update_program(combine, np.dtype(dtype), **combine_params) if combine else None
            )
            p.sample(
                Arg(operand),
                indices,
                Arg(updates),
                _dtypes=(dtype,),
                dimension_numbers=numbers,
                indices_are_sorted=False,
                unique_indices=unique,
                mode=mode,
                update_jaxpr=program,
                update_consts=(),
            )

        sample((3, 4), np.array([[2], [0]], np.int8), (2, 4), rows, drop, True)
        sample((3, 4), outside, (3, 4), rows, drop, True)
        sample((3, 4), outside, (3, 4), rows, clip, p is scatter_mul_p)
        sample((3, 4), columns, (2, 3, 3), blocks, drop, True)
        sample((2, 3, 4), pairs, (2, 2, 4), paired, drop, True)
        if p is not scatter_mul_p:
            sample((3, 4), np.array([[1], [1], [0]]), (3, 4), rows, drop)
        if p not in (scatter_p, scatter_mul_p):  # which of two that overlap is last is not fixed
            sample((3, 4), columns, (2, 3, 3), blocks, clip)


_add_samples(scatter_p, None)
_add_samples(scatter_add_p, add_p)
_add_samples(scatter_sub_p, sub_p)
_add_samples(scatter_mul_p, mul_p, out_dtype=None)
_add_samples(scatter_min_p, min_p)
_add_samples(scatter_max_p, max_p)
