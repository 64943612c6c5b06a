"""The types of the Python in the server, for the type checker: no function has this module in it.

Nor has one any annotation, nor anything of ``typing``: build.py leaves them out.
"""

from typing import Any, Dict, List, Protocol, Sequence, Tuple

Memory = Dict[str, Any]
"""SD, which lives as long as the session, or GD, which all functions of the session share."""
Row = Dict[str, Any]
"""A row, by the names of its columns: what a query has found, or what a function returns."""
Rows = Sequence[Row]
Message = Dict[str, Any]
"""What backend and supervisor send each other, as the docstring of supervisor.py has it."""
Record = Dict[str, Any]
"""What a stage command has said of its failure: `message`, `target`, and perhaps more texts."""
Wanted = Tuple[str, str, str]
"""A foreign server, a user, and when the statement began that needs the mapping of the two."""
Found = Tuple[Wanted, List[Row]]
"""What was wanted, and the mappings that were found."""


class Plpy(Protocol):
    """The module ``plpy``.

    Its exceptions have a `sqlstate`; those of a query are of the kind `SPIError`.
    """

    SPIError: Any
    Error: Any
    Fatal: Any

    def prepare(self, text: str, types: List[str]) -> object:
        """Return a plan."""

    def execute(self, query: object, values: Sequence[Any] = ()) -> Rows:
        """Run a plan with values for its parameters, or a text; return the rows."""

    def notice(self, text: str) -> None:
        """Send a NOTICE."""

    def warning(self, message: str, **parts: str) -> None:
        """Send a WARNING; `parts` are detail and hint."""

    def error(self, message: str, **parts: Any) -> Any:
        """Raise an error of PostgreSQL; does not return."""
