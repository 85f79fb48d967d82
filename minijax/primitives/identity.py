"""Which operations are there for the transformations, not for their values?

``copy`` returns what it was given, in memory of its own. ``stop_gradient`` returns what it was
given and tells differentiation to take it for a constant. ``add_any`` is the sum of cotangents
that the machinery of derivatives writes where a variable was used twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import ALL_KINDS, Arg, AxisInfo, Primitive, add_any_p
from minijax.core.tree import tree_map
from minijax.primitives.broadcasting import batch_axis_at
from minijax.primitives.operands import ArrayLike, check_operands, elementwise_batch
from minijax.stablehlo.emit import Emitter
from minijax.stablehlo.ir import Value

# -- operations that change nothing ------------------------------------------------------------

copy_p = Primitive("copy")


def copy(x: ArrayLike) -> Any:
    """Return an array with the same elements in memory of its own."""
    check_operands("copy", x)
    return copy_p.bind(x)


@copy_p.abstract
def copy_abstract(x: ShapedArray) -> ShapedArray:
    return x


@copy_p.reference
def copy_reference(x: np.ndarray) -> np.ndarray:
    return x.copy()


@copy_p.linear_in(0)
def copy_transpose(ct: Any, x: Any) -> list[Any]:
    return [ct]


elementwise_batch(copy_p)


@copy_p.lower
def copy_lower(ctx: Emitter, x: Value) -> Value:
    return x  # a compiled program never writes over its operands


copy_p.sample(Arg((2, 3)), _dtypes=ALL_KINDS)


stop_gradient_p = Primitive("stop_gradient")


def stop_gradient(x: Any) -> Any:
    """Return ``x``, to be treated as a constant by differentiation.

    Parameters
    ----------
    x : pytree of array_like

    Returns
    -------
    pytree of Array
        The same values, with a derivative of zero.

    Examples
    --------
    The gradient of ``x * stop_gradient(x)`` at 3.0 is 3.0.
    """
    return tree_map(_stop_gradient_of_leaf, x)


def _stop_gradient_of_leaf(x: Any) -> Any:
    return x if typeof(x).dtype == dtypes.float0 else stop_gradient_p.bind(x)


@stop_gradient_p.abstract
def stop_gradient_abstract(x: ShapedArray) -> ShapedArray:
    return x


@stop_gradient_p.reference
def stop_gradient_reference(x: np.ndarray) -> np.ndarray:
    return x


stop_gradient_p.jvp_zero("its tangent is zero by definition")
elementwise_batch(stop_gradient_p)


@stop_gradient_p.lower
def stop_gradient_lower(ctx: Emitter, x: Value) -> Value:
    return x


stop_gradient_p.sample(Arg((2, 3)), _smooth=False)  # zero by definition, not by calculus


# -- the sum of cotangents ---------------------------------------------------------------------


def add_any(x: ArrayLike, y: ArrayLike) -> Any:
    """Add two tangents or cotangents of one type."""
    return add_any_p.bind(x, y)


@add_any_p.abstract
def add_any_abstract(x: ShapedArray, y: ShapedArray) -> ShapedArray:
    if (x.shape, x.dtype) != (y.shape, y.dtype):
        raise TypeError(f"add_any requires operands of one type, got {x} and {y}.")
    return x.update(weak_type=x.weak_type and y.weak_type)


@add_any_p.reference
def add_any_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.add(x, y)


@add_any_p.linear_in(...)
def add_any_transpose(ct: Any, x: Any, y: Any) -> list[Any]:
    return [ct, ct]


@add_any_p.batch
def add_any_batch(axis: AxisInfo, args: Sequence[Any], dims: Sequence[Any]):
    dim = next(d for d in dims if d is not None)
    x, y = [batch_axis_at(z, d, dim, axis.size) for z, d in zip(args, dims, strict=True)]
    return add_any_p.bind(x, y), dim


@add_any_p.lower
def add_any_lower(ctx: Emitter, x: Value, y: Value) -> Value:
    return ctx.op("stablehlo.add", x, y)


add_any_p.sample(Arg((2, 3)), Arg((2, 3)))
add_any_p.sample(Arg(()), Arg(()))
