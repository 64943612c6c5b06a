"""Plant a copy of everything that the extension scripts use, where a search path might find it.

The names come from the parsed scripts. A planted object records that a superuser has called it, in
a sequence, which no rollback undoes, and in a warning.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ci.rules import extension_scripts as rule
from ci.rules.server_queries import queries
from ci.sql_names import Name, names_in_sql

REPOSITORY = Path(__file__).resolve().parents[2]

# PostgreSQL prefers a function or operator whose argument types match a call exactly, in whichever
# schema of the search path it is. So one is planted for each of these types, and for each pair.
TYPES = (
    *(
        "oid",
        "regclass",
        "regproc",
        "regprocedure",
        "regrole",
        "regtype",
        "name",
        "text",
        "varchar",
    ),
    *('"char"', "bool", "int2", "int4", "int8", "float4", "float8", "numeric", "timestamptz"),
    *("timestamp", "interval", "jsonb", "aclitem", "pg_lsn", "xid", "text[]", "oid[]", "int4[]"),
    *("aclitem[]",),
)
OFTEN = ("text", "oid", "name", "int4", "bool", "regclass", "jsonb", "text[]")
CALLS_AT_MOST = 150
COMPARISONS = ("=", "<>", "<", ">", "<=", ">=", "~", "!~", "~~", "!~~", "@>", "<@", "?")

TRAP = """
CREATE SCHEMA trap;
CREATE SEQUENCE trap.calls_as_superuser;
CREATE FUNCTION trap.is_noted(what pg_catalog.text) RETURNS pg_catalog.bool
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        PERFORM nextval('trap.calls_as_superuser');
    END IF;
    RAISE WARNING 'planted: % was called as %', what, current_user;
    RETURN true;
END $$;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
GRANT ALL ON ALL SEQUENCES IN SCHEMA trap TO PUBLIC;
"""
FUNCTION = """
CREATE FUNCTION {schema}.{name}({types}) RETURNS {result} LANGUAGE plpgsql AS $body$
BEGIN PERFORM trap.is_noted('{schema}.{name}({types})'); RETURN NULL; END $body$;
"""
OPERATOR = """
CREATE OPERATOR {schema}.{name} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {function});
"""
DOMAIN = """
CREATE DOMAIN {schema}."{name}" AS {base} CHECK (trap.is_noted('type {schema}.{name}'));
"""
VIEW = """
CREATE VIEW {schema}."{name}" AS
    SELECT * FROM pg_catalog."{name}" WHERE trap.is_noted('relation {schema}.{name}');
"""
PSEUDO_TYPES = ("cstring", "internal", "language_handler", "record", "void")


@dataclass(frozen=True)
class Used:
    """The objects that the scripts use but do not create."""

    operators: frozenset[str]
    functions: frozenset[tuple[str, int]]  # With the number of arguments.
    types: frozenset[str]
    relations: frozenset[str]


def used() -> Used:
    """Return what is used in statements, views, function bodies and the queries of PL/Python."""
    names = list(_all_names())
    made = {name.words[-1] for name in names if name.schema == rule.SCHEMA}
    made |= {"pgpool_regclass"}
    foreign = [name for name in names if name.words[-1] not in made]
    return Used(
        frozenset(name.words[-1] for name in foreign if name.kind == "operator"),
        frozenset(
            (name.words[-1], name.arguments)
            for name in foreign
            if name.kind == "function" and name.arguments is not None
        ),
        frozenset(name.words[-1] for name in foreign if name.kind == "type"),
        frozenset(name.words[-1] for name in foreign if name.kind == "relation"),
    )


def _all_names() -> Iterator[Name]:
    for script in rule.scripts(REPOSITORY):
        for _, name in rule.names_of(script):
            yield name
        for body in rule.bodies(script):
            for _, name in rule.names_of_body(body):
                yield name
    for query in queries(REPOSITORY):
        yield from names_in_sql(query.text)


def planting(found: Used, schema: str) -> str:
    """Return the statements that plant everything in a schema."""
    texts = []
    for left, right in itertools.product(TYPES, TYPES):
        types = f"{_qualified(left)}, {_qualified(right)}"
        for name, result in (("compare", "bool"), ("combine", left)):
            texts.append(
                FUNCTION.format(schema=schema, name=name, types=types, result=_qualified(result))
            )
        for operator in sorted(found.operators):
            name = "compare" if operator in COMPARISONS else "combine"
            texts.append(
                OPERATOR.format(
                    schema=schema,
                    name=operator,
                    left=_qualified(left),
                    right=_qualified(right),
                    function=f"{schema}.{name}",
                )
            )
    for function, count in sorted(found.functions):
        texts += functions(schema, function, count)
    for name in sorted(found.types):
        base = "pg_catalog.text" if name in PSEUDO_TYPES else f'pg_catalog."{name}"'
        texts.append(DOMAIN.format(schema=schema, name=name, base=base))
    texts += [VIEW.format(schema=schema, name=name) for name in sorted(found.relations)]
    return "".join(texts)


def functions(schema: str, name: str, count: int) -> list[str]:
    """Return the statements that create functions with a name and a number of arguments."""
    return [
        FUNCTION.format(
            schema=schema,
            name=name,
            types=", ".join(map(_qualified, types)),
            result="pg_catalog.text",
        )
        for types in _calls(count)
    ]


def _calls(count: int) -> list[tuple[str, ...]]:
    """Return lists of `count` argument types: all types for one argument, else the common ones."""
    if count <= 1:
        return [(one,) for one in TYPES] if count else [()]
    few = next(n for n in range(len(OFTEN), 0, -1) if n**count <= CALLS_AT_MOST)
    return list(itertools.product(OFTEN[:few], repeat=count))


def _qualified(type_name: str) -> str:
    return f"pg_catalog.{type_name}"
