#!/bin/sh
# In PostgreSQL's configuration files, the equals sign between a name and its value is optional.
# So is the blank: "max_connections'200'" sets max_connections to 200, and "include'FILE'" includes
# a file. So it does not do to look for a name that is followed by a blank or an equals sign.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
"$bin/postgres" --version
mkdir -m 700 "$work/data"
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data"
    as='setpriv --reuid=nobody --clear-groups'
fi
seen=
try() { # Print the max_connections that a server with these lines has.
    printf '%s\n' "$@" >"$work/data/postgresql.conf"
    found=$($as "$bin/postgres" -D "$work/data" -C max_connections 2>/dev/null) || found=refused
    echo "$*: $found"
    seen="$seen $found"
}
echo 16 >"$work/data/PG_VERSION"
echo "max_connections = 300" >"$work/data/more.conf"
try "# nothing"
try "max_connections = 200"
try "max_connections'200'"
try "max_connections200"
try "include'more.conf'"
[ "$seen" = ' 100 200 200 refused 300' ]
