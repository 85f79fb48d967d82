"""Where do the logarithm of the gamma function and its derivatives come from?

``lgamma`` differentiates to ``digamma``, that to ``polygamma`` of order 1, and so on upwards;
``polygamma`` is Hurwitz's ``zeta`` but for a factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from minijax.core.primitive import Arg, Primitive
from minijax.primitives.arithmetic import add, mul
from minijax.primitives.elementwise import in_float32
from minijax.primitives.elementwise_rules import lower_as, public_binary, scalar_like, unary
from minijax.primitives.formulas import in_float64
from minijax.primitives.operands import elementwise_abstract, elementwise_batch

FLOATING = (np.floating,)

# -- zeta ------------------------------------------------------------------------------------------

zeta_p = Primitive("zeta")
zeta = public_binary(
    zeta_p, "Elementwise Hurwitz zeta function: the sum of ``(n + y) ** -x`` over n = 0, 1, ...",
    FLOATING,
)  # fmt: skip
elementwise_abstract(zeta_p, FLOATING)


@zeta_p.reference
@in_float64
def zeta_reference(x: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return SciPy's value, with that of CHLO's formula at poles and at infinity."""
    value = np.where((x < 1) | np.isposinf(x) | (q == np.inf), np.nan, scipy.special.zeta(x, q))
    is_pole = (q <= 0) & (q == np.floor(q))
    value = np.where(is_pole, np.where(x % 2 == 0, np.inf, np.nan), value)
    return np.where(x == 1, np.inf, value)


zeta_p.no_jvp("along its exponent the zeta function is not differentiable in terms of others")
zeta_p.no_transpose("zeta is not linear")
elementwise_batch(zeta_p)
lower_as(zeta_p, "chlo.zeta")
zeta_p.sample(Arg((2, 3), 1.5, 6), Arg((2, 3), 0.5, 4), _dtypes=("float32", "float64"))
zeta_p.sample(Arg((2, 3), 1.5, 6), Arg((), 0.5, 4), _dtypes=("float32",))

# -- polygamma -------------------------------------------------------------------------------------

polygamma_p = Primitive("polygamma")
polygamma = public_binary(
    polygamma_p,
    "Elementwise derivative of order ``x`` of ``digamma`` at ``y``; orders are whole numbers.",
    FLOATING,
)
elementwise_abstract(polygamma_p, FLOATING)


@polygamma_p.reference
def polygamma_reference(m: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return ``(-1) ** (m + 1) * m! * zeta(m + 1, x)``; at order 0 that is ``digamma``."""
    dtype = x.dtype
    m, x = m.astype(np.float64), x.astype(np.float64)
    sign = np.where(m % 2 == 0, -1.0, 1.0)
    positive_order = sign * scipy.special.gamma(m + 1) * scipy.special.zeta(m + 1, x)
    value = np.where(m == 0, scipy.special.digamma(x), positive_order)
    return np.where((m < 0) | (m != np.floor(m)), np.nan, value).astype(dtype)


def polygamma_jvp(t: Any, m: Any, x: Any) -> Any:
    return mul(t, polygamma(add(m, scalar_like(m, 1)), x))


def _no_polygamma_jvp_order(t: Any, m: Any, x: Any) -> Any:
    raise ValueError("polygamma gradient with respect to m is not supported")


polygamma_p.jvp_each(_no_polygamma_jvp_order, polygamma_jvp)
polygamma_p.no_transpose("polygamma is not linear")
elementwise_batch(polygamma_p)
lower_as(polygamma_p, "chlo.polygamma")
for _float in (np.float32, np.float64):
    polygamma_p.sample(
        np.array([1, 2, 3], _float), Arg((3,), 0.5, 4), _dtypes=(_float.__name__,), _moving=(1,)
    )

# -- digamma and lgamma ----------------------------------------------------------------------------


def _digamma_value(x: np.ndarray) -> np.ndarray:
    # At a pole the value is NaN; scipy takes a side at 0.
    return np.where(x == 0, x.dtype.type(np.nan), scipy.special.digamma(x))


def _lgamma_value(x: np.ndarray) -> np.ndarray:
    # The poles accumulate towards minus infinity, where scipy gives minus infinity.
    return np.where(np.isinf(x), x.dtype.type(np.inf), scipy.special.gammaln(x))


digamma_p, digamma = unary(
    "digamma", FLOATING, in_float32(_digamma_value), "chlo.digamma",
    "Elementwise derivative of ``lgamma``.",
    domain=(0.5, 4), jvp=lambda t, x: mul(t, polygamma(scalar_like(x, 1), x)),
)  # fmt: skip
lgamma_p, lgamma = unary(
    "lgamma", FLOATING, in_float32(_lgamma_value), "chlo.lgamma",
    "Elementwise logarithm of the absolute value of the gamma function.",
    domain=(0.5, 4), jvp=lambda t, x: mul(t, digamma(x)),
)  # fmt: skip
