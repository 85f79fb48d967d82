"""Do arrays print, format and convert exactly as JAX's do?"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import minijax
import minijax.numpy

jax = pytest.importorskip("jax", reason="compares with JAX, which is not installed")

pytestmark = pytest.mark.parity

DTYPES = ["float32", "bfloat16", "float16", "int32", "int8", "uint8", "bool", "complex64"]
SHAPES = [(), (1,), (3,), (2, 3), (2, 0), (0,), (1, 1, 2), (1001,), (40, 40), (23,)]


def _values(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    rng = np.random.default_rng(len(shape) + sum(shape))
    values = rng.normal(size=shape) * 10
    return values + 1j * values[::-1] if dtype == "complex64" and shape else values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_repr_and_str(shape: tuple[int, ...], dtype: str) -> None:
    values = _values(shape, dtype)
    ours, theirs = (library.numpy.asarray(values).astype(dtype) for library in (minijax, jax))
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)
    assert f"{ours}" == f"{theirs}"


@pytest.mark.parametrize("value", [1, 1.5, True, 1j, -0.0, 1e30, float("nan")])
def test_weak_scalars(value: Any) -> None:
    assert repr(minijax.numpy.asarray(value)) == repr(jax.numpy.asarray(value))


@pytest.mark.parametrize("spec", ["", ".3f", "10.2e", "d", "g", ">12"])
@pytest.mark.parametrize("value", [3, 2.5])
def test_format_of_scalars(value: Any, spec: str) -> None:
    def outcome(library: Any) -> Any:
        try:
            return format(library.numpy.asarray(value), spec)
        except (TypeError, ValueError) as error:
            return type(error)

    assert outcome(minijax) == outcome(jax)


@pytest.mark.parametrize("width", [40, 75, 120])
def test_print_options_are_numpys(width: int) -> None:
    values = np.linspace(0, 1, 30, dtype=np.float32)
    with np.printoptions(linewidth=width, precision=3, threshold=sys.maxsize):
        assert repr(minijax.numpy.asarray(values)) == repr(jax.numpy.asarray(values))


def test_public_names_of_arrays() -> None:
    """What JAX's arrays offer and ours do not is known and small."""
    theirs = {name for name in dir(jax.numpy.ones(2)) if not name.startswith("_")}
    ours = set(dir(minijax.numpy.ones(2)))
    later = {
        "addressable_data", "addressable_shards", "byteswap", "clone", "device_buffer",
        "device_buffers", "format", "global_shards", "sharding", "to_device", "traceback",
    }  # fmt: skip
    assert not theirs - ours - later
