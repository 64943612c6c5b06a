"""The grammar of the commands as data, from which parser, help, completion and docs are made."""
