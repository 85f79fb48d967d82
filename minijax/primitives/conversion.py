"""How does an array get another dtype, by value or by bits?

:func:`convert_element_type` converts values and is linear between inexact dtypes. Where a value
has no counterpart the result is settled, unlike in C: out-of-range floats become the nearest
integer there is, NaN becomes 0, complex numbers lose their imaginary part.
:func:`bitcast_convert_type` keeps the bits, and :func:`reduce_precision` keeps the dtype and
rounds away what a smaller one could not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.array import Array, array_from_numpy
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import (
    ALL_KINDS,
    COMPLEX,
    Arg,
    AxisInfo,
    Primitive,
    is_zero,
    zero_tangent,
)
from minijax.primitives.operands import (
    ArrayLike,
    check_kinds,
    check_operands,
    elementwise_batch,
    move_axis,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Raw, TensorType, Value

BOOL = np.dtype(bool)

# -- conversion of values -----------------------------------------------------------------------

convert_element_type_p = Primitive("convert_element_type")
convert_element_type_p.hide_params(sharding=None)


def convert_element_type(operand: ArrayLike, new_dtype: Any) -> Any:
    """Convert an array elementwise to another dtype.

    Parameters
    ----------
    operand : array or scalar
    new_dtype : dtype-like
        Without ``jax_enable_x64`` 64-bit types are narrowed, with a warning.

    Returns
    -------
    Array
        The operand itself if there is nothing to do. Floats convert to integers by dropping the
        fraction; what is out of range becomes the nearest integer, NaN becomes 0. Only zero
        converts to False. Of complex numbers the real part counts.

    Raises
    ------
    TypeError
        If ``new_dtype`` is not a dtype that arrays can have.
    ValueError
        If it is None, or one of the dtypes is that of keys.

    Examples
    --------
    >>> convert_element_type(np.array([1.7, -300., np.nan], np.float32), np.int8)
    Array([   1, -128,    0], dtype=int8)
    """
    dtype = dtypes.check_and_canonicalize_user_dtype(new_dtype, "convert_element_type")
    return convert(operand, dtype)


def convert(operand: ArrayLike, new_dtype: Any, weak_type: bool = False) -> Any:
    """Convert to a canonical dtype, weak or strong; nothing is bound if the type is that already.

    Python scalars are converted from their full precision, not from their default dtype.
    """
    if isinstance(operand, (bool, int, float, complex)):
        value = np.asarray(convert_values(np.asarray(operand), new_dtype))
        return array_from_numpy(value, aval=ShapedArray((), new_dtype, weak_type))
    check_operands("convert_element_type", operand)
    aval = typeof(operand)
    if isinstance(operand, Array) and aval.dtype == new_dtype and aval.weak_type == weak_type:
        return operand
    return convert_element_type_p.bind(
        operand, new_dtype=new_dtype, weak_type=weak_type, sharding=None
    )


@convert_element_type_p.abstract
def convert_element_type_abstract(
    x: ShapedArray, *, new_dtype: Any, weak_type: bool, sharding: Any
) -> ShapedArray:
    if x.dtype != new_dtype and (dtypes.is_extended(x.dtype) or dtypes.is_extended(new_dtype)):
        raise ValueError(f"Cannot convert_element_type from {x.dtype.name} to {new_dtype.name}")
    return ShapedArray(x.shape, new_dtype, weak_type)


@convert_element_type_p.reference
def convert_element_type_reference(
    x: np.ndarray, *, new_dtype: Any, weak_type: bool, sharding: Any
) -> np.ndarray:
    if dtypes.is_extended(new_dtype):
        return x
    return convert_values(x, new_dtype)


def convert_values(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert an ndarray with the meaning of :func:`convert_element_type`."""
    if x.dtype == dtype:
        return x
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = np.real(x)
    if dtype == BOOL:
        return x != 0
    if dtypes.issubdtype(dtype, np.integer) and dtypes.issubdtype(x.dtype, np.floating):
        return _saturate(x, dtype)
    return x.astype(dtype)


def _saturate(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if x.dtype.itemsize < 4:
        x = x.astype(np.float32)
    info = dtypes.iinfo(dtype)
    # The bounds are powers of two and exact in every float; info.max itself is not.
    low, high = x.dtype.type(info.min), x.dtype.type(2.0 ** (info.bits - (info.min < 0)))
    converted = np.where((x >= low) & (x < high), x, 0).astype(dtype)
    converted = np.where(x < low, dtype.type(info.min), converted)
    return np.where(x >= high, dtype.type(info.max), converted)


@convert_element_type_p.jvp
def convert_element_type_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[Any, Any]:
    (x,), (t,) = primals, tangents
    out = convert_element_type_p.bind(x, **params)
    both = (typeof(x).dtype, params["new_dtype"])
    if is_zero(t) or not all(dtypes.issubdtype(dtype, np.inexact) for dtype in both):
        return out, zero_tangent(out)
    return out, convert(t, params["new_dtype"])


@convert_element_type_p.transpose
def convert_element_type_transpose(ct: Any, x: Any, **params: Any) -> list[Any]:
    return [convert(ct, x.aval.dtype)]


elementwise_batch(convert_element_type_p)


@convert_element_type_p.lower
def convert_element_type_lower(
    ctx: Emitter, x: Value, *, new_dtype: Any, weak_type: bool, sharding: Any
) -> Value:
    (aval,) = ctx.avals_in
    if aval.dtype == new_dtype:
        return x
    if aval.dtype.kind == "c" and new_dtype.kind != "c":
        element = x.type.element.removeprefix("complex<").removesuffix(">")
        x = ctx.op("stablehlo.real", x, type=TensorType(x.type.shape, element))
    if new_dtype == BOOL:
        return ctx.compare("NE", x, ctx.constant_like(0, x))
    return ctx.convert(x, new_dtype)


for _target in ("float32", "bfloat16", "float16", "float8_e4m3fn", "int32", "bool"):
    convert_element_type_p.sample(
        Arg((2, 3), -3, 3),
        _dtypes=(*ALL_KINDS, *COMPLEX, "float8_e4m3fn", "float8_e5m2"),
        _smooth=False,  # what is rounded away has no derivative that differences could see
        new_dtype=dtypes.DTYPES[_target],
        weak_type=False,
        sharding=None,
    )
for _source, _target in (
    ("bfloat16", "float32"),
    ("float16", "float64"),
    ("float32", "complex64"),
    ("complex64", "float32"),
    ("complex64", "complex128"),
):
    convert_element_type_p.sample(
        Arg((2, 3)),
        _dtypes=(_source,),
        new_dtype=dtypes.DTYPES[_target],
        weak_type=False,
        sharding=None,
    )

# -- reinterpretation of bits -------------------------------------------------------------------

bitcast_convert_type_p = Primitive("bitcast_convert_type")


def bitcast_convert_type(operand: ArrayLike, new_dtype: Any) -> Any:
    """See the bits of an array as another dtype.

    Parameters
    ----------
    operand : array or scalar
        If the dtype wanted is ``n`` times as wide, the last axis must have length ``n``.
    new_dtype : dtype-like

    Returns
    -------
    Array
        Of the operand's shape; with one more axis at the end if the dtype wanted is narrower
        (least significant part first), with the last axis gone if it is wider.

    Raises
    ------
    ValueError
        If the last axis does not have that length.
    TypeError
        Between booleans or complex numbers and another dtype.

    Examples
    --------
    >>> bitcast_convert_type(np.float32(1.0), np.uint32)
    Array(1065353216, dtype=uint32)
    """
    check_operands("bitcast_convert_type", operand)
    dtype = dtypes.check_and_canonicalize_user_dtype(new_dtype, "bitcast_convert_type")
    return bitcast_convert_type_p.bind(operand, new_dtype=dtype)


@bitcast_convert_type_p.abstract
def bitcast_convert_type_abstract(x: ShapedArray, *, new_dtype: Any) -> ShapedArray:
    shape = _bitcast_shape(x, new_dtype)
    if x.dtype != new_dtype and not _all_plain_bits(x.dtype, new_dtype):
        raise TypeError(
            "lax.bitcast_convert_type does not support bool or complex values unless the operand "
            f"and destination types match. Got operand dtype={x.dtype}, {new_dtype=}. "
            "Consider using the arr.view() method instead."
        )
    return ShapedArray(shape, new_dtype)


def _bitcast_shape(x: ShapedArray, new_dtype: Any) -> tuple[int, ...]:
    old, new = dtypes.itemsize_bits(x.dtype), dtypes.itemsize_bits(new_dtype)
    if old == new:
        return x.shape
    if old > new and old % new == 0:
        return (*x.shape, old // new)
    if x.shape and x.shape[-1] * old == new:
        return x.shape[:-1]
    length = x.shape[-1] if x.shape else 1
    raise ValueError(
        f"Attempting to convert array of shape {x.shape} from {x.dtype.name} of size {old} bits "
        f"to {new_dtype.name} of size {new}, bits but {length} * {old} != {new}"
    )


def _all_plain_bits(*both: Any) -> bool:
    return all(
        dtypes.issubdtype(dtype, np.integer) or dtypes.issubdtype(dtype, np.floating)
        for dtype in both
    )


@bitcast_convert_type_p.reference
def bitcast_convert_type_reference(x: np.ndarray, *, new_dtype: Any) -> np.ndarray:
    x = np.asarray(x, order="C")
    if x.dtype.itemsize == new_dtype.itemsize:
        return x.view(new_dtype)
    if x.dtype.itemsize > new_dtype.itemsize:
        return x[..., None].view(new_dtype)
    return x.view(new_dtype)[..., 0]


bitcast_convert_type_p.jvp_zero("bits have no derivative")


@bitcast_convert_type_p.batch
def bitcast_convert_type_batch(
    axis: AxisInfo, args: Sequence[Any], dims: Sequence[Any], *, new_dtype: Any
) -> tuple[Any, int]:
    (x,), (dim,) = args, dims
    if dtypes.itemsize_bits(new_dtype) > dtypes.itemsize_bits(typeof(x).dtype):
        x, dim = move_axis(x, dim, 0), 0  # the last axis disappears
    return bitcast_convert_type_p.bind(x, new_dtype=new_dtype), dim


@bitcast_convert_type_p.lower
def bitcast_convert_type_lower(ctx: Emitter, x: Value, *, new_dtype: Any) -> Value:
    if ctx.avals_in[0].dtype == new_dtype:
        return x
    return ctx.op("stablehlo.bitcast_convert", x)


bitcast_convert_type_p.sample(Arg((2, 3)), _dtypes=("float32",), new_dtype=np.dtype("int32"))
bitcast_convert_type_p.sample(Arg((2, 3)), _dtypes=("float32",), new_dtype=np.dtype("uint16"))
bitcast_convert_type_p.sample(
    Arg((3, 2), 0, 99), _dtypes=("uint16", "int16"), new_dtype=np.dtype("uint32")
)

# -- precision ----------------------------------------------------------------------------------

reduce_precision_p = Primitive("reduce_precision")


def reduce_precision(operand: ArrayLike, exponent_bits: int, mantissa_bits: int) -> Any:
    """Round to a float format of fewer bits; the dtype stays.

    Parameters
    ----------
    operand : array or scalar (floating)
    exponent_bits : int
        At least 1. What is too large for them becomes infinite, what is too small becomes zero.
    mantissa_bits : int
        Not counting the implicit one; rounding is to nearest, ties to even.

    Raises
    ------
    ValueError
        If a number of bits is out of range.

    Examples
    --------
    Round to the precision of float16:

    >>> reduce_precision(np.float32(1.0004), 5, 10)
    Array(1., dtype=float32)
    """
    check_operands("reduce_precision", operand)
    return reduce_precision_p.bind(
        operand, exponent_bits=int(exponent_bits), mantissa_bits=int(mantissa_bits)
    )


@reduce_precision_p.abstract
def reduce_precision_abstract(
    x: ShapedArray, *, exponent_bits: int, mantissa_bits: int
) -> ShapedArray:
    check_kinds("reduce_precision", [x], (np.floating,))
    if exponent_bits < 1:
        raise ValueError(f"reduce_precision: exponent_bits must be positive; got {exponent_bits}")
    if mantissa_bits < 0:
        raise ValueError(
            f"reduce_precision: mantissa_bits must be non-negative; got {mantissa_bits}"
        )
    return x


@reduce_precision_p.reference
def reduce_precision_reference(
    x: np.ndarray, *, exponent_bits: int, mantissa_bits: int
) -> np.ndarray:
    info = dtypes.finfo(x.dtype)
    word = x.view(f"u{x.dtype.itemsize}")
    unit = word.dtype.type
    dropped = info.nmant - mantissa_bits
    if dropped > 0:
        # Half of the last kept bit, less one where that bit is 0: ties go to even. A carry out
        # of the mantissa raises the exponent, as it should.
        odd = (word >> unit(dropped)) & unit(1)
        half = unit((1 << (dropped - 1)) - 1)
        word = (word + half + odd) & ~unit((1 << dropped) - 1)
    if exponent_bits < info.nexp:
        word = _clip_exponent(word, info, exponent_bits)
    return np.where(np.isnan(x), x, np.asarray(word).view(x.dtype))


def _clip_exponent(word: np.ndarray, info: Any, exponent_bits: int) -> np.ndarray:
    unit = word.dtype.type
    bias, small_bias = (1 << (info.nexp - 1)) - 1, (1 << (exponent_bits - 1)) - 1
    all_ones = (1 << info.nexp) - 1
    exponent = (word >> unit(info.nmant)) & unit(all_ones)
    sign = word & unit(1 << (info.bits - 1))
    infinity = sign | unit(all_ones << info.nmant)
    word = np.where(exponent > bias + small_bias, infinity, word)
    return np.where(exponent <= bias - small_bias, sign, word)


@reduce_precision_p.linear_in(0)
def reduce_precision_transpose(ct: Any, x: Any, **params: Any) -> list[Any]:
    return [reduce_precision_p.bind(ct, **params)]


elementwise_batch(reduce_precision_p)


@reduce_precision_p.lower
def reduce_precision_lower(
    ctx: Emitter, x: Value, *, exponent_bits: int, mantissa_bits: int
) -> Value:
    return ctx.op(
        "stablehlo.reduce_precision",
        x,
        exponent_bits=Raw(f"{exponent_bits} : i32"),
        mantissa_bits=Raw(f"{mantissa_bits} : i32"),
    )


reduce_precision_p.sample(Arg((2, 3)), _smooth=False, exponent_bits=5, mantissa_bits=4)
