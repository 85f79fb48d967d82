"""How are operands of different dtypes and ranks brought together?

The operations of :mod:`minijax.lax` want operands of one dtype, and of one rank unless scalar.
The functions here convert to the common dtype of the promotion lattice and add leading axes of
length one; ``numpy.add`` is then ``promote_args`` and one primitive.

Python scalars become constants of the common dtype at once, so that ``2 * x`` is one operation.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from minijax import lax
from minijax.config import snapshot
from minijax.core import dtypes
from minijax.core.array import Array
from minijax.core.aval import HasAval, ShapedArray, is_array_like, typeof
from minijax.core.promotion import join
from minijax.primitives.conversion import convert

_VALUES = (HasAval, np.ndarray, np.generic, bool, int, float, complex)
_BOOL = np.dtype(bool)
_SAFE = 2**31  # below this nothing overflows in 32 bits
_RANKS_URL = "https://docs.jax.dev/en/latest/rank_promotion_warning.html"


def check_arraylike(name: str, *args: Any) -> None:
    """Refuse what is neither an array nor a scalar; lists above all.

    Raises
    ------
    TypeError
        Naming the function, the type and the position.
    """
    for position, x in enumerate(args):
        if not is_array_like(x):
            raise TypeError(
                f"{name} requires ndarray or scalar arguments, got {type(x)} at position "
                f"{position}."
            )


def dtype_of(x: Any) -> Any:
    """Return the dtype of an operand."""
    return x.aval.dtype if isinstance(x, Array) else typeof(x).dtype


def as_operand(x: Any) -> Any:
    """Return what stands for ``x`` in operations: itself, or what ``__jax_array__`` makes."""
    return x if isinstance(x, _VALUES) else x.__jax_array__()


def promote_args(name: str, *args: Any) -> Sequence[Any]:
    """Check operands and give them one dtype, and one rank unless they are scalars."""
    if len(args) == 2:
        ready = _pair_of_one_type(*args)
        if ready is not None:
            return ready
    check_arraylike(name, *args)
    return promote_shapes(name, *promote_dtypes(*map(as_operand, args)))


def _pair_of_one_type(x: Any, y: Any) -> tuple[Any, Any] | None:
    """Return what most pairs need: nothing for two arrays of one type, a constant for a scalar."""
    if isinstance(x, Array):
        if isinstance(y, Array):
            return (x, y) if x.aval == y.aval else None
        if type(y) in dtypes.python_scalar_dtypes:
            dtype, weak_type = common_type((x, y))
            if dtype == x.aval.dtype and weak_type == x.aval.weak_type:
                return x, cast(y, dtype, weak_type)
    elif isinstance(y, Array) and type(x) in dtypes.python_scalar_dtypes:
        dtype, weak_type = common_type((x, y))
        if dtype == y.aval.dtype and weak_type == y.aval.weak_type:
            return cast(x, dtype, weak_type), y
    return None


def promote_args_numeric(name: str, *args: Any) -> Sequence[Any]:
    """As :func:`promote_args`, with booleans becoming integers."""
    check_arraylike(name, *args)
    return promote_shapes(name, *promote_dtypes_numeric(*map(as_operand, args)))


def promote_args_inexact(name: str, *args: Any) -> Sequence[Any]:
    """As :func:`promote_args`, with integers and booleans becoming floats."""
    check_arraylike(name, *args)
    return promote_shapes(name, *promote_dtypes_inexact(*map(as_operand, args)))


# -- dtypes ----------------------------------------------------------------------------------------


def promote_dtypes(*args: Any) -> list[Any]:
    """Convert operands to their common dtype; the result is weak if all of them are."""
    dtype, weak_type = common_type(args)
    return [cast(x, dtype, weak_type) for x in args]


def promote_dtypes_numeric(*args: Any) -> list[Any]:
    """As :func:`promote_dtypes`, with booleans becoming integers."""
    dtype, weak_type = common_type(args)
    dtype = dtypes.canonicalize_dtype(dtypes.to_numeric_dtype(dtype))
    return [cast(x, dtype, weak_type) for x in args]


def promote_dtypes_inexact(*args: Any) -> list[Any]:
    """As :func:`promote_dtypes`, with integers and booleans becoming floats."""
    dtype, weak_type = common_type(args)
    inexact = _inexact(dtype)
    return [cast(x, inexact, weak_type) for x in args]


def inexact_dtype(*args: Any) -> np.dtype:
    """Return the dtype in which functions like ``mean`` of these operands are computed."""
    return _inexact(common_type(args)[0])


def _inexact(dtype: Any) -> np.dtype:
    return dtypes.canonicalize_dtype(dtypes.to_inexact_dtype(dtype))


def common_type(args: Sequence[Any]) -> tuple[Any, bool]:
    """Return the dtype of an operation on operands, and whether it is weak."""
    flags = snapshot()
    avals = [x.aval if isinstance(x, Array) else typeof(x) for x in args]
    types = tuple([(a.dtype, a.weak_type and a.dtype != _BOOL) for a in avals])
    return _joined(flags.enable_x64, flags.numpy_dtype_promotion == "strict", types)


@cache
def _joined(x64: bool, strict: bool, types: tuple[tuple[Any, bool], ...]) -> tuple[Any, bool]:
    dtype, weak_type = join(x64, strict, types)
    if isinstance(dtype, np.dtype):
        dtype = dtypes.canonicalize_dtype(dtype)
    return dtype, weak_type


def cast(x: Any, dtype: Any, weak_type: bool = False) -> Any:
    """Convert an operand to a canonical dtype; scalars of Python and NumPy become constants.

    Raises
    ------
    OverflowError
        If a Python integer does not fit into the default integer.
    """
    if isinstance(x, Array):
        aval = x.aval
        if aval.dtype == dtype and aval.weak_type == weak_type:
            return x
        return convert(x, dtype, weak_type)
    if isinstance(x, (bool, int, float, complex)):
        if weak_type and typeof(x) == ShapedArray((), dtype, True):
            return x
        value = scalar_constant(x, dtype)
        return _weakly(value) if weak_type else value
    if not weak_type and typeof(x).dtype == dtype:
        return x
    return convert(x, dtype, weak_type)


def scalar_constant(x: complex, dtype: np.dtype) -> np.ndarray:
    """Return a Python scalar as an ndarray without axes; integers wrap around."""
    if not isinstance(x, complex) and _fits(x, dtype):
        return np.asarray(x, dtype)
    if isinstance(x, int) and not isinstance(x, bool):
        return dtypes.coerce_to_array(x).astype(dtype)
    with np.errstate(all="ignore"):
        return np.asarray(x).astype(dtype)


def _weakly(value: np.ndarray) -> Any:
    """Return a scalar as a weakly typed one: a Python scalar if that has the same dtype."""
    scalar = value.item()
    return scalar if typeof(scalar).dtype == value.dtype else convert(value, value.dtype, True)


def _fits(x: float, dtype: np.dtype) -> bool:
    """Tell quickly that a number cannot overflow; most do not."""
    return -_SAFE < x < _SAFE and dtype.itemsize >= 4 and (x >= 0 or dtype.kind != "u")


def constant_like(x: Any, value: Any) -> Any:
    """Return a scalar of the dtype of ``x``, weak if ``x`` is: it changes no type in operations."""
    aval = typeof(x)
    dtype: Any = aval.dtype
    constant = np.asarray(value).astype(dtype)
    return _weakly(constant) if aval.weak_type else constant


# -- shapes ----------------------------------------------------------------------------------------


def promote_shapes(name: str, *args: Any) -> Sequence[Any]:
    """Give operands one rank by leading axes of length one; scalars stay as they are.

    Raises
    ------
    ValueError
        If the shapes do not fit, or ``jax_numpy_rank_promotion`` forbids it.
    """
    shapes = [x.shape if hasattr(x, "shape") else () for x in args]
    ranks = {len(shape) for shape in shapes if shape}
    if len(ranks) < 2:
        return args
    check_rank_promotion(name, shapes)
    rank = len(lax.broadcast_shapes(*shapes))
    return [
        lax.broadcast_to_rank(x, rank) if shape else x
        for x, shape in zip(args, shapes, strict=True)
    ]


def check_rank_promotion(name: str, shapes: Sequence[tuple[int, ...]]) -> None:
    """Warn or raise as the flag ``jax_numpy_rank_promotion`` says."""
    policy = snapshot().numpy_rank_promotion
    if policy == "allow" or len({len(shape) for shape in shapes if shape}) < 2:
        return
    listed = " ".join(map(str, shapes))
    if policy == "raise":
        raise ValueError(
            f"Operands could not be broadcast together for {name} on shapes {listed} and with "
            f"the config option jax_numpy_rank_promotion='raise'. For more information, see "
            f"{_RANKS_URL}."
        )
    warnings.warn(
        f"Following NumPy automatic rank promotion for {name} on shapes {listed}. Set the "
        "jax_numpy_rank_promotion config option to 'allow' to disable this warning; for more "
        f"information, see {_RANKS_URL}.",
        stacklevel=3,
    )
