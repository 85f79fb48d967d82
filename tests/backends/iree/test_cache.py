"""The persistent cache: what is stored comes back, what is damaged does not."""

from __future__ import annotations

import os

import pytest

from minijax_iree.cache import CompilationCache, cache_key, strip_locations


@pytest.fixture
def cache(tmp_path):
    return CompilationCache(tmp_path / "modules", enabled=True)


def test_load_what_was_stored(cache):
    assert cache.load("key") is None
    cache.store("key", b"module")
    assert cache.load("key") == b"module"


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_damaged_file_is_removed(cache, damage):
    cache.store("key", b"module" * 100)
    path = cache.path("key")
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-1] ^= 1
    path.write_bytes({"truncate": content[:-7], "flip": content, "empty": b""}[damage])
    assert cache.load("key") is None
    assert not path.exists()


def test_least_recently_used_goes_first(cache):
    for age, key in enumerate("abcd"):
        cache.store(key, bytes(1000))
        os.utime(cache.path(key), (1000 + age, 1000 + age))
    cache.load("a")  # used last
    cache.size_limit = 2500
    cache.evict()
    assert [key for key in "abcd" if cache.load(key)] == ["a", "d"]


def test_switched_off(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIJAX_CACHE", "0")
    cache = CompilationCache(tmp_path)
    cache.store("key", b"module")
    assert cache.load("key") is None
    assert not list(tmp_path.iterdir())
    assert not CompilationCache(tmp_path, enabled=False).enabled


def test_unwritable_directory_is_no_error(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a directory")
    cache = CompilationCache(file / "below", enabled=True)
    cache.store("key", b"module")
    assert cache.load("key") is None


def test_directory_from_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIJAX_CACHE_DIR", str(tmp_path))
    assert CompilationCache().directory == tmp_path


def test_clear(cache):
    cache.store("key", b"module")
    cache.clear()
    assert cache.load("key") is None
    cache.store("key", b"module")
    assert cache.load("key") == b"module"


PROGRAM = """#loc = loc("a.py":1:2)
%0 = "stablehlo.sine"(%x) {name = "loc(not one)"} : (tensor<f32>) -> tensor<f32> loc("a).py":3:1)
%1 = "f"(%0) : () -> () loc(callsite("x"("a.py":1:1) at #loc))
#loc1 = loc(unknown)
"""


def test_locations_do_not_count():
    stripped = strip_locations(PROGRAM)
    assert '{name = "loc(not one)"}' in stripped
    assert stripped.count("loc") == 1
    moved = PROGRAM.replace(":3:1", ":33:1").replace("a.py", "b.py")
    assert cache_key(PROGRAM, ("-a",)) == cache_key(moved, ("-a",))


def test_everything_else_counts():
    keys = {
        cache_key(PROGRAM, ("-a", "b")),
        cache_key(PROGRAM, ("-ab",)),
        cache_key(PROGRAM.replace("sine", "cosine"), ("-a", "b")),
    }
    assert len(keys) == 3
