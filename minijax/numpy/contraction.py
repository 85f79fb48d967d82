"""How is a sum of products written as a formula, and computed two operands at a time?

``einsum("ij,jk->ik", a, b)`` names the axes; names that are missing in the result are summed
over. The library opt_einsum finds a cheap order of contractions. Each contraction of two operands
is one ``dot_general``, after what concerns one operand alone: names repeated in it take the
diagonal, names found nowhere else are summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import opt_einsum
from opt_einsum.parser import parse_einsum_input

from minijax import lax
from minijax.core import dtypes
from minijax.numpy.convert import asarray
from minijax.numpy.promotion import as_operand, check_arraylike, common_type, dtype_of
from minijax.primitives.conversion import convert


def einsum(
    subscripts: Any,
    /,
    *operands: Any,
    out: None = None,
    optimize: Any = "auto",
    precision: Any = None,
    preferred_element_type: Any = None,
    _dot_general: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Sum of products, given by names of axes.

    Parameters
    ----------
    subscripts : str
        One letter per axis, operands separated by commas; ``->`` and the names of the result. An
        ellipsis stands for further axes, which broadcast. Without ``->`` the result has, in
        alphabetic order, the names that occur once. Or operands and lists of numbers in turn.
    *operands : array_like
    out : None
        Not supported.
    optimize : str, bool or list of tuples
        How to find the order of contractions: an algorithm of opt_einsum or the order itself;
        False contracts from left to right.
    precision : optional
        How exactly to compute, where the hardware has a choice.
    preferred_element_type : dtype-like, optional
        In which to accumulate, and of the result.
    out_sharding : None
        Accepted for compatibility.

    Raises
    ------
    ValueError
        If the names do not fit the operands.

    Examples
    --------
    >>> x = asarray([[1, 2], [3, 4]])
    >>> einsum("ij,ij->i", x, x)
    Array([ 5, 25], dtype=int32)
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.einsum is not supported.")
    formula, arrays = _parsed(subscripts, operands)
    if preferred_element_type is None:
        dtype, weak_type = common_type(arrays)
        dtype = dtypes.result_type(*arrays) if weak_type else dtype
    else:
        dtype = dtypes.check_and_canonicalize_user_dtype(preferred_element_type, "einsum")
        weak_type = False
    steps = _contractions(formula, [x.shape for x in arrays], optimize)
    multiply = _Multiplication(_dot_general or lax.dot_general, precision, dtype)
    remaining = list(arrays)
    for positions, names in steps:
        inputs, result = names.split("->")
        chosen = [remaining.pop(i) for i in positions]
        remaining.append(_contract(chosen, inputs.split(","), result, multiply))
    return convert(remaining[0], dtype, weak_type)


def einsum_path(subscripts: Any, /, *operands: Any, optimize: Any = "auto") -> tuple[Any, Any]:
    """Return the order of contractions that :func:`einsum` would take, and its description.

    Parameters
    ----------
    subscripts, *operands, optimize
        As for :func:`einsum`.
    """
    formula, arrays = _parsed(subscripts, operands)
    shapes = [x.shape for x in arrays]
    return opt_einsum.contract_path(formula, *shapes, shapes=True, optimize=_path(optimize, shapes))


def _parsed(subscripts: Any, operands: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return the complete formula, without ellipses, and the operands."""
    if not isinstance(subscripts, str):
        everything = (subscripts, *operands)
        pairs = len(everything) // 2
        operands = everything[: 2 * pairs : 2]
        check_arraylike("einsum", *operands)
        arrays = [asarray(as_operand(x)) for x in operands]
        mixed: list[Any] = []
        for x, names in zip(arrays, everything[1 : 2 * pairs : 2], strict=True):
            mixed += [np.broadcast_to(np.int8(0), x.shape), list(names)]
        mixed += everything[2 * pairs :]
        parsed = parse_einsum_input(mixed)
        return f"{parsed[0]}->{parsed[1]}", arrays
    check_arraylike("einsum", *operands)
    arrays = [asarray(as_operand(x)) for x in operands]
    shapes = [x.shape for x in arrays]
    inputs, result, _ = parse_einsum_input((subscripts, *shapes), shapes=True)
    return f"{inputs}->{result}", arrays


def _path(optimize: Any, shapes: Sequence[Any]) -> Any:
    if optimize is True:
        return "optimal"
    if optimize is False:
        return [(0, 1)] * (len(shapes) - 1) or [(0,)]
    return optimize


def _contractions(
    formula: str, shapes: Sequence[tuple[int, ...]], optimize: Any
) -> list[tuple[tuple[int, ...], str]]:
    """Return which operands to contract in turn, and the formula of each contraction."""
    steps: Any = opt_einsum.contract_path(
        formula, *shapes, shapes=True, optimize=_path(optimize, shapes), einsum_call=True
    )[1]
    return [(step[0], step[2]) for step in steps]


class _Multiplication:
    """How two operands are multiplied: with which function, precision and result dtype."""

    def __init__(self, dot_general: Any, precision: Any, dtype: Any):
        self.dot_general = dot_general
        self.precision = precision
        self.dtype = dtype

    def __call__(self, lhs: Any, rhs: Any, numbers: Any) -> Any:
        return self.dot_general(
            lhs, rhs, numbers, precision=self.precision, preferred_element_type=self.dtype
        )


def _contract(
    operands: Sequence[Any], names: Sequence[str], result: str, multiply: _Multiplication
) -> Any:
    """Contract one, two or more operands by a formula without ellipses."""
    if len(operands) > 2:
        joint = "".join(dict.fromkeys("".join(names[:2])))
        later = set("".join(names[2:]) + result)
        kept = "".join(name for name in joint if name in later)
        first = _contract(operands[:2], names[:2], kept, multiply)
        return _contract([first, *operands[2:]], [kept, *names[2:]], result, multiply)
    reduced = []
    for i, (x, own) in enumerate(zip(operands, names, strict=True)):
        others = result + "".join(names[:i]) + "".join(names[i + 1 :])
        reduced.append(_reduce_alone(x, own, set(others)))
    if len(reduced) == 1:
        (x, own), *_ = reduced
        return _ordered(x, own, result)
    (lhs, lhs_names), (rhs, rhs_names) = reduced
    return _contract_pair(lhs, lhs_names, rhs, rhs_names, result, multiply)


def _reduce_alone(x: Any, names: str, needed: set[str]) -> tuple[Any, str]:
    """Take diagonals over repeated names, and sum over names that nothing else needs."""
    for name in dict.fromkeys(names):
        places = [i for i, other in enumerate(names) if other == name]
        if len(places) > 1:
            x = _keep_diagonal(x, places)
            dropped = places if name not in needed else places[:-1]
            x = _sum(x, dropped)
            names = "".join(n for i, n in enumerate(names) if i not in dropped)
    lonely = [i for i, name in enumerate(names) if name not in needed]
    return _sum(x, lonely), "".join(n for i, n in enumerate(names) if i not in lonely)


def _keep_diagonal(x: Any, places: Sequence[int]) -> Any:
    """Put zeros where the indices along some axes differ."""
    length = x.shape[places[0]]
    first = lax.broadcasted_iota(np.uint32, (length,) * len(places), 0)
    equal = None
    for i in range(1, len(places)):
        other = lax.broadcasted_iota(np.uint32, (length,) * len(places), i)
        same = lax.eq(first, other)
        equal = same if equal is None else lax.bitwise_and(equal, same)
    mask = lax.broadcast_in_dim(equal, x.shape, tuple(places))
    return lax.select(mask, x, lax.full_like(x, 0))


def _sum(x: Any, axes: Sequence[int]) -> Any:
    if not axes:
        return x
    return (lax.reduce_or if dtype_of(x) == np.bool_ else lax.reduce_sum)(x, tuple(axes))


def _ordered(x: Any, names: str, result: str) -> Any:
    if names == result:
        return x
    return lax.transpose(x, tuple(names.index(name) for name in result))


def _contract_pair(
    lhs: Any, lhs_names: str, rhs: Any, rhs_names: str, result: str, multiply: _Multiplication
) -> Any:
    lhs, lhs_names, rhs, rhs_names = _drop_broadcast(lhs, lhs_names, rhs, rhs_names)
    lhs, lhs_names = _reduce_alone(lhs, lhs_names, set(result + rhs_names))
    rhs, rhs_names = _reduce_alone(rhs, rhs_names, set(result + lhs_names))
    shared = [name for name in lhs_names if name in rhs_names]
    batch = [name for name in result if name in shared]
    contracted = [name for name in shared if name not in result]
    lhs_rest = [name for name in lhs_names if name not in shared]
    rhs_rest = [name for name in rhs_names if name not in shared]
    if [*batch, *rhs_rest, *lhs_rest] == list(result):  # then nothing needs to be transposed
        lhs, lhs_names, lhs_rest, rhs, rhs_names, rhs_rest = (
            rhs, rhs_names, rhs_rest, lhs, lhs_names, lhs_rest,
        )  # fmt: skip
    numbers = (
        (_at(contracted, lhs_names), _at(contracted, rhs_names)),
        (_at(batch, lhs_names), _at(batch, rhs_names)),
    )
    out = multiply(lhs, rhs, numbers)
    return _ordered(out, "".join([*batch, *lhs_rest, *rhs_rest]), result)


def _at(chosen: Sequence[str], names: str) -> tuple[int, ...]:
    return tuple(names.index(name) for name in chosen)


def _drop_broadcast(
    lhs: Any, lhs_names: str, rhs: Any, rhs_names: str
) -> tuple[Any, str, Any, str]:
    """Squeeze axes of length one whose partner in the other operand is longer."""
    sizes = [dict(zip(n, x.shape, strict=True)) for n, x in ((lhs_names, lhs), (rhs_names, rhs))]
    both = set(lhs_names) & set(rhs_names)
    out = []
    for own, other, x, names in (
        (sizes[0], sizes[1], lhs, lhs_names),
        (sizes[1], sizes[0], rhs, rhs_names),
    ):
        thin = [i for i, n in enumerate(names) if n in both and own[n] == 1 and other[n] != 1]
        out += [
            lax.squeeze(x, tuple(thin)) if thin else x,
            "".join(n for i, n in enumerate(names) if i not in thin),
        ]
    return tuple(out)  # type: ignore[return-value]
