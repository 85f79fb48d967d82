"""Are two arrays equal, as a whole?"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax import lax
from minijax.core import dtypes
from minijax.numpy.calls import staged_call
from minijax.numpy.convert import asarray
from minijax.numpy.elementwise import isclose
from minijax.numpy.promotion import dtype_of, promote_args, promote_dtypes
from minijax.numpy.reductions import all


@staged_call(static_argnames=("equal_nan",))
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether all elements of two arrays are close; the arguments are those of ``isclose``.

    Examples
    --------
    >>> allclose(asarray([1.0, 2.0]), asarray([1.0, 2.00001]))
    Array(True, dtype=bool)
    """
    a, b = promote_args("allclose", a, b)
    return all(isclose(a, b, rtol, atol, equal_nan=equal_nan))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether two arrays have one shape and equal elements.

    Parameters
    ----------
    a1, a2 : array_like or nested lists
    equal_nan : bool
        Whether NaN equals NaN.

    Examples
    --------
    >>> array_equal(asarray([1, 2]), [1, 2])
    Array(True, dtype=bool)
    """
    x, y = asarray(a1), asarray(a2)
    if x.shape != y.shape:
        return asarray(False)
    return all(_equal(x, y, equal_nan))


def _equal(x: Any, y: Any, equal_nan: bool) -> Any:
    x, y = promote_dtypes(x, y)
    same = lax.eq(x, y)
    if not equal_nan:
        return same
    return lax.bitwise_or(same, lax.bitwise_and(lax.ne(x, x), lax.ne(y, y)))


def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether two arrays are equal after broadcasting; False if they do not fit.

    Parameters
    ----------
    a1, a2 : array_like or nested lists
    """
    x, y = asarray(a1), asarray(a2)
    try:
        lax.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return asarray(False)
    return all(lax.eq(*promote_args("array_equiv", x, y)))


# -- questions about types -----------------------------------------------------------------------


def iscomplexobj(x: Any) -> bool:
    """Tell whether an array or scalar has a complex dtype, whatever its values."""
    if x is None:
        return False
    try:
        return dtypes.issubdtype(dtype_of(x), np.complexfloating)
    except TypeError:
        return np.iscomplexobj(x)


def isrealobj(x: Any) -> bool:
    """Tell whether an array or scalar has a dtype that is not complex."""
    return not iscomplexobj(x)


def isscalar(element: Any) -> bool:
    """Tell whether something is a scalar, of Python, NumPy, or an array without axes."""
    if np.isscalar(element):
        return True
    if isinstance(element, (np.ndarray, np.generic)) or hasattr(element, "aval"):
        return np.ndim(element) == 0 if isinstance(element, np.ndarray) else element.ndim == 0
    return False


def iterable(y: Any) -> bool:
    """Tell whether something can be iterated over."""
    return np.iterable(y)
