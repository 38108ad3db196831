// Once for each time a form is opened: whoever has moved on in it stays where they are.
let greeted = null
const greet = ({ field, form }) => {
  if (greeted === form) return
  greeted = form
  look(`.st-key-${field} input`, 40, false)
}

// For two seconds: a busy tab draws the field after this, or once more.
const look = (place, left, met) => {
  const box = document.querySelector(place)
  if (box && (!met || document.activeElement === document.body)) box.focus()
  if (left) setTimeout(look, 50, place, left - 1, met || Boolean(box))
}

export default function ({ data }) {
  greet(data)
}
