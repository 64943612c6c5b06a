"""Render the question before a recovery: what would be lost."""

from pgpool_recovery.cli.render.quantity import size
from pgpool_recovery.control.consent import ConsentQuestion
from pgpool_recovery.plan.document import PlanDocument
from pgpool_recovery.plan.harm import Harm, Loss, Old

GO_ON = "Continue?"


def question_text(question: ConsentQuestion) -> str:
    """Return the question, on one line."""
    name, plan = question.node.name, question.plan
    parts = [question.elsewhere] if question.elsewhere else []
    if plan is not None and question.unbound:
        parts.append(
            f"the recovery cannot be limited to this plan and may do more: {question.unbound}"
        )
    if plan is None:
        parts.append(f"there is no plan: the recovery of {name} may replace its data")
    elif plan.document.harm is None:
        what = "changes or replaces its data" if plan.document.destroys else "replaces no data"
        parts.append(f"the recovery of {name} {what}")
    else:
        parts += _losses(name, plan.document, plan.document.harm)
    return " ".join((*(f"{_capital(part)}." for part in parts), GO_ON))


def _losses(name: str, document: PlanDocument, harm: Harm) -> list[str]:
    old_bytes = document.old_bytes
    data = "its data" if old_bytes is None else f"its data ({size(old_bytes)})"
    said = {
        Old.KEPT: f"{name} is recovered by {document.method}, and none of its data is replaced",
        Old.STAYS: f"{name} loses {data} as soon as the new server is running",
        Old.HALF: f"the data of {name}, which is already half changed, is changed further",
        Old.CHANGED: f"the only copy of {name}'s data is changed; if that fails, no server can run "
        "there until a recovery succeeds",
        Old.GOES: f"{name} loses {data} before the new copy exists{_room(document)}; if the copy "
        "fails, it has no data",
    }[harm.old]
    losses = [said]
    if document.gives_up:
        losses.append(document.gives_up)
    if Loss.STOP in harm.losses:
        losses.append(f"the running server of {name} is stopped")
    return losses


def _room(document: PlanDocument) -> str:
    """Return how much space is free and how much is needed, where there is not enough."""
    short = [room for room in document.needs if room["needed_bytes"] > room["free_bytes"]]
    said = (f"{size(one['free_bytes'])} free, {size(one['needed_bytes'])} needed" for one in short)
    return "".join(f" ({one})" for one in said)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
