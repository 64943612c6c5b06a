"""The command line: words in, lines and an exit status out."""
