"""Who carries out an operation, and what does a program see while it is transformed?

Every operation is handed to the *current trace*. At the bottom stands the trace that computes;
each transformation puts its own on top for the time it runs a function, and that trace remembers
its parent, to which it passes on what the transformation turns the operation into. There is no
stack of levels: a trace holds its parent, a tracer holds its trace, and one context variable
holds the current trace.

A trace ends with the function it traces. A tracer used afterwards has *leaked*, which is an error
that names the function and the line where the value was made.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from minijax import errors, source_info
from minijax.config import config
from minijax.core.array import Array
from minijax.core.aval import ShapedArray
from minijax.core.hooks import hooks


class Trace:
    """Carries out operations in one way; subclasses say how.

    ``parent`` is the trace below, which carries out what this one produces.
    """

    __slots__ = ("__weakref__", "is_live", "parent")

    def __init__(self, parent: Trace | None = None):
        self.parent = parent
        self.is_live = True

    def process_primitive(self, primitive: Any, args: tuple, params: dict[str, Any]) -> Any:
        """Carry out one operation; returns what ``primitive.bind`` returns."""
        raise NotImplementedError(type(self).__name__)

    def describe(self) -> str:
        """Say what is being traced, for messages: ``f at file:line for jit``."""
        return type(self).__name__

    def origin_message(self, tracer: Tracer) -> str:
        """Say which arguments of the traced function a value depends on."""
        return self.parent.origin_message(tracer) if self.parent is not None else ""

    def invalidate(self) -> None:
        """End the trace: its tracers must not be used any more."""
        self.is_live = False


class Tracer(Array):
    """A value inside a transformation: its type is known, its data is the trace's business."""

    __slots__ = ("_creation", "_trace", "aval")

    def __init__(self, trace: Trace, aval: ShapedArray):
        self._trace = trace
        self.aval = aval
        self._creation = None

    def origin_message(self) -> str:
        """Say where the value comes from, for error messages."""
        return self._trace.origin_message(self)

    def creation_line(self) -> str:
        """Return the user's line that made the value, as far as the trace knows it."""
        return str(self._creation) if self._creation is not None else "an unknown line"

    # A value that is not known cannot become a Python or NumPy one.

    def __bool__(self) -> bool:
        self._require_scalar_for_bool()
        return bool(self._concrete(errors.TracerBoolConversionError))

    def __int__(self) -> int:
        concrete = self.concrete_value()
        if concrete is None:
            raise self._conversion_error("int")
        return int(concrete)

    def __float__(self) -> float:
        # Refused even where the value is known, under eager grad: the derivative would be lost.
        raise self._conversion_error("float")

    def __complex__(self) -> complex:
        raise self._conversion_error("complex")

    def __index__(self) -> int:
        return self._concrete(errors.TracerIntegerConversionError).__index__()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise errors.TracerArrayConversionError(self)

    def item(self, *args: int) -> Any:
        """Raise ConcretizationTypeError unless the value lies beneath in concrete form."""
        return self._concrete(errors.ConcretizationTypeError).item(*args)

    def tolist(self) -> Any:
        """Raise ConcretizationTypeError."""
        raise errors.ConcretizationTypeError(self, "The tolist() method was called.")

    def tobytes(self, order: Any = "C") -> bytes:
        """Raise ConcretizationTypeError."""
        raise errors.ConcretizationTypeError(self, "The tobytes() method was called.")

    def __dlpack__(self, **kwargs: Any) -> Any:
        raise errors.ConcretizationTypeError(self, "The __dlpack__() method was called.")

    def __dlpack_device__(self) -> Any:
        raise errors.ConcretizationTypeError(self, "The __dlpack_device__() method was called.")

    def __reduce__(self) -> Any:
        raise errors.ConcretizationTypeError(self, "The array was to be pickled.")

    # What exists on a device exists only once there is data.

    def devices(self) -> Any:
        """Raise ConcretizationTypeError: where a traced value will live is not known."""
        raise errors.ConcretizationTypeError(self, "The devices() method was called.")

    def delete(self) -> None:
        """Raise ConcretizationTypeError."""
        raise errors.ConcretizationTypeError(self, "The delete() method was called.")

    def is_deleted(self) -> bool:
        """Raise ConcretizationTypeError."""
        raise errors.ConcretizationTypeError(self, "The is_deleted() method was called.")

    def unsafe_buffer_pointer(self) -> int:
        """Raise ConcretizationTypeError."""
        raise errors.ConcretizationTypeError(self, "The unsafe_buffer_pointer() method was called.")

    @property
    def block_until_ready(self) -> Any:
        """Raise AttributeError: nothing is being computed yet."""
        raise _unavailable("'block_until_ready' method", self)

    @property
    def copy_to_host_async(self) -> Any:
        """Raise AttributeError: nothing is being computed yet."""
        raise _unavailable("'copy_to_host_async' method", self)

    @property
    def device(self) -> Any:
        """Raise ConcretizationTypeError: where a traced value will live is not known."""
        raise errors.ConcretizationTypeError(self, "The device attribute was read.")

    def _concrete(self, error_class: Any) -> Any:
        """Return the concrete value beneath (as in eager ``grad``) or raise."""
        concrete = self.concrete_value()
        if concrete is None:
            raise error_class(self)
        return concrete

    def concrete_value(self) -> Any:
        """Return the concrete value that this tracer wraps, or None if there is none."""
        return None

    def _conversion_error(self, kind: str) -> Exception:
        return errors.ConcretizationTypeError(
            self,
            f"The problem arose with the `{kind}` function. If trying to convert the data "
            f"type of a value, try using `x.astype({kind})` or `jnp.array(x, {kind})` "
            "instead.",
        )

    def _require_scalar_for_bool(self) -> None:
        if self.aval.size > 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() "
                f"or a.all(). The array is traced with type {self.aval.str_short()}."
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({described_type(self.aval)})"

    def __format__(self, spec: str) -> str:
        if spec:  # how many digits, of what?
            raise TypeError(
                f"unsupported format string passed to {type(self).__name__}.__format__"
                f"{errors.origin(self)}\nUse jax.debug.print to print the value when it is known."
            )
        return repr(self)

    def __copy__(self) -> Tracer:
        return self

    def __deepcopy__(self, memo: Any) -> Tracer:
        return self


def _unavailable(what: str, tracer: Tracer) -> AttributeError:
    return AttributeError(
        f"The {what} is not available on {errors.describe(tracer)}.{errors.origin(tracer)}"
    )


def described_type(aval: Any) -> str:
    """Name a type in the picture of a tracer: ``~float32[3]``, the mark for a weak dtype."""
    return ("~" if getattr(aval, "weak_type", False) else "") + aval.str_short()


_current: ContextVar[Trace | None] = ContextVar("minijax_current_trace", default=None)


def current_trace() -> Trace:
    """Return the trace that operations issued here go to."""
    return _current.get() or hooks.bottom_trace


def in_eager_mode() -> bool:
    """Tell whether operations issued here are computed at once."""
    return current_trace() is hooks.bottom_trace


@contextmanager
def set_current_trace(trace: Trace | None) -> Iterator[None]:
    """Send the operations issued inside to ``trace`` (None: the bottom one)."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def tracing(trace: Trace) -> Iterator[Trace]:
    """Run a function under a fresh trace and end the trace afterwards.

    With ``jax_check_tracer_leaks`` on, a tracer that is still referenced at the end is an error
    here, where it leaked, rather than later, where it is used.
    """
    with set_current_trace(trace):
        try:
            yield trace
        finally:
            trace.invalidate()


def check_leaks(trace: Trace) -> None:
    """Raise if tracers of an ended trace are still alive (only with the flag on)."""
    if not config.check_tracer_leaks:
        return
    description = trace.describe()
    gc.collect()
    leaked = [
        tracer
        for tracer in gc.get_objects()
        if isinstance(tracer, Tracer) and tracer._trace is trace
    ]
    if leaked:
        lines = "\n".join(
            f"  {t!r}" + (f" created at {t._creation}" if t._creation is not None else "")
            for t in leaked
        )
        raise Exception(
            f"Leaked trace {description}. Leaked tracer(s):\n{lines}\n"
            "A transformed function must return its results and keep no reference to them."
        )


def leaked_tracer_error(tracer: Tracer) -> errors.UnexpectedTracerError:
    """Describe a tracer that was used where its trace does not reach."""
    if tracer._trace.is_live:
        return errors.UnexpectedTracerError(
            f"A function with a derivative rule of its own closes over a traced value of type "
            f"{tracer.aval.str_short()}, used at {source_info.current()}. "
            f"{tracer.origin_message()}\nThe rule says nothing about the "
            "derivative with respect to values that are closed over: pass them as arguments."
        )
    made = f"was created at {tracer._creation}; it " if tracer._creation is not None else ""
    return errors.UnexpectedTracerError(
        "Encountered an unexpected tracer. A function transformed by JAX had a side effect, "
        f"allowing for a reference to an intermediate value with type {tracer.aval.str_short()} "
        f"wrapped in a {type(tracer).__name__} to escape the scope of the transformation.\n"
        "JAX transformations require that functions explicitly return their outputs, and "
        "disallow saving intermediate values to global state.\n"
        f"The function being traced when the value leaked was {tracer._trace.describe()}.\n"
        f"The leaked value {made}was used at {source_info.current()}.\n"
        "To catch the leak earlier, try setting the environment variable JAX_CHECK_TRACER_LEAKS "
        "or using the `jax.checking_leaks` context manager."
    )


# -- named axes -------------------------------------------------------------------------------

AxisEnv = Mapping[Any, int]
_axes: ContextVar[tuple[tuple[Any, int], ...]] = ContextVar("minijax_axis_env", default=())


@contextmanager
def extend_axis_env(name: Any, size: int) -> Iterator[None]:
    """Make a named axis visible to collectives issued inside; None names nothing."""
    if name is None:
        yield
        return
    token = _axes.set((*(item for item in _axes.get() if item[0] != name), (name, size)))
    try:
        yield
    finally:
        _axes.reset(token)


def axis_env() -> tuple[tuple[Any, int], ...]:
    """Return the visible named axes with their sizes: part of the key of a traced program."""
    return _axes.get()


def axis_size_of(name: Any) -> int:
    """Return the size of a named axis; NameError if no transformation names one so."""
    for known, size in _axes.get():
        if known == name:
            return size
    raise NameError(
        f"Found an unbound axis name: {name}. To fix this, please call it inside a function "
        f"transformed with an axis of that name, for instance jax.vmap(f, axis_name={name!r})."
    )
