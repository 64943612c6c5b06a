"""Describe an unexpected exception by its type and its call stack, without any value.

A KeyError shows the key, a UnicodeDecodeError holds the whole file, and the messages of libraries
quote what they were given, which may be a password or a line of user data. A report goes to
pgpool.log, to the record and to people. The type and the call stack are enough to fix the bug.
"""

import errno
import re

KEPT_PLACES, KEPT_CAUSES = 20, 4
IN_PACKAGE = re.compile(r"^.*/(?=pgpool_recovery/)")


def kind_of(error: BaseException) -> str:
    """Return the name of an exception's type, and its message where that cannot contain a value.

    That is the errno of a system error, and the name of a module that could not be imported.

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
    """Return the call stacks of an exception and of its causes: file, line and function."""
    parts, seen = [_places(error)], {id(error)}
    while len(seen) <= KEPT_CAUSES:
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None or id(cause) in seen:
            break
        parts.append(f"Caused by {kind_of(cause)}. {_places(cause)}")
        seen.add(id(cause))
        error = cause
    return "\n".join(parts)


def _places(error: BaseException) -> str:
    import traceback  # This takes 3 ms and is needed only after a failure.

    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{IN_PACKAGE.sub('', frame.filename)}:{frame.lineno} {frame.name}" for frame in frames
    ]
    return "Call stack:\n" + "\n".join(places[-KEPT_PLACES:]) if places else "No call stack."
