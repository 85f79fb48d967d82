"""Every primitive: its rules agree with each other, and compiled programs with its reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import minijax as jax
from minijax.core.primitive import Primitive
from minijax.testing import rules

PRIMITIVES = dict(sorted(Primitive.registry.items()))
CASES = [case for p in PRIMITIVES.values() for case in rules.cases(p)]
DIFFERENTIABLE = [case for case in CASES if rules.is_differentiable(case)]
GROUPS = {
    f"{name}-{dtype}": [c for c in rules.cases(p) if c.dtype == dtype]
    for name, p in PRIMITIVES.items()
    for dtype in dict.fromkeys(kind for sample in p.samples for kind in sample.dtypes)
}


def test_rule_matrix_has_no_blank_cell() -> None:
    blank = [
        (name, slot)
        for name, row in rules.rule_matrix().items()
        for slot, entry in row.items()
        if not entry and name in PRIMITIVES  # other tests define some of their own
    ]
    assert not blank


def test_every_primitive_has_a_sample_or_no_reference() -> None:
    without = [n for n, p in PRIMITIVES.items() if not p.samples and p.has_rule("reference")]
    assert not without


@pytest.mark.parametrize("case", CASES, ids=str)
def test_type_rule_agrees_with_reference(case: rules.Case) -> None:
    rules.check_types(case)


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
@pytest.mark.parametrize(
    "check",
    [
        rules.check_jvp,
        rules.check_linearize,
        rules.check_transpose,
        rules.check_second_derivative,
    ],
)
def test_derivatives(case: rules.Case, check: Callable[[rules.Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batching_agrees_with_a_loop(case: rules.Case) -> None:
    rules.check_batch(case)


@pytest.mark.parametrize("group", GROUPS)
def test_compiled_program_agrees_with_reference(group: str) -> None:
    rules.check_compiled(GROUPS[group], jax.devices()[0])


@pytest.mark.parametrize("group", GROUPS)
def test_numpy_backend_agrees_with_reference(group: str) -> None:
    rules.check_compiled(GROUPS[group], jax.devices("numpy")[0])
