"""Rows on a torch device: the CPU, or a CUDA GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from biglearn._types import Array
from biglearn.engines.base import EngineBase, RowOptions
from biglearn.engines.memory.choose import engine_over
from biglearn.engines.memory.engine import MemoryEngine
from biglearn.engines.memory.source import ArraySource, check_rows
from biglearn.engines.memory.with_gaps import MissingEngine
from biglearn.engines.rows.samples import draw
from biglearn.engines.rows.units import Units
from biglearn.engines.torch import tensors
from biglearn.engines.torch.device_rows import Budget, DeviceRows
from biglearn.engines.torch.tensors import Panels, QuadraticForm, Squares, Tensor, WhitenedForm
from biglearn.model.blocks import sums_of
from biglearn.model.components import Components
from biglearn.model.densities import quadratic_is_accurate
from biglearn.model.moments import Moments
from biglearn.model.views import View

_DTYPES: dict[torch.dtype, np.dtype[Any]] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}

#: Largest rounding error in a log-density, in nats, that TF32 may cause in the E-step.
_TF32_NOISE = 0.05


class TorchEngine(EngineBase):
    """One pass over rows on a torch device.

    Rows stay on the device where they fit into its free memory, and are sent block by
    block in every pass where they do not.  Where memory runs out in mid-pass, the pass is
    made again in smaller blocks, with a warning, and counted in `n_shrunk`.

    Parameters
    ----------
    X : array or tensor of shape (N, D)
        float64 or float32, on any device.
    weights : array or tensor of shape (N,), optional
        Weight of each row; 1 if left out.
    units : Units, optional
        Coordinates to compute in; the user's own if left out.
    view : View, optional
        View of them; all features if left out.
    n_threads : int
        Threads on the CPU.
    device : str or torch.device, optional
        That of X where it is a tensor, else CUDA where there is any, else the CPU.
    dtype : torch.dtype, optional
        Of the products (float64 or float32); that of X if left out.  Sums over blocks
        are always float64.
    tf32 : bool
        Let float32 products round their factors to 11 bits, on GPUs that can.  Off unless
        asked for: the log-likelihood of a pass is then noisy by more than the tolerance of
        EM, so that it may seem to fall, and a component narrower than 5e-4 of its distance
        from the centre is blurred.  The sums always use it; log-densities only where its
        noise stays below 0.05 nats, and never in the quadratic form, which cancels.
    memory_limit : int, optional
        Bytes of device memory to use; all that is free if left out.

    Raises
    ------
    ValueError
        If the device is neither a CPU nor a CUDA GPU.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> from biglearn.engines.torch.engine import TorchEngine
    >>> X = np.array([[0.0], [1.0], [5.0]])
    >>> mixture = Mixture([0.5, 0.5], [[0.0], [5.0]], [[[1.0]], [[1.0]]])
    >>> TorchEngine(X).expect(mixture).counts.round(4)
    array([1.9994, 1.0006])
    """

    def __init__(
        self,
        X: Any,
        *,
        weights: Any = None,
        units: Units | None = None,
        view: View | None = None,
        n_threads: int = 1,
        device: Any = None,
        dtype: torch.dtype | None = None,
        tf32: bool = False,
        memory_limit: int | None = None,
    ) -> None:
        self._X = tensors.as_tensor(X)
        n_rows, n_features = self._X.shape
        super().__init__(View.joint(n_features))
        self._budget = Budget(choose_device(X, device), memory_limit)
        self._dtype = dtype or (torch.float32 if self._X.dtype == torch.float32 else torch.float64)
        self._given = None if weights is None else tensors.as_tensor(weights).cpu().numpy()
        self._weights: Tensor | None = None
        self._total, self._count = float(n_rows), int(n_rows)
        if self._given is not None:
            self._weights = tensors.as_tensor(self._given).to(self._dtype).to(self.device)
            self._total = float(self._given.sum())
            self._count = int((self._given > 0).sum())
        self._units = units or Units.identity(n_features)
        self._threads, self._tf32 = n_threads, tf32
        self._rows = DeviceRows.of(self._X, self._units, dtype=self._dtype, budget=self._budget)
        if view is not None:
            self._see(view)

    @property
    def device(self) -> torch.device:
        """Where passes are made."""
        return self._budget.device

    @property
    def n_shrunk(self) -> int:
        """How often the device's memory ran out and smaller blocks helped."""
        return self._budget.n_shrunk

    @property
    def is_streamed(self) -> bool:
        """Whether rows are made anew in every pass, because they do not fit."""
        return not self._rows.is_held

    @property
    def n_rows(self) -> int:
        """Number of rows N with a positive weight."""
        return self._count

    def project(self, view: View) -> TorchEngine:
        """Return an engine over the same rows seen through a view of this one."""
        if view.is_joint:
            return self
        engine = object.__new__(TorchEngine)
        engine.__dict__.update(self.__dict__)
        engine._see(view)
        return engine

    def _see(self, view: View) -> None:
        self._view = view.after(self._view)
        basis = torch.from_numpy(view.basis).to(self._dtype).to(self.device)
        with precision("highest"):
            self._rows = self._rows.project(basis)

    def expect(self, components: Components) -> Moments:
        """Make one E-step: return the moments under the components' responsibilities."""
        length, diagonal = self.n_features + 1, components.block_size == 1
        products = Squares(length) if diagonal else Panels(length)
        featured = diagonal or tensors.features_pay(components.n_components, products, self.device)
        like = torch.empty(0, dtype=self._dtype, device=self.device)
        form: QuadraticForm | WhitenedForm
        if featured and quadratic_is_accurate(components, _DTYPES[self._dtype]):
            form = QuadraticForm(components, products, like)
        else:
            form = WhitenedForm(components, like)
        fast = (
            self._tf32 and isinstance(form, WhitenedForm) and _tf32_noise(components) < _TF32_NOISE
        )
        with precision("highest"):
            sums = self._budget.attempt(
                lambda: self._pass(
                    form,
                    products,
                    components,
                    featured=featured,
                    fast=fast,
                )
            )
        n_components, n_extra = components.n_components, 1 + components.family.n_statistics
        end = len(sums) - 1 - n_extra * n_components
        extra = sums[end:-1].reshape(n_components, n_extra)
        counts, first, second = products.unpack(sums[:end].reshape(n_components, -1))
        scaled = counts
        if components.family.has_tails:  # rows count by their scales
            counts = extra[:, 0].copy()
        return Moments(
            counts=counts,
            first=first,
            second=second,
            log_likelihood=float(sums[-1]),
            total=self._total,
            rows=self.n_rows,
            reference=np.zeros(self.n_features),
            scaled_counts=scaled,
            statistics=extra[:, 1:].copy(),
        ).completed(components, self.n_features)

    def _pass(
        self,
        form: QuadraticForm | WhitenedForm,
        products: Panels | Squares,
        components: Components,
        *,
        featured: bool,
        fast: bool,
    ) -> Array:
        """Return sums over all rows in one array.

        K P of the products, K (1 + M) of the family's own (zero for Gaussians), and the
        log-likelihood.
        """
        n_components, family = components.n_components, components.family
        size = self._budget.block_rows(
            tensors.bytes_per_row(n_components, products, featured, self._dtype.itemsize)
        )
        options = {"dtype": torch.float64, "device": self.device}
        sums = torch.zeros((n_components, products.n_products), **options)
        extra = torch.zeros((n_components, 1 + family.n_statistics), **options)
        log_likelihood = torch.zeros((), **options)
        width, longest = products.n_products if featured else 0, min(size, len(self._X))
        buffer = torch.empty((width, longest), dtype=self._dtype, device=self.device)
        tails, start = tensors.tails_of(components, buffer), 0
        for rows in self._rows.blocks(size):
            n_rows = rows.shape[1]
            features = products.fill(rows, buffer[:, :n_rows]) if featured else None
            with precision("high" if fast else "highest"):
                log_joint = form.log_joint(rows, features)
                scales = None if tails is None else tails(log_joint)
                shares, log_density = tensors.normalise(log_joint)
            if self._weights is not None:
                weights = self._weights[start : start + n_rows]
                shares *= weights
                log_density = torch.where(weights > 0, log_density * weights, 0)
            if scales is not None:
                terms = [shares, *(shares * term for term in family.statistics(scales, torch))]
                for column, term in enumerate(terms):
                    extra[:, column] += term.sum(dim=1, dtype=torch.float64)
                shares *= scales
            with precision("high" if self._tf32 else "highest"):
                if features is not None:
                    sums += tensors.summed_product(shares, features)
                elif isinstance(products, Panels):
                    sums += products.weighted_sums(shares, rows)
            log_likelihood += log_density.sum(dtype=torch.float64)
            start += n_rows
        # the only wait for the device: everything comes down at once
        everything: Array = (
            torch.cat([sums.flatten(), extra.flatten(), log_likelihood[None]]).cpu().numpy()
        )
        return everything

    def subsample(
        self, limit: int, rng: np.random.Generator, components: Components | None = None
    ) -> MemoryEngine:
        """Return an engine in memory over at most `limit` rows, drawn without replacement."""
        return self.thinned(limit, rng).subsample(limit, rng, components)

    def thinned(self, limit: int, rng: np.random.Generator) -> MemoryEngine | MissingEngine:
        """Return an engine in memory over at most `limit` rows, drawn without replacement."""
        chosen = draw(len(self._X), limit, rng)
        return engine_over(
            self._X[torch.from_numpy(chosen).to(self._X.device)].cpu().numpy(),
            weights=None if self._given is None else self._given[chosen],
            units=self._units,
            view=self._view,
            dtype=_DTYPES[self._dtype],
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold torch and BLAS to the number of threads."""
        before = torch.get_num_threads()
        with threadpool_limits(self._threads, user_api="blas"):
            torch.set_num_threads(self._threads)
            try:
                yield
            finally:
                torch.set_num_threads(before)


def choose_device(X: Any, device: Any = None) -> torch.device:
    """Return the device asked for, or that of a tensor, or the best there is.

    Raises
    ------
    ValueError
        If it is neither a CPU nor a CUDA GPU.
    """
    if device is not None:
        chosen = torch.device(device)
    elif isinstance(X, torch.Tensor):
        chosen = X.device
    else:
        chosen = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(
            f"engine='torch' needs float64, which of all devices cpu and cuda have, got {chosen}; "
            "move X to one of them"
        )
    if chosen.type == "cuda" and chosen.index is None:
        chosen = torch.device("cuda", torch.cuda.current_device())
    return chosen


def _tf32_noise(components: Components) -> float:
    """Estimate the error of a whitened log-density, in nats, when factors have 11 bits.

    Every whitened coordinate is wrong by 2⁻¹¹ |W_i| |y_i|; d of them add as they are random.
    """
    sharpness = sums_of(components.whitening_blocks**2)
    spread = (components.means**2).mean(axis=1) + 1
    return float(2.0**-11 * np.sqrt((sharpness * spread).max()))


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Hold torch's float32 products to a precision, whatever the user has set."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@dataclass(frozen=True)
class Torch:
    """Rows on a torch device: ``engine="torch"``, with options.

    Parameters
    ----------
    device, dtype, tf32, memory_limit : optional
        As in `TorchEngine`.

    Examples
    --------
    >>> import torch
    >>> from biglearn import GaussianMixture
    >>> from biglearn.engines.torch.engine import Torch
    >>> X = torch.tensor([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]])
    >>> engine = Torch(dtype=torch.float64)
    >>> model = GaussianMixture(2, engine=engine, random_state=0).fit(X)
    >>> labels = model.predict(X)
    >>> bool(labels[0] == labels[2] != labels[5])
    True
    """

    device: Any = None
    dtype: torch.dtype | None = None
    tf32: bool = False
    memory_limit: int | None = None

    def open_source(self, X: Any, options: RowOptions) -> ArraySource:
        """Check rows, and hold them where the engine will work; tensors bring tensors back."""
        device = choose_device(X, self.device)
        given, deliver = X, np.asarray
        if isinstance(X, torch.Tensor):
            given, deliver = _to_numpy(X), partial(_to_tensor, device=X.device)
        weights = options.sample_weight
        if isinstance(weights, torch.Tensor):
            options = replace(options, sample_weight=_to_numpy(weights))
        factory = partial(
            TorchEngine,
            device=device,
            dtype=self.dtype,
            tf32=self.tf32,
            memory_limit=self.memory_limit,
        )
        rows, header = check_rows(given, options)
        label = f"torch ({device})"
        return ArraySource(rows, header, options, factory=factory, label=label, deliver=deliver)


def open_source(X: Any, options: RowOptions) -> ArraySource:
    """Open rows with the defaults of `Torch`."""
    return Torch().open_source(X, options)


def _to_numpy(values: Tensor) -> Any:
    """Return a tensor as an array, in memory that is shared where it can be."""
    values = values.detach().cpu().resolve_conj().resolve_neg()
    return (values.float() if values.dtype in (torch.bfloat16, torch.float16) else values).numpy()


def _to_tensor(values: Any, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
