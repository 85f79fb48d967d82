"""How are values compared, bits combined, and one of several values chosen?

Results of comparisons are booleans and have no derivative; :func:`select_n`, the choice, is
linear in what it chooses from. Integers are two's complement words of a fixed width, so that
``not``, shifts and counts of bits mean the same on every backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import (
    ALL_KINDS,
    COMPLEX,
    FLOATS,
    Arg,
    Primitive,
    full_of,
    instantiate,
    is_undefined_primal,
    is_zero,
    zero_tangent,
)
from minijax.primitives.elementwise_rules import (
    batch_at_full_shape,
    compute_in_bytes,
    is_narrow_integer,
    lower_as,
    on_common_shape,
    public_binary,
    public_unary,
)
from minijax.primitives.operands import (
    EVERYTHING,
    LOGICAL,
    ArrayLike,
    broadcast_shape,
    check_operands,
    check_same_dtypes,
    elementwise_abstract,
    elementwise_batch,
)
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value

BOOL = np.dtype(bool)
INTEGER = (np.integer,)
ORDERED = (np.integer, np.floating, np.bool_)
INTEGER_SAMPLES = ("int32", "uint32", "int8", "int64")

# -- comparisons --------------------------------------------------------------------------------


def comparison(
    name: str, kinds: tuple[type, ...], ufunc: Callable[..., Any], direction: str, summary: str
) -> tuple[Primitive, Callable[[ArrayLike, ArrayLike], Any]]:
    """Make an elementwise comparison; NaN is unequal to everything and not ordered."""
    p = Primitive(name)
    elementwise_abstract(p, kinds, BOOL)

    def reference_rule(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ufunc(x, y)

    def lower_rule(ctx: Emitter, x: Value, y: Value) -> Value:
        return ctx.compare(direction, *on_common_shape(ctx, x, y))

    reference_rule.__name__, lower_rule.__name__ = f"{name}_reference", f"{name}_lower"
    p.reference(reference_rule)
    p.jvp_zero("booleans have no derivative")
    elementwise_batch(p)
    p.lower(lower_rule)
    # Integers from a small range, so that some pairs are equal.
    p.sample(Arg((2, 3)), Arg((2, 3)), _dtypes=(*ALL_KINDS, "float8_e4m3fn"))
    p.sample(Arg((2, 3), dtype="int32"), Arg((), dtype="int32"), _dtypes=("int32",))
    return p, public_binary(p, summary, kinds)


eq_p, eq = comparison(
    "eq", EVERYTHING, np.equal, "EQ", "Elementwise equality: ``x == y``, a boolean array."
)
ne_p, ne = comparison(
    "ne", EVERYTHING, np.not_equal, "NE", "Elementwise inequality: ``x != y``, a boolean array."
)
lt_p, lt = comparison(
    "lt", ORDERED, np.less, "LT", "Elementwise less-than: ``x < y``, a boolean array."
)
le_p, le = comparison(
    "le", ORDERED, np.less_equal, "LE", "Elementwise less-or-equal: ``x <= y``, a boolean array."
)
gt_p, gt = comparison(
    "gt", ORDERED, np.greater, "GT", "Elementwise greater-than: ``x > y``, a boolean array."
)
ge_p, ge = comparison(
    "ge",
    ORDERED,
    np.greater_equal,
    "GE",
    "Elementwise greater-or-equal: ``x >= y``, a boolean array.",
)


def _equality_abstract(p: Primitive) -> None:
    """Let ``==`` and ``!=`` compare key arrays too: they are words with another name."""
    ordinary = p.rule("abstract")

    def abstract_rule(x: ShapedArray, y: ShapedArray) -> ShapedArray:
        if dtypes.issubdtype(x.dtype, dtypes.extended):
            check_same_dtypes(p.name, [x, y])
            return ShapedArray(broadcast_shape(p.name, [x.shape, y.shape]), BOOL)
        return ordinary(x, y)

    abstract_rule.__name__ = f"{p.name}_abstract"
    p.abstract(abstract_rule)


_equality_abstract(eq_p)
_equality_abstract(ne_p)

# -- and, or, xor, not --------------------------------------------------------------------------


def bitwise(
    name: str, ufunc: Callable[..., Any], summary: str
) -> tuple[Primitive, Callable[[ArrayLike, ArrayLike], Any]]:
    """Make a logical operation on booleans that is the bitwise one on integers."""
    p = Primitive(name)
    elementwise_abstract(p, LOGICAL)

    def reference_rule(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ufunc(x, y)

    reference_rule.__name__ = f"{name}_reference"
    p.reference(reference_rule)
    compute_in_bytes(p)
    p.jvp_zero("integers and booleans have no derivative")
    elementwise_batch(p)
    lower_as(p, f"stablehlo.{name}")
    p.sample(Arg((2, 3), -9, 9), Arg((2, 3), -9, 9), _dtypes=("int32", "bool"))
    p.sample(Arg((2, 3), 0, 9), Arg((), 0, 9), _dtypes=("uint32",))
    return p, public_binary(p, summary, LOGICAL, name=f"bitwise_{name}")


and_p, bitwise_and = bitwise(
    "and", np.bitwise_and, "Elementwise AND: ``x & y`` of integers or booleans."
)
or_p, bitwise_or = bitwise(
    "or", np.bitwise_or, "Elementwise OR: ``x | y`` of integers or booleans."
)
xor_p, bitwise_xor = bitwise(
    "xor", np.bitwise_xor, "Elementwise exclusive OR: ``x ^ y`` of integers or booleans."
)

not_p = Primitive("not")


def bitwise_not(x: ArrayLike) -> Any:
    """Elementwise NOT: ``~x`` of integers or booleans.

    Examples
    --------
    >>> bitwise_not(np.int32(5))
    Array(-6, dtype=int32)
    """
    check_operands("bitwise_not", x)
    return not_p.bind(x)


elementwise_abstract(not_p, LOGICAL)


@not_p.reference
def not_reference(x: np.ndarray) -> np.ndarray:
    return np.invert(x)


compute_in_bytes(not_p)
not_p.jvp_zero("integers and booleans have no derivative")
elementwise_batch(not_p)
lower_as(not_p, "stablehlo.not")
not_p.sample(Arg((2, 3), -9, 9), _dtypes=("int32", "bool"))

# -- shifts -------------------------------------------------------------------------------------
#
# The distance is read as an unsigned number: one that is negative, or not less than the width,
# shifts every bit out. NumPy's own shifts have that meaning.


def shift(
    name: str, reference: Callable[..., Any], summary: str
) -> tuple[Primitive, Callable[[ArrayLike, ArrayLike], Any]]:
    """Make a shift of the bits of integers."""
    p = Primitive(name)
    elementwise_abstract(p, INTEGER)

    def reference_rule(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return reference(x, y)

    reference_rule.__name__ = f"{name}_reference"
    p.reference(reference_rule)
    p.jvp_zero("integers have no derivative")
    elementwise_batch(p)
    lower_as(p, f"stablehlo.{name}")
    p.sample(Arg((2, 3), -90, 90), Arg((2, 3), 0, 7), _dtypes=("int32", "int8"))
    p.sample(Arg((2, 3), 0, 90), Arg((), 0, 7), _dtypes=("uint32",))
    return p, public_binary(p, summary, INTEGER)


def as_unsigned(x: np.ndarray) -> np.ndarray:
    """See integers as unsigned words of the same bits, at least a byte wide."""
    if is_narrow_integer(x.dtype):
        return x.astype(np.int8).view(np.uint8) & np.uint8(2 ** dtypes.iinfo(x.dtype).bits - 1)
    return x.view(f"u{x.dtype.itemsize}")


def _as_signed(x: np.ndarray) -> np.ndarray:
    """See integers as signed words of the same bits, the sign extended to a byte."""
    if is_narrow_integer(x.dtype):
        unused = 8 - dtypes.iinfo(x.dtype).bits
        return (as_unsigned(x) << np.uint8(unused)).view(np.int8) >> np.int8(unused)
    return x.view(f"i{x.dtype.itemsize}")


def _from_word(word: np.ndarray, dtype: Any) -> np.ndarray:
    return word.astype(dtype) if is_narrow_integer(dtype) else word.view(dtype)


def _left_shift(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _from_word(np.left_shift(as_unsigned(x), as_unsigned(y)), x.dtype)


def _arithmetic_shift(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _from_word(np.right_shift(_as_signed(x), _distance(y)), x.dtype)


def _logical_shift(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _from_word(np.right_shift(as_unsigned(x), as_unsigned(y)), x.dtype)


def _distance(y: np.ndarray) -> np.ndarray:
    """Clip a distance so that it is a positive signed number, whatever its high bit."""
    word = as_unsigned(y)
    return np.minimum(word, word.dtype.type(8 * word.itemsize)).view(f"i{word.itemsize}")


shift_left_p, shift_left = shift(
    "shift_left",
    _left_shift,
    "Elementwise left shift: ``x << y``; zero where ``y`` is not in [0, width).",
)
shift_right_arithmetic_p, shift_right_arithmetic = shift(
    "shift_right_arithmetic",
    _arithmetic_shift,
    "Elementwise right shift that fills with the highest bit.",
)
shift_right_logical_p, shift_right_logical = shift(
    "shift_right_logical", _logical_shift, "Elementwise right shift that fills with zeros."
)

# -- counts of bits -----------------------------------------------------------------------------

population_count_p = Primitive("population_count")
population_count = public_unary(
    population_count_p, "Elementwise number of bits set, in the dtype of the operand.", INTEGER
)
elementwise_abstract(population_count_p, INTEGER)


@population_count_p.reference
def population_count_reference(x: np.ndarray) -> np.ndarray:
    # of a signed number NumPy counts the bits of the absolute value
    return np.bitwise_count(as_unsigned(x)).astype(x.dtype)


population_count_p.jvp_zero("integers have no derivative")
elementwise_batch(population_count_p)
lower_as(population_count_p, "stablehlo.popcnt")
population_count_p.sample(Arg((2, 3), -99, 99), _dtypes=INTEGER_SAMPLES)

clz_p = Primitive("clz")
clz = public_unary(
    clz_p, "Elementwise number of leading zero bits, in the dtype of the operand.", INTEGER
)
elementwise_abstract(clz_p, INTEGER)


@clz_p.reference
def clz_reference(x: np.ndarray) -> np.ndarray:
    # Copy the highest bit into all bits below it; what remains zero was leading.
    word = as_unsigned(x)
    bits = dtypes.iinfo(x.dtype).bits
    step = 1
    while step < bits:
        word = word | (word >> word.dtype.type(step))
        step *= 2
    return (bits - np.bitwise_count(word)).astype(x.dtype)


clz_p.jvp_zero("integers have no derivative")
elementwise_batch(clz_p)
lower_as(clz_p, "stablehlo.count_leading_zeros")
clz_p.sample(Arg((2, 3), -99, 99), _dtypes=INTEGER_SAMPLES)

# -- is_finite ----------------------------------------------------------------------------------

is_finite_p = Primitive("is_finite")
is_finite = public_unary(
    is_finite_p,
    "Elementwise: neither infinite nor NaN. Real floating operands only.",
    (np.floating,),
)
elementwise_abstract(is_finite_p, (np.floating,), BOOL)


@is_finite_p.reference
def is_finite_reference(x: np.ndarray) -> np.ndarray:
    return np.isfinite(x)


is_finite_p.jvp_zero("booleans have no derivative")
elementwise_batch(is_finite_p)
lower_as(is_finite_p, "stablehlo.is_finite")
is_finite_p.sample(Arg((2, 3)))

# -- choice -------------------------------------------------------------------------------------

select_n_p = Primitive("select_n")


def select_n(which: ArrayLike, *cases: ArrayLike) -> Any:
    """Choose elementwise among arrays: ``cases[which]``.

    Parameters
    ----------
    which : bool or integer array
        A scalar or an array of the shape of the cases. False chooses the first case, True the
        second; an integer out of range chooses the first or the last case.
    *cases : arrays of one shape and dtype
        At most two if ``which`` is boolean.

    Raises
    ------
    ValueError
        Without a case.
    TypeError
        If shapes or dtypes do not match.

    Examples
    --------
    >>> select_n(np.array([True, False]), np.array([1., 2.]), np.array([3., 4.]))
    Array([3., 2.], dtype=float32)
    """
    if not cases:
        raise ValueError("select_n() must have at least one case")
    check_operands("select_n", which, *cases)
    return select_n_p.bind(which, *cases)


def select(pred: ArrayLike, on_true: ArrayLike, on_false: ArrayLike) -> Any:
    """Choose elementwise: ``on_true`` where ``pred`` holds, else ``on_false``.

    As :func:`select_n` with the cases the other way round.
    """
    return select_n(pred, on_false, on_true)


@select_n_p.abstract
def select_n_abstract(which: ShapedArray, *cases: ShapedArray) -> ShapedArray:
    _check_selector(which, len(cases))
    check_same_dtypes("select", cases)
    first = cases[0]
    if any(case.shape != first.shape for case in cases):
        listed = ", ".join(str(case.shape) for case in cases)
        raise TypeError(f"select cases must have the same shapes, got [{listed}].")
    if which.shape and which.shape != first.shape:
        raise TypeError(
            "select `which` must be scalar or have the same shape as cases, got `which` shape "
            f"{which.shape} but case shape {first.shape}."
        )
    return first.update(weak_type=all(case.weak_type for case in cases))


def _check_selector(which: ShapedArray, cases: int) -> None:
    if which.dtype == BOOL:
        if cases > 2:
            raise TypeError("select with boolean `which` cannot have > 2 cases.")
    elif not dtypes.issubdtype(which.dtype, np.integer):
        raise TypeError(f"select `which` must be boolean or integer type, got {which.dtype.name}.")


@select_n_p.reference
def select_n_reference(which: np.ndarray, *cases: np.ndarray) -> np.ndarray:
    if len(cases) == 2:
        return np.where(which if which.dtype == BOOL else which > 0, cases[1], cases[0])
    chosen = cases[0]
    for i, case in enumerate(cases[1:], 1):
        chosen = np.where(which >= i, case, chosen)
    return chosen


@select_n_p.jvp
def select_n_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    which, out = primals[0], select_n(*primals)
    if all(is_zero(t) for t in tangents[1:]):
        return out, zero_tangent(out)
    return out, select_n(which, *[instantiate(t) for t in tangents[1:]])


@select_n_p.transpose
def select_n_transpose(ct: Any, which: Any, *cases: Any) -> list[Any]:
    zeros = full_of(typeof(ct), 0)
    cotangents: list[Any] = [None]
    for i, case in enumerate(cases):
        wanted = [ct if i == j else zeros for j in range(len(cases))]
        cotangents.append(select_n(which, *wanted) if is_undefined_primal(case) else None)
    return cotangents


batch_at_full_shape(select_n_p, scalars=(0,))


@select_n_p.lower
def select_n_lower(ctx: Emitter, which: Value, *cases: Value) -> Value:
    if len(cases) == 1:
        return cases[0]
    if which.type.element == "i1":
        return ctx.select(which, cases[1], cases[0])
    return _choose_lower(ctx, which, 0, cases)


def _choose_lower(ctx: Emitter, which: Value, first: int, cases: Sequence[Value]) -> Value:
    """Halve the cases until one remains: log2(n) selections deep."""
    if len(cases) == 1:
        return cases[0]
    half = len(cases) // 2
    lower = _choose_lower(ctx, which, first, cases[:half])
    upper = _choose_lower(ctx, which, first + half, cases[half:])
    is_lower = ctx.compare("LT", which, ctx.constant_like(first + half, which))
    return ctx.select(is_lower, lower, upper)


select_n_p.sample(
    Arg((2, 3), dtype="bool"), Arg((2, 3)), Arg((2, 3)),
    _dtypes=(*ALL_KINDS, *COMPLEX, "float8_e5m2"),
)  # fmt: skip
select_n_p.sample(Arg((), dtype="bool"), Arg(), Arg(), _dtypes=("float32",))
select_n_p.sample(Arg((), dtype="bool"), Arg((2, 3)), Arg((2, 3)), _dtypes=("float32",))
select_n_p.sample(
    Arg((2, 3), -1, 3, dtype="int32"), Arg((2, 3)), Arg((2, 3)), Arg((2, 3)), _dtypes=FLOATS
)
