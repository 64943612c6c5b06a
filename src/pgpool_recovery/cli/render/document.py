"""Render values as JSON documents, each with the version of its format."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from pgpool_recovery.domain.error import RecoveryError

VERSION = 1


def plain(value: Any) -> Any:
    """Return a value that JSON can represent: a dataclass as an object, a time as ISO 8601."""
    if isinstance(value, RecoveryError):
        return value.as_record()
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def document(**parts: Any) -> str:
    """Return a document with these keys, indented."""
    return json.dumps({"version": VERSION, **plain(parts)}, indent=2)


def line(**parts: Any) -> str:
    """Return a document with these keys, on one line."""
    return json.dumps({"version": VERSION, **plain(parts)})
