"""The command: words in, lines and an exit status out."""
