"""Are the MNIST files read correctly, and is everything that is wrong with one reported?"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

import mnist_data
import mnist_subset
from mnist_data import DataError

IMAGES = "train-images-idx3-ubyte.gz"
LABELS = "train-labels-idx1-ubyte.gz"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The four files with a few made-up images."""
    generator = np.random.RandomState(0)
    for prefix, count in (("train", 5), ("t10k", 3)):
        images = generator.randint(0, 256, (count, 28, 28)).astype(np.uint8)
        labels = generator.randint(0, 10, count).astype(np.uint8)
        mnist_data.write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", images)
        mnist_data.write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", labels)
    return tmp_path


def rewrite(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    mnist_data.write_idx(tmp_path / "file.gz", images)
    np.testing.assert_array_equal(mnist_data.read_idx(tmp_path / "file.gz", rank=3), images)


def test_header_is_big_endian(tmp_path: Path) -> None:
    mnist_data.write_idx(tmp_path / "file.gz", np.zeros((2, 3, 4), np.uint8))
    content = gzip.decompress((tmp_path / "file.gz").read_bytes())
    assert content[:16] == bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4])


def test_splits_are_flat_and_one_hot(directory: Path) -> None:
    data = mnist_data.load(directory)
    assert data.train.images.shape == (5, 784) and data.test.images.shape == (3, 784)
    assert data.train.images.dtype == np.float32 and data.train.images.max() > 200
    assert data.train.targets.dtype == np.float32
    np.testing.assert_array_equal(data.train.targets.sum(axis=1), np.ones(5))
    np.testing.assert_array_equal(data.train.targets.argmax(axis=1), data.train.labels)


def test_missing_file(directory: Path) -> None:
    (directory / LABELS).unlink()
    with pytest.raises(DataError, match=f"{LABELS} does not exist; --data DIR"):
        mnist_data.load(directory)


def test_not_gzip(directory: Path) -> None:
    (directory / IMAGES).write_bytes(b"no gzip file")
    with pytest.raises(DataError, match="cannot be read as a gzip file"):
        mnist_data.load(directory)


def test_truncated_gzip(directory: Path) -> None:
    content = (directory / IMAGES).read_bytes()
    (directory / IMAGES).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cannot be read as a gzip file"):
        mnist_data.load(directory)


def test_labels_in_place_of_images(directory: Path) -> None:
    (directory / IMAGES).write_bytes((directory / LABELS).read_bytes())
    with pytest.raises(DataError, match="starts with 0x00000801, not 0x00000803"):
        mnist_data.load(directory)


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\x03", b"\0\0\x08\x03\0\0\0\x01"])
def test_header_cut_short(directory: Path, content: bytes) -> None:
    rewrite(directory / IMAGES, content)
    with pytest.raises(DataError, match="is not an IDX file of 3-dimensional bytes"):
        mnist_data.load(directory)


def test_pixels_missing(directory: Path) -> None:
    rewrite(directory / IMAGES, gzip.decompress((directory / IMAGES).read_bytes())[:-1])
    with pytest.raises(DataError, match="should hold 3,920 bytes .* but holds 3,919"):
        mnist_data.load(directory)


def test_more_labels_than_images(directory: Path) -> None:
    mnist_data.write_idx(directory / LABELS, np.zeros(6, np.uint8))
    with pytest.raises(DataError, match="has 5 images, but .* 6 labels"):
        mnist_data.load(directory)


def test_wrong_image_size(directory: Path) -> None:
    mnist_data.write_idx(directory / IMAGES, np.zeros((5, 32, 32), np.uint8))
    with pytest.raises(DataError, match="images are 32x32"):
        mnist_data.load(directory)


def test_no_images(directory: Path) -> None:
    mnist_data.write_idx(directory / IMAGES, np.zeros((0, 28, 28), np.uint8))
    mnist_data.write_idx(directory / LABELS, np.zeros(0, np.uint8))
    with pytest.raises(DataError, match="holds no images"):
        mnist_data.load(directory)


def test_label_that_is_no_digit(directory: Path) -> None:
    mnist_data.write_idx(directory / LABELS, np.array([0, 1, 2, 3, 10], np.uint8))
    with pytest.raises(DataError, match="label 10 is not a digit"):
        mnist_data.load(directory)


def test_only_bytes_are_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not float64"):
        mnist_data.write_idx(tmp_path / "file.gz", np.zeros(3))


def test_which_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MNIST_DATA", raising=False)
    assert mnist_data.find(None) == mnist_data.SHIPPED
    monkeypatch.setenv("MNIST_DATA", str(tmp_path / "from_environment"))
    assert mnist_data.find(None) == tmp_path / "from_environment"
    assert mnist_data.find(str(tmp_path / "named")) == tmp_path / "named"


@pytest.fixture
def mirrors(directory: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A mirror that is not there, one that serves a damaged file, and a sound one."""
    damaged = directory / "damaged"
    damaged.mkdir()
    checksums = {}
    for path in directory.glob("*.gz"):
        rewrite(damaged / path.name, b"something else")
        content = gzip.decompress(path.read_bytes())
        name = path.name.removesuffix(mnist_data.SUFFIX)
        checksums[name] = hashlib.sha256(content).hexdigest()
    places = [f"{place.as_uri()}/" for place in (directory / "nowhere", damaged, directory)]
    monkeypatch.setattr(mnist_data, "MIRRORS", places)
    monkeypatch.setattr(mnist_data, "CHECKSUMS", checksums)
    return places


def test_download_tries_every_mirror(
    directory: Path, mirrors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist_data, "DOWNLOADED", directory / "new" / "place")
    monkeypatch.delenv("MNIST_DATA", raising=False)
    place = mnist_data.find(None, download=True)
    assert place == directory / "new" / "place"
    np.testing.assert_array_equal(
        mnist_data.load(place).train.images, mnist_data.load(directory).train.images
    )


def test_download_keeps_what_is_there(directory: Path, mirrors: list[str]) -> None:
    before = (directory / IMAGES).stat().st_mtime_ns
    assert mnist_data.find(str(directory), download=True) == directory
    assert (directory / IMAGES).stat().st_mtime_ns == before


def test_failed_download_says_why(
    directory: Path, mirrors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist_data, "MIRRORS", mirrors[:2])
    with pytest.raises(DataError, match="could not be downloaded") as caught:
        mnist_data.find(str(directory / "new"), download=True)
    message = str(caught.value)
    assert mirrors[0] in message and "No such file" in message
    assert mirrors[1] in message and "not the right one" in message
    assert list((directory / "new").iterdir()) == []


def test_shipped_images() -> None:
    data = mnist_data.load(mnist_data.SHIPPED)
    assert len(data.train.images) == mnist_subset.TRAIN_COUNT
    assert len(data.test.images) == mnist_subset.TEST_COUNT
    assert sum(path.stat().st_size for path in mnist_data.SHIPPED.glob("*.gz")) < 1_500_000
    for split in data:
        counts = np.bincount(split.labels, minlength=10)
        assert counts.min() > 0.07 * len(split.labels)


def test_shipped_images_do_not_overlap() -> None:
    train, test = mnist_subset.split_indices()
    assert set(train).isdisjoint(test)
    data = mnist_data.load(mnist_data.SHIPPED)
    trained_on = {image.tobytes() for image in data.train.images}
    assert not any(image.tobytes() in trained_on for image in data.test.images)


def test_subset_is_chosen_from_the_test_files(tmp_path: Path) -> None:
    source, target = tmp_path / "full", tmp_path / "small"
    source.mkdir()
    target.mkdir()
    numbers = np.arange(10_000)
    images = np.zeros((10_000, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = numbers % 256, numbers // 256
    mnist_data.write_idx(source / "t10k-images-idx3-ubyte.gz", images)
    mnist_data.write_idx(source / "t10k-labels-idx1-ubyte.gz", (numbers % 10).astype(np.uint8))
    mnist_subset.write_subset(source, target)
    data = mnist_data.load(target)
    for split, chosen in zip(data, mnist_subset.split_indices(), strict=True):
        np.testing.assert_array_equal(split.images[:, 0] + 256 * split.images[:, 1], chosen)
        np.testing.assert_array_equal(split.labels, chosen % 10)
