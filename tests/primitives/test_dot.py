"""Do products of arrays have JAX's values, types and errors, and do they use BLAS?

Whole numbers are multiplied exactly in every dtype, so that values must agree to the bit. The
transpose and batching rules are tried on random choices of axes.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minijax.config import enable_x64
from minijax.core.aval import ShapedArray, typeof
from minijax.core.primitive import AxisInfo, UndefinedPrimal
from minijax.primitives import dot, precision
from minijax.primitives.precision import DotAlgorithm, DotAlgorithmPreset, Precision
from minijax.transforms import dispatch  # installs the trace that evaluates

jax = pytest.importorskip("jax")

LAX = SimpleNamespace(**vars(dot))
assert dispatch is not None

BF16 = ml_dtypes.bfloat16
X = np.arange(6, dtype=np.float32).reshape(2, 3)
V = np.arange(3, dtype=np.float32)
MATRICES = (((1,), (0,)), ((), ()))
DTYPES = "bool int8 uint8 int32 uint32 float8_e5m2 float16 bfloat16 float32 complex64".split()
PLAIN = {"precision": None, "preferred_element_type": None, "out_sharding": None}


# -- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lhs", DTYPES)
@pytest.mark.parametrize("rhs", DTYPES)
def test_the_dtype_of_mixed_operands(lhs: str, rhs: str) -> None:
    x, y = (jax.ShapeDtypeStruct((3,), jax.numpy.dtype(name)) for name in (lhs, rhs))
    numbers = (((0,), (0,)), ((), ()))
    with jax.enable_x64(True):
        expected = jax.eval_shape(lambda x, y: jax.lax.dot_general(x, y, numbers), x, y).dtype
    assert precision.result_dtype(x.dtype, y.dtype, None) == expected


@pytest.mark.parametrize("given_dtype", DTYPES)
@pytest.mark.parametrize("preferred", DTYPES)
def test_the_dtype_that_is_preferred(given_dtype: str, preferred: str) -> None:
    dtype, wanted = jax.numpy.dtype(given_dtype), jax.numpy.dtype(preferred)
    x = jax.ShapeDtypeStruct((3,), dtype)
    numbers = (((0,), (0,)), ((), ()))
    with jax.enable_x64(True):
        try:
            jax.eval_shape(
                lambda x: jax.lax.dot_general(x, x, numbers, preferred_element_type=wanted), x
            )
        except TypeError as error:
            with pytest.raises(TypeError) as raised:
                precision.result_dtype(dtype, dtype, wanted)
            assert str(raised.value) == str(error)
            return
    assert precision.result_dtype(dtype, dtype, wanted) == wanted


# -- values ---------------------------------------------------------------------------------------


@st.composite
def products(draw: st.DrawFn) -> tuple[list[int], list[int], Any]:
    """Draw two shapes and dimension numbers: batch, contracting and free axes in any order."""
    lengths = st.lists(st.integers(0, 3), max_size=2)
    batch, contract, lhs_free, rhs_free = (draw(lengths) for _ in range(4))
    sides = []
    for free in (lhs_free, rhs_free):
        all_lengths = [*batch, *contract, *free]
        order = draw(st.permutations(range(len(all_lengths))))
        places = {old: new for new, old in enumerate(order)}
        shape = [all_lengths[i] for i in order]
        batch_axes = tuple(places[i] for i in range(len(batch)))
        contract_axes = tuple(places[len(batch) + i] for i in range(len(contract)))
        sides.append((shape, batch_axes, contract_axes))
    (lhs, lhs_batch, lhs_contract), (rhs, rhs_batch, rhs_contract) = sides
    return lhs, rhs, ((lhs_contract, rhs_contract), (lhs_batch, rhs_batch))


def whole_numbers(shape: Any, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


def require_equal(ours: Any, theirs: Any) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    wide = np.complex128 if ours.dtype.kind == "c" else np.float64
    np.testing.assert_array_equal(ours.astype(wide), theirs.astype(wide))


@settings(max_examples=60, deadline=None)
@given(products(), st.sampled_from([np.float32, np.int32, np.int8]))
def test_any_axes_contract_as_in_jax(product: Any, dtype: Any) -> None:
    lhs_shape, rhs_shape, numbers = product
    lhs, rhs = whole_numbers(lhs_shape, dtype), whole_numbers(rhs_shape, dtype, 1)
    require_equal(dot.dot_general(lhs, rhs, numbers), jax.lax.dot_general(lhs, rhs, numbers))


@pytest.mark.parametrize("dtype", ("bool", "uint8", "int8", "bfloat16", "float16", "complex64"))
def test_every_kind_of_number(dtype: str) -> None:
    x = np.arange(6).reshape(2, 3).astype(jax.numpy.dtype(dtype))
    require_equal(dot.dot(x, x.T), jax.lax.dot(x, x.T))


@pytest.mark.parametrize(
    ("lhs", "rhs", "preferred"),
    [
        ("int8", "int8", np.int32),
        ("uint8", "uint8", np.int32),
        ("int8", "uint8", np.int32),
        ("int8", "uint8", None),
        ("bool", "bool", np.int32),
        ("bool", "float32", None),
        ("float32", "int32", None),
        ("bfloat16", "int32", None),
        ("float32", "float32", BF16),
        ("float32", "float32", np.int32),
        ("float32", "float32", np.complex64),
        ("complex64", "complex64", np.float32),
        ("bfloat16", "bfloat16", np.float32),
        ("float16", "bfloat16", None),
    ],
)
def test_mixed_and_preferred_dtypes(lhs: str, rhs: str, preferred: Any) -> None:
    x = (np.arange(6).reshape(2, 3) * 25).astype(jax.numpy.dtype(lhs))
    y = (np.arange(12).reshape(3, 4) * 20).astype(jax.numpy.dtype(rhs))
    ours, theirs = (lax.dot(x, y, preferred_element_type=preferred) for lax in (dot, jax.lax))
    require_equal(ours, theirs)


def test_fractions_are_dropped_after_summing() -> None:
    x = np.array([[0.5, 0.5, 0.6]], np.float32)
    ours, theirs = (lax.dot(x, 2 * x.T, preferred_element_type=np.int32) for lax in (dot, jax.lax))
    require_equal(ours, theirs)


@pytest.mark.parametrize("dtype", (BF16, np.float16))
def test_narrow_floats_accumulate_in_float32(dtype: Any) -> None:
    x = np.random.default_rng(0).standard_normal((20, 300)).astype(dtype)
    require_equal(dot.dot(x, x.T), (x.astype(np.float32) @ x.T.astype(np.float32)).astype(dtype))


def test_large_integers_wrap_around() -> None:
    x = np.full((2, 40), 2**30 + 3, np.int32)
    require_equal(dot.dot(x, x.T), jax.lax.dot(x, x.T))


def test_an_empty_sum_is_zero() -> None:
    lhs, rhs = np.zeros((2, 0), np.float32), np.zeros((0, 3), np.float32)
    require_equal(dot.dot(lhs, rhs), np.zeros((2, 3), np.float32))


def test_public_forms() -> None:
    stack = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for case in (
        lambda lax: lax.dot(V, V),
        lambda lax: lax.dot(X, V),
        lambda lax: lax.dot(V, X.T),
        lambda lax: lax.dot(X, X, dimension_numbers=(((1,), (1,)), ((), ()))),
        lambda lax: lax.dot_general(X, X, ((1, 1), ((), ()))),
        lambda lax: lax.batch_matmul(stack, np.swapaxes(stack, 1, 2)),
    ):
        require_equal(case(dot), case(jax.lax))


def test_a_stack_of_transposed_matrices_is_handed_to_blas() -> None:
    x = np.zeros((4, 5, 6), np.float32)
    for batch, rows, columns in (((0,), (2,), (1,)), ((2,), (0,), (1,)), ((1,), (2,), (0,))):
        stack = dot._matrices(x, batch, rows, columns)
        assert 4 in stack.strides[-2:]


# -- precision ------------------------------------------------------------------------------------


def test_precision_is_a_pair_of_levels() -> None:
    high, default = Precision.HIGH, Precision.DEFAULT
    assert precision.canonicalize_precision(None) is None
    assert precision.canonicalize_precision("tensorfloat32") == (high, high)
    assert precision.canonicalize_precision(("high", None)) == (high, default)
    assert precision.canonicalize_precision("F32_F32_F32") is DotAlgorithmPreset.F32_F32_F32
    assert (repr(high), str(high)) == ("Precision.HIGH", "HIGH")


@pytest.mark.parametrize("wrong", ("nope", ("high",), 3, ("high", "nope")))
def test_no_precision(wrong: Any) -> None:
    with pytest.raises(ValueError) as expected:
        jax.lax.dot(X, X.T, precision=wrong)
    with pytest.raises(ValueError) as raised:
        dot.dot(X, X.T, precision=wrong)
    assert str(raised.value) == str(expected.value)


@pytest.mark.parametrize("preset", DotAlgorithmPreset)
def test_algorithms_are_as_exact_as_their_name_says(preset: DotAlgorithmPreset) -> None:
    x = np.random.default_rng(0).standard_normal((8, 30)).astype(np.float32)
    ours = np.asarray(dot.dot(x, x.T, precision=preset))
    assert ours.dtype == np.float32
    rounds = preset.name.startswith(("F16", "BF16")) and "_X" not in preset.name
    np.testing.assert_allclose(ours, x @ x.T, atol=0.2 if rounds else 1e-5)


def test_an_algorithm_rounds_its_operands() -> None:
    x = np.array([[1.001]], np.float32)
    algorithm = DotAlgorithm(BF16, BF16, np.float32)
    assert np.asarray(dot.dot(x, x, precision=algorithm)) == 1.0


# -- transpose and batching -----------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(products(), st.booleans())
def test_the_transpose_of_a_product(product: Any, of_lhs: bool) -> None:
    """⟨ct, x · y⟩ = ⟨ct_x, x⟩, with whole numbers, so that it holds exactly."""
    lhs_shape, rhs_shape, numbers = product
    lhs, rhs = whole_numbers(lhs_shape), whole_numbers(rhs_shape, seed=1)
    out = np.asarray(dot.dot_general(lhs, rhs, numbers))
    ct = whole_numbers(out.shape, seed=2)
    wanted = lhs if of_lhs else rhs
    linear = UndefinedPrimal(ShapedArray(wanted.shape, wanted.dtype))
    operands = (linear, rhs) if of_lhs else (lhs, linear)
    cts = dot.dot_general_transpose(ct, *operands, dimension_numbers=numbers, **PLAIN)
    assert [c is not None for c in cts] == [of_lhs, not of_lhs]
    found = np.asarray(cts[0] if of_lhs else cts[1])
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    assert np.vdot(found, wanted) == np.vdot(ct, out)


def test_cotangents_have_the_operands_dtypes() -> None:
    lhs, rhs = X.astype(BF16), X.T.copy()
    ct = np.ones((2, 2), np.float32)
    linear = UndefinedPrimal(ShapedArray(lhs.shape, lhs.dtype))
    ct_lhs, _ = dot.dot_general_transpose(ct, linear, rhs, dimension_numbers=MATRICES, **PLAIN)
    assert typeof(ct_lhs).dtype == BF16


@settings(max_examples=60, deadline=None)
@given(products(), st.data())
def test_batching_needs_no_transpose(product: Any, data: st.DataObject) -> None:
    lhs_shape, rhs_shape, numbers = product
    operands, dims = [], []
    which = data.draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    for shape, batched, seed in zip((lhs_shape, rhs_shape), which, (0, 1), strict=True):
        dim = data.draw(st.integers(0, len(shape))) if batched else None
        full = [*shape[:dim], 2, *shape[dim:]] if dim is not None else shape
        operands.append(whole_numbers(full, seed=seed))
        dims.append(dim)
    out, out_dim = dot.dot_general_batch(
        AxisInfo(None, 2), operands, dims, dimension_numbers=numbers, **PLAIN
    )
    for i in range(2):
        lhs, rhs = (
            x if dim is None else x.take(i, dim) for x, dim in zip(operands, dims, strict=True)
        )
        one = np.asarray(dot.dot_general(lhs, rhs, numbers))
        np.testing.assert_array_equal(np.asarray(out).take(i, out_dim), one)


# -- errors ---------------------------------------------------------------------------------------

ERRORS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (lambda lax, x: lax.dot_general(x, x, MATRICES), (X,)),
    (lambda lax, x: lax.dot_general(x, x, (([1], []), ((), ()))), (X,)),
    (lambda lax, x: lax.dot_general(x, x, (([-1], [1]), ((), ()))), (X,)),
    (lambda lax, x: lax.dot_general(x, x, (([1], [5]), ((), ()))), (X,)),
    (lambda lax, x: lax.dot_general(x, x, (([1, 1], [1, 1]), ((), ()))), (X,)),
    (lambda lax, x: lax.dot_general(x, x, (([1], [1]), ((1,), (1,)))), (X,)),
    (lambda lax, x: lax.dot_general(x, x, (([1], [1]), ((0,), (1,)))), (X,)),
    (lambda lax, x: lax.dot_general(x, x, (([1], [1]), ((0,), ()))), (X,)),
    (lambda lax, x: lax.dot_general(x, x, (([1], [1]), ((0, 0), (0, 0)))), (X,)),
    (lambda lax, x, y: lax.dot_general(x, y, (([1], [1]), ((0,), (0,)))), (X, X[:1])),
    (lambda lax, x: lax.dot(x, x), (X,)),
    (lambda lax, x: lax.dot(x, 2.0), (X,)),
    (lambda lax, x: lax.batch_matmul(x, x), (V,)),
    (lambda lax, x, y: lax.batch_matmul(x, y), (X[None], X)),
    (lambda lax, x: lax.batch_matmul(x, x), (X,)),
]


@pytest.mark.parametrize(("case", "operands"), ERRORS)
def test_errors_are_those_of_jax(case: Any, operands: Any) -> None:
    with pytest.raises(Exception) as expected:
        jax.eval_shape(lambda *xs: case(jax.lax, *xs), *operands)
    with pytest.raises(expected.type) as raised:
        case(LAX, *operands)
    assert str(raised.value) == str(expected.value)


def test_float64_products_stay_float64() -> None:
    with enable_x64(True):
        x = np.arange(6.0).reshape(2, 3) / 3
        np.testing.assert_allclose(np.asarray(dot.dot(x, x.T)), x @ x.T, rtol=1e-15)
