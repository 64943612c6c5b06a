@PLACE@

# The stock package has been installed or updated, and its control files with it.
place
