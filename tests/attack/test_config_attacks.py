"""Configs that cannot be meant, as overlays on the tiny study: one readable line each, before any job."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from merged_configs import PAPER, TINY, merged

from spatial_erasing.ingest import bids_names, records, source
from spatial_erasing.ingest.scans import list_scans
from spatial_erasing.study import check_config_files, check_paths, check_schema, check_study

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())


# case, overlay as a file (bytes), the line that is expected
FILES = [
    ("integer key", b"1: 2\n", r"overlay\.yaml, line 1: the key 1 is read as int; expected a name"),
    ("integer key below", b"study:\n  1: 2\n", r"line 2: the key study\.1 is read as int"),
    ("null as a key", b"study: {null: 2}\n", r"the key study\.null is read as null.*\"null\" in quotes"),
    ("no as a key", b"no: 2\n", r"the key no is read as bool"),
    ("nan as a key", b".nan: 2\n", r"the key \.nan is read as float"),
    ("list as a key", b"? [a]\n: 2\n", r"line 1: found a list or a section, expected the name of a key"),
    (
        "Latin-1",
        'a: 1\nstudy: {title: "Tä"}\n'.encode("latin1"),
        r"line 2: the byte 0xe4 is not UTF-8.*iconv",
    ),
    ("UTF-16", "study: {}".encode("utf-16"), r"line 1: the byte 0xff is not UTF-8"),
    (
        "section twice",
        b"score: {}\nstudy: {}\nscore: {}\n",
        r"line 3: the key score is already in line 1",
    ),
    ("key twice", b"study: {title: a, title: b}\n", r"line 1: the key study\.title is already in line 1"),
    ("key twice, quoted", b"study: 1\n'study': 2\n", r"line 2: the key study is already in line 1"),
    ("key twice in a list", b"a: [{b: 1, b: 2}]\n", r"the key a\.b is already in line 1"),
    (
        "key twice in JSON",
        b'{"study": {"title": 1, "title": 2}}',
        r"overlay\.yaml: the key title is duplicated",
    ),
    ("tab", b"study:\n\ttitle: a\n", r"line 2: this is not YAML"),
    ("open quote", b'study: {title: "a}\n', r"this is not YAML"),
    ("control character", b"study: {title: a\x07}\n", r"this is not YAML"),
]

# case, overlay, the line that is expected
VALUES = [
    (
        "title of two lines",
        'study: {title: "a\\n.. raw:: html"}',
        r"study\.title: 'a\\n\.\. raw.* is not one line of",
    ),
    (
        "title with a line separator",
        'study: {title: "a\\u2028b"}',
        r"study\.title: .* is not one line of text",
    ),
    ("title with a NUL", 'study: {title: "a\\0b"}', r"study\.title: .* is not one line of text"),
    ("title of blanks", 'study: {title: "  "}', r"study\.title: .* is not one line of text"),
    (
        "path with a NUL",
        'ingest: {cohorts: {atlas: {path: "a\\0b"}}}',
        r"cohorts\.atlas\.path: .* is not one line",
    ),
    ("exclude with a newline", 'ingest: {exclude: "a\\nb"}', r"ingest\.exclude: .* is not one line of text"),
    (
        "threshold upside down",
        "threshold: {lower: 1.0, upper: 0.5}",
        r"threshold\.lower must lie below upper; .* 1\.0",
    ),
    (
        "threshold of no width",
        "threshold: {lower: 0.5, upper: 0.5}",
        r"threshold\.lower must lie below upper",
    ),
    (
        "brain range upside down",
        "preprocess: {brain_range_ml: [2500, 400]}",
        r"brain_range_ml are 2500 and 400; the fi",
    ),
    (
        "flags upside down",
        "preprocess: {flag_outside_ml: [9, 9]}",
        r"flag_outside_ml are 9 and 9; the first must",
    ),
    (
        "percentiles",
        "preprocess: {lower_percentile: 99}",
        r"lower_percentile must lie below upper_percentile",
    ),
    (
        "percentiles of no width",
        "preprocess: {lower_percentile: 49.99, upper_percentile: 50}",
        r"lower_percentile 49\.99 and upper_percentile 50 keep 0\.01 % of the .* at least 20 %",
    ),
    (
        "landmarks that fall",
        "preprocess: {standard: {landmarks: {percentiles: [10, 50, 40]}}}",
        r"landmarks\.percentiles are \[10, 50, 40\]; they must (rise|increase)",
    ),
    (
        "landmarks twice",
        "preprocess: {standard: {landmarks: {percentiles: [10, 50, 50.0]}}}",
        r"landmarks\.percentiles: \[10, 50, 50\.0\] has non-unique elements",
    ),
    (
        "shares",
        "train: {erasing: {minimum_share: 0.5}}",
        r"minimum_share must lie below maximum_share; they are 0\.5",
    ),
    (
        "narrow shares",
        "train: {erasing: {minimum_share: 0.998, maximum_share: 0.999}}",
        r"minimum_share 0\.998 and maximum_share 0\.999 are too narrow a range: of 1 cube at most on",
    ),
    (
        "shares of less than a voxel",
        "train: {erasing: {minimum_share: 0, maximum_share: 0.0001}}",
        r"maximum_share 0\.0001 is less than one voxel of \[16, 16\]: nothing would be erased",
    ),
    (
        "narrow shares of many",
        "{study: {example_model: 3d-multi-cube-zero}, train: {erasing: {minimum_share: 0.24}}}",
        r"of 10 cubes at most on \[16, 16, 16\]",
    ),
    (
        "rate NaN",
        "train: {optimisation: {learning_rate: .nan}}",
        r"train\.optimisation\.learning_rate: nan is not a fi",
    ),
    (
        "rate infinite",
        "train: {optimisation: {learning_rate: .inf}}",
        r"learning_rate: inf is not a finite number",
    ),
    (
        "rate overflows",
        "train: {optimisation: {learning_rate: 1.0e+999}}",
        r"learning_rate: inf is not a finite",
    ),
    (
        "probability NaN",
        "train: {erasing: {probability: .nan}}",
        r"erasing\.probability: nan is not a finite number",
    ),
    (
        "NaN in a list",
        "preprocess: {brain_range_ml: [400, .nan]}",
        r"brain_range_ml: nan is not a finite number",
    ),
    (
        "NaN of a cohort",
        "split: {sizes: {atlas: {validation: .nan}}}",
        r"sizes\.atlas\.validation: nan is not a fini",
    ),
    (
        "cohort nan",
        "study: {lesion_cohorts: [nan]}",
        r"no cohort may be called nan: it reads as a missing value",
    ),
    (
        "cohort null",
        'study: {lesion_cohorts: ["null"]}',
        r"no cohort may be called null: it reads as a missing value",
    ),
    (
        "cohort null unquoted",
        "study: {lesion_cohorts: [null]}",
        r"study\.lesion_cohorts\.0: None is not of type",
    ),
    ("cohort NA", "study: {lesion_cohorts: [NA]}", r"lesion_cohorts\.0: 'NA' is not a name of small letters"),
    (
        "cohort None",
        "study: {lesion_cohorts: [None]}",
        r"lesion_cohorts\.0: 'None' is not a name of small letters",
    ),
    ("cohort all", "study: {lesion_cohorts: [all]}", r"no cohort may be called all: rows of all cohorts"),
    (
        "cohort scans",
        "study: {healthy_cohorts: [scans]}",
        r"no cohort may be called scans: results/ingest/scans\.csv",
    ),
    ("cohort splits", "study: {lesion_cohorts: [splits]}", r"no cohort may be called splits"),
    (
        "cohort called healthy",
        "study: {healthy_cohorts: [ixi], lesion_cohorts: [healthy]}",
        r"lesion cohort may be call",
    ),
    (
        "phantoms called planted",
        "phantom: {cohorts: {planted: {kind: atlas, subjects: 2}}}",
        r"planted is the name of",
    ),
    (
        "one healthy phantom",
        "phantom: {cohorts: {healthy: {subjects: 1}}}",
        r"healthy: the split validation would get none",
    ),
    (
        "two test phantoms of none",
        "phantom: {cohorts: {atlas: {subjects: 0}}}",
        r"phantom\.cohorts\.atlas\.subjects: 0 is",
    ),
    ("integer key on the command line", "{study: {1: 2}}", r"study: the key 1 is not known"),
    (
        "lesion cohort of healthy phantoms",
        "phantom: {cohorts: {atlas: {kind: healthy}}}",
        r"phantom\.cohorts\.atlas\.kind is healthy; a lesion cohort needs lesions",
    ),
    (
        "threshold for a cohort that is misspelt",
        "threshold: {from_cohort: {atlaz: atlas}}",
        r"threshold\.from_cohort names atlaz, which is not .* \(did you mean 'atlas'\?\)",
    ),
    (
        "target at the end of the range",
        "preprocess: {standard: {median: {t1: 0.999}}}",
        r"standard\.median\.t1: 0\.999 is greater than the maximum of 0\.95",
    ),
    (
        "unstable denoising",
        "preprocess: {denoise_time_step: 5.0}",
        r"denoise_time_step: 5\.0 is greater than the maximum of 1",
    ),
    (
        "sizes of a cohort that is misspelt",
        "split: {sizes: {heathy: {training: 3, validation: 2}}}",
        r"split\.sizes names heathy, which is none of .*\(did you mean 'healthy'\?\)",
    ),
    (
        "paper's numbers for a cohort that is misspelt",
        "report: {paper_cohorts: {brast: brats}}",
        r"report\.paper_cohorts names brast, .*\(did you mean 'brats'\?\)",
    ),
    (
        "a window that holds no brain",
        "preprocess: {padded_grid_voxels: [1, 1, 1]}",
        r"padded_grid_voxels \[1, 1, 1\] at .* mm hold 0 ml, less than the smallest brain",
    ),
    (
        "voxels of 0.01 mm",
        "preprocess: {spacing_mm: 0.01}",
        r"spacing_mm: 0\.01 is less than the minimum of 0\.25",
    ),
    ("voxels of 50 mm", "preprocess: {spacing_mm: 50}", r"spacing_mm: 50 is greater than the maximum of 10"),
    (
        "denoising without end",
        "preprocess: {denoise_iterations: 1000000}",
        r"denoise_iterations: 1000000 is greater than the maximum of 1000",
    ),
    (
        "table in a folder with braces",
        "ingest: {cohorts: {healthy: {path: '/nowhere/{x}/t.csv'}}}",
        r"ingest\.cohorts\.healthy\.path: /nowhere/\{x\}/t\.csv",
    ),
]


# a folder around everything, which no reader may walk
ABOVE = ["/", "/../", "//", "~/..", "/proc/self/root"]


@pytest.mark.parametrize("path", ABOVE)
@pytest.mark.parametrize("reader", ["atlas", "bids", "brats", "ixi"])
def test_no_reader_walks_the_whole_disk(tmp_path, monkeypatch, path, reader):
    def walk(*_, **__):
        raise AssertionError("the disk is walked")

    (tmp_path / "homes/me").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "homes/me"))
    for module in (source, records):
        monkeypatch.setattr(module, "find_files", walk)
    monkeypatch.setattr(bids_names, "folder_entries", walk)
    cohort = {"reader": reader, "path": path, "sequences": ["t1"], "skull_strip": "none"}
    config = merged(PAPER, {"ingest": {"cohorts": {"healthy": cohort}}})
    said = r"ingest\.cohorts\.healthy\.path: .* holds much more than a data set"
    with pytest.raises(ValueError, match=said):
        check_paths(config, root=tmp_path)
    with pytest.raises(ValueError, match=said):
        list_scans(reader, path, sequences=["t1"], skull_strip="none", cohort="healthy")
    found = source.source_signature(reader, path, sequences=["t1"], listed=tmp_path / "healthy.csv")
    assert found == (source.UNSEEN, None)


def check_all(config, folder):
    """What common.smk asks before the first job."""
    check_schema(config, SCHEMA)
    check_study(config)
    check_paths(config, root=folder)


@pytest.mark.parametrize("content, expected", [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_file_that_yaml_would_misread_is_one_line_with_its_place(content, expected, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_bytes(content)
    with pytest.raises(ValueError, match=expected) as refused:
        check_config_files([ROOT / "config.yaml", overlay])
    assert max(map(len, str(refused.value).splitlines())) < 320


@pytest.mark.parametrize("overlay, expected", [case[1:] for case in VALUES], ids=[case[0] for case in VALUES])
def test_a_value_that_cannot_be_meant_is_one_line(overlay, expected, tmp_path):
    config = merged(TINY, yaml.safe_load(overlay))
    with pytest.raises(ValueError, match=expected) as refused:
        check_all(config, tmp_path)
    assert max(map(len, str(refused.value).splitlines())) < 320


# sizes of a split of real scans that fit no number of subjects, and the line that is expected
SIZES = [
    (
        {"training": 0.8, "validation": 0.1},
        r"has fractions that add up to 0\.9, .*healthy: {training: 0\.889, v",
    ),
    (
        {"training": 0.9, "validation": 0.2},
        r"add up to 1\.1, expected 1.*{training: 0\.818, validation: 0\.182}",
    ),
    (
        {"training": 1807, "validation": 0.1},
        r"mixes counts of subjects with fractions.*{training: 0\.9, validation: 0\.1}",
    ),
    ({"training": 0.9, "validation": 1}, r"add up to 1\.9.*{training: 0\.9, validation: 0\.1}"),
]


@pytest.mark.parametrize("sizes, expected", SIZES)
def test_sizes_that_no_number_of_scans_has_are_found_before_the_first_job(sizes, expected):
    with pytest.raises(ValueError, match=r"(?s)split\.sizes\.healthy: " + f".*{expected}"):
        check_study(merged(PAPER, {"split": {"sizes": {"healthy": sizes}}}))


def test_sizes_of_real_scans_may_be_counts_or_fractions():
    for sizes in ({"training": 7, "validation": 3}, {"training": 0.3334, "validation": 0.6667}):
        check_study(merged(PAPER, {"split": {"sizes": {"healthy": sizes}}}))


def test_all_findings_stand_in_one_error():
    overlay = (
        "{threshold: {lower: 1, upper: 0.5}, preprocess: {brain_range_ml: [9, 8], lower_percentile: 99}}"
    )
    with pytest.raises(ValueError, match=r"(?s)lower_percentile.*threshold\.lower") as refused:
        check_study(merged(TINY, yaml.safe_load(overlay)))
    assert str(refused.value).count("\n") == 4


@pytest.mark.parametrize("overlay", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configs_that_are_shipped_pass(overlay):
    check_config_files([ROOT / "config.yaml", overlay, ROOT / "tests/workflow/tiny.yaml"])


def test_what_yaml_allows_is_not_refused(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("a: &a {b: 1}\nc: {<<: *a, b: 2}\nd: [*a, *a]\n'1': 2\n'{x}': ü\nloop: &l [*l]\n")
    check_config_files([overlay])
    overlay.write_text("")
    check_config_files([overlay, tmp_path / "missing.yaml"])


# case, overlay, the exit code, what Snakemake prints
RUNS = [
    ("integer key", b"1: 2\n", 1, r"overlay\.yaml, line 1: the key 1 is read as int; expected a name"),
    (
        "section twice",
        b"score: {}\nscore: {}\n",
        1,
        r"overlay\.yaml, line 2: the key score is already in line 1",
    ),
    (
        "NaN",
        b"train: {optimisation: {learning_rate: .nan}}\n",
        1,
        r"learning_rate: nan is not a finite number",
    ),
    ("braces in a title", b'study: {title: "a {x} {{y}}"}\n', 0, r"This was a dry-run"),
    ("braces in a folder", b"phantom: {label_maps: '{x}'}\n", 0, r"This was a dry-run"),
]


@pytest.mark.long
@pytest.mark.parametrize(
    "content, code, expected", [case[1:] for case in RUNS], ids=[case[0] for case in RUNS]
)
def test_snakemake_itself_prints_one_line_and_no_traceback(content, code, expected, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_bytes(content)
    (tmp_path / "run" / "{x}").mkdir(parents=True)
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        "1",
        "--dry-run",
        "--directory",
        str(tmp_path / "run"),
    ]
    command += ["--configfile", str(ROOT / "tests/workflow/tiny.yaml"), str(overlay)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    printed = done.stdout + done.stderr
    assert done.returncode == code and re.search(expected, printed)
    assert not re.search(r"Traceback|TypeError|WildcardError", printed)
