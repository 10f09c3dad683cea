// The approvals page keeps in step with what is answered elsewhere; without a script it is a plain form.
const list = document.getElementById("questions");
let shown = "";

async function refresh() {
  if (document.hidden) return;
  const response = await fetch("/approvals/list", { cache: "no-store" }).catch(() => null);
  if (response?.status === 401) location.href = "/login";
  const text = response?.ok ? await response.text() : shown;
  // Nothing moves under a finger, or a reader, for no reason.
  if (shown && text !== shown) list.innerHTML = text;
  shown = text;
}

list.addEventListener("submit", ({ target }) => {
  // A press is one answer; the button's own value must still be sent.
  setTimeout(() => { for (const button of target.querySelectorAll("button")) button.disabled = true; });
});
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 3000);
refresh();
