#!/bin/sh
# With PGSSLNEGOTIATION=direct in the environment, libpq refuses a connection string that says
# sslmode=disable, although TLS is then not negotiated at all. It also refuses one that names a
# Unix-domain socket, where the manual says that sslmode is ignored. The connection string has to
# say sslnegotiation=postgres; over the socket, sslmode=require helps as well.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.2.10'
PGSSLNEGOTIATION=direct "$work/venv/bin/python" - <<'END_OF_PYTHON'
import sys
from psycopg import pq

print("libpq", pq.version())
refused = []
for text in (
    "host=/nowhere",
    "host=/nowhere sslmode=disable",
    "host=/nowhere sslmode=require",
    "host=/nowhere sslmode=disable sslnegotiation=postgres",
):
    connection = pq.PGconn.connect(text.encode())
    said = connection.error_message.decode().splitlines()[0]
    connection.finish()
    print(f"{text}: {said}")
    refused.append("may not be used with sslnegotiation=direct" in said)
sys.exit(0 if refused == [True, True, False, False] else 1)
END_OF_PYTHON
