"""How does a program become a compiled module without loading the compiler into this process?

A `Compiler` owns one long-lived worker process (`worker.py`) and talks to it over pipes. The worker
is started by the first program that no cache knows. If it dies over a program, or exceeds the time
limit, it is replaced by another one and the caller gets a Python exception that says where the
program's text was saved. `compile_program` puts the persistent cache and the flag variants of the
target around that.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from pathlib import Path
from typing import IO, Any

from minijax.errors import JaxRuntimeError

from .cache import CompilationCache, cache_key
from .frames import read_frame, write_frame
from .targets import FlagVariant, Target

WORKER = Path(__file__).with_name("worker.py")
DEFAULT_TIME_LIMIT = 600.0
DIAGNOSTIC_LINES = 12


class CompilationError(JaxRuntimeError):
    """IREE refused a program.

    Attributes
    ----------
    diagnostics
        All that IREE printed.
    flags
        The compiler flags used.
    program_path
        File that holds the text of the program.
    """

    def __init__(
        self, reason: str, diagnostics: str, flags: tuple[str, ...], program_path: Path | None
    ) -> None:
        self.diagnostics = diagnostics
        self.flags = flags
        self.program_path = program_path
        super().__init__(
            f"{reason}\n{diagnostics_summary(diagnostics)}\n"
            f"Program: {program_path}\nFlags: {' '.join(flags)}"
        )


class CompilerCrash(CompilationError):
    """The compiler process died over a program."""


class CompilerTimeout(CompilationError):
    """The compiler did not finish in time and was stopped."""


class Compiler:
    """Client of one compiler process.

    All methods may be called from several threads; requests are answered one after the other. A
    process made by ``fork`` gets its own worker.

    Parameters
    ----------
    time_limit
        Seconds that one compilation may take.
    verify
        Whether IREE checks its own IR between passes (slower by 5 to 20 %).
    """

    def __init__(self, time_limit: float = DEFAULT_TIME_LIMIT, verify: bool = False) -> None:
        self.time_limit = time_limit
        self.verify = verify
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._diagnostics: IO[bytes] | None = None
        _compilers.add(self)

    def compile(self, program: str, flags: tuple[str, ...]) -> bytes:
        """Compile the text of a StableHLO program with exactly these flags.

        Raises
        ------
        CompilationError
            IREE printed an error.
        CompilerTimeout
            The compiler took longer than the time limit.
        CompilerCrash
            The compiler died.
        """
        request = {"flags": list(flags), "verify": self.verify}
        with self._lock:
            answer, module = self._exchange(request, program.encode())
        if answer["ok"]:
            return module
        path = save_program(program, answer["diagnostics"])
        kind, reason = {
            "refused": (CompilationError, "IREE could not compile the program."),
            "crashed": (CompilerCrash, "The IREE compiler crashed over the program."),
            "expired": (
                CompilerTimeout,
                f"IREE did not compile the program within {self.time_limit:g} s.",
            ),
        }[answer.get("end", "refused")]
        raise kind(reason, answer["diagnostics"], flags, path)

    def stop(self) -> None:
        """End the worker process; the next compilation starts another."""
        with self._lock:
            self._stop()

    def _start(self) -> subprocess.Popen:
        self._diagnostics = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._diagnostics,
            bufsize=0,  # nothing buffered that a forked child could write a second time
            start_new_session=True,  # the user's Ctrl-C is for Python, not for the worker
        )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            close_pipes(process)
        if self._diagnostics is not None:
            self._diagnostics.close()
            self._diagnostics = None

    def _exchange(self, request: dict[str, Any], program: bytes) -> tuple[dict[str, Any], bytes]:
        """Send one request and wait for the answer; a dead worker is an answer, too."""
        process = self._process
        if process is None or process.poll() is not None:
            self._stop()
            process = self._start()
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(self.time_limit, expire)
        timer.daemon = True
        timer.start()
        assert process.stdin is not None and process.stdout is not None
        finished = False
        try:
            write_frame(process.stdin, request, program)
            answer = read_frame(process.stdout)
            finished = True
            return answer
        except (EOFError, BrokenPipeError):
            code = process.wait()
            diagnostics = f"{self._read_diagnostics()}The compiler ended with status {code}.\n"
            end = "expired" if expired.is_set() else "crashed"
            return {"ok": False, "end": end, "diagnostics": diagnostics}, b""
        finally:
            timer.cancel()
            if not finished:
                # Also after KeyboardInterrupt: the answer would be taken for that to the next one.
                self._stop()

    def _read_diagnostics(self) -> str:
        assert self._diagnostics is not None
        self._diagnostics.seek(0)
        return self._diagnostics.read().decode(errors="replace")

    def _forget(self) -> None:
        """In a forked child: let go of the parent's worker without disturbing it."""
        self._lock = threading.Lock()
        process, self._process = self._process, None
        self._diagnostics = None
        if process is not None:
            process.returncode = 0  # not our child: keeps Popen from waiting for it
            close_pipes(process)


_compilers: weakref.WeakSet[Compiler] = weakref.WeakSet()


@atexit.register
def stop_compilers() -> None:
    """End all worker processes."""
    for compiler in list(_compilers):
        compiler.stop()


def forget_compilers() -> None:
    """Make a forked child start workers of its own."""
    for compiler in list(_compilers):
        compiler._forget()


if os.name == "posix":
    os.register_at_fork(after_in_child=forget_compilers)


def close_pipes(process: subprocess.Popen) -> None:
    """Close this process's ends of the pipes to a worker."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def compile_program(
    program: str,
    target: Target,
    compiler: Compiler,
    cache: CompilationCache,
    extra_flags: tuple[str, ...] = (),
) -> bytes:
    """Return the compiled module for `program` on `target`, from the cache if it is there.

    After a failure the target's flag variants are tried in order, each on top of those before it
    and only if it is meant for the failure at hand. If none helps, the first failure is raised.
    """
    flags = target.flags + extra_flags
    key = cache_key(program, flags) if cache.enabled else ""
    module = cache.load(key) if key else None
    if module is None:
        module = compile_with_variants(program, flags, target.variants, compiler)
        if key:
            cache.store(key, module)
    return module


def compile_with_variants(
    program: str, flags: tuple[str, ...], variants: tuple[FlagVariant, ...], compiler: Compiler
) -> bytes:
    """Compile with `flags`, and where that fails with the variants meant for the failure."""
    try:
        return compiler.compile(program, flags)
    except CompilationError as error:
        first = latest = error
    for variant in variants:
        crashed = isinstance(latest, CompilerCrash)
        if variant.on_crash if crashed else variant.cures(latest.diagnostics):
            flags = variant.apply(flags)
            try:
                return compiler.compile(program, flags)
            except CompilationError as error:
                latest = error
    raise first


def diagnostics_summary(diagnostics: str) -> str:
    """The first lines of the diagnostics, shortened, with the error lines in front."""
    lines = [line for line in diagnostics.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line]
    chosen = errors[:DIAGNOSTIC_LINES] if errors else lines[:DIAGNOSTIC_LINES]
    return "\n".join(line if len(line) <= 400 else line[:400] + " …" for line in chosen)


def save_program(program: str, diagnostics: str) -> Path | None:
    """Write a failed program and what IREE said about it; return the program's path.

    The name is a digest of the program, so that failing again does not write another file.
    Returns None if the directory for temporary files cannot be written.
    """
    digest = hashlib.sha256(program.encode()).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / "minijax-failed-programs"
    path = directory / f"{digest}.mlir"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(program)
        path.with_suffix(".log").write_text(diagnostics)
    except OSError:
        return None
    return path
