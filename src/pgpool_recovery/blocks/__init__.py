"""Compare the files of two hosts block by block, and send what differs."""
