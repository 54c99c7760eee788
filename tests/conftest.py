import os

import pytest


def pytest_sessionfinish(session, exitstatus):
    """Where every test can run, a skipped one is a failure: FAIL_ON_SKIP=1."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("FAIL_ON_SKIP") and skipped and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} tests were skipped, and FAIL_ON_SKIP is set", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
