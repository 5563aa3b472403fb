// Keeps an open page as the board sees it: parts are replaced by their id, rows of the journal are added on top.
// Without this script every page shows the same, as of when it was loaded.

const QUIET = 40_000; // the board says something every 15 seconds; after this long nobody is there
const AGAIN = 2_000;

const address = document.body.dataset.live;
const link = document.getElementById("link");
let source = null;
let since = null; // what this page has; the board told it
let heard = 0;
let lost = null;
let retry = null;

function element(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
}

// Where the keyboard is, so that it stays there: the nearest thing with an id, or the same link in the new part.
function focusIn(part) {
  const at = document.activeElement;
  if (!at || !part.contains(at)) return null;
  if (at.id) return (fresh) => (fresh.id === at.id ? fresh : fresh.querySelector(`[id="${CSS.escape(at.id)}"]`));
  const alike = (root) => [...root.querySelectorAll(at.tagName)];
  const place = alike(part).indexOf(at);
  const href = at.getAttribute("href");
  return (fresh) => alike(fresh).find((one) => href && one.getAttribute("href") === href) ?? alike(fresh)[place];
}

function replace(id, html) {
  const part = document.getElementById(id);
  const fresh = element(html);
  if (!part || !fresh) return;
  const focus = focusIn(part);
  const open = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
  const across = [...part.querySelectorAll(".wide")].map((one) => one.scrollLeft);
  part.replaceWith(fresh);
  for (const one of fresh.querySelectorAll("details[id]")) one.open = open.includes(one.id);
  fresh.querySelectorAll(".wide").forEach((one, index) => { one.scrollLeft = across[index] ?? 0; });
  fresh.classList.add("fresh");
  if (focus) focus(fresh)?.focus({ preventScroll: true });
}

function add(rows) {
  const body = document.getElementById("rows");
  if (!body) return;
  for (const html of [...rows].reverse()) {
    const row = element(`<table><tbody>${html}</tbody></table>`)?.querySelector("tr");
    if (row && !document.getElementById(row.id)) body.prepend(row);
  }
  while (body.rows.length > Number(body.dataset.most)) body.lastElementChild.remove();
}

// What a screen reader is told: a region that is itself replaced is not heard.
function tell() {
  const needs = document.getElementById("needs-head")?.textContent ?? "";
  const heard = document.getElementById("heard");
  if (heard.dataset.last !== undefined && heard.dataset.last !== needs) heard.textContent = needs;
  heard.dataset.last = needs;
}

function change(event) {
  alive();
  const told = JSON.parse(event.data);
  if (told.anew) {
    location.reload();
    return;
  }
  since = event.lastEventId;
  document.title = `${told.title} · dmsa board`;
  for (const [id, html] of Object.entries(told.parts)) replace(id, html);
  add(told.rows);
  tell();
}

function say(word, kind) {
  if (link.textContent !== word) link.textContent = word;
  link.dataset.is = kind;
}

function alive() {
  heard = Date.now();
  lost = null;
  say("live", "live");
}

function gone() {
  lost ??= new Date();
  say(`connection lost since ${lost.toLocaleTimeString()}`, "lost");
  close();
  retry ??= setTimeout(open, AGAIN);
}

function close() {
  source?.close();
  source = null;
}

function open() {
  clearTimeout(retry);
  retry = null;
  if (source || document.hidden) return;
  const url = new URL(address, location.origin);
  if (since) url.searchParams.set("since", since);
  source = new EventSource(url);
  heard = Date.now();
  source.addEventListener("open", alive);
  source.addEventListener("beat", alive);
  source.addEventListener("change", change);
  source.addEventListener("error", gone);
}

if (address) {
  // A browser has few connections for one place: a page that nobody sees gives its own back, and catches up later.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
      say("asleep", "asleep");
    } else {
      open();
    }
  });
  tell();
  addEventListener("pageshow", open);
  addEventListener("pagehide", close);
  setInterval(() => {
    if (source && Date.now() - heard > QUIET) gone();
  }, 5_000);
  open();
}
