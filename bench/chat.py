"""How a conversation of 1,000 turns opens and scrolls in Chromium. `python -m bench.chat`."""

import sqlite3
import statistics
import tempfile
from contextlib import closing
from pathlib import Path

from tests.journey.browser import Person, Service, browsing, serving, set_up

TURNS = 1000
OPENED = 10
GOAL_MS = 500.0
_WORDS = "Some **words** of an answer, with `code`, and a list:\\n\\n- one\\n- two\\n\\n" * 3
_OPENED = """
const [page] = performance.getEntriesByType('navigation');
const paint = performance.getEntriesByName('first-contentful-paint')[0];
const all = [page, ...performance.getEntriesByType('resource')];
return [Math.max(page.domContentLoadedEventEnd, paint?.startTime ?? 0),
        all.reduce((sum, each) => sum + each.transferSize, 0) / 1000];
"""
# Up to the first words and down again, a step a frame; what is in sight moves by the step, no more.
_SCROLLED = """
const told = arguments[arguments.length - 1];
const log = document.getElementById('log');
const frames = [];
let [last, most, lines, step, moved] = [performance.now(), 0, 0, -400, 0];
function seen() {
  return [...log.querySelectorAll('.line')].find((each) => each.getBoundingClientRect().top > 100);
}
function frame() {
  const now = performance.now();
  frames.push(now - last);
  last = now;
  lines = Math.max(lines, log.querySelectorAll('.line').length);
  if (moved && moved.line.isConnected) {
    most = Math.max(most, Math.abs(moved.line.getBoundingClientRect().top - moved.top));
  }
  const left = log.scrollHeight - log.clientHeight - log.scrollTop;
  const first = document.querySelector('.own .words').textContent === 'hello';
  if (step < 0 && first && log.scrollTop < 1) step = 400;
  if (step > 0 && !document.getElementById('lines').hidden && left < 1) {
    frames.sort((a, b) => a - b);
    return told([frames[Math.floor(frames.length * 0.95)], most, lines, frames.length]);
  }
  const line = seen();
  const before = log.scrollTop;
  const top = line?.getBoundingClientRect().top;
  log.scrollTop += step;
  moved = line && { line, top: top - (log.scrollTop - before) };
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);
"""


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="ch") as folder:
        place = Path(folder)
        with serving(place / "home", []) as (service, link), browsing(place / "profile") as person:
            set_up(person, link)
            person.ask("hello")
            _fill(service)
            opened = [_open(person) for _ in range(OPENED)]
            person.driver.set_script_timeout(300)
            slow, most, lines, frames = person.driver.execute_async_script(_SCROLLED)
    median = statistics.median(each for each, _ in opened)
    missed = " (missed)" if median > GOAL_MS else ""
    print(f"opened, median of {OPENED}, ms          {median:8.0f}{missed}")
    print(f"opened, slowest, ms                {max(each for each, _ in opened):8.0f}")
    print(f"first page with all it loads, kB   {opened[0][1]:8.0f}")
    print(f"frame while scrolling, p95, ms     {slow:8.1f} of {frames}")
    print(f"unasked move of a line, most, px   {most:8.1f}")
    print(f"lines in the page, most            {lines:8.0f}")


def _fill(service: Service) -> None:
    row = (
        "INSERT INTO transcript"
        " SELECT id, ?, ?, 's', ?, user_id, ?, 0, 1, 1e9, '' FROM conversations"
    )
    part = '{"role": "%s", "parts": [{"type": "text", "source": "own", "text": "%s %s"}]}'
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db, db:
        for n in range(2, TURNS + 2):
            own, answer = part % ("user", "Question", n), part % ("assistant", _WORDS, n)
            db.execute(row, (n, 0, f"t{n}", own.encode()))
            db.execute(row, (n, 1, f"t{n}", answer.encode()))
        db.execute("UPDATE conversations SET next_position = ?", (TURNS + 2,))


def _open(person: Person) -> tuple[float, float]:
    person.driver.refresh()
    person.wait(lambda: person.texts(".answer .words")[-1].endswith(str(TURNS + 1)), "its end")
    found = person.run(_OPENED)
    assert isinstance(found, list)
    return float(found[0]), float(found[1])


if __name__ == "__main__":
    main()
