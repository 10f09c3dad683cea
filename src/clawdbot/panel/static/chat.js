// The chat page: one conversation over one socket (docs/protocol.md). The server renders history and
// final answers; here live text only grows. Frames may repeat: a turn's words and answer show once.
const page = document.body.dataset;
const say = JSON.parse(page.words);
const at = (id) => document.getElementById(id);
const get = (path) => fetch(path, { cache: "no-store" }).catch(() => null);
const put = (name, value) => (value ? sessionStorage.setItem(name, value) : sessionStorage.removeItem(name));
const log = at("log");
const lines = at("lines");
const box = at("words");
const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: page.zone });
// A conversation that only this tab knows of, because nothing in it was sent yet, outlives a reload.
const fresh = sessionStorage.getItem("fresh");
const conversation = location.pathname === "/chat" && fresh ? fresh : page.conversation;

const done = new Set(); // turns whose answer is final
const open = new Map(); // turns without one: what was last heard of each
let safe = Number(page.after); // whoever resumes after this event misses nothing
let latest = safe;
let unsent = JSON.parse(sessionStorage.getItem(`unsent:${conversation}`) ?? "[]");
let socket = null;
let greeted = false;
let tries = 0;
let heard = 0;
let timer = 0;
let following = true;
let top = 0;
let stopping = "";
let held = 0;
const answering = new Map(); // answers under way: the card that each is about
let listed = "";

// Lines

function make(tag, name, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

function line(kind, text) {
  const article = make("article", `line ${kind}`);
  article.append(make("div", "words", text), make("time", "", clock.format(new Date())));
  at("empty")?.remove();
  return article;
}

function said(turn) {
  return [...lines.querySelectorAll(".own")].filter((each) => each.dataset.turn === turn);
}

function answer(turn) {
  const found = [...lines.querySelectorAll(".answer")].findLast((each) => each.dataset.turn === turn);
  if (found) return found;
  const article = line("answer", "");
  article.dataset.turn = turn;
  const asked = said(turn).at(-1);
  if (asked) asked.after(article);
  else lines.append(article);
  return article;
}

function own(text, marks) {
  const article = line("own", text);
  Object.assign(article.dataset, marks);
  article.lastChild.dataset.unsent = say.unsent;
  lines.append(article);
  return article;
}

function note(text, after) {
  const notice = make("p", "notice", text);
  if (after) after.after(notice);
  else lines.append(notice);
  return notice;
}

// A question: everything that will run, and a button for each answer. Told again when it is decided.
function ask(frame) {
  const found = [...lines.querySelectorAll(".asked")].find((each) => each.dataset.id === frame.id);
  const settled = frame.state !== "open";
  if (!found && settled) return;
  const card = make("section", "asked");
  card.dataset.id = frame.id;
  card.ariaLabel = say.asked;
  const plan = make("div", "plan");
  plan.innerHTML = frame.html;
  card.append(make("h2", "", say.asked), plan);
  if (settled) card.append(make("p", frame.state === "granted" ? "good" : "soft", say[frame.state]));
  else card.dataset.open = "";
  if (!settled && !frame.choices.length) card.append(make("p", "soft", say.admin));
  const form = card.appendChild(make("p", "choices"));
  for (const choice of frame.choices) {
    const button = Object.assign(make("button", choice.verb === "yes" ? "main" : "", choice.label), { type: "button" });
    button.dataset.token = choice.token;
    form.append(button);
  }
  if (found) found.replaceWith(card);
  else place(card, frame.turn);
  hold();
}

// What has just moved under a finger is not pressed.
function hold() {
  const buttons = [...lines.querySelectorAll(".asked:not([data-chosen]) .choices button")];
  for (const button of buttons) button.disabled = true;
  clearTimeout(held);
  held = setTimeout(() => {
    for (const button of buttons) button.disabled = "chosen" in button.closest(".asked").dataset;
  }, 500);
}

function place(card, turn) {
  const mine = [...lines.querySelectorAll(".answer, .own")].filter((each) => each.dataset.turn === turn);
  const last = mine.at(-1);
  if (last) last.after(card);
  else lines.append(card);
}

function choose(button) {
  if (!greeted) return;
  const card = button.closest(".asked");
  const name = key();
  answering.set(name, card.dataset.id);
  card.dataset.chosen = "";
  for (const each of card.querySelectorAll("button")) each.disabled = true;
  tell({ type: "answer", conversation, key: name, token: button.dataset.token });
}

function doing(article, text) {
  const dots = article.querySelector(".doing") ?? article.querySelector(".words").appendChild(make("p", "doing"));
  dots.replaceChildren(make("span", "dots"), make("span", "", text));
  dots.firstChild.append(make("i", ""), make("i", ""), make("i", ""));
}

function dress(root) {
  for (const pre of root.querySelectorAll(":not(.code) > pre")) {
    const wrap = make("div", "code");
    pre.replaceWith(wrap);
    wrap.append(pre, Object.assign(make("button", "copy", say.copy), { type: "button" }));
  }
}

async function copy(button) {
  const { textContent } = button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(textContent);
  } catch {
    getSelection().selectAllChildren(button.previousElementSibling);
    document.execCommand("copy");
  }
  button.textContent = say.copied;
  setTimeout(() => { button.textContent = say.copy; }, 1500);
}

// Scrolling: the end is followed until somebody scrolls up, away from it.

function keep(always = false) {
  if (always) following = true;
  requestAnimationFrame(() => { if (following) log.scrollTop = log.scrollHeight; });
}

function scrolled() {
  const left = log.scrollHeight - log.scrollTop - log.clientHeight;
  if (left < 60) following = true;
  else if (log.scrollTop < top) following = false;
  top = log.scrollTop;
  show();
}

function show() {
  at("stop").hidden = open.size === 0;
  at("down").hidden = following;
}

async function earlier(button) {
  button.disabled = true;
  const response = await get(`/chat/${conversation}/before/${button.dataset.before}`);
  if (!response?.ok) return;
  const part = document.createElement("template");
  part.innerHTML = await response.text();
  dress(part.content);
  const below = log.scrollHeight - log.scrollTop;
  button.replaceWith(part.content);
  log.scrollTop = log.scrollHeight - below;
}

async function refresh() {
  const response = await get(`/aside?at=${conversation}`);
  if (response?.status === 401) location.href = "/login";
  const text = response?.ok ? await response.text() : listed;
  if (text === listed) return;
  at("aside").innerHTML = listed = text;
  const title = at("aside").querySelector("[aria-current] bdi")?.textContent;
  if (title) document.querySelector("h1 bdi").textContent = title;
  if (title) document.title = `${title} · Clawdbot`;
}

// Frames from the server

function later(frame) {
  const last = open.get(frame.turn);
  if (done.has(frame.turn)) return false;
  if (last && (frame.attempt < last.attempt || (frame.attempt === last.attempt && frame.seq <= last.seq))) return false;
  open.set(frame.turn, { attempt: frame.attempt, seq: frame.seq });
  return true;
}

function begin(turn) {
  if (turn && !done.has(turn) && !open.has(turn)) open.set(turn, { attempt: -1, seq: -1 });
}

function end(turn, event) {
  done.add(turn);
  open.delete(turn);
  latest = Math.max(latest, event);
  if (open.size === 0) safe = latest;
}

const on = {
  hello() {
    greeted = true;
    tries = 0;
    at("status").textContent = "";
    // What still waits is told again.
    for (const card of lines.querySelectorAll(".asked[data-open]")) card.remove();
    tell({ type: "open", conversation, after: safe });
    for (const each of unsent) tell({ type: "send", conversation, ...each });
  },

  ack(frame) {
    if (answering.has(frame.key)) return answered(frame);
    const article = lines.querySelector(`[data-key="${frame.key}"]`);
    unsent = unsent.filter((each) => each.key !== frame.key);
    store();
    article?.classList.remove("unsent", "failed");
    lines.querySelector(`[data-about="${frame.key}"]`)?.remove();
    if (frame.outcome === "turn" || frame.outcome === "joined" || frame.outcome === "duplicate") {
      settle(article, frame.turn);
    } else if (frame.outcome === "control") {
      if (frame.notice) note(frame.notice, article);
      // Nothing runs: what was stopped had not begun, and has no end to wait for.
      if (frame.notice && frame.key === stopping) open.clear();
      article?.remove();
    } else if (frame.notice) {
      article?.classList.add("failed");
      note(frame.notice, article);
    }
  },

  said(frame) {
    if (!said(frame.turn).some((each) => each.firstChild.textContent === frame.text)) {
      own(frame.text, { turn: frame.turn });
    }
    begin(frame.turn);
  },

  reset(frame) {
    if (!later(frame)) return;
    const article = answer(frame.turn);
    article.ariaBusy = "true";
    article.querySelector(".words").replaceChildren();
    doing(article, say.thinking);
  },

  tool(frame) {
    if (!done.has(frame.turn)) doing(answer(frame.turn), frame.text || say.tool);
  },

  delta(frame) {
    if (!later(frame)) return;
    const words = answer(frame.turn).querySelector(".words");
    words.querySelector(".doing")?.remove();
    if (words.lastChild?.nodeType !== Node.TEXT_NODE) words.append("");
    words.classList.add("live");
    words.lastChild.appendData(frame.text);
  },

  final(frame) {
    end(frame.turn, frame.event);
    const article = answer(frame.turn);
    const words = article.querySelector(".words");
    article.ariaBusy = "false";
    words.classList.remove("live");
    words.innerHTML = frame.html;
    dress(words);
  },

  approval(frame) {
    // The turn gave up its lane; when it goes on, it counts anew.
    if (open.has(frame.turn)) open.set(frame.turn, { attempt: -1, seq: -1 });
    const article = [...lines.querySelectorAll(".answer")].find((each) => each.dataset.turn === frame.turn);
    article?.querySelector(".doing")?.remove();
    if (article && !article.querySelector(".words").textContent) article.remove();
    ask(frame);
    refresh();
  },

  error(frame) {
    const article = frame.key && lines.querySelector(`[data-key="${frame.key}"]`);
    const notice = note(frame.text, article);
    if (!article) return;
    article.classList.add("failed");
    notice.dataset.about = frame.key;
    notice.append(Object.assign(make("button", "again", say.again), { type: "button" }));
  },
};

function answered(frame) {
  const card = [...lines.querySelectorAll(".asked")].find((each) => each.dataset.id === answering.get(frame.key));
  answering.delete(frame.key);
  // A good answer shows in the card itself, by a frame to every screen.
  if (frame.notice && card && ![say.granted, say.denied].includes(frame.notice)) note(frame.notice, card);
}

function settle(article, turn) {
  if (article) {
    const twin = said(turn).some((each) => each !== article && each.firstChild.textContent === article.firstChild.textContent);
    if (twin || !turn) article.remove();
    else article.dataset.turn = turn;
  }
  begin(turn);
  if (location.pathname === "/chat") {
    history.replaceState(null, "", `/chat/${conversation}`);
    put("fresh", "");
    refresh();
  }
}

// The socket

function tell(frame) {
  socket.send(JSON.stringify(frame));
}

function connect() {
  clearTimeout(timer);
  socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/socket`);
  heard = Date.now();
  socket.onopen = () => tell({ type: "hello", version: 1, agent: "web" });
  socket.onmessage = ({ data }) => {
    heard = Date.now();
    const frame = JSON.parse(data);
    on[frame.type]?.(frame);
    show();
    keep();
  };
  socket.onclose = ({ code }) => {
    greeted = false;
    if (code === 4001) location.href = "/login";
    tries += 1;
    if (tries > 1) at("status").textContent = say.offline;
    if (tries > 2) check();
    timer = setTimeout(connect, Math.min(15000, 250 * 2 ** tries) * (0.5 + Math.random() / 2));
  };
}

// A refused socket does not say why: ask whether we are still logged in.
async function check() {
  const response = await get("/login");
  if (response && new URL(response.url).pathname !== "/chat") location.href = "/login";
}

setInterval(() => {
  if (Date.now() - heard > 50000) socket.close();
  else if (greeted) tell({ type: "ping", n: 1 });
}, 20000);

function awake() {
  if (document.hidden) return;
  if (!greeted && socket.readyState === WebSocket.CLOSED) connect();
  if (greeted) refresh();
}
addEventListener("online", awake);
document.addEventListener("visibilitychange", awake);
setInterval(awake, 30000);

// Writing

function store() {
  put(`unsent:${conversation}`, unsent.length && JSON.stringify(unsent));
  put(`draft:${conversation}`, box.value);
  if (location.pathname === "/chat") put("fresh", (unsent.length || box.value) && conversation);
}

function key() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function send() {
  const text = box.value.trim();
  if (!text) return;
  const entry = { key: key(), text };
  unsent.push(entry);
  own(text, { key: entry.key }).classList.add("unsent");
  if (greeted) tell({ type: "send", conversation, ...entry });
  box.value = "";
  grow();
  keep(true);
}

function grow() {
  store();
  if (CSS.supports("field-sizing", "content")) return;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

const touch = matchMedia("(pointer: coarse)");
box.addEventListener("input", grow);
box.addEventListener("keydown", (event) => {
  // While an input method composes, Enter chooses a word (229: Safari tells it only so).
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || touch.matches) return;
  event.preventDefault();
  send();
});
at("composer").addEventListener("submit", (event) => { event.preventDefault(); send(); box.focus(); });
at("stop").addEventListener("click", () => {
  stopping = key();
  if (greeted) tell({ type: "send", conversation, key: stopping, text: "/stop" });
});
at("down").addEventListener("click", () => { keep(true); show(); });
log.addEventListener("scroll", scrolled);
log.addEventListener("click", ({ target }) => {
  if (target.matches(".copy")) copy(target);
  if (target.matches(".choices button")) choose(target);
  if (target.matches(".earlier")) earlier(target);
  if (target.matches(".example")) {
    box.value = target.textContent;
    grow();
    box.focus();
  }
  if (target.matches(".again") && greeted) {
    const notice = target.parentElement;
    const entry = unsent.find((each) => each.key === notice.dataset.about);
    notice.remove();
    if (entry) tell({ type: "send", conversation, ...entry });
  }
});
addEventListener("resize", () => keep());
at("aside").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target, event.submitter));
  await fetch("/knocks", { method: "POST", body, redirect: "manual" });
  refresh();
});

for (const waiting of lines.querySelectorAll(".waiting")) begin(waiting.dataset.turn);
for (const final of lines.querySelectorAll(".answer")) done.add(final.dataset.turn);
for (const entry of unsent) own(entry.text, { key: entry.key }).classList.add("unsent");
box.value = sessionStorage.getItem(`draft:${conversation}`) ?? "";
dress(lines);
grow();
show();
keep(true);
if (!touch.matches) box.focus();
connect();
