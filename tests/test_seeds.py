import subprocess
import sys
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from spatial_erasing.seeds import hash_fraction, hash_seed

NAMES = st.lists(st.one_of(st.text(), st.integers()), max_size=4)


@settings(deadline=None)  # a busy machine is no failure
@given(parts=NAMES)
def test_the_seed_is_the_head_of_sha256(parts):
    digest = sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()
    assert hash_seed(*parts) == int(digest[:16], 16) // 2
    assert hash_fraction(*parts) == int(digest[:16], 16) // 2**11 / 2**53
    assert 0 <= hash_fraction(*parts) < 1 and 0 <= hash_seed(*parts) < 2**63


def test_these_numbers_never_change():
    """A new value here would move every subject of every study to another split."""
    assert hash_seed(1, "split", "healthy", "sub-0001") == 6103495731320045050
    assert hash_fraction("batch", "atlas", "031768") == 0.4461772087354513


def test_names_do_not_run_into_each_other():
    assert len({hash_seed("ab", "c"), hash_seed("a", "bc"), hash_seed("abc"), hash_seed("a", "b", "c")}) == 4


def test_fractions_are_uniform_and_independent():
    first = [hash_fraction(1, "split", "healthy", f"sub-{i:04d}") for i in range(3000)]
    second = [hash_fraction(2, "split", "healthy", f"sub-{i:04d}") for i in range(3000)]
    assert stats.kstest(first, "uniform").pvalue > 0.01
    assert abs(stats.pearsonr(first, second).statistic) < 0.05


@pytest.mark.parametrize("hash_seed_of_python", ["0", "1", "random"])
def test_another_process_draws_the_same(hash_seed_of_python):
    code = "from spatial_erasing.seeds import hash_seed; print(hash_seed(7, 'Zoë', 'x'))"
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": hash_seed_of_python, "PYTHONPATH": "."},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert int(printed) == hash_seed(7, "Zoë", "x")
