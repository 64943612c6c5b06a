"""Assemble the extensions and include them in the wheel for `pgpool-recovery install`."""

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGED = Path("src", "pgpool_recovery", "extension")


class AssembleExtension(BuildHookInterface[Any]):
    """Runs extension/build.py and writes the result into the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the control files and the SQL scripts to their place in the package."""
        root = Path(self.root)
        build = _load(root / "extension" / "build.py")
        build.main(root / PACKAGED)
        for control in (root / "extension").glob("*.control"):
            build.write(root / PACKAGED / control.name, control.read_text())
        build_data["artifacts"].append(f"/{PACKAGED}/*")


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("extension_build", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
