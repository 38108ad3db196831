// Sends what is typed into a field to the server while it is typed, so that neither a reload nor an idle sign-out loses it.
// The field's own class names it (st-key-kept_clinic_name is "clinic:name"); its text goes nowhere else, and a field that
// empties takes it away again. A part of bridge.js, which every page has.
const LOOK_EVERY = 400
const SEND_EVERY = 1200
const RETRY_AFTER = 5000
const BOXES = "[class*=st-key-kept_] :is(textarea, input[type=text], input[type=email])"
// What hands a form in. The run that follows keeps or drops the text, and nothing sent later may bring it back.
const SUBMITS = "[data-testid=stForm] button, [role=dialog] [data-testid^=stBaseButton], [data-testid=stBaseButton-primary]"

const nameOf = (box) => {
  const [, kind, of] = box.closest("[class*=st-key-kept_]").className.match(/st-key-kept_([a-z]+)_(\S+)/)
  return `${kind}:${of}`
}

// The fields on the screen: what stands in each, what of that the server has, and when to send next.
const open = new Map()
let clinicOf = () => null

// What stands in a field before anybody types in it came from the server. One whose first letter came before this script saw it
// counts as empty there, so that its text is sent.
const readBoxes = (event) => {
  for (const box of document.querySelectorAll(BOXES)) {
    if (!open.has(box)) open.set(box, { field: nameOf(box), typed: null, kept: "", nextAt: 0 })
    const shown = open.get(box)
    if (event?.type === "input" && event.target === box) shown.typed = box.value
    if (shown.typed === null) shown.kept = box.value
    shown.value = box.value
  }
  for (const [box, shown] of open) {
    if (box.isConnected) continue
    shown.gone = true
    sendText(shown)
    open.delete(box)
  }
}

const put = (field, text, before, late = false) =>
  fetch("/api/v1/drafts", {
    method: "PUT",
    credentials: "same-origin",
    keepalive: text.length < 15_000,  // also while the page goes away; browsers allow that no more than 64 KB
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ clinic: clinicOf(), field, text, before, late }),
  }).catch(() => null)

// One at a time for each field, or an older text could arrive last; only a page that goes away can't wait.
const sendText = async (shown, leaving = false) => {
  const { field, value, kept, typed } = shown
  if (value === kept || (shown.sending != null && !leaving)) return
  shown.kept = value
  shown.nextAt = performance.now() + SEND_EVERY
  shown.sending = value
  const answer = await put(field, value, kept, !value && typed !== "")  // emptied by no hand: it was handed in
  shown.sending = null
  if (shown.handedIn === value) put(field, "", value, true)  // it may have arrived after the form was saved
  if (!answer || answer.status >= 500) {
    shown.kept = kept
    shown.nextAt = performance.now() + RETRY_AFTER
  } else if (shown.gone || !shown.value) sendText(shown)
}

const sendDue = () => {
  readBoxes()
  for (const shown of open.values()) if (performance.now() >= shown.nextAt) sendText(shown)
}

const sendAll = (leaving = false) => {
  readBoxes()
  for (const shown of open.values()) sendText(shown, leaving)
}

// The chat box is handed in by emptying it, whatever is clicked beside it.
const formOf = (element) => element.closest("[data-testid=stForm], [role=dialog]")
const handIn = (target) => {
  readBoxes()
  for (const [box, shown] of open) {
    if (formOf(box) === formOf(target) && !shown.field.startsWith("question:")) {
      shown.kept = shown.value
      shown.handedIn = shown.sending
    } else sendText(shown)
  }
}

const handsIn = ({ key, ctrlKey, metaKey, target }) =>
  key === "Enter" && target.closest?.("[data-testid=stForm]") && (target.tagName === "INPUT" || ctrlKey || metaKey)

const keepTexts = (clinic) => {
  clinicOf = clinic
  const focused = document.activeElement
  readBoxes(focused?.value ? { type: "input", target: focused } : undefined)  // somebody may have typed before this script came
  setInterval(sendDue, LOOK_EVERY)
  document.addEventListener("focusin", readBoxes)  // before the first key
  document.addEventListener("input", readBoxes)
  document.addEventListener("click", ({ target }) => (target.closest?.(SUBMITS) ? handIn(target) : sendAll()), true)
  document.addEventListener("keydown", (event) => handsIn(event) && handIn(event.target), true)
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && sendAll(true))
  window.addEventListener("pagehide", () => sendAll(true))
}
