// Drafts: what one types into a form is kept in this browser until it was sent, so that a tab closed by mistake costs
// nothing. Passwords, codes and secrets are never kept; a form marked data-draft="session" is kept for its tab alone, one
// marked data-draft="off" not at all. Signing out forgets everything.

{
  const PREFIX = "draft:";
  const AGE = 14 * 86_400_000;
  const who = document.body.dataset.who;
  const stores = [localStorage, sessionStorage];
  const secret = /csrf|password|current|secret|code|ticket|token|passkey/i;
  const kinds = ["text", "email", "url", "number", "date", "tel", "textarea"];

  const isKept = (field) =>
    field.name && kinds.includes(field.type) && !secret.test(field.name) && !/password|one-time/.test(field.autocomplete ?? "");
  const store = (form) => {
    if (form.getAttribute("method")?.toLowerCase() !== "post" || form.dataset.draft === "off") return null;
    return form.dataset.draft === "session" ? sessionStorage : localStorage;
  };
  const key = (form) => {
    const url = new URL(form.getAttribute("action") || location.href, location.href);
    return `${PREFIX}${who}:${url.pathname}`;
  };
  // where storing is forbidden or full, one types without a net
  const attempt = (what) => {
    try {
      return what();
    } catch {
      return null;
    }
  };
  const read = (where, name) => attempt(() => JSON.parse(where.getItem(name)));
  const write = (where, name, draft) => attempt(() => where.setItem(name, JSON.stringify(draft)));
  const names = (where) => attempt(() => Object.keys(where).filter((n) => n.startsWith(PREFIX))) ?? [];
  const page = (address) => address.split("#")[0];

  const keep = (form, sent) => {
    const where = store(form);
    if (!where) return;
    const fields = [...form.elements].filter(isKept).filter((f) => f.value !== f.defaultValue);
    const draft = { at: Date.now(), page: page(location.href), sent, fields: fields.map((f) => [f.name, f.value]) };
    if (fields.length) write(where, key(form), draft);
    else attempt(() => where.removeItem(key(form)));
  };

  // A form that was sent led here: it went through, unless this page says what is wrong with it.
  const refused = document.querySelector("[role=alert]:not([hidden]), [aria-invalid=true]");
  const came = document.referrer && performance.getEntriesByType("navigation")[0]?.type === "navigate";
  for (const where of stores) {
    for (const name of names(where)) {
      const draft = read(where, name);
      const over = !draft || Date.now() - draft.at > AGE;
      if (over || (draft.sent && came && !refused && page(document.referrer) === draft.page)) where.removeItem(name);
    }
  }

  const back = (form) => {
    const where = store(form);
    const draft = where && read(where, key(form));
    if (!draft) return;
    const left = new Map();
    for (const [name, value] of draft.fields) left.set(name, [...(left.get(name) ?? []), value]);
    const filled = [];
    for (const field of [...form.elements].filter(isKept)) {
      const value = left.get(field.name)?.shift();
      if (value === undefined || field.value !== field.defaultValue || field.value === value) continue;
      field.value = value;
      filled.push(field);
    }
    if (!filled.length) return;
    for (let box = form.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    const note = document.createElement("div");
    note.className = "note draft";
    note.setAttribute("role", "status");
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "link";
    drop.textContent = "Discard it";
    drop.addEventListener("click", () => {
      for (const field of filled) field.value = field.defaultValue;
      where.removeItem(key(form));
      note.remove();
      filled[0].focus();
    });
    note.append("What you typed here before is back. It has not been sent. ", drop);
    form.prepend(note);
  };
  // what came too late for its session is put back by its own script
  if (location.hash !== "#kept") for (const form of document.forms) back(form);
  document.addEventListener("piece", (e) => e.detail.querySelectorAll("form").forEach(back));

  let waiting = 0;
  let out = false;
  document.addEventListener("input", (e) => {
    const form = e.target.form;
    if (!form || !isKept(e.target)) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => keep(form, false), 250);
  });
  document.addEventListener("submit", (e) => {
    clearTimeout(waiting);
    if (e.target.getAttribute("action") === "/sign-out") {
      out = true;
      for (const where of stores) for (const name of names(where)) where.removeItem(name);
    } else keep(e.target, true);
  });
  // a tab that is closed at once has not waited
  addEventListener("pagehide", () => {
    clearTimeout(waiting);
    if (out) return;
    for (const form of document.forms) {
      const kept = store(form) && read(store(form), key(form));
      if (kept?.sent) continue;
      if ([...form.elements].some((f) => isKept(f) && f.value !== f.defaultValue)) keep(form, false);
    }
  });
}
