"""Every page on a phone, in light and in dark: nothing sticks out, what matters is in reach, every text can be read.
And what the keyboard does."""

import re

import pytest
from playwright.sync_api import Page, expect

from lib import db, patients, workflows
from lib.patient_form import PatientForm
from tests.browser.conftest import becomes, go, settled
from tests.conftest import PASSWORD
from tests.lib.asking import wait
from ui import menu

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 25, 27)"}  # as .streamlit/config.toml has them
HEDWIG = PatientForm(full_name="Hedwig von der Rosenau-Lindenberg", phone="030 5554581", date_of_birth="1980-03-12",
                     email="hedwig.von.der.rosenau-lindenberg@mail.example.org", alerts="Penicillin\nPacemaker",
                     medical_notes="Root canal of the lower left molar, splint worn at night.")
# What each page is for: role and name of the control.
MAIN = {"today": ("link", "Open the list"), "patients": ("button", "Add patient"), "chat": ("textbox", "Ask about this patient"),
        "emergencies": ("button", "Acknowledge"), "knowledge": ("link", "Bad breath"), "article_edit": ("button", "Save"), "account": ("button", "Save"), "analytics": ("radio", "30 days"), "alerts": ("button", "Send a test"),
        "team": ("button", "Invite"), "audit": ("button", "Verify chain"), "clinic": ("button", "Save"), "provider": ("button", "Save"),
        "patient": ("button", "Ask the assistant"), "patient_edit": ("button", "Save"), "patient_import": ("button", "Upload")}
# Streamlit scrolls its main part, not the document.
WIDER = """() => [document.scrollingElement, document.querySelector(".stMain")]
  .map((part) => part.scrollWidth - part.clientWidth)"""
# WCAG 2.2, 1.4.3: every visible text, or placeholder, and its contrast with the ground it stands on. Icons are no text, and
# what is disabled is exempt. An opacity counts up to the element that brings the ground along.
CONTRASTS = """async () => {
  const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true })
  const once = (known, key, make) => known.get(key) ?? (known.set(key, make(key)), known.get(key))
  const colours = new Map()
  const rgba = (colour) => once(colours, colour, paint)
  const paint = (colour) => {
    pixel.clearRect(0, 0, 1, 1)
    pixel.fillStyle = colour
    pixel.fillRect(0, 0, 1, 1)
    return [...pixel.getImageData(0, 0, 1, 1).data].map((value) => value / 255)
  }
  const above = (element) => element.assignedSlot ?? element.parentElement ?? element.getRootNode().host
  const mix = (top, share, ground) => ground.map((value, place) => top[place] * share + value * (1 - share))
  let grounds, opacities  // of this moment
  const groundOf = (element) => once(grounds, element, findGround)
  const findGround = (element) => {
    if (!element) return rgba("canvas").slice(0, 3)
    const own = rgba(getComputedStyle(element).backgroundColor)
    return own[3] === 1 ? own.slice(0, 3) : mix(own, own[3], groundOf(above(element)))
  }
  const opacityOf = (element) => once(opacities, element, findOpacity)
  const findOpacity = (element) => {
    const { opacity, backgroundColor } = getComputedStyle(element)
    const further = above(element)
    return opacity * (further && rgba(backgroundColor)[3] < 1 ? opacityOf(further) : 1)
  }
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const contrast = (element, style) => {
    const ground = groundOf(element)
    const ink = rgba(element instanceof SVGElement ? style.fill : style.color)
    const [dark, light] = [luminance(mix(ink, ink[3] * opacityOf(element), ground)), luminance(ground)].sort((one, other) => one - other)
    return (light + 0.05) / (dark + 0.05)
  }
  const textOf = (element) => element.value || [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("")
  const seen = (element, style) => {
    const { width, height } = element.getBoundingClientRect()
    return width > 1 && height > 1 && style.visibility === "visible" && opacityOf(element) > 0
      && !/Material Symbols/.test(style.fontFamily) && !element.closest("[disabled], [aria-disabled=true], script, style")
  }
  const measure = (root) => [...root.querySelectorAll("*")].flatMap((element) => {
    const style = getComputedStyle(element), inner = element.shadowRoot ? measure(element.shadowRoot) : []
    if (!seen(element, style)) return inner
    if (textOf(element).trim?.()) return [...inner, [textOf(element).trim(), contrast(element, style)]]
    return element.placeholder ? [...inner, [element.placeholder, contrast(element, getComputedStyle(element, "::placeholder"))]] : inner
  })
  for (let before = -1, measured = []; ; before = measured.length) {  // texts come a moment after what they stand in
    [grounds, opacities] = [new Map(), new Map()]
    measured = measure(document)
    if (measured.length === before) return measured
    await new Promise((resolve) => setTimeout(resolve, 150))
  }
}"""


@pytest.fixture
def hedwig(alice):
    """A patient with a thread; and an open emergency, for there is no page of those without one."""
    with db.scope(alice) as scope:
        patient_id = patients.register(scope, HEDWIG)
    for about, question in ((patient_id, "How long does a root canal take?"), (None, "He can't breathe and his tongue is swollen")):
        job = workflows.watch(workflows.ask(alice, about, question).answer_id)
        assert job is None or wait(job, 10 ** 9, 10)
    return patient_id


def visit(page: Page, name: str, patient_id) -> None:
    about = f"?patient={patient_id}" if name in ("patient", "patient_edit", "chat") else ""
    go(page, f"/{name.removeprefix('today')}{about}")
    expect(main_control(page, name)).to_be_visible()
    settled(page)
    if name == "analytics":  # its charts are drawn after the rest
        expect(page.locator(".stPlotlyChart .ytitle").first).to_be_visible()


def main_control(page: Page, name: str):
    role, label = MAIN[name]
    return page.get_by_role(role, name=re.compile(f"^{label}")).first  # a shortcut's key stands behind it


def too_wide(page: Page, name: str) -> list[str]:
    found = [f"{name}: scrolls {wider} px sideways" for wider in page.evaluate(WIDER) if wider > 0]
    box = main_control(page, name).bounding_box()
    inside = box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"]
    return found if inside else [*found, f"{name}: {MAIN[name]} is out of sight"]


def illegible(page: Page, name: str) -> list[str]:
    """In each theme; the page follows the system's without a reload."""
    return [fault for scheme, ground in GROUNDS.items() for fault in _illegible(page, name, scheme, ground)]


def _illegible(page: Page, name: str, scheme: str, ground: str) -> list[str]:
    page.emulate_media(color_scheme=scheme)
    expect(page.locator(".stApp")).to_have_css("background-color", ground)
    measured = page.evaluate(CONTRASTS)
    assert len(measured) > 5, f"{name}: hardly a text was found"
    return [f"{name}, {scheme}: {contrast:.2f} for {text[:40]!r}" for text, contrast in measured if contrast < 4.5]


def focused(page: Page) -> str:
    """What the focused control is called."""
    return page.evaluate("() => document.activeElement.ariaLabel || document.activeElement.innerText")


def test_every_page_is_looked_at():
    assert {name for name, *_rest in menu.pages()} == set(MAIN)


def test_every_page_fits_a_phone_and_every_text_can_be_read(signed_in, alice, hedwig):
    page = signed_in(alice)
    faults = illegible(page, "today, with the menu")
    page.set_viewport_size(PHONE)
    for name in MAIN:
        visit(page, name, hedwig)
        faults += too_wide(page, name) + illegible(page, name)
    assert faults == []


@pytest.mark.parametrize("width", [390, 360])
def test_on_a_phone_the_buttons_over_a_conversation_stand_in_one_row(signed_in, alice, width):
    page = signed_in(alice, "/chat")
    page.set_viewport_size({"width": width, "height": 844})
    buttons = page.locator(".st-key-in_sight button:visible")
    becomes(page, lambda: len(set(buttons.evaluate_all("all => all.map(one => one.getBoundingClientRect().top)"))), 1)
    assert buttons.count() == 3
    assert max(buttons.evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")) <= width - 15


def test_the_forms_of_a_stranger_fit_a_phone_and_can_be_read(page, database):
    page.set_viewport_size(PHONE)
    for form, label in (("sign-in", "Sign in"), ("sign-up", "Create clinic")):
        page.goto(f"/?form={form}")
        button = page.get_by_role("button", name=label, exact=True)
        expect(button).to_be_visible()
        page.wait_for_function("([button, least]) => button.getBoundingClientRect().width > least",
                               arg=[button.element_handle(), PHONE["width"] / 2])
        assert max(page.evaluate(WIDER)) == 0
        assert illegible(page, form) == []


def test_a_slash_goes_to_the_search_and_n_begins_a_patient_in_the_first_field(signed_in, alice):
    page = signed_in(alice, "/patients")
    search = page.get_by_label("Search")
    page.wait_for_function("() => window.chairsideKeys")
    expect(page.get_by_text("No patients yet")).to_be_visible()  # the whole list is drawn, and moves no field any more
    page.keyboard.press("/")
    expect(search).to_be_focused()
    page.keyboard.type("n/n")
    expect(search).to_have_value("n/n")
    expect(page.get_by_text("No patient matches")).to_be_visible()
    page.get_by_role("heading", name="Patients").click()
    page.keyboard.press("n")
    name = page.get_by_label("Full name")
    expect(name).to_be_focused()
    page.keyboard.type("n/n")
    expect(name).to_have_value("n/n")
    expect(page.get_by_role("heading", name="Add patient")).to_be_visible()


def test_tab_leads_from_email_to_password_to_the_button_that_signs_in(page, alice):
    page.goto("/")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_label("Email")).to_be_visible()
    tab_to(page, "Email")
    page.keyboard.type(alice.email)
    assert tab_to(page, "Password") == []
    page.keyboard.type(PASSWORD)
    assert tab_to(page, "Sign in") == ["Show password"]
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Today")).to_be_visible()


def tab_to(page: Page, control: str) -> list[str]:
    """What the focus passed on its way there."""
    passed = []
    for _step in range(12):
        page.keyboard.press("Tab")
        if focused(page) == control:
            return passed
        passed.append(focused(page))
    raise AssertionError(f"{control} was not reached: {passed}")


def test_ctrl_enter_sends_a_question(signed_in, alice):
    page = signed_in(alice, "/chat")
    box = page.locator("[data-testid=stChatInput] textarea")
    box.fill("How often should teeth be cleaned?")
    box.press("Control+Enter")
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("How often should teeth be cleaned?")
    expect(box).to_have_value("")


def test_the_name_and_alerts_stay_in_sight_below_long_notes(signed_in, alice):
    with db.scope(alice) as scope:
        patient = patients.register(scope, PatientForm(full_name="José Müller-Nguyễn", alerts="Latex", medical_notes="line\n" * 400))
    for path in ("/patient", "/patient_edit", "/chat"):
        page = signed_in(alice, f"{path}?patient={patient}")
        page.mouse.move(900, 500)
        page.mouse.wheel(0, 5000)
        page.wait_for_timeout(300)
        for words in ("José Müller-Nguyễn", "Latex"):
            expect(page.get_by_text(words).first).to_be_in_viewport()


# the first picture ---------------------------------------------------------------------------------------------------

# What moved though nobody did anything: the frame around the page, not what fills it.
MOVED = """() => new Promise((tell) => {
  const found = []
  const frames = (node) => node?.matches?.(".stMainBlockContainer, :has(.stMain)")
  new PerformanceObserver((list) => list.getEntries().filter((one) => !one.hadRecentInput)
    .forEach((one) => found.push(...one.sources.filter(({ node }) => frames(node)).map(({ node }) => node.outerHTML.slice(0, 120)))))
    .observe({ type: "layout-shift", buffered: true })
  setTimeout(() => tell(found), 300)
})"""


@pytest.mark.parametrize("path", ["/", "/patients"])
def test_the_frame_of_a_first_visit_stands_before_it_is_seen(signed_in, alice, path):
    assert signed_in(alice, path).evaluate(MOVED) == []


def test_the_frame_of_the_sign_in_form_is_seen_at_once(new_browser):
    page = new_browser().new_page()
    page.goto("/")
    expect(page.get_by_label("Email")).to_be_visible()
    assert page.evaluate(MOVED) == []


def test_a_first_visit_deep_inside_asks_for_nothing_that_is_not_there(signed_in, alice):
    page, missed = signed_in(alice), []
    page.on("response", lambda answer: missed.append(answer.url) if answer.status >= 400 else None)
    page.goto("/patients")
    settled(page)
    assert missed == []
