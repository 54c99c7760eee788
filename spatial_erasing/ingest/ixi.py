"""IXI, healthy adults from three London hospitals."""

import re
from collections.abc import Iterable
from pathlib import Path

from spatial_erasing.ingest.records import Scan, find_images, image_name

SEQUENCES = ("t1",)
LAYOUT = "IXI-T1/IXI012-HH-1211-T1.nii.gz"
NAME = re.compile(r"(IXI\d+)-(\w+)-\d+-T1")
# another sequence of the data set, or what a program made of a scan, such as ..._brain
OTHER = re.compile(r"IXI\d+-\w+-\d+-((T2|PD|MRA|DTI)\b.*|\w+_[a-z].*)", re.IGNORECASE)


def find_scans(folder: Path, *, sequences: Iterable[str]) -> list[Scan]:
    """The T1 scans of an IXI folder; the hospital names the scanner.

    A name that is nearly right is listed with that problem.
    HH: Philips 3 T, Guys: Philips 1.5 T, IOP: GE 1.5 T.
    """
    scans = []
    for path in find_images(folder):
        name = image_name(path)
        if match := NAME.fullmatch(name):
            scans.append(Scan(match[1], "t1", path, scanner=match[2]))
        elif (seeming := re.match(r"ixi\d+", name, re.IGNORECASE)) and not OTHER.fullmatch(name):
            problem = "is not named like a T1 scan of IXI"
            scans.append(Scan.misnamed(path, seeming[0], "t1", found=problem, expected=LAYOUT))
    return scans
