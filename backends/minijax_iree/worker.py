"""Where does the IREE compiler run? Here: in a process of its own, started by `compiler.py`.

A fault of the compiler can end its whole process (IREE 3.13 segfaults on some valid programs), and
loading it costs a 335 MB library. Neither may happen to the user's Python process. So this file is
a program, not a module of the package: it is started as ``python worker.py``, imports nothing but
the standard library, `frames.py` beside it and `iree.compiler`, and answers compile requests until
its standard input ends, which is also how it dies together with its parent.

Requests and answers are frames (`frames.py`). A request's header is ``{"flags": [...], "verify":
bool}`` and its body is the program. An answer's header is ``{"ok": bool, "diagnostics": str,
"seconds": float}`` and its body is the compiled module. IREE prints its diagnostics to file
descriptor 2, which the parent has made a file; the worker empties that file before every request
and reads it afterwards.
"""

from __future__ import annotations

import ctypes
import os
import queue
import sys
import threading
import time
from typing import Any

# Not a relative import: this file is a program, and its directory is on the search path.
from frames import Pipe, read_frame, write_frame  # pyright: ignore
from iree.compiler.api import Output, Session, Source, ctypes_dl


def bind_set_verify_ir() -> Any:
    """Return IREE's C function that switches verification of the IR between passes.

    The Python binding does not wrap it. Verification takes 5 to 20 % of the compile time.
    """
    function = ctypes_dl._dylib.ireeCompilerInvocationSetVerifyIR
    function.argtypes = [ctypes.c_void_p, ctypes.c_bool]
    function.restype = None
    return function


def compile_program(program: bytes, flags: list[str], set_verify_ir: Any, verify: bool) -> bytes:
    """Compile one StableHLO program; raise ValueError when IREE refuses it or its flags."""
    with Session() as session:
        session.set_flags(*flags)
        with session.invocation() as invocation:
            invocation.enable_console_diagnostics()
            set_verify_ir(invocation._inv_p, verify)
            # A terminating zero lets the parser use the buffer in place.
            source = Source.wrap_buffer(session, program + b"\0", buffer_name="program")
            if not invocation.parse_source(source):
                raise ValueError("the program could not be parsed")
            if not invocation.execute():
                raise ValueError("the program could not be compiled")
            output = Output.open_membuffer()
            invocation.output_vm_bytecode(output)
            return bytes(output.map_memory())


def diagnostics_reset() -> None:
    """Empty the file behind descriptor 2 (a no-op where it is not a regular file)."""
    try:
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)
    except OSError:
        pass


def diagnostics_read() -> str:
    """Return what was printed to descriptor 2 since `diagnostics_reset`."""
    sys.stderr.flush()
    try:
        size = os.lseek(2, 0, os.SEEK_END)
        return os.pread(2, size, 0).decode(errors="replace")
    except OSError:
        return ""


def answer(header: dict[str, Any], program: bytes, set_verify_ir: Any) -> tuple[dict, bytes]:
    """Carry out one request and return the answer's header and body."""
    diagnostics_reset()
    start = time.perf_counter()
    try:
        compiled = compile_program(program, header["flags"], set_verify_ir, header["verify"])
        reason = ""
    except ValueError as error:
        compiled, reason = b"", f"{error}\n"
    seconds = time.perf_counter() - start
    diagnostics = diagnostics_read()
    return {"ok": not reason, "diagnostics": reason + diagnostics, "seconds": seconds}, compiled


def read_requests(stream: Pipe, requests: queue.SimpleQueue) -> None:
    """Move requests from `stream` into the queue; end the process when the stream ends.

    This runs in a thread of its own, so that a worker whose parent has died stops at once and not
    only after the compilation it is busy with.
    """
    try:
        while True:
            requests.put(read_frame(stream))
    except EOFError:
        os._exit(0)


def main() -> None:
    """Answer requests until standard input ends."""
    # Whatever a library prints to standard output must not end up between two frames.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    set_verify_ir = bind_set_verify_ir()
    requests: queue.SimpleQueue = queue.SimpleQueue()
    reader = threading.Thread(
        target=read_requests, args=(os.fdopen(0, "rb", buffering=0), requests), daemon=True
    )
    reader.start()
    while True:
        header, program = requests.get()
        try:
            write_frame(answers, *answer(header, program, set_verify_ir))
        except BrokenPipeError:
            os._exit(0)


if __name__ == "__main__":
    main()
