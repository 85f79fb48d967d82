"""Which mistakes have a name, and what cures them?

Each class carries in its docstring a small program that raises it and the program to write
instead. All of them derive from the built-in exception that Python itself would raise, so that
``except TypeError`` keeps working.
"""

from __future__ import annotations

from typing import Any


class JAXTypeError(TypeError):
    """Base of the type errors below."""


class JAXIndexError(IndexError):
    """Base of the index errors below."""


class JaxprTypeError(TypeError):
    """A jaxpr is not well formed: found by the checker, never caused by a user's values."""


class JaxRuntimeError(RuntimeError):
    """A compiler or a device failed while building or running a program."""


class ConcretizationTypeError(JAXTypeError):
    """A traced value was used where a concrete one is needed.

    Inside ``jit`` a value stands for all values of its shape and dtype, so Python cannot turn it
    into a number::

        @jax.jit
        def zeros(n):
            return jnp.zeros(n)          # the shape depends on a value

    Mark the argument static (``jax.jit(zeros, static_argnums=0)``), or compute the shape from
    ``x.shape``, which is always concrete.
    """

    def __init__(self, tracer: Any, context: str = ""):
        super().__init__(
            "Abstract tracer value encountered where concrete value is expected: "
            f"{describe(tracer)}\n{context}{origin(tracer)}\n"
        )


class TracerArrayConversionError(JAXTypeError):
    """A traced value was given to a NumPy function.

    ``np.sin(x)`` needs numbers, a tracer has none yet: call ``jnp.sin(x)`` instead, which records
    the operation.
    """

    def __init__(self, tracer: Any):
        super().__init__(
            "The numpy.ndarray conversion method __array__() was called on "
            f"{describe(tracer)}{origin(tracer)}"
        )


class TracerIntegerConversionError(JAXTypeError):
    """A traced value was used as an index of a Python or NumPy sequence.

    ``["a", "b"][i]`` needs to know ``i``. Index an array instead (``jnp.array(table)[i]``), use
    ``lax.switch``, or mark the argument static.
    """

    def __init__(self, tracer: Any):
        super().__init__(f"The __index__() method was called on {describe(tracer)}{origin(tracer)}")


class TracerBoolConversionError(ConcretizationTypeError):
    """A traced value was used as a condition of Python's ``if``, ``while``, ``and`` or ``or``.

    Which branch runs would depend on a value that is known only when the compiled program runs.
    Use ``jnp.where``, ``lax.cond`` or ``lax.while_loop``; for loops over a known range, Python's
    own ``for`` works; or mark the argument static.
    """

    def __init__(self, tracer: Any):
        JAXTypeError.__init__(
            self,
            f"Attempted boolean conversion of {describe(tracer)}.{origin(tracer)}\n"
            "Use jnp.where or lax.cond to choose between values, or mark the argument static "
            "(static_argnums of jit).",
        )


class NonConcreteBooleanIndexError(JAXIndexError):
    """A traced boolean mask was used as an index.

    The number of selected elements would be the shape of the result, and shapes must be known
    while tracing. ``jnp.where(mask, x, 0)`` keeps the shape; ``jnp.nonzero(mask, size=n)`` fixes
    it.
    """

    def __init__(self, tracer: Any):
        aval = tracer.aval
        super().__init__(
            f"Array boolean indices must be concrete; got {aval.str_short()}\n"
            "Use jnp.where(mask, x, fill_value), or x.at[mask].set(...) for updates."
        )


class UnexpectedTracerError(JAXTypeError):
    """A traced value outlived the function it was traced in.

    ::

        outputs = []

        @jax.jit
        def f(x):
            outputs.append(x + 1)        # a side effect: the tracer escapes
            return x

    Return the value instead. ``with jax.checking_leaks():`` finds such code earlier.
    """


class KeyReuseError(JAXTypeError):
    """A PRNG key was used twice, so that the "random" numbers would be the same."""


def describe(tracer: Any) -> str:
    """Name a tracer by its type: ``traced array with shape float32[3]``."""
    return f"traced array with shape {tracer.aval.str_short()}"


def origin(tracer: Any) -> str:
    """Say which function is being traced and which of its arguments the value depends on."""
    text = tracer.origin_message()
    return f"\n{text}" if text else ""
