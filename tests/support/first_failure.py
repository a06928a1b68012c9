"""A pytest plugin for runs that end at the first failure: quick tests first, and no time on a smaller example.

python -m pytest -p tests.support.first_failure -x ...
"""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis import is_hypothesis_test as draws_examples

settings.register_profile("first_failure", phases=(Phase.explicit, Phase.generate), report_multiple_bugs=False)
settings.load_profile("first_failure")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: draws_examples(getattr(item, "obj", None)))
