"""Do wrong programs fail here with the error classes, and where sensible the words, of JAX?

Each program is run with both libraries. The class raised here must be the one JAX raises, or one
that it derives from (JAX has private subclasses of TypeError). ``words`` stand in both messages.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minijax

jax = pytest.importorskip("jax", reason="compares with JAX, which is not installed")

pytestmark = pytest.mark.parity


class Wrong(NamedTuple):
    """A program that takes a library, and words that stand in the messages of both."""

    program: Callable[[Any], Any]
    words: str = ""


def leaked(j: Any, transform: Callable[..., Any]) -> Any:
    kept = []
    transform(j, lambda x: (kept.append(x * 2), x * 1.0)[1])
    return kept[0]


def branch(x: Any) -> Any:
    return x if x > 0 else -x


def custom(j: Any, rule: Any) -> Any:
    f = j.custom_jvp(lambda x: x * 2.0)
    f.defjvp(rule)
    return f


WRONG = {
    # values that are not known
    "if of a tracer": Wrong(
        lambda j: j.jit(branch)(1.0),
        "Attempted boolean conversion of traced array with shape bool[]",
    ),
    "if under vmap": Wrong(lambda j: j.vmap(branch)(j.numpy.ones(2)), "boolean conversion"),
    "while of a tracer": Wrong(lambda j: j.jit(lambda x: bool(x) and x)(1), "boolean conversion"),
    "and of tracers": Wrong(lambda j: j.jit(lambda x: x > 0 and x < 1)(1.0), "argument x"),
    "int of a tracer": Wrong(
        lambda j: j.jit(lambda x: int(x))(1), "Abstract tracer value encountered where concrete"
    ),
    "float of a tracer": Wrong(lambda j: j.jit(lambda x: float(x))(1.0), "`float` function"),
    "float under grad": Wrong(lambda j: j.grad(lambda x: float(x) * x)(1.0), "`float` function"),
    "complex of a tracer": Wrong(lambda j: j.jit(lambda x: complex(x))(1.0), "`complex`"),
    "item of a tracer": Wrong(lambda j: j.jit(lambda x: x.item())(1.0), "Abstract tracer value"),
    "tolist of a tracer": Wrong(lambda j: j.jit(lambda x: x.tolist())(1.0), "Abstract tracer"),
    "index of a list": Wrong(
        lambda j: j.jit(lambda i: [1, 2][i])(1),
        "The __index__() method was called on traced array with shape int32[]",
    ),
    "range of a tracer": Wrong(lambda j: j.jit(lambda n: list(range(n)))(3), "__index__() method"),
    "numpy function": Wrong(
        lambda j: j.jit(lambda x: np.sin(x))(1.0),
        "The numpy.ndarray conversion method __array__() was called on traced array",
    ),
    "numpy function under grad": Wrong(lambda j: j.grad(lambda x: np.sin(x))(1.0), "__array__()"),
    "boolean mask": Wrong(
        lambda j: j.jit(lambda x: x[x > 0])(j.numpy.ones(3)),
        "Array boolean indices must be concrete; got bool[3]",
    ),
    "shape from a tracer": Wrong(
        lambda j: j.jit(lambda n: j.numpy.zeros(n))(3), "Shapes must be 1D sequences of concrete"
    ),
    "slice by a tracer": Wrong(
        lambda j: j.jit(lambda n: j.numpy.arange(9)[:n])(3), "must be static integers"
    ),
    "length of a scalar": Wrong(lambda j: j.jit(lambda x: len(x))(1.0), "len() of unsized object"),
    "iteration of a scalar": Wrong(lambda j: j.jit(lambda x: list(x))(1.0), "0-d array"),
    "truth of a vector": Wrong(lambda j: j.jit(lambda x: bool(x))(np.ones(2)), "ambiguous"),
    "hash of a tracer": Wrong(lambda j: j.jit(lambda x: {x: 1})(1.0), "unhashable"),
    "format of a tracer": Wrong(lambda j: j.jit(lambda x: f"{x:.2f}")(1.0), "format string"),
    "assignment": Wrong(
        lambda j: operator.setitem(j.numpy.ones(2), 0, 1), "x = x.at[idx].set(y)"
    ),
    "assignment to a tracer": Wrong(
        lambda j: j.jit(lambda x: operator.setitem(x, 0, 1))(np.ones(2)), "x.at[idx].set(y)"
    ),
    # tracers that have escaped
    "leak of jit": Wrong(
        lambda j: leaked(j, lambda j, f: j.jit(f)(1.0)) + 1,
        "A function transformed by JAX had a side effect, allowing for a reference to an "
        "intermediate value with type float32[]",
    ),
    "leak of vmap": Wrong(
        lambda j: leaked(j, lambda j, f: j.vmap(f)(j.numpy.ones(2))) + 1, "unexpected tracer"
    ),
    "leak of grad": Wrong(
        lambda j: j.jit(lambda y, t: y + t)(1.0, leaked(j, lambda j, f: j.grad(f)(1.0)))
    ),
    # arguments of jit
    "text as argument": Wrong(
        lambda j: j.jit(lambda a: a)("s"), "was passed to the function at path a"
    ),
    "object in a pytree": Wrong(
        lambda j: j.jit(lambda a: a)({"k": [1.0, object()]}), "at path a['k'][1]"
    ),
    "array of text": Wrong(lambda j: j.jit(lambda a: a)(np.array(["s"])), "at path a"),
    "text as result": Wrong(lambda j: j.jit(lambda a: "s")(1), "which is not a valid JAX type"),
    "unhashable static": Wrong(
        lambda j: j.jit(lambda a, b: a, static_argnums=1)(1, [1]),
        "Non-hashable static arguments are not supported",
    ),
    "static out of range": Wrong(
        lambda j: j.jit(lambda a: a, static_argnums=3),
        "Jitted function has static_argnums=(3,), but only accepts 1 positional arguments.",
    ),
    "unknown static name": Wrong(
        lambda j: j.jit(lambda a: a, static_argnames="q"), "invalid argnames {'q'}"
    ),
    "static and donated": Wrong(
        lambda j: j.jit(lambda a: a, static_argnums=0, donate_argnums=0), "cannot intersect"
    ),
    "jit of a number": Wrong(lambda j: j.jit(3), "Expected a callable value, got 3"),
    "too many arguments": Wrong(lambda j: j.jit(lambda a: a)(1, 2), "takes 1 positional argument"),
    "integer too large": Wrong(lambda j: j.jit(lambda a: a)(2**40), "argument path is a"),
    "deleted array": Wrong(
        lambda j: (lambda x: (x.delete(), x + 1))(j.numpy.ones(3)),
        "Array has been deleted with shape=float32[3]",
    ),
    # arguments of grad and its relatives
    "grad of an integer": Wrong(
        lambda j: j.grad(lambda x: x * 1.0)(1),
        "grad requires real- or complex-valued inputs (input dtype that is a sub-dtype of "
        "np.inexact), but got int32. If you want to use Boolean- or integer-valued inputs, use "
        "vjp or set allow_int to True.",
    ),
    "grad of a vector": Wrong(
        lambda j: j.grad(lambda x: x)(j.numpy.ones(3)),
        "Gradient only defined for scalar-output functions. Output had shape: (3,).",
    ),
    "grad of a pair": Wrong(lambda j: j.grad(lambda x: (x, x))(1.0), "scalar-output functions"),
    "grad of nothing": Wrong(lambda j: j.grad(lambda x: None)(1.0), "Output was None"),
    "grad of integer result": Wrong(
        lambda j: j.grad(lambda x: 1)(1.0), "grad requires real-valued outputs"
    ),
    "grad of complex result": Wrong(lambda j: j.grad(lambda x: x * 1j)(1.0), "holomorphic=True"),
    "holomorphic of real": Wrong(
        lambda j: j.grad(lambda x: x, holomorphic=True)(1.0),
        "grad with holomorphic=True requires inputs with complex dtype, but got float32.",
    ),
    "grad of text": Wrong(lambda j: j.grad(lambda x: x)("a")),
    "argnums out of range": Wrong(
        lambda j: j.grad(lambda x: x, argnums=1)(1.0),
        "differentiating with respect to argnums=1 requires at least 2 positional arguments",
    ),
    "argnums by keyword": Wrong(lambda j: j.grad(lambda x: x)(x=1.0), "only 0 positional"),
    "argnums of text": Wrong(lambda j: j.grad(lambda x: x, argnums="a")(1.0), "integer"),
    "no aux": Wrong(lambda j: j.grad(lambda x: x, has_aux=True)(1.0), "two-element tuple"),
    "jvp without tuples": Wrong(
        lambda j: j.jvp(lambda x: x, 1.0, 1.0), "must be tuples or lists; found float and float."
    ),
    "jvp of other structure": Wrong(
        lambda j: j.jvp(lambda x: x, (1.0,), (1.0, 2.0)), "must have the same tree structure"
    ),
    "jvp of other dtype": Wrong(
        lambda j: j.jvp(lambda x: x, (1.0,), (1,)), "expected tangent dtype float32"
    ),
    "jvp of other shape": Wrong(
        lambda j: j.jvp(lambda x: x, (j.numpy.ones(3),), (1.0,)), "Got primal shape (3,)"
    ),
    "vjp of other structure": Wrong(
        lambda j: j.vjp(lambda x: x, 1.0)[1]((1.0, 2.0)), "unexpected tree structure"
    ),
    "vjp of other dtype": Wrong(
        lambda j: j.vjp(lambda x: x, 1.0)[1](1),
        "for argument to VJP function: got int32[], but expected float32[] because the "
        "corresponding output of the differentiated function had JAX type float32[]",
    ),
    "vjp of other shape": Wrong(
        lambda j: j.vjp(lambda x: x, 1.0)[1](j.numpy.ones(3)), "got float32[3]"
    ),
    "linearize of other shape": Wrong(
        lambda j: j.linearize(lambda x: x, 1.0)[1](j.numpy.ones(3)),
        "linearized function called on tangent values inconsistent with the original primal",
    ),
    "jacfwd of an integer": Wrong(lambda j: j.jacfwd(lambda x: x * 1.0)(1), "jacfwd requires"),
    "jacrev of an integer": Wrong(lambda j: j.jacrev(lambda x: x * 1.0)(1), "jacrev requires"),
    "reverse mode of while": Wrong(
        lambda j: j.grad(lambda x: j.lax.while_loop(lambda c: c < 5, lambda c: c * 2, x))(1.0),
        "Reverse-mode differentiation does not work for lax.while_loop",
    ),
    "custom_jvp without rule": Wrong(
        lambda j: j.custom_jvp(lambda x: x)(1.0), "No JVP defined for custom_jvp function"
    ),
    "custom_jvp without pair": Wrong(
        lambda j: j.grad(custom(j, lambda p, t: 1))(1.0), "must produce a pair"
    ),
    "custom_jvp of other shape": Wrong(
        lambda j: j.grad(custom(j, lambda p, t: (p[0], j.numpy.ones(3))))(1.0),
        "corresponding shapes and dtypes. Expected float32[] (tangent type of float32[])",
    ),
    # arguments of vmap
    "vmap of a scalar": Wrong(
        lambda j: j.vmap(lambda x: x)(1.0),
        "vmap was requested to map its argument along axis 0, which implies that its rank should "
        "be at least 1, but is only 0",
    ),
    "vmap of different sizes": Wrong(
        lambda j: j.vmap(lambda x, y: x)(np.ones(3), np.ones(4)),
        "vmap got inconsistent sizes for array axes to be mapped",
    ),
    "vmap of other axis_size": Wrong(lambda j: j.vmap(lambda x: x, axis_size=4)(np.ones(3))),
    "vmap over nothing": Wrong(
        lambda j: j.vmap(lambda x: x, in_axes=None)(np.ones(3)), "at least one non-None value"
    ),
    "vmap without arguments": Wrong(lambda j: j.vmap(lambda: 1)(), "at least one argument"),
    "in_axes of other length": Wrong(
        lambda j: j.vmap(lambda x: x, in_axes=(0, 0))(np.ones(3)), "len(in_axes)=2, len(args)=1"
    ),
    "in_axes of text": Wrong(lambda j: j.vmap(lambda x: x, in_axes="a"), "in_axes must be an int"),
    "in_axes of other structure": Wrong(
        lambda j: j.vmap(lambda x: x, in_axes=((0, 0, 0),))((np.ones(3), np.ones(3))),
        "vmap in_axes specification must be a tree prefix of the corresponding value",
    ),
    "in_axes out of range": Wrong(
        lambda j: j.vmap(lambda x: x, in_axes=3)(np.ones(3)), "rank should be at least 4"
    ),
    "out_axes None": Wrong(
        lambda j: j.vmap(lambda x: x, out_axes=None)(np.ones(3)),
        "at vmap out_axes, got axis spec None but output was batched on axis 0",
    ),
    "out_axes out of range": Wrong(lambda j: j.vmap(lambda x: x, out_axes=3)(np.ones(3)), "axis 3"),
    "out_axes of other structure": Wrong(
        lambda j: j.vmap(lambda x: x, out_axes=(0, 0))(np.ones(3)), "vmap out_axes specification"
    ),
    "vmap of text": Wrong(lambda j: j.vmap(lambda x: x)("a"), "is not a valid JAX type"),
    "unbound axis": Wrong(lambda j: j.lax.psum(1.0, "i"), "unbound axis name: i"),
    # shapes and dtypes
    "add of shapes": Wrong(
        lambda j: j.numpy.ones(3) + j.numpy.ones(4),
        "add got incompatible shapes for broadcasting: (3,), (4,).",
    ),
    "lax.add of dtypes": Wrong(lambda j: j.lax.add(np.float32(1), np.int32(1)), "same dtypes"),
    "dot of shapes": Wrong(lambda j: j.numpy.dot(np.ones((2, 3)), np.ones((2, 3)))),
    "matmul of a scalar": Wrong(lambda j: j.numpy.matmul(1.0, np.ones(2))),
    "reshape": Wrong(lambda j: j.numpy.ones(6).reshape(4), "(6,)"),
    "reduction axis": Wrong(lambda j: j.numpy.ones(3).sum(1)),
    "concatenate": Wrong(lambda j: j.numpy.concatenate([np.ones((2, 2)), np.ones((3, 3))])),
    "sine of text": Wrong(lambda j: j.numpy.sin("s")),
    "sum of a list": Wrong(lambda j: j.numpy.sum([1, 2])),
    "invert of floats": Wrong(lambda j: ~j.numpy.ones(2), "not does not accept dtype float32"),
    "strict promotion": Wrong(
        lambda j: strictly(j, lambda: j.numpy.ones(2, "int8") + j.numpy.ones(2)), "strict"
    ),
    "rank promotion": Wrong(
        lambda j: no_rank_promotion(j, lambda: j.numpy.ones((2, 2)) + j.numpy.ones(2)), "rank"
    ),
    "index of a float": Wrong(lambda j: j.numpy.ones(3)[1.5]),
    "too many indices": Wrong(lambda j: j.numpy.ones(3)[0, 0], "Too many indices"),
    # carries of loops
    "scan carry of other dtype": Wrong(
        lambda j: j.lax.scan(lambda c, x: (c > 0, x), 1.0, np.ones(2)), "carry"
    ),
    "scan carry of other structure": Wrong(
        lambda j: j.lax.scan(lambda c, x: ((c, c), x), 1.0, np.ones(2)), "carry"
    ),
    "scan of different lengths": Wrong(
        lambda j: j.lax.scan(lambda c, x: (c, x), 1.0, (np.ones(2), np.ones(3))), "leading"
    ),
    "scan without length": Wrong(lambda j: j.lax.scan(lambda c, x: (c, x), 1.0, None)),
    "while condition": Wrong(
        lambda j: j.lax.while_loop(lambda c: c, lambda c: c, 1.0), "cond_fun must return a boolean"
    ),
    "while carry": Wrong(lambda j: j.lax.while_loop(lambda c: True, lambda c: (c, c), 1.0)),
    "cond branches": Wrong(lambda j: j.lax.cond(True, lambda: 1.0, lambda: np.ones(2))),
    "cond predicate": Wrong(lambda j: j.lax.cond(np.ones(2), lambda: 1.0, lambda: 2.0), "scalar"),
    "static shape of ones": Wrong(lambda j: j.numpy.ones(-1)),
    "device_put of text": Wrong(lambda j: j.device_put("s"), "is not a valid JAX type"),
    "unknown backend": Wrong(lambda j: j.devices("nope"), "Unknown backend"),
    "unknown flag": Wrong(lambda j: j.config.update("jax_nope", 1), "Unrecognized config option"),
    "bad choice of a flag": Wrong(lambda j: j.config.update("jax_numpy_rank_promotion", "x")),
}  # fmt: skip


def strictly(j: Any, program: Callable[[], Any]) -> Any:
    with j.numpy_dtype_promotion("strict"):
        return program()


def no_rank_promotion(j: Any, program: Callable[[], Any]) -> Any:
    with j.numpy_rank_promotion("raise"):
        return program()


def error_of(program: Callable[[], Any]) -> Exception:
    try:
        result = program()
    except Exception as error:
        return error
    raise AssertionError(f"no error, but {result!r}")


@functools.cache
def _libraries() -> tuple[Any, Any]:
    jax.config.update("jax_platforms", "cpu")
    return minijax, jax


@pytest.mark.parametrize("name", WRONG)
def test_wrong_program(name: str) -> None:
    wrong = WRONG[name]
    ours, theirs = (error_of(lambda j=j: wrong.program(j)) for j in _libraries())
    accepted = [kind.__name__ for kind in type(theirs).__mro__[:-3]]
    assert type(ours).__name__ in accepted, f"{ours!r}\nbut JAX: {theirs!r}"
    for message in (str(ours), str(theirs)):
        assert wrong.words in message
