@COMPILE@

# What the previous version has compiled would keep its directories from being removed.
remove_compiled
