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

from biglearn.kernels import PRODUCTS
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

#: Sums that `add_sums` holds in registers: of so many products, weighted by as many other rows.
GROUP = 4 if MANY_REGISTERS else 2

#: Features that `add_sums` takes at a time, so that their rows stay in the second-level cache.
PANEL = 128

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
        Of each component -W_k μ_k, with a zero more where d is odd, then -½, then c_k, then the
        lower triangle of W_k or its diagonal, in the order of `layouts.two_rows_at_once`; those of
        `PAIR` components interleaved, and of one that is left over by itself.
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
    """Turn log π_k N(y_n) into responsibilities in place; see `biglearn.model.densities.normalise`.

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
def _add_six(at, apart, stride, group, a, b, c, d, e, f):
    group = literally(group)
    add_totals(at, stride, a, group)
    add_totals(at + apart, stride, b, group)
    add_totals(at + 2 * apart, stride, c, group)
    add_totals(at + 3 * apart, stride, d, group)
    add_totals(at + 4 * apart, stride, e, group)
    add_totals(at + 5 * apart, stride, f, group)


@njit
def _product(left, right, at, like):
    """Return the product of a register of two rows, and store it for those who share it."""
    value = load(left, 0, like, _ONE, _ONE) * load(right, 0, like, _ONE, _ONE)
    store(at, 0, value, _ONE)
    return value


@njit
def _first_sums(others, stride, factors, made, gap, length, at, apart, jump, like, group):
    """Make six products of two rows each, and sum them weighted by `group` others."""
    group = literally(group)
    l0, l1, l2, l3, l4, l5 = factors[0]
    r0, r1, r2, r3, r4, r5 = factors[1]
    a = b = c = d = e = f = constant(0.0, like, group, _ONE)
    for n in range(0, length, REGISTER_BYTES):
        other = load(others + n, stride, like, group, _ONE)
        a = a + other * repeat(_product(l0 + n, r0 + n, made + n, like), group)
        b = b + other * repeat(_product(l1 + n, r1 + n, made + gap + n, like), group)
        c = c + other * repeat(_product(l2 + n, r2 + n, made + 2 * gap + n, like), group)
        d = d + other * repeat(_product(l3 + n, r3 + n, made + 3 * gap + n, like), group)
        e = e + other * repeat(_product(l4 + n, r4 + n, made + 4 * gap + n, like), group)
        f = f + other * repeat(_product(l5 + n, r5 + n, made + 5 * gap + n, like), group)
    _add_six(at, apart, jump, group, a, b, c, d, e, f)


@njit
def _more_sums(others, stride, made, gap, length, at, apart, jump, like, group):
    """Sum the six products that were made, weighted by `group` more others."""
    group = literally(group)
    a = b = c = d = e = f = constant(0.0, like, group, _ONE)
    for n in range(0, length, REGISTER_BYTES):
        other = load(others + n, stride, like, group, _ONE)
        now = made + n
        a = a + other * repeat(load(now, 0, like, _ONE, _ONE), group)
        b = b + other * repeat(load(now + gap, 0, like, _ONE, _ONE), group)
        c = c + other * repeat(load(now + 2 * gap, 0, like, _ONE, _ONE), group)
        d = d + other * repeat(load(now + 3 * gap, 0, like, _ONE, _ONE), group)
        e = e + other * repeat(load(now + 4 * gap, 0, like, _ONE, _ONE), group)
        f = f + other * repeat(load(now + 5 * gap, 0, like, _ONE, _ONE), group)
    _add_six(at, apart, jump, group, a, b, c, d, e, f)


@njit
def _sum_six(others, stride, n_others, factors, products, length, at, apart, jump):
    """Add to numbers at an address, `apart` bytes for a product and `jump` bytes for another."""
    made, gap, like = _start(products), products.strides[0], products
    if n_others >= GROUP:
        done = GROUP
        _first_sums(others, stride, factors, made, gap, length, at, apart, jump, like, GROUP)
    else:
        done = 1
        _first_sums(others, stride, factors, made, gap, length, at, apart, jump, like, _ONE)
    at += done * jump
    others += done * stride
    while done + GROUP <= n_others:
        _more_sums(others, stride, made, gap, length, at, apart, jump, like, GROUP)
        at += GROUP * jump
        others += GROUP * stride
        done += GROUP
    if done + 2 <= n_others:
        _more_sums(others, stride, made, gap, length, at, apart, jump, like, 2)
        at += 2 * jump
        others += 2 * stride
        done += 2
    if done < n_others:
        _more_sums(others, stride, made, gap, length, at, apart, jump, like, _ONE)


@njit
def _sum_pairs(shares, stride, rows, step, length, left, right, out, products, factors):
    """Make products y_i y_j and weight them by the r_k: many components share them."""
    item, jump = out.itemsize, out.strides[0]
    for p in range(0, len(left), PRODUCTS):
        for c in range(PRODUCTS):
            factors[0, c] = rows + step * left[p + c]
            factors[1, c] = rows + step * right[p + c]
        at = _start(out) + item * p
        _sum_six(shares, stride, len(out), factors, products, length, at, item, jump)


@njit
def _sum_components(shares, stride, rows, step, length, n_features, out, products, factors):
    """Make products r_k y_i and weight them by the y_j: many features share them."""
    item = out.itemsize
    for k in range(len(out)):
        factors[1] = shares + k * stride
        for panel in range(0, n_features, PANEL):
            others, at = rows + panel * step, _start(out) + k * out.strides[0] + panel * item
            for i in range(0, n_features, PRODUCTS):
                size = min(i + PRODUCTS, n_features)
                for c in range(PRODUCTS):
                    factors[0, c] = rows + step * min(i + c, n_features - 1)
                n_others, apart = min(size - panel, PANEL), size * item
                if n_others > 0:
                    _sum_six(others, step, n_others, factors, products, length, at, apart, item)
                at += PRODUCTS * apart


def add_sums(shares, rows, left, right, out, products, spare):
    """Add Σ_n r_kn y_in y_jn for pairs (i, j).

    Parameters
    ----------
    shares : array of shape (K, b)
    rows : array of shape (m, b)
    left, right : array of shape (P,)
        The pairs of rows, a multiple of `PRODUCTS`; none for all pairs, in the order of
        `layouts.tiles`, which is faster for many features and few components.
    out : float64 array of shape (K, P)
    products : array of shape (PRODUCTS, chunk)
        Work space; so many rows are summed at a time, a multiple of a register.
    spare : array of shape (K + m, lanes)
        Work space.
    """
    (n_components, n_rows), n_features = shares.shape, len(rows)
    width, chunk, item = spare.shape[1], products.shape[1], rows.itemsize
    whole = n_rows - n_rows % width
    factors = np.empty((2, PRODUCTS), dtype=np.int64)
    start = 0
    while start < n_rows:
        if start < whole:
            length = min(chunk, whole - start)
            share, stride = _start(shares) + start * item, shares.strides[0]
            row, step = _start(rows) + start * item, rows.strides[0]
        else:  # the rest fills no register
            for n in range(width):
                inside = whole + n < n_rows
                for k in range(n_components):
                    spare[k, n] = shares[k, whole + n] if inside else 0.0
                for i in range(n_features):
                    spare[n_components + i, n] = rows[i, whole + n] if inside else 0.0
            length, share, stride = width, _start(spare), spare.strides[0]
            row, step = share + n_components * stride, stride
        if len(left):
            _sum_pairs(share, stride, row, step, length * item, left, right, out, products, factors)
        else:
            _sum_components(
                share, stride, row, step, length * item, n_features, out, products, factors
            )
        start += length


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
    """Compile the loops for float64 or float32, or load them from an earlier process."""
    number = float64 if dtype == np.float64 else float32
    one, two, indices = number[:], number[:, :], int64[:]
    return Passes(
        compiled(log_joint, two, one, int64, two, two, two),
        compiled(normalise, two, one, float64, float64, two, two),
        compiled(add_sums, two, two, indices, indices, float64[:, :], two, two),
        lanes=lanes(dtype),
        strip=STRIP * lanes(dtype),
    )
