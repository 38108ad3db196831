// Rows of patients. Every text is set as textContent, so a name can never become markup.
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

const head = (labels) => make("thead", {}, make("tr", {}, ...labels.map((label) => make("th", { scope: "col", textContent: label }))))

// A real address as well: with Ctrl, Shift or the middle button the patient opens in a tab of their own.
const link = (row) => make("a", { href: `/patient?patient=${row.id}`, textContent: row.name, tabIndex: -1, draggable: false })

const line = (row) => {
  const marks = row.marks.map((mark) => make("span", { className: "mark", textContent: mark }))
  const cells = [
    make("td", { className: "name", title: row.name }, make("div", {}, link(row), ...marks)),
    ...["born", "phone", "email"].map((field) => make("td", { className: field, textContent: row[field], title: row[field] })),
  ]
  const element = make("tr", { tabIndex: 0 }, ...cells)
  element.dataset.id = row.id
  return element
}

const step = (row, event) => {
  const next = event.key === "ArrowDown" ? row.nextElementSibling : event.key === "ArrowUp" ? row.previousElementSibling : null
  if (next) {
    event.preventDefault()
    next.focus()
  }
}

let page = 1

export default function ({ data, parentElement, setTriggerValue }) {
  const body = make("tbody", {}, ...data.rows.map(line))
  const table = make("table", { ariaLabel: data.label }, head(data.heading), body)
  const open = (row) => setTriggerValue("opened", row.dataset.id)

  body.onclick = (event) => {
    const row = event.target.closest("tr")
    if (event.ctrlKey || event.metaKey || event.shiftKey || getSelection().toString()) return
    event.preventDefault()
    open(row)
  }
  body.onkeydown = (event) => {
    const row = event.target.closest("tr")
    if (event.key === "Enter") open(row)
    else step(row, event)
  }
  parentElement.querySelector("table")?.remove()
  if (data.rows.length) parentElement.append(table)
  if (data.page !== page) table.scrollIntoView()
  page = data.page
}
