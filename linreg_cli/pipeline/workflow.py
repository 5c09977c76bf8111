"""train_run and resume_run: all steps of a run, in the order of execution."""

import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg_cli import remedies
from linreg_cli.addresses import has_secrets
from linreg_cli.blas import one_blas_thread
from linreg_cli.config import LoadedConfig, dump_config
from linreg_cli.errors import DivergedError, Interrupted
from linreg_cli.evaluation.metrics import Metrics, probe
from linreg_cli.evaluation.smearing import estimating
from linreg_cli.findings import Finding, counts
from linreg_cli.gates import GateResult, check_gates
from linreg_cli.pipeline import results
from linreg_cli.pipeline.description import chosen_in_words, description, record_failure, result_of, shown_command
from linreg_cli.pipeline.measured import STATISTICS, prepared_from
from linreg_cli.pipeline.prepared import Prepared, Reporter
from linreg_cli.pipeline.ranks import launch_of, resumed_by
from linreg_cli.pipeline.resume import taken_up
from linreg_cli.pipeline.stages import DRAWING, EVALUATING, TimedReporter
from linreg_cli.pipeline.train import Training, cross_validation
from linreg_cli.readers import either
from linreg_cli.runs.checkpoint import Checkpoint, save_model
from linreg_cli.runs.record import RunRecord, auto_keys
from linreg_cli.runs.references import as_json
from linreg_cli.runs.signals import StopRequests
from linreg_cli.runs.store import INFERENCE_FILE, RESULTS, RunFolder
from linreg_cli.starter.choices import Choices
from linreg_cli.starter.known import Rows
from linreg_cli.wording import duration

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg_cli.ranks.group import Ranks


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes:
        run: the run folder.
        status: as in `run.json`.
        metrics: as in `metrics.json`.
        seconds: wall time from reading the data to the last file; of a resumed run, with the time before.
        gates: the result of each gate.
        stopped: why training ended early; None if it did not.
        pictures: the files drawn.
        warnings: all that were reported.
        truth: the comparison with the true coefficients, where they are known (`evaluation.truth.compare`).
    """

    run: RunFolder
    status: str
    metrics: Metrics
    seconds: float
    gates: list[GateResult]
    stopped: str | None
    pictures: list[Path]
    warnings: list[Finding]
    truth: Metrics | None = None


def train_run(
    loaded: LoadedConfig,
    *,
    outputs: Path,
    reporter: Reporter,
    command: Sequence[str],
    fail_if: Sequence[str] = (),
    force: bool = False,
    stops: StopRequests | None = None,
    choices: Choices | None = None,
    known: Rows | None = None,
    frame: "pa.Table | None" = None,
    ranks: "Ranks | None" = None,
    about: Mapping[str, Any] | None = None,
    keep: Callable[[Prepared], object] | None = None,
    statistics: str | None = None,
) -> Outcome:
    """Train, evaluate on every split, draw pictures, and write a complete run folder.

    Args:
        loaded: the config.
        outputs: the folder of the run folders.
        reporter: shows progress and warnings.
        command: the command line, for `run.json`.
        fail_if: conditions that must not hold, beside the gates of the config.
        force: train even if the learning rate is certain to diverge.
        stops: requests to stop, entered by the caller; None: there are none, and signal handlers are not changed.
        choices: what was decided for a table, for `run.json`; None for a config that was written.
        known: what was read already; see `prepare`.
        frame: the rows of `source: frame`.
        ranks: the processes that share the train rows; None: this one is alone.
        about: further keys of `run.json`, such as the sweep that the run belongs to.
        keep: called with the run before its first step; the next run may use its rows.
        statistics: the path of statistics of the table, which is then not read; None: the table is.

    Returns:
        The result. A failed gate is part of it, not an exception.

    Raises:
        ConfigError, DataError, StoreError: before training, with no run folder left behind.
        DivergedError: before training, or with the last finite state in the run folder.
        Interrupted: if `stops` asked for it, with the state at the interruption in the run folder.
    """
    begun = time.perf_counter()
    stops, reporter = stops or StopRequests(), TimedReporter(reporter)
    with one_blas_thread(always=ranks is not None or loaded.config.train.shards is not None):
        prepared = prepared_from(
            statistics, loaded, reporter, fail_if=fail_if, outputs=outputs, known=known, frame=frame, ranks=ranks
        )
        if keep is not None:
            keep(prepared)
        warnings = prepared.check(loaded, reporter, force=force)
        asked: dict[str, Any] = {"fail_if": [*fail_if], **launch_of(ranks), **(about or {})}
        if statistics is not None:
            asked[STATISTICS] = str(Path(statistics).absolute())
        if choices is not None:
            asked |= {"decisions": choices.as_json(prepared.config)}
            warnings += choices.warnings(prepared.config)
            warnings += _outlook(choices, loaded, warnings, reporter)
        prepared = prepared.started(loaded, reporter, warnings)
        described = description(prepared, command, warnings) | asked
        record = RunRecord.begin(outputs, prepared.config.name, described, {"config.yaml": _config_file(prepared)})
        return _to_the_end(_Begun(loaded, prepared, record, stops, reporter, fail_if, begun, warnings))


def _outlook(choices: Choices, loaded: LoadedConfig, warnings: Sequence[Finding], reporter: Reporter) -> list[Finding]:
    """Why there is no exact fit to end at, unless it was reported. How far from one the run ends is measured there."""
    said = any(each.kind == "collinear" for each in warnings)
    found = [each for each in choices.outlook_of(loaded.config) if each.kind == "no_exact_fit" and not said]
    for finding in found:
        reporter.warn(finding)
    return found


def resume_run(
    run: RunFolder,
    files: Sequence[str],
    overrides: Sequence[str],
    *,
    reporter: Reporter,
    command: Sequence[str],
    fail_if: Sequence[str] = (),
    stops: StopRequests | None = None,
    outputs: Path | None = None,
    frame: "pa.Table | None" = None,
    ranks: "Ranks | None" = None,
) -> Outcome | str:
    """Resume a run in its folder; the result has the same bits as that of a run that was never stopped.

    Args:
        run: the run folder.
        files: configs, which must agree with that of the run; none: the config of the run.
        overrides: `--set` expressions; see `taken_up`.
        reporter: shows progress and warnings.
        command: the command line, for `run.json`.
        fail_if: conditions that must not hold, beside the gates of the config; none: those that the run began with.
        stops: as in `train_run`.
        outputs: the folder of the runs that gates may compare with; None: that of the run.
        frame: the rows of `source: frame`.
        ranks: the processes that share the train rows; None: this one is alone.

    Returns:
        The result, or a text that says why the run is already complete.

    Raises:
        StoreError: if the run is in use, damaged, or has diverged.
        ConfigError, DataError: if the config or the data are not those of the run, and as `train_run`.
        DivergedError, Interrupted: as `train_run`.
    """
    begun = time.perf_counter()
    stops = stops or StopRequests()
    with taken_up(run, files, overrides) as resumption:
        if resumption.complete is not None:
            return resumption.complete
        reporter = TimedReporter(reporter, resumption.stages)
        for warning in resumption.warnings:
            reporter.warn(warning)
        fail_if = fail_if or resumption.fail_if
        ranks = resumed_by(ranks, resumption.loaded.config, run.id)
        with one_blas_thread(always=resumption.loaded.config.train.shards is not None):
            statistics, outputs = resumption.record.get(STATISTICS), outputs or run.path.parent
            prepared = prepared_from(
                statistics, resumption.loaded, reporter, fail_if=fail_if, resumed=True, outputs=outputs,
                references=resumption.references, frame=frame, ranks=ranks,
            )  # fmt: skip
            auto = "lr" in auto_keys(resumption.record)
            found = prepared.check(resumption.loaded, reporter, force=True, auto=auto)
            warnings = resumption.warnings + resumption.with_earlier(found)
            resumption.check_data(prepared.fingerprint)
            prepared = prepared.started(resumption.loaded, reporter, warnings)
            values = resumption.described(description(prepared, command, warnings), shown_command(command))
            values |= {"references": as_json(prepared.references), "fail_if": [*fail_if]}
            text, mode = _config_file(prepared)
            run.write("config.yaml", text, mode=mode)  # the epochs may be more
            record = RunRecord.resume(run, values, resumption.lock)
            begun -= resumption.seconds
            common = resumption.loaded, prepared, record, stops, reporter, fail_if, begun, warnings
            return _to_the_end(_Begun(*common, resumption.checkpoint))


@dataclass(frozen=True, eq=False)
class _Begun:
    """A run whose folder is locked and whose first step, or the next one, can be taken.

    Attributes:
        loaded: the config.
        prepared: the rows, the model, the plan.
        record: of its folder.
        stops: requests to stop.
        reporter: shows progress and warnings, and measures the stages.
        fail_if: conditions that must not hold, beside the gates of the config.
        since: when it began, by `time.perf_counter`; of a resumed run, with the time before.
        warnings: those so far; what is found later is added.
        checkpoint: from which the run goes on; None: it begins.
    """

    loaded: LoadedConfig
    prepared: Prepared
    record: RunRecord
    stops: StopRequests
    reporter: TimedReporter
    fail_if: Sequence[str]
    since: float
    warnings: list[Finding]
    checkpoint: Checkpoint | None = None


def _to_the_end(begun: _Begun) -> Outcome:
    """Train, evaluate and draw in a run folder whose lock is held, and write the outcome into `run.json`."""
    prepared, record, reporter, warnings = begun.prepared, begun.record, begun.reporter, begun.warnings
    run = record.run
    try:
        run.write_json("preprocess.json", prepared.preprocessor.as_json())
        formula = estimating(prepared.formula(), prepared.dataset, prepared.config)
        before = probe(formula, prepared.config.probe, prepared.dataset.encoder)
        run.remove(*RESULTS)  # of fewer epochs, or of an interrupted evaluation
        if begun.checkpoint is not None:
            prepared.state.restore(begun.checkpoint.snapshot)
        way = functools.cache(prepared.way)
        training = Training(prepared, run, prepared.fingerprint, begun.checkpoint, way)
        for text in chosen_in_words(prepared):
            reporter.detail(text)
        end = training.run(begun.stops, reporter)
        warnings += training.warnings
        reporter.detail(f"checkpoints: {training.saved['count']:,}, {duration(training.saved['seconds'])}")
        reporter.stage(EVALUATING)
        folds = cross_validation(begun.loaded, prepared, reporter)
        metrics, findings = results.evaluate(prepared, run, before, folds, way)
        truth = results.compared_with_truth(prepared, metrics, findings)
        for finding in findings:
            reporter.warn(finding)
        warnings += findings
        save_model(run, prepared.state.model.state_dict())
        begun.stops.check()  # a signal that a library has swallowed
        pictures = []
        if prepared.config.plots:
            reporter.stage(DRAWING)
            pictures = results.draw(run, prepared, reporter, warnings)
            begun.stops.check()
        stages, seconds = reporter.stages(), time.perf_counter() - begun.since
        measured = {**metrics, "seconds": seconds, "warnings": counts(each.kind for each in warnings)}
        gates = check_gates(prepared.config.gates, begun.fail_if, measured, prepared.references)
        kept = [INFERENCE_FILE] if run.has(INFERENCE_FILE) else []
        digests = run.digests("model.safetensors", "preprocess.json", *kept)
        result = result_of(end, prepared, seconds, gates, warnings)
        result |= {} if training.restored_epoch is None else {"restored_epoch": training.restored_epoch}
        record.finish("finished", **result, stages=stages, checkpoints=training.saved, digests=digests)
    except BaseException as error:
        record_failure(record, error, time.perf_counter() - begun.since, reporter.stages())
        if isinstance(error, Interrupted):
            raise Interrupted(f"{error}; {_to_go_on(run)}", error.exit_code) from None
        if isinstance(error, DivergedError):
            results.hand_to_trackers(run, begun.loaded, reporter)
        raise
    finally:
        reporter.done()
    warnings += results.hand_to_trackers(run, begun.loaded, reporter)
    reason = end.reason if end else None
    return Outcome(run, "finished", metrics, seconds, gates, reason, pictures, warnings, truth)


def _to_go_on(run: RunFolder) -> str:
    """What to do after an interruption; the path of the run names it whatever folder runs are kept in."""
    path = str(run.path) if os.sep in str(run.path) else f".{os.sep}{run.path}"
    way = remedies.command("linreg", "train", "--resume", path)
    return f"{run.id} is kept, and goes on with: {either(way, f'linreg_cli.load_run({path!r}).resume()')}"


def _config_file(prepared: Prepared) -> tuple[str, int | None]:
    """Text and mode of `config.yaml`, for the owner alone if it has the secrets of an address, as no other file has."""
    text = dump_config(prepared.config)
    return text, 0o600 if has_secrets(text) else None
