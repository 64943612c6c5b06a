# Print what a host has, as lines of a name, a tab and a value; this changes nothing.
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
cd /
RECORDS=/var/lib/pgpool-recovery-setup
COMMANDS="recovery_1st_stage recovery_2nd_stage pgpool_remote_start pgpool_recovery_plan
    pgpool_recovery_check"

fact() {
    printf '%s\t%s\n' "$1" "$(printf '%s' "$2" | tr '\n\t' '  ')"
}

host() {
    fact user "$(id -un)"
    [ -r /etc/os-release ] && fact system "$(. /etc/os-release && printf '%s' "$PRETTY_NAME")"
    for manager in apt-get dnf; do
        if command -v "$manager" >/dev/null; then
            fact manager "$manager"
            break
        fi
    done
    if command=$(command -v pgpool-recovery); then
        fact command "$command"
        fact version "$(timeout 30 "$command" --version 2>&1 | tail -n 1)"
    fi
    for key in /etc/ssh/ssh_host_*_key.pub; do
        [ -r "$key" ] && fact host_key "$(cut -d ' ' -f 1,2 "$key")"
    done
    for record in "$RECORDS"/*.undo; do
        [ -e "$record" ] && fact record "${record##*/}"
    done
}

# package NAME: its version if it is installed, or else whether a repository has it.
package() {
    if command -v dpkg-query >/dev/null; then
        found=$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' "$1" 2>/dev/null | sed -n 's/^.i *//p')
        offered=$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p')
    else
        found=$(rpm -q --qf '%{VERSION}-%{RELEASE}' "$1" 2>/dev/null) || found=
        offered=$(timeout 60 dnf -q list --available "$1" 2>/dev/null | sed -n '2p')
    fi
    [ -n "$found" ] && fact "package.$1" "$found"
    [ -n "$found" ] || [ -z "$offered" ] || [ "$offered" = '(none)' ] || fact offered "$1"
}

# kind FILE: whose a stage command is.
kind() {
    if ! [ -e "$1" ]; then
        echo absent
    elif grep -q 'Part of pgpool-recovery\.' "$1"; then
        called=$(sed -n 's/^.*exec \([^ ]*\) .*$/\1/p' "$1" | tr -d "'")
        if [ -x "$called" ]; then echo ours; else echo broken; fi
    elif grep -v '^[[:space:]]*#' "$1" | grep -q '\(^\|[^-.[:alnum:]_]\)pgpool-recovery\($\|[^-./[:alnum:]_]\)'; then
        echo wrapper
    elif grep -q 'This script is executed by "recovery_1st_stage" to recovery a Standby node\|This script is run after recovery_1st_stage to start Standby node\|recovery script for native replication' "$1"; then
        echo sample
    else
        echo own
    fi
}

# node ID PORT DATA_DIRECTORY: the data directory, its owner, and the server. Whatever the owner can
# choose, such as a program or a link, is run and read as the owner: root would do more than that.
node() {
    id=$1 port=$2 data=$3
    owner= bindir= socket=
    if ! [ -e "$data/PG_VERSION" ]; then
        fact "node.$id.state" empty
        return
    fi
    owner=$(stat -L -c %U "$data")
    if [ "$owner" = root ] || ! getent passwd "$owner" >/dev/null; then
        fact "node.$id.state" unknown
        fact "node.$id.problem" "$data belongs to $owner, who runs no server"
        owner=
        return
    fi
    home=$(getent passwd "$owner" | cut -d: -f6)
    fact "node.$id.owner" "$owner"
    fact "node.$id.home" "$home"
    major=$(as_user "$owner" head -n 1 "$data/PG_VERSION" | grep -x '[1-9][0-9]*')
    fact "node.$id.major" "$major"
    for name in $COMMANDS; do
        fact "node.$id.script" "$name $(kind "$data/$name")"
    done
    for name in pgpool-recovery "postgresql-$major-pgpool-recovery" "postgresql-plpython3-$major" \
        "pgpool-recovery-pg$major" "postgresql$major-plpython3"; do
        package "$name"
    done
    ssh_key
    as_user "$owner" cat "$home/.ssh/authorized_keys" 2>/dev/null | while read -r line; do
        fact "node.$id.authorized" "$line"
    done
    for bindir in "/usr/lib/postgresql/$major/bin" "/usr/pgsql-$major/bin" /usr/bin; do
        [ -x "$bindir/pg_config" ] && break
    done
    pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
    if [ -n "$pid" ] && program=$(readlink "/proc/$pid/exe") && [ "${program##*/}" = postgres ]; then
        bindir=${program%/*}
        port=$(sed -n 4p "$data/postmaster.pid")
        socket=$(sed -n 5p "$data/postmaster.pid")
        fact "node.$id.state" running
        fact "node.$id.port" "$port"
        fact "node.$id.socket" "$socket"
    else
        fact "node.$id.state" stopped
    fi
    fact "node.$id.bindir" "$bindir"
    if [ -x "$bindir/pg_config" ]; then
        control=$(as_user "$owner" "$bindir/pg_config" --sharedir)/extension/pgpool_recovery.control
        [ -r "$control" ] &&
            fact "node.$id.control" "$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$control")"
        library=$(as_user "$owner" "$bindir/pg_config" --pkglibdir)
        [ -e "$library/plpython3.so" ] && fact "node.$id.plpython" yes
    fi
    [ -n "$socket" ] && server
}

ssh_key() {
    for name in id_rsa_pgpool id_ed25519 id_ecdsa id_rsa; do
        if [ -r "$home/.ssh/$name.pub" ] && [ -r "$home/.ssh/$name" ]; then
            fact "node.$id.key" "$(as_user "$owner" head -n 1 "$home/.ssh/$name.pub" |
                cut -d ' ' -f 1,2)"
            break
        fi
    done
}

# ask DATABASE SQL: rows, their columns separated by a blank.
ask() {
    as_user "$owner" timeout 30 "$bindir/psql" -X -A -t -q -w -F ' ' -h "$socket" -p "$port" \
        -d "$1" -c "$2"
}

# query DATABASE SQL: the rows alone. A server may warn whenever a session begins, as it does of
# another version of a collation.
query() {
    ask "$@" 2>/dev/null
}

server() {
    in_recovery='SELECT pg_catalog.pg_is_in_recovery()'
    case $(query postgres "$in_recovery") in
    t) fact "node.$id.role" standby ;;
    f) fact "node.$id.role" primary ;;
    *)
        fact "node.$id.problem" "$(ask postgres "$in_recovery" 2>&1)"
        return
        ;;
    esac
    for name in hba_file wal_log_hints data_checksums summarize_wal; do
        fact "node.$id.setting" "$name $(query postgres "
            SELECT setting FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) '$name'")"
    done
    fact "node.$id.recovery_user" "$(query postgres "
        SELECT CASE WHEN rolsuper THEN 'superuser' ELSE 'role' END FROM pg_catalog.pg_roles
         WHERE rolname OPERATOR(pg_catalog.=) $RECOVERY_USER")"
    include
    for database in $DATABASES; do
        found=$(query "$database" "
            SELECT e.extversion, n.nspname FROM pg_catalog.pg_extension e
              JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
             WHERE e.extname OPERATOR(pg_catalog.=) 'pgpool_recovery'") || continue
        fact "node.$id.extension" "$database $found"
        may_call=$(query "$database" "
            SELECT pg_catalog.bool_and(
                       pg_catalog.has_function_privilege($RECOVERY_USER, p.oid, 'EXECUTE'))
              FROM pg_catalog.pg_proc p
             WHERE p.proname OPERATOR(pg_catalog.=) ANY ('{pgpool_recovery,pgpool_remote_start}')")
        [ "$may_call" != t ] || fact "node.$id.may_call" "$database"
    done
    roles=$(query postgres "
        SELECT rolname FROM pg_catalog.pg_roles
         WHERE rolcanlogin AND (rolreplication OR rolsuper)
           AND rolname OPERATOR(pg_catalog.~) '^[A-Za-z0-9_.-]+\$'
         ORDER BY EXISTS (SELECT FROM pg_catalog.pg_stat_replication
                           WHERE usename OPERATOR(pg_catalog.=) rolname) DESC,
               rolsuper, rolname LIMIT 8")
}

# include: whether a postgresql.conf outside of the data directory includes the file of the samples,
# or a line that does so could be added: the owner may write it, and it changes nothing now.
include() {
    config=$(query postgres "SELECT setting FROM pg_catalog.pg_settings
        WHERE name OPERATOR(pg_catalog.=) 'config_file'")
    case $config in
    '' | "$data"/* | "$(readlink -f "$data")"/*) return ;;
    esac
    if as_user "$owner" cat "$config" "${config%/*}"/conf.d/*.conf 2>/dev/null |
        grep -v '^[[:space:]]*#' | grep -qF "$data/myrecovery.conf'"; then
        fact "node.$id.includes" yes
    elif ! [ -e "$data/myrecovery.conf" ] && as_user "$owner" test -w "$config" &&
        as_user "$owner" test -w "${config%/*}"; then
        fact "node.$id.setting" "config_file $config"
        fact "node.$id.includes" no
    fi
}

# peer ID HOST PORT: the way from this node to another one.
peer() {
    [ -n "$owner" ] || return 0
    for address in $(getent ahosts "$2" | cut -d ' ' -f 1 | sort -u); do
        fact "node.$id.address" "$1 $address"
    done
    set -- "$1" "$2" "$3" -o BatchMode=yes -o StrictHostKeyChecking=yes -o ControlPath=none \
        -o ConnectTimeout=5 -o LogLevel=INFO
    [ -r "$home/.ssh/id_rsa_pgpool" ] && set -- "$@" -i "$home/.ssh/id_rsa_pgpool"
    other=$1 to=$2 to_port=$3
    shift 3
    if said=$(as_user "$owner" timeout 20 ssh -T "$@" -- "$to" true 2>&1 </dev/null); then
        fact "node.$id.ssh" "$other ok"
    else
        fact "node.$id.ssh" "$other $said"
    fi
    [ -n "$bindir" ] && [ -n "${roles:-}" ] || return 0
    said=
    for role in $roles; do
        if said=$(as_user "$owner" env PGCONNECT_TIMEOUT=5 "$bindir/psql" -X -A -t -q -w \
            -d "host='$to' port=$to_port user='$role' dbname=replication replication=true" \
            -c IDENTIFY_SYSTEM 2>&1 >/dev/null </dev/null); then
            fact "node.$id.replication" "$other ok $role"
            return
        fi
        case $said in *refused* | *"timeout expired"* | *"o route to host"* | *"not translate"*) break ;; esac
    done
    fact "node.$id.replication" "$other no $said"
}
