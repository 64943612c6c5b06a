#!/bin/sh
# rpm's manual calls what a file trigger names a path prefix. A prefix that ends within the name of
# a file never fires: rpm first looks for directories that begin with it. One that ends with a
# directory does.
#
# Needs rpm, rpmbuild and unshare of the distribution (seen with rpm 4.18.0). Lua is built in, so
# the root can be empty.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rpm --version
about() {
    printf '%s\n' "Name: $1" 'Version: 1' 'Release: 1' "Summary: $1" 'License: none' \
        'BuildArch: noarch' '%description' "$1"
}
build() {
    HOME=$work rpmbuild -bb --quiet --target noarch-linux --define "_topdir $work/build" \
        --define "_rpmdir $work" --define '_build_name_fmt %%{NAME}.rpm' "$1" >/dev/null
}
{
    about watcher
    printf '%s\n' '%files' \
        '%transfiletriggerin -p <lua> -- /usr/bin/python3' 'print("fired for /usr/bin/python3")' \
        '%transfiletriggerin -p <lua> -- /usr/bin' 'print("fired for /usr/bin")'
} >"$work/watcher.spec"
{
    about python
    printf '%s\n' '%install' 'mkdir -p %{buildroot}/usr/bin' \
        'touch %{buildroot}/usr/bin/python3.14' '%files' '/usr/bin/python3.14'
} >"$work/python.spec"
build "$work/watcher.spec"
build "$work/python.spec"
mkdir -p "$work/root/db"
install() {
    (cd "$work" && HOME=$work unshare --user --map-root-user \
        rpm --root "$work/root" --dbpath /db -i --nodeps "$1" 2>/dev/null)
}
install watcher.rpm
fired=$(install python.rpm)
echo "when /usr/bin/python3.14 is installed: $fired"
[ "$fired" = "fired for /usr/bin" ]
