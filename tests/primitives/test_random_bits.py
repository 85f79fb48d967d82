"""Are the random bits those of the published cipher, and of JAX?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from minijax.core.aval import typeof
from minijax.primitives.random_bits import CHUNK, random_unwrap, random_wrap, threefry2x32

# The known-answer vectors of the Random123 library for threefry2x32 with 20 rounds:
# key words, counter words, cipher words.
ONES = 0xFFFFFFFF
KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize("key, counter, expected", KNOWN)
def test_known_answers(key: Any, counter: Any, expected: Any) -> None:
    words = [np.uint32(word) for word in (*key, *counter)]
    assert tuple(int(word) for word in threefry2x32(*words)) == expected


@pytest.mark.parametrize("shapes", [((), (), (5,), (5,)), ((2, 1), (2, 1), (1, 3), (2, 3))])
def test_bits_equal_jax(shapes: Any) -> None:
    module = pytest.importorskip("jax.extend.random")
    rng = np.random.default_rng(0)
    words = [rng.integers(0, 2**32, shape, np.uint32) for shape in shapes]
    for ours, theirs in zip(threefry2x32(*words), module.threefry2x32_p.bind(*words), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_long_arrays_are_done_in_pieces() -> None:
    counter = np.arange(2 * CHUNK + 5, dtype=np.uint32)
    keys = (counter ^ np.uint32(77), counter[::-1].copy())
    whole = threefry2x32(*keys, counter, counter)
    for i in (0, CHUNK - 1, CHUNK, 2 * CHUNK + 4):
        one = threefry2x32(keys[0][i], keys[1][i], counter[i], counter[i])
        assert [int(word[i]) for word in whole] == [int(word) for word in one]


def test_operands_must_be_words() -> None:
    word, wrong = np.zeros(3, np.uint32), np.zeros(3, np.int32)
    with pytest.raises(TypeError, match="Arguments to threefry2x32 must have uint32 type"):
        threefry2x32(word, word, word, wrong)
    with pytest.raises(TypeError, match="incompatible shapes for broadcasting"):
        threefry2x32(word[0], word[0], word, word[:2])


@pytest.mark.parametrize("shape", [(2,), (3, 2), (2, 0, 2), (1, 2, 2)])
def test_keys_keep_their_words(shape: tuple[int, ...]) -> None:
    words = np.arange(math.prod(shape), dtype=np.uint32).reshape(shape)
    keys = random_wrap(words)
    assert str(typeof(keys)) == f"key<fry>[{','.join(map(str, shape[:-1]))}]"
    np.testing.assert_array_equal(random_unwrap(keys), words)


def test_wrong_key_data() -> None:
    complaint = "JAX encountered invalid PRNG key data: expected key_data"
    for words, message in (
        (np.zeros(3, np.uint32), r"\.shape to end with \(2,\); got shape=\(3,\)"),
        (np.zeros(2, np.int32), r"\.dtype = uint32; got dtype=int32"),
        (np.uint32(1), r"\.ndim >= 1; got ndim=0"),
    ):
        with pytest.raises(TypeError, match=complaint + message):
            random_wrap(words)
    with pytest.raises(TypeError, match="must be passed keys"):
        random_unwrap(np.zeros(2, np.uint32))
