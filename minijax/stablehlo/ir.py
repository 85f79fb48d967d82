"""What is a StableHLO program made of?

Types, values, operations, blocks, functions, one module: the nouns of MLIR, as far as StableHLO
needs them, as plain Python objects. Lowering appends operations to blocks; a backend may walk the
module and replace operations by others; ``str(module)`` is the text that compilers read.

Operations print in MLIR's *generic* form, ``"stablehlo.add"(%0, %1) : (...) -> ...``, the form of
the StableHLO specification. It is uniform, so that one short printer writes every operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minijax.core import dtypes
from minijax.core.aval import AbstractToken, ShapedArray
from minijax.source_info import UNKNOWN, SourceInfo

_ELEMENT_TYPES = {
    "bool": "i1", "int4": "i4", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "uint4": "ui4", "uint8": "ui8", "uint16": "ui16", "uint32": "ui32", "uint64": "ui64",
    "bfloat16": "bf16", "float16": "f16", "float32": "f32", "float64": "f64",
    "complex64": "complex<f32>", "complex128": "complex<f64>",
    "float8_e4m3fn": "f8E4M3FN", "float8_e5m2": "f8E5M2", "float8_e4m3fnuz": "f8E4M3FNUZ",
    "float8_e5m2fnuz": "f8E5M2FNUZ", "float8_e4m3b11fnuz": "f8E4M3B11FNUZ",
    "float8_e4m3": "f8E4M3", "float8_e3m4": "f8E3M4", "float8_e8m0fnu": "f8E8M0FNU",
    "float4_e2m1fn": "f4E2M1FN", "int2": "i2", "uint2": "ui2",
}  # fmt: skip


def element_type(dtype: Any) -> str:
    """Return the MLIR spelling of a dtype; keys are spelled as the integers that store them."""
    if isinstance(dtype, dtypes.ExtendedDType):
        dtype = dtype.storage
    found = _ELEMENT_TYPES.get(dtype.name)
    if found is None:
        raise TypeError(f"dtype {dtype.name} has no StableHLO element type")
    return found


@dataclass(frozen=True, slots=True)
class TensorType:
    """The type of a value: shape and element type, ``tensor<3x4xf32>``."""

    shape: tuple[int, ...]
    element: str

    def __str__(self) -> str:
        return f"tensor<{''.join(f'{n}x' for n in self.shape)}{self.element}>"

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)


@dataclass(frozen=True, slots=True)
class TokenType:
    """The type of a token."""

    def __str__(self) -> str:
        return "!stablehlo.token"


def type_of_aval(aval: Any) -> Any:
    """Return the StableHLO type of values of an abstract value."""
    if isinstance(aval, AbstractToken):
        return TokenType()
    assert isinstance(aval, ShapedArray), aval
    return TensorType(aval.shape, element_type(aval.dtype))


class Value:
    """A result of an operation or an argument of a block (``owner`` tells which)."""

    __slots__ = ("owner", "type")

    def __init__(self, type: Any, owner: Operation | Block | None = None):
        self.type = type
        self.owner = owner

    @property
    def defining_op(self) -> Operation | None:
        """The operation that computes the value; None for an argument."""
        return self.owner if isinstance(self.owner, Operation) else None


# -- attributes: plain Python values where their MLIR spelling is clear, else one of these -----


@dataclass(frozen=True, slots=True)
class Raw:
    """An attribute spelled out: ``#stablehlo<comparison_direction LT>``."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A constant array."""

    value: np.ndarray
    element: str


@dataclass(frozen=True, slots=True)
class Dims:
    """A structured attribute such as ``#stablehlo.gather<offset_dims = [0], ...>``."""

    name: str
    fields: tuple[tuple[str, Any], ...]

    def __getitem__(self, key: str) -> Any:
        return dict(self.fields)[key]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A reference to a function."""

    name: str


@dataclass(frozen=True, slots=True)
class IntegerMatrix:
    """A dense matrix of ``i64``, as paddings of windows are given."""

    rows: tuple[tuple[int, ...], ...]


class Operation:
    """One operation: name, operands, attributes, regions, results and the user's source."""

    __slots__ = ("attributes", "name", "operands", "regions", "results", "source")

    def __init__(
        self,
        name: str,
        operands: Sequence[Value],
        result_types: Sequence[Any],
        attributes: dict[str, Any] | None = None,
        regions: Sequence[Block] = (),
        source: SourceInfo = UNKNOWN,
    ):
        self.name = name
        self.operands = list(operands)
        self.attributes = attributes or {}
        self.regions = list(regions)
        self.results = [Value(t, self) for t in result_types]
        self.source = source

    @property
    def result(self) -> Value:
        """The only result."""
        (value,) = self.results
        return value


class Block:
    """A list of operations with arguments: the body of a function or of a region."""

    __slots__ = ("arguments", "operations")

    def __init__(self, argument_types: Sequence[Any] = ()):
        self.arguments = [Value(t, self) for t in argument_types]
        self.operations: list[Operation] = []

    def walk(self) -> Iterator[Operation]:
        """Yield all operations, those of nested regions after the one that holds them."""
        for op in self.operations:
            yield op
            for region in op.regions:
                yield from region.walk()


@dataclass(slots=True)
class Function:
    """A function: its body ends with ``func.return``."""

    name: str
    body: Block
    result_types: list[Any]
    public: bool = False


@dataclass(slots=True)
class Module:
    """A program: functions, the public one called ``main``."""

    name: str
    functions: list[Function] = field(default_factory=list)

    @property
    def main(self) -> Function:
        """The entry function."""
        return next(f for f in self.functions if f.name == "main")

    def __str__(self) -> str:
        return self.text()

    def text(self, locations: bool = True) -> str:
        """Return MLIR text; with ``locations`` every operation names the user's line."""
        return _Printer(locations).module(self)


# -- printing ---------------------------------------------------------------------------------


class _Printer:
    """Writes a module; numbers values per function."""

    def __init__(self, locations: bool):
        self.locations = locations
        self.lines: list[str] = []
        self.names: dict[Value, str] = {}

    def module(self, module: Module) -> str:
        self.lines.append(f"module @{_symbol(module.name)} {{")
        for function in module.functions:
            self.function(function)
        self.lines.append("}")
        return "\n".join(self.lines) + "\n"

    def function(self, function: Function) -> None:
        self.names = {}
        visibility = "public" if function.public else "private"
        arguments = ", ".join(
            f"{self.define(value, f'%arg{i}')}: {value.type}"
            for i, value in enumerate(function.body.arguments)
        )
        results = ", ".join(map(str, function.result_types))
        head = f"  func.func {visibility} @{_symbol(function.name)}({arguments}) -> ({results})"
        self.lines.append(head + " {")
        self.operations(function.body, "    ")
        self.lines.append("  }")

    def define(self, value: Value, name: str | None = None) -> str:
        found = self.names[value] = name or f"%{len(self.names)}"
        return found

    def operations(self, block: Block, indent: str) -> None:
        for op in block.operations:
            self.operation(op, indent)

    def operation(self, op: Operation, indent: str) -> None:
        operands = ", ".join(self.names[value] for value in op.operands)
        types = ", ".join(str(value.type) for value in op.operands)
        results = ", ".join(str(value.type) for value in op.results)
        attributes = ", ".join(f"{k} = {attribute(v)}" for k, v in op.attributes.items())
        suffix = (f" {{{attributes}}}" if attributes else "") + f" : ({types}) -> ({results})"
        suffix += self.location(op.source)
        head = indent + f'"{op.name}"({operands})'
        if op.results:
            names = ", ".join(self.define(value) for value in op.results)
            head = indent + f'{names} = "{op.name}"({operands})'
        if not op.regions:
            self.lines.append(head + suffix)
            return
        self.lines.append(head + " ({")
        for i, region in enumerate(op.regions):
            if i:
                self.lines.append(indent + "}, {")
            if region.arguments:
                named = [(self.define(v), v.type) for v in region.arguments]
                self.lines.append(f"{indent}^bb0({', '.join(f'{n}: {t}' for n, t in named)}):")
            self.operations(region, indent + "  ")
        self.lines.append(indent + "})" + suffix)

    def location(self, source: SourceInfo) -> str:
        if not self.locations or source.code is None:
            return ""
        line, column = source.position()
        return f" loc({_quoted(source.file_name)}:{line}:{column + 1})"


def _symbol(name: str) -> str:
    plain = name.replace("_", "a").replace(".", "a")
    return name if plain.isalnum() and plain.isascii() and not name[0].isdigit() else _quoted(name)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def attribute(value: Any) -> str:
    """Return the MLIR spelling of an attribute.

    >>> attribute((0, 2)), attribute(True), attribute(3)
    ('array<i64: 0, 2>', 'true', '3 : i64')
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value} : i64"
        case tuple():
            if value and isinstance(value[0], bool):
                return f"array<i1: {', '.join('true' if v else 'false' for v in value)}>"
            return f"array<i64: {', '.join(map(str, value))}>" if value else "array<i64>"
        case list():
            return f"[{', '.join(map(attribute, value))}]"
        case str():
            return _quoted(value)
        case Raw():
            return value.text
        case Symbol():
            return f"@{_symbol(value.name)}"
        case Dense():
            return _dense(value)
        case Dims():
            fields = ", ".join(f"{k} = {_field(v)}" for k, v in value.fields if v not in ((), []))
            return f"#stablehlo.{value.name}<{fields}>"
        case IntegerMatrix():
            rows = ", ".join(f"[{', '.join(map(str, row))}]" for row in value.rows)
            shape = (len(value.rows), len(value.rows[0]) if value.rows else 2)
            literal = f"[{rows}]" if value.rows else ""
            return f"dense<{literal}> : tensor<{shape[0]}x{shape[1]}xi64>"
    raise TypeError(f"no MLIR spelling for attribute {value!r}")


def _field(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"[{', '.join(map(str, value))}]"


def _dense(constant: Dense) -> str:
    array = np.asarray(constant.value)
    kind = TensorType(array.shape, constant.element)
    if array.size == 0:
        return f"dense<> : {kind}"
    flat = array.reshape(-1)
    if array.ndim == 0 or _is_splat(flat):
        return f"dense<{_element(flat[0])}> : {kind}"
    if constant.element == "i1" or constant.element.startswith("complex"):
        return f"dense<{_nested(array)}> : {kind}"
    return f'dense<"0x{np.ascontiguousarray(array).tobytes().hex().upper()}"> : {kind}'


def _is_splat(flat: np.ndarray) -> bool:
    raw = flat.reshape(-1, 1).view(np.uint8)
    return bool((raw == raw[:1]).all())


def _nested(array: np.ndarray) -> str:
    if array.ndim == 0:
        return _element(array[()])
    return f"[{', '.join(_nested(row) for row in array)}]"


def _element(x: Any) -> str:
    if isinstance(x, (bool, np.bool_)):
        return "true" if x else "false"
    if isinstance(x, (complex, np.complexfloating)):
        return f"({_element(x.real)}, {_element(x.imag)})"
    if isinstance(x, np.generic) and dtypes.issubdtype(x.dtype, np.floating):
        as_float = float(x)
        if not np.isfinite(as_float) or x.dtype.itemsize == 1:
            bits = x.reshape(1).view(f"u{x.dtype.itemsize}")[0]
            return f"0x{int(bits):0{2 * x.dtype.itemsize}X}"
        return _float_text(as_float)
    return str(int(x))


def _float_text(x: float) -> str:
    text = repr(x)
    if "e" in text:  # MLIR wants a decimal point in the mantissa
        mantissa, exponent = text.split("e")
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent}"
    return text
