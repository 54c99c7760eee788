"""Models, methods and runs of a study; methods are the rows of its tables and figures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

SCORE_SIGN = "@"  # between a model and its score in the name of a method
PAPER_SEQUENCE = "t1"  # that the paper trained its networks on


@dataclass(frozen=True)
class ModelSpec:
    """The properties of a model that its training uses, besides the settings of its network."""

    name: str  # its key in `models`
    spatial_dims: int  # 2 reads axial slices, 3 whole volumes
    erase: str  # kind of the erasing, or "none"
    fill: str  # kind of the fill, "none" without erasing


class PaperModel(NamedTuple):
    """The identity of one of the paper's models: dimensions, erasing and fill."""

    dims: int
    erase: str
    fill: str


@dataclass(frozen=True)
class Method:
    """A row of a table: a model and a score."""

    name: str  # "3d-cube-noise", or "3d-cube-noise@dark" with a score other than the paper's
    title: str  # printed in tables and figures
    model: str  # key of its entry in `models`
    score: str  # key of its entry in `scores`
    dims: int  # of its network, 2 or 3; 0 for a baseline
    network: str  # key of its entry in `networks`; "" for a baseline
    erase: str  # kind of the erasing, or "none"
    fill: str  # kind of the fill, or "none"
    baseline: str  # kind of the baseline; "" for a network
    # index of the plot style, shared by methods that differ only in dimensions or fill; baselines are counted
    # separately
    place: int
    is_paper: bool  # whether network and score are the paper's

    @property
    def is_baseline(self) -> bool:
        """Whether it has no network."""
        return bool(self.baseline)

    @property
    def paper_model(self) -> PaperModel | None:
        """The corresponding model of the paper, or None unless network and score are the paper's."""
        return PaperModel(self.dims, self.erase, self.fill) if self.is_paper else None


Methods = Mapping[str, Method]


def model_and_score(name: str) -> tuple[str, str | None]:
    """Model and score of a method's name; the score is None if it is the paper's."""
    model, sign, score = name.partition(SCORE_SIGN)
    return model, score if sign else None


def named_methods(study: Mapping) -> list[str]:
    """Every method named by a study, once each."""
    names = (*study["table_1_models"], *study["models"], *study["table_2_models"], study["example_model"])
    return list(dict.fromkeys((*names, *study["baselines"])))


def trained_entries(config: Mapping) -> dict[str, Mapping]:
    """The entries of `models` that a study trains, by name."""
    names = dict.fromkeys(model_and_score(name)[0] for name in named_methods(config["study"]))
    entries = {name: config["models"][name] for name in names}
    return {name: entry for name, entry in entries.items() if "baseline" not in entry}


def list_methods(config: Mapping) -> dict[str, Method]:
    """Every entry of `models` with the paper's score, in order, then further methods of the study."""
    methods: dict[str, Method] = {}
    places: dict[bool, dict[Any, int]] = {}
    for name in dict.fromkeys((*config["models"], *named_methods(config["study"]))):
        method = _method(name, config)
        look = name if method.is_baseline else (method.network, method.erase, method.score)
        # counted apart, so that an added model does not change the style of a baseline
        of_kind = places.setdefault(method.is_baseline, {})
        place = of_kind.setdefault(look, len(of_kind))
        methods[name] = replace(method, place=place)
    return methods


def _method(name: str, config: Mapping) -> Method:
    """A method from the entries of its model and its score, without its place."""
    model, named_score = model_and_score(name)
    entry, paper = config["models"][model], config["study"]["paper"]
    score = named_score or paper["score"]
    is_of_paper = score == paper["score"]
    return Method(
        name=name,
        title=entry["title"] + ("" if is_of_paper else f", {config['scores'][score]['title']}"),
        model=model,
        score=score,
        dims=entry.get("dims", 0),
        network=entry.get("network", ""),
        erase=entry.get("erase", "none"),
        fill=entry.get("fill", "none"),
        baseline=entry.get("baseline", ""),
        place=0,
        is_paper=is_of_paper and entry.get("network") == paper["network"],
    )


def read_methods(entries: Iterable[Mapping[str, Any]]) -> dict[str, Method]:
    """Methods by name, from the params of a rule."""
    return {str(entry["name"]): Method(**entry) for entry in entries}


def methods_of_paper(methods: Methods) -> dict[PaperModel, Method]:
    """The methods that correspond to a model of the paper; the first of several."""
    found: dict[PaperModel, Method] = {}
    for method in methods.values():
        if method.paper_model is not None:
            found.setdefault(method.paper_model, method)
    return found


@dataclass(frozen=True, order=True)
class Run:
    """One method of one training, with its fraction of the healthy subjects and its seed."""

    method: str
    fraction_percent: int
    seed: int

    @property
    def folder(self) -> str:
        """Folder of the run's files below each stage's results folder."""
        return f"{self.method}/fraction-{self.fraction_percent}/seed-{self.seed}"


def list_runs(study: Mapping) -> list[Run]:
    """Every run of the study: all methods on all data, and the fractions of Figure 5."""
    wanted = {
        *((method, 100) for method in named_methods(study)),
        *((method, percent) for method in study["models"] for percent in study["fractions_percent"]),
    }
    # sorted, so that a reordered config plans the same jobs in the same order
    return sorted(Run(method, percent, seed) for method, percent in wanted for seed in study["seeds"])


def list_datasets(run: Run, *, study: Mapping, cohorts: Mapping) -> list[str]:
    """The "{cohort}-{sequence}" of a run: study.sequence, and all sequences for the rows of Table 2."""
    is_in_table_2 = run.method in study["table_2_models"] and run.fraction_percent == 100
    return [
        f"{cohort}-{sequence}"
        for cohort in study["lesion_cohorts"]
        for sequence in cohorts[cohort]["sequences"]
        if sequence == study["sequence"] or is_in_table_2
    ]
