"""The packages for Enterprise Linux: their scriptlets, run by rpm in a scratch root."""
