// Keys and small comforts. Every page works without this file.

const typing = (e) => e.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");

// "/" goes to the search; in a table with data-keys, j and k move, Enter opens, Space shows the row beside the list;
// + and - press the row's buttons of these keys, p and r what the row has of these, or the page;
// where rows can be ticked, x ticks, e goes to the decision and o to the owner, with the row under the cursor where none
// is ticked.
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || typing(e)) return;
  if (e.key === "/") {
    e.preventDefault();
    document.getElementById("q")?.focus();
    return;
  }
  if (e.key === "p" || e.key === "r") {
    const row = document.querySelector("tr[data-cursor]");
    (row ?? document.querySelector("main .actions"))?.querySelector(`[data-key="${e.key}"]`)?.click();
    return;
  }
  const rows = [...document.querySelectorAll("table[data-keys] tbody tr")];
  if (!rows.length || !["j", "k", "x", "e", "o", "+", "-", "Enter", " "].includes(e.key)) return;
  const at = rows.findIndex((r) => r.hasAttribute("data-cursor"));
  if (e.key === " ") {
    if (at >= 0 && rows[at].dataset.peek && [document.body, document.getElementById("main")].includes(e.target)) {
      e.preventDefault();
      peek(rows[at].dataset.peek);
    }
    return;
  }
  if (e.key === "Enter") {
    if (at >= 0 && e.target === document.body) rows[at].querySelector("a")?.click();
    return;
  }
  if (e.key === "x" || e.key === "e" || e.key === "o") {
    const box = rows[at]?.querySelector("td.pick input");
    const none = !document.querySelector("td.pick input:checked");
    if (box && (e.key === "x" || none)) box.click();
    if (e.key !== "x" && document.querySelector("td.pick input:checked")) {
      e.preventDefault();
      const field = document.getElementById(e.key === "e" ? "to" : "owner");
      const folded = field?.closest("details");
      if (folded) folded.open = true;
      field?.focus();
    }
    return;
  }
  if (e.key === "+" || e.key === "-") {
    rows[at]?.querySelector(`button[data-key="${e.key}"]`)?.click();
    return;
  }
  const next = Math.max(0, Math.min(rows.length - 1, at + (e.key === "j" ? 1 : -1)));
  rows[at]?.removeAttribute("data-cursor");
  rows[next].setAttribute("data-cursor", "");
  rows[next].scrollIntoView({ block: "nearest" });
});

// The row under the cursor beside the list: its evidence and the decision on it.
const beside = document.querySelector("[data-peek-panel]");
let shown = "";
const hide = () => {
  beside.hidden = true;
  shown = "";
};
const peek = async (address) => {
  if (!beside) return;
  if (shown === address && !beside.hidden) return hide();
  shown = address;
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  // a session that ended meanwhile answers with the page to sign in
  if (answer.redirected) return location.reload();
  if (!answer.ok || shown !== address) return;
  beside.innerHTML = await answer.text();
  const back = beside.querySelector("[data-back]");
  if (back) back.value = location.pathname + location.search.replace(/([?&])(?:decided|owned)=\d+&?/, "$1").replace(/[?&]$/, "");
  beside.querySelector("[data-close]").addEventListener("click", hide);
  beside.hidden = false;
  document.dispatchEvent(new CustomEvent("piece", { detail: beside }));
};
document.addEventListener("keydown", (e) => {
  if (e.key === "Escape" && beside && !beside.hidden) {
    hide();
    document.getElementById("main").focus();
  }
  if (e.key === "e" && beside && !beside.hidden && !typing(e)) {
    e.preventDefault();
    e.stopImmediatePropagation();
    beside.querySelector("select")?.focus();
  }
}, true);

// Boxes in rows: shift ticks all between, the box in the head ticks all, and the bar says to how many it will do what.
for (const form of document.querySelectorAll("form.picked")) {
  const boxes = [...form.querySelectorAll("td.pick input")];
  const all = form.querySelector("[data-all]");
  const whole = form.querySelector("[data-whole]");
  const reach = form.querySelector("#reach");
  let last = -1;
  const tell = () => {
    const ticked = boxes.filter((b) => b.checked);
    const n = ticked.reduce((sum, b) => sum + Number(b.dataset.n ?? 1), 0);
    all.checked = ticked.length > 0 && ticked.length === boxes.length;
    all.indeterminate = ticked.length > 0 && ticked.length < boxes.length;
    const number = n.toLocaleString("en");
    const what = whole?.checked ? `all ${whole.dataset.whole}` : n === 1 ? "1 finding" : `${number} findings`;
    form.querySelector("[data-count]").textContent = whole?.checked ? "The whole filter" : `${number} selected`;
    const more = reach?.value === "finding" ? "" : " and what they reach";
    const label = form.querySelector("[data-count-label]");
    if (label) label.textContent = `Decide ${what}${more}`;
  };
  all.hidden = boxes.length === 0;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  whole?.addEventListener("change", tell);
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
    if (whole) whole.checked = false;
    tell();
  });
  reach?.addEventListener("change", tell);
  // Enter in a field sends a form by its first button; here it is the owner's
  const own = form.querySelector("[data-own]");
  own?.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" || e.target.closest("button")) return;
    e.preventDefault();
    form.requestSubmit(own.querySelector("button"));
  });
  tell();
}

// A field marked data-complete shows what can follow where one types: arrows choose, Enter or Tab takes, Escape closes.
for (const field of document.querySelectorAll("[data-complete]")) {
  const list = document.createElement("ul");
  list.id = `${field.id}-list`;
  list.className = "completions";
  list.setAttribute("role", "listbox");
  list.hidden = true;
  field.after(list);
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", list.id);
  field.setAttribute("aria-expanded", "false");
  let from = 0;
  let waiting = 0;
  const options = () => [...list.children];
  const close = () => {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const choose = (n) => {
    options().forEach((o, i) => o.setAttribute("aria-selected", String(i === n)));
    const chosen = options()[n];
    if (chosen) field.setAttribute("aria-activedescendant", chosen.id);
    chosen?.scrollIntoView({ block: "nearest" });
  };
  const take = (option) => {
    const before = [...field.value].slice(0, from).join("");
    const after = field.value.slice(field.selectionStart);
    // behind a field's sign its value follows; behind a value the next part
    const text = option.dataset.text + (/[:=<>]$/.test(option.dataset.text) ? "" : " ");
    field.value = before + text + after.trimStart();
    field.setSelectionRange((before + text).length, (before + text).length);
    close();
    ask();
  };
  const ask = () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const typed = field.value.slice(0, field.selectionStart);
      const answer = await fetch(`${field.dataset.complete}&q=${encodeURIComponent(typed)}`);
      if (!answer.ok || answer.redirected || document.activeElement !== field) return;
      if (typed !== field.value.slice(0, field.selectionStart)) return;
      const found = await answer.json();
      from = found.from;
      list.replaceChildren(
        ...found.items.map((item, n) => {
          const option = document.createElement("li");
          option.id = `${list.id}-${n}`;
          option.dataset.text = item.text;
          option.setAttribute("role", "option");
          option.setAttribute("aria-selected", "false");
          const name = document.createElement("span");
          name.className = "mono";
          name.textContent = item.text;
          const what = document.createElement("span");
          what.className = "soft";
          what.textContent = item.what;
          option.append(name, what);
          option.addEventListener("mousedown", (e) => {
            e.preventDefault();
            take(option);
          });
          return option;
        }),
      );
      const any = found.items.length > 0;
      list.hidden = !any;
      field.setAttribute("aria-expanded", String(any));
      field.removeAttribute("aria-activedescendant");
    }, 120);
  };
  field.addEventListener("input", ask);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (e) => {
    if (list.hidden) {
      if (e.key === "ArrowDown") ask();
      return;
    }
    const at = options().findIndex((o) => o.getAttribute("aria-selected") === "true");
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      const step = e.key === "ArrowDown" ? 1 : -1;
      choose((at + step + options().length) % options().length);
    } else if (e.key === "Escape") {
      e.preventDefault();
      close();
    } else if ((e.key === "Enter" || e.key === "Tab") && at >= 0) {
      e.preventDefault();
      take(options()[at]);
    }
  });
}

// A menu closes on Escape and when one goes elsewhere.
for (const menu of document.querySelectorAll("details.drop-down")) {
  menu.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (e) => {
    if (!menu.contains(e.target)) menu.open = false;
  });
}

// Where tabs or entries run out of a narrow page, the present one is in view.
for (const here of document.querySelectorAll("nav [aria-current=page]")) {
  here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 16;
}

// The field at the top suggests while one types: arrows choose, Enter opens, Escape closes.
const field = document.getElementById("q");
if (field?.form?.classList.contains("search")) {
  const box = document.createElement("div");
  Object.assign(box, { className: "suggest", id: "suggest", hidden: true });
  box.setAttribute("role", "listbox");
  box.setAttribute("aria-label", "Found");
  field.form.append(box);
  const close = () => {
    box.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const attributes = { role: "combobox", "aria-controls": "suggest", "aria-autocomplete": "list", "aria-expanded": "false" };
  for (const [name, value] of Object.entries(attributes)) field.setAttribute(name, value);
  let wait;
  let asked = 0;
  field.addEventListener("input", () => {
    clearTimeout(wait);
    const text = field.value.trim();
    if (text.length < 2) return close();
    wait = setTimeout(async () => {
      const mine = ++asked;
      const reply = await fetch(`/search/list?q=${encodeURIComponent(text)}`).catch(() => null);
      if (!reply?.ok || reply.redirected || mine !== asked || document.activeElement !== field) return;
      // made by our own server with everything escaped; the policy of the page forbids scripts in it
      box.innerHTML = await reply.text();
      box.querySelectorAll("a").forEach((a, n) => Object.assign(a, { id: `suggest-${n}`, tabIndex: -1 }));
      box.hidden = false;
      field.setAttribute("aria-expanded", "true");
    }, 120);
  });
  field.addEventListener("keydown", (e) => {
    const all = [...box.querySelectorAll("a")];
    const at = all.findIndex((a) => a.getAttribute("aria-selected") === "true");
    if (box.hidden || !all.length) return;
    if (e.key === "Escape") {
      e.preventDefault();
      close();
    } else if (e.key === "Enter" && at >= 0) {
      e.preventDefault();
      all[at].click();
    } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      const next = (at + (e.key === "ArrowDown" ? 1 : all.length + (at < 0 ? 0 : -1))) % all.length;
      all.forEach((a, n) => a.setAttribute("aria-selected", String(n === next)));
      all[next].scrollIntoView({ block: "nearest" });
      field.setAttribute("aria-activedescendant", all[next].id);
    }
  });
  document.addEventListener("pointerdown", (e) => field.form.contains(e.target) || close());
  field.addEventListener("blur", (e) => box.contains(e.relatedTarget) || setTimeout(close, 150));
}

// A menu closes when one clicks elsewhere or presses Escape.
for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("pointerdown", (e) => menu.contains(e.target) || (menu.open = false));
  menu.addEventListener("keydown", (e) => e.key === "Escape" && ((menu.open = false), menu.querySelector("summary").focus()));
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
