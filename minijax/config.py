"""Which switches change how programs are traced, compiled and checked?

Every switch is one row of :data:`FLAGS`. Its value is looked for in three places, nearest
first: a context manager of the running thread (``with enable_x64(True): ...``), a call of
``config.update``, and the environment variable named after the flag in capitals
(``JAX_ENABLE_X64=1``). The values in force form an immutable :class:`Snapshot`; the part of it
that changes what a traced program means is its ``trace_key``, which every cache of traced
programs carries in its keys.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


def parse_bool(text: Any) -> bool:
    """Read a truth value as the environment spells it (1/0, true/false, yes/no, on/off)."""
    if isinstance(text, bool):
        return text
    lowered = str(text).lower()
    if lowered in ("1", "true", "t", "yes", "y", "on"):
        return True
    if lowered in ("0", "false", "f", "no", "n", "off", ""):
        return False
    raise ValueError(f"invalid truth value {text!r}: expected one of 1, 0, true, false, yes, no")


def one_of(*choices: str | None) -> Callable[[Any], str | None]:
    """Make a parser that accepts only the given words."""

    def parse(value: Any) -> str | None:
        if value not in choices:
            raise ValueError(f"invalid value {value!r}: expected one of {list(choices)}")
        return value

    return parse


def anything(value: Any) -> Any:
    """Accept any value as it is."""
    return value


@dataclass(frozen=True, slots=True)
class Flag:
    """One switch: its name without the ``jax_`` prefix, default, parser and meaning."""

    name: str
    default: Any
    parse: Callable[[Any], Any]
    help: str
    traced: bool = False  # does a traced program depend on it?


_PRECISIONS = (None, "default", "high", "highest", "bfloat16", "tensorfloat32", "float32")
_FILTERINGS = ("auto", "off", "tracebackhide", "remove_frames", "quiet_remove_frames")
_GUARDS = (None, "allow", "log", "disallow", "log_explicit", "disallow_explicit")

FLAGS: tuple[Flag, ...] = (
    Flag("enable_x64", False, parse_bool, "keep 64-bit types instead of narrowing them", True),
    Flag(
        "numpy_dtype_promotion", "standard", one_of("standard", "strict"), "promotion rules", True
    ),
    Flag("numpy_rank_promotion", "allow", one_of("allow", "warn", "raise"), "implicit rank", True),
    Flag("default_matmul_precision", None, one_of(*_PRECISIONS), "precision of products", True),
    Flag("threefry_partitionable", True, parse_bool, "which counters threefry hashes", True),
    Flag("default_prng_impl", "threefry2x32", anything, "PRNG of random.key and PRNGKey", True),
    Flag("enable_custom_prng", False, parse_bool, "PRNGKey returns typed keys", True),
    Flag("legacy_prng_key", "allow", one_of("allow", "warn", "error"), "raw uint32 keys", True),
    Flag("softmax_custom_jvp", True, parse_bool, "analytic derivative of softmax", True),
    Flag("debug_nans", False, parse_bool, "raise where a NaN first appears"),
    Flag("debug_infs", False, parse_bool, "raise where an infinity first appears"),
    Flag("debug_key_reuse", False, parse_bool, "raise where a key is used twice"),
    Flag("disable_jit", False, parse_bool, "run jitted functions and loops in Python"),
    Flag("check_tracer_leaks", False, parse_bool, "find tracers that outlive their trace"),
    Flag("enable_checks", False, parse_bool, "check every jaxpr that is built"),
    Flag("log_compiles", False, parse_bool, "log every compilation"),
    Flag("explain_cache_misses", False, parse_bool, "log why a function was traced again"),
    Flag(
        "traceback_filtering",
        "auto",
        one_of(*_FILTERINGS),
        "whether tracebacks leave out the library's own frames (all values but off do)",
    ),
    Flag("transfer_guard", "allow", one_of(*_GUARDS), "moves between host and device"),
    Flag("default_device", None, anything, "where fresh arrays are placed"),
    Flag("platforms", None, anything, "comma-separated platforms, the first is the default"),
    Flag("compilation_cache_dir", None, anything, "directory of the persistent cache"),
    Flag("enable_compilation_cache", True, parse_bool, "keep compiled programs on disk"),
    Flag("compilation_cache_max_size", -1, int, "bound of the persistent cache in bytes"),
    Flag("captured_constants_warn_bytes", 2_000_000_000, int, "warn about larger constants"),
)
_BY_NAME = {flag.name: flag for flag in FLAGS}


class Snapshot:
    """The values of all flags at one moment; ``trace_key`` is hashable."""

    def __init__(self, values: dict[str, Any]):
        self.__dict__.update(values)
        self.trace_key = tuple(values[flag.name] for flag in FLAGS if flag.traced)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"unrecognized config option: {name!r}")


def _initial_values() -> dict[str, Any]:
    values = {}
    for flag in FLAGS:
        text = os.environ.get("JAX_" + flag.name.upper())
        try:
            values[flag.name] = flag.default if text is None else flag.parse(text)
        except ValueError as error:
            raise ValueError(f"environment variable JAX_{flag.name.upper()}: {error}") from None
    return values


_Overrides = tuple[tuple[str, Any], ...]
_values = _initial_values()
_overrides: ContextVar[_Overrides] = ContextVar("minijax_config_overrides", default=())
_snapshots: dict[_Overrides, Snapshot] = {}


def snapshot() -> Snapshot:
    """Return the values in force in the running context."""
    overrides = _overrides.get()
    found = _snapshots.get(overrides)
    if found is None:
        found = _snapshots[overrides] = Snapshot(_values | dict(overrides))
    return found


def _bare(name: str) -> str:
    bare = name.removeprefix("jax_")
    if bare == name or bare not in _BY_NAME:
        near = difflib.get_close_matches(bare, _BY_NAME, n=1)
        hint = f" (did you mean jax_{near[0]}?)" if near else ""
        raise AttributeError(f"Unrecognized config option: {name}{hint}")
    return bare


class Config:
    """The object behind ``minijax.config``.

    Examples
    --------
    >>> config.update("jax_enable_x64", False)
    >>> config.jax_enable_x64
    False
    """

    def update(self, name: str, value: Any) -> None:
        """Set a flag for the whole process (threads inside a context manager keep theirs).

        Raises
        ------
        AttributeError
            If there is no flag ``name``; the full name is wanted, ``jax_enable_x64``.
        ValueError
            If the flag cannot have that value.
        """
        bare = _bare(name)
        _values[bare] = _BY_NAME[bare].parse(value)
        _snapshots.clear()

    def read(self, name: str) -> Any:
        """Return the value in force here of a flag given by its full name."""
        return getattr(snapshot(), _bare(name))

    @property
    def values(self) -> dict[str, Any]:
        """All flags by their full names."""
        return {f"jax_{name}": value for name, value in _values.items()}

    def trace_key(self) -> tuple:
        """Return the hashable part of the state that a traced program depends on."""
        return snapshot().trace_key

    def __getattr__(self, name: str) -> Any:
        return getattr(snapshot(), name.removeprefix("jax_"))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"flags are set by a call: config.update({name!r}, {value!r})")


config = Config()


_REQUIRED = object()


def context(name: str) -> Callable[..., Any]:
    """Make the context manager of one flag: ``with enable_x64(True): ...``.

    The manager of a switch may be called without value, which turns it on.
    """
    flag = _BY_NAME[name]
    default = True if flag.parse is parse_bool else _REQUIRED

    @contextmanager
    def manager(value: Any = default) -> Iterator[None]:
        if value is _REQUIRED:
            raise TypeError(f"Context manager for the config option {name} requires a value.")
        outer = tuple(item for item in _overrides.get() if item[0] != name)
        token = _overrides.set((*outer, (name, flag.parse(value))))
        try:
            yield
        finally:
            _overrides.reset(token)

    manager.__name__ = manager.__qualname__ = name
    manager.__doc__ = f"Context manager: {flag.help} (flag ``jax_{name}``)."
    return manager


enable_x64 = context("enable_x64")
numpy_dtype_promotion = context("numpy_dtype_promotion")
numpy_rank_promotion = context("numpy_rank_promotion")
default_matmul_precision = context("default_matmul_precision")
threefry_partitionable = context("threefry_partitionable")
default_prng_impl = context("default_prng_impl")
enable_custom_prng = context("enable_custom_prng")
legacy_prng_key = context("legacy_prng_key")
debug_nans = context("debug_nans")
debug_infs = context("debug_infs")
debug_key_reuse = context("debug_key_reuse")
disable_jit = context("disable_jit")
checking_leaks = context("check_tracer_leaks")
enable_checks = context("enable_checks")
log_compiles = context("log_compiles")
explain_cache_misses = context("explain_cache_misses")
transfer_guard = context("transfer_guard")
default_device = context("default_device")
