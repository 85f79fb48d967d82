"""Public names for dtypes and their promotion: ``jax.dtypes``."""

from minijax.core.dtypes import (
    bfloat16,
    canonicalize_dtype,
    extended,
    finfo,
    float0,
    iinfo,
    issubdtype,
    prng_key,
    result_type,
    scalar_type_of,
)

__all__ = [
    "bfloat16", "canonicalize_dtype", "extended", "finfo", "float0", "iinfo", "issubdtype",
    "prng_key", "result_type", "scalar_type_of",
]  # fmt: skip
