"""`python -m benchmarks.rows`: seconds and peak memory of fetch, prepare and train, on ever more rows."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import typer
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
NUMBERS = 13
DISTINCT = [2, 5, 12, 40, 100, 300]  # values of the categories; with a date, 20 columns besides the target
CHUNK = 100_000
PARAMS = """\
seed: 7
tasks:
  rows:
    source: {path: rows.csv}
    target: outcome
    columns: {COLUMNS}
models:
  rows-logistic: {task: rows, family: logistic, params: {C: 1.0, max_iter: 100}}
"""
STAGES = {
    "fetch": ["-m", "data", "fetch", "rows"],
    "prepare": ["-m", "data", "prepare", "rows"],
    "train": ["-m", "training", "train", "rows-logistic"],
}


def make(path: Path, rows: int) -> None:
    """Write a CSV table of numbers with missing values, categories, a date and an outcome that they tell of."""
    names = [f"number {place}" for place in range(NUMBERS)]
    random = np.random.default_rng(0)
    weights = random.normal(0, 0.3, NUMBERS)
    with path.open("wb") as file:
        for start in range(0, rows, CHUNK):
            size = min(CHUNK, rows - start)
            numbers = random.normal(0, 1, (size, NUMBERS)).round(4)
            codes = random.integers(0, DISTINCT, (size, len(DISTINCT)))
            odds = numbers @ weights + (codes[:, 2] % 3 - 1) * 0.7 + random.logistic(size=size)
            missing = random.random(numbers.shape) < 0.05
            columns = {name: pa.array(numbers[:, k], mask=missing[:, k]) for k, name in enumerate(names)}
            for place in range(len(DISTINCT)):
                columns[f"category {place}"] = pc.binary_join_element_wise(
                    "c", pa.array(codes[:, place]).cast("str"), ""
                )
            columns["date"] = pa.array(18_262 + random.integers(0, 1_000, size), pa.int32()).cast(pa.date32())
            columns["outcome"] = pa.array(np.where(odds > 0, "yes", "no"))
            options = pyarrow.csv.WriteOptions(include_header=not start, quoting_style="none")
            pyarrow.csv.write_csv(pa.table(columns), file, options)


def measure(folder: Path, arguments: list[str]) -> tuple[float, float]:
    """Seconds and peak resident memory (MiB) of a Python command in a process of its own.

    Raises:
        RuntimeError: the command failed; its output is in the message.
    """
    log = folder / "log"
    start = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"},
            stdout=output,
            stderr=output,
        )
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise RuntimeError(f"{' '.join(arguments)} ended with {status}:\n{log.read_text()[-3000:]}")
    return seconds, used.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def main(
    rows: Annotated[list[int] | None, typer.Argument(help="numbers of rows; by default 50000 500000 5000000")] = None,
    folder: Annotated[Path | None, typer.Option(help="where the tables are made for a while")] = None,
) -> None:
    """Show a table of rows, stage, seconds and peak memory."""
    kinds = {f"number {place}": "number" for place in range(NUMBERS)}
    kinds |= {f"category {place}": "category" for place in range(len(DISTINCT))} | {"date": "time"}
    shown = Table("rows", "CSV, MiB", *(f"{stage}, {unit}" for stage in STAGES for unit in ("s", "peak MiB")))
    for count in rows or [50_000, 500_000, 5_000_000]:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            root = Path(place)
            (root / "params.yaml").write_text(PARAMS.replace("{COLUMNS}", str(kinds)), encoding="utf-8")
            make(root / "rows.csv", count)
            cells = [f"{count:,}", f"{(root / 'rows.csv').stat().st_size / 2**20:.0f}"]
            for stage, arguments in STAGES.items():
                seconds, peak = measure(root, arguments)
                cells += [f"{seconds:.0f}", f"{peak:.0f}"]
                print(f"{count:,} rows: {stage} took {seconds:.0f} s and {peak:.0f} MiB", file=sys.stderr, flush=True)
            shown.add_row(*cells)
    Console(width=140 if not sys.stdout.isatty() else None).print(shown)


if __name__ == "__main__":
    typer.run(main)
