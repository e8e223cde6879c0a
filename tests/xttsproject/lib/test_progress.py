import pytest

from xttsproject.lib.errors import Cancelled
from xttsproject.lib.progress import Callback, Part


def test_a_part_reports_its_stretch_of_the_whole():
    seen: list[object] = []
    part = Part(Callback(lambda fraction, message: seen.append((fraction, message))), 0.2, 0.6)
    part.report(0.5, "half")
    part.report(7.0, "too much")
    assert seen == [(pytest.approx(0.4), "half"), (pytest.approx(0.6), "too much")]


def test_a_part_learns_that_the_whole_should_stop():
    with pytest.raises(Cancelled):
        Part(Callback(should_stop=lambda: True), 0, 1).check()
