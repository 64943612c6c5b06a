"""How the words of a command are parsed, and the errors for those that are wrong."""

import os
from pathlib import Path
from typing import Any

import pytest

from pgpool_recovery.cli.grammar.commands import COMMANDS
from pgpool_recovery.cli.parse import command_named, parse
from pgpool_recovery.domain.error import UsageError


@pytest.mark.parametrize(
    ("line", "words", "options", "connection"),
    [
        ("recover", (), {}, {}),
        ("recover 1 --yes 2", ("1", "2"), {"yes": True}, {}),
        ("recover -y -- 1 --yes", ("1", "--yes"), {"yes": True}, {}),
        ("recover 1 --at-most rewind", ("1",), {"at_most": "rewind"}, {}),
        ("recover 1 --at-most=attach", ("1",), {"at_most": "attach"}, {}),
        ("recover --all", (), {"all_down": True}, {}),
        ("watch --events", (), {"as_events": True}, {}),
        ("status --json", (), {"as_json": True}, {}),
        ("status -H a -p 9898 -Uu", (), {}, {"host": "a", "port": 9898, "username": "u"}),
        ("status --config=/c", (), {}, {"config": Path("/c")}),
        ("status --host=-x", (), {}, {"host": "-x"}),
        ("recover -H-y", (), {}, {"host": "-y"}),
        ("status -U=admin -H=h -p=98", (), {}, {"username": "admin", "host": "h", "port": 98}),
        ("status -H==h -U =u", (), {}, {"host": "=h", "username": "=u"}),
        ("status --host==h -U=", (), {}, {"host": "=h", "username": ""}),
        ("history -n=5", (), {"last": 5}, {}),
        ("status --config -", (), {}, {"config": Path("-")}),
        ("plan 1 --without-pgpool", ("1",), {}, {"without_pgpool": True}),
        ("cancel 1 --within 0.5", ("1",), {"within": 0.5}, {}),
        ("history 7", (7,), {}, {}),
        ("history -n 3 -n 4", (), {"last": 4}, {}),
        (
            "install --pg-config a --yes --pg-config b --config c",
            (),
            {"pg_config": (Path("a"), Path("b")), "yes": True, "config": Path("c")},
            {},
        ),
    ],
)
def test_words(
    line: str, words: tuple[object, ...], options: dict[str, Any], connection: dict[str, Any]
) -> None:
    name, *rest = line.split()
    call = parse(command_named(name), rest)
    assert call == (COMMANDS[name], words, options, connection, False)


def test_options_come_after_arguments_in_every_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSIXLY_CORRECT", "1")
    assert parse(COMMANDS["recover"], ["1", "--yes"])[1:3] == (("1",), {"yes": True})
    assert os.environ["POSIXLY_CORRECT"] == "1"  # Of the programs that we start.


@pytest.mark.parametrize(
    ("line", "message", "more"),
    [
        ("recov", 'unknown command "recov"', 'Did you mean "recover"?'),
        ("--hlp", 'unknown option "--hlp"', 'Did you mean "--help"?'),
        ("--bogus", 'unknown option "--bogus"', 'Try "pgpool-recovery --help".'),
        ("status --jsn", 'unknown option "--jsn" of status', 'Did you mean "--json"?'),
        ("recover --no-yes", 'unknown option "--no-yes" of recover', 'Did you mean "--yes"?'),
        ("attach 1 -f", 'unknown option "-f" of attach', 'Try "pgpool-recovery attach --help".'),
        ("history -5", 'unknown option "-5" of history', "--help"),
        ("install -p", 'unknown option "-p" of install', "--help"),
        ("install --p x", 'ambiguous option "--p" of install', "--pg-config or --pgpool-conf"),
        ("status --port", "option --port of status needs a value, PORT", "--help"),
        ("status -p", "option -p of status needs a value, PORT", "--help"),
        *(
            (
                f"{command} --data-directory D --pgpool-conf {word}",
                f"option --pgpool-conf of {command} needs a value, FILE",
                "--help",
            )
            for command in ("install", "uninstall")
            for word in ("--dry-run", "--dry", "--")
        ),
        ("detach 1 -U --gracefully", "option -U of detach needs a value, NAME", "--help"),
        ("detach 1 -U -H a", "option -U of detach needs a value, NAME", "--help"),
        ("status --json=x", "option --json of status takes no value", "--help"),
        ("status --port x", 'invalid value "x" for --port of status', "a whole number greater"),
        ("status -p 0", 'invalid value "0" for -p of status', "a whole number greater than 0"),
        ("history x", 'invalid value "x" for RUN of history', "a whole number greater than 0"),
        ("cancel 1 --within nan", 'invalid value "nan" for --within of cancel', "a number greater"),
        ("cancel 1 --within -1", 'invalid value "-1" for --within of cancel', "a number greater"),
        ("recover 1 --at-most rewnd", 'invalid value "rewnd" for --at-most', '"rewind"?'),
        ("recover 1 --at-most x", 'invalid value "x" for --at-most of recover', "one of attach, "),
        ("plan", "plan needs the argument NODE", "it may be up or down."),
        ("plan 1 2", 'unexpected argument "2" of plan', "--help"),
        ("status 1", 'unexpected argument "1" of status', "--help"),
    ],
)
def test_wrong_words(line: str, message: str, more: str) -> None:
    name, *rest = line.split()
    with pytest.raises(UsageError) as caught:
        parse(command_named(name), rest)
    assert caught.value.message.startswith(message)
    assert more in f"{caught.value.detail} {caught.value.hint}"
    assert caught.value.exit_status == 2
