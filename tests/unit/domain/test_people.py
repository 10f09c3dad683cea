"""Who runs the place."""

import pytest

from clawdbot.domain.people import User


@pytest.mark.parametrize(
    ("role", "expected"), [("owner", True), ("admin", True), ("member", False), ("guest", False)]
)
def test_owners_and_admins_run_the_place(role: str, *, expected: bool) -> None:
    assert expected == User("u", "Ann", role, "en", "UTC").runs_the_place
