"""Frozen dataclasses whose classes cost next to nothing to define.

`dataclasses.dataclass` generates and compiles the source of six functions for each class, and its
module imports `inspect`. A recovery starts four processes, and each imports some hundred such
classes but needs few of them. That cost a tenth of a second per process. The functions of a record
are the same for all classes.

To its users a record is a frozen dataclass: `dataclasses.fields`, `replace`, `asdict` and
`is_dataclass` accept it, type checkers know it through PEP 681, and
`tests/unit/domain/test_record.py` compares the two. It has no `__post_init__`, no ordering, and of
`field()` only the default factory.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform, get_origin

if TYPE_CHECKING:
    from dataclasses import replace

T = TypeVar("T")


class _Factory:
    """Marks a default that is made for each instance separately."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def field(*, default_factory: Callable[[], T]) -> T:
    """Return the marker of a default: each instance gets a new value from the factory."""
    made: Any = _Factory(default_factory)
    return made  # type: ignore[no-any-return]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: type[T]) -> type[T]:
    """Make a class with annotated fields a frozen dataclass; its own methods are kept.

    >>> @record
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> Point(1), Point(1) == Point(x=1, y=0), Point(1) == Point(2)
    (Point(x=1, y=0), True, False)

    Raises TypeError for a mutable default, which the instances would share, and for the `field()`
    of dataclasses.
    """
    own = {name: hint for name, hint in kind.__annotations__.items() if not _is_of_class(hint)}
    hints = {**getattr(kind, "__record_hints__", {}), **own}
    defaults = {**getattr(kind, "__record_defaults__", {})}
    defaults.update((name, vars(kind)[name]) for name in own if name in vars(kind))
    for name, default in defaults.items():
        if type(default).__hash__ is None or type(default).__module__ == "dataclasses":
            raise TypeError(f"{kind.__name__}.{name} cannot have {default!r} as its default")
    made: dict[str, object] = {
        "__match_args__": tuple(hints),
        "__record_hints__": hints,
        "__record_defaults__": defaults,
        "__record_makes__": any(isinstance(each, _Factory) for each in defaults.values()),
        "__dataclass_fields__": _Fields(),
    }
    made.update((name, each) for name, each in FUNCTIONS.items() if name not in vars(kind))
    for name, each in made.items():
        setattr(kind, name, each)
    return kind


def names_of(value: Any) -> tuple[str, ...]:
    """Return the names of the fields of a record or of its class, in order."""
    names: tuple[str, ...] = value.__match_args__
    return names


def is_record(kind: object) -> bool:
    """Return whether this is a class of records."""
    return isinstance(kind, type) and hasattr(kind, "__record_hints__")


if not TYPE_CHECKING:

    def replace(value, /, **changes):
        """Return a record with some fields changed, as `dataclasses.replace` does."""
        return type(value)(**{name: getattr(value, name) for name in names_of(value)} | changes)


class _Fields:
    """What the functions of `dataclasses` need; that module makes it on the first access."""

    def __get__(self, _instance: object, kind: type[Any]) -> Mapping[str, Any]:
        from dataclasses import dataclass, field

        body = {"__annotations__": kind.__record_hints__, "__doc__": ""}
        for name, default in kind.__record_defaults__.items():
            is_made = isinstance(default, _Factory)
            body[name] = field(default_factory=default.make) if is_made else default
        plain: Any = dataclass(init=False, repr=False, eq=False)(type(kind.__name__, (), body))
        made: Mapping[str, Any] = plain.__dataclass_fields__
        type.__setattr__(kind, "__dataclass_fields__", made)
        return made


def _is_of_class(hint: object) -> bool:
    return hint is ClassVar or get_origin(hint) is ClassVar


def _init(self: Any, /, *values: Any, **named: Any) -> None:
    kind = type(self)
    given = dict(zip(kind.__match_args__, values, strict=False)) | named
    if len(given) < len(values) + len(named):
        raise TypeError(f"{kind.__qualname__} got {len(values)} values and {', '.join(named)}")
    given = kind.__record_defaults__ | given
    if given.keys() != kind.__record_hints__.keys():
        raise TypeError(
            f"{kind.__qualname__} has the fields {', '.join(kind.__match_args__)}, "
            f"and got {', '.join(given)}"
        )
    if kind.__record_makes__:
        given = {k: v.make() if isinstance(v, _Factory) else v for k, v in given.items()}
    vars(self).update(given)


def _values(self: Any) -> tuple[Any, ...]:
    held = vars(self)
    return tuple([held[name] for name in self.__match_args__])


def _eq(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _repr(self: Any) -> str:
    held = vars(self)
    fields = ", ".join(f"{name}={held[name]!r}" for name in self.__match_args__)
    return f"{type(self).__qualname__}({fields})"


def _setattr(_self: object, name: str, _value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_self: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


FUNCTIONS: Mapping[str, object] = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
}

__all__ = ["field", "is_record", "names_of", "record", "replace"]
