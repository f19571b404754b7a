// The page: a list that the emulator keeps up to date, and one exchange, opened.
// All texts of an exchange are set as text, never as HTML.

const byId = (id) => document.getElementById(id);
const MILLISECONDS_BETWEEN_FETCHES = 150;
const BINS = 250;
const KINDS = ["comment", "padding", "empty", "reasoning", "text", "body", "tool call", "refusal",
  "annotation", "finish", "usage", "done", "error", "broken"];

const exchanges = new Map();
const items = new Map();
const opened = { number: null, shown: null, tab: "conversation", events: 0 };

// ------------------------------------------------------------------------------- words

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== false && child !== ""));
  return element;
}

function duration(milliseconds) {
  if (milliseconds == null) return "–";
  if (milliseconds < 1) return `${milliseconds.toFixed(2)} ms`;
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

const tokens = (number) => number.toLocaleString("en-US");
const dollars = (amount) => amount === 0 ? "$0"
  : `$${amount.toFixed(Math.abs(amount) < 1 ? 6 : 2).replace(/(\.\d\d+?)0+$/, "$1")}`;
const plural = (number, word) => `${tokens(number)} ${word}${number === 1 ? "" : "s"}`;

function bytes(number) {
  if (number < 1024) return plural(number, "byte");
  return number < 1 << 20 ? `${(number / 1024).toFixed(1)} KiB` : `${(number / (1 << 20)).toFixed(1)} MiB`;
}

function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour12: false });
}

const title = (exchange) => exchange.prompt || `${exchange.method} ${exchange.path}`;

// -------------------------------------------------------------------------------- list

function matches(exchange) {
  const wanted = byId("filter").value.trim().toLowerCase();
  if (byId("trouble").checked && exchange.level !== "bad" && !exchange.fault) return false;
  const texts = [exchange.prompt, exchange.reply, exchange.model, exchange.path, exchange.outcome,
    exchange.fault, String(exchange.status), `#${exchange.number}`];
  return texts.join("\n").toLowerCase().includes(wanted);
}

function listItem(exchange) {
  const { usage } = exchange;
  const amount = usage.prompt == null || usage.completion == null ? null
    : `${tokens(usage.prompt + usage.completion)} tokens`;
  const facts = [exchange.model, exchange.stream ? "stream" : null, amount,
    usage.cost == null ? null : dollars(usage.cost)].filter(Boolean);
  return [
    make("span", { class: "line" },
      make("span", { class: "number" }, `#${exchange.number}`),
      make("strong", {}, title(exchange)),
      make("span", { class: "time" }, duration(exchange.last))),
    make("span", { class: "line facts" },
      make("span", {}, facts.join(" · ") || exchange.method)),
    make("span", { class: "line" },
      make("span", { class: "badge", "data-level": exchange.level },
        [exchange.status, exchange.outcome].filter(Boolean).join(" · ")),
      exchange.fault && make("span", { class: "badge fault" },
        make("span", { class: "hidden" }, "fault: "), exchange.fault.split(" (")[0])),
  ];
}

function showItem(exchange) {
  let item = items.get(exchange.number);
  if (!item) {
    item = make("li", {}, make("a", { href: `#${exchange.number}` }));
    items.set(exchange.number, item);
    const next = [...byId("list").children].find((each) => numberOf(each) < exchange.number);
    byId("list").insertBefore(item, next ?? null);
  }
  item.firstChild.replaceChildren(...listItem(exchange));
  item.firstChild.dataset.level = exchange.level;
  item.hidden = !matches(exchange);
  markCurrent(item);
}

const numberOf = (item) => Number(item.firstChild.hash.slice(1));

function markCurrent(item) {
  if (numberOf(item) === opened.number) item.firstChild.setAttribute("aria-current", "true");
  else item.firstChild.removeAttribute("aria-current");
}

function filterList() {
  for (const [number, item] of items) item.hidden = !matches(exchanges.get(number));
  sayWhatIsMissing();
}

function sayWhatIsMissing() {
  const shown = [...items.values()].some((item) => !item.hidden);
  byId("nothing").hidden = shown;
  byId("nothing").textContent = exchanges.size ? "No exchange matches the filter."
    : "No exchange yet.";
}

function showTotals() {
  const all = [...exchanges.values()];
  const sum = (figure) => all.reduce((total, each) => total + (each.usage[figure] ?? 0), 0);
  const trouble = all.filter((each) => each.level === "bad").length;
  const figures = [["exchanges", tokens(all.length)],
    ["tokens", tokens(sum("prompt") + sum("completion"))],
    ["cost", dollars(sum("cost"))], ["trouble", tokens(trouble)]];
  byId("totals").replaceChildren(...figures.map(figure));
}

const figure = ([name, value, note]) => make("div", {}, make("dt", {}, name),
  make("dd", {}, value, note && make("small", {}, note)));

function forget(isForgotten) {
  for (const number of [...exchanges.keys()].filter(isForgotten)) {
    exchanges.delete(number);
    items.get(number).remove();
    items.delete(number);
    if (number === opened.number) showForgotten(number);
  }
}

// ------------------------------------------------------------------------ one exchange

let fetching = false;
let isStale = false;

async function refresh() {
  isStale = true;
  if (fetching || opened.number == null) return;
  fetching = true;
  while (isStale && opened.number != null) {
    isStale = false;
    const began = performance.now();
    const { number } = opened;
    const answer = await fetch(`/_emulator/exchanges/${number}`).catch(() => null);
    if (answer?.ok) {
      const exchange = await answer.json();
      if (number === opened.number) showExchange(exchange);
    } else if (answer && number === opened.number) {
      showForgotten(number);
    }
    const busy = performance.now() - began;
    await new Promise((go) => setTimeout(go, Math.max(MILLISECONDS_BETWEEN_FETCHES, 3 * busy)));
  }
  fetching = false;
}

function open(number) {
  const isOther = number !== opened.number;
  opened.number = number;
  byId("main").dataset.open = String(number != null);
  for (const item of items.values()) markCurrent(item);
  byId("welcome").hidden = number != null;
  if (number == null) byId("exchange").hidden = true;
  if (number == null || !isOther) return;
  opened.shown = null;
  byId("details").scrollTop = 0;
  refreshNow();
}

function refreshNow() {
  // A fetch that waits for its turn would delay what a person has just asked for.
  const { number } = opened;
  fetch(`/_emulator/exchanges/${number}`).then(async (answer) => {
    if (number !== opened.number) return;
    if (answer.ok) showExchange(await answer.json());
    else showForgotten(number);
    if (isNarrow()) byId("title").focus();
  }).catch(() => refresh());
}

function showForgotten(number) {
  if (opened.shown?.number === number) {
    byId("subtitle").textContent = "The emulator keeps this exchange no longer.";
    return;
  }
  location.hash = "";
}

function showExchange(exchange) {
  const isFirst = opened.shown?.number !== exchange.number;
  opened.shown = exchange;
  byId("exchange").hidden = false;
  byId("title").textContent = `#${exchange.number} ${title(exchange)}`;
  byId("subtitle").textContent = [`${exchange.method} ${exchange.path}`, clock(exchange.started),
    exchange.model, exchange.stream ? "stream" : null, exchange.answer.provider && `by ${exchange.answer.provider}`]
    .filter(Boolean).join(" · ");
  byId("outcome").replaceChildren(
    make("span", { class: "badge", "data-level": exchange.level },
      [exchange.status, exchange.outcome].filter(Boolean).join(" · ")),
    exchange.fault && make("span", { class: "badge fault" }, `fault: ${exchange.fault}`));
  byId("figures").replaceChildren(...figures(exchange).map(figure));
  showTimeline(exchange);
  showPanel(isFirst);
}

function figures(exchange) {
  const { usage } = exchange;
  const of = (value, note) => value == null ? ["–"] : [tokens(value), note];
  return [
    ["first byte", duration(exchange.first_byte)],
    ["first token", duration(exchange.first_token)],
    ["total", duration(exchange.last)],
    ["prompt tokens", ...of(usage.prompt, usage.cached ? `${tokens(usage.cached)} cached` : "")],
    ["completion tokens",
      ...of(usage.completion, usage.reasoning ? `${tokens(usage.reasoning)} reasoning` : "")],
    ["cost", usage.cost == null ? "–" : dollars(usage.cost)],
    ["body", bytes(exchange.sent)],
  ];
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function showTimeline({ events, last, level, outcome, state }) {
  const end = Math.max(last ?? 0, 0.1);
  const bins = new Map();
  for (const event of events) {
    const bin = Math.min(BINS - 1, Math.floor((event.at / end) * BINS));
    const kinds = bins.get(bin) ?? bins.set(bin, new Map()).get(bin);
    kinds.set(event.kind, (kinds.get(event.kind) ?? 0) + 1);
  }
  const strip = byId("timeline");
  strip.replaceChildren();
  for (const [bin, kinds] of bins) strip.append(...bars(bin, kinds));
  const isBroken = ["closed", "reset", "left", "failed"].includes(state);
  if (isBroken) strip.append(svg("rect", { class: "break", x: 994, y: 0, width: 6, height: 44 }));
  strip.setAttribute("aria-label",
    `Timeline: ${plural(events.length, "event")} in ${duration(end)}; ${outcome}`);
  strip.dataset.level = level;
  const marks = [0, 0.25, 0.5, 0.75, 1].map((part) => make("span", {}, part ? duration(part * end) : "0"));
  byId("axis").replaceChildren(...marks);
  const counts = Map.groupBy ? Map.groupBy(events, (event) => event.kind) : grouped(events);
  byId("legend").replaceChildren(...KINDS.filter((kind) => counts.has(kind)).map((kind) =>
    make("span", { class: "kind", "data-kind": kind }, `${kind} ${tokens(counts.get(kind).length)}`)));
}

function grouped(events) {
  const groups = new Map();
  for (const event of events) groups.set(event.kind, [...(groups.get(event.kind) ?? []), event]);
  return groups;
}

function bars(bin, kinds) {
  const total = [...kinds.values()].reduce((sum, count) => sum + count, 0);
  const height = Math.min(42, 26 + 5 * Math.log2(total));
  let y = 44;
  return [...kinds].map(([kind, count]) => {
    const part = (height * count) / total;
    y -= part;
    return svg("rect", { "data-kind": kind, x: bin * (1000 / BINS), y, width: 3, height: part });
  });
}

// -------------------------------------------------------------------------------- tabs

const panels = { conversation, events: eventList, request, response };

function showPanel(isFirst) {
  const panel = byId("panel");
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const isShown = tab.id === `tab-${opened.tab}`;
    tab.setAttribute("aria-selected", String(isShown));
    tab.tabIndex = isShown ? 0 : -1;
    if (isShown) panel.setAttribute("aria-labelledby", tab.id);
  }
  byId("tab-events").textContent = `Events ${tokens(opened.shown.events.length)}`;
  const isSame = !isFirst && panel.dataset.tab === opened.tab;
  panel.dataset.tab = opened.tab;
  if (isSame && opened.tab === "events") addEvents(panel.querySelector("ol"));
  else if (!isSame || opened.tab !== "request") panel.replaceChildren(...panels[opened.tab](opened.shown));
}

function conversation(exchange) {
  const { messages, tools, parameters } = exchange.request;
  const offered = tools.map((name) => make("code", { class: "chip" }, name || "tool"));
  const settings = parameters.filter(([, value]) => value.length < 80)
    .map(([name, value]) => make("code", { class: "chip" }, `${name}: ${value}`));
  if (!messages.length) return [plainAnswer(exchange)];
  return [
    settings.length && make("p", { class: "chips" }, "Parameters ", ...settings),
    offered.length && make("p", { class: "chips" }, "Tools ", ...offered),
    make("div", { class: "thread" }, ...messages.map(message), answer(exchange)),
  ].filter(Boolean);
}

function plainAnswer(exchange) {
  const text = exchange.response.text;
  return text ? pre("Body of the answer", text) : make("p", { class: "nothing" }, exchange.outcome);
}

function message({ role, text, reasoning, calls, call_id: id }) {
  return make("section", { class: "message", "data-role": role, "aria-label": role },
    make("h3", {}, role, id && make("code", {}, id)),
    reasoning && make("p", { class: "reasoning" }, reasoning),
    text && make("p", {}, text), ...calls.map(call));
}

function call({ id, name, arguments: given }) {
  return make("div", { class: "call" }, make("p", {}, make("strong", {}, name), make("code", {}, id)),
    make("code", { class: "arguments" }, given));
}

function answer(exchange) {
  const { answer: given, level, outcome, response } = exchange;
  const isEmpty = !(given.text || given.refusal || given.reasoning || given.calls.length);
  const section = make("section", { class: "message", "data-role": "answer", "aria-label": "answer" },
    make("h3", {}, "answer", given.id && make("code", {}, given.id)),
    (given.reasoning || given.encrypted > 0) && make("details", { open: true, class: "thought" },
      make("summary", {}, "Reasoning",
        given.encrypted > 0 && make("small", {}, ` ${plural(given.encrypted, "encrypted character")}`)),
      given.reasoning && make("p", { class: "reasoning" }, given.reasoning)),
    given.text && make("p", {}, given.text),
    given.refusal && make("p", { class: "refusal" }, given.refusal),
    ...given.calls.map(call),
    ...given.annotations.map((text) => make("code", { class: "arguments" }, text)),
    level === "open" && make("p", { class: "caret" }, isEmpty ? "waiting for the answer" : "answering"),
    level === "bad" && make("p", { class: "notice" }, notice(exchange, isEmpty)),
    isEmpty && level === "good" && response.text && make("p", {}, response.text));
  return section;
}

function notice({ outcome, state, events, sent }, isEmpty) {
  if (state === "complete") return outcome;
  const whole = events.filter((event) => event.kind !== "broken").length;
  const far = sent ? `after ${plural(whole, "event")} and ${bytes(sent)}` : "before a byte of the body was sent";
  return `${outcome} ${far}${isEmpty ? "" : "; the answer is not complete"}`;
}

function eventList() {
  const { events, sent, response } = opened.shown;
  opened.events = 0;
  const list = make("ol", { class: "events" });
  addEvents(list);
  const missing = response.kept < sent && make("p", { class: "notice" },
    `The page keeps the first ${bytes(response.kept)} of ${bytes(sent)}.`);
  return [events.length ? list : make("p", { class: "nothing" }, "No byte of the body was sent."),
    missing].filter(Boolean);
}

function addEvents(list) {
  const { events } = opened.shown;
  if (!list) {
    byId("panel").replaceChildren(...eventList());
    return;
  }
  for (; opened.events < events.length; opened.events += 1) {
    list.append(eventItem(events[opened.events], events[opened.events - 1], opened.events + 1));
  }
}

function eventItem(event, before, number) {
  const pause = event.at - (before?.at ?? 0);
  const seen = event.brings || firstLine(event.text);
  return make("li", { "data-slow": pause >= 250 },
    make("details", {},
      make("summary", {},
        make("span", { class: "number" }, String(number)),
        make("span", { class: "time" }, duration(event.at)),
        make("span", { class: "time pause" }, `+${duration(pause)}`),
        make("span", { class: "kind", "data-kind": event.kind }, event.kind),
        make("span", { class: "seen" }, seen.replaceAll("\n", "↵"))),
      make("pre", {}, event.text)));
}

const firstLine = (text) => text.trim().split("\n")[0].replace(/^data: /, "").slice(0, 200);

function request({ request: { headers, text } }) {
  return [headerTable("Headers of the request", headers), pre("Body of the request", text)];
}

function response({ response: { headers, text, stream, damage }, status }) {
  if (status == null) return [make("p", { class: "nothing" }, "No headers were sent.")];
  return [headerTable("Headers of the response", headers),
    damage && make("p", { class: "notice" }, damage),
    stream ? make("p", { class: "nothing" }, "The body is a stream; its events have a tab of their own.")
      : pre("Body of the response", text)].filter(Boolean);
}

function headerTable(name, headers) {
  return make("section", { class: "part", "aria-label": name }, make("h3", {}, name),
    make("dl", { class: "headers" }, ...headers.map(([key, value]) => make("div", {},
      make("dt", {}, key), make("dd", {}, value ?? make("em", {}, "not shown"))))));
}

function pre(name, text) {
  return make("section", { class: "part", "aria-label": name }, make("h3", {}, name),
    text ? make("pre", {}, text) : make("p", { class: "nothing" }, "empty"));
}

// -------------------------------------------------------------------- keys and buttons

const isNarrow = () => matchMedia("(max-width: 820px)").matches;

function selectTab(name) {
  opened.tab = name;
  showPanel(false);
}

function moveTab(step) {
  const names = Object.keys(panels);
  selectTab(names[(names.indexOf(opened.tab) + step + names.length) % names.length]);
  byId(`tab-${opened.tab}`).focus();
}

function move(step) {
  const shown = [...byId("list").children].filter((item) => !item.hidden);
  const focused = shown.findIndex((item) => item.contains(document.activeElement));
  const at = focused >= 0 ? focused : shown.findIndex((item) => numberOf(item) === opened.number);
  const next = shown[at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + step))];
  if (!next) return;
  next.firstChild.focus();
  if (!isNarrow()) location.hash = next.firstChild.hash;
}

function close() {
  const item = items.get(opened.number);
  location.hash = "";
  open(null);
  item?.firstChild.focus();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input");
  const inTabs = event.target.matches("[role=tab]");
  if (event.key === "Escape") {
    if (isTyping) byId("list").querySelector("li:not([hidden]) a")?.focus();
    else if (opened.number != null) close();
  } else if (inTabs && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    moveTab(event.key === "ArrowRight" ? 1 : -1);
  } else if (!isTyping && event.key === "/") {
    byId("filter").focus();
  } else if (isInList(event) && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    move(event.key === "ArrowDown" ? 1 : -1);
  } else return;
  event.preventDefault();
}

// Elsewhere the arrows scroll, as a person expects.
const isInList = (event) => event.target === document.body || byId("filter") === event.target
  || event.target.closest(".list-pane") != null;

async function copy(button) {
  await navigator.clipboard.writeText(byId(button.dataset.copy).textContent);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

async function sendFirstRequest() {
  const body = { model: "openai/o3-mini", stream: true, reasoning: { effort: "high" },
    messages: [{ role: "user", content: "What is 17 + 25?" }] };
  const options = { method: "POST",
    headers: { authorization: "Bearer page", "content-type": "application/json", "x-title": "The emulator's page" },
    body: JSON.stringify(body) };
  try {
    await (await fetch("/api/v1/chat/completions", options)).text();
  } catch {
    // A fault met it. The list shows how it ended.
  }
}

// ------------------------------------------------------------------------------- start

let run = null;

function listen() {
  const feed = new EventSource("/_emulator/events");
  const say = (state) => {
    byId("connection").textContent = state;
    byId("connection").dataset.state = state;
  };
  feed.addEventListener("open", () => say("live"));
  feed.addEventListener("error", () => say("reconnecting"));
  feed.addEventListener("run", ({ data }) => {
    if (run !== null && run !== data) {
      forget(() => true);
      update();
    }
    run = data;
  });
  feed.addEventListener("oldest", ({ data }) => {
    forget((number) => number < Number(data));
    update();
  });
  feed.addEventListener("exchange", ({ data }) => {
    const exchange = JSON.parse(data);
    exchanges.set(exchange.number, exchange);
    showItem(exchange);
    if (exchange.number === opened.number) refresh();
    update();
  });
}

// A hundred summaries in a row are one change to look at.
let isUpdating = false;

function update() {
  if (isUpdating) return;
  isUpdating = true;
  requestAnimationFrame(() => {
    isUpdating = false;
    showTotals();
    sayWhatIsMissing();
  });
}

const openFromAddress = () => open(Number(location.hash.slice(1)) || null);

byId("settings").textContent =
  `export OPENROUTER_API_BASE=${location.origin}/api/v1\nexport OPENROUTER_API_KEY=any`;
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", () => copy(button));
}
for (const name of Object.keys(panels)) {
  byId(`tab-${name}`).addEventListener("click", () => selectTab(name));
}
byId("try").addEventListener("click", sendFirstRequest);
byId("filter").addEventListener("input", filterList);
byId("trouble").addEventListener("change", filterList);
byId("back").addEventListener("click", (event) => {
  event.preventDefault();
  close();
});
document.addEventListener("keydown", pressed);
addEventListener("hashchange", openFromAddress);
showTotals();
sayWhatIsMissing();
openFromAddress();
listen();
