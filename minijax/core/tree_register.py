"""How does a user's class become a node of pytrees?

Four ways, from the most general to the shortest to write: a pair of functions
(``register_pytree_node``, with keys ``register_pytree_with_keys``), a pair of methods (the
``_class`` decorators), a list of attributes (``register_dataclass``), or nothing at all for a class
whose whole value is metadata (``register_static``).

An unflatten function should not check its arguments: transformations build trees with tracers, with
booleans, and with placeholder objects as leaves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from minijax.core.tree_nodes import CustomNode, DataclassNode, register_node_type

T = TypeVar("T")
TypeT = TypeVar("TypeT", bound=type)


def register_pytree_node(
    nodetype: type[T],
    flatten_func: Callable[[T], tuple[Iterable[Any], Hashable]],
    unflatten_func: Callable[[Any, tuple[Any, ...]], T],
    flatten_with_keys_func: Callable[[T], tuple[Iterable[tuple[Any, Any]], Hashable]] | None = None,
) -> None:
    """Make a class a pytree node.

    Parameters
    ----------
    nodetype
        The class. Subclasses are not registered with it.
    flatten_func
        ``node -> (children, metadata)``. Metadata should be hashable and comparable.
    unflatten_func
        ``(metadata, children) -> node``.
    flatten_with_keys_func
        ``node -> (((key, child), ...), metadata)``, for key paths.

    Raises
    ------
    ValueError
        If the class is registered already.

    Examples
    --------
    >>> class Pair:
    ...     def __init__(self, left, right):
    ...         self.left, self.right = left, right
    >>> register_pytree_node(
    ...     Pair, lambda p: ((p.left, p.right), None), lambda _, children: Pair(*children)
    ... )
    """
    for function in (flatten_func, unflatten_func):
        if not callable(function):
            raise TypeError(f"register_pytree_node takes functions, got {function!r}.")
    register_node_type(nodetype, CustomNode(flatten_func, unflatten_func, flatten_with_keys_func))


def register_pytree_with_keys(
    nodetype: type[T],
    flatten_with_keys: Callable[[T], tuple[Iterable[tuple[Any, Any]], Hashable]],
    unflatten_func: Callable[[Any, tuple[Any, ...]], T],
    flatten_func: Callable[[T], tuple[Iterable[Any], Hashable]] | None = None,
) -> None:
    """Make a class a pytree node whose children have names in key paths.

    Parameters
    ----------
    nodetype
        The class.
    flatten_with_keys
        ``node -> (((key, child), ...), metadata)``.
    unflatten_func
        ``(metadata, children) -> node``.
    flatten_func
        ``node -> (children, metadata)``: the same without keys, where that is quicker.

    Raises
    ------
    ValueError
        If the class is registered already.
    """
    register_node_type(nodetype, CustomNode(flatten_func, unflatten_func, flatten_with_keys))


def register_pytree_node_class(cls: TypeT) -> TypeT:
    """Class decorator: register a class by its methods.

    The class has ``tree_flatten(self) -> (children, metadata)`` and the class method
    ``tree_unflatten(cls, metadata, children)``.

    Raises
    ------
    AttributeError
        If a method is missing.
    """
    register_pytree_node(cls, cls.tree_flatten, cls.tree_unflatten)
    return cls


def register_pytree_with_keys_class(cls: TypeT) -> TypeT:
    """Class decorator: register a class by its methods, with keys.

    The class has ``tree_flatten_with_keys(self) -> (((key, child), ...), metadata)``, the class
    method ``tree_unflatten(cls, metadata, children)``, and may have ``tree_flatten(self)``.

    Raises
    ------
    AttributeError
        If a method is missing.
    """
    flatten_func = getattr(cls, "tree_flatten", None)
    register_pytree_with_keys(cls, cls.tree_flatten_with_keys, cls.tree_unflatten, flatten_func)
    return cls


def register_static(cls: type[T]) -> type[T]:
    """Class decorator: objects of the class are nodes without leaves, all metadata.

    Under ``jit`` such an argument is a constant: another value, by ``==``, compiles again. The
    class should be hashable.

    Raises
    ------
    ValueError
        If the class is registered already.
    """
    register_node_type(
        cls,
        CustomNode(lambda node: ((), node), lambda node, _: node, lambda node: ((), node)),
    )
    return cls


def register_dataclass(
    nodetype: TypeT,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
    drop_fields: Sequence[str] = (),
) -> TypeT:
    """Make a class a pytree node by naming its attributes.

    Parameters
    ----------
    nodetype
        A dataclass, or a class whose constructor takes the fields as keywords.
    data_fields
        Attributes that are children.
    meta_fields
        Attributes that are metadata: hashable, compared by ``==``. If neither of the two is given,
        a dataclass says it itself: fields with ``metadata={"static": True}`` are metadata.
    drop_fields
        Fields that are in neither and get their defaults when a node is built.

    Returns
    -------
    type
        ``nodetype``, so that this can be used as a decorator.

    Raises
    ------
    TypeError
        If only one of ``data_fields`` and ``meta_fields`` is given, or none for a class that is not
        a dataclass.
    ValueError
        If the two overlap, or are not together the fields with ``init=True`` of a dataclass.

    Examples
    --------
    >>> @register_dataclass
    ... @dataclasses.dataclass
    ... class Layer:
    ...     weight: float
    ...     name: str = dataclasses.field(metadata={"static": True})
    """
    if data_fields is None or meta_fields is None:
        data_fields, meta_fields = _infer_fields(nodetype, data_fields, meta_fields)
    _check_fields(nodetype, set(data_fields), set(meta_fields), set(drop_fields))
    register_node_type(nodetype, DataclassNode(tuple(data_fields), tuple(meta_fields)))
    return nodetype


def _infer_fields(
    nodetype: Any, data_fields: Sequence[str] | None, meta_fields: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    if data_fields is not None or meta_fields is not None:
        raise TypeError(
            "register_dataclass: data_fields and meta_fields must both be specified when either is "
            f"specified. Got {data_fields=} {meta_fields=}."
        )
    if not dataclasses.is_dataclass(nodetype):
        raise TypeError(
            "register_dataclass: data_fields and meta_fields are required when nodetype is not a "
            f"dataclass. Got {nodetype=}."
        )
    static = [bool(field.metadata.get("static")) for field in dataclasses.fields(nodetype)]
    names = [field.name for field in dataclasses.fields(nodetype)]
    return (
        [name for name, is_static in zip(names, static, strict=True) if not is_static],
        [name for name, is_static in zip(names, static, strict=True) if is_static],
    )


def _check_fields(nodetype: Any, data: set[str], meta: set[str], drop: set[str]) -> None:
    if overlap := data & meta:
        raise ValueError(
            f"data_fields and meta_fields must not overlap. Overlapping fields: {overlap}."
        )
    if not dataclasses.is_dataclass(nodetype):
        return
    expected = {field.name for field in dataclasses.fields(nodetype) if field.init} - drop
    complaint = (
        "data_fields and meta_fields must include all dataclass fields with ``init=True`` and only "
        "them."
    )
    if missing := expected - data - meta:
        raise ValueError(
            f"{complaint} Missing fields: {missing}. Add them to drop_fields to suppress this "
            "error."
        )
    if unexpected := (data | meta) - expected:
        raise ValueError(f"{complaint} Unexpected fields: {unexpected}.")
