"""Telegram's Bot API, by long polling or webhook."""
