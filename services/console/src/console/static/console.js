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
// A form is sent once somebody is known to hear it: what is typed outlives an ended
// session and a lost connection. It carries a key, so sending it twice acts once.
const PAUSE_MS = 2000;
const heard = new WeakSet();

async function untilHeard() {
  for (;;) {
    try {
      const answer = await fetch("/session");
      if (answer.status < 500) return answer.status !== 401;
    } catch { /* no connection: again below */ }
    isOffline(true);
    await new Promise((go) => { setTimeout(go, PAUSE_MS); addEventListener("online", go, { once: true }); });
  }
}

document.addEventListener("submit", async (event) => {
  const { target: form, submitter: button } = event;
  if (event.defaultPrevented || form.method !== "post" || !form.closest("main") || !$("header.side")) return;
  if (heard.delete(form)) return;
  event.preventDefault();
  if (button?.getAttribute("aria-busy")) return;
  button?.setAttribute("aria-busy", "true");
  const isSignedIn = await untilHeard();
  isOffline(false);
  button?.removeAttribute("aria-busy");
  if (isSignedIn) {
    heard.add(form);
    form.requestSubmit(button);
  } else document.dispatchEvent(new CustomEvent("signed-out"));
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

// ── many at once: orders, parcels ──────────────────────────────────────────────────
const bulk = $("[data-bulk]");
if (bulk) {
  const go = $$("[data-bulk-go]", bulk);
  const show = () => {
    const ticked = $$("[data-each]:checked", bulk).length;
    for (const bar of $$("[data-bulk-bar]", bulk)) bar.hidden = !ticked;
    for (const button of go) button.disabled = !ticked;
    for (const said of $$("[data-bulk-count]", bulk)) said.textContent = ticked;
  };
  bulk.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) for (const box of $$("[data-each]", bulk)) box.checked = event.target.checked;
    if (event.target.dataset.grams) $("[data-weight-of-size]", bulk).value = event.target.dataset.grams;
    show();
  });
  // A scanner types a parcel's id, or somebody its order's number: that row is ticked.
  $("[data-tick]")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const field = $("input", event.target);
    const code = field.value.trim().replace(/^#/, "");
    field.value = "";
    if (!code) return;
    const boxes = $$("[data-each]", bulk).filter((box) => box.value === code || box.dataset.number === code);
    const said = $("[data-said]", event.target);
    for (const box of boxes) box.checked = true;
    boxes[0]?.closest("[data-row]").scrollIntoView({ block: "nearest" });
    said.className = `said ${boxes.length ? "good" : "bad"}`;
    said.textContent = boxes.length ? `${code} is ticked.` : `${code} does not wait here.`;
    show();
  });
  show();
}

// ── orders: views that are kept on this machine ────────────────────────────────────
const views = $("[data-views]");
if (views) {
  const KEPT = "console:views";
  const MOST = 12;
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
  const here = location.search.slice(1);
  const isHere = (view) => view.query === here;
  const keep = (list) => {
    localStorage.setItem(KEPT, JSON.stringify(list.slice(-MOST)));
    location.reload();
  };
  for (const view of kept) {
    const link = Object.assign(document.createElement("a"), { className: "filter", href: `/orders?${view.query}`, textContent: view.name });
    if (isHere(view)) link.setAttribute("aria-current", "true");
    $("[data-kept]", views).before(link);
  }
  const save = $("[data-save-view]", views);
  save.hidden = !here || kept.some(isHere);
  save.addEventListener("toggle", () => { if (save.open) $("input", save).focus(); });
  save.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    save.open = false;
    $("summary", save).focus();
  });
  $("form", save).addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("input", save).value.trim();
    if (name) keep([...kept.filter((view) => view.name !== name), { name, query: here }]);
  });
  const forget = $("[data-forget-view]", views);
  forget.hidden = !kept.some(isHere);
  forget.addEventListener("click", () => keep(kept.filter((view) => !isHere(view))));
}
