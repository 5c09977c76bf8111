"""Gates that no run of a config could pass, refused before it is trained: unknown metrics, unknown runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linreg_cli.config import LoadedConfig
from linreg_cli.config.metric_names import impossible_gate
from linreg_cli.errors import ConfigError, Fault
from linreg_cli.gates import ReferenceValue
from linreg_cli.runs.references import references_of


def references(
    loaded: LoadedConfig,
    fail_if: Sequence[str],
    outputs: Path | None,
    known: Mapping[str, ReferenceValue] | None = None,
) -> tuple[Mapping[str, ReferenceValue], list[Fault]]:
    """The metrics of other runs that gates name, and a fault for each that there is not.

    Args:
        loaded: the config with the position of each setting.
        fail_if: the gates of the command line.
        outputs: the folder of the runs; None: the gates will not be checked.
        known: what was compared with when the run was started.
    """
    if outputs is None:
        return {}, []
    gates = loaded.config.gates
    found, wrong = references_of([*gates, *fail_if], outputs, known)
    faults: list[Fault] = []
    for position, why in wrong:
        in_config = position < len(gates)
        faults += loaded.error(("gates", position), why).faults if in_config else [Fault(why, "--fail-if")]
    return found, faults


def refuse_impossible(
    loaded: LoadedConfig,
    names: Any,
    gates: Sequence[str],
    fail_if: Sequence[str],
    faults: Sequence[Fault] = (),
) -> None:
    """Refuse gates on metrics that no run of the config has, before it is trained.

    Args:
        loaded: the config with the position of each setting.
        names: the metrics of such a run, as `metric_names` gives them.
        gates: those of the config.
        fail_if: those of the command line.
        faults: others that were found in gates.

    Raises:
        ConfigError: with every such gate.
    """
    faults = [*faults]
    for position, gate in enumerate(gates):
        if why := impossible_gate(gate, names):
            faults += loaded.error(("gates", position), why).faults
    faults += [Fault(why, "--fail-if") for gate in fail_if if (why := impossible_gate(gate, names))]
    if faults:
        raise ConfigError(faults)
