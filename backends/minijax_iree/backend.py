"""What can IREE run, and how does a program get there? The backend "iree" of minijax.

This file joins the parts: a StableHLO module is brought into forms that IREE makes fast (`tuning/`)
and right (`safety/`), compiled or found in the cache (`compiler.py`, `cache.py`), loaded on the
device that suits it (`work.py`) and called (`runtime.py`). IREE's runtime takes
70 ms to import; that happens when minijax first looks for a device, not when it is imported.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import numpy as np

from minijax.config import config
from minijax.core.backend import Backend, Device, Executable, Program
from minijax.errors import JaxRuntimeError
from minijax.stablehlo.ir import Module

from . import runtime
from .cache import DEFAULT_SIZE_LIMIT, CompilationCache
from .compiler import Compiler, compile_program
from .safety import make_safe
from .targets import CONDITIONAL_LOOP_FLAGS, CPU, GPU_PLATFORMS, TARGETS, Target
from .tuning import tune
from .work import gains_from_threads, gathers_only_rows, has_conditional_loop


class IreeBackend(Backend):
    """Compiles StableHLO with IREE and runs it on one platform.

    The instance that minijax makes serves the CPU; it makes further ones, with the same compiler
    process, for the other platforms it is asked for.

    Parameters
    ----------
    target : Target
        The platform.
    compiler : Compiler, optional
        The compiler process to share.

    Examples
    --------
    >>> IreeBackend().devices("cpu")
    [CpuDevice(id=0)]
    """

    name = "iree"
    stage = "stablehlo"
    platforms = (*TARGETS, "gpu")

    def __init__(self, target: Target = CPU, compiler: Compiler | None = None) -> None:
        self.target = target
        self.host_memory = target.host_memory
        self._compiler = Compiler() if compiler is None else compiler
        self._siblings: dict[str, IreeBackend] = {target.platform: self}
        self._devices: list[Device] | None = None
        self._lock = threading.Lock()

    def devices(self, platform: str) -> list[Device]:
        """Return the devices of a platform; "gpu" stands for the first GPU platform with any.

        Raises
        ------
        RuntimeError
            If the platform is unknown or has no device on this machine.
        """
        if platform == "gpu":
            return self._gpu_devices()
        if platform not in TARGETS:
            raise RuntimeError(
                f"Unknown backend {platform!r}: IREE serves the platforms {sorted(TARGETS)}."
            )
        if platform != self.target.platform:
            with self._lock:
                sibling = self._siblings.get(platform)
                if sibling is None:
                    sibling = IreeBackend(TARGETS[platform], self._compiler)
                    self._siblings[platform] = sibling
            return sibling.devices(platform)
        if self._devices is None:
            self._devices = [
                Device(number, platform, kind, self) for number, kind in enumerate(self._kinds())
            ]
        return self._devices

    def _gpu_devices(self) -> list[Device]:
        for platform in GPU_PLATFORMS:
            try:
                return self.devices(platform)
            except RuntimeError:
                continue
        raise RuntimeError(f"No device of any of the GPU platforms {GPU_PLATFORMS} is present.")

    def _kinds(self) -> list[str]:
        """Describe each device; the CPU is one device, for which IREE need not be asked."""
        if self.target.host_memory:
            return [self.target.platform]
        return runtime.device_names(self.target.driver)

    def compile(self, program: Program, device: Device) -> Executable:
        """Compile a program and load it on a device.

        A body that is text instead of a module is compiled as it is, without workarounds.

        Raises
        ------
        JaxRuntimeError
            If IREE cannot compile or load the program.
        """
        target = self.target
        flags = tuple(option_flag(name, value) for name, value in program.options)
        parallel = False
        if isinstance(program.body, Module):
            parallel = gains_from_threads(program.body)
            module = make_safe(tune(program.body))
            if gathers_only_rows(module):
                flags = target.row_gather_flags + flags
            if has_conditional_loop(module):
                flags = CONDITIONAL_LOOP_FLAGS + flags
            text = module.text()
        else:
            text = program.body
        compiled = compile_program(text, target, self._compiler, configured_cache(), flags)
        driver = target.parallel_driver if parallel and target.parallel_driver else target.driver
        hal_device = self._hal_device(driver, device.id)
        return runtime.LoadedProgram(compiled, hal_device, len(program.out_avals), text)

    def buffer_from_numpy(self, array: np.ndarray, device: Device) -> Any:
        """Make a buffer with a copy of an array."""
        return self._hal_device(self.target.driver, device.id).upload(array)

    def buffer_to_numpy(self, buffer: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """See a buffer as a read-only array, on the CPU without a copy."""
        return self._hal_device(self.target.driver, 0).download(buffer, shape, dtype)

    def _hal_device(self, driver: str, number: int) -> Any:
        return runtime.open_device(driver, number, self.target.host_memory)


def configured_cache() -> CompilationCache:
    """The persistent cache as the configuration describes it at this moment."""
    return open_cache(
        config.compilation_cache_dir,
        config.enable_compilation_cache,
        config.compilation_cache_max_size,
    )


@cache
def open_cache(directory: str | None, enabled: bool, size_limit: int) -> CompilationCache:
    """Return the one cache object with these settings (a negative limit means the default)."""
    return CompilationCache(
        directory,
        enabled=None if enabled else False,
        size_limit=size_limit if size_limit >= 0 else DEFAULT_SIZE_LIMIT,
    )


def option_flag(name: str, value: str) -> str:
    """Spell one of the user's compiler options as a flag of IREE.

    Raises
    ------
    JaxRuntimeError
        If the option is not one of IREE's.
    """
    bare = name.removeprefix("--")
    if not bare.startswith("iree-"):
        raise JaxRuntimeError(
            f"No such compile option: {name!r}. The IREE backend takes IREE's own flags, such as "
            "{'iree-opt-level': 'O3'}."
        )
    return f"--{bare}={value}"
