"""What a run leaves when its training has ended: metrics, predictions, pictures, and the entries of its trackers."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from linreg_cli.config import LoadedConfig
from linreg_cli.config.given import messages_about
from linreg_cli.convergence.reaching import Reaching
from linreg_cli.data.tables.write import write_table
from linreg_cli.errors import DataError, StoreError
from linreg_cli.evaluation.evaluate import evaluate_model
from linreg_cli.evaluation.intervals import save_factor
from linreg_cli.evaluation.measured import evaluate_measured
from linreg_cli.evaluation.metrics import Metrics, probe
from linreg_cli.evaluation.predictions import write_predictions
from linreg_cli.evaluation.smearing import estimating
from linreg_cli.evaluation.truth import compare, known_truth
from linreg_cli.figures.fonts import warning_of_lacking
from linreg_cli.figures.of_run import draw_run, write_pictures
from linreg_cli.figures.train_rows import TrainRows
from linreg_cli.files import write_file
from linreg_cli.findings import Finding
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.optim.rows import MeasuredRows
from linreg_cli.pipeline.prepared import Prepared, Reporter
from linreg_cli.readers import either
from linreg_cli.runs.edit import add_warnings
from linreg_cli.runs.store import RunFolder
from linreg_cli.trackers.track import track_run


def evaluate(
    prepared: Prepared,
    run: RunFolder,
    before: list[list[float | None]],
    more: Metrics,
    way: Callable[[Optimum | None], Reaching],
) -> tuple[Metrics, list[Finding]]:
    """Metrics and predictions of the trained model, and what is odd; writes `metrics.json` and `predictions.csv`."""
    config, dataset, model = prepared.config, prepared.dataset, prepared.state.model
    formula = estimating(prepared.formula(), dataset, config)
    preprocessor = replace(prepared.preprocessor, smearing=formula.smearing)
    run.write_json("preprocess.json", preprocessor.as_json())
    kept, about = config.evaluate.predictions, (config, dataset, preprocessor, model, prepared.problem)
    if isinstance(prepared.rows, MeasuredRows):
        with messages_about(config):
            found = evaluate_measured(*about, prepared.loss("train"), way, prepared.rows.has_constant)
    else:
        errors = write_predictions(run.path / "predictions.csv", formula, dataset, kept=kept, seed=config.seed)
        losses = {split: prepared.loss(split) for split in errors}
        with messages_about(config):
            found = evaluate_model(*about, errors, losses, way)
    metrics, influence, points = found.metrics, found.influence, config.probe
    metrics["probe"] = [
        {"input": list(point), "before": old, "after": new}
        for point, old, new in zip(points, before, probe(formula, points, dataset.encoder), strict=True)
    ]
    metrics |= more
    run.write_json("metrics.json", metrics)
    if influence is not None:
        write_file(run.path / "influence.csv", lambda draft: write_table(draft, ".csv", influence), own=True)
    save_factor(run, found.exact)
    return metrics, found.findings


def compared_with_truth(prepared: Prepared, metrics: Metrics, findings: list[Finding]) -> Metrics | None:
    """The comparison with the true coefficients where they are known; a file that is damaged is a finding."""
    try:
        known = known_truth(prepared.config)
    except DataError as error:
        findings.append(Finding("truth", str(error)))
        return None
    return None if known is None else compare(known, prepared.formula(), metrics)


def draw(run: RunFolder, prepared: Prepared, reporter: Reporter, warnings: list[Finding]) -> list[Path]:
    """Draw the pictures; one that matplotlib cannot draw, and characters that no font has, are warnings."""
    failed: dict[str, None] = {}
    of_fonts: list[Finding] = []
    with warning_of_lacking(of_fonts.append):
        rows = TrainRows(prepared.dataset, prepared.preprocessor, lambda: prepared.problem)
        pictures = draw_run(run, (), "png", rows=rows, skipped=lambda error: failed.setdefault(str(error)))
    way = either(f"'linreg plot {run.id}'", f"linreg_cli.load_run({str(run.path)!r}).plot()")
    found = [Finding("plots", f"{why}; draw the pictures with {way}") for why in failed]
    for warning in (*found, *of_fonts):
        reporter.warn(warning)
        warnings.append(warning)
    return write_pictures(pictures, run.path / "plots") if pictures else []


def hand_to_trackers(run: RunFolder, loaded: LoadedConfig, reporter: Reporter) -> list[Finding]:
    """Hand a run that has ended to its trackers; what they do not have is a warning, since the run is complete."""
    track = loaded.config.track
    if track.tensorboard or track.mlflow is not None:
        reporter.stage("handing the run to its trackers")
    found = track_run(run, track, reporter.detail)
    reporter.done()
    for finding in found:
        reporter.warn(finding)
    if found:
        with contextlib.suppress(StoreError):  # another command uses the run by now; the warning was reported
            add_warnings(run, found)
    return found
