"""What must a thing be able to do to run our programs?

A :class:`Backend` owns devices, turns programs into executables and moves data. It says which
*stage* of a program it consumes: the jaxpr itself or the StableHLO module lowered from it. The
registry finds backends by the entry-point group ``minijax.backends``; those in this repository
are registered there exactly as any outside one would be.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np

from minijax.config import config

ENTRY_POINT_GROUP = "minijax.backends"


@dataclass(frozen=True, eq=False)
class Device:
    """A place where arrays live and programs run. Compared by identity."""

    id: int
    platform: str
    device_kind: str
    backend: Backend = field(repr=False)
    process_index: int = 0

    def __repr__(self) -> str:
        return f"{self.platform.capitalize()}Device(id={self.id})"

    def __str__(self) -> str:
        return f"{self.platform}:{self.id}"

    def __reduce__(self):
        return find_device, (self.platform, self.id)


@dataclass(frozen=True, slots=True)
class Program:
    """What a backend compiles: a name, its stage's form and what is known of the call.

    Parameters
    ----------
    name : str
        Name of the function, for messages and files.
    body : Jaxpr or stablehlo.Module
        According to the backend's ``stage``.
    out_avals : tuple of ShapedArray
        Types of the results.
    donated : tuple of int
        Positions of arguments whose memory may be reused.
    flops : int
        Estimated floating-point operations of one call, to choose between ways of running it.
    options : tuple of (str, str)
        The user's compiler options.
    """

    name: str
    body: Any
    out_avals: tuple[Any, ...]
    donated: tuple[int, ...] = ()
    flops: int = 0
    options: tuple[tuple[str, str], ...] = ()


class Executable(ABC):
    """A compiled program."""

    @abstractmethod
    def execute(self, buffers: Sequence[Any]) -> list[Any]:
        """Run on buffers of the backend; returns fresh buffers and changes no argument."""

    def as_text(self) -> str:
        """Return the compiled form for a reader, if there is one."""
        return ""


class Backend(ABC):
    """A compiler with its devices.

    ``stage`` is ``"jaxpr"`` or ``"stablehlo"``. ``host_memory`` says that a buffer is ordinary
    memory which NumPy can see without a copy: then operations outside ``jit`` run the NumPy
    reference rules on it.
    """

    name: str
    stage: str
    platforms: tuple[str, ...]
    host_memory: bool = False

    @abstractmethod
    def devices(self, platform: str) -> list[Device]:
        """Return the devices of a platform; RuntimeError if there are none."""

    @abstractmethod
    def compile(self, program: Program, device: Device) -> Executable:
        """Compile a program; ``errors.JaxRuntimeError`` if that fails."""

    @abstractmethod
    def buffer_from_numpy(self, array: np.ndarray, device: Device) -> Any:
        """Make a buffer of an array. May share memory: nobody writes to either afterwards."""

    @abstractmethod
    def buffer_to_numpy(self, buffer: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """See a buffer as an array, without a copy where the memory allows it."""


_backends: dict[str, Backend] = {}


def backend_names() -> list[str]:
    """Return the names of all installed backends."""
    return sorted({point.name for point in metadata.entry_points(group=ENTRY_POINT_GROUP)})


def load_backend(name: str) -> Backend:
    """Return a backend by the name of its entry point.

    Raises
    ------
    RuntimeError
        If no installed distribution offers it.
    """
    found = _backends.get(name)
    if found is None:
        points = metadata.entry_points(group=ENTRY_POINT_GROUP, name=name)
        if not points:
            raise RuntimeError(
                f"Unknown backend {name!r}: installed backends are {backend_names()}. A backend "
                f"is a package with an entry point in the group {ENTRY_POINT_GROUP!r}."
            )
        found = _backends[name] = next(iter(points)).load()()
    return found


# Platforms are words of users ("cpu", "cuda"), backends are packages; the first backend listed
# for a platform serves it. Other platforms are asked of every installed backend.
_PLATFORM_BACKENDS = {
    "cpu": "iree", "cuda": "iree", "gpu": "iree", "vulkan": "iree", "rocm": "iree",
    "metal": "iree", "numpy": "numpy",
}  # fmt: skip
_devices: dict[str, list[Device]] = {}


def platform_devices(platform: str | None = None) -> list[Device]:
    """Return the devices of a platform, by default the first of ``jax_platforms`` or the CPU.

    Raises
    ------
    RuntimeError
        If no backend serves the platform or it has no device here.
    """
    name = platform or default_platform()
    found = _devices.get(name)
    if found is None:
        found = _devices[name] = _find_backend(name).devices(name)
    return found


def _find_backend(platform: str) -> Backend:
    if platform in _PLATFORM_BACKENDS:
        return load_backend(_PLATFORM_BACKENDS[platform])
    for name in backend_names():
        if platform in load_backend(name).platforms:
            return load_backend(name)
    raise RuntimeError(
        f"Unknown backend {platform!r}: none of the installed backends {backend_names()} "
        f"serves a platform of that name."
    )


def default_platform() -> str:
    """Return the platform that fresh arrays go to."""
    platforms = config.platforms
    return platforms.split(",")[0] if platforms else "cpu"


def default_device() -> Device:
    """Return the device that fresh arrays go to (flag ``jax_default_device``)."""
    chosen = config.default_device
    if isinstance(chosen, str):
        return platform_devices(chosen)[0]
    return chosen if chosen is not None else platform_devices()[0]


def find_device(platform: str, index: int) -> Device:
    """Return a device by platform and number, as unpickling needs it."""
    return platform_devices(platform)[index]
