"""Decide what the owner of a node lacks to log in to the other hosts by ssh."""

from collections.abc import Iterator

from pgpool_recovery.setup.facts import ClusterState, HostState, NodeState
from pgpool_recovery.setup.need import Advice, Item, Need, There, made, words

NAME = "ssh"
WHY = "The primary logs in to the node that is recovered, as the user of the server."
KEY_NAME = "id_ed25519"
UNKNOWN_KEY = ("Host key verification failed", "host key is known", "HOST IDENTIFICATION")
CHANGED_KEY = "REMOTE HOST IDENTIFICATION HAS CHANGED"
DENIED = "Permission denied"


def trust(host: HostState, around: ClusterState) -> Iterator[Item]:
    """Yield, for each node of a host, which of the others it reaches, and what it lacks."""
    for node in host.nodes:
        if node.state == "empty" or not node.ssh:
            continue
        reached = [str(peer) for peer, problem in sorted(node.ssh.items()) if problem is None]
        if reached:
            yield There(host.name, NAME, f"as {node.owner} to node {', '.join(reached)}")
        problems = {peer: said for peer, said in sorted(node.ssh.items()) if said is not None}
        if not problems:
            continue
        if node.key is None:
            yield _key(host, node)
        for peer, said in problems.items():
            yield from _way(host, node, around.node(peer), said, around)


def _way(
    host: HostState, node: NodeState, other: NodeState, said: str, around: ClusterState
) -> Iterator[Item]:
    target = around.host_of(other)
    to = f"{other.backend.host} ({other.backend.name})"
    is_unknown = any(text in said for text in UNKNOWN_KEY)
    if CHANGED_KEY in said or not (is_unknown or DENIED in said):
        yield Advice(
            host.name,
            NAME,
            f"{node.owner} cannot log in to {to}: {said}",
            f"On {host.name}, as {node.owner}: ssh -v {other.backend.host} true",
            is_needed=True,
        )
        return
    if target.problem is not None or other.home is None:
        yield Advice(
            host.name,
            NAME,
            f"{node.owner} cannot log in to {to}, which could not be examined",
            "Make setup reach that host, and run it again.",
            is_needed=True,
        )
        return
    if is_unknown:
        yield _known_host(host, node, other, target)
    if node.key is None or not any(_admits(line, node.key) for line in other.authorized):
        yield _authorization(host, node, other, target)
    elif not is_unknown:
        yield Advice(
            host.name,
            NAME,
            f"{node.owner} cannot log in to {to}, though {other.owner} admits the key there: "
            f"{said}",
            f"On {target.name}, check the owner and mode of {other.home} and its .ssh, options of "
            "the key in authorized_keys, and sshd_config.",
            is_needed=True,
        )


def _admits(line: str, key: str) -> bool:
    return not line.lstrip().startswith("#") and key in line


def _key(host: HostState, node: NodeState) -> Need:
    file = f"{node.home}/.ssh/{KEY_NAME}"
    comment = f"{node.owner}@{host.name}"
    return Need(
        host.name,
        f"30-ssh-key-{node.backend.node_id}",
        f"{node.owner} has no ssh key",
        WHY,
        test=words("as_user", node.owner, "cat", f"{file}.pub"),
        commands=(
            words(
                *("as_user", node.owner, "sh", "-c", '[ -d "$1" ] || mkdir -m 0700 "$1"', "sh"),
                f"{node.home}/.ssh",
            ),
            words(
                *("as_user", node.owner, "ssh-keygen", "-q", "-t", "ed25519", "-N", ""),
                *("-C", comment, "-f", file),
            ),
            words("as_user", node.owner, "cat", f"{file}.pub"),
        ),
        undo=(
            words("as_user", node.owner, "rm", "-f", file, f"{file}.pub"),
            f"{words('as_user', node.owner, 'rmdir', f'{node.home}/.ssh')} 2>/dev/null || true",
        ),
        makes=_key_of(host, node),
    )


def _known_host(host: HostState, node: NodeState, other: NodeState, target: HostState) -> Item:
    file = f"{node.home}/.ssh/known_hosts"
    lines = [f"{other.backend.host} {key}" for key in target.host_keys]
    if not lines:
        return Advice(
            host.name,
            NAME,
            f"{other.backend.host} told no host key that {node.owner} could be given",
            f"Add it to {file}, after comparing it.",
            is_needed=True,
        )
    return Need(
        host.name,
        f"31-known-host-{node.backend.node_id}-{other.backend.node_id}",
        f"{node.owner} does not know the host key of {other.backend.host} ({other.backend.name})",
        "Logins are made only to hosts whose key is known. These are the keys that the host itself "
        "told over the session that setup has there.",
        test=" && ".join(words("has_line", file, line) for line in lines),
        commands=tuple(words("add_line", node.owner, file, line) for line in lines),
        undo=tuple(words("remove_lines", node.owner, file, line) for line in lines),
    )


def _authorization(host: HostState, node: NodeState, other: NodeState, target: HostState) -> Need:
    file = f"{other.home}/.ssh/authorized_keys"
    key = made(_key_of(host, node)) if node.key is None else f"{node.key} {node.owner}@{host.name}"
    return Need(
        target.name,
        f"32-authorized-key-{node.backend.node_id}-{other.backend.node_id}",
        f"{other.owner} does not admit the key of {node.owner} on {host.name}",
        WHY,
        test=words("has_line", file, key),
        commands=(words("add_line", other.owner, file, key),),
        undo=(words("remove_lines", other.owner, file, key),),
    )


def _key_of(host: HostState, node: NodeState) -> str:
    return f"ssh key of {node.owner} on {host.name}"
