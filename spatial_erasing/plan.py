"""Input and output files of a study's jobs, from its config: inputs and params of the rules."""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from spatial_erasing.ingest.exclusion import read_exclusions
from spatial_erasing.ingest.source import download_of, source_signature
from spatial_erasing.job_methods import JobMethods
from spatial_erasing.models import PAPER_SEQUENCE, Run, list_datasets, list_runs
from spatial_erasing.paths import expand_path, path_in_run
from spatial_erasing.preprocess.settings import BrainSettings


class Plan:
    """A study with a checked config; all its file names are relative to the run's directory."""

    def __init__(
        self, config: Mapping[str, Any], *, root: Path, warn: Callable[[str], object] = print
    ) -> None:
        self.config, self.root, self.warn = config, root, warn
        self.signature = functools.cache(self._signature)  # it reads the names of all files
        self.healthy: list[str] = config["study"]["healthy_cohorts"]
        self.lesion: list[str] = config["study"]["lesion_cohorts"]
        self.cohorts = [*self.healthy, *self.lesion]
        self.sequence: str = config["study"]["sequence"]
        self.sources: Mapping[str, Mapping[str, Any]] = config["ingest"]["cohorts"]
        self.runs = list_runs(config["study"])
        self.methods = JobMethods(config)
        self.first_seed: int = config["study"]["seeds"][0]
        self.example_run = Run(self.methods.example.name, 100, self.first_seed)  # of Figure 7
        # The runs of the diagnostics; one baseline is enough to show the margin of the networks.
        diagnosed = (*config["study"]["models"], *config["study"]["baselines"][:1])
        self.diagnosed_runs = [Run(name, 100, self.first_seed) for name in diagnosed]
        self.diagnosed_methods = [(name, cohort) for name in diagnosed for cohort in self.lesion]
        self.threshold_search = {name: config["threshold"][name] for name in ("iterations", "lower", "upper")}
        # settings of prepared brains; a brain is kept as long as they are unchanged
        self.preparation = {name: config["preprocess"][name] for name in BrainSettings.__dataclass_fields__}

    # ingest

    @functools.cached_property
    def excluded(self) -> Mapping[str, dict[str, str]]:
        """Cohort to its subjects excluded by the user, with the reason of each."""
        table = self.config["ingest"]["exclude"]
        if table is None:
            return {}
        return read_exclusions(expand_path(table, base=self.root), cohorts=list(self.sources))

    def download_of_cohort(self, cohort: str) -> str | None:
        """The record of the download with a cohort's data; None for other data."""
        archive = download_of(self.sources[cohort]["path"])
        return f"results/ingest/downloads/{archive}.json" if archive else None

    def made_before_listed(self, cohort: str) -> list[str]:
        """The table of synthetic heads, or of the user's scans, that listing a cohort needs."""
        source = self.sources[cohort]
        if source["path"].startswith("results/phantom/"):
            return ["results/phantom/{}.csv".format(source["path"].split("/")[2])]
        if source["reader"] != "table":
            return []
        return [path_in_run(expand_path(source["path"], base=self.root), root=self.root)]

    def _signature(self, cohort: str) -> str:
        """A signature of a cohort's data files; it changes if a file is added, removed or resized.

        For a download it is the address. A file that changed only its time causes a warning.
        """
        source = self.sources[cohort]
        if archive := download_of(source["path"]):
            return self.config["ingest"]["downloads"][archive]["url"]
        listed = Path(f"results/ingest/{cohort}.csv")
        signature, warning = source_signature(
            source["reader"], source["path"], sequences=source["sequences"], listed=listed
        )
        if warning:
            self.warn(warning)
        return signature

    def planted_source(self) -> str:
        """The table of healthy real scans, some of which receive a lesion."""
        if self.config["phantom"]["planted"] is None:
            raise ValueError(
                "the path of a cohort is below results/phantom/planted/, but phantom.planted is null. "
                "Write phantom.planted, as in config/real.yaml."
            )
        return str(expand_path(self.config["phantom"]["planted"]["source"], base=self.root))

    # preprocess and split

    def brains_of(self, cohorts: Iterable[str]) -> list[str]:
        """The manifests of all batches of these cohorts; a subject's batch follows from its name alone."""
        return [
            f"results/preprocess/{cohort}/batch-{batch:03d}.csv"
            for cohort in cohorts
            for batch in range(self.sources[cohort]["batches"])
        ]

    def brains_that_set_the_grid(self) -> list[str]:
        """The manifests that padded_grid_voxels: auto needs to find the largest brain of all cohorts."""
        is_measured = self.config["preprocess"]["padded_grid_voxels"] == "auto"
        return self.brains_of(self.cohorts) if is_measured else []

    def ways_to_standardise(self, cohort: str) -> dict[str, str]:
        """The way to standardise each sequence of a cohort."""
        ways = self.config["preprocess"]["standardise"]
        return {sequence: ways[sequence] for sequence in self.sources[cohort]["sequences"]}

    def learned_landmarks(self, cohort: str) -> list[str]:
        """The learned standard scale, if a sequence of the cohort needs it."""
        is_learned = "landmarks" in self.ways_to_standardise(cohort).values()
        return ["results/preprocess/landmarks.json"] if is_learned else []

    def targets_of_standard(self, cohort: str) -> dict[str, Any]:
        """The target of each sequence of the cohort, without targets of ways that are not used."""
        return {
            sequence: self.config["preprocess"]["standard"][way][sequence]
            for sequence, way in self.ways_to_standardise(cohort).items()
            if way not in ("range", "landmarks")
        }

    def sequences(self, cohorts: Iterable[str] | None = None) -> list[str]:
        """Every sequence of any cohort of the study, or of these; the one that is trained on comes first."""
        of_each = [
            self.sources[cohort]["sequences"] for cohort in (self.cohorts if cohorts is None else cohorts)
        ]
        in_order = dict.fromkeys((self.sequence, *self.config["sequences"]))
        return [name for name in in_order if any(name in names for names in of_each)]

    def common_sequences(self, cohorts: Collection[str]) -> list[str]:
        """The sequences that each of these cohorts has; the one that is trained on comes first."""
        of_each = [self.sources[cohort]["sequences"] for cohort in cohorts]
        return [name for name in self.sequences(cohorts) if all(name in names for names in of_each)]

    # score, threshold, evaluate

    def samples_at_a_time(self, wildcards: Any) -> int:
        """Samples that a network reconstructs at once: axial slices in 2-D, always one volume in 3-D."""
        return self.config["score"]["batch_size"] if self.methods.of(wildcards).dims == 2 else 1

    def healthy_to_store(self, path: str) -> Callable[[Any], list[str]]:
        """Files of the healthy cohorts, which a score that reads the network may need."""
        files = list(dict.fromkeys(path.format(cohort=cohort) for cohort in self.healthy))
        return lambda wildcards: files if wildcards.stored in self.methods.with_maps else []

    def threshold_source(self, cohort: str) -> str:
        """The cohort whose validation split gives a cohort its threshold: itself, or by `from_cohort`."""
        return self.config["threshold"]["from_cohort"].get(cohort, cohort)

    def threshold_of(self, run: Run, cohort: str) -> str:
        """The threshold that a run uses on scans of a cohort, of the sequence that is trained on."""
        return f"results/threshold/{run.folder}/{self.threshold_source(cohort)}-{self.sequence}.json"

    def datasets_of(self, run: Run) -> list[str]:
        """The data sets "{cohort}-{sequence}" of a run."""
        return list_datasets(run, study=self.config["study"], cohorts=self.sources)

    def evaluations(self, file: str, runs: Iterable[Run] | None = None) -> list[str]:
        """A file of every run, or of these runs, on every data set."""
        return [
            f"results/evaluate/{run.folder}/{dataset}/{file}"
            for run in (self.runs if runs is None else runs)
            for dataset in self.datasets_of(run)
        ]

    def on_trained_sequence(self, file: str, runs: Iterable[Run], *, stage: str = "evaluate") -> list[str]:
        """A file of these runs on each lesion cohort, of the sequence that is trained on."""
        datasets = [f"{cohort}-{self.sequence}" for cohort in self.lesion]
        return [f"results/{stage}/{run.folder}/{dataset}/{file}" for run in runs for dataset in datasets]

    def detections(self) -> list[str]:
        """Lesion-wise detection by each row of the table of rivals."""
        runs = [run for run in self.runs if run.method in self.methods.rivals and run.fraction_percent == 100]
        return self.on_trained_sequence("detection.csv", runs)

    def thresholds_of(self, runs: Iterable[Run]) -> list[str]:
        """The threshold of each of these runs on each lesion cohort."""
        return [self.threshold_of(run, cohort) for run in runs for cohort in self.lesion]

    def thresholds_of_run(self, run: Run) -> list[str]:
        """The threshold of every data set of a run with its own validation subjects."""
        borrowed = self.config["threshold"]["from_cohort"]
        return [
            f"results/threshold/{run.folder}/{dataset}.json"
            for dataset in self.datasets_of(run)
            if dataset.rpartition("-")[0] not in borrowed
        ]

    def example_scores(self, stored: str) -> list[str]:
        """The stored test scores of each lesion cohort; `stored` names a model, or a method with maps."""
        return self.on_trained_sequence("test.npz", [Run(stored, 100, self.first_seed)], stage="score")

    # report

    @staticmethod
    def evaluated(*files: str) -> dict[str, str]:
        """Files of the stage evaluate as inputs, each by its name without suffix."""
        return {Path(file).stem: f"results/evaluate/{file}" for file in files}

    def paper_cohorts(self) -> dict[str, str | None]:
        """Lesion cohort to the paper's cohort beside it; to none if networks learn another sequence."""
        is_as_in_paper = self.sequence == PAPER_SEQUENCE
        names = self.config["report"]["paper_cohorts"] if is_as_in_paper else {}
        return {cohort: names.get(cohort) for cohort in self.lesion}

    def cohorts_of_table_2(self) -> dict[str, str | None]:
        """The same of the lesion cohorts that have more than one sequence."""
        several = {cohort for cohort in self.lesion if len(self.sources[cohort]["sequences"]) > 1}
        return {cohort: paper for cohort, paper in self.paper_cohorts().items() if cohort in several}

    def sequences_of_table_2(self) -> dict[str, str]:
        """Title of each sequence that Table 2 compares; the one that is trained on comes first."""
        titles = self.config["sequences"]
        return {name: titles[name] for name in self.sequences(self.cohorts_of_table_2())}

    def figure_5(self) -> list[str]:
        """Figure 5, if the study trains on several fractions."""
        has_shares = len(self.config["study"]["fractions_percent"]) > 1
        return ["results/report/figures/figure_5.png"] if has_shares else []

    def tables_and_figures(self) -> list[str]:
        """The files that tables_and_figures.smk makes from results/evaluate/ alone."""
        figures = "results/report/figures"
        return [
            "results/report/tables/table_1.md",
            "results/report/tables/claims.md",
            *(f"{figures}/figure_{number}.png" for number in (2, 3, 4)),
            *self.figure_5(),
            *(f"{figures}/{name}.png" for name in ("figure_6", "figure_7", "history")),
            *(f"{figures}/curves/{model}.png" for model in self.methods.trained),
            "results/report/tables/diagnostics.md",
            f"{figures}/diagnostics.png",
            *(f"results/report/{page}.html" for page in ("front", "viewer")),
            *(["results/report/tables/table_2.md"] if self.cohorts_of_table_2() else []),
            *(["results/report/tables/rivals.md", f"{figures}/rivals.png"] if self.methods.rivals else []),
        ]

    def results(self) -> list[str]:
        """Every table and figure, with the lists and quality pages."""
        return [
            *(f"results/{table}.csv" for table in ("ingest/scans", "split/splits", "evaluate/subjects")),
            *self.tables_and_figures(),
            *(f"results/preprocess/{name}/quality.{end}" for name in self.cohorts for end in ("html", "pdf")),
        ]
