// Whoever comes by a link that is good once: its code, and the name of who was invited, stand in the
// fragment, which no server log sees.
export const [code, name = ""] = location.hash.slice(1).split("/");

// Open the form to who has a code; another language keeps the code.
export function welcome(form) {
  form.elements.language.addEventListener("change", ({ target }) => {
    location.href = `${location.pathname}?lang=${target.value}${location.hash}`;
  });
  for (const link of document.querySelectorAll(".languages a")) link.hash = location.hash;
  if (!code) return;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...form.elements.timezone.options].some((option) => option.value === zone)) {
    form.elements.timezone.value = zone;
  }
  document.getElementById("closed").hidden = true;
  form.hidden = false;
  if (name) form.elements.name.value = decodeURIComponent(name);
  form.elements[name ? "password" : "name"].focus();
}
