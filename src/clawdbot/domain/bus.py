"""Facts for counters and logs, handed to whoever subscribed; it knows no metrics library."""

from collections.abc import Callable

from clawdbot.domain.events import Fact

Subscriber = Callable[[Fact], None]


class Bus:
    """A list of subscribers, called in order and at once; they must be quick and must not raise."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> None:
        """Add a receiver of every later fact."""
        self._subscribers.append(subscriber)

    def tell(self, name: str, value: float = 1.0, *labels: str) -> None:
        """Tell a fact to all."""
        fact = Fact(name=name, value=value, labels=labels)
        for subscriber in self._subscribers:
            subscriber(fact)
