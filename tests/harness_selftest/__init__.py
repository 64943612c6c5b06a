"""The harness's own tests: that it isolates, breaks, mends, counts and vanishes as it says."""
