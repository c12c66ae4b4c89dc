// The parts that the tests of the shop pages share: the deployed stack, people and their mail, events on sale, and the payment provider's own account.

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";

const given = (name) => process.env[name] ?? assert.fail(`${name} is not set: run scripts/browser.py`);

export const api = given("BOXOFFICE_API");
export const shop = `${api}/shop`;
export const reports = given("BOXOFFICE_PAGES");
const provider = given("BOXOFFICE_PAYMENTS");
const aws = given("BOXOFFICE_AWS");
const admin = { username: given("BOXOFFICE_ADMIN"), password: given("BOXOFFICE_ADMIN_PASSWORD") };
const load = createRequire(join(given("BOXOFFICE_NODE"), "package.json"));
export const { chromium } = load("playwright-core");
export const AxeBuilder = load("@axe-core/playwright").default;
export const executablePath = given("BOXOFFICE_CHROMIUM");

const hosts = new Set([new URL(api).host, new URL(provider).host]);
const unique = () => randomBytes(6).toString("hex");

/** One call of the API. Log-ins that failed in tests before these make the machine's address wait some seconds. */
export async function call(method, path, body, token) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const send = () => fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
  const response = await until("served", async () => {
    const answer = await send();
    return answer.status !== 429 && answer;
  }, 30);
  assert(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`);
  return response.status === 204 ? undefined : response.json();
}

/** The provider: its account, read or changed. */
async function control(path, body) {
  const response = await fetch(`${provider}/_control/${path}`, body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  assert(response.ok, `${path}: ${response.status}`);
  return response.status === 204 ? undefined : response.json();
}

/** The payment intents of an order that were charged. */
export const charges = async (order) => (await control(`ledger?contains=${order}`)).filter((line) => line.charged > 0);

/** The next charge of this order stays undecided, until `decide` settles it. */
export const hesitate = (order) => control("faults", { match: { pathRegex: "/confirm$", bodyContains: order }, fault: "undecided" });
export async function decide(order) {
  const [intent] = await control(`intents?contains=${order}`);
  await control(`intents/${intent.id}/settle`, { succeeded: true });
}

let adminToken;
const asAdmin = async () => (adminToken ??= (await call("POST", "/users/login", admin)).accessToken);

/** An event on sale. It begins soon, so that a list which others have filled has it at its head. */
export async function event(more = {}) {
  const terms = {
    eventName: `Night at the Opera ${unique()}`, eventDate: new Date(Date.now() + 36 * 3600 * 1000).toISOString(), location: "Town Hall, Vienna",
    price: 49.9, currency: "EUR", totalSeats: 10, ...more,
  };
  return call("POST", "/inventory", terms, await asAdmin());
}
export const eventNow = (id) => call("GET", `/inventory/${id}`);

/** An order, as the API shows it to an ADMIN. */
export const orderNow = async (id) => call("GET", `/tickets/${id}`, undefined, await asAdmin());
export async function ordersOf(inventory) {
  return (await call("GET", `/tickets/inventory/${inventory}`, undefined, await asAdmin())).items;
}

/** A user whose address is verified, as the API shows them to an ADMIN. */
export const userOf = async (email) => call("POST", "/users/lookup", { email }, await asAdmin());

/** Texts of the mails to this address, oldest first. Each emulator keeps them in its own way. */
async function mailsTo(address) {
  const embedded = await fetch(`${aws}/_ministack/ses/messages`);
  const mails = embedded.ok
    ? Object.values((await embedded.json()).messages).flat().map((mail) => ({ to: mail.To, subject: mail.Subject, text: mail.BodyText }))
    : (await (await fetch(`${aws}/_aws/ses`)).json()).messages.map((mail) => ({ to: mail.Destination?.ToAddresses ?? [], subject: mail.Subject ?? "", text: mail.Body?.text_part ?? "" }));
  return mails.filter((mail) => mail.to.includes(address));
}

/** The code in the mail to this address about this, once so many of them have come; of the last one. */
export async function codeMailedTo(address, subject, times = 1) {
  return until(`mail ${times} about ${subject} to ${address}`, async () => {
    const mails = (await mailsTo(address)).filter((mail) => mail.subject === subject);
    return mails.length >= times && mails.at(-1).text.match(/^[\w-]{43}$/m)?.[0];
  });
}

/** The code that an authenticator app with this key shows now, or so many steps ahead (RFC 6238). */
export function totp(key, ahead = 0) {
  const bits = [...key].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const secret = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const tag = createHmac("sha1", secret).update(step).digest();
  const number = tag.readUInt32BE(tag.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

export const someone = () => ({ first: "Ada", last: "Lovelace", email: `shop-${unique()}@browser.example`, password: `correct horse ${unique()}` });

/** Asks until it is so, or fails. */
export async function until(what, ask, seconds = 45) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await ask();
    if (seen) return seen;
    assert(Date.now() < deadline, `not within ${seconds} s: ${what}`);
    await new Promise((resume) => setTimeout(resume, 200));
  }
}

/** A browser's page that notes what it complains about: errors on the console, scripts and styles that are kept out, requests to other hosts. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", timezoneId: "Europe/Vienna", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const faults = [];
  // A browser reports the status of a page that refuses as an error of loading it; the tests expect these by name.
  page.on("console", (message) => message.type() === "error" && !/Failed to load resource: the server responded with a status of 4\d\d/.test(message.text()) && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => !hosts.has(new URL(request.url()).host) && !request.url().startsWith("data:") && faults.push(`a request to ${request.url()}`));
  page.faults = faults;
  return page;
}

// The steps of buying, as a buyer takes them.

export async function choose(page, inventory, quantity) {
  await page.goto(`${shop}/events/${inventory}`);
  await page.getByLabel("Number of tickets").fill(String(quantity));
  await page.getByRole("button", { name: "Continue" }).click();
}

export async function register(page, buyer) {
  const form = page.locator("section", { has: page.getByRole("heading", { name: "I am new here" }) });
  await form.getByLabel("First name").fill(buyer.first);
  await form.getByLabel("Last name").fill(buyer.last);
  await form.getByLabel("Mail address").fill(buyer.email);
  await form.getByLabel("Password").fill(buyer.password);
  await form.getByRole("button", { name: "Register" }).click();
}

export async function reserve(page) {
  await page.getByRole("button", { name: "Reserve" }).click();
  await page.waitForURL(/\/shop\/orders\/tkt_/);
  return orderOf(page);
}

export const orderOf = (page) => new URL(page.url()).pathname.match(/tkt_[0-9a-f]{32}/)[0];

export async function enterCard(page, card) {
  await page.getByRole("button", { name: "Enter card" }).click();
  await page.locator(`#${card}`).click();
  await page.getByRole("button", { name: /^Pay / }).waitFor();
}

export async function pay(page, card) {
  await enterCard(page, card);
  await page.getByRole("button", { name: /^Pay / }).click();
}

export const confirmed = (page) => page.getByRole("heading", { name: "Your order is confirmed" }).waitFor({ timeout: 30_000 });

/** A buyer who has registered, at the page that checks this choice. */
export async function atCheckout(browser, inventory, quantity = 1, options = {}) {
  const page = await open(browser, options);
  const buyer = someone();
  await choose(page, inventory, quantity);
  await register(page, buyer);
  await page.getByRole("button", { name: "Reserve" }).waitFor();
  return { page, buyer };
}

/** Somebody who has registered without buying, at the page that takes the code from their mail. */
export async function newcomer(browser, options = {}) {
  const page = await open(browser, options);
  const buyer = someone();
  await page.goto(`${shop}/session?to=orders`);
  await register(page, buyer);
  await page.getByRole("heading", { name: "Verify your address" }).waitFor();
  return { page, buyer };
}

/** Fills in the log-in on this page and sends it. */
export async function logIn(page, { email, password }, code) {
  await page.getByLabel("Username or mail address").fill(email);
  await page.locator("#password").fill(password);
  if (code) await page.locator("#code").fill(code);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
}

export const GOOD = "pm_card_visa";
export const BAD = "pm_card_chargeDeclined";
export const SECURE = "pm_card_authenticationRequired";
