from clawdbot.plugins import progress, report


def test_outside_a_box_nobody_listens() -> None:
    progress("half")


def test_who_listens_hears(monkeypatch) -> None:
    heard: list[tuple[str, float | None]] = []
    monkeypatch.setattr(report, "listeners", [lambda *told: heard.append(told)])
    progress("half", 0.5)
    progress("more")
    assert [("half", 0.5), ("more", None)] == heard
