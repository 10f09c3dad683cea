"""One answer as it comes in: what is new of it, and how it ended; pure.

Codecs write into it, an endpoint reads it out.
"""

from msgspec import Struct, field

from clawdbot.domain.errors import ModelMalformed, ModelRejected
from clawdbot.domain.messages import Call, Source
from clawdbot.models.request import CallDelta, Delta, ReasoningDelta, TextDelta, Used

_CUT = frozenset({"length", "max_tokens", "model_context_window_exceeded"})
_REFUSED = frozenset({"content_filter", "refusal"})


class Fragments(Struct, kw_only=True):
    """A tool call whose pieces are still coming."""

    index: int | None
    id: str
    tool: str
    pieces: list[str] = field(default_factory=list)


class Answer(Struct):
    """`stop` is the provider's word for why it ended; `done` says that no more will come.

    `signature` closes a thought now, `mark` the last one at the end; `pieces` stands in for the
    tokens where the endpoint does not count them.
    """

    model: str = ""
    version: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    stop: str = ""
    done: bool = False
    pieces: int = 0
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    signature: str = ""
    mark: str = ""
    calls: list[Fragments] = field(default_factory=list)
    _said: bool = False

    def call(self, index: int | None) -> Fragments | None:
        """Find the latest call under a number of the provider's."""
        return next((call for call in reversed(self.calls) if call.index == index), None)

    def news(self) -> list[Delta]:
        """Take what came since the last look, pieces joined."""
        found: list[Delta] = []
        if self.thoughts or self.signature:
            found.append(ReasoningDelta("".join(self.thoughts), self.signature))
            self.thoughts, self.signature = [], ""
        if self.texts:
            found.append(TextDelta("".join(self.texts)))
            self.texts, self._said = [], True
        return found

    def end(self) -> list[Delta]:
        """Take the calls and the sum; raises where the answer broke off or was refused."""
        if not self.done and not self.stop:
            raise ModelMalformed(f"the answer broke off after {self.pieces} pieces")
        cut = self.stop in _CUT
        if self.stop in _REFUSED or (cut and not self._said and not self.calls):
            raise ModelRejected(f"the answer ended with {self.stop!r}")
        found: list[Delta] = [ReasoningDelta("", self.mark)] if self.mark else []
        if cut and self._said:
            found.append(TextDelta(" …"))
        found += [
            CallDelta(
                Call(
                    id="",
                    tool=call.tool,
                    arguments="".join(call.pieces),
                    provider_id=call.id,
                    source=Source.MODEL,
                )
            )
            for call in self.calls
        ]
        found.append(
            Used(
                tokens_in=self.tokens_in,
                tokens_out=self.tokens_out or self.pieces,
                model=self.model,
            )
        )
        return found
