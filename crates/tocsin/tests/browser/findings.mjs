// Blocks of pages.mjs about findings: who looks after them, times as they are told, drafts of what one types.

// Owner and due date with keys: o goes there, Enter sends them and decides nothing.
export const owners = async ({ base, same, manager }) => {
  await manager.goto(`${base}/findings?q=status%3Aunder_investigation&group=none`);
  await manager.keyboard.press("j");
  await manager.keyboard.press("o");
  same("o goes to the owner", await manager.evaluate(() => document.activeElement.id), "owner");
  await manager.selectOption("#owner", { label: "Person manager" });
  await manager.fill("#due", "2098-11-30");
  await manager.press("#due", "Enter");
  same("owner and due date are told", await manager.textContent(".note.good"), "Owner and due date are set.");
  await manager.goto(`${base}/findings?q=owner%3Ame%20due%3A2098-11-30%20status%3Aunder_investigation&group=none`);
  same("and stand in the list", await manager.locator("table[data-keys] tbody tr").count(), 1);
};

// Times are told by how long ago they are, exactly and in the reader's zone on hover, and exactly without a script.
export const times = async ({ base, check, same, manager, person }) => {
  await manager.goto(`${base}/findings/1`);
  check("a time says the reader's own on hover", (await manager.locator("time").first().getAttribute("title"))?.length > 10);
  await manager.goto(`${base}/audit`);
  const first = manager.locator("main time[data-ago]").first();
  check("the audit trail tells how long ago", /^(now|\d+ min ago)$/.test(await first.textContent()), await first.textContent());
  const state = await manager.context().storageState();
  const tokyo = await person({ storageState: state, timezoneId: "Asia/Tokyo", locale: "en-GB" });
  await tokyo.goto(`${base}/audit`);
  const title = await tokyo.locator("main time[data-ago]").first().getAttribute("title");
  check("with the zone of the reader", title.includes("GMT+9"), title);
  await tokyo.goto(`${base}/findings?q=due%3A2098-11-30&group=none`);
  same("a day is the same day everywhere", await tokyo.locator("time[data-due]").first().textContent(), "2098-11-30");
  const plain = await person({ javaScriptEnabled: false, storageState: state });
  await plain.goto(`${base}/audit`);
  const exact = await plain.locator("main time").first().textContent();
  check("without a script it is exact", /^\d{4}-\d\d-\d\d \d\d:\d\d UTC$/.test(exact), exact);
};

// What is typed outlives a closed tab, until it was sent or one signs out. Passwords do not.
export const drafts = async ({ base, check, same, manager, person, signIn }) => {
  const context = (await person()).context();
  const tab = await context.newPage();
  await signIn(tab);
  const typed = "the parser is compiled out";
  const write = async (text) => {
    await tab.goto(`${base}/findings/1`);
    await tab.locator("#detail").fill(text);
    await tab.waitForFunction(() => Object.keys(localStorage).length > 0);
  };
  await write(typed);
  await tab.close();
  const again = await context.newPage();
  await again.goto(`${base}/findings/1`);
  same("a closed tab costs nothing", await again.inputValue("#detail"), typed);
  check("and it is said", (await again.textContent(".note.draft")).includes("has not been sent"));
  await again.click(".note.draft button");
  check("a draft can be discarded", (await again.inputValue("#detail")) !== typed);
  same("and is gone then", await again.evaluate(() => Object.keys(localStorage).length), 0);
  await again.fill("#detail", typed);
  await again.selectOption("#status", "affected");
  await again.click("form[action$='/decision'] button.main");
  await again.waitForSelector(".note.good");
  same("what was sent is no draft", await again.evaluate(() => Object.keys(localStorage).length), 0);
  await again.goto(`${base}/account`);
  const password = again.locator("input[type=password]").first();
  await password.fill("not to be kept");
  await again.locator("#name").fill("Somebody else");
  await again.waitForFunction(() => Object.keys(localStorage).length > 0);
  const kept = await again.evaluate(() => JSON.stringify({ ...localStorage }));
  check("a name is kept, a password never", kept.includes("Somebody else") && !kept.includes("not to be kept"), kept);
  await again.click("text=Sign out");
  same("signing out forgets everything", await again.evaluate(() => Object.keys(localStorage).length), 0);
  await context.close();
  await manager.goto(`${base}/findings/1`);
  same("drafts stay in their browser", await manager.locator(".note.draft").count(), 0);
};
