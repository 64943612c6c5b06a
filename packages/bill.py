"""The bill of materials of a release: what the packages contain, in the format CycloneDX 1.6."""

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement

from packages.archive import members
from packages.project import NAME, SUMMARY, source_date, version

CLASSIFIERS = {"License :: OSI Approved :: MIT License": "MIT"}
"""The licences of wheels that do not state theirs as an SPDX expression."""
SERIES = uuid.UUID("2f1c7f3a-6d5e-4c1b-9b1e-0f6a3c8d7e52")
"""The namespace of the serial numbers, which depend on nothing but the wheels."""


class Unlicensed(ValueError):
    """A wheel whose licence is not known; find it out, and add it to CLASSIFIERS."""


class Invalid(ValueError):
    """The bill does not follow the schema of its format."""


def build(wheels: Path, into: Path) -> Path:
    """Write the bill of a directory of wheels, one of which is ours, and return its path."""
    text = bill_of({wheel.name: wheel.read_bytes() for wheel in sorted(wheels.glob("*.whl"))})
    check(text)
    path = into / f"{NAME}-{version(wheels)}.cdx.json"
    path.write_text(f"{text}\n")
    return path


def bill_of(wheels: Mapping[str, bytes]) -> str:
    """Return the bill as JSON; `wheels` are their contents from their file names."""
    about = {name: _metadata(data) for name, data in wheels.items()}
    parts = {_normal(about[name]["Name"]): _component(about[name], wheels[name]) for name in wheels}
    ours = parts[NAME]
    bill = Bom(
        components=[part for part in parts.values() if part is not ours],
        serial_number=uuid.uuid5(SERIES, "".join(map(_sha256, wheels.values()))),
    )
    bill.metadata.component = ours
    bill.metadata.timestamp = datetime.fromtimestamp(source_date(), UTC)
    for metadata in about.values():
        needed = [parts[name] for name in _needed(metadata) if name in parts]
        bill.register_dependency(parts[_normal(metadata["Name"])], needed)
    output = make_outputter(bill, OutputFormat.JSON, SchemaVersion.V1_6)
    return str(output.output_as_string(indent=2))


def check(text: str) -> None:
    """Raise Invalid if the bill does not follow its schema."""
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        raise Invalid(fault)


def licence_of(metadata: EmailMessage) -> str:
    """Return the licence of a wheel as an SPDX expression; raise Unlicensed if it is not known."""
    if metadata["License-Expression"] is not None:
        return str(metadata["License-Expression"])
    for classifier in metadata.get_all("Classifier", []):
        if classifier in CLASSIFIERS:
            return CLASSIFIERS[classifier]
    raise Unlicensed(f"{metadata['Name']} {metadata['Version']}")


def _component(metadata: EmailMessage, wheel: bytes) -> Component:
    name, number = _normal(metadata["Name"]), str(metadata["Version"])
    is_ours = name == NAME
    # Ours is not on the index that a "pypi" URL refers to.
    kind = "generic" if is_ours else "pypi"
    return Component(
        name=name,
        version=number,
        type=ComponentType.APPLICATION if is_ours else ComponentType.LIBRARY,
        description=SUMMARY if is_ours else str(metadata["Summary"]),
        bom_ref=f"{name}-{number}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=_sha256(wheel))],
        licenses=[LicenseExpression(licence_of(metadata))],
        purl=PackageURL(kind, None, name, number),
    )


def _needed(metadata: EmailMessage) -> Iterable[str]:
    """Yield what a wheel needs on Linux without extras, with some Python that we support."""
    for line in metadata.get_all("Requires-Dist", []):
        needed = Requirement(line)
        lowest = {"extra": "", "python_version": "3.11", "python_full_version": "3.11.0"}
        if needed.marker is None or needed.marker.evaluate({**lowest, "sys_platform": "linux"}):
            yield _normal(needed.name)


def _metadata(wheel: bytes) -> EmailMessage:
    (data,) = (
        contents
        for member, contents in members(wheel).items()
        if re.fullmatch(r"[^/]+\.dist-info/METADATA", member)
    )
    return BytesParser(policy=default).parsebytes(data)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
