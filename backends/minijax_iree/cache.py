"""Which programs were compiled before, perhaps by another process? A directory of compiled modules.

Compiling takes 0.2 s and more, loading a compiled module 0.1 ms, so compiled modules are kept on
disk. A file's name is a digest of everything the module depends on (`cache_key`). Files are
written to a temporary name and moved into place, so that processes sharing the directory never see
half a file, and a file states its own length and digest, so that a damaged one is noticed, removed
and compiled again. When the directory outgrows its limit the files unused for longest are removed.

The cache must never be the reason that a program fails: every operating system error in here means
"not cached" and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import tempfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MAGIC = b"minijax-iree-1\n"
HEADER_SIZE = len(MAGIC) + 8 + 32
SUFFIX = ".vmfb"
DEFAULT_SIZE_LIMIT = 2 << 30
# Measuring the directory takes a system call per file; once in this many writes is enough.
WRITES_BETWEEN_EVICTIONS = 50


class CompilationCache:
    """Compiled modules in one directory, shared by all processes of the user.

    Parameters
    ----------
    directory
        Where the files lie; None for `default_directory()`.
    enabled
        False makes `load` find nothing and `store` do nothing. None reads the environment
        variable ``MINIJAX_CACHE`` (``0`` switches off).
    size_limit
        Bytes that the directory may hold.

    Examples
    --------
    >>> cache = CompilationCache("/tmp/modules")
    >>> cache.store("k1", b"module")
    >>> cache.load("k1")
    b'module'
    """

    def __init__(
        self,
        directory: str | os.PathLike | None = None,
        *,
        enabled: bool | None = None,
        size_limit: int = DEFAULT_SIZE_LIMIT,
    ) -> None:
        self.directory = Path(directory) if directory is not None else default_directory()
        self.enabled = os.environ.get("MINIJAX_CACHE", "1") != "0" if enabled is None else enabled
        self.size_limit = size_limit
        self._writes = 0

    def path(self, key: str) -> Path:
        """The file that holds, or would hold, the module with this key."""
        return self.directory / (key + SUFFIX)

    def load(self, key: str) -> bytes | None:
        """Return the module stored under `key`, or None. A damaged file is removed."""
        if not self.enabled:
            return None
        path = self.path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        payload = unwrap(content)
        try:
            if payload is None:
                path.unlink(missing_ok=True)
            else:
                os.utime(path)  # the time of last use, which eviction goes by
        except OSError:
            pass
        return payload

    def store(self, key: str, module: bytes) -> None:
        """Keep `module` under `key`, replacing what was there."""
        if not self.enabled:
            return
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.directory, suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(wrap(module))
                os.replace(temporary, self.path(key))
            except OSError:
                os.unlink(temporary)
                return
        except OSError:
            return
        if self._writes % WRITES_BETWEEN_EVICTIONS == 0:
            self.evict()
        self._writes += 1

    def evict(self) -> None:
        """Remove the files unused for longest until the directory is within its limit."""
        entries = []
        try:
            for entry in os.scandir(self.directory):
                if entry.name.endswith((SUFFIX, ".tmp")):
                    status = entry.stat()
                    entries.append((status.st_mtime, status.st_size, entry.path))
        except OSError:
            return
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.size_limit:
                return
            try:
                os.unlink(path)
            except OSError:
                continue  # another process was faster
            total -= size

    def clear(self) -> None:
        """Remove every module."""
        limit, self.size_limit = self.size_limit, -1
        self.evict()
        self.size_limit = limit


def default_directory() -> Path:
    """``MINIJAX_CACHE_DIR`` or ``~/.cache/minijax``."""
    directory = os.environ.get("MINIJAX_CACHE_DIR")
    if directory:
        return Path(directory)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "minijax"


def wrap(module: bytes) -> bytes:
    """Put the header (magic, length, digest) in front of a module."""
    return MAGIC + len(module).to_bytes(8, "big") + hashlib.sha256(module).digest() + module


def unwrap(content: bytes) -> bytes | None:
    """Return the module behind a header, or None if the content is not what the header says."""
    if len(content) < HEADER_SIZE or not content.startswith(MAGIC):
        return None
    length = int.from_bytes(content[len(MAGIC) : len(MAGIC) + 8], "big")
    payload = content[HEADER_SIZE:]
    digest = content[len(MAGIC) + 8 : HEADER_SIZE]
    if len(payload) != length or hashlib.sha256(payload).digest() != digest:
        return None
    return payload


def cache_key(program: str, flags: tuple[str, ...]) -> str:
    """Digest of everything that a compiled module depends on.

    The program counts without its source locations, so that an edit elsewhere in the user's file
    does not compile everything again. The processor counts because the compiler is told to
    generate code for the one it runs on.
    """
    digest = hashlib.sha256()
    for part in (strip_locations(program), *flags, compiler_version(), host_identity()):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


@cache
def compiler_version() -> str:
    """Version of the installed IREE compiler, read without importing it."""
    try:
        return version("iree-base-compiler")
    except PackageNotFoundError:
        return "unknown"


@cache
def host_identity() -> str:
    """A text that differs between processors with different instruction sets."""
    parts = [platform.system(), platform.machine(), platform.processor()]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    # The first processor's entries stand for all: x86 says "flags", ARM says "Features".
    wanted = ("model name", "flags", "Features", "CPU part")
    for name in wanted:
        parts.extend([line for line in lines if line.startswith(name)][:1])
    return "\n".join(parts)


# A string (kept), the start of a definition of a location alias, or the start of a location.
_LOCATION = re.compile(r'"(?:[^"\\]|\\.)*"|^#loc\w* = |\s*\bloc\(', re.MULTILINE)


def strip_locations(program: str) -> str:
    """Remove every ``loc(...)`` and every ``#loc = ...`` line from the text of a program.

    Examples
    --------
    >>> strip_locations('%0 = stablehlo.sine %x : tensor<f32> loc("train.py":3:1)')
    '%0 = stablehlo.sine %x : tensor<f32>'
    """
    pieces = []
    position = 0
    while (match := _LOCATION.search(program, position)) is not None:
        if match.group().startswith('"'):
            pieces.append(program[position : match.end()])
            position = match.end()
            continue
        pieces.append(program[position : match.start()])
        position = match.end()
        if match.group().endswith("("):
            position = closing_parenthesis(program, position)
    pieces.append(program[position:])
    return "".join(pieces)


_PARENTHESIS = re.compile(r'"(?:[^"\\]|\\.)*"|[()]')


def closing_parenthesis(text: str, position: int) -> int:
    """Index just behind the parenthesis that closes the one just before `position`."""
    depth = 1
    while depth:
        match = _PARENTHESIS.search(text, position)
        if match is None:
            return len(text)
        position = match.end()
        if match.group() == "(":
            depth += 1
        elif match.group() == ")":
            depth -= 1
    return position
