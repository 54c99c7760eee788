"""Results as a derivative data set of BIDS 1.11: names, sidecars, and the description of the data set."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatial_erasing import __version__
from spatial_erasing.apply.inputs import Input
from spatial_erasing.apply.outputs import PLAIN_NAMES, TABLES, Places
from spatial_erasing.jobs.atomic import write_text

CODE_URL = "https://pypi.org/project/spatial-erasing/"
# BIDS 1.11.1: "If no transformation has taken place, the value of `space` SHOULD be set to `orig`";
# `label-L` is its word for a lesion.
NAMES = {
    "score": "space-orig_desc-anomaly_score.nii.gz",
    "percentile": "space-orig_label-L_desc-anomaly_probseg.nii.gz",
    "mask": "space-orig_label-L_desc-anomaly_mask.nii.gz",
    "reconstruction": "space-orig_desc-pseudohealthy_T1w.nii.gz",
    "brain": "space-orig_desc-brain_mask.nii.gz",
    "spread": "space-orig_desc-anomaly_spread.nii.gz",
    "grid": "desc-anomaly_grid.npz",
}
DESCRIBED = ("percentile", "mask", "brain", "reconstruction")  # with a sidecar
# No suffix of BIDS exists for a score map, a spread, or a page, so a validator is told to pass over them.
IGNORED = ("*.html", "*_score.nii.gz", "*_spread.nii.gz", "*_grid.npz", "scans.csv", "run.json", "logs/")
DESCRIPTIONS = {
    "anomaly": "what a model finds unlike healthy brains",
    "brain": "brain mask",
    "pseudohealthy": "what the model expects of a healthy brain",
}
NO_PROBABILITY = (
    "The share of brain voxels of healthy validation scans with a lower anomaly score, from 0 to 1. "
    "A percentile is no probability of a lesion: over all of these scans, 1 % of the voxels lie above 0.99."
)


def bids_places(output: Path, scan: Input) -> Places:
    """The files of a scan named `sub-X[_ses-Y]_..._T1w`."""
    stem = scan.name.removesuffix("_T1w")
    entities = dict(part.split("-", 1) for part in stem.split("_") if "-" in part)
    folder = output / f"sub-{entities['sub']}"
    if "ses" in entities:
        folder /= f"ses-{entities['ses']}"
    paths = {kind: folder / "anat" / f"{stem}_{name}" for kind, name in NAMES.items()}
    logs = {kind: output / "logs" / stem / PLAIN_NAMES[kind] for kind in TABLES if kind != "page"}
    sidecars = {
        kind: paths[kind].with_name(paths[kind].name.replace(".nii.gz", ".json")) for kind in DESCRIBED
    }
    return Places(paths | logs | {"page": output / f"{stem}.html"}, sidecars)


def write_sidecars(places: Places, scan: Input, summary: Mapping[str, Any]) -> None:
    """The JSON file beside each image: what it is, of which scan, by which model.

    Args:
        places: of the files.
        scan: that was given.
        summary: of the scan.
    """
    source = scan.path.name if scan.root is None else str(scan.path.relative_to(scan.root))
    common = {
        "Sources": [f"bids:raw:{source}"],
        "SpatialReference": "orig",
        "Model": summary["model"],
        "ModelChecksum": summary["checksums"]["model"],
    }
    about = {
        "percentile": {"Description": NO_PROBABILITY},
        "mask": {
            "Description": "Voxels whose anomaly score reaches the threshold.",
            "Type": "Lesion",
            "Threshold": summary["threshold"],
            "ThresholdSource": "validation scans of the study that trained the model",
        },
        "brain": {"Description": "Brain mask of the preparation.", "Type": "Brain"},
        "reconstruction": {
            "Description": "What the model expects of a healthy brain, on its coarse grid, interpolated.",
            "SkullStripped": True,
        },
    }
    for kind, sidecar in places.sidecars.items():
        if places.paths[kind].is_file():
            write_text(sidecar, json.dumps(common | about[kind], indent=1) + "\n")


def write_description(output: Path, *, roots: set[Path]) -> None:
    """`dataset_description.json`, `.bidsignore`, a README and `descriptions.tsv` of the results.

    Args:
        output: folder of the results.
        roots: BIDS data sets that the scans come from.
    """
    root = sorted(roots)[0].resolve().as_uri() if roots else None
    description: dict[str, Any] = {
        "Name": "Anomaly maps by spatial-erasing",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "spatial-erasing", "Version": __version__, "CodeURL": CODE_URL}],
    }
    if root:
        description |= {"SourceDatasets": [{"URL": root}], "DatasetLinks": {"raw": root}}
    write_text(output / "dataset_description.json", json.dumps(description, indent=1) + "\n")
    write_text(output / ".bidsignore", "\n".join(IGNORED) + "\n")
    write_text(
        output / "README",
        "Anomaly maps of T1-weighted scans, written by spatial-erasing: for research, no medical device.\n"
        "sub-*.html shows each scan; scans.csv has a row a scan; logs/ holds tables and summaries.\n",
    )
    lines = [f"desc-{label}\t{meaning}\n" for label, meaning in DESCRIPTIONS.items()]
    write_text(output / "descriptions.tsv", "".join(["desc_id\tdescription\n", *lines]))
