"""`make bench-quick`: whether linreg has become slower, in under two minutes.

    python -m benchmarks.quick [--update] [--stored benchmarks/results/quick.json]

Each ratio sets what linreg takes against something that does not change with it, measured alternately on one thread, in
time on the core: waiting for a busy machine is no cost. A ratio fails if its lower quartile is above the stored upper
one by more than the noise of either (benchmarks/ratios.py), in each of three attempts. Exit code 1: a ratio failed; 2:
nothing is stored. --update stores three sets as one.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, fresh_process, machine, processor, save, say
from benchmarks.ratios import Spread, limit, regressions
from benchmarks.section import RESULTS

ATTEMPTS = 3
#: Seconds after which a ratio on a busy machine gets no more samples, if it has a few.
SECONDS, FEW = 9.0, 3
Call = Callable[[], Any]


@dataclass(frozen=True)
class Pair:
    """Two things to measure alternately.

    Attributes:
        numerator: milliseconds of linreg.
        denominator: milliseconds of what it is compared with.
        rounds: samples of the ratio.
        repeats: measurements of each a sample; the least counts.
    """

    numerator: Callable[[], float]
    denominator: Callable[[], float]
    rounds: int = 9
    repeats: int = 5

    def samples(self) -> list[float]:
        """The ratio of each round, after a round that does not count."""
        self.numerator(), self.denominator()
        found: list[float] = []
        begun = time.monotonic()
        while len(found) < self.rounds and (len(found) < FEW or time.monotonic() - begun < SECONDS):
            both = [(self.numerator(), self.denominator()) for _ in range(self.repeats)]
            found.append(min(n for n, _ in both) / min(d for _, d in both))
        return found


def on_core(run: Call) -> float:
    """Milliseconds of one call on the core."""
    begun = time.process_time()
    run()
    return (time.process_time() - begun) * 1e3


def calls(numerator: Call, denominator: Call, rounds: int = 9, repeats: int = 5) -> Pair:
    """A pair of calls in this process."""
    return Pair(lambda: on_core(numerator), lambda: on_core(denominator), rounds, repeats)


def pairs(folder: Path) -> dict[str, Pair]:
    """Every ratio, by name; without scikit-learn one fewer."""
    import pyarrow as pa
    import pyarrow.csv as pcsv
    import torch

    from benchmarks import ours, peers
    from benchmarks.problems import problem, write_csv
    from benchmarks.steps import Steps

    # One thread each: how two threads share a busy machine is what would make ratios jump.
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    large, small = problem(1_000_000, 8), problem(200_000, 8)
    few = small.head(4096)
    X, y = torch.from_numpy(large.X), torch.from_numpy(large.y).unsqueeze(1)
    order = torch.randperm(len(X))
    native, statistics = ours.executor("native"), ours.executor("statistics")
    write_csv(small, folder / "table.csv")
    found = {
        "native / torch slices, batch 32": calls(
            native(Steps(small, 32, small.rate)), ours.slices(Steps(few, 32, few.rate))
        ),
        "native shuffled / gather": calls(
            native(Steps(large, 32, large.rate, shuffle=True)),
            lambda: [values.index_select(0, order) for values in (X, y)],
        ),
        "native in order / read of X": calls(native(Steps(large, 32, large.rate)), X.sum),
        "statistics, 1,000 epochs / read of X": calls(statistics(Steps(large, len(X), 0.1, 1000)), X.sum),
        "native full batch / read of X": calls(native(Steps(large, len(X), large.rate)), X.sum),
        "ingest / pyarrow read_csv": calls(
            lambda: ingest(folder / "table.csv"), lambda: pcsv.read_csv(folder / "table.csv"), repeats=3
        ),
        "smoke run / import torch, build an SGD": Pair(smoke(folder), floor(folder), rounds=4, repeats=1),
    }
    try:
        one = Steps(small, 1, small.rate)
        found["native / SGDRegressor, batch 1"] = calls(native(one), peers.sgd_regressor(one), repeats=3)
    except ImportError:
        say("native / SGDRegressor: skipped, sklearn is not installed")
    return found


def ingest(csv: Path) -> Any:
    """The table as `linreg train` reads it: checked, split, as tensors."""
    from linreg_cli.config.load import load_config
    from linreg_cli.data.load import load_dataset

    loaded = load_config([], [f"data={{path: '{csv}', target: y}}"])
    return load_dataset(loaded.config)


def smoke(folder: Path) -> Callable[[], float]:
    """Milliseconds on the cores of a CI run in a fresh process."""
    config = ROOT / "configs" / "smoke.yaml"
    command = [sys.executable, "-m", "linreg_cli", "train", "-c", str(config), "-q"]
    return lambda: float(fresh_process(command, folder)["cpu_ms"])


def floor(folder: Path) -> Callable[[], float]:
    """Milliseconds of what it cannot do without."""
    program = ROOT / "benchmarks" / "programs" / "floor.py"
    return lambda: float(fresh_process([sys.executable, str(program)], folder)["cpu_ms"])


def measure(chosen: dict[str, Pair], names: Iterable[str]) -> dict[str, list[float]]:
    """The samples of each ratio named."""
    found = {}
    for name in names:
        say(f"  {name}")
        found[name] = chosen[name].samples()
    return found


def update(chosen: dict[str, Pair], stored: Path) -> int:
    """Store three sets as one, so that what drifts between sets is part of the spread."""
    sets = [measure(chosen, chosen) for _ in range(3)]
    ratios = {name: asdict(Spread.of([s for one in sets for s in one[name]])) for name in chosen}
    about = machine()
    save(stored, {"cpu": about["cpu"], "versions": about["versions"], "ratios": ratios})
    return 0


def compare(chosen: dict[str, Pair], stored: Path) -> int:
    """Print each ratio beside the stored one; measure again what seems to have regressed."""
    known = json.loads(stored.read_text(encoding="utf-8"))
    before = {name: Spread(**values) for name, values in known["ratios"].items()}
    if known["cpu"] != processor():
        say(f"note: stored on another processor ({known['cpu']}); --update on the old commit makes ratios of this one")
    now: dict[str, Spread] = {}
    suspects = list(chosen)
    for attempt in range(ATTEMPTS):
        latest = {name: Spread.of(samples) for name, samples in measure(chosen, suspects).items()}
        now |= latest
        suspects = regressions(before, latest)
        if not suspects:
            break
        say(f"attempt {attempt + 1} of {ATTEMPTS} is above the limit: {'; '.join(suspects)}")
    for name, ratio in now.items():
        print(line(name, ratio, before.get(name), name in suspects))
    return 1 if suspects else 0


def line(name: str, now: Spread, before: Spread | None, failed: bool) -> str:
    """One ratio in words."""
    text = f"{name:40s} {now.median:9.4g} ({now.low:.4g} to {now.high:.4g})"
    if before is None:
        return f"{text}, nothing stored"
    return f"{text}, stored {before.median:.4g}, limit {limit(before, now):.4g}{'  REGRESSED' if failed else ''}"


def main() -> int:
    """Compare, or store."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quick", description="Has linreg become slower?")
    parser.add_argument("--update", action="store_true", help="store the ratios of now")
    parser.add_argument("--stored", type=Path, default=RESULTS / "quick.json", help="the ratios to compare with")
    given = parser.parse_args()
    if not given.update and not given.stored.exists():
        say("nothing is stored to compare with: run with --update first")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        chosen = pairs(Path(folder))
        return (update if given.update else compare)(chosen, given.stored)


if __name__ == "__main__":
    sys.exit(main())
