const fetchFile = async ({ url, body, name }) => {
  const answer = await fetch(url, {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error((await answer.json()).detail)
  const link = document.createElement("a")
  link.href = URL.createObjectURL(await answer.blob())
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

export default function ({ data, parentElement, setTriggerValue }) {
  const button = parentElement.querySelector("button")
  if (!button.querySelector("b")) button.append(document.createElement("b"))
  button.querySelector("b").textContent = data.label
  button.title = data.help
  button.onclick = () => {
    button.disabled = true
    fetchFile(data)
      .catch((error) => setTriggerValue("failed", error.message))
      .finally(() => (button.disabled = false))
  }
}
