"""Print the files of a server that a whole copy has, as the agent of a source lists them."""

import json
import sys
from pathlib import Path

from pgpool_recovery.blocks.source import SourceFiles
from pgpool_recovery.facts.blocks import BlockFormat, BlockSource


def main() -> None:
    """Read the directory from the command line; print a JSON array of paths."""
    data = Path(sys.argv[1])
    links = list((data / "pg_tblspc").iterdir())
    major = (data / "PG_VERSION").read_text().strip()
    (version,) = {each.name for link in links for each in link.glob(f"PG_{major}_*")}
    source = BlockSource(
        str(data),
        tuple(int(link.name) for link in links),
        BlockFormat("1", version, block_bytes=8192, segment_blocks=131072, has_checksums=False),
        is_whole=True,
    )
    entries = SourceFiles(source).entries(None)
    print(json.dumps([path for path, size in entries if size is not None]))


if __name__ == "__main__":
    main()
