// The panel: forms that do one operation each, parts kept in step with the service, live numbers.
const words = JSON.parse(document.body.dataset.words);
const boards = document.body.dataset.boards.split(" ").filter(Boolean);

// --- Forms: what the fields hold as JSON, to the operation in `data-call`.

function put(into, name, value) {
  const path = name.split(".");
  const last = path.pop();
  for (const key of path) into = into[key] ??= {};
  into[last] = value;
}

function valueOf(field) {
  if (field.dataset.kind === "list") return field.value.split(/[\n,]/).map((each) => each.trim()).filter(Boolean);
  if (field.type === "checkbox") return field.checked;
  if (field.type === "number" || field.dataset.kind === "number") return field.value === "" ? null : Number(field.value);
  if (field.dataset.kind === "time") return field.value === "" ? null : new Date(field.value).getTime() / 1000;
  return field.value;
}

function collect(form) {
  const found = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || (field.type === "radio" && !field.checked)) continue;
    // A secret that was not typed anew stays as it is.
    if (field.type === "password" && field.value === "" && "keep" in field.dataset) continue;
    put(found, field.name, valueOf(field));
  }
  for (const group of form.querySelectorAll("[data-list]")) {
    put(found, group.dataset.list, [...group.querySelectorAll("input:checked")].map((each) => each.value));
  }
  // Secrets by their names: the last row is a new one, a tick takes one away.
  for (const group of form.querySelectorAll("[data-pairs]:enabled")) {
    const [name, text] = group.querySelectorAll(".line-up input");
    if (name.value) put(found, `${group.dataset.pairs}.${name.value}`, text.value);
    for (const each of group.querySelectorAll("[data-drop]:checked")) put(found, each.dataset.drop, null);
  }
  return found;
}

export async function call(what, data) {
  const [method, path] = what.split(" ");
  const request = { method, headers: { "X-CSRF-Token": document.body.dataset.csrf }, cache: "no-store" };
  if (method !== "GET" && method !== "DELETE") {
    request.body = JSON.stringify(data);
    request.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(path, request).catch(() => null);
  if (response?.status === 401) location.href = "/login";
  if (response?.ok) return response.status === 204 ? null : response.json();
  const problem = await response?.json().catch(() => null);
  throw Object.assign(new Error(problem?.detail ?? words.failed), { faults: problem?.faults ?? {} });
}

// Say what is wrong beside the fields of the settings that it is about; false where one has no field.
function told(form, faults) {
  for (const each of form.querySelectorAll(".of-field")) each.remove();
  for (const each of form.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
  const fields = [...form.elements].filter((each) => each.name.startsWith("settings."));
  const found = Object.entries(faults).map(([key, text]) => {
    const field = fields.find(({ name }) => key === name.slice(9) || key.endsWith(name.slice(8)));
    const id = `fault-${key}`;
    const note = Object.assign(document.createElement("span"), { className: "fault of-field", textContent: text, id });
    field?.setAttribute("aria-invalid", "true");
    field?.setAttribute("aria-describedby", id);
    field?.after(note);
    field?.closest("details")?.setAttribute("open", "");
    return field;
  });
  found[0]?.focus();
  return found.length > 0 && found.every(Boolean);
}

async function submit(form, button) {
  const fault = form.querySelector(".fault[role=alert]");
  told(form, {});
  if (fault) fault.hidden = true;
  if (!form.reportValidity()) return;
  if (form.dataset.confirm && !(await sure(form.dataset.confirm, button))) return;
  form.setAttribute("aria-busy", "true");
  for (const each of form.querySelectorAll("button")) each.disabled = true;
  try {
    const data = collect(form);
    if (button?.name) put(data, button.name, button.value);
    await follow(form, await call(button?.dataset.call ?? form.dataset.call, data), button?.dataset.then);
  } catch (error) {
    if (told(form, error.faults ?? {})) return;
    if (!fault) toast(error.message);
    else Object.assign(fault, { textContent: error.message, hidden: false });
  } finally {
    form.removeAttribute("aria-busy");
    for (const each of form.querySelectorAll("button")) each.disabled = false;
  }
}

async function follow(form, result, then = form.dataset.then || "refresh") {
  form.dispatchEvent(new CustomEvent("done", { bubbles: true, detail: result }));
  if (then.startsWith("/")) location.href = then;
  if (then === "show") show(form, result);
  if (then !== "refresh") return;
  form.closest("dialog")?.close();
  if (form.dataset.told !== undefined) toast(form.dataset.told || words.done);
  clean(form);
  if (form.dataset.call.startsWith("POST")) blank(form);
  await refresh();
}

// What came back, in the form's `[data-result]`: each `[data-of]` gets the value of that name.
function show(form, result) {
  const place = form.querySelector("[data-result]");
  for (const each of place.querySelectorAll("[data-of]")) {
    const value = each.dataset.of ? result?.[each.dataset.of] : result;
    if ("copy" in each.dataset) each.dataset.copy = value;
    else each.textContent = typeof value === "object" ? JSON.stringify(value, null, 2) : value;
  }
  if (typeof result?.good === "boolean") place.className = `callout ${result.good ? "good" : "bad"}`;
  place.hidden = false;
}

function sure(text, button) {
  const dialog = document.getElementById("ask");
  dialog.querySelector("p").textContent = text;
  dialog.querySelector("[value=yes]").textContent = button?.textContent.trim() || words.sure;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function toast(text) {
  const note = Object.assign(document.createElement("p"), { className: "toast", textContent: text });
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), 5000);
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.call) return;
  event.preventDefault();
  submit(event.target, event.submitter);
});
document.addEventListener("input", ({ target }) => target.form?.toggleAttribute("data-dirty", true));
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  if (button.dataset.open) document.getElementById(button.dataset.open).showModal();
  if ("close" in button.dataset) button.closest("dialog").close();
  if ("copy" in button.dataset) {
    await navigator.clipboard?.writeText(button.dataset.copy);
    toast(words.copied);
  }
});
// Filters apply as soon as one is chosen.
document.addEventListener("change", ({ target }) => {
  if (target.form?.matches("form.filters[method=get]")) target.form.requestSubmit();
});

// --- Parts: asked for again as the whole page, replaced where they differ and nobody is in them.

function clean(form) {
  form.removeAttribute("data-dirty");
}

function blank(form) {
  form.reset();
  for (const each of form.querySelectorAll("[data-result]")) each.hidden = true;
}

function busy(part) {
  const inside = part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
  return inside || part.querySelector("[data-dirty], dialog[open]");
}

let asked = 0;
export async function refresh() {
  const mine = ++asked;
  const response = await fetch(location.href, { cache: "no-store" }).catch(() => null);
  if (response?.redirected && new URL(response.url).pathname === "/login") location.href = "/login";
  if (!response?.ok || mine !== asked) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = fresh.getElementById(part.id);
    if (!now || busy(part) || now.outerHTML === part.dataset.was) continue;
    const was = now.outerHTML;
    const opened = [...part.querySelectorAll("details[id][open]")].map((each) => each.id);
    part.replaceWith(now);
    now.dataset.was = was;
    now.dispatchEvent(new Event("replaced", { bubbles: true }));
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  }
  const places = fresh.querySelector(".places");
  if (places) document.querySelector(".places").replaceChildren(...places.children);
}
for (const part of document.querySelectorAll("[data-part]")) part.dataset.was = part.outerHTML;

// --- Boards: `data-value="board.name"` shows a number; another change has the parts asked for again,
// of a board with a `mark` only one of the mark, which the page may know: `data-mark="board mark"`.

function lookUp(data, path) {
  return path.split(".").reduce((value, key) => value?.[key], data);
}

function changed(board, data) {
  for (const each of document.querySelectorAll(`[data-value^="${board}."]`)) {
    const value = lookUp(data, each.dataset.value.slice(board.length + 1));
    const text = value === undefined || value === null ? "–" : value.toLocaleString(document.documentElement.lang);
    if (each.textContent !== text) each.textContent = text;
  }
  document.dispatchEvent(new CustomEvent("board", { detail: { board, data } }));
}

const seen = new Map([...document.querySelectorAll("[data-mark]")].map(({ dataset }) => dataset.mark.split(" ")));
let wait = 1000;
function watch() {
  const away = document.getElementById("away");
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/socket`);
  socket.addEventListener("open", () => {
    socket.send(JSON.stringify({ type: "hello", version: 1, agent: "panel" }));
    socket.send(JSON.stringify({ type: "watch", boards }));
    if (!away.hidden) refresh();
    away.hidden = true;
    wait = 1000;
  });
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type !== "changed") return;
    changed(frame.board, frame.data);
    const mark = frame.data?.mark ?? data;
    // Where the page knows no mark, the first value is what it was made from.
    if (seen.has(frame.board) && seen.get(frame.board) !== mark) refresh();
    seen.set(frame.board, mark);
  });
  socket.addEventListener("close", ({ code }) => {
    if (code === 4001) return void (location.href = "/login");
    Object.assign(away, { textContent: words.away, hidden: false });
    setTimeout(watch, wait);
    wait = Math.min(wait * 2, 30000);
  });
}
if (boards.length) watch();
