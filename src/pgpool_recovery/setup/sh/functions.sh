# What the commands below use. Nothing here changes a host by itself.
set -eu
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DEBIAN_FRONTEND=noninteractive
export LC_ALL PATH DEBIAN_FRONTEND
umask 022
cd /
RECORDS=/var/lib/pgpool-recovery-setup

# as_user USER COMMAND...: run a command as a user, with that user's HOME.
as_user() {
    user=$1
    shift
    if [ "$(id -un)" = "$user" ]; then
        "$@"
    else
        runuser -u "$user" -- env HOME="$(getent passwd "$user" | cut -d: -f6)" "$@"
    fi
}

# The lines are passed on standard input, since others can see the arguments of a program.

# has_line FILE LINE: whether a file has exactly this line.
has_line() {
    [ -e "$1" ] && printf '%s\n' "$2" | grep -qxF -f - "$1"
}

# add_line USER FILE LINE: append a line to a file of a user, who does it: root would follow links.
add_line() {
    printf '%s\n' "$3" | as_user "$1" sh -c '
        umask 077
        [ -d "${1%/*}" ] || mkdir "${1%/*}"
        if [ -s "$1" ] && [ -n "$(tail -c 1 "$1")" ]; then echo >>"$1"; fi
        cat >>"$1"' sh "$2"
}

# first_line USER FILE LINE: put a line before all others of a file of a user, who does it.
first_line() {
    printf '%s\n' "$3" | as_user "$1" sh -c '
        umask 077
        new=$1.pgpool-recovery.new
        cat >"$new"
        if [ -e "$1" ]; then
            cat "$1" >>"$new"
            chmod --reference="$1" "$new"
        fi
        mv "$new" "$1"' sh "$2"
}

# remove_lines USER FILE BEGINNING: remove the lines that begin so from a file of a user, and a file
# that is left empty.
remove_lines() {
    printf '%s\n' "$3" | as_user "$1" sh -c '
        umask 077
        [ -e "$1" ] || exit 0
        IFS= read -r BEGINNING
        export BEGINNING
        new=$1.pgpool-recovery.new
        awk "index(\$0, ENVIRON[\"BEGINNING\"]) != 1" "$1" >"$new"
        chmod --reference="$1" "$new"
        if [ -s "$new" ]; then
            mv "$new" "$1"
        else
            rm "$new" "$1"
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
    [ -e "$RECORDS/packages.before" ] || packages >"$RECORDS/packages.before"
}

# install_packages PACKAGE...: install packages, with a newer index if that of the host is too old.
install_packages() {
    if command -v apt-get >/dev/null; then
        apt-get install --yes --quiet "$@" ||
            { apt-get update --quiet && apt-get install --yes --quiet "$@"; }
    else
        dnf install --assumeyes --quiet "$@"
    fi
}

# packages_added: record which packages were added since the first record of them, for the undo.
packages_added() {
    packages | comm -13 "$RECORDS/packages.before" - >"$RECORDS/packages.added"
}

# packages_removed: remove the packages that were added, except those that others depend on: dpkg and
# rpm keep these, while apt-get and dnf would remove what the user has installed since. With
# KEEP_PYTHON, Python and PL/Python stay: databases have the language.
packages_removed() {
    [ -e "$RECORDS/packages.added" ] || packages_added
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
    [ -z "$left" ] || echo "kept, since they are still needed: $left"
    for package in $left; do
        case $package in *pgpool-recovery*) return 1 ;; esac
    done
    rm -f "$RECORDS/packages.added" "$RECORDS/packages.before"
}

# sql DATABASE: run the SQL of standard input on the primary, which whoever undoes names.
sql() {
    as_user "$OWNER" "$PSQL" -X -A -t -q -w -v ON_ERROR_STOP=1 -h "$SOCKET" -p "$PORT" -d "$1"
}

# keep_undo NAME: record, from standard input, how a change is undone, before it is made. The first
# record counts, if a change is made in several attempts.
keep_undo() {
    (
        umask 077
        [ -d "$RECORDS" ] || mkdir "$RECORDS"
        if [ -e "$RECORDS/$1.undo" ]; then
            cat >/dev/null
        else
            cat >"$RECORDS/$1.new"
            mv "$RECORDS/$1.new" "$RECORDS/$1.undo"
        fi
    )
}
