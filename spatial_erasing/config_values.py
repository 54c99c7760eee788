"""Checks of config values that conform to the schema and are still impossible."""

import math
from collections.abc import Iterator, Mapping

from spatial_erasing.ingest.table import did_you_mean
from spatial_erasing.models import trained_entries
from spatial_erasing.registry import ERASINGS
from spatial_erasing.split.assign import require_fractions, split_sizes
from spatial_erasing.train.settings import ErasingSettings

# Key of the lower limit, key of the upper limit if it is a separate key, example.
_RISING = (
    ("preprocess.brain_range_ml", None, [400, 2500]),
    ("preprocess.flag_outside_ml", None, [900, 2200]),
    ("preprocess.lower_percentile", "upper_percentile", [1, 99]),
    ("train.erasing.minimum_share", "maximum_share", [0.01, 0.25]),
    ("threshold.lower", "upper", [0.0, 1.0]),
    ("evaluate.lesion_size_percentiles", None, [33.3, 66.7]),
)
MINIMUM_WIDTH_PERCENT = 20  # between the percentiles that become 0 and 1: all beyond them are equal
# Names of files that other rules write into the same folder, or of rows for all cohorts together.
_RESERVED = {
    "all": "rows of all cohorts together have it",
    "scans": "results/ingest/scans.csv lists all cohorts",
    "splits": "results/split/splits.csv lists all cohorts",
    "nan": "it reads as a missing value in a table",
    "null": "it reads as a missing value in a table",
}
PHANTOM_SEQUENCES = {"healthy": ("t1",), "atlas": ("t1",), "brats": ("t1", "t1ce")}  # that are simulated
_MINIMUM_PERCENT = 3  # of draws within the limits; then 1,000 misses in a row have a probability of 1e-13


def number_findings(value: object, place: str = "") -> Iterator[str]:
    """NaN or infinite numbers anywhere in the config, which limits of the schema do not catch."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from number_findings(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from number_findings(item, place)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{place}: {value} is not a finite number; write one"


def order_findings(config: Mapping) -> Iterator[str]:
    """Pairs of limits whose lower limit is not below the upper one."""
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


def width_findings(config: Mapping) -> Iterator[str]:
    """Percentiles that set most of a brain to 0 or 1."""
    lower, upper = (config["preprocess"][f"{end}_percentile"] for end in ("lower", "upper"))
    if 0 < upper - lower < MINIMUM_WIDTH_PERCENT:
        yield (
            f"preprocess.lower_percentile {lower} and upper_percentile {upper} keep {upper - lower:.3g} % of "
            f"the intensities apart and set all others to 0 or 1; at least {MINIMUM_WIDTH_PERCENT} % "
            "must lie between them (the paper's study has 1 and 99)"
        )


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
    """Cohort names that are reserved in the results."""
    study = config["study"]
    for cohort in (*study["healthy_cohorts"], *study["lesion_cohorts"]):
        if cohort in _RESERVED:
            yield f"no cohort may be called {cohort}: {_RESERVED[cohort]}. Give it another name"
    if "healthy" in study["lesion_cohorts"]:
        yield "no lesion cohort may be called healthy: split.sizes.healthy belongs to the healthy cohorts"
    if "planted" in config["phantom"]["cohorts"]:
        yield "phantom.cohorts: planted is the name of the cohort that phantom.planted makes; use another"


def name_findings(config: Mapping) -> Iterator[str]:
    """Unknown cohort names in sections by cohort, whose values would be ignored."""
    cohorts = [*config["ingest"]["cohorts"], *config["study"]["healthy_cohorts"]]
    for place, allowed in (("split.sizes", ["healthy", *cohorts]), ("report.paper_cohorts", cohorts)):
        section, key = place.split(".")
        for name in config[section][key]:
            if name not in allowed:
                known = ", ".join(dict.fromkeys(allowed))
                hint = did_you_mean(name, allowed)
                yield f"{place} names {name}, which is none of {known}{hint}; correct it"


def window_findings(config: Mapping) -> Iterator[str]:
    """A padded grid smaller than the smallest brain of brain_range_ml."""
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
    """Limits of the erased share that squares and cubes of whole voxels (almost) never reach."""
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
        # more than 3 of 100 draws meet so wide a range on every grid, and importing torch takes a second
        if not lower < upper or upper >= 3 * lower:
            continue
        try:
            from spatial_erasing.train.boxes import percent_within_limits  # noqa: PLC0415
        except ImportError:  # with conda environments per rule, Snakemake's own environment may lack torch
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
    """Dimensions and maximum number of squares or cubes, of the models that erase them."""
    found: set[tuple[int, int]] = set()
    for entry in trained_entries(config).values():
        if most := ERASINGS.literal(entry["erase"], "CUBES", None):
            found.add((entry["dims"], config["train"]["erasing"][most] if isinstance(most, str) else most))
    return found


def standard_findings(config: Mapping) -> Iterator[str]:
    """Sequences without a way to standardise or without a target, and targets that no curve can reach."""
    study, cohorts, standard = config["study"], config["ingest"]["cohorts"], config["preprocess"]["standard"]
    names = {*study["healthy_cohorts"], *study["lesion_cohorts"]} & {*cohorts}
    for sequence in sorted({sequence for name in names for sequence in cohorts[name]["sequences"]}):
        way = config["preprocess"]["standardise"].get(sequence)
        if way is None:
            yield f"preprocess.standardise has no way for {sequence}; write {sequence}: median there"
        elif config["phantom"]["straight_to_grid"] and way != "range":
            yield (
                f"phantom.straight_to_grid skips preprocessing, but preprocess.standardise.{sequence} "
                f"is {way}; write range"
            )
        elif way not in ("range", "landmarks") and sequence not in standard[way]:
            yield f"preprocess.standard.{way} has no target for {sequence}; write one beside {standard[way]}"
    percentiles = standard["landmarks"]["percentiles"]
    if percentiles != sorted(percentiles):
        yield f"preprocess.standard.landmarks.percentiles are {percentiles}; they must increase"
    for sequence, (median, quartile) in standard["two_quantiles"].items():
        if not median < quartile:
            place = f"preprocess.standard.two_quantiles.{sequence}"
            yield f"{place} is [{median}, {quartile}]; the median must be lower"


def erosion_findings(config: Mapping) -> Iterator[str]:
    """Erosions that remove any brain, since each iteration removes a voxel on both sides."""
    narrowest = min(config["preprocess"]["grid_voxels"][:2])
    largest = (narrowest - 1) // 2
    wanted = {
        "score.erosion_iterations": [config["score"]["erosion_iterations"]],
        "evaluate.diagnostics.erosion_iterations": config["evaluate"]["diagnostics"]["erosion_iterations"],
    }
    for key, values in wanted.items():
        if (found := max(values, default=0)) > largest:
            yield (
                f"{key} is {found}, which removes the whole brain on a grid of {narrowest} voxels; write "
                f"at most {largest}, for example 2 for a grid of 64 voxels"
            )


def size_findings(config: Mapping, group: str) -> Iterator[str]:
    """Sizes that do not fit the subjects of phantoms; of others, sizes that fit no number of subjects."""
    sizes, phantoms = config["split"]["sizes"][group], config["phantom"]["cohorts"]
    cohorts = config["study"]["healthy_cohorts"] if group == "healthy" else [group]
    try:
        if all(cohort in phantoms for cohort in cohorts):
            subjects = sum(phantoms[cohort]["subjects"] for cohort in cohorts)
            split_sizes(sizes, subjects=subjects, group=group)
        else:
            require_fractions(sizes, group=group)
    except ValueError as error:
        yield str(error).replace("\n", "\n  ")


CHECKS = (
    phantom_findings,
    standard_findings,
    order_findings,
    width_findings,
    erosion_findings,
    reserved_findings,
    share_findings,
    name_findings,
    window_findings,
)
