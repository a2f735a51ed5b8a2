// Keys and small comforts. Every page works without this file.

const typing = (e) => e.target.closest("input, textarea, select, [contenteditable]");

// "/" goes to the search; in a table with data-keys, j and k move, Enter opens.
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || typing(e)) return;
  if (e.key === "/") {
    e.preventDefault();
    document.getElementById("q")?.focus();
    return;
  }
  const rows = [...document.querySelectorAll("table[data-keys] tbody tr")];
  if (!rows.length || !["j", "k", "Enter"].includes(e.key)) return;
  const at = rows.findIndex((r) => r.hasAttribute("data-cursor"));
  if (e.key === "Enter") {
    if (at >= 0 && e.target === document.body) rows[at].querySelector("a")?.click();
    return;
  }
  const next = Math.max(0, Math.min(rows.length - 1, at + (e.key === "j" ? 1 : -1)));
  rows[at]?.removeAttribute("data-cursor");
  rows[next].setAttribute("data-cursor", "");
  rows[next].scrollIntoView({ block: "nearest" });
});

// Times in the reader's own zone on hover.
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.valueOf())) {
    time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  }
}

// A field marked data-drop takes a file dropped on it and sends the form.
for (const drop of document.querySelectorAll("[data-drop]")) {
  const input = drop.querySelector("input[type=file]");
  const over = (on) => (e) => {
    e.preventDefault();
    drop.classList.toggle("over", on);
  };
  drop.addEventListener("dragover", over(true));
  drop.addEventListener("dragleave", over(false));
  drop.addEventListener("drop", (e) => {
    over(false)(e);
    if (e.dataTransfer.files.length) {
      input.files = e.dataTransfer.files;
      input.form.requestSubmit();
    }
  });
}

// A form that is on its way says so, and is not sent twice.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button.main");
    if (button) {
      button.setAttribute("aria-busy", "true");
      setTimeout(() => (button.disabled = true));
    }
  });
}
