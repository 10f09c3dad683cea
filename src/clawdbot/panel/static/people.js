// Pages about people: what is shown once, the name of a new role, a name to be typed.
document.addEventListener("done", ({ target, detail }) => {
  if (detail?.path) {
    const link = location.origin + detail.path;
    for (const each of target.querySelectorAll("[data-link]")) {
      if ("copy" in each.dataset) each.dataset.copy = link;
      else each.textContent = link;
    }
  }
  if (detail?.uri) {
    target.querySelector("[data-address]").href = detail.uri;
    const drawn = target.querySelector("[data-qr]");
    drawn.setAttribute("d", detail.qr.path);
    drawn.ownerSVGElement.setAttribute("viewBox", `0 0 ${detail.qr.size} ${detail.qr.size}`);
  }
  for (const each of target.querySelectorAll("[data-lines]")) {
    each.textContent = detail?.[each.dataset.lines]?.join("\n") ?? "";
  }
});

document.addEventListener("input", ({ target }) => {
  const { same, other } = target.dataset;
  if (same !== undefined) target.setCustomValidity(target.value.trim() === same ? "" : other);
  if ("intoPath" in target.dataset) target.form.dataset.call = `PUT /api/v1/roles/${encodeURIComponent(target.value)}`;
});
