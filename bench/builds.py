"""Provide two of our builds side by side: that of an earlier commit, and this checkout's."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager

from bench.side_by_side import OLDER, OURS
from tests.earlier_build import extract
from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product, build_product
from tests.harness.workspace import Workspace
from tests.operator.site import Site

Builds = Mapping[str, Product]
MakeSite = Callable[[Workspace, Product, ClusterPlan], AbstractContextManager[Site]]


@contextmanager
def two_builds(older: str) -> Iterator[Builds]:
    """Build the files of a commit and of this checkout; each is installed as by a user."""
    with Workspace() as one, Workspace() as other:
        source = extract(older, one.make("source"))
        yield {OLDER: build_product(one, source), OURS: build_product(other)}


@contextmanager
def a_site_each(builds: Builds, make: MakeSite, plan: ClusterPlan) -> Iterator[dict[str, Site]]:
    """A cluster per build, so that nothing has to be installed between two measurements."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(make(product.workspace, product, plan))
            for name, product in builds.items()
        }
