"""Check that only ``pgpool_recovery.files.text`` turns bytes from outside into text.

Bytes that are not UTF-8 must be preserved, and a line ends at a line feed. Python's defaults fail
at the first Latin-1 byte, decode by the locale, and end a line at a form feed; ``Path.read_bytes``
has no limit and waits for a FIFO. That is easy to miss in a review. So everything that decodes,
splits lines or reads with Python's defaults is reported here, or listed with the reason why it is
right. Code that runs in a server or is shared with it cannot import our modules, so there a decoder
must name its error handler (``decode("utf-8", "surrogateescape")``).
"""

import ast
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("src/pgpool_recovery", "extension/python")
HOME = Path("src/pgpool_recovery/files")
OWN = (
    *("extension/python", "src/pgpool_recovery/pcp/client", "src/pgpool_recovery/in_server"),
    *("src/pgpool_recovery/plan", "src/pgpool_recovery/facts", "src/pgpool_recovery/domain"),
)
"""Code that cannot import the home, because it runs in a server or knows no files."""
LOSSLESS = frozenset({"surrogateescape", "backslashreplace", "replace"})
"""The error handlers that preserve or show a byte that is not UTF-8."""
NAMES = frozenset({"read_bytes", "read_text", "splitlines", "getencoding", "getpreferredencoding"})
BY_LOCALE = frozenset({"fsdecode", "unicode_escape"})
OPTIONS = frozenset({"text", "universal_newlines", "encoding", "errors"})
"""Options of subprocess: each turns the output of a program into text."""

EXCEPTIONS = {
    (
        "extension/python/pgpool_recovery_server/supervisor.py",
        "block.decode",
    ): "lines that are all UTF-8; others are handled one by one",
    (
        "extension/python/pgpool_recovery_server/server.py",
        "os.fsdecode",
    ): "paths that return to the operating system through os.fsencode, whatever the locale",
    (
        "src/pgpool_recovery/config/load.py",
        "read_trusted(file, mine_and_roots()).decode",
    ): "TOML is UTF-8; anything else is refused, with the name of the file",
    (
        "src/pgpool_recovery/history/run.py",
        "text.encode(encoding, 'backslashreplace').decode",
    ): "text that was encoded in the same line",
    (
        "src/pgpool_recovery/cli/locale.py",
        "getencoding",
    ): "how a terminal decodes what we write to it",
    (
        "src/pgpool_recovery/install/extension.py",
        "file.read_bytes",
    ): "a file of our own package",
    (
        "src/pgpool_recovery/setup/carry_out.py",
        "b64encode(each).decode",
    ): "text that was encoded in the same line",
    (
        "src/pgpool_recovery/install/stage_commands.py",
        "OURS.decode",
    ): "a constant of ours",
    (
        "src/pgpool_recovery/pcp/client/pass_file.py",
        "open",
    ): "names its error handler, and is the only open() of the client",
    (
        "extension/python/pgpool_recovery_server/session.py",
        "text.encode('ascii', 'backslashreplace').decode",
    ): "text that was encoded in the same line",
    (
        "extension/python/pgpool_recovery_server/session.py",
        "text.encode('ascii', 'replace').decode",
    ): "text that was encoded in the same line",
}
"""By file and call: why it is right."""


def violations(root: Path) -> list[str]:
    """Return a line for each place that turns bytes into text in its own way."""
    return [
        f"{path}:{line}: {what}; foreign text is read by pgpool_recovery.files.text"
        for folder in FOLDERS
        for file in sorted((root / folder).rglob("*.py"))
        for path in [file.relative_to(root)]
        if not path.is_relative_to(HOME)
        for line, what in _found(ast.parse(file.read_text()), path)
    ]


def _found(tree: ast.AST, path: Path) -> Iterator[tuple[int, str]]:
    has_own_way = any(path.is_relative_to(folder) for folder in OWN)
    excepted = {call for file, call in EXCEPTIONS if file == path.as_posix()}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func) if ast.unparse(func) in excepted:
                continue
            case ast.Call(func=ast.Attribute(attr="decode")):
                what = None if has_own_way and _says_how(node) else _shown(node)
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if (
                name in NAMES and not _is_ours(tree, name, node.func)
            ):
                what = _shown(node)
            case ast.Call(func=ast.Attribute(attr=name)) if name in BY_LOCALE:
                what = _shown(node)
            case ast.Call(func=ast.Attribute(attr="open") | ast.Name(id="open")):
                what = _by_mode(node)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="subprocess"))) if OPTIONS & {
                keyword.arg for keyword in node.keywords
            }:
                what = _shown(node)
            case ast.Constant(value="unicode_escape" | "unicode-escape" | "raw_unicode_escape"):
                what = "unicode_escape treats bytes as Latin-1"
            case _:
                continue
        if what is not None:
            yield node.lineno, what


def _shown(call: ast.Call) -> str:
    return f"{ast.unparse(call.func)}() reads, decodes or splits with Python's defaults"


def _says_how(call: ast.Call) -> bool:
    """Return whether a decoder has an encoding and an error handler for other bytes."""
    words = [*call.args, *(keyword.value for keyword in call.keywords)]
    said = {word.value for word in words if isinstance(word, ast.Constant)}
    return bool(said & {"utf-8", "ascii"}) and bool(said & LOSSLESS)


def _is_ours(tree: ast.AST, name: str, func: ast.expr) -> bool:
    """Return whether a name was imported from the home."""
    return isinstance(func, ast.Name) and any(
        isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("pgpool_recovery.files")
        and any((alias.asname or alias.name) == name for alias in node.names)
        for node in ast.walk(tree)
    )


def _by_mode(call: ast.Call) -> str | None:
    """Return what an open() without "b" in its mode does, else None. Those of os have flags."""
    shown = ast.unparse(call.func)
    if shown in ("os.open", "tarfile.open", "self.open", "record.open"):
        return None
    at = 1 if isinstance(call.func, ast.Name) else 0
    modes = [word.value for word in call.keywords if word.arg == "mode"] + call.args[at : at + 1]
    is_binary = any(isinstance(mode, ast.Constant) and "b" in str(mode.value) for mode in modes)
    return None if is_binary else f"{shown}() reads the file as text"
