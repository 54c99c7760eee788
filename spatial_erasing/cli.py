"""The command `spatial-erasing`."""

import argparse
from collections.abc import Sequence

from spatial_erasing import __version__


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the version, or a description of the package and how to run a study.

    Args:
        arguments: without the name of the command; None for those of this process.
    """
    parser = argparse.ArgumentParser(
        prog="spatial-erasing",
        description="Unsupervised anomaly segmentation in brain MRI with spatial erasing: a Python library.",
        epilog="A study is run by Snakemake in a clone of the repository: begin with `make demo` there.",
    )
    parser.add_argument("--version", action="version", version=f"spatial-erasing {__version__}")
    parser.parse_args(arguments)
    parser.print_help()
