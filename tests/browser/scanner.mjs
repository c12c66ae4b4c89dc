// The scanner of a door, as a volunteer meets it: opened by its invitation, fed by typing and by a camera, cut off from the network.
//
//     node tests/browser/scanner.mjs        BOXOFFICE_CHROMIUM and BOXOFFICE_NODE as scripts/browser.py sets them
//
// The page's own files are served here with the policy that `get-scanner` sends, beside answers in the form of `POST /check-ins`: what the page shows for an
// answer, and that it shows nothing good without one, does not depend on who decides. tests/tests/journeys/doors.rs tries the decisions on the running stack.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const given = (name) => process.env[name] ?? assert.fail(`${name} is not set: run scripts/browser.py`);
const { chromium } = createRequire(join(given("BOXOFFICE_NODE"), "package.json"))("playwright-core");
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const page_of = (file) => readFileSync(join(root, "functions/admissions/page", file));
const handler = readFileSync(join(root, "functions/admissions/src/handlers/get_scanner.rs"), "utf8");
const POLICY = /const POLICY: &str = "([^"]+)"/.exec(handler)[1].replace(/\\\s+/g, "");
const TYPES = { js: "text/javascript", css: "text/css", svg: "image/svg+xml", webmanifest: "application/manifest+json" };
const VECTORS = JSON.parse(readFileSync(join(root, "shared/admission/vectors/ticket-codes.json")));
const CODE = VECTORS.codes[0].text;
const ONCE = "dev_01970000000070008000000000000001.once";
const LIST = { id: "lst_1", name: "Main entrance", exits: true };

const scans = [];
let answer_with = () => ({ verdict: "IN", message: "Come in.", serial: 4711 });
let silent = false;

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const path = request.url.replace("/v1", "");
  const send = (status, type, content) => {
    response.writeHead(status, { "Content-Type": type, "Content-Security-Policy": POLICY });
    response.end(content);
  };
  if (path === "/check-ins") {
    scans.push(JSON.parse(body));
    // Neither an answer nor an error, as when the network is gone.
    if (silent) return;
    const answer = answer_with(scans.at(-1));
    return send(answer.status ?? 200, "application/json", JSON.stringify(answer));
  }
  if (path === "/devices/enrol") {
    assert.equal(JSON.parse(body).token, ONCE);
    return send(200, "application/json", JSON.stringify({ token: "dev_1.bearer", device: { label: "North 1", gates: [] }, list: LIST }));
  }
  if (path === "/scanner") return send(200, "text/html; charset=utf-8", page_of("index.html"));
  const file = /^\/scanner\/([a-z]+\.([a-z]+))$/.exec(path);
  return file ? send(200, TYPES[file[2]], page_of(file[1])) : send(404, "text/plain", "");
});

/** Writes the film of a camera held before the code: one picture, repeated (YUV4MPEG2). */
function film() {
  const [width, height, module] = [640, 480, 9];
  const rows = readFileSync(join(root, "tests/browser/ticket-code.txt"), "utf8").trim().split("\n");
  const light = Buffer.alloc(width * height, 235);
  const [left, top] = [(width - rows.length * module) >> 1, (height - rows.length * module) >> 1];
  rows.forEach((row, y) => [...row].forEach((dot, x) => {
    if (dot !== "#") return;
    for (let line = 0; line < module; line++) light.fill(16, (top + y * module + line) * width + left + x * module, (top + y * module + line) * width + left + (x + 1) * module);
  }));
  const frame = Buffer.concat([Buffer.from("FRAME\n"), light, Buffer.alloc((width * height) / 2, 128)]);
  const path = join(mkdtempSync(join(tmpdir(), "scanner-")), "code.y4m");
  writeFileSync(path, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`), ...Array(10).fill(frame)]));
  return path;
}

const state = (page) => page.evaluate(() => document.body.dataset.state);
const shows = (page, wanted, within = 3000) => page.waitForFunction((it) => document.body.dataset.state === it, wanted, { timeout: within });

async function scan(page, code) {
  await page.locator("#code").fill(code);
  await page.keyboard.press("Enter");
}

async function walk(page, url) {
  await page.goto(`${url}/scanner#${ONCE}`);
  await shows(page, "ready");
  assert.equal(new URL(page.url()).hash, "", "the one-time token stays in the address");
  assert.match(await page.locator("#place").innerText(), /Main entrance · North 1/);

  // A hardware scanner types wherever the focus is, and ends with Enter.
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.type("BO1:TYPED");
  await page.keyboard.press("Enter");
  await shows(page, "in");
  assert.deepEqual([scans[0].code, scans[0].direction, scans[0].gate], ["BO1:TYPED", "ENTRY", 0]);
  assert.match(scans[0].nonce, /^[0-9a-f]{32}$/);
  assert.equal(await page.locator("#word").innerText(), "IN");
  await shows(page, "ready");

  const words = new Map();
  for (const [verdict, reason] of [["STOP", "ALREADY_IN"], ["LOOK", "UNRECORDED"], ["OUT"], ["IN"]]) {
    answer_with = () => ({ verdict, reason, message: `${verdict}.`, serial: 1 });
    await scan(page, `BO1:${verdict}`);
    await shows(page, verdict.toLowerCase());
    assert.equal(await page.locator("#word").innerText(), verdict);
    words.set(verdict, await page.locator("#shape").innerHTML());
  }
  assert.equal(new Set(words.values()).size, words.size, "two verdicts have one shape");

  // A proof to look at: the same code again, vouched for.
  answer_with = (asked) => (asked.vouched ? { verdict: "IN", message: "Come in." } : { verdict: "LOOK", reason: "ENTITLEMENT", message: "Look." });
  await scan(page, "BO1:STUDENT");
  await shows(page, "look");
  await page.locator("#vouch").click();
  await shows(page, "in");

  // No network: said within 3 s, nobody in; then the same scan again, and its answer.
  silent = true;
  answer_with = () => ({ verdict: "IN", message: "Come in." });
  const [before, began] = [scans.length, Date.now()];
  await scan(page, "BO1:CUT");
  await shows(page, "offline", 3000);
  assert(Date.now() - began < 3000);
  await scan(page, "BO1:OTHER");
  assert.equal(await state(page), "offline", "another scan hides the one without an answer");
  silent = false;
  await shows(page, "in", 6000);
  const sent = scans.slice(before);
  assert.equal(new Set(sent.map((asked) => asked.nonce)).size, 1, "a scan that is sent again is another scan");
  assert(sent.every((asked) => asked.code === "BO1:CUT"));

  // The camera.
  await shows(page, "ready");
  answer_with = (asked) => (asked.code === CODE ? { verdict: "IN", message: "Come in." } : { verdict: "STOP", reason: "NOT_A_TICKET", message: "Stop." });
  await page.locator("#see").click();
  await shows(page, "in", 15000);
  assert.equal(scans.at(-1).code, CODE);
  const seen = scans.length;
  await shows(page, "ready", 5000);
  assert.equal(scans.length, seen, "a code that stays before the camera is presented once");

  // A device that has ended forgets its token.
  answer_with = () => ({ status: 401, code: "TOKEN_REVOKED", detail: "The device has ended. Ask staff to enrol it anew." });
  await scan(page, "BO1:ENDED");
  await shows(page, "start");
  assert.equal(await page.evaluate(() => localStorage.length), 0);
}

await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const browser = await chromium.launch({
  executablePath: given("BOXOFFICE_CHROMIUM"),
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--no-proxy-server",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${film()}`,
  ],
});
try {
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !/401/.test(message.text()) && wrong.push(message.text()));
  try {
    await walk(page, `http://127.0.0.1:${server.address().port}/v1`);
  } finally {
    const artifacts = process.env.BOXOFFICE_ARTIFACTS;
    if (artifacts) await page.screenshot({ path: join(artifacts, "scanner.png") });
  }
  assert.deepEqual(wrong, []);
  console.log("the scanner keeps its word");
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
}
