"""What is told of an exception that nobody expected: its kind and its places, and no value.

A KeyError shows the key, a UnicodeDecodeError holds the whole file, and what libraries say quotes
what they were given: a password, a line of somebody's data. A report goes to pgpool.log, to the
record and to people; with the kind and the places it can be mended.
"""

import errno
import re

KEPT_PLACES, KEPT_CAUSES = 20, 4
IN_PACKAGE = re.compile(r"^.*/(?=pgpool_recovery/)")


def kind_of(error: BaseException) -> str:
    """Return the name of an exception's type, and what it says where no value can be in it.

    That is the system's number of an error, and what Python could not load.

    >>> kind_of(KeyError("x")), kind_of(FileNotFoundError(2, "x", "/y"))
    ('KeyError', 'FileNotFoundError (ENOENT)')
    """
    kind = type(error)
    is_builtin = kind.__module__ == "builtins"
    name = kind.__qualname__ if is_builtin else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name} ({errno.errorcode.get(error.errno, error.errno)})"
    return f"{name}: {error}" if isinstance(error, ImportError) else name


def places_of(error: BaseException) -> str:
    """Return where an exception was raised, and those that it came of: file, line and function."""
    parts, seen = [_places(error)], {id(error)}
    while len(seen) <= KEPT_CAUSES:
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None or id(cause) in seen:
            break
        parts.append(f"It came of {kind_of(cause)}, {_places(cause)}")
        seen.add(id(cause))
        error = cause
    return "\n".join(parts)


def _places(error: BaseException) -> str:
    import traceback  # What it imports is used when something has failed, and takes 3 ms.

    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{IN_PACKAGE.sub('', frame.filename)}:{frame.lineno} {frame.name}" for frame in frames
    ]
    return "in this order:\n" + "\n".join(places[-KEPT_PLACES:]) if places else "at no place."
