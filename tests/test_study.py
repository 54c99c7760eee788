import copy
from pathlib import Path

import pytest
import yaml
from merged_configs import merged

from spatial_erasing.models import ModelSpec, Run, list_datasets, list_runs
from spatial_erasing.study import check_paths, check_schema, check_study
from spatial_erasing.train.start import training_settings

ROOT = Path(__file__).parents[1]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())

BIDS_WITH_T2 = {"reader": "bids", "path": "data/bids", "sequences": ["t1", "t2"]}


@pytest.fixture
def paper():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


@pytest.fixture
def demo(paper):
    return merged(paper, yaml.safe_load((ROOT / "config/demo.yaml").read_text()))


def test_the_paper_s_numbers_stand_in_the_config(paper):
    sizes, train, preprocess = paper["split"]["sizes"], paper["train"], paper["preprocess"]
    assert sizes["healthy"] == {"training": 1807, "validation": 201}
    assert sizes["brats"] == {"validation": 133, "test": 202}
    assert sizes["atlas"] == {"validation": 121, "test": 183}
    assert paper["study"]["fractions_percent"] == [10, 20, 60, 100]
    assert (train["optimisation"]["batch_size"], train["optimisation"]["learning_rate"]) == (32, 0.001)
    assert train["erasing"] == {
        "probability": 0.5,
        "minimum_share": 0.01,
        "maximum_share": 0.25,
        "maximum_regions": 10,
        "maximum_slices": 32,
        "noise_from": "image",
    }
    assert paper["networks"]["vae"]["latent_size"] == {"2d": 128, "3d": 512}
    assert sorted(preprocess["padded_grid_voxels"]) == sorted([191, 158, 163])
    assert (preprocess["spacing_mm"], preprocess["grid_voxels"]) == (1.0, [64, 64, 64])
    assert (paper["threshold"]["iterations"], paper["threshold"]["lower"], paper["threshold"]["upper"]) == (
        10,
        0,
        1,
    )


@pytest.mark.parametrize("overlay", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_that_is_shipped_is_possible(paper, overlay):
    config = merged(paper, yaml.safe_load(overlay.read_text()))
    check_schema(config, SCHEMA)
    check_study(config)


def test_validations_may_be_rarer_in_one_dimension(paper):
    optimisation = paper["train"]["optimisation"] | {"validate_every_steps": {"2d": 700, "3d": 300}}
    values = paper["train"] | {"optimisation": optimisation}
    check_schema(paper | {"train": values}, SCHEMA)
    settings = [
        training_settings(ModelSpec("a", dims, "none", "none"), values=values, computing=None, seed=1)
        for dims in (2, 3)
    ]
    assert [one.optimisation.validate_every_steps for one in settings] == [700, 300]


def test_a_misspelt_key_is_named_with_the_right_one(paper):
    paper["train"]["optimisation"]["batch_sise"] = paper["train"]["optimisation"].pop("batch_size")
    with pytest.raises(
        ValueError, match=r"train\.optimisation: .*batch_sise is not known; did you mean batch_size"
    ):
        check_schema(paper, SCHEMA)


def test_a_value_of_the_wrong_kind_is_named_with_its_place(paper):
    paper["score"]["median_size_voxels"] = 4
    with pytest.raises(ValueError, match=r"score\.median_size_voxels: 4 is not one of \[1, 3, 5, 7, 9\]"):
        check_schema(paper, SCHEMA)


def test_no_key_may_be_missing_since_none_has_a_hidden_default(paper):
    def leaves(node, path=()):
        for key, value in node.items():
            yield (*path, key)
            if isinstance(value, dict):
                yield from leaves(value, (*path, key))

    free = {("phantom", "cohorts"), ("ingest", "cohorts"), ("ingest", "downloads"), ("split", "sizes")}
    free |= {
        ("sequences",),
        ("models",),
        ("networks",),
        ("scores",),
        ("threshold", "from_cohort"),
        ("report", "paper_cohorts"),
    }
    free |= {("preprocess", "standard", "median"), ("preprocess", "standard", "white_matter")}
    free |= {("preprocess", "standard", "two_quantiles"), ("preprocess", "standardise")}
    free |= {("train", "optimisation", "validate_every_steps")}  # one number for both is allowed
    for path in leaves(paper):
        if any(path[: len(place)] == place and path != place for place in free):
            continue
        config = copy.deepcopy(paper)
        section = config
        for key in path[:-1]:
            section = section[key]
        del section[path[-1]]
        with pytest.raises(ValueError, match=f"'{path[-1]}' is a required property"):
            check_schema(config, SCHEMA)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"split": {"sizes": {"atlas": {"validation": 300, "test": 10}}}},
            r"atlas has 1\d subjects.*validation: 0",
        ),
        ({"preprocess": {"grid_voxels": [32, 36, 32]}}, r"cannot be halved 3 times.*\[32, 40, 32\]"),
        ({"train": {"erasing": {"maximum_slices": 33}}}, r"maximum_slices is 33, the grid has 32"),
        ({"train": {"erasing": {"minimum_share": 0.5}}}, r"minimum_share must lie below"),
        ({"study": {"lesion_cohorts": ["brats", "wmh"]}}, r"the cohort wmh, ingest.cohorts has only"),
        ({"study": {"lesion_cohorts": ["brats", "healthy"]}}, r"healthy cannot be both"),
        ({"threshold": {"from_cohort": {"atlas": "wmh"}}}, r"from_cohort.atlas is wmh"),
        (
            {"split": {"sizes": {"atlas": {"validation": 0, "test": 1.0}}}},
            r"atlas takes its threshold .* empty",
        ),
        ({"preprocess": {"lower_percentile": 99}}, r"lower_percentile must lie below"),
        ({"phantom": {"straight_to_grid": True}}, r"standardise\.t1 is median; write range"),
        (
            {"preprocess": {"standard": {"landmarks": {"percentiles": [50, 10]}}}},
            r"landmarks\.percentiles are \[50, 10\]; they must increase",
        ),
        (
            {"preprocess": {"standard": {"two_quantiles": {"t1": [0.7, 0.7]}}}},
            r"two_quantiles\.t1 is \[0\.7, 0\.7\]; the median must be lower",
        ),
        (
            {"sequences": {"t2": "T2"}, "ingest": {"cohorts": {"brats": BIDS_WITH_T2}}},
            r"preprocess\.standardise has no way for t2; write t2: median there",
        ),
        (
            {
                "sequences": {"t2": "T2"},
                "ingest": {"cohorts": {"brats": BIDS_WITH_T2}},
                "preprocess": {"standardise": {"t2": "median"}},
            },
            r"standard\.median has no target for t2",
        ),
        (
            {"study": {"sequence": "t1c"}},
            r"study\.sequence is t1c, which is not known \(did you mean 't1ce'\?\); expected one of t1, t1ce",
        ),
        (
            {"study": {"sequence": "t1ce"}},
            r"cohorts\.healthy\.sequences are t1, without t1ce: .* Add t1ce, or change study\.sequence",
        ),
        (
            {"ingest": {"cohorts": {"brats": {"sequences": ["t1", "t1_ce"]}}}},
            r"cohorts\.brats\.sequences names t1_ce, which is not known \(did you mean 't1ce'\?\)",
        ),
        (
            {"ingest": {"cohorts": {"atlas": {"sequences": ["t1", "t1ce"]}}}},
            r"cohorts\.atlas\.reader is atlas, and its cohort asks for t1ce, .*; expected one of t1\n",
        ),
        (
            {"preprocess": {"standardise": {"t1c": "median"}}},
            r"preprocess\.standardise names t1c, which is not known \(did you mean 't1ce'\?\)",
        ),
        (
            {"preprocess": {"standard": {"white_matter": {"pd": 0.5}}}},
            r"preprocess\.standard\.white_matter names pd, which is not known",
        ),
        (
            {"ingest": {"cohorts": {"healthy": {"sequences": ["t1", "t1ce"]}}}},
            r"cohorts\.healthy\.sequences name t1ce, but phantoms of the kind healthy have t1 alone",
        ),
        ({"sequences": {"brain": "Brain"}}, r"sequences\.brain: brain means something else in files"),
        (
            {
                "preprocess": {"crop": False},
                "study": {"table_1_models": ["2d-half-slice-zero", "3d-half-volume-noise", "3d-none"]},
            },
            r"2d-half-slice-zero, 3d-half-volume-noise erase half of the grid.*crop: true; it is false",
        ),
        (
            {"study": {"models": ["3d-cube-nois"]}},
            r"study names the model 3d-cube-nois, which is not known \(did you mean '3d-cube-noise'\?\)",
        ),
        (
            {"study": {"models": ["3d-none@residul"]}},
            r"study names 3d-none@residul with the score residul, .*did you mean 'residual'",
        ),
        (
            {"models": {"own": {"dims": 3, "network": "vea", "erase": "cub", "fill": "nois", "title": "O"}}},
            r"own\.network is vea, .*'vae'.*own\.erase is cub, .*'cube'.*own\.fill is nois, .*'noise'",
        ),
        (
            {"models": {"own": {"baseline": "median", "title": "Own"}}},
            r"models\.own\.baseline is median, .*did you mean 'brain_median'",
        ),
        ({"networks": {"vae": {"kind": "vea"}}}, r"networks\.vae\.kind is vea, .*did you mean 'vae'"),
        ({"scores": {"residual": {"kind": "absolut"}}}, r"scores\.residual\.kind is absolut, .*'absolute'"),
        *(
            ({"scores": {"own": {"kind": "relativ", "title": "own", "of": of}}}, r"own\.kind is relativ, ")
            for of in (3, {}, {"kind": 3})
        ),
        (
            {"scores": {"relative": {"of": {"kind": "absolut"}}}},
            r"scores\.relative\.of\.kind is absolut, .*'absolute'",
        ),
        *(
            (
                {"study": {"models": [f"3d-autoencoder@{score}"]}},
                rf"score of 3d-autoencoder@{score} needs the latent distribution .* autoencoder has none",
            )
            for score in ("restored", "restored-relative", "distance")
        ),
        (
            {
                "scores": {"restored": {"of": {"kind": "relative", "of": {"kind": "absolute"}}}},
                "study": {"models": ["3d-none@restored"]},
            },
            r"score of 3d-none@restored is latent_restoration of relative, which reads the network",
        ),
        ({"report": {"rivals": ["3d-non"]}}, r"report\.rivals names 3d-non, .*did you mean '3d-none'"),
        ({"study": {"paper": {"network": "vea"}}}, r"study\.paper\.network is vea, .*did you mean 'vae'"),
        ({"models": {"2d-none": {"fill": "zero"}}}, r"models\.2d-none has erase: none and fill: zero"),
        ({"study": {"models": ["baseline-mean-healthy"]}}, r"baseline-mean-healthy has no network"),
        ({"study": {"baselines": ["3d-none"]}}, r"3d-none has a network; remove it from study\.baselines"),
        (
            {"score": {"erosion_iterations": 100}},
            r"score\.erosion_iterations is 100, which removes the whole brain on a grid of 32 voxels",
        ),
        (
            {"evaluate": {"diagnostics": {"erosion_iterations": [0, 16]}}},
            r"diagnostics\.erosion_iterations is 16.*write at most 15",
        ),
        ({"evaluate": {"lesion_size_percentiles": [60, 40]}}, r"are 60 and 40; the first must lie below"),
        (
            {
                "ingest": {
                    "downloads": {"ixi": {"url": "http://127.0.0.1/x.tar", "sha256": None}},
                    "cohorts": {"healthy": {"path": "results/ingest/downloads/ixy/T1"}},
                }
            },
            r"healthy\.path is .*, but ingest\.downloads has ixi \(did you mean 'ixi'\?\); write its url",
        ),
        (
            {"ingest": {"cohorts": {"healthy": {"path": "results/ingest/downloads/ixi"}}}},
            r"but ingest\.downloads has no entry; write its url there",
        ),
    ],
)
def test_an_impossible_study_is_one_readable_error(demo, change, message):
    with pytest.raises(ValueError, match="(?s)" + message):
        check_study(merged(demo, change))


def test_a_score_without_latent_draws_needs_no_latent_distribution(demo):
    erased = {"scores": {"distance": {"draws": "noise"}}, "study": {"models": ["3d-autoencoder@distance"]}}
    check_study(merged(demo, erased))


@pytest.mark.parametrize(
    "of, message",
    [
        ({"kind": "signed", "finds": "drak"}, r"scores\.restored\.of\.finds: 'drak' is not one of"),
        ({"kind": "absolute", "finds": "dark"}, r"scores\.restored\.of: the key finds is not known"),
        ({"kind": "structural"}, r"scores\.restored\.of: .*windows_voxels"),
        ("absolute", r"scores\.restored\.of: 'absolute' is not of type 'object'"),
    ],
)
def test_settings_of_a_score_of_another_score_are_checked(paper, of, message):
    paper["scores"]["restored"]["of"] = of
    with pytest.raises(ValueError, match=message):
        check_schema(paper, SCHEMA)


def test_the_whole_grid_is_fine_for_models_that_erase_no_half(demo):
    models = ["2d-none", "3d-cube-noise"]
    study = {"table_1_models": models, "models": models, "table_2_models": [], "example_model": "2d-none"}
    check_study(merged(demo, {"preprocess": {"crop": False}, "study": study}))


def test_missing_data_are_named_all_at_once_and_only_until_they_are_listed(paper, tmp_path):
    with pytest.raises(ValueError, match=r"(?s)healthy\.csv.*MICCAI_BraTS_2019.*data/ATLAS.*make demo"):
        check_paths(paper, root=tmp_path)
    (tmp_path / "results/ingest").mkdir(parents=True)
    for cohort in ("healthy", "brats", "atlas"):
        (tmp_path / f"results/ingest/{cohort}.csv").touch()
    check_paths(paper, root=tmp_path)


def test_data_that_the_workflow_fetches_need_not_be_there_yet(paper, tmp_path):
    paper["ingest"]["downloads"] = {"ixi": {"url": "https://127.0.0.1/ixi.tar", "sha256": "0" * 64}}
    for cohort in paper["ingest"]["cohorts"].values():
        cohort["path"] = "results/ingest/downloads/ixi/T1"
    check_schema(paper, SCHEMA)
    check_study(paper)
    check_paths(paper, root=tmp_path)


@pytest.mark.parametrize(
    "download",
    [{"url": "ftp://x/y.tar", "sha256": None}, {"url": "http://x/y", "sha256": "abc"}, {"url": "http://x"}],
)
def test_a_download_that_cannot_be_meant_is_refused(paper, download):
    paper["ingest"]["downloads"] = {"ixi": download}
    with pytest.raises(ValueError, match=r"ingest\.downloads\.ixi"):
        check_schema(paper, SCHEMA)


def test_a_missing_table_of_exclusions_is_named_even_when_all_is_listed(demo, tmp_path):
    demo["ingest"]["exclude"] = "mine.csv"
    with pytest.raises(ValueError, match=r"ingest\.exclude: mine\.csv"):
        check_paths(demo, root=tmp_path)
    (tmp_path / "mine.csv").touch()
    check_paths(demo, root=tmp_path)


def test_the_study_trains_14_models_and_three_more_fractions_of_four(paper):
    runs = list_runs(paper["study"])
    trained = [run for run in runs if run.method not in paper["study"]["baselines"]]
    assert len(trained) == 14 + 3 * 4 and len(runs) == len(set(runs)) == 28
    assert {run.fraction_percent for run in trained if run.method == "3d-none"} == {10, 20, 60, 100}


def test_t1ce_is_evaluated_for_the_models_of_table_2_alone(paper):
    cohorts = paper["ingest"]["cohorts"]

    def datasets(model, percent):
        return list_datasets(Run(model, percent, 1), study=paper["study"], cohorts=cohorts)

    assert datasets("3d-cube-noise", 100) == ["brats-t1", "brats-t1ce", "atlas-t1"]
    assert datasets("3d-cube-noise", 20) == datasets("3d-none", 100) == ["brats-t1", "atlas-t1"]


def test_a_missing_folder_of_label_maps_is_named_before_the_first_job(demo, tmp_path):
    demo["phantom"]["label_maps"] = "maps"
    with pytest.raises(ValueError, match=r"phantom\.label_maps: maps"):
        check_paths(demo, root=tmp_path)
    (tmp_path / "maps").mkdir()
    check_paths(demo, root=tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"networks": {"vae": {"kl_wieght": 1}}},
            r"networks\.vae: the key kl_wieght .* did you mean kl_weight",
        ),
        ({"networks": {"vae": {"norm": "instance"}}}, r"networks\.vae\.norm: 'instance' is not one of"),
        ({"networks": {"own": {"kind": "vae"}}}, r"networks\.own: 'feature_maps' is a required property"),
        ({"scores": {"residual": {"sign": 1}}}, r"scores\.residual: the key sign is not known"),
        ({"models": {"own": {"dims": 3}}}, r"models\.own: 'network' is a required property"),
        (
            {"models": {"own": {"baseline": "x", "dims": 3, "title": "y"}}},
            r"models\.own: the key dims is not",
        ),
        ({"models": {"a@b": {"baseline": "x", "title": "y"}}}, r"models: 'a@b' is not a name"),
        ({"models": {"own": None}}, r"models\.own: None is not of type 'object'"),
        ({"networks": {"own": "vae"}}, r"networks\.own: 'vae' is not of type 'object'"),
        ({"networks": {"own": {"kind": ["vae"]}}}, r"networks\.own\.kind: \['vae'\] is not of type 'string'"),
    ],
)
def test_an_entry_has_the_settings_of_its_kind_and_no_others(paper, change, message):
    with pytest.raises(ValueError, match=message):
        check_schema(merged(paper, change), SCHEMA)


def test_adding_an_entry_changes_no_run(paper):
    own = {"models": {"own": paper["models"]["3d-none"] | {"title": "Own"}}}
    assert list_runs(merged(paper, own)["study"]) == list_runs(paper["study"])
