"""Run a program for a call: its lines become NOTICEs, its end a result, and a cancel ends it."""

import os
import time
from typing import TYPE_CHECKING, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from server_types import Memory, Message, Record

from .caller import caller_is_gone, find_caller
from .outcome import CONNECTION_FAILURE, QUERY_CANCELED, Failure
from .spawn import EXCHANGED
from .supervision import Supervisor, SupervisorLost

if TYPE_CHECKING:
    from .server import Server

TICK_S = 0.2
START_DEADLINE_S = 30
KEPT_LINES = 20
SINGLE_LINES = 100  # In a second; beyond that, messages have several lines.
MAX_NOTICE_CHARACTERS = 4000
MARK_NAME = "PGPOOL_RECOVERY_ID"
SECRET_NAME = "PGPOOL_RECOVERY_SECRET"  # noqa: S105 - the name of a variable.
LOG_NAME = "PGPOOL_RECOVERY_LOG"  # Lines can be marked as only for the log.
SQLSTATE_OR_NONE = r"(?:[0-9A-Z]{5})?\Z"


class Ended:
    """How a program ended: exit status or negative signal, last lines, and its own records.

    `record` is the record of its failure, `document` its answer in JSON.
    """

    def __init__(
        self,
        status: Optional[int],
        lines: List[str],
        record: Optional[Record],
        document: Optional[str],
    ) -> None:
        self.status = status
        self.lines = lines
        self.record = record
        self.document = document


class SupervisedRun:
    """One program under the session's supervisor.

    After a run that ended by itself, the supervisor is kept for the next call of the session, since
    starting one takes longer than a script that only exits.
    """

    def __init__(
        self, server: "Server", session: Memory, supervisor_program: Callable[[], str]
    ) -> None:
        self._server = server
        self._session = session
        self._supervisor_program = supervisor_program
        self._lines: List[str] = []
        self._record: Optional[Record] = None
        self._document: Optional[str] = None
        self._singles, self._singles_since = 0, 0.0
        self._caller: Optional[int] = None
        self._parent = os.getppid()
        self._record_prefix = record_prefix(server.facts["record_secret"])

    def run(
        self,
        argv: List[str],
        environment: Mapping[str, str],
        identity: Optional[Tuple[int, int]] = None,
    ) -> Ended:
        """Run a program to its end and return how it ended.

        With an `identity`, a device and an inode, the program must be that file.

        Raises Failure when it could not be started or was stopped: by a cancel, because the client
        is gone, or because the server's main process is gone.
        """
        call_id = self._server.facts["call_id"]
        secret = self._server.facts["record_secret"]
        own = {MARK_NAME: call_id, SECRET_NAME: secret, LOG_NAME: "on"}
        job = {
            "run": in_bytes(argv),
            "environment": environment_in_bytes(dict(environment, **own)),
            "directory": self._server.facts["data_directory"],
            "identity": identity,
            "mark": ("%s=%s" % (MARK_NAME, call_id)).encode(),
            "record": self._record_prefix.encode(),
            "end_s": self._server.script_end_s(),
        }
        self._start(job)
        try:
            return self._follow()
        except SupervisorLost:
            self._end_what_is_left(job["mark"])
            raise Failure(
                "the supervisor of %s was killed" % argv[0],
                detail="The processes that the program had started were ended as well.\n"
                "It did not report the state of the target.",
            )
        except BaseException:
            # A supervisor whose pipes are closed ends the program, unless it is too busy.
            if self._discard_supervisor():
                self._end_what_is_left(job["mark"])
            raise

    def leave(
        self, argv: List[str], environment: Mapping[str, str], after_s: float, output: str
    ) -> None:
        """Start a program that outlives this session."""
        request = {
            "leave": in_bytes(argv),
            "environment": environment_in_bytes(environment),
            "directory": self._server.facts["data_directory"],
            "after_s": after_s,
            "output": output,
        }
        self._first_reply(request)

    def _start(self, job: Message) -> None:
        reply = self._first_reply(job)
        if "error" in reply:
            path = job["run"][0].decode("utf-8", "surrogateescape")
            raise Failure(
                'could not execute "%s": %s' % (path, reply["error"]),
                hint='Check the interpreter that its first line names after "#!".'
                if os.path.exists(job["run"][0]) and reply["error"] != EXCHANGED
                else None,
            )

    def _first_reply(self, request: Message) -> Message:
        deadline = time.monotonic() + START_DEADLINE_S
        try:
            supervisor = self._supervisor()
            supervisor.ask(**request)
            reply = None
            while reply is None and time.monotonic() < deadline:
                self._raise_interrupt()
                reply = supervisor.next_reply(TICK_S)
        except SupervisorLost:
            self._discard_supervisor()
            raise Failure("the supervisor process ended", hint="Check the server log.")
        except Failure:
            self._discard_supervisor()
            raise
        if reply is None:
            self._discard_supervisor()
            raise Failure("the supervisor process did not answer within %d s" % START_DEADLINE_S)
        return reply

    def _raise_interrupt(self) -> None:
        interrupt = self._server.check_for_interrupts()
        if interrupt is not None:
            raise interrupt

    def _supervisor(self) -> Supervisor:
        kept: Optional[Supervisor] = self._session.get("supervisor")
        if kept is not None and kept.is_alive():
            kept.end_s = self._server.script_end_s()
            return kept
        self._discard_supervisor()
        supervisor = self._session["supervisor"] = Supervisor(
            self._supervisor_program(),
            self._server.facts["data_directory"],
            self._server.script_end_s(),
        )
        return supervisor

    def _discard_supervisor(self) -> bool:
        """Close the supervisor; return whether it had to be killed."""
        supervisor = self._session.pop("supervisor", None)
        return supervisor is not None and supervisor.close()

    def _follow(self) -> Ended:
        while True:
            reply = self._session["supervisor"].next_reply(TICK_S)
            if reply is not None and "ended" in reply:
                return Ended(reply["ended"], self._lines, self._record, self._document)
            interrupt = self._tell(reply) if reply else None
            interrupt = interrupt or self._interrupt(is_idle=reply is None)
            if interrupt is not None:
                is_cancel = interrupt.sqlstate == QUERY_CANCELED
                who = self._server.who_cancelled() if is_cancel else None
                self._stop()
                interrupt.detail = who or interrupt.detail
                if self._record is not None:
                    parts = [
                        who,
                        self._record.get("detail"),
                        "The target is %s." % self._record["target"],
                    ]
                    interrupt.detail = "\n".join(part for part in parts if part)
                    interrupt.hint = self._record.get("hint")
                raise interrupt

    def _tell(self, reply: Message) -> Optional[Failure]:
        """Keep lines and send them to the client; return an interrupt that came up."""
        if "block" in reply:
            self._keep_block(reply["block"])
            notices = blocks_of(reply["block"])
        else:
            notices = self._notices([line for line in reply["lines"] if self._keep(line)])
        for notice in notices:
            interrupt = self._server.notice(notice)
            if interrupt is not None:
                return interrupt
        return None

    def _notices(self, texts: List[str]) -> List[str]:
        """Return texts as messages: one line each, unless there were too many recently.

        Each message is a packet on the client's connection, so a script that writes thousands of
        lines would have to wait for it.
        """
        now = time.monotonic()
        if now - self._singles_since > 1:
            self._singles_since, self._singles = now, 0
        self._singles += len(texts)
        shown = [self._server.printable(text) for text in texts]
        return shown if self._singles <= SINGLE_LINES else blocks_of("\n".join(shown))

    def _keep(self, line: str) -> bool:
        """Keep a line of text, or a record; return whether it is a text.

        A record begins with a secret of this call. The stage command knows it, and so do the
        processes that it starts on this host, but no other host, whose lines it may pass on, does.
        The id of the call would not do: it is in the record of recoveries, which is replicated.
        """
        if line.startswith(self._record_prefix):
            text = line[len(self._record_prefix) :]
            record, document = failure_record(text), answer(text)
            if record is not None or document is not None:
                self._record = record or self._record
                self._document = document or self._document
                return False
        self._lines = self._lines[1 - KEPT_LINES :] + [self._server.printable(line)]
        return True

    def _keep_block(self, block: str) -> None:
        """Keep the last lines of a block, none of which is a record."""
        last = block.rsplit("\n", KEPT_LINES)[-KEPT_LINES:]
        self._lines = (self._lines + [self._server.printable(line) for line in last])[-KEPT_LINES:]

    def _keep_reply(self, reply: Message) -> None:
        if "block" in reply:
            self._keep_block(reply["block"])
        for line in reply.get("lines", ()):
            self._keep(line)

    def _interrupt(self, is_idle: bool) -> Optional[Failure]:
        cancel = self._server.check_for_interrupts()
        if cancel is not None:
            return cancel
        if is_idle and self._caller_is_gone():
            return Failure("the client is gone", sqlstate=CONNECTION_FAILURE)
        if os.getppid() != self._parent:
            return Failure("the server's main process is gone")
        return None

    def _caller_is_gone(self) -> bool:
        if self._caller is None:
            self._caller = find_caller(self._server.facts["port"])
        return self._caller is not None and caller_is_gone(self._caller)

    def _stop(self) -> None:
        """End everything; sends nothing to the client, since that could be interrupted again.

        The caller closes the supervisor.
        """
        supervisor = self._session["supervisor"]
        try:
            supervisor.ask(stop=True)
            while True:
                reply = supervisor.next_reply(supervisor.stop_deadline_s)
                if reply is None or "ended" in reply:
                    return
                self._keep_reply(reply)
        except SupervisorLost:
            pass  # It does the same when its pipes are closed.

    def _end_what_is_left(self, mark: bytes) -> None:
        self._discard_supervisor()
        supervisor = self._supervisor()
        supervisor.ask(end=mark, end_s=supervisor.end_s)
        supervisor.next_reply(supervisor.stop_deadline_s)
        self._discard_supervisor()


def blocks_of(text: str) -> List[str]:
    r"""Return a text of many lines as several messages.

    >>> [len(one) for one in blocks_of("\n".join(["x" * 99] * 100))]
    [3999, 3999, 1999]
    """
    blocks, at = [], 0
    while at < len(text):
        end = text.rfind("\n", at, at + MAX_NOTICE_CHARACTERS)
        if end < at or len(text) - at <= MAX_NOTICE_CHARACTERS:
            end = at + MAX_NOTICE_CHARACTERS if end < at else len(text)
            end = min(end, len(text))
        blocks.append(text[at:end])
        at = end + 1 if text[end : end + 1] == "\n" else end
    return blocks


def in_bytes(texts: Iterable[str]) -> List[bytes]:
    """Return the bytes of texts as the operating system gave them."""
    return [os.fsencode(text) for text in texts]


def environment_in_bytes(variables: Mapping[str, str]) -> Dict[bytes, bytes]:
    """Return the bytes of an environment's names and values."""
    return dict(zip(in_bytes(variables), in_bytes(variables.values())))


def record_prefix(secret: str) -> str:
    """Return the beginning of a record; the separator is that of RFC 7464."""
    return "\x1e%s " % secret


def failure_record(text: str) -> Optional[Record]:
    """Return the record of a failed stage command, or None when the text is not one.

    >>> failure_record('{"message": "no space", "target": "untouched"}')["target"]
    'untouched'
    >>> failure_record("anything else")
    >>> failure_record('{"message": "no space", "target": "untouched", "detail": 5}')
    """
    import json  # Imported here because it takes 5 ms of each new session.
    import re

    try:
        record = json.loads(text)
        texts = [record["message"], record["target"]]
        rest = [record.get(name) for name in ("detail", "hint", "sqlstate")]
        texts += ["" if text is None else text for text in rest]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    is_one = all(isinstance(text, str) for text in texts) and re.match(SQLSTATE_OR_NONE, texts[-1])
    return record if is_one else None


def answer(text: str) -> Optional[str]:
    """Return the JSON text of a script's answer, or None when the text is not one.

    >>> answer('{"answer": {"possible": true}}')
    '{"possible": true}'
    >>> answer('{"message": "no space", "target": "untouched"}')
    """
    import json

    try:
        return json.dumps(json.loads(text)["answer"], ensure_ascii=False)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
