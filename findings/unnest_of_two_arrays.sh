#!/bin/sh
# unnest(a, b) of two arrays in FROM is not a function: the parser recognises only the unqualified
# name, and turns it into ROWS FROM (unnest(a), unnest(b)). So a query that worked fails once its
# names are qualified with pg_catalog, which is done to be independent of the search path.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
mkdir "$work/data"
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data"
    as='setpriv --reuid=nobody --clear-groups'
fi
$as "$bin/initdb" -D "$work/data" -U postgres -A trust --no-sync >/dev/null
"$bin/postgres" --version
ask() {
    echo "SELECT count(*) AS rows FROM $1" >"$work/query"
    $as "$bin/postgres" --single -D "$work/data" postgres <"$work/query" 2>&1 |
        grep -o 'rows = "[0-9]*"\|ERROR: .*' || true
}
plain=$(ask "unnest(array[1, 2], array[3, 4])")
qualified=$(ask "pg_catalog.unnest(array[1, 2], array[3, 4])")
one_by_one=$(ask "ROWS FROM (pg_catalog.unnest(array[1, 2]), pg_catalog.unnest(array[3, 4]))")
echo "unnest(a, b): $plain"
echo "pg_catalog.unnest(a, b): $qualified"
echo "ROWS FROM (pg_catalog.unnest(a), pg_catalog.unnest(b)): $one_by_one"
case $qualified in *"does not exist"*) ;; *) exit 1 ;; esac
[ "$plain" = 'rows = "2"' ] && [ "$one_by_one" = 'rows = "2"' ]
