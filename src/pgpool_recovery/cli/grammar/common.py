"""The options that several commands have."""

from pgpool_recovery.cli.grammar.form import Option, Value, file, whole

HELP = Option(("--help", "-h"), "Display this message and exit.")
VERSION = Option(("--version",), "Display the version and exit.")
INSTALL_COMPLETION = Option(
    ("--install-completion",),
    "Let your shell complete the words of this program, or the shell that is named: bash, zsh or "
    "fish.",
)
GENERAL = (HELP, VERSION, INSTALL_COMPLETION)
"""Those of the program itself."""
YES = Option(("--yes", "-y"), "Do not ask.")
JSON = Option(("--json",), "Answer with JSON.", parameter="as_json")
EVENTS = Option(("--events",), "Tell what happens in JSON lines.", parameter="as_events")
DEBUG = Option(
    ("--debug",),
    "Log to standard error what is asked, decided and awaited, and how long it takes.",
)
"""Of all commands that are connected."""
CONNECTION = (
    Option(
        ("--host", "-H"),
        "Host of Pgpool-II, or the directory of its PCP socket.",
        Value("HOST"),
    ),
    Option(("--port", "-p"), "PCP port of Pgpool-II.", whole("PORT")),
    Option(("--username", "-U"), "PCP user; its password is in ~/.pcppass.", Value("NAME")),
    Option(("--config",), "Settings file, in place of /etc/pgpool-recovery.toml.", file("FILE")),
    Option(
        ("--without-pgpool",),
        "Do without Pgpool-II; the nodes are those of the settings, the primary is found by SQL.",
    ),
)
"""Where Pgpool-II and the settings are: the fields of `Where`."""
