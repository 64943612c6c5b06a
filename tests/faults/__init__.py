"""Tests of what users see when things break; facts/breakage.md compares that with the stock way."""
