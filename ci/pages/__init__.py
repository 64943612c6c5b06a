"""Build the site: the Markdown pages of this repository, as Sphinx shows them."""
