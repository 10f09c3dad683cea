"""Every failure that we raise, as one tree; a class decides, its docstring is what users read.

Failure
    SettingsInvalid            a setting is wrong or unknown
    HomeLocked                 another process owns the data folder
    NotRunning                 a command needs the service
    StoreFailed
        DiskLow                too little space to promise anything
        SchemaNewer            the data was written by a newer version
    Fenced                     this node no longer owns the turn
    Denied                     permission is missing
        Untrusted              no owner decided to trust these bytes
    SealBroken                 a sealed value does not open
    AuditBroken                the audit trail is not as it was written
    BadInput                   a request that we cannot read
        Missing                what was asked for is not there, or not the asker's to see
        Forged                 a delivery without a valid signature
        TooLarge               more than a user may have here
    ToolFailed                 a tool could not do its work
        PluginFailed           a plugin cannot be loaded, or broke off
        SandboxRefused         nothing on this host isolates foreign code
    SendFailed
        Retry(after)           certainly not sent, try again
        Refused                certainly not sent, never will be
            Gone               the message to replace is not there any more
            Moved(chat)        the chat goes on under another id
        Window                 outside the platform's reply window
        AuthLost               the platform no longer knows our key
        Unknown                the request left, no answer came
    ModelFailed
        ModelHostUnknown       name resolution failed
        ModelRefused           nobody listens at the address
        ModelUntrusted         TLS could not be established
        ModelKeyRejected       401 or 403
        ModelUnknown           404: no such model or path
        ModelLimited(after)    429
        ModelQuotaSpent        the account has no credit left
        ModelTimedOut          no byte in time
        ModelOverloaded        5xx
        ModelMalformed         an answer that is not the protocol's
        ModelRejected          another 4xx: the request itself is refused
        ModelUnset             no such provider or route, or one without an address
"""

from collections.abc import Callable
from typing import ClassVar

from clawdbot.domain import text

Told = tuple[str, dict[str, str]]


class Failure(Exception):  # noqa: N818 - names say what happened, not that it is an error
    """Something went wrong. See the log with `clawdbot logs`."""

    retry: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1
    remedy: ClassVar[str] = ""

    def __init__(self, message: str = "", *, after: float | None = None) -> None:
        """Carry the message (the class's docstring where empty) and a wait in seconds."""
        super().__init__(message or first_line(type(self)))
        self.after = after

    def told(self, language: str) -> Told:
        """Tell it in the language of whoever reads it; of settings also by their keys."""
        return text.told(language, str(self)), {}


def first_line(kind: type[Failure]) -> str:
    """Give the sentence that a user reads for a kind of failure."""
    return (kind.__doc__ or "").split("\n", 1)[0]


class SettingsInvalid(Failure):
    """The settings are not valid. Run `clawdbot config check`."""

    exit_code = 78

    def __init__(self, message: str = "", *, tell: Callable[[str], Told] | None = None) -> None:
        """Carry the message, or what tells it in a language."""
        super().__init__(tell("en")[0] if tell else message)
        self._tell = tell or super().told

    def told(self, language: str) -> Told:
        """Tell it in the language of whoever reads it, also by the settings' keys."""
        return self._tell(language)


class HomeLocked(Failure):
    """Another clawdbot uses this data folder. Stop it with `clawdbot stop`."""

    exit_code = 75


class NotRunning(Failure):
    """The service is not running. Start it with `clawdbot start`."""

    exit_code = 69


class StoreFailed(Failure):
    """The data could not be written. See the log with `clawdbot logs`."""

    retry = True
    exit_code = 74


class DiskLow(StoreFailed):
    """The disk is almost full. Free some space; waiting messages are kept."""


class SchemaNewer(StoreFailed):
    """The data was written by a newer version. Install that version again."""

    retry = False


class Fenced(Failure):
    """Another node took this turn over."""


class Denied(Failure):
    """You do not have permission for this. Ask an owner of this assistant."""

    exit_code = 77


class SealBroken(Failure):
    """A sealed value does not open: it was changed, or sealed under another master key."""

    exit_code = 66


class AuditBroken(Failure):
    """The audit trail is not as it was written."""

    exit_code = 67


class Untrusted(Denied):
    """This plugin is not trusted. Look at it with `clawdbot plugin show`."""


class BadInput(Failure):
    """The request could not be understood."""

    exit_code = 65


class Missing(BadInput):
    """There is no such thing, or it is not yours to see."""


class Forged(BadInput):
    """The delivery does not carry a valid signature."""


class TooLarge(BadInput):
    """This is more than may be kept here."""


class ToolFailed(Failure):
    """The tool could not do this."""


class PluginFailed(ToolFailed):
    """The plugin could not do this. See `clawdbot plugin logs`."""


class SandboxRefused(ToolFailed):
    """Nothing on this host isolates foreign code, so none is run. See `clawdbot doctor`."""

    exit_code = 69


class SendFailed(Failure):
    """The message could not be delivered."""

    exit_code = 74


class Retry(SendFailed):
    """The platform asks us to wait."""

    retry = True


class Refused(SendFailed):
    """The platform refused the message."""


class Gone(Refused):
    """The message that was to be replaced is not there any more."""


class Moved(Refused):
    """The chat goes on under another id."""

    def __init__(self, message: str = "", *, chat: str = "") -> None:
        """Carry the message and the chat's id now."""
        super().__init__(message)
        self.chat = chat


class Window(SendFailed):
    """The platform allows an answer only for some time after a message."""


class AuthLost(SendFailed):
    """The platform no longer accepts the channel's key. Set a new one."""


class Unknown(SendFailed):
    """The connection broke before the platform confirmed the message."""


class ModelFailed(Failure):
    """The language model could not answer."""

    exit_code = 70


class ModelHostUnknown(ModelFailed):
    """The model endpoint's host is unknown. Check MODEL_ENDPOINT_URL and the network's DNS."""

    exit_code = 68


class ModelRefused(ModelFailed):
    """Nothing answers at the model endpoint. Check that the server runs and the port is right."""

    retry = True
    exit_code = 69


class ModelUntrusted(ModelFailed):
    """The model endpoint's certificate is not trusted. Check the address, or set net.ca_file."""

    exit_code = 71


class ModelKeyRejected(ModelFailed):
    """The model endpoint refused the key. Check MODEL_PROVIDER_AUTH."""

    exit_code = 77


class ModelUnknown(ModelFailed):
    """The endpoint does not know this model or path. See `clawdbot models`."""

    exit_code = 72


class ModelLimited(ModelFailed):
    """The model endpoint limits our requests. Wait, or use another provider."""

    retry = True
    exit_code = 75


class ModelQuotaSpent(ModelFailed):
    """The model account has no quota left. Add credit, or use another provider."""

    exit_code = 73


class ModelTimedOut(ModelFailed):
    """The model did not answer in time. Check the network, or raise timeout_s."""

    retry = True
    exit_code = 79


class ModelOverloaded(ModelFailed):
    """The model endpoint has trouble of its own. Try again later."""

    retry = True


class ModelMalformed(ModelFailed):
    """The endpoint does not speak this protocol. Check the address and the provider's protocol."""

    retry = True
    exit_code = 76


class ModelRejected(ModelFailed):
    """The model endpoint refused the request."""

    exit_code = 65


class ModelUnset(ModelFailed):
    """No such provider or route, or it has no address. See `clawdbot models`."""

    exit_code = 78
