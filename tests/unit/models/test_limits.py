"""Headers of both protocols, and of servers with ideas of their own."""

import pytest

from clawdbot.models.limits import Quota, quotas, wait

DATE = {"date": "Sun, 22 Nov 2026 10:00:00 GMT"}


@pytest.mark.parametrize(
    ("seconds", "headers"),
    [
        (None, {}),
        (20.0, {"retry-after": "20"}),
        (0.5, {"retry-after": "0.5"}),
        (1.5, {"retry-after-ms": "1500", "retry-after": "20"}),
        (90.0, {"retry-after": "Sun, 22 Nov 2026 10:01:30 GMT", **DATE}),
        (0.0, {"retry-after": "Sun, 22 Nov 2026 09:00:00 GMT", **DATE}),
        (None, {"retry-after": "Sun, 22 Nov 2026 10:01:30 GMT"}),
        (None, {"retry-after": "soon", **DATE}),
        (None, {"retry-after": "-5"}),
        (None, {"retry-after": "nan"}),
        (None, {"retry-after": "9" * 40}),
        (
            360.12,
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "6m0s120ms",
                "x-ratelimit-remaining-tokens": "7",
                "x-ratelimit-reset-tokens": "2h",
            },
        ),
        (30.0, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30", **DATE}),
        (None, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795341630000", **DATE}),
        (
            45.0,
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-22T10:00:45Z",
                **DATE,
            },
        ),
    ],
)
def test_the_wait_is_what_the_endpoint_asks_for(
    seconds: float | None, headers: dict[str, str]
) -> None:
    found = wait(headers)
    assert seconds == (found if found is None else pytest.approx(found))


def test_both_protocols_tell_their_quota() -> None:
    openai = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "1000",
    }
    assert (Quota(of="requests", remaining=59, limit=60, reset_s=0.12),) == quotas(openai)
    anthropic = {
        "anthropic-ratelimit-input-tokens-limit": "800",
        "anthropic-ratelimit-input-tokens-remaining": "799",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-22T10:00:30Z",
        "anthropic-ratelimit-requests-remaining": "many",
        **DATE,
    }
    expected = Quota(of="input-tokens", remaining=799, limit=800, reset_s=30.0)
    assert (expected,) == quotas(anthropic)
    assert (Quota(of="requests", remaining=3),) == quotas({"ratelimit-remaining": "3, 3;w=60"})
    assert () == quotas({"content-type": "text/html"})
