"""How are arrays multiplied and summed over common axes?

``dot_general`` is every product of matrices, vectors and stacks of them: some axes of both
operands are *contracted* (multiplied and summed over), some are *batch* axes that go along, and
the others are free. The result has the batch axes first, then the free axes of the left operand,
then those of the right one. So a batch axis that ``vmap`` adds to one operand is a free axis, one
it adds to both is a batch axis, and nothing ever has to be moved.

Types: the operands may differ in dtype. Narrow floats accumulate in float32 and are rounded once.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import Arg, AxisInfo, Primitive, is_undefined_primal
from minijax.primitives.broadcasting import without
from minijax.primitives.conversion import convert, convert_values
from minijax.primitives.operands import ArrayLike, check_operands
from minijax.primitives.precision import (
    CanonicalPrecision,
    Precision,
    PrecisionLike,
    canonicalize_precision,
    precision_levels,
    result_dtype,
    running_types,
)
from minijax.primitives.structural import transpose
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Dims, Raw, TensorType, Value, element_type

Axes = tuple[int, ...]
DimensionNumbers = tuple[tuple[Axes, Axes], tuple[Axes, Axes]]
"""((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch))"""

dot_general_p = Primitive("dot_general")


def dot_general(
    lhs: ArrayLike,
    rhs: ArrayLike,
    dimension_numbers: Any,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    *,
    out_sharding: Any = None,
) -> Any:
    """Multiply two arrays and sum over common axes.

    Parameters
    ----------
    lhs, rhs : array_like
        Of any numbers or truth values; the dtypes may differ.
    dimension_numbers : ((axes, axes), (axes, axes))
        The contracting axes of both, then the batch axes of both.
    precision : optional
        A ``Precision``, its name, or a pair of them: see :class:`~minijax.lax.Precision`.
    preferred_element_type : dtype-like, optional
        The dtype in which to accumulate and of the result. Integers may only get wider.
    out_sharding : None
        Accepted for compatibility.

    Returns
    -------
    Array
        Of shape (batch axes, free axes of ``lhs``, free axes of ``rhs``).

    Raises
    ------
    TypeError
        If axes do not exist, repeat, or differ in length, or the dtype wanted is too narrow.

    Examples
    --------
    A stack of matrices times a stack of vectors:

    >>> dot_general(np.ones((5, 2, 3)), np.ones((5, 3)), (((2,), (1,)), ((0,), (0,)))).shape
    (5, 2)
    """
    check_operands("dot_general", lhs, rhs)
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    if preferred_element_type is not None:
        preferred_element_type = dtypes.check_and_canonicalize_user_dtype(
            preferred_element_type, "dot_general"
        )
    return dot_general_p.bind(
        lhs,
        rhs,
        dimension_numbers=(
            (_axes(lhs_contract), _axes(rhs_contract)),
            (_axes(lhs_batch), _axes(rhs_batch)),
        ),
        precision=canonicalize_precision(precision),
        preferred_element_type=preferred_element_type,
        out_sharding=out_sharding,
    )


def _axes(axes: Any) -> Axes:
    return tuple(map(operator.index, axes)) if np.ndim(axes) else (operator.index(axes),)


# -- types ----------------------------------------------------------------------------------------


@dot_general_p.abstract
def dot_general_abstract(
    lhs: ShapedArray,
    rhs: ShapedArray,
    *,
    dimension_numbers: DimensionNumbers,
    precision: CanonicalPrecision,
    preferred_element_type: Any,
    out_sharding: Any,
) -> ShapedArray:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    _check_axes("lhs", lhs, lhs_contract, lhs_batch)
    _check_axes("rhs", rhs, rhs_contract, rhs_batch)
    if len(lhs_batch) != len(rhs_batch):
        raise TypeError(
            "dot_general requires equal numbers of lhs_batch and rhs_batch dimensions, got "
            f"lhs_batch {lhs_batch} and rhs_batch {rhs_batch}."
        )
    _check_unique("lhs", lhs_contract, lhs_batch)
    _check_unique("rhs", rhs_contract, rhs_batch)
    _check_lengths(lhs, rhs, dimension_numbers)
    shape = (
        *(lhs.shape[i] for i in lhs_batch),
        *without(lhs.shape, lhs_contract + lhs_batch),
        *without(rhs.shape, rhs_contract + rhs_batch),
    )
    dtype = result_dtype(lhs.dtype, rhs.dtype, preferred_element_type)
    weak = lhs.weak_type and rhs.weak_type and preferred_element_type is None
    return ShapedArray(shape, dtype, weak)


def _check_axes(side: str, x: ShapedArray, contracting: Axes, batch: Axes) -> None:
    if not all(0 <= axis < x.ndim for axis in contracting + batch):
        raise TypeError(
            f"dot_general requires {side} dimension numbers to be nonnegative and less than the "
            f"number of axes of the {side} value, got {side}_batch of {batch} and "
            f"{side}_contracting of {contracting} for {side} of rank {x.ndim}"
        )


def _check_lengths(lhs: ShapedArray, rhs: ShapedArray, numbers: DimensionNumbers) -> None:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = numbers
    for what, ours, theirs in (
        ("lhs batch dimensions and rhs batch dimensions", lhs_batch, rhs_batch),
        ("contracting dimensions", lhs_contract, rhs_contract),
    ):
        lhs_shape = tuple(lhs.shape[i] for i in ours)
        rhs_shape = tuple(rhs.shape[i] for i in theirs)
        if lhs_shape != rhs_shape:
            raise TypeError(
                f"dot_general requires {what} to have the same shape, got {lhs_shape} and "
                f"{rhs_shape}."
            )


def _check_unique(side: str, contracting: Axes, batch: Axes) -> None:
    for what, name, axes in (
        ("batch", f"{side}_batch", batch),
        ("contracting", f"{side}_contracting", contracting),
    ):
        if len(set(axes)) != len(axes):
            raise TypeError(
                f"dot_general requires {side} {what} dimensions to be distinct, got {name} {axes}."
            )
    if set(contracting) & set(batch):
        raise TypeError(
            f"dot_general requires {side} batch dimensions to be disjoint from contracting "
            f"dimensions, got {side}_batch {batch} and {side}_contracting {contracting}."
        )


# -- value ----------------------------------------------------------------------------------------


@dot_general_p.reference
def dot_general_reference(
    lhs: np.ndarray,
    rhs: np.ndarray,
    *,
    dimension_numbers: DimensionNumbers,
    precision: CanonicalPrecision,
    preferred_element_type: Any,
    out_sharding: Any,
) -> np.ndarray:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    result = result_dtype(lhs.dtype, rhs.dtype, preferred_element_type)
    types = running_types(lhs.dtype, rhs.dtype, preferred_element_type, precision)
    lhs, rhs = convert_values(lhs, types.lhs), convert_values(rhs, types.rhs)
    lhs_free = _free_axes(lhs.ndim, lhs_contract + lhs_batch)
    rhs_free = _free_axes(rhs.ndim, rhs_contract + rhs_batch)
    shape = (
        *(lhs.shape[i] for i in lhs_batch + lhs_free),
        *(rhs.shape[i] for i in rhs_free),
    )
    left = _matrices(lhs, lhs_batch, lhs_free, lhs_contract)
    right = _matrices(rhs, rhs_batch, rhs_contract, rhs_free)
    product = _matmul(left, right, types.accumulator)
    return convert_values(product, result).reshape(shape)


@cache
def _free_axes(ndim: int, others: Axes) -> Axes:
    return without(range(ndim), others)


def _matrices(x: np.ndarray, batch: Axes, rows: Axes, columns: Axes) -> np.ndarray:
    """Return an array as a matrix, or a stack of matrices, that BLAS can read."""
    lengths = [math.prod([x.shape[i] for i in axes]) for axes in (batch, rows, columns)]
    stack = x.transpose(batch + rows + columns).reshape(lengths if batch else lengths[1:])
    return stack if x.itemsize in stack.strides[-2:] else np.ascontiguousarray(stack)


def _matmul(lhs: np.ndarray, rhs: np.ndarray, accumulator: np.dtype) -> np.ndarray:
    """Multiply matrices, summing in ``accumulator``."""
    if accumulator == np.bool_:
        return np.matmul(lhs, rhs)
    if dtypes.issubdtype(accumulator, np.integer):
        bits = dtypes.itemsize_bits(lhs.dtype) + dtypes.itemsize_bits(rhs.dtype)
        if bits + lhs.shape[-1].bit_length() <= 53:  # then float64, and so BLAS, is exact
            exact = np.matmul(lhs.astype(np.float64), rhs.astype(np.float64))
            return exact.astype(np.int64).astype(accumulator)
    lhs, rhs = (x.astype(accumulator, copy=False) for x in (lhs, rhs))
    return np.matmul(lhs, rhs)


# -- derivative -----------------------------------------------------------------------------------


@dot_general_p.bilinear
def dot_general_transpose(
    ct: Any, lhs: Any, rhs: Any, *, dimension_numbers: DimensionNumbers, **params: Any
) -> list[Any]:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    if is_undefined_primal(lhs):
        sides = (_Side(lhs.aval, lhs_contract, lhs_batch), _Side(rhs, rhs_contract, rhs_batch))
        return [_cotangent(ct, *sides, ct_is_swapped=False, **params), None]
    sides = (_Side(rhs.aval, rhs_contract, rhs_batch), _Side(lhs, lhs_contract, lhs_batch))
    return [None, _cotangent(ct, *sides, ct_is_swapped=True, **params)]


class _Side(NamedTuple):
    """One operand of a product: its value or type, and its axes."""

    x: Any
    contracting: Axes
    batch: Axes

    @property
    def free(self) -> Axes:
        ndim = self.x.ndim if isinstance(self.x, ShapedArray) else typeof(self.x).ndim
        return _free_axes(ndim, self.contracting + self.batch)


def _cotangent(ct: Any, wanted: _Side, known: _Side, *, ct_is_swapped: bool, **params: Any) -> Any:
    """Contract the cotangent with the known operand over the latter's free axes.

    The result has the batch axes, the free axes of the wanted operand, and the axes that were
    contracted, in the order in which they stand in the known operand; they go back from there.
    """
    count = len(wanted.batch)
    start = count if ct_is_swapped else count + len(wanted.free)
    ct_contract = tuple(range(start, start + len(known.free)))
    numbers = ((ct_contract, known.free), (tuple(range(count)), known.batch))
    product = dot_general_p.bind(ct, known.x, dimension_numbers=numbers, **params)
    pairs = sorted(zip(known.contracting, wanted.contracting, strict=True))
    order = (*wanted.batch, *wanted.free, *(axis for _, axis in pairs))
    return convert(transpose(product, np.argsort(order)), wanted.x.dtype)


# -- batching -------------------------------------------------------------------------------------


@dot_general_p.batch
def dot_general_batch(
    axis: AxisInfo,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    dimension_numbers: DimensionNumbers,
    **params: Any,
):
    (lhs, rhs), (lhs_dim, rhs_dim) = args, dims
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    left = _Side(lhs, _shifted(lhs_contract, lhs_dim), _shifted(lhs_batch, lhs_dim))
    right = _Side(rhs, _shifted(rhs_contract, rhs_dim), _shifted(rhs_batch, rhs_dim))
    if lhs_dim is not None and rhs_dim is not None:
        left = left._replace(batch=(lhs_dim, *left.batch))
        right = right._replace(batch=(rhs_dim, *right.batch))
        out_dim = 0
    elif lhs_dim is not None:
        out_dim = len(left.batch) + left.free.index(lhs_dim)
    else:
        out_dim = len(left.batch) + len(left.free) + right.free.index(rhs_dim)
    numbers = ((left.contracting, right.contracting), (left.batch, right.batch))
    return dot_general_p.bind(lhs, rhs, dimension_numbers=numbers, **params), out_dim


def _shifted(axes: Axes, dim: int | None) -> Axes:
    return axes if dim is None else tuple(axis + (axis >= dim) for axis in axes)


# -- lowering -------------------------------------------------------------------------------------


@dot_general_p.lower
def dot_general_lower(
    ctx: Emitter,
    lhs: Value,
    rhs: Value,
    *,
    dimension_numbers: DimensionNumbers,
    precision: CanonicalPrecision,
    preferred_element_type: Any,
    out_sharding: Any,
) -> Value:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    (out,) = ctx.avals_out
    lhs_dtype, rhs_dtype = (aval.dtype for aval in ctx.avals_in)
    types = running_types(lhs_dtype, rhs_dtype, preferred_element_type, precision)
    product = ctx.op(
        "stablehlo.dot_general",
        _converted(ctx, lhs, types.lhs),
        _converted(ctx, rhs, types.rhs),
        type=TensorType(out.shape, element_type(types.accumulator)),
        dot_dimension_numbers=Dims(
            "dot",
            (
                ("lhs_batching_dimensions", lhs_batch),
                ("rhs_batching_dimensions", rhs_batch),
                ("lhs_contracting_dimensions", lhs_contract),
                ("rhs_contracting_dimensions", rhs_contract),
            ),
        ),
        precision_config=[
            Raw(f"#stablehlo<precision {level}>") for level in precision_levels(precision)
        ],
    )
    return _converted(ctx, product, out.dtype)


def _converted(ctx: Emitter, x: Value, dtype: Any) -> Value:
    """Emit a conversion; of complex numbers that become real the real part remains."""
    if x.type.element.startswith("complex") and dtype.kind != "c":
        part = x.type.element.removeprefix("complex<").removesuffix(">")
        x = ctx.op("stablehlo.real", x, type=TensorType(x.type.shape, part))
    return ctx.convert(x, dtype)


def _dot_general_print(eqn: Any, shown: dict[str, Any]) -> dict[str, Any]:
    """Write the axes as lists."""
    numbers = tuple(tuple(map(list, pair)) for pair in eqn.params["dimension_numbers"])
    return shown | {"dimension_numbers": numbers}


dot_general_p.print_rule = _dot_general_print
dot_general_p.hide_params(precision=None, preferred_element_type=None, out_sharding=None)

for _lhs, _rhs, _numbers in (
    ((2, 3), (3, 4), (((1,), (0,)), ((), ()))),
    ((3, 2), (4, 3), (((0,), (1,)), ((), ()))),
    ((3,), (3,), (((0,), (0,)), ((), ()))),
    ((2,), (3,), (((), ()), ((), ()))),
    ((5, 2, 3), (3, 5), (((2,), (0,)), ((0,), (1,)))),
    ((2, 3, 4, 5), (5, 4, 2, 3), (((3, 1), (0, 3)), ((0,), (2,)))),
    ((2, 0), (0, 3), (((1,), (0,)), ((), ()))),
):
    dot_general_p.sample(
        Arg(_lhs),
        Arg(_rhs),
        dimension_numbers=_numbers,
        precision=None,
        preferred_element_type=None,
        out_sharding=None,
        _dtypes=("float32", "float64", "bfloat16", "int32", "int8"),
    )
for _dtype in ("int8", "uint8", "bfloat16"):
    dot_general_p.sample(
        Arg((2, 3), 0, 100),
        Arg((3, 4), 0, 100),
        dimension_numbers=(((1,), (0,)), ((), ())),
        precision=(Precision.HIGHEST, Precision.DEFAULT),
        preferred_element_type=np.dtype(np.float32 if _dtype == "bfloat16" else np.int32),
        out_sharding=None,
        _dtypes=(_dtype,),
    )


# -- public forms ---------------------------------------------------------------------------------


def dot(
    lhs: ArrayLike,
    rhs: ArrayLike,
    *,
    dimension_numbers: Any = None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Multiply vectors and matrices; with ``dimension_numbers`` as :func:`dot_general`.

    Raises
    ------
    ValueError
        If no axes are given and the operands are not vectors or matrices that fit.

    Examples
    --------
    >>> dot(np.ones((2, 3)), np.ones(3)).shape
    (2,)
    """
    if dimension_numbers is None:
        lhs_shape, rhs_shape = np.shape(lhs), np.shape(rhs)
        if not (
            1 <= len(lhs_shape) <= 2 and 1 <= len(rhs_shape) <= 2 and lhs_shape[-1] == rhs_shape[0]
        ):
            raise ValueError(
                "jax.lax.dot: dimension_numbers must be specified when not performing simple "
                "un-batched matrix-matrix, matrix-vector, or vector-vector products; got "
                f"lhs_shape={lhs_shape} rhs_shape={rhs_shape}"
            )
        dimension_numbers = (((len(lhs_shape) - 1,), (0,)), ((), ()))
    return dot_general(
        lhs,
        rhs,
        dimension_numbers,
        precision=precision,
        preferred_element_type=preferred_element_type,
        out_sharding=out_sharding,
    )


def batch_matmul(lhs: Any, rhs: Any, precision: PrecisionLike = None) -> Any:
    """Multiply stacks of matrices: the last two axes are matrices, the others go along.

    Raises
    ------
    ValueError
        If the operands differ in rank or have less than two axes.

    Examples
    --------
    >>> batch_matmul(np.ones((5, 2, 3)), np.ones((5, 3, 4))).shape
    (5, 2, 4)
    """
    ranks = typeof(lhs).ndim, typeof(rhs).ndim
    if min(ranks) < 2:
        raise ValueError(
            f"Arguments to batch_matmul must be at least 2D, got {ranks[0]}, {ranks[1]}"
        )
    if ranks[0] != ranks[1]:
        raise ValueError(
            f"Arguments to batch_matmul must have same ndim, got {ranks[0]}, {ranks[1]}"
        )
    batch = tuple(range(ranks[0] - 2))
    numbers = (((ranks[0] - 1,), (ranks[0] - 2,)), (batch, batch))
    return dot_general(lhs, rhs, numbers, precision=precision)
