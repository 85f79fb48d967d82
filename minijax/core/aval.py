"""What is known about a value before it is computed?

An *abstract value* (aval) is the type of a value in a traced program: shape, dtype, and whether
the dtype is *weak*, that is, came from a Python scalar and yields to any other. Avals are
immutable and hashable, for they are the keys by which traced and compiled programs are found.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minijax.core import dtypes


class AbstractValue:
    """Base of the types of values; final classes below."""

    __slots__ = ()

    def tangent(self) -> AbstractValue:
        """Return the type of a tangent (and cotangent) of values of this type."""
        raise NotImplementedError(f"{type(self).__name__} has no tangent type")

    def str_short(self) -> str:
        """Name the type as error messages do."""
        return str(self)


class ShapedArray(AbstractValue):
    """The type of an array: shape, dtype and weakness.

    Parameters
    ----------
    shape : tuple of int
    dtype : np.dtype or ExtendedDType
    weak_type : bool
        True if the dtype gives way in promotion.

    Examples
    --------
    >>> ShapedArray((3, 4), np.dtype("float32"))
    ShapedArray(float32[3,4])
    """

    __slots__ = ("_hash", "dtype", "shape", "weak_type")

    def __init__(self, shape: tuple[int, ...], dtype: Any, weak_type: bool = False):
        self.shape = tuple(shape)
        known = isinstance(dtype, (np.dtype, dtypes.ExtendedDType))
        self.dtype: Any = dtype if known else dtypes.dtype(dtype, canonicalize=False)
        self.weak_type = weak_type
        self._hash = hash((self.shape, self.dtype, weak_type))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            type(other) is ShapedArray
            and self._hash == other._hash
            and self.shape == other.shape
            and self.dtype == other.dtype
            and self.weak_type == other.weak_type
        )

    def __reduce__(self):
        return ShapedArray, (self.shape, self.dtype, self.weak_type)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def update(self, **changes: Any) -> ShapedArray:
        """Return a copy with some fields replaced."""
        fields = {"shape": self.shape, "dtype": self.dtype, "weak_type": self.weak_type}
        return ShapedArray(**(fields | changes))

    def tangent(self) -> ShapedArray:
        """Return the tangent type: float0 for integers and booleans, else the type itself."""
        if dtypes.issubdtype(self.dtype, np.inexact):
            return self.update(weak_type=False) if self.weak_type else self
        return ShapedArray(self.shape, dtypes.float0)

    def strip_weak_type(self) -> ShapedArray:
        """Return the type with a strong dtype."""
        return self.update(weak_type=False) if self.weak_type else self

    def str_short(self) -> str:
        """Return ``float32[3,4]``."""
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"

    def __str__(self) -> str:
        return f"{dtypes.short_name(self.dtype)}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        return f"ShapedArray({self.str_short()}{weak})"


class AbstractToken(AbstractValue):
    """The type of a token, which orders effects and carries no data."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is AbstractToken

    def __hash__(self) -> int:
        return hash(AbstractToken)

    def tangent(self) -> AbstractToken:
        """Return the token type: an effect has no derivative."""
        return self

    def __str__(self) -> str:
        return "Tok"


class ShapeDtypeStruct:
    """A shape and a dtype without a value, as ``eval_shape`` returns and AOT stages accept.

    Examples
    --------
    >>> ShapeDtypeStruct((2, 3), np.float32)
    ShapeDtypeStruct(shape=(2, 3), dtype=float32)
    """

    __slots__ = ("dtype", "shape", "weak_type")

    def __init__(self, shape: Any, dtype: Any, *, weak_type: bool = False):
        if dtype is None:
            raise ValueError("ShapeDtypeStruct: dtype must be specified.")
        self.shape = tuple(shape)
        self.dtype = dtypes.dtype(dtype)
        self.weak_type = weak_type

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def aval(self) -> ShapedArray:
        """The abstract value that this object stands for."""
        return ShapedArray(self.shape, self.dtype, self.weak_type)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and self.aval == other.aval

    def __hash__(self) -> int:
        return hash((ShapeDtypeStruct, self.aval))

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype.name}{weak})"


class HasAval:
    """Base of everything that knows its abstract value: arrays and tracers."""

    __slots__ = ()
    aval: ShapedArray


def _scalar_aval(x: Any) -> ShapedArray:
    return _scalar_avals(type(x), dtypes.canonicalize_dtype(dtypes.dtype(x)))


_scalar_cache: dict[tuple[type, Any], ShapedArray] = {}


def _scalar_avals(kind: type, dtype: Any) -> ShapedArray:
    found = _scalar_cache.get((kind, dtype))
    if found is None:
        found = _scalar_cache[kind, dtype] = ShapedArray((), dtype, weak_type=kind is not bool)
    return found


def is_array_like(x: Any) -> bool:
    """Tell whether ``x`` can be an operand: an array, a tracer, a NumPy value or a scalar."""
    return isinstance(x, (HasAval, np.ndarray, np.generic, bool, int, float, complex)) or hasattr(
        type(x), "__jax_array__"
    )


def typeof(x: Any) -> ShapedArray:
    """Return the abstract value of an operand.

    Python scalars are weakly typed; NumPy values are narrowed to the types in use (x64 flag).

    Raises
    ------
    TypeError
        If ``x`` is not an array or a scalar.

    Examples
    --------
    >>> typeof(np.ones((2, 3), np.float32))
    ShapedArray(float32[2,3])
    >>> typeof(1.0)
    ShapedArray(float32[], weak_type=True)
    """
    if isinstance(x, (HasAval, ShapeDtypeStruct)):
        return x.aval
    if isinstance(x, (np.ndarray, np.generic)):
        if x.dtype == dtypes.float0:
            return ShapedArray(x.shape, dtypes.float0)
        if x.dtype not in dtypes.ARRAY_DTYPES:
            raise TypeError(f"Value {x!r} with dtype {x.dtype} is not a valid JAX array type")
        return ShapedArray(x.shape, dtypes.canonicalize_dtype(x.dtype))
    if isinstance(x, (bool, int, float, complex)):
        return _scalar_aval(x)
    raise TypeError(f"Value {x!r} with type {type(x)} is not a valid JAX type")
