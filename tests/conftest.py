"""Common to every suite: the `needs` marker, and hypothesis profiles whose failures can be run again."""

from __future__ import annotations

import hypothesis
import pytest

from tests.needs import in_ci, require

# No deadline: a shared machine is late for reasons of its own. print_blob: a failure can be replayed.
hypothesis.settings.register_profile(
    "kakera",
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
# The same examples on every run of CI, so that a red run means a changed tree.
hypothesis.settings.register_profile("ci", parent=hypothesis.settings.get_profile("kakera"), derandomize=True)
hypothesis.settings.load_profile("ci" if in_ci() else "kakera")


@pytest.hookimpl(tryfirst=True)  # before any fixture touches what is missing
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        require(*mark.args)
