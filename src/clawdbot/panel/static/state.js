// What the chat's modules share: which conversation this is, its words, small helpers.
export const page = document.body.dataset;
export const say = JSON.parse(page.words);
export const at = (id) => document.getElementById(id);
export const get = (path) => fetch(path, { cache: "no-store" }).catch(() => null);
export const put = (name, value) => (value ? sessionStorage.setItem(name, value) : sessionStorage.removeItem(name));
// A conversation that only this tab knows of, because nothing in it was sent yet, outlives a reload.
const kept = sessionStorage.getItem("fresh");
export const conversation = location.pathname === "/chat" && kept ? kept : page.conversation;
export const fresh = () => location.pathname === "/chat";

export function make(tag, name, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

export function key() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// An operation of the API; throws what went wrong, in words.
export async function call(method, path, data, headers = { "Content-Type": "application/json" }) {
  const request = { method, headers: { ...headers, "X-CSRF-Token": page.csrf }, cache: "no-store" };
  if (data !== undefined) request.body = data instanceof Blob ? data : JSON.stringify(data);
  const response = await fetch(path, request).catch(() => null);
  if (response?.status === 401) location.href = "/login";
  if (response?.ok) return response.status === 204 ? null : response.json();
  const problem = await response?.text().catch(() => "");
  let told = problem;
  try { told = JSON.parse(problem).detail; } catch { /* plain words */ }
  throw new Error(told || say.failed);
}

// What this tab writes into: an answer under way, and what is not confirmed yet.
export const open = new Map(); // turns without an end: what was last heard of each
export const done = new Set(); // turns whose answer is final
