"""The man page of the settings file, from docs/reference/settings.md.

That page has every setting with its default, which tests/unit/test_documentation.py compares with
`config/settings.py`; so this page has them, too.
"""

from collections.abc import Iterator

from packages.manual import markdown, roff

FILE = "/etc/pgpool-recovery.toml"
NAME = "pgpool-recovery.toml"
SUMMARY = "settings of pgpool-recovery"
THE_FILE, EXAMPLE, OF_SERVER = "The file", "An example", "Settings of the server"


def settings_page(page: str) -> Iterator[str]:
    """Yield the lines of the page after its title."""
    sections = markdown.sections(page)
    yield roff.heading("Name")
    yield f"{roff.literal(NAME)} \\- {SUMMARY}"
    yield roff.heading("Synopsis")
    yield roff.bold(FILE)
    yield roff.heading("Description")
    yield from markdown.as_roff(sections.pop(THE_FILE))
    example, of_server = sections.pop(EXAMPLE), sections.pop(OF_SERVER)
    yield roff.heading("Settings")
    for name, text in sections.items():
        yield roff.subheading(f"[{name}]")
        yield from markdown.as_roff(_without_depth(text))
    yield roff.heading(OF_SERVER)
    yield from markdown.as_roff(of_server)
    yield roff.heading("Examples")
    yield from markdown.as_roff(example)
    yield roff.heading("See also")
    programs = ("pgpool-recovery", "pgpool-recovery-check", "pgpool-recovery-install", "ssh")
    yield ",\n".join(f"{roff.bold(name)}(1)" for name in programs)


def _without_depth(text: str) -> str:
    """Return a text whose headings are bold paragraphs: man(7) has but two levels."""
    return "\n".join(
        f"**{line[4:]}.**" if line.startswith("### ") else line for line in text.split("\n")
    )
