"""--install-completion: write the completion script where the shell finds it by itself."""

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
    """A completion script, its place below the home directory, and what else the user has to do.

    `home` is the environment variable that names the base directory; without it the base is
    `in_home`, below the home directory. `place` is relative to the base.
    """

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
        "The package bash-completion loads it in new shells.",
    ),
    "zsh": Shell(
        zsh_script,
        *DATA,
        f"zsh/site-functions/_{PROGRAM}",
        "Add this to ~/.zshrc, before it calls compinit: fpath=({directory} $fpath)",
    ),
    "fish": Shell(
        fish_script,
        *CONFIG,
        f"fish/completions/{PROGRAM}.fish",
        "New shells load it.",
    ),
}


def install_completion(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Write the script for the named shell, or else for the user's own ($SHELL)."""
    own = Path(environment.get("SHELL", "")).name
    name = words[0] if len(words) == 1 else own
    if len(words) > 1 or name not in SHELLS:
        raise UsageError(
            f'there is no completion for the shell "{" ".join(words) or own}"',
            hint=f"Specify one: {PROGRAM} --install-completion {'|'.join(SHELLS)}",
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
