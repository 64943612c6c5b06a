"""Assemble the SQL scripts of the three extensions from the templates in sql/ and Python modules.

A PL/Python function has one body and imports nothing of ours, so the modules that an entry point
needs are written into it one after another, without the imports among themselves. The modules are
those in python/, and two packages that the command line also uses.
"""

import ast
import os
import pathlib
import re
import typing

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent / "src" / "pgpool_recovery"
PACKAGES = {
    "pgpool_recovery_server": HERE / "python" / "pgpool_recovery_server",
    "pgpool_adm_server": HERE / "python" / "pgpool_adm_server",
    "pgpool_recovery.pcp.client": SOURCE / "pcp" / "client",
    "pgpool_recovery.in_server": SOURCE / "in_server",
}
TEMPLATES = HERE / "sql"
VERSION = "2.0"
SUPERVISOR = "supervisor"
BUG_REPORT = "bug_report"
WITH_TYPES = PACKAGES["pgpool_recovery.pcp.client"]
"""Its values are typing.NamedTuples, for which a server imports typing in pgpool_adm."""
TYPES = ("typing", "server_types")
"""Modules that contain only types, which nothing that runs in a server imports."""
WAYS = {"python": "outcome_of", "python_value": "value_of"}

# Names in a script are looked up in pg_catalog, since other roles may be able to create objects in
# the schema of the extension. PostgreSQL resets this at the end of the script. Names are qualified
# all the same.
HEAD = """\
-- Part of pgpool-recovery.
\\echo Use "{kind}" to load this file. \\quit
SET LOCAL search_path = pg_catalog, pg_temp;
"""

ATTRIBUTES = """\
STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET tcp_keepalives_idle = 60
SET tcp_keepalives_interval = 15
SET tcp_keepalives_count = 4"""

ADM_BY_ADDRESS = ", host text, port integer, username text, password text"
ADM_BY_SERVER = ", pcp_server text"
ADM_FUNCTION = """\
{create} FUNCTION @extschema@.{name}({parameters})
RETURNS {result}
LANGUAGE sql VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC{mapping}
SELECT x.* FROM pg_catalog.jsonb_to_recordset(@extschema@._pgpool_adm_answer(
    @extschema@._pgpool_adm_call('{signature}'::pg_catalog.text, ARRAY[{values}])
)) AS x({columns});
END;

COMMENT ON FUNCTION @extschema@.{name}({qualified_types}) IS '{comment}';
"""
ADM_MAPPING = """
SELECT @extschema@._pgpool_adm_want_mapping(pcp_server);
SELECT @extschema@._pgpool_adm_read_mapping();"""


Cut = typing.Tuple[int, int]
"""The first byte, and the one after the last."""


class Extension(typing.NamedTuple):
    """An extension, and the stock versions that it takes over.

    `marks` are the values for the double braces in its templates. Two of them are conditions on a
    function, a row p of pg_proc. `closed` is true if only superusers may call it until it is
    granted, `checked_superuser` if the stock function, too, refused all other roles.
    """

    name: str
    stock_versions: typing.Tuple[str, ...]
    before_update: typing.Tuple[str, ...]
    templates: typing.Tuple[str, ...]
    grants: typing.Tuple[str, ...]
    marks: typing.Dict[str, str]


EXTENSIONS = (
    Extension(
        "pgpool_recovery",
        ("1.0", "1.1", "1.2", "1.3", "1.4"),
        ("recovery_from_stock.sql",),
        ("language.sql", "outcome.sql", "recovery.sql", "history.sql", "privileges.sql"),
        ("history_privileges.sql",),
        {
            "attributes": ATTRIBUTES,
            "closed": "true",
            "checked_superuser": "p.proname OPERATOR(pg_catalog.<>) 'pgpool_switch_xlog'",
        },
    ),
    Extension(
        "pgpool_adm",
        ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"),
        ("adm_from_stock.sql",),
        ("language.sql", "outcome.sql", "adm.sql", "privileges.sql"),
        ("adm_privileges.sql",),
        {
            "closed": "p.proname OPERATOR(pg_catalog.!~) '^pcp_(health|node|pool|proc|watchdog)_'",
            "checked_superuser": "false",
        },
    ),
    Extension(
        "pgpool_regclass",
        ("1.0",),
        (),
        ("regclass.sql", "privileges.sql"),
        ("regclass_privileges.sql",),
        {"closed": "false", "checked_superuser": "false"},
    ),
)

# The functions that existed before an update: all that is known about their grants is that users
# made them.
FRESH = {"create": "CREATE", "old_functions": "ARRAY[]::pg_catalog.oid[]"}
REPLACING = {
    "create": "CREATE OR REPLACE",
    "old_functions": "pg_catalog.string_to_array("
    "pg_catalog.current_setting('pgpool.functions_before_update'), ',')::pg_catalog.oid[]",
}


class Module:
    """One module: its text without the imports of its siblings, and those siblings' names."""

    def __init__(self, name: str) -> None:
        file = file_of(name)
        text = file.read_text()
        if file.parent != WITH_TYPES:
            text = without_types(name, text)
        tree = ast.parse(text)
        lines = text.split("\n")
        self.name = name
        self.siblings = []
        self.defined = {
            node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }
        self.defined |= {
            target.id
            for node in tree.body
            if isinstance(node, (ast.Assign, ast.AnnAssign))
            for target in ast.walk(node)
            if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
        }
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and is_ours(node):
                self.siblings.append(sibling(name, node))
                blank(lines, node)
        blank(lines, tree.body[0])  # The docstring: its first line becomes a comment.
        self.text = "\n".join(lines).strip("\n")
        self.summary = (ast.get_docstring(tree) or "").split("\n")[0]


def without_types(name: str, text: str) -> str:
    r"""Return the text of a module without annotations and what is imported only for them.

    They are for the type checker; in a server, each new session would pay for the import of typing.
    Line numbers stay the same. Raises SystemExit for a type that is used at run time, and for an
    annotation without a value.

    >>> without_types("m", "from typing import Set\ndef f(a: int, b: int = 2) -> Set[int]: ...")
    '\ndef f(a, b = 2): ...'
    >>> without_types("m", "a: int = 1")
    'a = 1'
    """
    tree = ast.parse(text)
    data = text.encode()
    place = Places(data)
    cuts: typing.List[Cut] = []
    imported: typing.Set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in TYPES:
            imported |= {alias.name for alias in node.names}
            cuts.append(place.of(node))
        elif isinstance(node, ast.If) and is_for_checker(node):
            cuts.append(place.of(node))
        else:
            cuts += annotations(name, node, place)
    for begin, end in sorted(cuts, reverse=True):
        data = data[:begin] + b"\n" * data[begin:end].count(b"\n") + data[end:]
    text = data.decode()
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    if used & imported:
        raise SystemExit(f"{name}.py: {', '.join(used & imported)}: not only in an annotation")
    return text


class Places:
    """Where the nodes of a text are, in bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._lines = [0]
        for line in data.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)

    def of(self, node: typing.Union[ast.stmt, ast.expr, ast.arg]) -> Cut:
        """Return where a node begins and ends."""
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        return (
            self._lines[node.lineno - 1] + node.col_offset,
            self._lines[end_line - 1] + end_column,
        )


def is_for_checker(node: ast.If) -> bool:
    """Return whether a block is ``if TYPE_CHECKING:``."""
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def annotations(name: str, node: ast.AST, place: Places) -> typing.Iterator[Cut]:
    """Yield where the annotations of a node are, including the colon or arrow before them."""
    if isinstance(node, ast.arg) and node.annotation is not None:
        begin, end = place.of(node)
        yield begin + len(node.arg.encode()), end
    elif isinstance(node, ast.FunctionDef) and node.returns is not None:
        begin, end = place.of(node.returns)
        yield place.data.rindex(b" -> ", 0, begin), end
    elif isinstance(node, ast.AnnAssign):
        if node.value is None:
            raise SystemExit(f"{name}.py: line {node.lineno} is a type without a value")
        yield place.of(node.target)[1], place.of(node.annotation)[1]


def file_of(name: str) -> pathlib.Path:
    """Return the file of a module, whose name must be unique among the packages."""
    found = [path for path in (one / f"{name}.py" for one in PACKAGES.values()) if path.exists()]
    if len(found) != 1:
        raise SystemExit(f"{name}.py: {len(found)} of the packages have it")
    return found[0]


def is_ours(node: ast.ImportFrom) -> bool:
    """Return whether an import is that of a module that is also written into the body."""
    return node.level > 0 or (node.module or "").rpartition(".")[0] in PACKAGES


def sibling(name: str, node: ast.ImportFrom) -> str:
    """Return the module that an import names; the code must work without the import."""
    if node.module is None or any(alias.asname for alias in node.names):
        raise SystemExit(f"{name}.py: only 'from .module import name' can be assembled")
    return node.module.rpartition(".")[2]


def blank(lines: typing.List[str], node: ast.stmt) -> None:
    """Blank the lines of a node."""
    end = node.end_lineno or node.lineno
    lines[node.lineno - 1 : end] = [""] * (end - node.lineno + 1)


def assemble(modules: typing.Sequence[Module], call: str) -> str:
    """Return the text of modules in the given order, and a last line `call`."""
    defined: typing.Dict[str, str] = {}
    for module in modules:
        for word in module.defined:
            if word in defined:
                raise SystemExit(f"{word} is defined in {defined[word]}.py and {module.name}.py")
            defined[word] = module.name
    texts = [f"# {module.name}.py: {module.summary}\n\n{module.text}" for module in modules]
    text = "\n\n\n".join([*texts, call])
    return re.sub(r"\n{4,}", "\n\n\n", text)


def in_order(name: str, seen: typing.Tuple[str, ...] = ()) -> typing.List[Module]:
    """Return the module and those it needs, each after the ones it needs itself."""
    if name in seen:
        raise SystemExit(f"{name}.py imports itself through {' and '.join(seen)}")
    module = Module(name)
    order: typing.List[Module] = []
    for needed in module.siblings:
        order += [m for m in in_order(needed, (*seen, name)) if m.name not in names(order)]
    return [*order, module]


def names(modules: typing.Iterable[Module]) -> typing.List[str]:
    """Return the names of modules."""
    return [module.name for module in modules]


def supervisor_program() -> str:
    """Return the text of the program that runs outside the server."""
    return assemble(in_order(SUPERVISOR), "main()")


def function_body(call: str, way: str) -> str:
    """Return the body of the PL/Python function that returns the value of `call`.

    `way` is the function of bug_report.py that calls it, so that no bug shows a value.
    """
    entry = in_order(call.split("(", maxsplit=1)[0])
    before = [module for module in in_order(BUG_REPORT) if module.name not in names(entry)]
    return assemble([*before, *entry], f"return {way}(plpy, lambda: {call})")


def expand(template: str, marks: typing.Mapping[str, str]) -> str:
    """Return a template's text with its ``{{ }}`` marks filled in."""

    def fill(match: typing.Match[str]) -> str:
        verb, _, rest = match.group(1).partition(" ")
        if verb in ("row", "rows"):
            return both_forms(rest, is_set=verb == "rows", create=marks["create"])
        if verb in marks:
            return marks[verb]
        if verb == "include":
            return expand(rest, marks).strip()
        if verb == "supervisor":
            return supervisor_program()
        if verb in WAYS:
            return function_body(rest, WAYS[verb])
        raise SystemExit(f"{template}: unknown mark {match.group(0)}")

    return re.sub(r"{{ (.*?) }}", fill, (TEMPLATES / template).read_text(), flags=re.DOTALL)


def both_forms(words: str, *, is_set: bool, create: str) -> str:
    """Return the two functions of pgpool_adm that send one request: by address, by server name.

    `words` are the name, the arguments of both forms, what it does, and the result columns:
    ``pcp_node_info(node_id integer): what it does`` and then ``host text, port integer``.
    """
    said = re.fullmatch(r"(\w+)\((.*?)\): (.*?)\n\s*(.*)", words, re.DOTALL)
    if said is None:
        raise SystemExit(f"not a function of pgpool_adm: {words}")
    name, own, comment, rest = said.groups()
    columns = [column.strip() for column in rest.split(",")]
    texts = []
    for form, mapping in ((ADM_BY_ADDRESS, ""), (ADM_BY_SERVER, ADM_MAPPING)):
        arguments = [word.strip() for word in (own + form).split(",") if word.strip()]
        types = [word.split()[1] for word in arguments]
        values = (f"${number}::pg_catalog.text" for number in range(1, len(types) + 1))
        result = qualified("record" if len(columns) > 1 else columns[0].split()[1])
        texts.append(
            ADM_FUNCTION.format(
                create=create,
                name=name,
                parameters=", ".join(
                    [
                        *(f"IN {qualified(one)}" for one in arguments),
                        *(f"OUT {qualified(one)}" for one in columns),
                    ]
                ),
                result=f"SETOF {result}" if is_set else result,
                signature=f"{name}({','.join(types)})",
                mapping=mapping,
                qualified_types=", ".join(map(qualified, types)),
                values=", ".join(values),
                columns=", ".join(map(qualified, columns)),
                comment=comment,
            )
        )
    return "\n".join(texts)


def qualified(words: str) -> str:
    """Return an argument or a type with the schema of its type, unless the type is a keyword.

    >>> qualified("pids integer[]"), qualified("weight float4")
    ('pids integer[]', 'weight pg_catalog.float4')
    """
    name, space, type_name = words.rpartition(" ")
    is_keyword = type_name.rstrip("[]") in ("bigint", "boolean", "integer", "timestamp")
    return name + space + (type_name if is_keyword else f"pg_catalog.{type_name}")


def script(kind: str, templates: typing.Iterable[str], marks: typing.Mapping[str, str]) -> str:
    """Return one SQL script; psql prints a message when the script is run directly."""
    texts = [HEAD.format(kind=kind), *(expand(template, marks) for template in templates)]
    return "\n".join(texts)


def comment_of(name: str) -> str:
    """Return the comment of a control file as a literal: an update alone keeps the old one.

    >>> comment_of("pgpool_adm")
    "'administration of Pgpool-II by PCP'"
    """
    control = (HERE / f"{name}.control").read_text()
    comment = re.search(r"^comment = ('.*')$", control, re.MULTILINE)
    if comment is None:
        raise SystemExit(f"{name}.control has no comment")
    return comment.group(1)


def scripts_of(extension: Extension) -> typing.Dict[str, str]:
    """Return the scripts of one extension as a dict of file names and texts."""
    name = extension.name
    marks = {"extension": name, "comment": comment_of(name), **extension.marks}
    templates = (*extension.templates, *extension.grants)
    kind = f"CREATE EXTENSION {name}"
    texts = {f"{name}--{VERSION}.sql": script(kind, templates, {**marks, **FRESH})}
    kind = f"ALTER EXTENSION {name} UPDATE TO '{VERSION}'"
    templates = (
        *("from_stock.sql", *extension.before_update),
        *(*extension.templates, "grants_from_stock.sql", *extension.grants),
    )
    update = script(kind, templates, {**marks, **REPLACING})
    for version in extension.stock_versions:
        texts[f"{name}--{version}--{VERSION}.sql"] = update
    return texts


def scripts() -> typing.Dict[str, str]:
    """Return the scripts of all extensions."""
    return {name: text for extension in EXTENSIONS for name, text in scripts_of(extension).items()}


def main(directory: pathlib.Path) -> None:
    """Write all scripts into a directory of this checkout."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in scripts().items():
        write(directory / name, text)


def write(file: pathlib.Path, text: str) -> None:
    """Write a file of this checkout atomically, since another build may be reading it."""
    beside = HERE / f"{file.name}.{os.getpid()}"
    beside.write_text(text)
    beside.replace(file)


if __name__ == "__main__":
    main(HERE)
