"""Which dtype comes out when two dtypes meet?

The idea: every dtype is a point of one small partial order, the *promotion lattice*, written
down below as a table of edges (:data:`STANDARD_EDGES`). The result of mixing dtypes is their
least common upper bound in it. A Python scalar has no width of its own, so it stands in the
lattice as one of the *weak* points ``i*``, ``f*``, ``c*``: ``2 * x`` keeps the dtype of an
``int8`` array ``x`` because ``i*`` lies below every sized integer.

Two switches of :mod:`minijax.config` choose among three tables: ``enable_x64``, and
``numpy_dtype_promotion="strict"``, where only weak points move. The functions here take them
as arguments; :mod:`minijax.core.dtypes` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np

from minijax.core.dtype_kinds import DTYPES, KIND_OF, DType, short_name

_SMALL_INTS: Final = "i1 i2 i4 u1 u2 u4"
_SMALL_FLOATS: Final = (
    "f4_e2m1fn f6_e2m3fn f6_e3m2fn f8_e3m4 f8_e4m3 f8_e4m3b11fnuz f8_e4m3fn f8_e4m3fnuz "
    "f8_e5m2 f8_e5m2fnuz f8_e8m0fnu"
)

# Each line gives a point and the points directly above it. Points have the names that jaxprs
# print; i*, f* and c* are the weak scalars. From left to right, each point below the next:
#
#                  i8 --- i16 --- i32 --- i64
#                /      /       /       /     \
#    bool --- i* --- u8 --- u16 --- u32 --- u64 --- f* --- bf16, f16 --- f32 --- f64
#                \                                  | \                   |       |
#                  small integers                   |   small floats      |       |
#                                                   c* ----------------- c64 --- c128
#
# Integers of less than eight bits and floats of less than sixteen have nothing above them: to
# mix one with another sized type of its kind is an error, not a guess.
STANDARD_EDGES: Final[dict[str, str]] = {
    "bool": "i*",
    "i*": f"i8 u8 {_SMALL_INTS}",
    "i8": "i16",
    "i16": "i32",
    "i32": "i64",
    "i64": "f*",
    "u8": "i16 u16",
    "u16": "i32 u32",
    "u32": "i64 u64",
    "u64": "f*",
    "f*": f"c* bf16 f16 {_SMALL_FLOATS}",
    "bf16": "f32",
    "f16": "f32",
    "f32": "f64 c64",
    "f64": "c128",
    "c*": "c64",
    "c64": "c128",
}

#: Without 64-bit types the signed partner of u32 has to be i32, although it cannot hold it.
NARROW_EDGES: Final[dict[str, str]] = STANDARD_EDGES | {"u32": "i32 u64"}

#: Strict promotion: only a weak scalar takes another dtype, and never one of a lower kind.
STRICT_EDGES: Final[dict[str, str]] = {
    "i*": f"f* i8 i16 i32 i64 u8 u16 u32 u64 {_SMALL_INTS}",
    "f*": f"c* bf16 f16 f32 f64 {_SMALL_FLOATS}",
    "c*": "c64 c128",
}

#: A point is a dtype, or a Python scalar type for a weak one.
Point: TypeAlias = Any

_POINTS: Final[dict[str, Point]] = {
    "i*": int,
    "f*": float,
    "c*": complex,
    **{short_name(dtype): dtype for dtype in DTYPES.values()},
}


class TypePromotionError(ValueError):
    """Two dtypes cannot be mixed without saying what should come out.

    Narrow types (8-bit floats, 4-bit integers) and everything in strict mode are promoted only
    on request, since an implicit result would be either imprecise or unexpectedly large.

    Examples
    --------
    >>> least_upper_bound(False, False, (DTYPES["float8_e5m2"], DTYPES["float32"]))
    Traceback (most recent call last):
    ...
    minijax.core.promotion.TypePromotionError: Input dtypes ('float8_e5m2', 'float32') have ...

    The cure is to cast one operand: ``x.astype("float32") + y``.
    """


@cache
def upper_bounds(x64: bool, strict: bool) -> dict[Point, frozenset[Point]]:
    """Return for every point of the lattice in force itself and everything above it."""
    edges = STRICT_EDGES if strict else STANDARD_EDGES if x64 else NARROW_EDGES

    def reachable(name: str) -> frozenset[Point]:
        successors = edges.get(name, "").split()
        return frozenset({_POINTS[name]}).union(*map(reachable, successors))

    return {point: reachable(name) for name, point in _POINTS.items()}


@cache
def least_upper_bound(x64: bool, strict: bool, points: tuple[Point, ...]) -> Point:
    """Return the lowest point that is not below any of ``points``.

    Raises
    ------
    TypePromotionError
        If there is none.
    ValueError
        If one of ``points`` is not in the lattice (float0, object, an extended dtype).
    """
    bounds = upper_bounds(x64, strict)
    for point in points:
        if point not in bounds:
            raise ValueError(f"dtype={point!r} is not a valid dtype for JAX type promotion.")
    common = frozenset.intersection(*(bounds[point] for point in points))
    for point in common:
        if bounds[point] == common:
            return point
    raise TypePromotionError(_no_path_message(strict, points))


_NARROW_KINDS: Final = (
    (r"float8_", "8-bit floats", "float32"),
    (r"float6_", "6-bit floats", "float32"),
    (r"float4_", "4-bit floats", "float32"),
    (r"u?int[124]$", "1-bit, 2-bit and 4-bit integers", "int32"),
)


def _no_path_message(strict: bool, points: Iterable[Point]) -> str:
    names = tuple(str(point) for point in points)
    message = f"Input dtypes {names} have no available implicit dtype promotion path"
    if strict:
        return (
            f"{message} when jax_numpy_dtype_promotion=strict. Try explicitly casting inputs to "
            "the desired output type, or set jax_numpy_dtype_promotion=standard."
        )
    for pattern, description, cast in _NARROW_KINDS:
        if any(re.match(pattern, name) for name in names):
            return (
                f"{message}. To avoid unintended promotion, {description} do not support "
                "implicit promotion. If you'd like your inputs to be promoted to another type, "
                f"you can do so explicitly using e.g. x.astype('{cast}')"
            )
    return f"{message}."


#: A value enters the lattice as a pair: its dtype and whether that dtype is weak.
Typed: TypeAlias = tuple[DType, bool]


def join(x64: bool, strict: bool, values: tuple[Typed, ...]) -> Typed:
    """Return the dtype, and whether it is weak, of an operation on ``values``.

    The default size of a Python scalar type is 64 bits here; narrowing is left to the caller.

    Raises
    ------
    TypePromotionError
        If the dtypes have no least upper bound.

    Examples
    --------
    >>> join(False, False, ((DTYPES["int32"], True), (DTYPES["int8"], False)))
    (dtype('int8'), False)
    """
    if len(values) == 1:
        return values[0]
    dtypes = tuple(dict.fromkeys(dtype for dtype, _ in values))
    weak_types = {weak_type for _, weak_type in values}
    if len(dtypes) == 1 and weak_types == {False}:  # holds outside of the lattice as well
        return dtypes[0], False
    if weak_types == {True} and not strict:
        # A weak value may be narrower than its kind's default (a weak int16): keep the size.
        return least_upper_bound(x64, strict, dtypes), True
    points = tuple(dict.fromkeys(point_of(dtype, weak_type) for dtype, weak_type in values))
    bound = least_upper_bound(x64, strict, points)
    return np.dtype(bound), is_weak(bound)


def is_weak(point: Point) -> bool:
    """Is this one of i*, f* and c*? (Comparing does not tell: NumPy has int64 == int.)"""
    return isinstance(point, type)


def point_of(dtype: DType, weak_type: bool) -> Point:
    """Return where a value of this dtype stands in the lattice."""
    return _WEAK_POINT_OF.get(KIND_OF.get(dtype, ""), dtype) if weak_type else dtype


_WEAK_POINT_OF: Final[dict[str, type]] = {
    "signed integer": int,
    "unsigned integer": int,
    "real floating": float,
    "complex floating": complex,
}
