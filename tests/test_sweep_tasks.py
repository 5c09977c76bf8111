"""A process of a sweep that is gone ends, also while it imports its libraries."""

import os
import subprocess
import sys

# The tasks end before the first one is asked for: as where the sweep was killed while the process started.
STARTING = """
import sys, time
from linreg_cli.pipeline.sweep_tasks import Tasks
tasks = Tasks(sys.stdin)
assert "torch" not in sys.modules
time.sleep(600)
"""
RUNNING = """
import sys, time
from linreg_cli.pipeline.sweep_tasks import Tasks
tasks = Tasks(sys.stdin)
assert tasks.next() == {"point": 0}
tasks.run_has_begun = True
print("begun", flush=True)
while tasks.stops.requested is None:
    time.sleep(0.01)
print("ended after its step, by signal", tasks.stops.requested)
"""


def started(code):
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )


def test_a_process_that_still_starts_ends_with_its_sweep():
    process = started(STARTING)
    process.communicate(timeout=120)
    assert process.returncode == 143


def test_a_run_that_has_begun_ends_after_its_step():
    process = started(RUNNING)
    process.stdin.write('{"point": 0}\n')
    process.stdin.flush()
    assert process.stdout.readline() == "begun\n"
    out, _ = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, "ended after its step, by signal 15\n")
