// The approvals page keeps in step with what is answered elsewhere; without a script it is a plain form.
const list = document.getElementById("questions");
let shown = "";

async function refresh() {
  if (document.hidden) return;
  const response = await fetch("/approvals/list", { cache: "no-store" }).catch(() => null);
  if (response?.status === 401) location.href = "/login";
  const text = response?.ok ? await response.text() : shown;
  // Nothing moves under a finger, or a reader, for no reason.
  if (shown && text !== shown) {
    list.innerHTML = text;
    hold();
  }
  shown = text;
}

// What has just moved under a finger is not pressed.
function hold() {
  const buttons = [...list.querySelectorAll("form button")];
  for (const button of buttons) button.disabled = true;
  setTimeout(() => { for (const button of buttons) button.disabled = false; }, 500);
}

list.addEventListener("submit", ({ target }) => {
  // A press is one answer; the button's own value must still be sent.
  setTimeout(() => { for (const button of target.querySelectorAll("button")) button.disabled = true; });
});
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 3000);
refresh();
