"""A stock package as a file, made on a host from what is installed there, so without a network."""

from pathlib import PurePath

from tests.harness.host import Host
from tests.packages.debian import apt

CHANGED = "# changed by an update"
_REPACK = r"""
set -eu
package=$1 version=$2 file=$3
root=$(mktemp -d)
dpkg-query --listfiles "$package" | while read -r path; do
    case $path in
    /.) continue ;;
    /*) ;;
    *) continue ;; # where a file is diverted to
    esac
    if [ -d "$path" ] && [ ! -L "$path" ]; then
        mkdir -p "$root$path"
    else
        cp -a "$(dpkg-divert --truename "$path")" "$root$path"
    fi
done
if [ -n "$4" ]; then
    for control in "$root"/usr/share/postgresql/*/extension/*.control; do
        echo "$4" >>"$control"
    done
fi
mkdir "$root/DEBIAN"
dpkg-query --status "$package" |
    sed -e '/^Status:/d' -e "s/^Version: .*/Version: $version/" >"$root/DEBIAN/control"
dpkg-deb --root-owner-group -Znone --build "$root" "$file" >/dev/null
rm -r "$root"
"""


def repacked(host: Host, package: str, version: str, line: str = "") -> PurePath:
    """Return the file of an installed package, with another version and a line in control files."""
    file = PurePath(f"/root/packages/{package}_{version}.deb")
    host.make_directory(file.parent, owner="root")
    argv = ["sh", "-c", _REPACK, "repack", package, version, str(file), line]
    host.run(argv, user="root", env={"LC_ALL": "C.UTF-8"})
    return file


def install_file(host: Host, file: PurePath, *options: str) -> None:
    apt(host, "install", "--allow-downgrades", *options, file)
