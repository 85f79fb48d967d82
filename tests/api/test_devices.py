"""Do arrays live and stay where they were put?"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp


def test_devices_of_the_default_platform() -> None:
    (device,) = jax.devices()
    assert (device.platform, device.id, device.process_index) == ("cpu", 0, 0)
    assert repr(device) == "CpuDevice(id=0)" and str(device) == "cpu:0"
    assert jax.devices("cpu") == jax.local_devices() == [device]
    assert jax.device_count() == jax.local_device_count() == 1
    assert jax.process_index() == 0 and jax.process_count() == 1
    assert jax.default_backend() == "cpu"


def test_unknown_platform_names_the_known_ones() -> None:
    with pytest.raises(RuntimeError, match=r"Unknown backend 'nope'.*iree.*numpy"):
        jax.devices("nope")


def test_device_put_of_pytrees() -> None:
    out = jax.device_put({"a": 1.0, "b": [np.ones(2), jnp.ones(3)], "c": None})
    assert out["a"].weak_type and out["b"][0].dtype == np.float32 and out["c"] is None
    assert all(not leaf.committed for leaf in jax.tree.leaves(out))


def test_committed_arrays_keep_results_with_them() -> None:
    other = jax.devices("numpy")[0]
    x = jax.device_put(jnp.arange(3.0), other)
    assert x.committed and x.devices() == {other}
    for y in (x + 1, jax.jit(lambda a: a * 2)(x), jnp.ones(3) + x, x[1:], jax.jit(jnp.sin)(x)):
        assert y.device is other and y.committed
    assert (jnp.ones(3) + 1).device is jax.devices()[0]


def test_incompatible_devices_are_named() -> None:
    a = jax.device_put(jnp.ones(3), jax.devices("cpu")[0])
    b = jax.device_put(jnp.ones(2), jax.devices("numpy")[0])
    for f in (lambda x, y: x.sum() + y.sum(), jax.jit(lambda x, y: x.sum() + y.sum())):
        with pytest.raises(ValueError, match=r"incompatible devices.*cpu:0.*numpy:0"):
            f(a, b)


def test_device_prefixes() -> None:
    cpu, other = jax.devices()[0], jax.devices("numpy")[0]
    out = jax.device_put({"x": [1.0, 2.0], "y": 3.0}, {"x": other, "y": None})
    assert [leaf.device for leaf in jax.tree.leaves(out)] == [other, other, cpu]


def test_moving_to_where_it_is_copies_nothing() -> None:
    x = jax.jit(lambda a: a + 1)(jnp.ones(100))
    y = jax.device_put(x, jax.devices()[0])
    assert y.committed and not x.committed
    assert np.shares_memory(np.asarray(x), np.asarray(y))


@pytest.mark.parametrize("bad", ["a", object()])
def test_device_put_refuses_what_is_no_array(bad: Any) -> None:
    with pytest.raises(TypeError, match="not a valid JAX type"):
        jax.device_put(bad)
    with pytest.raises(ValueError, match="Received invalid value"):
        jax.device_put(1.0, "cpu")


def test_device_put_inside_transformations() -> None:
    device = jax.devices()[0]
    assert float(jax.jit(lambda x: jax.device_put(x, device) * 2)(3.0)) == 6
    assert float(jax.grad(lambda x: jax.device_put(x, device) * 2)(3.0)) == 2


def test_device_get() -> None:
    key = jax.random.key(0)
    out = jax.device_get((1.0, np.float32(2), jnp.ones(2), "s", None, key))
    assert out[0] == 1.0 and type(out[1]) is np.ndarray and type(out[2]) is np.ndarray
    assert out[3] == "s" and out[4] is None and out[5] is key


def test_default_device_and_jit_backend() -> None:
    other = jax.devices("numpy")[0]
    with jax.default_device(other):
        assert jnp.ones(2).device is other
        assert jax.grad(lambda x: x**2)(3.0).device is other
        assert jax.jit(lambda x: x + 1)(1.0).device is other
    pinned = jax.jit(lambda x: x + 1, backend="numpy")(jnp.ones(2))
    assert pinned.device is other
    assert jax.jit(lambda x: x + 1, device=other)(1.0).device is other


def test_platform_from_the_environment() -> None:
    program = (
        "import minijax as jax, minijax.numpy as jnp, sys\n"
        "print(jax.default_backend(), jax.jit(lambda x: x * 2)(jnp.ones(2)), "
        "any('iree' in m.split('.')[0] for m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"JAX_PLATFORMS": "numpy"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["numpy", "[2.", "2.]", "False"], done.stderr
