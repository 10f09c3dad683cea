// The chat page: one conversation over one socket (docs/protocol.md). The server renders history and
// final answers; here live text only grows. Frames may repeat: a turn's words and answer show once.
import { again, attached, edit, grow, replaced, save, waiting, write } from "./composer.js";
import "./keys.js";
import { answer, answered, ask, choose, copy, doing, dress, drop, lines, mark, note, own, said, settled, told, wordsOf } from "./lines.js";
import { keep, scrolled } from "./past.js";
import { reach, refresh } from "./side.js";
import { at, conversation, done, fresh, get, key, open, page, put, say } from "./state.js";

let safe = Number(page.after); // whoever resumes after this event misses nothing
let latest = safe;
let socket = null;
let greeted = false;
let tries = 0;
let heard = 0;
let timer = 0;
let stopping = "";
const acted = new Map(); // turns that use tools: the names of those
const log = at("log");

function show() {
  at("stop").hidden = open.size === 0;
  mark();
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

// What a turn did with tools, under its answer; the server has it once the turn is committed.
async function fold(turn) {
  const response = await get(`/chat/${conversation}/turn/${turn}`);
  if (!response?.ok) return;
  const part = document.createElement("template");
  part.innerHTML = await response.text();
  dress(part.content);
  const calls = part.content.querySelector(".calls");
  const article = answered(turn);
  if (!calls || !article) return;
  article.querySelector(".calls")?.remove();
  article.querySelector(".words").after(calls);
  keep();
}

const on = {
  hello() {
    greeted = true;
    tries = 0;
    at("status").textContent = "";
    // What still waits is told again.
    for (const card of lines.querySelectorAll(".asked[data-open]")) card.remove();
    tell({ type: "open", conversation, after: safe });
    for (const each of waiting.unsent) tell({ type: "send", conversation, ...each });
  },

  ack(frame) {
    if (settled(frame)) return;
    const article = lines.querySelector(`[data-key="${frame.key}"]`);
    const entry = waiting.unsent.find((each) => each.key === frame.key);
    waiting.unsent = waiting.unsent.filter((each) => each.key !== frame.key);
    save();
    article?.classList.remove("unsent", "failed");
    lines.querySelector(`[data-about="${frame.key}"]`)?.remove();
    if (frame.outcome === "turn" || frame.outcome === "joined" || frame.outcome === "duplicate") {
      settle(article, frame.turn);
      replaced(entry);
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
    if (frame.instead) drop(frame.instead);
    if (!said(frame.turn).some((each) => wordsOf(each) === frame.text)) {
      const article = own(frame.text, { turn: frame.turn });
      if (frame.attachments?.length) article.querySelector(".words").after(attached(frame.attachments));
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
    if (done.has(frame.turn)) return;
    const names = acted.get(frame.turn) ?? [];
    acted.set(frame.turn, [...names, frame.name]);
    doing(answer(frame.turn), frame.text || `${say.tool}: ${frame.name}`);
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
    article.dataset.source = frame.text;
    words.classList.remove("live");
    words.innerHTML = frame.html;
    dress(article);
    if (acted.delete(frame.turn)) fold(frame.turn);
  },

  approval(frame) {
    // The turn gave up its lane; when it goes on, it counts anew.
    if (open.has(frame.turn)) open.set(frame.turn, { attempt: -1, seq: -1 });
    acted.set(frame.turn, acted.get(frame.turn) ?? []);
    const article = answered(frame.turn);
    article?.querySelector(".doing")?.remove();
    if (article && !wordsOf(article)) article.remove();
    ask(frame);
    refresh();
  },

  error(frame) {
    const article = frame.key && lines.querySelector(`[data-key="${frame.key}"]`);
    const notice = note(frame.text, article);
    if (!article) return;
    article.classList.add("failed");
    notice.dataset.about = frame.key;
    notice.append(Object.assign(document.createElement("button"), { className: "again", textContent: say.again, type: "button" }));
  },
};

function settle(article, turn) {
  if (article) {
    const twin = said(turn).some((each) => each !== article && wordsOf(each) === wordsOf(article));
    if (twin || !turn) article.remove();
    else article.dataset.turn = turn;
  }
  begin(turn);
  if (fresh()) {
    history.replaceState(null, "", `/chat/${conversation}`);
    put("fresh", "");
    at("more").hidden = false;
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

// What is pressed

waiting.tell = (entry) => { if (greeted) tell({ type: "send", conversation, ...entry }); };
at("stop").addEventListener("click", () => {
  stopping = key();
  if (greeted) tell({ type: "send", conversation, key: stopping, text: "/stop" });
});
at("down").addEventListener("click", () => { keep(true); scrolled(); });

async function act(button, article) {
  if (button.dataset.act === "edit") edit(article);
  if (button.dataset.act === "again") again(article.dataset.turn);
  if (button.dataset.act !== "copy") return;
  await copy(article.dataset.source ?? wordsOf(article));
  told(button, say.copied);
}

log.addEventListener("click", async ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  if (button.dataset.act) act(button, button.closest(".line"));
  if (button.matches(".copy")) {
    await copy(button.previousElementSibling.textContent);
    told(button, say.copied);
  }
  if (button.matches(".choices button") && greeted) tell({ type: "answer", conversation, ...choose(button) });
  if (button.matches(".example")) write(button.textContent);
  if (button.matches(".again") && greeted) {
    const notice = button.parentElement;
    const entry = waiting.unsent.find((each) => each.key === notice.dataset.about);
    notice.remove();
    if (entry) tell({ type: "send", conversation, ...entry });
  }
});

for (const { dataset } of lines.querySelectorAll(".waiting")) {
  begin(dataset.turn);
  acted.set(dataset.turn, []); // whatever it used before this page came
}
at("more").hidden = fresh();
dress(lines);
grow();
show();
keep(true);
connect();
reach();
