"""Every fault of a table at once, also those that would be met only once the first ones are solved.

Text is refused before its missing cells are counted, and those before levels are looked for that no train row has. So
the table is read again, with the remedies in the config, until it can be used: what is shown to paste works.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from linreg_cli.config.data import OfTable, TableData
from linreg_cli.config.schema import Config
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.column_faults import ColumnFault, concerns_several, reported, solvable
from linreg_cli.errors import DataError, Fault, LinregError
from linreg_cli.fixes import Step, together
from linreg_cli.readers import is_program
from linreg_cli.remedies import command

#: A table is read at most so many times more. A remedy leads to at most one further kind of fault of a column.
_ROUNDS = 6


def with_every_fault(load: Callable[[Config], Dataset], config: Config, *, trained: bool) -> Dataset:
    """A dataset, or an error with every fault of its columns.

    Args:
        load: reads the table of a config.
        config: what to read, and how to treat it.
        trained: whether the columns are encoded as they were for a trained model: then other settings help only a new
            one, and the table is not read again.

    Raises:
        DataError: with every fault; those of several columns as `column_faults.reported` writes them. One that is not
            about what the table holds is as `load` raises it.
    """
    try:
        return load(config)
    except DataError as error:
        if not error.about_content:
            raise
        found = list(error.faults)
    assert isinstance(config.data, OfTable)
    name, works = config.data.name, False
    if trained or not solvable(found):
        raise DataError(reported(found, name))
    for _ in range(_ROUNDS):
        proposal = _proposal(config, found)
        if proposal is None:
            break
        left = _faults(load, proposal)
        works, more = not left, [fault for fault in left if fault.columns and not _is_known(fault, found)]
        if not more:
            if concerns_several(found):  # why no setting helps, such as that no feature would be left
                found = [*(fault for fault in left if fault not in found), *found]
            break
        found = _merged(found, more)
    raise DataError(reported(found, name, hint=_hint(config.data), works=works))


def _faults(load: Callable[[Config], Dataset], config: Config) -> Sequence[Fault]:
    try:
        load(config)
    except LinregError as error:
        return error.faults
    return ()


def _is_known(fault: Fault, found: Sequence[Fault]) -> bool:
    """Whether it is one of those, or of a part of the columns of one that no setting has solved, as it was before."""
    unsolved = [each for each in found if each not in solvable(found)]
    return fault in found or any({*fault.columns} <= {*each.columns} for each in unsolved)


def _merged(found: Sequence[Fault], more: Sequence[Fault]) -> list[Fault]:
    """Faults and those that were met once they were solved.

    A column that is to be left out has no other fault. Text that stands for missing cells is one fault with them.
    """
    left_out = {fault.columns for fault in more if not _keeps(fault)}
    known = [fault for fault in found if fault.columns not in left_out]
    gaps = {fault.columns: fault.steps for fault in solvable(more) if fault.kind == "missing"}
    marked = {fault.columns for fault in known if fault.kind == "placeholder"}
    known = [
        replace(fault, steps=fault.steps + gaps.get(fault.columns, ()))
        if isinstance(fault, ColumnFault) and fault.kind == "placeholder"
        else fault
        for fault in known
    ]
    return [*known, *(fault for fault in more if fault.kind != "missing" or fault.columns not in marked)]


def _keeps(fault: Fault) -> bool:
    """Whether the column of a fault is used once it is solved."""
    return isinstance(fault, ColumnFault) and all(step.key != "ignore" for step in fault.steps)


def _proposal(config: Config, found: Sequence[Fault]) -> Config | None:
    """The config with the remedies, and without the columns that no setting makes usable; None if there is none."""
    steps = [step for fault in solvable(found) for step in fault.steps]
    assert isinstance(config.data, OfTable)
    bad = [column for fault in found if not solvable([fault]) for column in fault.columns]
    steps += [Step("ignore", column=column) for column in bad if column not in config.data.targets]
    changes: dict[str, dict[str, Any]] = {}
    for key, value in together(steps).items():
        section, _, name = key.partition(".")
        changes.setdefault(section, {})[name] = tuple(value) if isinstance(value, list) else value
    sections = {section: getattr(config, section) for section in changes}
    try:
        valid = {key: type(old).model_validate(old.model_dump() | changes[key]) for key, old in sections.items()}
    except ValidationError:  # no feature would be left
        return None
    return config.model_copy(update=valid)


def _hint(data: OfTable) -> str:
    if is_program() or not isinstance(data, TableData) or any("," in target for target in data.targets):
        return ""
    return f"{command('linreg', 'init', data.path, '--target', ','.join(data.targets))} writes such a config"
