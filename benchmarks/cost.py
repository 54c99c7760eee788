"""What a run has cost, rule by rule, from its benchmark files: python benchmarks/cost.py demo."""

import csv
import sys
from collections import defaultdict
from pathlib import Path


def read_costs(results: Path) -> dict[str, list[tuple[float, float, float]]]:
    """Rule to wall seconds, processor seconds and peak memory in MB of each of its jobs."""
    costs = defaultdict(list)
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        rule = path.relative_to(results / "benchmarks").parts[0].removesuffix(".tsv")
        with path.open(newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                values = (
                    row["s"],
                    row["cpu_time"],
                    row["max_pss"] if row["max_pss"] != "NA" else row["max_rss"],
                )
                costs[rule].append(tuple(0.0 if value in ("NA", "-") else float(value) for value in values))
    return costs


def main() -> None:
    """Print the table in Markdown, the dearest rule first."""
    costs = read_costs(Path(sys.argv[1]) / "results")
    print("| rule | jobs | wall s, all jobs | CPU s, all jobs | peak MB of a job |")
    print("| :-- | --: | --: | --: | --: |")
    for rule, jobs in sorted(costs.items(), key=lambda item: -sum(wall for wall, _, _ in item[1])):
        wall, cpu, memory = zip(*jobs, strict=True)
        print(f"| {rule} | {len(jobs)} | {sum(wall):.0f} | {sum(cpu):.0f} | {max(memory):.0f} |")


if __name__ == "__main__":
    main()
