"""--install-completion: put the completion of a shell where that shell finds it by itself."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pgpool_recovery.cli.completion import bash_script, fish_script, zsh_script
from pgpool_recovery.cli.grammar.form import PROGRAM
from pgpool_recovery.cli.say import say
from pgpool_recovery.domain.error import Refused, UsageError, reason_of
from pgpool_recovery.files.write import make_directory_of, write_file

READABLE = 0o644


class Shell(NamedTuple):
    """A script, where it goes below a home directory, and what its user has to do besides."""

    script: Callable[[], str]
    home: str
    in_home: str
    place: str
    note: str


DATA, CONFIG = ("XDG_DATA_HOME", ".local/share"), ("XDG_CONFIG_HOME", ".config")
SHELLS = {
    "bash": Shell(
        bash_script,
        *DATA,
        f"bash-completion/completions/{PROGRAM}",
        "The package bash-completion loads it in the next shell.",
    ),
    "zsh": Shell(
        zsh_script,
        *DATA,
        f"zsh/site-functions/_{PROGRAM}",
        "Let ~/.zshrc say, before it calls compinit: fpath=({directory} $fpath)",
    ),
    "fish": Shell(
        fish_script,
        *CONFIG,
        f"fish/completions/{PROGRAM}.fish",
        "The next shell loads it.",
    ),
}


def install_completion(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Write the script of the shell that is named, or else of the one of this user ($SHELL)."""
    own = Path(environment.get("SHELL", "")).name
    name = words[0] if len(words) == 1 else own
    if len(words) > 1 or name not in SHELLS:
        raise UsageError(
            f'no completion is known for the shell "{" ".join(words) or own}"',
            hint=f"Name one: {PROGRAM} --install-completion {'|'.join(SHELLS)}",
        )
    shell = SHELLS[name]
    home = Path(environment.get("HOME") or Path.home())
    file = Path(environment.get(shell.home) or home / shell.in_home, shell.place)
    try:
        make_directory_of(file)
        write_file(file, shell.script(), mode=READABLE)
    except OSError as error:
        raise Refused(f"could not write {file}: {reason_of(error)}") from error
    say(f"{file} written", shell.note.format(directory=file.parent))
    return 0
