"""Functions of SciPy's that can be traced: ``jax.scipy``."""

from __future__ import annotations

from minijax.scipy import special

__all__ = ["special"]
