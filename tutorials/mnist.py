"""Teach a neural network to read handwritten digits.

This is the first program to read and the first to run.  Five ideas carry all of it, and each has
its own few lines below:

``random``   numbers come from an explicit key, so the same key always gives the same network;
``vmap``     the model is written for *one* image, and mapped over a batch;
``grad``     the derivative of a function is again a function;
``jit``      a function is traced once, compiled, and from then on runs as one program;
pytrees      parameters are plain tuples of arrays; every transformation takes them as they are.

Run it::

    python tutorials/mnist.py                train on the images shipped in tutorials/data
    python tutorials/mnist.py --data DIR     train on the full set found in DIR (or $MNIST_DATA)
    python tutorials/mnist.py --download     fetch the full set first
    python tutorials/mnist.py --jax          the same program, run by JAX

The shipped images are real ones: 5,000 for training and 1,000 for testing, drawn without overlap
from the 10,000 of MNIST's test files (``tutorials/data/README.md`` says how).  The full set has
60,000 and 10,000; with it the network reads nearly 97 % of the test images correctly after one pass
over the training images, and 98 % after eight.

``mnist_data.py`` reads the files, ``mnist_show.py`` draws the progress bar and the picture.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import mnist_data
import mnist_show

# Both libraries answer to the same names; nothing below this line knows which of them it is using.
if TYPE_CHECKING or "--jax" not in sys.argv[1:]:
    import minijax as jax
    import minijax.numpy as jnp
else:
    import jax
    import jax.numpy as jnp

LAYER_SIZES = (784, 512, 512, 10)
"""Pixels of an image, two hidden layers, and one output for each digit."""

Parameters = tuple[tuple[jax.Array, jax.Array], ...]
"""A (weight, bias) pair for each layer: a pytree, like any nest of tuples, lists and dicts."""


# The model ---------------------------------------------------------------------------------------


def initial_layer(key: jax.Array, inputs: int, outputs: int) -> tuple[jax.Array, jax.Array]:
    """Small random numbers for one layer: a weight (inputs, outputs) and a bias (outputs,)."""
    weight_key, bias_key = jax.random.split(key)
    weight = 1e-2 * jax.random.normal(weight_key, (inputs, outputs))
    bias = 1e-2 * jax.random.normal(bias_key, (outputs,))
    return weight, bias


def initial_parameters(key: jax.Array, sizes: tuple[int, ...] = LAYER_SIZES) -> Parameters:
    """Small random numbers for the whole network, each layer drawn from a key of its own."""
    keys = jax.random.split(key, len(sizes) - 1)
    layers = zip(keys, sizes[:-1], sizes[1:], strict=True)
    return tuple(initial_layer(key, inputs, outputs) for key, inputs, outputs in layers)


def log_probabilities(parameters: Parameters, image: jax.Array) -> jax.Array:
    """What the network thinks of *one* image (784,): ten log-probabilities, one for each digit."""
    *hidden, (last_weight, last_bias) = parameters
    activation = image
    for weight, bias in hidden:
        activation = jnp.maximum(activation @ weight + bias, 0.0)
    logits = activation @ last_weight + last_bias
    return logits - jax.nn.logsumexp(logits)


def image_loss(parameters: Parameters, image: jax.Array, target: jax.Array) -> jax.Array:
    """How surprised the network is by the right answer, given as ten numbers: a 1 among zeros."""
    return -jnp.sum(log_probabilities(parameters, image) * target)


def loss(parameters: Parameters, images: jax.Array, targets: jax.Array) -> jax.Array:
    """The surprise summed over a batch: images (batch, 784), targets (batch, 10)."""
    batch_loss = jax.vmap(image_loss, in_axes=(None, 0, 0))
    return jnp.sum(batch_loss(parameters, images, targets))


@jax.jit
def step(
    parameters: Parameters, images: jax.Array, targets: jax.Array, learning_rate: float
) -> tuple[Parameters, jax.Array]:
    """Move every parameter a little way downhill; return them with the loss before the move."""
    value, gradient = jax.value_and_grad(loss)(parameters, images, targets)
    moved = jax.tree.map(lambda p, g: p - learning_rate * g, parameters, gradient)
    return moved, value


@jax.jit
def predict(parameters: Parameters, images: jax.Array) -> jax.Array:
    """The most probable digit for each of the images (count, 784)."""
    return jnp.argmax(jax.vmap(log_probabilities, in_axes=(None, 0))(parameters, images), axis=1)


# Training ----------------------------------------------------------------------------------------


class Epoch(NamedTuple):
    """One row of the table: what one pass over the training images took and brought."""

    seconds: float
    train_accuracy: float
    test_accuracy: float


def accuracy(parameters: Parameters, split: mnist_data.Split) -> float:
    """The fraction of images that the network reads correctly."""
    return float(np.mean(np.asarray(predict(parameters, split.images)) == split.labels))


def batches(
    split: mnist_data.Split, size: int, shuffle: np.random.RandomState
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All images once, in random order, as batches of one size.

    What is left over at the end is dropped: a shorter batch would be another program to compile.
    """
    order = shuffle.permutation(len(split.images))
    for start in range(0, len(order) - size + 1, size):
        chosen = order[start : start + size]
        yield split.images[chosen], split.targets[chosen]


def train_epoch(
    parameters: Parameters,
    split: mnist_data.Split,
    shuffle: np.random.RandomState,
    batch_size: int,
    learning_rate: float,
    title: str = "",
) -> tuple[Parameters, list[float], float]:
    """One pass over the training images: the new parameters, the loss of each step, the seconds."""
    bar = mnist_show.ProgressBar(title, len(split.images) // batch_size, batch_size)
    losses: list[jax.Array] = []
    start = time.perf_counter()
    for images, targets in batches(split, batch_size, shuffle):
        parameters, value = step(parameters, images, targets, learning_rate)
        losses.append(value)
        bar.advance(value)
    jax.block_until_ready(parameters)
    seconds = time.perf_counter() - start
    bar.close()
    return parameters, [float(value) for value in losses], seconds


def train(
    parameters: Parameters, data: mnist_data.Dataset, options: argparse.Namespace
) -> tuple[Parameters, list[Epoch], list[float]]:
    """Train, printing a row for each epoch; return the rows and the loss of every step."""
    shuffle = np.random.RandomState(options.seed)
    epochs: list[Epoch] = []
    losses: list[float] = []
    print("epoch   seconds   training   test accuracy")
    for number in range(options.epochs):
        parameters, epoch_losses, seconds = train_epoch(
            parameters,
            data.train,
            shuffle,
            options.batch_size,
            options.learning_rate,
            title=f"epoch {number}",
        )
        row = Epoch(seconds, accuracy(parameters, data.train), accuracy(parameters, data.test))
        print(f"{number:5d} {seconds:9.2f} {row.train_accuracy:10.4f} {row.test_accuracy:15.4f}")
        epochs.append(row)
        losses.extend(epoch_losses)
    return parameters, epochs, losses


# The command line --------------------------------------------------------------------------------


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="Train a neural network on handwritten digits.")
    add = parser.add_argument
    add("--data", metavar="DIR", help="directory with the four MNIST files ($MNIST_DATA)")
    add("--download", action="store_true", help="fetch the full set where it is missing")
    add("--epochs", type=positive_int, default=8, help="passes over the data (default %(default)s)")
    add("--batch-size", type=positive_int, default=128, help="images a step (default %(default)s)")
    add("--learning-rate", type=float, default=1e-4, help="step size (default %(default)s)")
    add("--seed", type=int, default=0, help="of the parameters and the order (default %(default)s)")
    add("--jax", action="store_true", help="run the same program under JAX")
    add(
        "--threefry-partitionable",
        action=argparse.BooleanOptionalAction,
        help="how random bits are counted out (default: what the library does)",
    )
    add("--losses", type=Path, metavar="FILE", help="write the loss of every step here, as JSON")
    add(
        "--picture",
        type=Path,
        metavar="FILE",
        default=Path("mnist.png"),
        help="learning curve and digits, if matplotlib is installed (default %(default)s)",
    )
    return parser.parse_args(arguments)


def positive_int(text: str) -> int:
    """A count given on the command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def main() -> int:
    """Load the images, train, and report."""
    options = parse_arguments()
    if options.threefry_partitionable is not None:
        jax.config.update("jax_threefry_partitionable", options.threefry_partitionable)
    try:
        directory = mnist_data.find(options.data, options.download)
        data = mnist_data.load(directory)
    except mnist_data.DataError as error:
        print(f"mnist.py: {error}", file=sys.stderr)
        return 1
    if len(data.train.images) < options.batch_size:
        print(
            f"mnist.py: --batch-size {options.batch_size} is more than the "
            f"{len(data.train.images)} training images",
            file=sys.stderr,
        )
        return 1
    print(
        f"{jax.__name__} {jax.__version__} on {jax.devices()[0]}: {len(data.train.images):,} "
        f"training and {len(data.test.images):,} test images from {directory}"
    )

    parameters = initial_parameters(jax.random.PRNGKey(options.seed))
    parameters, epochs, losses = train(parameters, data, options)

    if options.losses is not None:
        rows = [row._asdict() for row in epochs]
        report = {"library": jax.__name__, "epochs": rows, "losses": losses}
        options.losses.write_text(json.dumps(report))
    shown = data.test.images[: mnist_show.DIGITS_SHOWN]
    if mnist_show.save_picture(
        options.picture,
        losses=[value / options.batch_size for value in losses],
        accuracies=[row.test_accuracy for row in epochs],
        images=shown,
        labels=data.test.labels[: mnist_show.DIGITS_SHOWN],
        predictions=np.asarray(predict(parameters, shown)),
    ):
        print(f"picture: {options.picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
