#!/bin/sh
# rpmlint 2.4 reports no-manual-page-for-binary for a program whose man page is in the package: it
# compares the names of programs with the sections of the pages, here "1". A program with the name
# of its section is the only one that it does not report.
#
# Needs rpmbuild and rpmlint of the distribution (seen with rpmlint 2.4.0).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rpmlint --version
{
    printf '%s\n' 'Name: tool' 'Version: 1' 'Release: 1' 'Summary: A tool' 'License: MIT' \
        'BuildArch: noarch' '%description' 'A tool.' '%install' \
        'mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share/man/man1'
    for name in tool 1; do
        printf '%s\n' "printf '#!/bin/sh\n' >%{buildroot}/usr/bin/$name" \
            "chmod 755 %{buildroot}/usr/bin/$name" \
            "echo '.TH X 1' | gzip -9n >%{buildroot}/usr/share/man/man1/$name.1.gz"
    done
    printf '%s\n' '%files' '/usr/bin/*' '/usr/share/man/man1/*'
} >"$work/tool.spec"
HOME=$work rpmbuild -bb --quiet --target noarch-linux --define "_topdir $work/build" \
    --define "_rpmdir $work" --define '_build_name_fmt %%{NAME}.rpm' --define '__os_install_post %{nil}' \
    "$work/tool.spec" >/dev/null
found=$(HOME=$work rpmlint "$work/tool.rpm" | grep no-manual-page-for-binary || true)
echo "$found"
[ "$found" = "tool.noarch: W: no-manual-page-for-binary tool" ]
