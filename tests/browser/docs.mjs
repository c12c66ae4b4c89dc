// Swagger UI at /docs, as somebody meets it who has never used this API: log in, authorize, book.
//
// scripts/browser.py runs it against the deployed stack, in headless Chromium. A script or style that the page's content security policy keeps out,
// a failed request or an error on the console fails it too.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";

const given = (name) => process.env[name] ?? assert.fail(`${name} is not set: run scripts/browser.py`);
const api = given("BOXOFFICE_API");
const { chromium } = createRequire(join(given("BOXOFFICE_NODE"), "package.json"))("playwright-core");

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--no-proxy-server",
];

/** One call of the API, to set the scene. */
async function call(method, path, body, token) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(api + path, { method, headers, body: JSON.stringify(body) });
  assert(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`);
  return response.json();
}

/** An event on sale, and somebody who wants to go. */
async function scene() {
  const run = randomBytes(6).toString("hex");
  const admin = { username: given("BOXOFFICE_ADMIN"), password: given("BOXOFFICE_ADMIN_PASSWORD") };
  const { accessToken } = await call("POST", "/users/login", admin);
  const event = {
    eventName: `Swagger ${run}`, eventDate: "2035-06-01T20:00:00.000Z", location: "Town Hall", price: 25.5, currency: "EUR", totalSeats: 10,
  };
  const { id: inventoryId } = await call("POST", "/inventory", event, accessToken);
  const buyer = { username: `swagger-${run}`, password: randomBytes(18).toString("base64url") };
  await call("POST", "/users", { ...buyer, email: `${buyer.username}@browser.example`, firstName: "Sue", lastName: "Agger" });
  return { inventoryId, buyer };
}

/** A call as the page shows it, unfolded and ready to be filled in. */
async function tryOut(page, method, path) {
  const block = page.locator(`.opblock-${method}`, { has: page.locator(`[data-path="${path}"]`) });
  await block.locator(".opblock-summary-control").click();
  await block.getByRole("button", { name: "Try it out" }).click();
  return block;
}

/** Executes a call, and answers what the server said; the page must show the same status. */
async function execute(page, block, path, status) {
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname.endsWith(path) && response.request().method() === "POST");
  await block.getByRole("button", { name: "Execute" }).click();
  const response = await answered;
  const text = await response.text();
  assert.equal(response.status(), status, `POST ${path}: ${text}`);
  const shown = block.locator(".live-responses-table .response-col_status").nth(1);
  await shown.waitFor();
  assert.match(await shown.innerText(), new RegExp(`^${status}`));
  return JSON.parse(text);
}

async function walk(page, { inventoryId, buyer }) {
  await page.goto(`${api}/docs`);
  await page.locator(".opblock").first().waitFor();
  const calls = await page.locator(".opblock").count();
  console.log(`the page shows ${calls} calls`);
  assert(calls >= 60, "the page does not show every call");

  const login = await tryOut(page, "post", "/users/login");
  await login.locator("textarea.body-param__text").fill(JSON.stringify(buyer));
  const { accessToken } = await execute(page, login, "/users/login", 200);
  assert.equal(accessToken.split(".").length, 3, "not a token");
  console.log("log-in: 200, with a token");

  await page.locator(".auth-wrapper .btn.authorize").first().click();
  const dialog = page.locator(".dialog-ux .modal-ux");
  await dialog.locator("input").fill(accessToken);
  await dialog.getByRole("button", { name: "Apply credentials" }).click();
  await dialog.getByRole("button", { name: "Close" }).first().click();

  const booking = await tryOut(page, "post", "/tickets");
  await booking.locator('[data-param-name="Idempotency-Key"] input').fill(randomBytes(12).toString("hex"));
  await booking.locator("textarea.body-param__text").fill(JSON.stringify({ inventoryId, quantity: 2 }));
  const ticket = await execute(page, booking, "/tickets", 201);
  assert.equal(ticket.status, "PENDING");
  console.log(`booking: 201, ticket ${ticket.id}`);
  await booking.locator(".responses-inner").scrollIntoViewIfNeeded();
}

const browser = await chromium.launch({ executablePath: given("BOXOFFICE_CHROMIUM"), args: FLAGS });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1400 } });
  page.setDefaultTimeout(30_000);
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("requestfailed", (request) => faults.push(`${request.url()}: ${request.failure()?.errorText}`));
  try {
    await walk(page, await scene());
  } finally {
    await page.screenshot({ path: join(given("BOXOFFICE_ARTIFACTS"), "swagger.png") });
  }
  assert.deepEqual(faults, [], "the page complained");
} finally {
  await browser.close();
}
