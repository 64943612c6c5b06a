"""Build the site: `python -m ci.pages DIRECTORY [BUILDER]`, in an environment with Sphinx."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

from ci.pages.diagram import drawn
from ci.pages.outside import fetched_by
from ci.pages.stage import FRONT, MAP, contents, places, staged

REPOSITORY = Path(__file__).resolve().parents[2]
WORK = REPOSITORY / ".build" / "pages"


def stage(source: Path) -> None:
    """Write the pages as Sphinx reads them; those that did not change keep their times."""
    where = places(REPOSITORY)
    written = set()

    def write(place: PurePosixPath, data: bytes) -> None:
        file = source / place
        written.add(file)
        if not file.exists() or file.read_bytes() != data:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    def draw(flowchart: str) -> PurePosixPath:
        name = hashlib.sha256(flowchart.encode()).hexdigest()[:12]
        place = PurePosixPath("diagrams", f"{name}.svg")
        write(place, drawn(flowchart))
        return place

    for page, place in where.items():
        data = (REPOSITORY / page).read_bytes()
        if page.suffix == ".md":
            text = staged(page, data.decode(), where, draw)
            if page == FRONT:
                text += contents((REPOSITORY / MAP).read_text(), where)
            data = text.encode()
        write(place, data)
    for file in source.rglob("*.*"):
        if file not in written:
            file.unlink()


def main(directory: Path, builder: str = "html") -> int:
    """Build the site; return 0, or not 0 after a warning, or if a page fetches from elsewhere.

    `builder`: Sphinx's; with "linkcheck" it follows the links to elsewhere instead.
    """
    stage(WORK / "source")
    shutil.rmtree(directory, ignore_errors=True)
    sphinx = [sys.executable, "-m", "sphinx", "--builder", builder, "--quiet"]
    paths = [
        "-c",
        str(Path(__file__).parent),
        "-d",
        str(WORK / "doctrees"),
        str(WORK / "source"),
        str(directory),
    ]
    built = subprocess.run([*sphinx, "--fail-on-warning", *paths], check=False).returncode
    if built:
        return built
    (directory / ".buildinfo").unlink(missing_ok=True)
    found = list(fetched_by(directory))
    for file, address in found:
        print(f"{file}: a browser would fetch {address}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
