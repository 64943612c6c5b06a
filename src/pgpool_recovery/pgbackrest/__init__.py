"""pgBackRest's words: what it says of a repository, and what it is told to do."""
