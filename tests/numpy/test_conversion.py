"""What do ``array`` and ``asarray`` make of values, and which do they refuse?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minijax
import minijax.numpy as jnp


class Wrapper:
    """Something that knows how to become an array."""

    def __jax_array__(self) -> Any:
        return jnp.ones(2)


def test_input_is_copied() -> None:
    source = np.ones(3, np.float32)
    made = jnp.asarray(source)
    source[0] = 7
    assert made.tolist() == [1, 1, 1]


def test_asarray_returns_arrays_as_they_are() -> None:
    x = jnp.ones(3)
    assert jnp.asarray(x) is x
    assert jnp.array(x) is not x


def test_scalars_are_weak_and_lists_are_not() -> None:
    assert jnp.asarray(1.5).weak_type
    assert not jnp.asarray([1.5]).weak_type
    assert not jnp.asarray(1.5, dtype=float).weak_type
    assert not jnp.asarray(True).weak_type


def test_lists_may_contain_tracers() -> None:
    function = minijax.jit(lambda x: jnp.array([[x, 2], [3, x]]), backend="numpy")
    assert function(1.0).tolist() == [[1, 2], [3, 1]]


def test_jax_array_protocol() -> None:
    assert jnp.asarray(Wrapper()).shape == (2,)
    assert jnp.add(Wrapper(), 1).tolist() == [2, 2]


@pytest.mark.parametrize("value", [None, [None], [[1], [2, 3]]])
def test_refused_values(value: Any) -> None:
    with pytest.raises(ValueError):
        jnp.array(value)


@pytest.mark.parametrize("value", ["text", [1, "a"], {}, np.array([object()])])
def test_refused_types(value: Any) -> None:
    with pytest.raises(TypeError):
        jnp.array(value)


def test_integers_that_do_not_fit() -> None:
    with pytest.raises(OverflowError):
        jnp.asarray(2**40)
    with pytest.raises(OverflowError):
        jnp.int8(300)
    assert (jnp.arange(2, dtype="int8") + 300).tolist() == [44, 45]


def test_lists_are_refused_by_functions() -> None:
    message = "sum requires ndarray or scalar arguments, got <class 'list'> at position 0."
    with pytest.raises(TypeError, match=message):
        jnp.sum([1, 2])


def test_scalar_types() -> None:
    assert jnp.float32(1).dtype == jnp.float32
    assert isinstance(jnp.float32(1), minijax.Array)
    assert np.dtype(jnp.bfloat16) == jnp.ones(1, jnp.bfloat16).dtype
    assert jnp.zeros(2, jnp.int16).dtype == np.int16


def test_buffers_of_others() -> None:
    assert jnp.from_dlpack(np.arange(3, dtype=np.int32)).tolist() == [0, 1, 2]
    assert jnp.frombuffer(b"ab", "uint8").tolist() == [97, 98]


def test_views_of_bits() -> None:
    x = jnp.array([1.0, -2.0])
    assert x.view("int32").dtype == np.int32
    np.testing.assert_array_equal(x.view("uint8"), np.asarray(x).view("uint8"))
    np.testing.assert_array_equal(x.view("complex64"), np.asarray(x).view("complex64"))


def test_rank_promotion_flag() -> None:
    with minijax.numpy_rank_promotion("raise"), pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)
    with minijax.numpy_rank_promotion("warn"), pytest.warns(UserWarning, match="rank promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)
