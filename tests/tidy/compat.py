"""Writes docs/compat/s3.md and oss.md from the table of operations: `python -m tests.tidy.compat`."""

from __future__ import annotations

from kakera.core import operations
from kakera.core.operations import Operation, Vendor
from tests.tidy.sources import ROOT

TITLES: dict[Vendor, str] = {"s3": "Amazon S3", "oss": "Alibaba Cloud OSS"}
LEVELS = {"service": "Account", "bucket": "Buckets", "object": "Objects"}


def document(vendor: Vendor) -> str:
    rows = [row for row in operations.ALL.operations if row.vendor == vendor]
    built = sum(row.built for row in rows)
    lines = [
        f"# Operations of {TITLES[vendor]}",
        "",
        "Generated from `server/kakera/core/operations_*.py` by `python -m tests.tidy.compat`; edit those, not this.",
        "",
        f"{built} of {len(rows)} are built. The others answer NotImplemented (README.md says how a request is told).",
    ]
    for level, title in LEVELS.items():
        lines += ["", f"## {title}", "", "| | operation | request | policy action | |", "|---|---|---|---|---|"]
        lines += [_line(row) for row in sorted(rows) if row.level == level]
    return "\n".join(lines) + "\n"


def _line(row: Operation) -> str:
    query = "?" + "&".join(row.selectors) if row.selectors else ""
    headers = "".join(f" + `{name}`" for name in row.headers)
    request = f"`{row.method} {query}`".replace(" `", "`").replace("|", "\\|") + headers
    names = row.name + "".join(f" ({name})" for name in row.also)
    action = row.action + (f", {row.version_action}" if row.version_action else "")
    return f"| {'●' if row.built else '○'} | {names} | {request} | {action} | {row.note} |"


def paths() -> dict[Vendor, str]:
    return {"s3": "docs/compat/s3.md", "oss": "docs/compat/oss.md"}


if __name__ == "__main__":
    for vendor, path in paths().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(document(vendor))
