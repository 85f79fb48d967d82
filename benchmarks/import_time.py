"""How long does ``import minijax`` take, next to ``import jax``?

Each import is a fresh interpreter, the two in turns; what an interpreter takes that imports nothing
but NumPy is shown beside them::

    python benchmarks/import_time.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from measure import EXPLANATION, in_turns, ratio_line


def import_in_fresh_interpreter(module: str):
    """A call that starts an interpreter, imports ``module`` and waits for the end."""
    return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="The time of importing minijax and JAX.")
    parser.add_argument("--rounds", type=int, default=10, help="imports of each")
    options = parser.parse_args()
    imports = {name: import_in_fresh_interpreter(name) for name in ("minijax", "jax", "numpy")}
    times = in_turns(imports, options.rounds, calls=1)
    print(ratio_line("import", times["minijax"], times["jax"], "ms", limit=1.0))
    print(f"{'(numpy alone)':<28} {'':8}{times['numpy'].minimum * 1e3:8.2f} ms")
    print(EXPLANATION)


if __name__ == "__main__":
    main()
