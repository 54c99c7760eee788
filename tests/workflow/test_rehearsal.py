"""The study on brains made straight at the networks' grid, by the rules and in pieces without them."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RUN = "evaluate/3d-cube-noise/fraction-100/seed-1"
STRAIGHT = {
    "phantom": {"straight_to_grid": True, "minimum_lesion_ml": 10.0},
    "preprocess": {"padded_grid_voxels": [158, 191, 163]},
}


def test_a_piece_has_the_numbers_of_the_rules_byte_by_byte(study, tmp_path):
    rehearsal = study.copy(tmp_path, results=False)
    overlay = rehearsal.workflow / "tiny.yaml"
    config = yaml.safe_load(overlay.read_text())
    for section, values in STRAIGHT.items():
        config[section] |= values
    overlay.write_text(yaml.safe_dump(config))
    rehearsal.run("--", f"results/{RUN}/brats-t1/metrics.csv", f"results/{RUN}/atlas-t1/metrics.csv")

    script = [sys.executable, str(ROOT / "benchmarks/rehearsal.py")]
    template, piece = tmp_path / "template.npz", tmp_path / "piece"
    subprocess.run([*script, "template", str(template)], check=True)
    command = [*script, "piece", str(piece), "--template", str(template), "--models", "3d-cube-noise"]
    subprocess.run([*command, "--config", str(overlay)], check=True)

    for dataset in ("brats-t1", "atlas-t1"):
        for name in ("metrics.csv", "subjects.csv", "counts.npz", "slices.npz"):
            ours = rehearsal.results / RUN / dataset / name
            assert (piece / "results" / RUN / dataset / name).read_bytes() == ours.read_bytes(), ours
    assert (piece / "results" / RUN / "brats-t1ce/metrics.csv").exists()  # Table 2
    left = sum(path.stat().st_size for path in piece.rglob("*") if path.is_file())
    assert left < 1e6 and not list(piece.rglob("*.pt"))
