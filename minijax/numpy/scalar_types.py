"""What are ``jnp.float32`` and its siblings?

Objects that name a dtype, work wherever a dtype is asked for, and make arrays when called:
``jnp.float32(1)`` is an array and not, as in NumPy, a scalar of another type.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.numpy.convert import array


class ArrayType(dtypes.ScalarType):
    """A dtype under a name of ``minijax.numpy``; calling it makes an array of that dtype."""

    __slots__ = ()

    def __call__(self, x: Any) -> Any:
        """Make an array of this dtype, narrowed without a warning while 64-bit types are off."""
        return array(x, dtypes.canonicalize_dtype(self.dtype))


def _named(name: str) -> ArrayType:
    return ArrayType(dtypes.DTYPES[name], "minijax.numpy")


bool_ = _named("bool")
int1, int2, int4 = _named("int1"), _named("int2"), _named("int4")
int8, int16, int32, int64 = _named("int8"), _named("int16"), _named("int32"), _named("int64")
uint1, uint2, uint4 = _named("uint1"), _named("uint2"), _named("uint4")
uint8, uint16, uint32 = _named("uint8"), _named("uint16"), _named("uint32")
uint64 = _named("uint64")
float4_e2m1fn = _named("float4_e2m1fn")
float6_e2m3fn, float6_e3m2fn = _named("float6_e2m3fn"), _named("float6_e3m2fn")
float8_e3m4, float8_e4m3 = _named("float8_e3m4"), _named("float8_e4m3")
float8_e4m3b11fnuz, float8_e4m3fn = _named("float8_e4m3b11fnuz"), _named("float8_e4m3fn")
float8_e4m3fnuz, float8_e5m2 = _named("float8_e4m3fnuz"), _named("float8_e5m2")
float8_e5m2fnuz, float8_e8m0fnu = _named("float8_e5m2fnuz"), _named("float8_e8m0fnu")
bfloat16, float16 = _named("bfloat16"), _named("float16")
float32, float64 = _named("float32"), _named("float64")
complex64, complex128 = _named("complex64"), _named("complex128")

single, double, csingle, cdouble = float32, float64, complex64, complex128
int_, uint, float_, complex_ = int64, uint64, float64, complex128

generic, number, inexact = np.generic, np.number, np.inexact
integer, signedinteger, unsignedinteger = np.integer, np.signedinteger, np.unsignedinteger
floating, complexfloating, flexible = np.floating, np.complexfloating, np.flexible
character, object_ = np.character, np.object_


def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """Tell whether values of one dtype can be cast to another by a rule of NumPy's.

    Examples
    --------
    >>> can_cast("int8", "int16"), can_cast("int16", "int8")
    (True, False)
    """
    given, wanted = (dtypes.dtype(x, canonicalize=False) for x in (from_, to))
    return np.can_cast(given, wanted, casting)
