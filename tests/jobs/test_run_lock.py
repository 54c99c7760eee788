import signal
import subprocess
import sys
from pathlib import Path

import pytest
from unprivileged import as_nobody, folder_for_everyone

from spatial_erasing.jobs.locks import hold_folder, require_writable

ROOT = Path(__file__).parents[2]
HOLD = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from spatial_erasing.jobs.locks import hold_folder\n"
    "hold_folder(Path(sys.argv[1]))\n"
    "print('held', flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_run_is_refused_until_the_first_is_killed(tmp_path, holder):
    with pytest.raises(ValueError, match=r"another Snakemake runs in .*, on \w+.*--directory"):
        hold_folder(tmp_path)
    holder.kill()
    assert holder.wait() == -signal.SIGKILL
    hold_folder(tmp_path)


@pytest.mark.parametrize("closed", [".", "results"])
def test_a_folder_that_is_closed_is_refused_with_the_command_that_opens_it(closed):
    with folder_for_everyone() as folder:
        (folder / "results").mkdir()
        require_writable(folder)
        (folder / closed).chmod(0o555)
        with pytest.raises(ValueError, match=r"cannot be written to.*chmod.*--directory"):
            as_nobody(require_writable, folder)
        (folder / closed).chmod(0o777)
