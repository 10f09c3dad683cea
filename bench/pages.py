"""How soon the first pages open in Chromium, in a full home. `python -m bench.pages`."""

import os
import statistics
import tempfile
import time
from pathlib import Path

from tests.journey.browser import PASSWORD, Person, Service, browsing, serving, set_up
from tests.journey.world import fill

PAGES = ("/login", "/", "/overview", "/chat", "/settings")
OPENED = 11
GOAL_MS = 200.0
_TIMES = """
const [page] = performance.getEntriesByType('navigation');
return [page.responseStart, page.responseEnd, page.domContentLoadedEventEnd, page.loadEventEnd];
"""


def main() -> None:
    """Measure, and print."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program keeps its byte code
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        place = Path(folder)
        with (
            serving(place / "home", []) as (service, link),
            browsing(place / "owner") as owner,
            browsing(place / "stranger") as stranger,
        ):
            set_up(owner, link)
            fill(service.home, time.time(), password=PASSWORD)
            print("page, ms         first  TTFB  DOM ready  loaded")
            for page in PAGES:
                _print(page, *_opened(stranger if page == "/login" else owner, service, page))


def _opened(person: Person, service: Service, page: str) -> tuple[float, list[list[float]]]:
    """Open a page often; give when it was ready the first time, and each time's moments after."""
    times = []
    for _ in range(OPENED):
        person.driver.get(service.address + page)
        person.wait(lambda: person.run("return document.readyState === 'complete'"), page)
        found = person.run(_TIMES)
        assert isinstance(found, list)
        times.append([float(each) for each in found])
    return times[0][2], times[1:]


def _print(page: str, first: float, times: list[list[float]]) -> None:
    begun, _, ready, loaded = (statistics.median(each) for each in zip(*times, strict=True))
    missed = " (missed)" if max(first, ready) > GOAL_MS else ""
    print(f"{page:14} {first:7.0f} {begun:5.0f} {ready:10.0f} {loaded:7.0f}{missed}")


if __name__ == "__main__":
    main()
