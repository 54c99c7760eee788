import subprocess
import sys


def test_preparing_a_process_does_not_import_the_compiler():
    """It takes 2 s, and every job that scores or trains prepares its process."""
    code = (
        "import sys, torch\n"
        "from spatial_erasing.train.device import prepare_process\n"
        "from spatial_erasing.train.settings import ComputeSettings\n"
        "prepare_process(ComputeSettings())\n"
        "print(torch.are_deterministic_algorithms_enabled(), 'torch._dynamo' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
