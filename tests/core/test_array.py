"""Is an Array immutable, on a device, a good citizen among NumPy arrays, and printed as in JAX?"""

from __future__ import annotations

import copy
import ctypes
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp


def address(x: np.ndarray) -> int:
    return x.__array_interface__["data"][0]


@pytest.fixture
def x() -> Any:
    return jnp.arange(6.0).reshape(2, 3)


# Immutability ------------------------------------------------------------------------------------


def test_item_assignment_is_refused_with_the_cure(x: Any) -> None:
    with pytest.raises(TypeError, match=r"immutable.*x = x\.at\[idx\]\.set\(y\)"):
        x[0] = 1
    with pytest.raises(TypeError, match="immutable"):
        del x[0]


def test_augmented_assignment_makes_another_array(x: Any) -> None:
    before = x
    x += 1
    assert x is not before
    assert before[0, 0] == 0 and x[0, 0] == 1


def test_at_returns_a_changed_copy(x: Any) -> None:
    y = x.at[0, 1].set(9.0)
    assert float(x[0, 1]) == 1.0 and float(y[0, 1]) == 9.0


def test_attributes_cannot_be_set(x: Any) -> None:
    for name in ("shape", "dtype", "something"):
        with pytest.raises(AttributeError):
            setattr(x, name, None)


def test_numpy_view_is_read_only(x: Any) -> None:
    view = np.asarray(x)
    assert not view.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1
    own = np.array(x)
    own[0, 0] = 7
    assert x[0, 0] == 0


@pytest.mark.parametrize(
    "make", [jnp.asarray, jnp.array, jax.device_put, lambda a: jnp.asarray(a) + 0, jnp.negative]
)
def test_the_users_ndarray_is_never_aliased(make: Callable[..., Any]) -> None:
    given = np.ones(64, np.float32)
    made = make(given)
    expected = np.array(made)
    given[...] = 5
    np.testing.assert_array_equal(made, expected)
    np.testing.assert_array_equal(jax.jit(lambda a: a + 0)(made), expected)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: jax.lax.reshape(a, (8, 8)),
        lambda a: jax.lax.transpose(a, (0,)),
        lambda a: jax.lax.slice(a, (0,), (8,)),
        lambda a: jnp.broadcast_to(a, (2, 64)),
        lambda a: jnp.real(a),
        lambda a: a[::-1] if isinstance(a, jax.Array) else jnp.flip(a),
    ],
)
def test_eager_operation_on_an_ndarray_returns_no_view_of_it(view: Callable[..., Any]) -> None:
    given = np.ones(64, np.float32)
    made = view(given)
    given[...] = 5
    assert np.asarray(made).max() == 1


def test_ndarray_captured_by_a_linear_function_may_be_written_to() -> None:
    factor = np.full(3, 2.0, np.float32)
    _, pullback = jax.vjp(lambda a: jax.lax.mul(a, factor), jnp.ones(3))
    program = jax.make_jaxpr(lambda a: jax.lax.mul(a, factor))(jnp.ones(3))
    factor[...] = 9
    np.testing.assert_array_equal(pullback(jnp.ones(3))[0], [2, 2, 2])
    np.testing.assert_array_equal(program.consts[0], [2, 2, 2])


# Memory ------------------------------------------------------------------------------------------


def test_numpy_view_and_compiled_result_share_memory() -> None:
    y = jax.jit(lambda a: a * 2)(jnp.arange(1000.0))
    view = np.asarray(y)
    assert address(view) % 64 == 0
    assert address(np.asarray(y)) == address(view)
    z = jax.jit(lambda a: (a, a + 1))(y)[0]
    assert address(np.asarray(z)) == address(view)


def test_view_outlives_its_array() -> None:
    view = np.asarray(jax.jit(lambda a: a * 2)(jnp.arange(1000.0)))
    for _ in range(20):  # would reuse the memory if it were free
        jax.jit(lambda a: a * 3)(jnp.arange(1000.0)).block_until_ready()
    np.testing.assert_array_equal(view, 2.0 * np.arange(1000))


def test_view_of_a_view_outlives_its_array() -> None:
    double = jax.jit(lambda a: a * 2)
    rows = [np.asarray(double(jnp.full((4, 16), i, jnp.float32))[1:3]) for i in range(20)]
    for size in (3, 16, 48) * 20:  # would reuse the memory if it were free
        double(jnp.full((size,), -7.0)).block_until_ready()
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(row, np.full((2, 16), 2.0 * i))


def test_row_of_an_array_can_be_given_to_a_compiled_function() -> None:
    rows = list(jnp.arange(12.0).reshape(4, 3))
    doubled = [jax.jit(lambda a: a * 2)(row) for row in rows]
    np.testing.assert_array_equal(np.stack(doubled), 2.0 * np.arange(12).reshape(4, 3))


def test_one_block_of_memory_once_a_compiled_function_has_read_it() -> None:
    x = jnp.arange(1000.0)
    before = np.asarray(x)
    jax.jit(lambda a: a * 2)(x)
    view = np.asarray(x)
    assert address(view) % 64 == 0
    assert address(np.asarray(x)) == address(view)
    assert address(np.asarray(jax.jit(lambda a: (a, a + 1))(x)[0])) == address(view)
    np.testing.assert_array_equal(before, view)


def test_unsafe_buffer_pointer_points_to_the_data() -> None:
    y = jax.jit(lambda a: a + 0.5)(jnp.arange(3.0))
    raw = ctypes.string_at(y.unsafe_buffer_pointer(), y.nbytes)
    assert raw == np.asarray(y).tobytes() == bytes(y)


def test_delete_and_is_deleted(x: Any) -> None:
    assert not x.is_deleted()
    x.delete()
    assert x.is_deleted()
    assert (x.shape, x.dtype) == ((2, 3), np.float32)
    for use in (
        np.asarray, jnp.sin, lambda a: a + 1, float, jax.jit(jnp.sin), list,
        lambda a: a.block_until_ready(), jax.jit(lambda a: a),
    ):  # fmt: skip
        with pytest.raises((RuntimeError, TypeError), match="deleted|scalar"):
            use(x)
    assert "deleted" in repr(x)


def test_block_until_ready_returns_the_array(x: Any) -> None:
    assert x.block_until_ready() is x
    x.copy_to_host_async()
    tree = {"a": x, "b": 1}
    assert jax.block_until_ready(tree) is tree


# Type --------------------------------------------------------------------------------------------


def test_attributes(x: Any) -> None:
    assert (x.shape, x.ndim, x.size, x.dtype) == ((2, 3), 2, 6, np.dtype("float32"))
    assert (x.itemsize, x.nbytes, len(x), x.weak_type) == (4, 24, 2, False)
    assert x.aval == jax.typeof(x)
    assert x.on_device_size_in_bytes() == 24
    assert x.is_fully_addressable and x.is_fully_replicated


def test_isinstance_of_arrays_and_tracers() -> None:
    seen = []
    jax.jit(lambda a: (seen.append(isinstance(a, jax.Array)), a)[1])(1.0)
    assert seen == [True]
    assert isinstance(jnp.ones(2), jax.Array)
    assert not isinstance(np.ones(2), jax.Array)


def test_length_iteration_and_membership(x: Any) -> None:
    rows = list(x)
    assert len(rows) == 2 and all(isinstance(row, jax.Array) and row.shape == (3,) for row in rows)
    assert [float(v) for v in reversed(x[0])] == [2, 1, 0]
    a, b = x
    assert float(b[0]) == 3
    assert 4.0 in x and 7.0 not in x
    scalar = jnp.float32(1)
    with pytest.raises(TypeError, match=r"len\(\) of unsized object"):
        len(scalar)
    with pytest.raises(TypeError, match="iteration over a 0-d array"):
        iter(scalar)


def test_arrays_have_no_hash(x: Any) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)
    with pytest.raises(TypeError, match="unhashable"):
        _ = {x: 1}


# Operators ---------------------------------------------------------------------------------------

BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
]  # fmt: skip
BITWISE = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
def test_binary_operators_from_either_side(op: Callable[..., Any]) -> None:
    a, b = np.array([7.0, -2.0, 3.0], np.float32), np.array([2.0, 3.0, 3.0], np.float32)
    expected = op(a, b)
    for left, right in ((jnp.array(a), jnp.array(b)), (a, jnp.array(b)), (jnp.array(a), b)):
        got = op(left, right)
        assert isinstance(got, jax.Array)
        np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(op(jnp.array(b), 2)), op(b, 2), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(op(2, jnp.array(b))), op(2, b), rtol=1e-6)
    assert isinstance(op(np.float32(2), jnp.array(b)), jax.Array)


@pytest.mark.parametrize("op", BITWISE, ids=lambda op: op.__name__)
def test_bitwise_operators(op: Callable[..., Any]) -> None:
    a, b = np.array([6, 5], np.int32), np.array([3, 1], np.int32)
    np.testing.assert_array_equal(op(jnp.array(a), jnp.array(b)), op(a, b))
    np.testing.assert_array_equal(op(a, jnp.array(b)), op(a, b))
    np.testing.assert_array_equal(op(1, jnp.array(b)), op(1, b))


def test_unary_operators_and_rounding(x: Any) -> None:
    np.testing.assert_array_equal(-x, -np.asarray(x))
    np.testing.assert_array_equal(+x, np.asarray(x))
    np.testing.assert_array_equal(abs(-x), np.asarray(x))
    np.testing.assert_array_equal(~jnp.array([1, 2]), [-2, -3])
    np.testing.assert_array_equal(~jnp.array(True), False)
    assert float(round(jnp.float32(1.26), 1)) == pytest.approx(1.3)
    quotient, rest = divmod(jnp.array([7, -7]), 3)
    np.testing.assert_array_equal(quotient, [2, -3])
    np.testing.assert_array_equal(rest, [1, 2])
    assert (jnp.ones((2, 3)) @ jnp.ones((3, 4))).shape == (2, 4)
    assert isinstance(np.ones((2, 2)) @ jnp.ones(2), jax.Array)


@pytest.mark.parametrize("other", [[1, 2, 3], (1, 2, 3), "a", None, {}])
def test_operators_refuse_what_is_no_array(other: Any) -> None:
    with pytest.raises(TypeError):
        _ = jnp.ones(3) + other
    with pytest.raises(TypeError):
        _ = other - jnp.ones(3)
    assert (jnp.ones(3) == other) is False


def test_python_scalars_are_weak_and_numpy_scalars_are_not() -> None:
    half = jnp.ones(2, jnp.bfloat16)
    assert (half * 2.0).dtype == jnp.bfloat16
    assert (half * np.float32(2)).dtype == np.float32
    assert jnp.asarray(1.0).weak_type and not jnp.asarray(np.float32(1)).weak_type


def test_numpy_ufuncs_compute_in_numpy(x: Any) -> None:
    assert type(np.sin(x)) is np.ndarray
    assert type(np.add(x, x)) is np.ndarray
    out = np.zeros((2, 3))
    np.add(x, 1, out=out)
    np.testing.assert_array_equal(out, np.asarray(x) + 1)
    own = np.ones((2, 3), np.float32)
    own += x
    np.testing.assert_array_equal(own, np.asarray(x) + 1)
    assert np.mean(x) == pytest.approx(2.5)


def test_objects_with_jax_array_take_part_in_operators() -> None:
    class Wrapper:
        def __jax_array__(self) -> Any:
            return jnp.ones(2)

    np.testing.assert_array_equal(jnp.ones(2) + Wrapper(), [2, 2])


# Methods and indexing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, args",
    [
        ("sum", ()), ("sum", (0,)), ("mean", (1,)), ("max", ()), ("min", (0,)), ("prod", ()),
        ("std", ()), ("var", ()), ("any", ()), ("all", ()), ("argmax", ()), ("argmin", (1,)),
        ("cumsum", (1,)), ("cumprod", (0,)), ("ravel", ()), ("flatten", ()), ("reshape", (3, 2)),
        ("reshape", ((6,),)), ("transpose", ()), ("transpose", (1, 0)), ("swapaxes", (0, 1)),
        ("squeeze", ()), ("astype", (np.int32,)), ("clip", (1, 3)), ("conj", ()), ("copy", ()),
        ("repeat", (2,)), ("round", ()), ("take", (np.array([1]),)),
        ("diagonal", ()), ("trace", ()), ("dot", (np.ones(3, np.float32),)), ("nonzero", ()),
    ],
)  # fmt: skip
def test_methods_are_numpys(x: Any, name: str, args: tuple) -> None:
    got = getattr(x, name)(*args)
    expected = getattr(np.asarray(x), name)(*args)
    for a, b in zip(np.atleast_1d(got), np.atleast_1d(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_array_properties(x: Any) -> None:
    assert x.T.shape == (3, 2) and x.mT.shape == (3, 2)
    z = jnp.array([1 + 2j])
    assert (float(z.real[0]), float(z.imag[0])) == (1, 2)
    assert float(x.imag.sum()) == 0
    with pytest.raises(NotImplementedError, match="flatten"):
        _ = x.flat
    assert x.__array_namespace__() is jnp


@pytest.mark.parametrize(
    "index",
    [
        0, -1, slice(None), slice(1, None), (0, 1), (slice(None), 2), (..., 0), None,
        (slice(None, None, -1),), np.array([1, 0]), [0, 1] and (np.array([0, 1]), np.array([2, 0])),
        np.array([True, False]), (slice(None), np.array([0, 2])),
    ],
)  # fmt: skip
def test_indexing_is_numpys(x: Any, index: Any) -> None:
    np.testing.assert_array_equal(x[index], np.asarray(x)[index])


def test_index_out_of_bounds_is_clamped(x: Any) -> None:
    assert float(x[5, 5]) == 5.0
    assert float(x[jnp.array(7), 0]) == 3.0


# Python values -----------------------------------------------------------------------------------


def test_conversion_of_scalars() -> None:
    assert int(jnp.array(3)) == 3 and float(jnp.array(2.5)) == 2.5
    assert complex(jnp.array(1j)) == 1j
    assert bool(jnp.array([[True]])) is True
    assert operator.index(jnp.array(3)) == 3 and [10, 20][jnp.array(1)] == 20
    assert jnp.array(2.5).item() == 2.5 and jnp.arange(3).item(1) == 1
    assert jnp.arange(3).tolist() == [0, 1, 2]
    assert jnp.arange(2).tobytes() == np.arange(2, dtype=np.int32).tobytes()


@pytest.mark.parametrize(
    "convert, value, error, text",
    [
        (int, [1], TypeError, r"Only scalar arrays.*arr\.ndim=1"),
        (float, [1.0], TypeError, r"Only scalar arrays.*arr\.ndim=1"),
        (bool, [1, 2], ValueError, r"ambiguous\. Use a\.any\(\) or a\.all\(\)"),
        (bool, [], ValueError, r"empty array is ambiguous"),
        (operator.index, 1.0, TypeError, "Only integer scalar arrays"),
        (operator.index, True, TypeError, "Only integer scalar arrays"),
        (operator.index, [1], TypeError, "Only integer scalar arrays"),
        (lambda a: a.item(), [1, 2], ValueError, "size 1"),
        (float, 1j, TypeError, "complex"),
    ],
)
def test_refused_conversions(
    convert: Callable[..., Any], value: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        convert(jnp.array(value))


def test_array_protocol(x: Any) -> None:
    assert np.asarray(x).dtype == np.float32
    assert np.asarray(x, dtype=np.int8).dtype == np.int8
    assert np.array(x).flags.writeable
    assert np.array(x, copy=False) is not None
    with pytest.raises(ValueError, match="copy"):
        np.array(x, dtype=np.int8, copy=False)


# DLPack ------------------------------------------------------------------------------------------


def test_dlpack_to_numpy_without_a_copy(x: Any) -> None:
    assert tuple(map(int, x.__dlpack_device__())) == (1, 0)
    seen = np.from_dlpack(x)
    np.testing.assert_array_equal(seen, np.asarray(x))
    assert address(seen) == address(np.asarray(x))


def test_dlpack_for_consumers_that_know_no_read_only_memory(x: Any) -> None:
    class Old:
        """Asks as before DLPack 1.0, without ``max_version``."""

        def __dlpack__(self, **kwargs: Any) -> Any:
            return x.__dlpack__()

        def __dlpack_device__(self) -> tuple[Any, int]:
            return x.__dlpack_device__()

    copied = np.from_dlpack(Old())
    np.testing.assert_array_equal(copied, np.asarray(x))
    assert address(copied) != address(np.asarray(x))


def test_dlpack_from_numpy() -> None:
    given = np.arange(4.0, dtype=np.float32)
    made = jnp.from_dlpack(given)
    assert isinstance(made, jax.Array)
    np.testing.assert_array_equal(made, given)
    given[0] = 7
    assert float(made[0]) == 0


# Copies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "bool", "complex64"])
def test_pickle_and_copies(dtype: str) -> None:
    x = jnp.arange(4).astype(dtype)
    for other in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x)):
        assert other is not x and other.dtype == x.dtype
        np.testing.assert_array_equal(other, x)
        np.testing.assert_array_equal(jax.jit(lambda a: a)(other), x)
    assert address(np.asarray(copy.deepcopy(x))) != address(np.asarray(x))


def test_copies_keep_weak_types_keys_and_devices() -> None:
    weak = jnp.asarray(1.0)
    assert pickle.loads(pickle.dumps(weak)).weak_type and copy.deepcopy(weak).weak_type
    keys = jax.random.split(jax.random.key(7), 2)
    back = pickle.loads(pickle.dumps(keys))
    assert back.dtype == keys.dtype and bool((back == keys).all())
    pinned = jax.device_put(jnp.ones(2), jax.devices("numpy")[0])
    assert copy.copy(pinned).device is pinned.device
    device = pickle.loads(pickle.dumps(jax.devices()[0]))
    assert device is jax.devices()[0]


# Pictures: the texts are those that JAX 0.10.2 prints -------------------------------------------


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: jnp.array([5, 7, 9]), "Array([5, 7, 9], dtype=int32)"),
        (lambda: jnp.array(1.5, jnp.float32), "Array(1.5, dtype=float32)"),
        (lambda: jnp.asarray(1.0), "Array(1., dtype=float32, weak_type=True)"),
        (lambda: jnp.asarray(True), "Array(True, dtype=bool)"),
        (lambda: jnp.array([1.5, 2.25], jnp.bfloat16), "Array([1.5, 2.25], dtype=bfloat16)"),
        (lambda: jnp.array([1 + 2j]), "Array([1.+2.j], dtype=complex64)"),
        (lambda: jnp.zeros((0,)), "Array([], shape=(0,), dtype=float32)"),
        (lambda: jnp.zeros((2, 0), jnp.int8), "Array([], shape=(2, 0), dtype=int8)"),
        (
            lambda: jnp.arange(6.0).reshape(2, 3),
            "Array([[0., 1., 2.],\n       [3., 4., 5.]], dtype=float32)",
        ),
        (lambda: jnp.arange(2000), "Array([   0,    1,    2, ..., 1997, 1998, 1999], dtype=int32)"),
        (
            lambda: jax.random.key(42),
            "Array((), dtype=key<fry>) overlaying:\n[ 0 42]",
        ),
        (
            lambda: jnp.array([np.nan, np.inf, 1.0], jnp.float32),
            "Array([nan, inf,  1.], dtype=float32)",
        ),
        (
            lambda: jnp.arange(18) * 1001,
            "Array([    0,  1001,  2002,  3003,  4004,  5005,  6006,  7007,  8008,\n"
            "        9009, 10010, 11011, 12012, 13013, 14014, 15015, 16016, 17017],"
            "      dtype=int32)",
        ),
    ],
)
def test_repr(make: Callable[[], Any], text: str) -> None:
    assert repr(make()) == text


def test_str_and_format() -> None:
    assert str(jnp.arange(3)) == "[0 1 2]"
    assert str(jnp.float32(1.5)) == "1.5"
    assert f"{jnp.float32(1.2345):.2f}" == "1.23"
    assert f"{jnp.arange(2)}" == "[0 1]"
    assert f"{jnp.array(3):>4d}" == "   3"
    with pytest.raises(TypeError):
        f"{jnp.arange(2):.2f}"


# Keys --------------------------------------------------------------------------------------------


def test_key_arrays_hold_no_numbers() -> None:
    key: Any = jax.random.key(0)
    assert key.shape == () and isinstance(key, jax.Array)
    conversions: list[Any] = [np.asarray, int, float, bool, lambda k: k.item()]
    for convert in [*conversions, lambda k: k.tolist()]:
        with pytest.raises(TypeError, match="key_data"):
            convert(key)
    assert key.dtype.name == "key<fry>"
    keys = jax.random.split(key, 3)
    assert len(keys) == 3 and [k.shape for k in keys] == [()] * 3
    assert bool(keys[0] == keys[0]) and not bool(keys[0] == keys[1])
