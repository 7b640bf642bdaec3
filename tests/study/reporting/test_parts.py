"""What the parts of a report say, against what the study was made of."""

from __future__ import annotations

import numpy as np
import pytest
from mlflow import MlflowClient
from scipy import stats

from search_spaces import labels
from study.reporting import comparison, cost, failures, front, importances, pictures, published, stopping, training
from study.reporting.answer import answer
from study.reporting.document import Text
from study.reporting.numbers import better, with_deviation
from study.reporting.protocol import repeat
from study.reporting.whole import make_report
from tests.systems.report import DIVERGED, distance, loaded, section, table


def texts(blocks):
    return " ".join(block.text for block in blocks if isinstance(block, Text))


def test_the_first_screen_says_which_was_best_by_how_much_and_what_is_next(searched):
    screen = answer(searched)
    best = searched.best()
    trials = searched.trials()
    first = trials.loc[trials[trials["first_trial"].notna()]["metrics.fid_lenet_best"].idxmin()]
    value, other = best["metrics.fid_lenet_best"], first["metrics.fid_lenet_best"]
    said = texts(screen)
    assert f"Trial {best.name} was best: fid_lenet_best {value:.4g}" in said
    assert f"That is {(other - value) / other:.1%} lower than the best first trial, {first['first_trial']!r}" in said
    assert "trained with one seed. Confirm it with new seeds" in said
    assert f"New samples of its weights have {value * 1.05:.4g}" in said
    rows = {row["0"]: row["fid_lenet_best"] for row in table(screen)}
    assert rows["noise"] == "138.8"
    commands = [command for command, _ in screen[-1].lines]
    assert any("--confirm search --top 3" in command for command in commands)
    assert any("--resume search --trials 52" in command for command in commands)


def test_with_seeds_the_lead_has_welchs_interval(ablation):
    best, second = ((40.0 - 3 * n) * (1 + np.array([-0.02, 0.0, 0.02])) for n in (6, 5))
    interval = stats.ttest_ind(second, best, equal_var=False).confidence_interval(0.95)
    said = texts(answer(ablation))
    assert "fid_lenet_best 22 ± 0.44 (n=3)" in said
    assert f"95% interval of {interval.low:.4g} to {interval.high:.4g}: seeds alone do not explain it" in said
    verdicts = ablation.claims()["verdict"].value_counts()
    assert f"Of {verdicts.sum()} claims of the document: {verdicts['supported']} supported" in said
    rows = table(section(ablation, comparison))
    assert rows[2]["lead, 95%"] == f"{interval.low:.4g} to {interval.high:.4g}"
    assert rows[2]["lead of the best"] == f"{3 / 25:.1%} lower"


def test_published_figures_stand_beside_ours_with_what_differs(ablation):
    blocks = section(ablation, published)
    rows = table(blocks, "Published figures and ours")
    (baseline,) = (row for row in rows if row["settings"] == "baseline" and row["metric"] == "fid_inception_best")
    assert baseline["published"] == "57.16"
    assert baseline["here"] == "40 ± 0.8 (n=3) (fid_lenet_best)"
    assert baseline["here / published"] == "-"
    differs = {row["what differs"]: (row["here"], row["published"]) for row in table(blocks, "What differs")}
    assert differs["data set"] == ("digits", "mnist")
    assert differs["budget"] == ("4 rounds", "50 epochs")
    assert differs["seeds"] == ("3", "5")
    assert differs["fidelity: features"] == ("lenet", "inception")
    assert differs["max_updates"] == ("4", "500")


def test_the_same_metric_as_published_has_a_ratio(told):
    plan = told("table", lambda params, number: 1.0 + number, {"space": "table51", "seeds": 1})
    rows = table(section(loaded(plan), published), "Published")
    assert rows[3]["metric"] == "is_lenet_best"
    assert rows[3]["here"] == "4"
    assert float(rows[3]["here / published"]) == pytest.approx(4 / float(rows[3]["published"]), rel=1e-3)


def test_trials_that_differ_in_a_draw_alone_share_the_published_figures(told, monkeypatch):
    monkeypatch.setitem(labels.TRIED, "smoke", ((25,), 3))
    plan = told("draws", lambda params, number: 0.5 + 0.01 * number, {"space": "labels"}, pictures=False)
    rows = table(section(loaded(plan), published), "Published")
    assert [(row["settings"], row["published"]) for row in rows] == [
        ("SGAN, 25 labels", "0.802"),
        ("D of SGAN, labels alone, 25 labels", "0.75"),
    ]
    told_as = 1.01  # an evaluation is a little above the best one
    assert rows[0]["here"] == with_deviation([told_as * value for value in (0.52, 0.56, 0.6)])
    assert float(rows[0]["here / published"]) == pytest.approx(told_as * 0.56 / 0.802, rel=1e-3)
    beside = [row["settings"] for row in table(answer(loaded(plan))) if row["0"] == "published"]
    assert beside == ["SGAN, 25 labels", "D of SGAN, labels alone, 25 labels"]
    last = loaded(plan).search.first_trials[3].setting
    of_last = with_deviation([told_as * value for value in (0.53, 0.57, 0.61)])
    assert f"Over their draws, {last!r} is best: {of_last}." in texts(answer(loaded(plan)))


def test_below_20_finished_trials_there_are_no_importances(ablation, searched, monkeypatch):
    assert section(ablation, importances) is None  # of one parameter
    assert importances.FEWEST == 20
    n = searched.trials()["state"].eq("finished").sum()
    monkeypatch.setattr(importances, "FEWEST", n + 1)
    said = texts(section(searched, importances))
    assert said == f"Too few: {n} trials have finished, and below {n + 1} importances say nothing."


def test_importances_have_n_and_find_what_matters(searched, monkeypatch):
    monkeypatch.setattr(importances, "FEWEST", 10)
    n = searched.trials()["state"].eq("finished").sum()
    rows = table(section(searched, importances))
    assert set(rows[0]) == {"parameter", f"fANOVA (n={n})", f"PED-ANOVA (n={n})"}
    assert rows[0]["parameter"] == "image_lr"
    monkeypatch.setattr(importances, "FANOVA_TRIALS", 5)
    assert {"fANOVA (n=5)", f"PED-ANOVA (n={n})"} < set(table(section(searched, importances))[0])


def test_the_training_of_variants_is_in_one_picture(ablation):
    (picture,) = section(ablation, training)
    text = picture.data.decode()
    for drawn in ("fid_lenet", "loss_discriminator", *ablation.trials()["first_trial"]):
        assert f">{drawn}<" in text, drawn
    assert "swing" not in text
    trials = ablation.trials()
    ends = {row["first_trial"]: f"{1.01 * row['metrics.fid_lenet_best']:.4g}" for _, row in trials.iterrows()}
    assert picture.alt.startswith("fid_lenet of 7 trials by round; at the end: ")
    assert all(f"{name} {end}" in picture.alt for name, end in ends.items())
    assert "shaded: a standard deviation over the seeds" in picture.caption


def test_of_a_large_search_the_best_are_drawn_and_of_one_evaluation_nothing(searched, told):
    (picture,) = section(searched, training)
    best = searched.rankings()[0].trials.index[0]
    assert picture.alt.startswith(f"fid_lenet of 8 trials by round; at the end: trial {best} ")
    assert "shaded" not in picture.caption
    plan = told("short", lambda params, number: 40.0, {"space": "gradnorm", "trials": 1, "rounds": 2})
    assert section(loaded(plan), training) is None


def test_rungs_and_early_stopping(searched):
    blocks = section(searched, stopping)
    early = searched.trials()["state"].eq("stopped early").sum()
    finished = searched.trials()["state"].eq("finished").sum()
    rows = table(blocks)
    # Every trial is at the same share of its end then, so the order is the final one.
    assert [row["rank correlation with the end"] for row in rows] == ["1"] * len(rows)
    assert rows[0]["ranks of the final best 3 then"] == f"1, 2, 3 of {finished + early}"
    said = texts(blocks)
    assert f"asha stopped {early} trials ({early} at round 2) and kept {finished}" in said
    assert f"saved {early * 4 / (6 * (early + finished)):.0%} of the rounds" in said
    assert "None of them was ahead" in said


def test_an_early_order_that_is_upside_down_has_a_correlation_of_minus_one(told):
    plan = told("crossing", lambda params, number: 40.0 - number, {"space": "gradnorm", "trials": 6})
    study = loaded(plan)
    curves = study.curves(["fid_lenet_best"])
    early = curves["round"] < curves["round"].max()
    curves.loc[early, "value"] = 100 - curves.loc[early, "value"]
    study.curves = lambda metrics: curves
    rows = table(section(study, stopping))
    assert rows[0]["rank correlation with the end"] == "-1"
    assert rows[0]["ranks of the final best 3 then"] == "6, 5, 4 of 6"


def test_failures_have_their_reasons(searched, ablation):
    blocks = section(searched, failures)
    assert table(blocks, "Reasons") == [{"reason": DIVERGED, "trials": "2"}]
    assert [row["trial"] for row in table(blocks, "2 trials")] == ["7", "9"]
    assert section(ablation, failures) is None


def test_the_front_is_that_of_the_values(told):
    # The second objective is |first - 100| / 100, higher is better: below 100, every trial is on the front.
    options = {"space": "gradnorm", "trials": 8, "objectives": ("fid_lenet_best", "auroc_best")}
    plan = told("two", lambda params, number: 50.0 + 10 * number, options)
    rows = table(section(loaded(plan), front))
    second = [abs(50 + 10 * n - 100) / 100 for n in range(8)]
    on_front = [str(n) for n in range(8) if all(second[n] > better for better in second[:n])]
    assert [row["trial"] for row in rows] == on_front


def test_cost_adds_up(searched):
    rows = {row["0"]: row["amount"] for row in table(section(searched, cost))}
    trials = searched.trials()
    rounds = trials["metrics.round"].fillna(0).sum()
    assert rows["training"] == f"{3 * rounds / 60:.0f} min"
    assert rows["evaluation"] == f"{rounds / 60:.0f} min"
    assert float(rows["CPU hours"]) == pytest.approx(trials["metrics.cpu_hours"].sum(), rel=1e-3)
    assert rows["GPU hours"] == "0"


def test_the_command_repeats_the_study(searched, search):
    command = repeat(searched)
    assert command.startswith("python -m study.launch --space gradnorm --scale smoke --trials 26 --rounds 6")
    assert "--sampler random" in command
    assert command.endswith(f"--storage-dir {search.storage}")
    assert "--name" not in command


def test_a_running_study_says_so_and_its_running_trials_are_not_ranked(told):
    plan = told("running", distance, {"space": "gradnorm", "trials": 3}, is_over=False)
    report = make_report(loaded(plan), refresh=30)
    assert report.refresh == 30
    assert "running" in report.subtitle


def test_deleted_runs_and_lost_pictures_are_named(told):
    plan = told("lossy", distance, {"space": "gradnorm", "trials": 3}, pictures=False)
    MlflowClient(plan.tracking_uri).delete_run(loaded(plan).trials().loc[1, "run_id"])
    assert "1 run of a trial is missing in MLflow: it was deleted" in texts(answer(loaded(plan)))
    assert "have no pictures" in texts(section(loaded(plan), pictures))


def test_a_study_of_points_is_reported(told):
    plan = told("line", lambda params, number: 0.1 * (number + 1), {"space": "toy_line"})
    assert "Trial 0 was best: energy 0.1" in texts(answer(loaded(plan)))


def test_a_search_that_found_nothing_better_than_its_first_trials_says_so(told):
    options = {"space": "gradnorm", "trials": 5}
    plan = told("worse", lambda params, number: 40.0 + number, options, pictures=False)
    said = texts(answer(loaded(plan)))
    assert "These are the settings of the first trial 'published: all'" in said
    assert "The search found nothing better: the best beside the first trials is 10.0% higher, which is worse" in said


@pytest.mark.parametrize(
    ("values", "said"),
    [([1.0, 1.2], "1.1 ± 0.14 (n=2)"), ([500.0, 900.0], "700 ± 283 (n=2)"), ([3.0], "3"), ([], "-")],
)
def test_a_mean_is_told_with_its_deviation(values, said):
    assert with_deviation(values) == said


@pytest.mark.parametrize(
    ("value", "other", "said"),
    [
        (30, 40, "25.0% lower"),
        (50, 40, "25.0% higher, which is worse"),
        (40, 40, "equal"),
        # A share of a number that may be negative, as a gain in decibels, or is nearly 0, says nothing.
        (-3.0, 0.5, "3.5 lower"),
        (5.0, -0.5, "5.5 higher, which is worse"),
        (5.0, 0.25, "4.75 higher, which is worse"),
    ],
)
def test_a_difference_is_told_as_a_share_where_that_says_something(value, other, said):
    assert better(value, other, "minimize") == said


def test_of_a_study_that_has_finished_nothing_no_pictures_are_shown(told):
    plan = told("nothing", lambda params, number: DIVERGED, {"space": "gradnorm", "trials": 2}, pictures=False)
    assert section(loaded(plan), pictures) is None
    assert make_report(loaded(plan)).sections
