// What the keyboard does beyond Streamlit. One set of listeners per tab; ui/bridge.py puts this before the bridge, which every
// page has.
const PAUSE = 800

const typing = (element) => element?.isContentEditable || /^(input|textarea|select)$/i.test(element?.tagName ?? "")

const goToSearch = (event) => {
  const search = document.querySelector("input[type=search]")
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !search || typing(document.activeElement)) return
  event.preventDefault()
  search.focus()
  search.select()
}

// Streamlit commits a text area when it loses the focus or at Ctrl+Enter. A reload in the middle of a sentence would lose it.
let pause = 0
const commit = (event) => {
  if (event.target.tagName !== "TEXTAREA" || !event.target.closest("[class*=st-key-field_]")) return
  clearTimeout(pause)
  pause = setTimeout(() => event.target.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true })), PAUSE)
}

// Streamlit's chat box sends at Enter alone.
const sendQuestion = (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return
  const box = event.target.closest?.("[data-testid=stChatInput]")
  if (!box) return
  event.preventDefault()
  box.querySelector("[data-testid=stChatInputSubmitButton]")?.click()
}

// After the rerun that the click starts, which would otherwise draw while the page is being printed.
const printPage = (event) => {
  if (event.target.closest?.(".st-key-print_page button")) setTimeout(() => window.print(), 400)
}

if (!window.chairsideKeys) {
  window.chairsideKeys = true
  document.addEventListener("keydown", goToSearch)
  document.addEventListener("keydown", sendQuestion, true)
  document.addEventListener("input", commit)
  document.addEventListener("click", printPage)
}
