@PLACE@

# The stock package is gone, and with it our control files, since they had the names of its own.
if [ "$1" -gt 0 ] && [ "$2" -eq 0 ]; then
    rm -f "$directory"/pgpool_*.control.before-pgpool-recovery
    place
fi
