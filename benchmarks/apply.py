"""How long one new scan takes, step by step, what start-up costs, and the memory at its peak.

    python benchmarks/apply.py SCAN [--model BUNDLE] [--repeats 3] [--arguments --stripped]

Each repeat is a process of its own, from the command to the page, as a user would type it; the median is
printed, as Markdown. Give an idle machine: the steps share its cores.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

COMMAND = "import sys; from spatial_erasing.cli import main; sys.exit(main())"
IMPORT = "import spatial_erasing.apply.scans"
MEMORY = (
    "import resource, runpy, sys\n"
    "sys.argv = ['spatial-erasing', *sys.argv[1:]]\n"
    "from spatial_erasing.cli import main\n"
    "status = main()\n"
    "print('PEAK_KB', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    "sys.exit(status)"
)


def seconds_of(code: str, *arguments: str) -> tuple[float, str]:
    """Wall seconds of a Python process, and what it printed."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - begin, done.stdout


def measure(scan: Path, options: Sequence[str]) -> dict[str, float]:
    """Seconds of each step of one scan, of the whole command, and its peak memory in GB."""
    with tempfile.TemporaryDirectory() as folder:
        output = ["--output", folder, "--workers", "1", *options]
        whole, printed = seconds_of(MEMORY, "apply", str(scan), *output)
        (summary,) = Path(folder).glob("*/summary.json")
        steps = json.loads(summary.read_text(encoding="utf-8"))["steps"]
    peak_gb = int(printed.split("PEAK_KB")[1]) / 2**20
    return {"whole command": whole, "memory GB": peak_gb} | steps


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--arguments", nargs=argparse.REMAINDER, default=[])
    asked = parser.parse_args()
    model = ["--model", asked.model] if asked.model else []
    found = [measure(asked.scan, [*model, *asked.arguments]) for _ in range(asked.repeats)]
    found = {name: statistics.median(run[name] for run in found) for name in found[0]}
    found["start: import"] = statistics.median(seconds_of(IMPORT)[0] for _ in range(asked.repeats))
    found["info"] = statistics.median(
        seconds_of(COMMAND, "info", *([asked.model] if asked.model else []))[0] for _ in range(asked.repeats)
    )
    whole, memory_gb = found.pop("whole command"), found.pop("memory GB")
    print("| step | seconds | share of the command |\n|---|--:|--:|")
    for name, seconds in sorted(found.items(), key=lambda item: -item[1]):
        print(f"| {name} | {seconds:.2f} | {100 * seconds / whole:.0f} % |")
    print(f"| whole command | {whole:.2f} | peak memory {memory_gb:.2f} GB |")


if __name__ == "__main__":
    main()
