"""Does ``import minijax`` stay light?

A benchmark measures seconds (``benchmarks/import_time.py``); here is what those seconds depend on
and a test can decide: which modules are loaded.  The IREE compiler is a large library, and it
belongs in the compiler's own process only.
"""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("iree.compiler", "jax", "jaxlib", "matplotlib", "torch")


def loaded_modules(program: str) -> set[str]:
    """The names of all modules loaded by a fresh interpreter at the end of ``program``."""
    report = "\nimport sys\nprint('\\n'.join(sys.modules))"
    finished = subprocess.run(
        [sys.executable, "-c", program + report], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return set(finished.stdout.split())


def heavy_modules(program: str) -> list[str]:
    """Those of them that belong to a heavy library."""
    return sorted(
        name
        for name in loaded_modules(program)
        if any(name == heavy or name.startswith(f"{heavy}.") for heavy in HEAVY)
    )


def test_a_heavy_module_would_be_seen() -> None:
    assert "iree.compiler" in heavy_modules("import iree.compiler")


def test_import_loads_nothing_heavy() -> None:
    assert heavy_modules("import minijax") == []


def test_eager_operations_load_nothing_heavy() -> None:
    assert heavy_modules("import minijax.numpy as jnp; jnp.arange(3.0) + 1") == []


def test_compiling_loads_no_compiler_here() -> None:
    program = (
        "import minijax, numpy\n"
        "result = minijax.jit(lambda x: x + 1.0)(numpy.ones(3, numpy.float32))\n"
        "assert numpy.asarray(result).tolist() == [2.0, 2.0, 2.0]\n"
    )
    assert heavy_modules(program) == []
