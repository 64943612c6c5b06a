"""Read the settings file, and report all complaints at once."""

import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.config.structure import UNKNOWN, structured
from pgpool_recovery.domain.error import SettingsError, reason_of
from pgpool_recovery.files.trust import (
    TrustFault,
    Untrusted,
    group_name,
    mine_and_roots,
    read_trusted,
    user_name,
)

DEFAULT_FILE = Path("/etc/pgpool-recovery.toml")
VARIABLE = "PGPOOL_RECOVERY_CONFIG"
DESCRIBED = "The settings are described in pgpool-recovery.toml(5) and docs/reference/settings.md."
LATER = " An unknown setting may belong to a later version: install the same version on all hosts."


def settings_file(named: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file to read: that of the command line, of the variable, or the default."""
    return Path(named or environment.get(VARIABLE) or DEFAULT_FILE)


def load_settings(file: Path) -> Settings:
    """Return the settings of a file; the default file may be missing. Raises SettingsError.

    They determine which programs run and where passwords are sent. So the file, and every directory
    on its path, must belong to root or to the user who runs this. Every host has such a file, so
    each complaint names its host.
    """
    try:
        return _load(file)
    except SettingsError as error:
        message = f"{os.uname().nodename}: {error.message}"
        raise SettingsError(message, detail=error.detail, hint=error.hint) from error


def _load(file: Path) -> Settings:
    try:
        text = _text_of(file)
    except FileNotFoundError:
        if file == DEFAULT_FILE:
            return Settings()
        raise SettingsError(f"settings file {file} does not exist") from None
    except Untrusted as untrusted:
        raise SettingsError(
            f"settings file {file} can be changed by others",
            detail=f"{untrusted.why}. The settings determine which programs run and where "
            "passwords are sent.",
            hint=_fix(untrusted),
        ) from untrusted
    except PermissionError as error:
        raise _may_not_read(file, error) from error
    except OSError as error:
        raise SettingsError(f"could not read settings file {file}: {reason_of(error)}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"could not read settings file {file}",
            detail=f"It is not UTF-8: byte 0x{error.object[error.start]:02x} at offset "
            f"{error.start} is invalid.",
        ) from error
    return read_settings(_parsed(file, text), str(file), text)


def _parsed(file: Path, text: str) -> dict[str, Any]:
    import tomllib  # A host without a settings file starts faster without it.

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"settings file {file} is not TOML", detail=f"{error}.", hint="See toml.io."
        ) from error


def _fix(untrusted: Untrusted) -> str | None:
    """Return the command that fixes what is wrong, and only that; None if no command does."""
    path = shlex.quote(str(untrusted.path))
    return {TrustFault.OWNER: f"chown root {path}", TrustFault.MODE: f"chmod go-w {path}"}.get(
        untrusted.fault
    )


def _may_not_read(file: Path, error: PermissionError) -> SettingsError:
    """Return the failure for a user who may not read the file."""
    try:
        status = file.stat()
    except OSError:
        detail = "A directory on its path cannot be searched."
    else:
        detail = (
            f"It belongs to {user_name(status.st_uid)}, group {group_name(status.st_gid)}, and has "
            f"mode {stat.S_IMODE(status.st_mode):04o}."
        )
    name = shlex.quote(str(file))
    return SettingsError(
        f"could not read settings file {file}: {reason_of(error)}",
        detail=f'{detail} This command runs as user "{user_name(os.geteuid())}".',
        hint=f"Let the user that runs PostgreSQL read it: chown root:postgres {name}; "
        f"chmod 0640 {name}.",
    )


def sound_part(file: Path) -> Settings:
    """Return the settings of the tables that have no error, and the defaults for the others.

    This is only for reporting the errors in the way that the file asks for.
    """
    try:
        values = _parsed(file, _text_of(file))
    except (OSError, Untrusted, UnicodeDecodeError, SettingsError):
        return Settings()
    return read_settings({k: v for k, v in values.items() if _is_sound(k, v)}, str(file))


def _text_of(file: Path) -> str:
    return read_trusted(file, mine_and_roots()).decode()


def _is_sound(name: str, table: object) -> bool:
    try:
        read_settings({name: table}, name)
    except SettingsError:
        return False
    return True


def read_settings(values: Mapping[str, Any], origin: str, text: str = "") -> Settings:
    """Return the settings of parsed TOML; raise SettingsError with all complaints.

    `origin` names the file in the complaint, and `text` is its contents, for the line numbers.
    """
    settings, complaints = structured(values)
    complaints += _contradictions(settings)
    if complaints:
        from pgpool_recovery.config.complaint import with_lines

        is_unknown = any(line.startswith(UNKNOWN) for line in complaints)
        raise SettingsError(
            f"settings file {origin} has {len(complaints)} error{'s' * (len(complaints) > 1)}",
            detail="\n".join(with_lines(complaints, text, Settings)),
            hint=DESCRIBED + (LATER if is_unknown else ""),
        )
    return settings


def _contradictions(settings: Settings) -> Iterator[str]:
    """Yield complaints about settings that are valid each, but make no sense together."""
    for node_id, node in settings.node.items():
        if node.start_command and node.host is None:
            yield (
                f"start_command without host in node.{node_id} (pgpool_remote_start does not get "
                "the node id, and finds a node by its host)"
            )
    for method, one in settings.method.items():
        if not one.command:
            yield f"no command in method.{method} (it is what makes the data)"
    for name, table in (("replication", settings.replication), ("pgpool", settings.pgpool)):
        if (table.sslcert is None) != (table.sslkey is None):
            yield f"sslcert and sslkey must be set together in {name} (a certificate and its key)"
