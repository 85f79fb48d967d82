"""With which numbers does a network start?

An initializer is a function of a key, a shape and a dtype; the functions here make such
functions. The random ones keep the variance of activations, or of gradients, the same from layer
to layer: that takes weights of a variance in inverse proportion to the number of inputs (fan in),
or of outputs (fan out), of a unit (:func:`variance_scaling`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import minijax.numpy as jnp
from minijax import random
from minijax.core import dtypes

Initializer = Callable[..., Any]
"""``init(key, shape, dtype=..., out_sharding=None) -> array``"""

Axes = int | Sequence[int]


def _dtype(dtype: Any) -> Any:
    return dtypes.check_and_canonicalize_user_dtype(float if dtype is None else dtype)


# -- constants -------------------------------------------------------------------------------------


def zeros(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Any:
    """Initialize with zeros; the key is not used."""
    return jnp.zeros(shape, _dtype(dtype))


def ones(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Any:
    """Initialize with ones; the key is not used."""
    return jnp.ones(shape, _dtype(dtype))


def constant(value: Any, dtype: Any = None) -> Initializer:
    """Make an initializer with one value everywhere, or one that broadcasts to the shape."""

    def init(key: Any, shape: Any, dtype: Any = dtype, out_sharding: Any = None) -> Any:
        return jnp.full(shape, value, _dtype(dtype))

    return init


# -- given spread ----------------------------------------------------------------------------------


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Make an initializer with numbers uniform between 0 and ``scale``."""

    def init(key: Any, shape: Any, dtype: Any = dtype, out_sharding: Any = None) -> Any:
        dtype = _dtype(dtype)
        return random.uniform(key, shape, dtype) * jnp.array(scale, dtype)

    return init


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Make an initializer with normal numbers of standard deviation ``stddev``."""

    def init(key: Any, shape: Any, dtype: Any = dtype, out_sharding: Any = None) -> Any:
        dtype = _dtype(dtype)
        return random.normal(key, shape, dtype) * jnp.array(stddev, dtype)

    return init


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0
) -> Initializer:
    """Make an initializer with normal numbers cut off at ``lower`` and ``upper``.

    They are scaled by ``stddev`` afterwards: the bounds are in units of it, and the standard
    deviation of the result is smaller than it.
    """

    def init(key: Any, shape: Any, dtype: Any = dtype, out_sharding: Any = None) -> Any:
        dtype = _dtype(dtype)
        drawn = random.truncated_normal(key, lower, upper, shape, dtype)
        return drawn * jnp.array(stddev, dtype)

    return init


# -- spread by the number of inputs and outputs ----------------------------------------------------

TRUNCATED_STDDEV = 0.87962566103423978
"""Standard deviation of the normal distribution cut off at -2 and 2."""

TRUNCATED_COMPLEX_STDDEV = 0.95311164380491208
"""Standard deviation of the complex normal distribution cut off at absolute value 2."""


def variance_scaling(
    scale: Any,
    mode: str,
    distribution: str,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = None,
) -> Initializer:
    """Make an initializer with numbers of variance ``scale / n``.

    Parameters
    ----------
    scale : float
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}
        What n is: the number of inputs of a unit, of outputs, or a mean of the two.
    distribution : {"truncated_normal", "normal", "uniform"}
    in_axis, out_axis, batch_axis : int or sequence of int
        Axes of the weights that run over inputs, over outputs, and over independent weights. All
        other axes are those of a window, and multiply both numbers.
    dtype : dtype-like, optional
        Float or complex, by default the default float.

    Returns
    -------
    Initializer

    Raises
    ------
    ValueError
        From the initializer, if a word is unknown or the weights lack these axes.

    Examples
    --------
    >>> init = variance_scaling(1.0, "fan_in", "normal")
    >>> init(random.key(0), (3, 4)).shape
    (3, 4)
    """

    def init(key: Any, shape: Any, dtype: Any = dtype, out_sharding: Any = None) -> Any:
        dtype = _dtype(dtype)
        fan_in, fan_out = _fans(tuple(shape), in_axis, out_axis, batch_axis)
        if mode not in _FANS:
            raise ValueError(f"invalid mode for variance scaling initializer: {mode}")
        if distribution not in _DRAWS:
            raise ValueError(
                f"invalid distribution for variance scaling initializer: {distribution}"
            )
        variance = jnp.array(scale / _FANS[mode](fan_in, fan_out), dtype)
        return _DRAWS[distribution](key, shape, dtype, variance)

    return init


_FANS: dict[str, Callable[[float, float], float]] = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
    "fan_geo_avg": lambda fan_in, fan_out: (fan_in * fan_out) ** 0.5,
}


def _fans(
    shape: tuple[int, ...], in_axis: Axes, out_axis: Axes, batch_axis: Axes
) -> tuple[float, float]:
    """Return the number of inputs and of outputs of a unit."""
    if len(shape) <= 1 and in_axis == -2:
        raise ValueError(
            f"Can't compute input and output sizes of a {len(shape)}-dimensional weights tensor "
            "with default in_axis. Must be at least 2D or specify in_axis explicitly."
        )
    inputs, outputs, batch = (_size(shape, axes) for axes in (in_axis, out_axis, batch_axis))
    window = math.prod(shape) / inputs / outputs / batch
    return inputs * window, outputs * window


def _size(shape: tuple[int, ...], axes: Axes) -> int:
    return shape[axes] if isinstance(axes, int) else math.prod(shape[i] for i in axes)


def _draw_truncated_normal(key: Any, shape: Any, dtype: Any, variance: Any) -> Any:
    if not dtypes.issubdtype(dtype, np.complexfloating):
        stddev = jnp.sqrt(variance) / jnp.array(TRUNCATED_STDDEV, dtype)
        return random.truncated_normal(key, -2, 2, shape, dtype) * stddev
    stddev = jnp.sqrt(variance) / jnp.array(TRUNCATED_COMPLEX_STDDEV, dtype)
    squared_radius, angle = _disc(key, shape, dtype)
    cut = 1 - jnp.exp(jnp.array(-4, dtype))
    radius = jnp.sqrt(-jnp.log(1 - cut * squared_radius.astype(dtype)))
    return radius * _direction(angle, dtype) * stddev


def _draw_normal(key: Any, shape: Any, dtype: Any, variance: Any) -> Any:
    return random.normal(key, shape, dtype) * jnp.sqrt(variance)


def _draw_uniform(key: Any, shape: Any, dtype: Any, variance: Any) -> Any:
    if not dtypes.issubdtype(dtype, np.complexfloating):
        return random.uniform(key, shape, dtype, -1) * jnp.sqrt(3 * variance)
    squared_radius, angle = _disc(key, shape, dtype)
    radius = jnp.sqrt(2 * squared_radius).astype(dtype)
    return radius * _direction(angle, dtype) * jnp.sqrt(variance)


def _disc(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
    """Draw two uniform numbers: one for the radius, squared, and one for the angle."""
    part = dtypes.finfo(dtype).dtype
    first, second = random.split(key)
    return random.uniform(first, shape, part), random.uniform(second, shape, part)


def _direction(turns: Any, dtype: Any) -> Any:
    return jnp.exp(1j * (2 * np.pi * turns.astype(dtype)))


_DRAWS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "truncated_normal": _draw_truncated_normal,
    "normal": _draw_normal,
    "uniform": _draw_uniform,
}


def _named(name: str, of: str, scale: float, mode: str, distribution: str) -> Callable[..., Any]:
    make = functools.partial(variance_scaling, scale, mode, distribution)

    def initializer(
        in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
    ) -> Initializer:
        return make(in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis, dtype=dtype)

    initializer.__name__ = initializer.__qualname__ = name
    initializer.__doc__ = (
        f"Make an initializer of {of}: {distribution.replace('_', ' ')} numbers of variance "
        f"{scale:g} / {mode}; see :func:`variance_scaling`."
    )
    return initializer


_GLOROT = "Glorot and Bengio (2010)"
_LECUN = "LeCun, Bottou, Orr and Müller (1998)"
_HE = "He, Zhang, Ren and Sun (2015)"

glorot_uniform = _named("glorot_uniform", _GLOROT, 1.0, "fan_avg", "uniform")
glorot_normal = _named("glorot_normal", _GLOROT, 1.0, "fan_avg", "truncated_normal")
lecun_uniform = _named("lecun_uniform", _LECUN, 1.0, "fan_in", "uniform")
lecun_normal = _named("lecun_normal", _LECUN, 1.0, "fan_in", "truncated_normal")
he_uniform = _named("he_uniform", _HE, 2.0, "fan_in", "uniform")
he_normal = _named("he_normal", _HE, 2.0, "fan_in", "truncated_normal")

xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal
