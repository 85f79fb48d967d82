"""How are all partial sums found in few steps?

One after the other takes as many steps as there are elements. If the operation is associative,
neighbours can be combined in pairs first; the partial sums of the pairs, found in the same way,
are every second result, and one more combination gives the results between them. So the number of
steps is twice the logarithm of the number of elements, and every step combines whole arrays
(Blelloch, "Prefix sums and their applications", 1990).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minijax.core.aval import typeof
from minijax.core.tree import tree_flatten, tree_unflatten
from minijax.higher_order.bodies import flatten_operands
from minijax.primitives.broadcasting import expand_dims
from minijax.primitives.cutting import slice_in_dim
from minijax.primitives.joining import concatenate
from minijax.primitives.structural import reshape, rev
from minijax.util import canonicalize_axis

Combine = Callable[[list[Any], list[Any]], list[Any]]


def associative_scan(
    fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """Combine the elements along an axis up to each position.

    Parameters
    ----------
    fn : callable
        Associative: ``fn(fn(a, b), c)`` equals ``fn(a, fn(b, c))``. It is called with arrays of
        many elements along ``axis``, which it must combine one by one.
    elems : pytree of array_like
        All have the same length along ``axis``.
    reverse : bool
        Combine from the last element to the first: ``fn(last, last but one)`` and so on.
    axis : int

    Returns
    -------
    pytree of Array
        As ``elems``: first the first element, then ``fn`` of the first two, and so on.

    Raises
    ------
    TypeError
        If ``fn`` is not callable.
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> associative_scan(lambda a, b: a + b, np.arange(5))
    Array([ 0,  1,  3,  6, 10], dtype=int32)
    """
    if not callable(fn):
        raise TypeError("lax.associative_scan: fn argument should be callable.")
    leaves, tree = flatten_operands(elems)
    if not leaves:
        return elems
    axes = [canonicalize_axis(axis, typeof(x).ndim) for x in leaves]
    lengths = [typeof(x).shape[i] for x, i in zip(leaves, axes, strict=True)]
    if len(set(lengths)) > 1:
        raise ValueError(
            "Array inputs to associative_scan must have the same first dimension. (saw: "
            f"{[typeof(x).shape for x in leaves]})"
        )

    def combine(one: list[Any], other: list[Any]) -> list[Any]:
        return tree_flatten(fn(tree_unflatten(tree, one), tree_unflatten(tree, other)))[0]

    if not reverse:
        return tree_unflatten(tree, _partial_results(combine, leaves, axes, lengths[0]))
    turned = [rev(x, (i,)) for x, i in zip(leaves, axes, strict=True)]
    results = _partial_results(combine, turned, axes, lengths[0])
    return tree_unflatten(tree, [rev(x, (i,)) for x, i in zip(results, axes, strict=True)])


def _partial_results(combine: Combine, xs: list[Any], axes: list[int], length: int) -> list[Any]:
    """Return the combination of all elements up to each position."""
    if length < 2:
        return xs

    def part(arrays: list[Any], start: int, stop: int, step: int = 1) -> list[Any]:
        return [slice_in_dim(x, start, stop, step, i) for x, i in zip(arrays, axes, strict=True)]

    pairs = length // 2
    combined = combine(part(xs, 0, 2 * pairs, 2), part(xs, 1, 2 * pairs, 2))
    at_odd = _partial_results(combine, combined, axes, pairs)
    at_even = part(xs, 0, 1)
    between = length - pairs - 1
    if between:
        later = combine(part(at_odd, 0, between), part(xs, 2, length, 2))
        at_even = _joined(at_even, later, axes)
    woven = [
        _woven(even, odd, i)
        for even, odd, i in zip(part(at_even, 0, pairs), at_odd, axes, strict=True)
    ]
    return _joined(woven, part(at_even, pairs, pairs + 1), axes) if length % 2 else woven


def _joined(first: list[Any], second: list[Any], axes: list[int]) -> list[Any]:
    return [concatenate([x, y], i) for x, y, i in zip(first, second, axes, strict=True)]


def _woven(even: Any, odd: Any, axis: int) -> Any:
    """Return the elements of two arrays in turn along an axis."""
    shape = list(typeof(even).shape)
    both = concatenate([expand_dims(even, (axis + 1,)), expand_dims(odd, (axis + 1,))], axis + 1)
    shape[axis] *= 2
    return reshape(both, tuple(shape))
