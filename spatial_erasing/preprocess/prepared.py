"""A prepared brain as later steps read it: whole, or refused with the command that prepares it again."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from spatial_erasing.images.volumes import read_volume
from spatial_erasing.jobs import results
from spatial_erasing.jobs.faults import one_line

NEEDED = ("grids", "centred", "measures", "warnings")  # of record.json


def read_record(folder: Path) -> dict:
    """What `subject.write_brain` wrote down beside a prepared brain.

    Raises:
        OSError: the record is missing or damaged.
    """
    record = results.read_record(folder / "record.json", keys=NEEDED)
    with _prepared_here(folder):
        if record is None:
            raise ValueError("its record.json is missing or damaged")
    return record


def read_prepared(folder: Path, name: str) -> np.ndarray:
    """A volume of a prepared brain, float32: a sequence in [0, 1], or "lesion" as 0 and 1.

    Raises:
        OSError: the volume is missing or damaged.
    """
    with _prepared_here(folder):
        return read_volume(folder / f"{name}.nii.gz").intensities


def read_brain_mask(folder: Path) -> np.ndarray:
    """The mask of a prepared brain, bool.

    Raises:
        OSError: the mask is missing, damaged or empty.
    """
    mask = read_prepared(folder, "brain") > 0
    with _prepared_here(folder):
        if not mask.any():
            raise ValueError("brain.nii.gz is empty")
    return mask


@contextmanager
def _prepared_here(folder: Path) -> Iterator[None]:
    """Damage to a brain that was prepared before is no finding about its scan."""
    try:
        yield
    except (FileNotFoundError, ValueError) as error:
        raise OSError(
            f"{folder} does not hold the whole brain that was prepared ({one_line(error)}). To prepare it "
            f"again, rm -r {shlex.quote(str(folder))} and add --forcerun prepare_brains to your command."
        ) from error
