// The bench: a scanner types a code and Enter. Every scan is kept on this machine before
// anything else happens, and what is packed is sent under one key until it is answered:
// a lost connection, a closed tab or a flat battery loses no scan and packs nothing twice.
"use strict";

(() => {
  const bench = document.querySelector("[data-bench]");
  if (!bench?.dataset.ready) return;
  const one = (selector) => bench.querySelector(selector);
  const all = (selector) => [...bench.querySelectorAll(selector)];
  const place = `bench:${bench.dataset.bench}`;
  const lines = all("[data-line]");
  const scan = one("#scan");

  const fresh = () => ({ scanned: {}, missing: {}, boxes: [], grams: 900, edges: [300, 200, 150], key: crypto.randomUUID(), sent: null });
  const kept = () => { try { return JSON.parse(localStorage.getItem(place)); } catch { return null; } };
  const state = kept() ?? fresh();
  const keep = () => localStorage.setItem(place, JSON.stringify(state));

  const wanted = (line) => Number(line.dataset.wanted);
  const scanned = (line) => state.scanned[line.dataset.line] ?? 0;
  const isDone = (line) => scanned(line) === wanted(line) || Boolean(state.missing[line.dataset.line]);
  const isComplete = () => lines.every(isDone) && (lines.some(scanned) || lines.every((line) => state.missing[line.dataset.line]));

  function say(text, tone = "good") {
    const said = one("[data-said]");
    said.textContent = text;
    said.className = `said ${tone}`;
    if (tone === "bad" && navigator.vibrate) navigator.vibrate(200);
  }

  function show() {
    for (const line of lines) {
      const missing = state.missing[line.dataset.line];
      line.querySelector("[data-scanned]").textContent = scanned(line);
      line.classList.toggle("done", scanned(line) === wanted(line));
      line.classList.toggle("short", Boolean(missing));
      line.querySelector("[data-state]").textContent = missing ? `${wanted(line) - scanned(line)} missing` : "";
    }
    one("[data-box]").textContent = state.boxes.length + 1;
    one("[data-weight]").value = state.grams;
    one("[data-boxes]").replaceChildren(...state.boxes.map((box, i) => Object.assign(document.createElement("li"), { textContent: `Box ${i + 1}: ${box.weight_g} g` })));
    for (const preset of all("[data-preset]")) preset.setAttribute("aria-pressed", String(preset.dataset.edges === state.edges.join("x")));
    one("[data-pack]").disabled = !isComplete() || Boolean(state.sent);
    keep();
  }

  function count(line, n) {
    const next = scanned(line) + n;
    if (next > wanted(line)) return say(`Too many: only ${wanted(line)} of this.`, "bad");
    state.scanned[line.dataset.line] = Math.max(0, next);
    delete state.missing[line.dataset.line];
    say(`${line.querySelector("strong").textContent}: ${Math.max(0, next)} of ${wanted(line)}`);
    show();
    if (isComplete()) say("All there. Scan PACK, or a size first.");
  }

  function missing(line) {
    if (!line) return say("Nothing is missing.", "bad");
    state.missing[line.dataset.line] = true;
    say(`${wanted(line) - scanned(line)} missing. Somebody decides about them.`, "warn");
    show();
  }

  function preset(name) {
    const chosen = all("[data-preset]").find((button) => button.dataset.preset === name);
    if (!chosen) return false;
    state.grams = Number(chosen.dataset.grams);
    state.edges = chosen.dataset.edges.split("x").map(Number);
    say(`Box ${state.boxes.length + 1}: ${name}`);
    show();
    return true;
  }

  const box = () => ({ weight_g: state.grams, length_mm: state.edges[0], width_mm: state.edges[1], height_mm: state.edges[2] });

  function nextBox() {
    state.boxes.push(box());
    say(`Box ${state.boxes.length + 1}`);
    show();
  }

  // ── packing ──────────────────────────────────────────────────────────────────────
  const told = (text, tone = "") => { const at = one("[data-sent]"); at.textContent = text; at.className = `said ${tone}`; };
  const pause = (ms) => new Promise((go) => { setTimeout(go, ms); addEventListener("online", go, { once: true }); });

  async function pack() {
    if (!isComplete()) return say("Not everything is scanned: scan MISSING for what is not there.", "bad");
    state.sent = { key: state.key, lines: lines.map((line) => ({ line: Number(line.dataset.line), quantity: scanned(line) })), parcels: [...state.boxes, box()] };
    show();
    await send();
  }

  async function send() {
    for (let wait = 1000; ; wait = Math.min(wait * 2, 15000)) {
      told("Packing …");
      let answer = null;
      try {
        answer = await fetch(`/bench/${bench.dataset.bench}/pack`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(state.sent) });
      } catch { /* no connection: again below */ }
      if (answer?.ok) {
        localStorage.removeItem(place);
        location.assign(`/bench/${bench.dataset.bench}`);
        return;
      }
      if (answer?.status === 401) {
        document.dispatchEvent(new CustomEvent("signed-out"));
        told("Your session has ended. What is scanned is kept.", "bad");
      } else if (answer && answer.status < 500) {
        const body = await answer.json().catch(() => ({ told: "It was refused." }));
        state.sent = null;
        state.key = crypto.randomUUID();
        told(body.told, "bad");
        show();
        return;
      } else {
        told("No connection. It is kept, and sent once it is back.", "warn");
      }
      await pause(wait);
    }
  }

  // ── input ────────────────────────────────────────────────────────────────────────
  function take(code) {
    const word = code.toUpperCase().replace(/[-_]/g, " ");
    const open = lines.find((line) => !isDone(line));
    if (word === "PACK") return pack();
    if (word === "NEXT BOX") return nextBox();
    if (word === "MISSING") return missing(open);
    const line = lines.find((l) => l.dataset.sku.toUpperCase() === code.toUpperCase() && scanned(l) < wanted(l)) ?? lines.find((l) => l.dataset.sku.toUpperCase() === code.toUpperCase());
    if (line) return count(line, 1);
    if (preset(word)) return undefined;
    return say(`${code} does not belong into this parcel.`, "bad");
  }

  one("[data-scan-form]").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = scan.value.trim();
    scan.value = "";
    if (code && !state.sent) take(code);
  });
  // Wherever somebody has clicked: what a scanner types lands in the field.
  document.addEventListener("keydown", (event) => {
    if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.target.closest("input, textarea, select, dialog[open]")) scan.focus();
  }, true);
  for (const line of lines) {
    line.querySelector("[data-more]").addEventListener("click", () => count(line, 1));
    line.querySelector("[data-less]").addEventListener("click", () => count(line, -1));
    line.querySelector("[data-missing]").addEventListener("click", () => missing(line));
  }
  for (const button of all("[data-preset]")) button.addEventListener("click", () => preset(button.dataset.preset));
  one("[data-weight]").addEventListener("change", (event) => { state.grams = Number(event.target.value) || state.grams; show(); });
  one("[data-next-box]").addEventListener("click", nextBox);
  one("[data-pack]").addEventListener("click", pack);

  show();
  if (kept() && Object.keys(state.scanned).length) say("What was scanned before is still here.");
  if (state.sent) send();
})();
