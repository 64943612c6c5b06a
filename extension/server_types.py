"""Define types for the Python in the server, for the type checker only.

No function contains this module, any annotation or anything from ``typing``: build.py leaves them
out.
"""

from typing import Any, Dict, List, Protocol, Sequence, Tuple

Memory = Dict[str, Any]
"""SD, which lives as long as the session, or GD, which all functions of the session share."""
Row = Dict[str, Any]
"""A row by column names: the result of a query, or what a function returns."""
Rows = Sequence[Row]
Message = Dict[str, Any]
"""What backend and supervisor send each other; see the docstring of supervisor.py."""
Record = Dict[str, Any]
"""What a stage command reports about its failure: `message`, `target`, perhaps more texts."""
Wanted = Tuple[str, str, str]
"""A foreign server, a user, and when the statement that needs their mapping began."""
Found = Tuple[Wanted, List[Row]]
"""What was requested, and the mappings that were found."""


class Plpy(Protocol):
    """The module ``plpy``.

    Its exceptions have a `sqlstate`; those of a query are `SPIError`.
    """

    SPIError: Any
    Error: Any
    Fatal: Any

    def prepare(self, text: str, types: List[str]) -> object:
        """Return a plan."""

    def execute(self, query: object, values: Sequence[Any] = ()) -> Rows:
        """Run a plan with values for its parameters, or a query text; return the rows."""

    def notice(self, text: str) -> None:
        """Send a NOTICE."""

    def warning(self, message: str, **parts: str) -> None:
        """Send a WARNING; `parts` are its detail and hint."""

    def error(self, message: str, **parts: Any) -> Any:
        """Raise an error of PostgreSQL; does not return."""
