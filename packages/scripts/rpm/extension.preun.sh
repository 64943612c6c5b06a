@PLACE@

if [ "$1" -eq 0 ]; then
    take_away
fi
