// An invitation: its code stands in the fragment, which no server log sees.
const code = location.hash.slice(1);
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

form.elements.language.addEventListener("change", ({ target }) => {
  location.href = `/join?lang=${target.value}${location.hash}`;
});
for (const link of document.querySelectorAll(".languages a")) link.hash = location.hash;

if (code) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...form.elements.timezone.options].some((option) => option.value === zone)) {
    form.elements.timezone.value = zone;
  }
  document.getElementById("closed").hidden = true;
  form.hidden = false;
  form.elements.name.focus();
}
