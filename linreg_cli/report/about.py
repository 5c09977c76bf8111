"""Facts about a run: status, training, data, provenance and config."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from linreg_cli.config.data import OfTable
from linreg_cli.config.schema import TrainConfig
from linreg_cli.evaluation.row_sample import MOST_ROWS as SAMPLED_ROWS
from linreg_cli.remedies import command
from linreg_cli.report.contents import curve_of
from linreg_cli.report.markup import (
    MOST_FOLDED,
    MOST_ROWS,
    Html,
    element,
    facts,
    figure_of,
    fold,
    lines,
    message,
    name,
    names,
    paragraph,
    stack,
    table,
    text,
)
from linreg_cli.runs.contents import RunContents
from linreg_cli.wording import duration, number, plural

#: Status -> (mark, CSS class), so that no status is shown by colour alone.
_MARKS = {
    "finished": ("✓", "good"),
    "running": ("…", "good"),
    "interrupted": ("‖", "bad"),
    "diverged": ("✗", "bad"),
    "failed": ("✗", "bad"),
}


def verdict(good: bool, words: str) -> Html:
    """Words with the mark and the colour of a good or a bad result."""
    return element("span", text(f"{'✓' if good else '✗'} {words}"), class_="good" if good else "bad")


def status(record: Mapping[str, Any]) -> Html:
    """The status of a run, with its mark and its colour."""
    mark, kind = _MARKS[record["status"]]
    return element("span", text(f"{mark} {record['status']}"), class_=kind)


def label(run: RunContents) -> Html | None:
    """The label of a run."""
    given = run.record().get("label")
    return paragraph(name(given), class_="label") if given else None


def opening(run: RunContents) -> Html:
    """The head of a run: its status and, if it did not finish, why and how far it came."""
    record, parts = run.record(), []
    line = [status(record)]
    if record["status"] == "finished":
        steps = f": {plural(record['epochs_done'], 'epoch')}, {plural(record['steps_done'], 'step')}"
        line.append(text(f"{steps} on {record['device']} in {_seconds(record)}"))
    parts.append(paragraph(*line))
    if record.get("stopped"):
        parts.append(paragraph(text(f"Stopped early: {record['stopped']}")))
    if record.get("restored_epoch"):
        parts.append(paragraph(text(f"The parameters are those of epoch {record['restored_epoch']}, the best one.")))
    failed = [gate for gate in record.get("gates") or [] if not gate["passed"]]
    if failed:
        parts.append(paragraph(verdict(False, f"{plural(len(failed), 'gate')} failed")))
    if record["status"] != "finished":
        parts.append(_notice(run))
    return stack(*parts)


def _notice(run: RunContents) -> Html:
    """Why a run did not finish, how far it came, and how to resume it."""
    record, found = run.record(), run.record().get("diverged") or {}
    parts = [paragraph(message(str(record["error"])))] if record.get("error") else []
    if "limit" in found:  # the rate is known to exceed a limit
        share = f" ({number(100 * found['share'], 3)} % of the steepest direction)"
        parts.append(
            facts(
                [
                    ("at step", figure_of(found["step"])),
                    ("rate", figure_of(found["lr"])),
                    ("limit", text(f"{number(found['limit'])}, of {found['limit_of']}")),
                    ("dominant column", stack(element("span", name(found["column"]), text(share)))),
                    ("stable rate", figure_of(found["lr_instead"])),
                ]
            )
        )
    curve = curve_of(run)
    if curve is not None and len(curve.epochs):
        done = f"{int(curve.epochs[-1]):,} of {plural(run.config.train.epochs, 'epoch')} done"
        parts.append(paragraph(text(f"{done}; train loss {number(float(curve.train[-1]))}.")))
    if record["status"] in ("interrupted", "failed"):
        command = element("code", message(f"linreg train --resume {shlex.quote(run.id)}"))
        parts.append(paragraph(text("Resume it from its last checkpoint with "), command))
    return element("div", *parts, class_="notice", role="note")


def summary(run: RunContents) -> Html:
    """The facts that distinguish runs: data, times, device and executor."""
    record, data = run.record(), run.record()["data"]
    return facts(
        [
            ("data", element("span", name(data["name"]), text(f" ({_rows(data)})"))),
            ("predicts", names(run.targets)),
            ("started", _time(record.get("created"))),
            ("finished", _time(record.get("finished"))),
            ("duration", text(_seconds(record)) if record.get("seconds") is not None else None),
            ("device", text(f"{record['device']}, {record['dtype']}")),
            ("executor", text(record["engine"]["name"])),
        ]
    )


def training(run: RunContents) -> Html:
    """Loss, learning rate and its stability, momentum, steps and executor."""
    record, optimizer, train = run.record(), run.config.optimizer, run.config.train
    steps = record["steps"]
    schedule = optimizer.schedule.model_dump()
    parts = [f"{key} {number(value)}" for key, value in schedule.items() if key != "kind" and value is not None]
    momentum = _chosen(record, "momentum")
    how = [word for word, given in (("Nesterov", optimizer.nesterov), ("dampened", optimizer.dampening)) if given]
    every = f"{plural(steps['per_epoch'], 'step')} an epoch of {plural(steps['batch_size'], 'row')}"
    loss = run.config.loss + (f", delta {number(run.config.huber_delta)}" if run.config.loss == "huber" else "")
    units = " (target standardised)" if record.get("target_standardized") else ""
    return facts(
        [
            ("loss", text(f"{loss}{units}")),
            ("learning rate", text(_chosen(record, "lr"))),
            ("stability", text(_stability(record))),
            ("schedule", text(" ".join([schedule["kind"], ", ".join(parts)]).strip())),
            ("momentum", text(", ".join([momentum, *how]))),
            ("weight decay", figure_of(optimizer.weight_decay) if optimizer.weight_decay else None),
            ("planned", text(f"{plural(train.epochs, 'epoch')}, {plural(steps['total'], 'step')}; {every}")),
            ("done", _done(run)),
            ("early stopping", text(_stopping(run)) if train.early_stopping or train.stop_gap else None),
            ("order of rows", text(_order(train) if steps["per_epoch"] > 1 else "as given")),
            ("executor", text("{name} ({why})".format(**record["engine"]))),
        ]
    )


def _order(train: TrainConfig) -> str:
    if train.shuffle == "blocks":
        return f"{plural(train.blocks or 1, 'block')}, and the rows of each, shuffled every epoch"
    return "shuffled every epoch" if train.shuffle else "as given"


def _chosen(record: Mapping[str, Any], key: str) -> str:
    found = record.get(key)
    return "not recorded" if found is None else f"{number(found['value'])} ({found['why']})"


def _stability(record: Mapping[str, Any]) -> str:
    """The learning rate compared with its limit, which was computed before the first step."""
    lr = record.get("lr") or {}
    if "limit" not in lr:
        return "not recorded; 'linreg inspect' with the config of the run computes it"
    limit = lr["limit"]
    if limit is None:
        return "no limit is known; it is computed for squared losses and tables that are not too wide"
    rate, covers = number(limit["highest"]), limit["covers"]
    if not limit["exceeded"]:
        below = f"{rate} is below the limit {number(limit['rate'], 3)} of {covers}"
        return (
            f"stable: {below}"
            if limit["safe"]
            else f"{below}; with momentum, no limit is known that covers every batch"
        )
    ratio = limit["highest"] / limit["rate"]
    above = f"{rate} is {number(ratio, 4)} times the limit {number(limit['rate'], 3)} of {covers}"
    return f"not safe: {above}; {limit['consequence']}"


def _done(run: RunContents) -> Html | None:
    curve = curve_of(run)
    if curve is None or not len(curve.epochs):
        return None
    first, last = number(float(curve.train[0])), number(float(curve.train[-1]))
    return text(f"{plural(int(curve.epochs[-1]), 'epoch')}; train loss from {first} to {last}")


def _stopping(run: RunContents) -> str:
    options, gap = run.config.train.early_stopping, run.config.train.stop_gap
    parts = []
    if options is not None:
        parts.append(f"{options.monitor}, patience {options.patience}, at least {number(options.min_delta)} better")
    if gap is not None:
        parts.append(f"when the gap is below {number(gap)}")
    return "; ".join([*parts, run.record().get("stopped") or "not triggered"])


def data(run: RunContents) -> Html:
    """The source of the data, its rows and columns, and how missing cells were treated."""
    found = run.record()["data"]
    read, dropped = found.get("rows_read"), found.get("rows_dropped")
    columns, kept = found.get("columns"), run.config.evaluate.predictions
    used = _columns(columns) if columns else _features(found["features"])
    return stack(
        facts(
            [
                ("source", text(found["source"])),
                ("name", name(found["name"])),
                ("rows read", None if read is None else figure_of(read)),
                ("rows dropped", None if dropped is None else figure_of(dropped)),
                ("rows", text(_rows(found))),
                ("predictions.csv", text(_PREDICTIONS[kept]) if kept in _PREDICTIONS else None),
                ("inputs", figure_of(len(found["features"]))),
                ("target", names(run.targets)),
                ("rows weighted by", names([weight]) if (weight := _weight(run)) is not None else None),
                ("transformed by", text(run.record()["target_transform"]) if _transformed(run) else None),
                ("fingerprint", element("code", text(found["fingerprint"]))),
            ]
        ),
        used,
    )


#: `evaluate.predictions` -> what the run keeps of its predictions.
_PREDICTIONS = {"sample": f"at most {SAMPLED_ROWS:,} rows: the extremes, and others at random", "none": "not kept"}


def _rows(data: Mapping[str, Any]) -> str:
    """The number of rows of each split that has some."""
    return ", ".join(f"{n:,} {split}" for split, n in data["rows"].items() if n)


def _weight(run: RunContents) -> str | None:
    """The column of the weights of the rows."""
    data = run.config.data
    return data.weight if isinstance(data, OfTable) else None


def _transformed(run: RunContents) -> bool:
    return bool(run.record().get("target_transform", "none") != "none")


def _features(features: Sequence[str]) -> Html:
    if len(features) <= MOST_ROWS:
        return facts([("features", names(features))])
    shown = features[:MOST_FOLDED]
    more = f" and {len(features) - len(shown):,} more" if len(features) > len(shown) else ""
    return fold(f"{len(features):,} features", paragraph(names(shown), text(more)))


def _columns(columns: Sequence[Mapping[str, Any]]) -> Html:
    """The columns of the table; what no column has, such as levels, has no column here."""
    header, rows = ["column", "role", "kind", "missing", "levels", "inputs", "treatment"], []
    for column in columns:
        inputs = column.get("inputs", 1) if column["role"] == "feature" else None
        cells = [text(column["role"]), text(column["kind"]), figure_of(column["missing"])]
        cells += [figure_of(column.get("levels")), figure_of(inputs), text(_treatment(column))]
        rows.append([name(column["column"]), *cells])
    shown = [at for at in range(len(header)) if at < 4 or any(row[at] not in ("", "-", "1") for row in rows)]
    words = [position for position, at in enumerate(shown) if at in (0, 1, 2, 6)]
    return table("Columns used", [header[at] for at in shown], [[row[at] for at in shown] for row in rows], words=words)


def _treatment(column: Mapping[str, Any]) -> str:
    if not column["missing"]:
        return ""
    if column.get("fill") is not None:
        return f"filled with the {column['treatment']}, {number(column['fill'])}"
    return "rows dropped" if column.get("treatment") == "drop" else ""


def origin(run: RunContents) -> Html:
    """Provenance: what is needed to reproduce the run."""
    record = run.record()
    versions = ", ".join(f"{program} {version}" for program, version in (record.get("versions") or {}).items())
    resumed = record.get("resumed") or []
    return facts(
        [
            ("run", text(run.id)),
            ("command", element("code", message(record["command"])) if record.get("command") else None),
            ("to repeat it", element("code", text(command("linreg", "train", "-c", f"outputs/{run.id}/config.yaml")))),
            ("versions", text(versions)),
            ("git commit", element("code", text(record["git_commit"])) if record.get("git_commit") else text("none")),
            ("machine", text(str(record.get("platform")))),
            ("threads", text(f"{record.get('threads')} of {record.get('cpu_count')} cores")),
            ("seed", text(str(record["seed"]))),
            ("resumed", text(plural(len(resumed), "time")) if resumed else None),
        ]
    )


def config(run: RunContents) -> Html:
    """The resolved config, as `linreg train -c` reads it."""
    return fold("config.yaml", element("pre", element("code", lines(run.config_text)), tabindex="0"))


def _time(given: Any) -> Html | None:
    """A time of `run.json`, in UTC; a text that is not a time is shown as it is."""
    if not isinstance(given, str):
        return None
    try:
        datetime.fromisoformat(given)
    except ValueError:
        return text(given)
    return element("time", text(f"{given[:19].replace('T', ' ')} UTC"), datetime=given)


def _seconds(record: Mapping[str, Any]) -> str:
    return duration(record["seconds"])
