"""The study itself: runs in its tiny profile, resumes, counts failures, names the winners."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.studies import (
    ablation,
    classes,
    clustering,
    contenders,
    equal_time,
    equal_time_tables,
    fashion,
    figures,
    gaussians25,
    generalise,
    generalise_tables,
    merging,
    problems,
    realdata,
    speed,
    tables,
    targets,
)
from benchmarks.studies.contenders import Contender
from benchmarks.studies.rivals import fit_biglearn
from benchmarks.studies.store import ResultFileError, Store, load
from benchmarks.studies.study import Options, Task, run


def cell(method, value, *, problem="p", seed=0, budget=1.0, status="time", **more):
    return {
        "study": "equal-time",
        "problem": problem,
        "method": method,
        "seed": seed,
        "budget": budget,
        "status": status,
        "log_likelihood": value,
        "held_out": value,
        "ari": 0.5,
        **more,
    }


def test_the_tiny_profile_runs_and_resumes(tmp_path, monkeypatch):
    monkeypatch.delenv(realdata.DATA_VARIABLE, raising=False)
    store = Store(tmp_path, equal_time.NAME)
    tasks = equal_time.tasks(Options(equal_time.PROFILES["tiny"]))
    made = run(tasks, store)
    cells = load(store.merged)
    assert made == len(cells) == 9
    found = {(c["problem"], c["method"]): c for c in cells}
    assert found["elongated", "em"]["log_likelihood"] > -3
    assert found["elongated", "truth"]["converged"]
    # the real set is not there: a gap that says what to do, not a crash
    assert found["faithful-k3", "em"]["status"] == "missing"
    assert "BIGLEARN_DATA" in found["faithful-k3", "em"]["message"]
    assert all({"commit", "load_before", "threads", "versions"} <= set(c) for c in cells)
    assert not store.journal.exists()
    # only the gap, which may be closed by now, is looked at again
    assert run(tasks, store) == 4
    assert "biglearn `em`" in tables.report(store.merged)


def test_only_what_is_missing_is_run_again(tmp_path):
    calls = []

    def task(name):
        def work():
            calls.append(name)
            return [{"budget": None, "status": "finished"}]

        return Task(name, "m", 0, (None,), work)

    store = Store(tmp_path, "s")
    run([task("a"), task("b")], store)
    run([task("b"), task("a"), task("c")], store)
    assert calls == ["a", "b", "c"]
    longer = replace(task("a"), steps=10)
    run([longer], store)  # its cell notes no steps, so it has no fewer
    assert calls == ["a", "b", "c"]


def test_a_cell_of_a_shorter_chain_is_made_again(tmp_path):
    store = Store(tmp_path, "s")
    for steps in (10, 5, 20):
        work = lambda s=steps: [{"budget": None, "status": "finished", "chain_steps": s}]  # noqa: E731
        run([Task("a", "m", 0, (None,), work, steps=steps)], store)
        (found,) = load(store.merged)
        assert found["chain_steps"] == max(10, steps)


def test_every_problem_gets_the_first_seed_before_any_gets_the_second(tmp_path):
    calls = []

    def task(name, seed):
        def work():
            calls.append((name, seed))
            return [{"budget": None, "status": "finished"}]

        return Task(name, "m", seed, (None,), work)

    run([task(name, seed) for name in "ab" for seed in (0, 1)], Store(tmp_path, "s"))
    assert calls == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]


def test_no_task_begins_that_may_end_after_the_limit(tmp_path):
    def task(name, cost):
        return Task(name, "m", 0, (None,), lambda: [{"budget": None, "status": "x"}], cost=cost)

    store = Store(tmp_path, "s")
    run([task("long", 50.0), task("short", 1.0)], store, limit=30.0)
    assert [c["problem"] for c in load(store.merged)] == ["short"]


def test_results_of_several_machines_are_merged(tmp_path):
    here, there = Store(tmp_path / "here", "equal-time"), Store(tmp_path / "there", "equal-time")
    old = {"machine": "A", "when": "2026-01-01", "load_before": 0.1, "threads": 1}
    new = {"machine": "B", "when": "2026-01-02", "load_before": 3.0, "threads": 1}
    here.put(cell("search", -1.0, **old))
    here.put(cell("mclust", -3.0, **old))
    there.put(cell("search", -2.0, **new))
    there.put(cell("mclust", None, **{**new, "status": "missing"}))
    there.merge()
    found = {c["method"]: c for c in load(here.merge(there.merged))}
    # the later one wins, but a gap never hides a result
    assert found["search"]["log_likelihood"] == -2.0
    assert found["mclust"]["log_likelihood"] == -3.0
    report = tables.report(here.merged)
    assert "A" in report
    assert "B" in report


def test_an_interrupted_run_keeps_what_it_has(tmp_path):
    def good():
        return [{"budget": None, "status": "finished"}]

    def interrupted():
        raise KeyboardInterrupt

    store = Store(tmp_path, "s")
    with pytest.raises(KeyboardInterrupt):
        run([Task("a", "m", 0, (None,), good), Task("b", "m", 0, (None,), interrupted)], store)
    assert [c["problem"] for c in load(store.merged)] == ["a"]


@pytest.mark.parametrize(
    ("body", "status"),
    [("raise MemoryError('no room')", "failed"), ("import os; os._exit(3)", "killed")],
)
def test_a_rival_that_fails_is_counted(tmp_path, monkeypatch, body, status):
    folder = tmp_path / "rivals"
    folder.mkdir()
    real = contenders.WORKER
    (folder / "worker.py").write_text(real.read_text())
    (folder / "fit_bad.py").write_text(
        f"WARM_UP = False\ndef fit(X, K, **_):\n    yield None\n    {body}\n    yield None\n"
    )
    monkeypatch.setattr(contenders, "WORKER", folder / "worker.py")
    problem = problems.make("elongated", 0, rows=100)
    outcome = contenders.fit(Contender("bad", "bad", "fit_bad"), problem, seconds=0.2, seed=0)
    assert outcome.status == status
    assert outcome.at(1) is None
    assert "no room" in outcome.message or "exit status 3" in outcome.message


def test_a_rival_that_is_not_installed_is_a_gap(monkeypatch, tmp_path):
    monkeypatch.setenv("BIGLEARN_RIVALS", str(tmp_path))
    contenders.environments.gap.cache_clear()
    assert "not installed" in contenders.CONTENDERS["tgmm"].gap()
    contenders.environments.gap.cache_clear()


def test_tables_name_the_right_winner_and_count_failures():
    cells = [
        cell("search", -1.0, trail=[[0.5, -1.0]]),
        cell("sklearn-k-means++", -1.2, trail=[[0.9, -1.2]]),
        cell("mclust", None, status="no model"),
        cell("tgmm", None, status="missing", message="tgmm is not installed"),
        cell("truth", -1.0005, budget=None),
    ]
    assert equal_time_tables.shares(cells) == {
        ("search", 1.0): 1.0,
        ("sklearn-k-means++", 1.0): 0.0,
        ("mclust", 1.0): 0.0,
    }
    times = equal_time_tables.times_to(cells)
    assert times["search"] == [0.5]
    assert times["mclust"] == [float("inf")]
    assert equal_time_tables.later(cells) == {
        "search": [False],
        "sklearn-k-means++": [False],
        "mclust": [True],
    }
    table = equal_time_tables.summary(cells)
    rows = {line.split("|")[1].strip(): line for line in table.splitlines() if "|" in line}
    assert "**100 %**" in rows["biglearn `search`"]
    assert rows["R mclust VVV"].rstrip(" |").endswith("1")
    assert "tgmm is not installed" in rows["tgmm annealed"]
    assert "**0.0000**" in equal_time_tables.by_problem(cells)


def test_the_truth_can_be_the_best_known():
    cells = [cell("search", -1.0), cell("truth", -0.5, budget=None)]
    assert equal_time_tables.shares(cells) == {("search", 1.0): 0.0}


def test_a_damaged_result_file_is_named(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(ResultFileError, match=r"x\.json is damaged"):
        load(path)
    path.write_text(json.dumps({"format": 99, "cells": []}))
    with pytest.raises(ResultFileError, match="format 99"):
        load(path)


def test_names_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="unknown problem 'nine'"):
        problems.make("nine")
    plan = replace(equal_time.PROFILES["tiny"], methods=("magic",))
    with pytest.raises(ValueError, match="unknown method 'magic'"):
        equal_time.tasks(Options(plan))


def test_the_25_gaussians_run_in_the_tiny_profile(tmp_path):
    store = Store(tmp_path, gaussians25.NAME)
    run(gaussians25.tasks(Options(gaussians25.PROFILES["tiny"])), store)
    found = {c["method"]: c for c in load(store.merged)}
    assert found["paper"]["steps"] == [5, 10, 15, 20]
    assert set(found["paper"]["curves"]) == set(found["paper"]["kl"])
    assert found["em"]["kl"]["joint"] > 0
    assert found["paper"]["kl_minimum"] <= found["paper"]["kl_last"]
    assert "0.0301 ± 0.0064" in tables.report(store.merged)


def test_clustering_runs_in_the_tiny_profile(tmp_path):
    store = Store(tmp_path, clustering.NAME)
    run(clustering.tasks(Options(clustering.PROFILES["tiny"])), store)
    found = {c["method"]: c for c in load(store.merged)}
    assert {c["status"] for c in found.values()} == {"finished"}, found
    assert all(c["nmi_test"] > 0.2 for c in found.values())
    assert "chain" in found["paper"]
    assert "| digits | k-means, 10 starts |" in tables.report(store.merged)


def test_speed_compares_the_same_steps(tmp_path):
    store = Store(tmp_path, speed.NAME)
    run(speed.tasks(Options(speed.PROFILES["tiny"])), store)
    found = {c["method"]: c for c in load(store.merged)}
    assert {c["status"] for c in found.values()} == {"finished"}, found
    # the same steps from the same start end at the same likelihood: the comparison is fair
    gap = found["biglearn"]["log_likelihood"] - found["sklearn"]["log_likelihood"]
    assert abs(gap) < 1e-3
    assert all(c["gemm"] > 0 and c["threads"] == 1 for c in found.values())
    assert "| 500 | 3 | 4 | float64 | 1 |" in tables.report(store.merged)


def test_growth_is_the_slope_of_the_logarithms():
    cells = []
    for size in dict.fromkeys(size for sizes in speed.GROWTH.values() for size in sizes):
        name = f"{size}-float64-t1"
        what = speed.parse(name)
        seconds = 1e-9 * what["N"] * what["D"] ** 2 * what["K"]
        cells.append({**cell("biglearn", -1.0, problem=name, status="finished"), **what})
        cells[-1] |= {"step_seconds": seconds, "gemm": 1e10}
    assert "| biglearn | 1.00 | 2.00 | 1.00 |" in speed.slopes(cells)


def test_the_summary_of_speed_is_of_ratios():
    cells = []
    for size, ours, theirs in (("n2000-d2-k5", 1.0, 3.0), ("n2000-d8-k5", 2.0, 1.0)):
        name = f"{size}-float64-t2"
        for method, seconds in (("biglearn", ours), ("sklearn", theirs)):
            about = {**speed.parse(name), "step_seconds": seconds}
            cells.append({**cell(method, -1.0, problem=name, status="finished"), **about})
    assert "| scikit-learn | float64 | 2 | 0.5 | 2 | 3 | 1 |" in speed.summary(cells)


def test_figures_are_drawn_from_the_results_alone(tmp_path):
    store = Store(tmp_path, "equal-time")
    store.put(cell("search", -1.0, trail=[[0.5, -1.0]]))
    store.put(cell("mclust", -2.0, trail=[[0.7, -2.0]]))
    store.merge()
    assert [p.name for p in figures.draw(tmp_path)] == ["equal-time.png"]
    assert figures.profile(load(store.merged))["mclust"] == ([], [])


def test_the_picture_ends_where_the_table_does():
    # a model that the contender itself let go again does not count, in neither
    lost = cell("search", -2.0, trail=[[0.5, -1.0], [0.9, -2.0]])
    cells = [lost, cell("em", -1.0, trail=[[0.7, -1.0]])]
    assert equal_time_tables.shares(cells) == {("search", 1.0): 0.0, ("em", 1.0): 1.0}
    assert figures.profile(cells) == {"search": ([], []), "em": ([0.7], [1.0])}


def test_the_ablation_switches_parts_off(tmp_path):
    store = Store(tmp_path, ablation.NAME)
    run(ablation.tasks(Options(ablation.PROFILES["tiny"])), store)
    found = {c["method"]: c for c in load(store.merged)}
    assert found["search, no split-merge"]["log_likelihood"] > -5, found
    assert "| search, no split-merge |" in tables.report(store.merged)


def test_a_chain_without_its_polish_is_judged_without_one():
    chain = cell("paper, no polish", -1.0, unpolished=-1.5)
    report = ablation.table([cell("paper", -1.0), chain])
    assert "| paper | 100 % |  |  | 0.0000 |" in report
    assert "| paper, no polish | 0 % | 0 | 1 | 0.5000 |" in report


def test_every_variant_of_the_ablation_is_one_change():
    for name, variant in ablation.VARIANTS.items():
        assert (variant.options["constants"] == {}) == (name in ("search", "paper"))
        assert fit_biglearn.chosen(**variant.options) is not None


def test_fashion_runs_in_the_tiny_profile(tmp_path):
    store = Store(tmp_path, fashion.NAME)
    run(fashion.tasks(Options(fashion.PROFILES["tiny"])), store)
    found = {c["method"]: c for c in load(store.merged)}
    assert {c["status"] for c in found.values()} == {"finished"}, found
    assert found["paper"]["steps"] == [2, 4, 6]
    assert len(found["paper-kmeans"]["curves"]["accuracy"]) == 3
    assert "`paper` from k-means" in tables.report(store.merged)
    pytest.importorskip("matplotlib")
    assert [p.name for p in figures.draw(tmp_path)] == ["fashion.png"]


def test_targets_are_held_against_what_was_reached(tmp_path):
    store = Store(tmp_path, targets.NAME)
    run(targets.tasks(Options(targets.PROFILES["tiny"])), store)
    assert "| yes |" in tables.report(store.merged)
    short = cell("search", None, problem="iris-k2", status="finished", total=-215.0)
    lines = targets.table([short]).splitlines()
    (line,) = [line for line in lines if line.startswith("| iris-k2")]
    assert "worst -0.645" in line
    assert "**no**" in line


def test_generalise_judges_new_rows_at_the_resolution_of_the_data(tmp_path):
    store = Store(tmp_path, generalise.NAME)
    plan = replace(generalise.PROFILES["tiny"], problems=("iris", "clusters-none", "scores-none"))
    run(generalise.tasks(Options(plan)), store)
    found = {(c["problem"], c["method"]): c for c in load(store.merged)}
    ours, theirs = found["iris", "search"], found["iris", "sklearn"]
    assert (ours["N"], ours["D"], ours["K"]) == (150, 4, 3)
    assert ours["heldout"] > theirs["heldout"] - 0.1
    assert ours["loo"] < ours["training"]
    assert {c["status"] for (p, _), c in found.items() if p != "iris"} == {"missing"}
    report = tables.report(store.merged)
    assert "| biglearn, default | 1 |" in report
    assert "| iris | 150 × 4, 3 |" in report


def test_classes_are_judged_on_rows_that_were_not_fitted(tmp_path):
    store = Store(tmp_path, classes.NAME)
    plan = replace(classes.PROFILES["tiny"], problems=("iris", "yeast"))
    run(classes.tasks(Options(plan)), store)
    found = {(c["problem"], c["method"]): c for c in load(store.merged)}
    ours, theirs = found["iris", "one"], found["iris", "qda"]
    assert (ours["N"], ours["D"], ours["classes"]) == (150, 4, 3)
    assert 0.03 < ours["log_loss"] < theirs["log_loss"] < 0.1
    assert found["yeast", "one"]["status"] == "missing"
    report = tables.report(store.merged)
    assert "lower log-loss than scikit-learn QDA on 1 of 1 sets" in report


def rings(folder):
    """Write a clustering of a ring about a disc, with a second labelling and noise."""
    rng = np.random.default_rng(5)
    angles = rng.uniform(0, 2 * np.pi, size=400)
    radii = np.repeat([4.0, 0.0], 200) + 0.3 * rng.normal(size=400)
    X = radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    y = np.repeat([0, 1], 200)
    y[::50] = -1
    (folder / "clustbench").mkdir()
    np.savez(folder / "clustbench" / "rings.npz", X=X, y=y, y_alt=[np.arange(400) % 3])
    table = "set,sklearn_gm,sklearn_kmeans,genie\nrings,0.1,0.2,1.0\n"
    (folder / "clustbench" / "published.csv").write_text(table)


def test_merged_components_are_scored_by_the_best_labelling(tmp_path):
    rings(tmp_path)
    store = Store(tmp_path / "out", merging.NAME)
    run(merging.tasks(Options(merging.PROFILES["short"], data=tmp_path)), store)
    found = {c["method"]: c for c in load(store.merged)}
    assert found["misclassification"]["ari"] == 1
    assert found["components"]["ari"] < 0.7
    assert found["entropy"]["clusters"] == [2, 3]
    report = tables.report(store.merged)
    assert "| Genie, published | 1.000 |" in report
    assert "| rings | 2 of" in report


def test_differences_are_of_the_sets_that_both_have():
    found = {
        "a": {"x": {"ari": 0.5}, "y": {"ari": 0.25}},
        "b": {"x": {"ari": None}, "y": {"ari": 0.1}},
        "c": {"y": {"ari": 0.1}},
    }
    assert generalise_tables.differences(found, "x", "y", "ari") == [0.25]


def test_the_resolution_is_the_smallest_gap():
    X = np.array([[0.1, 3.0], [0.3, 3.0], [0.4, 3.0]])
    np.testing.assert_allclose(generalise.resolution(X), [0.1, 0.0])
