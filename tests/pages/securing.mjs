// Accounts made safe in the shop: an address verified, a forgotten password replaced, a second factor added and removed.

import assert from "node:assert/strict";
import { codeMailedTo, event, atCheckout, logIn, newcomer, open, reserve, shop, someone, totp, until, userOf } from "./scene.mjs";

const VERIFY = "Verify your email address";
const RESET = "Your new password";

export const tests = {
  async an_address_is_verified_with_the_code_from_the_mail(browser) {
    for (const javaScriptEnabled of [true, false]) {
      const { page, buyer } = await newcomer(browser, { javaScriptEnabled });
      await page.getByText(`Our mail to ${buyer.email} has a code.`).waitFor();
      const code = await codeMailedTo(buyer.email, VERIFY);
      await page.getByRole("link", { name: "My orders" }).first().click();
      await page.getByText(`Your address ${buyer.email} is not verified.`).waitFor();
      await page.getByRole("link", { name: "Verify your address" }).click();
      await page.getByLabel("Code").fill("not-a-code-of-ours");
      await page.getByRole("button", { name: "Verify" }).click();
      const fault = page.getByRole("link", { name: "This code was never sent" });
      await fault.waitFor();
      assert.equal(await page.getByLabel("Code").inputValue(), "not-a-code-of-ours");
      assert.match(await page.title(), /^Error: Verify your address/);
      if (javaScriptEnabled) {
        await fault.click();
        assert.equal(await page.evaluate(() => document.activeElement.id), "code");
      }
      await page.getByLabel("Code").fill(code);
      await page.getByRole("button", { name: "Verify" }).click();
      await page.getByRole("status").getByText("Your address is verified.").waitFor();
      assert.equal(await page.getByText("is not verified").count(), 0);
      assert((await userOf(buyer.email)).emailVerifiedAt);
      // A page that is opened once more has nothing to ask for.
      await page.goto(`${shop}/verification`);
      await page.getByText("Your address is verified.").waitFor();
      assert.equal(await page.getByLabel("Code").count(), 0);
      assert.deepEqual(page.faults, []);
    }
  },

  async another_code_is_sent_on_request_and_either_works(browser) {
    const { page, buyer } = await newcomer(browser);
    const first = await codeMailedTo(buyer.email, VERIFY);
    await page.getByRole("button", { name: "Send another code" }).click();
    await page.getByRole("status").getByText(`Another code is on its way to ${buyer.email}.`).waitFor();
    const second = await codeMailedTo(buyer.email, VERIFY, 2);
    assert.notEqual(first, second);
    await page.getByLabel("Code").fill(second);
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByRole("status").getByText("Your address is verified.").waitFor();
    assert.deepEqual(page.faults, []);
  },

  async a_buyer_who_registers_goes_on_buying_and_gets_the_code_meanwhile(browser) {
    const { page, buyer } = await atCheckout(browser, (await event()).id);
    await reserve(page);
    assert(await codeMailedTo(buyer.email, VERIFY));
    assert.deepEqual(page.faults, []);
  },

  async a_forgotten_password_is_replaced_with_a_code_from_the_mail(browser) {
    for (const javaScriptEnabled of [true, false]) {
      const { page: before, buyer } = await newcomer(browser);
      const page = await open(browser, { javaScriptEnabled });
      const ask = async (email) => {
        await page.goto(`${shop}/session`);
        await page.getByRole("link", { name: "Forgotten your password?" }).click();
        await page.getByLabel("Mail address").fill(email);
        await page.getByRole("button", { name: "Send a code" }).click();
        await page.getByRole("heading", { name: "Enter the code from the mail" }).waitFor();
        return [page.url(), await page.locator("main").innerText()];
      };
      const unknown = await ask(someone().email);
      assert.deepEqual(await ask(buyer.email), unknown, "the page tells whether an address is known");
      const code = await codeMailedTo(buyer.email, RESET);
      const password = `another staple ${Date.now()}`;
      const send = async (typed, chosen) => {
        await page.getByLabel("Code").fill(typed);
        await page.getByLabel("New password").fill(chosen);
        await page.getByRole("button", { name: "Change the password" }).click();
      };
      await send("not-a-code-of-ours", password);
      await page.getByRole("link", { name: "This code was never sent" }).waitFor();
      assert.equal(await page.getByLabel("Code").inputValue(), "not-a-code-of-ours");
      assert.equal(await page.getByLabel("New password").inputValue(), "");
      await send(code, "short");
      await page.getByRole("link", { name: "This password is too short" }).waitFor();
      assert.equal(await page.getByLabel("Code").inputValue(), code);
      await send(code, password);
      await page.getByRole("status").getByText("Your password is changed.").waitFor();
      await logIn(page, { email: buyer.email, password });
      await page.getByText(`(${buyer.email})`).waitFor();
      // The session from before the change has ended, and the code of the mail has verified the address.
      await before.goto(`${shop}/orders`);
      await before.getByRole("heading", { name: "Log in or register" }).waitFor();
      assert((await userOf(buyer.email)).emailVerifiedAt);
      assert.deepEqual([...page.faults, ...before.faults], []);
    }
  },

  async a_second_factor_is_set_up_asked_for_and_removed_without_javascript(browser) {
    const { page, buyer } = await newcomer(browser, { javaScriptEnabled: false });
    await page.goto(`${shop}/orders`);
    await page.getByRole("link", { name: "Second factor" }).click();
    await page.getByText("Remove the second factor").click();
    await page.getByRole("button", { name: "Remove it" }).click();
    await page.getByRole("alert").getByText("Your account has no second factor.").waitFor();
    await page.getByRole("button", { name: "Set up an app" }).click();
    await page.getByRole("img", { name: "QR code with the key" }).waitFor();
    const shown = await page.locator("#key").innerText();
    assert.match(shown, /^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$/);
    const key = shown.replaceAll(" ", "");
    const confirm = async (code) => {
      await page.getByLabel("Code that the app shows").fill(code);
      await page.getByRole("button", { name: "Turn it on" }).click();
    };
    await confirm(totp(key) === "000000" ? "000001" : "000000");
    await page.getByRole("link", { name: "This is not the code of this key." }).waitFor();
    assert.equal(await page.locator("#key").innerText(), shown, "the app would have to be set up again");
    await confirm(totp(key));
    await page.getByRole("heading", { name: "Keep your recovery codes" }).waitFor();
    const recovery = await page.locator(".codes code").allInnerTexts();
    assert.equal(new Set(recovery).size, 10);
    await page.getByRole("link", { name: "Log in" }).click();

    // The password alone, a wrong code, and the app's next code: the last one has been used.
    await logIn(page, buyer);
    await page.getByRole("link", { name: "Your account has a second factor." }).waitFor();
    await logIn(page, buyer, totp(key, 1) === "000000" ? "000001" : "000000");
    await page.getByRole("link", { name: "The code is wrong or was used." }).waitFor();
    assert.equal(await page.getByLabel("Username or mail address").inputValue(), buyer.email);
    await logIn(page, buyer, totp(key, 1));
    await page.getByText(`(${buyer.email})`).waitFor();

    await page.getByRole("button", { name: "Log out" }).click();
    await page.goto(`${shop}/session?to=second-factor`);
    await logIn(page, buyer);
    await page.getByRole("link", { name: "Your account has a second factor." }).waitFor();
    await logIn(page, buyer, recovery[0]);
    await page.getByRole("heading", { name: "Second factor" }).waitFor();
    await page.getByRole("button", { name: "Set up an app" }).click();
    await page.getByRole("alert").getByText("Your account has a second factor already.").waitFor();
    await page.getByText("Remove the second factor").click();
    await page.getByRole("button", { name: "Remove it" }).click();
    await page.getByRole("status").getByText("The second factor is removed.").waitFor();
    await logIn(page, buyer);
    await page.getByText(`(${buyer.email})`).waitFor();
    assert.deepEqual(page.faults, []);
  },

  async a_log_in_that_is_asked_for_again_offers_no_registration_and_leads_back(browser) {
    const { page, buyer } = await newcomer(browser);
    await page.goto(`${shop}/session?to=second-factor&notice=again`);
    await page.getByRole("status").getByText("Log in again.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Register" }).count(), 0);
    await logIn(page, { ...buyer, password: "wrong" });
    await page.getByRole("link", { name: "The name or the password is wrong." }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Register" }).count(), 0);
    await logIn(page, buyer);
    await page.getByRole("heading", { name: "Second factor" }).waitFor();
    // The control: whoever has a session and needs no other is led on at once.
    await page.goto(`${shop}/session?to=second-factor`);
    await page.getByRole("heading", { name: "Second factor" }).waitFor();
    assert.deepEqual(page.faults, []);
  },

  async a_form_of_an_account_without_its_token_changes_nothing(browser) {
    const { page } = await newcomer(browser);
    for (const path of ["verification", "verification/mail", "password", "password/reset", "second-factor", "second-factor/confirmation", "second-factor/removal"]) {
      const answer = await page.context().request.post(`${shop}/${path}`, { form: { code: "123456" }, maxRedirects: 0 });
      assert.equal(answer.status(), 403, path);
    }
  },

  async a_session_whose_access_token_has_ended_goes_on_with_the_form_it_sent(browser) {
    const { page, buyer } = await newcomer(browser);
    const code = await codeMailedTo(buyer.email, VERIFY);
    await page.getByLabel("Code").fill(code);
    await page.context().clearCookies({ name: "__Host-access" });
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByRole("status").getByText("Your address is verified.").waitFor();
    await until("the address is verified", async () => (await userOf(buyer.email)).emailVerifiedAt);
    assert.deepEqual(page.faults, []);
  },
};
