"""What do the operators and methods of arrays do?

Each name that :mod:`minijax.core.array` forwards is a function here: most are functions of
``minijax.numpy`` under the same name, a few differ, ``x.reshape(2, 3)`` for one. Importing
``minijax.numpy`` installs this module in the hook that arrays look at.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.array import Array
from minijax.numpy import floats, searching
from minijax.numpy import shapes as _shapes
from minijax.numpy.convert import astype as _astype
from minijax.numpy.convert import copy, view
from minijax.numpy.cumulative import cumprod, cumsum
from minijax.numpy.division import divmod, floor_divide, power, remainder
from minijax.numpy.indexed_update import _IndexUpdateHelper as at
from minijax.numpy.indexing import getitem
from minijax.numpy.joining import unstack
from minijax.numpy.products import dot, matmul
from minijax.numpy.reductions import (
    all,
    any,
    argmax,
    argmin,
    max,
    mean,
    min,
    prod,
    ptp,
    std,
    sum,
    var,
)
from minijax.numpy.repeating import repeat
from minijax.numpy.searching import nonzero, searchsorted
from minijax.numpy.selection import clip
from minijax.numpy.shapes import matrix_transpose, ravel, squeeze, swapaxes
from minijax.numpy.sorting import argsort, sort
from minijax.numpy.taking import choose, take
from minijax.numpy.triangles import diagonal, trace
from minijax.numpy.ufuncs import (
    abs,
    add,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    conj,
    equal,
    greater,
    greater_equal,
    imag,
    left_shift,
    less,
    less_equal,
    multiply,
    negative,
    not_equal,
    positive,
    real,
    right_shift,
    subtract,
    true_divide,
)
from minijax.primitives.conversion import convert

conjugate = conj


def reshape(
    x: Array, *args: Any, order: str = "C", copy: bool | None = None, out_sharding: Any = None
) -> Any:
    """Give the array another shape: ``x.reshape(2, 3)`` or ``x.reshape((2, 3))``."""
    shape = args[0] if len(args) == 1 else args
    return _shapes.reshape(x, shape, order)


def transpose(x: Array, *args: Any) -> Any:
    """Put the axes in another order: ``x.transpose(1, 0)`` or ``x.transpose((1, 0))``."""
    if not args or args == (None,):
        return _shapes.transpose(x)
    axes = args[0] if len(args) == 1 and not hasattr(args[0], "__index__") else args
    return _shapes.transpose(x, axes)


def compress(
    x: Array,
    condition: Any,
    axis: int | None = None,
    *,
    size: int | None = None,
    fill_value: Any = 0,
    out: None = None,
) -> Any:
    """Return the slices of the array where a condition of one axis holds."""
    return searching.compress(condition, x, axis, size=size, fill_value=fill_value, out=out)


def flatten(x: Array, order: str = "C") -> Any:
    """Return the array seen as flat."""
    return ravel(x, order)


def astype(x: Array, dtype: Any, copy: bool = False, device: Any = None) -> Any:
    """Convert the array to another dtype."""
    return _astype(x, dtype, copy=copy, device=device)


def round(x: Array, decimals: int | None = None, out: None = None) -> Any:
    """Round; Python's ``round(x)`` without a number of decimals gives integers."""
    return floats.round(x, 0 if decimals is None else decimals, out)


def python_round(x: Array, decimals: int | None = None) -> Any:
    """Round as the built-in function: without a number of decimals to integers."""
    rounded = floats.round(x, decimals or 0)
    if decimals is not None or not dtypes.issubdtype(rounded.dtype, np.inexact):
        return rounded
    return convert(rounded, dtypes.default_int_dtype())


def array_namespace(api_version: str | None = None) -> Any:
    """Return ``minijax.numpy``, the namespace of the Python array API."""
    if api_version is not None and api_version != "2024.12":
        raise ValueError(f"api_version={api_version!r} is not available; it is '2024.12'.")
    return sys.modules["minijax.numpy"]


__all__ = [
    "abs", "add", "all", "any", "argmax", "argmin", "argsort", "array_namespace", "astype", "at",
    "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "choose", "clip", "compress",
    "conjugate", "copy", "cumprod", "cumsum", "diagonal", "divmod", "dot", "equal", "flatten",
    "floor_divide", "getitem", "greater", "greater_equal", "imag", "left_shift", "less",
    "less_equal", "matmul", "matrix_transpose", "max", "mean", "min", "multiply", "negative",
    "nonzero", "not_equal", "positive", "power", "prod", "ptp", "python_round", "ravel", "real",
    "remainder", "repeat", "reshape", "right_shift", "round", "searchsorted", "sort", "squeeze",
    "std", "subtract", "sum", "swapaxes", "take", "trace", "transpose", "true_divide", "unstack",
    "var", "view",
]  # fmt: skip
