"""The command `spatial-erasing`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from spatial_erasing import __version__

COMMANDS = ("apply", "bundle", "info", "check")
LEVELS = ("participant",)  # of a BIDS App
EXAMPLE = "the example model unless given"
ALL_DONE, SOME_FAILED, NOTHING_DONE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was typed: 0 if every scan has its files, 1 if some failed, 2 if nothing could be done."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    is_bids_app = given[:1] and given[0] not in COMMANDS and any(level in given for level in LEVELS)
    asked = (_bids_parser() if is_bids_app else _parser()).parse_args(given)
    if asked.run is None:
        _parser().print_help()
        return ALL_DONE
    try:
        return asked.run(asked)
    except KeyboardInterrupt:
        print("Interrupted. What is finished is kept: give the same command again.", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, ModuleNotFoundError, MemoryError) as error:
        from spatial_erasing.jobs.faults import one_line  # noqa: PLC0415  `info` answers at once

        print(f"spatial-erasing: {one_line(error)}", file=sys.stderr)
        return NOTHING_DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spatial-erasing",
        description="Unsupervised anomaly segmentation in brain MRI with spatial erasing.",
        epilog="As a BIDS App: spatial-erasing BIDS_DIR OUTPUT participant. A study is run by Snakemake in a "
        "clone of the repository: begin with `make demo` there.",
    )
    parser.add_argument("--version", action="version", version=f"spatial-erasing {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="COMMAND")

    apply = commands.add_parser("apply", help="look for what is abnormal in scans")
    apply.add_argument("scans", nargs="+", metavar="SCAN", help="image, folder, BIDS data set, or DICOM")
    apply.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder of the results")
    _add_options(apply)

    bundle = commands.add_parser("bundle", help="put a method of a finished study into one file")
    bundle.add_argument("study", type=Path, metavar="RUN", help="folder of the study")
    rows = "rows of its tables, such as 3d-none"
    bundle.add_argument("--model", required=True, nargs="+", metavar="NAME", help=rows)
    bundle.add_argument("--output", required=True, type=Path, metavar="FILE", help="zip to write")
    bundle.add_argument("--seeds", nargs="+", type=int, default=[], help="of the ensemble; all unless given")
    bundle.set_defaults(run=_bundle)

    for name, run, text in (
        ("info", _info, "what a model is"),
        ("check", _check, "whether a model works here"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("model", nargs="?", type=Path, metavar="BUNDLE", help=EXAMPLE)
        command.set_defaults(run=run, device="cpu")
    return parser


def _bids_parser() -> argparse.ArgumentParser:
    """The form that every BIDS App has."""
    parser = argparse.ArgumentParser(prog="spatial-erasing", description="As a BIDS App.")
    parser.add_argument("scans", nargs=1, metavar="BIDS_DIR")
    parser.add_argument("output", type=Path, metavar="OUTPUT_DIR")
    parser.add_argument("level", choices=LEVELS)
    parser.add_argument("--participant-label", "--participant_label", nargs="+", default=[])
    _add_options(parser)
    parser.set_defaults(naming="bids")
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, metavar="BUNDLE", help=EXAMPLE)
    parser.add_argument("--device", default="cpu", help="auto, cpu (usual) or a GPU such as cuda:0")
    parser.add_argument("--workers", type=int, default=0, help="scans at a time; what fits unless given")
    parser.add_argument("--sequence", metavar="NAME", help="of the scans; that of the training unless given")
    skull = parser.add_mutually_exclusive_group()
    skull.add_argument("--brain-mask", type=Path, metavar="FILE", help="of one scan, on its voxels")
    skull.add_argument("--stripped", action="store_true", help="the skull is gone already")
    parser.add_argument("--threshold", type=float, help="of the mask; the model's own unless given")
    parser.add_argument("--score", metavar="NAME", help="of the model; its usual one unless given")
    extras = ("reconstruction", "brain", "grid", "spread")
    parser.add_argument("--save", nargs="+", default=[], choices=extras)
    parser.add_argument("--naming", choices=("auto", "plain", "bids"), default="auto")
    parser.set_defaults(run=_apply, participant_label=[])


def _apply(asked: argparse.Namespace) -> int:
    from spatial_erasing.apply.rows import FAILED, LEFT  # noqa: PLC0415  `info` answers at once
    from spatial_erasing.apply.scans import Options, apply  # noqa: PLC0415  two seconds: torch

    typed = vars(asked) | {"save": tuple(asked.save)}
    rows = apply(
        asked.scans,
        asked.output,
        options=Options(**{field.name: typed[field.name] for field in fields(Options)}),
        participants=asked.participant_label,
        progress=lambda line: print(line, flush=True),
    )
    lacking = [row["status"] for row in rows if row["status"] in (FAILED, LEFT)]
    print(f"{len(rows) - len(lacking)} of {len(rows)} scans have their results in {asked.output}")
    if left := lacking.count(LEFT):
        print(
            f"{left} are left by no fault of their own; scans.csv gives the reasons. Mend the cause and give "
            "the same command again: it goes on with them.",
            file=sys.stderr,
        )
    if not lacking:
        return ALL_DONE
    return SOME_FAILED if len(lacking) < len(rows) else NOTHING_DONE


def _bundle(asked: argparse.Namespace) -> int:
    from spatial_erasing.apply.export import write_bundle  # noqa: PLC0415
    from spatial_erasing.apply.run_folder import RunFolder  # noqa: PLC0415

    write_bundle(RunFolder.opened(asked.study, *asked.model, seeds=tuple(asked.seeds)), asked.output)
    print(f"{asked.output} is written. Look at it: spatial-erasing info {asked.output}")
    return ALL_DONE


def _info(asked: argparse.Namespace) -> int:
    from spatial_erasing.apply.bundle import describe, open_bundle  # noqa: PLC0415

    print(describe(open_bundle(asked.model)))
    return ALL_DONE


def _check(asked: argparse.Namespace) -> int:
    from spatial_erasing.apply.bundle import open_bundle  # noqa: PLC0415
    from spatial_erasing.apply.example import check_example  # noqa: PLC0415

    bundle = open_bundle(asked.model)
    found = check_example(bundle, device=asked.device)
    print(
        f"{bundle.path}: all checksums are right; its example differs by {found['difference']:.2g} at most, "
        f"tolerance {found['tolerance']:g}: {'it works here' if found['is_same'] else 'IT DIFFERS HERE'}"
    )
    return ALL_DONE if found["is_same"] else SOME_FAILED
