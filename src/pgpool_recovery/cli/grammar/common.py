"""Options that several commands have in common."""

from pgpool_recovery.cli.grammar.form import Option, Value, file, whole

HELP = Option(("--help", "-h"), "Display this message and exit.")
VERSION = Option(("--version",), "Display the version and exit.")
INSTALL_COMPLETION = Option(
    ("--install-completion",),
    "Install command-line completion for your shell, or for the one that is named after it: bash, "
    "zsh or fish.",
)
GENERAL = (HELP, VERSION, INSTALL_COMPLETION)
"""Options of the program itself."""
YES = Option(("--yes", "-y"), "Do not ask for confirmation.")
JSON = Option(("--json",), "Print the result as JSON.", parameter="as_json")
EVENTS = Option(("--events",), "Print each event as a line of JSON.", parameter="as_events")
DEBUG = Option(
    ("--debug",),
    "Log requests, decisions and waits to standard error, with how long they take.",
)
"""An option of all connected commands."""
CONNECTION = (
    Option(
        ("--host", "-H"),
        "Host of Pgpool-II, or the directory of its PCP socket.",
        Value("HOST"),
    ),
    Option(("--port", "-p"), "PCP port of Pgpool-II.", whole("PORT")),
    Option(("--username", "-U"), "PCP user; its password is in ~/.pcppass.", Value("NAME")),
    Option(
        ("--config",), "Settings file to use instead of /etc/pgpool-recovery.toml.", file("FILE")
    ),
    Option(
        ("--without-pgpool",),
        "Do not use Pgpool-II: take the nodes from the settings, and find the primary by SQL.",
    ),
)
"""Options that say where Pgpool-II and the settings are; they are the fields of `Where`."""
