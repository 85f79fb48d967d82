"""Where do arrays live, and how are they moved there?

Devices by platform, moves between them and NumPy, and waiting.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.array import Array, ConcreteArray
from minijax.core.aval import is_array_like, typeof
from minijax.core.backend import Device, default_device, default_platform, platform_devices
from minijax.core.trace import Tracer
from minijax.core.tree import broadcast_prefix, tree_flatten, tree_leaves, tree_map, tree_unflatten
from minijax.tracebacks import public_boundary
from minijax.transforms.dispatch import move, to_array


@public_boundary
def device_put(
    x: Any,
    device: Any = None,
    *,
    src: Any = None,
    donate: bool = False,
    may_alias: bool | None = None,
) -> Any:
    """Move a pytree of arrays to a device.

    Parameters
    ----------
    x : pytree of array_like
    device : Device, or pytree of them, optional
        If given, the results are *committed* to it: operations on them stay there. A pytree is
        a prefix of ``x``.
    src, donate, may_alias
        Accepted as in JAX. They say what may be reused, which changes no result.

    Returns
    -------
    pytree of Array
        Tracers as they are.

    Raises
    ------
    TypeError
        If a leaf of ``x`` is not an array.
    ValueError
        If ``device`` is not a device.

    Examples
    --------
    >>> device_put(1.0)
    Array(1., dtype=float32, weak_type=True)
    """
    leaves, treedef = tree_flatten(x)
    targets = broadcast_prefix(device, x, is_leaf=lambda d: d is None)
    return tree_unflatten(treedef, [_put(x, d) for x, d in zip(leaves, targets, strict=True)])


def _put(x: Any, device: Any) -> Any:
    if device is not None and not isinstance(device, Device):
        raise ValueError(
            "`jax.device_put` only accepts `None`, a `jax.Device` or a pytree of these values. "
            f"Received invalid value: {device}. jax.devices({str(device)!r})[0] is a device."
        )
    if not is_array_like(x):
        raise TypeError(f"Argument {x!r} of type {type(x)} is not a valid JAX type")
    if isinstance(x, Tracer) or (isinstance(x, ConcreteArray) and device is None):
        return x
    if device is None:
        return to_array(x, typeof(x), default_device())
    return move(to_array(x, typeof(x), device), device, committed=True)


def device_get(x: Any) -> Any:
    """Return a pytree with every array as a NumPy array; keys and other leaves as they are."""

    def get(leaf: Any) -> Any:
        is_key = isinstance(leaf, Array) and dtypes.issubdtype(leaf.dtype, dtypes.extended)
        return leaf if is_key or not _is_numeric(leaf) else np.asarray(leaf)

    return tree_map(get, x)


def _is_numeric(leaf: Any) -> bool:
    return isinstance(leaf, (Array, np.ndarray, np.generic))


def block_until_ready(x: Any) -> Any:
    """Wait until all arrays of a pytree are computed; returns it."""
    for leaf in [x] if type(x) is ConcreteArray else tree_leaves(x):
        if type(leaf) is ConcreteArray:
            leaf.block_until_ready()
    return x


def devices(backend: str | None = None) -> list[Device]:
    """Return the devices of a platform (default: the first of ``jax_platforms``, or the CPU)."""
    return list(platform_devices(backend))


def local_devices(
    process_index: int | None = None, backend: str | None = None, host_id: int | None = None
) -> list[Device]:
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
