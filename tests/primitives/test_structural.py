"""Do the operations that move, repeat, cut and join elements agree with JAX?

Each case is written once, as a function of a ``lax`` and the operands. Values, dtypes and weak
types must agree exactly, and where JAX raises, the error and its text. What the rules of one
operation say about each other is the matter of the generic checks (``minijax.testing.rules``).
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

from minijax.core.array import Array, array_from_numpy
from minijax.core.aval import ShapedArray, typeof
from minijax.core.dtypes import threefry2x32_key
from minijax.core.primitive import AxisInfo, UndefinedPrimal
from minijax.primitives import broadcasting, build, cutting, identity, joining, reduce, structural
from minijax.transforms import dispatch  # installs the trace that evaluates

jax = pytest.importorskip("jax")

FILES = (broadcasting, build, cutting, identity, joining, reduce, structural)
LAX = SimpleNamespace(**{name: value for file in FILES for name, value in vars(file).items()})
assert dispatch is not None

X = np.arange(6, dtype=np.float32).reshape(2, 3)
Y = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
V = np.arange(3, dtype=np.float32)
EMPTY = np.zeros((0, 3), np.float32)
DTYPES = ("bool", "int8", "uint32", "float32", "bfloat16", "float16", "complex64", "float8_e4m3fn")

VALUES: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (lambda lax, x: lax.broadcast(x, (4,)), (X,)),
    (lambda lax, x: lax.broadcast(x, ()), (X,)),
    (lambda lax: lax.broadcast(2.5, (2,)), ()),
    (lambda lax, x: lax.broadcast_in_dim(x, (3, 2), (1, 0)), (X,)),
    (lambda lax, x: lax.broadcast_in_dim(x, (3, 4, 2), (2, 0)), (X,)),
    (lambda lax, x: lax.broadcast_in_dim(x, (2, 4, 3), (0, 2)), (X[:, :1],)),
    (lambda lax, x: lax.broadcast_in_dim(x, (0, 3), (0, 1)), (EMPTY,)),
    (lambda lax, x: lax.broadcast_to_rank(x, 4), (X,)),
    (lambda lax, x: lax.expand_dims(x, (0, -1)), (X,)),
    (lambda lax, x: lax.expand_dims(x, (-1, -2)), (X,)),
    (lambda lax: lax.expand_dims(1.0, (0,)), ()),
    (lambda lax, x: lax.reshape(x, 6), (X,)),
    (lambda lax, x: lax.reshape(x, (3, 2), dimensions=(1, 0)), (X,)),
    (lambda lax, x: lax.reshape(x, (3, 0)), (EMPTY,)),
    (lambda lax: lax.reshape(1, (1, 1)), ()),
    (lambda lax, x: lax.collapse(x, 1), (Y,)),
    (lambda lax, x: lax.collapse(x, -3, -1), (Y,)),
    (lambda lax, x: lax.collapse(x, 2, 2), (Y,)),
    (lambda lax, x: lax.collapse(x, 3), (Y,)),
    (lambda lax, x: lax.collapse(x, 0, 5), (Y,)),
    (lambda lax, x: lax.transpose(x, (2, 0, 1)), (Y,)),
    (lambda lax, x: lax.transpose(x, np.array([1, 0])), (X,)),
    (lambda lax, x: lax.squeeze(x, (0, -1)), (V.reshape(1, 3, 1),)),
    (lambda lax, x: lax.squeeze(x, ()), (X,)),
    (lambda lax, x: lax.rev(x, (0, 2)), (Y,)),
    (lambda lax, x: lax.rev(x, ()), (X,)),
    (lambda lax, x: lax.slice(x, (0, 1), (2, 3)), (X,)),
    (lambda lax, x: lax.slice(x, (0, 1), (2, 3), (1, 2)), (X,)),
    (lambda lax, x: lax.slice(x, (0, 3), (2, 3)), (X,)),
    (lambda lax, x: lax.slice_in_dim(x, -2, None, 1, 1), (X,)),
    (lambda lax, x: lax.slice_in_dim(x, None, -1, 2, -1), (Y,)),
    (lambda lax, x: lax.concatenate([x, x[:1]], 0), (X,)),
    (lambda lax, x: lax.concatenate(x, 0), (X,)),
    (lambda lax, x, y: lax.concatenate([x, y], 0), (X, EMPTY)),
    (lambda lax: lax.concatenate([lax.full((2,), 1.0), lax.full((1,), 2.0)], 0), ()),
    (lambda lax, x: lax.split(x, (1, 0, 2), 1), (X,)),
    (lambda lax, x: lax.split(x, (1, 2), -1), (X,)),
    (lambda lax, x: lax.split(x, ()), (EMPTY,)),
    (lambda lax, x: lax.pad(x, np.float32(7), [(1, -1, 0), (0, 2, 2)]), (X,)),
    (lambda lax, x: lax.pad(x, 1.0, [(-2, -1, 2)]), (V,)),
    (lambda lax, x: lax.pad(x, 1.0, [(3, -1, 2), (0, 0, 1)]), (EMPTY,)),
    (lambda lax, x: lax.pad(x, 1.0, [(-2, -1, 1), (0, 0, 0)]), (X,)),
    (lambda lax: lax.pad(1.0, 2.0, ()), ()),
    (lambda lax: lax.iota(np.int8, 300), ()),
    (lambda lax: lax.iota(ml_dtypes.bfloat16, 300), ()),
    (lambda lax: lax.iota(float, 0), ()),
    (lambda lax: lax.broadcasted_iota(np.complex64, (2, 3), 1), ()),
    (lambda lax: lax.full(3, 1.0), ()),
    (lambda lax: lax.full((2, 3), 1), ()),
    (lambda lax: lax.full((2,), 1.5, np.int32), ()),
    (lambda lax: lax.full((2,), float("nan"), np.int32), ()),
    (lambda lax: lax.full((), 2, np.float32), ()),
    (lambda lax, x: lax.full((2,), x, ml_dtypes.bfloat16), (np.float32(1.01),)),
    (lambda lax, x: lax.full_like(x, 0), (X,)),
    (lambda lax, x: lax.full_like(x, 1.5, shape=(5,)), (Y,)),
    (lambda lax, x: lax.full_like(x, 1.5, dtype=np.float16), (Y,)),
    (lambda lax: lax.full_like(2, 3.5), ()),
    (lambda lax: lax.full_like(2.0, 3), ()),
    (lambda lax, x: lax.stop_gradient((x, 1, 2.0)), (X,)),
]

ERRORS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (lambda lax, x: lax.broadcast(x, (-1,)), (X,)),
    (lambda lax, x: lax.broadcast_in_dim(x, (2, 4), (0, 1)), (X,)),
    (lambda lax, x: lax.broadcast_in_dim(x, (2, 3, 4), (0,)), (X,)),
    (lambda lax, x: lax.broadcast_in_dim(x, (2,), (0, 1)), (X,)),
    (lambda lax, x: lax.broadcast_in_dim(x, (2, 3), (0, 2)), (X,)),
    (lambda lax, x: lax.broadcast_in_dim(x, (2, 2), (0, 0)), (X[:, :2],)),
    (lambda lax, x: lax.broadcast_in_dim(x, (4, 2, 3), (-2, -1)), (X,)),
    (lambda lax, x: lax.reshape(x, (-1, 2)), (X,)),
    (lambda lax, x: lax.reshape(x, (3, 2), (0, 0)), (X,)),
    (lambda lax, x: lax.reshape(x, (3, 2.0)), (X,)),
    (lambda lax, x: lax.transpose(x, (1, -2)), (X,)),
    (lambda lax, x: lax.squeeze(x, (0,)), (X,)),
    (lambda lax, x: lax.squeeze(x, (5,)), (X,)),
    (lambda lax, x: lax.squeeze(x, (0, -2)), (V[None],)),
    (lambda lax, x: lax.expand_dims(x, (0, 0)), (X,)),
    (lambda lax, x: lax.expand_dims(x, (5,)), (X,)),
    (lambda lax, x: lax.rev(x, (0, 0)), (X,)),
    (lambda lax, x: lax.rev(x, (2,)), (X,)),
    (lambda lax, x: lax.rev(x, (-1,)), (X,)),
    (lambda lax, x: lax.slice(x, (0,), (2,)), (X,)),
    (lambda lax, x: lax.slice(x, (0, 0), (2,)), (X,)),
    (lambda lax, x: lax.slice(x, (0, 0), (2, 4)), (X,)),
    (lambda lax, x: lax.slice(x, (0, -1), (2, 3)), (X,)),
    (lambda lax, x: lax.slice(x, (0, 2), (2, 1)), (X,)),
    (lambda lax, x: lax.slice(x, (0, 0), (2, 3), (1,)), (X,)),
    (lambda lax, x: lax.slice(x, (0, 0), (2, 3), (1, -1)), (X,)),
    (lambda lax, x: lax.slice(x, (0.0, 0), (2, 3)), (X,)),
    (lambda lax, x: lax.slice_in_dim(x, 0, 10), (X,)),
    (lambda lax: lax.concatenate([], 0), ()),
    (lambda lax, x: lax.concatenate([x, x], -1), (X,)),
    (lambda lax, x, v: lax.concatenate([x, v], 0), (X, V)),
    (lambda lax, x: lax.concatenate([x, x[:, :2]], 0), (X,)),
    (lambda lax, x, y: lax.concatenate([x, y], 0), (X, Y[0])),
    (lambda lax, x: lax.split(x, (1, 1), 1), (X,)),
    (lambda lax, x: lax.split(x, (1, 2), 2), (X,)),
    (lambda lax, x: lax.split(x, (4, -1), 1), (X,)),
    (lambda lax, x: lax.pad(x, 0.0, ((0, 0, 0),)), (X,)),
    (lambda lax, x: lax.pad(x, 0, ((0, 0, 0), (0, 0, 0))), (X,)),
    (lambda lax, x, v: lax.pad(x, v, ((0, 0, 0), (0, 0, 0))), (X, V)),
    (lambda lax, x: lax.pad(x, 0.0, ((0, 0, -1), (0, 0, 0))), (X,)),
    (lambda lax, x: lax.pad(x, 0.0, ((-5, 0, 0), (0, 0, 0))), (X,)),
    (lambda lax: lax.iota(np.int32, -1), ()),
    (lambda lax: lax.iota(np.bool_, 3), ()),
    (lambda lax: lax.broadcasted_iota(np.int32, (2, 3), -1), ()),
    (lambda lax, x: lax.full((2,), x), (X,)),
    (lambda lax: lax.full((2.0,), 1.0), ()),
    (lambda lax, x: lax.full_like(x, x), (X,)),
]


def leaves(result: Any) -> list[Any]:
    """Return the arrays of a result."""
    return list(result) if isinstance(result, (list, tuple)) else [result]


@pytest.mark.parametrize(("case", "operands"), VALUES)
def test_values_and_types_are_those_of_jax(case: Any, operands: Any) -> None:
    ours, theirs = leaves(case(LAX, *operands)), leaves(case(jax.lax, *operands))
    for x, y in zip(ours, theirs, strict=True):
        found, expected = typeof(x), jax.typeof(y)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        assert found.weak_type == expected.weak_type or not isinstance(x, Array)
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))


@pytest.mark.parametrize(("case", "operands"), ERRORS)
def test_errors_are_those_of_jax(case: Any, operands: Any) -> None:
    with pytest.raises(Exception) as expected:
        jax.eval_shape(lambda *xs: case(jax.lax, *xs), *operands)
    with pytest.raises(expected.type) as raised:
        case(LAX, *operands)
    assert str(raised.value) == str(expected.value)


def test_lists_are_no_operands() -> None:
    for operation in (lambda: LAX.reshape([1.0], (1,)), lambda: LAX.concatenate((X, [1]), 0)):
        with pytest.raises(TypeError, match="Error interpreting argument to"):
            operation()


def test_a_reshape_keeps_the_number_of_elements() -> None:
    with pytest.raises(TypeError, match="reshape total size must be unchanged"):
        LAX.reshape(X, (4, 2))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_can_be_moved(dtype: str) -> None:
    x = (np.arange(6) % 2 if dtype == "bool" else np.arange(6)).reshape(2, 3)
    x = x.astype(jax.numpy.dtype(dtype))
    fill = x[0, 1]
    for case in (
        lambda lax: lax.transpose(x, (1, 0)),
        lambda lax: lax.rev(x, (1,)),
        lambda lax: lax.concatenate([x, x], 1),
        lambda lax: lax.pad(x, fill, ((1, 0, 1), (0, -1, 0))),
        lambda lax: lax.broadcast_in_dim(x, (2, 2, 3), (1, 2)),
        lambda lax: lax.slice(x, (0, 0), (2, 3), (1, 2)),
    ):
        ours, theirs = np.asarray(case(LAX)), np.asarray(case(jax.lax))
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours.astype(np.complex64), theirs.astype(np.complex64))


@st.composite
def paddings(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int, int]]]:
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    edge = st.integers(-4, 3)
    return shape, [(draw(edge), draw(edge), draw(st.integers(0, 2))) for _ in shape]


@settings(max_examples=150, deadline=None)
@given(paddings())
def test_any_padding_is_that_of_jax(padding: Any) -> None:
    shape, widths = padding
    x = np.arange(1, 1 + np.prod(shape, dtype=int)).reshape(shape).astype(np.int32)
    try:
        expected = np.asarray(jax.lax.pad(x, np.int32(-1), widths))
    except ValueError:
        with pytest.raises(ValueError, match="Dimension size after padding"):
            cutting.pad(x, np.int32(-1), widths)
        return
    np.testing.assert_array_equal(cutting.pad(x, np.int32(-1), widths), expected)


@settings(max_examples=100, deadline=None)
@given(paddings(), st.booleans(), st.booleans())
def test_the_transpose_of_padding(padding: Any, of_operand: bool, of_value: bool) -> None:
    """⟨ct, pad(x, v)⟩ = ⟨ct_x, x⟩ + ct_v v, with whole numbers, so that it holds exactly."""
    shape, widths = padding
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, shape).astype(np.float32)
    value = np.float32(2)
    try:
        out = np.asarray(cutting.pad(x, value, widths))
    except ValueError:
        return
    ct = rng.integers(-3, 4, out.shape).astype(np.float32)
    ct_x, ct_value = cutting.pad_transpose(
        ct,
        UndefinedPrimal(ShapedArray(x.shape, x.dtype)) if of_operand else x,
        UndefinedPrimal(ShapedArray((), x.dtype)) if of_value else value,
        padding_config=tuple(widths),
    )
    assert (ct_x is not None, ct_value is not None) == (of_operand, of_value)
    zeros = np.zeros_like(x)
    if of_operand:
        padded = np.asarray(cutting.pad(x, np.float32(0), widths))
        assert np.vdot(np.asarray(ct_x), x) == np.vdot(ct, padded)
    if of_value:
        assert np.asarray(ct_value) * 2 == np.vdot(
            ct, np.asarray(cutting.pad(zeros, value, widths))
        )


@pytest.mark.parametrize(
    ("shape", "result", "dims"),
    [((2, 3), (3, 2), (1, 0)), ((1, 3), (3, 4, 5), (2, 0)), ((1,), (1,), (0,)), ((), (2,), ())],
)
def test_the_transpose_of_broadcasting_sums(shape: Any, result: Any, dims: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, shape).astype(np.float32)
    ct = rng.integers(-3, 4, result).astype(np.float32)
    (ct_x,) = broadcasting.broadcast_in_dim_transpose(
        ct,
        UndefinedPrimal(ShapedArray(shape, x.dtype)),
        shape=result,
        broadcast_dimensions=dims,
        sharding=None,
    )
    out = broadcasting.broadcast_in_dim(x, result, dims)
    assert np.vdot(np.asarray(ct_x), x) == np.vdot(ct, np.asarray(out))


def test_batching_moves_no_axis_where_none_need_move() -> None:
    _, dim = broadcasting.broadcast_in_dim_batch(
        AxisInfo(None, 4), [Y], [2], shape=(2, 5, 3), broadcast_dimensions=(0, 2), sharding=None
    )
    assert dim == 3
    out, dim = joining.concatenate_batch(AxisInfo(None, 3), [Y, Y[:, 0]], [1, None], dimension=0)
    assert dim == 1 and typeof(out).shape == (4, 3, 4)


# -- keys ---------------------------------------------------------------------------------------

KEYS = np.arange(6, dtype=np.uint64).reshape(2, 3) + (np.uint64(7) << np.uint64(32))


def keys() -> Any:
    return array_from_numpy(KEYS.copy(), aval=ShapedArray((2, 3), threefry2x32_key))


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda k: LAX.reshape(k, (6,)), KEYS.reshape(6)),
        (lambda k: LAX.transpose(k, (1, 0)), KEYS.T),
        (lambda k: LAX.squeeze(LAX.slice(k, (0, 0), (1, 3)), (0,)), KEYS[0]),
        (lambda k: LAX.rev(k, (1,)), KEYS[:, ::-1]),
        (lambda k: LAX.broadcast(k, (2,)), np.stack([KEYS, KEYS])),
        (lambda k: LAX.concatenate([k, k], 0), np.concatenate([KEYS, KEYS])),
        (lambda k: LAX.split(k, (1, 2), 1)[1], KEYS[:, 1:]),
        (
            lambda k: LAX.pad(k, LAX.full((), 0, k.dtype), ((1, 0, 0), (0, 0, 0))),
            np.concatenate([np.zeros((1, 3), np.uint64), KEYS]),
        ),
        (lambda k: LAX.full_like(k, 1), np.full((2, 3), (1 << 32) + 1, np.uint64)),
        (lambda k: LAX.stop_gradient(LAX.copy(k)), KEYS),
    ],
)
def test_keys_move_like_other_elements(operation: Any, expected: np.ndarray) -> None:
    out = operation(keys())
    assert out.dtype == threefry2x32_key
    np.testing.assert_array_equal(out.value, expected)
