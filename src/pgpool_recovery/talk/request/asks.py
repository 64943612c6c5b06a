"""What a request declares: the type of its answer."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Asks(Generic[T]):
    """A request that is answered with a T; a request of no such class is never answered."""
