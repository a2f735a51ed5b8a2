// The pages in a real browser: `node pages.mjs BASE WELCOME_LINK SBOM MODULES CHROMIUM [SHOTS]` against a `tocsin
// serve` on its first start with the demo intelligence. MODULES is a folder with playwright-core and axe-core; into
// the folder SHOTS, where it is given, a picture of every page is written. Run by `cargo xtask test`.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [base, link, sbom, modules, chromium, shots] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const browser = await require("playwright-core").chromium.launch({
  executablePath: chromium.includes("/") ? chromium : execFileSync("which", [chromium], { encoding: "utf8" }).trim(),
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
});
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const PASSWORD = "correct horse battery";

let failed = 0;
const check = (what, good, detail = "") => {
  if (!good) failed += 1;
  console.log(`${good ? "ok  " : "FAIL"} ${what}${good || detail === "" ? "" : `: ${detail}`}`);
};
const same = (what, is, wanted) => check(what, is === wanted, `${JSON.stringify(is)} in place of ${JSON.stringify(wanted)}`);

const person = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (e) => check("no error in a script", false, String(e)));
  return page;
};
const join = async (page, where, login) => {
  await page.goto(where);
  await page.fill("#name", `Person ${login}`);
  await page.fill("#email", `${login}@example.org`);
  await page.fill("#login", login);
  await page.fill("#password", PASSWORD);
  await page.click("button");
};
const invite = async (page, role) => {
  await page.goto(`${base}/settings/people`);
  await page.fill("#email", `${role}@example.org`);
  await page.selectOption("#role", role);
  await page.click("text=Make the link");
  const told = (await page.textContent("pre")).trim();
  return told.startsWith("/") ? base + told : told;
};

// The first person joins, who runs the installation but decides nothing, and invites one of each.
const admin = await person();
await join(admin, link, "admin");
same("the first start's link signs in", new URL(admin.url()).pathname, "/");
const manager = await person();
await join(manager, await invite(admin, "manager"), "manager");
const auditor = await person();
await join(auditor, await invite(admin, "auditor"), "auditor");
await manager.click("text=Sign out");
await manager.goto(`${base}/findings`);
check("without a session a page asks to sign in", manager.url().includes("/sign-in"), manager.url());
await manager.fill("#login", "manager");
await manager.fill("#password", PASSWORD);
await manager.click("button");
same("signing in comes back to the page that was asked for", new URL(manager.url()).pathname, "/findings");

// Two releases of one product; the second has one component more and one less.
const bom = JSON.parse(readFileSync(sbom, "utf8"));
const npm = bom.components.find((c) => (c.purl ?? "").includes("@"));
const next = structuredClone(bom);
const dropped = next.components.splice(next.components.findIndex((c) => c.name !== npm.name && c.name !== "openssl"), 1)[0];
next.components.push({ type: "library", name: "left-pad", version: "1.3.0", purl: "pkg:npm/left-pad@1.3.0" });
for (const version of ["3.2", "3.3"]) {
  await manager.goto(`${base}/products`);
  await manager.fill("#line", "Infusion");
  await manager.fill("#product", "Infusion pump");
  await manager.fill("#version", version);
  const buffer = Buffer.from(JSON.stringify(version === "3.2" ? bom : next));
  await manager.setInputFiles("#bom", { name: "pump.cdx.json", mimeType: "application/json", buffer });
  await manager.click("text=Upload and match");
  check(`an SBOM is uploaded for ${version}`, /\/releases\/\d+/.test(manager.url()), manager.url());
}
const release = new URL(manager.url()).pathname;

// Decide in bulk with keys and mouse.
await manager.goto(`${base}/findings`);
const boxes = manager.locator("td.pick input");
const findings = await boxes.count();
check("findings have boxes", findings >= 4, findings);
check("the bar waits for a tick", !(await manager.isVisible(".bulk")));
await manager.keyboard.press("j");
await manager.keyboard.press("x");
check("x ticks the row under the cursor", await boxes.first().isChecked());
await boxes.nth(0).click();
await boxes.nth(0).click();
await boxes.nth(2).click({ modifiers: ["Shift"] });
same("shift ticks the range", await manager.locator("td.pick input:checked").count(), 3);
same("the button says to how many", await manager.textContent("[data-count-label]"), "Decide 3 findings");
await manager.keyboard.press("e");
same("e goes to the decision", await manager.evaluate(() => document.activeElement.id), "to");
await manager.selectOption("#to", "not_affected");
await manager.click(".bulk button");
check("not affected asks for its reason", (await manager.textContent(".bulk .wrong")).includes("justification"));
same("what was ticked stays ticked", await manager.locator("td.pick input:checked").count(), 3);
await manager.selectOption("#justification", "vulnerable_code_not_present");
await manager.click(".bulk button");
same("the bulk decision is told", await manager.textContent(".note.good"), "Decided for 3 findings.");
await manager.goto(`${base}/findings?status=not_affected`);
same("three findings are decided", await manager.locator("table[data-keys] tbody tr").count(), 3);

// The same without a script.
const plain = await person({ javaScriptEnabled: false, storageState: await manager.context().storageState() });
await plain.goto(`${base}/findings?status=under_investigation`);
await plain.locator("td.pick input").first().check();
await plain.selectOption("#to", "affected");
await plain.click(".bulk button");
same("a decision works without a script", await plain.textContent(".note.good"), "Decided.");

// Where used, in each way of asking.
const used = async (q) => {
  await manager.goto(`${base}/where-used?q=${encodeURIComponent(q)}`);
  return manager.locator("table[data-keys] tbody tr").count();
};
const bare = npm.purl.slice(0, npm.purl.lastIndexOf("@"));
same("where used by name", await used(npm.name), 2);
same("where used by range, above", await used(`${bare}@>=${npm.version}`), 2);
same("where used by range, below", await used(`${bare}@<${npm.version}`), 0);
check("a range that cannot be read says so", (await used(`${bare}@<`)) === 0 && (await manager.isVisible(".note.bad")));
same("where used by a licence that nothing has", await used("licence:No-Such-Licence"), 0);

// Deployments: form, file, and what the vulnerability's page makes of them.
await manager.goto(`${base}${release}?tab=deployments`);
await manager.fill("#customer", "Ward clinic");
await manager.fill("#region", "EU");
await manager.fill("#units", "40");
await manager.click("button:text-is(\"Note units\")");
await manager.setInputFiles("#sheet", {
  name: "units.csv",
  mimeType: "text/csv",
  buffer: Buffer.from("customer,region,units\nHarbour hospital,US,2\nWard clinic,EU,50\n"),
});
await manager.click("button:text-is(\"Import\")");
same("units are added up", await manager.textContent("[data-units]"), "52");
await manager.setInputFiles("#sheet", {
  name: "units.csv",
  mimeType: "text/csv",
  buffer: Buffer.from("customer,region,units\nOther,US,9\nBad,US,many\n"),
});
await manager.click("button:text-is(\"Import\")");
check("a wrong line is named", (await manager.textContent(".note.bad")).includes("line 3"));
same("and nothing of the file is taken", await manager.textContent("[data-units]"), "52");

// What changed between the two.
await manager.goto(`${base}${release}?tab=compare`);
for (const [title, name] of [["Added", "left-pad"], ["Removed", dropped.name]]) {
  const panel = manager.locator(".panel", { has: manager.locator(`h2:text-is("${title}")`) });
  check(`${title} names ${name}`, (await panel.textContent()).includes(name));
}

// Who may not decide sees no form and is refused where one is sent all the same.
await auditor.goto(`${base}/findings`);
same("an auditor sees no boxes", await auditor.locator(".pick, .bulk").count(), 0);
const csrf = await auditor.inputValue("input[name=csrf]");
for (const [where, fields] of [
  ["/findings/decisions", { finding: "1", to: "fixed", justification: "", reach: "finding", detail: "" }],
  ["/findings/1/decision", { status: "fixed", justification: "", reach: "finding", detail: "" }],
  [`${release}/deployments`, { customer: "x", region: "", units: "1" }],
]) {
  const answer = await auditor.request.post(base + where, { form: { csrf, ...fields } });
  same(`an auditor is refused at ${where}`, answer.status(), 403);
}
const unsigned = await manager.request.post(`${base}/findings/decisions`, { form: { csrf: "x", finding: "1", to: "fixed" } });
same("a form without the session's token is refused", unsigned.status(), 403);

// Times are told in the reader's zone.
await manager.goto(`${base}/findings/1`);
check("a time says the reader's own on hover", (await manager.locator("time").first().getAttribute("title"))?.length > 10);

// Every page: no sideways scroll at any width, and what axe-core finds, in light and dark.
const pages = {
  today: "/",
  products: "/products",
  findings: "/findings",
  finding: "/findings/1",
  release,
  components: `${release}?tab=components`,
  licences: `${release}?tab=licences`,
  deployments: `${release}?tab=deployments`,
  compare: `${release}?tab=compare`,
  documents: `${release}?tab=documents`,
  used: "/where-used?q=openssl",
  audit: "/audit",
};
await manager.goto(`${base}/findings`);
pages.vulnerability = `/vulnerabilities/${(await manager.textContent("td.wide a")).trim()}`;
const state = await manager.context().storageState();
for (const colorScheme of ["light", "dark"]) {
  const page = await person({ colorScheme, storageState: state });
  for (const [name, where] of Object.entries(pages)) {
    const answer = await page.goto(base + where);
    same(`${name} answers`, answer.status(), 200);
    if (name === "findings") await page.locator("td.pick input").nth(1).check();
    for (const width of [390, 1280, 1920]) {
      await page.setViewportSize({ width, height: 860 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      check(`${name} fits ${width} px`, wide <= width, wide);
      if (shots) await page.screenshot({ path: `${shots}/${name}-${colorScheme}-${width}.png` });
    }
    await page.setViewportSize({ width: 1280, height: 860 });
    await page.evaluate(axe);
    const found = await page.evaluate(async () => {
      const told = (n) => `${n.target} ${n.any[0]?.message ?? n.all[0]?.message ?? ""}`;
      return (await globalThis.axe.run()).violations.map((v) => `${v.id}: ${v.nodes.slice(0, 2).map(told).join(" | ")}`);
    });
    check(`${name} passes axe-core, ${colorScheme}`, found.length === 0, found.join("; "));
  }
}
await browser.close();
console.log(failed ? `${failed} failed` : "all passed");
process.exit(failed ? 1 : 0);
