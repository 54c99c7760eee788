"""Entries of config.yaml that name each other: sequences, models, networks, scores, and kinds of these."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from spatial_erasing.ingest.source import READERS
from spatial_erasing.ingest.table import did_you_mean
from spatial_erasing.models import SCORE_SIGN, model_and_score, named_methods
from spatial_erasing.registry import BASELINES, ERASINGS, FILLS, NETWORKS, SCORES, Registry, parts_of

_WITH_KINDS = {"networks": NETWORKS, "scores": SCORES}
# Beside sequences, volumes.npz has arrays and a table of scans has columns of these names.
_NO_SEQUENCES = (
    *("subject", "affine", "brain", "lesion", "lesion_slices", "made_by"),
    *("scanner", "skull_strip", "brain_mask"),
)


def with_kinds(schema: Mapping, config: Mapping) -> dict:
    """The schema, extended by the settings of the kinds named in `networks` and `scores`."""
    properties = dict(schema["properties"])
    for section, registry in _WITH_KINDS.items():
        entries = config.get(section)
        if isinstance(entries, Mapping):
            common = properties[section]["additionalProperties"]
            own = {name: _schema_of(entry, common, registry) for name, entry in entries.items()}
            properties[section] = dict(properties[section]) | {"properties": own}
    return dict(schema) | {"properties": properties}


def _schema_of(entry: object, common: Mapping, registry: Registry) -> dict:
    """The schema of one entry: the common keys, and the settings of its kind if the kind exists."""
    kind = entry.get("kind") if isinstance(entry, Mapping) else None
    if kind not in registry.kinds():
        return dict(common)
    settings = dict(registry.literal(str(kind), "SETTINGS"))
    if isinstance(entry, Mapping) and "of" in settings:  # another entry of the same registry, without a title
        inner = {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}}
        settings["of"] = _schema_of(entry.get("of"), inner, registry)
    return dict(common) | {
        "additionalProperties": False,
        "required": [*common["required"], *settings],
        "properties": common["properties"] | settings,
    }


def entry_findings(config: Mapping) -> list[str]:
    """References to unknown entries or kinds, and entries that cannot be combined."""
    # names in study are only checked against valid sections
    return [*_section_findings(config), *_sequence_findings(config)] or [*_study_findings(config)]


def _section_findings(config: Mapping) -> Iterator[str]:
    """Unknown names in networks, scores, models and study.paper."""
    for section, registry in _WITH_KINDS.items():
        for name, entry in config[section].items():
            for depth, part in enumerate(parts_of(entry)):
                place = f"{section}.{name}{'.of' * depth}.kind is"
                yield from _unknown(place, part["kind"], registry.kinds())
    for name, entry in config["models"].items():
        yield from _model_findings(f"models.{name}", entry, config)
    for key, section in (("network", "networks"), ("score", "scores")):
        yield from _unknown(f"study.paper.{key} is", config["study"]["paper"][key], config[section])


def _sequence_findings(config: Mapping) -> Iterator[str]:
    """Sequences that are no entry, that a reader does not know, or that a cohort of the study lacks."""
    study, cohorts, entries = config["study"], config["ingest"]["cohorts"], config["sequences"]
    for name in entries:
        if name in _NO_SEQUENCES:
            yield f"sequences.{name}: {name} means something else in files; give the sequence another name"
    yield from _unknown("study.sequence is", study["sequence"], entries)
    for name, cohort in cohorts.items():
        known = READERS[cohort["reader"]].SEQUENCES or entries
        asked = f"ingest.cohorts.{name}.reader is {cohort['reader']}, and its cohort asks for"
        for sequence in cohort["sequences"]:
            unknown = [*_unknown(f"ingest.cohorts.{name}.sequences names", sequence, entries)]
            yield from unknown or _unknown(asked, sequence, known)
        if name in (*study["healthy_cohorts"], *study["lesion_cohorts"]):
            yield from _missing_sequence(name, cohort["sequences"], study["sequence"])
    preprocess = config["preprocess"]
    targets = {f"standard.{way}": of for way, of in preprocess["standard"].items() if way != "landmarks"}
    for section, values in ({"standardise": preprocess["standardise"]} | targets).items():
        for sequence in values:
            yield from _unknown(f"preprocess.{section} names", sequence, entries)


def _missing_sequence(cohort: str, sequences: Iterable[str], needed: str) -> Iterator[str]:
    """A cohort of the study without the sequence that the networks are trained on."""
    if needed not in sequences:
        yield (
            f"ingest.cohorts.{cohort}.sequences are {', '.join(sequences)}, without {needed}: networks are "
            f"trained on study.sequence and brain masks come from it. Add {needed}, or change study.sequence"
        )


def _unknown(finding: str, word: str, known: Iterable[str]) -> Iterator[str]:
    """A finding if a word is unknown."""
    known = list(known)
    if word not in known:
        hint = did_you_mean(word, known)
        yield f"{finding} {word}, which is not known{hint}; expected one of {', '.join(known)}"


def _model_findings(place: str, entry: Mapping, config: Mapping) -> Iterator[str]:
    """Unknown names in one entry of `models`."""
    if "baseline" in entry:
        yield from _unknown(f"{place}.baseline is", entry["baseline"], BASELINES.kinds())
        return
    yield from _unknown(f"{place}.network is", entry["network"], config["networks"])
    yield from _unknown(f"{place}.erase is", entry["erase"], ERASINGS.kinds())
    yield from _unknown(f"{place}.fill is", entry["fill"], ["none", *FILLS.kinds()])
    if (entry["erase"] == "none") != (entry["fill"] == "none"):
        yield (
            f"{place} has erase: {entry['erase']} and fill: {entry['fill']}; expected both or neither to be "
            "none"
        )


def _study_findings(config: Mapping) -> Iterator[str]:
    """Unknown methods in `study`."""
    study = config["study"]
    listed = [*study["table_1_models"], *study["baselines"]]
    for name in config["report"]["rivals"]:
        yield from _unknown("report.rivals names", name, listed)
    for name in named_methods(study):
        model, score = model_and_score(name)
        unknown = [*_unknown("study names the model", model, config["models"])]
        if score is not None:
            unknown += _unknown(f"study names {name} with the score", score, config["scores"])
        if not unknown:
            unknown = [*_baseline_findings(name, config), *_latent_findings(name, config)]
            unknown += _inner_findings(name, config)
        yield from unknown


def _baseline_findings(name: str, config: Mapping) -> Iterator[str]:
    """Baselines outside study.baselines, networks inside it, and baselines with a score of a network."""
    study, (model, score) = config["study"], model_and_score(name)
    is_baseline = "baseline" in config["models"][model]
    if is_baseline and name in named_methods(study | {"baselines": []}):
        yield f"{name} has no network; name it only in study.baselines"
    elif not is_baseline and name in study["baselines"]:
        yield f"{name} has a network; remove it from study.baselines"
    elif is_baseline and reads(config, score or study["paper"]["score"]) == "network":
        yield f"the score of {name} is computed from a network, and a baseline has none; use another score"


def _latent_findings(name: str, config: Mapping) -> Iterator[str]:
    """Methods whose score needs a latent distribution that their network lacks."""
    model, score = model_and_score(name)
    entry = config["models"][model]
    if "baseline" in entry:
        return
    kind = config["networks"][entry["network"]]["kind"]
    for part in parts_of(config["scores"][score or config["study"]["paper"]["score"]]):
        needed = SCORES.literal(part["kind"], "NEEDS_LATENT", None)
        needs_it = needed is not None and all(part.get(key) == value for key, value in needed.items())
        if needs_it and not NETWORKS.literal(kind, "HAS_LATENT", False):
            yield (
                f"the score of {name} needs the latent distribution of a network, and a network of the kind "
                f"{kind} has none; use a model with a vae, or another score"
            )


def _inner_findings(name: str, config: Mapping) -> Iterator[str]:
    """Scores of a score that reads the network, where only a score of reconstructions is possible."""
    score = model_and_score(name)[1] or config["study"]["paper"]["score"]
    for outer, inner in pairwise(parts_of(config["scores"][score])):
        needs_reconstruction = SCORES.literal(outer["kind"], "OF_READS", "network") == "reconstruction"
        if needs_reconstruction and SCORES.literal(inner["kind"], "READS") == "network":
            yield (
                f"the score of {name} is {outer['kind']} of {inner['kind']}, which reads the network; use a "
                "score that reads reconstructions in `of`, such as absolute"
            )


def stored_name(config: Mapping, model: str, score: str) -> str:
    """The name under which the score stage stores a model's reconstructions, or the maps of its method."""
    return model if reads(config, score) == "reconstruction" else f"{model}{SCORE_SIGN}{score}"


def reads(config: Mapping, score: str) -> str:
    """The input of a score: "reconstruction" or "network"."""
    return str(SCORES.literal(config["scores"][score]["kind"], "READS"))
