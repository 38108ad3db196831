// Articles under their headings. Every text is set as textContent, so a title can never become markup.
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

const item = (row, current) => {
  // A real address as well: with Ctrl, Shift or the middle button the article opens in a tab of its own.
  const link = make("a", { href: `/knowledge?article=${row.key}`, draggable: false },
    make("b", { textContent: row.title }), make("span", { textContent: row.opening }),
    make("small", { className: row.reviewed ? "reviewed" : "", textContent: row.state }))
  link.dataset.key = row.key
  if (row.key === current) link.ariaCurrent = "true"
  return make("li", {}, link)
}

const section = ({ heading, rows }, current) =>
  make("section", { ariaLabel: heading }, make("h2", { textContent: heading }), make("ul", {}, ...rows.map((row) => item(row, current))))

const step = (event, links) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  const next = by && links[links.indexOf(event.target) + by]
  if (!next) return
  event.preventDefault()
  next.focus()
}

let shown = ""
let read = ""

export default function ({ data, parentElement, setTriggerValue }) {
  const list = make("nav", { ariaLabel: data.label }, ...data.sections.map((each) => section(each, data.current)))
  const links = [...list.querySelectorAll("a")]
  const linkTo = (key) => links.find((link) => link.dataset.key === key)
  list.onclick = (event) => {
    const link = event.target.closest("a")
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    setTriggerValue("opened", link.dataset.key)
  }
  list.onkeydown = (event) => step(event, links)

  const former = parentElement.querySelector("nav")
  const focused = former?.contains(former.getRootNode().activeElement) && former.getRootNode().activeElement.dataset.key
  const content = JSON.stringify(data.sections)
  const place = former && (content === shown ? former.scrollTop : 0)
  former?.remove()
  if (links.length) parentElement.append(list)
  if (focused) linkTo(focused)?.focus({ preventScroll: true })
  // The pane stays where it was; one that is new shows the article that is open. Never the page: on a phone the list is hidden then.
  list.scrollTop = place ?? Math.max(0, (linkTo(data.current)?.offsetTop ?? 0) - list.clientHeight / 3)
  // Back from an article on a phone, the list shows where one was.
  const left = linkTo(read)
  if (left && !data.current) setTimeout(() => left.scrollIntoView({ block: "center" }), 300)
  shown = content
  read = data.current
}
