// What is said, as lines: made from the server's own markup, so that they look alike from the start.
import { at, done, key, make, open, page, put, say } from "./state.js";

export const lines = at("lines");
const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: page.zone });
const forms = at("forms").content;
const answering = new Map(); // answers to questions under way: the card that each is about
let held = 0;

function line(kind, text) {
  const article = forms.querySelector(`.${kind}`).cloneNode(true);
  article.querySelector(".words").textContent = text;
  article.querySelector("time").textContent = clock.format(new Date());
  at("empty")?.remove();
  return article;
}

export function said(turn) {
  return [...lines.querySelectorAll(".own")].filter((each) => each.dataset.turn === turn);
}

export function answered(turn) {
  return [...lines.querySelectorAll(".answer")].findLast((each) => each.dataset.turn === turn);
}

export const wordsOf = (article) => article.querySelector(".words").textContent;

export function answer(turn) {
  const found = answered(turn);
  if (found) return found;
  const article = line("answer", "");
  article.dataset.turn = turn;
  const asked = said(turn).at(-1);
  if (asked) asked.after(article);
  else lines.append(article);
  return article;
}

export function own(text, marks) {
  const article = line("own", text);
  Object.assign(article.dataset, marks);
  article.querySelector("time").dataset.unsent = say.unsent;
  article.querySelector(".words").hidden = !text;
  lines.append(article);
  return article;
}

export function note(text, after) {
  const notice = make("p", "notice", text);
  if (after) after.after(notice);
  else lines.append(notice);
  return notice;
}

// A turn that was said anew: what it was before is no longer shown.
export function drop(turn) {
  for (const each of document.querySelectorAll("#log [data-turn]")) if (each.dataset.turn === turn) each.remove();
}

// The last words and the last answer can be done anew, while nothing runs.
export function mark() {
  const idle = open.size === 0;
  const last = { own: null, answer: null };
  for (const each of lines.querySelectorAll(".line")) {
    each.classList.remove("last");
    if (each.matches(".own") && each.dataset.turn) last.own = each;
  }
  if (!idle || !last.own) return;
  last.answer = answered(last.own.dataset.turn);
  last.own.classList.add("last");
  last.answer?.classList.add("last");
}

export const lastOwn = () => lines.querySelector(".own.last");

// A question: everything that will run, and a button for each answer. Told again when it is decided.
export function ask(frame) {
  const found = [...lines.querySelectorAll(".asked")].find((each) => each.dataset.id === frame.id);
  const settled = frame.state !== "open";
  if (!found && settled) return;
  const card = make("section", "asked");
  card.dataset.id = frame.id;
  card.dataset.turn = frame.turn;
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
export function hold() {
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

// Choose one of a question's answers; gives what to send.
export function choose(button) {
  const card = button.closest(".asked");
  const name = key();
  answering.set(name, card.dataset.id);
  card.dataset.chosen = "";
  for (const each of card.querySelectorAll("button")) each.disabled = true;
  return { key: name, token: button.dataset.token };
}

// Tell what became of a question's answer; false where the key is none.
export function settled(frame) {
  if (!answering.has(frame.key)) return false;
  const card = [...lines.querySelectorAll(".asked")].find((each) => each.dataset.id === answering.get(frame.key));
  answering.delete(frame.key);
  // A good answer shows in the card itself, by a frame to every screen.
  if (frame.notice && card && ![say.granted, say.denied].includes(frame.notice)) note(frame.notice, card);
  return true;
}

export function doing(article, text) {
  const words = article.querySelector(".words");
  const dots = words.querySelector(".doing") ?? words.appendChild(make("p", "doing"));
  dots.replaceChildren(make("span", "dots"), make("span", "", text));
  dots.firstChild.append(make("i", ""), make("i", ""), make("i", ""));
}

// The server's lines, made ready: code can be copied, answers are known to be final.
export function dress(root) {
  for (const pre of root.querySelectorAll(":not(.code) > pre")) {
    if (pre.closest(".calls")) continue;
    const wrap = make("div", "code");
    pre.replaceWith(wrap);
    wrap.append(pre, Object.assign(make("button", "copy", say.copy), { type: "button" }));
  }
  for (const final of root.querySelectorAll(".answer")) done.add(final.dataset.turn);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS a page may only copy what is selected.
    const area = document.body.appendChild(make("textarea", "skip"));
    area.value = text;
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

export function told(button, text) {
  const was = button.getAttribute("aria-label");
  if (was) {
    button.classList.add("good");
    button.setAttribute("aria-label", text);
    setTimeout(() => { button.classList.remove("good"); button.setAttribute("aria-label", was); }, 1500);
  } else {
    const before = button.textContent;
    button.textContent = text;
    setTimeout(() => { button.textContent = before; }, 1500);
  }
}

export function store(unsent, conversation) {
  put(`unsent:${conversation}`, unsent.length && JSON.stringify(unsent));
}
