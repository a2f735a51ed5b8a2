// Times in the reader's own zone. Without this file each is told exactly, in UTC.

{
  const days = { dateStyle: "full", timeZone: "UTC" };
  const two = (n) => String(n).padStart(2, "0");

  // How long ago: "3 h ago", "in 2 d", "now".
  const ago = (at, now) => {
    const seconds = Math.round((now - at) / 1000);
    const far = Math.abs(seconds);
    if (far < 60) return "now";
    const [n, unit] = [
      [3600, 60, "min"],
      [86_400, 3600, "h"],
      [5_184_000, 86_400, "d"],
      [63_072_000, 2_592_000, "months"],
      [Infinity, 31_536_000, "years"],
    ]
      .filter(([below]) => far < below)
      .map(([, of, name]) => [Math.floor(far / of), name])[0];
    return seconds < 0 ? `in ${n} ${unit}` : `${n} ${unit} ago`;
  };

  const tell = (time) => {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) return;
    // a day is a day wherever one reads it
    const whole = /^\d{4}-\d\d-\d\d$/.test(time.dateTime);
    time.title = at.toLocaleString(undefined, whole ? days : { dateStyle: "full", timeStyle: "long" });
    if (time.hasAttribute("data-ago")) {
      time.textContent = ago(at, Date.now());
    } else if (time.hasAttribute("data-due")) {
      const over = Math.floor((Date.now() - at) / 86_400_000);
      time.textContent = over > 0 ? `${over} d overdue` : time.dateTime;
      time.classList.toggle("overdue", over > 0);
    } else if (/^\d{4}-\d\d-\d\d \d\d:\d\d( UTC)?$/.test(time.textContent.trim())) {
      const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
      time.textContent = `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
    }
  };
  const all = (where) => where.querySelectorAll("time[datetime]").forEach(tell);
  all(document);
  document.addEventListener("piece", (e) => all(e.detail));
  setInterval(() => document.hidden || document.querySelectorAll("time[data-ago]").forEach(tell), 60_000);
}
