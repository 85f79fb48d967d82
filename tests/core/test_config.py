"""Are flags found where they were set last: in the thread, in the process, in the environment?"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp
from minijax.config import FLAGS, config


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = config.values
    yield
    for name, value in before.items():
        config.update(name, value)


def test_update_is_read_by_both_names() -> None:
    assert config.jax_numpy_rank_promotion == "allow"
    config.update("jax_numpy_rank_promotion", "raise")
    assert config.jax_numpy_rank_promotion == config.numpy_rank_promotion == "raise"
    assert config.read("jax_numpy_rank_promotion") == "raise"
    assert config.values["jax_numpy_rank_promotion"] == "raise"


def test_update_changes_what_is_computed() -> None:
    assert jnp.ones(1).dtype == np.float32
    config.update("jax_enable_x64", True)
    assert jnp.ones(1).dtype == np.float64


@pytest.mark.parametrize("name", ["enable_x64", "jax_nope", "jax_enable_x46", ""])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(AttributeError, match="Unrecognized config option"):
        config.update(name, True)
    with pytest.raises(AttributeError):
        config.read(name)


def test_unknown_name_is_answered_with_a_near_one() -> None:
    with pytest.raises(AttributeError, match="did you mean jax_enable_x64"):
        config.update("jax_enable_x46", True)
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = config.nothing_like_it


@pytest.mark.parametrize(
    "name, value",
    [
        ("jax_enable_x64", "maybe"),
        ("jax_numpy_rank_promotion", "sometimes"),
        ("jax_numpy_dtype_promotion", None),
        ("jax_default_matmul_precision", "best"),
        ("jax_traceback_filtering", "some"),
    ],
)
def test_bad_values_are_refused_and_change_nothing(name: str, value: Any) -> None:
    before = config.read(name)
    with pytest.raises(ValueError, match="expected one of"):
        config.update(name, value)
    assert config.read(name) == before


def test_flags_are_not_assigned_to() -> None:
    with pytest.raises(AttributeError, match="config.update"):
        config.jax_enable_x64 = True
    assert config.enable_x64 is False


def test_context_managers_nest_and_end() -> None:
    with jax.enable_x64(True):
        assert config.enable_x64
        with jax.enable_x64(False), jax.numpy_rank_promotion("warn"):
            assert not config.enable_x64 and config.numpy_rank_promotion == "warn"
        assert config.enable_x64 and config.numpy_rank_promotion == "allow"
    assert not config.enable_x64
    with pytest.raises(KeyError), jax.enable_x64():
        assert config.enable_x64
        raise KeyError
    assert not config.enable_x64


def test_context_manager_wins_over_update() -> None:
    with jax.enable_x64(False):
        config.update("jax_enable_x64", True)
        assert not config.enable_x64
    assert config.enable_x64


def test_context_manager_of_a_choice_needs_a_value() -> None:
    with pytest.raises(TypeError, match="requires a value"), jax.numpy_rank_promotion():
        pass
    with pytest.raises(ValueError, match="expected one of"), jax.numpy_rank_promotion("q"):
        pass


def test_context_manager_counts_for_its_thread_alone() -> None:
    seen: dict[str, bool] = {}

    def look() -> None:
        seen["there"] = config.enable_x64
        with jax.numpy_rank_promotion("raise"):
            entered.set()
            leave.wait(10)

    entered, leave = threading.Event(), threading.Event()
    with jax.enable_x64(True):
        thread = threading.Thread(target=look)
        thread.start()
        entered.wait(10)
        seen["here"] = config.numpy_rank_promotion == "allow"
        leave.set()
        thread.join()
    assert seen == {"there": False, "here": True}


def test_update_counts_for_all_threads() -> None:
    seen = []
    config.update("jax_enable_x64", True)
    thread = threading.Thread(target=lambda: seen.append(config.enable_x64))
    thread.start()
    thread.join()
    assert seen == [True]


def test_trace_key_tells_apart_what_changes_programs_and_nothing_else() -> None:
    key = config.trace_key()
    with jax.enable_x64(True):
        assert config.trace_key() != key
    with jax.debug_nans(True), jax.log_compiles(True):
        assert config.trace_key() == key
    hash(key)


def test_jitted_function_is_traced_again_when_a_flag_changes_its_meaning() -> None:
    traces = []

    @jax.jit
    def f(x: Any) -> Any:
        traces.append(1)
        return x + np.ones(1)

    assert f(1.0).dtype == np.float32
    with jax.enable_x64(True):
        assert f(1.0).dtype == np.float64
    f(1.0)
    assert len(traces) == 2


def test_every_flag_has_a_meaning_and_a_default_that_it_accepts() -> None:
    for flag in FLAGS:
        assert flag.help
        assert flag.parse(flag.default) == flag.default


def _run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


SHOW = """
from minijax.config import config
print(config.enable_x64, config.numpy_rank_promotion, config.threefry_partitionable)
"""


@pytest.mark.parametrize(
    "text, value", [("1", True), ("true", True), ("Yes", True), ("0", False), ("off", False)]
)
def test_environment_variables(text: str, value: bool) -> None:
    done = _run(
        SHOW, JAX_ENABLE_X64=text, JAX_NUMPY_RANK_PROMOTION="raise", JAX_THREEFRY_PARTITIONABLE="0"
    )
    assert done.stdout.split() == [str(value), "raise", "False"], done.stderr


def test_bad_environment_variable_is_named() -> None:
    done = _run(SHOW, JAX_NUMPY_RANK_PROMOTION="sometimes")
    assert done.returncode != 0
    assert "JAX_NUMPY_RANK_PROMOTION" in done.stderr and "expected one of" in done.stderr


# What the debugging flags do ---------------------------------------------------------------------


def test_debug_nans_names_the_operation_and_the_line() -> None:
    with jax.debug_nans(True):
        with pytest.raises(FloatingPointError, match=r"nan.*log.*test_config\.py"):
            jnp.log(jnp.float32(-1))
        with pytest.raises(FloatingPointError, match="nan"):
            jax.jit(jnp.log)(jnp.float32(-1))
        jnp.log(jnp.float32(1))
    assert np.isnan(jnp.log(jnp.float32(-1)))


def test_debug_infs() -> None:
    with jax.debug_infs(True), pytest.raises(FloatingPointError, match="inf"):
        _ = jnp.float32(1) / 0


def test_disable_jit_runs_python() -> None:
    seen = []

    @jax.jit
    def f(x: Any) -> Any:
        seen.append(float(x))  # impossible while tracing
        return x + 1

    with jax.disable_jit():
        assert float(f(1.0)) == 2
    assert seen == [1.0]


def test_log_compiles(caplog: pytest.LogCaptureFixture) -> None:
    with jax.log_compiles(True):
        jax.jit(lambda x: x + 3)(1.0)
    assert any("compilation of jit(<lambda>)" in record.message for record in caplog.records)
