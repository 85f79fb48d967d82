"""How are complex numbers made and taken apart?

``complex`` joins two real arrays, ``real`` and ``imag`` take one back, ``conj`` mirrors. All four
are linear over the reals. Cotangents follow JAX's convention: the transpose of a linear map is
taken with the bilinear pairing ``ct * t``, without conjugation; ``imag`` therefore transposes to
a product with ``-i``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import COMPLEX as COMPLEX_SAMPLES
from minijax.core.primitive import Arg, Primitive, is_undefined_primal
from minijax.primitives.arithmetic import neg
from minijax.primitives.elementwise_rules import lower_as, public_unary, scalar_like
from minijax.primitives.operands import (
    ArrayLike,
    broadcast_shape,
    check_operands,
    check_same_dtypes,
    elementwise_abstract,
    elementwise_batch,
    unbroadcast,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value, type_of_aval

COMPLEX = (np.complexfloating,)
COMPONENTS = (np.dtype("float32"), np.dtype("float64"))


def component_dtype(dtype: Any) -> np.dtype:
    """Return the real dtype of the parts of a complex one."""
    return dtypes.finfo(dtype).dtype


def _check_component(name: str, aval: ShapedArray, at: str = "") -> None:
    if aval.dtype not in COMPONENTS:
        raise TypeError(
            f"{name} does not accept dtype {aval.dtype.name}{at}. Accepted dtypes{at} are "
            "subtypes of float32, float64."
        )


# -- real and imag ------------------------------------------------------------------------------

real_p = Primitive("real")
real = public_unary(real_p, "Elementwise real part of complex numbers.", COMPLEX)
elementwise_abstract(real_p, COMPLEX, component_dtype)


@real_p.reference
def real_reference(x: np.ndarray) -> np.ndarray:
    return np.real(x)


@real_p.linear_in(0)
def real_transpose(ct: Any, x: Any) -> list[Any]:
    return [complex(ct, scalar_like(ct, 0))]


elementwise_batch(real_p)
lower_as(real_p, "stablehlo.real")
real_p.sample(Arg((2, 3)), _dtypes=COMPLEX_SAMPLES)

imag_p = Primitive("imag")
imag = public_unary(imag_p, "Elementwise imaginary part of complex numbers.", COMPLEX)
elementwise_abstract(imag_p, COMPLEX, component_dtype)


@imag_p.reference
def imag_reference(x: np.ndarray) -> np.ndarray:
    return np.imag(x)


@imag_p.linear_in(0)
def imag_transpose(ct: Any, x: Any) -> list[Any]:
    return [complex(scalar_like(ct, 0), neg(ct))]


elementwise_batch(imag_p)
lower_as(imag_p, "stablehlo.imag")
imag_p.sample(Arg((2, 3)), _dtypes=COMPLEX_SAMPLES)

# -- complex ------------------------------------------------------------------------------------

complex_p = Primitive("complex")


def complex(x: ArrayLike, y: ArrayLike) -> Any:
    """Elementwise complex number: ``x + iy``.

    Parameters
    ----------
    x, y : float32 or float64 array or scalar
        Real and imaginary parts, of one dtype.

    Returns
    -------
    Array
        Of dtype complex64 or complex128.

    Examples
    --------
    >>> complex(np.float32(1.), np.float32(2.))
    Array(1.+2.j, dtype=complex64)
    """
    check_operands("complex", x, y)
    return complex_p.bind(x, y)


@complex_p.abstract
def complex_abstract(x: ShapedArray, y: ShapedArray) -> ShapedArray:
    _check_component("complex", x, " at position 0")
    _check_component("complex", y, " at position 1")
    check_same_dtypes("complex", [x, y])
    dtype = dtypes.to_complex_dtype(x.dtype)
    return ShapedArray(
        broadcast_shape("complex", [x.shape, y.shape]), dtype, x.weak_type and y.weak_type
    )


@complex_p.reference
def complex_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Not x + 1j * y: that would make a NaN of an infinite part.
    out = np.empty(np.broadcast_shapes(x.shape, y.shape), dtypes.to_complex_dtype(x.dtype))
    out.real, out.imag = x, y
    return out


@complex_p.linear_in(...)
def complex_transpose(ct: Any, x: Any, y: Any) -> list[Any]:
    return [
        unbroadcast(real(ct), x.aval) if is_undefined_primal(x) else None,
        unbroadcast(imag(neg(ct)), y.aval) if is_undefined_primal(y) else None,
    ]


elementwise_batch(complex_p)
lower_as(complex_p, "stablehlo.complex")
complex_p.sample(Arg((2, 3)), Arg((2, 3)), _dtypes=("float32", "float64"))
complex_p.sample(Arg((2, 3)), Arg(()), _dtypes=("float32",))

# -- conj ---------------------------------------------------------------------------------------

conj_p = Primitive("conj")


def conj(x: ArrayLike) -> Any:
    """Elementwise complex conjugate; the result is complex for real floats too.

    Parameters
    ----------
    x : array or scalar (float32, float64, complexfloating)

    Examples
    --------
    >>> conj(np.complex64(1 + 2j))
    Array(1.-2.j, dtype=complex64)
    """
    check_operands("conj", x)
    return conj_p.bind(x, input_dtype=typeof(x).dtype)


@conj_p.abstract
def conj_abstract(x: ShapedArray, *, input_dtype: Any) -> ShapedArray:
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        return x
    _check_component("conj", x)
    return ShapedArray(x.shape, dtypes.to_complex_dtype(x.dtype))


@conj_p.reference
def conj_reference(x: np.ndarray, *, input_dtype: Any) -> np.ndarray:
    return np.conjugate(x).astype(dtypes.to_complex_dtype(x.dtype), copy=False)


@conj_p.linear_in(0)
def conj_transpose(ct: Any, x: Any, *, input_dtype: Any) -> list[Any]:
    return [conj(ct) if dtypes.issubdtype(input_dtype, np.complexfloating) else real(ct)]


elementwise_batch(conj_p)


@conj_p.lower
def conj_lower(ctx: Emitter, x: Value, *, input_dtype: Any) -> Value:
    if not x.type.element.startswith("complex"):
        return ctx.op("stablehlo.complex", x, ctx.constant_like(0, x))
    (aval,) = ctx.avals_in
    part = ShapedArray(aval.shape, component_dtype(aval.dtype))
    real_part = ctx.op("stablehlo.real", x, type=type_of_aval(part))
    imaginary = ctx.op("stablehlo.imag", x, type=type_of_aval(part))
    return ctx.op("stablehlo.complex", real_part, ctx.like("stablehlo.negate", imaginary))


for _name in (*COMPLEX_SAMPLES, "float32", "float64"):
    conj_p.sample(Arg((2, 3)), _dtypes=(_name,), input_dtype=np.dtype(_name))
