"""Completion scripts for bash, zsh and fish."""

from collections.abc import Iterable, Iterator

from pgpool_recovery.cli.grammar.commands import COMMANDS
from pgpool_recovery.cli.grammar.common import GENERAL, HELP
from pgpool_recovery.cli.grammar.form import PROGRAM, Command, Option
from pgpool_recovery.cli.parse import options_of

BASH = """\
_pgpool_recovery() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} known=
    # bash treats the = between an option and its value as a word.
    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${{COMP_WORDS[COMP_CWORD-2]}}
    case $prev in
{values}
    esac
    if ((COMP_CWORD == 1)); then
        known='{first}'
    else
        case ${{COMP_WORDS[1]}} in
{commands}
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$known" -- "$cur")
}}
complete -F _pgpool_recovery {program}
"""
BASH_FILE = 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return'
ZSH = """\
#compdef {program}
if (( CURRENT == 2 )); then
    local -a known
    known=(
{first}
    )
    _describe -t commands command known
    return
fi
shift words
(( CURRENT-- ))
case $words[1] in
{commands}
esac
"""


def bash_script() -> str:
    """Return the script that bash sources."""
    names: dict[str, list[str]] = {}
    for option in dict.fromkeys(each for _, each in _options() if each.value is not None):
        names.setdefault(_bash_value(option), []).extend(option.names)
    values = [f"{'|'.join(dict.fromkeys(some))}) {words} ;;" for words, some in names.items()]
    commands = [f"{each.name}) known='{_names(_all(each))}' ;;" for each in COMMANDS.values()]
    return BASH.format(
        program=PROGRAM,
        values=_indented(values, 8),
        first=" ".join([*COMMANDS, _names(GENERAL)]),
        commands=_indented(commands, 12),
    )


def zsh_script() -> str:
    """Return the script that zsh expects in the file _PROGRAM, in a directory of its `fpath`."""
    first = [(each.name, each.summary) for each in COMMANDS.values()]
    first += [(each.names[0], each.help) for each in GENERAL]
    return ZSH.format(
        program=PROGRAM,
        first=_indented([_quoted(f"{name}:{text}") for name, text in first], 8),
        commands=_indented(
            [
                f"{each.name}) _arguments {' '.join([*_zsh_argument(each), *options])} ;;"
                for each in COMMANDS.values()
                for options in [map(_zsh_option, _all(each))]
            ],
            4,
        ),
    )


def fish_script() -> str:
    """Return the script that fish expects in its directory `completions`."""
    begin = f"complete -c {PROGRAM}"
    lines = [f"{begin} -f"]
    lines += [
        f"{begin} -n __fish_use_subcommand -a {each.name} -d {_quoted(each.summary)}"
        for each in COMMANDS.values()
    ]
    lines += [f"{begin} -n __fish_use_subcommand {_fish_option(each)}" for each in GENERAL]
    lines += [
        f"{begin} -n '__fish_seen_subcommand_from {command.name}' {_fish_option(each)}"
        for command, each in _options()
    ]
    return "\n".join([*lines, ""])


def _all(command: Command) -> tuple[Option, ...]:
    return (*options_of(command), HELP)


def _options() -> Iterator[tuple[Command, Option]]:
    return ((command, each) for command in COMMANDS.values() for each in _all(command))


def _names(options: Iterable[Option]) -> str:
    return " ".join(name for option in options for name in option.names)


def _indented(lines: Iterable[str], by: int) -> str:
    return "\n".join(" " * by + line for line in lines)


def _quoted(text: str) -> str:
    """Return a text as one word; only fish has backslash escapes within single quotes.

    >>> _quoted("Pgpool-II's")
    "'Pgpool-II'\\\\''s'"
    """
    return "'" + text.replace("'", "'\\''") + "'"


def _bash_value(option: Option) -> str:
    assert option.value is not None  # noqa: S101 - the caller has checked
    if option.value.is_path:
        return BASH_FILE
    words = " ".join(option.value.choices)
    return f"mapfile -t COMPREPLY < <(compgen -W '{words}' -- \"$cur\"); return"


def _zsh_argument(command: Command) -> Iterator[str]:
    """Yield the positional argument, without which _arguments completes nothing after one."""
    argument = command.argument
    if argument is not None:
        yield _quoted(f"{'*' if argument.is_repeatable else '1'}:{argument.value.metavar}: ")


def _zsh_option(option: Option) -> str:
    """Return an option as _arguments of zsh takes it: help in [], then a colon and the value."""
    told = option.help.replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    value = option.value
    more = ""
    if value is not None:
        which = "_files" if value.is_path else f"({' '.join(value.choices)})"
        more = f":{value.metavar}:{which}"
    return " ".join(
        _quoted(f"*{name}{'=' * (value is not None and name[:2] == '--')}[{told}]{more}")
        for name in option.names
    )


def _fish_option(option: Option) -> str:
    long, *short = (name.lstrip("-") for name in option.names)
    words = [f"-l {long}", *(f"-s {name}" for name in short), f"-d {_quoted(option.help)}"]
    if option.value is not None:
        choices = f" -a {_quoted(' '.join(option.value.choices))}" * bool(option.value.choices)
        words.append("-r -F" if option.value.is_path else f"-x{choices}")
    return " ".join(words)
