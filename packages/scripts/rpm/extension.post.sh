@PLACE@

if [ "$1" -eq 1 ]; then
    # What an earlier `pgpool-recovery install` has placed, and this package does not have.
    for file in "$directory"/pgpool_*--*.sql; do
        if grep -q 'Part of pgpool-recovery\.' "$file" &&
            ! grep -qxF "$file" /usr/share/pgpool-recovery/owned/@PACKAGE@; then
            rm "$file"
        fi
    done
fi
place
