"""The pages of plugins and tools: what is there, what it may do, and trying a function.

What somebody else wrote stands on them as text. Whether a button may be pressed is the operation's
to say; the page only leaves out what would be refused.
"""

from collections.abc import Iterator

from aiohttp import web

from clawdbot.domain.errors import BadInput, Failure
from clawdbot.domain.people import Level
from clawdbot.gateway.route import Caller
from clawdbot.ops.reading import Wanted
from clawdbot.panel.additions import About, Sort
from clawdbot.panel.pages import page
from clawdbot.panel.parts import Pages
from clawdbot.panel.shell import framed
from clawdbot.tools.manifest import Function, Parameter

_SHAPES = {"integer": "number", "number": "number", "boolean": "switch", "array": "list"}


class Plugins(Pages):
    """The list, and a page each."""

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """Show what is there and what was allowed in advance."""
        additions = self._with.offered.additions
        values = {"entries": await additions.listed(), "allowed": await additions.allowed()}
        return await framed(self._with, "plugins", request, caller, values)

    async def one(self, request: web.Request, caller: Caller) -> web.Response:
        """Show one; a tool server that does not answer is a page that says so."""
        name, wanted = request.match_info["name"], request.query.get("sort", Sort.PLUGIN)
        if wanted not in set(Sort):
            return page("lost", request, caller, status=404)
        try:
            about = await self._with.offered.additions.shown(Sort(wanted), name)
        except (BadInput, web.HTTPNotFound):
            return page("lost", request, caller, status=404)
        except Failure as error:
            about = About(sort=Sort(wanted), name=name, state="broken", problem=str(error))
        names = {each.name for each in about.functions}
        allowed = [
            each for each in await self._with.offered.additions.allowed() if each.tool in names
        ]
        reader = self._with.offered.reader
        values = {
            "about": about,
            "said": await reader.of_plugin(name, Wanted(most=100)) if about.functions else [],
            "allowed": allowed,
            "before": {each.name: each for each in about.before},
            "forms": {each.name: [*_fields(each)] for each in about.functions},
            "owns": caller.who.role == Level.OWNER,
        }
        return await framed(self._with, "plugin", request, caller, values)


def _fields(function: Function) -> Iterator[dict[str, object]]:
    """Tell how the form of a call asks for each parameter."""
    for each in function.parameters:
        schema = _main(each)
        options = schema.get("enum")
        listed = options if isinstance(options, list) else []
        yield {
            "name": each.name,
            "chosen": bool(listed),
            "shape": "file" if each.is_file else _SHAPES.get(str(schema.get("type")), "text"),
            "options": [("", "–")] * (not each.required) + [(str(o), str(o)) for o in listed],
            "required": each.required,
            "hint": schema.get("description", ""),
            "default": schema.get("default", ""),
        }


def _main(parameter: Parameter) -> dict[str, object]:
    """Give a parameter's schema; of several, the first that is not nothing."""
    options = parameter.schema.get("anyOf")
    found = [o for o in options if isinstance(o, dict)] if isinstance(options, list) else []
    first = next((option for option in found if option.get("type") != "null"), {})
    return parameter.schema | first
