"""minijax: JAX in readable Python, compiled by IREE.

Use it as JAX: ``import minijax as jax; import minijax.numpy as jnp``. This file holds names only;
``docs/`` says where to begin reading.
"""

from minijax import dtypes, errors, tree, tree_util
from minijax import lax as lax
from minijax import nn as nn
from minijax import numpy as numpy
from minijax import random as random
from minijax.api.derivatives import grad, jvp, linear_transpose, linearize, value_and_grad, vjp
from minijax.api.devices import (
    block_until_ready,
    default_backend,
    device_count,
    device_get,
    device_put,
    devices,
    local_device_count,
    local_devices,
    process_count,
    process_index,
)
from minijax.api.jacobians import hessian, jacfwd, jacobian, jacrev
from minijax.api.tracing import eval_shape, make_jaxpr
from minijax.api.vectorize import vmap
from minijax.config import (
    checking_leaks,
    config,
    debug_infs,
    debug_key_reuse,
    debug_nans,
    default_device,
    default_matmul_precision,
    default_prng_impl,
    disable_jit,
    enable_checks,
    enable_custom_prng,
    enable_x64,
    explain_cache_misses,
    legacy_prng_key,
    log_compiles,
    numpy_dtype_promotion,
    numpy_rank_promotion,
    threefry_partitionable,
    transfer_guard,
)
from minijax.core.array import Array
from minijax.core.aval import ShapeDtypeStruct, typeof
from minijax.core.backend import Device
from minijax.core.dtypes import float0
from minijax.core.jaxpr import Jaxpr
from minijax.higher_order.custom_jvp import custom_jvp
from minijax.higher_order.jit import clear_caches, jit

__version__ = "0.1.0"

__all__ = [
    "Array", "Device", "Jaxpr", "ShapeDtypeStruct", "__version__", "block_until_ready",
    "checking_leaks", "clear_caches", "config", "custom_jvp", "debug_infs", "debug_key_reuse",
    "debug_nans", "default_backend", "default_device", "default_matmul_precision",
    "default_prng_impl", "device_count", "device_get", "device_put", "devices", "disable_jit",
    "dtypes", "enable_checks", "enable_custom_prng", "enable_x64", "errors", "eval_shape",
    "explain_cache_misses", "float0", "grad", "hessian", "jacfwd", "jacobian", "jacrev", "jit",
    "jvp", "lax", "legacy_prng_key", "linear_transpose", "linearize", "local_device_count",
    "local_devices", "log_compiles", "make_jaxpr", "nn", "numpy", "numpy_dtype_promotion",
    "numpy_rank_promotion", "process_count", "process_index", "random", "threefry_partitionable",
    "transfer_guard", "tree", "tree_util", "typeof", "value_and_grad", "vjp", "vmap",
]  # fmt: skip
