"""Files of a study from its config: the paper's, and one with a change of one value."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from spatial_erasing.models import Run
from spatial_erasing.plan import Plan

CONFIG = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())


def plan_of(folder, change=lambda config: None):
    config = deepcopy(CONFIG)
    change(config)
    return Plan(config, root=folder)


def test_the_paper_s_study_has_as_many_files_as_its_tables_and_figures_need(tmp_path):
    plan = plan_of(tmp_path)
    # Table 1: 14 models and 2 baselines; Figure 5: 3 more shares of 4 models
    assert len(plan.runs) == 14 + 2 + 3 * 4
    # each on T1 of two cohorts, and two models of Table 2 on T1ce of BraTS
    assert len(plan.evaluations("metrics.csv")) == 2 * len(plan.runs) + 2
    assert len(plan.methods.trained) == 14
    curves = plan.on_trained_sequence("curve.npz", plan.diagnosed_runs)
    assert len(curves) == (4 + 1) * 2 == len(plan.thresholds_of(plan.diagnosed_runs))


def test_every_evaluated_file_is_named_once_and_every_diagnosed_one_is_evaluated(tmp_path):
    plan = plan_of(tmp_path)
    everywhere = plan.evaluations("a")
    assert len(set(everywhere)) == len(everywhere)
    diagnosed = set(plan.evaluations("a", plan.diagnosed_runs))
    assert set(plan.on_trained_sequence("a", plan.diagnosed_runs)) < diagnosed < set(everywhere)
    of_one_run = plan.on_trained_sequence("a", plan.diagnosed_runs[:1])
    assert len(of_one_run) == 2 and set(of_one_run) < diagnosed


def test_a_table_or_figure_that_compares_what_a_study_lacks_is_left_out(tmp_path):
    whole = set(plan_of(tmp_path).tables_and_figures())

    def one_share(config):
        config["study"]["fractions_percent"] = [100]

    def one_sequence(config):
        config["ingest"]["cohorts"]["brats"]["sequences"] = ["t1"]

    for change, left_out in ((one_share, "figures/figure_5.png"), (one_sequence, "tables/table_2.md")):
        assert whole - set(plan_of(tmp_path, change).tables_and_figures()) == {f"results/report/{left_out}"}


@pytest.mark.parametrize(
    "of, kinds",
    [
        ({"kind": "erased_parts", "edge_voxels": 8, "fill": "noise"}, {"erased_parts", "noise"}),
        ({"kind": "erase_and_restore", "fill": "zero"}, {"erase_and_restore", "zero"}),
        ({"kind": "several", "draws": "noise"}, {"several", "noise", "cube"}),
        ({"kind": "several", "draws": "zero"}, {"several", "zero", "cube"}),
        ({"kind": "several", "draws": "latent"}, {"several"}),
    ],
)
def test_what_a_score_erases_counts_in_the_fingerprint_of_its_maps(tmp_path, of, kinds):
    def add(config):
        config["scores"] |= {
            "own": of | {"title": "own"},
            "compared": {"kind": "relative", "of": of, "title": "compared"},
        }
        config["study"]["models"] = ["3d-none@own", "3d-none@compared"]

    methods = plan_of(tmp_path, add).methods
    for name, more in (("3d-none@own", {"vae"}), ("3d-none@compared", {"vae", "relative"})):
        job = type("Job", (dict,), {"stored": name})(stored=name)
        assert {file.stem for file in methods.kinds_to_store(job)} == kinds | more


def test_the_table_of_rivals_is_that_of_a_study_that_names_some(tmp_path):
    def add(config):
        config["report"]["rivals"] = ["3d-none"]
        config["study"]["seeds"] = [1, 2]

    assert plan_of(tmp_path).detections() == []
    plan = plan_of(tmp_path, add)
    added = {"results/report/tables/rivals.md", "results/report/figures/rivals.png"}
    assert set(plan.tables_and_figures()) - set(plan_of(tmp_path).tables_and_figures()) == added
    # 14 models and 2 baselines, two seeds, T1 of two cohorts
    assert len(set(plan.detections())) == 16 * 2 * 2 == len(plan.detections())
    assert set(plan.detections()) < set(plan.evaluations("detection.csv"))


def test_a_cohort_that_borrows_a_threshold_has_none_of_its_own(tmp_path):
    def borrow(config):
        config["threshold"]["from_cohort"] = {"atlas": "brats"}

    run = Run("2d-none", 100, 1)
    assert plan_of(tmp_path).thresholds_of_run(run) == [
        f"results/threshold/{run.folder}/{dataset}.json" for dataset in ("brats-t1", "atlas-t1")
    ]
    borrowed = plan_of(tmp_path, borrow)
    assert borrowed.thresholds_of_run(run) == [f"results/threshold/{run.folder}/brats-t1.json"]
    assert borrowed.threshold_of(run, "atlas") == borrowed.threshold_of(run, "brats")


@pytest.mark.parametrize(
    "source, made, download",
    [
        ({"reader": "brats", "path": "/data/brats"}, [], None),
        ({"reader": "brats", "path": "results/phantom/brats/tree"}, ["results/phantom/brats.csv"], None),
        (
            {"reader": "ixi", "path": "results/ingest/downloads/ixi/T1"},
            [],
            "results/ingest/downloads/ixi.json",
        ),
        ({"reader": "table", "path": "/data/scans.csv"}, ["/data/scans.csv"], None),
        ({"reader": "table", "path": "below/scans.csv"}, ["below/scans.csv"], None),
    ],
)
def test_what_must_be_there_before_a_cohort_is_listed(tmp_path, source, made, download):
    plan = plan_of(tmp_path, lambda config: config["ingest"]["cohorts"]["brats"].update(source))
    assert plan.made_before_listed("brats") == made
    assert plan.download_of_cohort("brats") == download


def test_only_a_grid_that_is_measured_waits_for_the_brains_of_all_cohorts(tmp_path):
    assert plan_of(tmp_path).brains_that_set_the_grid() == []
    measured = plan_of(tmp_path, lambda config: config["preprocess"].update(padded_grid_voxels="auto"))
    batches = [CONFIG["ingest"]["cohorts"][cohort]["batches"] for cohort in measured.cohorts]
    assert len(measured.brains_that_set_the_grid()) == sum(batches)
    assert len(set(measured.brains_of(measured.cohorts))) == sum(batches)


def test_a_way_to_standardise_brings_its_target_and_learned_landmarks_a_file(tmp_path):
    def learn(config):
        config["preprocess"]["standardise"] = {"t1": "landmarks", "t1ce": "median"}

    plan = plan_of(tmp_path, learn)
    assert plan.learned_landmarks("brats") == ["results/preprocess/landmarks.json"]
    assert plan.targets_of_standard("brats") == {"t1ce": CONFIG["preprocess"]["standard"]["median"]["t1ce"]}
    assert plan.common_sequences(["brats", "atlas"]) == ["t1"] and plan.sequences() == ["t1", "t1ce"]


def test_another_sequence_to_train_on_names_every_file_and_stands_beside_no_number_of_the_paper(tmp_path):
    def train_on_flair(config):
        config["sequences"] = {"t1": "T1", "t1ce": "T1ce", "flair": "FLAIR"}
        config["study"]["sequence"] = "flair"
        for cohort, sequences in (("healthy", ["flair"]), ("brats", ["t1", "flair"]), ("atlas", ["flair"])):
            config["ingest"]["cohorts"][cohort] |= {"reader": "table", "sequences": sequences}

    plan = plan_of(tmp_path, train_on_flair)
    run = Run("3d-cube-noise", 100, 1)
    assert plan.datasets_of(run) == ["brats-t1", "brats-flair", "atlas-flair"]
    assert plan.datasets_of(Run("3d-none", 100, 1)) == ["brats-flair", "atlas-flair"]
    on_one_sequence = [
        *plan.on_trained_sequence("a", plan.diagnosed_runs),
        *plan.example_scores("3d-none"),
        plan.threshold_of(run, "atlas"),
        *plan.thresholds_of(plan.diagnosed_runs),
    ]
    assert all("brats-flair" in path or "atlas-flair" in path for path in on_one_sequence)
    assert plan.sequences() == ["flair", "t1"] == plan.sequences(["brats"])
    assert plan.paper_cohorts() == {"brats": None, "atlas": None} and plan.cohorts_of_table_2() == {
        "brats": None
    }
    assert list(plan.sequences_of_table_2().values()) == ["FLAIR", "T1"]


def test_planting_without_a_word_about_it_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"phantom\.planted is null.*config/real\.yaml"):
        plan_of(tmp_path, lambda config: config["phantom"].update(planted=None)).planted_source()


def test_an_excluded_subject_is_read_once_with_its_reason(tmp_path):
    table = tmp_path / "exclude.csv"
    table.write_text("cohort,subject,reason\nbrats,case-1,moved\n")
    plan = plan_of(tmp_path, lambda config: config["ingest"].update(exclude="exclude.csv"))
    assert plan.excluded == {"brats": {"case-1": "moved (exclude.csv)"}}
    table.unlink()
    assert list(plan.excluded) == ["brats"]
    assert plan_of(tmp_path).excluded == {}


def test_figure_3_shows_what_is_trained_and_in_a_dimension_without_erasing_all_there_is(tmp_path):
    def without_erasing_in_2d(config):
        names = ["2d-none", "3d-none", "3d-cube-noise"]
        config["study"] |= {"table_1_models": names, "models": names, "table_2_models": names[2:]}

    def shown(plan, dims):
        return {method.name for method in plan.methods.that_erase() if method.dims == dims}

    whole, small = plan_of(tmp_path), plan_of(tmp_path, without_erasing_in_2d)
    assert shown(small, 3) == {"3d-cube-noise"} < shown(whole, 3)
    assert shown(small, 2) == shown(whole, 2) and "3d-sphere-noise" not in shown(whole, 3)
