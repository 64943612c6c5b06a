"""Read and check the settings file; every setting has a sound default."""
