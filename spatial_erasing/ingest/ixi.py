"""IXI, healthy adults from three London hospitals."""

import re
from collections.abc import Iterable
from pathlib import Path

from spatial_erasing.ingest.names import find_images, image_name
from spatial_erasing.ingest.records import Scan, require_t1_only

LAYOUT = "IXI-T1/IXI012-HH-1211-T1.nii.gz"


def find_scans(folder: Path, *, sequences: Iterable[str]) -> list[Scan]:
    """The T1 scans of an IXI folder; the hospital names the scanner.

    HH: Philips 3 T, Guys: Philips 1.5 T, IOP: GE 1.5 T.
    """
    require_t1_only("IXI", sequences)
    named = [(re.fullmatch(r"(IXI\d+)-(\w+)-\d+-T1", image_name(path)), path) for path in find_images(folder)]
    return [Scan(match[1], "t1", path, scanner=match[2]) for match, path in named if match]
