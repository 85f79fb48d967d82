"""Which loops are written with scan and while_loop?

``fori_loop`` counts: it is a scan where the bounds are known, and so can be differentiated, and a
while loop where they are not. ``map`` is a scan that carries nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minijax.config import config
from minijax.core import dtypes
from minijax.core.aval import typeof
from minijax.core.primitive import AxisInfo
from minijax.core.trace import Tracer
from minijax.core.tree import PyTreeDef, tree_flatten, tree_leaves, tree_unflatten
from minijax.higher_order.bodies import flatten_operands
from minijax.higher_order.scan import run_scan
from minijax.higher_order.while_loop import run_while
from minijax.primitives.arithmetic import add
from minijax.primitives.conversion import convert
from minijax.primitives.cutting import slice
from minijax.primitives.joining import concatenate
from minijax.primitives.logic import lt
from minijax.primitives.structural import reshape
from minijax.transforms.batching import batch, place_batch_axis
from minijax.transforms.flat import FlatFunction

# -- fori_loop -------------------------------------------------------------------------------------


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable[[Any, Any], Any],
    init_val: Any,
    *,
    unroll: int | bool | None = None,
) -> Any:
    """Loop over the integers from ``lower`` up to, not including, ``upper``.

    Written out in Python::

        def fori_loop(lower, upper, body_fun, init_val):
            val = init_val
            for i in range(lower, upper):
                val = body_fun(i, val)
            return val

    With bounds that are known when the loop is traced it is a ``scan`` and can be differentiated
    in reverse mode; otherwise it is a ``while_loop``.

    Parameters
    ----------
    lower, upper : integer scalar
    body_fun : callable
        From the counter and the carried value to the next one, of the same structure, shapes and
        dtypes.
    init_val : pytree of array_like
        The carried value at the start.
    unroll : int or bool, optional
        As in ``scan``; only where the bounds are known.

    Returns
    -------
    pytree of Array
        The carried value after the last iteration.

    Raises
    ------
    TypeError
        If the bounds have different types or the carried value changes its type.
    ValueError
        If ``unroll`` is given and the bounds are not known.

    Examples
    --------
    >>> fori_loop(0, 5, lambda i, total: total + i, 0)
    Array(10, dtype=int32, weak_type=True)
    """
    if not callable(body_fun):
        raise TypeError("lax.fori_loop: body_fun argument should be callable.")
    lower, upper = _bounds_of_one_type(lower, upper)
    if _is_concrete(lower) and _is_concrete(upper):
        return _loop_of_known_length(int(lower), int(upper), body_fun, init_val, unroll)
    if unroll is not None:
        raise ValueError(
            "Can only use `unroll` in `fori_loop` if the loop bounds are statically known."
        )
    return _loop_of_unknown_length(lower, upper, body_fun, init_val)


def _bounds_of_one_type(lower: Any, upper: Any) -> tuple[Any, Any]:
    """Give a weakly typed integer bound the type of the other."""
    first, second = typeof(lower), typeof(upper)
    if first.dtype == second.dtype:
        return lower, upper
    if all(dtypes.issubdtype(aval.dtype, np.signedinteger) for aval in (first, second)):
        if first.weak_type and not second.weak_type:
            return convert(lower, second.dtype), upper
        if second.weak_type and not first.weak_type:
            return lower, convert(upper, first.dtype)
    raise TypeError(
        "lower and upper arguments to fori_loop must have equal types, got "
        f"{first.dtype.name} and {second.dtype.name}"
    )


def _is_concrete(x: Any) -> bool:
    return not isinstance(x, Tracer) or x.concrete_value() is not None


def _loop_of_known_length(
    lower: int,
    upper: int,
    body_fun: Callable[[Any, Any], Any],
    init_val: Any,
    unroll: int | bool | None,
) -> Any:
    def scanned_fun(loop_carry: tuple[Any, Any], _: None) -> tuple[Any, None]:
        i, value = loop_carry
        return (add(i, 1), body_fun(i, value)), None

    length = max(upper - lower, 0)
    if config.disable_jit and length == 0:
        return init_val
    (_, value), _ = run_scan(
        scanned_fun, (lower, init_val), None, length,
        unroll=1 if unroll is None else unroll, owner=body_fun,
    )  # fmt: skip
    return value


def _loop_of_unknown_length(
    lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any
) -> Any:
    def counting_body(loop_carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        i, upper, value = loop_carry
        aval = typeof(i)
        one = convert(1, aval.dtype, aval.weak_type)
        return add(i, one), upper, body_fun(i, value)

    def counting_cond(loop_carry: tuple[Any, Any, Any]) -> Any:
        i, upper, _ = loop_carry
        return lt(i, upper)

    return run_while(counting_cond, counting_body, (lower, upper, init_val), owner=body_fun)[2]


# -- map -------------------------------------------------------------------------------------------


def map(f: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """Apply a function to the slices of arrays, one after the other, and stack the results.

    Written out in Python::

        def map(f, xs):
            return stack([f(x) for x in xs])

    Unlike ``vmap`` it needs the memory of one application only.

    Parameters
    ----------
    f : callable
        From one slice of ``xs`` to a pytree of arrays.
    xs : pytree of array_like
        Sliced along the first axis.
    batch_size : int, optional
        Number of slices to be computed at once, as by ``vmap``.

    Returns
    -------
    pytree of Array
        The results, stacked along a new first axis.

    Examples
    --------
    >>> map(lambda x: x * x, np.arange(4))
    Array([0, 1, 4, 9], dtype=int32)
    """
    if not batch_size:
        return _map_slices(f, xs, owner=f)
    leaves, tree = flatten_operands(xs)
    sizes = {typeof(x).shape[0] for x in leaves}
    if len(sizes) != 1:
        return _map_slices(f, xs, owner=f)  # which says what is wrong
    return _map_blocks(f, leaves, tree, sizes.pop(), batch_size)


def _map_blocks(
    f: Callable[[Any], Any], leaves: list[Any], tree: PyTreeDef, length: int, batch_size: int
) -> Any:
    """Map over blocks of ``batch_size`` slices, then over what is left."""
    turns, rest = divmod(length, batch_size)
    if not turns:
        return _vectorised(f, tree_unflatten(tree, leaves))
    done = length - rest
    blocks = [reshape(_rows(x, 0, done), (turns, batch_size, *typeof(x).shape[1:])) for x in leaves]
    tail = [_rows(x, done, length) for x in leaves] if rest else []

    def mapped_at_once(block: Any) -> Any:
        return _vectorised(f, block)

    # The body differs from that of an unblocked map of f, though f owns both.
    mapped = _map_slices(mapped_at_once, tree_unflatten(tree, blocks), (f, "blocks"))
    last = tree_leaves(_vectorised(f, tree_unflatten(tree, tail))) if rest else []
    outs, out_tree = tree_flatten(mapped)
    joined = [reshape(y, (done, *typeof(y).shape[2:])) for y in outs]
    if rest:
        joined = [concatenate(pair, 0) for pair in zip(joined, last, strict=True)]
    return tree_unflatten(out_tree, joined)


def _rows(x: Any, start: int, stop: int) -> Any:
    shape = typeof(x).shape
    if stop - start == shape[0]:
        return x
    return slice(x, (start, *(0 for _ in shape[1:])), (stop, *shape[1:]))


def _map_slices(f: Callable[[Any], Any], xs: Any, owner: Any) -> Any:
    def mapped(_: None, x: Any) -> tuple[None, Any]:
        return None, f(x)

    return run_scan(mapped, None, xs, None, owner=owner)[1]


def _vectorised(f: Callable[[Any], Any], block: Any) -> Any:
    """Apply a function to all slices at once: ``vmap(f)(block)``."""
    leaves, tree = tree_flatten((block,))
    size = typeof(leaves[0]).shape[0]
    flat = FlatFunction(f, tree, has_kwargs=False)
    outs, dims = batch(flat, AxisInfo(None, size), leaves, [0] * len(leaves))
    placed = [place_batch_axis(y, dim, size) for y, dim in zip(outs, dims, strict=True)]
    return tree_unflatten(flat.out_tree, placed)
