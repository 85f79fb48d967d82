"""What is a compiled function?

:class:`JitFunction` is what ``jax.jit`` returns. It flattens the arguments, looks the traced
program up by one key, and runs it: outside all transformations the program compiled for the
device of the arguments, inside them the operation ``jit_p``, which they transform.

The key is: structure of the arguments, their types (with weakness), values of static arguments,
configuration, and visible named axes. What a function captured from an enclosing transformation
is no part of the key; such a program is never kept.
"""

from __future__ import annotations

import functools
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from types import MethodType
from typing import Any

import numpy as np

from minijax.config import snapshot
from minijax.core import dtypes
from minijax.core.array import ConcreteArray
from minijax.core.aval import typeof
from minijax.core.backend import Device, default_device, platform_devices
from minijax.core.jaxpr import DebugInfo, Jaxpr
from minijax.core.trace import Tracer, axis_env, in_eager_mode
from minijax.core.tree import PyTreeDef, tree_flatten, tree_structure
from minijax.higher_order import stages
from minijax.higher_order.jit_arguments import ArgumentRules, argument_rules
from minijax.higher_order.jit_primitive import jit_p
from minijax.tracebacks import hide_internal_frames
from minijax.transforms.dispatch import LoadedProgram, logger, place
from minijax.transforms.evaluate import eval_jaxpr
from minijax.transforms.flat import (
    FlatFunction,
    check_arguments,
    check_callable,
    function_location,
    function_name,
)
from minijax.transforms.staging import hoist_constants, trace_to_jaxpr


@dataclass(frozen=True, slots=True)
class JitOptions:
    """What a user may ask of ``jit``."""

    arguments: ArgumentRules = ArgumentRules()
    keep_unused: bool = False
    inline: bool = False
    device: Device | None = None
    backend: str | None = None
    compiler_options: tuple[tuple[str, str], ...] = ()


class TracedProgram:
    """A function traced for one signature, with its compiled forms."""

    __slots__ = (
        "_hoisted", "assemble", "captures_tracers", "donated", "jaxpr", "name", "options",
        "out_tree", "programs",
    )  # fmt: skip

    def __init__(
        self,
        jaxpr: Jaxpr,
        out_tree: PyTreeDef,
        name: str,
        donated: Sequence[bool],
        options: JitOptions,
    ):
        self.jaxpr = jaxpr
        self.out_tree = out_tree
        # Most functions of one result return it as it is, which needs no tree to be built.
        is_leaf = out_tree.num_nodes == out_tree.num_leaves == 1
        self.assemble = itemgetter(0) if is_leaf else out_tree.unflatten
        self.name = name
        self.donated = donated
        self.options = options
        self.captures_tracers = any(isinstance(const, Tracer) for const in jaxpr.consts)
        self.programs: dict[Device, LoadedProgram] = {}
        self._hoisted: tuple[Jaxpr, list[Any]] | None = None

    def program(self, device: Device) -> LoadedProgram:
        """Return the program compiled for a device."""
        found = self.programs.get(device)
        if found is None:
            options = self.options
            found = self.programs[device] = LoadedProgram(
                self.jaxpr,
                self.name,
                device,
                self.donated,
                options.keep_unused,
                options.compiler_options,
            )
        return found

    def bind(self, leaves: Sequence[Any]) -> list[Any]:
        """Apply the program under the current trace."""
        if self._hoisted is None:
            self._hoisted = hoist_constants(self.jaxpr)
        jaxpr, consts = self._hoisted
        if self.options.inline:
            return eval_jaxpr(jaxpr, *consts, *leaves)
        return jit_p.bind(*consts, *leaves, jaxpr=jaxpr, name=self.name)


# Programs are kept with the function they were traced from, so that two calls of ``jax.jit`` on
# one function share them; the options are part of the key, for they change what a call means.
_caches: weakref.WeakKeyDictionary[Any, dict[JitOptions, dict]] = weakref.WeakKeyDictionary()


def _cache_of(fun: Callable[..., Any], options: JitOptions) -> dict[Any, TracedProgram]:
    try:
        return _caches.setdefault(fun, {}).setdefault(options, {})
    except TypeError:  # a callable without hash or weak references
        return {}


def clear_caches() -> None:
    """Forget all traced and compiled programs of jitted functions."""
    for by_options in list(_caches.values()):
        for cache in by_options.values():
            cache.clear()


class JitFunction:
    """A function that is traced and compiled on its first call for each signature."""

    def __init__(self, fun: Callable[..., Any], options: JitOptions):
        functools.update_wrapper(self, fun)
        self._fun = fun
        self._options = options
        self._cache = _cache_of(fun, options)
        self._all_dynamic = options.arguments.all_dynamic
        self._pinned = options.device or (
            platform_devices(options.backend)[0] if options.backend else None
        )

    def __repr__(self) -> str:
        return f"<jitted {self._fun!r}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the compiled function."""
        state = snapshot()
        if state.disable_jit:
            return self._fun(*args, **kwargs)
        try:
            if kwargs or not self._all_dynamic:
                leaves, form = self._flatten(args, kwargs)
            else:
                leaves, form = tree_flatten(args)
            avals = [
                x.aval if type(x) is ConcreteArray else self._type_of(x, args, kwargs)
                for x in leaves
            ]
            key = (form, tuple(avals), state.trace_key, axis_env())
            traced = self._cache.get(key)
            if traced is None:
                traced = self._trace(key, args, kwargs)
            if traced.captures_tracers or not in_eager_mode():
                outs = traced.bind(leaves)
            else:
                device, committed = place(leaves, avals, self._pinned)
                program = traced.programs.get(device) or traced.program(device)
                outs = program(leaves, committed)
            return traced.assemble(outs)
        except Exception as error:
            hide_internal_frames(error)
            raise

    def _flatten(self, args: tuple, kwargs: dict[str, Any]) -> tuple[list[Any], Any]:
        """Return the leaves of the dynamic arguments, and what else tells two calls apart."""
        if not self._all_dynamic:
            dynamic, statics = self._options.arguments.split(self._fun, args, kwargs)
            leaves, in_tree = tree_flatten(dynamic)
            return leaves, (in_tree, statics)
        if kwargs:
            leaves, in_tree = tree_flatten((args, kwargs))
            return leaves, (in_tree, ())
        return tree_flatten(args)

    def _type_of(self, x: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        if isinstance(x, (Tracer, float)):
            return typeof(x)
        if isinstance(x, np.ndarray) and x.dtype in dtypes.KIND_OF:
            return typeof(x)
        dynamic, _ = self._options.arguments.split(self._fun, args, kwargs)
        check_arguments(self._fun, *dynamic)
        return typeof(x)

    def _trace(self, key: Any, args: tuple, kwargs: dict[str, Any]) -> TracedProgram:
        start = time.perf_counter()
        fun, rules = self._fun, self._options.arguments
        dynamic, _ = rules.split(fun, args, kwargs)
        leaves, in_tree = tree_flatten(dynamic)
        name, location = function_name(fun), function_location(fun)
        info = DebugInfo("jit", name, location, rules.dynamic_names(fun, args, kwargs))
        flat = FlatFunction(
            rules.close_over_static(fun, args, kwargs),
            in_tree,
            f"{name} at {location} traced for jit",
        )
        jaxpr = trace_to_jaxpr(flat, [typeof(x) for x in leaves], info)
        donated = rules.donated(dynamic, len(args))
        traced = TracedProgram(jaxpr, flat.out_tree, name, donated, self._options)
        if snapshot().log_compiles:
            seconds = time.perf_counter() - start
            logger.warning("Finished tracing of jit(%s) in %.3f sec", name, seconds)
        if not traced.captures_tracers:
            self._cache[key] = traced
        return traced

    # -- ahead of time -----------------------------------------------------------------------

    def trace(self, *args: Any, **kwargs: Any) -> stages.Traced:
        """Trace for arguments or ``ShapeDtypeStruct``s; returns the first of the AOT stages."""
        rules = self._options.arguments
        dynamic, _ = rules.split(self._fun, args, kwargs)
        check_arguments(self._fun, *dynamic, allow_structs=True)
        leaves, form = self._flatten(args, kwargs)
        key = (form, tuple(map(typeof, leaves)), snapshot().trace_key, axis_env())
        in_tree = tree_structure(dynamic)
        traced = self._cache.get(key) or self._trace(key, args, kwargs)
        device = self._pinned or default_device()
        return stages.Traced(
            traced.jaxpr, in_tree, traced.out_tree, traced.name, device, traced.donated,
            self._options.keep_unused, self._options.compiler_options,
            lambda args, kwargs: rules.split(self._fun, args, kwargs)[0],
        )  # fmt: skip

    def lower(self, *args: Any, **kwargs: Any) -> stages.Lowered:
        """Trace and lower to StableHLO without compiling."""
        return self.trace(*args, **kwargs).lower()

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Return the shapes and dtypes of the result without computing it."""
        return self.trace(*args, **kwargs).out_info

    def clear_cache(self) -> None:
        """Forget the traced and compiled programs of this function."""
        self._cache.clear()

    def _cache_size(self) -> int:
        return len(self._cache)


def jit(
    fun: Callable[..., Any] | None = None,
    /,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    keep_unused: bool = False,
    device: Device | None = None,
    backend: str | None = None,
    inline: bool = False,
    compiler_options: dict[str, Any] | None = None,
) -> Any:
    """Compile a function.

    On the first call with arguments of some shapes and dtypes, ``fun`` runs once on tracers; the
    program written down is compiled, and this and all later calls run it.

    Parameters
    ----------
    fun : callable
        Pure: it must not depend on or change anything but its arguments and results, which are
        pytrees of arrays.
    static_argnums, static_argnames : int, str or sequence, optional
        Arguments that are ordinary hashable Python values; the function is compiled again for
        each value.
    donate_argnums, donate_argnames : int, str or sequence, optional
        Arguments that the caller gives up, so that results may take their memory. An array
        that was given up is deleted, if a result of its type could take its place.
    keep_unused : bool
        Pass arguments that the program does not read.
    device, backend : optional
        Where to run: a ``Device`` or the name of a platform.
    inline : bool
        Write the operations into an enclosing program instead of a call.
    compiler_options : dict, optional
        Passed to the backend's compiler.

    Returns
    -------
    JitFunction
        Callable as ``fun``; offers ``trace``, ``lower`` and ``eval_shape``.

    Raises
    ------
    TypeError
        If ``fun`` is not callable; in a call, if an argument is not an array.
    ValueError
        If the numbers or names do not fit ``fun``; in a call, if a static value has no hash.

    Examples
    --------
    >>> import minijax.numpy as jnp
    >>> jit(lambda x: x * 2 + 1)(jnp.arange(3))
    Array([1, 3, 5], dtype=int32)
    """
    if fun is None:
        return functools.partial(
            jit, static_argnums=static_argnums, static_argnames=static_argnames,
            donate_argnums=donate_argnums, donate_argnames=donate_argnames,
            keep_unused=keep_unused, device=device, backend=backend, inline=inline,
            compiler_options=compiler_options,
        )  # fmt: skip
    check_callable(fun)
    rules = argument_rules(fun, static_argnums, static_argnames, donate_argnums, donate_argnames)
    settings = tuple(sorted((k, str(v)) for k, v in (compiler_options or {}).items()))
    return JitFunction(fun, JitOptions(rules, keep_unused, inline, device, backend, settings))
