// Progress of jobs as it happens. What is on the page changes in place and nothing moves; without this file the
// "Refresh" link shows the same. One stream a page, and none while the page is not looked at: browsers allow few.

{
  const lasting = [...document.querySelectorAll("[data-job][data-live]")];
  const badge = document.querySelector("[data-jobs-active]");
  const ids = [...new Set(lasting.map((e) => e.dataset.job))];
  let source = null;
  let over = ids.length === 0 && !badge;

  const tell = (job) => {
    for (const place of document.querySelectorAll(`[data-job="${job.id}"]`)) {
      const part = (name) => place.querySelector(`[data-job-${name}]`);
      const state = part("state");
      if (state.textContent !== job.state) {
        state.textContent = job.state;
        state.className = `state ${job.state}`;
      }
      part("progress").hidden = job.state !== "running";
      part("note").textContent = job.cancelling ? "is told to stop" : job.note;
      if (job.percent === null) part("bar").removeAttribute("value");
      else part("bar").value = job.percent;
      if (!job.active) {
        part("ended").hidden = false;
        for (const form of place.querySelectorAll("[data-job-active]")) form.hidden = true;
      }
    }
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    if (over || source || document.hidden) return;
    source = new EventSource(`/jobs/events?ids=${ids.join(",")}`);
    source.addEventListener("job", (e) => tell(JSON.parse(e.data)));
    source.addEventListener("count", (e) => {
      const { active } = JSON.parse(e.data);
      if (badge) {
        badge.querySelector("[data-jobs-count]").textContent = active;
        badge.classList.toggle("idle", active === 0);
      }
    });
    source.addEventListener("end", () => {
      over = true;
      close();
    });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  open();
}

// The bell, when the reader comes back to the page. It does not ask by itself: a page left open must not keep a session
// alive.
{
  const bell = document.querySelector("[data-bell]");
  const tell = ({ unseen }) => {
    const shown = unseen >= 100 ? `${unseen}+` : `${unseen}`;
    bell.querySelector("b").textContent = shown;
    bell.querySelector("b").hidden = unseen === 0;
    const words = unseen >= 100 ? `${unseen} or more` : unseen;
    bell.setAttribute("aria-label", unseen === 0 ? "Notifications" : `Notifications, ${words} new`);
  };
  const ask = async () => {
    if (document.hidden) return;
    const reply = await fetch("/notifications/count", { redirect: "error" }).catch(() => null);
    if (reply?.ok) tell(await reply.json());
  };
  if (bell) document.addEventListener("visibilitychange", ask);
}
