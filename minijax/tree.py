"""Pytrees by short names: ``tree.map``, ``tree.leaves`` and the others of ``jax.tree``.

Each is the function ``tree_…`` of ``minijax.tree_util``, and documented there.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from minijax.core.tree import (
    tree_all as all,
)
from minijax.core.tree import (
    tree_broadcast as broadcast,
)
from minijax.core.tree import (
    tree_flatten as flatten,
)
from minijax.core.tree import (
    tree_flatten_with_path as flatten_with_path,
)
from minijax.core.tree import (
    tree_leaves as leaves,
)
from minijax.core.tree import (
    tree_leaves_with_path as leaves_with_path,
)
from minijax.core.tree import (
    tree_map as map,
)
from minijax.core.tree import (
    tree_map_with_path as map_with_path,
)
from minijax.core.tree import (
    tree_reduce as reduce,
)
from minijax.core.tree import (
    tree_reduce_associative as reduce_associative,
)
from minijax.core.tree import (
    tree_structure as structure,
)
from minijax.core.tree import (
    tree_transpose as transpose,
)
from minijax.core.tree import (
    tree_unflatten as unflatten,
)


def static(**kwargs: Any) -> Any:
    """A field of a dataclass that ``register_dataclass`` takes as metadata, not as a child.

    Parameters
    ----------
    **kwargs
        Those of ``dataclasses.field``; ``metadata`` is extended by ``{"static": True}``.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Layer:
    ...     weight: float
    ...     name: str = static(default="layer")
    """
    metadata = {"static": True, **(kwargs.pop("metadata", None) or {})}
    return dataclasses.field(metadata=metadata, **kwargs)


__all__ = [
    "all",
    "broadcast",
    "flatten",
    "flatten_with_path",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "reduce",
    "reduce_associative",
    "static",
    "structure",
    "transpose",
    "unflatten",
]
