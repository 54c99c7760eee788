"""Values of a config that are well-formed, each by itself, and yet cannot be meant."""

import math
from collections.abc import Iterator, Mapping

from spatial_erasing.ingest.cells import did_you_mean
from spatial_erasing.models import trained_entries
from spatial_erasing.registry import ERASINGS
from spatial_erasing.split.assign import filled_sizes, require_fractions
from spatial_erasing.train.settings import ErasingSettings

# The lower end, and the upper end where it is a key of its own.
_RISING = (
    ("preprocess.brain_range_ml", None, [400, 2500]),
    ("preprocess.flag_outside_ml", None, [900, 2200]),
    ("preprocess.lower_percentile", "upper_percentile", [1, 99]),
    ("train.erasing.minimum_share", "maximum_share", [0.01, 0.25]),
    ("threshold.lower", "upper", [0.0, 1.0]),
    ("evaluate.lesion_size_percentiles", None, [33.3, 66.7]),
)
# A name of a file that another rule writes into the same folder, or of the rows that are about all cohorts.
_RESERVED = {
    "all": "rows of all cohorts together have it",
    "scans": "results/ingest/scans.csv lists all cohorts",
    "splits": "results/split/splits.csv lists all cohorts",
    "nan": "it reads as a missing value in a table",
    "null": "it reads as a missing value in a table",
}
PHANTOM_SEQUENCES = {"healthy": ("t1",), "atlas": ("t1",), "brats": ("t1", "t1ce")}  # that are simulated
_MINIMUM_PERCENT = 3  # of draws within the limits: 1,000 that all miss them have then a chance of 1e-13


def number_findings(value: object, place: str = "") -> Iterator[str]:
    """Numbers that are NaN or infinite, anywhere in the config; no limit of the schema stops NaN.

    Args:
        value: the config, or a part of it.
        place: of this part, for the sentence.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from number_findings(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from number_findings(item, place)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{place}: {value} is not a finite number; write one"


def order_findings(config: Mapping) -> Iterator[str]:
    """Limits of which the lower one does not lie below the upper one."""
    for place, other, example in _RISING:
        *sections, key = place.split(".")
        section = config
        for name in sections:
            section = section[name]
        lower, upper = (section[key], section[other]) if other else section[key]
        if not lower < upper and other:
            yield (
                f"{place} must lie below {other}; they are {lower} and {upper} (the paper's study has "
                f"{example[0]} and {example[1]})"
            )
        elif not lower < upper:
            yield f"{place} are {lower} and {upper}; the first must lie below the second, as in {example}"


def phantom_findings(config: Mapping) -> Iterator[str]:
    """Lesion cohorts of phantoms that will have no lesion, and cohorts without a sequence that they need."""
    made = config["phantom"]["cohorts"]
    for cohort, phantom in made.items():
        source = config["ingest"]["cohorts"].get(cohort, {"path": "", "sequences": []})
        lacking = [name for name in source["sequences"] if name not in PHANTOM_SEQUENCES[phantom["kind"]]]
        if lacking and source["path"].startswith("results/phantom/"):
            yield (
                f"ingest.cohorts.{cohort}.sequences name {', '.join(lacking)}, but phantoms of the kind "
                f"{phantom['kind']} have {', '.join(PHANTOM_SEQUENCES[phantom['kind']])} alone; take it out"
            )
    for cohort in config["study"]["lesion_cohorts"]:
        if cohort in made and made[cohort]["kind"] == "healthy":
            yield f"phantom.cohorts.{cohort}.kind is healthy; a lesion cohort needs lesions: brats or atlas"


def reserved_findings(config: Mapping) -> Iterator[str]:
    """Cohorts with a name that means something else in the results."""
    study = config["study"]
    for cohort in (*study["healthy_cohorts"], *study["lesion_cohorts"]):
        if cohort in _RESERVED:
            yield f"no cohort may be called {cohort}: {_RESERVED[cohort]}. Give it another name"
    if "healthy" in study["lesion_cohorts"]:
        yield "no lesion cohort may be called healthy: split.sizes.healthy is about the healthy cohorts"
    if "planted" in config["phantom"]["cohorts"]:
        yield "phantom.cohorts: planted is the name of the cohort that phantom.planted makes; use another"


def name_findings(config: Mapping) -> Iterator[str]:
    """Names of cohorts that no cohort has: what stands beside a misspelt one would be forgotten."""
    cohorts = [*config["ingest"]["cohorts"], *config["study"]["healthy_cohorts"]]
    for place, allowed in (("split.sizes", ["healthy", *cohorts]), ("report.paper_cohorts", cohorts)):
        section, key = place.split(".")
        for name in config[section][key]:
            if name not in allowed:
                known = ", ".join(dict.fromkeys(allowed))
                hint = did_you_mean(name, allowed)
                yield f"{place} names {name}, which is none of {known}{hint}; correct it"


def window_findings(config: Mapping) -> Iterator[str]:
    """A padded grid that holds less than the smallest brain that is believed."""
    preprocess = config["preprocess"]
    window = preprocess["padded_grid_voxels"]
    if window == "auto" or config["phantom"]["straight_to_grid"]:
        return
    holds_ml = math.prod(window) * preprocess["spacing_mm"] ** 3 / 1000
    lowest_ml = preprocess["brain_range_ml"][0]
    if holds_ml < lowest_ml:
        yield (
            f"preprocess.padded_grid_voxels {window} at {preprocess['spacing_mm']} mm hold {holds_ml:.0f} "
            f"ml, less than the smallest brain of preprocess.brain_range_ml, {lowest_ml} ml: none would fit. "
            f"Write auto, or more voxels"
        )


def share_findings(config: Mapping) -> Iterator[str]:
    """Limits of the erased share that squares and cubes of whole voxels (almost) never meet."""
    erasing, grid = config["train"]["erasing"], config["preprocess"]["grid_voxels"]
    lower, upper = erasing["minimum_share"], erasing["maximum_share"]
    for dims, regions in sorted(_drawn_cubes(config)):
        shape = grid[:dims]
        unit = {2: "square", 3: "cube"}[dims] + ("s" if regions > 1 else "")
        if math.prod(shape) * upper < 1:
            yield (
                f"train.erasing.maximum_share {upper} is less than one voxel of {shape}: nothing would be "
                "erased. Raise it"
            )
            continue
        # so wide a range is met by more than 3 draws of 100 on every grid; and importing torch takes a second
        if not lower < upper or upper >= 3 * lower:
            continue
        try:
            from spatial_erasing.train.boxes import percent_within_limits  # noqa: PLC0415
        except ImportError:  # where each rule has its conda environment, Snakemake's own may lack torch
            return
        settings = ErasingSettings(**erasing | {"maximum_regions": regions})
        percent = percent_within_limits(shape, settings=settings)
        if percent < _MINIMUM_PERCENT:
            yield (
                f"train.erasing: minimum_share {lower} and maximum_share {upper} are too narrow a range: of "
                f"{regions} {unit} at most on {shape}, {percent:.1f} % of the draws cover such a share, and "
                f"{_MINIMUM_PERCENT} % are needed. Widen the range (the paper has [0.01, 0.25]) or use a "
                "finer grid"
            )


def _drawn_cubes(config: Mapping) -> set[tuple[int, int]]:
    """Axes, and how many squares or cubes at most, of the models that draw these."""
    found: set[tuple[int, int]] = set()
    for entry in trained_entries(config).values():
        if most := ERASINGS.literal(entry["erase"], "CUBES", None):
            found.add((entry["dims"], config["train"]["erasing"][most] if isinstance(most, str) else most))
    return found


def standard_findings(config: Mapping) -> Iterator[str]:
    """Sequences without a way to standardise or without its target, and targets that no curve can reach."""
    study, standard = config["study"], config["preprocess"]["standard"]
    cohorts = [
        config["ingest"]["cohorts"].get(name, {"sequences": []})
        for name in (*study["healthy_cohorts"], *study["lesion_cohorts"])
    ]
    for sequence in sorted({sequence for cohort in cohorts for sequence in cohort["sequences"]}):
        way = config["preprocess"]["standardise"].get(sequence)
        if way is None:
            yield f"preprocess.standardise has no way for {sequence}; write {sequence}: median there"
        elif config["phantom"]["straight_to_grid"] and way != "range":
            yield (
                f"phantom.straight_to_grid leaves preprocessing out, but preprocess.standardise.{sequence} "
                f"is {way}; write range"
            )
        elif way not in ("range", "landmarks") and sequence not in standard[way]:
            yield f"preprocess.standard.{way} has no target for {sequence}; write one beside {standard[way]}"
    percentiles = standard["landmarks"]["percentiles"]
    if percentiles != sorted(percentiles):
        yield f"preprocess.standard.landmarks.percentiles are {percentiles}; they must rise"
    for sequence, (median, quartile) in standard["two_quantiles"].items():
        if not median < quartile:
            place = f"preprocess.standard.two_quantiles.{sequence}"
            yield f"{place} is [{median}, {quartile}]; the median must be lower"


def erosion_findings(config: Mapping) -> Iterator[str]:
    """An erosion that no brain can survive, since each iteration takes a voxel off both sides."""
    narrowest = min(config["preprocess"]["grid_voxels"][:2])
    largest = (narrowest - 1) // 2
    wanted = {
        "score.erosion_iterations": [config["score"]["erosion_iterations"]],
        "evaluate.diagnostics.erosion_iterations": config["evaluate"]["diagnostics"]["erosion_iterations"],
    }
    for key, values in wanted.items():
        if (found := max(values, default=0)) > largest:
            yield (
                f"{key} is {found}, which leaves nothing of a brain on a grid of {narrowest} voxels; write "
                f"less, 2 for a grid of 64 voxels (more than {largest} leave nothing)"
            )


def size_findings(sizes: Mapping, subjects: int | None, group: str) -> Iterator[str]:
    """Sizes that do not fit the subjects; of a real cohort those that would fit no number of them."""
    try:
        if subjects is None:
            require_fractions(sizes, group=group)
        else:
            filled_sizes(sizes, subjects=subjects, group=group)
    except ValueError as error:
        yield str(error).replace("\n", "\n  ")
