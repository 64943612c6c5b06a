"""A record behaves like a frozen dataclass with the same fields."""

import copy
import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from pgpool_recovery.domain.record import field, is_record, names_of, record, replace


@record
class Ours:
    """A record."""

    kind: ClassVar[str] = "class"
    number: int
    text: str = "t"
    more: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"number {self.number}"


@dataclasses.dataclass(frozen=True)
class Theirs:
    """The same."""

    kind: ClassVar[str] = "class"
    number: int
    text: str = "t"
    more: dict[str, int] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return f"number {self.number}"


def matched(value: Any) -> object:
    match value:
        case Ours(number, text) | Theirs(number, text):
            return number, text
    return None


def outcome(use: Callable[[Any], object], kind: Any) -> object:
    """Return the result of a use or the type of its error; texts without the class name."""
    try:
        result = use(kind)
    except Exception as error:  # noqa: BLE001 - which one is what is compared
        return type(error)
    return result.replace(kind.__name__, "") if isinstance(result, str) else result


USES: dict[str, Callable[[Any], object]] = {
    "repr": lambda kind: repr(kind(1, more={"a": 1})),
    "its own method": lambda kind: str(kind(1)),
    "defaults": lambda kind: dataclasses.astuple(kind(1)),
    "names": lambda kind: dataclasses.astuple(kind(more={}, number=2)),
    "all of them": lambda kind: dataclasses.asdict(kind(1, "x", {"a": 1})),
    "no value": lambda kind: kind(),
    "a value too much": lambda kind: kind(1, "x", {}, 4),
    "a value twice": lambda kind: kind(1, number=1),
    "an unknown name": lambda kind: kind(1, other=1),
    "an unknown name instead of another": lambda kind: kind(other=1),
    "a factory is asked each time": lambda kind: kind(1).more is kind(1).more,
    "equal": lambda kind: kind(1, more={"a": 1}) == kind(1, more={"a": 1}),
    "not equal": lambda kind: kind(1) == kind(1, "other"),
    "to its values": lambda kind: kind(1) == (1, "t", {}),
    "to a subclass": lambda kind: kind(1) == type("Sub", (kind,), {})(1),
    "hash": lambda kind: hash(kind(1, more=())),
    "hash of what has none": lambda kind: hash(kind(1)),
    "in a set": lambda kind: len({kind(1, more=()), kind(1, more=())}),
    "assignment": lambda kind: setattr(kind(1), "number", 2),
    "assignment to no field": lambda kind: setattr(kind(1), "other", 2),
    "deletion": lambda kind: delattr(kind(1), "number"),
    "pattern": lambda kind: matched(kind(3)),
    "attributes": lambda kind: vars(kind(1)),
    "of the class": lambda kind: (kind.kind, kind.text, kind.__doc__ is not None),
    "is one": lambda kind: list(map(dataclasses.is_dataclass, (kind, kind(1)))),
    "fields": lambda kind: [
        (one.name, one.type, one.default, one.default_factory, one.init)
        for one in dataclasses.fields(kind)
    ],
    "replace": lambda kind: dataclasses.astuple(dataclasses.replace(kind(1), text="x")),
    "replace what is not there": lambda kind: dataclasses.replace(kind(1), other="x"),
    "copies": lambda kind: copy.deepcopy(kind(1)) == copy.copy(kind(1)),
}


@pytest.mark.parametrize("use", USES)
def test_behaves_like_a_frozen_dataclass(use: str) -> None:
    assert outcome(USES[use], Ours) == outcome(USES[use], Theirs)


def test_replace() -> None:
    assert replace(Ours(1), text="x") == Ours(1, "x")
    with pytest.raises(TypeError):
        replace(Ours(1), other=1)  # type: ignore[call-arg]


def test_which_classes_are_records() -> None:
    assert is_record(Ours)
    assert not is_record(Theirs)
    assert not is_record(Ours(1))
    assert names_of(Ours) == names_of(Ours(1)) == ("number", "text", "more")


@pytest.mark.parametrize("default", [[], {}, set(), dataclasses.field(default=1)])
def test_mutable_default_is_refused(default: object) -> None:
    with pytest.raises(TypeError, match="cannot have"):
        record(type("Wrong", (), {"__annotations__": {"a": list}, "a": default}))


def test_imports_neither_dataclasses_nor_inspect() -> None:
    """These two cost more than everything that an agent imports first."""
    program = (
        "import sys; from pgpool_recovery.domain.record import record, replace;"
        "kind = record(type('A', (), {'__annotations__': {'a': int}}));"
        "assert replace(kind(1), a=2) == kind(2) != kind(1);"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert not {b"dataclasses", b"inspect"} & set(run.stdout.split())
