"""How do the examples of a batch, or the devices of a mesh, see each other's values?

A *collective* combines values along an axis that a transformation has named: inside
``vmap(f, axis_name="i")`` every example sees only its own ``x``, and ``psum(x, "i")`` is the sum
over all. The batching trace that gave the axis its name carries the operation out, by the batch
rule here: once the named axis is an ordinary one, the collective is a reduction over it. So in a
finished program collectives have only positional axes, and mean what ``reduce_sum`` means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.array import Array
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import Arg, AxisInfo, Primitive, broadcast_in_dim_p
from minijax.core.trace import Tracer, axis_size_of
from minijax.core.tree import tree_flatten, tree_map, tree_unflatten
from minijax.primitives.arithmetic import add, div, mul
from minijax.primitives.build import iota
from minijax.primitives.conversion import convert_element_type
from minijax.primitives.operands import ArrayLike, reduce_sum_p
from minijax.primitives.reduce import reduce_max_p, reduce_min_p
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value

AxisName = Any

# -- axes -----------------------------------------------------------------------------------------


def _as_axes(axis_name: AxisName | Sequence[AxisName]) -> tuple[AxisName, ...]:
    return tuple(axis_name) if isinstance(axis_name, (tuple, list)) else (axis_name,)


def _is_positional(axis: AxisName) -> bool:
    return isinstance(axis, int)


def _names(axes: Sequence[AxisName]) -> tuple[AxisName, ...]:
    return tuple(axis for axis in axes if not _is_positional(axis))


def _positions(axes: Sequence[AxisName]) -> tuple[int, ...]:
    return tuple(axis for axis in axes if _is_positional(axis))


def axis_size(axis_name: AxisName | Sequence[AxisName]) -> int:
    """Return the size of a named axis, of several the product.

    Raises
    ------
    NameError
        If no transformation around the call names an axis so.
    """
    return math.prod(axis_size_of(name) for name in _as_axes(axis_name))


# -- reductions over named axes -------------------------------------------------------------------


def psum(x: Any, axis_name: AxisName | Sequence[AxisName], *, axis_index_groups: Any = None) -> Any:
    """Sum over one or several named axes.

    Parameters
    ----------
    x : pytree of arrays
        Booleans are counted as int32.
    axis_name : hashable, int, or a sequence of them
        Names of axes; an integer is a position in the array's own shape.
    axis_index_groups : list of lists of int, optional
        Sum over parts of the axis; refused under ``vmap``.

    Returns
    -------
    pytree of arrays
        A leaf that is a constant is multiplied by the axis size here: ``psum(1, "i")`` is the
        size of the axis as a Python integer.

    Raises
    ------
    NameError
        If no transformation around the call names an axis so.

    Examples
    --------
    Shares of a total, ``[0.25, 0.75]`` of ``[1.0, 3.0]``::

        jax.vmap(lambda x: x / jax.lax.psum(x, "i"), axis_name="i")
    """
    axes = _as_axes(axis_name)
    _check_groups(axes, axis_index_groups)
    leaves, treedef = tree_flatten(x)
    leaves = [
        convert_element_type(leaf, np.int32) if dtypes.dtype(leaf) == np.bool_ else leaf
        for leaf in leaves
    ]
    if axis_index_groups is None and not _positions(axes):
        size = axis_size(axes)
        outs = [
            _bind(psum_p, leaf, axes, None) if isinstance(leaf, Tracer) else _times(leaf, size)
            for leaf in leaves
        ]
    else:
        outs = [_bind(psum_p, leaf, axes, axis_index_groups) for leaf in leaves]
    return tree_unflatten(treedef, outs)


def pmean(
    x: Any, axis_name: AxisName | Sequence[AxisName], *, axis_index_groups: Any = None
) -> Any:
    """Average over one or several named axes; integers give floats. See :func:`psum`."""
    total = psum(x, axis_name, axis_index_groups=axis_index_groups)
    count = psum(1, axis_name, axis_index_groups=axis_index_groups)

    def mean(leaf: Any) -> Any:
        dtype = dtypes.to_inexact_dtype(dtypes.dtype(leaf))
        if dtypes.dtype(leaf) != dtype:
            leaf = convert_element_type(leaf, dtype)
        return div(leaf, np.asarray(count, dtype))

    return tree_map(mean, total)


def pmax(x: Any, axis_name: AxisName | Sequence[AxisName], *, axis_index_groups: Any = None) -> Any:
    """Greatest value over one or several named axes. See :func:`psum`."""
    return _extremum(pmax_p, x, axis_name, axis_index_groups)


def pmin(x: Any, axis_name: AxisName | Sequence[AxisName], *, axis_index_groups: Any = None) -> Any:
    """Least value over one or several named axes. See :func:`psum`."""
    return _extremum(pmin_p, x, axis_name, axis_index_groups)


def _extremum(p: Primitive, x: Any, axis_name: Any, groups: Any) -> Any:
    axes = _as_axes(axis_name)
    _check_groups(axes, groups)
    return tree_map(lambda leaf: _bind(p, leaf, axes, groups), x)


def _check_groups(axes: tuple[AxisName, ...], groups: Any) -> None:
    if groups is None:
        return
    if _positions(axes):
        raise ValueError("axis_index_groups only supported for sums over just named axes")
    members = sorted(i for group in groups for i in group)
    if members != list(range(len(members))):
        raise ValueError("axis_index_groups must cover all indices exactly once")


def _bind(p: Primitive, leaf: ArrayLike, axes: tuple[AxisName, ...], groups: Any) -> Any:
    for name in _names(axes):
        axis_size_of(name)  # NameError for a name that nobody gave
    if not axes:
        return leaf
    hashable = None if groups is None else tuple(map(tuple, groups))
    return p.bind(leaf, axes=axes, axis_index_groups=hashable)


def _times(x: Any, size: int) -> Any:
    if isinstance(x, Array):
        return mul(x, _scalar_like(size, x))
    return x * size


def _scalar_like(value: int, x: Any) -> np.ndarray:
    dtype: Any = typeof(x).dtype
    return np.asarray(value, dtype)


psum_p = Primitive("psum")
pmax_p = Primitive("pmax")
pmin_p = Primitive("pmin")


def _collective_rules(p: Primitive, reduction: Primitive, times_size: bool) -> None:
    """Register the rules of a collective that means ``reduction`` once its axes are positional."""

    def abstract(x: ShapedArray, *, axes: tuple, axis_index_groups: Any) -> ShapedArray:
        positions = _positions(axes)
        if any(not 0 <= position < x.ndim for position in positions):
            raise ValueError(
                f"reduction axes {axes} contains out-of-bounds indices for {x.str_short()}."
            )
        return x.update(shape=tuple(n for i, n in enumerate(x.shape) if i not in positions))

    def reference(x: np.ndarray, *, axes: tuple, axis_index_groups: Any) -> np.ndarray:
        for name in _names(axes):
            axis_size_of(name)
        return reduction.rule("reference")(x, axes=_positions(axes), out_sharding=None)

    def batch(
        axis: AxisInfo,
        args: Sequence[Any],
        dims: Sequence[int | None],
        *,
        axes: tuple,
        axis_index_groups: Any,
    ) -> tuple[Any, int | None]:
        if axis_index_groups is not None:
            raise NotImplementedError(
                "axis_index_groups not supported in vmap collectives. Please open a feature "
                "request!"
            )
        return _batch_reduction(p, axis, args[0], dims[0], axes, times_size)

    def lower(ctx: Emitter, x: Value, *, axes: tuple, axis_index_groups: Any) -> Value:
        return reduction.rule("lower")(ctx, x, axes=_positions(axes), out_sharding=None)

    for slot, rule in {
        "abstract": abstract, "reference": reference, "batch": batch, "lower": lower
    }.items():  # fmt: skip
        rule.__name__ = f"{p.name}_{slot}"
        p.rules[slot] = rule
    p.named_axes = _reduced_names


def _reduced_names(*, axes: tuple, axis_index_groups: Any) -> tuple:
    return _names(axes)


def _batch_reduction(
    p: Primitive, axis: AxisInfo, x: Any, dim: int | None, axes: tuple, times_size: bool
) -> tuple[Any, int | None]:
    """Put the batch axis in the place of its name, and shift the positions behind it."""
    if dim is None:  # all examples have the same value
        rest = tuple(a for a in axes if a != axis.name)
        out = p.bind(x, axes=rest, axis_index_groups=None) if rest else x
        if times_size:
            out = mul(out, _scalar_like(axis.size, out))
        return out, None
    named = axis.name is not None and axis.name in _names(axes)
    shifted = tuple(a + (a >= dim) if _is_positional(a) else a for a in axes)
    if named:
        shifted = tuple(dim if a == axis.name and not _is_positional(a) else a for a in shifted)
    out = p.bind(x, axes=shifted, axis_index_groups=None)
    if named:
        return out, None
    return out, dim - sum(position < dim for position in _positions(shifted))


_collective_rules(psum_p, reduce_sum_p, times_size=True)
_collective_rules(pmax_p, reduce_max_p, times_size=False)
_collective_rules(pmin_p, reduce_min_p, times_size=False)


@psum_p.linear_in(0)
def psum_transpose(ct: Any, x: Any, *, axes: tuple, axis_index_groups: Any) -> list[Any]:
    """Every example has contributed to every example's sum: sum the cotangents likewise."""
    names, positions = _names(axes), _positions(axes)
    if positions:
        kept = tuple(i for i in range(x.aval.ndim) if i not in positions)
        ct = broadcast_in_dim_p.bind(
            ct, shape=x.aval.shape, broadcast_dimensions=kept, sharding=None
        )
    return [psum_p.bind(ct, axes=names, axis_index_groups=axis_index_groups) if names else ct]


for _p in (pmax_p, pmin_p):
    _p.no_jvp(f"Differentiation rule for '{_p.name}' not implemented")
    _p.no_transpose(f"{_p.name} is not linear")

for _p, _dtypes in ((psum_p, ("float32", "int32")), (pmax_p, ("int32",)), (pmin_p, ("int32",))):
    _p.sample(Arg((2, 3)), _dtypes=_dtypes, axes=(0,), axis_index_groups=None)
    _p.sample(Arg((2, 3)), _dtypes=_dtypes, axes=(0, 1), axis_index_groups=None)

# -- the place along a named axis -----------------------------------------------------------------

axis_index_p = Primitive("axis_index")


def axis_index(axis_name: AxisName | Sequence[AxisName]) -> Any:
    """Return this example's place along a named axis, along several counted row by row.

    Returns
    -------
    int32 scalar

    Raises
    ------
    NameError
        If no transformation around the call names an axis so.
    """
    if not isinstance(axis_name, (tuple, list)):
        axis_size_of(axis_name)
        return axis_index_p.bind(axis_name=axis_name)
    index: Any = np.int32(0)
    weight = 1
    for name in reversed(axis_name):
        index = add(index, mul(axis_index(name), np.int32(weight)))
        weight *= axis_size_of(name)
    return index


def _indexed_names(*, axis_name: AxisName) -> tuple:
    return (axis_name,)


axis_index_p.named_axes = _indexed_names


@axis_index_p.abstract
def axis_index_abstract(*, axis_name: AxisName) -> ShapedArray:
    return ShapedArray((), np.dtype(np.int32))


axis_index_p.no_reference("outside the transformation that names the axis there is no index")
axis_index_p.jvp_zero("an index is an integer")


@axis_index_p.batch
def axis_index_batch(
    axis: AxisInfo, args: Sequence[Any], dims: Sequence[Any], *, axis_name: AxisName
) -> tuple[Any, int]:
    return iota(np.int32, axis.size), 0


axis_index_p.no_lower("the batch rule has replaced it before a program is compiled")
