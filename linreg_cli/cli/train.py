"""`linreg train`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg_cli import wording
from linreg_cli.cli import gates, github_summary, options, output, summary
from linreg_cli.cli.allowed import naming_options
from linreg_cli.cli.dry_run import show_plan
from linreg_cli.cli.moved import saying_how_to_name_it
from linreg_cli.cli.table_input import check_format, standard_input
from linreg_cli.cli.table_words import Words, choice_lines
from linreg_cli.errors import UsageError

if TYPE_CHECKING:
    from linreg_cli.cli.progress import Progress
    from linreg_cli.config import LoadedConfig
    from linreg_cli.gates import References
    from linreg_cli.pipeline.workflow import Outcome
    from linreg_cli.ranks.group import Ranks
    from linreg_cli.runs.store import RunFolder
    from linreg_cli.starter.choices import Choices
    from linreg_cli.starter.known import Known

_NOT_KEPT = (
    "the rows come from standard input and are not kept: the run cannot be resumed, and is repeated by piping the same "
    "table into 'linreg train -c RUN/config.yaml'"
)


def train(
    table: options.Table = None,
    target: options.Target = None,
    features: options.Features = None,
    ignore: options.Ignore = None,
    format_: options.TableFormat = None,
    config: options.MaybeConfig = None,
    set_: options.Set = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Same as --set name=NAME.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="DEVICE", help="Same as --set train.device=DEVICE.")
    ] = None,
    nproc: Annotated[
        int | None, typer.Option("--nproc", metavar="N", min=1, help="Train in N processes of this machine (torchrun).")
    ] = None,
    outputs: options.Outputs = options.OUTPUTS,
    fail_if: options.FailIf = None,
    as_json: options.Json = False,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RUN", help="Continue a run, with its own config; -c is optional."),
    ] = None,
    junit: options.Junit = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path of the run only.")] = False,
    verbose: options.Verbose = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the config and read the data, without training.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train even at a learning rate that must diverge.")] = False,
    statistics: options.Statistics = None,
) -> None:
    """Train a model and write a run folder.

    TABLE needs no config: linreg train houses.csv --target price trains with that of 'linreg init', which says why it
    treats each column as it does.

    Evaluates the model on every split and draws the pictures. --resume continues an interrupted run, with the same
    result, bit for bit, as without the interruption; --set train.epochs=N adds epochs to a run.
    """
    from linreg_cli.cli import ranks
    from linreg_cli.cli.junit import recording_error, write_junit
    from linreg_cli.cli.progress import Progress
    from linreg_cli.runs.find import find_run

    if (code := ranks.elsewhere(nproc)) is not None:
        raise typer.Exit(code)
    check_format(format_)
    overrides = [*(set_ or []), *_shorthands({"name": name, "train.device": device, "data.format": format_})]
    progress = Progress(as_json=as_json, verbose=verbose)
    recorded = recording_error(junit, "train"), github_summary.recording_failure("train")
    with recorded[0], recorded[1], progress, naming_options(), standard_input(read=resume is None):
        together = ranks.join(nproc)
        expressions = gates.checked(fail_if)
        words = Words(table, target, features, ignore, format_)
        words.check(config, resume, overrides=set_ or ())
        _check_statistics(statistics, table, resume, nproc, together)
        _check_options(config or table, resume, junit, dry_run=dry_run, force=force, quiet=quiet, verbose=verbose)
        begun = ranks.begun_before(together, outputs) if resume is None else None
        if resume is not None or begun is not None:
            folder = begun or find_run(outputs, resume or "")
            files, changed = ([], []) if begun else (config or [], overrides)  # it has begun with those of this command
            outcome = _resumed(folder, files, changed, progress, expressions, outputs, together)
            if isinstance(outcome, str):
                progress.done()
                references = gates.references(expressions, outputs)
                _show_complete(folder, outcome, expressions, references, junit, as_json=as_json, quiet=quiet)
                return
        else:
            loaded, choices, known = _loaded(words, config or (), overrides, progress, quiet=quiet or as_json)
            if not getattr(loaded.config.data, "is_kept", True) and not (quiet or as_json):
                output.tell(f"note: {_NOT_KEPT}")
            progress.stage("loading torch")
            if dry_run:
                for finding in [] if choices is None else choices.outlook_of(loaded.config):
                    progress.warn(finding)
                show_plan(
                    loaded, known, progress, expressions, outputs, statistics, together, force=force, as_json=as_json
                )
                return
            outcome = _trained(
                loaded, choices, known, progress, expressions, outputs, statistics, together, force=force
            )
    if junit is not None:
        write_junit(junit, outcome.run.id, outcome.gates, outcome.seconds)
    github_summary.append_run(outcome.run.id, outcome.metrics, outcome.run.record(), outcome.gates)
    _show(outcome, as_json=as_json, quiet=quiet)


def _shorthands(options: dict[str, str | None]) -> list[str]:
    """Overrides from options that stand for a key; in quotes, so that `--name 2014` is text."""
    given = {key: value for key, value in options.items() if value is not None}
    return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items()]


def _resumed(
    run: "RunFolder",
    config: Sequence[str],
    overrides: Sequence[str],
    progress: "Progress",
    fail_if: list[str],
    outputs: Path,
    ranks: "Ranks | None",
) -> "Outcome | str":
    """See `resume_run`."""
    from linreg_cli.runs.signals import StopRequests

    progress.stage("loading torch")
    from linreg_cli.pipeline.workflow import resume_run

    with saying_how_to_name_it("--set data.path=TABLE"), StopRequests() as stops:
        return resume_run(
            run, config, overrides, reporter=progress, command=_command_line(), fail_if=fail_if, stops=stops,
            outputs=outputs, ranks=ranks,
        )  # fmt: skip


def _trained(
    loaded: "LoadedConfig",
    choices: "Choices | None",
    known: "Known | None",
    progress: "Progress",
    fail_if: list[str],
    outputs: Path,
    statistics: str | None,
    ranks: "Ranks | None",
    *,
    force: bool,
) -> "Outcome":
    """See `train_run`."""
    from linreg_cli.pipeline.workflow import train_run
    from linreg_cli.runs.signals import StopRequests

    with StopRequests() as stops:
        return train_run(
            loaded, outputs=outputs, reporter=progress, command=_command_line(), fail_if=fail_if, force=force,
            stops=stops, choices=choices, known=known, statistics=statistics, ranks=ranks,
        )  # fmt: skip


def _command_line() -> list[str]:
    return ["linreg", *sys.argv[1:]]


def _loaded(
    words: Words, config: Sequence[str], overrides: Sequence[str], progress: "Progress", *, quiet: bool
) -> "tuple[LoadedConfig, Choices | None, Known | None]":
    """The config of the files or of a table, what was decided for the table, and what of it need not be read again."""
    from linreg_cli.config import load_config

    choices = known = None
    if words.table is None:
        loaded = load_config(config, overrides)
    else:
        draft = words.draft(overrides, progress.stage)
        loaded, choices = draft.load(overrides), draft.choices
        known = draft.known.of(loaded.config)
        if not quiet:
            for line in choice_lines(choices, loaded.config):
                output.tell(f"note: {line}")
        for finding in choices.warnings(loaded.config):
            progress.warn(finding)
    for note in loaded.notes:
        progress.warn(note)
    return loaded, choices, known


def _check_statistics(
    statistics: str | None, table: str | None, resume: str | None, nproc: int | None, ranks: "Ranks | None"
) -> None:
    if statistics is not None and resume is not None:
        raise UsageError("a run goes on with the statistics that it began with; leave --stats out", "--stats")
    if statistics is not None and table is not None:
        raise UsageError("--stats stands for a table; give the config of the statistics with -c", "--stats")
    if statistics is not None and ranks is not None:
        one = "start it without torchrun, or unset WORLD_SIZE" if nproc is None else "leave --nproc out"
        raise UsageError(f"statistics have no rows that several processes could share; {one}", "--stats")


def _check_options(
    config: list[str] | str | None,
    resume: str | None,
    junit: Path | None,
    *,
    dry_run: bool,
    force: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    options.check_quiet(quiet=quiet, verbose=verbose)
    if resume is not None and force:
        raise UsageError("--force is for a new run; --resume continues at the rate of the run", "--resume")
    if resume is not None and dry_run:
        raise UsageError("--dry-run does not train, and --resume does; use one of them", "--resume")
    if junit is not None and dry_run:
        raise UsageError("--junit reports the gates of a run, and --dry-run has no run; use one of them", "--junit")
    if resume is None and not config:
        message = "Missing option '--config' / '-c', or a TABLE with --target COLUMN; see 'linreg train --help'"
        message += ", or continue a run with --resume RUN"
        raise UsageError(message)


def _show_complete(
    run: "RunFolder",
    why: str,
    expressions: list[str],
    references: "References",
    junit: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    from linreg_cli.cli.junit import write_junit
    from linreg_cli.gates import check_gates
    from linreg_cli.runs.references import of_record

    record, metrics = run.record(), run.read_json("metrics.json")
    seconds = record.get("seconds")
    values = {"run": run.id, "path": str(run.path), "status": record["status"], "metrics": metrics}
    result = {**values, "seconds": seconds, "note": f"already complete: {why}"}
    results = check_gates((), expressions, {**metrics, **of_record(record)}, references)
    if junit is not None:
        write_junit(junit, run.id, results, seconds or 0.0)
    github_summary.append_run(run.id, metrics, record, results)
    failed = gates.failed(results, run.id)
    if not as_json:
        output.show(wording.one_line(str(run.path) if quiet else f"{run.id} is already complete: {why}"))
    elif not failed:
        output.print_json(result)
    gates.stop(failed, as_json=as_json, result=result)


def _show(outcome: "Outcome", *, as_json: bool, quiet: bool) -> None:
    result = {
        "run": outcome.run.id,
        "path": str(outcome.run.path),
        "status": outcome.status,
        "metrics": outcome.metrics,
        "seconds": outcome.seconds,
        "warnings": [warning.as_json() for warning in outcome.warnings],
        "data": outcome.run.record()["data"],
        **({"truth": outcome.truth} if outcome.truth else {}),
    }
    failed = gates.failed(outcome.gates, outcome.run.id)
    if as_json and not failed:
        output.print_json(result)
    elif quiet and not as_json:
        output.show(wording.one_line(str(outcome.run.path)))
    elif not as_json:
        output.show(summary.of_run(outcome))
    gates.stop(failed, as_json=as_json, result=result)
