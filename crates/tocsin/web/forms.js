// Forms that came back: fills what was kept of a form on the page it was typed on. Without this file the page /kept
// has the same fields.

// A page opened with #kept fills the form whose action the kept one had, and says so.
const fill = async () => {
  const reply = await fetch("/kept.json", { headers: { accept: "application/json" } });
  if (!reply.ok) return;
  const kept = await reply.json();
  if (!kept.action) return;
  const path = (address) => {
    const url = new URL(address, location.href);
    return url.pathname + url.search;
  };
  const form = [...document.forms].find((f) => f.method === "post" && path(f.getAttribute("action") ?? "") === kept.action);
  if (!form) return;
  const byName = new Map();
  for (const [name, value] of kept.fields) byName.set(name, [...(byName.get(name) ?? []), value]);
  let first = null;
  for (const field of form.elements) {
    if (!field.name || field.type === "hidden" || field.type === "file") continue;
    const values = byName.get(field.name);
    if (field.type === "checkbox" || field.type === "radio") field.checked = (values ?? []).includes(field.value);
    else if (values?.length) field.value = values.shift();
    else continue;
    first ??= field;
  }
  const note = document.createElement("div");
  note.className = "note";
  note.setAttribute("role", "status");
  const again = kept.files.filter(([, name]) => name).map(([, name]) => name);
  note.textContent =
    "What you typed is back. It has not been sent." + (again.length ? ` Choose ${again.join(", ")} again.` : "");
  form.before(note);
  for (let box = form.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  (first ?? form).scrollIntoView({ block: "center" });
  first?.focus();
};
if (location.hash === "#kept") fill();
