// Sends what is typed into the chat box to the server while it is typed, so that neither a reload nor an idle sign-out loses it.
// The box names its thread (st-key-question_…); the text goes nowhere else, and a box that empties takes it away again.
const LOOK_EVERY = 400
const SEND_EVERY = 1200
const RETRY_AFTER = 5000

const find = () => document.querySelector("[class*=st-key-question_] textarea")
const threadOf = (box) => box.closest("[class*=st-key-question_]").className.match(/st-key-question_(\S+)/)[1]

let told = {}
// The box on the screen: what stands in it, and what of that the server has.
let open = null
let nextAt = 0

// What stands in a box before anybody types in it came from the server.
const look = () => {
  const box = find()
  if (open && box !== open.box) {
    send(open)
    open = null
  }
  if (!box) return
  open ??= { box, thread: threadOf(box), kept: box.value }
  open.value = box.value
}

const send = async (shown) => {
  const { thread, value, kept } = shown
  if (value === kept) return
  shown.kept = value
  nextAt = performance.now() + SEND_EVERY
  const patient = thread === "None" ? null : thread
  const answer = await fetch("/api/v1/drafts/question", {
    method: "PUT",
    credentials: "same-origin",
    keepalive: value.length < 15_000,  // also while the page goes away; browsers allow that no more than 64 KB
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ clinic: told.clinic, patient, text: value, before: kept }),
  }).catch(() => null)
  if (answer && answer.status < 500) return
  shown.kept = kept
  nextAt = performance.now() + RETRY_AFTER
}

const tick = () => {
  look()
  if (open && performance.now() >= nextAt) send(open)
}

const leave = () => {
  look()
  if (open) send(open)
}

export default function ({ data }) {
  told = data
  if (window.chairsideQuestion) return
  window.chairsideQuestion = setInterval(tick, LOOK_EVERY)
  document.addEventListener("focusin", look)  // before the first key
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && leave())
  window.addEventListener("pagehide", leave)
}
