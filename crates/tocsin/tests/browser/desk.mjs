// Blocks of pages.mjs about the analyst desk: an item becomes a story, which is voted on, assessed and split by keys and forms.

const until = async (page, where, selector) => {
  for (let n = 0; n < 60; n += 1) {
    await page.goto(where);
    if (await page.locator(selector).count()) return true;
    await page.waitForTimeout(500);
  }
  return false;
};

// Enters two items about one flaw and one about another, and works with their stories. Gives the pages it made.
export const desk = async ({ base, check, same, manager, person }) => {
  const enter = async (title, text) => {
    await manager.goto(`${base}/desk/enter`);
    same("what comes by hand is kept close", await manager.inputValue("#tlp"), "AMBER");
    await manager.fill("#source", "Dark web watch");
    await manager.fill("#title", title);
    await manager.fill("#text", text);
    await manager.selectOption("#reliability", "B");
    await manager.selectOption("#credibility", "2");
    await manager.click("form[action='/desk/enter'] button.main");
    await manager.waitForURL(/\/desk\?/);
  };
  await manager.goto(`${base}/desk`);
  check("an empty desk says what will be there", (await manager.textContent("main")).includes("No story yet"));
  await enter("OpenSSL 3.0.1 loops for ever", "CVE-2022-0778: a certificate makes OpenSSL 3.0.1 loop for ever. An exploit is public.");
  await enter("A second word on the loop", "The loop of CVE-2022-0778 in OpenSSL is seen on devices in wards too, a scanner says.");
  await enter("Fair opens its doors", "The fair shows benches, stools and lamps to visitors.");
  check("items become stories", await until(manager, `${base}/desk`, "table[data-keys] tbody tr:nth-child(2)"));
  same("the relevant one first", (await manager.textContent("table[data-keys] tbody tr:first-child td.wide")).includes("OpenSSL"), true);
  await manager.keyboard.press("j");
  await manager.keyboard.press("+");
  await manager.waitForSelector(".note.good");
  check("+ likes the story under the cursor", (await manager.textContent(".note.good")).startsWith("Liked"));
  await manager.keyboard.press("j");
  await manager.keyboard.press("Enter");
  await manager.waitForURL(/\/stories\/\d+/);
  const story = new URL(manager.url()).pathname;
  same("and the vote stands on its page", await manager.getAttribute("button[value=none]", "aria-pressed"), "true");
  check("what it names is marked in the text", (await manager.locator("p.prose mark").count()) > 1);
  const points = await manager.locator("section:has(h2:text('Why')) tbody td.num").allTextContents();
  const sum = points.slice(0, -1).reduce((all, p) => all + Number(p), 0);
  check("the reasons add up", Math.abs(sum - Number(points.at(-1))) < 0.35, points.join(" "));
  await manager.fill("#summary", "A parser that does not end.");
  await manager.selectOption("#tlp", "AMBER+STRICT");
  await manager.click("form[action$='/note'] button.main");
  check("the assessment is saved", (await manager.textContent(".note.good")).includes("saved"));
  same("with its marking", (await manager.textContent("dl.facts")).includes("AMBER+STRICT"), true);
  await manager.locator("input[name=item]").first().check();
  await manager.click("text=Split the ticked items off");
  await manager.waitForSelector(".note.good");
  const off = new URL(manager.url()).pathname;
  check("split items are another story", off !== story && /\/stories\/\d+/.test(off), off);
  await manager.fill("#with", story);
  await manager.click("form[action$='/merge'] button");
  await manager.waitForSelector(".note.good");
  same("and merged again they are the older one", new URL(manager.url()).pathname, story);
  await manager.goto(`${base}/desk`);
  await manager.keyboard.press("j");
  await manager.keyboard.press("j");
  await manager.keyboard.press("x");
  await manager.click("button:text('Dismiss')");
  await manager.waitForSelector(".note.good");
  same("what is dismissed is left out", await manager.locator("table[data-keys] tbody tr").count(), 1);
  await manager.goto(`${base}/desk/follow`);
  check("a vote can be read", (await manager.textContent("#votes")).includes("on openssl"));
  await manager.fill("#name", "Wards");
  await manager.fill("#any", "devices in wards");
  await manager.click("text=Save interest");
  check("an interest is saved", (await manager.textContent(".note.good")).includes("saved"));
  await manager.fill("#w-component", "not a number");
  await manager.click("text=Save weights");
  check("a weight that is none is refused", (await manager.textContent(".note.bad")).includes("component"));
  const plain = await person({ javaScriptEnabled: false, storageState: await manager.context().storageState() });
  await plain.goto(`${base}/desk`);
  await plain.click("button[data-key='-']");
  check("votes work without a script", (await plain.textContent(".note.good")).startsWith("Disliked"));
  return { desk: "/desk?q=sources%3E0", story, "desk enter": "/desk/enter", "desk follow": "/desk/follow" };
};
