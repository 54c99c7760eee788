import pytest

from spatial_erasing.apply.export import write_bundle
from spatial_erasing.apply.run_folder import RunFolder
from tests.apply.small_study import make_study


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """A finished study; nothing may be written into it."""
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def bundle(study, tmp_path_factory):
    """The bundle of its ensemble."""
    path = tmp_path_factory.mktemp("bundle") / "small.zip"
    write_bundle(RunFolder.opened(study, "3d-none"), path)
    return path
