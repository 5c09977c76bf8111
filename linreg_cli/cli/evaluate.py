"""`linreg evaluate`."""

from typing import Annotated, Any

import typer

from linreg_cli.cli import gates, github_summary, options, output
from linreg_cli.cli.moved import saying_how_to_name_it
from linreg_cli.cli.table_input import name_of, readable
from linreg_cli.errors import UsageError
from linreg_cli.evaluation.optimum_in_words import gap_in_words
from linreg_cli.paths import expanded


def evaluate(
    run: options.Run,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="PATH",
            parser=expanded,
            help="Another table, a folder, a pattern in quotes, or a pipe; - is stdin; default: the splits of the run.",
        ),
    ] = None,
    format_: options.TableFormat = None,
    fail_if: options.FailIf = None,
    junit: options.Junit = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Print the metrics of a run.

    On the splits of the run, with the distance to the exact optimum, standard errors if the model is close enough to
    it, and the true parameters of generated data. Or on another table, whose metrics are named 'data'.
    """
    from linreg_cli.cli.junit import recording_error, write_junit
    from linreg_cli.runs.find import find_run

    with recording_error(junit, "evaluate"), github_summary.recording_failure("evaluate"):
        expressions = gates.checked(fail_if)
        folder = find_run(outputs, run)
        references = gates.references(expressions, outputs)
        from linreg_cli.evaluation.evaluate import evaluate_splits, evaluate_table
        from linreg_cli.evaluation.saved_model import load_saved_model
        from linreg_cli.gates import check_gates
        from linreg_cli.runs.references import of_record

        saved = load_saved_model(folder)
        if format_ is not None and data is None:
            raise UsageError("it says what the table of --data is, and there is none", "--format")
        if data is not None:
            with readable(data, format_) as path:
                metrics = evaluate_table(saved, path, output.warn_of, None if path == data else name_of(data))
        else:
            with saying_how_to_name_it("--data TABLE"):
                metrics, unchanged = evaluate_splits(saved)
            if not unchanged:
                output.warn("the data has changed since the run was trained")
        results = check_gates((), expressions, {**metrics, **of_record(saved.record)}, references)
    if junit is not None:
        write_junit(junit, folder.id, results)
    with folder.reporting_damage("run.json"):
        github_summary.append_run(folder.id, metrics, saved.record, results)
        text = [] if as_json else _text(metrics, saved.record, of_run=data is None)
    failed = gates.failed(results, folder.id)
    if not as_json:
        output.show(*text)
    elif not failed:
        output.print_json(metrics)
    gates.stop(failed, as_json=as_json, result=metrics)


def _text(metrics: dict[str, Any], record: dict[str, Any], *, of_run: bool) -> list[str]:
    """What is shown: metrics, coefficients, and of a run's own table the optimum and the truth."""
    from linreg_cli.cli import coefficients

    parts = [output.metrics_table(metrics, record), "", coefficients.coefficients_text(metrics, record, details=of_run)]
    if of_run:
        parts += ["", output.prose(f"optimum: {gap_in_words(metrics)}")]
        if "truth" in metrics:
            parts += ["", coefficients.truth_text(metrics["truth"])]
    return parts
