// Keys, times in the reader's own zone, and what happens when a session or a connection
// ends. Without it the pages are links and forms, and work.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// ── times ──────────────────────────────────────────────────────────────────────────
const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [Infinity, 86400, "d"]];
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function about(seconds) {
  const [, length, unit] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return `${Math.floor(Math.abs(seconds) / length)} ${unit}`;
}

function tellTimes(within = document) {
  for (const time of $$("time[datetime]", within)) {
    const at = new Date(time.dateTime);
    const seconds = (Date.now() - at) / 1000;
    const words = about(seconds);
    time.title = EXACT.format(at);
    time.textContent = { at: EXACT.format(at), age: words, ago: seconds < 0 ? `in ${words}` : `${words} ago` }[time.dataset.form];
  }
}

// ── keys ───────────────────────────────────────────────────────────────────────────
const isTyping = (target) => (document.activeElement ?? target).closest("input:not([type=radio],[type=checkbox]), textarea, select, dialog[open]");
let going = 0;

function move(step) {
  const links = $$("[data-row] .open");
  if (!links.length) return;
  const at = links.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
  const next = links[at < 0 ? 0 : Math.max(0, Math.min(links.length - 1, at + step))];
  next.focus();
  next.closest("[data-row]").scrollIntoView({ block: "nearest" });
}

function go(key) {
  const link = $(`[data-go="${CSS.escape(key)}"]`);
  if (link) location.assign(link.href);
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  a: () => $("[data-take]", document.activeElement.closest("[data-row]") ?? document)?.click(),
  g: () => { going = Date.now(); },
  "/": () => $("[data-search]")?.focus(),
  "?": () => $("#keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (Date.now() - going < 1500 && event.key !== "g") {
    going = 0;
    go(event.key);
    return;
  }
  const choice = $(`[data-digit="${CSS.escape(event.key)}"]`);
  if (choice && !choice.matches(":disabled")) {
    choice.checked = true;
    choice.focus();
    event.preventDefault();
  } else if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
  for (const menu of $$("details.who[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// ── forms ──────────────────────────────────────────────────────────────────────────
// A form carries a key, so sending it twice acts once; the button only says that it is
// under way.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button && event.target.method === "post") {
    button.setAttribute("aria-busy", "true");
    setTimeout(() => button.removeAttribute("aria-busy"), 4000);
  }
});

// A filter that is chosen is at once in the address.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

// ── the session, the connection ────────────────────────────────────────────────────
document.addEventListener("signed-out", () => {
  const dialog = $("#signed-out");
  if (!dialog.open) dialog.showModal();
});
const isOffline = (is) => { $("#offline").hidden = !is; };
addEventListener("offline", () => isOffline(true));
addEventListener("online", () => isOffline(false));
document.addEventListener("htmx:sendError", () => isOffline(true));
document.addEventListener("htmx:afterOnLoad", () => isOffline(false));
document.addEventListener("htmx:afterSwap", () => tellTimes());

tellTimes();
setInterval(tellTimes, 30000);

// ── orders: many at once, views that are kept on this machine ──────────────────────
const bulk = $("[data-bulk]");
if (bulk) {
  const ticked = () => $$("[name=order]:checked", bulk).length;
  const show = () => {
    $("[data-bulk-bar]", bulk).hidden = !ticked();
    $("[data-bulk-count]", bulk).textContent = `${ticked()} chosen`;
  };
  bulk.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) for (const box of $$("[name=order]", bulk)) box.checked = event.target.checked;
    show();
  });
  show();
}

const views = $("[data-views]");
if (views) {
  const KEPT = "console:views";
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
  const save = $("[data-save-view]", views);
  for (const view of kept) {
    const link = Object.assign(document.createElement("a"), { className: "filter", href: `/orders?${view.query}`, textContent: view.name });
    if (`?${view.query}` === location.search) link.setAttribute("aria-current", "true");
    save.before(link);
  }
  save.hidden = !location.search || kept.some((view) => `?${view.query}` === location.search);
  save.addEventListener("click", () => {
    const name = prompt("What is it called?")?.trim();
    if (!name) return;
    localStorage.setItem(KEPT, JSON.stringify([...kept, { name, query: location.search.slice(1) }].slice(-12)));
    location.reload();
  });
}

// ── returns: what is paid back for what is accepted ────────────────────────────────
document.addEventListener("change", (event) => {
  const line = event.target.dataset.accepted;
  if (!line) return;
  const at = $(`[data-price-of="${CSS.escape(line)}"]`);
  if (at) at.textContent = event.target.selectedOptions[0].dataset.price;
});
