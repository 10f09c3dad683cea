// The set-up in three steps.
import { code, welcome } from "./newcomer.js";

const form = document.getElementById("setup");
const words = JSON.parse(form.dataset.words);
const steps = [...form.querySelectorAll("fieldset")];
const marks = [...form.querySelectorAll(".steps li")];
const back = document.getElementById("back");
const next = form.querySelector(".main");
const fault = form.querySelector(".fault");
let step = 0;

function answers() {
  return Object.fromEntries(new FormData(form));
}

function show(number) {
  step = number;
  steps.forEach((each, index) => { each.hidden = index !== step; });
  marks.forEach((mark, index) => mark.setAttribute("aria-current", index === step ? "step" : "false"));
  back.hidden = step === 0;
  label();
  steps[step].querySelector("input").focus();
}

function label() {
  const empty = step > 0 && [...steps[step].querySelectorAll("input")].every((input) => !input.value);
  const last = step === steps.length - 1;
  next.textContent = last ? next.dataset.finish : empty ? next.dataset.skip : next.dataset.next;
}

async function ask(path, extra) {
  const body = JSON.stringify({ code, answers: answers(), ...extra });
  const address = `${path}?lang=${form.elements.language.value}`;
  try {
    const response = await fetch(address, { method: "POST", body });
    return await response.json();
  } catch {
    return { good: false, text: words.failed };
  }
}

function complain(text) {
  fault.textContent = text;
  fault.hidden = !text;
}

// Where settings changed, the service starts anew: wait until it knows us.
async function enter() {
  next.textContent = words.starting;
  for (let left = 60; left > 0; left -= 1) {
    const at = await fetch("/login", { cache: "no-store" }).then((r) => new URL(r.url).pathname, () => "");
    if (at === "/chat") {
      location.replace("/chat");
      return;
    }
    await new Promise((done) => { setTimeout(done, 500); });
  }
  complain(words.failed);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  complain("");
  if (step < steps.length - 1) {
    show(step + 1);
    return;
  }
  next.disabled = true;
  const finding = await ask("/setup", {});
  if (finding.good) {
    await enter();
  } else {
    complain(finding.text);
  }
  next.disabled = false;
});

form.addEventListener("click", async ({ target }) => {
  const what = target.dataset.check;
  if (!what) return;
  const output = target.nextElementSibling;
  output.className = "";
  output.textContent = words.checking;
  target.disabled = true;
  const finding = await ask("/setup/check", { check: what });
  output.className = finding.good ? "good" : "bad";
  output.textContent = finding.text;
  target.disabled = false;
});

form.addEventListener("input", label);
back.addEventListener("click", () => { complain(""); show(step - 1); });
if (code) show(0);
welcome(form);
