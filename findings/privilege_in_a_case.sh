#!/bin/sh
# CASE WHEN has_function_privilege(...) THEN that_function(...) END does not prevent "permission
# denied": EXECUTE is checked when the executor prepares the expression, even for the branch that is
# never taken. A role that may not call the function needs another query.
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
cat >"$work/queries" <<'END'
CREATE ROLE somebody
SET ROLE somebody
SELECT has_function_privilege('pg_stat_file(text)', 'execute') AS may_call
SELECT CASE WHEN has_function_privilege('pg_stat_file(text)', 'execute') THEN (pg_stat_file(n::text)).size ELSE 1 END AS size FROM generate_series(1, 1) AS n
END
answers=$($as "$bin/postgres" --single -D "$work/data" postgres <"$work/queries" 2>&1 |
    grep -o 'may_call = "."\|size = "[0-9]*"\|ERROR: .*')
echo "$answers"
[ "$answers" = 'may_call = "f"
ERROR:  permission denied for function pg_stat_file' ]
