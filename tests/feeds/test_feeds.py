"""The `feeds` package: its names are there, and cost nothing until they are used."""

import subprocess
import sys

import pytest

import feeds


def test_importing_the_package_and_its_sources_loads_no_pandas():
    """The command line must answer at once; pandas alone takes longer than it may."""
    used = "feeds.SampleBars, feeds.FileBars, feeds.AlphaHubSignals, feeds.SampleSignals"
    code = f"import feeds, sys; {used}; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_name_that_is_not_there_is_an_attribute_error():
    """As of any module."""
    with pytest.raises(AttributeError, match="module 'feeds' has no attribute 'Bars'"):
        _ = feeds.Bars


def test_every_name_offered_has_its_place():
    """`__all__` is sorted and says what a `from feeds import` may name."""
    names = [
        "AlgogeneBars",
        "AlpacaBars",
        "AlpacaQuotes",
        "AlphaHubConnection",
        "AlphaHubSignals",
        "BarQuotes",
        "FileBars",
        "FileQuotes",
        "SampleBars",
        "SampleSignals",
    ]
    assert feeds.__all__ == sorted(feeds.__all__) == names
    assert (feeds.SampleBars.__module__, feeds.FileBars.__module__) == ("feeds.sample", "feeds.files")
