"""python -m tests.model [all | holes | mutants | wide | record | NAME ...]: explore, print counts and counterexamples.

`record` stores the counterexamples that the bounded tests walk. A NAME is a rule or a part of a wide plan's name.
"""

from __future__ import annotations

import os
import sys
import time

from tests.model.runs import MUTANTS, STORED, WIDES, Mutant, Total, Wide, render, total

JOBS = min(2, os.cpu_count() or 1)  # an exploration of four million states takes 4 GiB


def describe(title: str, result: Total) -> str:
    found = result.shortest.broken if result.shortest else "no violation"
    cut = f", {result.cut_short} CUT SHORT" if result.cut_short else ""
    counts = f"{result.configurations} configurations, {result.states} states, {result.steps} steps{cut}"
    return f"== {title}: {found}  [{counts}, {result.seconds:.0f} s]"


def chosen(words: list[str]) -> tuple[list[Mutant], list[Wide]]:
    everything = "all" in words or not words
    mutants = [
        m for m in MUTANTS if everything or {m.rule, "holes" if m.hole else "mutants"} & set(words) or "record" in words
    ]
    wides = [w for w in WIDES if everything or "wide" in words or any(word in w.name for word in words)]
    return mutants, wides


def main(words: list[str]) -> int:
    """0: every removed rule was missed, and nothing else was."""
    started, failed = time.monotonic(), 0
    mutants, wides = chosen(words)
    for mutant in mutants:
        result = total(mutant.model, mutant.configurations(), JOBS)
        print(describe(f"{mutant.model} without {mutant.rule}", result), flush=True)
        failed += result.shortest is None
        text = "\n".join(render(result.shortest)) + "\n" if result.shortest else ""
        if "record" in words:
            STORED.mkdir(exist_ok=True)
            mutant.path.write_text(text)
        else:
            print(text, flush=True)
    for wide in wides:
        result = total(wide.model, wide.plan(), JOBS)
        print(describe(f"{wide.model}, {wide.name}", result), flush=True)
        if result.shortest:
            print("\n".join(render(result.shortest)), flush=True)
        failed += result.shortest is not None or result.cut_short > 0
    print(f"{failed} failed, {time.monotonic() - started:.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
