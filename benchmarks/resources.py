"""Memory and minutes of the jobs of a finished run against their rules' requests; disk use of every stage.

    python benchmarks/resources.py --directory demo --configfile config/demo.yaml

Taken: from results/benchmarks/, which Snakemake writes; of each rule the job that took most. Asked: by a dry
run of the whole study with the same config. A rule that asks for less than a job has taken is marked, and the
exit status is then 1: a cluster would have killed that job. Prints Markdown.
"""

import argparse
import csv
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ASKED = re.compile(r"rule (\w+):\n(?:    .*\n)*?    resources: (.*)")


def taken_by_rule(folder: Path) -> dict[str, tuple[float, float]]:
    """The highest peak memory and the longest time of any job, per rule."""
    found = defaultdict(list)
    for path in folder.rglob("*.tsv"):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        with path.open(newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                memory = row["max_pss"] if row["max_pss"] != "NA" else row["max_rss"]
                found[rule].append((0.0 if memory in ("NA", "-") else float(memory), float(row["s"]) / 60))
    return {rule: tuple(map(max, zip(*jobs, strict=True))) for rule, jobs in found.items()}


def asked_by_rule(directory: Path, configfile: Path) -> dict[str, tuple[int, int]]:
    """The smallest request of any job at its first attempt, per rule."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", "--cores", "8"]
    command += ["--directory", str(directory), "--configfile", str(configfile)]
    command += ["--resources", "mem_mb=1000000"]  # the rules' requests, without this machine's limit
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    asked = defaultdict(list)
    for rule, resources in ASKED.findall(done.stdout):
        numbers = dict(re.findall(r"(mem_mb|runtime)=(\d+)", resources))
        if len(numbers) == 2:
            asked[rule].append((int(numbers["mem_mb"]), int(numbers["runtime"])))
    return {rule: tuple(map(min, zip(*jobs, strict=True))) for rule, jobs in asked.items()}


def print_disk(results: Path) -> None:
    """Disk use of every folder of the results."""
    print("\n| stage | MB on the disk |\n| :-- | --: |")
    for stage in sorted(path for path in results.iterdir() if path.is_dir()):
        size = sum(path.stat().st_size for path in stage.rglob("*") if path.is_file())
        print(f"| {stage.name} | {size / 1e6:,.1f} |")


def main() -> None:
    """Print both tables; fail if a rule requests too little."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--configfile", type=Path, required=True)
    options = parser.parse_args()
    results = options.directory.resolve() / "results"
    taken = taken_by_rule(results / "benchmarks")
    asked = asked_by_rule(options.directory.resolve(), options.configfile.resolve())
    print("| rule | MB used | MB requested | minutes used | minutes requested | |")
    print("| :-- | --: | --: | --: | --: | :-- |")
    too_little = False
    for rule in sorted(taken.keys() & asked.keys(), key=lambda rule: -taken[rule][0]):
        (memory, minutes), (memory_asked, minutes_asked) = taken[rule], asked[rule]
        is_short = memory > memory_asked or minutes > minutes_asked
        too_little |= is_short
        numbers = f"{memory:,.0f} | {memory_asked:,} | {minutes:.1f} | {minutes_asked}"
        print(f"| {rule} | {numbers} | {'too little' if is_short else ''} |")
    print_disk(results)
    sys.exit(too_little)


if __name__ == "__main__":
    main()
