"""What does a backend get right?

``python -m minijax.testing.conformance NAME`` runs every sample of every primitive as a compiled
program on a platform and holds it against the NumPy reference rules. It prints one line per
primitive: which dtypes are right, and the first line of what went wrong for the others.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import minijax.lax  # noqa: F401 - defines every primitive
from minijax.core.backend import Device, platform_devices
from minijax.core.primitive import Primitive
from minijax.testing.rules import RuleError, cases, check_compiled


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one primitive fared with one dtype: ``ok``, ``wrong`` or ``refused``, and why."""

    primitive: str
    dtype: str
    status: str
    reason: str = ""


def check_primitive(primitive: Primitive, dtype: str, device: Device) -> Outcome:
    """Run all samples of a primitive with one dtype on a device."""
    try:
        check_compiled(list(cases(primitive, dtype)), device)
    except RuleError as error:
        return Outcome(primitive.name, dtype, "wrong", _first_line(error))
    except Exception as error:  # a backend may refuse in any way it likes
        return Outcome(primitive.name, dtype, "refused", _first_line(error))
    return Outcome(primitive.name, dtype, "ok")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"


def check_backend(platform: str) -> list[Outcome]:
    """Run every primitive with every dtype of its samples on the first device of a platform."""
    device = platform_devices(platform)[0]
    outcomes = []
    for _, primitive in sorted(Primitive.registry.items()):
        kinds = dict.fromkeys(kind for sample in primitive.samples for kind in sample.dtypes)
        outcomes += [check_primitive(primitive, kind, device) for kind in kinds]
    return outcomes


def report(outcomes: list[Outcome]) -> str:
    """Return a table with one line per primitive and one per failure."""
    lines = []
    for name in dict.fromkeys(o.primitive for o in outcomes):
        mine = [o for o in outcomes if o.primitive == name]
        right = " ".join(o.dtype for o in mine if o.status == "ok")
        lines.append(f"{name:28} {right or '-'}")
        lines += [f"    {o.dtype:10} {o.status}: {o.reason}" for o in mine if o.status != "ok"]
    good = sum(o.status == "ok" for o in outcomes)
    lines.append(f"{good} of {len(outcomes)} combinations of primitive and dtype are right")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Check the platform named on the command line."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m minijax.testing.conformance PLATFORM\n")
        return 2
    outcomes = check_backend(arguments[0])
    sys.stdout.write(report(outcomes) + "\n")
    return 0 if all(o.status == "ok" for o in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
