#!/bin/sh
# In a man page that turns hyphenation off (.nh), groff turns it on again at the end of each example
# (.EX, .EE). So names after an example are hyphenated, and can neither be searched nor copied. A
# section or a paragraph does not do that. mandoc never hyphenates.
#
# Needs groff of the distribution (seen with 1.22.4), and its macros an and an-ext.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
groff --version | head -n 1
long='characteristically uncompromisingly misunderstandings representatives'
page() {
    printf '%s\n' '.TH X 1' '.nh' '.ad l' '.SH NAME' 'x \- y' '.SH ONE' "$@" '.SH TWO' \
        "$long $long $long $long"
}
hyphens() {
    groff -man -Tascii -rLL=50n -P-c "$work/$1" | grep -c -e '-$' || true
}
page 'text' >"$work/without"
page '.EX' 'text' '.EE' >"$work/with"
page '.EX' 'text' '.EE' '.nh' >"$work/again"
without=$(hyphens without) with=$(hyphens with) again=$(hyphens again)
echo "hyphenated lines: $without without an example, $with after one, $again with .nh repeated"
[ "$without" -eq 0 ] && [ "$with" -gt 0 ] && [ "$again" -eq 0 ]
