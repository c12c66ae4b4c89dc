// The parts of a page that JavaScript makes better. Every page does its work without it.
"use strict";

(() => {
  const language = document.documentElement.lang;
  const one = (selector) => document.querySelector(selector);

  // Errors first: they are what the reader came back for.
  one("#errors")?.focus();

  // The visitor's own time beside UTC, where it is another.
  for (const time of document.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime()) || at.getTimezoneOffset() === 0) continue;
    const theirs = at.toLocaleString(language, { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const note = document.createElement("span");
    note.className = "dim";
    note.textContent = ` (${document.body.dataset.yourTime.replace("{time}", theirs)})`;
    time.after(note);
  }

  // The total, while tickets are counted.
  const quantity = one("input[data-price]");
  if (quantity) {
    const money = new Intl.NumberFormat(language, { style: "currency", currency: quantity.dataset.currency });
    const show = () => {
      const count = Number(quantity.value);
      const valid = Number.isInteger(count) && count >= 1 && count <= Number(quantity.max);
      one("#total").value = valid ? money.format((count * Number(quantity.dataset.price)) / 100) : "–";
      one(".sum").hidden = false;
    };
    quantity.addEventListener("input", show);
    show();
  }

  // A second press of the same button sends nothing. The server does not depend on it: each form has a key of its own.
  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", (event) => {
      if (event.defaultPrevented) return;
      if (form.dataset.sent) return event.preventDefault();
      form.dataset.sent = "yes";
      form.querySelector("button").setAttribute("aria-disabled", "true");
    });
  }
  // A page that comes back from the browser's own store is as it was left.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      form.querySelector("button").removeAttribute("aria-disabled");
    }
  });

  // The countdown, with a warning two minutes before the end.
  const until = one("[data-until]");
  if (until) {
    const end = Date.parse(until.dataset.until);
    const label = until.querySelector("b");
    let warned = false;
    const tick = () => {
      const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      label.textContent = until.dataset.left.replace("{time}", `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`);
      if (left <= 120 && !warned) {
        warned = true;
        until.classList.add("hurry");
        const warning = document.createElement("span");
        warning.className = "unseen";
        warning.setAttribute("role", "status");
        until.append(warning);
        warning.textContent = until.dataset.hurry;
      }
      if (left === 0) {
        clearInterval(timer);
        // The server's clock decides, and may be a moment behind this one.
        setTimeout(() => location.replace(location.pathname), 1500);
      }
    };
    const timer = setInterval(tick, 1000);
    tick();
  }

  // A page that waits asks whether there is news, and moves on when there is.
  const waiting = one("[data-wait]");
  if (waiting) {
    const ask = async () => {
      try {
        const answer = await fetch(waiting.dataset.wait, { headers: { Accept: "text/html" } });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const stage = page.querySelector("[data-stage]")?.dataset.stage;
        if (stage && stage !== waiting.dataset.stage) return location.replace(answer.url);
      } catch {
        // The network was away for a moment: the next question finds out.
      }
      setTimeout(ask, 1500);
    };
    setTimeout(ask, 1000);
  }

  // Stripe's payment element: the card goes from the buyer's browser to Stripe, and a token comes back.
  const payment = one("form[data-stripe]");
  if (payment && window.Stripe) {
    const { stripe: key, amount, currency } = payment.dataset;
    const stripe = window.Stripe(key, { locale: language });
    const elements = stripe.elements({
      mode: "payment", amount: Number(amount), currency, paymentMethodCreation: "manual", paymentMethodTypes: ["card"],
    });
    elements.create("payment").mount("#card-entry");
    const fault = one("#card-fault");
    payment.addEventListener("submit", async (event) => {
      if (payment.elements.card.value) return;
      event.preventDefault();
      if (payment.dataset.asking) return;
      payment.dataset.asking = "yes";
      fault.hidden = true;
      const checked = await elements.submit();
      const made = checked.error ? checked : await stripe.createPaymentMethod({ elements });
      delete payment.dataset.asking;
      if (made.error) {
        fault.textContent = made.error.message;
        fault.hidden = false;
        return;
      }
      payment.elements.card.value = made.paymentMethod.id;
      payment.requestSubmit();
    }, { capture: true });
  }
})();
