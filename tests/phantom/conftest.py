import numpy as np
import pytest

from spatial_erasing_phantoms.anatomy import draw_deformation
from spatial_erasing_phantoms.cohort import PhantomSettings, make_subject
from spatial_erasing_phantoms.head import render_head
from spatial_erasing_phantoms.mni152 import load_template
from spatial_erasing_phantoms.person import LESION_GRID
from spatial_erasing_phantoms.surroundings import draw_surroundings


@pytest.fixture(scope="session")
def settings():
    return PhantomSettings(spacing_mm=2.0, scanners=4, minimum_lesion_ml=0.1)


@pytest.fixture(scope="session")
def template():
    return load_template(2.0)


@pytest.fixture(scope="session")
def person():
    return draw_deformation(np.random.default_rng(5)), draw_surroundings(np.random.default_rng(6))


@pytest.fixture(scope="session")
def coarse_brain(person):
    """A brain on the coarse grid on which lesions are drawn."""
    return render_head(load_template(3.0), person[0], None, LESION_GRID)


@pytest.fixture(scope="session")
def cohorts(tmp_path_factory, settings):
    """A folder with four subjects of each kind at 2 mm, and their rows by kind."""
    folder = tmp_path_factory.mktemp("phantoms")
    rows = {
        kind: [make_subject(kind, folder / kind, index, seed=11, settings=settings) for index in range(4)]
        for kind in ("healthy", "brats", "atlas")
    }
    return folder, rows
