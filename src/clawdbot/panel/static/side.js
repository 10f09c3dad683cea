// The list of conversations: kept in step, searched, lengthened; and what is done with the open one.
import { reveal } from "./past.js";
import { at, call, conversation, get, make, say } from "./state.js";

const STEP = 50;
let most = STEP;
let listed = "";
let asked = 0;
let wait = 0;

export async function refresh() {
  const response = await get(`/aside?at=${conversation}&most=${most}`);
  if (response?.status === 401) location.href = "/login";
  const text = response?.ok ? await response.text() : listed;
  if (text === listed) return;
  at("aside").innerHTML = listed = text;
  const title = at("aside").querySelector("[aria-current] bdi")?.textContent;
  if (title) titled(title);
}

function titled(title) {
  document.querySelector("h1 bdi").textContent = title;
  document.title = `${title} · Clawdbot`;
}

// What is found: the conversation, and the words around with those marked that were looked for.
async function look() {
  const mine = ++asked;
  const wanted = at("look").value.trim();
  at("aside").hidden = Boolean(wanted);
  at("hits").hidden = !wanted;
  if (!wanted) return at("hits").replaceChildren();
  let found = [];
  let told = say.nothing;
  try {
    found = await call("GET", `/api/v1/search?most=30&words=${encodeURIComponent(wanted.slice(0, 200))}`);
  } catch (error) {
    told = error.message;
  }
  if (mine !== asked) return;
  const list = make("ul", "lanes hits");
  list.append(...found.filter((each) => each.channel === "web").map(hit));
  at("hits").replaceChildren(list.childElementCount ? list : make("p", "soft none", told));
}

function hit(found) {
  const link = Object.assign(make("a", ""), { href: `/chat/${found.name}#e${found.event}` });
  const words = make("span", "pieces");
  for (const piece of found.pieces) words.append(piece.hit ? make("mark", "", piece.text) : piece.text);
  link.append(make("bdi", "", found.title || say.untitled), words);
  const item = make("li", "");
  item.append(link);
  return item;
}

async function rename() {
  const field = at("rename").elements.title;
  try {
    titled((await call("PATCH", `/api/v1/conversations/${conversation}`, { title: field.value })).title);
    at("rename").closest("dialog").close();
    refresh();
  } catch (error) {
    fault(at("rename"), error.message);
  }
}

async function forget() {
  try {
    await call("DELETE", `/api/v1/conversations/${conversation}`);
    for (const name of ["unsent", "draft"]) sessionStorage.removeItem(`${name}:${conversation}`);
    location.href = "/chat";
  } catch (error) {
    fault(at("forget"), error.message);
  }
}

function fault(form, text) {
  const place = form.querySelector(".fault");
  place.textContent = text;
  place.hidden = false;
}

export function seek() {
  if (matchMedia("(max-width: 50rem)").matches) at("side").showPopover();
  at("look").focus();
  at("look").select();
}

at("look").addEventListener("input", ({ isComposing }) => {
  clearTimeout(wait);
  if (!isComposing) wait = setTimeout(look, 150);
});
at("look").addEventListener("compositionend", look);
at("look").addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Escape" && at("look").value) {
    event.stopPropagation();
    at("look").value = "";
    look();
  }
  if (event.key === "ArrowDown" || event.key === "Enter") {
    const first = at("hits").querySelector("a");
    if (!first) return;
    event.preventDefault();
    if (event.key === "Enter") first.click();
    else first.focus();
  }
});
at("aside").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target, event.submitter));
  await fetch("/knocks", { method: "POST", body, redirect: "manual" });
  refresh();
});
at("aside").addEventListener("click", ({ target }) => {
  if (!target.matches(".further")) return;
  most += STEP;
  refresh();
});
at("rename").addEventListener("submit", (event) => { event.preventDefault(); rename(); });
at("forget").addEventListener("submit", (event) => { event.preventDefault(); forget(); });
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-open], [data-close]");
  if (!button) return;
  if ("close" in button.dataset) return button.closest("dialog").close();
  const dialog = at(button.dataset.open);
  button.closest("[popover]")?.hidePopover();
  if (dialog.id === "renaming") at("rename").elements.title.value = document.querySelector("h1 bdi").textContent;
  dialog.showModal();
});

// A found place in the conversation that is open already, or that this page was opened for.
function reach() {
  const event = Number(/^#e(\d+)$/.exec(location.hash)?.[1]);
  if (!event) return false;
  reveal(event);
  if (at("side").matches(":popover-open")) at("side").hidePopover();
  return true;
}
addEventListener("hashchange", reach);
export { reach };
