"""Run many cases: ``python -m tests.fuzz 1000 --seed 0``, or one, ``--only 17``."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter

import numpy as np

from .cases import case_of
from .invariants import Outcome, check


def main() -> int:
    """Check cases, print those that fail, and count."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=200, help="number of cases")
    parser.add_argument("--seed", type=int, default=0, help="that of the first case")
    parser.add_argument("--only", type=int, help="run the case of one seed")
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after so many")
    asked = parser.parse_args()
    if asked.only is not None:
        return _one(asked.only)
    began, kinds, refusals = time.perf_counter(), Counter(), Counter()
    slowest, done = 0.0, 0
    for seed in range(asked.seed, asked.seed + asked.n):
        if time.perf_counter() - began > asked.seconds:
            break
        outcome = check(case_of(seed), refit=seed % 3 == 0)
        done, slowest = done + 1, max(slowest, outcome.seconds)
        kinds.update({fault.split(":")[0] for fault in outcome.faults})
        if outcome.refusal:
            refusals[_skeleton(outcome.refusal)] += 1
        if done % 100 == 0:
            print(f"# {done} cases", flush=True)
        _report(outcome)
    sys.stdout.flush()
    print("refusals:", *(f"  {n:5d}  {text}" for text, n in refusals.most_common()), sep="\n")
    print(f"{done} cases, {refusals.total()} refused, {kinds.total()} faults, {dict(kinds)}")
    print(f"slowest {slowest:.1f} s of the processor")
    return int(bool(kinds))


def _one(seed: int) -> int:
    case = case_of(seed)
    print(case)
    outcome = check(case)
    print(*(outcome.faults or ["no faults"]), sep="\n")
    print("refused:", outcome.refusal)
    return int(bool(outcome.faults))


def _report(outcome: Outcome) -> None:
    if outcome.faults:
        print(f"seed {outcome.case.seed}: {outcome.case}")
        for fault in sorted(set(outcome.faults)):
            print(f"    {fault[:300]}", flush=True)


def _skeleton(message: str) -> str:
    return re.sub(r"[-+]?\d[\d.e+-]*|\[.*\]", "#", message)[:150]


if __name__ == "__main__":
    sys.exit(main())
