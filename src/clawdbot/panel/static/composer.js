// Where one writes: the draft, what is sent along, the last message written anew, the way out.
import { drop, lastOwn, mark, note, own, store, wordsOf } from "./lines.js";
import { keep } from "./past.js";
import { at, call, conversation, fresh, key, make, page, put, say } from "./state.js";

const box = at("words");
const tray = at("tray");
const touch = matchMedia("(pointer: coarse)");
const FILES_MOST = 10;
let editing = null; // the line that is written anew
let recorder = null;
const route = () => at("route")?.value ?? "";

export const waiting = { unsent: JSON.parse(sessionStorage.getItem(`unsent:${conversation}`) ?? "[]"), tell: null };

export function save() {
  store(waiting.unsent, conversation);
  if (!editing) put(`draft:${conversation}`, box.value);
  if (fresh()) put("fresh", (waiting.unsent.length || box.value) && conversation);
}

export function grow() {
  save();
  if (CSS.supports("field-sizing", "content")) return;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

export function write(text) {
  box.value = text;
  grow();
  box.focus();
}

// Say something: words, files, and the turn in whose place it stands.
export function send() {
  const text = box.value.trim();
  const files = [...tray.children].map((each) => each.file);
  if (files.some((each) => !each.id)) return;
  if (!text && !files.length) return;
  const entry = { type: "send", key: key(), text };
  if (files.length) entry.attachments = files.map((each) => each.id);
  if (editing) entry.instead = editing.dataset.turn;
  if (fresh() && route() && route() !== "default") entry.route = route();
  waiting.unsent.push(entry);
  const article = own(text, { key: entry.key });
  article.classList.add("unsent");
  if (files.length) article.querySelector(".words").after(attached(files));
  waiting.tell?.(entry);
  tray.replaceChildren();
  leave();
  box.value = "";
  grow();
  keep(true);
}

// Have the last answer written anew.
export function again(turn) {
  const entry = { type: "again", key: key(), turn };
  waiting.unsent.push(entry);
  waiting.tell?.(entry);
  save();
}

// The committed one takes the place of what was said before.
export function replaced(entry) {
  const turn = entry?.instead ?? (entry?.type === "again" ? entry.turn : "");
  if (turn) drop(turn);
  mark();
}

export function edit(article = lastOwn()) {
  if (!article) return;
  leave();
  editing = article;
  article.classList.add("editing");
  at("editing").hidden = false;
  box.value = wordsOf(article);
  tray.replaceChildren(...[...article.querySelectorAll("[data-file]")].map((each) => slot(JSON.parse(each.dataset.file))));
  grow();
  box.focus();
}

export function leave() {
  if (!editing) return false;
  editing.classList.remove("editing");
  editing = null;
  at("editing").hidden = true;
  tray.replaceChildren();
  box.value = sessionStorage.getItem(`draft:${conversation}`) ?? "";
  grow();
  return true;
}

// Files: taken in at once, so that sending is not waiting; each says how far it is, or why it failed.

export function attached(files) {
  const list = make("ul", "files");
  for (const file of files) {
    const item = list.appendChild(make("li", ""));
    item.dataset.file = JSON.stringify(file);
    const path = `/media/${file.id}`;
    const link = Object.assign(make("a", "", file.name), { href: path, target: "_blank" });
    if (file.kind.startsWith("image/")) {
      link.className = "picture";
      link.replaceChildren(Object.assign(new Image(), { loading: "lazy", alt: file.name, src: path }));
    } else if (file.kind.startsWith("audio/")) {
      item.append(Object.assign(new Audio(), { controls: true, preload: "none", src: path }));
    } else {
      link.href = `${path}?save=1`;
    }
    item.append(link);
    if (!link.matches(".picture")) item.append(make("span", "soft", size(file.size)));
  }
  return list;
}

export function size(bytes) {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function slot(file) {
  const item = make("li", "slot");
  item.file = file;
  item.append(make("span", "name", file.name), make("span", "soft", file.size ? size(file.size) : ""));
  const remove = Object.assign(make("button", "plain", "×"), { type: "button", ariaLabel: say.remove });
  item.append(remove);
  if (file.id && file.kind?.startsWith("image/")) thumbnail(item);
  return item;
}

function thumbnail(item) {
  item.prepend(Object.assign(new Image(), { alt: "", src: `/media/${item.file.id}` }));
}

function attach(files) {
  for (const file of files) {
    if (tray.children.length >= FILES_MOST) return void (at("status").textContent = say.many);
    const item = tray.appendChild(slot({ name: file.name || "file", size: file.size }));
    upload(item, file);
  }
  box.focus();
}

function upload(item, file) {
  const progress = item.appendChild(Object.assign(document.createElement("progress"), { max: 1, value: 0 }));
  const request = new XMLHttpRequest();
  item.request = request;
  request.open("POST", `/media?name=${encodeURIComponent(item.file.name)}`);
  request.setRequestHeader("X-CSRF-Token", page.csrf);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.onprogress = ({ loaded, total }) => { progress.value = total ? loaded / total : 0; };
  request.onloadend = () => {
    progress.remove();
    if (request.status === 201) {
      item.file = JSON.parse(request.responseText);
      if (item.file.kind.startsWith("image/")) thumbnail(item);
      return;
    }
    item.classList.add("failed");
    item.children[1].textContent = request.status >= 400 && request.status < 500 ? request.responseText : say.lost;
    item.children[1].role = "alert";
  };
  request.send(file);
}

// A voice note: pressed once to begin, once more to end.
async function record() {
  if (recorder) return void recorder.stop();
  let stream = null;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch {
    at("status").textContent = say.mute;
    return;
  }
  const parts = [];
  const began = Date.now();
  const button = at("voice");
  recorder = new MediaRecorder(stream);
  const show = () => { at("status").textContent = `${say.recording} ${length(Date.now() - began)}`; };
  const timer = setInterval(show, 500);
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.onstop = () => {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    button.classList.remove("on");
    at("status").textContent = "";
    const ending = recorder.mimeType.includes("mp4") ? "m4a" : recorder.mimeType.includes("ogg") ? "ogg" : "webm";
    recorder = null;
    attach([new File(parts, `${say.voice} ${length(Date.now() - began)}.${ending}`)]);
  };
  recorder.start();
  button.classList.add("on");
  show();
}

const length = (ms) => `${Math.floor(ms / 60000)}m${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}s`;

// Wiring

box.addEventListener("input", grow);
box.addEventListener("keydown", (event) => {
  // While an input method composes, Enter chooses a word (229: Safari tells it only so).
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "ArrowUp" && !box.value && !event.shiftKey && lastOwn()) {
    event.preventDefault();
    return edit();
  }
  if (event.key !== "Enter" || event.shiftKey || touch.matches) return;
  event.preventDefault();
  send();
});
box.addEventListener("paste", (event) => {
  if (!event.clipboardData.files.length) return;
  event.preventDefault();
  attach(event.clipboardData.files);
});
at("composer").addEventListener("submit", (event) => { event.preventDefault(); send(); box.focus(); });
at("composer").addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button?.id === "attach") at("files").click();
  if (button?.id === "voice") record();
  if (button?.id === "leave") leave();
  if (button?.closest(".slot")) {
    const item = button.closest(".slot");
    item.request?.abort();
    item.remove();
  }
});
at("files").addEventListener("change", ({ target }) => {
  attach(target.files);
  target.value = "";
});
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (name === "drop") attach(event.dataTransfer.files);
  });
}
at("voice").hidden = !window.MediaRecorder || !navigator.mediaDevices;
at("route")?.addEventListener("change", async ({ target }) => {
  if (fresh()) return;
  try {
    await call("PATCH", `/api/v1/conversations/${conversation}`, { route: target.value });
    at("status").textContent = say.chosen;
  } catch (error) {
    note(error.message);
  }
});
for (const entry of waiting.unsent) if (entry.type === "send") own(entry.text, { key: entry.key }).classList.add("unsent");
box.value = sessionStorage.getItem(`draft:${conversation}`) ?? "";
if (!touch.matches) box.focus();
