// The shop in headless Chromium, as scripts/browser.py runs it against the deployed stack: each test in a browser context of its own, some at a time.
//
//     main.mjs [NAME]     only tests whose name contains this

import { mkdirSync } from "node:fs";
import { chromium, executablePath, reports } from "./scene.mjs";
import { tests as buying } from "./buying.mjs";
import { tests as guarding } from "./guarding.mjs";
import { tests as securing } from "./securing.mjs";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--no-proxy-server",
];
// Some wait for a hold to end while others use the processor.
const AT_ONCE = Number(process.env.BOXOFFICE_PAGES_AT_ONCE ?? 4);
// An inspection takes a core for seconds while its order's hold runs: these share one worker.
const inspects = (name) => name.endsWith("is_accessible");

const wanted = process.argv[2] ?? "";
// The longest waits first.
const patient = ["closing_the_tab", "nobody_paid", "of_an_order_is_accessible"];
const rank = (name) => (patient.some((part) => name.includes(part)) ? 0 : 1);
const chosen = Object.entries({ ...buying, ...guarding, ...securing })
  .filter(([name]) => name.includes(wanted))
  .sort(([one], [other]) => rank(one) - rank(other));
mkdirSync(reports, { recursive: true });
const began = Date.now();
const browser = await chromium.launch({ executablePath, args: FLAGS });
const failed = [];

async function work(waiting) {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [name, test] = next;
    const started = Date.now();
    try {
      await test(browser);
      console.log(`ok    ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    } catch (problem) {
      failed.push(name);
      console.log(`FAIL  ${name}\n${problem.stack ?? problem}`);
    }
  }
}

const total = chosen.length;
const [inspecting, others] = [chosen.filter(([name]) => inspects(name)), chosen.filter(([name]) => !inspects(name))];
try {
  await Promise.all([work(inspecting), ...Array.from({ length: AT_ONCE }, () => work(others))]);
} finally {
  await browser.close();
}
console.log(`${total - failed.length} of ${total} passed in ${((Date.now() - began) / 1000).toFixed(1)} s`);
if (total === 0 || failed.length > 0) process.exit(1);
