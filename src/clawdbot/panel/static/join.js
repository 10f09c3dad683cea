// An invitation.
import { code, welcome } from "./newcomer.js";

const form = document.getElementById("join");
const fault = form.querySelector(".fault");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  fault.hidden = true;
  form.querySelector(".main").disabled = true;
  const answers = Object.fromEntries(new FormData(form));
  const body = JSON.stringify({ code, ...answers });
  const response = await fetch(`/join?lang=${answers.language}`, { method: "POST", body }).catch(() => null);
  const finding = await response?.json().catch(() => null);
  if (finding?.good) {
    location.replace("/chat");
    return;
  }
  Object.assign(fault, { textContent: finding?.text ?? form.dataset.failed, hidden: false });
  form.querySelector(".main").disabled = false;
});

welcome(form);
