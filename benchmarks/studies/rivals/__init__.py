"""One small file per contender, each run by `worker` in a process of its own.

The files import nothing from `benchmarks.studies`, so that a rival may live in an environment with
other versions of everything. Each has one function::

    fit(X, n_components, *, floor, seconds, seed, threads, **options)

a generator. It first yields `None` when everything is imported: then the clock starts. After
that it yields models ``(weights, means, covariances)``, as many as it likes; the clock stands
still while the worker looks at one. ``(weights, means, covariances, seconds)`` dates a model
that was found earlier. The worker stops it when the time is up.
"""
