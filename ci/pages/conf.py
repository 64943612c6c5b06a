"""Sphinx's configuration; `python -m ci.pages` prepares the pages that it reads."""

import re
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
_PACKAGE = (_REPOSITORY / "src/pgpool_recovery/__init__.py").read_text()
_VERSION = re.search(r'^__version__ = "(.+)"', _PACKAGE, re.MULTILINE)

project = "pgpool-recovery"
author = "the contributors of pgpool-recovery"
project_copyright = author
release = _VERSION[1] if _VERSION else ""
extensions = ["myst_parser", "sphinx_copybutton"]
nitpicky = True
myst_heading_anchors = 6
"""Links to headings work as on GitHub."""
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure"]
"""A signature with an arrow, or psql's `\\watch`, is not quite SQL; what is gets its colours."""
html_theme = "furo"
html_title = f"pgpool-recovery {release}"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"source_repository": "", "top_of_page_buttons": []}
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = False
