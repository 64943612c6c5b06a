"""Only ``pgpool_recovery.files.text`` turns what comes from outside into text.

Bytes that are no UTF-8 have to come through, and a line ends at a line feed: what Python does when
nothing is said fails at the first Latin-1 byte, decodes by the locale, and ends a line at a form
feed; ``Path.read_bytes`` has no limit, and waits for a FIFO. Nobody sees that in a review. So
whatever decodes, splits lines or reads as Python does, is named here, with its reason where it is
right. What runs in a server or is shared with it has no module of ours, so there a decoder has to
say how (``decode("utf-8", "surrogateescape")``).
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
"""What cannot import the home, because it runs in a server or knows no file."""
LOSSLESS = frozenset({"surrogateescape", "backslashreplace", "replace"})
"""What to do with a byte that is no UTF-8, where it is said."""
NAMES = frozenset({"read_bytes", "read_text", "splitlines", "getencoding", "getpreferredencoding"})
BY_LOCALE = frozenset({"fsdecode", "unicode_escape"})
OPTIONS = frozenset({"text", "universal_newlines", "encoding", "errors"})
"""Of subprocess: each makes text of what a program writes."""

EXCEPTIONS = {
    (
        "extension/python/pgpool_recovery_server/supervisor.py",
        "block.decode",
    ): "lines of UTF-8 alone; others are looked at one by one",
    (
        "extension/python/pgpool_recovery_server/server.py",
        "os.fsdecode",
    ): "paths that go back to the operating system by os.fsencode, in an interpreter of any locale",
    (
        "src/pgpool_recovery/config/load.py",
        "read_trusted(file, mine_and_roots()).decode",
    ): "TOML is UTF-8; what is none is refused by name",
    (
        "src/pgpool_recovery/history/run.py",
        "text.encode(encoding, 'backslashreplace').decode",
    ): "text that was encoded in the same line",
    (
        "src/pgpool_recovery/cli/locale.py",
        "getencoding",
    ): "how a terminal reads what we write to it",
    (
        "src/pgpool_recovery/install/extension.py",
        "file.read_bytes",
    ): "a file of our own package",
    (
        "src/pgpool_recovery/install/stage_commands.py",
        "OURS.decode",
    ): "a constant of ours",
    (
        "src/pgpool_recovery/pcp/client/pass_file.py",
        "open",
    ): "says how it decodes, and is the only one of the client",
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
    """Return a line for each place that makes text of bytes in a way of its own."""
    return [
        f"{path}:{line}: {what}; text of others is read by pgpool_recovery.files.text"
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
                what = "unicode_escape takes bytes for Latin-1"
            case _:
                continue
        if what is not None:
            yield node.lineno, what


def _shown(call: ast.Call) -> str:
    return f"{ast.unparse(call.func)}() reads, decodes or splits as Python likes"


def _says_how(call: ast.Call) -> bool:
    """Say whether a decoder has an encoding, and what to do with other bytes."""
    words = [*call.args, *(keyword.value for keyword in call.keywords)]
    said = {word.value for word in words if isinstance(word, ast.Constant)}
    return bool(said & {"utf-8", "ascii"}) and bool(said & LOSSLESS)


def _is_ours(tree: ast.AST, name: str, func: ast.expr) -> bool:
    """Say whether a name is what was imported from the home."""
    return isinstance(func, ast.Name) and any(
        isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("pgpool_recovery.files")
        and any((alias.asname or alias.name) == name for alias in node.names)
        for node in ast.walk(tree)
    )


def _by_mode(call: ast.Call) -> str | None:
    """Say whether an open() reads text: where the mode has no b. Those of os have flags."""
    shown = ast.unparse(call.func)
    if shown in ("os.open", "tarfile.open", "self.open", "record.open"):
        return None
    at = 1 if isinstance(call.func, ast.Name) else 0
    modes = [word.value for word in call.keywords if word.arg == "mode"] + call.args[at : at + 1]
    is_binary = any(isinstance(mode, ast.Constant) and "b" in str(mode.value) for mode in modes)
    return None if is_binary else f"{shown}() makes text of the file"
