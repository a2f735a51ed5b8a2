// The pages in a real browser: `node pages.mjs BASE WELCOME_LINK SBOM MODULES CHROMIUM [SHOTS]` against a `tocsin
// serve` on its first start with the demo intelligence. MODULES is a folder with playwright-core and axe-core; into
// the folder SHOTS, where it is given, a picture of every page is written. Run by `cargo xtask test`.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { desk } from "./desk.mjs";
import { warnings } from "./warnings.mjs";
import { drafts, owners, times } from "./findings.mjs";
import { reference } from "./reference.mjs";
import { reports } from "./reports.mjs";
import { sources } from "./sources.mjs";

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
  return base + new URL(told, base).pathname; // the link names localhost; cookies here are of the address
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
await manager.goto(`${base}/findings?group=none`);
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
await manager.goto(`${base}/findings?q=status%3Anot_affected&group=none`);
same("three findings are decided", await manager.locator("table[data-keys] tbody tr").count(), 3);

await owners({ base, same, manager });

// The same without a script.
const plain = await person({ javaScriptEnabled: false, storageState: await manager.context().storageState() });
await plain.goto(`${base}/findings?q=status%3Aunder_investigation&group=none`);
await plain.locator("td.pick input").first().check();
await plain.selectOption("#to", "affected");
await plain.click(".bulk button");
same("a decision works without a script", await plain.textContent(".note.good"), "Decided.");

// The filter completes what is typed, its parts are chips, and what cannot be read says where.
await manager.goto(`${base}/findings`);
await manager.fill("#ask", "");
await manager.locator("#ask").pressSequentially("sever");
await manager.waitForSelector(".completions li");
same("a field is completed", await manager.textContent(".completions li .mono"), "severity>=");
await manager.keyboard.press("ArrowDown");
await manager.keyboard.press("Enter");
await manager.waitForFunction(() => [...document.querySelectorAll(".completions li")].some((o) => o.dataset.text === "high"));
await manager.locator("#ask").pressSequentially("high");
await manager.keyboard.press("Escape");
await manager.keyboard.press("Enter");
await manager.waitForURL(/severity/);
same("what is set is a chip", (await manager.textContent(".chip.set .mono")).trim(), "severity>=high");
const narrowed = await manager.textContent("[data-total]");
await manager.click(".chip.set");
check("a chip takes its part away", (await manager.textContent("[data-total]")) !== narrowed && !manager.url().includes("severity"));
await manager.goto(`${base}/findings?q=severty%3Ahigh`);
check("a mistake is explained", (await manager.textContent("#ask-wrong")).includes("did you mean severity?"));
same("and keeps what was typed", await manager.inputValue("#ask"), "severty:high");

// By vulnerability: releases folded, Space beside the list, e on a row, all of a filter.
await manager.goto(`${base}/findings`);
check("releases are folded", !(await manager.isVisible(".fold li")));
await manager.click(".fold summary");
check("and unfold", await manager.isVisible(".fold li"));
await manager.locator("#main").focus();
await manager.keyboard.press("j");
await manager.keyboard.press(" ");
await manager.waitForSelector(".peek:not([hidden])");
check("Space shows the evidence and the decision", (await manager.textContent(".peek")).includes("Why") && (await manager.isVisible("#peek-status")));
await manager.keyboard.press("Escape");
check("Escape closes it", !(await manager.isVisible(".peek")));
await manager.goto(`${base}/findings?q=release%3D3.3`);
await manager.locator("#main").focus();
await manager.keyboard.press("j");
await manager.keyboard.press("e");
same("e decides the row", await manager.evaluate(() => document.activeElement.id), "to");
check("a vulnerability counts its findings", /Decide \d+ findings?/.test(await manager.textContent("[data-count-label]")));
await manager.check("[name=all]");
check("all of the filter is named", (await manager.textContent("[data-count-label]")).startsWith("Decide all "));
await manager.selectOption("#to", "affected");
await manager.click(".bulk button");
const number = (await manager.textContent("[data-found]")).trim();
check("it asks with the number", (await manager.textContent("main button.main")).includes(`${number} findings`), number);
await manager.click("main button.main");
same("and decides them", await manager.textContent(".note.good"), `Decided for ${number} findings.`);

// A view is saved, shared and opened by its name.
await manager.goto(`${base}/findings?q=kev%3Atrue&group=none&sort=-epss`);
await manager.click("summary:has-text(\"Views\")");
await manager.fill("#view-name", "Exploited");
await manager.check("[name=shared]");
await manager.click("text=Save view");
same("a saved view has its name", await manager.textContent("h1"), "Exploited");
await auditor.goto(manager.url());
same("and is opened by others", await auditor.textContent("h1"), "Exploited");
check("with its order", (await auditor.locator("th[aria-sort=descending]").textContent()).includes("EPSS"));

// The tab of a release decides in bulk too.
await manager.goto(`${base}${release}?tab=findings`);
await manager.locator("td.pick input").first().check();
await manager.selectOption("#to", "under_investigation");
await manager.click(".bulk button");
check("a release's tab decides", manager.url().includes(release) && (await manager.isVisible(".note.good")));

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

// The graph: search, why a component is in it, the list as an equal; the same without a script.
await manager.goto(`${base}${release}?tab=graph`);
check("the graph is drawn", (await manager.locator("svg.graph a").count()) > 1);
await manager.fill("#find", npm.name);
await manager.click("button:text-is(\"Find\")");
await manager.locator(".chips a.chip").first().click();
check("why a component is in there", (await manager.textContent("#main")).includes("Why is it in here?"));
await plain.goto(`${base}${release}?tab=graph&view=list`);
check("the list says as much as the drawing", (await plain.locator("table[data-keys] tbody tr").count()) > 1);
await plain.goto(`${base}${release}?tab=components&view=tree`);
check("components stand as a tree", (await plain.locator("ul.tree > li").count()) > 0);

// The field at the top finds everything, with keys alone.
await manager.goto(`${base}/products`);
await manager.keyboard.press("/");
await manager.keyboard.type("infusion pump 3.2");
await manager.waitForSelector(".suggest:not([hidden]) a");
await manager.keyboard.press("ArrowDown");
await manager.keyboard.press("Enter");
await manager.waitForURL(/\/releases\/\d+/);
check("the field at the top leads to a release", (await manager.textContent("h1")).includes("3.2"));
await plain.goto(`${base}/search?q=${encodeURIComponent(npm.name)}`);
check("search works without a script", (await plain.locator("table.hits a").count()) > 0);

// What cannot be undone asks for the name; what can be undone comes back.
await manager.goto(`${base}${release}/edit`);
await manager.fill("#support_until", "2031-12-31");
await manager.click("button:text-is(\"Save\")");
check("the support period is told", (await manager.textContent(".facts")).includes("2031-12-31"));
await manager.goto(`${base}${release}/edit`);
await manager.fill("#typed", "something else");
await manager.click("button:text-is(\"Delete this release\")");
check("a wrong name deletes nothing", (await manager.textContent(".note.bad")).includes("type the name"));
await manager.click("button:text-is(\"Archive this release\")");
check("an archived release says so", (await manager.textContent("h1")).includes("archived"));
await manager.goto(`${base}${release}/edit`);
await manager.click("button:text-is(\"Take out of the archive\")");
check("and comes back", !(await manager.textContent("h1")).includes("archived"));
const product = new URL(await manager.locator(".crumbs a").last().getAttribute("href"), base).pathname;

// A device is found by its own number.
await manager.goto(`${base}${release}?tab=deployments`);
await manager.fill("#device-customer", "Ward clinic");
await manager.fill("#device-region", "EU");
await manager.fill("#serials", "SN-100\nSN-101");
await manager.click("button:text-is(\"Note devices\")");
await manager.goto(`${base}/devices?serial=sn-10`);
same("devices are found by the beginning of their number", await manager.locator("table[data-keys] tbody tr").count(), 2);
await manager.goto(`${base}/stakeholders`);
await manager.fill("#name", "Ward clinic");
await manager.fill("#email", "it@ward.example");
await manager.check("input[name=interest][value=critical]");
await manager.click("button:text-is(\"Save\")");
same("a stakeholder is noted", await manager.locator("table[data-keys] tbody tr").count(), 1);

// What changed between the two.
await manager.goto(`${base}${release}?tab=compare`);
for (const [title, name] of [["Added", "left-pad"], ["Removed", dropped.name]]) {
  const panel = manager.locator(".panel", { has: manager.locator(`h2:text-is("${title}")`) });
  check(`${title} names ${name}`, (await panel.textContent()).includes(name));
}

// A decision with a day, another like it, and taking it back.
await manager.goto(`${base}/findings?q=status%3Aunder_investigation%20release%3D3.2&group=none`);
const [mine, alike] = await manager.locator("td.wide a").evaluateAll((links) => links.slice(0, 2).map((a) => a.getAttribute("href")));
await manager.goto(base + mine);
await manager.selectOption("#status", "affected");
await manager.selectOption("#response", "update");
await manager.fill("#detail", "fixed with the next service pack");
await manager.fill("#expires", "2020-01-01");
await manager.click("form[action$='/decision'] button");
check("a day that has passed is refused", (await manager.textContent(".note.bad")).includes("still to come"));
same("what was typed stays", await manager.inputValue("#detail"), "fixed with the next service pack");
await manager.fill("#expires", "2099-01-01");
await manager.click("form[action$='/decision'] button");
check("the decision in force is shown", (await manager.textContent("main")).includes("until 2099-01-01"));
await manager.fill("#due", "2098-12-31");
await manager.selectOption("#owner", { label: "Person manager" });
await manager.click("form[action$='/owner'] button");
check("owner and due date are shown", /Person manager\s*due 2098-12-31/.test(await manager.textContent(".facts")));
await manager.goto(`${base}/decisions?text=service+pack`);
same("the decision is listed", await manager.locator("table[data-keys] tbody tr").count(), 1);
await manager.click("table[data-keys] tbody a");
const decision = new URL(manager.url()).pathname;

// VEX out, and the same in again.
const out = await manager.request.get(`${base}${release}/vex?format=openvex`);
const said = await out.text();
check("VEX of a release is written", JSON.parse(said).statements.length > 0, said);
await manager.goto(`${base}/vex?for=${release.slice(1).replace("releases/", "release-")}`);
await manager.setInputFiles("#vex", { name: "own.openvex.json", mimeType: "application/json", buffer: Buffer.from(said) });
await manager.click("form[enctype] button.main");
const vex = new URL(manager.url()).pathname;
check("a VEX document tells of each statement", (await manager.locator("table[data-keys] tbody tr").count()) > 0, vex);
same("what was written is taken in whole", await manager.locator(".mark.plain:text-is('skipped')").count(), 0);

await manager.goto(base + decision);
await manager.click("button:text-is('Withdraw')");
same("a decision is taken back", await manager.textContent(".note.good"), "Withdrawn.");
await manager.goto(base + alike);
await manager.selectOption("#status", "not_affected");
await manager.fill("#detail", "the function is never called");
await manager.click("form[action$='/decision'] button");

// An upload that drops most of a release is asked about.
await manager.goto(`${base}${release}?tab=documents`);
const little = Buffer.from(JSON.stringify({ ...next, components: next.components.slice(0, 2), dependencies: [] }));
await manager.setInputFiles("#bom", { name: "little.cdx.json", mimeType: "application/json", buffer: little });
await manager.click("form[enctype] button.main");
check("an unusual upload is asked about", (await manager.textContent("#waits")).includes("would go"), manager.url());
if (shots) await manager.screenshot({ path: `${shots}/unusual.png`, fullPage: true });
await manager.goto(base);
check("and stands on the first page", (await manager.textContent("main")).includes("Unusual uploads"));
await manager.goto(`${base}${release}?tab=documents`);
await manager.click("button:text-is('Drop it')");
same("dropped, nothing is changed", await manager.locator("#waits").count(), 0);

// Licence rules.
await manager.goto(`${base}/settings/licences`);
await manager.fill("#allowed-0", "MIT\nApache-2.0");
await manager.fill("#denied-0", "mit");
await manager.click("button:text-is('Set the rules') >> nth=0");
check("a licence ruled twice is refused", (await manager.textContent(".note.bad")).includes("ruled both"));
same("what was typed stays", await manager.inputValue("#denied-0"), "mit");
await manager.fill("#denied-0", "GPL-3.0-only");
await manager.selectOption("#other-0", "review");
await manager.click("button:text-is('Set the rules') >> nth=0");
await manager.goto(`${base}/licences?verdict=violation`);
check("licences are listed against the rules", (await manager.textContent("main")).includes("review"));

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

// A large upload is kept and read by a job, whose progress the page tells without being moved; one that cannot be read
// says so on the page of its release.
const large = structuredClone(next);
large.metadata = { ...large.metadata, properties: [{ name: "padding", value: "x".repeat(5 << 20) }] };
await manager.goto(`${base}${release}?tab=documents`);
await manager.setInputFiles("#bom", {
  name: "large.cdx.json",
  mimeType: "application/json",
  buffer: Buffer.from(JSON.stringify(large)),
});
await manager.click("text=Upload and match");
same("a large upload comes back to the release", new URL(manager.url()).pathname, release);
const told = manager.locator("[data-job]");
check("the page tells of the job", (await told.textContent()).includes("large.cdx.json"));
await manager.evaluate(() => scrollTo(0, 40));
const top = await manager.evaluate(() => document.querySelector(".facts").getBoundingClientRect().top);
await manager.waitForFunction(() => document.querySelector("[data-job-state]").textContent === "done", null, { timeout: 60_000 });
check("the end is told in place", await manager.isVisible("[data-job-ended] a"));
const moved = await manager.evaluate(() => document.querySelector(".facts").getBoundingClientRect().top);
check("and hardly moves what is read", Math.abs(moved - top) < 32, moved - top);
await manager.click("[data-job-ended] a");
same("then there is nothing more to tell", await manager.locator("[data-job]").count(), 0);
await manager.goto(`${base}/products`);
await manager.fill("#line", "Infusion");
await manager.fill("#product", "Infusion pump");
await manager.fill("#version", "broken");
const noise = Buffer.from(`{${" ".repeat(5 << 20)}`);
await manager.setInputFiles("#bom", { name: "broken.cdx.json", mimeType: "application/json", buffer: noise });
await manager.click("text=Upload and match");
await manager.goto(`${base}/jobs?state=failed&kind=sbom`);
await manager.waitForFunction(() => {
  const row = document.querySelector("tr[data-job]");
  if (!row) location.reload();
  return row;
}, null, { polling: 500 });
const job = await manager.getAttribute("tr[data-job] a", "href");
check("a failed job says why", (await manager.textContent("tr[data-job]")).includes("broken.cdx.json"));
await manager.click("button:has-text(\"Run again\")");
check("it is run again from the list", (await manager.textContent(".note.good")).includes("runs again"));
await plain.goto(`${base}/jobs`);
same("without a script there is a link to look again", await plain.locator("a:text-is(\"Refresh\")").count(), 1);
await auditor.goto(`${base}/jobs`);
check("an auditor sees jobs", (await auditor.locator("tr[data-job]").count()) > 0);
same("but no buttons", await auditor.locator("main button:not(:text-is(\"Filter\"))").count(), 0);
for (const where of [`${job}/retry`, `${job}/cancel`, "/schedules/housekeeping", "/schedules/housekeeping/run"]) {
  const answer = await auditor.request.post(base + where, { form: { csrf: await auditor.inputValue("input[name=csrf]"), cron: "* * * * *" } });
  same(`an auditor is refused at ${where}`, answer.status(), 403);
}

const signIn = async (page, where, login) => {
  await page.goto(`${where}/sign-in`);
  await page.fill("#login", login);
  await page.fill("#password", PASSWORD);
  await page.click("button.main");
};
await times({ base, check, same, manager, person });
const desks = await desk({ base, check, same, manager, person });
Object.assign(desks, await warnings({ base, check, same, manager, story: desks.story }));
Object.assign(desks, await reports({ base, check, same, manager, person }));
await sources({ base, check, same, manager, auditor });
await drafts({ base, check, same, manager, person, signIn: (page) => signIn(page, base, "manager") });

// What was typed is kept when the session has ended meanwhile, and is back in its form after signing in.
await manager.goto(`${base}/account`);
await manager.fill("#name", "Manager of the night");
const elsewhere = await person();
await signIn(elsewhere, base, "manager");
await elsewhere.goto(`${base}/account`);
await elsewhere.click("text=End all others");
await manager.click("button:text-is('Save')");
check("a form that comes too late leads to the sign-in page", manager.url().includes("/sign-in?why=kept"), manager.url());
await manager.fill("#login", "manager");
await manager.fill("#password", PASSWORD);
await manager.click("button.main");
same("after signing in the form is there", new URL(manager.url()).pathname, "/kept");
same("with what was typed", await manager.inputValue("[name=name]"), "Manager of the night");
await manager.click("a:has-text(\"Open the page\")");
await manager.waitForSelector("main .note");
same("its own page is filled", await manager.inputValue("#name"), "Manager of the night");
await manager.click("button:text-is('Save')");
check("and can be sent", (await manager.textContent(".note.good")).includes("profile"));

// Passkeys, with an authenticator that Chromium plays. They are bound to a name: localhost.
const local = base.replace("127.0.0.1", "localhost");
const keyed = await person();
const devtools = await keyed.context().newCDPSession(keyed);
await devtools.send("WebAuthn.enable");
const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
  options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
});
await signIn(keyed, local, "auditor");
await keyed.goto(`${local}/account`);
await keyed.fill("#passkey-name", "telephone");
await keyed.fill("#passkey-current", "not the password");
await keyed.click("text=Make a passkey");
await keyed.waitForSelector("form[data-passkey] [role=alert]:not([hidden])");
check("a passkey needs the password", (await keyed.textContent("form[data-passkey] [role=alert]")).includes("password"));
await keyed.fill("#passkey-current", PASSWORD);
await keyed.click("text=Make a passkey");
await keyed.waitForSelector(".note.good");
check("a passkey is made", (await keyed.textContent(".note.good")).includes("passkey"));
await keyed.click("text=Sign out");
await keyed.click("text=Sign in with a passkey");
await keyed.waitForURL(`${local}/`);
await keyed.goto(`${local}/account`);
check("and signs in", (await keyed.textContent("main")).includes("passkey, since"));
await keyed.click("text=Sign out");
await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
await keyed.click("text=Sign in with a passkey");
await keyed.waitForSelector("form[data-passkey] [role=alert]:not([hidden])");
check("but not without its finger, face or PIN", keyed.url().includes("/sign-in"), keyed.url());

// Every page: no sideways scroll at any width, and what axe-core finds, in light and dark.
const pages = {
  today: "/",
  products: "/products",
  findings: "/findings",
  onebyone: "/findings?group=none&sort=-epss&q=severity%3E%3Dlow",
  mistake: "/findings?q=severty%3Ahigh",
  vulnerabilities: "/vulnerabilities",
  known: "/vulnerabilities?in=known&text=cve",
  sources: "/sources",
  source: "/sources/osv",
  "source of parts": "/sources/news",
  finding: "/findings/1",
  release,
  components: `${release}?tab=components`,
  licences: `${release}?tab=licences`,
  deployments: `${release}?tab=deployments`,
  compare: `${release}?tab=compare`,
  documents: `${release}?tab=documents`,
  releasefindings: `${release}?tab=findings`,
  tree: `${release}?tab=components&view=tree`,
  graph: `${release}?tab=graph`,
  graphlist: `${release}?tab=graph&view=list`,
  system: `${release}?tab=system`,
  change: `${release}/edit`,
  product,
  changeproduct: `${product}/edit`,
  devices: "/devices?serial=sn",
  customer: "/customers?name=Ward%20clinic",
  stakeholders: "/stakeholders",
  suppliers: "/suppliers",
  lifecycle: "/lifecycle",
  search: "/search?q=pump",
  workspaces: "/workspaces",
  used: "/where-used?q=openssl",
  ways: "/where-used",
  audit: "/audit",
  jobs: "/jobs",
  job,
  decisions: "/decisions",
  decision,
  vexes: "/vex",
  vex,
  rules: "/settings/licences",
  alllicences: "/licences",
  notifications: "/notifications", "delivery log": "/notifications/log", told: "/account/notifications",
  channels: "/settings/channels", "notification rules": "/settings/rules",
  decided: alike,
  ...desks,
  "api reference": "/api/docs/reference",
};
await manager.goto(`${base}/findings`);
pages.vulnerability = `/vulnerabilities/${(await manager.textContent("td.wide a")).trim()}`;
await manager.goto(`${base}${release}?tab=components`);
pages.component = await manager.locator("td.wide a").first().getAttribute("href");
const state = await manager.context().storageState();
const ruler = await admin.context().storageState();
const ruled = {
  account: "/account",
  authenticator: "/account/second-step",
  people: "/settings/people",
  person: "/settings/people/2",
  roles: "/settings/roles",
  keys: "/settings/keys",
  sessions: "/settings/sessions",
  security: "/settings/security",
  publisher: "/settings/publisher",
};
const outside = { "sign-in": "/sign-in?why=kept" };
for (const [some, who] of [[pages, state], [ruled, ruler], [outside, undefined]])
for (const colorScheme of ["light", "dark"]) {
  const page = await person({ colorScheme, storageState: who });
  for (const [name, where] of Object.entries(some)) {
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
await reference({ base, check, same, person, shots });
await browser.close();
console.log(failed ? `${failed} failed` : "all passed");
process.exit(failed ? 1 : 0);
