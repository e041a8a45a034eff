"""Vectors of numbers that Numba's compiler holds in registers.

A `Vector` is `group` parts of as many lanes; kernels write ``t = t + w * y`` for all of them
at once.  Addresses are integers in bytes; whoever takes the address of an array keeps it alive.
Multiplications and additions may be fused, and are never put in another order.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model

_FEATURES = binding.get_host_cpu_features()

#: Whether there are 32 vector registers (AVX-512, NEON) or 16 (AVX2 and older).
MANY_REGISTERS = bool(_FEATURES.get("avx512f") or _FEATURES.get("neon"))

#: Bytes of a vector register.
REGISTER_BYTES = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx") else 16

_INDEX = ir.IntType(32)


def lanes(dtype: np.dtype[Any]) -> int:
    """Return how many numbers a register holds."""
    return REGISTER_BYTES // np.dtype(dtype).itemsize


class Vector(types.Type):
    """Numba's type of a vector: its parts may come from different places in memory."""

    def __init__(self, dtype: Any, length: int) -> None:
        self.dtype, self.length = dtype, length
        super().__init__(f"Vector({dtype}, {length})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, ir.VectorType(_element(vector.dtype), vector.length))


def _element(dtype: Any) -> ir.Type:
    return ir.DoubleType() if dtype == types.float64 else ir.FloatType()


def _size(dtype: Any) -> int:
    return int(dtype.bitwidth) // 8


def _mask(indices: Any) -> ir.Constant:
    found = list(indices)
    return ir.Constant(ir.VectorType(_INDEX, len(found)), found)


def _constant(kind: ir.VectorType, value: float) -> ir.Constant:
    return ir.Constant(kind, [kind.element(value)] * kind.count)


def _pointer(builder: Any, address: Any, kind: ir.Type) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _join(builder: Any, parts: list[Any]) -> Any:
    """Put vectors one after the other; their number is a power of two."""
    while len(parts) > 1:
        both = _mask(range(2 * parts[0].type.count))
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [builder.shuffle_vector(one, other, both) for one, other in pairs]
    return parts[0]


def _parts(builder: Any, vector: Any, group: int) -> list[Any]:
    width = vector.type.count // group
    starts = range(0, vector.type.count, width)
    return [builder.shuffle_vector(vector, vector, _mask(range(s, s + width))) for s in starts]


def _splat(builder: Any, number: Any, length: int) -> Any:
    nothing = ir.Constant(ir.VectorType(number.type, length), ir.Undefined)
    first = builder.insert_element(nothing, number, _INDEX(0))
    return builder.shuffle_vector(first, nothing, _mask([0] * length))


def _value(literal: Any) -> int | None:
    return literal.literal_value if isinstance(literal, types.IntegerLiteral) else None


def _shape(like: Any, group: Any, registers: Any) -> tuple[Vector, int, int] | None:
    """Return the vector that an array's numbers make, its parts, and the length of one."""
    parts, per_part = _value(group), _value(registers)
    if parts is None or per_part is None:
        return None
    length = per_part * REGISTER_BYTES // _size(like.dtype)
    return Vector(like.dtype, parts * length), parts, length


@intrinsic(prefer_literal=True)
def load(_: Any, at: Any, stride: Any, like: Any, group: Any, registers: Any) -> Any:
    """Load `group` parts of so many registers, each `stride` bytes behind the last."""
    shape = _shape(like, group, registers)
    if shape is None:
        return None
    vector, parts, length = shape
    part = ir.VectorType(_element(vector.dtype), length)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, step = arguments[:2]
        found = []
        for _ in range(parts):
            pointer = _pointer(builder, address, part)
            found.append(builder.load(pointer, align=_size(vector.dtype)))
            address = builder.add(address, step)
        return _join(builder, found)

    return vector(types.int64, types.int64, like, group, registers), generate


@intrinsic(prefer_literal=True)
def spread(_: Any, at: Any, like: Any, group: Any, registers: Any) -> Any:
    """Load `group` numbers that lie side by side, each into all lanes of a part."""
    shape = _shape(like, group, registers)
    if shape is None:
        return None
    vector, parts, length = shape
    size = _size(vector.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = []
        for part in range(parts):
            address = builder.add(arguments[0], arguments[0].type(part * size))
            number = builder.load(_pointer(builder, address, _element(vector.dtype)), align=size)
            found.append(_splat(builder, number, length))
        return _join(builder, found)

    return vector(types.int64, like, group, registers), generate


@intrinsic(prefer_literal=True)
def constant(_: Any, number: Any, like: Any, group: Any, registers: Any) -> Any:
    """Fill a vector with a number."""
    shape = _shape(like, group, registers)
    if shape is None:
        return None
    vector = shape[0]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cast = context.cast(builder, arguments[0], types.float64, vector.dtype)
        return _splat(builder, cast, vector.length)

    return vector(types.float64, like, group, registers), generate


@intrinsic(prefer_literal=True)
def repeat(_: Any, vector: Any, group: Any) -> Any:
    """Repeat a vector as every part of a larger one."""
    times = _value(group)
    if times is None:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _join(builder, [arguments[0]] * times)

    return Vector(vector.dtype, times * vector.length)(vector, group), generate


@intrinsic
def halves(_: Any, vector: Any) -> Any:
    """Add the second half of a vector to its first half."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*_parts(builder, arguments[0], 2))

    return Vector(vector.dtype, vector.length // 2)(vector), generate


@intrinsic(prefer_literal=True)
def store(_: Any, at: Any, stride: Any, vector: Any, group: Any) -> Any:
    """Store the parts, each `stride` bytes behind the last."""
    parts = _value(group)
    if parts is None:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, step, whole, _ = arguments
        for part in _parts(builder, whole, parts):
            pointer = _pointer(builder, address, part.type)
            builder.store(part, pointer, align=_size(vector.dtype))
            address = builder.add(address, step)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, vector, group), generate


@intrinsic(prefer_literal=True)
def add_totals(_: Any, at: Any, stride: Any, vector: Any, group: Any) -> Any:
    """Add the sum over the lanes of each part to the float64 numbers at an address."""
    parts = _value(group)
    if parts is None:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, step, whole, _ = arguments
        for found in _parts(builder, whole, parts):
            part = found
            while part.type.count > 1:
                part = builder.fadd(*_parts(builder, part, 2))
            total = builder.extract_element(part, _INDEX(0))
            total = context.cast(builder, total, vector.dtype, types.float64)
            pointer = _pointer(builder, address, ir.DoubleType())
            builder.store(builder.fadd(builder.load(pointer), total), pointer)
            address = builder.add(address, step)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, vector, group), generate


def _binary(operation: Callable[..., Any]) -> Any:
    """Make an intrinsic of a builder of two vectors of one type."""

    @intrinsic
    def of(_: Any, one: Any, other: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return operation(builder, *arguments)

        return one(one, one), generate

    return of


_add = _binary(lambda builder, a, b: builder.fadd(a, b, flags=("contract",)))
_subtract = _binary(lambda builder, a, b: builder.fsub(a, b))
_multiply = _binary(lambda builder, a, b: builder.fmul(a, b, flags=("contract",)))
_divide = _binary(lambda builder, a, b: builder.fdiv(a, b))
_larger = _binary(
    lambda builder, a, b: builder.select(builder.fcmp_ordered("<", a, b), b, a)  # NaN in a stays
)


def larger(one: Any, other: Any) -> Any:
    """Return the larger of two vectors, lane by lane; NaN where the first one has it."""
    raise NotImplementedError("this is for compiled code")


def _operator(function: Any, implementation: Callable[..., Any]) -> None:
    @overload(function, inline="never")
    def of(one, other):  # Numba compares the signatures, annotations included
        if isinstance(one, Vector) and one == other:
            return lambda one, other: implementation(one, other)
        return None


_operator(operator.add, _add)
_operator(operator.sub, _subtract)
_operator(operator.mul, _multiply)
_operator(operator.truediv, _divide)
_operator(larger, _larger)

#: Of exp: the bits of the mantissa, the bias of the exponent, ln 2 in two parts of which the
#: first has few bits, and the degree of the polynomial.
_EXPONENTIAL = {
    types.float64: (52, 1023, 0.693147180369123816490, 1.90821492927058770002e-10, 13),
    types.float32: (23, 127, 0.693359375, -2.12194440e-4, 7),
}


@intrinsic
def exponential(_: Any, vector: Any) -> Any:
    """Return exp(x) of numbers whose exponential is neither 0 nor infinite; NaN stays.

    exp(x) = 2ⁿ exp(r) with |r| ≤ ln 2 / 2.  Adding 1.5 · 2⁵² (2²³ in single precision) rounds
    to an integer, which is then read from the low bits; Taylor's polynomial is exact to the
    rounding unit on what remains.
    """
    bits, bias, high, low, degree = _EXPONENTIAL[vector.dtype]
    kind = ir.VectorType(_element(vector.dtype), vector.length)
    whole = ir.VectorType(ir.IntType(8 * _size(vector.dtype)), vector.length)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def fused(a: Any, b: Any, c: Any) -> Any:
            return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))

        def number(value: float) -> Any:
            return _constant(kind, value)

        x, magic = arguments[0], number(1.5 * 2.0**bits)
        shifted = fused(x, number(1.0 / math.log(2.0)), magic)
        n = builder.fsub(shifted, magic)
        r = fused(n, number(-low), fused(n, number(-high), x))
        result = number(1.0 / math.factorial(degree))
        for i in range(degree - 1, -1, -1):
            result = fused(result, r, number(1.0 / math.factorial(i)))
        exponent = builder.add(builder.bitcast(shifted, whole), _constant(whole, bias))
        scale = builder.shl(exponent, _constant(whole, bits))
        return builder.fmul(result, builder.bitcast(scale, kind))

    return vector(vector), generate
