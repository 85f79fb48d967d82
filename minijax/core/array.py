"""What does an array look like to its user?

:class:`Array` is what user code sees and what ``isinstance(x, jax.Array)`` asks for: tracers are
Arrays too, so that a function cannot tell whether it is being traced. Operators and methods only
forward to the numpy layer. :class:`ConcreteArray` is an array with data: an immutable value on
one device, seen by NumPy as an ``ndarray`` and by compiled programs as a buffer; either is made
when first asked for. Once a compiled program has seen an array in host memory, there is one block
of memory: the buffer, which NumPy then views without a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import HasAval, ShapedArray, is_array_like
from minijax.core.backend import Device, default_device
from minijax.core.hooks import hooks


def _binary(name: str) -> Callable[[Any, Any], Any]:
    def forward(self: Array, other: Any) -> Any:
        if not is_array_like(other):
            return NotImplemented
        return getattr(hooks.array_operations, name)(self, other)

    return forward


def _reflected(name: str) -> Callable[[Any, Any], Any]:
    def forward(self: Array, other: Any) -> Any:
        if not is_array_like(other):
            return NotImplemented
        return getattr(hooks.array_operations, name)(other, self)

    return forward


def _unary(name: str) -> Callable[[Any], Any]:
    def forward(self: Array) -> Any:
        return getattr(hooks.array_operations, name)(self)

    return forward


def _method(name: str) -> Callable[..., Any]:
    def forward(self: Array, *args: Any, **kwargs: Any) -> Any:
        return getattr(hooks.array_operations, name)(self, *args, **kwargs)

    forward.__name__ = name
    forward.__qualname__ = f"Array.{name}"
    forward.__doc__ = f"Same as ``numpy.{name}`` with the array as first argument."
    return forward


class Array(HasAval):
    """An array: ``jax.Array``. Immutable; create one with ``jax.numpy``.

    Operators and methods are those of NumPy's arrays, except that nothing changes in place:
    instead of ``x[i] = y`` write ``x = x.at[i].set(y)``.
    """

    __slots__ = ("__weakref__",)
    __array_priority__ = 100  # makes numpy's own operators defer to ours
    __hash__ = None  # type: ignore[assignment]

    # -- type ----------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        """Element type."""
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.aval.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.aval.size

    @property
    def weak_type(self) -> bool:
        """True if the dtype came from a Python scalar and yields in promotion."""
        return self.aval.weak_type

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.aval.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.aval.size * self.aval.dtype.itemsize

    def __len__(self) -> int:
        if not self.aval.shape:
            raise TypeError("len() of unsized object")
        return self.aval.shape[0]

    # -- Python values: concrete arrays have them, a tracer says why it has none ----------------

    def __bool__(self) -> bool:
        raise NotImplementedError(type(self).__name__)

    def __int__(self) -> int:
        raise NotImplementedError(type(self).__name__)

    def __float__(self) -> float:
        raise NotImplementedError(type(self).__name__)

    def __complex__(self) -> complex:
        raise NotImplementedError(type(self).__name__)

    def __index__(self) -> int:
        raise NotImplementedError(type(self).__name__)

    # -- operators -----------------------------------------------------------------------------

    __add__, __radd__ = _binary("add"), _reflected("add")
    __sub__, __rsub__ = _binary("subtract"), _reflected("subtract")
    __mul__, __rmul__ = _binary("multiply"), _reflected("multiply")
    __truediv__, __rtruediv__ = _binary("true_divide"), _reflected("true_divide")
    __floordiv__, __rfloordiv__ = _binary("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _binary("remainder"), _reflected("remainder")
    __divmod__, __rdivmod__ = _binary("divmod"), _reflected("divmod")
    __pow__, __rpow__ = _binary("power"), _reflected("power")
    __matmul__, __rmatmul__ = _binary("matmul"), _reflected("matmul")
    __and__, __rand__ = _binary("bitwise_and"), _reflected("bitwise_and")
    __or__, __ror__ = _binary("bitwise_or"), _reflected("bitwise_or")
    __xor__, __rxor__ = _binary("bitwise_xor"), _reflected("bitwise_xor")
    __lshift__, __rlshift__ = _binary("left_shift"), _reflected("left_shift")
    __rshift__, __rrshift__ = _binary("right_shift"), _reflected("right_shift")
    __eq__, __ne__ = _binary("equal"), _binary("not_equal")  # type: ignore[assignment]
    __lt__, __le__ = _binary("less"), _binary("less_equal")
    __gt__, __ge__ = _binary("greater"), _binary("greater_equal")
    __neg__, __pos__ = _unary("negative"), _unary("positive")
    __abs__, __invert__ = _unary("abs"), _unary("bitwise_not")
    __round__ = _method("python_round")

    # -- indexing ------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        return hooks.array_operations.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "JAX arrays are immutable and do not support in-place item assignment. Instead of "
            "x[idx] = y, use x = x.at[idx].set(y) or another .at[] method: "
            "https://docs.jax.dev/en/latest/_autosummary/jax.numpy.ndarray.at.html"
        )

    def __delitem__(self, index: Any) -> None:
        raise TypeError("JAX arrays are immutable: build another with jnp.delete(x, idx).")

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return iter(hooks.array_operations.unstack(self))

    def __reversed__(self) -> Iterator[Any]:
        return reversed(list(iter(self)))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    @property
    def at(self) -> Any:
        """Functional updates, ``x.at[i].set(y)``, ``.add``, ``.multiply``, ``.max`` and more."""
        return hooks.array_operations.at(self)

    # -- methods -------------------------------------------------------------------------------

    all, any = _method("all"), _method("any")
    argmax, argmin = _method("argmax"), _method("argmin")
    argsort, sort = _method("argsort"), _method("sort")
    argpartition = _method("argpartition")
    astype, view = _method("astype"), _method("view")
    choose, clip, compress = _method("choose"), _method("clip"), _method("compress")
    conj = conjugate = _method("conjugate")
    copy = _method("copy")
    cumprod, cumsum = _method("cumprod"), _method("cumsum")
    diagonal, trace = _method("diagonal"), _method("trace")
    dot = _method("dot")
    max, min, mean, sum = _method("max"), _method("min"), _method("mean"), _method("sum")
    prod, std, var, ptp = _method("prod"), _method("std"), _method("var"), _method("ptp")
    nonzero, searchsorted = _method("nonzero"), _method("searchsorted")
    ravel, reshape, flatten = _method("ravel"), _method("reshape"), _method("flatten")
    repeat, round, take = _method("repeat"), _method("round"), _method("take")
    squeeze, swapaxes, transpose = _method("squeeze"), _method("swapaxes"), _method("transpose")

    @property
    def T(self) -> Any:
        """The array with its axes reversed."""
        return hooks.array_operations.transpose(self)

    @property
    def mT(self) -> Any:
        """The array with its last two axes exchanged."""
        return hooks.array_operations.matrix_transpose(self)

    @property
    def real(self) -> Any:
        """Real part."""
        return hooks.array_operations.real(self)

    @property
    def imag(self) -> Any:
        """Imaginary part; zeros if the array is real."""
        return hooks.array_operations.imag(self)

    @property
    def flat(self) -> Any:
        """Raise NotImplementedError, for an iterator that writes cannot walk an immutable array."""
        raise NotImplementedError(
            "JAX Arrays do not implement the arr.flat property: consider arr.flatten() instead."
        )

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """Return the namespace of the Python array API."""
        return hooks.array_operations.array_namespace(api_version)


class ConcreteArray(Array):
    """An array with data on one device.

    Parameters
    ----------
    aval : ShapedArray
    device : Device
    value : np.ndarray or None
        The data as NumPy sees it (key arrays: their storage, ``uint64``).
    buffer : object or None
        The data as the device's backend holds it. At least one of the two is given.
    committed : bool
        True if the user chose the device: then operations on it must stay there.
    """

    __slots__ = ("_buffer", "_value", "aval", "committed", "device")

    def __init__(
        self,
        aval: ShapedArray,
        device: Device,
        value: np.ndarray | None = None,
        buffer: Any = None,
        committed: bool = False,
    ):
        self.aval = aval
        self.device = device
        self._value = value
        self._buffer = buffer
        self.committed = committed

    @property
    def value(self) -> np.ndarray:
        """The data as a read-only NumPy array."""
        value = self._value
        if value is None:
            self.require_alive()
            value = self.device.backend.buffer_to_numpy(
                self._buffer, self.aval.shape, storage_dtype(self.aval.dtype)
            )
            value.flags.writeable = False
            self._value = value
        return value

    @property
    def buffer(self) -> Any:
        """The data as the backend of its device holds it."""
        buffer = self._buffer
        if buffer is None:
            self.require_alive()
            backend = self.device.backend
            buffer = self._buffer = backend.buffer_from_numpy(self.value, self.device)
            if backend.host_memory:
                self._value = None  # from here on NumPy sees the buffer's memory
        return buffer

    def require_alive(self) -> None:
        """Raise RuntimeError if the array was deleted or donated."""
        if self._value is None and self._buffer is None:
            raise RuntimeError(f"Array has been deleted with shape={self.aval.str_short()}.")

    # -- where it lives ------------------------------------------------------------------------

    def devices(self) -> set[Device]:
        """Return the set of devices that hold the array."""
        return {self.device}

    @property
    def is_fully_addressable(self) -> bool:
        """True: this process sees all of the array."""
        return True

    @property
    def is_fully_replicated(self) -> bool:
        """True: each device holding the array holds all of it."""
        return True

    def block_until_ready(self) -> ConcreteArray:
        """Wait until the value is computed. Programs here end before they return."""
        self.require_alive()
        return self

    def is_ready(self) -> bool:
        """True: the value is computed."""
        self.require_alive()
        return True

    def platform(self) -> str:
        """Return the name of the platform that holds the array."""
        return self.device.platform

    def copy_to_host_async(self) -> None:
        """Start moving the value to the host."""
        self.require_alive()

    def delete(self) -> None:
        """Give the memory back; using the array afterwards is an error."""
        self._value = self._buffer = None

    def is_deleted(self) -> bool:
        """Tell whether the array was deleted or donated."""
        return self._value is None and self._buffer is None

    def on_device_size_in_bytes(self) -> int:
        """Bytes of memory on the device."""
        return self.nbytes

    def unsafe_buffer_pointer(self) -> int:
        """Address of the memory, where it is host memory."""
        return self.value.ctypes.data

    # -- Python and NumPy values ---------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._numbers(), dtype=dtype, copy=copy)

    def _numbers(self) -> np.ndarray:
        """Return the elements as NumPy sees them; keys are no numbers."""
        if _is_key_array(self):
            raise TypeError(
                "JAX array with PRNGKey dtype cannot be converted to a NumPy array: "
                f"{self.aval.str_short()}. Use jax.random.key_data(arr) if you wish to extract "
                "the underlying integer array."
            )
        return self.value

    def item(self, *args: int) -> Any:
        """Return one element as a Python scalar."""
        return self._numbers().item(*args)

    def tolist(self) -> Any:
        """Return nested lists of Python scalars."""
        return self._numbers().tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """Return the raw bytes of the elements."""
        return self.value.tobytes(order)

    def __bytes__(self) -> bytes:
        return self.value.tobytes()

    def __bool__(self) -> bool:
        if self.aval.size == 1:
            return bool(self._numbers())
        if self.aval.size == 0:
            raise ValueError(
                "The truth value of an empty array is ambiguous. Use `array.size > 0` to check "
                "that an array is not empty."
            )
        raise ValueError(
            "The truth value of an array with more than one element is ambiguous. "
            "Use a.any() or a.all()"
        )

    def _scalar(self) -> np.ndarray:
        if self.aval.ndim:
            raise TypeError("Only scalar arrays can be converted to Python scalars; got "
                            f"arr.ndim={self.aval.ndim}")  # fmt: skip
        return self._numbers()

    def __int__(self) -> int:
        return int(self._scalar())

    def __float__(self) -> float:
        return float(self._scalar())

    def __complex__(self) -> complex:
        return complex(self._scalar())

    def __index__(self) -> int:
        if self.aval.ndim or not dtypes.issubdtype(self.aval.dtype, np.integer):
            raise TypeError("Only integer scalar arrays can be converted to a scalar index.")
        return int(self.value)

    def __iter__(self) -> Iterator[Any]:
        if self.aval.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        aval = self.aval.update(shape=self.aval.shape[1:])
        device, committed = self.device, self.committed
        return (ConcreteArray(aval, device, row, None, committed) for row in _rows(self.value))

    def __dlpack__(self, **kwargs: Any) -> Any:
        try:
            return self.value.__dlpack__(**kwargs)
        except BufferError:  # consumers of old DLPack cannot be told that memory is read-only
            return self.value.copy().__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[Any, int]:
        return self.value.__dlpack_device__()

    # -- copies and pictures -------------------------------------------------------------------

    def __reduce__(self):
        return _unpickle, (np.array(self.value), self.aval)

    def __copy__(self) -> ConcreteArray:
        return ConcreteArray(self.aval, self.device, self.value, self._buffer, self.committed)

    def __deepcopy__(self, memo: Any) -> ConcreteArray:
        return ConcreteArray(self.aval, self.device, self.value.copy(), None, self.committed)

    def __repr__(self) -> str:
        return _array_repr(self)

    def __str__(self) -> str:
        return repr(self) if _is_key_array(self) else str(self.value)

    def __format__(self, spec: str) -> str:
        if _is_key_array(self):
            return format(str(self), spec)
        return format(self.value if self.aval.ndim else self.value[()], spec)


def _rows(value: np.ndarray) -> Iterator[np.ndarray]:
    return (value[i, ...] for i in range(value.shape[0]))


def _is_key_array(x: ConcreteArray) -> bool:
    return dtypes.issubdtype(x.aval.dtype, dtypes.extended)


def _array_repr(x: ConcreteArray) -> str:
    if x.is_deleted():
        return f"Array(<deleted>, shape={x.shape}, dtype={x.dtype.name})"
    if _is_key_array(x):
        words = x.value[..., None].view(np.uint32)
        return f"Array({x.shape}, dtype={x.dtype.name}) overlaying:\n{words}"
    prefix = "Array("
    weak = ", weak_type=True" if x.aval.weak_type else ""
    suffix = f"dtype={x.dtype.name}{weak})"
    width = np.get_printoptions()["linewidth"]
    if x.size == 0:
        return f"{prefix}[], shape={x.shape}, {suffix}"
    text = np.array2string(x.value, prefix=prefix, suffix=",", separator=", ", max_line_width=width)
    last_line = len(text) - text.rfind("\n") + 1
    # JAX widens the gap, without a new line, where the dtype would not fit on the last line.
    separator = " " * len(prefix) if last_line + len(suffix) + 1 > width else " "
    return f"{prefix}{text},{separator}{suffix}"


def storage_dtype(dtype: Any) -> np.dtype:
    """Return the NumPy dtype that holds elements of a (possibly extended) dtype."""
    return dtype if isinstance(dtype, np.dtype) else dtype.storage


def array_from_numpy(
    value: np.ndarray,
    *,
    aval: ShapedArray | None = None,
    device: Device | None = None,
    committed: bool = False,
) -> ConcreteArray:
    """Wrap an ndarray that nobody will write to any more.

    Parameters
    ----------
    value : np.ndarray
        Fresh data; made read-only here.
    aval : ShapedArray, optional
        Its type where it differs from what ``value`` says: weak or a key type.
    device : Device, optional
        Where the array lives, by default the default device.
    """
    if aval is None:
        aval = ShapedArray(value.shape, value.dtype)
    value.flags.writeable = False
    return ConcreteArray(aval, device or default_device(), value, None, committed)


def _unpickle(value: np.ndarray, aval: ShapedArray) -> ConcreteArray:
    return array_from_numpy(value, aval=aval)
