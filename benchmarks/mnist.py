"""Does the tutorial train as fast as under JAX, and does it compute the same?

The tutorial itself is what runs, loaded twice, once under each library.  Both start from the same
parameters and see the same batches, and take turns, an epoch each::

    python benchmarks/mnist.py [--data DIR] [--epochs 3]

The data is the full MNIST set in DIR or $MNIST_DATA, or else the small set that is shipped.
The losses of the first steps are compared one by one: the first 10 must agree to 1e-5 of their
value, the first 50 to 1e-3.  The exit status is 1 if they do not.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from measure import EXPLANATION, order_of_turns, ratio_line, summarize

TUTORIALS = Path(__file__).resolve().parent.parent / "tutorials"
BATCH_SIZE = 128
LEARNING_RATE = 1e-4
SEED = 0
TOLERANCES = ((10, 1e-5), (50, 1e-3))
"""(how many first steps, relative difference allowed)"""
LIMIT = 1.3
"""How many times JAX's seconds an epoch may take."""


def load_tutorial(*arguments: str) -> ModuleType:
    """``tutorials/mnist.py`` as a module of its own, as if run with these arguments."""
    name = "_".join(("tutorial", *(argument.strip("-") for argument in arguments)))
    spec = importlib.util.spec_from_file_location(name, TUTORIALS / "mnist.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no {TUTORIALS / 'mnist.py'}")
    module = importlib.util.module_from_spec(spec)
    arguments_before, path_before = sys.argv, sys.path
    sys.argv, sys.path = ["mnist.py", *arguments], [str(TUTORIALS), *sys.path]
    try:
        spec.loader.exec_module(module)
    finally:
        sys.argv, sys.path = arguments_before, path_before
    return module


class Contender:
    """The tutorial under one library, with the parameters it has reached."""

    def __init__(self, tutorial: ModuleType, data) -> None:
        self.tutorial, self.data = tutorial, data
        tutorial.jax.config.update("jax_threefry_partitionable", False)
        self.parameters = tutorial.initial_parameters(tutorial.jax.random.PRNGKey(SEED))
        self.shuffle = np.random.RandomState(SEED)
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def compile(self) -> None:
        """Take one step and forget it, so that no epoch has the compilation in it."""
        train = self.data.train
        self.tutorial.step(
            self.parameters, train.images[:BATCH_SIZE], train.targets[:BATCH_SIZE], LEARNING_RATE
        )

    def run_epoch(self) -> None:
        """Train for one epoch, keeping its losses and seconds."""
        self.parameters, losses, seconds = self.tutorial.train_epoch(
            self.parameters, self.data.train, self.shuffle, BATCH_SIZE, LEARNING_RATE
        )
        self.losses += losses
        self.seconds.append(seconds)

    def accuracy(self) -> float:
        """The fraction of test images read correctly."""
        return self.tutorial.accuracy(self.parameters, self.data.test)


def losses_agree(ours: list[float], theirs: list[float]) -> bool:
    """Print the largest relative difference of the first losses; is it within the tolerances?"""
    agree = True
    for count, tolerance in TOLERANCES:
        first_ours, first_theirs = np.array(ours[:count]), np.array(theirs[:count])
        worst = float(np.max(np.abs(first_ours - first_theirs) / np.abs(first_theirs)))
        verdict = "kept" if worst <= tolerance else "MISSED"
        agree &= worst <= tolerance
        print(
            f"first {len(first_ours)} losses: largest relative difference {worst:.1e}  "
            f"limit {tolerance:g} {verdict}"
        )
    return agree


def main() -> int:
    """Train under both libraries in turns and print how they compare."""
    parser = argparse.ArgumentParser(description="The MNIST tutorial under minijax and under JAX.")
    parser.add_argument("--data", metavar="DIR", help="directory with MNIST ($MNIST_DATA)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of each library")
    options = parser.parse_args()

    tutorials = {"minijax": load_tutorial(), "jax": load_tutorial("--jax")}
    reader = tutorials["minijax"].mnist_data
    data = reader.load(reader.find(options.data))
    contenders = {name: Contender(tutorial, data) for name, tutorial in tutorials.items()}
    for contender in contenders.values():
        contender.compile()
    for number in range(options.epochs):
        for name in order_of_turns(contenders, number):
            contenders[name].run_epoch()
        print(
            f"epoch {number}  "
            + "  ".join(
                f"{name}: {contender.seconds[-1]:.2f} s, test accuracy {contender.accuracy():.4f}"
                for name, contender in contenders.items()
            )
        )

    ours, theirs = contenders["minijax"], contenders["jax"]
    print(ratio_line("epoch", summarize(ours.seconds), summarize(theirs.seconds), "s", limit=LIMIT))
    print(EXPLANATION)
    return 0 if losses_agree(ours.losses, theirs.losses) else 1


if __name__ == "__main__":
    sys.exit(main())
