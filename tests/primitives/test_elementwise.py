"""Do the reference rules of the elementwise operations give the values that JAX gives?

Each operation is applied by its reference rule to random numbers and to the numbers where such
functions go wrong (zeros of both signs, infinities, NaN, the ends of the domain), and compared
with ``jax.lax``. What IEEE 754 defines must agree bit for bit; transcendental functions may differ
by the error of either library. XLA on the CPU flushes subnormal numbers to zero, so none are used.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from minijax.core.aval import ShapedArray
from minijax.core.primitive import Primitive
from minijax.primitives import (
    arithmetic,
    complex_parts,
    conversion,
    elementwise,
    erf_inv,
    error_function,
    gamma,
    logic,
    piecewise,
    two_argument,
)

jax = pytest.importorskip("jax")

FILES = (
    arithmetic,
    complex_parts,
    conversion,
    elementwise,
    erf_inv,
    error_function,
    gamma,
    logic,
    piecewise,
    two_argument,
)
FLOATS = ("float32", "float64", "float16", "bfloat16")
COMPLEX = ("complex64", "complex128")
INTEGERS = ("int8", "uint8", "int32", "uint32", "int64")
NUMBERS = (*FLOATS, *COMPLEX, *INTEGERS)

EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.5, 3.0, 60.0, -60.0, np.inf, -np.inf, np.nan)

EXACT_UNARY = {
    "neg": NUMBERS,
    "sign": (*FLOATS, *INTEGERS),
    "abs": (*FLOATS, "int8", "int32", "int64"),
    "floor": FLOATS,
    "ceil": FLOATS,
    "is_finite": FLOATS,
    "square": (*FLOATS, *INTEGERS),
    "sqrt": FLOATS,
    "population_count": INTEGERS,
    "clz": INTEGERS,
    "bitwise_not": (*INTEGERS, "bool"),
    "real": COMPLEX,
    "imag": COMPLEX,
    "conj": ("float32", "float64", *COMPLEX),
}
EXACT_BINARY = {
    "add": NUMBERS,
    "sub": NUMBERS,
    "mul": (*FLOATS, *INTEGERS),
    "div": (*FLOATS, *INTEGERS),
    "rem": (*FLOATS, *INTEGERS),
    "max": (*COMPLEX, *INTEGERS, "bool"),
    "min": (*COMPLEX, *INTEGERS, "bool"),
    "eq": (*NUMBERS, "bool"),
    "ne": (*NUMBERS, "bool"),
    "lt": (*FLOATS, *INTEGERS, "bool"),
    "le": (*FLOATS, *INTEGERS, "bool"),
    "gt": (*FLOATS, *INTEGERS, "bool"),
    "ge": (*FLOATS, *INTEGERS, "bool"),
    "bitwise_and": (*INTEGERS, "bool"),
    "bitwise_or": (*INTEGERS, "bool"),
    "bitwise_xor": (*INTEGERS, "bool"),
    "shift_left": INTEGERS,
    "shift_right_arithmetic": INTEGERS,
    "shift_right_logical": INTEGERS,
    "nextafter": ("float32", "float64", "bfloat16"),
    "complex": ("float32", "float64"),
}
ANALYTIC = (
    "sin cos tan tanh exp exp2 log sqrt rsqrt log1p expm1 logistic "
    "asin acos atan sinh cosh asinh acosh atanh"
).split()
REAL_ANALYTIC = "cbrt erf erfc erf_inv lgamma digamma".split()
DOMAINS = {
    "acosh": (1.0, 20.0),
    "asin": (-1.0, 1.0),
    "acos": (-1.0, 1.0),
    "atanh": (-0.99, 0.99),
    "erf_inv": (-0.999, 0.999),
    "log": (0.01, 20.0),
    "sqrt": (0.0, 20.0),
    "rsqrt": (0.01, 20.0),
    "log1p": (-0.99, 20.0),
    "lgamma": (0.1, 20.0),
    "digamma": (2.0, 20.0),
    "tan": (-1.5, 1.5),
}


@pytest.fixture(autouse=True)
def with_x64() -> Any:
    """JAX narrows 64-bit operands otherwise."""
    with jax.enable_x64(True):
        yield


def primitive(name: str) -> Primitive:
    """The primitive behind a public function."""
    attribute = f"{name.removeprefix('bitwise_')}_p"
    return next(getattr(file, attribute) for file in FILES if hasattr(file, attribute))


def reference(name: str, *args: Any, **params: Any) -> np.ndarray:
    """The value by the reference rule, checked against the type rule."""
    p = primitive(name)
    operands = [np.asarray(x) for x in args]
    if "accuracy" in p.hidden_params:
        params = {"accuracy": None, **params}
    if name == "mul":
        params = {"out_dtype": None}
    if name == "conj":
        params = {"input_dtype": operands[0].dtype}
    with np.errstate(all="ignore"):
        value = np.asarray(p.rule("reference")(*operands, **params))
    aval = p.infer([ShapedArray(x.shape, x.dtype) for x in operands], params)
    assert (value.shape, value.dtype) == (aval.shape, aval.dtype)
    return value


def numbers(dtype: str, size: int = 200, low: float = -20.0, high: float = 20.0) -> np.ndarray:
    """Random numbers of a dtype, after the edge cases."""
    rng = np.random.default_rng(len(dtype))
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    if kind.kind == "b":
        return rng.integers(0, 2, size).astype(bool)
    if kind.kind in "iu":
        info = np.iinfo(kind)
        edges = np.array([0, 1, 2, info.min, info.max, info.max - 1, info.bits, 7], kind)
        return np.concatenate([edges, rng.integers(info.min, info.max, size, kind, endpoint=True)])
    values = np.concatenate([EDGES, rng.uniform(low, high, size)])
    if kind.kind == "c":
        values = values[len(EDGES) :] + 1j * rng.permutation(values[len(EDGES) :])
    return values.astype(kind)


def pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Every number of a small set with every other."""
    some = numbers(dtype, 12)
    x, y = np.meshgrid(some, some)
    return x.ravel(), y.ravel()


def assert_same_bits(got: np.ndarray, want: Any) -> None:
    """Equal bit for bit, except that any NaN is as good as another."""
    want = np.asarray(want)
    assert got.dtype == want.dtype
    parts = (
        [(np.real(got), np.real(want)), (np.imag(got), np.imag(want))]
        if got.dtype.kind == "c"
        else []
    )
    for a, b in parts or [(got, want)]:
        same = np.ascontiguousarray(a).view(np.uint8).reshape(*a.shape, -1) == (
            np.ascontiguousarray(b).view(np.uint8).reshape(*b.shape, -1)
        )
        wrong = ~(same.all(-1) | ((a != a) & (b != b)))
        assert not wrong.any(), (a[wrong][:8], b[wrong][:8])


def assert_close(got: np.ndarray, want: Any, units: float) -> None:
    """Equal up to some units of the last place; infinities and NaN where JAX has them."""
    want = np.asarray(want)
    assert got.dtype == want.dtype
    wide = np.complex128 if got.dtype.kind == "c" else np.float64
    eps = float(ml_dtypes.finfo(got.dtype).eps)
    tiny = float(ml_dtypes.finfo(got.dtype).tiny)
    np.testing.assert_allclose(
        got.astype(wide), want.astype(wide), rtol=units * eps, atol=units * tiny
    )


def cases(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(name, dtype) for name, dtypes in table.items() for dtype in dtypes]


@pytest.mark.parametrize(("name", "dtype"), cases(EXACT_UNARY))
def test_exact_function_of_one_argument(name: str, dtype: str) -> None:
    x = numbers(dtype)
    assert_same_bits(reference(name, x), getattr(jax.lax, name)(x))


@pytest.mark.parametrize(("name", "dtype"), cases(EXACT_BINARY))
def test_exact_function_of_two_arguments(name: str, dtype: str) -> None:
    x, y = pairs(dtype)
    assert_same_bits(reference(name, x, y), getattr(jax.lax, name)(x, y))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ANALYTIC + REAL_ANALYTIC)
def test_analytic_function(name: str, dtype: str) -> None:
    low, high = DOMAINS.get(name, (-20.0, 20.0))
    x = np.random.default_rng(0).uniform(low, high, 500).astype(numbers(dtype, 1).dtype)
    narrow = dtype in ("float16", "bfloat16")
    units = NARROW_UNITS.get(name, 2) if narrow else UNITS.get(name, 4)
    assert_close(reference(name, x), getattr(jax.lax, name)(x), units)


# XLA rounds the product x * log(2) to the narrow type before it takes the exponential.
NARROW_UNITS = {"exp2": 16}

# Errors of XLA, mostly: lgamma cancels at its zeros 1 and 2, log1p and atanh of float64 cancel
# where their approximations change.
UNITS = {
    "lgamma": 1500,
    "digamma": 60,
    "exp2": 32,
    "log1p": 40,
    "atanh": 80,
    "erf_inv": 16,
    "erfc": 400,
    "cosh": 16,
    "sinh": 16,
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ANALYTIC + REAL_ANALYTIC)
def test_analytic_function_at_its_edges(name: str, dtype: str) -> None:
    x = np.array(EDGES).astype(numbers(dtype, 1).dtype)
    got, want = reference(name, x), np.asarray(getattr(jax.lax, name)(x))
    atol = 1e-6 if name == "lgamma" else 0
    np.testing.assert_allclose(
        got.astype(float), want.astype(float), 300 * float(ml_dtypes.finfo(x.dtype).eps), atol
    )


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("name", [*ANALYTIC, "sign", "abs"])
def test_analytic_function_of_complex_numbers(name: str, dtype: str) -> None:
    x = numbers(dtype, low=-3.0, high=3.0)
    got, want = reference(name, x), np.asarray(getattr(jax.lax, name)(x))
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=300 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", ("float32", "float64", "complex64", "complex128"))
def test_complex_product_and_quotient(dtype: str) -> None:
    x, y = numbers(dtype)[20:], numbers(dtype)[20:][::-1]
    np.testing.assert_allclose(reference("square", x), jax.lax.square(x), rtol=1e-6)
    for name in ("mul", "div", "atan2"):
        np.testing.assert_allclose(
            reference(name, x, y),
            getattr(jax.lax, name)(x, y),
            rtol=40 * float(np.finfo(dtype).eps),
        )


@pytest.mark.parametrize("dtype", (*FLOATS, *INTEGERS))
@pytest.mark.parametrize("y", (0, 1, 2, 3, 5, 8))
def test_integer_power(dtype: str, y: int) -> None:
    x = numbers(dtype)
    assert_close_or_same(reference("integer_pow", x, y=y), jax.lax.integer_pow(x, y))


def assert_close_or_same(got: np.ndarray, want: Any) -> None:
    if got.dtype.kind in "iu":
        assert_same_bits(got, want)
    else:
        assert_close(got, want, 4)


@pytest.mark.parametrize("dtype", FLOATS)
def test_negative_integer_power(dtype: str) -> None:
    x = numbers(dtype)
    assert_close(reference("integer_pow", x, y=-3), jax.lax.integer_pow(x, -3), 4)


@pytest.mark.parametrize("dtype", FLOATS)
def test_power(dtype: str) -> None:
    x, y = pairs(dtype)
    assert_close(reference("pow", x, y), jax.lax.pow(x, y), 16)
    exponents = np.arange(-4, len(x) - 4, dtype=np.int32) % 9 - 4
    assert_close(reference("pow", x, exponents), jax.lax.pow(x, exponents), 16)


@pytest.mark.parametrize("dtype", FLOATS)
def test_angle(dtype: str) -> None:
    x, y = pairs(dtype)
    assert_close(reference("atan2", x, y), jax.lax.atan2(x, y), 4)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("method", (0, 1))
def test_rounding(dtype: str, method: int) -> None:
    halves = np.arange(-40, 41) / 4
    half = np.array(0.5, numbers(dtype, 1).dtype)
    below = np.nextafter(half, np.zeros_like(half))
    x = np.concatenate([halves.astype(half.dtype), np.array(EDGES).astype(half.dtype), [below]])
    want = jax.lax.round(x, jax.lax.RoundingMethod(method))
    got = reference("round", x, rounding_method=piecewise.RoundingMethod(method))
    assert_same_bits(got, want)


def assert_equal(got: np.ndarray, want: Any) -> None:
    """Equal, zeros of either sign and any two NaN being equal."""
    want = np.asarray(want)
    assert got.dtype == want.dtype
    assert ((got == want) | ((got != got) & (want != want))).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ("max", "min", "nextafter"))
def test_extrema(name: str, dtype: str) -> None:
    x, y = pairs(dtype)
    assert_equal(reference(name, x, y), getattr(jax.lax, name)(x, y))


@pytest.mark.parametrize("dtype", (*FLOATS, *INTEGERS, "bool", "complex64"))
def test_clamp(dtype: str) -> None:
    x, y = pairs(dtype)
    z = np.roll(x, 5)
    assert_equal(reference("clamp", x, y, z), jax.lax.clamp(x, y, z))
    assert_equal(reference("clamp", x[3], y, z[7]), jax.lax.clamp(x[3], y, z[7]))


def test_choice() -> None:
    rows = [np.full(6, i, np.float32) for i in range(5)]
    for dtype in (np.int32, np.uint8):
        which = np.array([-1, 0, 1, 2, 4, 9]).astype(dtype)
        for n in range(1, 6):
            assert_same_bits(
                reference("select_n", which, *rows[:n]), jax.lax.select_n(which, *rows[:n])
            )
    predicate = np.array([True, False] * 3)
    assert_same_bits(
        reference("select_n", predicate, *rows[:2]), jax.lax.select_n(predicate, *rows[:2])
    )
    assert_same_bits(
        reference("select_n", np.True_, *rows[:2]), jax.lax.select_n(np.True_, *rows[:2])
    )


@pytest.mark.parametrize("name", ("add", "mul", "max", "lt"))
def test_operands_broadcast(name: str) -> None:
    column, row = np.ones((2, 1), np.float32), np.arange(3, dtype=np.float32)[None]
    for x, y in ((column, row), (row, np.float32(2)), (np.float32(2), column)):
        assert_same_bits(reference(name, x, y), getattr(jax.lax, name)(x, y))


def test_inverse_error_function_has_the_bits_of_xla() -> None:
    """Normal random numbers are made from it."""
    x = np.random.default_rng(0).uniform(-1, 1, 100_000).astype(np.float32)
    got, want = reference("erf_inv", x), np.asarray(jax.lax.erf_inv(x))
    distance = np.abs(got.view(np.int32).astype(np.int64) - want.view(np.int32))
    assert (distance == 0).all()


@pytest.mark.parametrize("order", (0, 1, 2, 3))
def test_polygamma(order: int) -> None:
    x = np.linspace(0.5, 10, 50)
    got = reference("polygamma", np.full_like(x, order), x)
    np.testing.assert_allclose(got, jax.lax.polygamma(np.full_like(x, order), x), rtol=1e-11)


@pytest.mark.parametrize("name", [*EXACT_UNARY, *ANALYTIC, *REAL_ANALYTIC, *EXACT_BINARY])
def test_accepted_dtypes_are_those_of_jax(name: str) -> None:
    """The type rule refuses what JAX refuses and gives the dtype that JAX gives."""
    arity = 2 if name in EXACT_BINARY else 1
    for dtype in (*NUMBERS, "bool"):
        x = np.ones(2, numbers(dtype, 1).dtype)
        params: dict[str, Any] = {"accuracy": None}
        p = primitive(name)
        params = {"accuracy": None} if "accuracy" in p.hidden_params else {}
        params |= {"out_dtype": None} if name == "mul" else {}
        params |= {"input_dtype": x.dtype} if name == "conj" else {}
        avals = [ShapedArray(x.shape, x.dtype)] * arity
        try:
            want = jax.eval_shape(getattr(jax.lax, name), *[x] * arity).dtype
        except TypeError:
            with pytest.raises(TypeError):
                p.infer(avals, params)
        else:
            assert p.infer(avals, params).dtype == want
