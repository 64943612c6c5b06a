"""Find the names in SQL and PL/pgSQL that PostgreSQL looks up at run time, with their schemas."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pglast
from pglast import ast
from pglast.enums import A_Expr_Kind, SubLinkType

# Where the grammar has a list of words for a name, and the kind of that name.
_LISTS = {
    ("FuncCall", "funcname"): "function",
    ("CreateFunctionStmt", "funcname"): "function",
    ("CreatePLangStmt", "plhandler"): "function",
    ("CreatePLangStmt", "plinline"): "function",
    ("CreatePLangStmt", "plvalidator"): "function",
    ("CreateTrigStmt", "funcname"): "function",
    ("ObjectWithArgs", "objname"): "function",
    ("A_Expr", "name"): "operator",
    ("SubLink", "operName"): "operator",
    ("SortBy", "useOp"): "operator",
    ("TypeName", "names"): "type",
    ("CreateDomainStmt", "domainname"): "type",
    ("CreateEnumStmt", "typeName"): "type",
    ("CreateRangeStmt", "typeName"): "type",
    ("DefineStmt", "defnames"): "object",
    ("CollateClause", "collname"): "collation",
    ("IndexElem", "opclass"): "operator class",
}
# Syntax that stands for operators without naming them, so they cannot be qualified.
_UNNAMED = {
    A_Expr_Kind.AEXPR_DISTINCT: "IS DISTINCT FROM",
    A_Expr_Kind.AEXPR_NOT_DISTINCT: "IS NOT DISTINCT FROM",
    A_Expr_Kind.AEXPR_NULLIF: "NULLIF",
    A_Expr_Kind.AEXPR_IN: "IN",
    A_Expr_Kind.AEXPR_LIKE: "LIKE",
    A_Expr_Kind.AEXPR_ILIKE: "ILIKE",
    A_Expr_Kind.AEXPR_SIMILAR: "SIMILAR TO",
    A_Expr_Kind.AEXPR_BETWEEN: "BETWEEN",
    A_Expr_Kind.AEXPR_NOT_BETWEEN: "NOT BETWEEN",
    A_Expr_Kind.AEXPR_BETWEEN_SYM: "BETWEEN SYMMETRIC",
    A_Expr_Kind.AEXPR_NOT_BETWEEN_SYM: "NOT BETWEEN SYMMETRIC",
}
_BETWEEN = ("<=", ">=")
# Functions that take the name of an object as text, and the kind of that object.
_NAMES_IN_TEXT = {
    "pg_extension_config_dump": "relation",
    "pg_get_serial_sequence": "relation",
    "nextval": "relation",
    "setval": "relation",
    "currval": "relation",
    "to_regclass": "relation",
    "to_regtype": "type",
    "to_regprocedure": "function",
    "to_regproc": "function",
    "to_regoper": "operator",
    "to_regoperator": "operator",
    "pg_get_viewdef": "relation",
}
# Here the name is the argument before the last one, which is the privilege.
_PRIVILEGE_OF = {
    "has_table_privilege": "relation",
    "has_sequence_privilege": "relation",
    "has_function_privilege": "function",
    "has_type_privilege": "type",
}
_REG_TYPES = {
    "regclass": "relation",
    "regtype": "type",
    "regproc": "function",
    "regprocedure": "function",
    "regoper": "operator",
    "regoperator": "operator",
    "regcollation": "collation",
}


@dataclass(frozen=True)
class Name:
    """A name in a text, and its place: `offset` in SQL, `line` in a body in PL/pgSQL.

    `syntax` is the syntax at that place if it does not name anything. `arguments` is the number of
    arguments of a call of a function or an operator.
    """

    kind: str
    words: tuple[str, ...]
    offset: int = 0
    line: int = 0
    syntax: str = ""
    arguments: int | None = None

    @property
    def schema(self) -> str:
        """The schema, or nothing."""
        return self.words[0] if len(self.words) > 1 else ""

    def __str__(self) -> str:
        """Return it in the form that a person would write."""
        if self.syntax:
            return f"{self.kind} {self.words[-1]} of {self.syntax}"
        return f"{self.kind} {'.'.join(self.words)}"


def names_in_sql(text: str) -> list[Name]:
    """Return the names in statements; bodies that are strings are not examined."""
    return [name for statement in pglast.parse_sql(text) for name in names_in(statement)]


def names_in(statement: Any) -> list[Name]:
    """Return the names in a statement, except those defined by WITH."""
    given = {node.ctename for node in nodes(statement) if isinstance(node, ast.CommonTableExpr)}
    return [
        replace(name, offset=offset)
        for node, offset in _with_offsets(statement)
        for name in _names_of(node)
        if not (name.kind == "relation" and name.words[-1] in given and not name.schema)
    ]


def names_in_plpgsql(statement: str, schema: str) -> list[Name]:
    """Return the names in the body of CREATE FUNCTION … LANGUAGE plpgsql, or of DO.

    `schema` contains types of arguments; parse_plpgsql() knows only pg_catalog and public.
    """
    known = statement.replace(f"{schema}.", "public.")
    found = [
        replace(name, line=line)
        for line, text in _plpgsql_statements(pglast.parse_plpgsql(known), 1)
        for name in names_in_sql(text.replace("public.", f"{schema}."))
    ]
    return found + list(_declared_types(statement))


def nodes(root: Any) -> Iterator[Any]:
    """Return a node and all nodes below it."""
    return (node for node, _ in _with_offsets(root))


def _with_offsets(root: Any, offset: int = 0) -> Iterator[tuple[Any, int]]:
    """Return the nodes with their offsets; a node without one gets that of the node above."""
    if isinstance(root, (tuple, list)):
        for item in root:
            yield from _with_offsets(item, offset)
    elif isinstance(root, ast.Node):
        attributes: tuple[str, ...] = tuple(getattr(root, "__slots__", ()))
        for place in ("location", "stmt_location"):
            at = getattr(root, place, None)
            offset = at if isinstance(at, int) and at > offset else offset
        yield root, offset
        for attribute in attributes:
            yield from _with_offsets(getattr(root, attribute), offset)


def _names_of(node: Any) -> Iterator[Name]:
    kind = type(node).__name__
    if kind == "A_Expr" and node.kind in _UNNAMED:
        syntax, sign = _UNNAMED[node.kind], node.name[-1].sval
        signs = _BETWEEN if "BETWEEN" in syntax else ("=",) if "DISTINCT" in syntax else (sign,)
        yield from (Name("operator", (one,), syntax=syntax, arguments=2) for one in signs)
        return
    for (owner, attribute), of_kind in _LISTS.items():
        if owner == kind and getattr(node, attribute):
            words = tuple(part.sval for part in getattr(node, attribute))
            yield Name(of_kind, words, arguments=_count(node))
    yield from _names_of_other(node)


def _names_of_other(node: Any) -> Iterator[Name]:
    kind = type(node).__name__
    if kind == "RangeVar":
        words = (node.schemaname, node.relname) if node.schemaname else (node.relname,)
        yield Name("relation", words)
    elif kind == "CaseExpr" and node.arg is not None:
        yield Name("operator", ("=",), syntax="CASE value WHEN", arguments=2)
    elif kind == "JoinExpr" and (node.usingClause or node.isNatural):
        syntax = "JOIN … USING" if node.usingClause else "NATURAL JOIN"
        yield Name("operator", ("=",), syntax=syntax, arguments=2)
    elif kind == "SubLink" and node.subLinkType == SubLinkType.ANY_SUBLINK and not node.operName:
        yield Name("operator", ("=",), syntax="IN", arguments=2)
    elif kind == "CommentStmt" and isinstance(node.object, tuple):
        yield Name("relation", tuple(part.sval for part in node.object))
    elif kind == "TypeCast" and node.typeName.names[-1].sval in _REG_TYPES:
        yield from _name_in_text(_REG_TYPES[node.typeName.names[-1].sval], node.arg)
    elif kind == "FuncCall" and node.funcname[-1].sval in _PRIVILEGE_OF and len(node.args) > 1:
        yield from _name_in_text(_PRIVILEGE_OF[node.funcname[-1].sval], node.args[-2])
    elif kind == "FuncCall" and node.funcname[-1].sval in _NAMES_IN_TEXT:
        yield from _name_in_text(_NAMES_IN_TEXT[node.funcname[-1].sval], (node.args or (None,))[0])


def _name_in_text(kind: str, node: Any) -> Iterator[Name]:
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
        name = str(node.val.sval).partition("(")[0]
        if re.fullmatch(r"[^0-9-].*", name):
            yield Name(kind, tuple(name.split(".")))


def _count(node: Any) -> int | None:
    if isinstance(node, ast.FuncCall):
        return len(node.args or ())
    if isinstance(node, ast.A_Expr):
        return 1 if node.lexpr is None else 2
    return None


def _plpgsql_statements(part: Any, line: int) -> Iterator[tuple[int, str]]:
    """Return the line and the text, as a statement, of all SQL in what parse_plpgsql() returns."""
    if isinstance(part, list):
        for item in part:
            yield from _plpgsql_statements(item, line)
    elif isinstance(part, dict):
        line = part.get("lineno", line)
        if "query" in part and isinstance(part["query"], str):
            yield line, _as_statement(part["query"], part["parseMode"])
        if "PLpgSQL_stmt_case" in part and part["PLpgSQL_stmt_case"].get("t_expr"):
            yield (
                line,
                "SELECT NULL IN (NULL)",
            )  # CASE value WHEN: the comparison is not in the text.
        for item in part.values():
            yield from _plpgsql_statements(item, line)


def _as_statement(query: str, parse_mode: int) -> str:
    """Return a statement with the names of an expression (parse mode 2) or an assignment (3)."""
    if parse_mode == 0:
        return query
    if parse_mode > 2:
        query = query.partition("=")[2] if ":=" not in query else query.partition(":=")[2]
    return f"SELECT {query}"


def _declared_types(statement: str) -> Iterator[Name]:
    """Return the types of variables, which parse_plpgsql() returns without their schema."""
    for block in re.finditer(r"\bDECLARE\b(.*?)\bBEGIN\b", statement, re.DOTALL):
        bare = re.sub(r"--.*|'(?:[^']|'')*'", "", block.group(1))
        for one in bare.split(";"):
            match = re.match(r"\s*\w+\s+(?:CONSTANT\s+)?([\w.\"% ]+?(?:\[\])*)\s*(?::=|=|$)", one)
            if match and "%" not in match.group(1):
                line = statement[: block.start()].count("\n") + 1
                cast = f"SELECT NULL::{match.group(1)}"
                yield from (replace(name, line=line) for name in names_in_sql(cast))
