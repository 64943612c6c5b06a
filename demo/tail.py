"""Follow a file that grows."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

TICK_S = 0.05


class Tail:
    """Passes each line that is added to a file within the context to a function."""

    def __init__(self, file: Path, on_line: Callable[[str], object]) -> None:
        self._file = file
        self._on_line = on_line
        self._has_ended = threading.Event()
        self._follower = threading.Thread(target=self._follow, args=(file.stat().st_size,))

    def __enter__(self) -> Self:
        self._follower.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._has_ended.set()
        self._follower.join()

    def _follow(self, start: int) -> None:
        with self._file.open(errors="replace") as file:
            file.seek(start)
            rest = ""
            while True:
                has_ended = self._has_ended.wait(TICK_S)
                *lines, rest = (rest + file.read()).split("\n")
                for line in lines:
                    self._on_line(line)
                if has_ended:
                    return
