// Buying in the shop, as people do it: with every kind of card, by keyboard, without JavaScript, in a hurry, and back and forth.

import assert from "node:assert/strict";
import {
  BAD, GOOD, SECURE, api, atCheckout, charges, choose, confirmed, decide, enterCard, event, eventNow, hesitate, open, orderNow, orderOf, ordersOf, pay,
  register, reserve, shop, someone, until,
} from "./scene.mjs";

export const tests = {
  async a_purchase_with_three_d_secure_is_confirmed_and_charged_once(browser) {
    const { id, eventName } = await event();
    const page = await open(browser);
    await page.goto(shop);
    await page.getByRole("searchbox").fill(eventName.toLowerCase());
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("link", { name: eventName }).click();
    await page.getByLabel("Number of tickets").fill("2");
    assert.equal(await page.locator("#total").innerText(), "€99.80");
    await page.getByRole("button", { name: "Continue" }).click();
    await register(page, someone());
    const order = await reserve(page);
    assert.equal((await eventNow(id)).availableSeats, 8);
    await pay(page, SECURE);
    await page.getByRole("button", { name: "Complete authentication" }).click();
    await confirmed(page);
    const [charge, ...more] = await charges(order);
    assert.deepEqual([charge.charged, more], [9980, []]);
    assert.equal((await orderNow(order)).status, "CONFIRMED");
    const calendar = await page.context().request.get(new URL(await page.getByRole("link", { name: "Add to calendar" }).getAttribute("href"), page.url()).href);
    assert.match(await calendar.text(), /^BEGIN:VCALENDAR\r\n[^]*DTSTART:\d{8}T\d{6}Z\r\n/);
    await page.getByRole("link", { name: "My orders" }).click();
    await page.getByRole("link", { name: eventName }).waitFor();
    assert.deepEqual(page.faults, []);
  },

  async a_bank_that_refuses_keeps_the_seats_for_another_card(browser) {
    const { page } = await atCheckout(browser, (await event()).id);
    const order = await reserve(page);
    await pay(page, SECURE);
    await page.getByRole("button", { name: "Fail authentication" }).click();
    await page.getByRole("alert").getByText("The card was declined").waitFor();
    assert.equal(orderOf(page), order);
    await pay(page, GOOD);
    await confirmed(page);
    assert.equal((await charges(order)).length, 1);
    assert.deepEqual(page.faults, []);
  },

  async closing_the_tab_at_the_bank_charges_nothing_and_gives_the_seats_back(browser) {
    const { id } = await event({ totalSeats: 3 });
    const { page } = await atCheckout(browser, id, 3);
    const order = await reserve(page);
    await pay(page, SECURE);
    await page.getByRole("button", { name: "Complete authentication" }).waitFor();
    assert.equal((await eventNow(id)).availableSeats, 0);
    await page.close();
    await until("the seats are back", async () => (await eventNow(id)).availableSeats === 3);
    assert.deepEqual(await charges(order), []);
  },

  async a_card_declined_twice_and_then_a_good_one_keep_the_same_seats(browser) {
    const { id } = await event();
    const { page } = await atCheckout(browser, id);
    const order = await reserve(page);
    for (let decline = 0; decline < 2; decline += 1) {
      await pay(page, BAD);
      await page.getByRole("alert").getByText("Your tickets are still reserved").waitFor();
      assert.equal((await eventNow(id)).availableSeats, 9);
    }
    await pay(page, GOOD);
    await confirmed(page);
    assert.equal(orderOf(page), order);
    assert.equal((await charges(order)).length, 1);
    assert.equal((await ordersOf(id)).length, 1);
  },

  async a_purchase_needs_no_mouse(browser) {
    const { id } = await event();
    const page = await open(browser, { viewport: { width: 360, height: 640 } });
    const buyer = someone();
    await page.goto(`${shop}/events/${id}`);
    /** Tab by tab to what has this name, as somebody does who sees where the focus is. */
    const reach = async (name) => {
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press("Tab");
        const focused = await page.evaluate(() => {
          const at = document.activeElement;
          return (at.labels?.[0] ?? at).innerText?.trim() ?? "";
        });
        if (focused.startsWith(name)) {
          const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
          assert.notEqual(outline, "none", `${name} shows no focus`);
          return;
        }
      }
      assert.fail(`no way to ${name} by keyboard`);
    };
    const press = async (name, key = "Enter") => { await reach(name); await page.keyboard.press(key); };
    await reach("Number of tickets");
    await page.keyboard.press("ArrowUp");
    await press("Continue");
    await page.waitForURL(/\/shop\/session/);
    for (const [label, text] of [["First name", buyer.first], ["Last name", buyer.last], ["Mail address", buyer.email], ["Password", buyer.password]]) {
      await reach(label);
      await page.keyboard.type(text);
    }
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/shop\/checkout/);
    await press("Reserve");
    await page.waitForURL(/\/shop\/orders\/tkt_/);
    const order = orderOf(page);
    await press("Enter card");
    await page.waitForURL(/_cards/);
    await press("4242");
    await page.waitForURL(/card=/);
    await press("Pay ");
    await confirmed(page);
    assert.equal((await orderNow(order)).quantity, 2);
    assert.deepEqual(page.faults, []);
  },

  async a_purchase_with_three_d_secure_needs_no_javascript(browser) {
    const { id } = await event();
    const page = await open(browser, { javaScriptEnabled: false });
    await choose(page, id, 2);
    await register(page, someone());
    const order = await reserve(page);
    await pay(page, SECURE);
    await page.getByRole("button", { name: "Complete authentication" }).click();
    await confirmed(page);
    assert.equal((await charges(order)).length, 1);
    assert.deepEqual(page.faults, []);
  },

  async two_presses_make_one_order_and_one_charge(browser) {
    for (const javaScriptEnabled of [true, false]) {
      const { id } = await event();
      const { page } = await atCheckout(browser, id, 1, { javaScriptEnabled });
      await page.getByRole("button", { name: "Reserve" }).dblclick();
      await page.waitForURL(/orders\/tkt_/);
      const order = orderOf(page);
      await enterCard(page, GOOD);
      await page.getByRole("button", { name: /^Pay / }).dblclick();
      await confirmed(page);
      assert.deepEqual((await ordersOf(id)).map((made) => made.id), [order]);
      assert.equal((await charges(order)).length, 1);
    }
  },

  async the_same_form_sent_twice_at_once_makes_one_order_and_one_charge(browser) {
    const { id } = await event();
    const { page } = await atCheckout(browser, id);
    const twice = async (selector) => {
      const { action, form } = await page.locator(selector).evaluate((it) => ({ action: it.action, form: Object.fromEntries(new FormData(it)) }));
      const send = () => page.context().request.post(action, { form, headers: { Referer: page.url() }, maxRedirects: 0 });
      const answers = await Promise.all([send(), send()]);
      assert.deepEqual(answers.map((answer) => answer.status()), [303, 303]);
      return answers.map((answer) => new URL(answer.headers().location, action).href);
    };
    const [first, second] = await twice("form[action*=orders]");
    assert.equal(first, second);
    await page.goto(first);
    const order = orderOf(page);
    await enterCard(page, GOOD);
    await twice("form[action*=payment]");
    await page.goto(first);
    await confirmed(page);
    assert.deepEqual((await ordersOf(id)).map((made) => made.id), [order]);
    assert.equal((await charges(order)).length, 1);
  },

  async back_and_reload_at_each_step_do_no_harm(browser) {
    const { id } = await event();
    const { page } = await atCheckout(browser, id);
    await page.reload();
    await page.goBack();
    await page.goForward();
    const order = await reserve(page);
    await page.reload();
    await page.goBack();
    await page.getByRole("button", { name: "Reserve" }).click();
    await page.waitForURL(/orders\/tkt_/);
    await page.goto(`${shop}/orders/${order}`);
    await pay(page, GOOD);
    await confirmed(page);
    await page.reload();
    await confirmed(page);
    await page.goBack();
    await page.goto(`${shop}/orders/${order}`);
    await confirmed(page);
    assert.equal((await charges(order)).length, 1);
    assert.equal((await orderNow(order)).status, "CONFIRMED");
  },

  async an_undecided_payment_is_waited_for_and_never_called_failed(browser) {
    for (const javaScriptEnabled of [true, false]) {
      const { page } = await atCheckout(browser, (await event()).id, 1, { javaScriptEnabled });
      const order = await reserve(page);
      await hesitate(order);
      await pay(page, GOOD);
      await page.getByRole("heading", { name: "One moment" }).waitFor();
      for (let looks = 0; looks < 3; looks += 1) {
        await page.goto(`${shop}/orders/${order}/payment`);
        const text = await page.locator("main").innerText();
        assert.doesNotMatch(text, /fail|declin|wrong|time is over/i);
      }
      await decide(order);
      await confirmed(page);
      assert.equal((await charges(order)).length, 1);
    }
  },

  async an_order_that_nobody_paid_offers_the_same_choice_again(browser) {
    const { id } = await event({ totalSeats: 2 });
    const { page } = await atCheckout(browser, id, 2);
    await reserve(page);
    await page.getByRole("heading", { name: "The time is over" }).waitFor({ timeout: 40_000 });
    await until("the seats are back", async () => (await eventNow(id)).availableSeats === 2);
    await page.getByRole("link", { name: "Choose the same again" }).click();
    await page.getByText("2 tickets").waitFor();
    await reserve(page);
    assert.deepEqual(page.faults, []);
  },

  async a_confirmed_order_can_be_cancelled_and_its_money_goes_back(browser) {
    const { id } = await event();
    const { page } = await atCheckout(browser, id);
    const order = await reserve(page);
    await pay(page, GOOD);
    await confirmed(page);
    await page.getByText("Cancel this order").click();
    await page.getByRole("button", { name: "Cancel the order" }).click();
    await page.getByRole("heading", { name: "The order is cancelled" }).waitFor();
    assert.equal((await orderNow(order)).status, "CANCELLED");
    await until("the money is back", async () => (await charges(order)).every((line) => line.refunded === line.charged));
    assert.deepEqual(page.faults, []);
  },

  async a_session_goes_on_when_its_access_token_has_ended(browser) {
    const { page, buyer } = await atCheckout(browser, (await event()).id);
    // The browser forgets the access token at once, as its end would make it useless.
    await page.context().clearCookies({ name: "__Host-access" });
    const order = await reserve(page);
    await page.context().clearCookies({ name: "__Host-access" });
    await page.goto(`${shop}/orders`);
    await page.getByText(`(${buyer.email})`).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.goto(`${shop}/orders/${order}`);
    await page.getByRole("heading", { name: "Log in or register" }).waitFor();
    const form = page.locator("section", { has: page.getByRole("heading", { name: "I have an account" }) });
    await form.getByLabel("Username or mail address").fill(buyer.email);
    await form.getByLabel("Password").fill("wrong");
    await form.getByRole("button", { name: "Log in" }).click();
    const fault = page.getByRole("link", { name: "The name or the password is wrong." });
    assert.equal(await form.getByLabel("Username or mail address").inputValue(), buyer.email);
    await fault.click();
    assert.equal(await page.evaluate(() => document.activeElement.id), "username");
    await form.getByLabel("Password").fill(buyer.password);
    await form.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL(new RegExp(order));
  },

  async the_price_that_was_shown_is_the_one_that_is_charged(browser) {
    const { id } = await event();
    const { page } = await atCheckout(browser, id);
    const form = await page.locator("form[action*=orders]").evaluate((it) => ({ action: it.action, fields: Object.fromEntries(new FormData(it)) }));
    const answer = await page.context().request.post(form.action, { form: { ...form.fields, total: "1" }, maxRedirects: 0 });
    assert.equal(answer.status(), 409);
    assert.match(await answer.text(), /The total is now €49\.90/);
    assert.deepEqual(await ordersOf(id), []);
  },

  async more_tickets_than_there_are_lead_back_to_the_field(browser) {
    const { id } = await event({ totalSeats: 2 });
    const { page } = await atCheckout(browser, id);
    await page.goto(`${shop}/checkout?event=${id}&quantity=3`);
    await page.getByRole("link", { name: "Only 2 tickets are left." }).click();
    assert.equal(await page.evaluate(() => document.activeElement.id), "quantity");
    for (const quantity of ["0", "-1", "two", "1.5", ""]) {
      const answer = await page.goto(`${shop}/checkout?event=${id}&quantity=${quantity}`);
      assert.equal(answer.status(), 422, quantity);
      await page.getByText("Choose a whole number of tickets from 1 to 2.").waitFor();
    }
  },

  async the_address_of_the_api_is_nowhere_in_a_page(browser) {
    const { page } = await atCheckout(browser, (await event()).id);
    assert(!(await page.content()).includes(api), "a page knows its stage, and would not work below another base path");
  },
};
