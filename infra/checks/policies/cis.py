"""CIS Alibaba Cloud Foundation Benchmark 2.0.0, item by item: what holds of what is built here, and by what.

The titles are ours, one short sentence each; the benchmark's own text is at the Center for Internet Security.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from infra.checks.policies.table import POLICIES

ACCOUNT: Final = "the account's, whatever is built in it"
TRAIL: Final = "the account's: an alert on its ActionTrail, which is one for everything in the account"
NO_CLUSTER: Final = "no Kubernetes cluster is made"
NOT_USED: Final = "a product that is bought for the account, and not used here"
SECURITY_CENTER: Final = "Security Center is set up once an account; hosts are made with its agent (8.2)"


@dataclass(frozen=True)
class Item:
    """`checks`: those of the Plan that judge it; `note`: why it is not ours, or what is to be known of it."""

    id: str
    title: str
    checks: tuple[str, ...] = ()
    note: str = ""

    @property
    def policies(self) -> tuple[str, ...]:
        return tuple(name for name, policy in POLICIES.items() if self.id in policy.cis)

    @property
    def status(self) -> str:
        """`enforced`: nothing else can be built; `checked`: production fails without it, or has a waiver."""
        return "enforced" if self.policies else "checked" if self.checks else "not ours"


_IDENTITY: Final = (
    Item("1.1", "The root user does no daily work", note=ACCOUNT),
    Item("1.2", "The root user has no access key", note=ACCOUNT),
    Item("1.3", "The root user signs in with a second factor", note=ACCOUNT),
    Item("1.4", "Users of the console sign in with a second factor", note=ACCOUNT),
    Item("1.5", "Users who stay away for 90 days lose the console", note=ACCOUNT),
    Item("1.6", "Access keys change every 90 days", note="none is made here; those of the account are the account's"),
    Item("1.7", "Passwords have a capital letter", note=ACCOUNT),
    Item("1.8", "Passwords have a small letter", note=ACCOUNT),
    Item("1.9", "Passwords have a symbol", note=ACCOUNT),
    Item("1.10", "Passwords have a digit", note=ACCOUNT),
    Item("1.11", "Passwords have 14 characters", note=ACCOUNT),
    Item("1.12", "Passwords are not used again", note=ACCOUNT),
    Item("1.13", "Passwords expire", note=ACCOUNT),
    Item("1.14", "Five wrong passwords within an hour close the way in", note=ACCOUNT),
    Item("1.15", "No policy allows everything"),
    Item("1.16", "Policies are attached to groups and roles alone"),
)
_LOGS: Final = (
    Item("2.1", "ActionTrail records every event", note=ACCOUNT),
    Item("2.2", "The bucket of ActionTrail is private", note=ACCOUNT),
    Item("2.3", "Audit logs of products go to Log Service", note=ACCOUNT),
    Item("2.4", "Kubernetes logs to Log Service", note=NO_CLUSTER),
    Item("2.5", "Flows of the network are logged", ("logs-kept",)),
    Item("2.6", "Anti-DDoS logs", note=NOT_USED),
    Item("2.7", "The web application firewall logs", note=NOT_USED),
    Item("2.8", "The cloud firewall logs", note=NOT_USED),
    Item("2.9", "Security Center logs networks and hosts", note=SECURITY_CENTER),
    Item("2.10", "An alert on changes of roles", note=TRAIL),
    Item("2.11", "An alert on changes of the cloud firewall", note=NOT_USED),
    Item("2.12", "An alert on changes of routes", note=TRAIL),
    Item("2.13", "An alert on changes of VPCs", note=TRAIL),
    Item("2.14", "An alert on changes of who may use OSS", note=TRAIL),
    Item("2.15", "An alert on changes of databases", note=TRAIL),
    Item("2.16", "An alert on refused calls", note=TRAIL),
    Item("2.17", "An alert on signing in without a second factor", note=TRAIL),
    Item("2.18", "An alert on what the root user does", note=TRAIL),
    Item("2.19", "An alert on failed signing in", note=TRAIL),
    Item("2.20", "An alert on keys that are disabled or deleted", note=TRAIL),
    Item("2.21", "An alert on changes of bucket policies", note=TRAIL),
    Item("2.22", "An alert on changes of security groups", note=TRAIL),
    Item("2.23", "Logs are kept for a year", ("logs-kept",)),
)
_NETWORK: Final = (
    Item(
        "3.1",
        "Nothing lies in the classic network",
        note="but for a CLB that the Internet reaches, which the cloud puts there",
    ),
    Item(
        "3.2",
        "The Internet cannot try ssh",
        ("admin-ranges-narrow",),
        "a company's own range can: a /16 by the policy, a /24 by the check",
    ),
    Item("3.3", "Flows of every VPC are logged", ("logs-kept",), "an adopted VPC's flows are logged by who owns it"),
    Item("3.4", "Routes to peers are no wider than needed"),
    Item("3.5", "Rules of security groups are narrow", ("security-least-exposure", "health-port-guarded")),
    Item("4.1", "Disks that hang on no host are encrypted"),
    Item(
        "4.2",
        "Disks of hosts are encrypted",
        note="drives in a host (adr/0012) are no disks of the cloud: they are as encrypted as the store makes them",
    ),
    Item("4.3", "No group opens port 22 to everybody", ("security-least-exposure",)),
    Item("4.4", "No group opens port 3389 to everybody"),
    Item(
        "4.5",
        "Hosts have the latest patches of their system",
        note="the host's: cloud-init sets up unattended security upgrades, and no argument of a resource does",
    ),
    Item("4.6", "Hosts are protected by an agent", note="of a public image; an image of one's own brings its agent"),
)
_STORAGE: Final = (
    Item("5.1", "No bucket is public"),
    Item("5.2", "No object is public", note="a bucket that blocks public access takes no public object (5.1)"),
    Item(
        "5.3",
        "Access to buckets is logged",
        ("buckets-hardened",),
        "but for the bucket of those logs, which would log its own logging",
    ),
    Item("5.4", "Buckets are asked over TLS alone"),
    Item("5.5", "A signed URL is good for an hour at most", note="whoever signs says how long; no URL is signed here"),
    Item("5.6", "A signed URL is good over TLS alone"),
    Item(
        "5.7",
        "Buckets are open to named networks alone",
        note="not done: who may use a bucket is decided by identity (5.1), from wherever it is reached",
    ),
    Item("5.8", "Buckets encrypt with keys of the service"),
    Item(
        "5.9",
        "Buckets encrypt with keys of one's own",
        note="to choose: `keys.mode` default-cmk or instance does; service, the default, is 5.8",
    ),
)
_DATABASE: Final = (
    Item(
        "6.1",
        "Databases are asked over TLS",
        note="TLS is on, as the benchmark audits, and hosts ask for it; the database's own pg_hba is left as it is",
    ),
    Item("6.2", "Databases are closed to the world"),
    Item("6.3", "Databases are audited"),
    Item("6.4", "What is audited is kept for six months"),
    Item(
        "6.5",
        "Databases encrypt what they hold",
        ("database-encrypted",),
        "by encryption of the disk, which holds the same pages",
    ),
    Item("6.6", "They do so with keys of one's own", ("database-encrypted",), "by encryption of the disk"),
    Item("6.7", "PostgreSQL logs who comes"),
    Item("6.8", "PostgreSQL logs who goes"),
    Item("6.9", "PostgreSQL logs how long statements take"),
)
_REST: Final = (
    *(
        Item(f"7.{number}", title, note=NO_CLUSTER)
        for number, title in enumerate(
            (
                "Clusters log to Log Service",
                "Clusters are watched by CloudMonitor",
                "Clusters use roles",
                "Clusters are checked every week",
                "Clusters have no dashboard",
                "Clusters take no passwords",
                "Clusters have network policies",
                "Pods have addresses of their own",
                "Clusters are private",
            ),
            start=1,
        )
    ),
    Item("8.1", "Security Center is of the Advanced or Enterprise edition", note=NOT_USED),
    Item("8.2", "Every host has the agent", note="of a public image; an image of one's own brings its agent"),
    Item("8.3", "What is found is put into quarantine", note=SECURITY_CENTER),
    Item("8.4", "Web servers are watched for web shells", note=SECURITY_CENTER),
    Item("8.5", "Somebody is told of what is found", note=SECURITY_CENTER),
    Item("8.6", "Configurations are assessed", note=SECURITY_CENTER),
    Item("8.7", "Hosts are scanned for vulnerabilities", note=SECURITY_CENTER),
    Item("8.8", "What runs on hosts is recorded", note=SECURITY_CENTER),
)
ITEMS: Final = (*_IDENTITY, *_LOGS, *_NETWORK, *_STORAGE, *_DATABASE, *_REST)
HEAD: Final = """\
# CIS Alibaba Cloud Foundation Benchmark 2.0.0

Every item of the benchmark, and what of it holds of what a blueprint builds. The titles are short ones of ours.

| status | what it means |
|---|---|
| enforced | nothing else can be built: a policy on resources refuses it, in `check` and whenever the program runs |
| checked | a check of the Plan fails without it, in production or everywhere; a waiver needs a reason and a last day |
| not ours | nothing that a blueprint builds decides it; the note says who does |

An item with a policy and a check is enforced by the one and judged more narrowly by the other. What a bucket owes
beside it (5.1, 5.4, 5.8) is seen where all resources are: in `check`, `preview` and `up`, and not by a plain `pulumi`.
What each proves: [checks.md](checks.md). Written from `infra/checks/policies/cis.py`; after a change there:
`KAKERA_GOLDEN=write python -m pytest tests/infra/test_cis.py`.
"""


def page() -> str:
    """Markdown: the head, how many items are of which status, and a row for each."""
    count = {status: sum(item.status == status for item in ITEMS) for status in ("enforced", "checked", "not ours")}
    told = ", ".join(f"{number} {status}" for status, number in count.items())
    rows = ["| item | what it asks | status | by | note |", "|---|---|---|---|---|", *map(_row, ITEMS)]
    return "\n".join([HEAD, f"Of {len(ITEMS)} items: {told}.", "", *rows, ""])


def _row(item: Item) -> str:
    by = ", ".join(f"`{name}`" for name in (*item.policies, *item.checks))
    return f"| {item.id} | {item.title} | {item.status} | {by} | {item.note} |"
