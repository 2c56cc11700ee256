// Makes pages livelier. Every page works without it, with plain forms and links.

const PAUSE = 200; // milliseconds without typing before a form is sent
const DOUBLE_CLICK = 2000; // milliseconds after which a form may be sent again

// A form with `data-live="ADDRESS"` is sent there while somebody types or moves a slider in it, and the answer becomes the
// content of the element whose ID is in `data-into`. The form's own method decides whether its fields are in the body.
function makeLive(form) {
  const target = document.getElementById(form.dataset.into);
  let timer = 0;
  let running = null;

  async function send() {
    running?.abort();
    running = new AbortController();
    const fields = new URLSearchParams(new FormData(form));
    const inBody = form.method === "post";
    const address = inBody ? form.dataset.live : `${form.dataset.live}?${fields}`;
    try {
      const answer = await fetch(address, {
        method: form.method,
        body: inBody ? fields : undefined,
        signal: running.signal,
        redirect: "error",
      });
      replaceContent(target, answer.ok ? await answer.text() : ""); // what was there is of another text
    } catch (error) {
      if (error.name !== "AbortError") target.replaceChildren();
    }
  }

  // A program that helps somebody to choose from a list may tell only that the list has changed.
  for (const event of ["input", "change"]) {
    form.addEventListener(event, () => {
      clearTimeout(timer);
      timer = setTimeout(send, PAUSE);
    });
  }
}

// An element with an ID and `data-refresh-seconds` is loaded again until it comes without that attribute: from the page's
// own address, or from the one in `data-refresh-from`.
function refreshLater(element) {
  const seconds = Number(element.dataset.refreshSeconds);
  setTimeout(async () => {
    const answer = await fetch(element.dataset.refreshFrom ?? location.href, { redirect: "error" }).catch(() => null);
    const page = answer?.ok ? parsed(await answer.text()) : document;
    const fresh = page.getElementById(element.id);
    const isChanged = fresh !== null && !fresh.isEqualNode(element); // if not, what has the focus keeps it
    if (isChanged) element.replaceWith(fresh);
    const shown = isChanged ? fresh : element;
    if (shown.dataset.refreshSeconds) refreshLater(shown);
  }, seconds * 1000);
}

// Somebody who clicks twice means it once. Otherwise, the second request may make another key.
const lastSent = new WeakMap();

function refuseDoubleClick(event) {
  const now = performance.now();
  if (now - (lastSent.get(event.target) ?? -Infinity) < DOUBLE_CLICK) event.preventDefault();
  else lastSent.set(event.target, now);
}

// The link that `serve --demo` prints has a one-time code behind the `#`, which browsers send to no server.
function signInWithCode(form) {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code === null) return;
  history.replaceState(null, "", location.pathname);
  form.elements.code.value = code;
  form.requestSubmit();
}

function parsed(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

function replaceContent(target, html) {
  target.replaceChildren(...parsed(html).body.childNodes);
}

addEventListener("submit", refuseDoubleClick);
document.querySelectorAll("form[data-live]").forEach(makeLive);
document.querySelectorAll("[data-refresh-seconds]").forEach(refreshLater);
document.querySelectorAll("form[data-code-in-address]").forEach((form) => {
  addEventListener("hashchange", () => signInWithCode(form)); // the link was opened where this page is shown already
  signInWithCode(form);
});
