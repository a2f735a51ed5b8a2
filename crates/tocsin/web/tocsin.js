// Keys and small comforts. Every page works without this file.

const typing = (e) => e.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");

// "/" goes to the search; in a table with data-keys, j and k move, Enter opens; where rows can be ticked, x ticks
// and e goes to the decision, with the row under the cursor where none is ticked.
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || typing(e)) return;
  if (e.key === "/") {
    e.preventDefault();
    document.getElementById("q")?.focus();
    return;
  }
  const rows = [...document.querySelectorAll("table[data-keys] tbody tr")];
  if (!rows.length || !["j", "k", "x", "e", "Enter"].includes(e.key)) return;
  const at = rows.findIndex((r) => r.hasAttribute("data-cursor"));
  if (e.key === "Enter") {
    if (at >= 0 && e.target === document.body) rows[at].querySelector("a")?.click();
    return;
  }
  if (e.key === "x" || e.key === "e") {
    const box = rows[at]?.querySelector("td.pick input");
    const none = !document.querySelector("td.pick input:checked");
    if (box && (e.key === "x" || none)) box.click();
    if (e.key === "e" && document.querySelector("td.pick input:checked")) {
      e.preventDefault();
      document.getElementById("to")?.focus();
    }
    return;
  }
  const next = Math.max(0, Math.min(rows.length - 1, at + (e.key === "j" ? 1 : -1)));
  rows[at]?.removeAttribute("data-cursor");
  rows[next].setAttribute("data-cursor", "");
  rows[next].scrollIntoView({ block: "nearest" });
});

// Boxes in rows: shift ticks all between, the box in the head ticks all, and the bar says to how many it will do what.
for (const form of document.querySelectorAll("form.picked")) {
  const boxes = [...form.querySelectorAll("td.pick input")];
  const all = form.querySelector("[data-all]");
  const reach = form.querySelector("#reach");
  let last = -1;
  const tell = () => {
    const n = boxes.filter((b) => b.checked).length;
    all.checked = n > 0 && n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
    form.querySelector("[data-count]").textContent = `${n} selected`;
    const what = n === 1 ? "1 finding" : `${n} findings`;
    const more = reach.value === "finding" ? "" : " and what they reach";
    form.querySelector("[data-count-label]").textContent = `Decide ${what}${more}`;
  };
  all.hidden = boxes.length === 0;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  boxes.forEach((box, n) =>
    box.addEventListener("click", (e) => {
      if (e.shiftKey && last >= 0) {
        for (const between of boxes.slice(Math.min(last, n), Math.max(last, n) + 1)) between.checked = box.checked;
      }
      last = n;
      tell();
    }),
  );
  form.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    for (const box of boxes) box.checked = false;
    tell();
  });
  reach.addEventListener("change", tell);
  tell();
}

// Where tabs or entries run out of a narrow page, the present one is in view.
for (const here of document.querySelectorAll("nav [aria-current=page]")) {
  here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 16;
}

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
