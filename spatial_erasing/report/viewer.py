"""The viewer page: example subjects in three planes, a score map over the scan, and a threshold to move.

NiiVue draws (BSD 2-clause); it comes as a dependency, inside the package ipyniivue, and goes into the page.
"""

import base64
import gzip
import re
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

import nibabel
import numpy as np

from spatial_erasing.evaluate.examples import Example
from spatial_erasing.report.templates import fill_template

# ipyniivue's bundle keeps NiiVue's class to itself: this is where it makes its one instance.
_INSTANCE = re.compile(r'"Creating new Niivue instance"\).{0,80}?=new ([\w$]+)\(')


def viewer_page(
    examples: Sequence[Example], *, voxel_size_mm: tuple[float, float, float], caption: str
) -> str:
    """One HTML page that opens without a network."""
    return fill_template(
        "viewer.html",
        caption=caption,
        voxel_ml=float(np.prod(voxel_size_mm)) / 1000,
        niivue=_packed(niivue_module().encode()),
        examples=[
            {
                "cohort": example.cohort,
                "subject": example.subject,
                "threshold": example.threshold,
                "scan": _nifti(example.scan, voxel_size_mm),
                "score": _nifti(example.difference, voxel_size_mm),
                "lesion": _nifti(example.lesion.astype(np.uint8), voxel_size_mm, intent="label"),
            }
            for example in examples
        ],
    )


def niivue_module() -> str:
    """JavaScript of a module that exports NiiVue's class."""
    package = distribution("ipyniivue")
    bundle = Path(str(package.locate_file("ipyniivue/static/widget.js"))).read_text(encoding="utf-8")
    names = set(_INSTANCE.findall(bundle))
    if len(names) != 1:
        raise RuntimeError(
            f"ipyniivue {package.version} makes {len(names)} kinds of NiiVue instances; expected one. "
            "Install the version of requirements.txt: pip install -r requirements.txt"
        )
    return f"{bundle}\nexport {{{names.pop()} as Niivue}};\n"


def _nifti(volume: np.ndarray, voxel_size_mm: tuple[float, float, float], *, intent: str = "none") -> str:
    """A volume as a compressed NIfTI file in base64, its first voxel at the origin."""
    image = nibabel.Nifti1Image(volume, np.diag([*voxel_size_mm, 1.0]))
    image.header.set_intent(intent)  # labels are what NiiVue draws outlines of
    return _packed(image.to_bytes())


def _packed(content: bytes) -> str:
    """Compressed and in base64; the same bytes for the same content."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()
