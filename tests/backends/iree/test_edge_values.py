"""Are compiled elementwise operations right where functions go wrong?

Every operation is compiled and applied to the numbers at the edges of its dtype: NaN, infinities,
zeros of both signs, subnormal, tiny and huge numbers, the extremes of integers; operations of two
arguments to every pair of them. The reference rule says what must come out. As XLA does on the
CPU, programs may take subnormal numbers for zeros, operands and results alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import minijax
from minijax.core.primitive import Primitive
from minijax.scipy import special
from minijax.stablehlo.ir import TensorType
from minijax_iree.targets import CPU

FLOATS = ("float32", "float64", "bfloat16", "float16")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")

UNARY = (
    "abs acos acosh asin asinh atan atanh bessel_i0e bessel_i1e cbrt ceil cos cosh digamma erf "
    "erf_inv erfc exp exp2 expm1 floor is_finite lgamma log log1p logistic neg rsqrt sign sin "
    "sinh sqrt square tan tanh"
).split()
BINARY = (
    "add sub mul div rem max min pow atan2 nextafter eq ne lt le gt ge eq_to lt_to le_to"
).split()
INTEGER_UNARY = "neg sign square population_count clz not".split()
INTEGER_BINARY = (
    "add sub mul div rem max min eq ne lt le gt ge and or xor shift_left shift_right_logical "
    "shift_right_arithmetic mulhi"
).split()
LOGICAL = "and or xor eq ne lt le gt ge max min".split()

# Errors in units of the last place that XLA has too, or that grow with the result.
UNITS = {
    "pow": 1500, "exp2": 100, "lgamma": 1000, "digamma": 200, "erf_inv": 40, "erfc": 100,
    "bessel_i0e": 40,
}  # fmt: skip
DEFAULT_UNITS = 16
ABSOLUTE = {"lgamma": 8.0}  # lgamma cancels at its zeros: units of 1

# Beyond 2**31 angles of f64 are not reduced.
LARGEST_ANGLE = dict.fromkeys(("sin", "cos", "tan"), 2.0**31)


def dtype_of(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


def edges(name: str) -> np.ndarray:
    """The numbers at the edges of a dtype, and a few in the middle."""
    dtype = dtype_of(name)
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        values = [0, 1, 2, 3, 5, 7, info.bits - 1, info.bits, info.max, info.max - 1]
        values += [info.max // 2, info.min, info.min + 1]
        values += [-1, -2, -7] if dtype.kind == "i" else []
        return np.unique(np.array(values, dtype))
    info = ml_dtypes.finfo(dtype)
    tiny, eps = float(info.tiny), float(info.eps)
    values = [0, 0.5, 1, 1.5, 2, 2.5, 3, np.pi, 10, 60, 1e4, eps, eps / 8, np.inf]
    values += [float(info.max), tiny, 1.5 * tiny, tiny / 2, float(info.smallest_subnormal)]
    if dtype.itemsize >= 4:
        values += [1e9, 1e-10, 1e30, 1e-30, 88.5, 87.5, 103.0]
    return np.concatenate([values, np.negative(values), [np.nan]]).astype(dtype)


def all_tuples(values: np.ndarray, arity: int) -> list[np.ndarray]:
    return [x.ravel() for x in np.meshgrid(*[values] * arity, indexing="ij")]


def is_float(x: np.ndarray) -> bool:
    return x.dtype.kind == "f" or x.dtype == ml_dtypes.bfloat16


def flushed(x: np.ndarray) -> np.ndarray:
    """Subnormal numbers as zeros of their sign."""
    if not is_float(x):
        return x
    tiny = float(ml_dtypes.finfo(x.dtype).tiny)
    return np.where(np.abs(x.astype(float)) < tiny, np.copysign(np.zeros_like(x), x), x)


def parameters(p: Primitive) -> dict[str, Any]:
    return dict.fromkeys(p.hidden_params)


def expectations(p: Primitive, operands: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """What may come out: operands and result each with subnormal numbers or without."""
    for flavour in itertools.product(*[(x, flushed(x)) for x in operands]):
        with np.errstate(all="ignore"):
            value = np.asarray(p.rule("reference")(*flavour, **parameters(p)))
        yield value
        yield flushed(value)


def agrees(name: str, got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Elementwise: equal to some units, zeros with their sign, NaN for NaN."""
    if not is_float(got):
        return got == want
    info = ml_dtypes.finfo(got.dtype)
    with np.errstate(all="ignore"):
        a, b = got.astype(float), want.astype(float)
        units = UNITS.get(name, DEFAULT_UNITS) * float(info.eps)
        close = np.abs(a - b) <= units * np.abs(b) + ABSOLUTE.get(name, 0) * float(info.eps)
        # a result near the smallest normal number may come from a subnormal one
        close |= (np.abs(a) + np.abs(b)) < 4 * float(info.tiny)
    zeros = (a == 0) & (b == 0)
    if name not in ("max", "min", "lgamma"):  # which of two zeros is larger is left open
        zeros &= np.signbit(a) == np.signbit(b)
    return zeros | (a == b) & (a != 0) | (np.isnan(a) & np.isnan(b)) | (close & (a != b))


def run_group(names: Sequence[str], dtype: str, arity: int) -> None:
    """Compile operations as one program and compare each with its reference."""
    operands = all_tuples(edges(dtype), arity)
    primitives = [Primitive.registry[name] for name in names]

    def program(*args: Any) -> list[Any]:
        return [p.bind(*args, **parameters(p)) for p in primitives]

    with minijax.enable_x64(True):
        results = [np.asarray(x) for x in minijax.jit(program)(*operands)]
    for p, got in zip(primitives, results, strict=True):
        right = np.zeros(got.shape, bool)
        for want in expectations(p, operands):
            assert got.dtype == want.dtype
            right |= agrees(p.name, got, want) | agrees(p.name, flushed(got), want)
        if dtype == "float64" and p.name in LARGEST_ANGLE:
            right |= np.abs(operands[0]) > LARGEST_ANGLE[p.name]
        wrong = [(p.name, *(x[i] for x in operands), got[i]) for i in np.flatnonzero(~right)]
        assert not wrong


def chunks(names: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(names[i : i + size]) for i in range(0, len(names), size)]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("names", chunks(UNARY, 7), ids=lambda names: f"{names[0]}-{names[-1]}")
def test_functions_of_floats(names: tuple[str, ...], dtype: str) -> None:
    run_group(names, dtype, 1)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("names", chunks(BINARY, 10), ids=lambda names: f"{names[0]}-{names[-1]}")
def test_functions_of_two_floats(names: tuple[str, ...], dtype: str) -> None:
    run_group(names, dtype, 2)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_operations_of_integers(dtype: str) -> None:
    run_group(INTEGER_UNARY, dtype, 1)
    run_group(INTEGER_BINARY, dtype, 2)


def test_operations_of_booleans() -> None:
    run_group(["not"], "bool", 1)
    run_group(LOGICAL, "bool", 2)


@pytest.mark.parametrize("source", (*FLOATS, *INTEGERS, "bool"))
def test_conversions(source: str) -> None:
    targets = [dtype_of(name) for name in (*FLOATS, *INTEGERS, "bool")]
    p = Primitive.registry["convert_element_type"]
    x = edges(source)
    params = [{"new_dtype": dtype, "weak_type": False, "sharding": None} for dtype in targets]
    with minijax.enable_x64(True), np.errstate(all="ignore"):
        results = minijax.jit(lambda x: [p.bind(x, **q) for q in params])(x)
        for result, q in zip(results, params, strict=True):
            got = np.asarray(result)
            right = np.zeros(got.shape, bool)
            for operand in (x, flushed(x)):
                want = p.rule("reference")(operand, **q)
                for value in (want, flushed(want)):
                    right |= agrees("convert", got, value)
            assert right.all(), (q["new_dtype"], x[~right], got[~right])


# -- complex numbers -------------------------------------------------------------------------------

COMPLEX_UNARY = (
    "abs acos acosh asin asinh atan atanh conj cos cosh exp exp2 expm1 imag log log1p logistic neg "
    "real rsqrt sign sin sinh sqrt square tan tanh"
).split()
COMPLEX_BINARY = "add sub mul div pow eq ne max min".split()
PARTS = (0.0, -0.0, 0.5, 1.0, -1.0, -2.5, 3.0, 1e-5, -1e-10, 30.0)
# Where |z| is near 1 a logarithm cancels; that of the angle is multiplied by the exponent.
COMPLEX_UNITS = {"pow": 600, "log": 100}


def complex_agrees(name: str, got: np.ndarray, want: np.ndarray) -> np.ndarray:
    if got.dtype.kind == "b":
        return got == want
    eps = float(np.finfo(got.dtype).eps)
    with np.errstate(all="ignore"):
        close = np.abs(got - want) <= COMPLEX_UNITS.get(name, 16) * eps * np.abs(want) + 1e-37
    # Which parts of what is not finite are infinite and which are NaN is left open.
    return (got == want) | close | (~np.isfinite(got) & ~np.isfinite(want))


@pytest.mark.parametrize("dtype", ("complex64", "complex128"))
@pytest.mark.parametrize(
    "names", [*chunks(COMPLEX_UNARY, 7), *chunks(COMPLEX_BINARY, 5)],
    ids=lambda names: f"{names[0]}-{names[-1]}",
)  # fmt: skip
def test_functions_of_complex_numbers(names: tuple[str, ...], dtype: str) -> None:
    """The parts decide: also zeros of both signs, which tell the sides of branch cuts."""
    z = np.array([complex(x, y) for x in PARTS for y in PARTS], dtype)
    binary = names[0] in COMPLEX_BINARY
    operands = all_tuples(z[::3], 2) if binary else [z]
    primitives = [Primitive.registry[name] for name in names]

    def program(*args: Any) -> list[Any]:
        return [p.bind(*args, **complex_parameters(p, dtype)) for p in primitives]

    with minijax.enable_x64(True), np.errstate(all="ignore"):
        results = [np.asarray(x) for x in minijax.jit(program)(*operands)]
        for p, got in zip(primitives, results, strict=True):
            want = p.rule("reference")(*operands, **complex_parameters(p, dtype))
            right = complex_agrees(p.name, got, want)
            wrong = [
                (p.name, *(x[i] for x in operands), got[i], want[i]) for i in np.flatnonzero(~right)
            ]
            assert not wrong


def complex_parameters(p: Primitive, dtype: str) -> dict[str, Any]:
    return {"input_dtype": np.dtype(dtype)} if p.name == "conj" else parameters(p)


def test_modulus_of_tiny_and_huge_numbers() -> None:
    z = np.array([1e-20, 1e-20j, 1e-20 + 1e-20j, 1e30 + 1e30j, 1e30j], np.complex64)
    np.testing.assert_allclose(minijax.jit(abs)(z), np.abs(z), 1e-6)


# -- dtypes that IREE supports in part -------------------------------------------------------------

FLOAT_8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
UNSUPPORTED = (
    "int2 uint2 int4 uint4 float8_e4m3b11fnuz float8_e4m3 float8_e3m4 float8_e8m0fnu float4_e2m1fn"
).split()


@pytest.mark.parametrize("dtype", FLOAT_8)
def test_float8_is_stored(dtype: str) -> None:
    """All values convert to other floats and back, and a sum is rounded like the reference."""
    values = np.arange(256).astype(np.uint8).view(dtype_of(dtype))
    convert, add = (Primitive.registry[name] for name in ("convert_element_type", "add"))
    params = [{"new_dtype": dtype_of(name), "weak_type": False, "sharding": None}
              for name in FLOATS]  # fmt: skip
    back = {"new_dtype": values.dtype, "weak_type": False, "sharding": None}

    def program(x: Any) -> list[Any]:
        wide = [convert.bind(x, **p) for p in params]
        return [*wide, *(convert.bind(w, **back) for w in wide), add.bind(x, x)]

    with minijax.enable_x64(True), np.errstate(all="ignore"):
        results = [np.asarray(x).astype(float) for x in minijax.jit(program)(values)]
        expected = values.astype(float)
        small = minijax.jit(lambda x: convert.bind(x, **{**back, "new_dtype": np.dtype(np.int8)}))
        rule = convert.rule("reference")
        want = rule(values, **{**back, "new_dtype": np.dtype(np.int8)})
        np.testing.assert_array_equal(small(values), want)
        for result in results[:-1]:
            np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(results[-1], (values + values).astype(float))


@pytest.mark.parametrize("dtype", UNSUPPORTED)
def test_dtype_is_refused_before_compiling(dtype: str) -> None:
    x = np.ones(4, np.float32).astype(dtype_of(dtype))
    with pytest.raises(NotImplementedError, match=f"dtype {dtype}"):
        minijax.jit(lambda x: Primitive.registry["add"].bind(x, x))(x)


def test_array_filled_with_complex_number_is_returned() -> None:
    z = np.zeros((2, 3), np.complex128)
    with minijax.enable_x64(True):
        result = minijax.jit(lambda z: minijax.numpy.full_like(z, 1 - 2j))(z)
    np.testing.assert_array_equal(result, np.full((2, 3), 1 - 2j))


# -- the faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sinh", "asinh", "atanh"])
def test_small_argument_fault_persists(bench: Any, name: str) -> None:
    x = np.array([1e-30, 1e-10])
    result = bench.run([x], lambda ctx, v: ctx.like(f"chlo.{name}", v), safe=False)[0]
    assert not np.allclose(result, x, rtol=1e-9, atol=0)


def test_digamma_fault_persists(bench: Any) -> None:
    x = np.array([-1.1920929e-07], np.float32)
    result = bench.run([x], lambda ctx, v: ctx.like("chlo.digamma", v), safe=False)[0]
    assert not np.allclose(result, [8388607.5], rtol=1e-3)


@pytest.mark.parametrize("name", ["stablehlo.log", "chlo.atanh", "chlo.sinh", "stablehlo.tanh"])
def test_complex_function_fault_persists(bench: Any, name: str) -> None:
    z = np.array([complex(-2.5, -0.0), -1e-10j, complex(1, 0)], np.complex64)
    function = {"log": np.log, "atanh": np.arctanh, "sinh": np.sinh, "tanh": np.tanh}
    with np.errstate(all="ignore"):
        want = function[name.split(".")[1]](z)
    result = bench.run([z], lambda ctx, v: ctx.like(name, v), safe=False)[0]
    assert not complex_agrees("", result, want).all()


def test_complex_modulus_and_quotient_faults_persist(bench: Any) -> None:
    def body(ctx: Any, x: Any, y: Any) -> list[Any]:
        size = ctx.op("stablehlo.abs", x, type=TensorType((1,), "f32"))
        return [size, ctx.like("stablehlo.divide", y, ctx.constant_like(0, y))]

    tiny, one = np.array([1e-20], np.complex64), np.array([1 + 1j], np.complex64)
    size, quotient = bench.run([tiny, one], body, safe=False)[:2]
    assert size[0] == 0 and np.isnan(quotient[0])


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_float8_fault_persists(bench: Any, dtype: str) -> None:
    x = np.ones(6, dtype_of(dtype))
    with pytest.raises(RuntimeError, match="arith.truncf"):
        bench.run([x], lambda ctx, v: ctx.convert(v, dtype_of("float8_e4m3fn")), safe=False)


def test_float8_nan_fault_persists(bench: Any) -> None:
    x = np.array([0xFF], np.uint8).view(ml_dtypes.float8_e4m3fn)
    result = bench.run([x], lambda ctx, v: ctx.convert(v, np.dtype(np.float32)), safe=False)[0]
    assert result[0] == -480


def test_complex_splat_fault_persists(bench: Any) -> None:
    z = np.zeros((2, 3), np.complex128)
    with pytest.raises(RuntimeError, match="bit width 128"):
        bench.run([z], lambda ctx, v: ctx.constant_like(1 - 2j, v), safe=False)


@pytest.mark.parametrize("dtype", ["int2", "float8_e4m3", "float4_e2m1fn"])
def test_unsupported_dtypes_persist(bench: Any, dtype: str) -> None:
    """As arguments and results they do not compile."""
    with pytest.raises(RuntimeError):
        bench.run([np.ones(6, np.float32)], lambda ctx, v: ctx.convert(v, dtype_of(dtype)), False)


def test_cyclic_fusion_fault_persists(bench: Any) -> None:
    """The gradient of the beta function compiles with the flag variant only."""
    x = np.linspace(1, 12, 100, dtype=np.float32)
    gradient = minijax.grad(lambda a, b: special.beta(a, b).sum())
    text = minijax.jit(gradient).lower(x, x[::-1]).as_text()
    with pytest.raises(RuntimeError, match="cyclic dependencies"):
        bench.backend._compiler.compile(text, CPU.flags)
    assert np.isfinite(minijax.jit(gradient)(x, x[::-1])).all()
