"""Failures speak for themselves: the docstring is the message, the class the decision."""

import inspect

import pytest

from clawdbot.domain import errors
from clawdbot.domain.errors import Failure, ModelLimited, Retry

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, Failure) and kind is not Failure
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_failure_without_words_says_its_docstring(kind: type[Failure]) -> None:
    assert errors.first_line(kind) == str(kind())
    assert "." == errors.first_line(kind)[-1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_failure_is_drawn_in_the_tree(kind: type[Failure]) -> None:
    drawn = {line.split()[0].split("(")[0] for line in (errors.__doc__ or "").splitlines() if line}
    assert kind.__name__ in drawn


def test_a_wait_is_carried() -> None:
    assert (7.0, True) == (Retry(after=7).after, Retry.retry)
    assert 3.0 == ModelLimited("busy", after=3).after


def test_exit_codes_of_failures_that_a_script_must_tell_apart_differ() -> None:
    codes = [
        errors.ModelHostUnknown,
        errors.ModelRefused,
        errors.ModelUntrusted,
        errors.ModelKeyRejected,
        errors.ModelUnknown,
        errors.ModelLimited,
        errors.ModelTimedOut,
        errors.ModelMalformed,
        errors.ModelQuotaSpent,
    ]
    assert len(codes) == len({kind.exit_code for kind in codes})
