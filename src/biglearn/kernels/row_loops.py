"""The three loops of a pass over a block of rows, compiled.

Rows come as a block (d, b), features first.  One strip or one register of rows at a time meets
all components, so that the products y_i y_j are never stored for a whole block, and every number
that is loaded is used several times.  Rows of arrays run along contiguous memory; the rows of one
array may lie apart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import float32, float64, int64, literally, njit

from biglearn.kernels.compiling import compiled
from biglearn.kernels.vectors import (
    MANY_REGISTERS,
    REGISTER_BYTES,
    add_totals,
    constant,
    exponential,
    halves,
    lanes,
    larger,
    load,
    repeat,
    spread,
    store,
)

#: Registers that a strip of rows takes in `log_joint`, and the components, and for each of them
#: the rows of W_k, that meet it at once.
STRIP = 4 if MANY_REGISTERS else 2
PAIR = 2

#: Components whose sums `add_sums` holds in registers, for as many products y_i y_j.
GROUP = 4 if MANY_REGISTERS else 2
PRODUCTS = 6

_ONE, _ROWS, _BOTH = 1, 2, 2 * PAIR


@njit
def _start(array: Any) -> Any:
    return np.int64(array.ctypes.data)


@njit
def _distances(strip, parameters, size, first, at, stride, like, group, both):
    """Store log π_k N of a strip under `group` components; `both` is twice their number."""
    group, both = literally(group), literally(both)
    step, many = group * like.itemsize, both * like.itemsize
    width = STRIP * REGISTER_BYTES
    constants, factors = parameters, parameters + many * ((size + 1) // 2) + 2 * step
    total = constant(0.0, like, group, STRIP)
    for i in range(0, size, 2):
        whitened = spread(constants, like, both, STRIP)
        constants += many
        for j in range(first * i, min(i + 2, size)):
            row = repeat(load(strip + j * width, 0, like, _ONE, STRIP), both)
            whitened = whitened + spread(factors, like, both, STRIP) * row
            factors += many
        total = total + halves(whitened * whitened)
    half, top = constants, constants + step
    density = spread(half, like, group, STRIP) * total + spread(top, like, group, STRIP)
    store(at, stride, density, group)


def log_joint(rows, parameters, first, out, strip, spare):
    """Write log π_k N(y_n) = c_k - ½‖W_k y_n - W_k μ_k‖².

    Parameters
    ----------
    rows : array of shape (d, b)
    parameters : array
        Of each component -W_k μ_k, then -½, then c_k, then the lower triangle of W_k row by row,
        or its diagonal alone; those of `PAIR` components interleaved, and of one that is left
        over by itself.
    first : int
        0, or 1 where the W_k are diagonal.
    out : array of shape (K, b)
    strip : array of shape (d, width)
        Work space of `STRIP` registers a row.
    spare : array of shape (K, width)
        Work space.
    """
    size, n_rows = rows.shape
    n_components, width, item = len(out), strip.shape[1], rows.itemsize
    each = len(parameters) // n_components * item
    for start in range(0, n_rows, width):
        stop = min(start + width, n_rows)
        for i in range(size):
            for n in range(start, stop):
                strip[i, n - start] = rows[i, n]
            for n in range(stop - start, width):
                strip[i, n] = 0.0
        whole = stop - start == width
        at, stride = _start(spare), spare.strides[0]
        if whole:
            at, stride = _start(out) + start * item, out.strides[0]
        of_strip, of_pair = _start(strip), _start(parameters)
        for _ in range(n_components // PAIR):
            _distances(of_strip, of_pair, size, first, at, stride, rows, PAIR, _BOTH)
            of_pair += PAIR * each
            at += PAIR * stride
        if n_components % PAIR:
            _distances(of_strip, of_pair, size, first, at, stride, rows, _ONE, _ROWS)
        if not whole:
            for k in range(n_components):
                for n in range(start, stop):
                    out[k, n] = spare[k, n - start]


@njit
def _softmax(at, stride, n_components, background, least, lowest, highest, total, like):
    """Normalise one register of rows at an address."""
    top = load(at, 0, like, _ONE, _ONE)
    for k in range(1, n_components):
        top = larger(top, load(at + k * stride, 0, like, _ONE, _ONE))
    if background:
        top = larger(top, load(background, 0, like, _ONE, _ONE))
    store(highest, 0, top, _ONE)
    bottom = constant(least, like, _ONE, _ONE)
    top = larger(top, constant(lowest, like, _ONE, _ONE))  # finite where all terms are -inf
    mass = constant(0.0, like, _ONE, _ONE)
    for k in range(n_components):
        share = exponential(larger(load(at + k * stride, 0, like, _ONE, _ONE) - top, bottom))
        store(at + k * stride, 0, share, _ONE)
        mass = mass + share
    if background:
        mass = mass + exponential(larger(load(background, 0, like, _ONE, _ONE) - top, bottom))
    store(total, 0, mass, _ONE)
    inverse = constant(1.0, like, _ONE, _ONE) / mass
    for k in range(n_components):
        share = load(at + k * stride, 0, like, _ONE, _ONE) * inverse
        store(at + k * stride, 0, share, _ONE)


def normalise(log_joint, background, least, lowest, out, spare):
    """Turn log π_k N(y_n) into responsibilities in place; see `biglearn.densities.normalise`.

    Parameters
    ----------
    log_joint : array of shape (K, b)
    background : array of shape (b,), or (0,) for none
    least : float
        Differences from the largest term below it are raised to it.
    lowest : float
        Stands for a largest term of -inf.
    out : array of shape (2, b)
        Gets the largest term m, and Σ exp(term - m): log p is m plus the logarithm of that.
    spare : array of shape (K + 3, lanes)
        Work space.
    """
    n_components, n_rows = log_joint.shape
    width, item = spare.shape[1], log_joint.itemsize
    behind = _start(background) if len(background) else 0
    at, found = _start(log_joint), _start(out)
    whole = n_rows - n_rows % width
    for start in range(0, whole, width):
        skip = start * item
        _softmax(
            at + skip,
            log_joint.strides[0],
            n_components,
            behind + skip if behind else 0,
            least,
            lowest,
            found + skip,
            found + out.strides[0] + skip,
            log_joint,
        )
    if whole == n_rows:
        return
    for n in range(width):
        inside = whole + n < n_rows
        for k in range(n_components):
            spare[k, n] = log_joint[k, whole + n] if inside else 0.0
        spare[n_components, n] = background[whole + n] if inside and behind else 0.0
    at, stride = _start(spare), spare.strides[0]
    last = at + n_components * stride
    found = last + stride
    behind = last if behind else 0
    _softmax(at, stride, n_components, behind, least, lowest, found, found + stride, log_joint)
    for n in range(whole, n_rows):
        for k in range(n_components):
            log_joint[k, n] = spare[k, n - whole]
        for i in range(2):
            out[i, n] = spare[n_components + 1 + i, n - whole]


@njit
def _add_six(at, stride, group, a, b, c, d, e, f):
    group = literally(group)
    add_totals(at, stride, a, group)
    add_totals(at + 8, stride, b, group)
    add_totals(at + 16, stride, c, group)
    add_totals(at + 24, stride, d, group)
    add_totals(at + 32, stride, e, group)
    add_totals(at + 40, stride, f, group)


@njit
def _product(left, right, at, like):
    """Return y_i y_j of one register of rows, and store it for the components to come."""
    value = load(left, 0, like, _ONE, _ONE) * load(right, 0, like, _ONE, _ONE)
    store(at, 0, value, _ONE)
    return value


@njit
def _first_sums(shares, stride, rows, step, left, right, made, gap, length, at, jump, like, group):
    """Make six products y_i y_j and sum them under `group` components."""
    group = literally(group)
    l0, l1, l2 = rows + step * left[0], rows + step * left[1], rows + step * left[2]
    l3, l4, l5 = rows + step * left[3], rows + step * left[4], rows + step * left[5]
    r0, r1, r2 = rows + step * right[0], rows + step * right[1], rows + step * right[2]
    r3, r4, r5 = rows + step * right[3], rows + step * right[4], rows + step * right[5]
    a = b = c = d = e = f = constant(0.0, like, group, _ONE)
    for n in range(0, length, REGISTER_BYTES):
        share = load(shares + n, stride, like, group, _ONE)
        a = a + share * repeat(_product(l0 + n, r0 + n, made + n, like), group)
        b = b + share * repeat(_product(l1 + n, r1 + n, made + gap + n, like), group)
        c = c + share * repeat(_product(l2 + n, r2 + n, made + 2 * gap + n, like), group)
        d = d + share * repeat(_product(l3 + n, r3 + n, made + 3 * gap + n, like), group)
        e = e + share * repeat(_product(l4 + n, r4 + n, made + 4 * gap + n, like), group)
        f = f + share * repeat(_product(l5 + n, r5 + n, made + 5 * gap + n, like), group)
    _add_six(at, jump, group, a, b, c, d, e, f)


@njit
def _more_sums(shares, stride, made, gap, length, at, jump, like, group):
    """Sum the six products that were made under `group` more components."""
    group = literally(group)
    a = b = c = d = e = f = constant(0.0, like, group, _ONE)
    for n in range(0, length, REGISTER_BYTES):
        share = load(shares + n, stride, like, group, _ONE)
        now = made + n
        a = a + share * repeat(load(now, 0, like, _ONE, _ONE), group)
        b = b + share * repeat(load(now + gap, 0, like, _ONE, _ONE), group)
        c = c + share * repeat(load(now + 2 * gap, 0, like, _ONE, _ONE), group)
        d = d + share * repeat(load(now + 3 * gap, 0, like, _ONE, _ONE), group)
        e = e + share * repeat(load(now + 4 * gap, 0, like, _ONE, _ONE), group)
        f = f + share * repeat(load(now + 5 * gap, 0, like, _ONE, _ONE), group)
    _add_six(at, jump, group, a, b, c, d, e, f)


@njit
def _add_sums(shares, stride, rows, step, n_rows, left, right, out, products):
    """Add the sums over a whole number of registers of rows at two addresses."""
    n_components, like = len(out), products
    length = n_rows * products.itemsize
    made, gap, jump = _start(products), products.strides[0], out.strides[0]
    for p in range(0, len(left), PRODUCTS):
        at, share = _start(out) + 8 * p, shares
        i, j = left[p : p + PRODUCTS], right[p : p + PRODUCTS]
        if n_components >= GROUP:
            done = GROUP
            _first_sums(share, stride, rows, step, i, j, made, gap, length, at, jump, like, GROUP)
        else:
            done = 1
            _first_sums(share, stride, rows, step, i, j, made, gap, length, at, jump, like, _ONE)
        at += done * jump
        share += done * stride
        while done + GROUP <= n_components:
            _more_sums(share, stride, made, gap, length, at, jump, like, GROUP)
            at += GROUP * jump
            share += GROUP * stride
            done += GROUP
        if done + 2 <= n_components:
            _more_sums(share, stride, made, gap, length, at, jump, like, 2)
            at += 2 * jump
            share += 2 * stride
            done += 2
        if done < n_components:
            _more_sums(share, stride, made, gap, length, at, jump, like, _ONE)


def add_sums(shares, rows, left, right, out, products, spare):
    """Add Σ_n r_kn y_in y_jn for pairs (i, j).

    Parameters
    ----------
    shares : array of shape (K, b)
    rows : array of shape (m, b)
    left, right : array of shape (P,)
        The pairs of rows; P is a multiple of `PRODUCTS`.
    out : float64 array of shape (K, P)
    products : array of shape (PRODUCTS, chunk)
        Work space; so many rows are summed at a time, a multiple of a register.
    spare : array of shape (K + m, lanes)
        Work space.
    """
    n_components, n_rows = shares.shape
    width = spare.shape[1]
    whole = n_rows - n_rows % width
    item, stride, step = rows.itemsize, shares.strides[0], rows.strides[0]
    chunk = products.shape[1]
    for start in range(0, whole, chunk):
        length = min(chunk, whole - start)
        share, row = _start(shares) + start * item, _start(rows) + start * item
        _add_sums(share, stride, row, step, length, left, right, out, products)
    if whole == n_rows:
        return
    for n in range(width):
        inside = whole + n < n_rows
        for k in range(n_components):
            spare[k, n] = shares[k, whole + n] if inside else 0.0
        for i in range(len(rows)):
            spare[n_components + i, n] = rows[i, whole + n] if inside else 0.0
    at, step = _start(spare), spare.strides[0]
    behind = at + n_components * step
    _add_sums(at, step, behind, step, width, left, right, out, products)


class Passes(NamedTuple):
    """The loops, compiled for one type of number.

    Attributes
    ----------
    log_joint, normalise, add_sums : callable
    lanes, strip : int
        Numbers of a register, and of a strip.
    pair, products : int
        Components that lie side by side, and products that are summed at once.
    """

    log_joint: Callable[..., None]
    normalise: Callable[..., None]
    add_sums: Callable[..., None]
    lanes: int
    strip: int
    pair: int = PAIR
    products: int = PRODUCTS


@lru_cache(maxsize=2)
def passes(dtype: np.dtype[Any]) -> Passes:
    """Compile the loops for float64 or float32, or load what an earlier process compiled."""
    number = float64 if dtype == np.float64 else float32
    one, two, indices = number[:], number[:, :], int64[:]
    return Passes(
        compiled(log_joint, two, one, int64, two, two, two),
        compiled(normalise, two, one, float64, float64, two, two),
        compiled(add_sums, two, two, indices, indices, float64[:, :], two, two),
        lanes=lanes(dtype),
        strip=STRIP * lanes(dtype),
    )
