"""Write the output of the demonstration, each line with the seconds since it began."""

import time


class Screen:
    """Lines on standard output."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def head(self, text: str) -> None:
        """Write a heading."""
        self._write(f"\n{text}")

    def says(self, text: str) -> None:
        """Write what happened, and when."""
        self._write(f"{self._seconds()}  {text}")

    def quotes(self, text: str) -> None:
        """Write the output of a program."""
        for line in text.splitlines():
            self._write(f"{self._seconds()}  | {line}")

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._began:6.1f} s"

    def _write(self, text: str) -> None:
        print(text, flush=True)
