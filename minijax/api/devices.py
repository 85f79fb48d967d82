"""Where do arrays live, and how are they moved there?

Devices by platform, moves between them and NumPy, and waiting.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax.core.array import Array, ConcreteArray
from minijax.core.aval import typeof
from minijax.core.backend import Device, default_platform, platform_devices
from minijax.core.trace import Tracer
from minijax.core.tree import tree_leaves, tree_map
from minijax.transforms.dispatch import move, to_array


def device_put(x: Any, device: Device | None = None, **_: Any) -> Any:
    """Move a pytree of arrays to a device.

    Parameters
    ----------
    x : pytree of array_like
    device : Device, optional
        If given, the results are *committed* to it: operations on them stay there.

    Returns
    -------
    pytree of Array
    """
    target = device or platform_devices()[0]

    def put(leaf: Any) -> Any:
        if isinstance(leaf, Tracer):
            return leaf
        if type(leaf) is ConcreteArray and device is None:
            return leaf
        array = to_array(leaf, typeof(leaf), target)
        return move(array, target, committed=True) if device is not None else array

    return tree_map(put, x)


def device_get(x: Any) -> Any:
    """Return a pytree with every array as a NumPy array."""

    def get(leaf: Any) -> Any:
        return np.asarray(leaf) if isinstance(leaf, Array) else leaf

    return tree_map(get, x)


def block_until_ready(x: Any) -> Any:
    """Wait until all arrays of a pytree are computed; returns it."""
    for leaf in tree_leaves(x):
        if type(leaf) is ConcreteArray:
            leaf.block_until_ready()
    return x


def devices(backend: str | None = None) -> list[Device]:
    """Return the devices of a platform (default: the first of ``jax_platforms``, or the CPU)."""
    return list(platform_devices(backend))


def local_devices(process_index: int | None = None, backend: str | None = None) -> list[Device]:
    """Return the devices of this process: there is one process."""
    return devices(backend)


def device_count(backend: str | None = None) -> int:
    """Return the number of devices."""
    return len(platform_devices(backend))


def local_device_count(backend: str | None = None) -> int:
    """Return the number of devices of this process."""
    return len(platform_devices(backend))


def process_index(backend: str | None = None) -> int:
    """Return the number of this process: there is one, number 0."""
    return 0


def process_count(backend: str | None = None) -> int:
    """Return the number of processes: one."""
    return 1


def default_backend() -> str:
    """Return the platform that fresh arrays go to: ``"cpu"``."""
    return default_platform()
