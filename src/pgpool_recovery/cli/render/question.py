"""The question before a recovery: what is lost by a yes."""

from pgpool_recovery.cli.render.quantity import size
from pgpool_recovery.operator.consent import Question
from pgpool_recovery.operator.plan import PlannedRecovery
from pgpool_recovery.plan.harm import Harm, Loss, Old

GO_ON = "Go on?"


def question_text(question: Question) -> str:
    """Return the question, in one line."""
    node, plan = question.node, question.plan
    parts = [f"{_capital(question.elsewhere)}."] if question.elsewhere else []
    if plan is None or plan.harm is None:
        what = "it may replace its data" if plan is None or plan.destroys else "no data is replaced"
        parts.append(f"Recover {node.name}? ({what})")
    else:
        parts += [f"{_capital(sentence)}." for sentence in _losses(node.name, plan, plan.harm)]
    if question.unbound:
        parts.insert(0, f"The recovery cannot be held to this plan: {question.unbound}.")
    if not parts[-1].endswith("?)"):
        parts.append(GO_ON)
    return " ".join(parts)


def _losses(name: str, plan: PlannedRecovery, harm: Harm) -> list[str]:
    document = plan.document
    old_bytes = document.get("old_bytes")
    data = f"its data ({size(old_bytes)})" if isinstance(old_bytes, int) else "its data"
    said = {
        Old.KEPT: f"{name} is recovered by {document['method']}, and none of its data is replaced",
        Old.STAYS: f"{name} loses {data} as soon as the new server runs",
        Old.HALF: f"the data of {name}, half changed already, is changed further",
        Old.CHANGED: f"the only copy of {name}'s data is changed; when that fails, a full copy is "
        "needed",
        Old.GOES: f"{name} loses {data} before the new copy is there{_room(plan)}; when the copy "
        "fails, it has none",
    }[harm.old]
    losses = [said]
    if document.get("gives_up"):
        losses.append(str(document["gives_up"]))
    if Loss.STOP in harm.losses:
        losses.append(f"the server of {name}, which runs, is stopped")
    return losses


def _room(plan: PlannedRecovery) -> str:
    """Say for want of how much room, when that is why."""
    short = [
        room
        for room in plan.document.get("needs") or ()
        if room["needed_bytes"] > room["free_bytes"]
    ]
    said = (
        f"{size(one['free_bytes'])} are free, {size(one['needed_bytes'])} needed" for one in short
    )
    return "".join(f" ({one})" for one in said)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
