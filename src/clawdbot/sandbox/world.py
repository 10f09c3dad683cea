"""Our own look into a page: frames and nodes as Chromium knows them, in a world of our own there.

What a page or a script in it could falsify is never asked in the page's world.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress

import msgspec

from clawdbot.domain.errors import Denied
from clawdbot.sandbox.tab import Refused, Tab

Spot = tuple[str, str]  # a frame, and the document in it

_GONE = "The element is of a page that is gone."
_LOOKS = 5

# The node is checked where it stands, in the same breath in which it gets the text.
PUT = """function (text, origin, visible) {
  const view = this.ownerDocument?.defaultView;
  if (!(this instanceof HTMLInputElement) || !this.isConnected || view !== window) return "field";
  if (self.origin !== origin || location.origin !== origin) return "origin";
  const kinds = visible ? ["text", "email", "tel", "search", "url", "number"] : ["password"];
  if (!kinds.includes(this.type) || this.disabled || this.readOnly) return "field";
  const ways = this.form ? [this.form, ...this.form.elements] : [];
  for (const way of ways) {
    for (const name of ["action", "formaction"]) {
      if (!way.hasAttribute(name)) continue;
      const aim = new URL(way.getAttribute(name) || location.href, document.baseURI);
      if (aim.origin !== origin && aim.protocol !== "javascript:") return "form";
    }
  }
  this.focus();
  const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
  value.set.call(this, text);
  for (const name of ["input", "change"]) this.dispatchEvent(new Event(name, { bubbles: true }));
  return "";
}"""
SUBMIT = """function () {
  const form = this.closest("form") ?? this.form;
  form?.requestSubmit();
  return form ? "" : "field";
}"""
_ECHO = """function (...texts) {
  const root = document.documentElement;
  const told = [root?.textContent ?? ""];
  for (const each of root?.querySelectorAll("*") ?? []) {
    for (const attribute of each.attributes) told.push(attribute.value);
  }
  return told.some((one) => texts.some((text) => one.includes(text))) ? "echo" : "";
}"""


class Place(msgspec.Struct, frozen=True):
    """Where an element is: its frame, the document there, the node, the document's origin."""

    frame: str
    document: str
    node: int
    origin: str = ""


class _Frame(msgspec.Struct):
    id: str
    loaderId: str  # noqa: N815 - the protocol's words
    securityOrigin: str  # noqa: N815


class _Tree(msgspec.Struct):
    frame: _Frame
    childFrames: tuple["_Tree", ...] = ()  # noqa: N815

    def all(self) -> list[_Frame]:
        return [self.frame, *(each for child in self.childFrames for each in child.all())]


class _Trees(msgspec.Struct):
    frameTree: _Tree  # noqa: N815


class _World(msgspec.Struct):
    executionContextId: int  # noqa: N815


class _Object(msgspec.Struct):
    objectId: str = ""  # noqa: N815
    value: object = None


class _Node(msgspec.Struct):
    object: _Object


class _Result(msgspec.Struct):
    result: _Object
    exceptionDetails: msgspec.Raw | None = None  # noqa: N815


async def _frames(tab: Tab, session: str) -> list[_Frame]:
    raw = await tab.tell("Page.getFrameTree", session)
    return msgspec.json.decode(raw, type=_Trees).frameTree.all()


async def _all(tab: Tab) -> AsyncGenerator[tuple[str, _Frame], None]:
    """Visit every frame of the context, with what to speak to it on."""
    for target in await tab.targets("page", "iframe"):
        async with tab.attached(target) as session:
            for each in await _frames(tab, session):
                yield session, each


async def alive(tab: Tab) -> set[Spot]:
    """List every frame and document of the context."""
    return {(each.id, each.loaderId) for _, each in await _patiently(tab, _none)}


async def echoes(tab: Tab, texts: Sequence[str]) -> bool:
    """Tell whether a page has one of the texts in words or attributes, for selectors to find."""

    async def look(session: str, frame: _Frame) -> str:
        world = await _world(tab, session, frame.id)
        return await _called(tab, session, {"executionContextId": world}, _ECHO, texts)

    return any(found for found, _ in await _patiently(tab, look))


async def _none(_: str, __: _Frame) -> str:
    return ""


async def _patiently(
    tab: Tab, look: Callable[[str, _Frame], Awaitable[str]]
) -> list[tuple[str, _Frame]]:
    """Look at every frame of the context; again where one went elsewhere meanwhile."""
    for _ in range(_LOOKS):
        with suppress(Refused):
            async with aclosing(_all(tab)) as visited:
                return [(await look(session, each), each) async for session, each in visited]
    raise Refused("The pages do not stand still.")


@asynccontextmanager
async def place_of(tab: Tab, element: str) -> AsyncIterator[tuple[str, Place]]:
    """Speak with the frame that an element is in; raises Refused where its document is gone."""
    _, frame, _, document, _, node = element.split(".")
    async with aclosing(_all(tab)) as visited:
        async for session, each in visited:
            if (each.id, each.loaderId) == (frame, document):
                yield session, Place(frame, document, int(node), each.securityOrigin)
                return
    raise Refused(_GONE, "stale element reference")


async def run_on(
    tab: Tab, session: str, place: Place, function: str, given: Sequence[object] = ()
) -> str:
    """Call a function on a node, in a world of ours in its frame."""
    try:
        world = await _world(tab, session, place.frame)
        raw = await tab.tell(
            "DOM.resolveNode", session, backendNodeId=place.node, executionContextId=world
        )
        node = msgspec.json.decode(raw, type=_Node).object.objectId
        return await _called(tab, session, {"objectId": node}, function, given)
    except Refused as error:
        raise Refused(_GONE, "stale element reference") from error


async def _world(tab: Tab, session: str, frame: str) -> int:
    raw = await tab.tell("Page.createIsolatedWorld", session, frameId=frame)
    return msgspec.json.decode(raw, type=_World).executionContextId


async def _called(
    tab: Tab, session: str, at: Mapping[str, object], function: str, given: Sequence[object]
) -> str:
    arguments = [{"value": each} for each in given]
    raw = await tab.tell(
        "Runtime.callFunctionOn",
        session,
        **at,
        functionDeclaration=function,
        arguments=arguments,
        returnByValue=True,
    )
    result = msgspec.json.decode(raw, type=_Result)
    if result.exceptionDetails:
        raise Denied("The page did not let us look.")
    return str(result.result.value or "")
