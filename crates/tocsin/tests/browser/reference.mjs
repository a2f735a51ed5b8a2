// The API's document for readers, without breaking the rules for scripts and styles.
export const reference = async ({ base, check, same, person, shots }) => {
  const page = await person();
  const refused = [];
  page.on("console", (m) => /Content Security Policy/.test(m.text()) && refused.push(m.text()));
  await page.goto(`${base}/api/docs`);
  if (await page.locator("#swagger-ui").count()) {
    await page.locator(".opblock").first().waitFor();
    // it draws what is in sight: from the first of the operations to the last, all that there are
    const listed = new Set();
    for (let n = 0; n < 80 && !listed.has("/api/v2/version"); n++) {
      for (const path of await page.locator(".opblock-summary-path").allTextContents()) listed.add(path.replace(/\u200b/g, ""));
      await page.mouse.wheel(0, 500);
      await page.waitForTimeout(60);
    }
    const known = await page.evaluate(async () => Object.keys((await (await fetch("/api/v2/openapi.json")).json()).paths));
    const missing = known.filter((path) => !listed.has(path));
    check("Swagger UI lists the operations", known.length > 25 && missing.length === 0, missing.join(" "));
    await page.evaluate(() => scrollTo(0, 0));
    await page.locator(".opblock").first().waitFor();
    await page.locator(".opblock-summary-control").first().click();
    await page.locator(".opblock-body").first().waitFor();
    if (shots) await page.screenshot({ path: `${shots}/api-docs.png` });
  } else {
    check("without Swagger UI the plain reference is shown", (await page.textContent("h1")).includes("Tocsin API"));
  }
  same("the API's page needs nothing that the policy refuses", refused.join("; "), "");
};
