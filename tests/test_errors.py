"""Does every user error say what happened, where in the user's code, and what cures it?

The classes and the words that JAX uses are compared in ``parity/test_errors_parity.py``; here each
message must name this file and the line of the mistake, the argument, and a cure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minijax as jax
import minijax.numpy as jnp
from minijax import errors, lax

PACKAGE = Path(jax.__file__).parent


def failure(program: Callable[[], Any]) -> Exception:
    try:
        program()
    except Exception as error:
        return error
    raise AssertionError("no error")


def everything(error: Exception) -> str:
    """The message and the notes."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def line_of(function: Callable[..., Any]) -> str:
    return f"test_errors.py:{function.__code__.co_firstlineno}"


# Values that are not known while tracing ---------------------------------------------------------


def uses_if(threshold: Any, x: Any) -> Any:
    return x if threshold > 0 else -x


def uses_int(threshold: Any, x: Any) -> Any:
    return int(threshold) * x


def uses_float(threshold: Any, x: Any) -> Any:
    return float(threshold) * x


def uses_index(threshold: Any, x: Any) -> Any:
    return ["a", "b"][threshold]


def uses_numpy(threshold: Any, x: Any) -> Any:
    return np.sin(threshold) * x


def uses_item(threshold: Any, x: Any) -> Any:
    return threshold.item() * x


CONCRETE = [
    (uses_if, errors.TracerBoolConversionError, ["jnp.where", "lax.cond", "static_argnums"]),
    (uses_int, errors.ConcretizationTypeError, ["x.astype(int)"]),
    (uses_float, errors.ConcretizationTypeError, ["x.astype(float)"]),
    (uses_index, errors.TracerIntegerConversionError, ["__index__()"]),
    (uses_numpy, errors.TracerArrayConversionError, ["__array__()"]),
    (uses_item, errors.ConcretizationTypeError, ["concrete value"]),
]


@pytest.mark.parametrize("function, kind, cures", CONCRETE)
def test_concretization_names_function_argument_and_cure(
    function: Any, kind: type[Exception], cures: list[str]
) -> None:
    error = failure(lambda: jax.jit(function)(1, x=2.0))
    assert type(error) is kind
    text = everything(error)
    assert f"{function.__name__} at" in text and line_of(function) in text
    assert "the value of the argument threshold" in text
    for cure in cures:
        assert cure in text


def test_concretization_names_every_argument_that_matters() -> None:
    def f(a: Any, b: Any, c: Any) -> Any:
        return 1.0 if a["w"][1] + c > 0 else b

    text = everything(failure(lambda: jax.jit(f)({"w": (1.0, 2.0)}, 3.0, 4.0)))
    assert "arguments a['w'][1] and c." in text

    def g(*rest: Any, **named: Any) -> Any:
        return bool(rest[1] * named["k"])

    text = everything(failure(lambda: jax.jit(g)(1.0, 2.0, k=3.0)))
    assert "rest[1] and k" in text


def test_concretization_of_a_constant_made_inside_names_its_line() -> None:
    def f(x: Any) -> Any:
        ones = jnp.ones(()) + 0  # made here
        return 1.0 if ones > 0 else x

    error = failure(lambda: jax.jit(f)(1.0))
    assert isinstance(error, errors.TracerBoolConversionError)
    assert "computed at" in str(error) and "test_errors.py" in str(error)


def test_mask_index_names_the_cure() -> None:
    error = failure(lambda: jax.jit(lambda x: x[x > 0])(jnp.ones(3)))
    assert isinstance(error, errors.NonConcreteBooleanIndexError)
    assert isinstance(error, IndexError)
    assert "bool[3]" in str(error) and "jnp.where" in str(error)


def test_names_stay_right_with_static_arguments() -> None:
    def f(a: Any, n: int, b: Any, *, mode: str) -> Any:
        return bool(b)

    jitted = jax.jit(f, static_argnums=1, static_argnames="mode")
    text = everything(failure(lambda: jitted(1.0, 2, 3.0, mode="m")))
    assert "the value of the argument b." in text


# Shapes and dtypes -------------------------------------------------------------------------------

SHAPES: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "add": (lambda: jnp.ones(3) + jnp.ones(4), TypeError, ["(3,)", "(4,)"]),
    "matmul": (lambda: jnp.ones((2, 3)) @ jnp.ones((2, 3)), TypeError, ["(3,) and (2,)"]),
    "reshape": (lambda: jnp.ones(6).reshape(4), TypeError, ["(6,)", "(4,)"]),
    "lax dtypes": (lambda: lax.add(np.float32(1), np.int32(1)), TypeError, ["float32", "int32"]),
    "invert": (lambda: ~jnp.ones(2), TypeError, ["float32"]),
    "axis": (lambda: jnp.ones(3).sum(1), ValueError, ["1"]),
    "concatenate": (
        lambda: jnp.concatenate([jnp.ones((2, 2)), jnp.ones((3, 3))]),
        TypeError,
        ["(2, 2)", "(3, 3)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "wrap", [lambda f: f, jax.jit, jax.make_jaxpr], ids=["eager", "jit", "jaxpr"]
)
def test_mismatches_name_the_types_and_the_line(name: str, wrap: Any) -> None:
    program, kind, words = SHAPES[name]
    error = failure(wrap(program))
    assert isinstance(error, kind)
    for word in words:
        assert word in str(error)
    frames = traceback.extract_tb(error.__traceback__)
    assert any(f.filename == __file__ and f.lineno == _line(program) for f in frames)


def _line(program: Callable[..., Any]) -> int | None:
    return next(iter(program.__code__.co_positions()))[0]


def test_mismatch_has_a_note_with_the_users_line() -> None:
    def wrong(x: Any) -> Any:
        return lax.add(x, jnp.ones(4))

    for run in (wrong, jax.jit(wrong), jax.grad(lambda x: wrong(x).sum())):
        notes = "\n".join(failure(lambda run=run: run(jnp.ones(3))).__notes__)
        assert f"test_errors.py:{wrong.__code__.co_firstlineno + 1}" in notes
        assert "add" in notes


# Arguments of transformations --------------------------------------------------------------------


def named(weights: Any, data: Any = None) -> Any:
    return weights


BAD_ARGUMENTS: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "jit of text": (
        lambda: jax.jit(named)({"w": ["s"]}), TypeError,
        ["weights['w'][0]", "<class 'str'>", "static_argnums"],
    ),
    "jit keyword": (lambda: jax.jit(named)(1.0, data=object()), TypeError, ["path data"]),
    "unhashable static": (
        lambda: jax.jit(named, static_argnames="data")(1.0, data=[1]), ValueError,
        ["argument 'data' of named", "<class 'list'>", "tuple instead of a list"],
    ),
    "large integer": (lambda: jax.jit(named)(2**40), OverflowError, ["weights", "int32", "x64"]),
    "result of jit": (
        lambda: jax.jit(lambda x: {"a": [x, "s"]})(1.0), TypeError,
        ["<lambda> at", "['a'][1]", "<class 'str'>"],
    ),
    "vmap sizes": (
        lambda: jax.vmap(named)({"w": jnp.ones(3)}, jnp.ones(4)), ValueError,
        ["weights['w']", "data", "size 3", "size 4", "float32[4]"],
    ),
    "vmap rank": (
        lambda: jax.vmap(named)(1.0), ValueError, ["argument weights of named", "shape is ()"],
    ),
    "vmap text": (
        lambda: jax.vmap(named)("s"), TypeError, ["argument weights of named", "in_axes"],
    ),
    "vmap output": (lambda: jax.vmap(named, out_axes=None)(jnp.ones(2)), ValueError, ["named at"]),
    "grad of text": (lambda: jax.grad(named)("s"), TypeError, ["<class 'str'>", "argnums"]),
    "grad of int": (lambda: jax.grad(named)(1), TypeError, ["int32", "allow_int"]),
    "grad of pair": (lambda: jax.grad(lambda x: (x, x))(1.0), TypeError, ["return one number"]),
    "vjp of text": (lambda: jax.vjp(named, {"k": "s"}), TypeError, ["weights['k']", "argnums"]),
    "cotangent": (
        lambda: jax.vjp(lambda x: {"out": x}, 1.0)[1]({"out": jnp.ones(2)}), ValueError,
        ["['out']", "float32[2]", "float32[]"],
    ),
    "axis name": (
        lambda: jax.jit(lambda x: lax.psum(x, "rows"))(1.0), NameError, ["rows", "jax.vmap"],
    ),
    "device": (lambda: jax.device_put(1.0, "cpu"), ValueError, ["jax.devices('cpu')[0]"]),
    "flag": (lambda: jax.config.update("jax_enable_x46", 1), AttributeError, ["jax_enable_x64"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_bad_arguments_are_named_with_a_cure(name: str) -> None:
    program, kind, words = BAD_ARGUMENTS[name]
    error = failure(program)
    assert isinstance(error, kind)
    for word in words:
        assert word in everything(error)


# Control flow ------------------------------------------------------------------------------------


def bad_body(carry: Any, x: Any) -> Any:
    return {"count": carry["count"] + 0.5}, x


CARRIES: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "scan dtype": (
        lambda: lax.scan(bad_body, {"count": jnp.int32(0)}, jnp.ones(3)),
        ["carry['count']", "int32[]", "float32[]"],
    ),
    "scan structure": (lambda: lax.scan(lambda c, x: ((c, c), x), 1.0, jnp.ones(2)), ["carry"]),
    "fori shape": (
        lambda: lax.fori_loop(0, 3, lambda i, c: c[None], jnp.ones(2)), ["float32[1,2]"],
    ),
    "while dtype": (
        lambda: lax.while_loop(lambda c: c < 3, lambda c: c + 1.5, jnp.int32(0)),
        ["int32[]", "float32[]"],
    ),
    "cond": (
        lambda: lax.cond(True, lambda x: x, lambda x: x.astype(np.int32), 1.0),
        ["float32[]", "int32[]"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CARRIES)
def test_carry_mismatches_name_the_leaf_and_both_types(name: str) -> None:
    program, words = CARRIES[name]
    error = failure(program)
    assert isinstance(error, TypeError)
    for word in [*words, "test_errors.py"]:
        assert word in everything(error)


# Tracebacks --------------------------------------------------------------------------------------


def deep(x: Any) -> Any:
    return jnp.sin(x) * jnp.ones((2, 3)) + jnp.ones(7)  # the mistake


def user_files(error: BaseException) -> list[str]:
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]


NESTED: list[Callable[[Any], Any]] = [
    jax.jit(deep),
    jax.vmap(deep),
    jax.grad(lambda x: deep(x).sum()),
    jax.jit(jax.vmap(jax.grad(lambda x: deep(x).sum()))),
    lambda x: jax.jvp(deep, (x,), (x,)),
    lambda x: jax.vjp(deep, x),
    jax.make_jaxpr(deep),
    jax.jacfwd(deep),
    lambda x: jax.eval_shape(deep, x),
]


@pytest.mark.parametrize("run", NESTED)
def test_tracebacks_of_transformed_functions_go_through_user_files(run: Any) -> None:
    error = failure(lambda: run(jnp.ones(3)))
    frames = traceback.extract_tb(error.__traceback__)
    assert any(f.filename == __file__ and "the mistake" in (f.line or "") for f in frames)
    outside = [f.filename for f in frames if not f.filename.startswith(str(PACKAGE))]
    assert outside == user_files(error)
    assert "JAX_TRACEBACK_FILTERING=off" in everything(error)


def test_filtering_can_be_switched_off() -> None:
    jax.config.update("jax_traceback_filtering", "off")
    try:
        error = failure(lambda: jax.jit(deep)(jnp.ones(3)))
    finally:
        jax.config.update("jax_traceback_filtering", "auto")
    assert any(name.startswith(str(PACKAGE)) for name in user_files(error))
    assert "JAX_TRACEBACK_FILTERING" not in everything(error)


def test_the_users_own_exceptions_pass_unchanged() -> None:
    class Mine(Exception):
        pass

    def f(x: Any) -> Any:
        raise Mine("mine")

    cause = ValueError("cause")

    def g(x: Any) -> Any:
        raise Mine("mine") from cause

    for transform in (jax.jit, jax.grad, jax.vmap, jax.make_jaxpr):
        error = failure(lambda t=transform: t(f)(jnp.ones(2)))
        assert type(error) is Mine and error.args == ("mine",)
    error = failure(lambda: jax.jit(g)(1.0))
    assert error.__cause__ is cause


def test_a_script_that_fails_shows_its_own_lines_only(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import minijax as jax

            @jax.jit
            def step(x):
                if x > 0:
                    return x
                return -x

            step(1.0)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script)], env=dict(os.environ), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert "TracerBoolConversionError" in done.stderr
    files = [line for line in done.stderr.splitlines() if line.startswith("  File")]
    assert files and all("script.py" in line for line in files[:2])
    assert "step at" in done.stderr and "argument x" in done.stderr


# The classes -------------------------------------------------------------------------------------


def test_error_classes_derive_from_the_built_in_ones_and_document_a_cure() -> None:
    assert issubclass(errors.ConcretizationTypeError, TypeError)
    assert issubclass(errors.TracerBoolConversionError, errors.ConcretizationTypeError)
    assert issubclass(errors.NonConcreteBooleanIndexError, IndexError)
    assert issubclass(errors.UnexpectedTracerError, TypeError)
    assert issubclass(errors.JaxRuntimeError, RuntimeError)
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert kind.__doc__, name
