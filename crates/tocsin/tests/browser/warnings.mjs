// Blocks of pages.mjs about early warnings: made of a story by one key, changed, merged into its CVE. Gives the pages.

export const warnings = async ({ base, check, same, manager, story }) => {
  await manager.goto(`${base}${story}`);
  await manager.keyboard.press("p");
  await manager.waitForURL(/\/warning$/);
  check("p on a story opens the form of an early warning", (await manager.inputValue("#title")).length > 0);
  same("with the marking of the story", await manager.inputValue("#tlp"), "AMBER+STRICT");
  await manager.fill("#title", "A loop in a parser");
  await manager.fill("#product", "openssl");
  await manager.fill("#purl", "");
  await manager.fill("#affected", "before 3");
  await manager.selectOption("#severity", "high");
  await manager.click("main form button.main");
  check("what is wrong is told beside what was typed", (await manager.textContent(".note.bad")).includes("affected"));
  same("and nothing typed is lost", await manager.inputValue("#affected"), "before 3");
  await manager.fill("#affected", "< 3.0.2");
  await manager.click("main form button.main");
  await manager.waitForURL(/\/warnings\/TOCSIN-/);
  const warning = new URL(manager.url()).pathname;
  await manager.fill("#told", "all before 3.0.2");
  await manager.click("form:has(#told) button.main");
  check("a change is saved", (await manager.textContent(".note.good")).includes("saved"));
  await manager.goto(`${base}/warnings`);
  same("the list has it", await manager.locator("table[data-keys] tbody tr").count(), 1);
  const name = warning.split("/").at(-1);
  await manager.goto(`${base}/vulnerabilities/${name}`);
  check("the vulnerability says what it is", (await manager.textContent("h1")).includes("early warning"));
  return { warnings: "/warnings", warning, "warning form": `${story}/warning`, "early vulnerability": `/vulnerabilities/${name}` };
};
