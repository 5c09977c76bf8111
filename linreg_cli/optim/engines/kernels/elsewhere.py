"""Kernels compiled by a process of their own, for a run whose memory is limited.

numba and LLVM's passes take 160 MB that are not given back. So the training process is handed the machine code.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Sequence

#: The program of the process, which finds modules where this one does.
_PROGRAM = """
import base64, json, sys
given = json.loads(sys.argv[1])
sys.path[:] = given["path"]
from linreg_cli.optim.engines.kernels.compiler import compiled
print(json.dumps([base64.b64encode(compiled(*each)).decode() for each in given["wanted"]]))
"""


def compiled_elsewhere(wanted: Sequence[tuple[str, dict[str, str]]]) -> list[bytes]:
    """The object code of kernels, as `compiler.compiled` has it; none if the process fails, for whatever reason.

    Args:
        wanted: for each kernel its name, and the dtypes of its pointers.
    """
    given = json.dumps({"path": sys.path, "wanted": wanted})
    try:
        done = subprocess.run([sys.executable, "-c", _PROGRAM, given], capture_output=True, check=True)
        return [base64.b64decode(each) for each in json.loads(done.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
