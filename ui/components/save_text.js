// A text file made in the browser: what it holds passes no route and is stored on no server.
const save = ({ text, name }) => {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button")
  if (!button.querySelector("b")) button.append(document.createElement("b"))
  button.querySelector("b").textContent = data.label
  button.onclick = () => save(data)
}
