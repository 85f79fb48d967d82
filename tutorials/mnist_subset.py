"""How were the images in ``tutorials/data`` chosen?

    python tutorials/mnist_subset.py DIR      write them again, from the full MNIST set in DIR

The 10,000 images of MNIST's *test* files are put in a fixed random order; the first 5,000 become
the training images of the small set, the 1,000 after them its test images.  The order is random
because the first half of the test files was written by other people than the second, and more
neatly.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import mnist_data

TRAIN_COUNT = 5_000
TEST_COUNT = 1_000


def split_indices() -> tuple[np.ndarray, np.ndarray]:
    """Which of the 10,000 test images go to the small training set, and which to its test set."""
    order = np.random.RandomState(0).permutation(10_000)
    return order[:TRAIN_COUNT], order[TRAIN_COUNT : TRAIN_COUNT + TEST_COUNT]


def write_subset(source: Path, target: Path) -> None:
    """Choose from the full set in ``source``, and write the four files of the small set."""
    images = mnist_data.read_idx(source / "t10k-images-idx3-ubyte.gz", rank=3)
    labels = mnist_data.read_idx(source / "t10k-labels-idx1-ubyte.gz", rank=1)
    for prefix, chosen in zip(("train", "t10k"), split_indices(), strict=True):
        mnist_data.write_idx(target / f"{prefix}-images-idx3-ubyte.gz", images[chosen])
        mnist_data.write_idx(target / f"{prefix}-labels-idx1-ubyte.gz", labels[chosen])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_subset(Path(sys.argv[1]), mnist_data.SHIPPED)
