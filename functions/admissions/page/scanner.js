// The scanner of a door: shows what the box office decides, and decides nothing itself. Without an answer nobody is let in.

const PATIENCE = 2500; // An answer that takes longer counts as no network; the page says so within 3 s.
const AGAIN = 2000; // Until a scan without an answer is sent again, under the same nonce.
const SHOWN = { in: 1800, out: 1800, stop: 4000, look: 6000 };
const GONE = 1500; // A code that the camera still sees is not presented again.
const KEY = "boxoffice-device";
const SHAPES = {
  in: '<circle cx="50" cy="50" r="43"/><path d="M28 52l15 16 30-34"/>',
  out: '<circle cx="50" cy="50" r="43"/><path d="M26 50h46M54 32l18 18-18 18"/>',
  stop: '<path d="M32 7h36l25 25v36l-25 25h-36l-25-25v-36z"/><path d="M34 34l32 32M66 34l-32 32"/>',
  look: '<path d="M50 9l43 80h-86z"/><path d="M50 40v22M50 75v1"/>',
  offline: '<path d="M10 40q40-34 80 0M24 56q26-22 52 0M50 76v1M12 90l76-80"/>',
  ready: '<path d="M12 32v-20h20M68 12h20v20M88 68v20h-20M32 88h-20v-20M28 50h44"/>',
};
const WORDS = { in: "IN", out: "OUT", stop: "STOP", look: "LOOK", offline: "NO NETWORK", ready: "Ready", start: "Not ready" };
const TONES = { in: [[880, 0.09], [1320, 0.14]], out: [[880, 0.12]], stop: [[160, 0.5]], look: [[440, 0.15], [440, 0.15]], offline: [[220, 0.2], [160, 0.3]] };

const $ = (id) => document.getElementById(id);
const field = $("code");
let device = stored();
let exits = false;
let pending = null; // The one scan that has no answer yet.
let looked = null; // The code that a person has to look at.
let timer = 0;
let audio = null;
let seen = { code: "", at: 0 };

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function show(state, message, detail = "", forget = SHOWN[state]) {
  document.body.dataset.state = state;
  $("word").textContent = WORDS[state];
  $("message").textContent = message;
  $("detail").textContent = detail;
  $("shape").innerHTML = SHAPES[state] ?? "";
  $("vouch").hidden = !(state === "look" && looked);
  clearTimeout(timer);
  if (forget) timer = setTimeout(ready, forget);
}

function ready() {
  looked = null;
  if (!device) return show("start", "This device is not enrolled.", "Open the address that staff show as a QR code.");
  show("ready", exits ? "Scan a ticket to let somebody out." : "Scan a ticket to let somebody in.");
}

function sound(state) {
  const tones = TONES[state];
  if (!tones || !audio) return;
  let at = audio.currentTime;
  for (const [frequency, seconds] of tones) {
    const tone = new OscillatorNode(audio, { frequency, type: state === "stop" ? "square" : "sine" });
    const level = new GainNode(audio, { gain: 0.3 });
    tone.connect(level).connect(audio.destination);
    tone.start(at);
    tone.stop(at + seconds);
    at += seconds + 0.05;
  }
}

function network(reached) {
  $("network").textContent = reached ? "Connected" : "No network";
}

function nonce() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function call(path, body, token) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const request = { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE), cache: "no-store" };
  const response = await fetch(path, request);
  if (response.status >= 500 || response.status === 429) throw new Error(`status ${response.status}`);
  return { status: response.status, body: await response.json() };
}

function present(code, vouched = false) {
  const text = code.replace(/[\r\n]+/g, "");
  if (!device || !text || pending) return;
  pending = { code: text, list: device.list.id, gate: Number($("gate").value), nonce: nonce(), direction: exits ? "EXIT" : "ENTRY", vouched };
  send(pending);
}

async function send(scan) {
  clearTimeout(timer);
  let answer;
  try {
    answer = await call("check-ins", scan, device.token);
  } catch {
    network(false);
    sound("offline");
    show("offline", "Let nobody in on this ticket yet.", "It is sent again until the box office answers.", 0);
    return setTimeout(() => send(scan), AGAIN);
  }
  network(true);
  pending = null;
  if (answer.status === 401) return expelled(answer.body.detail);
  if (answer.status !== 200) {
    sound("stop");
    return show("stop", answer.body.detail ?? "The scan was refused.");
  }
  const { verdict, reason, message, serial } = answer.body;
  const state = verdict.toLowerCase();
  looked = state === "look" && reason === "ENTITLEMENT" ? scan.code : null;
  sound(state);
  show(state, message, serial ? `Ticket ${serial}` : "");
}

function expelled(detail) {
  localStorage.removeItem(KEY);
  device = null;
  sound("stop");
  show("start", detail);
}

async function enrol(token) {
  show("start", "Enrolling this device.");
  try {
    const { status, body } = await call("devices/enrol", { token });
    network(true);
    if (status !== 200) return show("start", body.detail);
    device = body;
    localStorage.setItem(KEY, JSON.stringify(device));
    settle();
  } catch {
    network(false);
    show("offline", "This device is not enrolled yet.", "It tries again.", 0);
    setTimeout(() => enrol(token), AGAIN);
  }
}

function settle() {
  if (device) {
    $("place").textContent = `${device.list.name} · ${device.device.label}`;
    const gates = device.device.gates.length ? device.device.gates : [0];
    $("gate").replaceChildren(...gates.map((gate) => new Option(gate === 0 ? "any" : gate, gate)));
    $("direction").hidden = !device.list.exits;
  }
  ready();
}

async function reader() {
  if ("BarcodeDetector" in window && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    return async (video) => (await detector.detect(video))[0]?.rawValue;
  }
  await new Promise((loaded, failed) => {
    const script = document.createElement("script");
    Object.assign(script, { src: "scanner/jsqr.js", onload: loaded, onerror: failed });
    document.head.append(script);
  });
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return async (video) => {
    const scale = Math.min(1, 640 / video.videoWidth);
    canvas.width = video.videoWidth * scale;
    canvas.height = video.videoHeight * scale;
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const picture = context.getImageData(0, 0, canvas.width, canvas.height);
    return window.jsQR(picture.data, picture.width, picture.height, { inversionAttempts: "dontInvert" })?.data;
  };
}

async function see() {
  const video = $("video");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
    const [read, [track]] = [await reader(), stream.getVideoTracks()];
    video.srcObject = stream;
    await video.play();
    $("camera").hidden = false;
    $("see").hidden = true;
    torch(track);
    watch(video, read);
  } catch {
    $("detail").textContent = "The camera cannot be used here. Allow it in the browser, or type the code.";
  }
}

async function watch(video, read) {
  if (video.readyState >= 2 && !pending) {
    const code = await read(video).catch(() => undefined);
    const now = performance.now();
    if (code) {
      const fresh = code !== seen.code || now - seen.at > GONE;
      seen = { code, at: now };
      if (fresh) present(code);
    }
  }
  setTimeout(() => watch(video, read), 120);
}

function torch(track) {
  const button = $("torch");
  if (!track.getCapabilities?.().torch) return;
  button.hidden = false;
  button.onclick = () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    track.applyConstraints({ advanced: [{ torch: on }] });
    button.setAttribute("aria-pressed", on);
  };
}

$("entry").onsubmit = (event) => {
  event.preventDefault();
  present(field.value);
  field.value = "";
};
$("direction").onclick = () => {
  exits = !exits;
  $("direction").setAttribute("aria-pressed", exits);
  if (!pending) ready();
};
$("vouch").onclick = () => looked && present(looked, true);
$("see").onclick = see;
// A hardware scanner types: whatever is typed belongs in the field.
document.addEventListener("keydown", (event) => {
  audio ??= new AudioContext();
  if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !["INPUT", "SELECT", "BUTTON"].includes(event.target.tagName)) field.focus();
});
document.addEventListener("pointerdown", () => (audio ??= new AudioContext()));
window.addEventListener("offline", () => network(false));
window.addEventListener("online", () => network(true));

network(navigator.onLine);
const token = location.hash.slice(1);
if (token) {
  history.replaceState(null, "", location.pathname);
  enrol(token);
} else {
  settle();
}
field.focus();
