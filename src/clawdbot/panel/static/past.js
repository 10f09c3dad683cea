// What was said before, in stretches: some of them in the page, more of them as one scrolls, both ways.
// The tail, where live lines go, stays; while one reads far above, it is only out of sight.
import { at, conversation, get } from "./state.js";
import { dress, lines } from "./lines.js";

const MOST = 4; // stretches above the tail
const log = at("log");
const past = at("past");
let busy = false;
let following = true;
let top = 0;

export function keep(always = false) {
  if (always) {
    past.replaceChildren(...(lines.hidden ? [] : past.children));
    lines.hidden = false;
    following = true;
    for (const each of document.querySelectorAll(".found")) each.classList.remove("found");
  }
  requestAnimationFrame(() => { if (following) log.scrollTop = log.scrollHeight; });
}

export function scrolled() {
  const left = log.scrollHeight - log.scrollTop - log.clientHeight;
  if (lines.hidden) following = false;
  else if (left < 60) following = true;
  else if (log.scrollTop < top) following = false;
  top = log.scrollTop;
  at("down").hidden = following;
  more();
}

// Fetch what comes next in the direction that is nearly used up.
async function more() {
  if (busy) return;
  busy = true;
  try {
    const near = 1.5 * log.clientHeight;
    if (log.scrollTop < near && (await up())) return void requestAnimationFrame(more);
    const left = log.scrollHeight - log.scrollTop - log.clientHeight;
    if (lines.hidden && left < near && (await down())) requestAnimationFrame(more);
  } finally {
    busy = false;
  }
}

async function up() {
  const first = past.firstElementChild ?? lines;
  if (!Number(first.dataset.earlier)) return false;
  const part = await stretch(`before/${first.dataset.earlier}`);
  if (!part?.querySelector(".line")) return false;
  still(() => {
    past.prepend(part);
    while (past.children.length > MOST) {
      past.lastElementChild.remove();
      lines.hidden = true;
    }
  });
  return true;
}

async function down() {
  const last = past.lastElementChild;
  const part = await stretch(`after/${last.dataset.last}?until=${lines.dataset.earlier}`);
  if (!part) return false;
  still(() => {
    if (part.querySelector(".line")) past.append(part);
    if (!Number(part.dataset.later) || !part.querySelector(".line")) lines.hidden = false;
    while (past.children.length > MOST) past.firstElementChild.remove();
  });
  return lines.hidden;
}

async function stretch(path) {
  const response = await get(`/chat/${conversation}/${path}`);
  if (!response?.ok) return null;
  const part = document.createElement("template");
  part.innerHTML = await response.text();
  dress(part.content);
  return part.content.querySelector(".stretch");
}

// Change the page without moving what is read.
function still(change) {
  const edge = log.getBoundingClientRect().top;
  const shown = [...log.querySelectorAll(".line")].find((each) => each.getBoundingClientRect().bottom > edge);
  const before = shown?.getBoundingClientRect().top;
  change();
  if (shown?.isConnected) log.scrollTop += shown.getBoundingClientRect().top - before;
  top = log.scrollTop;
}

// Show the place of an event: what a search has found.
export async function reveal(event) {
  let found = at(`e${event}`);
  if (!found) {
    const part = await stretch(`before/${event + 1}`);
    if (!part) return;
    past.replaceChildren(part);
    lines.hidden = true;
    found = at(`e${event}`);
  }
  following = false;
  for (const each of document.querySelectorAll(".found")) each.classList.remove("found");
  found?.classList.add("found");
  found?.scrollIntoView({ block: "center" });
  scrolled();
}

log.addEventListener("scroll", scrolled);
// The keyboard of a phone and a growing message take room: the end stays in sight.
new ResizeObserver(() => keep()).observe(log);
