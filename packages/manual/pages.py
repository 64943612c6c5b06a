"""All man pages: one for the program, one for each command as git has them, and the settings."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from packages.manual import markdown, roff
from packages.manual.settings_page import settings_page
from pgpool_recovery.cli.grammar.commands import COMMANDS, SECTIONS
from pgpool_recovery.cli.grammar.common import CONNECTION, DEBUG, GENERAL, HELP
from pgpool_recovery.cli.grammar.form import PROGRAM, Argument, Command, Option
from pgpool_recovery.cli.help import ABOUT

REFERENCE = Path("docs", "reference")
GENERATED_END = "<!-- end -->"
COMMON = "Options of all commands"
ELSEWHERE = {
    "check": ("check.md", ("What is checked", "The findings")),
    "failover": ("hooks.md", ("Arguments", "failover")),
    "follow_primary": ("hooks.md", ("Arguments", "follow_primary")),
    "install": ("install.md", ("What is installed", "Output")),
    "uninstall": ("install.md", ("What uninstall does",)),
}
"""The commands that have a page of their own in the reference, with the sections to take from it.
Of any other command, the page has what the reference says about it."""
SETTINGS_PAGE = f"{PROGRAM}.toml"
WHAT_IT_DOES = """\
A node of a Pgpool-II cluster has died, was failed over, or is new: `pgpool-recovery` brings it
back as a standby of the primary, without stopping the service. It moves only what has changed,
keeps the last good copy of the data as long as there is room for it, and reports the real cause
when a recovery fails.

Pgpool-II starts a recovery as it always has, by `pcp_recovery_node`. The commands here do so for
a person: they show the plan first, then the progress, and end with a meaningful exit status. Run
them on the host of Pgpool-II, or on any other host that reaches Pgpool-II by PCP and the nodes by
SQL. They need no ssh.

Each command has a page of its own, and `--help`. Without a command, the help is shown."""


class Build(NamedTuple):
    """What the pages say about the build: seconds since 1970 of its source, and its version."""

    epoch_s: int
    version: str


def pages(root: Path, build: Build) -> dict[str, str]:
    """Return all pages by their file names, such as `pgpool-recovery.1`; `root` is a checkout."""
    reference = markdown.sections((root / REFERENCE / "commands.md").read_text())
    made = {f"{PROGRAM}.1": _program(reference, build)}
    for command in COMMANDS.values():
        notes = _notes(command, reference, root / REFERENCE)
        made[f"{_page_of(command)}.1"] = _command(command, reference, notes, build)
    settings = (root / REFERENCE / "settings.md").read_text()
    head = roff.title(SETTINGS_PAGE, 5, *build)
    made[f"{SETTINGS_PAGE}.5"] = roff.page([*head, *settings_page(settings)])
    return made


def _program(reference: dict[str, str], build: Build) -> str:
    return roff.page(
        [
            *roff.title(PROGRAM, 1, *build),
            *_name(PROGRAM, ABOUT),
            roff.heading("Synopsis"),
            f"{roff.bold(PROGRAM)} {roff.italic('COMMAND')} [{roff.italic('OPTION')}]...",
            roff.heading("Description"),
            *markdown.as_roff(WHAT_IT_DOES),
            roff.heading("Commands"),
            *_summaries(),
            roff.heading("Options"),
            *_options(GENERAL),
            *markdown.as_roff(reference[COMMON].partition(GENERATED_END)[2]),
            roff.heading("Connections"),
            *markdown.as_roff(reference["Connections"]),
            roff.heading("Documents"),
            *markdown.as_roff(reference["Documents"].partition("\n### ")[0]),
            *_common(reference),
            *_see_also([*map(_page_of, COMMANDS.values())]),
        ]
    )


def _command(
    command: Command, reference: dict[str, str], notes: Sequence[str], build: Build
) -> str:
    beside = next(some for some in SECTIONS.values() if command in some)
    return roff.page(
        [
            *roff.title(_page_of(command), 1, *build),
            *_name(_page_of(command), command.summary),
            roff.heading("Synopsis"),
            _synopsis(command),
            roff.heading("Description"),
            *markdown.as_roff(f"{command.summary}\n\n{command.description}"),
            *_arguments(command.argument),
            roff.heading("Options"),
            *_options((*command.options, HELP)),
            *_connected(command),
            *notes,
            *_common(reference),
            *_see_also([PROGRAM, *(_page_of(each) for each in beside if each != command)]),
        ]
    )


def _notes(command: Command, reference: dict[str, str], directory: Path) -> list[str]:
    """Return what the reference says about a command in addition to its help."""
    if command.name not in ELSEWHERE:
        more = reference[command.name].partition(GENERATED_END)[2]
        return [roff.heading("Notes"), *markdown.as_roff(more)] if more.strip() else []
    name, titles = ELSEWHERE[command.name]
    texts = markdown.sections((directory / name).read_text())
    own = reference[command.name].partition(GENERATED_END)[2] if name == "check.md" else ""
    lines = [roff.heading("Notes"), *markdown.as_roff(own)] if own.strip() else []
    for title in titles:
        what = "What it does" if title == command.name else title
        lines += [roff.heading(what), *markdown.as_roff(texts[title])]
    return lines


def _page_of(command: Command) -> str:
    return f"{PROGRAM}-{command.name}"


def _name(page: str, summary: str) -> Iterator[str]:
    """Yield the section that apropos and whatis read: one line, without a full stop."""
    yield roff.heading("Name")
    yield f"{roff.literal(page)} \\-"
    yield from roff.filled(summary[0].lower() + summary[1:].rstrip("."))


def _synopsis(command: Command) -> str:
    words = [f"{roff.bold(f'{PROGRAM} {command.name}')} [{roff.italic('OPTION')}]..."]
    if command.argument is not None:
        name = roff.italic(command.argument.value.metavar)
        more = "..." if command.argument.is_repeatable else ""
        words.append(f"{name}{more}" if command.argument.is_required else f"[{name}]{more}")
    return " ".join(words)


def _summaries() -> Iterator[str]:
    for title, commands in SECTIONS.items():
        yield roff.subheading(title)
        for command in commands:
            page = f"{roff.bold(_page_of(command))}(1)"
            yield from roff.tagged(page, roff.filled(command.summary))


def _arguments(argument: Argument | None) -> Iterator[str]:
    if argument is not None:
        yield roff.heading("Arguments")
        yield from roff.tagged(roff.italic(argument.value.metavar), roff.filled(argument.help))


def _connected(command: Command) -> Iterator[str]:
    output = (*command.output, *((DEBUG,) if command.is_connected else ()))
    if command.is_connected:
        yield roff.subheading("Connection")
        yield from _options(CONNECTION)
    if output:
        yield roff.subheading("Output")
        yield from _options(output)


def _options(options: Sequence[Option]) -> Iterator[str]:
    for option in options:
        yield from roff.tagged(_names(option), roff.filled(_told(option)))


def _names(option: Option) -> str:
    long, *short = option.names
    value = option.value
    names = [*map(roff.bold, short), roff.bold(long)]
    return ", ".join(names) + ("" if value is None else f"={roff.italic(value.metavar)}")


def _told(option: Option) -> str:
    choices = option.value.choices if option.value is not None else ()
    if not choices:
        return option.help
    metavar = option.value.metavar if option.value is not None else ""
    return f"{option.help} {metavar} is one of {', '.join(f'`{each}`' for each in choices)}."


def _common(reference: dict[str, str]) -> Iterator[str]:
    for title in ("Exit statuses", "Environment", "Files"):
        yield roff.heading({"Exit statuses": "Exit status"}.get(title, title))
        yield from markdown.as_roff(reference[title])


def _see_also(names: Sequence[str]) -> Iterator[str]:
    yield roff.heading("See also")
    ours = [f"{roff.bold(name)}(1)" for name in names]
    others = [f"{roff.bold(SETTINGS_PAGE)}(5)", f"{roff.bold('psql')}(1)"]
    yield ",\n".join([*ours, *others])
