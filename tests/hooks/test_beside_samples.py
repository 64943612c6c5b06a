"""Our scripts and Pgpool-II's unchanged samples side by side: in any mixture the standbys follow.

In each round on a cluster, the node that is down is recovered by the two stages; then the primary
is killed, and the hooks point the other standby at the new one. The settings that were written last
must be the ones that a standby uses.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product as every
from pathlib import Path

import pytest

from tests.harness.command import CommandError
from tests.harness.pgpool import PcpError
from tests.harness.postgresql import Server
from tests.harness.product import Product, install_stage_commands
from tests.harness.samples import (
    FAILOVER_WORDS,
    FOLLOW_WORDS,
    STAGES,
    install_sample_stage,
    why_no_samples,
    write_sample_hook,
)
from tests.harness.ssh import authorize_ssh
from tests.harness.system import system_with
from tests.harness.until import DeadlineError, until
from tests.harness.workspace import Workspace
from tests.hooks.site import PLAN, write_pcppass
from tests.majors import PGPOOL_RELEASES, in_whole_matrix, needs_postgresql
from tests.operator.site import Site, site_on_hosts

OURS, SAMPLE = "ours", "sample"
Mixture = tuple[str, str, str, str]
"""First stage, remote start, failover, follow primary."""
EVERY_MIXTURE: list[Mixture] = [
    (first, start, failover, follow)
    for first, start, failover, follow in every((OURS, SAMPLE), repeat=4)
    if (first, follow) != (SAMPLE, OURS)
]
"""Our follow_primary makes the primary run its first stage for the node; the sample's one removes
the data while the node's server is still running (docs/how-to/install.md)."""
FEW: list[Mixture] = [(OURS, SAMPLE, SAMPLE, SAMPLE), (SAMPLE, OURS, OURS, SAMPLE)]


class Beside:
    """A site whose stages and hooks are exchanged between rounds."""

    def __init__(self, site: Site, product: Product) -> None:
        self.site, self.product = site, product
        home = site.cluster.pgpool.machine.home
        self.failover, self.follow = home / "failover.sh", home / "follow_primary.sh"

    def mix(self, mixture: Mixture) -> None:
        """Install each part from us or from the samples, as the mixture says."""
        cluster, pgpool = self.site.cluster, self.site.cluster.pgpool
        first, start, failover, follow = mixture
        for server in cluster.servers:
            if not server.is_running:
                continue
            install_stage_commands(server, self.product)
            for name, whose in zip(STAGES, (first, start), strict=True):
                if whose == SAMPLE:
                    install_sample_stage(name, server, pgpool)
        self._hook(self.failover, "failover", failover)
        self._hook(self.follow, "follow_primary", follow)

    def _hook(self, place: Path, name: str, whose: str) -> None:
        pgpool = self.site.cluster.pgpool
        if whose == SAMPLE:
            write_sample_hook(place.name, place, self.site.cluster.node(0), pgpool)
        else:
            text = f'#!/bin/sh\nexec {self.site.command} {name} "$@"\n'
            pgpool.machine.write_file(place, text, mode=0o755)

    def recover(self, node_id: int) -> None:
        """Recover a node with the primary's stages, and assert that it streams."""
        cluster = self.site.cluster
        cluster.recover(node_id)
        self.assert_follows(cluster.node(node_id), cluster.primary)

    def assert_follows(self, node: Server, primary: Server) -> None:
        """Assert that a node streams from the primary, and would do so after a restart."""
        query = f"SELECT 1 FROM pg_stat_replication WHERE client_addr = '{node.machine.address}'"
        query += " AND state = 'streaming'"
        try:
            until(lambda: primary.sql(query), within_s=90, what=f"{node.name} to stream")
        except DeadlineError as error:
            error.add_note(self.site.cluster.pgpool.log_text()[-6000:])
            error.add_note(str(node.sql("SHOW primary_conninfo")))
            raise
        conninfo = node.sql("SHOW primary_conninfo")[0][0]
        assert f"host={primary.machine.address}" in conninfo
        assert node.sql("SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL") == []
        auto = node.machine.path(node.data_directory / "postgresql.auto.conf").read_text()
        assert "primary_conninfo" not in auto


def beside(workspace: Workspace, product: Product, major: int | None) -> Iterator[Beside]:
    command = "/var/lib/postgresql"
    pgpool = replace(
        PLAN.pgpool,
        failover_command=f"{command}/failover.sh {FAILOVER_WORDS}",
        follow_primary_command=f"{command}/follow_primary.sh {FOLLOW_WORDS}",
    )
    plan = replace(PLAN, pgpool=pgpool, postgresql_major=major)
    reason = why_no_samples(system_with(major).root)
    if reason is not None:
        pytest.skip(reason)
    with site_on_hosts(workspace, product, plan) as site:
        write_pcppass(site)
        for server in site.cluster.servers:
            host = site.cluster.host(server.node_id)
            authorize_ssh(site.cluster.pgpool.machine, host, user="postgres")
        yield Beside(site, product)


def go_round(beside: Beside, mixture: Mixture) -> None:
    cluster, pgpool = beside.site.cluster, beside.site.cluster.pgpool
    beside.mix(mixture)
    for server in cluster.servers:
        if not server.is_running:
            beside.recover(server.node_id)
    cluster.primary.execute("CREATE TABLE IF NOT EXISTS round AS SELECT generate_series(1, 100)")
    old = cluster.primary
    new = cluster.fail_over()
    [follower] = [one for one in cluster.servers if one not in (old, new)]
    try:
        until(
            lambda: pgpool.node_info(follower.node_id).is_attached,
            within_s=90,
            every_s=0.5,
            what=f"{follower.name} to be attached",
            tolerating=(PcpError, CommandError),
        )
    except DeadlineError as error:
        said = [line for line in pgpool.log_text().split("\n") if " pcp_main: LOG:" not in line]
        error.add_note("\n".join(said[-150:]))
        raise
    beside.assert_follows(follower, new)
    assert cluster.contents_equal(new.node_id, follower.node_id)


@pytest.fixture
def on_first(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Beside]:
    yield from beside(workspace, product, None)


def test_standbys_follow_beside_the_samples(on_first: Beside) -> None:
    """Our first stage has made both standbys by the time the samples' hooks are first called."""
    cluster = on_first.site.cluster
    on_first.mix(FEW[0])
    for server in cluster.servers[1:]:
        server.stop()
        on_first.recover(server.node_id)
    for mixture in FEW:
        go_round(on_first, mixture)


@pytest.fixture(
    params=[
        pytest.param(major, marks=[*in_whole_matrix(major), needs_postgresql(major)], id=release)
        for major, release in PGPOOL_RELEASES.items()
    ]
)
def on_each(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Beside]:
    yield from beside(workspace, product, request.param)


@pytest.mark.timeout(1800)
def test_every_mixture(on_each: Beside) -> None:
    """Our stages recover both standbys first, because the samples could not repoint new ones.

    The harness makes them by pg_basebackup -R, which writes to postgresql.auto.conf. That file
    takes precedence over the one that the samples write.
    """
    cluster = on_each.site.cluster
    on_each.mix((OURS, OURS, OURS, OURS))
    for server in cluster.servers[1:]:
        server.stop()
        on_each.recover(server.node_id)
    for mixture in EVERY_MIXTURE:
        go_round(on_each, mixture)
