set -e

directory=@DIRECTORY@
kept=@KEPT@

is_foreign() {
    [ -e "$1" ] && ! grep -q 'Part of pgpool-recovery\.' "$1"
}

# Put our control files in the place of the stock ones, which are saved beside them. Each name has a
# complete file at every moment.
place() {
    for name in pgpool_recovery pgpool_adm pgpool_regclass; do
        control=$directory/$name.control
        install -p -m 0644 "$kept/$name.control" "$control.new-pgpool-recovery"
        if is_foreign "$control"; then
            ln -f "$control" "$control.before-pgpool-recovery"
        fi
        mv -f "$control.new-pgpool-recovery" "$control"
    done
}

# Put the stock files back; where there is none, remove ours.
take_away() {
    for name in pgpool_recovery pgpool_adm pgpool_regclass; do
        control=$directory/$name.control
        if is_foreign "$control"; then
            rm -f "$control.before-pgpool-recovery"
        elif [ -e "$control.before-pgpool-recovery" ]; then
            mv -f "$control.before-pgpool-recovery" "$control"
        else
            rm -f "$control"
        fi
    done
}
