// Redeems a ticket, signs out, and reloads this tab once its session has ended. One timer per tab.
const CHECK_EVERY = 4000
const channel = new BroadcastChannel("chairside-session")

const send = (method, body) =>
  fetch("/api/v1/session", {
    method,
    credentials: "same-origin",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  })

const reload = () => location.replace(location.href)

// A refused or cut look is no proof that the session ended: only the server's 401 is.
const look = async () => {
  const answer = await send("GET").catch(() => null)
  if (answer && answer.status === 401) reload()
}

const watch = () => {
  if (window.chairsideWatch) return
  window.chairsideWatch = setInterval(() => document.visibilityState === "visible" && look(), CHECK_EVERY)
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look())
  document.addEventListener("click", closeMenu)
  channel.onmessage = reload
}

// On a phone the open menu covers the page it leads to.
const closeMenu = ({ target }) => {
  if (innerWidth < 768 && target.closest?.('[data-testid="stSidebarNavLink"]'))
    document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click()
}

let redeemed = null

export default function ({ data }) {
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
