"""What does it cost to call a compiled function that has next to nothing to do?

The work of such a call is all bookkeeping: flatten the arguments, find the program, wrap the
results.  minijax and JAX take turns in one process::

    python benchmarks/dispatch.py [--rounds 200] [--calls 100] [--core 1]
"""

from __future__ import annotations

import argparse
import os
from types import ModuleType

import jax
import numpy as np
from measure import EXPLANATION, in_turns, ratio_line

import minijax

LEAVES = 10


def one_small_array(library: ModuleType):
    """A jitted call on one array of four numbers."""
    add_one = library.jit(lambda x: x + 1.0)
    x = library.numpy.asarray(np.arange(4, dtype=np.float32))
    return lambda: library.block_until_ready(add_one(x))


def dict_of_arrays(library: ModuleType):
    """A jitted call on a dictionary of ten such arrays, giving one like it."""
    add_one = library.jit(lambda tree: {name: x + 1.0 for name, x in tree.items()})
    leaf = np.arange(4, dtype=np.float32)
    tree = {f"leaf{i}": library.numpy.asarray(leaf + i) for i in range(LEAVES)}
    return lambda: library.block_until_ready(add_one(tree))


CASES = (
    ("one small array", one_small_array, 3.0),
    (f"dict of {LEAVES} small arrays", dict_of_arrays, 4.0),
)
"""(title, how to make the call, how many times JAX's time it may take)"""


def main() -> None:
    """Measure every case and print a row for each."""
    parser = argparse.ArgumentParser(description="The cost of calling a small compiled function.")
    parser.add_argument("--rounds", type=int, default=200, help="slices of each library")
    parser.add_argument("--calls", type=int, default=100, help="calls in a slice")
    parser.add_argument("--core", type=int, help="keep the process on this core (Linux)")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    for title, make_call, limit in CASES:
        calls = {library.__name__: make_call(library) for library in (minijax, jax)}
        times = in_turns(calls, options.rounds, options.calls)
        print(ratio_line(title, times["minijax"], times["jax"], "us", limit))
    print(EXPLANATION)


if __name__ == "__main__":
    main()
