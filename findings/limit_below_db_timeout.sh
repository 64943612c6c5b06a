#!/bin/sh
# For repo-ls and repo-get, which read files and query no database, pgBackRest refuses a
# --protocol-timeout below the db-timeout of its configuration file; for info it accepts it. The
# option --db-timeout does not work for all of them: it helps repo-ls, but info does not know it.
# PGBACKREST_DB_TIMEOUT in the environment overrides the file, and works for both. For Debian 12,
# with libpq5 and libxml2.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/repo" "$work/download"
(cd "$work/download" && apt-get download -qq pgbackrest=2.45-1 2>/dev/null)
dpkg -x "$work"/download/pgbackrest_*.deb "$work/root"
cat >"$work/pgbackrest.conf" <<END
[global]
repo1-path=$work/repo
log-level-file=off
db-timeout=1800
protocol-timeout=1830
END
seen=
ask() { # Print a command's exit status and output; it has 10 seconds.
    status=0
    "$work/root/usr/bin/pgbackrest" --config="$work/pgbackrest.conf" --protocol-timeout=10 "$@" \
        >"$work/said" 2>&1 || status=$?
    echo "--protocol-timeout=10 $*: exit status $status"
    grep -v '^No stanzas' "$work/said" || true
    seen="$seen $status"
}
"$work/root/usr/bin/pgbackrest" version
ask repo-ls
ask info
echo "With the word:"
ask repo-ls --db-timeout=5
ask info --db-timeout=5
echo "With PGBACKREST_DB_TIMEOUT=5 in the environment:"
export PGBACKREST_DB_TIMEOUT=5
ask repo-ls
ask info
[ "$seen" = ' 32 0 0 31 0 0' ]
