"""Raw data to a proven model: Drivetrain against a hand-written pandas + scikit-learn script that does the same work.

    python benchmarks/end_to_end.py [--trials 8]

Both read the same 150,000 loans, check them, split them alike, judge the same number of trials of the same four
learners by cross-validation, fit the best, calibrate it, and measure it with bootstrap intervals on the 30,000 rows
held back. Drivetrain also writes versioned tables, exports to ONNX, proves parity, runs every gate, draws the model
card and signs a release; the script stores a pickle. Prints the times, the scores and the ratio, and how long
Drivetrain takes to say that nothing is stale.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MEMBER = "creditscoring1.csv.gz"


def drivetrain_run(folder: Path, trials: int) -> tuple[float, float, float]:
    """Seconds of a whole run, of a run in which nothing is stale, and the ROC AUC on the held-back rows."""
    command = [sys.executable, "-m", "drivetrain"]
    project = ["--project", str(folder)]
    subprocess.run([*command, "init", str(folder), "--json"], check=True, capture_output=True)
    file = folder / "drivetrain.yaml"
    text = file.read_text().replace("budget: {trials: 8}", f"budget: {{trials: {trials}}}")
    file.write_text(text)
    subprocess.run(
        [*command, "ingest", *project, "--json"], check=True, capture_output=True
    )  # the download is not timed
    for leftover in (folder / ".drivetrain" / "lake", folder / ".drivetrain" / "catalog.db"):
        subprocess.run(["rm", "-r", str(leftover)], check=True)
    began = time.perf_counter()
    subprocess.run([*command, "run", *project, "--json"], check=True, capture_output=True)
    whole = time.perf_counter() - began
    began = time.perf_counter()
    subprocess.run([*command, "run", *project, "--json"], check=True, capture_output=True)
    nothing = time.perf_counter() - began
    shown = subprocess.run([*command, "ls", "report", *project, "--json"], check=True, capture_output=True).stdout
    ref = json.loads(shown)[-1]["ref"]
    report = json.loads(
        subprocess.run([*command, "show", ref, *project, "--json"], check=True, capture_output=True).stdout
    )
    return whole, nothing, next(metric["value"] for metric in report["metrics"] if metric["name"] == "roc_auc")


def script_run(data: Path, folder: Path, trials: int) -> tuple[float, float]:
    """Seconds of the hand-written script, as a process of its own, and its ROC AUC."""
    began = time.perf_counter()
    command = [sys.executable, str(Path(__file__).with_name("hand_written.py")), str(data), str(folder), str(trials)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, float(done.stdout.split()[-1])


def main() -> None:
    """Measure both, one after the other, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=8)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole, nothing, auc = drivetrain_run(folder / "credit-risk", trials)
        data = folder / "loans.csv"
        data.write_bytes(gzip.decompress(_cached_member(folder / "credit-risk")))
        script, script_auc = script_run(data, folder, trials)
    print(f"{'':<26}{'seconds':>9}{'ROC AUC':>9}")
    print(f"{'hand-written script':<26}{script:>9.1f}{script_auc:>9.4f}")
    print(f"{'drivetrain run':<26}{whole:>9.1f}{auc:>9.4f}")
    print(f"{'ratio':<26}{whole / script:>9.2f}")
    print(f"{'drivetrain run, no change':<26}{nothing:>9.2f}")


def _cached_member(project: Path) -> bytes:
    """The data set as ingest keeps it, out of the wheel."""
    (member,) = (project / ".drivetrain" / "cache").rglob(MEMBER)
    return member.read_bytes()


if __name__ == "__main__":
    main()
