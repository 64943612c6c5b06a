"""Which words each command takes, as data: of it parsing, help, completion and docs are made."""
