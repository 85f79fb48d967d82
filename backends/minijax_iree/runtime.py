"""How does a compiled module run, and how do NumPy arrays get in and out without a copy?

IREE's own Python wrappers convert every argument and result by reflection and cost ten times the
call itself. This file uses the layer below: a buffer is a ``VmRef``, a program is called with a
list of them and answers with a list of them, handed on to the next program as they are.

Devices are opened once and never closed. IREE 3.13 crashes when a buffer is freed after its
device, and Python promises no order of destruction at exit.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from math import prod
from typing import Any

import iree.runtime as rt
import ml_dtypes
import numpy as np

from minijax.core.backend import Executable
from minijax.errors import JaxRuntimeError

# Memory type and usage of buffers, as integers: the enumerations are slow to combine and convert.
HOST_KINDS = (
    int(rt.MemoryType.DEVICE_LOCAL | rt.MemoryType.HOST_VISIBLE),
    int(rt.BufferUsage.DEFAULT | rt.BufferUsage.MAPPING),
)
DEVICE_KINDS = (int(rt.MemoryType.DEVICE_LOCAL), int(rt.BufferUsage.DEFAULT))

# Workers of local-task need more stack than their default for kernels that use
# --iree-llvmcpu-stack-allocation-limit to the full.
RUNTIME_FLAGS = ("--task_worker_stack_size=4194304",)

# Looked up once: calls of small programs take as long as a few such look-ups.
VariantList: Any = rt.VmVariantList

_element = rt.HalElementType
ELEMENT_TYPES: dict[np.dtype, Any] = {
    np.dtype(scalar): element
    for scalar, element in (
        (np.bool_, _element.BOOL_8),
        (np.int8, _element.INT_8),
        (np.int16, _element.INT_16),
        (np.int32, _element.INT_32),
        (np.int64, _element.INT_64),
        (np.uint8, _element.UINT_8),
        (np.uint16, _element.UINT_16),
        (np.uint32, _element.UINT_32),
        (np.uint64, _element.UINT_64),
        (np.float16, _element.FLOAT_16),
        (np.float32, _element.FLOAT_32),
        (np.float64, _element.FLOAT_64),
        (np.complex64, _element.COMPLEX_64),
        (np.complex128, _element.COMPLEX_128),
        (ml_dtypes.bfloat16, _element.BFLOAT_16),
        (ml_dtypes.float8_e4m3fn, _element.FLOAT_8_E4M3_FN),
        (ml_dtypes.float8_e4m3fnuz, _element.FLOAT_8_E4M3_FNUZ),
        (ml_dtypes.float8_e5m2, _element.FLOAT_8_E5M2),
        (ml_dtypes.float8_e5m2fnuz, _element.FLOAT_8_E5M2_FNUZ),
        (ml_dtypes.float8_e8m0fnu, _element.FLOAT_8_E8M0_FNU),
    )
}


class HalDevice:
    """An open IREE device with what is needed to load programs and make buffers on it.

    Parameters
    ----------
    driver : str
        IREE's name of the driver.
    number : int
        Which of the driver's devices.
    host_memory : bool
        Whether NumPy can see the device's memory.
    """

    def __init__(self, driver: str, number: int, host_memory: bool) -> None:
        set_process_flags()
        with without_mpi_environment():
            hal_driver: Any = rt.get_driver(driver)
            # The caching allocator keeps freed blocks: fresh memory costs a page fault per 4 kB.
            if host_memory:
                self.device = hal_driver.create_default_device(allocators=["caching"])
            else:
                found = hal_driver.query_available_devices()[number]
                self.device = hal_driver.create_device(found, allocators=["caching"])
        never_free(self.device)
        self.host_memory = host_memory
        self.instance = vm_instance()
        self.hal_module = rt.create_hal_module(self.instance, self.device)
        self._allocate_copy: Any = self.device.allocator.allocate_buffer_copy
        self._kinds = HOST_KINDS if host_memory else DEVICE_KINDS

    def upload(self, array: np.ndarray) -> Any:
        """Return a buffer with a copy of the array's content.

        IREE 3.13 can also import NumPy's memory without a copy, but crashes on later use unless
        it starts at a multiple of 64 bytes, and does not keep the array alive for as long as a
        program's result may refer to it. Copying 1 MB takes 20 us, once per array.

        Raises
        ------
        TypeError
            If IREE has no element type for the array's dtype.
        """
        element = ELEMENT_TYPES.get(array.dtype)
        if element is None:
            raise TypeError(f"IREE has no element type for dtype {array.dtype}")
        if not array.flags.c_contiguous:
            array = np.ascontiguousarray(array).reshape(array.shape)
        return self._allocate_copy(*self._kinds, self.device, array, element).ref

    def download(self, ref: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return a buffer's content as a read-only array; a view where memory is shared.

        The view and all views of it keep the buffer alive. (`MappedMemory.asarray` would promise
        that for its own result only: NumPy lets a view of a view refer to the first base.)
        """
        view = ref.deref(rt.HalBufferView)
        if not prod(shape):
            array = np.empty(shape, dtype)
        elif self.host_memory:
            array = np.frombuffer(view.map(), dtype, prod(shape)).reshape(shape)
        else:
            array = rt.DeviceArray(self.device, view, override_dtype=dtype).to_host()
        array.flags.writeable = False
        return array


class LoadedProgram(Executable):
    """A compiled module, loaded on a device.

    Several threads may call it at the same time: every call has its own argument list.

    Parameters
    ----------
    module : bytes
        The compiled module, with a function ``main``.
    device : HalDevice
    result_count : int
    text : str
        The StableHLO program it was compiled from.
    """

    def __init__(self, module: bytes, device: HalDevice, result_count: int, text: str = "") -> None:
        self._text = text
        self._module = rt.VmModule.copy_buffer(device.instance, module)
        self._function: Any = self._module.lookup_function("main")
        self._result_count = result_count
        self._results = range(result_count)
        self._load(device)
        _programs.add(self)

    def _load(self, device: HalDevice) -> None:
        self.device = device
        try:
            self._context = rt.VmContext(device.instance, [device.hal_module, self._module])
        except (RuntimeError, ValueError, IndexError) as error:
            raise JaxRuntimeError(f"IREE could not load the compiled program: {error}") from error
        self._invoke = self._context.invoke

    def as_text(self) -> str:
        """Return the StableHLO program as the compiler saw it, workarounds included."""
        return self._text

    def execute(self, buffers: Sequence[Any]) -> list[Any]:
        """Run the program; see `minijax.core.backend.Executable`."""
        arguments = VariantList(len(buffers))
        push = arguments.push_ref
        for buffer in buffers:
            push(buffer)
        results = VariantList(self._result_count)
        try:
            self._invoke(self._function, arguments, results)
        except (RuntimeError, ValueError, IndexError) as error:
            raise JaxRuntimeError(f"The program failed while it ran: {error}") from error
        if self._result_count == 1:
            return [results.get_as_ref(0)]
        return list(map(results.get_as_ref, self._results))


_programs: weakref.WeakSet[LoadedProgram] = weakref.WeakSet()
_devices: dict[tuple[str, int], HalDevice] = {}
_devices_lock = threading.Lock()
_immortal: list[Any] = []


def open_device(driver: str, number: int, host_memory: bool) -> HalDevice:
    """Return a device of a driver, opening it if it is not open."""
    device = _devices.get((driver, number))
    if device is None:
        with _devices_lock:
            if (driver, number) not in _devices:
                _devices[driver, number] = HalDevice(driver, number, host_memory)
            device = _devices[driver, number]
    return device


def device_names(driver: str) -> list[str]:
    """Name each device that a driver finds.

    Raises
    ------
    RuntimeError
        If it finds none, or the driver is not part of this build of IREE.
    """
    try:
        with without_mpi_environment():
            found = rt.get_driver(driver).query_available_devices()
    except (RuntimeError, ValueError) as error:
        raise RuntimeError(f"IREE's driver {driver!r} does not work here: {error}") from error
    if not found:
        raise RuntimeError(f"IREE's driver {driver!r} finds no device.")
    return [str(entry.get("name") or driver) for entry in found]


@cache
def set_process_flags() -> None:
    """Set IREE's runtime flags, which count for the devices opened afterwards."""
    rt.flags.parse_flags(*RUNTIME_FLAGS)
    # It would report the devices that `never_free` keeps.
    rt._binding.disable_leak_checker()


@cache
def vm_instance() -> Any:
    """The process's one instance of IREE's virtual machine."""
    instance = rt.VmInstance()
    never_free(instance)
    return instance


def never_free(item: Any) -> None:
    """Keep an object until the process ends, through the interpreter's own destruction."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(item))


@contextmanager
def without_mpi_environment() -> Iterator[None]:
    """Hide an MPI launcher's variables while a device is opened.

    IREE 3.13 takes them for the sign of a distributed run and then fails to open any device.
    """
    prefixes = ("PMI_", "OMPI_COMM_WORLD_")
    hidden = {name: value for name, value in os.environ.items() if name.startswith(prefixes)}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def leave_worker_threads() -> None:
    """In a forked child: move programs from local-task, whose threads are gone, to local-sync."""
    global _devices_lock
    _devices_lock = threading.Lock()
    task_device = _devices.get(("local-task", 0))
    if task_device is None:
        return
    sync_device = open_device("local-sync", 0, host_memory=True)
    _devices["local-task", 0] = sync_device
    for program in list(_programs):
        if program.device is task_device:
            _immortal.append(program._context)  # freeing it would wait for the threads
            program._load(sync_device)


if os.name == "posix":
    os.register_at_fork(after_in_child=leave_worker_threads)
