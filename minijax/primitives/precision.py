"""In which types, and how exactly, is a product of matrices computed?

Accelerators offer products of reduced precision that are faster. A caller asks for one of three
levels (:class:`Precision`) for each operand, or names the algorithm: the types that operands are
rounded to and the type in which sums accumulate (:class:`DotAlgorithm`). On the CPU every level
is full precision; an algorithm is carried out as conversions around the product.

Without such a request the types follow from the operands: the wider of their dtypes, with sums of
narrow floats in float32.
"""

from __future__ import annotations

import enum
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minijax.config import config
from minijax.core import dtypes
from minijax.primitives.complex_parts import component_dtype
from minijax.primitives.monoids import accumulator_dtype


class Precision(enum.Enum):
    """How exact products are where the hardware leaves a choice."""

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __str__(self) -> str:
        return self.name


class DotAlgorithm(NamedTuple):
    """An algorithm for products: what operands are rounded to, and where sums accumulate.

    Attributes
    ----------
    lhs_precision_type, rhs_precision_type, accumulation_type : dtype-like
    lhs_component_count, rhs_component_count, num_primitive_operations : int
        In how many parts an operand is split, and how many products of parts are added up. More
        than one means a product nearly as exact as that of the accumulation type.
    allow_imprecise_accumulation : bool
    """

    lhs_precision_type: Any
    rhs_precision_type: Any
    accumulation_type: Any
    lhs_component_count: int = 1
    rhs_component_count: int = 1
    num_primitive_operations: int = 1
    allow_imprecise_accumulation: bool = False


class DotAlgorithmPreset(enum.Enum):
    """Algorithms with a name: types of both operands, type of the sums, number of products."""

    DEFAULT = enum.auto()
    ANY_F8_ANY_F8_F32 = enum.auto()
    ANY_F8_ANY_F8_F32_FAST_ACCUM = enum.auto()
    ANY_F8_ANY_F8_ANY = enum.auto()
    ANY_F8_ANY_F8_ANY_FAST_ACCUM = enum.auto()
    F16_F16_F16 = enum.auto()
    F16_F16_F32 = enum.auto()
    BF16_BF16_BF16 = enum.auto()
    BF16_BF16_F32 = enum.auto()
    BF16_BF16_F32_X3 = enum.auto()
    BF16_BF16_F32_X6 = enum.auto()
    BF16_BF16_F32_X9 = enum.auto()
    TF32_TF32_F32 = enum.auto()
    TF32_TF32_F32_X3 = enum.auto()
    F32_F32_F32 = enum.auto()
    F64_F64_F64 = enum.auto()

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __str__(self) -> str:
        return self.name


PrecisionLike = Any
CanonicalPrecision = tuple[Precision, Precision] | DotAlgorithm | DotAlgorithmPreset | None

_LEVELS: dict[Any, Precision] = {
    "highest": Precision.HIGHEST,
    "float32": Precision.HIGHEST,
    "high": Precision.HIGH,
    "bfloat16_3x": Precision.HIGH,
    "tensorfloat32": Precision.HIGH,
    "default": Precision.DEFAULT,
    "bfloat16": Precision.DEFAULT,
    "fastest": Precision.DEFAULT,
    None: Precision.DEFAULT,
}


def canonicalize_precision(precision: PrecisionLike) -> CanonicalPrecision:
    """Return a precision in the form that equations hold it in.

    Parameters
    ----------
    precision : None, str, Precision, pair of these, DotAlgorithm or DotAlgorithmPreset
        None means the flag ``jax_default_matmul_precision``.

    Returns
    -------
    None, pair of Precision, DotAlgorithm or DotAlgorithmPreset

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> canonicalize_precision("highest")
    (Precision.HIGHEST, Precision.HIGHEST)
    """
    if precision is None:
        precision = config.default_matmul_precision
        if precision is None:
            return None
    if isinstance(precision, (DotAlgorithm, DotAlgorithmPreset)):
        return precision
    if isinstance(precision, str) and precision in DotAlgorithmPreset.__members__:
        return DotAlgorithmPreset[precision]
    pair = precision if isinstance(precision, (tuple, list)) else (precision, precision)
    levels = [p if isinstance(p, Precision) else _level(p) for p in pair]
    if len(levels) != 2 or None in levels:
        wrong = pair[levels.index(None)] if len(levels) == 2 else precision
        raise ValueError(
            "Precision argument must be one of:\n"
            "- None,\n"
            f"- a string in {list(_LEVELS)},\n"
            "- a lax.Precision value,\n"
            "- a tuple of two lax.Precision values or strings,\n"
            "- a lax.DotAlgorithmPreset or the name of one of these presets, or\n"
            "- a lax.DotAlgorithm value;\n"
            f"but got {wrong}."
        )
    return levels[0], levels[1]  # type: ignore[return-value]


def _level(name: Any) -> Precision | None:
    return _LEVELS.get(name) if isinstance(name, str) or name is None else None


def precision_levels(precision: CanonicalPrecision) -> tuple[Precision, Precision]:
    """Return the level for each operand; an algorithm leaves nothing to choose."""
    match precision:
        case (Precision() as lhs, Precision() as rhs):
            return lhs, rhs
    return Precision.DEFAULT, Precision.DEFAULT


class DotTypes(NamedTuple):
    """The types that a product runs in."""

    lhs: np.dtype
    rhs: np.dtype
    accumulator: np.dtype


def algorithm_types(precision: CanonicalPrecision, lhs: Any, rhs: Any) -> DotTypes | None:
    """Return the types that an algorithm prescribes for operands of two dtypes.

    None if ``precision`` leaves the choice. An algorithm that adds up products of parts is
    carried out in the type of its sums.
    """
    match precision:
        case DotAlgorithm():
            if precision.num_primitive_operations > 1:
                return DotTypes(*(np.dtype(precision.accumulation_type),) * 3)
            return DotTypes(*map(np.dtype, precision[:3]))
        case DotAlgorithmPreset() if precision is not DotAlgorithmPreset.DEFAULT:
            return _preset_types(precision.name, lhs, rhs)
    return None


def _preset_types(name: str, lhs: Any, rhs: Any) -> DotTypes:
    if name.startswith("ANY_F8"):
        return DotTypes(lhs, rhs, np.dtype(np.float32))
    types = {
        "F16": np.dtype(np.float16),
        "BF16": dtypes.DTYPES["bfloat16"],
        "TF32": np.dtype(np.float32),
        "F32": np.dtype(np.float32),
        "F64": np.dtype(np.float64),
    }
    of_lhs, of_rhs, of_sum, *parts = name.split("_")
    if parts:
        of_lhs = of_rhs = of_sum
    return DotTypes(types[of_lhs], types[of_rhs], types[of_sum])


# -- types that follow from the operands ----------------------------------------------------------


def _rank_of_dtype(dtype: Any) -> tuple[Any, ...]:
    """Return a key by which of two dtypes the one that holds more sorts last."""
    if dtypes.issubdtype(dtype, np.inexact):
        bits = dtypes.itemsize_bits(dtype)
        return 1, dtypes.issubdtype(dtype, np.complexfloating), bits, dtypes.finfo(dtype).maxexp
    bits = 1 if dtype == np.bool_ else dtypes.itemsize_bits(dtype)
    return 0, bits, dtypes.issubdtype(dtype, np.signedinteger)


def _wider(x: Any, y: Any) -> Any:
    return max(x, y, key=_rank_of_dtype)


@cache
def result_dtype(lhs: Any, rhs: Any, preferred: Any) -> Any:
    """Return the dtype of a product of two dtypes: the wider one, or the preferred one.

    Raises
    ------
    TypeError
        If the preferred dtype is narrower than integers or complex numbers need, or an operand
        consists of keys.
    """
    for dtype in (lhs, rhs):
        if dtypes.is_extended(dtype):
            raise TypeError(f"dot_general does not accept dtype {dtype.name}.")
    result = _wider(lhs, rhs)
    if preferred is None:
        return result
    is_float = dtypes.issubdtype(result, np.floating)
    if not is_float and result != np.bool_ and _bits(preferred) < _bits(result):
        raise TypeError(
            "`preferred_element_type` must not be narrower than the original type, got "
            f"preferred_element_type of {preferred.name} for result type of {result.name}."
        )
    return preferred


def _bits(dtype: Any) -> int:
    """Return the bits of a number, of one component if it is complex."""
    if dtype == np.bool_:
        return 1
    return dtypes.itemsize_bits(component_dtype(dtype) if dtype.kind == "c" else dtype)


@cache
def running_types(lhs: Any, rhs: Any, preferred: Any, precision: CanonicalPrecision) -> DotTypes:
    """Return the types that the operands are converted to, and that of the sums."""
    prescribed = algorithm_types(precision, lhs, rhs)
    if prescribed is not None:
        return prescribed
    both = _wider(lhs, rhs)
    if preferred is not None:
        wanted = _wider(both, preferred)
        if lhs == rhs and _same_kind(lhs, wanted):
            return DotTypes(lhs, rhs, accumulator_dtype(wanted))
        both = wanted
    return DotTypes(both, both, accumulator_dtype(both))


def _same_kind(x: Any, y: Any) -> bool:
    kinds = (np.signedinteger, np.unsignedinteger, np.floating)
    return any(dtypes.issubdtype(x, kind) and dtypes.issubdtype(y, kind) for kind in kinds)
