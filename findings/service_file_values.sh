#!/bin/sh
# A value in pg_service.conf is not read like one in a connection string, although both are libpq's
# "keyword=value": quotes and backslashes are part of the value, blanks after the equals sign are
# kept, and blanks at the end are removed. So format_conninfo() does not produce lines for a service
# file, and there are passwords that a connection string can represent and a service file cannot.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.2.10'
printf "[one]\npassword='two words'\n[two]\npassword= blanks \nhost=/nowhere\n" > "$work/services"
PGSERVICEFILE=$work/services "$work/venv/bin/python" - <<'END'
import sys
from psycopg import pq

def value(text):
    connection = pq.PGconn.connect_start(text.encode())
    found = {option.keyword: option.val for option in connection.info}
    connection.finish()
    return found[b"password"]

seen = {
    "connection string, quotes": value("host=/nowhere password='two words'"),
    "service file, quotes": value("service=one host=/nowhere"),
    "service file, blanks around": value("service=two"),
}
print("libpq", pq.version())
for how, found in seen.items():
    print(f"{how}: {found!r}")
expected = [b"two words", b"'two words'", b" blanks"]
sys.exit(0 if list(seen.values()) == expected else 1)
END
