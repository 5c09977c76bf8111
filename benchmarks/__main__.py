"""The whole benchmark: `python -m benchmarks`.

Three sections, each in a process of its own, saved after every cell; after each section the page and the picture are
written again, so an interrupted benchmark keeps what it has. A section that fails does not stop the others.
With --results elsewhere, or less than all rows, the tables are only printed.
"""

import argparse
import subprocess
import sys
import time

from benchmarks import page
from benchmarks.measure import ROOT, say
from benchmarks.section import RESULTS, add_options

#: The shortest first.
SECTIONS = ("time_to_gap", "same_steps", "end_to_end")


def main() -> int:
    """Run the sections asked for; 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time linreg beside its peers.")
    add_options(parser)
    parser.add_argument("--only", choices=SECTIONS, action="append", help="one section; may be given again")
    given = parser.parse_args()
    shown = given.results.resolve() == RESULTS and given.share == 1
    if given.share != 1 and given.results.resolve() == RESULTS:
        parser.error("less than all rows would replace the real results: name another folder with --results")
    failed = []
    for section in given.only or SECTIONS:
        begun = time.monotonic()
        command = [sys.executable, "-m", f"benchmarks.{section}", "--share", str(given.share)]
        command += ["--rounds", str(given.rounds), "--results", str(given.results.resolve())]
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            failed.append(section)
        if shown:
            page.write(given.results)
        say(f"{section}: {(time.monotonic() - begun) / 60:.1f} minutes")
    print(page.tables(given.results))
    if failed:
        say(f"failed: {', '.join(failed)}; what they measured before is kept")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
