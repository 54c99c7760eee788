"""The folder of a finished study, read for its bundle: config, healthy scans, weights, reconstructions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.cohorts import Split, read_rows, read_split
from spatial_erasing.entries import stored_name
from spatial_erasing.models import Method, Run, list_methods
from spatial_erasing.preprocess.stack import largest_box
from spatial_erasing.registry import needs_healthy
from spatial_erasing.score.maps import MAP, RECONSTRUCTION, Scoring, load_stored, stored_as


@dataclass(frozen=True)
class RunFolder:
    """A finished study, and the methods whose networks become one bundle.

    Args:
        results: its folder `results/`.
        config: the study's configuration.
        methods: names of rows of its tables, such as "3d-none"; the score is that of the first.
        seeds: trainings of each that form the ensemble.
        percent: share of the training data.
    """

    results: Path
    config: Mapping[str, Any]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    percent: int = 100

    @classmethod
    def opened(cls, run: str | Path, *methods: str, seeds: tuple[int, ...] = ()) -> "RunFolder":
        """The folder of a run, named by itself or by its `results/`, with all seeds unless some are given.

        Raises:
            FileNotFoundError: the study is not there or not finished.
            ValueError: there is no such method, or it has no network.
        """
        import yaml  # noqa: PLC0415  applying a model needs no yaml

        run = Path(run)
        results = run / "results" if (run / "results").is_dir() else run
        stated = results / "config.yaml"
        if not stated.is_file():
            raise FileNotFoundError(
                f"{stated} does not exist. Expected the folder of a finished study, in which snakemake was "
                "run to its end."
            )
        config = yaml.safe_load(stated.read_text(encoding="utf-8"))
        folder = cls(results, config, methods, seeds or tuple(config["study"]["seeds"]))
        for weights in folder.weights.values():
            if not weights.is_file():
                raise FileNotFoundError(f"{weights} does not exist. Train it first, or choose other --seeds.")
        return folder

    @cached_property
    def described(self) -> list[Method]:
        """The methods, as the study's config describes them."""
        methods = list_methods(self.config)
        networks = [name for name, method in methods.items() if not method.is_baseline]
        if other := [name for name in self.methods if name not in networks]:
            raise ValueError(f"the study has no network '{other[0]}'; expected one of {', '.join(networks)}.")
        return [methods[name] for name in self.methods]

    @property
    def trainings(self) -> dict[str, Run]:
        """Each training of the ensemble by its name in the bundle.

        In the order of `Bundle.weights`: float32 means over the networks depend on it in their last digit.
        """
        found = {
            f"{method.model}-seed-{seed}": Run(method.model, self.percent, seed)
            for method in self.described
            for seed in self.seeds
        }
        return dict(sorted(found.items()))

    @property
    def weights(self) -> dict[str, Path]:
        """Name of each training to its weights."""
        return {
            name: self.results / "train" / run.folder / "weights.pt" for name, run in self.trainings.items()
        }

    @property
    def score(self) -> str:
        """The score of the ensemble, unless `apply --score` names another."""
        return self.described[0].score

    @property
    def sequence(self) -> str:
        """The sequence that the networks are trained on."""
        return self.config["study"]["sequence"]

    @property
    def healthy_cohorts(self) -> list[str]:
        """The cohorts that the networks are trained on."""
        return self.config["study"]["healthy_cohorts"]

    @property
    def lesion_cohorts(self) -> list[str]:
        """Lesion cohorts that have the sequence of the training."""
        cohorts = self.config["ingest"]["cohorts"]
        return [
            name
            for name in self.config["study"]["lesion_cohorts"]
            if self.sequence in cohorts[name]["sequences"]
        ]

    @property
    def scores(self) -> dict[str, Mapping[str, Any]]:
        """Every score that reads reconstructions, by name; only the method's own if that reads the network.

        Raises:
            ValueError: the method's own score compares with healthy scans.
        """
        entries = self.config["scores"]
        if needs_healthy(entries[self.score]):
            raise ValueError(
                f"the score of {self.methods[0]} compares with healthy scans, and a bundle holds none. "
                "Choose a method with another score, for example 3d-none@structural."
            )
        if self.maps_of is not None:
            return {self.score: self.maps_of}
        return {name: entry for name, entry in entries.items() if stored_as(entry) == RECONSTRUCTION}

    @property
    def maps_of(self) -> Mapping[str, Any] | None:
        """The method's own score if it reads the network, so that its maps are stored; else None."""
        own = self.config["scores"][self.score]
        return own if stored_as(own) == MAP else None

    @property
    def post_processing(self) -> dict[str, int]:
        """Keywords of `post_process`."""
        return {name: self.config["score"][name] for name in ("erosion_iterations", "median_size_voxels")}

    def scoring(self, score: str) -> Scoring:
        """This score with the post-processing of the study."""
        return Scoring(self.scores[score], self.post_processing)

    def healthy(self, split: str) -> Split:
        """The healthy scans of a split."""
        files = [self.volumes(cohort) for cohort in self.healthy_cohorts]
        return read_split(files, self.results / "split/healthy.csv", split=split, sequence=self.sequence)

    def lesions(self, cohort: str, split: str) -> Split:
        """The scans of a split of a lesion cohort."""
        table = self.results / f"split/{cohort}.csv"
        return read_split([self.volumes(cohort)], table, split=split, sequence=self.sequence)

    def volumes(self, cohort: str) -> Path:
        """The arrays of a cohort."""
        return self.results / f"preprocess/{cohort}/volumes.npz"

    def stored(self, cohort: str, split: str, scans: Split) -> list[np.ndarray]:
        """The reconstructions of a split, or its maps, by each network of the ensemble."""
        dataset = f"{cohort}-{self.sequence}/{split}.npz"
        runs = [
            replace(run, method=stored_name(self.config, run.method, self.score))
            for run in self.trainings.values()
        ]
        files = [self.results / "score" / run.folder / dataset for run in runs]
        return [load_stored(file, scans, self.scoring(self.score)) for file in files]

    def manifest(self) -> Iterator[dict[str, str]]:
        """The rows of the healthy brains that are done."""
        for cohort in self.healthy_cohorts:
            rows = read_rows(self.results / f"preprocess/{cohort}/manifest.csv")
            yield from (row for row in rows if row["status"] == "done")

    def intervals(self) -> list[dict[str, str]]:
        """The rows of the study's own table of intervals that are about the methods."""
        rows = read_rows(self.results / "evaluate/intervals.csv")
        return [
            row
            for row in rows
            if row["model"] in self.methods and row["fraction_percent"] == str(self.percent)
        ]

    def landmarks(self) -> dict[str, Any]:
        """The landmarks of each sequence."""
        return json.loads((self.results / "preprocess/landmarks.json").read_text(encoding="utf-8"))

    def padded_grid_voxels(self) -> list[int]:
        """The padded grid, measured as the study did where its config says auto."""
        stated = self.config["preprocess"]["padded_grid_voxels"]
        if stated != "auto":
            return list(stated)
        tables = sorted(self.results.glob("preprocess/*/batch-*.csv"))
        return list(largest_box(row for table in tables for row in read_rows(table)))
