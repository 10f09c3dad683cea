// What has just moved under a finger is not pressed; a press is one answer.
document.addEventListener("replaced", ({ target }) => {
  const buttons = [...target.querySelectorAll("form button")];
  for (const button of buttons) button.disabled = true;
  setTimeout(() => { for (const button of buttons) button.disabled = false; }, 500);
});
document.addEventListener("submit", ({ target }) => {
  // The button's own value must still be sent.
  setTimeout(() => { for (const button of target.querySelectorAll("button")) button.disabled = true; });
});
