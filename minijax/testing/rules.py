"""Do the rules of a primitive agree with each other?

The rules of one operation say the same thing in different ways, so each can be held against the
others. From the samples that stand beside each primitive the checks below derive: the type rule
against the reference value, the jvp rule against finite differences and against linearize, the
transpose rule by the identity ⟨ct, J v⟩ = ⟨Jᵀ ct, v⟩, the batching rule against a loop, the second
derivative against finite differences of the first, and a compiled program against the reference,
which must return its arguments unchanged besides.

A check raises :class:`RuleError` with the primitive, sample and values; it returns the reason where
a rule is declared absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minijax.config import enable_x64
from minijax.core import dtypes
from minijax.core.array import storage_dtype
from minijax.core.aval import typeof
from minijax.core.backend import Device
from minijax.core.primitive import (
    SLOTS,
    Absent,
    AxisInfo,
    Primitive,
    Sample,
    UndefinedPrimal,
    Zero,
    instantiate,
    is_zero,
)
from minijax.core.tree import tree_leaves
from minijax.transforms.batching import batch, place_batch_axis
from minijax.transforms.dispatch import LoadedProgram, to_array
from minijax.transforms.evaluate import interpret_jaxpr
from minijax.transforms.jvp import jvp
from minijax.transforms.linearize import linearize
from minijax.transforms.staging import hoist_constants, trace_to_jaxpr
from minijax.transforms.transpose import backward_pass


class RuleError(AssertionError):
    """Two rules of a primitive disagree."""


TOLERANCES = {
    "float64": 1e-9, "complex128": 1e-9, "float32": 3e-5, "complex64": 3e-5,
    "bfloat16": 4e-2, "float16": 4e-3,
}  # fmt: skip
"""Accepted error relative to the largest value, by dtype; other dtypes must agree exactly."""


@dataclass(frozen=True, slots=True)
class Case:
    """A sample with concrete operands of one dtype.

    ``fun`` takes the operands and returns a flat list of results.
    """

    primitive: Primitive
    index: int
    dtype: str
    fun: Callable[..., list[Any]]
    operands: tuple[Any, ...]
    smooth: bool = True
    moving: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.primitive.name}-{self.index}-{self.dtype}"

    @property
    def x64(self) -> bool:
        """True if the case needs 64-bit types."""
        return any(np.dtype(x.dtype).itemsize == 8 for x in self.operands) or self.dtype in (
            "float64",
            "complex128",
            "int64",
            "uint64",
        )


def cases(primitive: Primitive, dtype: str | None = None) -> Iterator[Case]:
    """Yield the sample applications of a primitive, with operands drawn from a fixed seed."""
    for index, sample in enumerate(primitive.samples):
        for kind in sample.dtypes:
            if dtype is None or kind == dtype:
                yield make_case(primitive, index, sample, kind)


def make_case(primitive: Primitive, index: int, sample: Sample, dtype: str) -> Case:
    """Instantiate a sample with one dtype."""
    rng = np.random.default_rng([index, len(primitive.name)])
    operands = tuple(x if isinstance(x, np.ndarray) else x.draw(rng, dtype) for x in sample.args)

    def fun(*args: Any) -> list[Any]:
        if sample.fun is not None:
            return tree_leaves(sample.fun(*args))
        out = primitive.bind(*args, **sample.params)
        return list(out) if primitive.multiple_results else [out]

    return Case(primitive, index, dtype, fun, operands, sample.smooth, sample.moving)


# -- values ---------------------------------------------------------------------------------------


def evaluate(case: Case, operands: Sequence[Any] | None = None) -> list[np.ndarray]:
    """Return the results by the reference rules."""
    args = case.operands if operands is None else tuple(operands)
    with enable_x64(case.x64):
        jaxpr = trace_to_jaxpr(case.fun, [typeof(x) for x in args])
        return interpret_jaxpr(jaxpr, *(np.asarray(x) for x in args))


def _data(x: Any) -> np.ndarray:
    """Return the numbers of a result, keys as their storage."""
    if is_zero(x):
        x = instantiate(x)
    return x.value if hasattr(x, "value") else np.asarray(x)


def require_close(
    case: Case, what: str, got: Sequence[Any], expected: Sequence[Any], scale: float = 1.0
) -> None:
    """Raise unless results agree to the tolerance of their dtype."""
    if len(got) != len(expected):
        raise RuleError(f"{case}: {what}: {len(got)} results instead of {len(expected)}")
    for i, (a, b) in enumerate(zip(map(_data, got), map(_data, expected), strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise RuleError(
                f"{case}: {what}, result {i}: {a.dtype}{a.shape} instead of {b.dtype}{b.shape}"
            )
        if not _is_close(a, b, scale):
            raise RuleError(f"{case}: {what}, result {i}:\n{a}\ninstead of\n{b}")


def _is_close(a: np.ndarray, b: np.ndarray, scale: float) -> bool:
    if a.dtype == dtypes.float0:
        return True
    tolerance = TOLERANCES.get(a.dtype.name)
    if tolerance is None:
        return bool(np.array_equal(a, b))
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    a, b = a.astype(wide), b.astype(wide)
    finite = b[np.isfinite(b)]
    size = max(1.0, float(np.abs(finite).max(initial=0.0)))
    return bool(np.allclose(a, b, rtol=0, atol=tolerance * scale * size, equal_nan=True))


# -- the checks -----------------------------------------------------------------------------------


def rule_matrix() -> dict[str, dict[str, str]]:
    """Return for each primitive and slot ``"given"`` or the reason of absence.

    ``linearize`` may be left out: then the jvp rule serves. A blank cell is an empty string.
    """
    matrix = {}
    for name, primitive in sorted(Primitive.registry.items()):
        row = {}
        for slot in SLOTS:
            rule = primitive.rules.get(slot)
            if isinstance(rule, Absent):
                row[slot] = rule.reason
            elif rule is not None:
                row[slot] = "given"
            elif slot == "linearize" and "jvp" in primitive.rules:
                row[slot] = "by jvp"
            else:
                row[slot] = ""
        matrix[name] = row
    return matrix


def check_types(case: Case) -> None:
    """Hold the type rule against the reference value (the interpreter compares them)."""
    with enable_x64(case.x64):
        jaxpr = trace_to_jaxpr(case.fun, [typeof(x) for x in case.operands])
    for value, aval in zip(evaluate(case), jaxpr.out_avals, strict=True):
        if value.shape != aval.shape or value.dtype != storage_dtype(aval.dtype):
            raise RuleError(f"{case}: type rule says {aval}, value is {value.dtype}{value.shape}")


def _tangents(case: Case, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    tangents: list[Any] = []
    for i, x in enumerate(case.operands):
        aval = typeof(x).tangent()
        if aval.dtype == dtypes.float0 or (case.moving is not None and i not in case.moving):
            tangents.append(Zero(aval))
            continue
        t = rng.uniform(-1, 1, aval.shape)
        if aval.dtype.kind == "c":
            t = t + 1j * rng.uniform(-1, 1, aval.shape)
        tangents.append(np.asarray(t).astype(aval.dtype))
    return tangents


def is_differentiable(case: Case) -> bool:
    """Tell whether the case has an inexact operand and a derivative rule."""
    with enable_x64(case.x64):
        moving = any(typeof(x).tangent().dtype != dtypes.float0 for x in case.operands)
    rules = case.primitive.rules
    return moving and (callable(rules.get("jvp")) or callable(rules.get("linearize")))


def _shifted(case: Case, tangents: Sequence[Any], step: float) -> list[np.ndarray]:
    operands = [
        x if is_zero(t) else (x + step * t).astype(x.dtype)
        for x, t in zip(case.operands, tangents, strict=True)
    ]
    return evaluate(case, operands)


def check_jvp(case: Case) -> None:
    """Hold the jvp rule against central differences, in double precision."""
    with enable_x64(case.x64):
        tangents = _tangents(case, 1)
        outs, moved = jvp(case.fun, case.operands, tangents)
        require_close(case, "primal result of jvp", outs, evaluate(case))
        for x, t in zip(outs, moved, strict=True):
            aval = typeof(x).tangent()
            if not is_zero(t) and (typeof(t).shape, typeof(t).dtype) != (aval.shape, aval.dtype):
                raise RuleError(f"{case}: tangent of type {typeof(t)} for a result of {typeof(x)}")
        if case.dtype not in ("float64", "complex128") or not case.smooth:
            return
        step = 1e-6
        forward, back = _shifted(case, tangents, step), _shifted(case, tangents, -step)
        for i, (t, hi, lo) in enumerate(zip(moved, forward, back, strict=True)):
            if hi.dtype.kind not in "fc":
                continue
            _require_difference(case, f"tangent {i} of jvp", _data(t), (hi - lo) / (2 * step))


def _require_difference(case: Case, what: str, got: np.ndarray, difference: np.ndarray) -> None:
    size = max(1.0, float(np.abs(difference).max(initial=0.0)))
    if not np.allclose(got, difference, rtol=0, atol=2e-5 * size, equal_nan=True):
        raise RuleError(f"{case}: {what}:\n{got}\nbut finite differences give\n{difference}")


def check_linearize(case: Case) -> None:
    """Hold the linear program against the jvp rule."""
    with enable_x64(case.x64):
        tangents = _tangents(case, 2)
        outs, moved = jvp(case.fun, case.operands, tangents)
        nonzeros = [not is_zero(t) for t in tangents]
        primals, varying, linear = linearize(case.fun, case.operands, nonzeros)
        require_close(case, "primal result of linearize", primals, outs)
        results = iter(_apply(linear, [t for t in tangents if not is_zero(t)]))
        for i, (x, t, bit) in enumerate(zip(outs, moved, varying, strict=True)):
            got = next(results) if bit else Zero(typeof(x).tangent())
            require_close(case, f"tangent {i} of linearize", [got], [t], scale=4)


def _apply(jaxpr: Any, args: Sequence[Any]) -> list[np.ndarray]:
    return interpret_jaxpr(jaxpr, *(np.asarray(x) for x in args))


def check_transpose(case: Case) -> None:
    """Check ⟨ct, J v⟩ = ⟨Jᵀ ct, v⟩ for random v and ct."""
    if not case.smooth:
        return
    with enable_x64(case.x64):
        tangents = _tangents(case, 3)
        nonzeros = [not is_zero(t) for t in tangents]
        _, _, linear = linearize(case.fun, case.operands, nonzeros)
        moving = [t for t in tangents if not is_zero(t)]
        moved = _apply(linear, moving)
        rng = np.random.default_rng(4)
        cts = [_random_like(rng, y) for y in moved]
        undefined = [UndefinedPrimal(var.aval) for var in linear.invars]  # type: ignore[arg-type]
        back = [_data(ct) for ct in backward_pass(linear, undefined, cts)]
        for ct, t in zip(back, moving, strict=True):
            if (ct.shape, ct.dtype) != (t.shape, t.dtype):
                raise RuleError(f"{case}: cotangent {ct.dtype}{ct.shape} for {t.dtype}{t.shape}")
        left, right = _pairing(cts, moved), _pairing(back, moving)
        size = 1.0 + sum(
            float(np.abs(_wide(a) * _wide(b)).sum()) for a, b in zip(cts, moved, strict=True)
        )
        tolerance = TOLERANCES[case.dtype] if case.dtype in TOLERANCES else 1e-4
        if abs(left - right) > 4 * tolerance * size:
            raise RuleError(f"{case}: <ct, Jv> = {left} but <J^T ct, v> = {right}")


def _random_like(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    value = rng.uniform(-1, 1, y.shape)
    if y.dtype.kind == "c":
        value = value + 1j * rng.uniform(-1, 1, y.shape)
    return np.asarray(value).astype(y.dtype)


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def _pairing(xs: Sequence[np.ndarray], ys: Sequence[np.ndarray]) -> float:
    return sum(float((_wide(x) * _wide(y)).sum().real) for x, y in zip(xs, ys, strict=True))


def check_second_derivative(case: Case) -> None:
    """Hold the jvp of the jvp against central differences of the jvp."""
    if case.dtype != "float64" or not case.smooth:
        return
    with enable_x64(True):
        first, second = _tangents(case, 5), _tangents(case, 6)

        def derivative(*operands: Any) -> list[Any]:
            return [instantiate(t) for t in jvp(case.fun, operands, first)[1]]

        _, moved = jvp(derivative, case.operands, second)
        step = 1e-5

        def at(sign: int) -> list[np.ndarray]:
            point = [
                x if is_zero(t) else x + sign * step * t
                for x, t in zip(case.operands, second, strict=True)
            ]
            return [_data(t) for t in derivative(*point)]

        for i, (t, hi, lo) in enumerate(zip(moved, at(1), at(-1), strict=True)):
            if hi.dtype.kind not in "fc":
                continue
            difference = (hi - lo) / (2 * step)
            _require_difference(case, f"second derivative {i}", _data(t), difference)


BATCH_SIZE = 3


def check_batch(case: Case) -> None:
    """Hold the batching rule against a loop: each operand alone, all of them, and axis -1."""
    count = len(case.operands)
    patterns = [[0 if j == i else None for j in range(count)] for i in range(count)]
    if count > 1:
        patterns.append([0] * count)
    if count:
        patterns.append([np.ndim(x) for x in case.operands])
    for dims in patterns:
        _check_batch_pattern(case, dims)


def _check_batch_pattern(case: Case, dims: Sequence[int | None]) -> None:
    rng = np.random.default_rng(7)
    rows = [[_varied(rng, x) for x in case.operands] for _ in range(BATCH_SIZE)]
    stacked = [
        np.stack([row[j] for row in rows], d) if d is not None else case.operands[j]
        for j, d in enumerate(dims)
    ]
    with enable_x64(case.x64):
        axis = AxisInfo("batch", BATCH_SIZE)
        outs, out_dims = batch(case.fun, axis, stacked, dims)
        outs = [
            _data(place_batch_axis(x, d, BATCH_SIZE)) for x, d in zip(outs, out_dims, strict=True)
        ]
    looped = []
    for row in rows:
        operands = [row[j] if d is not None else case.operands[j] for j, d in enumerate(dims)]
        looped.append(evaluate(case, operands))
    expected = [np.stack(column) for column in zip(*looped, strict=True)]
    require_close(case, f"vmap with in_axes {list(dims)}", outs, expected, scale=4)


def _varied(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Return another operand of the same kind: the same values in another order, rescaled."""
    values = rng.permutation(np.asarray(x).reshape(-1)).reshape(np.shape(x))
    if values.dtype.kind in "fc" or values.dtype.name == "bfloat16":
        return (values * rng.uniform(0.5, 1)).astype(values.dtype)
    return values


def check_compiled(group: Sequence[Case], device: Device) -> None:
    """Hold a compiled program against the reference: results right, arguments unchanged.

    The cases of a group, all of one dtype, become one program that returns for each the results
    and then the arguments.
    """
    if not group:
        return
    counts = [len(case.operands) for case in group]

    def program(*operands: Any) -> list[Any]:
        outs, start = [], 0
        for case, count in zip(group, counts, strict=True):
            args = operands[start : start + count]
            outs += [*case.fun(*args), *args]
            start += count
        return outs

    operands = [x for case in group for x in case.operands]
    with enable_x64(any(case.x64 for case in group)):
        avals = [typeof(x) for x in operands]
        jaxpr, _ = hoist_constants(trace_to_jaxpr(program, avals))
        loaded = LoadedProgram(jaxpr, f"check_{group[0].primitive.name}", device)
        arrays = [to_array(x, a, device) for x, a in zip(operands, avals, strict=True)]
        outs = [x.value for x in loaded(arrays, committed=False)]
    start = position = 0
    for case, count in zip(group, counts, strict=True):
        expected = evaluate(case)
        end = position + len(expected)
        require_close(case, "compiled result", outs[position:end], expected, scale=4)
        for i in range(count):
            if not _same_bits(outs[end + i], case.operands[i]):
                raise RuleError(f"{case}: argument {i} comes back changed")
            if not _same_bits(arrays[start + i].value, case.operands[i]):
                raise RuleError(f"{case}: argument {i} was overwritten")
        position = end + count
        start += count


def _same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()
