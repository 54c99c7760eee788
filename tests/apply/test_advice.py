"""Sentences of the preparation name the options of the command, not the files of a study."""

import ast
import re
from pathlib import Path

import nibabel as nib
import numpy as np

from spatial_erasing.apply.advice import ADVICE, for_the_command
from spatial_erasing.apply.scans import Options, apply
from tests.apply.small_study import write_head

LIBRARY = Path(__file__).parents[2] / "spatial_erasing"
OF_A_STUDY = re.compile(
    r"config\.yaml|preprocess\.\w|ingest\.\w|skull_strip|this subject|cohort's|the study|requirements|--cores"
)
# modules whose sentences can reach somebody who applies a model
REACHED = (
    *("preprocess/chain.py", "preprocess/intensity.py", "preprocess/oddities.py"),
    *(
        "preprocess/masks.py",
        "preprocess/stack.py",
        "preprocess/resample.py",
        "preprocess/strip.py",
        "preprocess/zero.py",
        "preprocess/standardise/*.py",
    ),
    *("images/*.py", "paths.py", "jobs/faults.py"),
)
# ... but these cannot: a study checks them, or the command does before
UNREACHED = (
    "skull_strip is given, but no brain_mask stands in its row",
    "the padded grid of",
    "holds much more than a data set",
    "could be preprocessed",
    "preprocess.maximum_failed_percent",
)


def sentences():
    """Every text of these modules with … for the values in it, but no docstring."""
    for pattern in REACHED:
        for path in sorted(LIBRARY.glob(pattern)):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            inner = {
                part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
            }
            inner |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                if node not in inner and all(
                    isinstance(part, ast.Constant | ast.FormattedValue) for part in parts
                ):
                    yield "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts
                    )


def test_no_sentence_that_can_be_reached_speaks_of_a_study():
    found = [text for text in sentences() if " " in text]
    assert sum(bool(OF_A_STUDY.search(text)) for text in found) > 10
    left = [text for text in map(for_the_command, found) if OF_A_STUDY.search(text)]
    assert [text for text in left if not any(words in text for words in UNREACHED)] == []
    for of_study, _ in ADVICE:
        assert any(re.search(of_study, text) for text in found), of_study


def test_a_scan_that_fails_says_which_option_helps(bundle, tmp_path):
    scan = write_head(tmp_path / "t1.nii.gz", 12)
    image = nib.load(scan)
    mask = np.zeros(image.shape, np.uint8)
    mask[20:22, 20:22, 20:22] = 1
    nib.save(nib.Nifti1Image(mask, image.affine), tmp_path / "mask.nii.gz")
    options = Options(bundle, brain_mask=tmp_path / "mask.nii.gz", workers=1)
    (row,) = apply(scan, tmp_path / "out", options=options)
    assert row["status"] == "failed" and not OF_A_STUDY.search(row["reason"])
    assert row["reason"].endswith("Look at the scan; give a brain mask of your own (--brain-mask).")
