"""An address is one destination, whatever else is known about it."""

from clawdbot.domain.inbound import Address


def test_the_key_names_channel_account_chat_and_thread() -> None:
    address = Address(channel="telegram", account="main", chat="-5", thread="9", group=True)
    assert "telegram/main/-5/9" == address.key
