"""Check that only one module opens files for writing: ``pgpool_recovery.files.write``.

There a file appears complete, with a name that cannot be guessed, not through a link, and for root
only where no other user can interfere. A file that is opened for writing elsewhere has none of
these properties, which is easy to miss in a review. So everything that opens, creates or copies a
file is reported here, and a mode or flags that are not constants count as writing. Files without a
name (``tempfile.TemporaryFile``) and ``/dev/null`` cannot be redirected. Nothing is made durable
elsewhere either: code that calls fsync(2) has written or renamed something in its own way.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

HOME = Path("src/pgpool_recovery/files/write.py")
FOLDERS = ("src/pgpool_recovery", "extension/python")
WRITING_MODES = frozenset("wax+")
WRITING_FLAGS = frozenset({"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE"})
READING_FLAGS = frozenset(
    {"O_RDONLY", "O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOATIME"}
)
NAMES = frozenset(
    {
        *("write_text", "write_bytes", "touch", "mkfifo", "mknod", "truncate"),
        *("mkstemp", "mktemp", "NamedTemporaryFile"),
        *("copy2", "copyfile", "copyfileobj", "copymode", "copystat", "move", "make_archive"),
        *("FileHandler", "RotatingFileHandler", "WatchedFileHandler", "FileInput"),
    }
)
"""Names that write, whatever they belong to."""
OWNERS = {
    "shutil": frozenset({"copy"}),
    "os": frozenset({"creat", "fsync", "fdatasync", "sync", "replace"}),
}
"""Names that write only as part of this module."""
OURS = "pgpool_recovery.files.write"

EXCEPTIONS = {
    (
        "src/pgpool_recovery/files/trust.py",
        "os.open",
    ): "its flags are in a constant beside it, and all of them are for reading",
    (
        "src/pgpool_recovery/pcp/client/pass_file.py",
        "os.open",
    ): "the opener of an open() that reads, which this rule checks",
    (
        "src/pgpool_recovery/history/record.py",
        "record.open",
    ): "opens a record in a database",
}
"""By file and call: why it does not write."""


def violations(root: Path) -> list[str]:
    """Return a line for each place that could write a file."""
    return [
        f"{path}:{node.lineno}: {what}; files are written by {OURS}"
        for folder in FOLDERS
        for file in sorted((root / folder).rglob("*.py"))
        for path in [file.relative_to(root)]
        if path != HOME
        for node, what in _found(ast.parse(file.read_text()), path.as_posix())
    ]


def _found(tree: ast.AST, path: str) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    ours = _names_of_ours(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call() if (path, ast.unparse(node.func)) not in EXCEPTIONS:
                what = _what_call_does(node)
                if what is not None:
                    yield node, what
            case ast.Attribute(attr=name) if name in NAMES:
                yield node, f"{ast.unparse(node)} writes"
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if name in OWNERS.get(
                owner, ()
            ):
                yield node, f"{ast.unparse(node)} writes"
            case ast.Name(id=name) if name in NAMES and name not in ours:
                yield node, f"{name} writes"
            case ast.ImportFrom(module="os" | "io" | "shutil" | "codecs" as module):
                for alias in node.names:
                    if alias.name in {"open", "fdopen", *OWNERS.get(module, ())}:
                        yield node, f"{module}.{alias.name} cannot be recognized by another name"


def _names_of_ours(tree: ast.AST) -> set[str]:
    """Return the names imported from that module, and those that the file defines itself."""
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == OURS
        for alias in node.names
    }
    return names | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _what_call_does(call: ast.Call) -> str | None:
    shown = ast.unparse(call.func)
    match call.func:
        case ast.Name(id="open"):
            return _by_mode(call, shown, at=1)
        case ast.Attribute(value=ast.Name(id="os"), attr="open"):
            return None if _is_null_device(call) else _by_flags(call, shown)
        case ast.Attribute(value=ast.Name(id="os"), attr="fdopen"):
            return None  # The descriptor is a pipe, or came from a call that this rule checks.
        case ast.Attribute(
            value=ast.Name(id="io" | "gzip" | "bz2" | "lzma" | "codecs"), attr="open"
        ):
            return _by_mode(call, shown, at=1)
        case ast.Attribute(value=ast.Name(id="tarfile" | "zipfile"), attr="open" | "ZipFile"):
            return _by_mode(call, shown, at=1)
        case ast.Attribute(attr="open"):
            return _by_mode(call, shown, at=0)
        case ast.Attribute(attr="copytree") | ast.Name(id="copytree"):
            has_own = any(keyword.arg == "copy_function" for keyword in call.keywords)
            return None if has_own else f"{shown} writes"
        case _:
            return None


def _by_mode(call: ast.Call, shown: str, *, at: int) -> str | None:
    """Return what a call with a mode does, given by keyword or by position; None if it reads."""
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    if any(keyword.arg is None for keyword in call.keywords):
        return f"{shown} has options that are not visible"
    if any(isinstance(word, ast.Starred) for word in call.args[: at + 1]):
        return f"{shown} has arguments that are not visible"
    modes += call.args[at : at + 1]
    for mode in modes:
        if not isinstance(mode, ast.Constant) or not isinstance(mode.value, str):
            return f"{shown} has a mode that is not visible"
        if WRITING_MODES & set(mode.value):
            return f'{shown} has mode "{mode.value}"'
    return None


def _by_flags(call: ast.Call, shown: str) -> str | None:
    flags = [keyword.value for keyword in call.keywords if keyword.arg == "flags"]
    flags += call.args[1:2]
    parts = [part for flag in flags for part in _parts(flag)]
    if not parts or not all(part in WRITING_FLAGS | READING_FLAGS for part in parts):
        return f"{shown} has flags that are not visible"
    writing = [part for part in parts if part in WRITING_FLAGS]
    return f"{shown} has {' and '.join(writing)}" if writing else None


def _parts(flags: ast.expr) -> Iterator[str]:
    """Yield the names of the constants in flags; empty for anything else."""
    match flags:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _parts(left)
            yield from _parts(right)
        case ast.Attribute(value=ast.Name(id="os"), attr=name):
            yield name
        case _:
            yield ""


def _is_null_device(call: ast.Call) -> bool:
    return bool(call.args) and ast.unparse(call.args[0]) == "os.devnull"
