// Redeems a ticket, signs out, reloads this tab once its session has ended or works in another clinic, and warns before it
// sits idle for too long. One timer per tab.
const CHECK_EVERY = 4000
const WARN_FROM = 60
const channel = new BroadcastChannel("chairside-session")

const send = (method, body) =>
  fetch("/api/v1/session", {
    method,
    credentials: "same-origin",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  })

const reload = () => location.replace(location.href)

// The form then says why it stands there; the address stays, for after the sign-in.
const over = () => {
  const here = new URL(location.href)
  here.searchParams.set("ended", "1")
  location.replace(here)
}

// What the tab is told by its latest run: the clinic it shows, the texts of the warning, the way back to Python.
let told = {}
let endsAt = Infinity

// A refused or cut look is no proof that the session ended: only the server's 401 is.
const look = async (method = "GET") => {
  const answer = await send(method).catch(() => null)
  if (answer?.status === 401) return over()
  if (!answer?.ok) return
  const { clinic, ends_in } = await answer.json()
  if (clinic !== told.clinic) return location.replace("/?moved=1")  // what this address showed belongs to the other clinic
  endsAt = performance.now() + ends_in * 1000
  show()
}

// A hidden tab looks too, at every eighth turn: its draft is to be kept as well.
let turn = 0
const tick = () => (document.visibilityState === "visible" || turn++ % 8 === 0) && look()

const watch = () => {
  if (window.chairsideWatch) return
  window.chairsideWatch = setInterval(tick, CHECK_EVERY)
  keepTexts(() => told.clinic)
  setInterval(show, 1000)
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look())
  document.addEventListener("click", closeMenu)
  for (const sign of ["pointerdown", "keydown"]) document.addEventListener(sign, awake, true)
  channel.onmessage = reload
  look()
}

// The warning ---------------------------------------------------------------------------------------------------------

let warning = null

const show = () => {
  const left = Math.ceil((endsAt - performance.now()) / 1000)
  if (left > WARN_FROM) return hide()
  if (!warning) warn()
  warning.firstChild.textContent = told.texts.warning.replace("{n}", Math.max(left, 0))
  if (left < 0) look()
}

// What was typed and not yet sent is committed now, so that it is in the draft; the run that saves it counts as the tab's own.
const warn = () => {
  warning = document.createElement("div")
  warning.className = "idle-warning"
  warning.setAttribute("role", "alertdialog")
  warning.setAttribute("aria-label", told.texts.stay)
  const button = document.createElement("button")
  button.textContent = told.texts.stay
  button.onclick = awake
  warning.append(document.createElement("span"), button)
  document.body.append(warning)
  told.setStateValue("drowsy", true)
  setTimeout(() => warning && document.activeElement?.blur(), 500)
}

const hide = () => {
  if (!warning) return
  warning.remove()
  warning = null
  told.setStateValue("drowsy", false)
}

// Whoever touches the page is there.
const awake = () => warning && look("PUT")

// On a phone the open menu covers the page it leads to.
const closeMenu = ({ target }) => {
  if (innerWidth < 768 && target.closest?.('[data-testid="stSidebarNavLink"]'))
    document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click()
}

let redeemed = null

export default function ({ data, setStateValue }) {
  told = { clinic: data.clinic, texts: data.texts, setStateValue }
  if (data.ticket && data.ticket !== redeemed) {
    redeemed = data.ticket
    send("POST", { ticket: data.ticket }).then(reload, reload)
  } else if (data.leave) {
    send("DELETE").finally(() => {
      channel.postMessage("left")
      location.replace("/")
    })
  } else if (data.watch) {
    watch()
  }
}
