"""The console: pages for the people who answer for the data, at `/console`.

How to write a page:

- **A room** is a folder or a module of this package with a `router`, made by `page_router()`, and templates of its own
  in `templates/`. `routes.py` lists the routers in `ROOMS`; `navigation.py` has the table of links at the top.
- **The endpoint** takes a `Page` (`dependencies.py`), which has admitted the caller as the API does:
  `page: SignedIn` for a page of the account, and `LookupPage`, `ReadPage`, `WritePage` or `ManagePage` for a page about
  the store in the path (`/stores/{storeId}/…`), by a key with that scope. It also has `page.rules` (the store's rules),
  `page.actor` (whom events name), `page.services`, `page.may("write")` and `page.form`. Other dependencies of the API,
  such as `Snapshot` and `Transaction`, come after it. Do what the API's route does, by the same functions; the console
  has no SQL. A template offers what `page.may(…)` allows, and nothing else.
- **The answer** is `return await page.render("room.html", person=…)`. The template extends `layout.html` and sets
  `title`, `section` to the title of its link at the top, and `styles` to a style sheet of its room if there is one.
  `page.address(path)` and `page.store_address(path)` return relative addresses, since a proxy may serve the console
  below some other path. Every value is escaped: `|safe` and `Markup` of a value are forbidden. Put a value into
  `<bdi>`, so that text from right to left stays within it. `moment|shown_time`, `uuid|profile_id` and
  `reason|sentence` are filters. Whoever shows profiles other than the one in the path calls
  `page.note_profiles(ids)`, for the audit log.
- **One thing is shown in one way**: `people.html` has macros for cards, names and identifiers, `events.html` for
  events, `forms.html` for fields and refusals, `paging.html` for the pages of a list, and `operations/facts.html` for
  states and results. A page that asks before it changes something has a link *Cancel* beside its button.
- **No value of an identifier and no secret is ever in an address**: forms that have them use `method="post"`. IDs of
  stores, profiles and operations may be in addresses.
- **A form** has `{% include "token.html" %}`. `Page` reads the form and checks the token before the endpoint is called,
  so no endpoint can forget it. `page.form.text("value")`, `.texts(…)`, `.required(…)` and `.file(…)` return its fields.
  Fields have the API's names (`idType`, `value`), because the messages of errors begin with them; `forms.html` has the
  words that the page shows instead. `typed_as(model, typed)` (`wire.py`) reads a form as the body of an API's request,
  and says in plain sentences what was wrong.
- **A form that succeeds** answers `return await page.redirect(page.store_address(…), "The value was replaced.")`. The
  sentence is shown once by the next page. It must not contain a value: it is in the session's cookie.
- **A form that is refused** is shown again, with what was typed and the reason above its fields:

      try:
          await ingest(…)
      except CORRECTABLE as error:
          return await _shown(page, …, refusal=Refusal.of("replace", error))

  `Refusal` has the form's name, the field's name and the reason; `render(refusal=…)` also sets the status. In the
  template, `{{ refused(refusal, "replace") }}` shows it, and `{{ text_field(refusal, "replace", "value", "Value") }}`
  marks the field; both are macros of `forms.html`. The template must not assume that there is a refusal.
- **All other errors** may simply be raised: `error_page.py` shows a page with the error's sentence, what the reader can
  do, and the ID of the request. It does so for crashes and overload, too. A merged profile's page
  (`/stores/{storeId}/profiles/{profileId}/…`) leads to the canonical one's.
- **Scripts and styles** are in `assets/`: no inline script, no `style` attribute (the policy forbids both). Everything
  works without JavaScript. `console.js` offers `data-live` (a form that is sent while somebody types or moves a slider)
  and `data-refresh-seconds` (an element that is loaded again); read its comments. Style: use the classes of
  `console.css` before you add one: `card`, `facts`, `table` with `stacked`, `tag`, `section`, `actions`, `field`,
  `hint`, `empty`, `pages`, and buttons that are `plain`, `danger` or `quiet`.
- **Tests** are in `tests/console/`: see its `conftest.py` (`console`, a browser that is signed in) and `browser.py`.
"""
