"""Instructions that Python has no word for, and views that own nothing: for use inside kernels."""

from __future__ import annotations

from typing import Any

import numba as _numba
from llvmlite import ir
from numba import extending as _numba_extending
from numba.core import cgutils as _cgutils

numba: Any = _numba
cgutils: Any = _cgutils
_extending: Any = _numba_extending


def _borrowed(context: Any, array: Any) -> Any:
    """Return an array as a view that owns nothing, for use inside the kernel that was given it.

    Every time that an array is passed on, Numba counts its references with an atomic
    instruction; not so for a view. A view of an array that is only read can be written to: do not.
    """
    view_type = array.copy(readonly=False)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = context.make_array(array)(context, builder, arguments[0])
        view = context.make_array(view_type)(context, builder)
        for name in ("nitems", "itemsize", "data", "shape", "strides"):
            setattr(view, name, getattr(source, name))
        for name in ("meminfo", "parent"):
            setattr(view, name, context.get_constant_null(numba.types.voidptr))
        return view._getvalue()

    return view_type(array), generate


borrowed: Any = _extending.intrinsic(_borrowed)


def _load_8_bytes(context: Any, data: Any, i: Any) -> Any:
    """Return bytes ``i`` to ``i + 7`` of a uint8 array as one uint64, in the machine's byte order.

    Nothing is checked, in no mode: the caller sees to ``i + 8 <= len(data)``.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(data)(context, builder, arguments[0])
        number = context.get_value_type(numba.types.uint64)
        place = builder.gep(array.data, [arguments[1]])
        return builder.load(builder.bitcast(place, number.as_pointer()), align=1)

    return numba.types.uint64(data, numba.types.int64), generate


load_8_bytes: Any = _extending.intrinsic(_load_8_bytes)


def _trailing_zeros(context: Any, bits: Any) -> Any:
    """Return how many zero bits a uint64 that is not 0 ends with, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        not_zero = context.get_constant(numba.types.boolean, True)
        return builder.cttz(arguments[0], not_zero)

    return numba.types.int64(numba.types.uint64), generate


trailing_zeros: Any = _extending.intrinsic(_trailing_zeros)


def _count_ones(context: Any, bits: Any) -> Any:
    """Return how many bits of a uint64 are set, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return numba.types.int64(numba.types.uint64), generate


count_ones: Any = _extending.intrinsic(_count_ones)


def _add_rows(context: Any, rows: Any, chosen: Any, count: Any, total: Any) -> Any:
    """Add to ``total``, float32[width], the rows ``chosen[:count]`` of float32[num_rows, width], in order.

    ``width`` is a multiple of 16: so many sums stay in registers for the whole loop, which the compiler
    does not find out by itself. Nothing is checked, in no mode.
    """
    lanes = 16

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
            if isinstance(kind, numba.types.Array)
        ]
        matrix, numbers, sums = arrays
        index = arguments[2].type
        vector = ir.VectorType(ir.FloatType(), lanes)
        (width,) = cgutils.unpack_tuple(builder, sums.shape, 1)
        with cgutils.for_range_slice(builder, index(0), width, index(lanes), index) as (column, _):
            place = builder.bitcast(builder.gep(sums.data, [column]), vector.as_pointer())
            before = builder.load(place, align=4)
            entry = builder.basic_block
            loop, done = (builder.append_basic_block(name) for name in ("add_rows", "added_rows"))
            builder.cbranch(builder.icmp_signed(">", arguments[2], index(0)), loop, done)
            builder.position_at_end(loop)
            k, partial = builder.phi(index), builder.phi(vector)
            row = builder.sext(builder.load(builder.gep(numbers.data, [k])), index)
            first = builder.add(builder.mul(row, width), column)
            source = builder.bitcast(builder.gep(matrix.data, [first]), vector.as_pointer())
            added = builder.fadd(partial, builder.load(source, align=4))
            following = builder.add(k, index(1))
            builder.cbranch(builder.icmp_signed("<", following, arguments[2]), loop, done)
            for phi, at_first, at_last in ((k, index(0), following), (partial, before, added)):
                phi.add_incoming(at_first, entry)
                phi.add_incoming(at_last, loop)
            builder.position_at_end(done)
            result = builder.phi(vector)
            result.add_incoming(before, entry)
            result.add_incoming(added, loop)
            builder.store(result, place, align=4)
        return context.get_dummy_value()

    return numba.types.void(rows, chosen, count, total), generate


add_rows: Any = _extending.intrinsic(_add_rows)
