# What the commands below use. Nothing here changes a host by itself.
set -eu
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DEBIAN_FRONTEND=noninteractive
export LC_ALL PATH DEBIAN_FRONTEND
umask 022
cd /
RECORDS=/var/lib/pgpool-recovery-setup

# The lines are passed on standard input, since others can see the arguments of a program.

# has_line FILE LINE: whether a file has exactly this line.
has_line() {
    [ -e "$1" ] && printf '%s\n' "$2" | grep -qxF -f - "$1"
}

# EDIT begins the programs of sh that change a file "$1" of a user: they stop at the first error, and
# `put` replaces the file itself, not a link to it, and keeps its owner, mode and ACL.
# shellcheck disable=SC2016 # the other shell expands it
EDIT='set -eu
umask 077
file=$(readlink -f "$1")
new=$file.pgpool-recovery.new
trap "rm -f \"\$new\"" EXIT
put() {
    if [ -e "$file" ]; then
        cp -a --attributes-only --no-preserve=timestamps "$file" "$new"
        if [ "$(stat -c %u:%g "$file")" != "$(stat -c %u:%g "$new")" ]; then
            cat "$new" >"$file"
            return
        fi
    fi
    mv "$new" "$file"
}
'

# add_line USER FILE LINE: append a line, unless it is there, to a file of a user, who does it: root
# would follow links.
add_line() {
    ! has_line "$2" "$3" || return 0
    printf '%s\n' "$3" | as_user "$1" sh -c '
        set -eu
        umask 077
        [ -d "${1%/*}" ] || mkdir "${1%/*}"
        if [ -s "$1" ] && [ -n "$(tail -c 1 "$1")" ]; then echo >>"$1"; fi
        cat >>"$1"' sh "$2"
}

# first_line USER FILE LINE: put a line, unless it is there, before all others of a file of a user,
# who does it.
first_line() {
    ! has_line "$2" "$3" || return 0
    printf '%s\n' "$3" | as_user "$1" sh -c "$EDIT"'
        cat >"$new"
        if [ -e "$file" ]; then cat "$file" >>"$new"; fi
        put' sh "$2"
}

# remove_lines USER FILE BEGINNING: remove the lines that begin so from a file of a user, and a file
# that is left empty.
remove_lines() {
    printf '%s\n' "$3" | as_user "$1" sh -c '[ -e "$1" ] || exit 0
        '"$EDIT"'
        IFS= read -r BEGINNING
        export BEGINNING
        awk "index(\$0, ENVIRON[\"BEGINNING\"]) != 1" "$file" >"$new"
        if [ -s "$new" ] || [ -L "$1" ]; then
            put
        else
            rm "$1"
            case $1 in */.ssh/*) rmdir "${1%/*}" 2>/dev/null || true ;; esac
        fi' sh "$2"
}

# is_installed PACKAGE: whether a package is installed.
is_installed() {
    if command -v dpkg-query >/dev/null; then
        dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^.i'
    else
        rpm -q "$1" >/dev/null
    fi
}

# packages: the names of all installed packages, sorted.
packages() {
    if command -v dpkg-query >/dev/null; then
        dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^.i *//p' | sort -u
    else
        rpm -qa --qf '%{NAME}\n' | sort -u
    fi
}

# packages_before: record which packages there are, before some are added.
packages_before() {
    packages_added
    packages >"$RECORDS/packages.new"
    [ -s "$RECORDS/packages.new" ]
    mv "$RECORDS/packages.new" "$RECORDS/packages.before"
    counted=yes
}

# install_packages PACKAGE...: install packages, with a newer index if that of the host is too old.
install_packages() {
    if command -v apt-get >/dev/null; then
        apt-get install --yes --quiet "$@" ||
            { apt-get update --quiet && apt-get install --yes --quiet "$@"; }
    else
        dnf install --assumeyes --quiet "$@"
    fi || {
        packages_added
        return 1
    }
}

# packages_added: add to the record, for the undo, which packages were added since packages_before.
# If that was in another run, which was interrupted, then the user may have installed some since: of
# those, only what is certainly ours counts.
packages_added() {
    [ -e "$RECORDS/packages.before" ] || return 0
    now=$(packages | comm -13 "$RECORDS/packages.before" -)
    if [ -z "${counted:-}" ]; then
        unsure=$(printf '%s\n' "$now" | grep -v -e pgpool-recovery -e plpython | tr '\n' ' ')
        [ -z "${unsure# }" ] || echo "kept, since you may have installed them: ${unsure% }"
        now=$(printf '%s\n' "$now" | grep -e pgpool-recovery -e plpython || true)
    fi
    [ -e "$RECORDS/packages.added" ] || : >"$RECORDS/packages.added"
    printf '%s\n' "$now" | sed '/^$/d' | sort -u - "$RECORDS/packages.added" >"$RECORDS/packages.new"
    mv "$RECORDS/packages.new" "$RECORDS/packages.added"
    rm "$RECORDS/packages.before"
}

# packages_removed: remove the packages that were added, except those that others depend on: dpkg and
# rpm keep these, while apt-get and dnf would remove what the user has installed since. With
# KEEP_PYTHON, Python and PL/Python stay: databases have the language.
packages_removed() {
    packages_added
    [ -e "$RECORDS/packages.added" ] || return 0
    added=$(packages | comm -12 "$RECORDS/packages.added" -)
    if [ -n "${KEEP_PYTHON:-}" ]; then
        added=$(printf '%s\n' "$added" | grep -v python || true)
    fi
    # shellcheck disable=SC2086 # one word for each package
    if [ -z "$added" ]; then
        :
    elif command -v dpkg >/dev/null; then
        dpkg --purge $added || true
    else
        for package in $added; do rpm -e "$package" || true; done
    fi
    left=$(packages | comm -12 "$RECORDS/packages.added" - | tr '\n' ' ')
    [ -z "$left" ] || echo "kept, since they are still needed: $left(remove them when they no longer are)"
    for package in $left; do
        case $package in *pgpool-recovery*) return 1 ;; esac
    done
    rm -f "$RECORDS/packages.added"
}

# sql DATABASE: run the SQL of standard input on the primary, which whoever undoes names.
sql() {
    # As an argument, a name such as host=x would say where to connect.
    as_user "$OWNER" env PGDATABASE="$1" \
        "$PSQL" -X -A -t -q -w -v ON_ERROR_STOP=1 -h "$SOCKET" -p "$PORT"
}

# keep_undo NAME: record, from standard input, how a change is undone, before it is made. The first
# record counts, if a change is made in several attempts; lines that only later ones add, as those of
# a new node, are removed, too.
keep_undo() {
    (
        umask 077
        [ -d "$RECORDS" ] || mkdir "$RECORDS"
        cat >"$RECORDS/$1.new"
        if [ -e "$RECORDS/$1.undo" ]; then
            {
                grep '^remove_lines ' "$RECORDS/$1.new" | grep -vxF -f "$RECORDS/$1.undo" || true
                cat "$RECORDS/$1.undo"
            } >"$RECORDS/$1.more"
            mv "$RECORDS/$1.more" "$RECORDS/$1.new"
        fi
        mv "$RECORDS/$1.new" "$RECORDS/$1.undo"
    )
}
