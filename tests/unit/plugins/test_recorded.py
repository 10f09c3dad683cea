"""Decorators record and leave the function as it is."""

import pytest

from clawdbot.plugins import browser_automation, system_command
from clawdbot.plugins.recorded import RECORDS


@pytest.fixture(autouse=True)
def nothing_recorded(monkeypatch) -> None:
    RECORDS.clear()


def test_a_bare_decorator_records_and_changes_nothing() -> None:
    def disk_usage(params: dict) -> int:
        return len(params)

    assert disk_usage is system_command.register(disk_usage)
    (record,) = RECORDS
    assert ("command", disk_usage, {}) == record


def test_options_are_recorded_as_given() -> None:
    @browser_automation.task(name="mail", timeout=60, hosts=["mail.example.com"])
    def check(credentials: str) -> str:
        return credentials

    (record,) = RECORDS
    assert ("browser", check) == record[:2]
    assert {"name": "mail", "timeout": 60, "hosts": ["mail.example.com"]} == record.options
    assert "x" == check("x")


def test_a_misspelt_option_is_told_where_it_stands() -> None:
    with pytest.raises(TypeError, match=r"there is no option host$"):
        system_command.register(host="a.example")  # type: ignore[call-overload]
