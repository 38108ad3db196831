export default function ({ data }) {
  navigator.clipboard?.writeText(data.text).catch(() => copyByHand(data.text)) ?? copyByHand(data.text)
}

// Without TLS, or where the browser asks for a fresher click.
const copyByHand = (text) => {
  const box = Object.assign(document.createElement("textarea"), { value: text, style: "position:fixed;opacity:0" })
  document.body.append(box)
  box.select()
  document.execCommand("copy")
  box.remove()
}
