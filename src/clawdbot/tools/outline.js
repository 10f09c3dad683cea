// What a page shows, in reading order: text, and what can be used, each with its element.
const mute = arguments[0];
const lines = [];
const plain = (text, most) => (text ?? "").replace(/\s+/g, " ").trim().slice(0, most);
const roles = ["button", "link", "checkbox", "tab", "menuitem", "option", "radio", "switch", "textbox"];
const unseen = ["script", "style", "noscript", "template", "head"];

function kind(each) {
  const role = each.getAttribute("role");
  switch (each.localName) {
    case "a": return each.hasAttribute("href") ? "link" : "";
    case "button": case "summary": return "button";
    case "select": return "choice";
    case "textarea": return "field";
    case "input": return each.type === "hidden" ? "" : `field ${each.type}`;
  }
  return roles.includes(role) ? role : each.isContentEditable ? "field" : "";
}

function name(each) {
  const label = each.labels?.[0]?.innerText;
  const own = each.localName === "select" ? "" : each.innerText;
  const said = [each.getAttribute("aria-label"), label, own, each.placeholder, each.title, each.alt];
  return plain(said.find((text) => plain(text, 1)) ?? each.name, 80);
}

function state(each) {
  if (each.type === "checkbox" || each.type === "radio") return each.checked ? " (on)" : " (off)";
  const hidden = mute || each.type === "password" || typeof each.value !== "string";
  const value = hidden || each.localName === "button" ? "" : plain(each.value, 80);
  return value ? ` = ${value}` : "";
}

function walk(parent) {
  for (const each of parent.childNodes) {
    if (each.nodeType === Node.TEXT_NODE) {
      const text = plain(each.data, 300);
      if (text) lines.push({ text });
    } else if (each.nodeType === Node.ELEMENT_NODE && lines.length < 1000) {
      if (unseen.includes(each.localName)) continue;
      if (!each.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const use = kind(each);
      if (use) lines.push({ text: `${use} "${name(each)}"${state(each)}`, element: each });
      else if (/^h[1-6]$/.test(each.localName)) lines.push({ text: `# ${plain(each.innerText, 200)}` });
      else walk(each.shadowRoot ?? each);
    }
  }
}

walk(document.body ?? document.documentElement);
return { url: location.href, title: plain(document.title, 200), lines };
