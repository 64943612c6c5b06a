"""Answers to the runner's requests, by the subjects of talk/request."""
