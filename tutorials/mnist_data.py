"""Where do the digits come from?  Finding, fetching and reading the files of MNIST.

MNIST is four files in the IDX format (http://yann.lecun.com/exdb/mnist): a header of big-endian
32-bit integers, a magic number that names the element type and the rank, then one for each length;
after it come the bytes themselves.  ``load`` checks all of it, so a file that is cut short, damaged
or misnamed gives an error that says so, and never a network trained on noise.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import urllib.request
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

SHIPPED = Path(__file__).resolve().parent / "data"
"""A small part of MNIST, in the repository."""

DOWNLOADED = Path("~/.cache/minijax/mnist").expanduser()
"""Where ``--download`` puts the full set, unless ``--data`` names another place."""

SUFFIX = "-ubyte.gz"

CHECKSUMS = {
    "train-images-idx3": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""The files of the full set (less "-ubyte.gz"), with the SHA-256 of each once unpacked."""

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)

UNSIGNED_BYTE = 0x08
"""The element type in an IDX magic number, and the only one that MNIST uses."""


UNREADABLE = (OSError, EOFError, zlib.error)
"""What opening an address (URLError is an OSError) or unpacking a damaged file can raise."""


class DataError(Exception):
    """The images cannot be had; the message says which file, what is wrong and what would help."""


class Split(NamedTuple):
    """Images with their answers.

    images: (count, 784) float32, the pixels of each image row by row, 0 (paper) to 255 (ink)
    labels: (count,) integers, the digit that each image shows
    targets: (count, 10) float32, the same as "one-hot" rows: a 1 at the label, zeros elsewhere
    """

    images: np.ndarray
    labels: np.ndarray
    targets: np.ndarray


class Dataset(NamedTuple):
    """Images to learn from, and images to be tested on."""

    train: Split
    test: Split


def find(directory: str | None, download: bool = False) -> Path:
    """The directory to read: the one named, or $MNIST_DATA, or the images shipped here.

    With ``download``, the full set is fetched first into the directory named (or else a cache
    directory), unless it is already there.
    """
    named = directory or os.environ.get("MNIST_DATA")
    if download:
        target = Path(named).expanduser() if named else DOWNLOADED
        fetch(target)
        return target
    return Path(named).expanduser() if named else SHIPPED


def load(directory: Path) -> Dataset:
    """Read and check the four files in ``directory``.

    Raises
    ------
    DataError
        If a file is missing, is not what its name says, or does not fit its partner.
    """
    return Dataset(load_split(directory, "train"), load_split(directory, "t10k"))


def load_split(directory: Path, prefix: str) -> Split:
    """Read the images and labels whose file names start with ``prefix``, flattened and cast."""
    image_path = directory / f"{prefix}-images-idx3{SUFFIX}"
    label_path = directory / f"{prefix}-labels-idx1{SUFFIX}"
    images = read_idx(image_path, rank=3)
    labels = read_idx(label_path, rank=1)
    if images.shape[1:] != (28, 28):
        height, width = images.shape[1:]
        raise DataError(f"{image_path}: images are {height}x{width}, but MNIST's are 28x28")
    if len(images) != len(labels):
        raise DataError(
            f"{image_path} has {len(images)} images, but {label_path} {len(labels)} labels"
        )
    if len(labels) == 0:
        raise DataError(f"{image_path}: the file holds no images")
    if labels.max() > 9:
        raise DataError(f"{label_path}: label {labels.max()} is not a digit")
    pixels = images.reshape(len(images), -1).astype(np.float32)
    one_hot = np.eye(10, dtype=np.float32)[labels]
    return Split(pixels, labels.astype(np.int32), one_hot)


def read_idx(path: Path, rank: int) -> np.ndarray:
    """The array of unsigned bytes in a gzipped IDX file, which must have this rank."""
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist; --data DIR (or $MNIST_DATA) must name a directory with the "
            "four MNIST files, and --download fetches them"
        ) from None
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read as a gzip file: {error}") from error

    header_size = 4 + 4 * rank
    expected_magic = UNSIGNED_BYTE << 8 | rank
    magic = int.from_bytes(content[:4], "big")
    if len(content) < header_size or magic != expected_magic:
        raise DataError(
            f"{path} is not an IDX file of {rank}-dimensional bytes: it starts with 0x{magic:08x}, "
            f"not 0x{expected_magic:08x}"
        )
    shape = tuple(int(length) for length in np.frombuffer(content, ">u4", rank, offset=4))
    if len(content) != header_size + math.prod(shape):
        raise DataError(
            f"{path} should hold {math.prod(shape):,} bytes after its header, for shape {shape}, "
            f"but holds {len(content) - header_size:,}"
        )
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write an array of unsigned bytes as a gzipped IDX file: the inverse of ``read_idx``."""
    if array.dtype != np.uint8:
        raise DataError(f"{path}: only unsigned bytes can be written, not {array.dtype}")
    header = np.array([UNSIGNED_BYTE << 8 | array.ndim, *array.shape], ">u4")
    # No time stamp: the same images give the same file.
    path.write_bytes(gzip.compress(header.tobytes() + array.tobytes(), mtime=0))


def fetch(directory: Path) -> None:
    """Download the files of the full set that ``directory`` lacks, checking each.

    Raises
    ------
    DataError
        If no mirror delivers a file; the message lists what each of them answered.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, checksum in CHECKSUMS.items():
        path = directory / f"{name}{SUFFIX}"
        if not path.exists():
            # Written under another name first, so that an interruption leaves no half file behind.
            partial = path.with_suffix(".part")
            partial.write_bytes(fetch_file(path.name, checksum))
            partial.replace(path)


def fetch_file(name: str, checksum: str) -> bytes:
    """The content of one file, from the first mirror that delivers it undamaged."""
    failures = []
    for mirror in MIRRORS:
        try:
            with urllib.request.urlopen(mirror + name, timeout=30) as response:
                content = response.read()
            unpacked = gzip.decompress(content)
        except UNREADABLE as error:
            failures.append(f"{mirror}: {error}")
            continue
        if hashlib.sha256(unpacked).hexdigest() == checksum:
            return content
        failures.append(f"{mirror}: the file delivered is not the right one (its checksum differs)")
    raise DataError(
        f"{name} could not be downloaded:\n  " + "\n  ".join(failures) + "\nWithout --download the "
        "tutorial trains on the images shipped with it; --data DIR takes files fetched otherwise."
    )
