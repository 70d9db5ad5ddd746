// Keeps a session's page up to date. Without it the page is whole, only still.
"use strict";

const MOST_ROWS = 200;
const MOST_WAITING = 500;
const REFRESH_MS = 4000;
const SAY_MS = 5000;
const AGAIN_MS = 30000; // after a refusal, a full house or a proxy without its server

const root = document.getElementById("session");
const list = document.getElementById("list");
const pill = document.getElementById("pill");
const more = document.getElementById("more");
const said = document.getElementById("said");
const followsNewest = root.dataset.newest === "yes";

const state = {
  status: root.dataset.status,
  readAt: performance.now(), // when the clocks on the page were right
  marks: Number(root.dataset.marks),
  last: Number(root.dataset.last),
  position: root.dataset.position,
};
let waiting = new Map(); // number -> mark, or null once it was removed
let missed = false; // events were lost, so the list must be read afresh
let unsaid = 0;
let frame = 0;
let refreshing = 0; // the timer of the next reading, and when it is due
let refreshAt = 0;
let readings = 0;
let stream = null;

// --- words, as the server words them

const plural = (number, noun) => `${number.toLocaleString("en")} ${number === 1 ? noun : noun === "person" ? "people" : noun + "s"}`;

function ago(instant) {
  const seconds = Math.floor((Date.now() - instant) / 1000);
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (seconds >= length) return `${plural(Math.floor(seconds / length), unit)} ago`;
  }
  return "just now";
}

function hms(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function put(selector, text) {
  for (const element of document.querySelectorAll(selector)) {
    if (element.textContent !== text) element.textContent = text;
  }
}

// --- one mark

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function row(mark) {
  const item = element("li", "mark new");
  item.dataset.number = mark.number;
  item.dataset.position = `${mark.segment_index}.${mark.offset_seconds}.${mark.number}`;
  const words = element("div");
  const note = element("p", mark.note ? "note" : "note none", mark.note || "No note");
  if (mark.note) {
    note.dir = "auto";
    note.lang = "";
  }
  const small = element("p", "small", `#${mark.number}`);
  if (mark.submitted_by) small.append(" · ", element("bdi", "", mark.submitted_by));
  const time = element("time", "", ago(Date.parse(mark.created_at)));
  time.dateTime = mark.created_at;
  small.append(" · ", time);
  if (mark.people > 1) small.append(` · ${plural(mark.people, "person")}`);
  const at = VOD.exec(mark.vod_url || "");
  if (at) small.append(" · ", ...watch(mark, at));
  words.append(note, small);
  item.append(element("span", "offset times", mark.offset_hms), words);
  return item;
}

const VOD = /^https:\/\/www\.twitch\.tv\/videos\/.*\?t=(\d+)h(\d+)m(\d+)s$/;

function watch(mark, [, hours, minutes, seconds]) {
  const two = (number) => number.padStart(2, "0");
  const link = element("a", "vod", "Watch ");
  link.href = mark.vod_url;
  link.append(element("span", "times", hours === "0" ? `${minutes}:${two(seconds)}` : `${hours}:${two(minutes)}:${two(seconds)}`));
  return mark.vod_muted ? [link, " ", element("span", "muted", "sound muted here")] : [link];
}

const place = (item) => item.dataset.position.split(".").map(Number);
const isAfter = (a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];

function group(segment) {
  for (const section of list.children) {
    const index = Number(section.dataset.segment);
    if (index === segment) return section;
    if (index < segment) return newGroup(segment, section);
  }
  return newGroup(segment, null);
}

function newGroup(segment, before) {
  const section = element("section", "group");
  section.dataset.segment = segment;
  const rows = element("ol", "rows");
  rows.reversed = true;
  section.append(element("h3", "", `Segment ${segment}`), rows);
  list.insertBefore(section, before);
  refreshSoon(300); // for its count and state
  return section;
}

function insert(item) {
  const mine = place(item);
  const rows = group(mine[0]).lastElementChild;
  let next = rows.firstElementChild;
  while (next && isAfter(place(next), mine) > 0) next = next.nextElementSibling;
  if (!next && (more.hidden === false || rows.childElementCount >= MOST_ROWS)) return; // belongs to an older page
  rows.insertBefore(item, next);
}

function drop(number) {
  const item = list.querySelector(`[data-number="${number}"]`);
  if (!item) return false;
  const section = item.closest(".group");
  item.remove();
  if (!section.querySelector(".mark")) section.remove();
  return true;
}

// --- many marks: gathered, and shown once a frame

function atTop() {
  return list.getBoundingClientRect().top > 0;
}

function arrive(mark) {
  if (mark.number > state.last) {
    state.last = mark.number;
    state.marks += 1;
    unsaid += 1;
  }
  waiting.delete(mark.number);
  waiting.set(mark.number, mark);
  if (waiting.size > MOST_WAITING) waiting.delete(waiting.keys().next().value);
  schedule();
}

function remove(number) {
  waiting.set(number, null);
  if (number <= state.last) state.marks = Math.max(0, state.marks - 1); // else it was never counted here
  schedule();
}

function schedule() {
  if (!frame) frame = requestAnimationFrame(() => show(false));
}

function show(asked) {
  frame = 0;
  refreshSoon();
  put("[data-marks]:not(.session)", plural(state.marks, "mark"));
  const held = new Map();
  let fresh = 0;
  const holds = !asked && !atTop();
  for (const item of list.querySelectorAll(".mark.new")) item.classList.remove("new");
  for (const [number, mark] of [...waiting].slice(-MOST_ROWS)) {
    const shown = list.querySelector(`[data-number="${number}"]`);
    if (mark && !shown && (holds || !followsNewest)) {
      held.set(number, mark);
      fresh += 1;
    } else {
      const known = drop(number);
      if (mark && (known || followsNewest)) insert(row(mark));
    }
  }
  waiting = followsNewest ? held : new Map();
  tellHeld(fresh);
  trim();
}

function tellHeld(fresh) {
  pill.hidden = !followsNewest || !(fresh || missed);
  pill.lastElementChild.textContent = `${missed || fresh >= MOST_ROWS ? "Many" : fresh} new`;
}

function trim() {
  const rows = list.querySelectorAll(".mark");
  for (let at = MOST_ROWS; at < rows.length; at += 1) drop(rows[at].dataset.number);
  const shown = Math.min(rows.length, MOST_ROWS);
  const nothing = document.getElementById("nothing");
  if (nothing && shown) nothing.remove();
  if (!followsNewest) return;
  more.hidden = shown >= state.marks || !shown;
  put("[data-shown]", `Showing ${shown} of ${state.marks.toLocaleString("en")}`);
  if (shown) more.querySelector("a").href = `${root.dataset.url}?before=${rows[shown - 1].dataset.position}#marks`;
}

pill.addEventListener("click", () => {
  if (missed) readAfresh(true);
  else show(true);
  document.getElementById("marks").scrollIntoView();
  document.getElementById("main").focus({ preventScroll: true });
});

addEventListener("scroll", () => {
  if (!atTop()) return;
  if (missed) readAfresh();
  else if (waiting.size) schedule();
}, { passive: true });

// --- the parts that are counted over the whole session come from the page itself

function refreshSoon(wait = REFRESH_MS) {
  // Spread out, so that a thousand readers do not ask in the same instant.
  wait *= 0.75 + Math.random() / 2;
  const at = performance.now() + wait;
  if (refreshing && refreshAt <= at) return;
  clearTimeout(refreshing);
  refreshAt = at;
  refreshing = setTimeout(refresh, wait);
}

async function page(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function refresh() {
  refreshing = 0; // what changes from here on is read again
  const reading = readings += 1;
  try {
    if (document.hidden) return null;
    const read = await page(root.dataset.url);
    if (reading !== readings) return null; // overtaken by a later one
    for (const id of ["heading", "timeline", "crowd", "parts"]) swap(read, id);
    for (const section of read.querySelectorAll(".group")) {
      put(`.group[data-segment="${section.dataset.segment}"] > h3`, section.firstElementChild.textContent);
    }
    for (const item of read.querySelectorAll(".mark")) recount(item);
    const now = read.getElementById("session").dataset;
    Object.assign(state, { status: now.status, marks: Number(now.marks), readAt: performance.now() });
    put("[data-marks]:not(.session)", plural(state.marks, "mark"));
    if (state.status === "ended" && stream) stream.close();
    return read;
  } catch {
    return null; // the next change tries again
  }
}

function recount(item) {
  // A mark's crowd grows with the marks that follow it.
  const mine = list.querySelector(`[data-number="${item.dataset.number}"] .small`);
  const theirs = item.querySelector(".small");
  if (mine && mine.textContent !== theirs.textContent) mine.replaceWith(theirs);
}

function swap(read, id) {
  const mine = document.getElementById(id);
  const theirs = read.getElementById(id);
  if (!mine || !theirs) return;
  if (!mine.contains(document.activeElement)) return mine.replaceWith(theirs);
  mine.addEventListener("focusout", () => refreshSoon(200), { once: true }); // never from under the reader's keys
}

async function readAfresh(asked = false) {
  missed = followsNewest && !asked && !atTop();
  clearTimeout(refreshing);
  refreshing = 0;
  if (missed) {
    tellHeld(0);
    return refreshSoon();
  }
  const read = await refresh();
  if (!read) {
    missed = true; // in a tab nobody sees, or without an answer: later
    return;
  }
  if (!followsNewest) return;
  waiting.clear();
  tellHeld(0);
  list.replaceChildren(...read.getElementById("list").children);
  trim();
}

// --- the stream

function listen() {
  if (state.status === "ended" || !("EventSource" in window)) return;
  stream = new EventSource(`${root.dataset.url}/events?after=${encodeURIComponent(state.position)}`);
  const offline = document.getElementById("offline");
  stream.onopen = () => { offline.hidden = true; };
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) return; // the browser asks again by itself
    offline.hidden = false;
    setTimeout(listen, AGAIN_MS * (0.75 + Math.random() / 2));
  };
  on("timestamp", arrive);
  on("removed", (mark) => remove(mark.number));
  on("session", (now) => {
    state.status = now.status;
    state.marks = now.marks;
    if (now.reload) readAfresh();
    else refreshSoon(300);
  });
}

function on(name, handle) {
  stream.addEventListener(name, (event) => {
    state.position = event.lastEventId;
    handle(JSON.parse(event.data));
  });
}

// --- what changes by itself

function tick() {
  if (state.status !== "active") return;
  const since = Math.floor((performance.now() - state.readAt) / 1000);
  for (const clock of document.querySelectorAll("[data-clock]")) clock.textContent = hms(Number(clock.dataset.clock) + since);
}

function retell() {
  for (const time of list.querySelectorAll("time")) {
    const words = ago(Date.parse(time.dateTime));
    if (time.textContent !== words) time.textContent = words;
  }
}

function say() {
  if (unsaid) said.textContent = `${plural(unsaid, "new mark")}. ${plural(state.marks, "mark")} in all.`;
  unsaid = 0;
}

more.querySelector("a").addEventListener("click", async (event) => {
  const rows = list.querySelectorAll(".mark").length;
  if (event.ctrlKey || event.metaKey || event.shiftKey || rows + 50 > MOST_ROWS) return; // the link itself works
  event.preventDefault();
  const link = event.currentTarget;
  try {
    const read = await page(link.href);
    const first = read.querySelector(".mark");
    for (const item of read.querySelectorAll(".mark")) {
      drop(item.dataset.number);
      group(place(item)[0]).lastElementChild.append(item);
    }
    const next = read.querySelector("#more a");
    link.href = next.href;
    more.hidden = read.getElementById("more").hidden;
    put("[data-shown]", `Showing ${list.querySelectorAll(".mark").length} of ${state.marks.toLocaleString("en")}`);
    if (first) {
      first.tabIndex = -1;
      first.focus({ preventScroll: true });
    }
  } catch {
    location.href = link.href;
  }
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden || state.status === "ended") return;
  if (missed) readAfresh();
  else refreshSoon(200);
});
setInterval(tick, 1000);
setInterval(retell, 15000);
setInterval(say, SAY_MS);
listen();
