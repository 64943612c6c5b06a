"""PCP, the protocol by which Pgpool-II is asked about its nodes and told what to do with them."""
