"""What endpoints write when they refuse, in the forms that servers have."""

import pytest

from clawdbot.domain.errors import (
    ModelFailed,
    ModelKeyRejected,
    ModelLimited,
    ModelMalformed,
    ModelOverloaded,
    ModelQuotaSpent,
    ModelRejected,
    ModelTimedOut,
    ModelUnknown,
)
from clawdbot.models.failures import Fault, of_answer, of_error


@pytest.mark.parametrize(
    ("kind", "text", "status", "body"),
    [
        (ModelKeyRejected, "bad key", 401, b'{"error":{"message":"bad key","code":null}}'),
        (ModelUnknown, "model 'x' not found", 404, b'{"error":"model \'x\' not found"}'),
        (
            ModelUnknown,
            "The model `x` does not exist.",
            404,
            b'{"object":"error","message":"The model `x` does not exist.","code":404}',
        ),
        (ModelUnknown, "no x", 400, b'{"error":{"message":"no x","code":"model_not_found"}}'),
        (
            ModelQuotaSpent,
            "You exceeded your current quota",
            429,
            b'{"error":{"message":"You exceeded your current quota","type":"insufficient_quota"}}',
        ),
        (ModelQuotaSpent, "Insufficient Balance", 402, b'{"error":"Insufficient Balance"}'),
        (
            ModelQuotaSpent,
            "Your credit balance is too low to access the API.",
            400,
            b'{"error":{"message":"Your credit balance is too low to access the API."}}',
        ),
        (ModelLimited, "slow", 429, b'{"error":{"message":"slow","type":"tokens"}}'),
        (ModelLimited, "slow", 200, b'{"error":{"message":"slow","code":429}}'),
        (
            ModelRejected,
            '[{"loc":["body","x"],"msg":"extra"}]',
            422,
            b'{"detail": [{"loc": ["body", "x"], "msg": "extra"}]}',
        ),
        (ModelRejected, "bad", 400, b'[{"error":{"message":"bad","code":400}}]'),
        (ModelOverloaded, "upstream connect error", 503, b"upstream connect\n  error"),
        (ModelOverloaded, "HTTP 502 text/html", 502, b"  <html><b>Bad gateway</b>"),
        (ModelOverloaded, "HTTP 500 text/html", 500, b""),
        (ModelOverloaded, "[]", 500, b"[]"),
        (ModelTimedOut, "HTTP 408 text/html", 408, b"<"),
        (ModelMalformed, "HTTP 302 text/html", 302, b""),
        (ModelMalformed, "HTTP 200 text/html", 200, b"<!doctype html>"),
        (ModelMalformed, "HTTP 200 text/html", 200, b'{"object":"chat.completion"}'),
    ],
)
def test_an_answer_stands_for_a_failure(
    kind: type[ModelFailed], text: str, status: int, body: bytes
) -> None:
    failure = of_answer(status, {"content-type": "text/html", "retry-after": "3"}, body)
    assert (kind, text, 3.0) == (type(failure), str(failure), failure.after)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (ModelOverloaded, Fault(message="Overloaded", type="overloaded_error")),
        (ModelOverloaded, Fault(message="oh", type="server_error")),
        (ModelOverloaded, Fault(message="oh", code=502)),
        (ModelOverloaded, "something"),
        (ModelLimited, Fault(message="oh", type="rate_limit_error")),
        (ModelKeyRejected, Fault(type="authentication_error")),
        (ModelRejected, Fault(message="too long", type="invalid_request_error")),
        (ModelTimedOut, Fault(type="timeout_error")),
    ],
)
def test_an_error_in_the_middle_of_an_answer_has_a_kind_too(
    kind: type[ModelFailed], fault: Fault | str
) -> None:
    assert kind is type(of_error(fault))
