"""The harness's own tests: it isolates, breaks, repairs, counts and cleans up as it promises."""
