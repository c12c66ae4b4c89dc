// Limits of the pages: none runs markup of others, shows or changes what is another buyer's, weighs too much, or is out of reach for somebody.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  AxeBuilder, BAD, GOOD, SECURE, atCheckout, confirmed, decide, enterCard, event, hesitate, newcomer, open, orderNow, ordersOf, pay, reports, reserve, shop, totp,
  until,
} from "./scene.mjs";

const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
// The rules that a change of width or colours alone can break.
const BY_LOOK = ["color-contrast", "target-size"];
const MOST = { "text/html": 30 * 1024, "text/javascript": 15 * 1024 };

/** Checks the page in both widths and both schemes: no violation, nothing wider than the screen. Two of the four get a screenshot and every rule. The page stays loaded meanwhile, also when its hold ends. */
async function inspect(page, name) {
  const stay = (route) => (route.request().isNavigationRequest() ? route.abort("aborted") : route.fallback());
  await page.route("**/*", stay);
  for (const [width, colorScheme] of [[1280, "light"], [1280, "dark"], [360, "light"], [360, "dark"]]) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const pictured = (width === 1280) === (colorScheme === "light");
    const axe = new AxeBuilder({ page }).setLegacyMode(true);
    const { violations } = await (pictured ? axe.withTags(WCAG) : axe.withRules(BY_LOOK)).analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
    assert.deepEqual(found, [], `${name} at ${width} px, ${colorScheme}`);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert(overflow <= 0, `${name} is ${overflow} px wider than a screen of ${width} px`);
    if (pictured) {
      await page.screenshot({ path: join(reports, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "light" });
  await page.unroute("**/*", stay);
}

export const tests = {
  async every_page_is_accessible_before_a_log_in(browser) {
    const { id, eventName } = await event();
    const gone = await event({ totalSeats: 1, eventName: `One seat ${Date.now()}` });
    const page = await open(browser);
    const at = async (path, name) => { await page.goto(shop + path); await inspect(page, name); };
    await at("", "list");
    await at(`?q=${encodeURIComponent(eventName)}`, "list-found");
    await at("?q=nothing+has+this+name", "list-none");
    await at(`/events/${id}`, "event");
    await at(`/events/${id}?lang=de`, "event-de");
    await at("/nowhere", "missing");
    await at("/session?to=orders", "session");
    await page.getByLabel("Username or mail address").fill("nobody-at-all");
    await page.locator("#password").fill("wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").waitFor();
    await inspect(page, "session-refused");
    const { page: other } = await atCheckout(browser, gone.id);
    await reserve(other);
    await at(`/events/${gone.id}`, "event-sold-out");
    await page.getByRole("heading", { name: "Sold out", exact: true }).waitFor();
    assert.deepEqual(page.faults, []);
  },

  async every_page_of_an_order_is_accessible(browser) {
    const { id } = await event();
    const { page } = await atCheckout(browser, id, 2);
    await inspect(page, "checkout");
    await page.goto(`${shop}/orders`);
    await inspect(page, "orders-empty");
    await page.goto(`${shop}/checkout?event=${id}&quantity=99`);
    await inspect(page, "event-refused");
    await page.goto(`${shop}/checkout?event=${id}&quantity=2`);
    const order = await reserve(page);
    await inspect(page, "order-payable");
    await page.goto(`${shop}/checkout?event=${id}&quantity=2`);
    await reserve(page);
    await enterCard(page, BAD);
    await page.getByRole("button", { name: /^Pay / }).click();
    await page.getByRole("alert").waitFor();
    await inspect(page, "order-declined");
    await until("the first order is over", async () => (await orderNow(order)).status === "CANCELLED");
    await page.goto(`${shop}/orders/${order}`);
    await inspect(page, "order-late");
    assert.deepEqual(page.faults, []);
  },

  async every_page_of_a_payment_is_accessible(browser) {
    const { id } = await event();
    const { page } = await atCheckout(browser, id, 2);
    const unpaid = await reserve(page);
    await page.goto(`${shop}/orders/${unpaid}?card=${SECURE}`);
    await page.getByRole("button", { name: /^Pay / }).click();
    await page.getByRole("button", { name: "Complete authentication" }).waitFor();
    await page.goto(`${shop}/orders/${unpaid}`);
    await page.getByRole("link", { name: "Go to my bank" }).waitFor();
    await inspect(page, "order-bank");
    // Another order: the inspection may have taken longer than the first one's hold.
    await page.goto(`${shop}/checkout?event=${id}&quantity=2`);
    const order = await reserve(page);
    await pay(page, GOOD);
    await confirmed(page);
    await inspect(page, "order-confirmed");
    await page.emulateMedia({ media: "print" });
    await page.screenshot({ path: join(reports, "order-confirmed-print.png"), fullPage: true });
    await page.emulateMedia({ media: "screen" });
    await page.goto(`${shop}/orders?lang=fr`);
    await inspect(page, "orders");
    await page.goto(`${shop}/orders/${order}?lang=en`);
    await page.getByText("Cancel this order").click();
    await inspect(page, "order-cancel");
    await page.getByRole("button", { name: "Cancel the order" }).click();
    await page.getByRole("heading", { name: "The order is cancelled" }).waitFor();
    await inspect(page, "order-cancelled");
    assert.deepEqual(page.faults, []);
  },

  async every_page_of_an_account_is_accessible(browser) {
    const { page } = await newcomer(browser);
    await inspect(page, "verification");
    await page.getByLabel("Code").fill("wrong");
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByRole("alert").waitFor();
    await inspect(page, "verification-refused");
    await page.goto(`${shop}/orders?lang=de`);
    await inspect(page, "orders-unverified");
    // The pages of a second factor first: they need a log-in of the last five minutes.
    await page.goto(`${shop}/second-factor?lang=en`);
    await page.getByText("Remove the second factor").click();
    await inspect(page, "second-factor");
    await page.getByRole("button", { name: "Set up an app" }).click();
    await page.getByRole("heading", { name: "Set up your app" }).waitFor();
    await inspect(page, "second-factor-app");
    assert((await page.content()).length <= MOST["text/html"], "the page with the QR code is heavy");
    const key = (await page.locator("#key").innerText()).replaceAll(" ", "");
    await page.getByLabel("Code that the app shows").fill(totp(key));
    await page.getByRole("button", { name: "Turn it on" }).click();
    await page.getByRole("heading", { name: "Keep your recovery codes" }).waitFor();
    await inspect(page, "second-factor-recovery");
    await page.goto(`${shop}/session?to=second-factor&notice=again`);
    await inspect(page, "session-again");
    await page.goto(`${shop}/password`);
    await inspect(page, "password");
    await page.goto(`${shop}/password/reset`);
    await inspect(page, "password-reset");
    assert.deepEqual(page.faults, []);
  },

  async a_page_that_waits_is_accessible(browser) {
    const { page } = await atCheckout(browser, (await event()).id);
    const order = await reserve(page);
    await hesitate(order);
    await pay(page, GOOD);
    await page.getByRole("heading", { name: "One moment" }).waitFor();
    await inspect(page, "order-waiting");
    await decide(order);
    await confirmed(page);
    assert.deepEqual(page.faults, []);
  },

  async a_name_of_markup_is_text(browser) {
    const eventName = `<script>alert(1)</script><img src=x onerror=alert(2)> ${Date.now()}`;
    const { id } = await event({ eventName });
    const { page } = await atCheckout(browser, id);
    let alerts = 0;
    page.on("dialog", (dialog) => { alerts += 1; return dialog.dismiss(); });
    for (const path of [`?q=${encodeURIComponent(eventName)}`, `/events/${id}`, `/checkout?event=${id}&quantity=1`]) {
      await page.goto(shop + path);
      assert.match(await page.locator("main").innerText(), /<script>alert\(1\)<\/script>/, path);
    }
    await reserve(page);
    assert.match(await page.locator("main").innerText(), /<script>alert\(1\)<\/script>/);
    assert.equal(alerts, 0);
    assert.deepEqual(page.faults, []);
  },

  async anothers_order_is_not_there(browser) {
    const { id } = await event();
    const [{ page: mine }, { page: theirs }] = [await atCheckout(browser, id), await atCheckout(browser, id)];
    const order = await reserve(mine);
    for (const path of [`/orders/${order}`, `/orders/${order}/calendar`, `/orders/${order}/payment`]) {
      assert.equal((await theirs.goto(shop + path)).status(), 404, path);
      await theirs.getByRole("heading", { name: "This page is not here" }).waitFor();
    }
    assert.equal((await theirs.goto(`${shop}/orders/tkt_${"0".repeat(32)}`)).status(), 404);
    // With a valid form of their own.
    await theirs.goto(`${shop}/orders`);
    const token = await theirs.locator("[name=form_token]").first().inputValue();
    for (const action of ["payment", "cancellation"]) {
      const answer = await theirs.context().request.post(`${shop}/orders/${order}/${action}`, { form: { form_token: token, card: GOOD }, maxRedirects: 0 });
      assert.equal(answer.status(), 404, action);
    }
    assert.equal((await orderNow(order)).status, "PENDING");
  },

  async every_page_answers_each_reader_as_the_documented_table_says(browser) {
    const { id } = await event();
    const [{ page: mine }, { page: theirs }] = [await atCheckout(browser, id), await atCheckout(browser, id)];
    const order = await reserve(mine);
    await theirs.goto(`${shop}/orders`);
    const form = { form_token: await theirs.locator("[name=form_token]").first().inputValue() };
    const rows = readFileSync(new URL("../../docs/authorization.md", import.meta.url), "utf8").matchAll(/^\| `(GET|POST) \/shop(\S*)` \| (\S+) \| (\S+) \| (\S+) \|$/gm);
    let pages = 0;
    for (const [, method, path, stranger, , other] of rows) {
      pages += 1;
      const url = shop + path.replace("/events/{id}", `/events/${id}`).replace("{id}", order).replace("{file}", "shop.0.css")
        + (path === "/checkout" ? `?event=${id}&quantity=1` : "");
      const body = method === "POST" ? { event: id, quantity: "1" } : undefined;
      const strangers = await fetch(url, { method, redirect: "manual", body: body && new URLSearchParams(body) });
      if (stranger === "log-in") {
        assert.deepEqual([strangers.status, /session\?to=/.test(strangers.headers.get("location"))], [303, true], `${method} ${path}`);
      } else {
        assert.notEqual(strangers.status, 404, `${method} ${path}`);
      }
      if (other === "404") {
        const answer = await theirs.context().request.fetch(url, { method, maxRedirects: 0, ...(method === "POST" && { form }) });
        assert.equal(answer.status(), 404, `${method} ${path}`);
        const owners = method === "GET" && (await mine.context().request.fetch(url, { maxRedirects: 0 })).status();
        assert.notEqual(owners, 404, `${method} ${path}`);
      }
    }
    assert(pages > 10, "the table is not where it was");
  },

  async a_form_without_its_token_or_with_anothers_changes_nothing(browser) {
    const { id } = await event();
    const [{ page: mine }, { page: theirs }] = [await atCheckout(browser, id), await atCheckout(browser, id)];
    const tokenOf = (page) => page.locator("[name=form_token]").first().inputValue();
    const fields = await mine.locator("form[action*=orders]").evaluate((it) => Object.fromEntries(new FormData(it)));
    const send = (form) => mine.context().request.post(`${shop}/orders`, { form, maxRedirects: 0 });
    const { form_token: good, ...without } = fields;
    for (const form of [without, { ...fields, form_token: await tokenOf(theirs) }, { ...fields, form_token: good.slice(1) }]) {
      const answer = await send(form);
      assert.equal(answer.status(), 403);
      assert.match(await answer.text(), /This form is out of date/);
    }
    assert.deepEqual(await ordersOf(id), []);
    // The control: the same form with its own token makes the order.
    assert.equal((await send(fields)).status(), 303);
    assert.equal((await ordersOf(id)).length, 1);
  },

  async a_stranger_is_led_to_the_log_in_and_on_to_the_shop_alone(browser) {
    const page = await open(browser);
    await page.goto(`${shop}/orders`);
    assert.match(page.url(), /session\?to=orders$/);
    await page.goto(`${shop}/session?to=${encodeURIComponent("https://evil.example/")}`);
    assert.equal(await page.locator("[name=to]").first().inputValue(), "orders");
  },

  async pages_speak_the_browsers_language_and_the_one_that_was_chosen(browser) {
    const { id, eventName } = await event();
    for (const [locale, button, total] of [["de-AT", "Weiter", "49,90\u00a0€"], ["fr", "Continuer", "49,90\u00a0€"], ["es", "Continuar", "49,90\u00a0€"], ["ja", "Continue", "€49.90"]]) {
      const page = await open(browser, { locale });
      await page.goto(`${shop}/events/${id}`);
      await page.getByRole("button", { name: button }).waitFor();
      assert.match(await page.locator("main").innerText(), new RegExp(total.replace("$", "\\$")), locale);
      await page.context().close();
    }
    const page = await open(browser);
    await page.goto(shop);
    await page.getByRole("link", { name: "Deutsch" }).click();
    await page.getByRole("searchbox").fill(eventName);
    await page.getByRole("button", { name: "Suchen" }).click();
    await page.getByRole("link", { name: eventName }).click();
    await page.getByRole("button", { name: "Weiter" }).click();
    assert.equal(await page.locator("html").getAttribute("lang"), "de");
    await page.getByRole("heading", { name: "Anmelden oder registrieren" }).waitFor();
  },

  async times_are_given_in_the_visitors_zone_too(browser) {
    const { id } = await event({ eventDate: "2035-06-01T20:00:00.000Z" });
    const page = await open(browser);
    await page.goto(`${shop}/events/${id}`);
    assert.match(await page.locator(".facts").innerText(), /Friday, 1 June 2035, 20:00\sUTC \(Fri,? 22:00 in your time zone\)/);
  },

  async pages_are_light_and_cached_as_they_should_be(browser) {
    const { id } = await event();
    const page = await open(browser);
    const seen = [];
    const loaded = [];
    page.on("response", (response) => loaded.push(response));
    for (const path of [`/events/${id}`, "/session"]) {
      await page.goto(`${shop}${path}`, { waitUntil: "networkidle" });
      // Read before the next page: a browser forgets the bodies that an earlier one loaded.
      for (const response of loaded.splice(0)) seen.push({ response, body: await response.body() });
    }
    for (const { response, body } of seen) {
      const { "content-type": type = "", "cache-control": caching = "", "content-security-policy": policy = "" } = response.headers();
      const kind = type.split(";")[0];
      const weight = body.length;
      console.log(`  ${response.url().split("/shop")[1]}: ${weight} bytes, ${caching}`);
      assert(weight <= (MOST[kind] ?? 30 * 1024), response.url());
      if (kind === "text/html") assert(!/unsafe|nonce/.test(policy) && policy.includes("default-src 'none'"), policy);
    }
    const caching = (part) => seen.find(({ response }) => response.url().includes(part)).response.headers()["cache-control"];
    assert.match(caching("/assets/shop."), /immutable/);
    assert.match(caching(`/events/${id}`), /s-maxage=2, stale-while-revalidate/);
    assert.equal(caching("/session"), "no-store");
    const session = (await page.context().cookies()).find((cookie) => cookie.name === "__Host-form");
    assert.deepEqual([session.httpOnly, session.secure, session.sameSite, session.path], [true, true, "Lax", "/"]);
  },
};
