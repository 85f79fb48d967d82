"""How are class labels given to a network?"""

from __future__ import annotations

import operator
from typing import Any

import minijax.numpy as jnp
from minijax import lax
from minijax.core import dtypes
from minijax.numpy.calls import staged_call
from minijax.primitives.conversion import convert
from minijax.util import canonicalize_axis


def one_hot(x: Any, num_classes: int, *, dtype: Any = None, axis: int = -1) -> Any:
    """Encode integers as vectors with a one in their place and zeros elsewhere.

    Parameters
    ----------
    x : array_like
        Labels; those outside ``range(num_classes)`` become zeros.
    num_classes : int
        The length of the vectors.
    dtype : dtype-like, optional
        Of the result, by default the default float.
    axis : int
        The axis of the result along which the vectors lie.

    Returns
    -------
    array with one axis more than ``x``

    Raises
    ------
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> one_hot([0, 2], 3)
    Array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    dtype = dtypes.check_and_canonicalize_user_dtype(float if dtype is None else dtype, "one_hot")
    return _one_hot(jnp.asarray(x), operator.index(num_classes), dtype, axis)


@staged_call(static_argnames=("num_classes", "dtype", "axis"))
def _one_hot(x: Any, num_classes: int, dtype: Any, axis: int) -> Any:
    axis = canonicalize_axis(axis, x.ndim + 1)
    classes = [1] * x.ndim
    classes.insert(axis, num_classes)
    places = lax.broadcasted_iota(x.dtype, classes, axis)
    return convert(lax.eq(lax.expand_dims(x, (axis,)), places), dtype)
