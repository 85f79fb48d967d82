"""Numbers: conversions, powers, angles and the functions of f64."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

WILD = np.array(
    [0, 1.5, -1.5, 127.9, 128, -129, 255.9, 256, 3e9, -3e9, 2147483648, -2147483648, 4294967296]
    + [1e19, -1e19, 2e19, np.inf, -np.inf, np.nan],
    np.float32,
)


def saturated(values, dtype):
    """What a conversion should give: truncated, clipped to the range, NaN as zero."""
    information = np.iinfo(dtype)
    exact = [0 if math.isnan(v) else v for v in values.astype(np.float64).tolist()]
    limits = int(information.min), int(information.max)
    clipped = [
        limits[v > 0] if math.isinf(v) else min(max(int(v), limits[0]), limits[1]) for v in exact
    ]
    return np.array(clipped, dtype)


def convert(dtype_name):
    def body(ctx, x):
        return ctx.convert(x, np.dtype(dtype_name))

    return body


@pytest.mark.parametrize("target", "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split())
@pytest.mark.parametrize("source", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
def test_convert_saturates(bench, source, target):
    with np.errstate(over="ignore"):
        values = WILD.astype(source)
    result = bench.run([values], convert(target))[0]
    np.testing.assert_array_equal(result, saturated(values, np.dtype(target)))


def test_convert_fault_persists(bench):
    result = bench.run([WILD], convert("int32"), safe=False)[0]
    assert not np.array_equal(result, saturated(WILD, np.dtype(np.int32)))


# -- powers ------------------------------------------------------------------------------------

SPECIAL = np.array(
    [0.0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, 2.5, np.inf, -np.inf, np.nan, 1e10, -9], np.float32
)
BASES, EXPONENTS = (grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL))


def binary(name):
    return lambda ctx, x, y: ctx.like(name, x, y)


def unary(name):
    return lambda ctx, x: ctx.like(name, x)


def assert_close(actual, expected, dtype, units=4):
    """Equal up to some units in the last place, sign of zero included."""
    tolerance = units * float(ml_dtypes.finfo(dtype).eps)
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    smallest = float(ml_dtypes.finfo(dtype).smallest_normal)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=smallest)
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(actual[zero]), np.signbit(expected[zero]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_power(bench, dtype):
    x, y = BASES.astype(dtype), EXPONENTS.astype(dtype)
    with np.errstate(all="ignore"):
        expected = np.power(x, y)
    # The exponent of e is y log x: its error grows with the result.
    units = 4 if dtype is np.float32 else 64
    assert_close(bench.run([x, y], binary("stablehlo.power"))[0], expected, dtype, units)


def test_power_random(bench):
    random = np.random.default_rng(0)
    x = random.uniform(0.01, 20, 500).astype(np.float32)
    y = random.normal(size=500).astype(np.float32) * 5
    expected = np.power(x.astype(np.float64), y.astype(np.float64)).astype(np.float32)
    assert_close(bench.run([x, y], binary("stablehlo.power"))[0], expected, np.float32)


def test_power_fault_persists(bench):
    result = bench.run([BASES, EXPONENTS], binary("stablehlo.power"), safe=False)[0]
    with np.errstate(all="ignore"):
        expected = np.power(BASES, EXPONENTS)
    assert not np.array_equal(np.isnan(result), np.isnan(expected))


# -- angles ------------------------------------------------------------------------------------

ANGLES = np.concatenate(
    [
        [0.0, -0.0, 1e-8, -1e-8, np.pi, -np.pi, 1e4, 1e6, -1e5, 1e9, np.inf, -np.inf, np.nan],
        np.random.default_rng(0).normal(size=500) * 10,
        np.random.default_rng(1).uniform(-1e6, 1e6, size=500),
    ]
).astype(np.float32)
HUGE = np.array([2.0**31, -3e9, 1e10, 1e15, -3.3e18, 1e25, -2e30, 3e38], np.float32)
TRIGONOMETRY = {"stablehlo.sine": np.sin, "stablehlo.cosine": np.cos, "stablehlo.tan": np.tan}


@pytest.mark.parametrize("name", TRIGONOMETRY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
def test_trigonometry(bench, name, dtype):
    with np.errstate(all="ignore"):
        x = ANGLES.astype(dtype)
        expected = TRIGONOMETRY[name](x.astype(np.float64))
        rounded = expected.astype(dtype)
    result = bench.run([x], unary(name))[0]
    finite = np.isfinite(expected)
    assert np.isnan(result[~finite].astype(np.float32)).all()
    assert_close(result[finite], rounded[finite], dtype, units=3)


@pytest.mark.parametrize("name", TRIGONOMETRY)
def test_trigonometry_huge(bench, name):
    """NumPy's own f64 functions reduce exactly."""
    expected = TRIGONOMETRY[name](HUGE.astype(np.float64)).astype(np.float32)
    assert_close(bench.run([HUGE], unary(name))[0], expected, np.float32)


@pytest.mark.parametrize("name", ["stablehlo.sine", "stablehlo.cosine"])
def test_trigonometry_fault_persists(bench, name):
    result = bench.run([HUGE], unary(name), safe=False)[0]
    assert not np.allclose(result, TRIGONOMETRY[name](HUGE.astype(np.float64)), atol=1e-2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_atan2(bench, dtype):
    random = np.random.default_rng(0)
    with np.errstate(over="ignore"):
        y = np.concatenate([BASES, random.normal(size=500)]).astype(dtype)
        x = np.concatenate([EXPONENTS, random.normal(size=500)]).astype(dtype)
    expected = np.arctan2(y.astype(np.float64), x.astype(np.float64)).astype(dtype)
    assert_close(bench.run([y, x], binary("stablehlo.atan2"))[0], expected, dtype)


def test_atan2_fault_persists(bench):
    zero = np.zeros(1, np.float32)
    assert np.isnan(bench.run([zero, zero], binary("stablehlo.atan2"), safe=False)[0]).all()


# -- functions without a library ---------------------------------------------------------------

POINTS = np.concatenate(
    [
        [0.0, -0.0, 1e-30, -1e-30, 1e-16, 3e-16, 1, -0.5, 0.5, 700, -800, np.inf, -np.inf, np.nan],
        np.random.default_rng(0).normal(size=500) * 3,
    ]
)
FUNCTIONS = {
    "stablehlo.tanh": np.tanh,
    "stablehlo.cbrt": np.cbrt,
    "stablehlo.log_plus_one": np.log1p,
    "stablehlo.exponential_minus_one": np.expm1,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_f64(bench, name):
    with np.errstate(all="ignore"):
        expected = FUNCTIONS[name](POINTS)
    assert_close(bench.run([POINTS], unary(name))[0], expected, np.float64, units=8)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_cbrt_narrow(bench, dtype):
    x = POINTS[np.abs(POINTS) < 100].astype(dtype)
    x = np.concatenate([x, np.array([np.inf, -np.inf], dtype)])
    expected = np.cbrt(x.astype(np.float64)).astype(dtype)
    assert_close(bench.run([x], unary("stablehlo.cbrt"))[0], expected, dtype)


def test_cbrt_fault_persists(bench):
    infinite = np.array([np.inf], np.float32)
    assert np.isnan(bench.run([infinite], unary("stablehlo.cbrt"), safe=False)[0]).all()


@pytest.mark.parametrize("name", ["stablehlo.log_plus_one", "stablehlo.exponential_minus_one"])
def test_small_argument_fault_persists(bench, name):
    result = bench.run([np.array([1e-30])], unary(name), safe=False)[0]
    assert not np.allclose(result, [1e-30], rtol=1e-6, atol=0)


def test_remainder_of_f64(bench):
    random = np.random.default_rng(0)
    x = np.concatenate([BASES, random.normal(size=500) * 10.0 ** random.uniform(-5, 14, 500)])
    y = np.concatenate([EXPONENTS, random.normal(size=500)])
    with np.errstate(all="ignore"):
        expected = np.fmod(x, y)
    result = bench.run([x, y], binary("stablehlo.remainder"))[0]
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(np.signbit(result[result == 0]), np.signbit(x[result == 0]))


@pytest.mark.parametrize(
    "name", ["stablehlo.tanh", "stablehlo.sine", "stablehlo.cosine", "stablehlo.tan"]
)
def test_libm_fault_persists(bench, name):
    """Without the workaround only the system's linker finds the function."""
    target = bench.backend.target
    module = bench.build([POINTS], unary(name))
    with pytest.raises(RuntimeError, match="undefined symbol"):
        bench.backend._compiler.compile(module.text(), target.flags)


def test_remainder_fault_persists(bench):
    module = bench.build([POINTS, POINTS], binary("stablehlo.remainder"))
    with pytest.raises(RuntimeError, match="undefined symbol"):
        bench.backend._compiler.compile(module.text(), bench.backend.target.flags)


@pytest.mark.parametrize(
    ("name", "function"),
    [("chlo.asin", np.arcsin), ("chlo.acos", np.arccos), ("chlo.atan", np.arctan)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inverse_trigonometry(bench, name, function, dtype):
    x = np.linspace(-1, 1, 501).astype(dtype)
    expected = function(x.astype(np.float64)).astype(dtype)
    assert_close(bench.run([x], unary(name))[0], expected, dtype)
