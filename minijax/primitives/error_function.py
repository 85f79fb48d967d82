"""How are the error function and its complement computed?

By SciPy in the reference, by one operation of CHLO in compiled programs. The inverse, whose last
bits matter more, has a file of its own: :mod:`minijax.primitives.erf_inv`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy

from minijax.primitives.arithmetic import mul, neg, square
from minijax.primitives.elementwise import exp, in_float32
from minijax.primitives.elementwise_rules import scalar_like, unary

FLOATING = (np.floating,)
SLOPE_AT_ZERO = 2 / math.sqrt(math.pi)

# -- erf and erfc ----------------------------------------------------------------------------------


# scipy.special is a large library, which scipy loads when it is first asked for.
def _erf_value(x: np.ndarray) -> np.ndarray:
    return scipy.special.erf(x)


def _erfc_value(x: np.ndarray) -> np.ndarray:
    return scipy.special.erfc(x)


def _erf_jvp(t: Any, x: Any) -> Any:
    return mul(scalar_like(x, SLOPE_AT_ZERO), mul(t, exp(neg(square(x)))))


def _erfc_jvp(t: Any, x: Any) -> Any:
    return mul(scalar_like(x, -SLOPE_AT_ZERO), mul(t, exp(neg(square(x)))))


erf_p, erf = unary(
    "erf", FLOATING, in_float32(_erf_value), "chlo.erf",
    "Elementwise error function: the integral of ``2 / sqrt(pi) * exp(-u ** 2)`` from 0 to ``x``.",
    jvp=_erf_jvp,
)  # fmt: skip
erfc_p, erfc = unary(
    "erfc", FLOATING, in_float32(_erfc_value), "chlo.erfc",
    "Elementwise complement of the error function: ``1 - erf(x)``, exact where that is small.",
    jvp=_erfc_jvp,
)  # fmt: skip
