"""How is a Python function applied along axes, or to arrays as if it were made for elements?"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from minijax import lax
from minijax.api.vectorize import vmap
from minijax.core.aval import typeof
from minijax.numpy.axes import canonical_axis
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import as_operand, check_arraylike
from minijax.numpy.selection import pick
from minijax.numpy.shapes import operand, squeeze
from minijax.primitives.conversion import convert

# -- vectorize -----------------------------------------------------------------------------------


def vectorize(
    pyfunc: Callable[..., Any],
    *,
    excluded: Any = frozenset(),
    signature: str | None = None,
) -> Callable[..., Any]:
    """Make a function of arrays out of a function of elements: a ``vmap`` for each further axis.

    Parameters
    ----------
    pyfunc : callable
    excluded : set of int or str
        Arguments that are passed on as they are.
    signature : str, optional
        What ``pyfunc`` works on, such as ``"(m,n),(n)->(m)"``; by default on scalars.

    Returns
    -------
    callable
        The further axes of its arguments are broadcast.

    Examples
    --------
    >>> rows = vectorize(lambda x, y: (x * y).sum(), signature="(n),(n)->()")
    >>> rows(asarray([[1, 2], [3, 4]]), asarray([1, 1]))
    Array([3, 7], dtype=int32)
    """
    if any(not isinstance(item, (str, int)) for item in excluded):
        raise TypeError(
            "jax.numpy.vectorize can only exclude integer or string arguments, but excluded="
            f"{set(excluded)!r}"
        )
    if any(isinstance(item, int) and item < 0 for item in excluded):
        raise ValueError(f"excluded={set(excluded)!r} contains negative numbers")

    @functools.wraps(pyfunc)
    def vectorized(*args: Any, **kwargs: Any) -> Any:
        fixed = {i: args[i] for i in excluded if isinstance(i, int) and i < len(args)}
        mapped = [x for i, x in enumerate(args) if i not in fixed]
        for name in kwargs:
            if name not in excluded:
                mapped.append(kwargs[name])
        names = [name for name in kwargs if name not in excluded]
        rest = {name: x for name, x in kwargs.items() if name in excluded}
        positions = [i for i in range(len(args)) if i not in fixed]

        def call(*arrays: Any) -> Any:
            full = [fixed.get(i) for i in range(len(args))]
            for position, x in zip(positions, arrays[: len(positions)], strict=True):
                full[position] = x
            named = dict(zip(names, arrays[len(positions) :], strict=True))
            return pyfunc(*full, **named, **rest)

        check_arraylike("vectorize", *mapped)
        return _vectorized(call, [asarray(as_operand(x)) for x in mapped], signature)

    return vectorized


def _vectorized(call: Callable[..., Any], arrays: list[Any], signature: str | None) -> Any:
    if signature is None:
        inputs: list[tuple[str, ...]] = [()] * len(arrays)
        outputs: list[tuple[str, ...]] | None = None
    else:
        inputs, outputs = _parse_signature(signature)
        if len(inputs) != len(arrays):
            raise TypeError(
                f"wrong number of positional arguments: expected {len(inputs)}, got {len(arrays)}"
            )
    sizes: dict[str, int] = {}
    leading = []
    for x, core in zip(arrays, inputs, strict=True):
        leading.append(_leading_shape(x.shape, core, sizes))
    shape = lax.broadcast_shapes(*leading)
    checked = _checking(call, outputs, sizes)
    squeezed = [
        squeeze(x, tuple(i for i, n in enumerate(lead) if n == 1)) if 1 in lead else x
        for x, lead in zip(arrays, leading, strict=True)
    ]
    function = checked
    for i in reversed(range(len(shape))):
        axes = [
            0 if len(shape) - i <= len(lead) and lead[i - len(shape)] != 1 else None
            for lead in leading
        ]
        function = _mapped(function, axes, shape[i])
    return function(*squeezed)


def _mapped(function: Callable[..., Any], axes: Sequence[int | None], size: int) -> Any:
    """Map over one axis; without an argument that has it, repeat the result."""
    if any(axis is not None for axis in axes):
        return vmap(function, in_axes=tuple(axes))
    return vmap(lambda *args: function(*args), in_axes=(None,) * len(axes), axis_size=size)


_CORE = r"\((?:\w+(?:,\w+)*)?\)"
_SIGNATURE = re.compile(rf"^({_CORE}(?:,{_CORE})*)?->{_CORE}(?:,{_CORE})*$")


def _parse_signature(signature: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    text = re.sub(r"\s+", "", signature)
    if not _SIGNATURE.match(text):
        raise ValueError(f"not a valid gufunc signature: {signature}")
    both = []
    for side in text.split("->"):
        groups = re.findall(_CORE, side)
        both.append([tuple(re.findall(r"\w+", group)) for group in groups])
    return both[0], both[1]


def _leading_shape(
    shape: tuple[int, ...], core: tuple[str, ...], sizes: dict[str, int]
) -> tuple[int, ...]:
    """Return the axes before the core ones, checking the sizes of those."""
    split = len(shape) - len(core)
    if split < 0:
        raise ValueError(
            f"input with shape {shape} does not have enough dimensions for all core dimensions "
            f"{core}"
        )
    for name, n in zip(core, shape[split:], strict=True):
        expected = int(name) if name.isdigit() else sizes.setdefault(name, n)
        if n != expected:
            raise ValueError(f"inconsistent size for core dimension {name!r}: {n} vs {expected}")
    return shape[:split]


def _checking(
    call: Callable[..., Any], outputs: list[tuple[str, ...]] | None, sizes: dict[str, int]
) -> Callable[..., Any]:
    """Check the results of the function itself against the signature."""
    if outputs is None:
        return call

    def checked(*args: Any) -> Any:
        out = call(*args)
        results = out if isinstance(out, tuple) else (out,)
        if len(outputs) == 1 and isinstance(out, tuple):
            raise TypeError(f"expected one result by the signature, got a tuple of {len(out)}")
        if len(results) != len(outputs):
            raise TypeError(f"wrong number of results: expected {len(outputs)}, got {len(results)}")
        for x, core in zip(results, outputs, strict=True):
            given = typeof(x).shape
            if len(given) != len(core):
                raise ValueError(f"result of shape {given} does not match core dimensions {core}")
            _leading_shape(given, core, sizes)
        return out

    return checked


# -- along axes ----------------------------------------------------------------------------------


def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """Apply a function to the rows of an array along an axis.

    Parameters
    ----------
    func1d : callable
        Takes an array of one axis.
    axis : int
    arr : array_like
    *args, **kwargs
        Passed on to ``func1d``.

    Returns
    -------
    Array
        The axes of what ``func1d`` returns stand in the place of ``axis``.
    """
    x = operand("apply_along_axis", arr)
    axis = canonical_axis(axis, x.ndim)

    def function(row: Any) -> Any:
        return func1d(row, *args, **kwargs)

    mapped: Callable[..., Any] = function
    for i in range(1, x.ndim - axis):
        mapped = vmap(mapped, in_axes=i, out_axes=-1)
    for _ in range(axis):
        mapped = vmap(mapped, in_axes=0, out_axes=0)
    return mapped(x)


def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """Apply a function ``func(a, axis)`` over several axes, one after another.

    Parameters
    ----------
    func : callable
        Keeps the axis with length one, or removes it.
    a : array_like
    axes : int or sequence of int
    """
    x = operand("apply_over_axes", a)
    listed = (axes,) if hasattr(axes, "__index__") else tuple(axes)
    for axis in listed:
        out = func(x, axis)
        if out.ndim == x.ndim - 1:
            out = lax.expand_dims(out, (canonical_axis(axis, x.ndim),))
        if out.ndim != x.ndim:
            raise ValueError("function is not returning an array of the correct shape")
        x = out
    return x


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """Choose elements among the results of functions, by conditions.

    Parameters
    ----------
    x : array_like
    condlist : sequence of array_like of bool
        The last condition that holds decides.
    funclist : sequence of callable or scalar
        One for each condition, and possibly one more for where none holds (by default 0).
    *args, **kw
        Passed on to the functions.

    Examples
    --------
    >>> piecewise(asarray([-1.0, 2.0]), [asarray([True, False])], [5, lambda x: x * 3])
    Array([5., 6.], dtype=float32)
    """
    values = operand("piecewise", x)
    conditions = (
        [asarray(c) for c in condlist]
        if not hasattr(condlist, "ndim")
        else ([condlist] if condlist.ndim == values.ndim else list(condlist))
    )
    functions = list(funclist)
    if len(functions) == len(conditions):
        functions.append(0)
    if len(functions) != len(conditions) + 1:
        raise ValueError(
            f"with {len(conditions)} condition(s), either {len(conditions)} or "
            f"{len(conditions) + 1} functions are expected; got {len(funclist)}"
        )

    def branch(function: Any) -> Any:
        return function(values, *args, **kw) if callable(function) else function

    out = lax.full_like(values, 0)
    results = [functions[-1], *functions[:-1]]
    out = _assign(out, None, branch(results[0]))
    for condition, function in zip(conditions, results[1:], strict=True):
        out = _assign(out, condition, branch(function))
    return out


def _assign(out: Any, condition: Any, value: Any) -> Any:
    value = convert(asarray(value), out.dtype)
    return pick(True if condition is None else condition, value, out)
