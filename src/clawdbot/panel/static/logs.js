// The log's page asks for its lines again while it is looked at and the switch is on.
import { refresh } from "./panel.js";

const live = document.querySelector("[name=live]");
setInterval(() => {
  if (live.checked && !document.hidden && !getSelection().toString()) refresh();
}, 2000);
