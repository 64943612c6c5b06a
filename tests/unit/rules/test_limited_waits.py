"""The rule finds what may wait forever, and accepts a reason in a comment."""

from pathlib import Path

import pytest

from ci.rules.limited_waits import violations

ROOT = Path(__file__).parents[3]
ENDLESS = [
    "process.wait()",
    "thread.join()",
    "lock.acquire()",
    "future.result()",
    "requests.get()",
    "process.communicate()",
    "subprocess.run(['x'])",
    "subprocess.check_output(['x'], text=True)",
    "select.select([a], [], [])",
    "fcntl.flock(descriptor, fcntl.LOCK_EX)",
    "run(argv, stop, timeout_s=None)",
    "agent.ask(request, timeout_s=inf)",
    "agent.ask(request, timeout_s=math.inf)",
    "self._agent.ask(request)",
    "connect(where)",
    "process.wait(timeout=None)",
]
LIMITED = [
    "process.wait(5)",
    "', '.join(words)",
    "found.get('x')",
    "subprocess.run(['x'], timeout=5)",
    "select.select([a], [], [], 0.1)",
    "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
    "agent.ask(request, timeout_s=limit_s)",
    "connect(where, timeout_s=5, answer_s=5)",
    "process.wait()  # no limit: it was killed",
    "# no limit: it has ended\nprocess.wait()",
]


def plant(root: Path, code: str) -> list[str]:
    file = root / "src/pgpool_recovery/planted.py"
    file.parent.mkdir(parents=True)
    file.write_text(code + "\n")
    return list(violations(root))


@pytest.mark.parametrize("code", ENDLESS)
def test_endless_wait(tmp_path: Path, code: str) -> None:
    [line] = plant(tmp_path, code)
    assert line.startswith("src/pgpool_recovery/planted.py:1:")


@pytest.mark.parametrize("code", LIMITED)
def test_limited_wait(tmp_path: Path, code: str) -> None:
    assert plant(tmp_path, code) == []


def test_promise_9_nothing_waits_for_ever() -> None:
    assert list(violations(ROOT)) == []
