"""The compiler process: it answers, it may die, and errors say where to look."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from minijax.errors import JaxRuntimeError
from minijax_iree.cache import CompilationCache
from minijax_iree.compiler import (
    CompilationError,
    Compiler,
    CompilerCrash,
    CompilerTimeout,
    compile_program,
)
from minijax_iree.targets import CPU, FlagVariant

GOOD = """func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %x, %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
"""
UNSUPPORTED = """func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.custom_call @nobody(%x) : (tensor<4xf32>) -> tensor<4xf32> loc("train.py":42:7)
  return %0 : tensor<4xf32>
}
"""


# IREE 3.13 segfaults over a carried truth value that only the condition reads.
CRASH = """func.func public @main(%x: tensor<f32>, %p: tensor<i1>) -> (tensor<f32>, tensor<i1>) {
  %r:2 = stablehlo.while(%a = %x, %q = %p) : tensor<f32>, tensor<i1>
    cond { stablehlo.return %q : tensor<i1> }
    do {
      %b = stablehlo.add %a, %a : tensor<f32>
      %c = stablehlo.compare LT, %b, %a : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %b, %c : tensor<f32>, tensor<i1>
    }
  return %r#0, %r#1 : tensor<f32>, tensor<i1>
}
"""


@pytest.fixture(scope="module")
def compiler():
    compiler = Compiler()
    yield compiler
    compiler.stop()


@pytest.fixture
def no_cache():
    return CompilationCache(enabled=False)


def test_compile_in_another_process(compiler):
    assert compiler.compile(GOOD, CPU.flags)
    assert "iree.compiler" not in sys.modules


def test_syntax_error_names_the_line(compiler):
    with pytest.raises(JaxRuntimeError, match=r"program:2:8: error: custom op 'stablehlo.ad'"):
        compiler.compile(GOOD.replace("stablehlo.add", "stablehlo.ad"), CPU.flags)


def test_unsupported_operation_names_the_users_line(compiler):
    with pytest.raises(CompilationError, match=r"train.py:42:7: error: failed to legalize") as info:
        compiler.compile(UNSUPPORTED, CPU.flags)
    error = info.value
    assert error.flags == CPU.flags
    assert error.program_path is not None
    assert error.program_path.read_text() == UNSUPPORTED
    assert "--iree-opt-level=O2" in str(error)
    assert str(error.program_path) in str(error)


def test_wrong_flag(compiler):
    with pytest.raises(CompilationError, match="nonsense"):
        compiler.compile(GOOD, ("--nonsense",))


def test_crash_is_an_error_and_the_next_program_compiles(compiler):
    with pytest.raises(CompilerCrash, match="crashed") as info:
        compiler.compile(CRASH, CPU.flags)
    assert info.value.program_path is not None
    assert info.value.program_path.read_text() == CRASH
    assert compiler.compile(GOOD, CPU.flags)


def test_time_limit():
    compiler = Compiler(time_limit=0.01)
    with pytest.raises(CompilerTimeout, match="within 0.01 s"):
        compiler.compile(GOOD, CPU.flags)
    compiler.time_limit = 60
    assert compiler.compile(GOOD, CPU.flags)
    compiler.stop()


def test_threads_share_the_worker(compiler):
    programs = [GOOD.replace("4x", f"{size}x") for size in range(5, 9)]
    with ThreadPoolExecutor(4) as pool:
        modules = list(pool.map(lambda program: compiler.compile(program, CPU.flags), programs))
    assert len(set(modules)) == 4


def test_worker_survives_the_thread_that_started_it():
    compiler = Compiler()
    thread = threading.Thread(target=compiler.compile, args=(GOOD, CPU.flags))
    thread.start()
    thread.join()
    process = compiler._process
    assert compiler.compile(GOOD, CPU.flags)
    assert compiler._process is process
    compiler.stop()


@pytest.mark.skipif(os.name != "posix", reason="fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_child_has_its_own_worker(compiler):
    compiler.compile(GOOD, CPU.flags)
    parent_worker = compiler._process
    child = os.fork()
    if child == 0:
        ok = bool(compiler.compile(GOOD.replace("4x", "9x"), CPU.flags))
        os._exit(0 if ok and compiler._process is not parent_worker else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert compiler.compile(GOOD, CPU.flags)
    assert compiler._process is parent_worker


def test_cached_program_needs_no_compiler(tmp_path, compiler):
    cache = CompilationCache(tmp_path, enabled=True)
    module = compile_program(GOOD, CPU, compiler, cache)
    idle = Compiler()
    assert compile_program(GOOD, CPU, idle, cache) == module
    assert idle._process is None


def replace_compile(compiler, monkeypatch, behaviour):
    """Make compiler.compile record the flags it gets and do what `behaviour` says."""
    seen = []

    def compile_(program, flags):
        seen.append(flags)
        return behaviour(flags)

    monkeypatch.setattr(compiler, "compile", compile_)
    return seen


def fail(diagnostics, kind=CompilationError):
    raise kind("failed", diagnostics, (), None)


def test_variants_are_tried_where_they_help(no_cache, monkeypatch):
    compiler = Compiler()

    def behaviour(flags):
        if "--iree-opt-data-tiling" in flags:
            fail("error: operations with large vector sizes")
        return b"module"

    seen = replace_compile(compiler, monkeypatch, behaviour)
    assert compile_program(GOOD, CPU, compiler, no_cache) == b"module"
    assert len(seen) == 2


def test_hopeless_errors_are_raised_at_once(no_cache, monkeypatch):
    compiler = Compiler()
    seen = replace_compile(compiler, monkeypatch, lambda flags: fail("error: failed to legalize"))
    with pytest.raises(CompilationError, match="failed to legalize"):
        compile_program(GOOD, CPU, compiler, no_cache)
    assert len(seen) == 1


def test_variant_changes_flags():
    variant = FlagVariant("v", "x", on_crash=False, remove=("--a",), add=("--c=2",))
    assert variant.apply(("--a=1", "--b", "--c=1")) == ("--b", "--c=1", "--c=2")
