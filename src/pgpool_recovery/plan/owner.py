"""Directories whose owner or mode keeps the agent from using them; they may hold good data."""

import shlex

from pgpool_recovery.facts.facts import PlaceFacts, TargetFacts
from pgpool_recovery.facts.rejection import Rejection

CHECK_PATH = "Check backend_data_directory in pgpool.conf."


def reject_owner(name: str, target: TargetFacts, place: PlaceFacts) -> Rejection:
    """Return why a directory cannot be used, with the command that gives it to the agent's user.

    The directory could not be read, so the message says nothing about its contents and does not
    advise emptying it.
    """
    user, host, path = target.user, target.hostname, place.path
    word = shlex.quote(path)
    right = f"If the path is right, on {host}, as root:"
    if place.problem is not None:
        hint = (
            f"{CHECK_PATH} {right} chown -R {user}: {word}."
            if place.is_of_another_user
            else CHECK_PATH
        )
        return Rejection(
            f"{path} of {name} cannot be used: {place.problem}",
            detail=f"The agent runs as {user} on {host}.",
            hint=hint,
        )
    command = f"chmod u+rwx {word}" if place.exists else f"install -d -o {user} -m 0700 {word}"
    return Rejection(
        f"permission denied to replace {path} of {name}",
        detail=f"The agent runs as {user} on {host}.",
        hint=f"{CHECK_PATH} {right} {command}.",
    )
