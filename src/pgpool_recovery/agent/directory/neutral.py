"""Remove from a standby's configuration what would stop its replay or promote it."""

from collections.abc import Sequence
from pathlib import Path

from pgpool_recovery.agent.directory.configuration import (
    find_configuration,
    read_configuration_file,
    replace_auto,
    without_settings,
)
from pgpool_recovery.domain.data_directory import AUTO_CONFIGURATION
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.event import Say
from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.facts.leftover import COMMANDS, OLD_FILE, TAKEN_OUT, TARGETS, told_value
from pgpool_recovery.facts.leftover import TRIGGER_FILE as TRIGGER
from pgpool_recovery.host.program import run
from pgpool_recovery.host.setting_source import LINE, find_sources, plain
from pgpool_recovery.host.stop import Stop

TRAPS = (*TARGETS, TRIGGER)


def take_out(data: Path, names: Sequence[str], tell: Say) -> None:
    """Remove settings from postgresql.auto.conf, and report what they were."""
    file = data / AUTO_CONFIGURATION
    text = read_configuration_file(file) or ""
    matches = filter(None, map(LINE.match, lines_of(text)))
    found = {match[1].lower(): plain(match[2]) for match in matches if match[1].lower() in names}
    if not found:
        return
    replace_auto(file, "\n".join(without_settings(text, found)) + "\n")
    for name, value in found.items():
        shown = told_value(name, value)
        if value:
            tell(f"removed {name}{f' = {shown!r}' if shown else ''} from {AUTO_CONFIGURATION}")


def neutralise(
    directory: Path, place: Path, bin_directory: Path, stop: Stop, tell: Say, *, is_copy: bool
) -> None:
    """Make sure that no configuration file sets a recovery target, and that no file promotes it.

    `directory` becomes the data directory `place`. `is_copy`: its contents come from the primary
    and were never chosen for this node. Raises Refused for a setting that is still in force.
    """
    take_out(directory, [*TAKEN_OUT, *COMMANDS, TRIGGER] if is_copy else TAKEN_OUT, tell)
    if is_copy and (directory / OLD_FILE).exists():
        (directory / OLD_FILE).unlink()
        tell(f"removed the primary's {OLD_FILE} from the copy")
    inside = directory / "postgresql.conf"
    outside = None if inside.exists() else find_configuration(place, stop)
    file = inside if outside is None else outside[0]
    ask = EffectiveValues(directory, file, bin_directory, stop)
    found = ask.traps()
    if not found:
        return
    _override(directory, file, found, tell)
    for name, value in ask.traps().items():
        if value:
            raise Refused(
                f"could not override {name}",
                detail=f"It is still '{value}' with the configuration in {file}.",
            )


class EffectiveValues:
    """The values that a server would read from its configuration files."""

    def __init__(self, directory: Path, file: Path, bin_directory: Path, stop: Stop) -> None:
        self._argv = [str(bin_directory / "postgres"), "-D", str(directory)]
        self._argv += ["-c", f"data_directory={directory}", "-c", f"config_file={file}", "-C"]
        self._directory, self._file, self._stop = directory, file, stop

    def value(self, name: str) -> str | None:
        """Return a value; None if the server has no such setting, or cannot read its files yet.

        A file may include others by the path that the directory will have later.
        """
        said = run([*self._argv, name], self._stop)
        return said.output.split("\n")[-1] if said.status == 0 else None

    def traps(self) -> dict[str, str]:
        """Return the recovery targets that are set, and a trigger file that exists.

        A target whose value cannot be read counts as set. With two of them the server itself says
        only that it does not start.
        """
        sources = find_sources([self._file, self._directory / AUTO_CONFIGURATION])
        asked = [n for n in TRAPS if n in sources.settings or not sources.is_whole]
        found = {name: self.value(name) for name in asked if name != TRIGGER}
        traps = {name: value or "" for name, value in found.items() if value != ""}
        trigger = self.value(TRIGGER) if TRIGGER in asked else None
        if trigger and (self._directory / trigger).exists():
            traps[TRIGGER] = trigger
        return traps


def _override(directory: Path, file: Path, traps: dict[str, str], tell: Say) -> None:
    auto = directory / AUTO_CONFIGURATION
    sources = find_sources([file, auto]).settings
    lines = [f"{name} = ''" for name in traps]
    replace_auto(auto, (read_configuration_file(auto) or "") + "\n".join(lines) + "\n")
    for name, value in traps.items():
        if value:
            where = sources.get(name, str(file))
            tell(f"overrode {name} = {value!r} from {where} in {AUTO_CONFIGURATION}")
