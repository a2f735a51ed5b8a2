// Blocks of pages.mjs about reports: a story becomes a section by a key, two people write, the report is approved and read.

// Works on the stories that the blocks of the desk left. Gives the pages it made.
export const reports = async ({ base, check, same, manager, person }) => {
  await manager.goto(`${base}/reports`);
  const empty = await manager.textContent("main");
  check("an empty archive teaches how a report comes about", empty.includes("No report yet") && empty.includes("tagged report"));
  await manager.goto(`${base}/desk`);
  await manager.keyboard.press("j");
  await manager.keyboard.press("r");
  await manager.waitForSelector(".note.good");
  check("r puts the story under the cursor into a report", (await manager.textContent(".note.good")).includes("section 1 of report"));
  await manager.goto(`${base}/reports`);
  await manager.keyboard.press("j");
  await manager.keyboard.press("Enter");
  await manager.waitForURL(/\/reports\/\d+$/);
  const report = new URL(manager.url()).pathname;
  await manager.click("text=Edit");
  await manager.click("table.cards td.wide a");
  await manager.waitForURL(/\/sections\/\d+/);
  const section = new URL(manager.url()).pathname;
  await manager.fill("#explanation", "A parser that **never** ends. <b>raw</b>");
  await manager.click("button[value=preview]");
  await manager.waitForSelector("[data-preview] strong");
  same("the preview shows what it looks like", await manager.textContent("[data-preview] .md strong"), "never");
  same("raw HTML is text", await manager.locator("[data-preview] .md b").count(), 0);
  same("and nothing typed is lost", await manager.inputValue("#explanation"), "A parser that **never** ends. <b>raw</b>");
  // another writer, without a script, opens the section before the first one saves
  const other = await person({ javaScriptEnabled: false, storageState: await manager.context().storageState() });
  await other.goto(base + section);
  await manager.click("form[data-preview-form] button.main");
  await manager.waitForSelector(".note.good");
  await other.fill("#explanation", "Words of the second writer.");
  await other.click("form[data-preview-form] button.main");
  const told = await other.textContent(".note.bad");
  check("who comes second is told what changed", told.includes("explanation") && told.includes("manager"), told);
  same("and keeps their words", await other.inputValue("#explanation"), "Words of the second writer.");
  check("beside those of the first", (await other.textContent("form[data-preview-form]")).includes("A parser that **never** ends."));
  await other.click("form[data-preview-form] button.main");
  check("and saves knowing both", (await other.textContent(".note.good")).includes("saved"));
  await other.goto(`${base}${report}/edit`);
  await other.fill("#heading", "Outlook");
  await other.click("text=Add a section");
  await other.goto(`${base}${report}/edit`);
  await other.click("button[aria-label='Move Outlook up']");
  same("sections are ordered without a script", (await other.locator("table.cards td.wide a").first().textContent()), "Outlook");
  await other.fill("#intro", "A week with *one* thing to know.");
  await other.click("text=Save the head");
  await manager.goto(base + report);
  await manager.click("text=Submit for approval");
  await manager.waitForSelector("text=waits for approval");
  await manager.click("button[value=approve]");
  await manager.waitForSelector("text=The report is approved");
  const pdf = await manager.request.get(`${base}${report}/export/pdf`);
  same("its PDF can be taken away", (await pdf.body()).subarray(0, 8).toString(), "%PDF-1.7");
  await manager.goto(`${base}/reports?q=text%3A%22second+writer%22`);
  same("the archive finds words of sections", await manager.locator("table[data-keys] tbody tr").count(), 1);
  await manager.goto(`${base}/desks`);
  check("the desks of a person tell what is due", (await manager.textContent("table")).includes("approved"));
  return {
    reports: "/reports?q=year%3E0",
    report,
    "report edit": `${report}/edit`,
    "report section": section,
    "report send": `${report}/send`,
    "report draft": "/reports/draft",
    desks: "/desks",
  };
};
