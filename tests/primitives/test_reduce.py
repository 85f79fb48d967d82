"""Do reductions, whole and running, give the values, types and derivatives of JAX?

Whole numbers are summed exactly, so there every bit must agree; elsewhere the order of summation
may differ. Ties, zeros among factors, NaN and empty axes are where derivatives go wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from minijax.core.aval import typeof
from minijax.core.dtypes import threefry2x32_key
from minijax.core.primitive import UndefinedPrimal
from minijax.primitives import arg_extrema, cumulative, reduce
from minijax.transforms import dispatch  # installs the trace that evaluates
from minijax.transforms.jvp import jvp

jax = pytest.importorskip("jax")

FILES = (arg_extrema, cumulative, reduce)
LAX = SimpleNamespace(**{name: value for file in FILES for name, value in vars(file).items()})
assert dispatch is not None

BF16 = ml_dtypes.bfloat16
SUMS = ("reduce_sum", "reduce_prod")
EXTREMA = ("reduce_max", "reduce_min")
LOGIC = ("reduce_and", "reduce_or", "reduce_xor")
RUNNING = ("cumsum", "cumprod", "cummax", "cummin")
NUMBERS = ("int8", "uint8", "int32", "uint32", "float32", "bfloat16", "float16", "complex64")
X = np.arange(6, dtype=np.float32).reshape(2, 3)
NANS = np.array([[1, np.nan, 3], [np.nan, 5, 5]], np.float32)
SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((2, 3), (0,)),
    ((2, 3, 4), (2, 0)),
    ((2, 3), ()),
    ((), ()),
    ((0, 3), (0,)),
    ((0, 3), (1,)),
    ((2, 3), (0, 1)),
]


def whole_numbers(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    rng = np.random.default_rng(0)
    low = 0 if np.dtype(dtype).kind in "ub" else -2
    x = rng.integers(low, 3, shape)
    return (x + 1j * x[..., ::-1] if np.dtype(dtype).kind == "c" and shape else x).astype(dtype)


def require_equal(ours: Any, theirs: Any, rtol: float = 0) -> None:
    found, expected = typeof(ours), jax.typeof(theirs)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    x, y = np.asarray(ours), np.asarray(theirs)
    wide = np.complex128 if x.dtype.kind == "c" else np.float64
    np.testing.assert_allclose(x.astype(wide), y.astype(wide), rtol=rtol)


@pytest.mark.parametrize(("shape", "axes"), SHAPES)
@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("name", (*SUMS, *EXTREMA))
def test_reductions_of_whole_numbers(name: str, dtype: str, shape: Any, axes: Any) -> None:
    x = whole_numbers(shape, jax.numpy.dtype(dtype))
    require_equal(getattr(LAX, name)(x, axes), getattr(jax.lax, name)(x, axes))


@pytest.mark.parametrize(("shape", "axes"), SHAPES)
@pytest.mark.parametrize("dtype", ("bool", "int8", "uint8", "int32"))
@pytest.mark.parametrize("name", (*LOGIC, *EXTREMA))
def test_reductions_of_bits(name: str, dtype: str, shape: Any, axes: Any) -> None:
    x = np.random.default_rng(0).integers(0, 127, shape).astype(dtype)
    if dtype == "bool":
        x = np.random.default_rng(0).integers(0, 2, shape).astype(bool)
    require_equal(getattr(LAX, name)(x, axes), getattr(jax.lax, name)(x, axes))


def test_integers_wrap_around() -> None:
    for x in (np.array([200, 100], np.uint8), np.array([100, 100], np.int8)):
        for name in ("reduce_sum", "reduce_prod"):
            require_equal(getattr(LAX, name)(x, (0,)), getattr(jax.lax, name)(x, (0,)))
        for name in ("cumsum", "cumprod"):
            require_equal(getattr(LAX, name)(x), getattr(jax.lax, name)(x))


@pytest.mark.parametrize("dtype", (BF16, np.float16))
def test_narrow_floats_accumulate_in_float32(dtype: Any) -> None:
    ones = np.ones(5000, dtype)
    expected = np.float32(5000).astype(dtype)
    assert np.asarray(reduce.reduce_sum(ones, (0,))) == expected
    assert np.asarray(cumulative.cumsum(ones))[-1] == expected


def test_nan_wins() -> None:
    for name in EXTREMA:
        require_equal(getattr(LAX, name)(NANS, (1,)), getattr(jax.lax, name)(NANS, (1,)))
    for name in ("cummax", "cummin"):
        for reverse in (False, True):
            ours = getattr(LAX, name)(NANS, 1, reverse)
            require_equal(ours, getattr(jax.lax, name)(NANS, 1, reverse))


def test_the_largest_of_nothing() -> None:
    for dtype in ("float8_e4m3fn", "bfloat16", "int8", "uint8", "bool"):
        x = np.zeros((0, 2), jax.numpy.dtype(dtype))
        for name in EXTREMA:
            require_equal(getattr(LAX, name)(x, (0,)), getattr(jax.lax, name)(x, (0,)))


# -- places of extrema ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ("argmax", "argmin"))
@pytest.mark.parametrize(
    "x",
    [
        X,
        NANS,
        np.array([[1, 3, 3, 1]], np.int8),
        np.array([[1, 3, 3, 1]], BF16),
        np.array([[False, True, True]]),
        np.array([[-0.0, 0.0], [0.0, -0.0]], np.float32),
        np.array([[-np.inf, -np.inf], [np.inf, np.inf]], np.float32),
        np.zeros((0, 3), np.float32),
    ],
)
def test_the_first_place_is_found(name: str, x: np.ndarray) -> None:
    for index_dtype in (np.int32, np.uint8):
        ours = getattr(LAX, name)(x, 1, index_dtype)
        require_equal(ours, getattr(jax.lax, name)(x, 1, index_dtype))


def test_small_index_types_wrap_around() -> None:
    x = np.arange(300, dtype=np.float32)
    require_equal(LAX.argmax(x, 0, np.int8), jax.lax.argmax(x, 0, np.int8))


# -- running reductions ---------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", (False, True))
@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("name", RUNNING)
def test_running_reductions_of_whole_numbers(name: str, dtype: str, reverse: bool) -> None:
    for shape, axis in (((3, 4), 0), ((3, 4), 1), ((0, 2), 0), ((2, 0), 0), ((1,), 0)):
        x = whole_numbers(shape, jax.numpy.dtype(dtype))
        ours, theirs = (getattr(lib, name)(x, axis, reverse) for lib in (LAX, jax.lax))
        require_equal(ours, theirs)


@pytest.mark.parametrize(
    "x",
    [
        np.array([-np.inf, -np.inf, 1, np.inf, 2, np.nan], np.float32),
        np.array([1000, 1000, -np.inf], np.float32),
        np.linspace(-3, 3, 7, dtype=np.float32),
        np.linspace(-3, 3, 7).astype(BF16),
        np.array([1 + 1j, 2 - 1j, -3 + 2j], np.complex64),
    ],
)
@pytest.mark.parametrize("reverse", (False, True))
def test_running_logsumexp(x: np.ndarray, reverse: bool) -> None:
    ours, theirs = (lib.cumlogsumexp(x, 0, reverse) for lib in (LAX, jax.lax))
    require_equal(ours, theirs, rtol=2e-2 if x.dtype == BF16 else 2e-6)


# -- derivatives ----------------------------------------------------------------------------------

POINTS = [
    [2.0, 0.0, 3.0, 4.0],
    [2.0, 0.0, 0.0, 4.0],
    [1.0, 1.0, 3.0, 3.0, 3.0],
    [3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0],
    [3.0, 2.0, 3.0, 2.0],
    [1.0, np.nan, 3.0, 3.0],
    [5.0],
]


def jacobian(fun: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    columns = [jvp(lambda y: [fun(y)], [x], [e])[1][0] for e in np.eye(len(x), dtype=x.dtype)]
    return np.stack([np.asarray(column) for column in columns], -1)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", (*SUMS, *EXTREMA, *RUNNING, "cumlogsumexp"))
def test_derivatives_at_ties_and_zeros(name: str, point: list[float]) -> None:
    x = np.array(point, np.float32)

    def apply(lib: Any, x: Any) -> Any:
        return getattr(lib, name)(x, (0,) if name.startswith("reduce") else 0)

    ours = jacobian(lambda y: apply(LAX, y), x)
    theirs = jax.jacfwd(lambda y: apply(jax.lax, y))(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_the_derivative_of_an_empty_product_is_zero() -> None:
    x = np.zeros((0, 3), np.float32)
    out, (tangent,) = jvp(lambda y: [reduce.reduce_prod(y, (0,))], [x], [x])
    np.testing.assert_array_equal(np.asarray(out[0]), np.ones(3))
    np.testing.assert_array_equal(np.asarray(tangent), np.zeros(3))


@pytest.mark.parametrize("reverse", (False, True))
def test_the_transpose_of_a_running_sum_runs_the_other_way(reverse: bool) -> None:
    rng = np.random.default_rng(0)
    x, ct = (rng.integers(-3, 4, (3, 5)).astype(np.float32) for _ in range(2))
    linear = UndefinedPrimal(typeof(x))
    (ct_x,) = cumulative.cumsum_transpose(ct, linear, axis=1, reverse=reverse)
    out = np.asarray(cumulative.cumsum(x, 1, reverse))
    assert np.vdot(np.asarray(ct_x), x) == np.vdot(ct, out)


# -- errors ---------------------------------------------------------------------------------------

BOOL = X > 1
COMPLEX = X.astype(np.complex64)

ERRORS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (lambda lax, x: lax.reduce_sum(x, (0,)), (BOOL,)),
    (lambda lax, x: lax.reduce_prod(x, (0,)), (BOOL,)),
    (lambda lax, x: lax.reduce_sum(x, (0, 0)), (X,)),
    (lambda lax, x: lax.reduce_sum(x, (2,)), (X,)),
    (lambda lax, x: lax.reduce_max(x, (-1,)), (X,)),
    (lambda lax, x: lax.reduce_and(x, (0,)), (X,)),
    (lambda lax, x: lax.reduce_xor(x, (0,)), (COMPLEX,)),
    (lambda lax, x: lax.argmax(x, 2, np.int32), (X,)),
    (lambda lax, x: lax.argmax(x, -1, np.int32), (X,)),
    (lambda lax, x: lax.argmax(x, 0, np.float32), (X,)),
    (lambda lax, x: lax.argmax(x, 0, np.int32), (X[:0],)),
    (lambda lax, x: lax.cumsum(x, 2), (X,)),
    (lambda lax, x: lax.cumsum(x, -1), (X,)),
    (lambda lax, x: lax.cumsum(x, 0), (BOOL,)),
    (lambda lax, x: lax.cummax(x, 0), (BOOL,)),
    (lambda lax: lax.cumsum(1.0, 0), ()),
]


@pytest.mark.parametrize(("case", "operands"), ERRORS)
def test_errors_are_those_of_jax(case: Any, operands: Any) -> None:
    with pytest.raises(Exception) as expected:
        jax.eval_shape(lambda *xs: case(jax.lax, *xs), *operands)
    with pytest.raises(expected.type) as raised:
        case(LAX, *operands)
    assert str(raised.value) == str(expected.value)


def test_what_cannot_be_ordered_or_added() -> None:
    keys = typeof(np.zeros(3, np.float32)).update(dtype=threefry2x32_key)
    with pytest.raises(ValueError, match="Unsupported dtype for max: key<fry>"):
        reduce.reduce_max_p.infer([keys], {"axes": (0,)})
    with pytest.raises(TypeError, match="reduce_sum does not accept dtype key<fry>"):
        reduce.reduce_sum_p.infer([keys], {"axes": (0,), "out_sharding": None})
    with pytest.raises(TypeError, match="gt does not accept dtype complex64"):
        arg_extrema.argmax(COMPLEX, 0, np.int32)
    with pytest.raises(TypeError, match="cumlogsumexp does not accept dtype int32"):
        cumulative.cumlogsumexp(np.arange(3, dtype=np.int32))
