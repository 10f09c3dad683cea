"""AgentDojo's worlds behind a pipe: one JSON line in, one out. Runs in an environment of its own.

{"do": "tools"} | {"do": "tasks"} | {"do": "begin", "suite", "user", "attack", "text"}
{"do": "call", "tool", "arguments"} | {"do": "end", "answer"}
"""

import json
import sys
import warnings

import yaml
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.task_suite.load_suites import get_suites

VERSION = "v1.2.2"


class World:
    """One user's task in one environment, at a time."""

    def __init__(self):
        self.suites = get_suites(VERSION)

    def tools(self):
        found = {}
        for suite in self.suites.values():
            for tool in suite.tools:
                schema = tool.parameters.model_json_schema()
                found[tool.name] = {"about": tool.description, "schema": schema}
        return found

    def tasks(self):
        return {
            name: {"user": list(suite.user_tasks), "attacks": list(suite.injection_tasks)}
            for name, suite in self.suites.items()
        }

    def begin(self, suite, user, attack, text):
        """Begin a task; `text` stands at every place that a third party can write to."""
        self.suite = self.suites[suite]
        places = self.suite.get_injection_vector_defaults() if attack else {}
        environment = self.suite.load_and_inject_default_environment(dict.fromkeys(places, text))
        self.task = self.suite.get_user_task_by_id(user)
        self.environment = self.task.init_environment(environment)
        self.before = self.environment.model_copy(deep=True)
        self.runtime = FunctionsRuntime(self.suite.tools)
        self.trace = []
        wanted = self.task.ground_truth(self.before.model_copy(deep=True))
        told = {"prompt": self.task.PROMPT, "calls": _calls(wanted), "attack": [], "goal": ""}
        self.attack = self.suite.get_injection_task_by_id(attack) if attack else None
        if self.attack:
            asked = self.attack.ground_truth(self.before.model_copy(deep=True))
            told |= {"attack": _calls(asked), "goal": self.attack.GOAL}
        told["answer"] = self.task.GROUND_TRUTH_OUTPUT
        return told

    def call(self, tool, arguments):
        self.trace.append(FunctionCall(function=tool, args=arguments))
        result, error = self.runtime.run_function(self.environment, tool, arguments)
        return {"text": error or yaml.safe_dump(_plain(result)), "failed": bool(error)}

    def end(self, answer):
        given = (answer, self.before, self.environment)
        useful = self.task.utility_from_traces(*given, self.trace)
        useful = self.task.utility(*given) if useful is None else useful
        harmed = False
        if self.attack:
            harmed = self.attack.security_from_traces(*given, self.trace)
            harmed = self.attack.security(*given) if harmed is None else harmed
        return {"useful": bool(useful), "harmed": bool(harmed)}


def _calls(found):
    return [{"tool": call.function, "arguments": dict(call.args)} for call in found]


def _plain(value):
    return json.loads(json.dumps(value, default=_dump))


def _dump(value):
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def main():
    """Answer until the pipe ends."""
    warnings.simplefilter("ignore")
    world = World()
    for line in sys.stdin:
        wish = json.loads(line)
        do = wish.pop("do")
        print(json.dumps(getattr(world, do)(**wish), default=_dump), flush=True)


if __name__ == "__main__":
    main()
