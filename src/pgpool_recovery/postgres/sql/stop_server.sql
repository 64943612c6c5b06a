select {extension}.pgpool_pgctl('stop', 'fast') as is_stopping
