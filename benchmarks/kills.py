"""Kill a small study with SIGKILL at random moments, restart it each time, and compare the results.

    python benchmarks/kills.py [--kills 50] [--seed 1]

The study is tests/workflow/tiny.yaml. Each kill hits Snakemake itself, a job, or a worker process of a job,
as chance will; then the same command is given again and nothing else is done. A study that ends before all
kills are spent is compared, and another begins. Every file is compared byte by byte with that of a run that
nobody disturbed, but for those that hold a time. Prints a line a kill; the exit status says if all agree.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "snakemake", "--cores", "2", "results/evaluate/claims.csv"]
COMMAND += ["results/report/tables/table_1.md", "--configfile", str(ROOT / "tests/workflow/tiny.yaml")]
LONGEST_SECONDS = 30
WITH_TIMES = {"logs", "benchmarks", "history.csv", "histories.csv", "curves", "latest.pt"}  # files with times


def start(folder: Path) -> subprocess.Popen:
    """Snakemake on the study, with its output in a file beside the results."""
    with (folder / "printed.txt").open("a") as printed:
        command = [*COMMAND, "--directory", str(folder)]
        return subprocess.Popen(command, cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT)


def kill_one(run: subprocess.Popen, moments: random.Random) -> str:
    """Kill Snakemake, a job or a worker; returns which. All processes of a killed Snakemake must end."""
    children = psutil.Process(run.pid).children(recursive=True)
    jobs = [child for child in children if child.ppid() == run.pid]
    workers = [child for child in children if child not in jobs]
    victims = {"Snakemake": [psutil.Process(run.pid)], "a job": jobs, "a worker": workers}
    name = moments.choice([name for name, found in victims.items() if found])
    moments.choice(victims[name]).kill()
    if name == "Snakemake":
        run.wait()
        _, alive = psutil.wait_procs(children, timeout=60)  # a starting job ends after its start
        if alive:
            raise SystemExit(f"{len(alive)} processes outlived their Snakemake: {alive}")
    return name


def disturb(folder: Path, kills: int, moments: random.Random) -> int:
    """Run the study to its end with at most so many kills; returns the number of kills."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    done, disturbed, run = 0, False, start(folder)
    while True:
        try:
            status = run.wait(moments.uniform(0.5, LONGEST_SECONDS) if done < kills else None)
        except subprocess.TimeoutExpired:
            done, disturbed = done + 1, True
            try:
                victim = kill_one(run, moments)
            except psutil.NoSuchProcess:
                victim = "what had just ended"
            print(f"kill {done}: {victim}", flush=True)
            continue
        if status == 0:
            return done
        if not disturbed:
            raise SystemExit((folder / "printed.txt").read_text()[-5000:] + "it failed without a kill")
        disturbed, run = False, start(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run below results/, except files with times."""
    results = folder / "results"
    files = (path.relative_to(results) for path in results.rglob("*") if path.is_file())
    return {str(path): (results / path).read_bytes() for path in files if not WITH_TIMES & set(path.parts)}


def main(kills: int, seed: int) -> int:
    """The number of files that differ from the undisturbed run."""
    moments, left, studies, different = random.Random(seed), kills, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "run")  # the same for all: lists of scans hold whole paths
        disturb(folder, 0, moments)
        expected = contents(folder)
        while left:
            started, studies = time.monotonic(), studies + 1
            left -= disturb(folder, left, moments)
            found, seconds = contents(folder), time.monotonic() - started
            differing = sorted(path for path in {*expected, *found} if expected.get(path) != found.get(path))
            different += len(differing)
            print(
                f"study {studies}: {len(expected)} files, {len(differing)} differ, {seconds:.0f} s",
                *differing,
            )
    print(f"{kills} kills, {studies} studies, {different} files differ")
    return different


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(main(**vars(parser.parse_args())) > 0)
