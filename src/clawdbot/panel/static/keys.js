// The keyboard; `?` shows what there is. Nothing here takes a key from an input method or a field.
import { leave, write } from "./composer.js";
import { at } from "./state.js";
import { seek } from "./side.js";

const box = at("words");
const COMMANDS = at("commands");

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return;
  const command = event.ctrlKey || event.metaKey;
  const inField = event.target.matches("input, textarea, select");
  const inDialog = document.querySelector("dialog[open]");
  if (inDialog) return;
  if (command && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    seek();
  } else if (command && event.shiftKey && event.key.toLowerCase() === "o") {
    event.preventDefault();
    location.href = "/chat";
  } else if (event.key === "Escape" && !command) {
    if (!COMMANDS.hidden) COMMANDS.hidden = true;
    else if (!leave() && !at("stop").hidden && !document.querySelector(":popover-open")) at("stop").click();
  } else if (event.key === "?" && !inField && !command) {
    event.preventDefault();
    at("keyboard").showModal();
  } else if (event.key === "/" && !inField && !command) {
    event.preventDefault();
    write("/");
    offer();
  }
});

// A slash offers the commands.
function offer() {
  const typed = box.value;
  const items = [...COMMANDS.querySelectorAll("button")];
  for (const each of items) each.parentElement.hidden = !each.dataset.command.startsWith(typed);
  COMMANDS.hidden = !typed.startsWith("/") || items.every((each) => each.parentElement.hidden);
}

box.addEventListener("input", offer);
box.addEventListener("keydown", (event) => {
  if (COMMANDS.hidden || event.isComposing) return;
  const items = [...COMMANDS.querySelectorAll("li:not([hidden]) button")];
  if (event.key === "ArrowDown") {
    event.preventDefault();
    items[0]?.focus();
  } else if (event.key === "Tab" && items.length) {
    event.preventDefault();
    write(items[0].dataset.command);
    COMMANDS.hidden = true;
  } else if (event.key === "Enter") {
    COMMANDS.hidden = true;
  }
});
COMMANDS.addEventListener("keydown", (event) => {
  const items = [...COMMANDS.querySelectorAll("li:not([hidden]) button")];
  const now = items.indexOf(document.activeElement);
  if (event.key === "ArrowDown") items[Math.min(now + 1, items.length - 1)].focus();
  else if (event.key === "ArrowUp") (items[now - 1] ?? box).focus();
  else return;
  event.preventDefault();
});
COMMANDS.addEventListener("click", ({ target }) => {
  const command = target.closest("button")?.dataset.command;
  if (!command) return;
  write(command);
  COMMANDS.hidden = true;
});
