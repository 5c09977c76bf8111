"""The completion scripts of the shells, from what each command takes.

No name of a run is ever evaluated: it is compared, quoted and offered, whatever characters it has.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

#: What may stand at a place: the values that are allowed, or one of the following.
Place = tuple[str, ...]
RUNS, SWEEPS, FILES, FOLDERS, KEYS, NOTHING = (
    (f"<{each}>",) for each in ("runs", "sweeps", "files", "folders", "keys", "nothing")
)


@dataclass(frozen=True)
class Option:
    """An option of a command.

    Attributes:
        names: such as `--config` and `-c`.
        takes: what follows it; None for a flag.
        about: the first sentence of its help.
    """

    names: tuple[str, ...]
    takes: Place | None
    about: str


@dataclass(frozen=True)
class CommandLine:
    """What a command takes.

    Attributes:
        name: with that of its group, such as `runs list`; "" for `linreg` itself.
        about: the first sentence of its help.
        subcommands: of a group: name -> first sentence of the help.
        options: in the order of the help.
        arguments: what its arguments are; the last one is repeated where it may be.
    """

    name: str
    about: str
    subcommands: dict[str, str]
    options: tuple[Option, ...]
    arguments: Place


def bash(lines: Sequence[CommandLine], keys: Sequence[str]) -> str:
    """The script for bash, 3.2 and later."""
    return _filled(_BASH, lines, keys)


def zsh(lines: Sequence[CommandLine], keys: Sequence[str]) -> str:
    """The script for zsh, to be sourced or found in `fpath`."""
    return _filled(_ZSH, lines, keys)


def fish(lines: Sequence[CommandLine], keys: Sequence[str]) -> str:
    """The script for fish."""
    commands = [f"{line.name} {each}".strip() for line in lines for each in line.subcommands]
    tables = {"<keys>": " ".join(f"{key}=" for key in keys), "<commands>": " ".join(map(_quoted, commands))}
    found = [_FISH.strip()]
    for mark, text in tables.items():
        found[0] = found[0].replace(mark, text)
    for line in lines:
        at = f"__linreg_at {line.name}".strip()
        for name, about in line.subcommands.items():
            found.append(f"complete -c linreg -f -n '{at}' -a {name} -d {_quoted(about)}")
        if line.arguments != NOTHING and line.arguments != FILES:
            found.append(f"complete -c linreg -k -n '{at}' -a {_quoted(_fish_values(line.arguments))}")
        for option in line.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            value = "" if option.takes is None else f" {_fish_takes(option.takes)}"
            found.append(f"complete -c linreg -n '{at}' {names}{value} -d {_quoted(option.about)}")
    return "\n".join(found)


SHELLS: dict[str, Callable[[Sequence[CommandLine], Sequence[str]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}


def _filled(template: str, lines: Sequence[CommandLine], keys: Sequence[str]) -> str:
    """A script with the tables of the commands in its `case` statements."""
    commands, options, after, arguments = [], [], [], []
    for line in lines:
        commands += [_case([f"{line.name} {each}".strip()], "name=${name:+$name }$word") for each in line.subcommands]
        words = [name for option in line.options for name in option.names if name.startswith("--")]
        options.append(_case([line.name], f"offered='{' '.join(words)}'"))
        for option in line.options:
            if option.takes is not None:
                after.append(_case([f"{line.name} {name}" for name in option.names], _offer(option.takes)))
        offered = tuple(line.subcommands) or line.arguments
        arguments.append(_case([line.name], _offer(offered)))
    tables = {"commands": commands, "options": options, "after": after, "arguments": arguments}
    for name, cases in tables.items():
        template = template.replace(f"    <{name}>\n", "".join(f"    {case}\n" for case in cases))
    return template.replace("<keys>", " ".join(f"{key}=" for key in keys)).strip()


def _case(patterns: Iterable[str], body: str) -> str:
    return f"{'|'.join(_pattern(each) for each in patterns)}) {body} ;;"


def _pattern(text: str) -> str:
    assert re.fullmatch(r"[a-z0-9 -]*", text), text
    return f"'{text}'"


def _offer(place: Place) -> str:
    if place in (RUNS, SWEEPS, FILES, FOLDERS, KEYS, NOTHING):
        return f"kind={place[0].strip('<>')}"
    return f"kind=words offered='{' '.join(place)}'"


def _fish_values(place: Place) -> str:
    looked_up: dict[Place, str] = {
        RUNS: "(__linreg_runs)",
        SWEEPS: "(__linreg_runs /sweeps sweep)",
        KEYS: "(__linreg_keys)",
    }
    return looked_up.get(place, " ".join(place))


def _fish_takes(place: Place) -> str:
    if place in (FILES, FOLDERS):
        return "-r" if place == FILES else "-x -a '(__fish_complete_directories)'"
    return "-x" if place == NOTHING else f"-x -a {_quoted(_fish_values(place))}"


def _quoted(text: str) -> str:
    r"""Text in the single quotes of fish.

    >>> print(_quoted("the run's"))
    'the run\'s'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_BASH = r"""
# bash completion for linreg, printed by 'linreg completion bash'
_linreg_offer() {  # the candidates among "$@" that begin with what is typed
  local each
  for each in "$@"; do
    [[ $each == "$cur"* ]] && COMPREPLY[${#COMPREPLY[@]}]=$each
  done
}

_linreg_runs() {  # the folders in $folder$1 with a $2.json
  local run
  _linreg_offer latest
  for run in "$folder$1"/*/"$2.json"; do
    run=${run%/"$2.json"} run=${run##*/}
    [[ $run == '*' || $run == -* || $run != "$cur"* ]] && continue
    printf -v run %q "$run"
    COMPREPLY[${#COMPREPLY[@]}]=$run
  done
}

_linreg() {
  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} folder=${LINREG_OUTPUTS:-outputs}
  local word name= kind= offered= i
  COMPREPLY=()
  if [[ $cur == = ]]; then cur=
  elif [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == --outputs ]]; then
      word=${COMP_WORDS[i+1]}
      [[ $word == = ]] && word=${COMP_WORDS[i+2]}
      word=${word#[\"\']} folder=${word%[\"\']}
    fi
    case "${name:+$name }$word" in
    <commands>
    esac
  done
  case $folder in '~') folder=$HOME ;; '~/'*) folder=$HOME/${folder#'~/'} ;; esac
  case "$name $before" in
    <after>
  esac
  if [[ -z $kind && $cur == -* ]]; then
    case $name in
    <options>
    esac
    kind=words
  elif [[ -z $kind ]]; then
    case $name in
    <arguments>
    esac
  fi
  case $kind in
    runs) _linreg_runs "" run ;;
    sweeps) _linreg_runs /sweeps sweep ;;
    words) _linreg_offer $offered ;;
    keys) _linreg_offer <keys>; compopt -o nospace 2>/dev/null ;;
    folders) compopt -o dirnames 2>/dev/null ;;
  esac
  case $kind in words|keys|folders|nothing) compopt +o default +o bashdefault 2>/dev/null ;; esac
  return 0
}

complete -o bashdefault -o default -F _linreg linreg
"""

_ZSH = r"""
#compdef linreg
# zsh completion for linreg, printed by 'linreg completion zsh'
_linreg_runs() {  # the folders in $folder$1 with a $2.json
  local -a found
  local run
  for run in $folder$1/*/$2.json(N:h:t); do
    [[ $run == -* ]] || found+=($run)
  done
  compadd -- latest $found
}

_linreg() {
  emulate -L zsh
  local before=${words[CURRENT-1]} folder=${LINREG_OUTPUTS:-outputs} word name= kind= offered=
  local -a given
  given=("${(@)words[2,CURRENT-1]}")
  if [[ ${words[CURRENT]} == --*=* ]]; then before=${words[CURRENT]%%=*}; compset -P '*='; fi
  local i
  for ((i = 1; i <= $#given; i++)); do
    word=${(Q)given[i]}
    case $word in
    --outputs) folder=${(Q)given[i+1]} ;;
    --outputs=*) folder=${word#--outputs=} ;;
    esac
    case "${name:+$name }$word" in
    <commands>
    esac
  done
  case $folder in '~') folder=$HOME ;; '~/'*) folder=$HOME/${folder#'~/'} ;; esac
  case "$name $before" in
    <after>
  esac
  if [[ -z $kind && $PREFIX == -* ]]; then
    case $name in
    <options>
    esac
    kind=words
  elif [[ -z $kind ]]; then
    case $name in
    <arguments>
    esac
  fi
  case $kind in
    runs) _linreg_runs "" run; _files -/ ;;
    sweeps) _linreg_runs /sweeps sweep; _files -/ ;;
    words) compadd -- ${=offered} ;;
    keys) compadd -S '' -- <keys> ;;
    folders) _files -/ ;;
    files) _files ;;
  esac
}

if [[ $funcstack[1] == _linreg ]]; then _linreg "$@"; else compdef _linreg linreg; fi
"""

_FISH = r"""
# fish completion for linreg, printed by 'linreg completion fish'
set -g __linreg_commands <commands>

function __linreg_at  # whether the command line so far names this command, and no command in it
    set -l named
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; and continue
        contains -- (string join ' ' $named $word) $__linreg_commands; and set -a named $word
    end
    test "$named" = "$argv"
end

function __linreg_runs  # the folders in the folder of runs, or in $argv[1] of it, with a run.json or a $argv[2].json
    set -l below ''
    set -l file run.json
    set -q argv[2]; and set below $argv[1]; and set file $argv[2].json
    set -l folder outputs
    test -n "$LINREG_OUTPUTS"; and set folder $LINREG_OUTPUTS
    set -l given (commandline -opc)
    for i in (seq (count $given))
        test "$given[$i]" = --outputs; and set -q given[(math $i + 1)]; and set folder $given[(math $i + 1)]
        string match -q -- '--outputs=*' $given[$i]; and set folder (string replace -- --outputs= '' $given[$i])
    end
    set folder (string replace -r -- '^~(?=/|$)' $HOME $folder)
    echo latest
    for run in $folder$below/*/$file
        string replace -r -- '^.*/([^/]*)/[^/]*$' '$1' $run | string match -v -- '-*'
    end
end

function __linreg_keys
    printf '%s\n' <keys>
end
"""
