// Blocks of pages.mjs about the sources of intelligence.

// An administrator sets a source; what is wrong stands at its field with what was typed; an auditor sees and sets nothing.
export const sources = async ({ base, check, same, manager, auditor }) => {
  await manager.goto(`${base}/sources`);
  same("every source stands in the list", await manager.locator("table[data-keys] tbody tr").count() > 7, true);
  await manager.click("a:text-is('NIST National Vulnerability Database')");
  await manager.check("input[name=followed]");
  await manager.fill("#set-proxy", "no address");
  await manager.click("button:text-is('Save')");
  same("a wrong setting is told at its field", await manager.locator(".field[data-wrong] #set-proxy").inputValue(), "no address");
  check("and what else was typed stays", await manager.isChecked("input[name=followed]"));
  await manager.fill("#set-proxy", "");
  await manager.fill("#set-key", "a-key-of-ours");
  await manager.click("button:text-is('Save')");
  same("it is set", await manager.textContent(".note.good"), "The source is set.");
  check("the key is shown nowhere", !(await manager.content()).includes("a-key-of-ours"));
  check("but that there is one", (await manager.textContent("#hint-key")).includes("One is kept"));
  await manager.goto(`${base}/sources?show=followed`);
  same("what is followed can be shown alone", await manager.locator("table[data-keys] tbody tr").count(), 1);
  await auditor.goto(`${base}/sources/nvd`);
  same("an auditor sets nothing", await auditor.locator("main form").count(), 0);
  await manager.goto(`${base}/sources/csaf`);
  await manager.fill("#set-signed", "all");
  await manager.click("button:text-is('Save')");
  same("a provider's signatures can be asked for", await manager.inputValue("#set-signed"), "all");
  await manager.fill("#set-signed", "");
  await manager.click("button:text-is('Save')");
  await manager.goto(`${base}/sources/euvd`);
  check("a source says what it is", (await manager.textContent("h1")).includes("European Union"));
  // nothing is fetched from outside in tests
  await manager.goto(`${base}/sources/nvd`);
  await manager.uncheck("input[name=followed]");
  await manager.click("button:text-is('Save')");
  // a list of feeds: suggestions are added, a line that is none is told with its number
  await manager.goto(`${base}/sources/news`);
  const suggested = await manager.locator("input[name^=add-]").count();
  check("well-known feeds are suggested", suggested > 20);
  await manager.check("input[name=add-2]");
  await manager.click("button:text-is('Add to the list')");
  same("what was added is suggested no more", await manager.locator("input[name^=add-]").count(), suggested - 1);
  check("it stands in the list", (await manager.inputValue("#set-feeds")).includes("CERT-FR"));
  await manager.fill("#set-feeds", "https://a.example/feed A CERT B\nno address");
  await manager.click("button:text-is('Save')");
  check("a line that is none is told", (await manager.textContent(".wrong")).includes("line 2"));
  check("what was typed stays", (await manager.inputValue("#set-feeds")).includes("A CERT B"));
  await manager.fill("#set-feeds", "https://a.example/feed A CERT B TLP:GREEN");
  await manager.click("button:text-is('Save')");
  check("each feed is shown with how it does", (await manager.textContent("main table")).includes("not asked yet"));
};
