"""A secret shows itself only when asked by name."""

from clawdbot.domain.secret import Secret


def test_a_secret_prints_no_letter_of_itself() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"


def test_reveal_gives_the_text() -> None:
    assert "hunter2" == Secret("hunter2").reveal()


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("a"))


def test_an_empty_secret_is_false() -> None:
    assert (False, True) == (bool(Secret("")), bool(Secret("x")))
