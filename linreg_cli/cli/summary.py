"""What `train` says at the end of a run."""

from typing import TYPE_CHECKING

from linreg_cli import wording
from linreg_cli.cli import coefficients, output
from linreg_cli.evaluation.optimum_in_words import gap_in_words

if TYPE_CHECKING:
    from linreg_cli.gates import GateResult
    from linreg_cli.pipeline.workflow import Outcome


def of_run(outcome: "Outcome") -> str:
    """What `train` says at the end of a run, in lines."""
    record = outcome.run.record()
    steps = f"{wording.plural(record['epochs_done'], 'epoch')}, {wording.plural(record['steps_done'], 'step')}"
    training, whole = record["stages"]["training"]["seconds"], wording.duration(outcome.seconds)
    said = any(finding.kind == "not_converged" for finding in outcome.warnings)
    warned = any(finding.kind in ("collinear", "no_exact_fit") for finding in outcome.warnings)
    lines = [
        f"{outcome.run.id}: {steps} on {record['device']} in {wording.duration(training)} ({whole} in all)",
        *([f"stopped early: {outcome.stopped}"] if outcome.stopped else []),
        *(
            [f"restored: the parameters of epoch {best:,}, the best one"]
            if (best := record.get("restored_epoch"))
            else []
        ),
        "",
        output.metrics_table(outcome.metrics, record, indent="  "),
        *output.cross_validation_lines(outcome.metrics, indent="  "),
        "",
        coefficients.coefficients_text(outcome.metrics, record, reasons=not said),
        "",
        output.prose(f"optimum: {gap_in_words(outcome.metrics, brief=warned)}"),
    ]
    lines += ["", coefficients.truth_text(outcome.truth, indent="  ")] if outcome.truth else []
    if outcome.metrics["probe"]:
        rows = [["probe", "before", "after"]]
        for point in outcome.metrics["probe"]:
            rows.append([", ".join(map(wording.value, point[key])) for key in ("input", "before", "after")])
        lines += ["", output.aligned(rows, indent="  ")]
    passed = [gate for gate in outcome.gates if gate.passed]
    lines += (
        ["", *(f"gate '{wording.one_line(gate.gate)}' passed ({_passed(gate)})" for gate in passed)] if passed else []
    )
    paths = [f"run:      {outcome.run.path}"]
    paths += [f"{'pictures:' if position == 0 else '':9} {path}" for position, path in enumerate(outcome.pictures)]
    lines += ["", *map(wording.one_line, paths)]
    return "\n".join(lines)


def _passed(gate: "GateResult") -> str:
    """What a gate that passed measured, and the number of another run that it was compared with."""
    against = f", against {gate.against}" if gate.against else ""
    return wording.one_line(f"{wording.number(gate.measured)}{against}")
