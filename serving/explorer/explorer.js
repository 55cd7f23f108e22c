// The page of a server: whom to recommend to, what comes of it, and why. No library, no build step;
// every text from the server is set as text, never as HTML.
"use strict";

const $ = (id) => document.getElementById(id);
const state = { about: null, liked: [], seen: 0 };

async function ask(method, path, body) {
  const headers = { "content-type": "application/json" };
  const key = sessionStorage.getItem("key");
  if (key) headers.authorization = `Bearer ${key}`;
  const started = performance.now();
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const found = await answer.json().catch(() => ({}));
  if (answer.status === 401) $("key-form").hidden = false;
  if (!answer.ok) throw new Error(found.error ? found.error.message : `The server answered ${answer.status}.`);
  $("took").textContent = `${(performance.now() - started).toFixed(0)} ms`;
  if (found.release) $("release").textContent = found.release;
  return found;
}

function make(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function shown(value) {
  if (value === null || value === undefined || value === "") return null;
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value === "number" && !Number.isInteger(value)) return value.toFixed(4);
  if (typeof value === "object") return Object.entries(value).map(([n, v]) => `${n}: ${shown(v)}`).join("; ");
  return String(value);
}

function titleOf(item) {
  return item.title || item.id;
}

function metaOf(item) {
  const rest = Object.entries(item).filter(([name]) => !["id", "title", "score"].includes(name));
  return rest.map(([, value]) => shown(value)).filter(Boolean).join(" · ");
}

// ---- the release

function describe(about) {
  $("name").textContent = about.name;
  document.title = `${about.name} – recsys explorer`;
  $("release").textContent = about.release;
  const counts = about.items
    ? `${about.items.toLocaleString("en")} items, ${about.users.toLocaleString("en")} known users`
    : `${about.features.length} features`;
  $("summary").textContent = `Release ${about.release} for ${about.task}, made ${about.created.slice(0, 10)}: ${counts}.`;
  const rows = [["space", about.space_id]];
  for (const [name, value] of Object.entries(about.quality.metrics || {})) {
    rows.push([`${name} (${about.quality.split || "?"})`, value]);
  }
  const index = about.quality.index;
  if (index) rows.push([`index ${index.kind}, recall@${index.recall_at}`, index.is_exact ? "1 (exact)" : index.recall]);
  for (const [size, ms] of Object.entries(about.quality.latency_ms || {})) rows.push([`ms for ${size} rows`, ms]);
  for (const [name, bytes] of Object.entries(about.quality.bytes || {})) rows.push([`${name} bytes`, bytes]);
  for (const [name, value] of Object.entries(about.data || {})) rows.push([name, value]);
  const told = rows.filter(([, value]) => shown(value) !== null);
  $("quality").replaceChildren(...told.flatMap(([name, value]) => [
    make("dt", { textContent: name }), make("dd", { textContent: shown(value) }),
  ]));
}

function prepare(about) {
  const isClick = about.task === "click";
  $("user-field").hidden = $("options").hidden = isClick;
  $("liked-field").hidden = isClick || !about.history;
  $("anybody").hidden = !about.examples.length;
  $("users").replaceChildren(...about.examples.map((name) => make("option", { value: name })));
  const told = about.features.filter((f) => f.name !== about.history && f.name !== about.user_column);
  $("features").replaceChildren(...told.map((feature) => {
    const input = make("input", { id: `feature-${feature.name}`, autocomplete: "off" });
    input.dataset.feature = feature.name;
    input.dataset.kind = feature.kind;
    const label = make("label", { textContent: feature.name, htmlFor: input.id });
    return make("div", { className: "field" }, label, input);
  }));
  const filters = Object.entries(about.columns).map(([name, column]) => filterOf(name, column)).filter(Boolean);
  $("filters").append(...filters);
  $("filters").hidden = !filters.length;
  if (isClick) {
    $("submit").textContent = "Predict";
    $("results-title").textContent = "Probability";
    $("status").textContent = "Tell what is known; the rest gets its default.";
  }
  $("ask").hidden = false;
}

function filterOf(name, column) {
  const id = `filter-${name}`;
  if (column.kind === "choice") {
    const options = ["", ...column.choices].map((value) => make("option", { value, textContent: value || "any" }));
    const select = make("select", { id }, ...options);
    select.dataset.column = name;
    return make("div", { className: "field" }, make("label", { textContent: name, htmlFor: id }), select);
  }
  if (column.kind !== "number") return null;
  const ends = [["min", column.least], ["max", column.most]].map(([end, value]) => {
    const input = make("input", { id: `${id}-${end}`, type: "number", step: "any", placeholder: `${value}` });
    input.dataset.column = name;
    input.dataset.end = end;
    input.setAttribute("aria-label", `${name}, ${end === "min" ? "at least" : "at most"}`);
    return input;
  });
  const label = make("label", { textContent: name, htmlFor: ends[0].id });
  return make("div", { className: "field" }, label, make("div", { className: "row" }, ...ends));
}

// ---- what is asked

function filters() {
  const found = {};
  for (const field of $("filters").querySelectorAll("[data-column]")) {
    if (!field.value) continue;
    const name = field.dataset.column;
    if (field.dataset.end) found[name] = { ...found[name], [field.dataset.end]: Number(field.value) };
    else found[name] = [field.value];
  }
  return found;
}

function features() {
  const found = {};
  for (const field of $("features").querySelectorAll("[data-feature]")) {
    if (!field.value) continue;
    const isList = ["bag", "sequence"].includes(field.dataset.kind);
    found[field.dataset.feature] = isList ? field.value.split(",").map((part) => part.trim()) : field.value;
  }
  return found;
}

function whom() {
  const asked = { features: features() };
  if ($("user").value.trim()) asked.user = $("user").value.trim();
  if (state.liked.length) asked.history = state.liked.map((item) => item.id);
  return asked;
}

async function submit() {
  const turn = ++state.seen;
  $("side").hidden = true;
  document.querySelector("main").classList.remove("with-side");
  $("status").className = "";
  $("status").textContent = "Asking…";
  try {
    if (state.about.task === "click") await predict();
    else await recommend(turn);
  } catch (error) {
    fail($("status"), error);
    $("list").replaceChildren();
    $("notes").textContent = "";
  }
}

async function recommend(turn) {
  const asked = whom();
  const found = await ask("POST", "v1/recommend", {
    ...asked, k: Number($("k").value) || 10, filter: filters(), exclude_seen: $("exclude-seen").checked,
  });
  if (turn !== state.seen) return;
  const name = asked.history ? "somebody who likes these" : asked.user ? `user ${asked.user}` : "somebody new";
  $("status").textContent = found.items.length
    ? `${found.items.length} items for ${name}.`
    : `Nothing is left to show ${name}: loosen the filter.`;
  const notes = [];
  if (found.is_known === false) notes.push("Nothing is known of this user: this is what is popular.");
  if (found.unknown && found.unknown.length) notes.push(`Never seen in training: ${found.unknown.join(", ")}.`);
  if (found.imputed && found.imputed.length) notes.push(`Not told, so defaults: ${found.imputed.join(", ")}.`);
  $("notes").textContent = notes.join(" ");
  const isKnown = found.is_known !== false;
  $("list").replaceChildren(...found.items.map((item) => row(item, isKnown ? asked : null)));
}

async function predict() {
  const row = features();
  const found = await ask("POST", "v1/predict", { rows: [row] });
  const percent = (100 * found.probabilities[0]).toFixed(2);
  $("status").textContent = `${percent} %`;
  const imputed = (found.imputed_rows && found.imputed_rows[0]) || found.imputed || [];
  $("notes").textContent = imputed.length ? `Not told, so defaults: ${imputed.join(", ")}.` : "";
  const reasons = await ask("POST", "v1/explain", { features: row });
  $("list").replaceChildren(...shares(reasons));
}

function row(item, asked) {
  const head = make("div", { className: "item" },
    make("span", { className: "title", textContent: titleOf(item) }),
    make("span", { className: "score", textContent: item.score.toFixed(4), title: "score" }));
  const meta = make("div", { className: "meta", textContent: metaOf(item) });
  const actions = make("div", { className: "actions" });
  if (asked) actions.append(action("Why?", item, () => why(item, asked)));
  actions.append(action("Similar", item, () => similar(item)));
  return make("li", {}, head, meta, actions);
}

function action(text, item, run) {
  const button = make("button", { type: "button", textContent: text, onclick: run });
  button.setAttribute("aria-label", `${text} ${titleOf(item)}`);
  return button;
}

// ---- why, and what is similar

async function beside(title, fill) {
  $("side-title").textContent = title;
  $("side-status").className = "";
  $("side-status").textContent = "Asking…";
  $("side-list").replaceChildren();
  $("side").hidden = false;
  document.querySelector("main").classList.add("with-side");
  try {
    const { text, rows } = await fill();
    $("side-status").textContent = text;
    $("side-list").replaceChildren(...rows);
  } catch (error) {
    fail($("side-status"), error);
  }
  $("side").scrollIntoView({ block: "nearest" });
}

function why(item, asked) {
  return beside(`Why ${titleOf(item)}?`, async () => {
    const found = await ask("POST", "v1/explain", { ...asked, item: item.id });
    const by = { skills: "skills that it asks for", features: "what is known of the user", history: "what the user liked" };
    return { text: `Score ${found.score.toFixed(4)}, by ${by[found.by] || found.by}:`, rows: shares(found) };
  });
}

function shares(found) {
  const most = Math.max(...found.reasons.map((reason) => Math.abs(reason.share)), 1e-12);
  return found.reasons.map((reason) => {
    const name = make("span", { textContent: reason.title || reason.name });
    const sign = reason.share < 0 ? "−" : "+";
    const share = make("span", { className: "score", textContent: sign + Math.abs(reason.share).toFixed(4) });
    return make("li", { className: "share" }, name, share, bar(Math.abs(reason.share) / most, reason.share < 0));
  });
}

function bar(part, isLess) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("viewBox", "0 0 100 4");
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("aria-hidden", "true");
  picture.setAttribute("class", isLess ? "bar less" : "bar");
  const filled = document.createElementNS(space, "rect");
  filled.setAttribute("width", (100 * part).toFixed(2));
  filled.setAttribute("height", "4");
  picture.append(filled);
  return picture;
}

function similar(item) {
  return beside(`Like ${titleOf(item)}`, async () => {
    const found = await ask("POST", "v1/similar", { item: item.id, k: 10 });
    return { text: `${found.items.length} items near it.`, rows: found.items.map((other) => row(other, null)) };
  });
}

// ---- typing

function fail(place, error) {
  place.className = "error";
  place.textContent = error.message;
}

function chips() {
  $("chips").replaceChildren(...state.liked.map((item, place) => {
    const remove = () => { state.liked.splice(place, 1); chips(); submit(); };
    const button = make("button", { type: "button", textContent: `${titleOf(item)} ×`, onclick: remove });
    button.setAttribute("aria-label", `Remove ${titleOf(item)}`);
    return make("li", {}, button);
  }));
}

let offered = new Map();
let waiting = 0;

function later(run) {
  clearTimeout(waiting);
  waiting = setTimeout(run, 120);
}

async function offerItems() {
  const text = $("liked").value;
  const chosen = offered.get(text);
  if (chosen) {
    $("liked").value = "";
    if (!state.liked.some((item) => item.id === chosen.id)) state.liked.push(chosen);
    chips();
    submit();
    return;
  }
  later(async () => {
    const found = await ask("POST", "v1/explore/items", { query: text, limit: 20 }).catch(() => ({ items: [] }));
    offered = new Map(found.items.map((item) => [titleOf(item), item]));
    $("items").replaceChildren(...[...offered.keys()].map((value) => make("option", { value })));
  });
}

function offerUsers() {
  if (!state.about.examples.length) return;
  later(async () => {
    const asked = { query: $("user").value.trim(), limit: 20 };
    const found = await ask("POST", "v1/explore/users", asked).catch(() => ({ users: [] }));
    $("users").replaceChildren(...found.users.map((value) => make("option", { value })));
  });
}

async function start() {
  try {
    state.about = await ask("GET", "v1/about");
  } catch (error) {
    $("name").textContent = "recsys explorer";
    fail($("status"), error);
    return;
  }
  describe(state.about);
  prepare(state.about);
  const user = new URLSearchParams(location.search).get("user");
  if (user) {
    $("user").value = user;
    submit();
  }
}

$("ask").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
$("liked").addEventListener("input", offerItems);
$("liked").addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
$("user").addEventListener("input", offerUsers);
$("anybody").addEventListener("click", () => {
  const names = state.about.examples;
  $("user").value = names[Math.floor(Math.random() * names.length)];
  submit();
});
$("side-close").addEventListener("click", () => {
  $("side").hidden = true;
  document.querySelector("main").classList.remove("with-side");
});
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  $("key-form").hidden = true;
  start();
});
start();
