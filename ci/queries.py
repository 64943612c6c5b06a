"""The names in our queries, as PostgreSQL's own parser (pglast) sees them."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pglast import parse_sql
from pglast.visitors import Visitor

QUERIES = Path("src/pgpool_recovery/postgres/sql")
PARAMETER = re.compile(r"%\(\w+\)s")
EXTENSION = "{extension}"
OURS = '"extension"'
"""As long as the place that it takes, so that a position in the one is one in the other."""
NAMED_IN_TEXT = re.compile(r"to_reg\w+|has_\w+_privilege|pg_get_\w+def")
"""Functions that look a name up which they are given as text."""


@dataclass(frozen=True)
class Name:
    """A name in a query; `schema` is none where the search path decides."""

    kind: str
    schema: str | None
    text: str
    position: int

    @property
    def is_ours(self) -> bool:
        """Whether it is said to be the extension's."""
        return self.schema == "extension"


@dataclass
class Names:
    """All names in a query that a search path, or a schema, leads somewhere."""

    functions: list[Name] = field(default_factory=list)
    relations: list[Name] = field(default_factory=list)
    types: list[Name] = field(default_factory=list)
    operators: list[Name] = field(default_factory=list)
    in_text: list[Name] = field(default_factory=list)

    def all_but_operators(self) -> list[Name]:
        """Return what has to be qualified. Operators are pinned by the search path alone."""
        return [*self.functions, *self.relations, *self.types, *self.in_text]


def names_in(query: str) -> Names:
    """Return the names in a query with psycopg's places for parameters; pglast's error if none."""
    readable = PARAMETER.sub(lambda place: "$1".ljust(len(place[0])), query)
    readable = readable.replace("%%", "% ").replace(EXTENSION, OURS)
    visitor = _Collector()
    visitor(parse_sql(readable))
    relations = [one for one in visitor.names.relations if one.text not in visitor.own]
    visitor.names.relations = relations
    return visitor.names


class _Collector(Visitor):
    """Pglast calls visit_… for each node of that class; it has no types."""

    def __init__(self) -> None:
        super().__init__()
        self.names = Names()
        self.own: set[str] = set()
        """Of a WITH: the query's own, which nobody else has."""

    def visit_CommonTableExpr(self, _ancestors: Any, node: Any) -> None:  # noqa: N802
        self.own.add(node.ctename)

    def visit_FuncCall(self, _ancestors: Any, node: Any) -> None:  # noqa: N802
        name = _name("function", node.funcname, node.location)
        self.names.functions.append(name)
        if NAMED_IN_TEXT.fullmatch(name.text):
            for argument in node.args or ():
                self._text(argument, node.location)

    def visit_RangeVar(self, _ancestors: Any, node: Any) -> None:  # noqa: N802
        name = Name("relation", node.schemaname, node.relname, node.location)
        self.names.relations.append(name)

    def visit_TypeName(self, _ancestors: Any, node: Any) -> None:  # noqa: N802
        if node.names:
            self.names.types.append(_name("type", node.names, node.location))

    def visit_TypeCast(self, _ancestors: Any, node: Any) -> None:  # noqa: N802
        if node.typeName.names[-1].sval.startswith("reg"):
            self._text(node.arg, node.location)

    def visit_A_Expr(self, _ancestors: Any, node: Any) -> None:  # noqa: N802
        self.names.operators.append(_name("operator", node.name, node.location))

    def _text(self, node: Any, position: int) -> None:
        """Take the first word of a text that is looked up as a name; privileges are no names."""
        text = getattr(getattr(node, "val", None), "sval", None)
        if isinstance(text, str) and "_" in text:
            schema, _, rest = text.partition("(")[0].rpartition(".")
            self.names.in_text.append(Name("name in a text", schema or None, rest, position))


def _name(kind: str, parts: Any, position: int) -> Name:
    *schema, text = [part.sval for part in parts]
    return Name(kind, schema[0] if schema else None, text, position)
