"""What is known and done on a host, whoever asks: directories, programs, processes, logs."""
