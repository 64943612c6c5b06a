#!/bin/sh
# PGPASSFILE=/dev/null, or passfile=/dev/null, is a common way to use no password file. At each
# connection attempt of any program, libpq warns on standard error that it is not a plain file. For
# a path below /dev/null, where no file can exist, it finds none and prints nothing.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
"$bin/pg_isready" --version
said() { # What is written to standard error; nothing listens there, which does not matter.
    PGPASSFILE=$1 "$bin/pg_isready" -q -h "$work" -p 7805 2>&1 || true
}
null=$(said /dev/null) below=$(said /dev/null/none) none=$(said "$work/none")
echo "/dev/null: $null"
echo "/dev/null/none: $below"
echo "a file that is not there: $none"
case $null in *WARNING*/dev/null*plain*) [ -z "$below$none" ] ;; *) exit 1 ;; esac
